package storetest

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// reports returns the payloads of a kind, as JSON, from the beginning.
func (w *world) reports(kind store.ReportKind) []string {
	w.Helper()
	all, err := w.store.Reports(w.Context(), 0, 1000)
	w.must(err)
	var out []string
	for i := range all {
		if all[i].Kind == kind {
			out = append(out, string(all[i].Payload))
		}
	}
	return out
}

// testStates returns the states through which test messages were reported.
func (w *world) testStates() []string {
	w.Helper()
	var out []string
	for _, payload := range w.reports(store.ReportTestMessage) {
		var p store.TestMessagePayload
		w.must(json.Unmarshal([]byte(payload), &p))
		out = append(out, fmt.Sprintf("%s %s %d", p.Key, p.State, p.Code))
	}
	return out
}

func (w *world) enqueueTest(want store.TestMessageState, reason string) {
	w.Helper()
	got, err := w.store.EnqueueTestMessage(w.Context(), store.TestMessage{
		Key: "k1", Line: line, PhoneNumberID: number, To: "+49 (151) 23-4", Body: "It works", Payload: []byte(`{"body":"It works"}`),
	})
	w.must(err)
	w.equal(want, got, reason)
}

var testMessageCases = map[string]func(*world){
	"waits for the tester": func(w *world) {
		w.enqueueTest(store.TestMessageWaiting, "nobody has written")
		w.ingest(w.from("m1", "US.2", "49999", w.clock()))
		w.nothingToSend("somebody else is not the tester")
		w.reopen()
		w.ingest(w.from("m2", "US.1", "49151234", w.clock()))
		s := w.claimSend()
		w.equal([]any{store.AuthorTest, `{"body":"It works"}`, "US.1"}, []any{s.Author, string(s.Payload), s.To.BSUID}, "it goes out when the tester writes")
		w.enqueueTest(store.TestMessageQueued, "the same key does nothing")
		w.must(w.store.MarkAccepted(w.Context(), s, "wamid.test"))
		w.status("wamid.test", store.StatusRead)
		w.status("wamid.test", store.StatusDelivered)
		w.enqueueTest(store.TestMessageDelivered, "the state can be asked for")
		w.equal([]string{"k1 Waiting 0", "k1 Queued 0", "k1 Sent 0", "k1 Delivered 0"}, w.testStates(), "each step is reported once")
	},
	"the window is open already": func(w *world) {
		w.ingest(w.from("m1", "US.1", "49151234", w.clock()))
		w.enqueueTest(store.TestMessageQueued, "the tester has written before")
		w.must(w.store.MarkFailed(w.Context(), w.claimSend(), 131026, "Undeliverable"))
		w.equal([]string{"k1 Queued 0", "k1 Failed 131026"}, w.testStates(), "a refusal is reported")
	},
	"fails after acceptance": func(w *world) {
		w.ingest(w.from("m1", "US.1", "49151234", w.clock()))
		w.enqueueTest(store.TestMessageQueued, "the tester has written before")
		w.deliver(&store.Delivery{App: app, Statuses: []store.Status{
			{Line: line, PhoneNumberID: number, WAMID: "wamid.test", Kind: store.StatusFailed, ErrorCode: 131049},
		}})
		w.must(w.store.MarkAccepted(w.Context(), w.claimSend(), "wamid.test"))
		w.equal([]string{"k1 Queued 0", "k1 Sent 0", "k1 Failed 131049"}, w.testStates(), "also when the status comes first")
	},
	"the window closes before it is sent": func(w *world) {
		w.ingest(w.from("m1", "US.1", "49151234", w.clock()))
		w.enqueueTest(store.TestMessageQueued, "the tester has written before")
		w.advance(store.WindowLength)
		w.nothingToSend("too late")
		w.enqueueTest(store.TestMessageWaiting, "it waits for the tester again")
		w.ingest(w.from("m2", "US.1", "49151234", w.clock()))
		w.equal(`{"body":"It works"}`, string(w.claimSend().Payload), "who opens the window once more")
	},
	"bad input": func(w *world) {
		for _, m := range []store.TestMessage{{Line: line, To: "1"}, {Key: "k", To: "1"}, {Key: "k", Line: line}, {Key: "k\x00", Line: line, To: "1"}} {
			_, err := w.store.EnqueueTestMessage(w.Context(), m)
			w.wantErr(err, store.ErrInvalid, fmt.Sprintf("%+v", m))
		}
	},
}

var reportCases = map[string]func(*world){
	"cursor": func(w *world) {
		for i := range 5 {
			w.must(w.store.AppendReport(w.Context(), store.Report{Kind: "K", Line: line, App: app, Payload: []byte(fmt.Sprint(i))}))
		}
		var got []string
		var after int64
		for {
			page, err := w.store.Reports(w.Context(), after, 2)
			w.must(err)
			if len(page) == 0 {
				break
			}
			for i := range page {
				w.equal([]any{line, app, w.clock(), true}, []any{page[i].Line, page[i].App, page[i].Time, page[i].ID > after}, "a report has its facts, and ids rise")
				after = page[i].ID
				got = append(got, string(page[i].Payload))
			}
		}
		w.equal([]string{"0", "1", "2", "3", "4"}, got, "pages give every row once, in order")
		w.advance(store.ReportRetention + time.Hour)
		_, err := w.store.Expire(w.Context(), store.Retention{})
		w.must(err)
		w.reopen()
		w.must(w.store.AppendReport(w.Context(), store.Report{Kind: "K", Payload: []byte("new")}))
		page, err := w.store.Reports(w.Context(), after, 10)
		w.must(err)
		w.equal(1, len(page), "a reader's cursor holds after all rows have expired")
	},
	"security events are aggregated": func(w *world) {
		wrong := store.SecurityEvent{Kind: "WrongSignature", Line: line, App: app, Count: 1}
		foreign := store.SecurityEvent{Kind: "ForeignNumber", App: app, Count: 3}
		for _, e := range []store.SecurityEvent{wrong, wrong, foreign, wrong} {
			w.must(w.store.RecordSecurityEvent(w.Context(), e))
		}
		w.equal(0, len(w.reports(store.ReportSecurity)), "a minute that runs is not reported yet")
		w.advance(time.Minute)
		w.must(w.store.RecordSecurityEvent(w.Context(), wrong))
		want := []string{
			`{"kind":"ForeignNumber","minute":"2026-03-01T12:00:00Z","count":3}`,
			`{"kind":"WrongSignature","minute":"2026-03-01T12:00:00Z","count":3}`,
		}
		w.equal(want, w.reports(store.ReportSecurity), "one row per line, app, kind and minute")
		w.equal(want, w.reports(store.ReportSecurity), "and not again")
		w.advance(time.Minute)
		w.equal(3, len(w.reports(store.ReportSecurity)), "the next minute is a row of its own")
	},
	"traffic": func(w *world) {
		w.ingest(w.text("m1", "US.1"), w.text("m2", "US.1"))
		w.advance(30 * time.Minute)
		w.ingest(w.text("m3", "US.1"))
		w.reopen()
		w.ingest(w.text("m4", "US.1"))
		first := `{"firstReceived":"2026-03-01T12:00:05Z","lastReceived":"2026-03-01T12:00:00Z"}`
		w.equal([]string{first}, w.reports(store.ReportTraffic), "one report per line and hour, over restarts too")
		w.advance(30 * time.Minute)
		w.ingest(w.text("m4", "US.1"))
		w.equal([]string{first}, w.reports(store.ReportTraffic), "a copy is no traffic")
		w.ingest(w.text("m5", "US.1"))
		w.equal([]string{first, `{"firstReceived":"2026-03-01T12:00:05Z","lastReceived":"2026-03-01T13:00:00Z"}`},
			w.reports(store.ReportTraffic), "the next hour is reported")
	},
	"traffic that is sent": func(w *world) {
		sent := func() (of []string) {
			for _, payload := range w.reports(store.ReportTraffic) {
				if strings.Contains(payload, "lastSent") {
					of = append(of, payload)
				}
			}
			return of
		}
		w.reply("m1", "US.1", "r1", "r2", "r3")
		w.equal(0, len(sent()), "what waits is not sent")
		w.must(w.store.MarkAccepted(w.Context(), w.claimSend(), "wamid.r1"))
		first := `{"lastSent":"2026-03-01T12:00:00Z"}`
		w.equal([]string{first}, sent(), "what Meta took is")
		w.reopen()
		w.must(w.store.MarkAccepted(w.Context(), w.claimSend(), "wamid.r2"))
		w.equal([]string{first}, sent(), "one report per line and hour, over restarts too")
		w.advance(time.Hour)
		w.must(w.store.MarkUnknown(w.Context(), w.claimSend(), "cut off"))
		w.equal([]string{first}, sent(), "an unknown outcome is none yet")
		w.deliver(&store.Delivery{App: app, Statuses: []store.Status{
			{Line: line, PhoneNumberID: number, WAMID: "wamid.r3", Kind: store.StatusSent, CallbackData: w.row(2).ID, EventTime: w.clock()},
		}})
		w.equal([]string{first, `{"lastSent":"2026-03-01T13:00:00Z"}`}, sent(), "its status proves it")
	},
	"stats": func(w *world) {
		w.reply("m1", "US.1", "r1", "r2")
		w.claimSend()
		due := w.clock().Add(store.ReplyDebounce)
		w.ingest(w.text("m2", "US.2"))
		w.must(w.store.ParkLine(w.Context(), line, "InvalidAccessToken", "1"))
		w.advance(time.Minute)
		st, err := w.store.Stats(w.Context())
		w.must(err)
		w.equal(store.Stats{
			DueConversations: 1, OldestDueAt: due, ParkedLines: 1,
			Outbox: map[store.SendState]int64{store.SendPending: 1, store.SendSending: 1, store.SendUnknown: 0},
		}, st, "counts of what waits")
	},
}

// expireAll expires batch by batch until nothing is left to do.
func (w *world) expireAll(r store.Retention) (rounds, total int) {
	w.Helper()
	for {
		n, err := w.store.Expire(w.Context(), r)
		w.must(err)
		if n == 0 {
			return rounds, total
		}
		rounds++
		total += n
		if rounds > 1000 {
			w.Fatal("expiry does not end")
		}
	}
}

var retentionCases = map[string]func(*world){
	"old rows go, batch by batch": func(w *world) {
		const day = 24 * time.Hour
		for i := range 10 {
			w.ingest(w.text(fmt.Sprintf("old%d", i), fmt.Sprintf("US.%d", i%2)))
		}
		w.reply("old-answered", "US.3", "r1")
		w.must(w.store.MarkAccepted(w.Context(), w.claimSend(), "wamid.out"))
		w.status("wamid.out", store.StatusSent)
		bad := w.text("", "US.1")
		w.deliver(&store.Delivery{App: app, Messages: []store.InboundMessage{bad},
			Raw: []store.RawChange{{App: app, Line: line, Field: "history", Raw: []byte("x")}}, Unclaimed: []store.UnclaimedChange{{App: app, Field: "messages", Raw: []byte("x")}}})
		other := w.text("other", "US.1")
		other.Line, other.PhoneNumberID = "line-b", "15550000002"
		w.ingest(other)
		w.must(w.store.Quarantine(w.Context(), &store.QuarantineEntry{App: app, Body: []byte("x")}))

		w.advance(8*day + 12*time.Hour)
		w.ingest(w.text("young", "US.0"))
		retention := store.Retention{Default: day, PerLine: map[string]time.Duration{"line-b": 60 * day}, BatchSize: 3}
		_, total := w.expireAll(retention)
		w.equal(1, total, "before nine days only the quarantine expires, however short the retention")
		st, err := w.store.Stats(w.Context())
		w.must(err)
		w.equal(int64(0), st.QuarantineBytes, "its bytes are given back")

		w.advance(day)
		rounds, _ := w.expireAll(retention)
		if rounds < 2 {
			w.Errorf("%d round deleted more than a batch", rounds)
		}
		w.equal([]string{"text of young"}, w.texts(w.conversation()), "what is old is gone with its customers, what is young stays")
		w.equal(1, len(w.conversations("line-b")), "a line with a longer retention keeps its messages")
		w.equal(0, len(w.deadLetters()), "dead letters are gone")
		raw, err := w.store.RawChanges(w.Context(), 0, 10)
		w.must(err)
		unclaimed, err := w.store.Unclaimed(w.Context(), 0, 10)
		w.must(err)
		rows, err := w.store.OutboxRows(w.Context(), line, 0, 10)
		w.must(err)
		w.equal([]int{0, 0, 0}, []int{len(raw), len(unclaimed), len(rows)}, "so are raw and unclaimed changes and sends")
		w.equal(store.Receipt{New: 1}, w.status("wamid.out", store.StatusSent), "and statuses")
		w.ingest(w.text("back", "US.3"))
		w.equal(2, len(w.conversations(line)), "a customer who comes back starts anew")
	},
}
