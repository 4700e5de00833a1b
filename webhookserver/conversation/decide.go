package conversation

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// Reasons of hand-offs that the worker itself decides on.
const (
	reasonLimitReached       = "LimitReached"
	reasonToolOutcomeUnknown = "ToolOutcomeUnknown"
	reasonOrderProblem       = "OrderProblem"
)

// typeOrder is Meta's type of a cart that a customer sends.
const typeOrder = "order"

// plan is what a turn does beside the assistant's answer. What customers decide by tapping is looked up here, within their own
// conversation: no model has a part in it.
type plan struct {
	// before is said before the assistant's answer.
	before []assistant.Part
	// rest is what the assistant has to answer; it is not asked if there is nothing.
	rest []store.Message
	// call is to be made before that. It is open in the ledger.
	call *store.ToolCall
	// handOff leaves the conversation to a person, for this reason.
	handOff string
	// decided tells that limits don't hold: what the customer has decided is carried out.
	decided    bool
	order      *assistant.Order
	decision   *store.OrderDecision
	settlement *store.ToolSettlement
}

// decide finds out what the customer has decided by his newest tap, or ordered with a cart.
func (w *Worker) decide(ctx context.Context, ch *runtimeconfig.Channel, turn *store.Turn, unanswered []store.Message) (*plan, error) {
	words := w.opts.Builtin.Words(newTurn(ch, turn, unanswered))
	for i, m := range slices.Backward(unanswered) {
		p := &plan{rest: besides(unanswered, i), decided: true}
		if m.Type == typeOrder {
			return p, w.cart(ctx, ch, &m, words, p)
		}
		verb, id := action(tapped(&m))
		switch verb {
		case assistant.TapConfirmOrder, assistant.TapChangeOrder, assistant.TapCancelOrder:
			return p, w.decideOrder(ctx, ch, turn, verb, id, words, p)
		case assistant.TapDoAction, assistant.TapDropAction:
			return p, w.decideAction(ctx, turn, unanswered, verb, id, words, p)
		}
	}
	return &plan{rest: unanswered}, nil
}

// besides are the messages without the one by which the customer decided, and without his earlier taps: who taps twice, or first one
// button and then another, has one wish.
func besides(unanswered []store.Message, decision int) []store.Message {
	var rest []store.Message
	for i := range unanswered {
		if verb, _ := action(tapped(&unanswered[i])); i != decision && verb == "" {
			rest = append(rest, unanswered[i])
		}
	}
	return rest
}

// action splits the id of a button by which something is decided; verb is empty for all others.
func action(tap string) (verb, id string) {
	for _, verb := range []string{
		assistant.TapConfirmOrder, assistant.TapChangeOrder, assistant.TapCancelOrder, assistant.TapDoAction, assistant.TapDropAction,
	} {
		if id, ok := strings.CutPrefix(tap, verb); ok {
			return verb, id
		}
	}
	return "", ""
}

func (p *plan) say(text string) { p.before = append(p.before, assistant.Text{Body: text}) }

func (w *Worker) decideOrder(ctx context.Context, ch *runtimeconfig.Channel, turn *store.Turn, verb, id string, words *assistant.Words, p *plan) error {
	order, err := w.opts.Store.Order(ctx, turn.Line, turn.ConversationID, id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	switch {
	case order.State == store.OrderConfirmed && verb == assistant.TapConfirmOrder:
		p.say(words.OrderPlaced) // the button was tapped twice
	case order.State != store.OrderDraft, turn.ClaimedAt.Sub(order.CreatedAt) > store.DecideWithin:
		p.say(words.OrderGone)
	case verb == assistant.TapConfirmOrder:
		p.decision = &store.OrderDecision{ID: id, State: store.OrderConfirmed, Notify: ch.Orders.Notify != nil}
		p.say(words.OrderPlaced)
	case verb == assistant.TapCancelOrder:
		p.decision = &store.OrderDecision{ID: id, State: store.OrderCancelled}
		p.say(words.OrderCancelled)
	default:
		p.say(words.OrderChange)
	}
	return nil
}

func (w *Worker) decideAction(ctx context.Context, turn *store.Turn, unanswered []store.Message, verb, id string, words *assistant.Words,
	p *plan) error {
	call, err := w.opts.Store.ToolCall(ctx, turn.Line, turn.ConversationID, id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	switch {
	case call.State == store.ToolCallOpen:
		// Whoever opened it has died, or his outcome was lost: nobody knows whether it was made.
		p.say(words.ActionFailed)
		p.handOff = reasonToolOutcomeUnknown
	case call.State != store.ToolCallProposed, turn.ClaimedAt.Sub(call.CreatedAt) > store.DecideWithin:
		p.say(words.ActionGone)
	case verb == assistant.TapDropAction:
		p.settlement = &store.ToolSettlement{ID: id, State: store.ToolCallDeclined}
		p.say(words.ActionDropped)
	default:
		call, err := w.opts.Store.OpenToolCall(ctx, turn, id)
		if err != nil {
			return err
		}
		// From here on the turn has an effect, and its answer must not be discarded.
		turn.AllowSupersede = false
		p.call = &call
		p.rest = unanswered // the tap is what the assistant answers, if there is nothing else
	}
	return nil
}

// cart turns a cart into a draft. Its prices are the customer's phone's; ours count.
func (w *Worker) cart(ctx context.Context, ch *runtimeconfig.Channel, m *store.Message, words *assistant.Words, p *plan) error {
	var raw struct {
		Order struct {
			Text  string `json:"text"`
			Items []struct {
				ID       string      `json:"product_retailer_id"`
				Quantity json.Number `json:"quantity"`
			} `json:"product_items"`
		} `json:"order"`
	}
	// What can't be read has no items, and is answered like a cart of unknown products.
	_ = json.Unmarshal(m.Raw, &raw)
	var lines []assistant.OrderLine
	for _, item := range raw.Order.Items {
		quantity, err := item.Quantity.Int64()
		if err != nil || quantity > maxCartQuantity {
			quantity = 0 // refused below
		}
		lines = append(lines, assistant.OrderLine{ProductID: item.ID, Quantity: int(quantity)})
	}
	order, err := w.opts.Library.Order(ctx, ch, lines, raw.Order.Text)
	var problem *assistant.OrderError
	switch {
	case errors.As(err, &problem):
		text := words.OrderProblem
		if name := problem.Title; name != "" {
			text += " " + name
		}
		p.say(text)
		p.say(words.HandedOff)
		p.handOff = reasonOrderProblem
	case err != nil:
		return err
	default:
		p.order = order
	}
	return nil
}

// maxCartQuantity is more than anybody orders, and fits an int everywhere.
const maxCartQuantity = 1_000_000
