package storetest

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

const (
	feedURL  = "https://shop.example/feed.csv?key=1"
	interval = time.Hour
	lease    = time.Minute
)

func (w *world) claimFetch() *store.Fetch {
	w.Helper()
	f, err := w.store.ClaimFetch(w.Context(), line, feedURL, interval, lease)
	w.must(err)
	return f
}

func (w *world) noFetch(reason string) {
	w.Helper()
	_, err := w.store.ClaimFetch(w.Context(), line, feedURL, interval, lease)
	w.wantErr(err, store.ErrNothingDue, reason)
}

func (w *world) body() string {
	w.Helper()
	body, _, err := w.store.DocumentBody(w.Context(), line, feedURL)
	w.must(err)
	return string(body)
}

var documentCases = map[string]func(*world){
	"fetched once for all, and again when it is due": func(w *world) {
		_, _, err := w.store.DocumentBody(w.Context(), line, feedURL)
		w.wantErr(err, store.ErrNotFound, "nothing was fetched")
		f := w.claimFetch()
		w.equal("", f.ETag+f.LastModified+f.Revision, "the first fetch has nothing to compare with")
		w.noFetch("somebody fetches it")
		w.must(w.store.FinishFetch(w.Context(), f, store.FetchOutcome{Body: []byte{1, 0, 255}, Revision: "r1", ETag: `"a"`, LastModified: "Mon", Next: interval}))
		w.noFetch("it was fetched just now")
		w.reopen()
		body, revision, err := w.store.DocumentBody(w.Context(), line, feedURL)
		w.must(err)
		w.equal([]byte{1, 0, 255}, body, "the bytes")
		w.equal("r1", revision, "the revision")

		w.advance(interval)
		f = w.claimFetch()
		w.equal([]string{`"a"`, "Mon", "r1"}, []string{f.ETag, f.LastModified, f.Revision}, "the next fetch knows the last copy")
		w.must(w.store.FinishFetch(w.Context(), f, store.FetchOutcome{Next: interval}))
		w.equal("\x01\x00\xff", w.body(), "an unchanged document keeps its copy")
		all, err := w.store.Documents(w.Context())
		w.must(err)
		w.equal([]store.Document{{
			Line: line, URL: feedURL, Revision: "r1", FetchedAt: w.clock().UTC(), CheckedAt: w.clock().UTC(), DueAt: w.clock().Add(interval).UTC(),
		}}, utc(all), "what is known of it")
	},
	"a failure keeps the last good copy": func(w *world) {
		w.must(w.store.FinishFetch(w.Context(), w.claimFetch(), store.FetchOutcome{Body: []byte("good"), Revision: "r1", Next: interval}))
		w.advance(interval)
		w.must(w.store.FinishFetch(w.Context(), w.claimFetch(), store.FetchOutcome{Problem: "Timeout", Next: time.Minute}))
		w.equal("good", w.body(), "the copy")
		all, err := w.store.Documents(w.Context())
		w.must(err)
		w.equal([]any{"Timeout", "r1", interval}, []any{all[0].Problem, all[0].Revision, all[0].CheckedAt.Sub(all[0].FetchedAt)}, "the problem and the age of the copy")
		w.noFetch("the next attempt has its time")
		w.advance(time.Minute)
		f := w.claimFetch()
		w.equal([]any{1, "Timeout"}, []any{f.Failures, f.Problem}, "attempts that failed")
		w.must(w.store.FinishFetch(w.Context(), f, store.FetchOutcome{Next: interval}))
		w.advance(interval)
		f = w.claimFetch()
		w.equal([]any{0, ""}, []any{f.Failures, f.Problem}, "one that went well makes good")
	},
	"a shorter interval counts at once": func(w *world) {
		w.must(w.store.FinishFetch(w.Context(), w.claimFetch(), store.FetchOutcome{Body: []byte("x"), Revision: "r1", Next: 24 * time.Hour}))
		w.advance(interval)
		w.claimFetch()
	},
	"who dies while he fetches is succeeded": func(w *world) {
		dead := w.claimFetch()
		w.advance(lease)
		f := w.claimFetch()
		w.wantErr(w.store.FinishFetch(w.Context(), dead, store.FetchOutcome{Body: []byte("late"), Revision: "r0", Next: interval}), store.ErrLeaseLost, "the lease is another's")
		w.must(w.store.FinishFetch(w.Context(), f, store.FetchOutcome{Body: []byte("good"), Revision: "r1", Next: interval}))
		w.wantErr(w.store.FinishFetch(w.Context(), f, store.FetchOutcome{Next: interval}), store.ErrLeaseLost, "it is over")
		w.equal("good", w.body(), "the copy")
	},
	"one of many claims wins": func(w *world) {
		var won atomic.Int32
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				if _, err := w.store.ClaimFetch(w.Context(), line, feedURL, interval, lease); err == nil {
					won.Add(1)
				}
			})
		}
		group.Wait()
		w.equal(int32(1), won.Load(), "claims that won")
	},
	"lines don't share": func(w *world) {
		w.must(w.store.FinishFetch(w.Context(), w.claimFetch(), store.FetchOutcome{Body: []byte("mine"), Revision: "r1", Next: interval}))
		_, _, err := w.store.DocumentBody(w.Context(), "line-b", feedURL)
		w.wantErr(err, store.ErrNotFound, "another line's document of the same URL")
	},
	"what nobody asks for any more expires": func(w *world) {
		w.must(w.store.FinishFetch(w.Context(), w.claimFetch(), store.FetchOutcome{Body: []byte("x"), Revision: "r1", Next: interval}))
		w.advance(store.DocumentsFor)
		_, err := w.store.Expire(w.Context(), store.Retention{Default: store.MinRetention})
		w.must(err)
		w.equal("x", w.body(), "not yet")
		w.advance(time.Second)
		_, err = w.store.Expire(w.Context(), store.Retention{Default: store.MinRetention})
		w.must(err)
		_, _, err = w.store.DocumentBody(w.Context(), line, feedURL)
		w.wantErr(err, store.ErrNotFound, "it is gone")
	},
}

func utc(all []store.Document) []store.Document {
	for i := range all {
		d := &all[i]
		d.FetchedAt, d.CheckedAt, d.DueAt = d.FetchedAt.UTC(), d.CheckedAt.UTC(), d.DueAt.UTC()
	}
	return all
}
