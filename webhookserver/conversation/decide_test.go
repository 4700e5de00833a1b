package conversation

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// taps lets the customer tap a button, and lets the debounce pass.
func (w *world) taps(wamid, id, title string) {
	w.Helper()
	w.tapsNow(wamid, id, title)
	w.advance(store.ReplyDebounce)
}

func (w *world) tapsNow(wamid, id, title string) {
	w.Helper()
	raw := fmt.Sprintf(`{"interactive":{"type":"button_reply","button_reply":{"id":%q,"title":%q}}}`, id, title)
	w.ingest(store.InboundMessage{Type: "interactive", Text: title, WAMID: wamid, EventTime: w.clock(), Raw: []byte(raw)})
}

// asking makes the assistant ask for two decisions, one after the other: an order by "order", a call by "book"; else it echoes.
func (w *world) asking() {
	w.answer = func(_ context.Context, turn assistant.Turn) (assistant.Reply, error) {
		reply := says("re: " + strings.ReplaceAll(turn.Question(), "\n", "+"))
		switch question := turn.Question(); {
		case turn.Done != nil:
			reply = says("done: " + turn.Done.Result)
		case strings.Contains(question, "order"):
			reply.Order = &assistant.Order{ID: "o1", Total: "9.99 USD", Items: []assistant.OrderItem{{Title: "Fern", Quantity: 1, Amount: "9.99 USD"}}}
		case strings.Contains(question, "book"):
			reply.Action = &assistant.Action{ID: "k1", Ordinal: 1, Tool: "crm__book", Arguments: json.RawMessage(`{}`)}
		}
		return reply, nil
	}
}

// acting makes calls with side effects and counts them.
type acting struct {
	calls atomic.Int32
	do    func(ctx context.Context) (string, error)
}

// Do implements Actions.
func (a *acting) Do(ctx context.Context, _ *runtimeconfig.Channel, _ string, _ json.RawMessage, _ string) (string, error) {
	a.calls.Add(1)
	return a.do(ctx)
}

func (w *world) orderState() store.OrderState {
	w.Helper()
	o, err := w.store.Order(w.Context(), line, w.conversation().ID, "o1")
	w.must(err)
	return o.State
}

func (w *world) callState() store.ToolCallState {
	w.Helper()
	c, err := w.store.ToolCall(w.Context(), line, w.conversation().ID, "k1")
	w.must(err)
	return c.State
}

func TestDecisionsThatComeTooLate(t *testing.T) {
	for _, tc := range []struct {
		after time.Duration
		want  string
		order store.OrderState
		made  int32
	}{
		{store.DecideWithin - time.Minute, "we have your order, done: booked", store.OrderConfirmed, 1},
		{store.DecideWithin + time.Minute, "not open any more., This is not open any more.", store.OrderDraft, 0},
	} {
		w := newWorld(t)
		w.asking()
		act := &acting{do: func(context.Context) (string, error) { return "booked", nil }}
		w.run(w.worker(func(o *Options) { o.Actions = act }))
		w.writes("wamid.1", "order", 0)
		w.settled()
		w.writes("wamid.2", "book", 0)
		w.settled()
		w.advance(tc.after)
		w.taps("wamid.3", "order:confirm:o1", "Confirm")
		w.settled()
		w.taps("wamid.4", "action:do:k1", "Yes")
		w.settled()
		got := strings.ReplaceAll(w.replies(), "your order., done", "your order, done")
		if !strings.HasSuffix(got, tc.want) || w.orderState() != tc.order || act.calls.Load() != tc.made {
			t.Errorf("after %s: replies %q, the order is %s, %d calls were made", tc.after, got, w.orderState(), act.calls.Load())
		}
	}
}

// TestTapsInABurst: who taps twice, or first one button and then another, has one wish, the last one; no tap is a question.
func TestTapsInABurst(t *testing.T) {
	for _, tc := range []struct {
		taps  []string
		order store.OrderState
	}{
		{[]string{"order:confirm:o1", "order:confirm:o1"}, store.OrderConfirmed},
		{[]string{"order:confirm:o1", "order:cancel:o1"}, store.OrderCancelled},
		{[]string{"order:cancel:o1", "order:confirm:o1"}, store.OrderConfirmed},
	} {
		w := newWorld(t)
		w.asking()
		w.run(w.worker())
		w.writes("wamid.1", "order", 0)
		w.settled()
		asked := w.asked.Load()
		for i, id := range tc.taps {
			w.tapsNow(fmt.Sprint("wamid.tap", i), id, "Tap")
		}
		w.advance(store.ReplyDebounce)
		w.settled()
		if w.orderState() != tc.order || w.asked.Load() != asked {
			t.Errorf("%v: the order is %s, the assistant was asked %d times more; replies %q", tc.taps, w.orderState(), w.asked.Load()-asked, w.replies())
		}
	}
}

// TestCommittedTellsTheDecision: who waits for orders need not look after each turn.
func TestCommittedTellsTheDecision(t *testing.T) {
	w := newWorld(t)
	w.asking()
	decided := make(chan store.OrderState, 10)
	w.run(w.worker(func(o *Options) {
		o.Committed = func(written *store.Outcome) {
			if d := written.Decision; d != nil {
				decided <- d.State
			} else {
				decided <- ""
			}
		}
	}))
	w.writes("wamid.1", "order", 0)
	w.settled()
	w.until("the first turn is told of", func() bool { return len(decided) == 1 })
	w.taps("wamid.2", "order:confirm:o1", "Confirm")
	w.settled()
	w.until("the second turn is told of", func() bool { return len(decided) == 2 })
	if first, second := <-decided, <-decided; first != "" || second != store.OrderConfirmed {
		t.Errorf("told of %q and %q, want nothing and the confirmed order", first, second)
	}
}

// TestTapBesideAQuestion: what else the customer says is answered as well.
func TestTapBesideAQuestion(t *testing.T) {
	w := newWorld(t)
	w.asking()
	w.run(w.worker())
	w.writes("wamid.1", "order", 0)
	w.settled()
	w.tapsNow("wamid.2", "order:confirm:o1", "Confirm")
	w.writes("wamid.3", "when does it come?", 0)
	w.settled()
	if got := w.replies(); !strings.HasSuffix(got, "we have your order., re: when does it come?") || w.orderState() != store.OrderConfirmed {
		t.Errorf("replies %q, the order is %s", got, w.orderState())
	}
}

// TestCrashBetweenLedgerAndResult: the worker that makes a call dies before it knows the result. Whoever comes next makes no second
// call, and fetches a person.
func TestCrashBetweenLedgerAndResult(t *testing.T) {
	w := newWorld(t)
	w.asking()
	started, release := make(chan struct{}), make(chan struct{})
	act := &acting{do: func(context.Context) (string, error) {
		close(started)
		<-release
		return "booked", nil
	}}
	stop := w.run(w.worker(func(o *Options) { o.Store, o.Workers, o.Owner, o.Actions = frozen{o.Store}, 1, "dies", act }))
	w.writes("wamid.1", "book", 0)
	w.settled()
	w.taps("wamid.2", "action:do:k1", "Yes")
	w.receive(started, "the call")
	if s := w.callState(); s != store.ToolCallOpen {
		t.Errorf("while it is made the call is %s", s)
	}
	w.advance(defaultLease + time.Second)
	w.run(w.worker(func(o *Options) { o.Actions = act }))
	w.until("a person is fetched", func() bool { return w.conversation().State == store.ConversationWaiting })
	close(release)
	stop() // what the first one does now comes too late
	c := w.settled()
	if c.WaitingReason != reasonToolOutcomeUnknown || w.callState() != store.ToolCallOpen || act.calls.Load() != 1 ||
		strings.Contains(w.replies(), "done") || !strings.Contains(w.replies(), "A person will look after it") {
		t.Errorf("the chat is %+v, the call is %s and was made %d times; replies %q", c, w.callState(), act.calls.Load(), w.replies())
	}
}

// TestOldMessagesAreNotReadAfterACall: what is too old to be answered stays so, whatever else the turn does.
func TestOldMessagesAreNotReadAfterACall(t *testing.T) {
	w := newWorld(t)
	w.asking()
	asking := w.answer
	var read string
	w.answer = func(ctx context.Context, turn assistant.Turn) (assistant.Reply, error) {
		if turn.Done != nil {
			read = turn.Question()
		}
		return asking(ctx, turn)
	}
	act := &acting{do: func(context.Context) (string, error) { return "booked", nil }}
	w.run(w.worker(func(o *Options) { o.Actions = act }))
	w.writes("wamid.1", "book", 0)
	w.settled()
	w.ingest(store.InboundMessage{Type: "text", Text: "a question of yesterday", WAMID: "wamid.2", EventTime: w.clock().Add(-2 * time.Hour)})
	w.taps("wamid.3", "action:do:k1", "Yes")
	w.settled()
	if read != "Yes" || act.calls.Load() != 1 {
		t.Errorf("the assistant read %q; %d calls", read, act.calls.Load())
	}
}

// TestNobodyTakesCare: a chat that waits for a person is given back after the time that its channel names, and what the customer wrote
// meanwhile is answered.
func TestNobodyTakesCare(t *testing.T) {
	w := newWorld(t)
	w.serve(func(c *runtimeconfig.Channel) { c.Handoff.ResumeAfter = runtimeconfig.Duration(30 * time.Minute) })
	echo := w.answer
	w.answer = func(ctx context.Context, turn assistant.Turn) (assistant.Reply, error) {
		reply, err := echo(ctx, turn)
		reply.HandOff = strings.Contains(turn.Question(), "person")
		return reply, err
	}
	var sweeps atomic.Int32
	w.run(w.worker(func(o *Options) { o.Sweep, o.Store = 5*time.Millisecond, sweeping{o.Store, &sweeps} }))
	w.writes("wamid.1", "a person please", 0)
	w.settled()
	w.writes("wamid.2", "hello?", 0)
	if c := w.settled(); c.State != store.ConversationWaiting {
		t.Fatalf("the chat is %+v", c)
	}
	w.advance(29 * time.Minute)
	before := sweeps.Load()
	w.until("some sweeps more", func() bool { return sweeps.Load() > before+2 })
	if c := w.conversation(); c.State != store.ConversationWaiting {
		t.Errorf("given back too early: %+v", c)
	}
	w.advance(2 * time.Minute)
	w.until("it is given back and answered", func() bool { return strings.HasSuffix(w.replies(), "re: hello?") })
	if c := w.settled(); c.State != store.ConversationActive {
		t.Errorf("the chat is %+v", c)
	}
}

// sweeping counts the sweeps for chats that nobody takes care of.
type sweeping struct {
	Store
	n *atomic.Int32
}

func (s sweeping) ResumeIdle(ctx context.Context, after map[string]time.Duration) (int, error) {
	defer s.n.Add(1)
	return s.Store.ResumeIdle(ctx, after)
}
