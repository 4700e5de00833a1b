package storetest

import (
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

var handOffCases = map[string]func(*world){
	"a person who answers takes over": func(w *world) {
		turn := w.asks("m1", "US.1")
		c := w.conversation()
		_, err := w.store.EnqueuePersonReply(w.Context(), line, c.ID, drafts("I look after it")[0])
		w.must(err)
		w.equal(store.ConversationHuman, w.conversation().State, "it is a person's now")
		w.wantErr(w.store.CommitReply(w.Context(), turn, drafts("late"), answered()), store.ErrLeaseLost, "the assistant is too late")
		w.ingest(w.text("m2", "US.1"))
		w.notDue("nor does it answer what comes then")
		w.must(w.store.MarkAccepted(w.Context(), w.claimSend(), "wamid.p"))
		w.ingest(w.echo("wamid.p", w.clock()))
		w.equal(store.ConversationHuman, w.conversation().State, "the echo of it changes nothing")
		w.must(w.store.Resume(w.Context(), line, c.ID))
		w.ingest(w.text("m3", "US.1"))
		w.equal([]string{"text of m3"}, textsOf(w.claim().Unanswered), "it is given back")
	},
	"what nobody takes care of is given back": func(w *world) {
		after := map[string]time.Duration{line: time.Hour}
		idle := func(want int, reason string) {
			w.Helper()
			n, err := w.store.ResumeIdle(w.Context(), after)
			w.must(err)
			w.equal(want, n, reason)
		}
		w.must(w.store.CommitReply(w.Context(), w.asks("m1", "US.1"), drafts("a person comes"), store.Outcome{Kind: store.OutcomeHandOff, Reason: "asked"}))
		other := w.text("m9", "US.9")
		other.Line = "line-b"
		w.ingest(other)
		w.must(w.store.CommitReply(w.Context(), w.claim(), nil, store.Outcome{Kind: store.OutcomeHandOff, Reason: "asked"}))
		w.advance(50 * time.Minute)
		idle(0, "it waits for less than an hour")
		_, err := w.store.EnqueuePersonReply(w.Context(), line, w.conversation().ID, drafts("hello")[0])
		w.must(err)
		w.advance(50 * time.Minute)
		idle(0, "a person wrote within the hour")
		w.ingest(w.text("m2", "US.1"))
		w.notDue("the person is to answer")
		w.advance(10 * time.Minute)
		idle(1, "nobody wrote for an hour")
		idle(0, "it is given back once")
		c := w.conversation()
		w.equal([]any{store.ConversationActive, ""}, []any{c.State, c.WaitingReason}, "it is the assistant's again")
		w.equal([]string{"text of m2"}, textsOf(w.claim().Unanswered), "who answers what nobody has seen")
		w.equal(store.ConversationWaiting, w.conversations("line-b")[0].State, "a line that doesn't ask for it keeps waiting")
	},
	"a thread that waits for a person is joined to another": func(w *world) {
		w.ingest(w.from("m1", "", "49151", w.clock()))
		q := store.Quota{CustomerMessagesPerHour: new(int64(1)), ConversationsPerMonth: new(int64(1))}
		asked := charged(q)
		asked.Kind, asked.Reason = store.OutcomeHandOff, "asked"
		w.must(w.store.CommitReply(w.Context(), w.claim(), drafts("a person comes"), asked))
		w.ingest(w.text("m2", "US.1"))
		w.must(w.store.CommitReply(w.Context(), w.claim(), nil, answered()))
		w.ingest(w.from("m3", "US.1", "49151", w.clock()))
		c := w.conversation()
		w.equal([]any{store.ConversationWaiting, "asked"}, []any{c.State, c.WaitingReason}, "it still waits, and says why")
		n, err := w.store.ResumeIdle(w.Context(), map[string]time.Duration{line: time.Hour})
		w.must(err)
		w.equal(0, n, "somebody has time to look at it")
		w.must(w.store.Resume(w.Context(), line, c.ID))
		w.ingest(w.text("m4", "US.1"))
		turn := w.claim()
		w.wantLimit(w.store.CommitReply(w.Context(), turn, drafts("more"), charged(q)), store.LimitCustomer, "he has had a message within the hour")
		w.must(w.store.CommitReply(w.Context(), turn, drafts("more"), charged(store.Quota{ConversationsPerMonth: q.ConversationsPerMonth})))
	},
}
