package media

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"strings"

	"go.opentelemetry.io/otel/trace"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/tracing"
)

// Client reads media; *meta.Client is one. Its errors are *meta.Error.
type Client interface {
	// Media is meta.Client's.
	Media(ctx context.Context, cred meta.Credential, mediaID, phoneNumberID string) (meta.Media, error)
	// DownloadMedia is meta.Client's.
	DownloadMedia(ctx context.Context, cred meta.Credential, mediaURL string, dst io.Writer, limit int64) (meta.Download, error)
}

// Graph is where files come from.
type Graph struct {
	// Snapshot returns what is served now. Required.
	Snapshot func() *runtimeconfig.Snapshot
	// Client returns the Graph client for an address and version. Required.
	Client func(runtimeconfig.Graph) (Client, error)
}

var (
	// errTooLarge means that the file is larger than it may be, whoever said so.
	errTooLarge = errors.New("the file is larger than WhatsApp allows")
	// errNoRoom means that it is larger than what is left for it.
	errNoRoom = errors.New("the file is larger than what may be kept of it")
	// errDigest means that the bytes are not those that the digest was made of.
	errDigest = errors.New("the file is another one than Meta announced")
)

const mib = 1 << 20

// limitOf is the size that WhatsApp allows for a file, see
// developers.facebook.com/docs/whatsapp/cloud-api/reference/media#supported-media-types. It depends on what the file was sent as:
// photos and videos that are sent as documents keep their quality, and may be as large as those. Only where the type of the message
// does not tell, its content type does.
func limitOf(kind, mimeType string) int64 {
	switch kind {
	case "sticker":
		return mib / 2 // an animated one
	case "image":
		return 5 * mib
	case "audio", "voice", "video":
		return 16 * mib
	case "document":
		return 100 * mib
	}
	base, _, err := mime.ParseMediaType(mimeType)
	if err != nil {
		base = mimeType
	}
	if kind, _, _ = strings.Cut(base, "/"); kind == "image" || kind == "audio" || kind == "video" {
		return limitOf(kind, "")
	}
	return 100 * mib
}

// file is what a webhook tells of a file.
type file struct {
	// id is Meta's, number is the phone number id that received it.
	id, number string
	// kind is the type of the message; empty if it is not known.
	kind string
	// mimeType and digest may be empty.
	mimeType, digest string
}

// sink takes a file. Nothing is kept of it before commit.
type sink interface {
	io.Writer
	commit() error
	discard()
}

// download copies a file of no more than most bytes from Meta into a sink, and returns its type and size. It is the only place
// that does. It never uses the URL of a webhook: the one that Meta gives for the id is fresh. That one lasts five minutes
// and may be dead before: then there is another one, once. Errors: errTooLarge, errNoRoom, errDigest, those of the sink, *meta.Error.
func download(ctx context.Context, client Client, cred meta.Credential, f file, most int64, open func(mimeType string) (sink, error)) (string, int64, error) {
	for retried := false; ; retried = true {
		about, err := ask(ctx, client, cred, f)
		if err != nil {
			return "", 0, err
		}
		mimeType := f.mimeType
		if mimeType == "" {
			mimeType = about.MIMEType
		}
		// Both are asked: the webhook's word is signed, but either may leave it out.
		limit, tooLarge := min(limitOf(f.kind, mimeType), limitOf(f.kind, about.MIMEType)), errTooLarge
		if most < limit {
			limit, tooLarge = most, errNoRoom
		}
		if about.Size > limit {
			return "", 0, tooLarge
		}
		to, err := open(mimeType)
		if err != nil {
			return "", 0, err
		}
		size, err := pour(ctx, client, cred, about.URL, limit, [][]byte{meta.DecodeDigest(f.digest), about.SHA256}, to)
		switch class := meta.ClassOf(err); {
		case !retried && class == meta.ClassObjectNotVisible:
			continue
		case class == meta.ClassMediaTooLarge:
			err = tooLarge
		}
		return mimeType, size, err
	}
}

// ask asks Meta about a file.
func ask(ctx context.Context, client Client, cred meta.Credential, f file) (meta.Media, error) {
	ctx, span := tracing.Child(ctx, "graph media", trace.SpanKindClient)
	about, err := client.Media(ctx, cred, f.id, f.number)
	tracing.End(span, string(meta.ClassOf(err)))
	return about, err
}

// pour downloads once. Nothing is kept unless all of it came and is what it should be.
func pour(ctx context.Context, client Client, cred meta.Credential, url string, limit int64, digests [][]byte, to sink) (int64, error) {
	ctx, span := tracing.Child(ctx, "graph media download", trace.SpanKindClient)
	d, err := client.DownloadMedia(ctx, cred, url, to, limit)
	tracing.End(span, string(meta.ClassOf(err)))
	for _, want := range digests {
		if err == nil && want != nil && !bytes.Equal(want, d.SHA256) {
			err = errDigest
		}
	}
	if err != nil {
		to.discard()
		return 0, err
	}
	return d.Size, to.commit()
}

// memory is a sink for small files.
type memory struct{ bytes.Buffer }

func (*memory) commit() error { return nil }
func (m *memory) discard()    { m.Reset() }
