package storetest

import (
	"errors"
	"fmt"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

func (w *world) draft(wamid, id string) {
	w.Helper()
	o := answered()
	o.Draft = &store.OrderDraftRow{ID: id, Items: []byte(`[{"id":"fern"}]`), Total: "9.99 USD", Note: "blue pot"}
	w.must(w.store.CommitReply(w.Context(), w.asks(wamid, "US.1"), drafts("summary"), o))
}

func (w *world) order(id string) store.Order {
	w.Helper()
	o, err := w.store.Order(w.Context(), line, w.conversation().ID, id)
	w.must(err)
	return o
}

func (w *world) decide(wamid string, d store.OrderDecision) error {
	w.Helper()
	o := answered()
	o.Decision = &d
	turn := w.asks(wamid, "US.1")
	err := w.store.CommitReply(w.Context(), turn, drafts("ok"), o)
	if err != nil {
		w.must(w.store.SkipTurn(w.Context(), turn, "decided"))
	}
	return err
}

// ordered lets a customer of the line of textOn confirm an order of which its shop is to be told.
func (w *world) ordered(n int, id string) {
	w.Helper()
	for step, o := range []store.Outcome{
		{Kind: store.OutcomeAnswered, Draft: &store.OrderDraftRow{ID: id, Items: []byte("[]"), Total: "1 USD"}},
		{Kind: store.OutcomeAnswered, Decision: &store.OrderDecision{ID: id, State: store.OrderConfirmed, Notify: true}},
	} {
		w.ingest(w.textOn(n, fmt.Sprintf("m%d-%s", step, id), "US."+id))
		w.must(w.store.CommitReply(w.Context(), w.claim(), drafts("ok"), o))
	}
}

var orderCases = map[string]func(*world){
	"an order from draft to notice": func(w *world) {
		w.draft("m1", "o1")
		o := w.order("o1")
		w.equal([]any{store.OrderDraft, "9.99 USD", "blue pot", `[{"id":"fern"}]`, "US.1", number, w.clock(), time.Time{}},
			[]any{o.State, o.Total, o.Note, string(o.Items), o.Contact.BSUID, o.PhoneNumberID, o.CreatedAt, o.DecidedAt}, "a draft")
		w.must(w.decide("m2", store.OrderDecision{ID: "o1", State: store.OrderConfirmed, Notify: true}))
		w.wantErr(w.decide("m3", store.OrderDecision{ID: "o1", State: store.OrderCancelled}), store.ErrNotFound, "it is decided once")
		w.reopen()
		n, err := w.store.ClaimOrderNotice(w.Context(), "w", time.Minute)
		w.must(err)
		w.equal([]any{"o1", store.OrderConfirmed, 1}, []any{n.Order.ID, n.Order.State, n.Attempt}, "the notice")
		_, err = w.store.ClaimOrderNotice(w.Context(), "w", time.Minute)
		w.wantErr(err, store.ErrNothingDue, "it is leased")
		w.must(w.store.EndOrderNotice(w.Context(), n, store.NoticePending, time.Hour, "Refused"))
		w.wantErr(w.store.EndOrderNotice(w.Context(), n, store.NoticeSent, 0, ""), store.ErrLeaseLost, "a notice ends once")
		_, err = w.store.ClaimOrderNotice(w.Context(), "w", time.Minute)
		w.wantErr(err, store.ErrNothingDue, "it is not due yet")
		w.advance(time.Hour)
		n, err = w.store.ClaimOrderNotice(w.Context(), "w", time.Minute)
		w.must(err)
		w.equal(2, n.Attempt, "the second attempt")
		w.must(w.store.EndOrderNotice(w.Context(), n, store.NoticeSent, 0, ""))
		w.equal(store.NoticeSent, w.order("o1").Notice, "it is told")
	},
	"a notice that is given up leaves a dead letter": func(w *world) {
		w.draft("m1", "o1")
		w.must(w.decide("m2", store.OrderDecision{ID: "o1", State: store.OrderConfirmed, Notify: true}))
		lost, err := w.store.ClaimOrderNotice(w.Context(), "died", time.Minute)
		w.must(err)
		w.advance(time.Minute)
		n, err := w.store.ClaimOrderNotice(w.Context(), "w", time.Minute)
		w.must(err)
		w.wantErr(w.store.EndOrderNotice(w.Context(), lost, store.NoticeSent, 0, ""), store.ErrLeaseLost, "somebody else has it")
		w.must(w.store.EndOrderNotice(w.Context(), n, store.NoticeDead, 0, "Refused"))
		letters := w.deadLetters()
		if len(letters) != 1 || letters[0].Kind != "order" || letters[0].Line != line {
			w.Errorf("dead letters %+v", letters)
		}
	},
	"notices of a line leave workers for those of others": func(w *world) {
		// A shop that is slow to answer has many orders, which were due before another one's.
		for i := range 20 {
			w.ordered(0, fmt.Sprintf("slow-%d", i))
		}
		w.advance(time.Second)
		w.ordered(1, "quick")
		claimed := map[string]int{}
		for {
			n, err := w.store.ClaimOrderNotice(w.Context(), "w", time.Minute)
			if errors.Is(err, store.ErrNothingDue) {
				break
			}
			w.must(err)
			claimed[n.Order.Line]++
		}
		w.equal(map[string]int{line: store.NoticesTogether, "line-b": 1}, claimed, "under way at a time")
		w.advance(time.Minute)
		n, err := w.store.ClaimOrderNotice(w.Context(), "w", time.Minute)
		w.must(err)
		w.equal(line, n.Order.Line, "a lease that ran out makes room")
	},
	"a new draft replaces the old one": func(w *world) {
		w.draft("m1", "o1")
		w.draft("m2", "o2")
		w.equal([]any{store.OrderReplaced, store.OrderDraft}, []any{w.order("o1").State, w.order("o2").State}, "one draft at a time")
		w.wantErr(w.decide("m3", store.OrderDecision{ID: "o1", State: store.OrderConfirmed}), store.ErrNotFound, "the old one can't be confirmed")
		all, err := w.store.Orders(w.Context(), line, 0, 10)
		w.must(err)
		w.equal([]string{"o1", "o2"}, []string{all[0].ID, all[1].ID}, "both are listed")
	},
	"an order belongs to its conversation and line": func(w *world) {
		w.draft("m1", "o1")
		mine := w.conversation().ID
		_, err := w.store.Order(w.Context(), "line-b", mine, "o1")
		w.wantErr(err, store.ErrNotFound, "another line")
		_, err = w.store.Order(w.Context(), line, mine+1, "o1")
		w.wantErr(err, store.ErrNotFound, "another conversation")
		o := answered()
		o.Decision = &store.OrderDecision{ID: "o1", State: store.OrderConfirmed}
		w.wantErr(w.store.CommitReply(w.Context(), w.asks("m2", "US.2"), drafts("x"), o), store.ErrNotFound, "another customer can't confirm it")
	},
	"orders go with whoever is erased": func(w *world) {
		w.draft("m1", "o1")
		_, err := w.store.Erase(w.Context(), store.Erasure{Line: line, PhoneNumberID: number, BSUID: "US.1"})
		w.must(err)
		all, err := w.store.Orders(w.Context(), line, 0, 10)
		w.must(err)
		w.equal(0, len(all), "erased")
	},
	"orders go with the messages, or with the customer": func(w *world) {
		w.draft("m1", "o1")
		w.deliver(&store.Delivery{App: app, IdentityMoves: []store.IdentityMove{{
			Line: line, PhoneNumberID: number, PreviousBSUID: "US.1", BSUID: "US.2", EventTime: w.clock(),
		}}})
		w.equal(store.OrderDraft, w.order("o1").State, "the customer has another id")
		w.advance(100 * 24 * time.Hour)
		for {
			n, err := w.store.Expire(w.Context(), store.Retention{Default: store.MinRetention})
			w.must(err)
			if n == 0 {
				break
			}
		}
		all, err := w.store.Orders(w.Context(), line, 0, 10)
		w.must(err)
		w.equal(0, len(all), "expired")
	},
}

var toolCallCases = map[string]func(*world){
	"a call is made once": func(w *world) {
		o := answered()
		o.Proposal = &store.ToolProposal{ID: "k1", Ordinal: 3, Tool: "crm__refund", Arguments: []byte(`{"n":1}`)}
		first := w.asks("m1", "US.1")
		w.must(w.store.CommitReply(w.Context(), first, drafts("really?"), o))
		turn := w.asks("m2", "US.1")
		c, err := w.store.OpenToolCall(w.Context(), turn, "k1")
		w.must(err)
		w.equal([]any{store.ToolCallOpen, first.LoadedSeq, int64(3), "crm__refund", `{"n":1}`},
			[]any{c.State, c.Turn, c.Ordinal, c.Tool, string(c.Arguments)}, "it is open before it is made")
		w.reopen()
		_, err = w.store.OpenToolCall(w.Context(), turn, "k1")
		w.wantErr(err, store.ErrNotFound, "an open one is never opened again")
		o = answered()
		o.Settlement = &store.ToolSettlement{ID: "k1", State: store.ToolCallDone}
		w.must(w.store.CommitReply(w.Context(), turn, drafts("done"), o))
		c, err = w.store.ToolCall(w.Context(), line, turn.ConversationID, "k1")
		w.must(err)
		w.equal(store.ToolCallDone, c.State, "it is done")
	},
	"a call belongs to its conversation, and needs the turn": func(w *world) {
		o := answered()
		o.Proposal = &store.ToolProposal{ID: "k1", Tool: "crm__refund"}
		turn := w.asks("m1", "US.1")
		w.must(w.store.CommitReply(w.Context(), turn, drafts("really?"), o))
		_, err := w.store.OpenToolCall(w.Context(), turn, "k1")
		w.wantErr(err, store.ErrLeaseLost, "the turn is over")
		other := w.asks("m2", "US.2")
		_, err = w.store.OpenToolCall(w.Context(), other, "k1")
		w.wantErr(err, store.ErrNotFound, "another customer's tap")
		_, err = w.store.ToolCall(w.Context(), line, other.ConversationID, "k1")
		w.wantErr(err, store.ErrNotFound, "or look")
	},
	"a summary is remembered": func(w *world) {
		o := answered()
		o.Summary = &store.Summary{Text: "likes ferns", Through: 7}
		w.must(w.store.CommitReply(w.Context(), w.asks("m1", "US.1"), drafts("a"), o))
		w.equal(store.Summary{Text: "likes ferns", Through: 7}, w.asks("m2", "US.1").Summary, "the next turn has it")
	},
}
