package storetest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

var discardCases = map[string]func(*world){
	"what is answered loses its words and stays known":    discardAnswered,
	"nothing goes that is to be answered or on its way":   discardNothingOpen,
	"what nobody has answered is kept for a person":       discardKeepsUnanswered,
	"what a person has answered counts as answered":       discardByPerson,
	"what asks for no answer goes at once":                discardSilent,
	"a better copy brings its words, and loses them too":  discardUpgraded,
	"the file of a history loses its words, too":          discardAnnounced,
	"a joined thread loses the words of both":             discardMerged,
	"decisions go when they are made or too old":          discardDecisions,
	"other lines keep their words, and go batch by batch": discardOthers,
}

// discard runs until nothing is left to go and returns how much went.
func (w *world) discard(lines ...string) (total int) {
	w.Helper()
	for {
		n, err := w.store.Discard(w.Context(), lines, 2)
		w.must(err)
		if n == 0 {
			return total
		}
		total += n
	}
}

// discards wants so many conversations of the usual line to lose their words.
func (w *world) discards(want int, reason string) {
	w.Helper()
	w.equal(want, w.discard(line), "conversations that lost their words: "+reason)
}

// words are those of all messages of a line, raw bytes included.
func (w *world) words(line string) string {
	w.Helper()
	var b strings.Builder
	for _, c := range w.conversations(line) {
		messages := w.messages(c)
		for i := range messages {
			b.WriteString(messages[i].Text + string(messages[i].Raw))
		}
	}
	return b.String()
}

func (w *world) accept(wamid string) {
	w.Helper()
	w.must(w.store.MarkAccepted(w.Context(), w.claimSend(), wamid))
}

// answer answers the customer's message for good.
func (w *world) answer(wamid, bsuid string) {
	w.Helper()
	w.reply(wamid, bsuid, "answer to "+wamid)
	w.accept("out-" + wamid)
}

func discardAnswered(w *world) {
	photo := w.photo("in", "US.1")
	w.ingest(photo)
	f := w.claimMedia()
	w.must(w.store.MarkMediaStored(w.Context(), f, "image/jpeg", 3))
	turn := w.claim()
	w.must(w.store.KeepUnderstood(w.Context(), turn, turn.Unanswered[0].ID, "a photo of me"))
	outcome := answered()
	outcome.Summary = &store.Summary{Text: "he sent a photo", Through: turn.Unanswered[0].ID}
	made := drafts("r1")
	made[0].BlobKey = "made"
	w.must(w.store.NoteBlob(w.Context(), "made"))
	w.must(w.store.CommitReply(w.Context(), turn, made, outcome))
	w.accept("out")
	w.reopen()
	w.discards(1, "the answer is sent")
	w.equal("", w.words(line), "left of what was said")
	messages := w.messages(w.conversation())
	facts := make([]string, 0, len(messages))
	for i := range messages {
		m := &messages[i]
		facts = append(facts, fmt.Sprintf("%s %s %s %s answerable=%t file=%t", m.Author, m.WAMID, m.Type, m.EventTime.Format(time.TimeOnly), m.Seq > 0, m.Media != nil))
	}
	w.equal([]string{"customer in image 12:00:05 answerable=true file=false", "assistant out text 12:00:06 answerable=false file=false"}, facts, "the facts")
	w.equal(store.SendAccepted, w.row(0).State, "and the state of the send")
	w.equal([]string{f.BlobKey, "made"}, slices.Sorted(slices.Values(w.garbage())), "its files go")
	w.discards(0, "nothing new was said")

	w.equal(store.Receipt{Duplicates: 1}, w.ingest(photo), "a copy is known as one")
	w.notDue("and is not answered again")
	w.equal(store.Receipt{New: 1}, w.status("out", store.StatusRead), "a status is taken")
	w.equal(store.StatusRead, w.messages(w.conversation())[1].Status, "and shows")
	w.equal("", w.words(line), "after the copy, too")
	w.ingest(w.text("next", "US.1"))
	next := w.claim()
	w.equal([]any{[]string{"text of next"}, 0, store.Summary{Through: turn.Unanswered[0].ID}}, []any{textsOf(next.Unanswered), len(next.History), next.Summary},
		"the assistant starts from nothing")
}

func discardNothingOpen(w *world) {
	w.ingest(w.text("m1", "US.1"))
	w.discards(0, "it is to be answered")
	w.claim()
	w.discards(0, "it is being answered")
	w.advance(2 * time.Minute)
	w.discards(0, "who was to answer has died")
	turn := w.claim()
	w.must(w.store.CommitReply(w.Context(), turn, drafts("r1"), answered()))
	w.discards(0, "the answer is to be sent")
	first := w.claimSend()
	w.discards(0, "it is being sent")
	w.must(w.store.MarkUnknown(w.Context(), first, "Timeout"))
	w.discards(0, "nobody knows whether it was")
	w.advance(store.ResendAfter)
	w.witness("later")
	w.resolve(store.Resolution{Resent: 1}, "it is sent again")
	w.discards(1, "only the witness's")
	again := w.claimSend()
	w.equal(string(first.Payload), string(again.Payload), "with its words")
	w.must(w.store.MarkAccepted(w.Context(), again, "out"))
	w.discards(1, "now it is sent")
	w.equal("", w.words(line), "left of what was said")

	w.ingest(w.text("m2", "US.1"))
	turn = w.claim()
	w.must(w.store.CommitReply(w.Context(), turn, drafts("r2"), answered()))
	w.accept("out2")
	w.ingest(w.text("m3", "US.1"))
	w.discards(0, "the customer has written again")
	turn = w.claim()
	w.equal([]string{"text of m2", "r2"}, textsOf(turn.History), "and what was said since is remembered")
}

func discardKeepsUnanswered(w *world) {
	w.ingest(w.text("m1", "US.1"))
	w.must(w.store.SkipTurn(w.Context(), w.claim(), "TooOld"))
	w.discards(0, "the assistant was not to answer")
	w.answer("m2", "US.1")
	w.discards(1, "it answers what follows")

	w.ingest(w.text("m3", "US.1"))
	w.must(w.store.SkipTurn(w.Context(), w.claim(), store.ReasonRevoked))
	w.discards(1, "what was taken back is for nobody")

	w.reply("m4", "US.1", "r4")
	w.must(w.store.MarkFailed(w.Context(), w.claimSend(), 131026, "Undeliverable"))
	w.discards(0, "the answer did not arrive")
	w.ingest(w.echo("e1", w.clock().Add(time.Second)))
	w.advance(time.Second)
	w.discards(1, "a person has written since")
	w.must(w.store.Resume(w.Context(), line, w.conversation().ID))

	w.ingest(w.text("m5", "US.1"))
	w.must(w.store.CommitReply(w.Context(), w.claim(), drafts("a person comes"), store.Outcome{Kind: store.OutcomeHandOff, Reason: "asked"}))
	w.accept("out5")
	w.advance(72 * time.Hour)
	w.discards(0, "it waits for a person")
	if got := w.words(line); !strings.Contains(got, "text of m5") || strings.Contains(got, "m4") {
		w.Errorf("the person would read %q", got)
	}
}

func discardByPerson(w *world) {
	w.answer("m1", "US.1")
	_, err := w.store.EnqueuePersonReply(w.Context(), line, w.conversation().ID, drafts("I look after it")[0])
	w.must(err)
	w.accept("p1")
	w.advance(time.Second)
	w.ingest(w.text("m2", "US.1"))
	w.discards(0, "the person has not answered yet")
	w.advance(time.Second)
	_, err = w.store.EnqueuePersonReply(w.Context(), line, w.conversation().ID, drafts("here you are")[0])
	w.must(err)
	w.discards(0, "his answer is to be sent")
	s := w.claimSend()
	w.must(w.store.MarkFailed(w.Context(), s, 131026, "Undeliverable"))
	w.discards(0, "and did not arrive")
	w.advance(time.Second)
	w.ingest(w.echo("e1", w.clock()))
	w.discards(1, "he has answered on the phone")
	w.equal("", w.words(line), "left of what was said")
	w.advance(2 * time.Hour)
	n, err := w.store.ResumeIdle(w.Context(), map[string]time.Duration{line: time.Hour})
	w.must(err)
	w.equal(1, n, "he does not write any more")
	w.notDue("and nothing without words is answered")
}

func discardSilent(w *world) {
	standby := w.text("s1", "US.1")
	standby.Source, standby.ReplyWorthy, standby.OpensWindow = store.SourceStandby, false, false
	w.ingest(standby)
	w.ingest(w.echo("e1", w.clock()))
	w.ingest(w.about("x1", "edit", "s1", "text of s1, edited"))
	w.deliver(&store.Delivery{App: app, Raw: []store.RawChange{
		{App: app, Line: line, PhoneNumberID: number, Field: "history", Raw: []byte(`{"body":"pending"}`), Pending: true},
		{App: app, Line: line, PhoneNumberID: number, Field: "unheard_of", Raw: []byte(`{"body":"unheard of"}`)},
	}})
	w.discards(2, "and a change that is kept raw")
	w.equal("", w.words(line), "left of what was said")
	raw, err := w.store.RawChanges(w.Context(), 0, 10)
	w.must(err)
	w.equal([]string{`{"body":"pending"}`, ""}, []string{string(raw[0].Raw), string(raw[1].Raw)}, "what rows are still made of is kept")
	w.must(w.store.MarkProjected(w.Context(), raw[0].ID))
	w.discards(1, "the other change")
}

func discardUpgraded(w *world) {
	photo := w.photo("m1", "US.1")
	standby := photo
	standby.Source, standby.ReplyWorthy, standby.OpensWindow = store.SourceStandby, false, false
	w.ingest(standby)
	w.discards(1, "nobody at this line was written to")
	w.ingest(photo)
	w.discards(0, "now somebody was")
	f := w.claimMedia()
	w.equal("media-m1", f.MediaID, "the file is fetched")
	turn := w.claim()
	w.equal([]string{"text of m1"}, textsOf(turn.Unanswered), "and the message answered")
	w.must(w.store.CommitReply(w.Context(), turn, drafts("r1"), answered()))
	w.accept("out")
	w.discards(1, "it is answered")
	w.equal("", w.words(line), "left of what was said")
	w.wantErr(w.store.MarkMediaStored(w.Context(), f, "image/jpeg", 3), store.ErrLeaseLost, "a file that is fetched meanwhile is for nobody")
}

func discardAnnounced(w *world) {
	announced := w.text("m1", "US.1")
	announced.Source, announced.ReplyWorthy, announced.OpensWindow = store.SourceHistory, false, false
	file := announced
	announced.Type, announced.Text = store.TypePlaceholder, ""
	file.Type, file.Text = "image", "this one"
	w.ingest(announced)
	w.discards(1, "a history asks for no answer")
	w.equal(store.Receipt{Upgraded: 1}, w.ingest(file), "the file takes the place of what announced it")
	w.discards(1, "it brought words")
	w.equal("", w.words(line), "left of what was said")
	w.discards(0, "nothing new was said")
}

func discardMerged(w *world) {
	w.answer("m0", "US.1")
	w.answer("m1", "US.2")
	w.discards(2, "both are answered")
	w.ingest(w.text("m2", "US.1"))
	w.move("")
	w.discards(0, "what one had unanswered is to be answered")
	turn := w.claim()
	w.equal([]string{"text of m2"}, textsOf(turn.Unanswered), "that")
	w.must(w.store.CommitReply(w.Context(), turn, drafts("r2"), answered()))
	w.accept("out2")
	w.discards(1, "the joined thread")
	w.equal("", w.words(line), "left of what was said")
}

func discardDecisions(w *world) {
	decided := func(wamid, id string, state store.OrderState) {
		w.Helper()
		w.must(w.decide(wamid, store.OrderDecision{ID: id, State: state}))
	}
	w.draft("m1", "o1")
	decided("m2", "o1", store.OrderConfirmed)
	w.draft("m3", "o2")
	decided("m4", "o2", store.OrderCancelled)
	w.draft("m5", "o3")
	outcome := answered()
	outcome.Proposal = &store.ToolProposal{ID: "call", Tool: "tool", Arguments: []byte(`{"to":"him"}`)}
	w.must(w.store.CommitReply(w.Context(), w.asks("m6", "US.1"), drafts("shall I?"), outcome))
	for i := range 6 {
		w.accept(fmt.Sprintf("out%d", i))
		w.advance(store.PairInterval)
	}
	items := func(id string) string { return string(w.order(id).Items) + w.order(id).Note + w.order(id).Total }
	arguments := func() string {
		w.Helper()
		c, err := w.store.ToolCall(w.Context(), line, w.conversation().ID, "call")
		w.must(err)
		return string(c.Arguments)
	}
	w.discards(2, "and an order that was cancelled")
	whole := `[{"id":"fern"}]blue pot9.99 USD`
	w.equal([]string{whole, "", whole, `{"to":"him"}`}, []string{items("o1"), items("o2"), items("o3"), arguments()}, "what is confirmed, or open")
	w.advance(store.DecideWithin + time.Second)
	w.discards(2, "decisions that are not open any more")
	w.equal([]string{whole, "", ""}, []string{items("o1"), items("o3"), arguments()}, "what is confirmed")
	w.equal([]store.OrderState{store.OrderConfirmed, store.OrderCancelled, store.OrderDraft},
		[]store.OrderState{w.order("o1").State, w.order("o2").State, w.order("o3").State}, "the states")
}

func discardOthers(w *world) {
	for i := range 5 {
		w.answer(fmt.Sprintf("m%d", i), fmt.Sprintf("US.%d", i))
	}
	other := w.text("other", "US.1")
	other.Line, other.PhoneNumberID = "line-b", "15550000002"
	w.ingest(other)
	w.must(w.store.CommitReply(w.Context(), w.claim(), drafts("r"), answered()))
	w.accept("out-other")
	w.equal(0, w.discard(), "no line wants it")
	n, err := w.store.Discard(w.Context(), []string{line, "line-c"}, 2)
	w.must(err)
	w.equal(2, n, "a batch")
	w.discards(3, "the others")
	w.equal("", w.words(line), "left of what was said")
	if got := w.words("line-b"); !strings.Contains(got, "text of other") {
		w.Errorf("another line has %q", got)
	}
}
