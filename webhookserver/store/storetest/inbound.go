package storetest

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// about is a message about another one: a reaction, an edit or a revocation.
func (w *world) about(wamid, kind, target, text string) store.InboundMessage {
	m := w.text(wamid, "US.1")
	m.Type, m.TargetWAMID, m.Text, m.ReplyWorthy = kind, target, text, false
	return m
}

var inboundCases = map[string]func(*world){
	"an edit and a revocation": func(w *world) {
		w.ingest(w.text("m1", "US.1"), w.text("m2", "US.1"))
		edit := w.about("x1", "edit", "m1", "new text")
		w.ingest(edit, w.about("x2", "revoke", "m2", ""))
		m := w.messages(w.conversation())
		w.equal([]any{2, "new text", true, false}, []any{len(m), m[0].Text, m[0].Edited, m[0].Revoked}, "the message shows what it was edited to")
		w.equal([]any{"", true, 0}, []any{m[1].Text, m[1].Revoked, len(m[1].Raw)}, "nothing is left of one that was taken back")
		w.equal(int64(2), w.conversation().LastSeq, "neither asks for an answer")
		late := w.about("x0", "edit", "m1", "older text")
		late.EventTime = w.clock().Add(-time.Minute)
		w.ingest(late)
		turn := w.claim()
		w.equal([]string{"new text", ""}, textsOf(turn.Unanswered), "a turn sees the newest")
	},
	"an edit before its message": func(w *world) {
		w.ingest(w.about("x1", "edit", "m1", "new text"))
		w.equal(0, len(w.messages(w.conversation())), "there is nothing to show yet")
		w.ingest(w.text("m1", "US.1"))
		w.equal([]string{"new text"}, w.texts(w.conversation()), "the order in which they come does not matter")
	},
	"who may edit what": func(w *world) {
		w.reply("m1", "US.1", "r1")
		w.must(w.store.MarkAccepted(w.Context(), w.claimSend(), "w1"))
		w.ingest(w.about("x1", "edit", "w1", "not what we said"), w.about("x2", "revoke", "w1", ""))
		stranger := w.about("x3", "revoke", "m1", "")
		stranger.From.BSUID = "US.2"
		other := w.about("x4", "revoke", "m1", "")
		other.Line, other.PhoneNumberID = "line-b", "15550000002"
		w.ingest(stranger, other)
		w.equal([]string{"text of m1", "r1"}, w.texts(w.conversations(line)[0]), "nobody changes what another wrote, in another chat or on another number")
		echo := w.about("x5", "revoke", "w1", "")
		echo.Source, echo.ByBusiness, echo.OpensWindow = store.SourceEcho, true, false
		w.ingest(echo)
		w.equal([]string{"text of m1", ""}, w.texts(w.conversations(line)[0]), "the business may take back what it wrote")
	},
	"reactions": func(w *world) {
		w.reply("m1", "US.1", "r1")
		w.must(w.store.MarkAccepted(w.Context(), w.claimSend(), "w1"))
		w.ingest(w.about("x1", "reaction", "w1", "\U0001F44D"))
		mine := w.about("x2", "reaction", "m1", "\u2764")
		mine.Source, mine.ByBusiness = store.SourceEcho, true
		w.ingest(mine)
		m := w.messages(w.conversation())
		w.equal([]string{"", "\u2764", "\U0001F44D", ""},
			[]string{m[0].CustomerReaction, m[0].BusinessReaction, m[1].CustomerReaction, m[1].BusinessReaction}, "each side's reaction stays with the message")
		w.advance(time.Second)
		w.ingest(w.about("x3", "reaction", "w1", ""))
		w.equal("", w.messages(w.conversation())[1].CustomerReaction, "an empty one removes it")
	},
	"files": func(w *world) {
		m := w.text("m1", "US.1")
		m.Type, m.Text = "document", ""
		m.Media = &store.Media{ID: "990004", MIMEType: "application/pdf", SHA256: "b64=", Filename: "list.pdf"}
		copied := m
		copied.Source, copied.ReplyWorthy = store.SourceStandby, false
		w.ingest(copied)
		w.ingest(m)
		want := *m.Media
		want.State = store.MediaPending
		w.equal(&want, w.messages(w.conversation())[0].Media, "a file keeps its names, whatever copy stays")
		w.equal(&want, w.claim().Unanswered[0].Media, "and a turn has them")
		nul := w.text("m2", "US.1")
		nul.Media = &store.Media{ID: "1", Filename: "a\x00b"}
		w.equal(store.Receipt{DeadLettered: 1}, w.ingest(nul), "one that no database can hold is a dead letter")
	},
	"history": func(w *world) {
		theirs, ours := w.text("m1", "US.1"), w.text("m2", "US.1")
		for _, m := range []*store.InboundMessage{&theirs, &ours} {
			m.Source, m.ReplyWorthy, m.OpensWindow = store.SourceHistory, false, false
		}
		ours.ByBusiness = true
		w.ingest(theirs, ours)
		m := w.messages(w.conversation())
		w.equal([]store.Author{store.AuthorCustomer, store.AuthorBusiness}, []store.Author{m[0].Author, m[1].Author}, "each has its author")
		c := w.conversation()
		w.equal([]any{store.ConversationActive, true, true}, []any{c.State, c.LastUserMessageAt.IsZero(), c.ReplyDueAt.IsZero()}, "and nothing follows from it")
	},
	"files of a history": func(w *world) {
		announced, file := w.text("m1", "US.1"), w.text("m1", "US.1")
		for _, m := range []*store.InboundMessage{&announced, &file} {
			m.Source, m.ReplyWorthy, m.OpensWindow = store.SourceHistory, false, false
		}
		announced.Type, announced.Text = store.TypePlaceholder, ""
		file.Type, file.Text, file.Media = "image", "this one", &store.Media{ID: "9", MIMEType: "image/jpeg"}
		shown := func(why string) {
			m := w.messages(w.conversation())
			w.equal(1, len(m), "one message")
			w.equal([]any{"image", "this one", true}, []any{m[0].Type, m[0].Text, m[0].Media != nil}, why)
		}
		w.equal(store.Receipt{New: 1}, w.ingest(announced), "what it was is not told at first")
		w.equal(store.Receipt{Duplicates: 1}, w.ingest(announced), "a copy changes nothing")
		w.equal(store.Receipt{Upgraded: 1}, w.ingest(file), "the file comes after it")
		shown("and is shown")
		w.equal(store.Receipt{Duplicates: 2}, w.ingest(file, announced), "whatever comes again")
		shown("it stays")
		other := file
		other.WAMID, announced.WAMID = "m2", "m2"
		w.ingest(other)
		w.ingest(announced)
		w.equal("image", w.messages(w.conversation())[1].Type, "nor does it matter which one comes first")
		live := w.text("m3", "US.1")
		announced.WAMID = "m3"
		w.ingest(live)
		w.equal(store.Receipt{Duplicates: 1}, w.ingest(announced), "nor is a live message touched")
	},
	"pending changes": func(w *world) {
		raw := store.RawChange{App: app, Line: line, WABAID: "waba", PhoneNumberID: number, Field: "history", Pending: true, Raw: []byte(`{}`)}
		done := raw
		done.Field, done.Pending = "account_update", false
		w.deliver(&store.Delivery{App: app, Raw: []store.RawChange{raw, done}})
		pending := func() []store.RawChange {
			changes, err := w.store.PendingChanges(w.Context(), 0, 10)
			w.must(err)
			return changes
		}
		got := pending()
		w.equal(1, len(got), "one waits")
		w.equal([]any{"history", true, line, number}, []any{got[0].Field, got[0].Pending, got[0].Line, got[0].PhoneNumberID}, "with its facts")
		w.must(w.store.MarkProjected(w.Context(), got[0].ID))
		w.must(w.store.MarkProjected(w.Context(), got[0].ID))
		w.must(w.store.MarkProjected(w.Context(), 999))
		w.equal(0, len(pending()), "until its rows are made")
		w.deliver(&store.Delivery{App: app, Raw: []store.RawChange{raw}})
		w.equal(0, len(pending()), "a copy does not make them again")
	},
	"saved contacts": func(w *world) {
		save := func(name string, at time.Time) {
			w.deliver(&store.Delivery{App: app, SavedContacts: []store.SavedContact{{Line: line, Phone: "49151", Name: name, EventTime: at}}})
		}
		now := w.clock()
		save("Ana Plants", now.Add(-time.Minute))
		save("Old", now.Add(-time.Hour))
		w.ingest(w.from("m1", "US.1", "49151", now))
		w.equal("Ana Plants", w.conversation().Contact.SavedName, "the newest name counts, from before the first message")
		save("", now)
		w.equal("", w.conversation().Contact.SavedName, "until it is removed")
	},
	"nothing of an erased customer comes again": func(w *world) {
		m := w.from("m1", "US.1", "49151", w.clock())
		m.Type, m.Media = "image", &store.Media{ID: "9"}
		saved := store.SavedContact{Line: line, Phone: "49151", Name: "Ana Plants", EventTime: w.clock()}
		d := &store.Delivery{App: app, Messages: []store.InboundMessage{m}, SavedContacts: []store.SavedContact{saved}}
		w.deliver(d)
		_, err := w.store.Erase(w.Context(), store.Erasure{Line: line, PhoneNumberID: number, Phone: "49151", BSUID: "US.1"})
		w.must(err)
		w.deliver(d)
		w.equal(0, len(w.conversations(line)), "a copy of his message is dropped")
		w.advance(time.Second)
		w.ingest(w.from("m2", "US.1", "49151", w.clock()))
		c := w.conversation()
		w.equal([]any{"", 1, true}, []any{c.Contact.SavedName, len(w.messages(c)), w.messages(c)[0].Media == nil}, "and neither his name nor his file is left")
	},
	"traffic of another responder": func(w *world) {
		m := w.text("m1", "US.1")
		m.Source, m.ReplyWorthy = store.SourceStandby, false
		w.ingest(m, w.echo("e1", w.clock()))
		reports, err := w.store.Reports(w.Context(), 0, 10)
		w.must(err)
		w.equal(1, len(reports), "one report: of copies, not of messages")
		w.equal(`{"lastStandby":"2026-03-01T12:00:00Z"}`, string(reports[0].Payload), "in this hour")
	},
	"the latest traffic says who owns the chats": func(w *world) {
		n := 0
		next := func(source store.Source) []string {
			n++
			m := w.text(fmt.Sprint("m", n), "US.1")
			m.Source, m.ReplyWorthy = source, source == store.SourceMessages
			w.ingest(m)
			reports, err := w.store.Reports(w.Context(), 0, 20)
			w.must(err)
			var told []string
			for _, r := range reports {
				var p store.TrafficPayload
				w.must(json.Unmarshal(r.Payload, &p))
				told = append(told, map[bool]string{true: "copies", false: "messages"}[p.LastReceived.IsZero()])
			}
			return told
		}
		own, copies := store.SourceMessages, store.SourceStandby
		w.equal([]string{"messages"}, next(own), "the first of the hour")
		w.equal([]string{"messages"}, next(own), "the second is no news")
		w.equal([]string{"messages", "copies"}, next(copies), "another responder took over")
		w.equal([]string{"messages", "copies"}, next(copies), "and keeps it")
		w.equal([]string{"messages", "copies", "messages"}, next(own), "in the same hour it is given back")
		w.equal([]string{"messages", "copies", "messages"}, next(copies), "copies are told of once an hour")
		w.equal([]string{"messages", "copies", "messages"}, next(own), "where chats go both ways")
		w.advance(time.Hour)
		w.equal([]string{"messages", "copies", "messages", "copies"}, next(copies), "until the next hour")
		w.equal([]string{"messages", "copies", "messages", "copies", "messages"}, next(own), "of which the same is true")
	},
}
