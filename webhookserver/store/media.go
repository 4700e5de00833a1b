package store

import (
	"context"
	"time"
)

// Files keeps track of the files of messages, which themselves lie in a blob
// store: what is still to be fetched from Meta, and what nobody needs any more.
type Files interface {
	// ClaimMedia leases the file of a customer's message that is to be fetched next:
	// of the first line, by their ids, that has something to fetch and room, the file
	// that has waited longest; files that failed come after those that were never
	// tried. A lease that ran out is handed out again: fetching a
	// file twice does no harm, its blob key is the same. It returns ErrNothingDue
	// if there is none.
	ClaimMedia(ctx context.Context, req ClaimMediaRequest) (*MediaFetch, error)

	// MarkMediaStored records that the file lies under f.BlobKey now. Errors:
	// ErrLeaseLost, also if the message was deleted meanwhile; then the blob is
	// the caller's to delete.
	MarkMediaStored(ctx context.Context, f *MediaFetch, mimeType string, size int64) error

	// MarkMediaFailed records that the file will not be fetched, with a reason
	// that is a short, stable word. Errors: ErrLeaseLost.
	MarkMediaFailed(ctx context.Context, f *MediaFetch, reason string) error

	// MarkMediaSkipped records that the file will not be kept, with a reason of the
	// same kind. It can still be read at Meta for some days. Errors: ErrLeaseLost.
	MarkMediaSkipped(ctx context.Context, f *MediaFetch, reason string) error

	// MarkMediaPendingAgain gives the file back for a while. Errors: ErrLeaseLost.
	MarkMediaPendingAgain(ctx context.Context, f *MediaFetch, again Retry) error

	// NoteBlob is to be called before a blob is written that no row names yet. It
	// is garbage after BlobGrace, unless an OutboxDraft with its key has become a
	// row by then.
	NoteBlob(ctx context.Context, key string) error

	// BlobBytes is what the blobs of the line's messages take, in and out. Blobs
	// that wait to be deleted don't count.
	BlobBytes(ctx context.Context, line string) (int64, error)

	// SetUploaded keeps the id that Meta gave to the send's blob, so that a
	// repeated send uploads nothing again. Errors: ErrLeaseLost.
	SetUploaded(ctx context.Context, s *Send, mediaID string) error

	// BlobGarbage returns up to limit keys of blobs whose rows are gone, by
	// retention or erasure, for at least as long as a fetch may take.
	BlobGarbage(ctx context.Context, limit int) ([]string, error)

	// ForgetBlobs is to be called when these blobs are deleted.
	ForgetBlobs(ctx context.Context, keys []string) error
}

// MediaState says how far the file of a message has come.
type MediaState string

// The states of a file.
const (
	// MediaSkipped is not fetched: nobody at this line was written to, or there
	// is a reason.
	MediaSkipped MediaState = "skipped"
	// MediaPending waits to be fetched.
	MediaPending MediaState = "pending"
	// MediaFetching is being fetched.
	MediaFetching MediaState = "fetching"
	// MediaStored lies in the blob store.
	MediaStored MediaState = "stored"
	// MediaFailed was given up.
	MediaFailed MediaState = "failed"
)

// ClaimMediaRequest says who claims a file and how.
type ClaimMediaRequest struct {
	Owner string
	// Lease must be longer than fetching takes.
	Lease time.Duration
	// PerLineLimit is how many files of one line may be fetched at a time.
	PerLineLimit int
	// After leaves lines out as that of a ClaimSendRequest does.
	After string
}

// MediaFetch is a claimed file.
type MediaFetch struct {
	PhoneNumberID string
	WAMID         string
	Line          string
	// Type is the message's: what WhatsApp allows for a file depends on what it was
	// sent as.
	Type string
	// MediaID is Meta's; MIMEType and SHA256 are as the webhook told them.
	MediaID  string
	MIMEType string
	SHA256   string
	// BlobKey is where the file is to be put.
	BlobKey    string
	ReceivedAt time.Time
	// LineBytes is what the blobs of the line's messages take at the claim.
	LineBytes int64

	Epoch     int64
	ClaimedAt time.Time
	// Attempt is 1 for the first try.
	Attempt int
}
