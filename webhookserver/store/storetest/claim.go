package storetest

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// textOn is a message on line-a, line-b and so on, each with a number of its own.
func (w *world) textOn(n int, wamid, bsuid string) store.InboundMessage {
	m := w.text(wamid, bsuid)
	m.Line, m.PhoneNumberID = fmt.Sprintf("line-%c", 'a'+n), fmt.Sprintf("1555000000%d", n+1)
	return m
}

// waiting stores a message each of n customers on each of some lines, and lets
// their replies be due.
func (w *world) waiting(lines, n int) {
	w.Helper()
	for i := range n {
		for l := range lines {
			w.ingest(w.textOn(l, fmt.Sprintf("m%d-%d", l, i), fmt.Sprintf("US.%d-%d", l, i)))
		}
		w.advance(time.Millisecond)
	}
	w.advance(store.ReplyDebounce)
}

// tally watches claims of several workers: nothing is claimed twice, and no line
// has more under way than it may.
type tally struct {
	mu       sync.Mutex
	claimed  map[string]int
	underWay map[string]int
	most     int
}

func (t *tally) begin(line, id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.claimed[id]++
	t.underWay[line]++
	t.most = max(t.most, t.underWay[line])
}

// end comes before the store knows it, so that a line never has more under way
// here than there.
func (t *tally) end(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.underWay[line]--
}

func (t *tally) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.claimed)
}

// claimers runs workers until all is claimed; claim claims and ends some.
func (w *world) claimers(workers, all, perLine int, claim func(*tally) error) {
	w.Helper()
	t := &tally{claimed: map[string]int{}, underWay: map[string]int{}}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for t.count() < all {
				if err := claim(t); errors.Is(err, store.ErrNothingDue) {
					<-time.After(time.Millisecond) // the lines are at their limits
				} else if err != nil {
					w.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	for id, n := range t.claimed {
		w.equal(1, n, fmt.Sprintf("claims of %s", id))
	}
	if t.most > perLine {
		w.Errorf("%d of a line were under way at a time, the limit is %d", t.most, perLine)
	}
}

var claimCases = map[string]func(*world){
	"several turns at once": func(w *world) {
		w.reply("m", "US.0-0", "r")
		w.waiting(2, 3)
		req := claimRequest()
		req.Limit, req.PerLineLimit = 10, 2
		turns, err := w.store.ClaimConversations(w.Context(), req)
		w.must(err)
		var got []string
		for _, turn := range turns {
			got = append(got, fmt.Sprintf("%s %q %q", turn.Line, textsOf(turn.Unanswered), textsOf(turn.History)))
		}
		w.equal([]string{
			`line-a ["text of m0-0"] ["text of m" "r"]`, `line-a ["text of m0-1"] []`, `line-b ["text of m1-0"] []`, `line-b ["text of m1-1"] []`,
		}, got, "line by line, as many as each has room for, who has waited longest first, each with what was said")
		_, err = w.store.ClaimConversations(w.Context(), req)
		w.wantErr(err, store.ErrNothingDue, "the lines are at their limits")
		w.must(w.store.CommitReply(w.Context(), turns[2], drafts("r"), answered()))
		turns, err = w.store.ClaimConversations(w.Context(), req)
		w.must(err)
		w.equal([]any{1, "line-b"}, []any{len(turns), turns[0].Line}, "one that ends makes room for one")
		req.PerLineLimit, req.Limit, req.After = 10, 1, "line-a"
		_, err = w.store.ClaimConversations(w.Context(), req)
		w.wantErr(err, store.ErrNothingDue, "lines up to the one to go on after are left out")
		req.After = ""
		turns, err = w.store.ClaimConversations(w.Context(), req)
		w.must(err)
		w.equal([]any{1, "line-a"}, []any{len(turns), turns[0].Line}, "no more than are asked for")
	},
	"one that is given up among several": func(w *world) {
		w.waiting(1, 1)
		for range store.MaxTurnLosses {
			w.claim()
			w.advance(2 * time.Minute)
		}
		w.ingest(w.text("m9", "US.9"))
		w.advance(store.ReplyDebounce)
		req := claimRequest()
		req.Limit = 10
		turns, err := w.store.ClaimConversations(w.Context(), req)
		w.must(err)
		w.equal([]any{1, "US.9"}, []any{len(turns), turns[0].Contact.BSUID}, "the others are handed out")
		w.equal(1, len(w.deadLetters()), "and it leaves a dead letter")
	},
	"several sends at once": func(w *world) {
		w.reply("m1", "US.1", "r1", "r2")
		w.reply("m2", "US.2", "s1")
		w.reply("m3", "US.3", "old")
		_, err := w.store.EnqueuePersonReply(w.Context(), line, w.conversations(line)[1].ID, drafts("person")[0])
		w.must(err)
		w.ingest(w.textOn(1, "b1", "US.b1"))
		w.must(w.store.CommitReply(w.Context(), w.claim(), drafts("b"), answered()))
		w.advance(store.WindowLength - time.Minute)
		w.ingest(w.text("m4", "US.1"), w.text("m5", "US.2"))
		w.ingest(w.textOn(1, "b2", "US.b1"))
		w.advance(time.Minute)
		req := sendRequest()
		req.Limit = 10
		sends, err := w.store.ClaimSends(w.Context(), req)
		w.must(err)
		var got []string
		for _, s := range sends {
			got = append(got, fmt.Sprint(s.Line, " ", string(s.Payload), " to ", s.To.BSUID, " of ", s.Attempt, s.Epoch))
		}
		w.equal([]string{
			`line-a {"body":"person"} to US.2 of 1 1`, `line-a {"body":"r1"} to US.1 of 1 1`, `line-b {"body":"b"} to US.b1 of 1 1`,
		}, got, "the first of each conversation, people's first")
		w.equal([]string{store.ReasonPersonAnswers, store.ReasonWindowClosed}, []string{w.row(2).Reason, w.row(3).Reason}, "what must not be sent any more is not")
		w.nothingToSend("nothing is claimed twice, and the second reply waits for the first")
		w.must(w.store.MarkAccepted(w.Context(), sends[1], "wamid.r1"))
		w.equal(`{"body":"r2"}`, string(w.claimSend().Payload), "then it goes")
	},
	"as many sends as a line has room for": func(w *world) {
		for i := range 4 {
			w.reply(fmt.Sprintf("m%d", i), fmt.Sprintf("US.%d", i), fmt.Sprintf("r%d", i))
		}
		req := sendRequest()
		req.Limit, req.PerLineLimit = 10, 3
		sends, err := w.store.ClaimSends(w.Context(), req)
		w.must(err)
		w.equal(3, len(sends), "the limit of the line counts")
		_, err = w.store.ClaimSends(w.Context(), req)
		w.wantErr(err, store.ErrNothingDue, "it is full")
		w.must(w.store.MarkFailed(w.Context(), sends[1], 1, "x"))
		sends, err = w.store.ClaimSends(w.Context(), req)
		w.must(err)
		w.equal([]any{1, `{"body":"r3"}`}, []any{len(sends), string(sends[0].Payload)}, "one that ends makes room for one")
	},
	"workers that claim several turns": func(w *world) {
		const lines, each, perLine = 3, 10, 4
		w.waiting(lines, each)
		req := claimRequest()
		req.Limit, req.PerLineLimit = 3, perLine
		w.claimers(4, lines*each, perLine, func(t *tally) error {
			turns, err := w.store.ClaimConversations(w.Context(), req)
			for _, turn := range turns {
				t.begin(turn.Line, fmt.Sprint(turn.ConversationID))
			}
			for _, turn := range turns {
				t.end(turn.Line)
				err = errors.Join(err, w.store.CommitReply(w.Context(), turn, drafts("r"), answered()))
			}
			return err
		})
	},
	"workers that claim several sends": func(w *world) {
		const lines, each, perLine = 3, 10, 4
		w.waiting(lines, each)
		claim := claimRequest()
		claim.Limit, claim.PerLineLimit = lines*each, each
		turns, err := w.store.ClaimConversations(w.Context(), claim)
		w.must(err)
		for _, turn := range turns {
			w.must(w.store.CommitReply(w.Context(), turn, drafts("r1", "r2"), answered()))
		}
		req := sendRequest()
		req.Limit, req.PerLineLimit = 3, perLine
		w.claimers(4, 2*lines*each, perLine, func(t *tally) error {
			sends, err := w.store.ClaimSends(w.Context(), req)
			for _, s := range sends {
				t.begin(s.Line, s.ID)
			}
			for _, s := range sends {
				t.end(s.Line)
				err = errors.Join(err, w.store.MarkAccepted(w.Context(), s, "wamid."+s.ID))
			}
			return err
		})
	},
}
