package storetest

import (
	"errors"
	"fmt"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// witness sends a message to another customer and lets Meta report on it.
func (w *world) witness(wamid string) {
	w.Helper()
	w.reply("in-"+wamid, "US."+wamid, "to "+wamid)
	w.must(w.store.MarkAccepted(w.Context(), w.claimSend(), wamid))
	w.status(wamid, store.StatusDelivered)
}

func (w *world) resolve(want store.Resolution, reason string) {
	w.Helper()
	got, err := w.store.ResolveUnknown(w.Context())
	w.must(err)
	w.equal(want, got, reason)
}

var outboxCases = map[string]func(*world){
	"from draft to accepted": func(w *world) {
		w.nothingToSend("an empty outbox has nothing")
		w.ingest(w.text("m1", "US.1"))
		d := drafts("r1")
		d[0].ContextWAMID = "m1"
		w.must(w.store.CommitReply(w.Context(), w.claim(), d, answered()))
		s := w.claimSend()
		w.equal([]any{line, number, "US.1", store.AuthorAssistant, `{"body":"r1"}`, "m1", 1, false},
			[]any{s.Line, s.PhoneNumberID, s.To.BSUID, s.Author, string(s.Payload), s.ContextWAMID, s.Attempt, s.Resend}, "the send has what the delivery needs")
		if len(s.ID) < 26 {
			w.Errorf("the id %q has fewer than 128 bits", s.ID)
		}
		w.wantState(store.SendSending, "the state is committed before the call")
		w.nothingToSend("a send under way is not handed out twice")
		w.must(w.store.MarkAccepted(w.Context(), s, "wamid.out"))
		w.must(w.store.MarkAccepted(w.Context(), s, "wamid.out"))
		r := w.row(0)
		w.equal([]any{store.SendAccepted, "wamid.out"}, []any{r.State, r.WAMID}, "the row knows its wamid")
		w.nothingToSend("nothing is left")
	},
	"a status is a witness for earlier sends of its number alone": func(w *world) {
		const sends = 6
		for i := range sends {
			w.reply(fmt.Sprintf("m%d", i), fmt.Sprintf("US.%d", i), "r")
			s := w.claimSend()
			w.must(w.store.MarkUnknown(w.Context(), s, "Timeout"))
			w.advance(time.Second)
		}
		w.advance(store.ResendAfter)
		w.resolve(store.Resolution{}, "while no status comes nobody knows anything")
		w.deliver(&store.Delivery{App: app, Statuses: []store.Status{{
			Line: line, PhoneNumberID: number, WAMID: "wamid.3", Kind: store.StatusDelivered, CallbackData: w.row(3).ID, EventTime: w.clock(), Raw: []byte(`{}`),
		}}})
		w.resolve(store.Resolution{Resent: 3}, "what went before it was not taken")
		var states []store.SendState
		for i := range sends {
			states = append(states, w.row(i).State)
		}
		w.equal([]store.SendState{store.SendPending, store.SendPending, store.SendPending, store.SendAccepted, store.SendUnknown, store.SendUnknown}, states, "of what went after it nobody knows")
	},
	"the figures count what is not settled": func(w *world) {
		figures := func(pending, sending, unknown, waiting int64) {
			w.Helper()
			st, err := w.store.Stats(w.Context())
			w.must(err)
			w.equal(map[store.SendState]int64{store.SendPending: pending, store.SendSending: sending, store.SendUnknown: unknown}, st.Outbox, "what is settled costs nothing")
			w.equal(waiting, st.WaitingConversations, "the conversations that wait")
		}
		figures(0, 0, 0, 0)
		w.reply("m1", "US.1", "r1", "r2")
		w.must(w.store.CommitReply(w.Context(), w.asks("m2", "US.2"), drafts("a person comes"), store.Outcome{Kind: store.OutcomeHandOff, Reason: "asked"}))
		figures(3, 0, 0, 1)
		s := w.claimSend()
		figures(2, 1, 0, 1)
		w.must(w.store.MarkUnknown(w.Context(), s, "Timeout"))
		figures(2, 0, 1, 1)
		w.must(w.store.MarkAccepted(w.Context(), s, "wamid.out"))
		figures(2, 0, 0, 1)
		_, err := w.store.EnqueuePersonReply(w.Context(), line, w.conversations(line)[0].ID, drafts("hello")[0])
		w.must(err)
		figures(3, 0, 0, 1)
	},
	"order within a conversation": func(w *world) {
		w.reply("m1", "US.1", "r1", "r2")
		w.reply("m2", "US.2", "other")
		first, other := w.claimSend(), w.claimSend()
		w.equal([]string{`{"body":"r1"}`, `{"body":"other"}`}, []string{string(first.Payload), string(other.Payload)}, "another conversation does not wait")
		w.nothingToSend("the second waits for the first")
		w.must(w.store.MarkPendingAgain(w.Context(), first, store.Retry{Reason: "Throttled", After: time.Minute}))
		w.nothingToSend("also while the first waits for its retry")
		w.advance(time.Minute)
		first = w.claimSend()
		w.equal(2, first.Attempt, "the retry counts")
		w.must(w.store.MarkUnknown(w.Context(), first, "Timeout"))
		w.nothingToSend("also while nobody knows about the first")
		w.must(w.store.MarkFailed(w.Context(), first, 131026, "Undeliverable"))
		w.equal([]any{store.SendFailed, "Undeliverable", 131026}, []any{w.row(0).State, w.row(0).Reason, w.row(0).ErrorCode}, "the failure is explained")
		w.equal(`{"body":"r2"}`, string(w.claimSend().Payload), "then the second goes")
	},
	"what was not tried is no attempt": func(w *world) {
		w.reply("m1", "US.1", "r1")
		again := func(untried bool) int {
			w.Helper()
			s := w.claimSend()
			w.advance(time.Second)
			w.must(w.store.MarkPendingAgain(w.Context(), s, store.Retry{Reason: "Later", After: time.Minute, Untried: untried}))
			w.advance(time.Minute - time.Second)
			w.nothingToSend("it waits from when it was given back")
			w.advance(time.Second)
			return s.Attempt
		}
		w.equal([]int{1, 1, 1, 2}, []int{again(true), again(true), again(false), again(true)}, "the attempts")
		w.equal(1, w.row(0).Attempts, "what people see")
	},
	"a person bypasses blocked rows": func(w *world) {
		w.reply("m1", "US.1", "r1", "r2")
		w.must(w.store.MarkUnknown(w.Context(), w.claimSend(), "Timeout"))
		for _, text := range []string{"p1", "p2"} {
			_, err := w.store.EnqueuePersonReply(w.Context(), line, w.conversation().ID, drafts(text)[0])
			w.must(err)
		}
		s := w.claimSend()
		w.equal([]any{`{"body":"p1"}`, store.AuthorPerson}, []any{string(s.Payload), s.Author}, "the person's message does not wait for the unknown one")
		w.nothingToSend("the person's own messages stay in order")
		w.must(w.store.MarkAccepted(w.Context(), s, "wamid.p1"))
		w.equal(`{"body":"p2"}`, string(w.claimSend().Payload), "and follow each other")
	},
	"lines take turns, and people go first": func(w *world) {
		other := func(wamid, bsuid string) {
			m := w.text(wamid, bsuid)
			m.Line, m.PhoneNumberID = "line-b", "15550000002"
			w.ingest(m)
			w.must(w.store.CommitReply(w.Context(), w.claim(), drafts("b of "+wamid), answered()))
		}
		for i := range 3 {
			w.reply(fmt.Sprintf("m%d", i), fmt.Sprintf("US.%d", i), fmt.Sprintf("a%d", i))
		}
		w.ingest(w.text("m9", "US.9"))
		w.must(w.store.CommitReply(w.Context(), w.claim(), nil, store.Outcome{Kind: store.OutcomeHandOff, Reason: "asked"}))
		all := w.conversations(line)
		other("b1", "US.b1")
		other("b2", "US.b2")
		_, err := w.store.EnqueuePersonReply(w.Context(), line, all[len(all)-1].ID, drafts("person")[0])
		w.must(err)
		var got []string
		req := sendRequest()
		for len(got) < 6 {
			send, err := One(w.store.ClaimSends(w.Context(), req))
			if req.After != "" && errors.Is(err, store.ErrNothingDue) {
				req.After = "" // the next round
				continue
			}
			w.must(err)
			w.must(w.store.MarkAccepted(w.Context(), send, fmt.Sprintf("wamid.%d", len(got)))) // none is under way
			got = append(got, string(send.Payload))
			req.After = send.Line
		}
		w.equal([]string{
			`{"body":"person"}`, `{"body":"b of b1"}`, `{"body":"a0"}`, `{"body":"b of b2"}`, `{"body":"a1"}`, `{"body":"a2"}`,
		}, got, "older rows of a line wait for the other line's turn")
		w.nothingToSend("all are sent")
	},
	"who answers is asked at each send": func(w *world) {
		w.reply("m1", "US.1", "r1", "r2")
		w.reply("m2", "US.2", "r3", "r4")
		first, second := w.claimSend(), w.claimSend()
		w.must(w.store.MarkAccepted(w.Context(), first, "wamid.r1"))
		w.must(w.store.MarkAccepted(w.Context(), second, "wamid.r3"))
		echo := w.text("echo", "US.1")
		echo.Source, echo.ReplyWorthy, echo.OpensWindow = store.SourceEcho, false, false
		w.ingest(echo)
		w.deliver(&store.Delivery{App: app, Handovers: []store.Handover{{
			Line: line, PhoneNumberID: number, From: store.Identity{BSUID: "US.2"}, Owner: store.OwnerOther, EventTime: w.clock(), Raw: []byte("{}"),
		}}})
		all := w.conversations(line)
		for i := range all {
			_, err := w.store.EnqueuePersonReply(w.Context(), line, all[i].ID, drafts("person")[0])
			w.must(err)
		}
		for range all {
			s := w.claimSend()
			w.equal(store.AuthorPerson, s.Author, "a person's reply goes out all the same")
			w.must(w.store.MarkAccepted(w.Context(), s, "wamid."+s.ID))
		}
		w.nothingToSend("the assistant is silent")
		w.equal([]string{store.ReasonPersonAnswers, store.ReasonNotThreadOwner}, []string{w.row(1).Reason, w.row(3).Reason}, "the rows say why")
	},
	"failures that statuses tell": func(w *world) {
		w.status("wamid.fine", store.StatusDelivered)
		fail := func(wamid string, code int) {
			w.deliver(&store.Delivery{App: app, Statuses: []store.Status{{
				Line: line, PhoneNumberID: number, WAMID: wamid, Kind: store.StatusFailed, ErrorCode: code,
			}}})
		}
		fail("wamid.1", 131042)
		fail("wamid.2", 131026)
		fail("wamid.3", 131042)
		got, err := w.store.StatusFailures(w.Context(), time.Minute)
		w.must(err)
		if len(got) != 2 || got[0].Newest >= got[1].Newest {
			w.Fatalf("got %+v, want one for each code, the newest last", got)
		}
		w.equal([]any{line, number, 131026, 131042}, []any{got[1].Line, got[1].PhoneNumberID, got[0].Code, got[1].Code}, "what failed where")
		w.advance(time.Minute)
		got, err = w.store.StatusFailures(w.Context(), time.Minute)
		w.must(err)
		w.equal(0, len(got), "older ones are not told again")
	},
	"limit per line and exclusion": func(w *world) {
		for i := range 3 {
			w.reply(fmt.Sprintf("m%d", i), fmt.Sprintf("US.%d", i), "r")
		}
		req := sendRequest()
		req.PerLineLimit = 2
		for range 2 {
			_, err := One(w.store.ClaimSends(w.Context(), req))
			w.must(err)
		}
		_, err := One(w.store.ClaimSends(w.Context(), req))
		w.wantErr(err, store.ErrNothingDue, "the line is at its limit")
		req.PerLineLimit, req.ExcludeLines = 10, []string{line}
		_, err = One(w.store.ClaimSends(w.Context(), req))
		w.wantErr(err, store.ErrNothingDue, "an excluded line is not claimed")
	},
	"the window": func(w *world) {
		w.reply("m1", "US.1", "r1")
		w.advance(store.WindowLength)
		w.nothingToSend("the window has closed, short of 24 hours")
		w.equal([]any{store.SendFailed, store.ReasonWindowClosed}, []any{w.row(0).State, w.row(0).Reason}, "the row says so")
		w.reply("m2", "US.1", "r2")
		w.advance(store.WindowLength - time.Minute)
		w.ingest(w.text("m3", "US.1"))
		w.advance(2 * time.Minute)
		w.equal(`{"body":"r2"}`, string(w.claimSend().Payload), "a newer message of the customer keeps it open")
	},
	"the age of a reply": func(w *world) {
		w.ingest(w.text("m1", "US.1"))
		d := drafts("r1", "r2")
		d[0].MaxReplyAge, d[1].MaxReplyAge = time.Hour, 2*time.Hour
		w.must(w.store.CommitReply(w.Context(), w.claim(), d, answered()))
		w.ingest(w.text("m2", "US.1"))
		w.advance(90 * time.Minute)
		w.equal(`{"body":"r2"}`, string(w.claimSend().Payload), "the one that is too old is passed over")
		w.equal([]any{store.SendFailed, store.ReasonReplyTooOld}, []any{w.row(0).State, w.row(0).Reason}, "and says so")
	},
	"the pace of a pair": func(w *world) {
		texts := make([]string, store.PairBurst+2)
		for i := range texts {
			texts[i] = fmt.Sprintf("r%d", i)
		}
		w.reply("m1", "US.1", texts...)
		for i := range store.PairBurst {
			w.must(w.store.MarkAccepted(w.Context(), w.claimSend(), fmt.Sprintf("wamid.%d", i)))
		}
		w.nothingToSend("the burst is used up")
		w.advance(store.PairInterval)
		w.must(w.store.MarkAccepted(w.Context(), w.claimSend(), "wamid.next"))
		w.nothingToSend("one more per interval")
	},
	"parking": func(w *world) {
		w.reply("m1", "US.1", "r1")
		w.ingest(w.text("m2", "US.2"))
		w.must(w.store.ParkLine(w.Context(), line, "CredentialRefused", "rev-1"))
		w.nothingToSend("nothing is sent on a parked line")
		w.advance(store.ReplyDebounce)
		w.nothingDue("nor is a reply prepared")
		parked, err := w.store.ParkedLines(w.Context())
		w.must(err)
		w.equal([]any{line, "CredentialRefused", "rev-1", store.ReplyDebounce}, []any{parked[0].Line, parked[0].Reason, parked[0].CredentialRevision, parked[0].For},
			"the parking is visible")
		w.reopen()
		lifted, err := w.store.LiftParking(w.Context(), line, "rev-1")
		w.must(err)
		w.equal(false, lifted, "the same credential does not lift it")
		w.nothingToSend("it is parked over a restart")
		lifted, err = w.store.LiftParking(w.Context(), line, "rev-2")
		w.must(err)
		w.equal(true, lifted, "another credential does")
		w.claimSend()
	},
	"a crash during a send": func(w *world) {
		w.reply("m1", "US.1", "r1")
		lost := w.claimSend()
		w.reopen()
		w.resolve(store.Resolution{}, "the lease of a dead process holds first")
		w.nothingToSend("it is never simply sent again")
		w.advance(time.Minute)
		w.resolve(store.Resolution{Expired: 1}, "then nobody knows what became of the send")
		w.equal([]any{store.SendUnknown, store.ReasonLeaseExpired}, []any{w.row(0).State, w.row(0).Reason}, "the row says so")
		w.must(w.store.MarkAccepted(w.Context(), lost, "wamid.out"))
		w.wantState(store.SendAccepted, "a worker that was only slow still tells the truth")
	},
	"an unknown send with a witness": func(w *world) {
		w.reply("m1", "US.1", "r1")
		s := w.claimSend()
		w.must(w.store.MarkUnknown(w.Context(), s, "Timeout"))
		w.advance(time.Second)
		w.witness("later")
		w.resolve(store.Resolution{}, "its own status may still come")
		w.advance(store.ResendAfter)
		w.resolve(store.Resolution{Resent: 1}, "webhooks come through, and none told of it")
		again := w.claimSend()
		w.equal([]any{true, s.ID, 2}, []any{again.Resend, again.ID, again.Attempt}, "it is sent again once, under its id")
		w.wantErr(w.store.MarkFailed(w.Context(), s, 1, "late"), store.ErrLeaseLost, "the first attempt has no say any more")
		w.must(w.store.MarkUnknown(w.Context(), again, "Timeout"))
		w.advance(time.Second)
		w.witness("later-still")
		w.advance(store.ResendAfter)
		w.resolve(store.Resolution{Unconfirmed: 1}, "unknown twice is given up")
		r := w.row(0)
		w.equal([]any{store.SendUnconfirmed, 1}, []any{r.State, r.Resends}, "and counted")
		w.nothingToSend("it is never sent again")
		c := w.conversations(line)[0]
		w.equal([]any{store.ConversationWaiting, store.ReasonUnconfirmed}, []any{c.State, c.WaitingReason}, "a person has to look")
	},
	"an earlier send is no witness": func(w *world) {
		w.witness("earlier")
		w.advance(time.Second)
		w.reply("m1", "US.1", "r1", "r2")
		w.must(w.store.MarkUnknown(w.Context(), w.claimSend(), "Timeout"))
		w.status("earlier", store.StatusRead)
		w.advance(store.UnconfirmedAfter - time.Second)
		w.resolve(store.Resolution{}, "nothing shows that webhooks come through")
		w.advance(time.Second)
		w.resolve(store.Resolution{Unconfirmed: 1}, "after a while it is given up")
		w.equal(`{"body":"r2"}`, string(w.claimSend().Payload), "and does not hold up what follows")
	},
	"the callback id resolves": func(w *world) {
		w.reply("m1", "US.1", "r1")
		s := w.claimSend()
		w.must(w.store.MarkUnknown(w.Context(), s, "Timeout"))
		status := store.Status{Line: "line-b", PhoneNumberID: "15550000002", WAMID: "wamid.foreign", Kind: store.StatusSent, CallbackData: s.ID}
		w.deliver(&store.Delivery{App: "app-b", Statuses: []store.Status{status}})
		w.wantState(store.SendUnknown, "another number cannot resolve it")
		status.Line, status.PhoneNumberID, status.WAMID, status.Kind = line, number, "wamid.out", store.StatusDelivered
		w.deliver(&store.Delivery{App: app, Statuses: []store.Status{status}})
		r := w.row(0)
		w.equal([]any{store.SendAccepted, "wamid.out", store.StatusDelivered}, []any{r.State, r.WAMID, r.Status}, "its own number does, and tells the wamid")
		w.must(w.store.MarkUnknown(w.Context(), s, "Timeout"))
		w.wantState(store.SendAccepted, "a late worker does not undo it")
		w.nothingToSend("it is not sent again")
	},
	"the callback id resolves what has come as an echo": func(w *world) {
		w.reply("m1", "US.1", "r1")
		s := w.claimSend()
		w.must(w.store.MarkUnknown(w.Context(), s, "Timeout"))
		w.ingest(w.echo("wamid.out", w.clock()))
		w.equal(store.ConversationHuman, w.conversation().State, "it looks like a person's")
		for _, kind := range []store.StatusKind{store.StatusSent, store.StatusDelivered} {
			w.deliver(&store.Delivery{App: app, Statuses: []store.Status{
				{Line: line, PhoneNumberID: number, WAMID: "wamid.out", Kind: kind, CallbackData: s.ID},
			}})
			r := w.row(0)
			w.equal([]any{store.SendAccepted, "wamid.out", kind}, []any{r.State, r.WAMID, r.Status}, "a status tells that it is ours")
		}
		w.equal(store.ConversationActive, w.conversation().State, "so no person answers")
		w.equal([]string{"text of m1", "r1"}, w.texts(w.conversation()), "and there is one message")
	},
	"two sends of one wamid": func(w *world) {
		w.reply("m1", "US.1", "r1")
		first := w.claimSend()
		w.reply("m2", "US.2", "r2")
		second := w.claimSend()
		for _, s := range []*store.Send{first, second} {
			w.must(w.store.MarkUnknown(w.Context(), s, "Timeout"))
		}
		neighbour := w.text("m3", "US.3")
		neighbour.Line, neighbour.PhoneNumberID = "line-b", "15550000002"
		d := &store.Delivery{App: app, Messages: []store.InboundMessage{neighbour}, Statuses: []store.Status{
			{Line: line, PhoneNumberID: number, WAMID: "wamid.out", Kind: store.StatusSent, CallbackData: first.ID},
			{Line: line, PhoneNumberID: number, WAMID: "wamid.out", Kind: store.StatusDelivered, CallbackData: second.ID},
			{Line: line, PhoneNumberID: number, WAMID: "m1", Kind: store.StatusDelivered, CallbackData: second.ID},
		}}
		w.equal(store.Receipt{New: 4}, w.deliver(d), "who signs such a thing stops nobody")
		w.equal(store.Receipt{Duplicates: 4}, w.deliver(d), "and no copy of it does")
		w.equal([]any{store.SendAccepted, "wamid.out", store.StatusDelivered}, []any{w.row(0).State, w.row(0).WAMID, w.row(0).Status}, "one of them it is")
		w.equal([]any{store.SendUnknown, ""}, []any{w.row(1).State, w.row(1).WAMID}, "of the other it tells nothing")
		w.reply("m4", "US.4", "r4")
		w.must(w.store.MarkAccepted(w.Context(), w.claimSend(), "wamid.out"))
		w.equal([]any{store.SendAccepted, ""}, []any{w.row(2).State, w.row(2).WAMID}, "nor does it stop a worker who is told the same")
	},
	"a status overtakes the queued repetition": func(w *world) {
		w.reply("m1", "US.1", "r1")
		s := w.claimSend()
		w.must(w.store.MarkUnknown(w.Context(), s, "Timeout"))
		w.advance(time.Second)
		w.witness("later")
		w.advance(store.ResendAfter)
		w.resolve(store.Resolution{Resent: 1}, "it is queued again")
		w.deliver(&store.Delivery{App: app, Statuses: []store.Status{
			{Line: line, PhoneNumberID: number, WAMID: "wamid.out", Kind: store.StatusSent, CallbackData: s.ID},
		}})
		w.nothingToSend("the late status spares the customer the second copy")
	},
	"a status overtakes a repetition that must not be": func(w *world) {
		for i, end := range []func(){
			func() { w.advance(store.WindowLength) },
			func() { w.must(w.store.MarkFailed(w.Context(), w.claimSend(), 131026, "Undeliverable")) },
		} {
			w.reply(fmt.Sprintf("m%d", i), fmt.Sprintf("US.%d", i), "r")
			s := w.claimSend()
			w.must(w.store.MarkUnknown(w.Context(), s, "Timeout"))
			w.advance(time.Second)
			w.witness(fmt.Sprintf("later-%d", i))
			w.advance(store.ResendAfter)
			w.resolve(store.Resolution{Resent: 1}, "it is queued again")
			end()
			w.nothingToSend("it is not sent a second time")
			status := func(kind store.StatusKind) {
				w.deliver(&store.Delivery{App: app, Statuses: []store.Status{
					{Line: line, PhoneNumberID: number, WAMID: fmt.Sprintf("wamid.out.%d", i), Kind: kind, ErrorCode: 131026, CallbackData: s.ID},
				}})
			}
			status(store.StatusFailed)
			w.equal(store.SendFailed, w.row(2*i).State, "a failure tells nothing new")
			status(store.StatusDelivered)
			r := w.row(2 * i)
			w.equal([]any{store.SendAccepted, "", 0, store.StatusDelivered}, []any{r.State, r.Reason, r.ErrorCode, r.Status}, "the customer has what was sent first")
		}
	},
	"statuses of a repetition that must not be, at once": func(w *world) {
		w.reply("m1", "US.1", "r1")
		s := w.claimSend()
		w.must(w.store.MarkFailed(w.Context(), s, 131026, "Undeliverable"))
		status := store.Status{Line: line, PhoneNumberID: number, WAMID: "wamid.out", CallbackData: s.ID, EventTime: w.clock()}
		failed, sent, foreign := status, status, status
		failed.Kind, failed.ErrorCode, sent.Kind = store.StatusFailed, 131049, store.StatusSent
		foreign.Line, foreign.PhoneNumberID, foreign.Kind = "line-b", "0", store.StatusDelivered
		w.deliver(&store.Delivery{App: app, Statuses: []store.Status{failed, sent, foreign}})
		r := w.row(0)
		w.equal([]any{store.SendAccepted, "wamid.out", store.StatusFailed, 131049}, []any{r.State, r.WAMID, r.Status, r.ErrorCode}, "the same as one after the other")
	},
	"a status of what was never sent": func(w *world) {
		w.reply("m1", "US.1", "r1")
		id := w.row(0).ID
		w.deliver(&store.Delivery{App: app, Statuses: []store.Status{
			{Line: line, PhoneNumberID: number, WAMID: "wamid.guessed", Kind: store.StatusDelivered, CallbackData: id},
		}})
		w.equal(id, w.claimSend().ID, "it proves nothing")
	},
	"our own echo": func(w *world) {
		w.reply("m1", "US.1", "r1")
		s := w.claimSend()
		echo := w.text("wamid.out", "US.1")
		echo.Source, echo.ReplyWorthy, echo.OpensWindow = store.SourceEcho, false, false
		w.ingest(echo)
		w.must(w.store.MarkAccepted(w.Context(), s, "wamid.out"))
		w.equal([]string{"text of m1", "r1"}, w.texts(w.conversation()), "an echo of our own message is that message")
	},
}

var statusCases = map[string]func(*world){
	"any order gives the same end": func(w *world) {
		for i, order := range [][]store.StatusKind{
			{store.StatusSent, store.StatusDelivered, store.StatusRead},
			{store.StatusRead, store.StatusDelivered, store.StatusSent},
			{store.StatusDelivered, store.StatusRead, store.StatusFailed, store.StatusSent},
		} {
			w.reply(fmt.Sprintf("m%d", i), fmt.Sprintf("US.%d", i), "r")
			wamid := fmt.Sprintf("wamid.%d", i)
			w.must(w.store.MarkAccepted(w.Context(), w.claimSend(), wamid))
			for _, kind := range order {
				w.equal(store.Receipt{New: 1}, w.status(wamid, kind), "a status is new")
				w.equal(store.Receipt{Duplicates: 1}, w.status(wamid, kind), "once")
			}
			w.equal(store.StatusRead, w.row(i).Status, "the highest status stands")
		}
	},
	"before the wamid is known": func(w *world) {
		w.reply("m1", "US.1", "r1")
		s := w.claimSend()
		w.status("wamid.out", store.StatusDelivered)
		w.status("wamid.out", store.StatusSent)
		w.equal(store.StatusKind(""), w.row(0).Status, "nobody knows yet what they are about")
		w.must(w.store.MarkAccepted(w.Context(), s, "wamid.out"))
		w.equal(store.StatusDelivered, w.row(0).Status, "they are joined as soon as the wamid is known")
	},
	"another number's wamid": func(w *world) {
		w.reply("m1", "US.1", "r1")
		w.must(w.store.MarkAccepted(w.Context(), w.claimSend(), "wamid.out"))
		w.deliver(&store.Delivery{App: "app-b", Statuses: []store.Status{
			{Line: "line-b", PhoneNumberID: "15550000002", WAMID: "wamid.out", Kind: store.StatusFailed},
		}})
		w.equal(store.StatusKind(""), w.row(0).Status, "a status counts only within its number")
	},
	"pricing is merged": func(w *world) {
		s := store.Status{Line: line, PhoneNumberID: number, WAMID: "wamid.out", Kind: store.StatusSent}
		w.equal(store.Receipt{New: 1}, w.deliver(&store.Delivery{App: app, Statuses: []store.Status{s}}), "without pricing")
		s.Pricing = []byte(`{"category":"service"}`)
		w.equal(store.Receipt{New: 1}, w.deliver(&store.Delivery{App: app, Statuses: []store.Status{s}}), "the copy adds it")
		w.equal(store.Receipt{Duplicates: 1}, w.deliver(&store.Delivery{App: app, Statuses: []store.Status{s}}), "once")
	},
	"a failure after acceptance": func(w *world) {
		w.reply("m1", "US.1", "r1")
		w.must(w.store.MarkAccepted(w.Context(), w.claimSend(), "wamid.out"))
		w.status("wamid.out", store.StatusSent)
		w.deliver(&store.Delivery{App: app, Statuses: []store.Status{
			{Line: line, PhoneNumberID: number, WAMID: "wamid.out", Kind: store.StatusFailed, ErrorCode: 131047},
		}})
		r := w.row(0)
		w.equal([]any{store.SendAccepted, store.StatusFailed, 131047, store.ReasonStatusFailed}, []any{r.State, r.Status, r.ErrorCode, r.Reason}, "the row tells why")
		w.status("wamid.out", store.StatusDelivered)
		r = w.row(0)
		w.equal([]any{store.SendAccepted, store.StatusDelivered, 0, ""}, []any{r.State, r.Status, r.ErrorCode, r.Reason}, "and no more when the customer has it after all")
	},
}
