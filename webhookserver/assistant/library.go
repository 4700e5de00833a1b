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

// Meaning has the vectors of channels' contents and questions; a *vectors.Keeper does.
type Meaning interface {
	// Revision identifies the vectors that Load gives.
	Revision(ch *runtimeconfig.Channel) string
	// Load returns the vectors that there are; nil for a channel without an embedding model.
	Load(ctx context.Context, ch *runtimeconfig.Channel) (*catalog.Vectors, error)
	// Want has the vectors of texts made, beside whatever the caller does.
	Want(ch *runtimeconfig.Channel, texts []string)
	// Question returns what gives questions their vectors; nil for a channel without an embedding model.
	Question(ch *runtimeconfig.Channel) func(context.Context, string) ([]float32, error)
}

// Library gives access to the catalogs and knowledge of channels.
type Library struct {
	cache     *catalog.Cache
	documents Documents
	meaning   Meaning
}

// NewLibrary makes a Library whose indexes live in cache and that searches by words. documents may be nil: then nothing has a URL.
func NewLibrary(cache *catalog.Cache, documents Documents) *Library {
	return &Library{cache: cache, documents: documents}
}

// WithMeaning returns the Library that searches by meaning as well.
func (l *Library) WithMeaning(m Meaning) *Library {
	return &Library{cache: l.cache, documents: l.documents, meaning: m}
}

// Use calls fn with the index of the channel's present content, which is empty for a channel without any.
func (l *Library) Use(ctx context.Context, ch *runtimeconfig.Channel, fn func(*catalog.Index) error) error {
	return l.cache.Use(ctx, ch.LineID, l.revision(ch), func(ctx context.Context) (catalog.Source, error) {
		return l.source(ctx, ch)
	}, func(x *catalog.Index) error {
		if l.meaning == nil {
			return fn(x)
		}
		embed := l.meaning.Question(ch)
		if embed == nil {
			return fn(x)
		}
		if x.LacksVectors() {
			l.meaning.Want(ch, x.Texts())
		}
		return fn(x.WithQuestions(embed))
	})
}

// revision identifies what an index is made of. The languages are no part of the content, but of its index.
func (l *Library) revision(ch *runtimeconfig.Channel) string {
	all := []string{strings.Join(ch.Assistant.Languages, ",")}
	if l.meaning != nil {
		all = append(all, l.meaning.Revision(ch))
	}
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
	if l.meaning != nil {
		// Without vectors words are found all the same; what is missing then is wanted by Use.
		if v, err := l.meaning.Load(ctx, ch); err == nil {
			src.Vectors = v
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
