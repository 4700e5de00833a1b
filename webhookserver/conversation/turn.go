package conversation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/tracing"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/outbox"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// Results of a turn, as metrics name them.
const (
	resultAnswered   = "answered"
	resultHandOff    = "handoff"
	resultSkipped    = "skipped"
	resultSuperseded = "superseded"
	resultFailed     = "failed"
	resultReleased   = "released"
	resultLost       = "lost"
)

// errDrained, errLeaseLost and errSuperseded are the causes for which a turn under way is broken off.
var (
	errDrained    = errors.New("the process is stopping")
	errLeaseLost  = errors.New("the lease of the turn is lost")
	errSuperseded = errors.New("the customer wrote again")
	errNoReply    = errors.New("the assistant gave no reply")
)

// work takes a claimed turn to its end and returns the result.
func (w *Worker) work(ctx context.Context, turn *store.Turn) string {
	snapshot := w.opts.Snapshot()
	ch, ownership := outbox.ChannelOf(snapshot, turn.PhoneNumberID, turn.Line)
	switch ownership {
	case outbox.Owned:
	case outbox.Moved:
		return w.skip(ctx, turn, reasonNumberMoved)
	case outbox.Absent:
		if len(younger(turn, store.WindowLength)) == 0 {
			return w.skip(ctx, turn, reasonTooOld) // or it would be looked at until its retention ends
		}
		return w.release(ctx, turn, absentDelay)
	}
	if contentOnItsWay(ch, turn) {
		return w.release(ctx, turn, contentDelay)
	}
	unanswered, reason := guard(ch, turn)
	if reason != "" {
		return w.skip(ctx, turn, reason)
	}
	return w.take(ctx, snapshot, ch, turn, unanswered)
}

// take answers a turn that is to be answered, and returns the result.
func (w *Worker) take(ctx context.Context, snapshot *runtimeconfig.Snapshot, ch *runtimeconfig.Channel, turn *store.Turn,
	unanswered []store.Message) string {
	// Detached: on a shutdown the turn goes on, and what a break-off leaves of opening a call is that nobody knows whether it was made. The
	// lease is not extended yet.
	deciding, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.opts.Lease)
	p, err := w.decide(deciding, ch, turn, unanswered)
	cancel()
	if errors.Is(err, store.ErrLeaseLost) {
		return resultLost
	}
	if err != nil {
		return w.fail(ctx, ch, turn, unanswered, err)
	}
	if !p.decided {
		// If the store can't tell, the commit can't either.
		if limit, err := w.reached(ctx, ch, turn); err == nil && limit != "" {
			return w.atLimit(ctx, ch, turn, unanswered, limit)
		}
	}
	reply, err := w.answer(ctx, snapshot, ch, turn, unanswered, p)
	switch {
	case errors.Is(err, errDrained):
		return w.release(ctx, turn, 0)
	case errors.Is(err, errLeaseLost), errors.Is(err, store.ErrLeaseLost):
		return resultLost
	case errors.Is(err, errSuperseded):
		return resultSuperseded
	case err != nil:
		return w.fail(ctx, ch, turn, unanswered, err)
	}
	return w.commit(ctx, ch, turn, unanswered, p, reply)
}

// answer lets the assistant work under the turn's lease. The read receipt goes out at the same time.
func (w *Worker) answer(ctx context.Context, snapshot *runtimeconfig.Snapshot, ch *runtimeconfig.Channel, turn *store.Turn,
	unanswered []store.Message, p *plan) (assistant.Reply, error) {
	// Detached: on a shutdown the turn gets its time to end.
	work, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	work, cancel := context.WithTimeout(work, turnTimeout)
	defer cancel()

	var helpers sync.WaitGroup
	helpers.Go(func() { w.keepLease(ctx, work, stop, turn) })
	var receipt sync.WaitGroup
	receipt.Go(func() { w.markRead(work, snapshot, ch, turn, unanswered) })
	reply, err := w.perform(work, ch, turn, unanswered, p)
	// A typing indicator that came after the reply would stay for 25 seconds.
	receipt.Wait()
	broken := context.Cause(work)
	stop(nil)
	helpers.Wait() // from here on nobody else touches the turn

	switch {
	case err != nil && broken != nil, errors.Is(broken, errSuperseded):
		return reply, broken
	case err == nil && len(reply.Parts) == 0 && !reply.HandOff:
		err = errNoReply
	}
	return reply, err
}

// reply understands the messages and lets the assistant answer what was understood.
func (w *Worker) reply(ctx context.Context, ch *runtimeconfig.Channel, turn *store.Turn, unanswered []store.Message,
	done *assistant.Done) (assistant.Reply, error) {
	understood, err := w.opts.Understanding.Read(ctx, ch, turn, unanswered)
	if err != nil {
		return assistant.Reply{}, err
	}
	if len(understood.Messages) == 0 && len(understood.Notices) > 0 {
		return assistant.Reply{Parts: understood.Notices}, nil
	}
	asked := newTurn(ch, turn, understood.Messages)
	asked.Done = done
	reply, err := w.opts.Assistant.Answer(ctx, asked)
	if err == nil && (len(reply.Parts) > 0 || reply.HandOff || reply.Order != nil || reply.Action != nil) {
		reply.Parts = append(understood.Notices, reply.Parts...)
	}
	return reply, err
}

// perform carries the plan out and lets the assistant answer the rest.
func (w *Worker) perform(ctx context.Context, ch *runtimeconfig.Channel, turn *store.Turn, unanswered []store.Message,
	p *plan) (assistant.Reply, error) {
	words := w.opts.Builtin.Words(newTurn(ch, turn, unanswered))
	var done *assistant.Done
	if p.call != nil {
		result, err := w.act(ctx, ch, p.call)
		var refused *assistant.ToolError
		switch {
		case errors.As(err, &refused):
			done = &assistant.Done{Tool: p.call.Tool, Arguments: p.call.Arguments, Result: refused.Text, Failed: true}
			p.settlement = &store.ToolSettlement{ID: p.call.ID, State: store.ToolCallFailed}
		case err != nil:
			// It stays open: nobody knows, so nobody makes it again.
			p.say(words.ActionFailed)
			p.handOff = reasonToolOutcomeUnknown
		default:
			done = &assistant.Done{Tool: p.call.Tool, Arguments: p.call.Arguments, Result: result}
			p.settlement = &store.ToolSettlement{ID: p.call.ID, State: store.ToolCallDone}
		}
	}
	var reply assistant.Reply
	if p.handOff == "" && len(p.rest) > 0 {
		var err error
		if reply, err = w.reply(ctx, ch, turn, p.rest, done); err != nil && done == nil {
			return reply, err
		}
		if err != nil {
			// Another attempt would only find that the call was opened, and tell the customer that it did not work.
			w.opts.Log.Error(err, "What became of a call is told without the assistant", "line", turn.Line, "conversation", turn.ConversationID)
			reply = done.Tell(words)
		}
	}
	if p.order != nil {
		reply.Order = p.order // a cart is the customer's own word
	}
	reply.Parts = append(p.before, reply.Parts...)
	if questions := questions(&reply, words); len(questions) > 0 {
		reply.Parts = assistant.FitAbove(reply.Parts, questions)
	}
	if p.handOff != "" {
		reply.HandOff, reply.Reason = true, p.handOff
	}
	return reply, nil
}

// questions are what the customer has to decide.
func questions(reply *assistant.Reply, words *assistant.Words) []assistant.Part {
	var parts []assistant.Part
	if reply.Order != nil {
		parts = append(parts, assistant.OrderSummary(reply.Order, words))
	}
	if reply.Action != nil {
		parts = append(parts, assistant.ActionQuestion(reply.Action, words))
	}
	return parts
}

// act makes a call with a side effect.
func (w *Worker) act(ctx context.Context, ch *runtimeconfig.Channel, call *store.ToolCall) (string, error) {
	if w.opts.Actions == nil {
		return "", &assistant.ToolError{Text: "The tool is not there any more."}
	}
	ctx, span := tracing.Child(ctx, "tool", trace.SpanKindClient, tracing.ToolKey.String(call.Tool))
	text, err := w.opts.Actions.Do(ctx, ch, call.Tool, call.Arguments, call.ID)
	reason := ""
	if err != nil {
		reason = resultFailed
	}
	tracing.End(span, reason)
	return text, err
}

// keepLease extends the turn's lease while work goes on, and breaks the work off when the lease is lost, when the customer
// has written more, or some time after the process was told to stop.
func (w *Worker) keepLease(stopping, work context.Context, stop context.CancelCauseFunc, turn *store.Turn) {
	ticker := time.NewTicker(w.opts.Lease / 3)
	defer ticker.Stop()
	newer := time.NewTicker(w.opts.Poll)
	defer newer.Stop()
	told := stopping.Done()
	var drained <-chan time.Time
	for {
		select {
		case <-work.Done():
			return
		case <-told:
			told, drained = nil, time.After(w.opts.Drain)
		case <-drained:
			stop(errDrained)
			return
		case <-newer.C:
			// Its failure only costs the time that it would have saved: the end of the turn asks again.
			if superseded, err := w.opts.Store.SupersedeTurn(work, turn); err == nil && superseded {
				stop(errSuperseded)
				return
			}
		case <-ticker.C:
			err := w.opts.Store.ExtendLease(work, turn, w.opts.Lease)
			if errors.Is(err, store.ErrLeaseLost) {
				stop(errLeaseLost)
				return
			}
			if err != nil && work.Err() == nil {
				w.opts.Log.Error(err, "The lease of a turn could not be extended", "line", turn.Line, "conversation", turn.ConversationID)
			}
		}
	}
}

// markRead shows the customer that his message was read and is being answered. It is a courtesy: its failure changes
// nothing, and a turn that is tried again does not repeat it.
func (w *Worker) markRead(ctx context.Context, snapshot *runtimeconfig.Snapshot, ch *runtimeconfig.Channel, turn *store.Turn,
	unanswered []store.Message) {
	id := unanswered[len(unanswered)-1].WAMID
	if turn.Attempt > 1 || id == "" {
		return
	}
	client, err := w.opts.Reader(ch.Graph)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, readTimeout)
		defer cancel()
		ctx, span := tracing.Child(ctx, "graph mark as read", trace.SpanKindClient)
		defer span.End()
		err = client.MarkRead(ctx, outbox.CredentialOf(snapshot, ch), turn.PhoneNumberID, id, true)
	}
	if err != nil {
		w.opts.Log.V(1).Info("A read receipt could not be sent", "line", turn.Line, "error", err.Error())
	}
}

// commit ends the turn with its reply.
func (w *Worker) commit(ctx context.Context, ch *runtimeconfig.Channel, turn *store.Turn, unanswered []store.Message, p *plan,
	reply assistant.Reply) string {
	// Detached: what was written in the time that a shutdown leaves must not be written again.
	keeping, done := detached(ctx)
	rows, err := w.rows(keeping, ch, reply.Parts)
	done()
	if err == nil && len(rows) == 0 && !reply.HandOff {
		err = errNoReply // nothing of it could be shown
	}
	if err != nil {
		return w.fail(ctx, ch, turn, unanswered, err)
	}
	outcome, err := outcomeOf(ch, p, &reply)
	if err != nil {
		return w.fail(ctx, ch, turn, unanswered, err)
	}
	result := resultAnswered
	if reply.HandOff {
		result = resultHandOff
	}
	writing, cancel := detached(ctx)
	defer cancel()
	writing, span := tracing.Child(writing, "store", trace.SpanKindInternal)
	err = persist(writing, func() error { return w.opts.Store.CommitReply(writing, turn, rows, outcome) })
	span.End()
	var limit *store.LimitError
	switch {
	case err == nil:
		w.opts.Committed(&outcome)
		return result
	case errors.Is(err, store.ErrSuperseded):
		return resultSuperseded
	case errors.As(err, &limit):
		return w.atLimit(ctx, ch, turn, unanswered, limit.Limit)
	case errors.Is(err, store.ErrInvalid), errors.Is(err, store.ErrNotFound):
		return w.fail(ctx, ch, turn, unanswered, err)
	default:
		return w.lost(turn, err)
	}
}

// outcomeOf is what is written together with the reply.
func outcomeOf(ch *runtimeconfig.Channel, p *plan, reply *assistant.Reply) (store.Outcome, error) {
	// A person who takes over is announced whatever the limits say.
	o := store.Outcome{Kind: store.OutcomeAnswered, Quota: quotaOf(ch, !p.decided && !reply.HandOff), Decision: p.decision, Settlement: p.settlement}
	if reply.HandOff {
		o.Kind, o.Reason = store.OutcomeHandOff, reply.Reason
	}
	if order := reply.Order; order != nil {
		items, err := json.Marshal(order.Items)
		if err != nil {
			return o, fmt.Errorf("encode an order: %w", err)
		}
		o.Draft = &store.OrderDraftRow{ID: order.ID, Items: items, Total: order.Total, Note: order.Note}
	}
	if a := reply.Action; a != nil {
		o.Proposal = &store.ToolProposal{ID: a.ID, Ordinal: a.Ordinal, Tool: a.Tool, Arguments: a.Arguments}
	}
	if reply.Summary != "" {
		o.Summary = &store.Summary{Text: reply.Summary, Through: reply.SummaryThrough}
	}
	return o, nil
}

func (w *Worker) skip(ctx context.Context, turn *store.Turn, reason string) string {
	because(ctx, reason)
	ctx, cancel := detached(ctx)
	defer cancel()
	if err := persist(ctx, func() error { return w.opts.Store.SkipTurn(ctx, turn, reason) }); err != nil {
		return w.lost(turn, err)
	}
	return resultSkipped
}

func (w *Worker) release(ctx context.Context, turn *store.Turn, after time.Duration) string {
	ctx, cancel := detached(ctx)
	defer cancel()
	if err := persist(ctx, func() error { return w.opts.Store.ReleaseTurn(ctx, turn, after) }); err != nil {
		return w.lost(turn, err)
	}
	return resultReleased
}

// fail gives the turn back, or leaves it to a person when it was tried often enough. The customer is told.
func (w *Worker) fail(ctx context.Context, ch *runtimeconfig.Channel, turn *store.Turn, unanswered []store.Message, cause error) string {
	w.opts.Log.Error(cause, "A turn failed", "line", turn.Line, "conversation", turn.ConversationID, "attempt", turn.Attempt)
	ctx, cancel := detached(ctx)
	defer cancel()
	if turn.Attempt >= store.MaxTurnAttempts {
		text := w.opts.Builtin.Words(newTurn(ch, turn, unanswered)).HandedOff
		var outcome store.Outcome
		rows, err := drafts(ctx, ch, []assistant.Part{assistant.Text{Body: text}})
		if err == nil {
			outcome = store.Outcome{Kind: store.OutcomeHandOff, Reason: store.ReasonTurnFailed, Cause: cause.Error(), Quota: quotaOf(ch, false)}
			err = w.opts.Store.CommitReply(ctx, turn, rows, outcome)
		}
		if err == nil {
			w.opts.Committed(&outcome)
			return resultFailed
		}
	}
	if err := w.opts.Store.FailTurn(ctx, turn, cause.Error()); err != nil {
		return w.lost(turn, err)
	}
	return resultFailed
}

// lost is the end of a turn whose end could not be written down. When its lease runs out somebody starts over; the
// attempt stays counted.
func (w *Worker) lost(turn *store.Turn, err error) string {
	if !errors.Is(err, store.ErrLeaseLost) {
		w.opts.Log.Error(err, "The end of a turn could not be written down", "line", turn.Line, "conversation", turn.ConversationID)
	}
	return resultLost
}

// persist writes the end of a turn down while ctx lasts, also if the store is away for a moment: each turn under way would
// lose an attempt for it. If a write took effect although it failed, the next one finds that the lease is gone.
func persist(ctx context.Context, write func() error) error {
	for {
		err := write()
		if !errors.Is(err, store.ErrUnavailable) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(persistAgain):
		}
	}
}

// detached outlives a shutdown for as long as one write takes: a turn whose work is done should not be done again.
func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
}
