package media

import (
	"context"
	"errors"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/outbox"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// Reasons of files that were not fetched, beside Meta's classes.
const (
	reasonNumberMoved = "NumberMoved"
	reasonNotServed   = "NumberNotServed"
	reasonTooLarge    = "TooLarge"
	reasonDigest      = "DigestMismatch"
	reasonBlobStore   = "BlobStoreUnavailable"
	reasonExpired     = "Expired"
	reasonClient      = "InvalidGraphAddress"
	reasonStopping    = "Stopping"
	reasonQuota       = "QuotaReached"
)

const (
	// maxTries bounds how often a file is tried that is itself at fault: some minutes in all.
	maxTries = 8
	// firstDelay is the shortest wait after a failure. It doubles with each further one, up to maxDelay.
	firstDelay = 2 * time.Second
	maxDelay   = 5 * time.Minute
	// mediaLife is how long Meta keeps what customers send, see
	// developers.facebook.com/docs/whatsapp/cloud-api/reference/media.
	mediaLife = 7 * 24 * time.Hour
)

// result is what became of a claimed file.
type result struct {
	state    store.MediaState // stored, failed, skipped, or pending
	mimeType string           // of stored
	size     int64            // of stored
	reason   string           // of the others
	delay    time.Duration    // of pending
	// untried is a pending one that says nothing of the file.
	untried bool
}

func failed(reason string) result { return result{state: store.MediaFailed, reason: reason} }

// withoutRoom is for a file for which its line has no room. It is not tried again: what waits for room would be a queue without end.
func withoutRoom() result { return result{state: store.MediaSkipped, reason: reasonQuota} }

// again is for a file that is at fault itself: it is given up soon.
func again(f *store.MediaFetch, reason string) result {
	if f.Attempt >= maxTries {
		return failed(reason)
	}
	return result{state: store.MediaPending, reason: reason, delay: min(firstDelay<<(f.Attempt-1), maxDelay)}
}

// later is for what fails every file, or is for somebody to mend: a token, the network, the blob store. The file waits as
// long as Meta keeps it, and each time for as long again as it has waited.
func later(f *store.MediaFetch, reason string) result {
	age := f.ClaimedAt.Sub(f.ReceivedAt)
	if age > mediaLife {
		return failed(reasonExpired)
	}
	return result{state: store.MediaPending, reason: reason, delay: min(max(age, firstDelay), maxDelay), untried: true}
}

// fetch moves one file from Meta to the blob store.
func (k *Fetcher) fetch(ctx context.Context, f *store.MediaFetch) result {
	snapshot := k.graph.Snapshot()
	ch, ownership := outbox.ChannelOf(snapshot, f.PhoneNumberID, f.Line)
	switch ownership {
	case outbox.Owned:
	case outbox.Moved:
		return failed(reasonNumberMoved)
	case outbox.Absent:
		return later(f, reasonNotServed)
	}
	room := k.quota - f.LineBytes
	if room <= 0 {
		return withoutRoom()
	}
	client, err := k.graph.Client(ch.Graph)
	if err != nil {
		k.log.Error(err, "The Graph API can't be called for a line", "line", f.Line)
		return later(f, reasonClient)
	}
	fetchCtx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	mimeType, size, err := download(fetchCtx, client, outbox.CredentialOf(snapshot, ch),
		file{id: f.MediaID, number: f.PhoneNumberID, kind: f.Type, mimeType: f.MIMEType, digest: f.SHA256}, room,
		func(mimeType string) (sink, error) { return k.blobs.create(fetchCtx, f.BlobKey, mimeType) })
	if err != nil {
		return k.judge(ctx, f, err)
	}
	return result{state: store.MediaStored, mimeType: mimeType, size: size}
}

// judge decides what follows from a failure.
func (k *Fetcher) judge(ctx context.Context, f *store.MediaFetch, err error) result {
	switch {
	case ctx.Err() != nil:
		return result{state: store.MediaPending, reason: reasonStopping, untried: true}
	case errors.Is(err, errNoRoom):
		return withoutRoom()
	case errors.Is(err, errTooLarge):
		return failed(reasonTooLarge)
	case errors.Is(err, errDigest):
		return again(f, reasonDigest)
	case errors.Is(err, ErrBlobs):
		k.log.Error(err, "A file could not be stored", "line", f.Line, "attempt", f.Attempt)
		return later(f, reasonBlobStore)
	}
	k.log.Info("A file could not be fetched", "line", f.Line, "error", err.Error(), "attempt", f.Attempt)
	switch class := meta.ClassOf(err); {
	case class == meta.ClassTokenInvalid, class == meta.ClassPermissionDenied, class == meta.ClassAppSecretProofInvalid:
		return later(f, string(class))
	case class == meta.ClassInvalid || meta.OutcomeOf(err) == meta.Rejected:
		return again(f, string(class))
	default:
		return later(f, string(class))
	}
}
