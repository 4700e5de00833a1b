package storetest

import (
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// echo is what a person of the business wrote to the customer on the phone.
func (w *world) echo(wamid string, at time.Time) store.InboundMessage {
	m := w.text(wamid, "US.1")
	m.Source, m.ReplyWorthy, m.OpensWindow, m.EventTime = store.SourceEcho, false, false, at
	return m
}

func (w *world) handOver(bsuid string, to store.ThreadOwner, at time.Time) {
	w.Helper()
	w.deliver(&store.Delivery{App: app, Handovers: []store.Handover{
		{Line: line, PhoneNumberID: number, From: store.Identity{BSUID: bsuid}, Owner: to, EventTime: at, Raw: []byte(`{}`)},
	}})
}

// notDue checks that nothing of the only conversation is to be answered.
func (w *world) notDue(reason string) {
	w.Helper()
	w.advance(store.ReplyDebounce)
	w.nothingDue(reason)
	w.equal(true, w.conversation().ReplyDueAt.IsZero(), reason)
}

var ownerCases = map[string]func(*world){
	"a person answers on the phone": func(w *world) {
		w.ingest(w.text("m1", "US.1"))
		w.ingest(w.echo("e1", w.clock()))
		c := w.conversation()
		w.equal([]any{store.ConversationHuman, w.clock()}, []any{c.State, c.LastPersonMessageAt}, "a person answers")
		w.notDue("what the customer wrote before is not answered")
		w.ingest(w.text("m2", "US.1"))
		w.notDue("nor is what he writes then")
		w.equal([]string{"text of m1", "text of e1", "text of m2"}, w.texts(w.conversation()), "all of it is stored")
		w.equal(store.AuthorBusiness, w.messages(w.conversation())[1].Author, "the echo as the business's")
		w.must(w.store.Resume(w.Context(), line, c.ID))
		w.equal(store.ConversationActive, w.conversation().State, "somebody gives it back")
		w.notDue("the person has seen what was there")
		w.ingest(w.echo("e0", w.clock().Add(-time.Minute)))
		w.equal(store.ConversationActive, w.conversation().State, "an echo from before that comes late")
		w.ingest(w.text("m3", "US.1"))
		w.equal([]string{"text of m3"}, textsOf(w.claim().Unanswered), "the assistant answers again")
	},
	"a person answers while a reply is made": func(w *world) {
		w.ingest(w.text("m1", "US.1"))
		turn := w.claim()
		w.ingest(w.echo("e1", w.clock()))
		w.wantErr(w.store.CommitReply(w.Context(), turn, drafts("r1"), answered()), store.ErrLeaseLost, "the reply comes too late")
		w.notDue("and is not made again")
	},
	"the echo of a message of ours": func(w *world) {
		w.reply("m1", "US.1", "r1")
		w.must(w.store.MarkAccepted(w.Context(), w.claimSend(), "w1"))
		w.ingest(w.echo("w1", w.clock()))
		w.equal(store.ConversationActive, w.conversation().State, "is no person's")
	},
	"the echo of a message of ours that is faster than the answer to its send": func(w *world) {
		w.reply("m1", "US.1", "r1")
		send := w.claimSend()
		w.ingest(w.text("m2", "US.1"))
		w.ingest(w.echo("w1", w.clock()))
		w.equal(store.ConversationHuman, w.conversation().State, "it looks like a person's")
		w.must(w.store.MarkAccepted(w.Context(), send, "w1"))
		w.equal(store.ConversationActive, w.conversation().State, "until the send knows its id")
		w.equal([]string{"text of m2"}, textsOf(w.claim().Unanswered), "and what the customer wrote meanwhile is answered")
	},
	"an echo of ours beside one of a person": func(w *world) {
		w.reply("m1", "US.1", "r1")
		send := w.claimSend()
		w.ingest(w.echo("w1", w.clock()), w.echo("e1", w.clock().Add(-time.Second)))
		w.must(w.store.MarkAccepted(w.Context(), send, "w1"))
		c := w.conversation()
		w.equal([]any{store.ConversationHuman, w.clock().Add(-time.Second)}, []any{c.State, c.LastPersonMessageAt}, "the person's counts")
	},
	"a waiting conversation that a person takes": func(w *world) {
		w.ingest(w.text("m1", "US.1"))
		w.must(w.store.CommitReply(w.Context(), w.claim(), nil, store.Outcome{Kind: store.OutcomeHandOff, Reason: "asked"}))
		w.ingest(w.echo("e1", w.clock()))
		c := w.conversation()
		w.equal([]any{store.ConversationHuman, "asked"}, []any{c.State, c.WaitingReason}, "is Human, and remembers why it waited")
		w.must(w.store.Resume(w.Context(), line, c.ID))
		w.equal(store.ConversationActive, w.conversation().State, "one Resume ends both")
	},
	"another responder takes the thread": func(w *world) {
		start := w.clock()
		w.ingest(w.text("m1", "US.1"))
		turn := w.claim()
		w.handOver("US.1", store.OwnerOther, start.Add(time.Second))
		w.equal(true, w.conversation().OwnedElsewhere, "it is theirs")
		w.wantErr(w.store.CommitReply(w.Context(), turn, drafts("r1"), answered()), store.ErrLeaseLost, "a reply under way is dropped")
		w.ingest(w.text("m2", "US.1"))
		w.notDue("nothing is answered, though a copy came as ours")
		w.handOver("US.1", store.OwnerOurs, start.Add(-time.Minute))
		w.notDue("an older handover that comes late changes nothing")
		w.handOver("US.1", store.OwnerOurs, w.clock())
		w.equal(false, w.conversation().OwnedElsewhere, "the newest counts")
		w.equal([]string{"text of m1", "text of m2"}, textsOf(w.claim().Unanswered), "what nobody answered is ours to answer")
	},
	"two handovers of one second": func(w *world) {
		w.handOver("US.1", store.OwnerOther, w.clock())
		w.handOver("US.1", store.OwnerOurs, w.clock())
		w.equal(true, w.conversation().OwnedElsewhere, "in doubt, nothing is answered")
		w.handOver("US.1", store.OwnerNone, w.clock().Add(time.Second))
		w.advance(time.Second)
		w.handOver("US.1", store.OwnerNone, w.clock())
		w.equal(false, w.conversation().OwnedElsewhere, "an idle thread is not another's")
	},
	"a handover to us ends what a person began": func(w *world) {
		w.ingest(w.echo("e1", w.clock()))
		w.advance(time.Minute)
		w.handOver("US.1", store.OwnerNone, w.clock())
		w.equal(store.ConversationHuman, w.conversation().State, "a thread that nobody owns is still the person's")
		w.handOver("US.1", store.OwnerOurs, w.clock())
		w.equal(store.ConversationActive, w.conversation().State, "one that was given to us is ours")
	},
	"another's thread becomes idle": func(w *world) {
		w.handOver("US.1", store.OwnerOther, w.clock())
		copied := w.text("m1", "US.1")
		copied.Source, copied.ReplyWorthy = store.SourceStandby, false
		w.advance(time.Hour)
		copied.EventTime = w.clock()
		w.ingest(copied)
		w.advance(store.OwnershipLapses)
		w.ingest(w.text("m2", "US.1"))
		w.notDue("a day after the customer's last message to them it is still theirs")
		w.ingest(copied)
		w.advance(time.Second)
		w.ingest(w.text("m3", "US.1"))
		w.equal(false, w.conversation().OwnedElsewhere, "later it is not")
		w.equal([]string{"text of m2", "text of m3"}, textsOf(w.claim().Unanswered), "and the customer is answered")
	},
	"the better copy of a message stays": func(w *world) {
		old := w.text("m1", "US.1")
		old.Source, old.ReplyWorthy, old.OpensWindow = store.SourceHistory, false, false
		w.equal(store.Receipt{New: 1}, w.ingest(old), "history")
		w.equal(store.Receipt{Upgraded: 1}, w.ingest(w.echo("m1", w.clock())), "is replaced by an echo")
		w.equal(store.Receipt{Duplicates: 1}, w.ingest(old), "and replaces none")
		w.equal([]string{"text of m1"}, w.texts(w.conversation()), "one message remains")
		w.equal(store.SourceEcho, w.messages(w.conversation())[0].Source, "the echo")
	},
	"a handover of nobody": func(w *world) {
		w.handOver("", store.OwnerOther, w.clock())
		w.equal("handover", w.deadLetters()[0].Kind, "is a dead letter")
		w.handOver("US.1\x00", store.OwnerOther, w.clock())
		w.equal(2, len(w.deadLetters()), "as is one of somebody unspeakable")
	},
	"two of one customer become one": func(w *world) {
		w.ingest(w.from("m1", "", "49151", w.clock()))
		w.ingest(w.echo("e1", w.clock()))
		w.ingest(w.from("m2", "US.1", "49151", w.clock()))
		w.equal(store.ConversationHuman, w.conversation().State, "the person who answers the one answers both")
		w.notDue("nothing of it is answered")
	},
	"two of one customer become one that is ours": func(w *world) {
		w.ingest(w.text("m1", "US.1"))
		w.handOver("US.1", store.OwnerOther, w.clock())
		w.advance(time.Second)
		w.handOver("US.2", store.OwnerNone, w.clock())
		w.move("")
		c := w.conversation()
		w.equal([]any{store.ConversationActive, false}, []any{c.State, c.OwnedElsewhere}, "the newest handover counts, whichever id it named")
		w.equal([]string{"text of m1"}, textsOf(w.claim().Unanswered), "so what waited for the other responder is answered")
	},
	"three of one customer become one that is ours": func(w *world) {
		w.handOver("US.0", store.OwnerNone, w.clock())
		w.handOver("US.1", store.OwnerOther, w.clock().Add(-time.Minute))
		w.ingest(w.text("m1", "US.2"))
		w.move("")
		w.advance(store.ReplyDebounce)
		w.nothingDue("the handover to another responder is known, that after it is not yet")
		w.deliver(&store.Delivery{App: app, IdentityMoves: []store.IdentityMove{
			{Line: line, PhoneNumberID: number, PreviousBSUID: "US.0", BSUID: "US.1", EventTime: w.clock(), Raw: []byte(`{}`)},
		}})
		w.equal([]string{"text of m1"}, textsOf(w.claim().Unanswered), "now it is")
	},
}
