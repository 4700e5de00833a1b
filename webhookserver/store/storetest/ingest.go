package storetest

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

var ingestCases = map[string]func(*world){
	"copies inside a delivery and later": func(w *world) {
		m := w.text("m1", "US.1")
		w.equal(store.Receipt{New: 1, Duplicates: 1}, w.ingest(m, m), "the second of two copies in one delivery is dropped")
		w.equal(store.Receipt{Duplicates: 1}, w.ingest(m), "a copy that comes later is dropped")
		w.equal(int64(1), w.conversation().LastSeq, "copies take no number")
		w.equal([]string{"text of m1"}, w.texts(w.conversation()), "it is stored once")
	},
	"simultaneous copies": func(w *world) {
		const ids, copies = 50, 4
		receipts := make(chan store.Receipt, ids*copies)
		var wg sync.WaitGroup
		for i := range ids {
			m := w.text(fmt.Sprintf("m%02d", i), fmt.Sprintf("US.%d", i%5))
			for range copies {
				wg.Go(func() {
					r, err := w.store.Ingest(w.Context(), &store.Delivery{App: app, Messages: []store.InboundMessage{m}})
					if err != nil {
						w.Errorf("Ingest: %v", err)
					}
					receipts <- r
				})
			}
		}
		wg.Wait()
		close(receipts)
		var sum store.Receipt
		for r := range receipts {
			sum.New += r.New
			sum.Duplicates += r.Duplicates
		}
		w.equal(store.Receipt{New: ids, Duplicates: ids * (copies - 1)}, sum, "exactly one of the copies is new")
		w.equal(5, len(w.conversations(line)), "five customers, five conversations")
		for _, c := range w.conversations(line) {
			w.equal(int64(ids/5), c.LastSeq, "each message has its number")
		}
	},
	"the same wamid on two numbers": func(w *world) {
		other := w.text("m1", "US.1")
		other.Line, other.PhoneNumberID = "line-b", "15550000002"
		w.equal(store.Receipt{New: 2}, w.ingest(w.text("m1", "US.1"), other), "a wamid is unique only within its number")
		w.equal(1, len(w.conversations("line-b")), "the other line has its own conversation")
	},
	"poison rows": func(w *world) {
		noID := w.text("m-no-id", "US.1")
		noID.WAMID = ""
		nobody := w.text("m-nobody", "")
		nul := w.text("m-nul", "US.1")
		nul.Text = "a\x00b"
		invalid := w.text("m-utf8", "US.1")
		invalid.Text = "\xed\xa0\x80"
		noLine := w.text("m-no-line", "US.9")
		noLine.Line = ""
		batch := []store.InboundMessage{noID, nobody, nul, invalid, noLine}
		poison := len(batch)
		for i := range 20 {
			batch = append(batch, w.text(fmt.Sprintf("m%02d", i), fmt.Sprintf("US.%d", i%3)))
		}
		r := w.deliver(&store.Delivery{App: app, Messages: batch, Statuses: []store.Status{
			{Line: line, PhoneNumberID: number, Kind: store.StatusSent, Raw: []byte("no wamid")},
		}})
		w.equal(store.Receipt{New: 20, DeadLettered: poison + 1}, r, "each poison row becomes a dead letter, its neighbours are stored")
		w.equal(poison+1, len(w.deadLetters()), "the dead letters can be read")
		i := slices.IndexFunc(w.deadLetters(), func(l store.DeadLetter) bool { return string(l.Raw) == `{"id":"m-nul"}` })
		if i < 0 {
			w.Fatal("the dead letter keeps no raw bytes")
		}
		l := w.deadLetters()[i]
		w.equal([]string{app, line, "message"}, []string{l.App, l.Line, l.Kind}, "it says where it came from")
		var seqs int64
		for _, c := range w.conversations(line) {
			seqs += c.LastSeq
		}
		w.equal(int64(20), seqs, "the neighbours' numbers have no gaps and no doubles")
	},
	"poison does not cost a simultaneous neighbour": func(w *world) {
		var wg sync.WaitGroup
		for i := range 40 {
			wg.Go(func() {
				m := w.text(fmt.Sprintf("m%02d", i), fmt.Sprintf("US.%d", i))
				want := store.Receipt{New: 1}
				if i%4 == 0 {
					m.WAMID, want = "", store.Receipt{DeadLettered: 1}
				}
				r, err := w.store.Ingest(w.Context(), &store.Delivery{App: app, Messages: []store.InboundMessage{m}})
				if err != nil || r != want {
					w.Errorf("delivery %d: %+v, %v, want %+v", i, r, err, want)
				}
			})
		}
		wg.Wait()
		w.equal(30, len(w.conversations(line)), "all good messages are stored")
		w.equal(10, len(w.deadLetters()), "all poison is kept aside")
	},
	"numbers and due times": func(w *world) {
		start := w.clock()
		w.ingest(w.text("m1", "US.1"))
		w.equal(start.Add(store.ReplyDebounce), w.conversation().ReplyDueAt, "a first message waits for a second one")
		for i := range 9 {
			w.advance(time.Second)
			w.ingest(w.text(fmt.Sprintf("n%d", i), "US.1"))
		}
		w.equal(start.Add(store.ReplyDueAtMost), w.conversation().ReplyDueAt, "somebody who keeps typing is answered after the maximum")
		c := w.conversation()
		w.equal([]int64{10, 0}, []int64{c.LastSeq, c.AnsweredSeq}, "each message has a number")
		quiet := w.text("r1", "US.1")
		quiet.ReplyWorthy, quiet.Type = false, "reaction"
		w.ingest(quiet)
		w.equal(int64(10), w.conversation().LastSeq, "a message that asks for no answer takes no number")
	},
	"order of messages in a batch": func(w *world) {
		start := w.clock()
		second, first := w.text("m-second", "US.1"), w.text("m-first", "US.1")
		first.EventTime = start.Add(-time.Second)
		w.ingest(second, first)
		w.equal([]string{"text of m-first", "text of m-second"}, textsOf(w.claim().Unanswered), "messages are numbered as they were written")
	},
	"a message from the future": func(w *world) {
		m := w.text("m1", "US.1")
		m.EventTime = w.clock().Add(1000 * time.Hour)
		w.ingest(m)
		w.equal(w.clock(), w.conversation().LastUserMessageAt, "a wrong clock at the sender cannot hold the window open")
		late := w.text("m0", "US.1")
		late.EventTime = w.clock().Add(-time.Hour)
		w.ingest(late)
		w.equal(w.clock(), w.conversation().LastUserMessageAt, "nor does a late message close it early")
	},
	"standby is upgraded": func(w *world) {
		m := w.text("m1", "US.1")
		m.Source, m.ReplyWorthy = store.SourceStandby, false
		w.equal(store.Receipt{New: 1}, w.ingest(m), "a standby message is stored")
		w.equal(true, w.conversation().ReplyDueAt.IsZero(), "and not answered")
		w.equal(store.Receipt{Upgraded: 1}, w.ingest(w.text("m1", "US.1")), "the messages copy takes its place")
		w.equal(int64(1), w.conversation().LastSeq, "and asks for an answer")
		w.equal(store.Receipt{Duplicates: 1}, w.ingest(w.text("m1", "US.1")), "once only")
		w.equal(store.Receipt{Duplicates: 1}, w.ingest(m), "a later standby copy changes nothing")
		turn := w.claim()
		w.equal([]string{"text of m1"}, textsOf(turn.Unanswered), "the turn has the message")
		w.equal(store.SourceMessages, turn.Unanswered[0].Source, "with its new source")
	},
	"raw and unclaimed changes": func(w *world) {
		raw := store.RawChange{App: app, Line: line, WABAID: "waba", Field: "account_update", EntryTime: w.clock(), Raw: []byte(`{"event":"X"}`),
			Report: &store.Report{Kind: "AccountEvent", Line: line, Payload: []byte(`{}`)}}
		later := raw
		later.EntryTime = raw.EntryTime.Add(time.Second)
		unclaimed := store.UnclaimedChange{App: app, WABAID: "waba", PhoneNumberID: "1555", Field: "messages", Raw: []byte(`{}`)}
		d := &store.Delivery{App: app, Raw: []store.RawChange{raw, raw, later}, Unclaimed: []store.UnclaimedChange{unclaimed, unclaimed}}
		w.equal(store.Receipt{New: 3, Duplicates: 2}, w.deliver(d), "copies are dropped, repetitions are not")
		w.equal(store.Receipt{Duplicates: 5}, w.deliver(d), "a second delivery is a copy")
		changes, err := w.store.RawChanges(w.Context(), 0, 10)
		w.must(err)
		w.equal(2, len(changes), "two changes are stored")
		w.equal(`{"event":"X"}`, string(changes[0].Raw), "as received")
		reports, err := w.store.Reports(w.Context(), 0, 10)
		w.must(err)
		w.equal(2, len(reports), "each new change brings its report")
		waiting, err := w.store.Unclaimed(w.Context(), 0, 10)
		w.must(err)
		w.equal(1, len(waiting), "one change is unclaimed")
		w.must(w.store.DeleteUnclaimed(w.Context(), waiting[0].ID))
		w.must(w.store.DeleteUnclaimed(w.Context(), waiting[0].ID))
		waiting, err = w.store.Unclaimed(w.Context(), 0, 10)
		w.must(err)
		w.equal(0, len(waiting), "it is gone after the replay")
	},
	"what is looked at beside the others' work": func(w *world) {
		// Who looks at a row holds its id while it may go and another one come.
		quarantined := func() int64 {
			w.must(w.store.Quarantine(w.Context(), &store.QuarantineEntry{App: app, Body: []byte("x")}))
			got, err := w.store.QuarantineEntries(w.Context(), app, 0, 2)
			w.must(err)
			w.equal(1, len(got), "bodies that wait")
			return got[0].ID
		}
		unclaimed := func(waba string) int64 {
			w.deliver(&store.Delivery{App: app, Unclaimed: []store.UnclaimedChange{{App: app, WABAID: waba, PhoneNumberID: "1555", Field: "messages", Raw: []byte(`{}`)}}})
			got, err := w.store.Unclaimed(w.Context(), 0, 2)
			w.must(err)
			w.equal(1, len(got), "changes that wait")
			return got[0].ID
		}
		body, change := quarantined(), unclaimed("waba-1")
		w.must(w.store.DeleteQuarantine(w.Context(), body))
		w.must(w.store.DeleteUnclaimed(w.Context(), change))
		nextBody, nextChange := quarantined(), unclaimed("waba-2")
		w.must(w.store.DeleteQuarantine(w.Context(), body))
		w.must(w.store.DeleteUnclaimed(w.Context(), change))
		st, err := w.store.Stats(w.Context())
		w.must(err)
		w.equal([]int64{1, 1}, []int64{st.UnclaimedChanges, min(1, st.QuarantineBytes)}, "what came since is still there")
		w.equal(true, nextBody > body && nextChange > change, "no id is given twice")
	},
	"the ingress's dead letters": func(w *world) {
		r := w.deliver(&store.Delivery{App: app, DeadLetters: []store.DeadLetter{{App: app, Kind: "change", Reason: "two numbers", Raw: []byte("x")}}})
		w.equal(store.Receipt{}, r, "they are no news")
		w.equal("two numbers", w.deadLetters()[0].Reason, "and are kept")
	},
	"the quarantines together": func(w *world) {
		// Several bodies fill what an app may take: the largest alone would keep a slow machine busy for longer than a transaction may last.
		const each = 8
		body := make([]byte, store.QuarantineBytes/each-1024)
		kept := 0
		for w.store.Quarantine(w.Context(), &store.QuarantineEntry{App: fmt.Sprintf("app-%d", kept/each), Body: body}) == nil && kept < 100 {
			kept++
		}
		w.equal(int(each*store.QuarantineTotalBytes/store.QuarantineBytes), kept, "many apps can't fill the disk that messages need")
		w.wantErr(w.store.Quarantine(w.Context(), &store.QuarantineEntry{App: "late", Body: body}), store.ErrQuarantineFull, "what has no room comes again")
		w.equal(store.Receipt{New: 1}, w.ingest(w.text("m1", "US.1")), "messages are not held up")
	},
	"quarantine": func(w *world) {
		const mebibyte = 1 << 20
		entry := &store.QuarantineEntry{App: app, Signature: "sha256=00", Path: "/webhooks", Body: make([]byte, 8*mebibyte)}
		entry.Body[0] = 0xff
		for range 7 {
			w.must(w.store.Quarantine(w.Context(), entry))
		}
		w.wantErr(w.store.Quarantine(w.Context(), entry), store.ErrQuarantineFull,
			"the eighth body fits only without its signature and path")
		w.must(w.store.Quarantine(w.Context(), &store.QuarantineEntry{App: "app-b", Body: []byte("x")}))
		got, err := w.store.QuarantineEntries(w.Context(), app, 0, 3)
		w.must(err)
		w.equal(3, len(got), "entries are read in pages")
		w.equal([]any{"sha256=00", "/webhooks", byte(0xff), 8 * mebibyte},
			[]any{got[0].Signature, got[0].Path, got[0].Body[0], len(got[0].Body)}, "an entry keeps what is needed to verify it again")
		w.must(w.store.DeleteQuarantine(w.Context(), got[0].ID))
		w.must(w.store.DeleteQuarantine(w.Context(), got[0].ID))
		w.must(w.store.Quarantine(w.Context(), entry))
		st, err := w.store.Stats(w.Context())
		w.must(err)
		w.equal(true, st.QuarantineBytes > 56*mebibyte && st.QuarantineBytes < 57*mebibyte, "deleting gives the bytes back once")
	},
	"what is stored survives": func(w *world) {
		w.ingest(w.text("m1", "US.1"))
		w.reopen()
		w.equal([]string{"text of m1"}, w.texts(w.conversation()), "the message is there after a restart")
		w.equal(store.Receipt{Duplicates: 1}, w.ingest(w.text("m1", "US.1")), "and known as a copy")
		w.must(w.store.Ping(w.Context()))
	},
}
