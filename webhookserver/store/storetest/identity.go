package storetest

import (
	"slices"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// from is a text message of the given identity, written at.
func (w *world) from(wamid, bsuid, phone string, at time.Time) store.InboundMessage {
	m := w.text(wamid, bsuid)
	m.From.Phone, m.EventTime = phone, at
	return m
}

// move tells that US.1 has become US.2.
func (w *world) move(phone string) {
	w.Helper()
	w.deliver(&store.Delivery{App: app, IdentityMoves: []store.IdentityMove{{
		Line: line, PhoneNumberID: number, PreviousBSUID: "US.1", BSUID: "US.2", Phone: phone, EventTime: w.clock(),
	}}})
}

// phones maps each contact's BSUID to its phone.
func (w *world) phones() map[string]string {
	w.Helper()
	out := map[string]string{}
	for _, c := range w.conversations(line) {
		out[c.Contact.BSUID] = c.Contact.Phone
	}
	return out
}

var identityCases = map[string]func(*world){
	"lines are apart": func(w *world) {
		other := w.text("m2", "US.1")
		other.Line = "line-b"
		w.ingest(w.text("m1", "US.1"), other)
		w.equal([]string{"text of m1"}, w.texts(w.conversation()), "a customer of two lines has two conversations")
		c := w.conversations("line-b")[0]
		got, err := w.store.Messages(w.Context(), line, c.ID, 0, 10)
		w.must(err)
		w.equal(0, len(got), "a conversation cannot be read through another line")
		_, err = w.store.EnqueuePersonReply(w.Context(), line, c.ID, drafts("x")[0])
		w.wantErr(err, store.ErrNotFound, "nor answered")
		w.wantErr(w.store.Resume(w.Context(), line, c.ID), store.ErrNotFound, "nor resumed")
	},
	"a phone is joined by its first BSUID": func(w *world) {
		now := w.clock()
		w.ingest(w.from("m1", "", "49151", now))
		w.ingest(w.from("m2", "US.1", "49151", now))
		w.ingest(w.from("m3", "US.1", "", now))
		w.ingest(w.from("m4", "", "49151", now))
		w.equal(map[string]string{"US.1": "49151"}, w.phones(), "it is one contact")
		w.equal(4, len(w.texts(w.conversation())), "with all messages")
	},
	"a BSUID learns its phone later": func(w *world) {
		now := w.clock()
		w.ingest(w.from("m1", "", "49151", now))
		w.ingest(w.from("m2", "US.1", "", now))
		w.equal(2, len(w.conversations(line)), "nothing says that they are one")
		w.ingest(w.from("m3", "US.1", "49151", now))
		c := w.conversation()
		w.equal(3, len(w.texts(c)), "now the messages are joined")
		w.equal(int64(3), c.LastSeq-c.AnsweredSeq, "and all are unanswered")
		w.equal([]string{"text of m1", "text of m2", "text of m3"}, anyOrder(w.claim().Unanswered), "the turn has all of them")
	},
	"a turn of a thread that was joined is not the next customer's": func(w *world) {
		known := w.text("m1", "US.1")
		known.ReplyWorthy = false
		w.ingest(known)
		w.ingest(w.from("m2", "", "49151", w.clock()))
		turn := w.claim()
		w.ingest(w.from("m3", "US.1", "49151", w.clock()))
		w.overFor(turn)
	},
	"a phone changes hands": func(w *world) {
		now := w.clock()
		w.ingest(w.from("m1", "US.1", "49151", now.Add(-time.Hour)))
		w.ingest(w.from("m2", "US.2", "49151", now.Add(-time.Minute)))
		w.equal(map[string]string{"US.1": "", "US.2": "49151"}, w.phones(), "the last writer has it; the two stay two")
		w.ingest(w.from("m3", "US.1", "49151", now.Add(-30*time.Minute)))
		w.equal(map[string]string{"US.1": "", "US.2": "49151"}, w.phones(), "an older event does not take it back")
		w.ingest(w.from("m4", "US.1", "49151", now))
		w.equal(map[string]string{"US.1": "49151", "US.2": ""}, w.phones(), "a newer one does")
	},
	"a late event does not undo a newer phone": func(w *world) {
		now := w.clock()
		w.ingest(w.from("m1", "US.1", "49152", now))
		w.ingest(w.from("m2", "US.1", "49151", now.Add(-time.Hour)))
		w.equal(map[string]string{"US.1": "49152"}, w.phones(), "the newest event counts, whatever the order of arrival")
	},
	"a use of the phone renews the claim": func(w *world) {
		now := w.clock()
		w.ingest(w.from("m1", "US.1", "49151", now.Add(-time.Hour)))
		w.ingest(w.from("m2", "US.1", "49151", now))
		w.ingest(w.from("m3", "US.2", "49151", now.Add(-time.Minute)))
		w.equal(map[string]string{"US.1": "49151", "US.2": ""}, w.phones(), "the holder used it after the other's event")
	},
	"a BSUID changes": func(w *world) {
		w.ingest(w.text("m1", "US.1"))
		w.move("49152")
		w.ingest(w.text("m2", "US.2"))
		w.ingest(w.text("m3", "US.1"))
		w.equal(map[string]string{"US.2": "49152"}, w.phones(), "both ids are one contact, to be reached by the new one")
		w.equal(3, len(w.texts(w.conversation())), "with all messages")
		w.move("49152")
		w.equal(1, len(w.conversations(line)), "a copy of the change does nothing")
	},
	"the message that tells of a change names the old phone": func(w *world) {
		at := w.clock().Add(-time.Minute)
		w.ingest(w.from("m1", "US.1", "49151", at.Add(-time.Hour)))
		w.ingest(w.from("m2", "", "49159", at.Add(-time.Hour)))
		told := w.from("m3", "US.1", "49159", at)
		w.deliver(&store.Delivery{App: app, Messages: []store.InboundMessage{told}, IdentityMoves: []store.IdentityMove{{
			Line: line, PhoneNumberID: number, PreviousBSUID: "US.1", BSUID: "US.2", Phone: "49152", EventTime: at,
		}}})
		w.equal(map[string]string{"US.2": "49152"}, w.phones(), "it does not bring it back, but whoever wrote with it is the customer")
		w.equal(3, len(w.texts(w.conversation())), "with all messages")
		w.ingest(w.from("m4", "US.2", "49153", at.Add(time.Second)))
		w.equal(map[string]string{"US.2": "49153"}, w.phones(), "what comes later counts")
	},
	"a BSUID changes after the new one has written": func(w *world) {
		w.ingest(w.text("m0", "US.1"), w.text("m1", "US.1"))
		w.must(w.store.CommitReply(w.Context(), w.claim(), drafts("r1"), answered()))
		w.ingest(w.text("m2", "US.1"))
		w.ingest(w.text("m3", "US.2"))
		stale := w.claim()
		w.move("")
		c := w.conversation()
		w.equal("US.2", c.Contact.BSUID, "the new id counts")
		w.equal(5, len(w.texts(c)), "messages in and out are joined")
		if err := w.store.CommitReply(w.Context(), stale, drafts("stale"), answered()); err == nil {
			w.Error("a turn that does not know all messages of the joined thread was committed")
		}
		w.advance(2 * time.Minute)
		turn := w.claim()
		w.equal([]string{"text of m2", "text of m3"}, anyOrder(turn.Unanswered), "what was unanswered in either is unanswered, what was answered is not")
		w.equal([]string{"r1", "text of m0", "text of m1"}, anyOrder(turn.History), "that is history")
		s := w.claimSend()
		w.equal("US.2", s.To.BSUID, "a reply under way goes to the new id")
	},
	"a phone changes hands between two messages": func(w *world) {
		now := w.clock()
		w.ingest(w.from("m1", "US.1", "49151", now.Add(-time.Hour)))
		w.ingest(w.from("m2", "US.1", "49151", now.Add(-time.Hour)))
		w.ingest(w.from("m3", "US.2", "49151", now.Add(-time.Minute)))
		w.ingest(w.from("m4", "US.1", "49151", now))
		w.equal(map[string]string{"US.1": "49151", "US.2": ""}, w.phones(), "what was known of a customer before is not what counts")
	},
	"a customer who was erased comes back as himself": func(w *world) {
		w.ingest(w.text("m1", "US.1"))
		w.ingest(w.text("m2", "US.1"))
		w.erase(store.Erasure{Line: line, PhoneNumberID: number, BSUID: "US.1"})
		w.ingest(w.text("m3", "US.2"))
		w.advance(time.Minute)
		w.ingest(w.text("m4", "US.1"))
		w.equal(map[string]string{"US.1": "", "US.2": ""}, w.phones(), "though another one has come meanwhile")
		for _, c := range w.conversations(line) {
			w.equal(1, len(w.texts(c)), "each has his own message alone")
		}
	},
	"a change of a stranger": func(w *world) {
		w.move("")
		w.ingest(w.text("m1", "US.1"), w.text("m2", "US.2"))
		w.equal(2, len(w.texts(w.conversation())), "the union holds before the first message")
	},
	"names": func(w *world) {
		m := w.text("m1", "US.1")
		m.From.Name, m.From.Username = "Ana", "ana"
		w.ingest(m)
		late := w.text("m0", "US.1")
		late.From.Name, late.EventTime = "Old", w.clock().Add(-time.Hour)
		w.ingest(late)
		w.equal(store.Contact{BSUID: "US.1", Name: "Ana", Username: "ana"}, w.conversation().Contact, "the newest event names the customer")
	},
}

// anyOrder returns the texts of the messages in an order that does not depend
// on how a union has numbered them.
func anyOrder(messages []store.Message) []string {
	return slices.Sorted(slices.Values(textsOf(messages)))
}
