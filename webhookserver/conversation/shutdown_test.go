package conversation

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/outbox"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// runUntil runs a worker that is told to stop by somebody within its work, and returns when it has ended. start is given what stops it.
func (w *world) runUntil(start func(stop context.CancelFunc) *Worker) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), deadline)
	defer cancel()
	stopped := make(chan struct{})
	w.must(start(func() { cancel(); close(stopped) }).Run(ctx))
	select {
	case <-stopped:
	default:
		w.Error("nobody told the worker to stop: this proves nothing")
	}
}

// stopping is the store of a process that is told to stop while it looks up what a customer decides on.
type stopping struct {
	Store
	stop context.CancelFunc
}

func (s stopping) Order(ctx context.Context, line string, conversation int64, id string) (store.Order, error) {
	s.stop()
	return s.Store.Order(ctx, line, conversation, id)
}

func (s stopping) OpenToolCall(ctx context.Context, t *store.Turn, id string) (store.ToolCall, error) {
	s.stop()
	return s.Store.OpenToolCall(ctx, t, id)
}

func TestShutdownWhileADecisionIsLookedUp(t *testing.T) {
	for _, tc := range []struct{ asked, tap, want string }{
		{"order", "order:confirm:o1", "we have your order."},
		{"book", "action:do:k1", "done: booked"},
	} {
		w := newWorld(t)
		w.asking()
		act := &acting{do: func(context.Context) (string, error) { return "booked", nil }}
		stop := w.run(w.worker())
		w.writes("wamid.1", tc.asked, 0)
		w.settled()
		stop()
		w.taps("wamid.2", tc.tap, "Yes")
		w.runUntil(func(stop context.CancelFunc) *Worker {
			return w.worker(func(o *Options) { o.Store, o.Actions = stopping{o.Store, stop}, act })
		})
		if got := w.replies(); !strings.HasSuffix(got, tc.want) {
			t.Errorf("%s: replies %q, conversation %+v", tc.asked, got, w.conversation())
		}
	}
}

// drawing keeps images as a blob store that is far away does: not for who has gone.
type drawing struct{}

// Draft implements Pictures.
func (drawing) Draft(ctx context.Context, _, mimeType string, _ []byte, caption string) (store.OutboxDraft, error) {
	if ctx.Err() != nil {
		return store.OutboxDraft{}, ctx.Err()
	}
	payload, err := outbox.Content{Image: &outbox.Image{Blob: "sent/1", MIMEType: mimeType, Caption: caption}}.Payload()
	return store.OutboxDraft{Type: "image", Payload: payload, BlobKey: "sent/1", BlobBytes: 1}, err
}

func TestShutdownLetsAnImageThatWasMadeBeKept(t *testing.T) {
	w := newWorld(t)
	w.writes("wamid.1", "draw a fern", 0)
	w.runUntil(func(stop context.CancelFunc) *Worker {
		w.answer = func(context.Context, assistant.Turn) (assistant.Reply, error) {
			stop()
			return assistant.Reply{Parts: []assistant.Part{assistant.Picture{MIMEType: "image/png", Data: []byte("x"), Caption: "A fern"}}}, nil
		}
		return w.worker(func(o *Options) { o.Pictures = drawing{} })
	})
	rows, err := w.store.OutboxRows(w.Context(), line, 0, 10)
	w.must(err)
	if len(rows) != 1 || w.conversation().AnsweredSeq != 1 {
		t.Errorf("%d messages are sent; conversation %+v", len(rows), w.conversation())
	}
}

// TestShutdownAfterACall: what is known of a call must not be lost with the answer to it.
func TestShutdownAfterACall(t *testing.T) {
	for name, tc := range map[string]struct {
		err   error
		state store.ToolCallState
		want  string
	}{
		"done":    {nil, store.ToolCallDone, "Done."},
		"refused": {&assistant.ToolError{Text: "no such day"}, store.ToolCallFailed, "A person will look after it"},
	} {
		w := newWorld(t)
		w.asking()
		asking := w.answer
		told := make(chan struct{})
		w.answer = func(ctx context.Context, turn assistant.Turn) (assistant.Reply, error) {
			if turn.Done == nil {
				return asking(ctx, turn)
			}
			close(told)
			<-ctx.Done() // a model that is slow
			return assistant.Reply{}, ctx.Err()
		}
		act := &acting{do: func(context.Context) (string, error) { return "booked", tc.err }}
		stop := w.run(w.worker(func(o *Options) { o.Actions, o.Drain = act, 10*time.Millisecond }))
		w.writes("wamid.1", "book", 0)
		w.settled()
		w.taps("wamid.2", "action:do:k1", "Yes")
		w.receive(told, "the call's result is told to the assistant")
		stop()
		w.run(w.worker(func(o *Options) { o.Actions = act }))
		c := w.settled()
		if w.callState() != tc.state || act.calls.Load() != 1 || !strings.Contains(w.replies(), tc.want) || c.WaitingReason == reasonToolOutcomeUnknown {
			t.Errorf("%s: the call is %s and was made %d times; replies %q, conversation %+v", name, w.callState(), act.calls.Load(), w.replies(), c)
		}
	}
}
