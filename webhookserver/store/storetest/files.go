package storetest

import (
	"errors"
	"fmt"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

var fileCases = map[string]func(*world){
	"a file is fetched once and shown with its message":       fileOnce,
	"who fetched too long has fetched in vain":                fileLease,
	"a file that failed is shown with its reason":             fileFailures,
	"one line has so many at a time, the oldest first":        fileLimit,
	"lines are fetched for in turn":                           fileTurns,
	"what failed does not hold up what is new":                fileRetries,
	"only what a customer writes to the line is fetched":      fileSources,
	"a reply waits for files, but not for ever":               filePatience,
	"a reply waits for the files of a joined thread":          fileJoined,
	"a reply waits for the files that became the line's":      fileUpgraded,
	"a blob goes with its message, and not at once":           fileRetention,
	"a blob goes with its customer":                           fileErased,
	"a blob of ours goes with its message, or if it has none": fileOfOurs,
	"what was uploaded is not uploaded again":                 fileUpload,
	"a line's blobs are counted as they come and go":          fileBytes,
}

// photo is a reply-worthy photo of a customer, sent now.
func (w *world) photo(wamid, bsuid string) store.InboundMessage {
	m := w.text(wamid, bsuid)
	m.Type, m.Media = "image", &store.Media{ID: "media-" + wamid, MIMEType: "image/jpeg", SHA256: "digest"}
	return m
}

func mediaRequest() store.ClaimMediaRequest {
	return store.ClaimMediaRequest{Owner: "fetcher", Lease: time.Minute, PerLineLimit: 2}
}

func (w *world) claimMedia() *store.MediaFetch {
	w.Helper()
	f, err := w.store.ClaimMedia(w.Context(), mediaRequest())
	w.must(err)
	return f
}

func (w *world) nothingToFetch(reason string) {
	w.Helper()
	f, err := w.store.ClaimMedia(w.Context(), mediaRequest())
	if f != nil {
		w.Errorf("%s: claimed %s", reason, f.WAMID)
	}
	w.wantErr(err, store.ErrNothingDue, reason)
}

// file is what the usual line's first message says of its file.
func (w *world) file() store.Media {
	w.Helper()
	m := w.messages(w.conversation())[0].Media
	if m == nil {
		w.Fatal("the message has no file")
	}
	return *m
}

// garbage waits until it would be due and returns what is to be deleted.
func (w *world) garbage() []string {
	w.Helper()
	keys, err := w.store.BlobGarbage(w.Context(), 100)
	w.must(err)
	w.equal(0, len(keys), "blobs to delete before somebody could have finished fetching them")
	w.advance(store.BlobGrace)
	keys, err = w.store.BlobGarbage(w.Context(), 100)
	w.must(err)
	return keys
}

func fileOnce(w *world) {
	w.ingest(w.photo("m1", "US.1"))
	w.ingest(w.photo("m1", "US.1"))
	f := w.claimMedia()
	w.equal([]string{line, number, "m1", "image", "media-m1", "image/jpeg", "digest"},
		[]string{f.Line, f.PhoneNumberID, f.WAMID, f.Type, f.MediaID, f.MIMEType, f.SHA256}, "what is to be fetched")
	w.equal(true, f.Attempt == 1 && f.BlobKey != "" && f.ReceivedAt.Equal(w.clock()) && f.ClaimedAt.Equal(w.clock()), fmt.Sprintf("the claim %+v", f))
	w.nothingToFetch("while it is being fetched")
	w.must(w.store.MarkMediaStored(w.Context(), f, "image/png", 7))
	w.equal(store.Media{
		ID: "media-m1", MIMEType: "image/png", SHA256: "digest", State: store.MediaStored, BlobKey: f.BlobKey, Size: 7,
	}, w.file(), "the file")
	w.wantErr(w.store.MarkMediaFailed(w.Context(), f, "Odd"), store.ErrLeaseLost, "a second result")
	w.ingest(w.photo("m1", "US.1"))
	w.reopen()
	w.nothingToFetch("after another copy of the message")
	w.equal(store.MediaStored, w.file().State, "the file after another copy")
}

func fileLease(w *world) {
	w.ingest(w.photo("m1", "US.1"))
	slow := w.claimMedia()
	w.advance(time.Minute)
	f := w.claimMedia()
	w.equal(true, f.Attempt == 2 && f.BlobKey == slow.BlobKey, "the second claim has the same key")
	w.wantErr(w.store.MarkMediaStored(w.Context(), slow, "image/png", 7), store.ErrLeaseLost, "the first result")
	w.must(w.store.MarkMediaStored(w.Context(), f, "image/png", 8))
	w.equal(int64(8), w.file().Size, "whose lease it is counts")
}

func fileFailures(w *world) {
	w.ingest(w.photo("m1", "US.1"))
	w.must(w.store.MarkMediaPendingAgain(w.Context(), w.claimMedia(), store.Retry{Reason: "Network", After: time.Second}))
	w.equal([]string{"pending", "Network"}, []string{string(w.file().State), w.file().Reason}, "a file that waits")
	w.nothingToFetch("before it is due")
	w.advance(time.Second)
	f := w.claimMedia()
	w.equal(2, f.Attempt, "tries")
	w.must(w.store.MarkMediaPendingAgain(w.Context(), f, store.Retry{Reason: "TokenInvalid", Untried: true}))
	f = w.claimMedia()
	w.equal(2, f.Attempt, "tries that were none of the file")
	w.must(w.store.MarkMediaFailed(w.Context(), f, "TooLarge"))
	w.equal([]string{"failed", "TooLarge"}, []string{string(w.file().State), w.file().Reason}, "a file that was given up")
	w.advance(time.Hour)
	w.nothingToFetch("after it was given up")
}

func fileLimit(w *world) {
	for _, wamid := range []string{"m1", "m2", "m3"} {
		w.ingest(w.photo(wamid, "US.1"))
		w.advance(time.Second)
	}
	other := w.photo("o1", "US.1")
	other.Line, other.PhoneNumberID = "line-b", "15550000002"
	w.ingest(other)
	first := w.claimMedia()
	w.equal([]string{"m1", "m2", "o1"}, []string{first.WAMID, w.claimMedia().WAMID, w.claimMedia().WAMID}, "two of the line, then the other line's")
	w.nothingToFetch("while two of the line are under way")
	w.must(w.store.MarkMediaStored(w.Context(), first, "image/jpeg", 1))
	w.equal("m3", w.claimMedia().WAMID, "the next")
}

func fileTurns(w *world) {
	for i := range 3 {
		w.ingest(w.photo(fmt.Sprintf("m%d", i), "US.1"))
	}
	w.advance(time.Second)
	for i := range 2 {
		other := w.photo(fmt.Sprintf("o%d", i), "US.1")
		other.Line, other.PhoneNumberID = "line-b", "15550000002"
		w.ingest(other)
	}
	var got []string
	req := mediaRequest()
	req.PerLineLimit = 10
	for len(got) < 5 {
		f, err := w.store.ClaimMedia(w.Context(), req)
		if req.After != "" && errors.Is(err, store.ErrNothingDue) {
			req.After = "" // the next round
			continue
		}
		w.must(err)
		got, req.After = append(got, f.WAMID), f.Line
	}
	w.equal([]string{"m0", "o0", "m1", "o1", "m2"}, got, "older files of a line wait for the other line's turn")
}

func fileRetries(w *world) {
	w.ingest(w.photo("m1", "US.1"))
	w.must(w.store.MarkMediaPendingAgain(w.Context(), w.claimMedia(), store.Retry{Reason: "Network", After: time.Second}))
	w.advance(time.Second)
	w.ingest(w.photo("m2", "US.1"))
	w.equal([]string{"m2", "m1"}, []string{w.claimMedia().WAMID, w.claimMedia().WAMID}, "a reply may wait for the new one")
}

func fileSources(w *world) {
	for _, source := range []store.Source{store.SourceStandby, store.SourceEcho, store.SourceHistory} {
		m := w.photo("m-"+string(source), "US.1")
		m.Source, m.ReplyWorthy, m.OpensWindow = source, false, false
		w.ingest(m)
	}
	w.nothingToFetch("of others")
	m := w.photo("m-"+string(store.SourceStandby), "US.1")
	w.ingest(m)
	w.equal(m.WAMID, w.claimMedia().WAMID, "what became the line's after all")
}

func filePatience(w *world) {
	await := claimRequest()
	await.AwaitMedia = true
	claimed := func() error {
		turn, err := One(w.store.ClaimConversations(w.Context(), await))
		if err == nil {
			w.must(w.store.CommitReply(w.Context(), turn, drafts("an answer"), answered()))
		}
		return err
	}
	w.ingest(w.photo("m1", "US.1"))
	w.advance(store.ReplyDueAtMost)
	w.wantErr(claimed(), store.ErrNothingDue, "while the file waits")
	f := w.claimMedia()
	w.wantErr(claimed(), store.ErrNothingDue, "while it is being fetched")
	w.must(w.store.MarkMediaStored(w.Context(), f, "image/jpeg", 1))
	w.must(claimed())
	w.ingest(w.photo("m2", "US.1"))
	w.advance(store.MediaPatience)
	w.must(claimed())
	w.ingest(w.photo("m3", "US.1"))
	w.advance(store.ReplyDueAtMost)
	await.AwaitMedia = false
	w.must(claimed())
}

func fileJoined(w *world) {
	w.ingest(w.photo("m1", "US.1"), w.text("m2", "US.2"))
	w.move("")
	w.advance(store.ReplyDueAtMost)
	await := claimRequest()
	await.AwaitMedia = true
	_, err := One(w.store.ClaimConversations(w.Context(), await))
	w.wantErr(err, store.ErrNothingDue, "while the file waits")
	w.must(w.store.MarkMediaStored(w.Context(), w.claimMedia(), "image/jpeg", 1))
	_, err = One(w.store.ClaimConversations(w.Context(), await))
	w.must(err)
}

// fileUpgraded has a file come by standby first, long before, in a thread that was joined to another since.
func fileUpgraded(w *world) {
	copied := w.photo("m1", "US.1")
	copied.Source, copied.ReplyWorthy, copied.OpensWindow = store.SourceStandby, false, false
	w.ingest(copied, w.text("m2", "US.2"))
	w.move("")
	w.must(w.store.CommitReply(w.Context(), w.claim(), drafts("an answer"), answered()))
	w.advance(store.MediaPatience)
	w.ingest(w.photo("m1", "US.2"))
	w.advance(store.ReplyDueAtMost)
	await := claimRequest()
	await.AwaitMedia = true
	_, err := One(w.store.ClaimConversations(w.Context(), await))
	w.wantErr(err, store.ErrNothingDue, "while the file waits")
	f := w.claimMedia()
	w.equal(w.clock().Add(-store.ReplyDueAtMost), f.ReceivedAt, "since when the file is waited for")
	w.must(w.store.MarkMediaStored(w.Context(), f, "image/jpeg", 1))
	_, err = One(w.store.ClaimConversations(w.Context(), await))
	w.must(err)
}

func fileRetention(w *world) {
	w.ingest(w.photo("m1", "US.1"))
	f := w.claimMedia()
	w.must(w.store.MarkMediaStored(w.Context(), f, "image/jpeg", 1))
	w.equal(0, len(w.garbage()), "blobs to delete while the message is there")
	w.advance(store.MinRetention)
	w.expireAll(store.Retention{Default: store.MinRetention, BatchSize: 100})
	w.equal([]string{f.BlobKey}, w.garbage(), "blobs to delete")
	w.must(w.store.ForgetBlobs(w.Context(), []string{f.BlobKey, "another"}))
	w.equal(0, len(w.garbage()), "blobs to delete when that is done")
}

func fileErased(w *world) {
	w.ingest(w.photo("m1", erasedUser))
	stored := w.claimMedia()
	w.must(w.store.MarkMediaStored(w.Context(), stored, "image/jpeg", 1))
	w.ingest(w.photo("m2", erasedUser))
	slow := w.claimMedia()
	w.ingest(w.photo("n1", "US.2"))
	w.erase(store.Erasure{Line: line, PhoneNumberID: number, BSUID: erasedUser})
	w.wantErr(w.store.MarkMediaStored(w.Context(), slow, "image/jpeg", 1), store.ErrLeaseLost, "what was being fetched")
	w.must(w.store.NoteBlob(w.Context(), slow.BlobKey))
	keys := w.garbage()
	w.equal(true, len(keys) == 2 && (keys[0] == stored.BlobKey) != (keys[1] == stored.BlobKey), fmt.Sprintf("blobs to delete: %q", keys))
	w.equal("n1", w.claimMedia().WAMID, "the neighbour's")
	w.nothingToFetch("of who was erased")
}

func fileOfOurs(w *world) {
	w.must(w.store.NoteBlob(w.Context(), "made/sent"))
	w.must(w.store.NoteBlob(w.Context(), "made/lost"))
	w.ingest(w.text("m1", erasedUser))
	d := drafts("a picture")
	d[0].Type, d[0].BlobKey = "image", "made/sent"
	w.must(w.store.CommitReply(w.Context(), w.claim(), d, answered()))
	w.equal([]string{"made/lost"}, w.garbage(), "blobs that no message names")
	w.must(w.store.ForgetBlobs(w.Context(), []string{"made/lost"}))
	w.erase(store.Erasure{Line: line, PhoneNumberID: number, BSUID: erasedUser})
	w.equal([]string{"made/sent"}, w.garbage(), "blobs whose message is gone")
}

func fileUpload(w *world) {
	w.reply("m1", "US.1", "a picture")
	s := w.claimSend()
	w.equal("", s.MediaID, "the upload of a first try")
	w.must(w.store.SetUploaded(w.Context(), s, "777"))
	w.must(w.store.MarkPendingAgain(w.Context(), s, store.Retry{Reason: "Throttled"}))
	w.wantErr(w.store.SetUploaded(w.Context(), s, "888"), store.ErrLeaseLost, "a claim that is over")
	again := w.claimSend()
	w.equal("777", again.MediaID, "the upload of the second try")
}

func fileBytes(w *world) {
	counted := func(want int64, reason string) {
		w.Helper()
		got, err := w.store.BlobBytes(w.Context(), line)
		w.must(err)
		w.equal(want, got, reason)
		stats, err := w.store.Stats(w.Context())
		w.must(err)
		w.equal(want, stats.BlobBytes, reason+", in all")
	}
	counted(0, "at first")
	w.ingest(w.photo("m1", erasedUser))
	f := w.claimMedia()
	w.equal(int64(0), f.LineBytes, "what the first finds")
	counted(0, "while it is being fetched")
	w.must(w.store.MarkMediaStored(w.Context(), f, "image/jpeg", 700))
	w.ingest(w.photo("m2", "US.2"))
	f = w.claimMedia()
	w.equal(int64(700), f.LineBytes, "what the second finds")
	w.must(w.store.MarkMediaSkipped(w.Context(), f, "QuotaReached"))
	w.wantErr(w.store.MarkMediaSkipped(w.Context(), f, "QuotaReached"), store.ErrLeaseLost, "a second result")
	counted(700, "after one that is not kept")
	all, err := w.store.Conversations(w.Context(), line, 0, 10)
	w.must(err)
	skipped := w.messages(all[1])[0].Media
	w.equal([]string{"skipped", "QuotaReached"}, []string{string(skipped.State), skipped.Reason}, "one that is not kept")
	w.advance(time.Hour)
	w.nothingToFetch("what is not kept is not tried again")
	d := drafts("a picture")
	d[0].Type, d[0].BlobKey, d[0].BlobBytes = "image", "made/1", 30
	w.must(w.store.CommitReply(w.Context(), w.claim(), d, answered()))
	counted(730, "with one of ours")
	w.reopen()
	counted(730, "after a restart")
	w.erase(store.Erasure{Line: line, PhoneNumberID: number, BSUID: erasedUser})
	w.advance(store.MinRetention)
	w.expireAll(store.Retention{Default: store.MinRetention, BatchSize: 100})
	counted(0, "when all of them are gone")
}
