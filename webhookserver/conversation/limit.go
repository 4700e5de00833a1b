package conversation

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"

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
	w.reportLimit(ctx, ch.LineID, ch.Revision, limit)
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

// LimitReporter tells the manager that a line has used up a limit. revision is that of its channel: another one may have another limit.
type LimitReporter func(ctx context.Context, line, revision string, limit store.Limit)

// toldLimit is when the manager was told of a limit, and for which revision of the channel.
type toldLimit struct {
	revision string
	at       time.Time
}

// limitReportEvery is how often the manager is told of one limit of one line: it stays reached for a while.
const limitReportEvery = time.Hour

// maxTold bounds what is remembered of reports; beyond it all is forgotten, which costs a report each.
const maxTold = 1 << 14

// ReportLimits tells the manager of limits, once an hour each.
func ReportLimits(to Reporter, log logr.Logger) LimitReporter {
	var mu sync.Mutex
	told := map[string]toldLimit{} // by line and limit
	return func(ctx context.Context, line, revision string, limit store.Limit) {
		key := line + " " + string(limit)
		now := time.Now()
		mu.Lock()
		last := told[key]
		silent := last.revision == revision && now.Sub(last.at) < limitReportEvery
		if !silent {
			if len(told) >= maxTold {
				clear(told)
			}
			told[key] = toldLimit{revision, now}
		}
		mu.Unlock()
		if silent {
			return
		}
		payload, err := json.Marshal(serverapi.Limit{Limit: string(limit)})
		if err == nil {
			err = to.AppendReport(ctx, store.Report{Kind: store.ReportKind(serverapi.KindLimitReached), Line: line, Payload: payload})
		}
		if err != nil {
			log.Error(err, "A limit that is reached could not be reported", "line", line)
		}
	}
}
