package assistant

import (
	"context"
	"strings"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/catalog"
)

// Documents has the documents that channels name by URL.
type Documents interface {
	// Revision identifies the copy of a document that Load gives; empty when there is none yet.
	Revision(line, url string) string
	// Load returns the copy of a document, nil when there is none.
	Load(ctx context.Context, line, url string) ([]byte, error)
}

// Library gives access to the catalogs and knowledge of channels.
type Library struct {
	cache     *catalog.Cache
	documents Documents
}

// NewLibrary makes a Library whose indexes live in cache. documents may be nil: then nothing has a URL.
func NewLibrary(cache *catalog.Cache, documents Documents) *Library {
	return &Library{cache: cache, documents: documents}
}

// Use calls fn with the index of the channel's present content, which is empty for a channel without any.
func (l *Library) Use(ctx context.Context, ch *runtimeconfig.Channel, fn func(*catalog.Index) error) error {
	return l.cache.Use(ctx, ch.LineID, l.revision(ch), func(ctx context.Context) (catalog.Source, error) {
		return l.source(ctx, ch)
	}, fn)
}

// revision identifies what an index is made of. The languages are no part of the content, but of its index.
func (l *Library) revision(ch *runtimeconfig.Channel) string {
	all := []string{strings.Join(ch.Assistant.Languages, ",")}
	if ch.Content != nil {
		all = append(all, ch.Content.Revision)
	}
	for _, src := range l.sources(ch) {
		all = append(all, src.Format+" "+src.URL+" "+l.documents.Revision(ch.LineID, src.URL))
	}
	return strings.Join(all, "\n")
}

func (l *Library) sources(ch *runtimeconfig.Channel) []runtimeconfig.Source {
	if l.documents == nil {
		return nil
	}
	return ch.Assistant.Sources
}

func (l *Library) source(ctx context.Context, ch *runtimeconfig.Channel) (catalog.Source, error) {
	src := catalog.Source{Languages: ch.Assistant.Languages}
	if ch.Content != nil {
		src.Format, src.Feed = catalog.Format(ch.Content.CatalogFormat), ch.Content.Catalog
		for _, d := range ch.Content.Knowledge {
			src.Documents = append(src.Documents, catalog.Document{Name: d.Name, Text: d.Text})
		}
	}
	for _, from := range l.sources(ch) {
		body, err := l.documents.Load(ctx, ch.LineID, from.URL)
		if err != nil {
			return src, err
		}
		switch {
		case body == nil:
		case from.Format != "":
			src.Format, src.Feed = catalog.Format(from.Format), body
		default:
			src.Documents = append(src.Documents, catalog.Document{Name: from.Field, Text: string(body)})
		}
	}
	return src, nil
}
