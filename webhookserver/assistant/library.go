package assistant

import (
	"context"
	"strings"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/catalog"
)

// CatalogReporter is told how much of a channel's catalog can be used, right after it was read.
type CatalogReporter func(ctx context.Context, ch *runtimeconfig.Channel, x *catalog.Index)

// Library gives access to the catalogs and knowledge of channels.
type Library struct {
	cache  *catalog.Cache
	report CatalogReporter
}

// NewLibrary makes a Library whose indexes live in cache. report may be nil.
func NewLibrary(cache *catalog.Cache, report CatalogReporter) *Library {
	return &Library{cache: cache, report: report}
}

// Use calls fn with the index of the channel's present content, which is empty for a channel without any.
func (l *Library) Use(ctx context.Context, ch *runtimeconfig.Channel, fn func(*catalog.Index) error) error {
	content := ch.Content
	if content == nil {
		content = &runtimeconfig.Content{}
	}
	// The languages are no part of the content, but of its index.
	revision := content.Revision + " " + strings.Join(ch.Assistant.Languages, ",")
	read := false
	return l.cache.Use(ctx, ch.LineID, revision, func() catalog.Source {
		read = true
		src := catalog.Source{
			Languages: ch.Assistant.Languages,
			Format:    catalog.Format(content.CatalogFormat),
			Feed:      content.Catalog,
		}
		for _, d := range content.Knowledge {
			src.Documents = append(src.Documents, catalog.Document{Name: d.Name, Text: d.Text})
		}
		return src
	}, func(x *catalog.Index) error {
		if read && l.report != nil {
			l.report(ctx, ch, x)
		}
		return fn(x)
	})
}
