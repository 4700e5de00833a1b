package conversation

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// quotaOf is what the channel may use. Without bounds messages are counted all the same.
func quotaOf(ch *runtimeconfig.Channel, bounded bool) *store.Quota {
	q := &store.Quota{TimeZone: ch.TimeZone}
	if l := ch.Limits; bounded {
		q.ConversationsPerMonth, q.MessagesPerMonth = l.ConversationsPerMonth, l.MessagesPerMonth
		q.MessagesPerDay, q.CustomerMessagesPerHour = l.MessagesPerDay, l.CustomerMessagesPerHour
	}
	return q
}

// limited reports whether the channel has a limit that the store keeps.
func limited(l *runtimeconfig.Limits) bool {
	return l.ConversationsPerMonth != nil || l.MessagesPerMonth != nil || l.MessagesPerDay != nil || l.CustomerMessagesPerHour != nil
}

// reached names the limit that an answer would exceed, so that no model is asked for nothing.
func (w *Worker) reached(ctx context.Context, ch *runtimeconfig.Channel, turn *store.Turn) (store.Limit, error) {
	if !limited(&ch.Limits) {
		return "", nil
	}
	return w.opts.Store.Reached(ctx, turn, *quotaOf(ch, true))
}

// atLimit is the answer when a limit is reached: a person takes over, or the channel's fixed text, which is not repeated as long as it
// is the last thing that was said. It is counted, and no limit holds it back.
func (w *Worker) atLimit(ctx context.Context, ch *runtimeconfig.Channel, turn *store.Turn, unanswered []store.Message, limit store.Limit) string {
	w.limits.WithLabelValues(string(limit)).Inc()
	w.reportLimit(ctx, ch, limit)
	text := ch.Limits.Message
	if text == "" {
		words := w.opts.Builtin.Words(newTurn(ch, turn, unanswered))
		return w.commit(ctx, ch, turn, unanswered, &plan{decided: true}, assistant.Reply{
			Parts: []assistant.Part{assistant.Text{Body: words.HandedOff}}, HandOff: true, Reason: reasonLimitReached,
		})
	}
	for _, m := range slices.Backward(turn.History) {
		if m.Author == store.AuthorCustomer {
			continue
		}
		if m.Text == text {
			return w.skip(ctx, turn, reasonLimitReached)
		}
		break
	}
	return w.commit(ctx, ch, turn, unanswered, &plan{decided: true}, assistant.Reply{Parts: []assistant.Part{assistant.Text{Body: text}}})
}

// toldLimit is when the manager was told of a limit, and for which revision of the channel: another one may have another limit.
type toldLimit struct {
	revision string
	at       time.Time
}

// limitReportEvery is how often the manager is told of one limit of one line: it stays reached for the rest of a day or a month.
const limitReportEvery = time.Hour

// reportLimit tells the manager that a limit is reached.
func (w *Worker) reportLimit(ctx context.Context, ch *runtimeconfig.Channel, limit store.Limit) {
	key := ch.LineID + " " + string(limit)
	now := time.Now()
	w.mu.Lock()
	last := w.toldLimits[key]
	told := last.revision == ch.Revision && now.Sub(last.at) < limitReportEvery
	if !told {
		if len(w.toldLimits) >= maxTold {
			clear(w.toldLimits)
		}
		w.toldLimits[key] = toldLimit{ch.Revision, now}
	}
	w.mu.Unlock()
	if told {
		return
	}
	payload, err := json.Marshal(serverapi.Limit{Limit: string(limit)})
	if err == nil {
		err = w.opts.Store.AppendReport(ctx, store.Report{Kind: store.ReportKind(serverapi.KindLimitReached), Line: ch.LineID, Payload: payload})
	}
	if err != nil {
		w.opts.Log.Error(err, "A limit that is reached could not be reported", "line", ch.LineID)
	}
}

// maxTold bounds what is remembered of reports; beyond it all is forgotten, which costs a report each.
const maxTold = 1 << 14
