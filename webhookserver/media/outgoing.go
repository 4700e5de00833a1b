package media

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/whatsapp-operator/whatsapp-operator/internal/tracing"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/outbox"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// ErrQuota is the error of an image for which its line has no room.
var ErrQuota = errors.New("the image can't be kept: the line has used up what it may keep, see --media-quota")

// ErrImage is the error of an image that WhatsApp would refuse.
var ErrImage = errors.New("the image can't be sent: it must be image/jpeg or image/png, of 1 byte to 5 MiB")

// Outgoing keeps images of ours, such as generated ones, until they are sent. It is safe for concurrent use.
type Outgoing struct {
	// Store remembers the blobs. Required.
	Store store.Files
	// Blobs keeps them; nil if there is no blob store, and then Draft fails with ErrBlobs.
	Blobs *Blobs
	// Quota is how many bytes of blobs a line may have; 0 for DefaultQuota.
	Quota int64
}

// Draft keeps an image and returns the outbox row that sends it to a customer of the line: the outbox uploads it once, with the token
// of the line, however often the send is repeated, and the image is deleted with its message. The caller adds Text and
// MaxReplyAge. Whoever never commits the draft need not care: the image is forgotten after store.BlobGrace. The caption has
// at most 1024 characters. Errors: ErrImage, ErrBlobs, ErrQuota, those of the store.
func (o Outgoing) Draft(ctx context.Context, line, mimeType string, content []byte, caption string) (store.OutboxDraft, error) {
	if (mimeType != "image/jpeg" && mimeType != "image/png") || len(content) == 0 || len(content) > outbox.MaxImageBytes {
		return store.OutboxDraft{}, ErrImage
	}
	if o.Blobs == nil {
		return store.OutboxDraft{}, fmt.Errorf("%w: there is none, set --blobs", ErrBlobs)
	}
	used, err := o.Store.BlobBytes(ctx, line)
	if err != nil {
		return store.OutboxDraft{}, err
	}
	if used+int64(len(content)) > cmp.Or(o.Quota, DefaultQuota) {
		return store.OutboxDraft{}, ErrQuota
	}
	key := "sent/" + rand.Text()
	c := outbox.Content{Image: &outbox.Image{Blob: key, MIMEType: mimeType, Caption: caption}, Trace: tracing.Carry(ctx)}
	payload, err := c.Payload()
	if err != nil {
		return store.OutboxDraft{}, err
	}
	if err := o.Store.NoteBlob(ctx, key); err != nil {
		return store.OutboxDraft{}, err
	}
	if err := o.Blobs.Put(ctx, key, mimeType, content); err != nil {
		return store.OutboxDraft{}, err
	}
	return store.OutboxDraft{Type: c.Type(), Payload: payload, BlobKey: key, BlobBytes: int64(len(content))}, nil
}
