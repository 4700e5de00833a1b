package controllers

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"k8s.io/utils/ptr"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
)

// fieldCatalogURL and fieldKnowledgeURL name the fields of spec that hold a URL to fetch.
const fieldCatalogURL = "spec.assistant.catalog.url"

func fieldKnowledgeURL(i int) string { return fmt.Sprintf("spec.assistant.knowledge[%d].url", i) }

// sourceProblems says of each reason for which a URL gives nothing what to do.
var sourceProblems = map[string]string{
	serverapi.SourceAddressRefused:     "it leads to a private or reserved address: use a public one, or ask the platform to allow it (--egress-allow-cidrs of the webhook-server)",
	serverapi.SourceRedirectRefused:    "it redirects to another origin: enter the final URL",
	serverapi.SourceTooLarge:           "what it gives exceeds 32 MiB: shorten it",
	serverapi.SourceTimeout:            "it gave no whole answer within a minute: see why it is slow",
	serverapi.SourceCertificateInvalid: "its certificate can't be verified: renew it, with all intermediate ones",
	serverapi.SourceUnreachable:        "it can't be reached: check the host's name, its DNS record and its firewall",
	serverapi.SourceForbidden:          "it answers 401 or 403: it must be readable without a log-in",
	serverapi.SourceNotFound:           "it answers 404: correct the URL",
	serverapi.SourceServerError:        "it answers with an error: see its logs",
	serverapi.SourceUnreadable:         "what it gives can't be used: a catalog must have the given format and a usable product, a page must be Markdown or text in UTF-8",
}

// sourceNews are the latest reports on documents with a URL, by field.
type sourceNews struct {
	byField map[string]*serverapi.Assistant
}

// with returns the news and later ones together.
func (n *sourceNews) with(later *sourceNews) *sourceNews {
	all := &sourceNews{byField: map[string]*serverapi.Assistant{}}
	for _, news := range []*sourceNews{n, later} {
		if news == nil {
			continue
		}
		maps.Copy(all.byField, news.byField)
	}
	return all
}

// recordContent puts into status what the webhook-server reports of catalog and knowledge. same says that status tells of the present
// spec: what was reported once is true until something else is.
func (s *channelScope) recordContent(same bool) {
	spec, status := &s.channel.Spec.Assistant, &s.channel.Status
	if spec.Catalog == nil {
		status.Catalog = nil
	} else if news := s.news.catalog; news != nil && news.Catalog != nil {
		status.Catalog = catalogStatus(news.Catalog)
	}
	if !same {
		status.Sources = nil
	}
	if s.news.sources != nil {
		for field, news := range s.news.sources.byField {
			status.Sources = slices.DeleteFunc(status.Sources, func(have v1alpha1.SourceStatus) bool { return have.Field == field })
			if !news.Healthy {
				status.Sources = append(status.Sources, v1alpha1.SourceStatus{
					Field: field, Reason: news.Reason, Detail: news.Source.Detail, Served: new(news.Source.Served),
				})
			}
		}
	}
	fields := map[string]bool{}
	if spec.Catalog != nil && spec.Catalog.URL != "" {
		fields[fieldCatalogURL] = true
	}
	for i := range spec.Knowledge {
		if spec.Knowledge[i].URL != "" {
			fields[fieldKnowledgeURL(i)] = true
		}
	}
	status.Sources = slices.DeleteFunc(status.Sources, func(have v1alpha1.SourceStatus) bool { return !fields[have.Field] })
	slices.SortFunc(status.Sources, func(a, b v1alpha1.SourceStatus) int { return cmp.Compare(a.Field, b.Field) })
}

func catalogStatus(c *serverapi.Catalog) *v1alpha1.CatalogStatus {
	status := &v1alpha1.CatalogStatus{Products: count(c.Products), LeftOut: count(c.LeftOut)}
	for _, row := range c.Rows[:min(len(c.Rows), serverapi.MaxRowErrors)] {
		status.Rows = append(status.Rows, v1alpha1.CatalogRow{Line: count(row.Line), Problem: row.Problem})
	}
	return status
}

func count(n int) *int32 { return new(int32(max(0, min(n, 1<<30)))) }

// sourceProblem says which documents can't be fetched, and the reason of the condition; empty if all can.
func (s *channelScope) sourceProblem() (reason, message string) {
	reason = v1alpha1.ReasonKnowledgeUnavailable
	for i := range s.channel.Status.Sources {
		src := &s.channel.Status.Sources[i]
		if src.Field == fieldCatalogURL {
			reason = v1alpha1.ReasonCatalogUnavailable
		}
		what, known := sourceProblems[src.Reason]
		if !known {
			what = "it gives nothing that can be used"
		}
		if src.Detail != "" {
			what += " (" + src.Detail + ")"
		}
		meanwhile := "Customers are answered without it."
		if ptr.Deref(src.Served, false) {
			meanwhile = "The last good copy is used meanwhile."
		}
		message += fmt.Sprintf("%s can't be fetched, %s. %s ", src.Field, what, meanwhile)
	}
	if message == "" {
		return "", ""
	}
	return reason, message + "It is tried again by itself."
}
