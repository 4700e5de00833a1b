package outbox

import (
	"context"
	"errors"
	"io"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/tracing"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// MaxImageBytes is the size of an image that may be sent, WhatsApp's limit, see developers.facebook.com/docs/whatsapp/cloud-api/reference/media.
const MaxImageBytes = 5 << 20

// uploadPatience is how long an image waits for others that are uploaded; then its worker does something else. It leaves enough
// of the lease for the upload.
const uploadPatience = 10 * time.Second

// blobTimeout bounds reading an image. Together with uploadPatience and the call it leaves enough of the lease: when that runs out, a
// send counts as one that Meta may have.
const blobTimeout = 10 * time.Second

// errImage means that the image can't be sent at all.
var errImage = errors.New("the image is missing or too large")

// upload hands a blob to Meta and notes its id, so that a send that is repeated uploads nothing again. The send is then claimed
// anew: an upload takes its time, in which a person may have taken over or the number may have moved. One that was lost costs
// nothing: nobody has seen it, and Meta forgets it after 30 days.
func (b *Outbox) upload(ctx context.Context, client Sender, cred meta.Credential, ch *runtimeconfig.Channel, send *store.Send, image *Image) result {
	places, cancelPlaces := context.WithTimeout(ctx, uploadPatience)
	defer cancelPlaces()
	select {
	case b.uploads <- struct{}{}:
		defer func() { <-b.uploads }()
	case <-places.Done():
		if ctx.Err() != nil {
			return postponed(reasonStopping, 0)
		}
		return postponed(reasonUploads, uploadPatience)
	}
	content, err := b.read(ctx, image.Blob)
	switch {
	case errors.Is(err, errImage):
		b.log.Error(err, "An image can't be sent", "line", send.Line, "send", send.ID)
		return failed(reasonBlobMissing, 0)
	case err != nil:
		b.log.Error(err, "An image could not be read", "line", send.Line, "send", send.ID)
		return pending(reasonBlobStore, backoff(send.Attempt, 2, maxBackoff))
	}
	callCtx, cancel := context.WithTimeout(ctx, callTimeout)
	callCtx, span := tracing.Child(callCtx, "graph media upload", trace.SpanKindClient)
	id, err := client.UploadMedia(callCtx, cred, send.PhoneNumberID, meta.MediaUpload{MIMEType: image.MIMEType, Content: content})
	tracing.End(span, string(meta.ClassOf(err)))
	cancel()
	if err != nil {
		b.log.Info("An image could not be uploaded", "line", send.Line, "send", send.ID, "error", err.Error(), "attempt", send.Attempt)
		upload := *send
		upload.Routed = false // it is into no thread, so no other responder's
		r := b.judge(ctx, ch, &upload, err)
		if r.state == store.SendUnknown { // of the upload, not of the message
			r = pending(r.reason, backoff(send.Attempt, 2, maxBackoff))
		}
		return r
	}
	// Detached: what was uploaded need not be uploaded again, also if the process is told to stop.
	ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	if err := b.store.SetUploaded(ctx, send, string(id)); err != nil {
		b.log.Error(err, "The id of an uploaded image could not be written down", "line", send.Line, "send", send.ID)
		return pending(reasonUploaded, backoff(send.Attempt, 2, maxBackoff))
	}
	return postponed(reasonUploaded, 0)
}

// read loads an image. Only a blob that is not there is errImage, as the rest may pass.
func (b *Outbox) read(ctx context.Context, key string) (content []byte, err error) {
	if b.blobs == nil {
		return nil, errImage
	}
	ctx, cancel := context.WithTimeout(ctx, blobTimeout)
	defer cancel()
	r, size, err := b.blobs.Get(ctx, key)
	if errors.Is(err, store.ErrNotFound) || (err == nil && size > MaxImageBytes) {
		if r != nil {
			err = errors.Join(err, r.Close())
		}
		return nil, errors.Join(errImage, err)
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return io.ReadAll(io.LimitReader(r, MaxImageBytes))
}
