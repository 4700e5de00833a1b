package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

var eraseCases = map[string]func(*world){
	"everything of a person goes, and nothing of others": eraseAll,
	"a copy of an old delivery brings nobody back":       eraseIsLasting,
	"the marks go when no copy can come any more":        eraseMarksExpire,
	"what names others as well loses his part alone":     eraseShared,
	"a turn and a send under way are over":               eraseUnderWay,
	"a turn under way is not the next customer's":        eraseMakesNoRoom,
	"a person without messages is marked, too":           eraseStranger,
	"an erasure that was cut off can be repeated":        eraseCutOff,
	"so it can where a webhook in quarantine names him":  eraseCutOffQuarantined,
	"an erasure that names nobody is refused":            eraseRefuses,
}

// The person that is erased. He is known by both ids.
const (
	erasedUser  = "US.4915100000001"
	erasedPhone = "4915100000001"
)

func (w *world) erase(e store.Erasure) store.Erased {
	w.Helper()
	done, err := w.store.Erase(w.Context(), e)
	w.must(err)
	return done
}

// naming is JSON that names somebody and the number.
func naming(phone string) []byte {
	return fmt.Appendf(nil, `{"phone_number_id":%q,"wa_id":%q,"body":"private"}`, number, phone)
}

// everythingOf delivers one of each kind of row for a person.
func (w *world) everythingOf(user, phone string) *store.Delivery {
	message := w.text("in-"+user, user)
	message.From.Phone = phone
	return &store.Delivery{
		App: app, Messages: []store.InboundMessage{message},
		Statuses: []store.Status{{
			Line: line, PhoneNumberID: number, WAMID: "elsewhere-" + user, Kind: store.StatusSent, EventTime: w.clock(), Raw: naming(phone),
		}},
		Raw: []store.RawChange{
			{App: app, Line: line, PhoneNumberID: number, Field: "history", Raw: naming(phone)},
			{App: app, Field: "unheard_of", Raw: naming("+" + phone)},
		},
		Unclaimed:   []store.UnclaimedChange{{App: app, PhoneNumberID: number, Field: "messages", Raw: naming(phone)}},
		DeadLetters: []store.DeadLetter{{App: app, Line: line, Kind: "message", Reason: "odd", Raw: naming(phone)}, {App: app, Kind: "body", Reason: "odd", Raw: naming(user)}},
	}
}

func (w *world) quarantine(body []byte) {
	w.Helper()
	w.must(w.store.Quarantine(w.Context(), &store.QuarantineEntry{App: app, Signature: "sha256=00", Path: "/", Body: body}))
}

// settle has a person, what was sent to him, and a test message to him.
func (w *world) settle(user, phone string) *store.Delivery {
	w.Helper()
	d := w.everythingOf(user, phone)
	w.deliver(d)
	w.must(w.store.CommitReply(w.Context(), w.claim(), drafts("an answer for "+user), answered()))
	w.must(w.store.MarkAccepted(w.Context(), w.claimSend(), "out-"+user))
	w.status("out-"+user, store.StatusDelivered)
	w.quarantine(naming(phone))
	_, err := w.store.EnqueueTestMessage(w.Context(), store.TestMessage{
		Key: "test-" + phone[len(phone)-1:], Line: line, PhoneNumberID: number, To: "+" + phone, Body: "a test", Payload: []byte("{}"),
	})
	w.must(err)
	w.must(w.store.MarkAccepted(w.Context(), w.claimSend(), "test-out-"+user))
	return d
}

// everything that readers see, as text.
func (w *world) everything() string {
	w.Helper()
	var b strings.Builder
	for _, l := range []string{line, "line-b"} {
		for _, c := range w.conversations(l) {
			fmt.Fprintf(&b, "%s %+v\n", l, c.Contact)
			for _, m := range w.messages(c) {
				fmt.Fprintf(&b, "%s %s %s\n", m.WAMID, m.Text, m.Raw)
			}
		}
		rows, err := w.store.OutboxRows(w.Context(), l, 0, 1000)
		w.must(err)
		fmt.Fprintf(&b, "%+v\n", rows)
	}
	changes, err := w.store.RawChanges(w.Context(), 0, 1000)
	w.must(err)
	for _, c := range changes {
		fmt.Fprintf(&b, "change %s\n", c.Raw)
	}
	unclaimed, err := w.store.Unclaimed(w.Context(), 0, 1000)
	w.must(err)
	for _, c := range unclaimed {
		fmt.Fprintf(&b, "unclaimed %s\n", c.Raw)
	}
	for _, l := range w.deadLetters() {
		fmt.Fprintf(&b, "letter %s\n", l.Raw)
	}
	kept, err := w.store.QuarantineEntries(w.Context(), app, 0, 1000)
	w.must(err)
	for i := range kept {
		fmt.Fprintf(&b, "quarantined %s\n", kept[i].Body)
	}
	return b.String()
}

func eraseAll(w *world) {
	w.settle(erasedUser, erasedPhone)
	w.settle("US.2", "4915100000002")
	elsewhere := w.text("wamid.elsewhere", erasedUser)
	elsewhere.Line, elsewhere.PhoneNumberID, elsewhere.From.Phone = "line-b", "15550000002", erasedPhone
	w.ingest(elsewhere)
	longer := store.DeadLetter{App: app, Line: line, Kind: "message", Reason: "odd", Raw: naming(erasedPhone + "9")}
	w.deliver(&store.Delivery{App: app, DeadLetters: []store.DeadLetter{longer}})

	done := w.erase(store.Erasure{Line: line, PhoneNumberID: number, Phone: erasedPhone})
	w.equal(store.Erased{
		Conversations: 1, Messages: 3, Sends: 2, Statuses: 2, TestMessages: 1, Changes: 2, Unclaimed: 1, DeadLetters: 2, Quarantined: 1,
	}, done, "what went")
	left := w.everything()
	w.equal(1, strings.Count(left, erasedUser), "left of him: the other line's contact\n"+left)
	w.equal(3, strings.Count(left, erasedPhone), "left of his phone: the other line's contact, in both ids, and a longer number\n"+left)
	for _, other := range []string{"in-US.2", "out-US.2", "an answer for US.2", "wamid.elsewhere"} {
		if !strings.Contains(left, other) {
			w.Errorf("%s went with him:\n%s", other, left)
		}
	}
	w.equal(6, strings.Count(left, `"4915100000002"`)+strings.Count(left, `"+4915100000002"`)+strings.Count(left, `"US.2"`), "all of the neighbour stays\n"+left)
	w.equal(store.Erased{}, w.erase(store.Erasure{Line: line, PhoneNumberID: number, BSUID: erasedUser}), "the second time")
}

func eraseIsLasting(w *world) {
	old := w.settle(erasedUser, erasedPhone)
	w.erase(store.Erasure{Line: line, PhoneNumberID: number, BSUID: erasedUser})
	before := w.everything()
	w.reopen()
	w.advance(time.Hour)
	again := w.text("another copy's id", erasedUser)
	again.EventTime = old.Messages[0].EventTime
	received := w.deliver(old)
	w.equal(store.Receipt{Duplicates: 7}, received, "copies of what was erased")
	w.ingest(again)
	w.status("out-"+erasedUser, store.StatusRead)
	w.deliver(&store.Delivery{App: app, IdentityMoves: []store.IdentityMove{{
		Line: line, PhoneNumberID: number, PreviousBSUID: erasedUser, BSUID: "US.77", EventTime: old.Messages[0].EventTime,
	}}, Handovers: []store.Handover{{
		Line: line, PhoneNumberID: number, From: store.Identity{BSUID: erasedUser}, Owner: store.OwnerOther, EventTime: old.Messages[0].EventTime,
	}}})
	w.equal(before, w.everything(), "what copies of old deliveries change")

	fresh := w.text("wamid.fresh", erasedUser)
	w.ingest(fresh)
	w.equal([]string{"text of wamid.fresh"}, w.texts(w.conversation()), "who writes anew is a new contact")
}

func eraseMarksExpire(w *world) {
	old := w.settle(erasedUser, erasedPhone)
	w.erase(store.Erasure{Line: line, PhoneNumberID: number, BSUID: erasedUser})
	w.advance(store.MinRetention - time.Minute)
	w.expireAll(store.Retention{Default: store.MinRetention, BatchSize: 100})
	w.ingest(old.Messages[0])
	w.equal(0, len(w.conversations(line)), "a copy on the last day")
	w.advance(2 * time.Minute)
	w.expireAll(store.Retention{Default: store.MinRetention, BatchSize: 100})
	w.ingest(old.Messages[0])
	w.equal(1, len(w.conversations(line)), "nothing is remembered any more")
}

func eraseUnderWay(w *world) {
	w.reply("wamid.1", erasedUser, "an answer")
	send := w.claimSend()
	w.ingest(w.text("wamid.2", erasedUser))
	turn := w.claim()
	w.erase(store.Erasure{Line: line, PhoneNumberID: number, BSUID: erasedUser})
	w.wantErr(w.store.CommitReply(w.Context(), turn, drafts("too late"), answered()), store.ErrLeaseLost, "the turn")
	w.wantErr(w.store.MarkAccepted(w.Context(), send, "wamid.3"), store.ErrLeaseLost, "the send")
	w.nothingToSend("after the erasure")
	told := store.Status{Line: line, PhoneNumberID: number, WAMID: "wamid.3", Kind: store.StatusSent, CallbackData: send.ID, EventTime: w.clock(), Raw: naming(erasedPhone)}
	w.equal(store.Receipt{Duplicates: 1}, w.deliver(&store.Delivery{App: app, Statuses: []store.Status{told}}), "what Meta tells of the send")
	told.CallbackData = "another"
	w.equal(store.Receipt{New: 1}, w.deliver(&store.Delivery{App: app, Statuses: []store.Status{told}}), "and of others")
}

func eraseCutOff(w *world) {
	w.deliver(&store.Delivery{App: app, Raw: []store.RawChange{
		{App: app, Line: line, PhoneNumberID: number, Field: "history", Raw: naming(erasedUser)},
	}})
	w.eraseInPieces()
}

func eraseCutOffQuarantined(w *world) {
	w.quarantine(naming(erasedUser))
	w.eraseInPieces()
}

// eraseInPieces has the caller give up once the erasure of a customer has begun to write, again and again.
func (w *world) eraseInPieces() {
	w.Helper()
	m := w.text("wamid.1", erasedUser)
	m.From.Phone = erasedPhone
	w.ingest(m)
	e := store.Erasure{Line: line, PhoneNumberID: number, Phone: erasedPhone}
	ends := 0
	for done := false; !done; ends++ {
		if ends > 50 {
			w.Fatal("the erasure does not come to an end")
		}
		ctx, giveUp := context.WithCancel(w.Context())
		left := ends
		w.mu.Lock()
		w.asked = func() {
			left--
			if left < 0 {
				giveUp()
			}
		}
		w.mu.Unlock()
		_, err := w.store.Erase(ctx, e)
		w.mu.Lock()
		w.asked = nil
		w.mu.Unlock()
		giveUp()
		if done = err == nil; !done && !errors.Is(err, context.Canceled) {
			w.must(err)
		}
	}
	if left := w.everything(); ends < 2 || strings.Contains(left, erasedUser) {
		w.Errorf("left after %d erasures, of which the last one came to its end:\n%s", ends, left)
	}
}

func eraseMakesNoRoom(w *world) {
	w.ingest(w.text("wamid.1", erasedUser))
	turn := w.claim()
	w.erase(store.Erasure{Line: line, PhoneNumberID: number, BSUID: erasedUser})
	w.overFor(turn)
}

// overFor has a customer of another tenant write after the turn's conversation is
// gone, and looks that the turn does nothing to him.
func (w *world) overFor(gone *store.Turn) {
	w.Helper()
	next := w.text("wamid.next", "US.9")
	next.Line, next.PhoneNumberID = "line-b", "15550000002"
	w.ingest(next)
	w.advance(store.ReplyDebounce)
	other := claimRequest()
	other.ExcludeLines = []string{line}
	turn, err := One(w.store.ClaimConversations(w.Context(), other))
	w.must(err)
	w.wantErr(w.store.CommitReply(w.Context(), gone, drafts("for somebody else"), answered()), store.ErrLeaseLost, "the turn of who is gone")
	w.must(w.store.CommitReply(w.Context(), turn, drafts("for him"), answered()))
	w.equal([]string{"text of wamid.next", "for him"}, w.texts(w.conversations("line-b")[0]), "what the next one was told")
	if turn.ConversationID == gone.ConversationID {
		w.Errorf("both had the conversation %d: who has its page open would answer the other", gone.ConversationID)
	}
}

func eraseStranger(w *world) {
	old := w.text("wamid.1", erasedUser)
	w.equal(store.Erased{}, w.erase(store.Erasure{Line: line, PhoneNumberID: number, BSUID: erasedUser}), "nothing was there")
	w.ingest(old)
	w.equal(0, len(w.conversations(line)), "what was written before the erasure")
}

func eraseRefuses(w *world) {
	for reason, e := range map[string]store.Erasure{
		"nobody":        {Line: line, PhoneNumberID: number},
		"no line":       {PhoneNumberID: number, Phone: erasedPhone},
		"no number":     {Line: line, Phone: erasedPhone},
		"an odd letter": {Line: line, PhoneNumberID: number, Phone: "49\x00"},
	} {
		_, err := w.store.Erase(w.Context(), e)
		w.wantErr(err, store.ErrInvalid, reason)
	}
}
