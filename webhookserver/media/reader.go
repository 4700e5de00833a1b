package media

import (
	"context"
	"errors"
	"io"

	"go.opentelemetry.io/otel/trace"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/tracing"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/outbox"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// errNoFile means that the message has no file that could be read.
var errNoFile = errors.New("the message has no file, or it was refused")

// Reader gives customers' files to whoever has to understand them.
type Reader struct {
	// Graph has the files that are not kept.
	Graph Graph
	// Blobs keeps the others; nil if there is no blob store.
	Blobs *Blobs
}

// Fetch returns a file of at most limit bytes. It takes it from the blob store, and from Meta only if it is not there: without a
// blob store, while that is away, or where the line has no room for more. Its errors hold no secret and nothing of the customer's.
func (r Reader) Fetch(ctx context.Context, ch *runtimeconfig.Channel, m *store.Media, limit int64) ([]byte, error) {
	if m == nil || m.ID == "" || m.State == store.MediaFailed {
		return nil, errNoFile
	}
	if r.Blobs != nil && m.State == store.MediaStored {
		if content, err := r.stored(ctx, m.BlobKey, limit); err == nil || errors.Is(err, errNoRoom) {
			return content, err
		}
	}
	client, err := r.Graph.Client(ch.Graph)
	if err != nil {
		return nil, err
	}
	ctx, span := tracing.Child(ctx, "fetch", trace.SpanKindInternal)
	defer span.End()
	var content memory
	_, _, err = download(ctx, client, outbox.CredentialOf(r.Graph.Snapshot(), ch),
		file{id: m.ID, number: ch.PhoneNumberID, mimeType: m.MIMEType, digest: m.SHA256}, limit,
		func(string) (sink, error) { return &content, nil })
	if err != nil {
		return nil, err
	}
	return content.Bytes(), nil
}

func (r Reader) stored(ctx context.Context, key string, limit int64) (content []byte, err error) {
	blob, size, err := r.Blobs.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, blob.Close()) }()
	if size > limit {
		return nil, errNoRoom
	}
	return io.ReadAll(io.LimitReader(blob, limit))
}
