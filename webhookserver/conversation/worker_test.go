package conversation

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant/providers"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

func TestAnswer(t *testing.T) {
	w := newWorld(t)
	committed := make(chan struct{}, 10)
	w.writes("wamid.1", "hello", 0)
	w.writes("wamid.2", "anyone?", 0)
	w.run(w.worker(func(o *Options) { o.Committed = func(*store.Outcome) { committed <- struct{}{} } }))
	w.receive(committed, "the outbox is told")
	if c := w.settled(); w.replies() != "re: hello+anyone?" || c.State != store.ConversationActive || c.AnsweredSeq != 2 {
		t.Errorf("replies %q, conversation %+v", w.replies(), c)
	}
	if id := <-w.read; id != "wamid.2" || len(w.read) != 0 {
		t.Errorf("marked %s as read, and %d more", id, len(w.read))
	}
	w.answer = func(_ context.Context, turn assistant.Turn) (assistant.Reply, error) {
		want := []assistant.Message{{ID: 1, FromCustomer: true, Text: "hello"}, {ID: 2, FromCustomer: true, Text: "anyone?"}, {ID: 3, Text: "re: hello+anyone?"}}
		if diff := cmp.Diff(want, turn.History); diff != "" || turn.CustomerName != "Ana" || turn.Channel.LineID != line {
			t.Errorf("the assistant is told %+v; history (-want +got):\n%s", turn, diff)
		}
		return says("again"), nil
	}
	w.writes("wamid.3", "more", 0)
	w.until("the next answer", func() bool { return w.replies() == "re: hello+anyone?, again" })
}

func TestGuard(t *testing.T) {
	moved := &runtimeconfig.Tombstone{PhoneNumberID: number, WABAID: "777"}
	for _, tc := range []struct {
		reason string
		ago    time.Duration
		serve  func(w *world)
		want   string
	}{
		{"an ordinary message is answered", 0, func(w *world) { w.serve() }, "re: hi"},
		{"the assistant is switched off", 0, func(w *world) {
			w.serve(func(c *runtimeconfig.Channel) { c.Assistant.Enabled = false })
		}, ""},
		{"the business's subscription has ended", 0, func(w *world) {
			w.serve(func(c *runtimeconfig.Channel) { c.PlanActive = false })
		}, ""},
		{"the message is too old", time.Hour + time.Second, func(w *world) { w.serve() }, ""},
		{"the message is nearly too old", time.Hour - 5*time.Second, func(w *world) { w.serve() }, "re: hi"},
		{"an hour holds for a channel that says nothing", 2 * time.Hour, func(w *world) {
			w.serve(func(c *runtimeconfig.Channel) { c.Assistant.MaxReplyAge = 0 })
		}, ""},
		{"the number belongs to another tenant now", 0, func(w *world) {
			w.serve(func(c *runtimeconfig.Channel) { c.LineID = "line-of-another-tenant" })
		}, ""},
		{"the number was given up", 0, func(w *world) {
			object, err := moved.Object()
			w.must(err)
			w.serveObjects(object)
		}, ""},
	} {
		w := newWorld(t)
		tc.serve(w)
		w.writes("wamid.1", "hi", tc.ago)
		stop := w.run(w.worker())
		c := w.settled()
		stop()
		if got := w.replies(); got != tc.want || c.AnsweredSeq != 1 || c.State != store.ConversationActive {
			t.Errorf("%s: replies %q, want %q; conversation %+v", tc.reason, got, tc.want, c)
		}
		if tc.want == "" && (w.asked.Load() > 0 || len(w.read) > 0) {
			t.Errorf("%s: the assistant was asked %d times, %d read receipts", tc.reason, w.asked.Load(), len(w.read))
		}
	}
}

func TestOnlyFreshMessagesAreAnswered(t *testing.T) {
	w := newWorld(t)
	w.writes("wamid.1", "yesterday", 20*time.Hour)
	w.writes("wamid.2", "now", 0)
	w.run(w.worker())
	w.settled()
	if got := w.replies(); got != "re: now" {
		t.Errorf("replies %q", got)
	}
}

func TestNumberThatIsNotServedForAWhile(t *testing.T) {
	w := newWorld(t)
	w.serveObjects()
	w.writes("wamid.1", "hi", 0)
	released := make(chan struct{}, 100)
	w.run(w.worker(func(o *Options) { o.Store = releasing{o.Store, released} }))
	w.receive(released, "the turn is given back")
	w.serve()
	w.advance(absentDelay)
	w.until("it is answered", func() bool { return w.replies() == "re: hi" })
}

func TestNumberThatNobodyServesAnyMore(t *testing.T) {
	w := newWorld(t)
	w.serveObjects()
	w.writes("wamid.1", "hi", 0)
	w.advance(store.WindowLength)
	w.run(w.worker())
	if c := w.settled(); c.SkippedReason != reasonTooOld {
		t.Errorf("conversation %+v: it would be claimed for as long as it is kept", c)
	}
}

func TestContentThatIsOnItsWay(t *testing.T) {
	w := newWorld(t)
	w.serve(func(c *runtimeconfig.Channel) { c.Assistant.Content = "content-1555-r1" })
	w.writes("wamid.1", "hi", 0)
	released := make(chan struct{}, 100)
	w.run(w.worker(func(o *Options) { o.Store = releasing{o.Store, released} }))
	w.receive(released, "the turn waits for the content")
	if w.asked.Load() > 0 {
		t.Error("the assistant was asked without its content")
	}
	w.advance(contentPatience)
	w.until("it is answered without", func() bool { return w.replies() == "re: hi" })
}

// releasing tells when a turn was given back.
type releasing struct {
	Store
	released chan struct{}
}

func (r releasing) ReleaseTurn(ctx context.Context, t *store.Turn, after time.Duration) error {
	err := r.Store.ReleaseTurn(ctx, t, after)
	r.released <- struct{}{}
	return err
}

func TestHandOff(t *testing.T) {
	w := newWorld(t)
	w.answer = func(context.Context, assistant.Turn) (assistant.Reply, error) {
		reply := says("a person comes")
		reply.HandOff, reply.Reason = true, "CustomerAsked"
		return reply, nil
	}
	w.writes("wamid.1", "agent", 0)
	w.run(w.worker())
	c := w.settled()
	if c.State != store.ConversationWaiting || c.WaitingReason != "CustomerAsked" || w.replies() != "a person comes" {
		t.Errorf("replies %q, conversation %+v", w.replies(), c)
	}
	asked := w.asked.Load()
	w.writes("wamid.2", "hello?", 0)
	w.run(w.worker())
	if c := w.settled(); w.asked.Load() != asked || c.State != store.ConversationWaiting {
		t.Errorf("a conversation that waits for a person was answered: %q", w.replies())
	}
}

func TestWhatIsNotUnderstoodIsTold(t *testing.T) {
	w := newWorld(t)
	w.ingest(store.InboundMessage{Type: "video", WAMID: "wamid.1", EventTime: w.clock(), Raw: []byte(`{"video":{"id":"9"}}`)})
	w.advance(store.ReplyDebounce)
	w.run(w.worker())
	w.settled()
	if got := w.replies(); !strings.Contains(got, "videos") || !strings.Contains(got, "text messages") || w.asked.Load() > 0 {
		t.Errorf("replies %q, the assistant was asked %d times", got, w.asked.Load())
	}
	w.ingest(store.InboundMessage{Type: "sticker", WAMID: "wamid.2", EventTime: w.clock(), Raw: []byte(`{"sticker":{"id":"9"}}`)})
	w.writes("wamid.3", "anyone?", 0)
	w.settled()
	w.until("both are answered", func() bool {
		return strings.Contains(w.replies(), "stickers") && strings.HasSuffix(w.replies(), "re: anyone?")
	})
}

func TestSupersede(t *testing.T) {
	w := newWorld(t)
	started, release := make(chan struct{}), make(chan struct{})
	echo := w.answer
	w.answer = func(ctx context.Context, turn assistant.Turn) (assistant.Reply, error) {
		if len(turn.Unanswered) == 1 {
			close(started)
			<-release
		}
		return echo(ctx, turn)
	}
	w.writes("wamid.1", "do you have", 0)
	w.run(w.worker())
	w.receive(started, "the first turn")
	w.writes("wamid.2", "red ones?", 0)
	close(release)
	w.until("the answer to both", func() bool {
		w.untilDue()
		return w.replies() != ""
	})
	if got := w.replies(); got != "re: do you have+red ones?" {
		t.Errorf("replies %q", got)
	}
}

func TestFailuresEndWithAPerson(t *testing.T) {
	for _, tc := range []struct {
		reason string
		reply  assistant.Reply
		err    error
		cause  string
	}{
		{"an error", assistant.Reply{}, errors.New("search: broken"), "search: broken"},
		{"no reply at all", assistant.Reply{}, nil, errNoReply.Error()},
		{"nothing in it that could be shown", says(" \x00 "), nil, errNoReply.Error()},
	} {
		w := newWorld(t)
		w.answer = func(context.Context, assistant.Turn) (assistant.Reply, error) { return tc.reply, tc.err }
		w.writes("wamid.1", "hi", 0)
		// However slow the machine is, the lease does not run out while the time is let pass.
		w.run(w.worker(func(o *Options) { o.Lease = 30 * time.Minute }))
		w.until("the conversation waits", func() bool {
			w.advance(time.Second)
			return w.conversation().State == store.ConversationWaiting
		})
		letters, err := w.store.DeadLetters(w.Context(), 0, 10)
		w.must(err)
		if w.asked.Load() != store.MaxTurnAttempts || len(letters) != 1 || !strings.Contains(letters[0].Reason, tc.cause) || !strings.Contains(w.replies(), "person") {
			t.Errorf("%s: asked %d times, replies %q, dead letters %+v", tc.reason, w.asked.Load(), w.replies(), letters)
		}
		if len(w.read) != 1 {
			t.Errorf("%s: %d read receipts for three attempts", tc.reason, len(w.read))
		}
	}
}

func TestReadReceiptIsACourtesy(t *testing.T) {
	w := newWorld(t)
	w.readErr = errors.New("no")
	w.writes("wamid.1", "hi", 0)
	w.run(w.worker())
	w.settled()
	if got := w.replies(); got != "re: hi" {
		t.Errorf("replies %q", got)
	}
}

func TestTappedIdsReachTheAssistant(t *testing.T) {
	for _, tc := range []struct{ kind, raw, want string }{
		{"interactive", `{"interactive":{"type":"button_reply","button_reply":{"id":"menu:products","title":"View"}}}`, "menu:products"},
		{"interactive", `{"interactive":{"type":"list_reply","list_reply":{"id":"product:p1","title":"Fern"}}}`, "product:p1"},
		{"interactive", `{"interactive":[]}`, ""},
		{"interactive", `junk`, ""},
		{"text", `{"interactive":{"button_reply":{"id":"handoff"}}}`, ""},
	} {
		m := store.Message{Author: store.AuthorCustomer, Type: tc.kind, Raw: []byte(tc.raw)}
		if got := tapped(&m); got != tc.want {
			t.Errorf("%s %s: %q, want %q", tc.kind, tc.raw, got, tc.want)
		}
	}
}

func TestDrafts(t *testing.T) {
	ch := &runtimeconfig.Channel{Assistant: runtimeconfig.Assistant{MaxReplyAge: runtimeconfig.Duration(time.Minute)}}
	got, err := drafts(t.Context(), ch, []assistant.Part{
		assistant.Text{Body: "t"},
		assistant.Image{Link: "https://x.example/a.jpg", Caption: "c"},
		assistant.Buttons{Body: "b", Buttons: []assistant.Button{{ID: "1", Title: "One"}}},
		assistant.List{Body: "l", Button: "Open", Rows: []assistant.Row{{ID: "r", Title: "Row", Description: "d"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, d := range got {
		rows = append(rows, fmt.Sprintf("%s|%s|%s|%s", d.Type, strings.ReplaceAll(d.Text, "\n", "/"), d.MaxReplyAge, d.Payload))
	}
	want := []string{
		`text|t|1m0s|{"text":{"body":"t"}}`,
		`image|c|1m0s|{"image":{"link":"https://x.example/a.jpg","caption":"c"}}`,
		`interactive|b/[One]|1m0s|{"buttons":{"body":"b","buttons":[{"id":"1","title":"One"}]}}`,
		`interactive|l/- Row|1m0s|{"list":{"body":"l","button":"Open","rows":[{"id":"r","title":"Row","description":"d"}]}}`,
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("drafts (-want +got):\n%s", diff)
	}
}

func TestReportHealth(t *testing.T) {
	w := newWorld(t)
	report := ReportHealth(w.store, w.worker().opts.Log)
	ch := &runtimeconfig.Channel{LineID: line}
	report(w.Context(), ch, runtimeconfig.CapabilityVision, providers.Unauthorized)
	report(w.Context(), ch, runtimeconfig.CapabilityChat, "")
	rows, err := w.store.Reports(w.Context(), 0, 10)
	w.must(err)
	var got []string
	for _, r := range rows {
		got = append(got, fmt.Sprintf("%s %s %s", r.Kind, r.Line, r.Payload))
	}
	want := []string{
		`AssistantHealth line-a {"capability":"vision","healthy":false,"reason":"ProviderUnauthorized"}`,
		`AssistantHealth line-a {"capability":"chat","healthy":true}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("reports (-want +got):\n%s", diff)
	}
}
