package storetest

import (
	"fmt"
	"sync"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

func (w *world) nothingDue(reason string) {
	w.Helper()
	turn, err := One(w.store.ClaimConversations(w.Context(), claimRequest()))
	if turn != nil {
		w.Errorf("%s: claimed conversation %d", reason, turn.ConversationID)
	}
	w.wantErr(err, store.ErrNothingDue, reason)
}

func (w *world) notSuperseded(turn *store.Turn, reason string) {
	w.Helper()
	superseded, err := w.store.SupersedeTurn(w.Context(), turn)
	w.must(err)
	w.equal(false, superseded, reason)
}

var turnCases = map[string]func(*world){
	"a turn from claim to reply": func(w *world) {
		w.nothingDue("an empty store has nothing due")
		w.ingest(w.text("m1", "US.1"), w.text("m2", "US.1"))
		w.nothingDue("a reply waits for more messages")
		turn := w.claim()
		w.equal([]string{"text of m1", "text of m2"}, textsOf(turn.Unanswered), "the turn has the unanswered messages")
		w.equal([]any{int64(2), 1, line, number, "US.1", 0, w.clock()},
			[]any{turn.LoadedSeq, turn.Attempt, turn.Line, turn.PhoneNumberID, turn.Contact.BSUID, len(turn.History), turn.ClaimedAt}, "and its facts")
		w.nothingDue("a leased conversation is not handed out twice")
		w.must(w.store.CommitReply(w.Context(), turn, drafts("r1", "r2"), answered()))
		c := w.conversation()
		w.equal([]any{int64(2), true}, []any{c.AnsweredSeq, c.ReplyDueAt.IsZero()}, "the messages are answered")
		w.wantErr(w.store.CommitReply(w.Context(), turn, drafts("again"), answered()), store.ErrLeaseLost, "a turn ends once")
		w.equal([]string{"text of m1", "text of m2", "r1", "r2"}, w.texts(c), "replies are part of the thread")
		w.ingest(w.text("m3", "US.1"))
		next := w.claim()
		w.equal([]string{"text of m3"}, textsOf(next.Unanswered), "the next turn has only what is new")
		w.equal([]string{"text of m1", "text of m2", "r1", "r2"}, textsOf(next.History), "and the rest as history")
	},
	"what was understood is kept": func(w *world) {
		w.reply("m0", "US.2", "r")
		voice := w.text("m1", "US.1")
		voice.Type, voice.Text = "audio", ""
		w.ingest(voice)
		turn := w.claim()
		id := turn.Unanswered[0].ID
		w.must(w.store.KeepUnderstood(w.Context(), turn, id, "two ferns, please"))
		all, err := w.store.Conversations(w.Context(), line, 0, 10)
		w.must(err)
		w.equal([]string{"two ferns, please"}, w.texts(all[1]), "people see it")
		foreign, err := w.store.Messages(w.Context(), line, all[0].ID, 0, 10)
		w.must(err)
		w.wantErr(w.store.KeepUnderstood(w.Context(), turn, foreign[0].ID, "x"), store.ErrNotFound, "a turn changes no other conversation")
		w.must(w.store.ReleaseTurn(w.Context(), turn, 0))
		w.wantErr(w.store.KeepUnderstood(w.Context(), turn, id, "x"), store.ErrLeaseLost, "nor one that it has lost")
		turn = w.claim()
		w.equal([]string{"two ferns, please"}, textsOf(turn.Unanswered), "the next attempt has it")
		w.must(w.store.CommitReply(w.Context(), turn, drafts("r1"), answered()))
		w.ingest(w.text("m3", "US.1"))
		turn = w.claim()
		w.equal([]string{"two ferns, please", "r1"}, textsOf(turn.History), "and so have later turns")
		w.wantErr(w.store.KeepUnderstood(w.Context(), turn, turn.History[1].ID, "x"), store.ErrNotFound, "what we wrote is not changed")
	},
	"history is a window": func(w *world) {
		for i := range 5 {
			w.reply(fmt.Sprintf("m%d", i), "US.1", fmt.Sprintf("r%d", i))
			w.advance(time.Second)
		}
		w.ingest(w.text("m9", "US.1"))
		w.advance(store.ReplyDebounce)
		req := claimRequest()
		req.History = 3
		turn, err := One(w.store.ClaimConversations(w.Context(), req))
		w.must(err)
		w.equal([]string{"r3", "text of m4", "r4"}, textsOf(turn.History), "the newest messages, in and out")
	},
	"a turn is bounded, whatever was written": func(w *world) {
		flood := make([]store.InboundMessage, 0, 2*store.MaxTurnMessages)
		for i := range cap(flood) {
			flood = append(flood, w.text(fmt.Sprintf("m%03d", i), "US.1"))
		}
		w.ingest(flood...)
		turn := w.claim()
		w.equal(store.MaxTurnMessages, len(turn.Unanswered), "the newest messages are told")
		w.equal("text of "+flood[len(flood)-1].WAMID, turn.Unanswered[store.MaxTurnMessages-1].Text, "up to the last one")
		w.must(w.store.CommitReply(w.Context(), turn, drafts("r1"), answered()))
		w.equal(int64(len(flood)), w.conversation().AnsweredSeq, "and all are dealt with")

		var large []store.InboundMessage
		for i := range 8 {
			m := w.text(fmt.Sprintf("large%d", i), "US.1")
			m.Raw = make([]byte, store.MaxTurnBytes/2-1024)
			large = append(large, m)
		}
		w.ingest(large...)
		turn = w.claim()
		w.equal([]string{"text of large6", "text of large7"}, textsOf(turn.Unanswered), "so are bytes")
		w.must(w.store.CommitReply(w.Context(), turn, drafts("r2"), answered()))
		w.ingest(w.text("m9", "US.1"))
		w.equal([]string{"text of large6", "text of large7", "r2"}, textsOf(w.claim().History), "of the history, too")
		huge := w.text("huge", "US.2")
		huge.Raw = make([]byte, 2*store.MaxTurnBytes)
		w.ingest(huge)
		w.equal([]string{"text of huge"}, textsOf(w.claim().Unanswered), "but the newest message is always told")
	},
	"two workers": func(w *world) {
		const conversations, workers = 30, 4
		for i := range conversations {
			w.ingest(w.text(fmt.Sprintf("m%d", i), fmt.Sprintf("US.%d", i)))
		}
		w.advance(store.ReplyDebounce)
		claimed := make(chan int64, 2*conversations)
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				req := claimRequest()
				req.PerLineLimit = conversations
				for {
					turn, err := One(w.store.ClaimConversations(w.Context(), req))
					if err != nil {
						w.wantErr(err, store.ErrNothingDue, "claims end when nothing is due")
						return
					}
					claimed <- turn.ConversationID
				}
			})
		}
		wg.Wait()
		close(claimed)
		seen := map[int64]int{}
		for id := range claimed {
			seen[id]++
		}
		w.equal(conversations, len(seen), "every conversation is claimed")
		for id, n := range seen {
			w.equal(1, n, fmt.Sprintf("conversation %d is claimed once", id))
		}
	},
	"an expired lease": func(w *world) {
		w.ingest(w.text("m1", "US.1"))
		first := w.claim()
		w.must(w.store.ExtendLease(w.Context(), first, 2*time.Minute))
		w.equal(w.clock().Add(2*time.Minute), first.LeaseUntil, "a lease can be prolonged")
		w.advance(time.Minute)
		w.nothingDue("the lease holds")
		w.advance(time.Minute)
		second := w.claim()
		w.equal(2, second.Attempt, "a lost attempt counts")
		w.wantErr(w.store.CommitReply(w.Context(), first, drafts("late"), answered()), store.ErrLeaseLost, "the first worker has lost it")
		w.wantErr(w.store.ExtendLease(w.Context(), first, time.Minute), store.ErrLeaseLost, "and cannot prolong it")
		w.wantErr(w.store.FailTurn(w.Context(), first, "x"), store.ErrLeaseLost, "nor fail it")
		w.must(w.store.CommitReply(w.Context(), second, drafts("r1"), answered()))
		w.equal([]string{"text of m1", "r1"}, w.texts(w.conversation()), "one reply went out")
	},
	"a worker that dies with its turn": func(w *world) {
		w.ingest(w.text("m1", "US.1"))
		for range store.MaxTurnLosses {
			w.claim()
			w.reopen()
			w.advance(2 * time.Minute)
		}
		w.nothingDue("a turn that kills its worker is not handed out for ever")
		w.equal(store.ConversationWaiting, w.conversation().State, "a person has to look")
		w.equal(1, len(w.deadLetters()), "and finds a dead letter")
	},
	"limit per line and exclusion": func(w *world) {
		for i := range 4 {
			w.ingest(w.text(fmt.Sprintf("m%d", i), fmt.Sprintf("US.%d", i)))
		}
		other := w.text("m9", "US.9")
		other.Line, other.PhoneNumberID = "line-b", "15550000002"
		w.advance(time.Millisecond)
		w.ingest(other)
		w.advance(store.ReplyDebounce)
		req := claimRequest()
		req.PerLineLimit = 2
		var lines []string
		for range 3 {
			turn, err := One(w.store.ClaimConversations(w.Context(), req))
			w.must(err)
			lines = append(lines, turn.Line)
		}
		w.equal([]string{line, line, "line-b"}, lines, "the oldest first, but a busy line leaves room for others")
		_, err := One(w.store.ClaimConversations(w.Context(), req))
		w.wantErr(err, store.ErrNothingDue, "both lines are at their limit or empty")
		req.PerLineLimit, req.ExcludeLines = 10, []string{line}
		_, err = One(w.store.ClaimConversations(w.Context(), req))
		w.wantErr(err, store.ErrNothingDue, "an excluded line is not claimed")
	},
	"lines in turn": func(w *world) {
		for i := range 4 {
			m := w.text(fmt.Sprintf("m%d", i), fmt.Sprintf("US.%d", i))
			if i == 3 {
				m.Line, m.PhoneNumberID = "line-b", "15550000002"
			}
			w.ingest(m)
			w.advance(time.Millisecond)
		}
		w.advance(store.ReplyDebounce)
		req := claimRequest()
		var lines []string
		for range 2 {
			turn, err := One(w.store.ClaimConversations(w.Context(), req))
			w.must(err)
			lines = append(lines, turn.Line)
			req.After = turn.Line
		}
		w.equal([]string{line, "line-b"}, lines, "who has waited longer on the other line waits a turn, not until that line is done")
		_, err := One(w.store.ClaimConversations(w.Context(), req))
		w.wantErr(err, store.ErrNothingDue, "nothing is due after the last line")
	},
	"newer messages supersede": func(w *world) {
		w.ingest(w.text("m0", "US.1"))
		for i := range store.MaxSupersedes {
			turn := w.claim()
			w.equal(i, turn.Superseded, "the turn knows how often it was superseded")
			w.notSuperseded(turn, "nothing new yet")
			w.ingest(w.text(fmt.Sprintf("n%d", i), "US.1"))
			w.wantErr(w.store.CommitReply(w.Context(), turn, drafts("stale"), answered()), store.ErrSuperseded, "the reply is discarded")
		}
		turn := w.claim()
		w.equal([]any{3, 1}, []any{len(turn.Unanswered), turn.Attempt}, "the turn has all messages, and being superseded is no failed attempt")
		w.ingest(w.text("n9", "US.1"))
		w.must(w.store.CommitReply(w.Context(), turn, drafts("r1"), answered()))
		c := w.conversation()
		w.equal([]any{int64(4), int64(3), false}, []any{c.LastSeq, c.AnsweredSeq, c.ReplyDueAt.IsZero()}, "then the reply goes out and the newest message is due")
		w.equal([]string{"text of n9"}, textsOf(w.claim().Unanswered), "as the next turn")
		w.equal(`{"body":"r1"}`, string(w.claimSend().Payload), "no stale reply is in the outbox")
	},
	"a turn ends before its reply is written": func(w *world) {
		w.ingest(w.text("m0", "US.1"))
		for i := range store.MaxSupersedes {
			turn := w.claim()
			w.ingest(w.text(fmt.Sprintf("n%d", i), "US.1"))
			superseded, err := w.store.SupersedeTurn(w.Context(), turn)
			w.must(err)
			w.equal(true, superseded, "a newer message ends it early")
			w.wantErr(w.store.CommitReply(w.Context(), turn, drafts("stale"), answered()), store.ErrLeaseLost, "for good")
			_, err = w.store.SupersedeTurn(w.Context(), turn)
			w.wantErr(err, store.ErrLeaseLost, "and once")
		}
		turn := w.claim()
		w.equal([]any{3, 1}, []any{len(turn.Unanswered), turn.Attempt}, "the turn has all messages, and being superseded is no failed attempt")
		w.ingest(w.text("n9", "US.1"))
		w.notSuperseded(turn, "a customer who goes on writing is answered nevertheless")
		w.must(w.store.CommitReply(w.Context(), turn, drafts("r1"), answered()))
	},
	"superseding ends after a while": func(w *world) {
		w.ingest(w.text("m1", "US.1"))
		turn := w.claim()
		w.advance(store.SupersedeFor)
		w.ingest(w.text("m2", "US.1"))
		w.notSuperseded(turn, "it has taken long enough")
		w.must(w.store.CommitReply(w.Context(), turn, drafts("r1"), answered()))
	},
	"a turn with an effect is not superseded": func(w *world) {
		w.ingest(w.text("m1", "US.1"))
		turn := w.claim()
		turn.AllowSupersede = false
		w.ingest(w.text("m2", "US.1"))
		w.notSuperseded(turn, "its effect would come twice")
		w.must(w.store.CommitReply(w.Context(), turn, drafts("r1"), answered()))
		w.equal([]string{"text of m2"}, textsOf(w.claim().Unanswered), "the newer message is the next turn")
	},
	"failures": func(w *world) {
		w.ingest(w.text("m1", "US.1"))
		backoff := store.TurnBackoff
		for i := range store.MaxTurnAttempts - 1 {
			turn := w.claim()
			w.equal(i+1, turn.Attempt, "attempts count")
			w.must(w.store.FailTurn(w.Context(), turn, "model is down"))
			w.advance(backoff - time.Millisecond)
			w.nothingDue("a failed turn waits")
			w.advance(time.Millisecond)
			backoff *= 4
		}
		w.must(w.store.FailTurn(w.Context(), w.claim(), "model is down"))
		c := w.conversation()
		w.equal([]any{store.ConversationWaiting, store.ReasonTurnFailed, true}, []any{c.State, c.WaitingReason, c.ReplyDueAt.IsZero()}, "the last failure leaves it to a person")
		w.equal(store.ReasonTurnFailed+": model is down", w.deadLetters()[0].Reason, "with the cause")
	},
	"a new message does not cut a back-off short": func(w *world) {
		w.ingest(w.text("m1", "US.1"))
		w.must(w.store.FailTurn(w.Context(), w.claim(), "model is down"))
		w.ingest(w.text("m2", "US.1"))
		w.advance(store.ReplyDebounce)
		w.nothingDue("the back-off holds")
		w.advance(store.TurnBackoff)
		w.equal(2, len(w.claim().Unanswered), "then both messages are there")
	},
	"hand-off and resume": func(w *world) {
		w.ingest(w.text("m1", "US.1"))
		turn := w.claim()
		w.ingest(w.text("m2", "US.1"))
		w.must(w.store.CommitReply(w.Context(), turn, drafts("a person will answer"), store.Outcome{Kind: store.OutcomeHandOff, Reason: "asked for a person"}))
		c := w.conversation()
		w.equal([]any{store.ConversationWaiting, "asked for a person"}, []any{c.State, c.WaitingReason}, "the conversation waits for a person")
		w.equal(store.SendPending, w.row(0).State, "the words of the hand-off go out")
		w.ingest(w.text("m3", "US.1"))
		w.advance(time.Hour)
		w.nothingDue("nothing is answered automatically meanwhile")
		w.must(w.store.Resume(w.Context(), line, c.ID))
		w.nothingDue("what the person has seen counts as answered")
		w.ingest(w.text("m4", "US.1"))
		w.equal([]string{"text of m4"}, textsOf(w.claim().Unanswered), "the assistant goes on with what comes next")
	},
	"skip and release": func(w *world) {
		w.ingest(w.text("m1", "US.1"))
		turn := w.claim()
		w.advance(time.Second)
		w.must(w.store.ReleaseTurn(w.Context(), turn, time.Hour))
		w.advance(time.Hour - time.Second)
		w.nothingDue("a released turn waits as told")
		w.advance(time.Second)
		turn = w.claim()
		w.equal(1, turn.Attempt, "a release is no attempt")
		w.must(w.store.SkipTurn(w.Context(), turn, "TooOld"))
		w.nothingDue("a skipped turn is over")
		c := w.conversation()
		w.equal([]any{int64(1), "TooOld", store.ConversationActive}, []any{c.AnsweredSeq, c.SkippedReason, c.State}, "and says why")
		w.equal([]string{"text of m1"}, w.texts(c), "its message stays")
	},
}
