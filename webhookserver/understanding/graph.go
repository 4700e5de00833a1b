package understanding

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/outbox"
)

// MediaClient reads media; *meta.Client is one.
type MediaClient interface {
	// Media is meta.Client's.
	Media(ctx context.Context, cred meta.Credential, mediaID, phoneNumberID string) (meta.Media, error)
	// DownloadMedia is meta.Client's.
	DownloadMedia(ctx context.Context, cred meta.Credential, mediaURL string, dst io.Writer, limit int64) (meta.Download, error)
}

// Graph fetches files from Meta.
type Graph struct {
	// Snapshot returns what is served now. Required.
	Snapshot func() *runtimeconfig.Snapshot
	// Client returns the Graph client for an address and version. Required.
	Client func(runtimeconfig.Graph) (MediaClient, error)
}

var (
	errNoFile   = errors.New("the message names no file")
	errOtherSum = errors.New("the file is another one than Meta announced")
)

// Fetch implements Files. It never uses the URL of a webhook: the one that Meta gives for the id is fresh.
func (g Graph) Fetch(ctx context.Context, ch *runtimeconfig.Channel, f File) ([]byte, error) {
	if f.ID == "" {
		return nil, errNoFile
	}
	client, err := g.Client(ch.Graph)
	if err != nil {
		return nil, err
	}
	cred := outbox.CredentialOf(g.Snapshot(), ch)
	media, err := client.Media(ctx, cred, f.ID, ch.PhoneNumberID)
	if err != nil {
		return nil, err
	}
	var content bytes.Buffer
	got, err := client.DownloadMedia(ctx, cred, media.URL, &content, MaxFileBytes)
	if err != nil {
		return nil, err
	}
	if media.SHA256 != nil && !bytes.Equal(media.SHA256, got.SHA256) {
		return nil, errOtherSum
	}
	return content.Bytes(), nil
}
