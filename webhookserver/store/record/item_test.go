package record

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// What the schema refuses is found before the writer has it: he would look for it by halving the group, while everybody waits.
func TestWhatTheSchemaRefusesNeverReachesTheWriter(t *testing.T) {
	const sound = ""
	long := strings.Repeat("x", 600)
	good := store.InboundMessage{Line: "l", PhoneNumberID: "1", WAMID: "w", From: store.Identity{BSUID: "US.1", Phone: "49"}, Source: store.SourceMessages}
	message := func(change func(*store.InboundMessage)) store.Delivery {
		m := good
		change(&m)
		return store.Delivery{Messages: []store.InboundMessage{m}}
	}
	for _, tc := range []struct {
		reason string
		d      store.Delivery
		letter string
	}{
		{"a sound message", message(func(*store.InboundMessage) {}), sound},
		{"no message id", message(func(m *store.InboundMessage) { m.WAMID = "" }), reasonConstraint},
		{"a long message id", message(func(m *store.InboundMessage) { m.WAMID = long }), reasonConstraint},
		{"a long user id", message(func(m *store.InboundMessage) { m.From.BSUID = long }), reasonConstraint},
		{"a long phone number", message(func(m *store.InboundMessage) { m.From.Phone = long }), reasonConstraint},
		{"nobody", message(func(m *store.InboundMessage) { m.From = store.Identity{} }), reasonConstraint},
		{"a NUL in a text", message(func(m *store.InboundMessage) { m.Text = "a\x00b" }), ReasonText},
		{"half a character in a name", message(func(m *store.InboundMessage) { m.From.Name = "\xc3" }), ReasonText},
		{"a sound status", store.Delivery{Statuses: []store.Status{{PhoneNumberID: "1", WAMID: "w", Kind: store.StatusSent}}}, sound},
		{"a long kind of status", store.Delivery{Statuses: []store.Status{{PhoneNumberID: "1", WAMID: "w", Kind: store.StatusKind(long)}}}, reasonConstraint},
		{"a long wamid of a status", store.Delivery{Statuses: []store.Status{{PhoneNumberID: "1", WAMID: long, Kind: store.StatusSent}}}, reasonConstraint},
		{"a long participant of a status", store.Delivery{Statuses: []store.Status{{PhoneNumberID: "1", WAMID: "w", Kind: store.StatusSent, Participant: long}}}, reasonConstraint},
		{"a change without a field", store.Delivery{Raw: []store.RawChange{{}}}, reasonConstraint},
		{"a long field", store.Delivery{Unclaimed: []store.UnclaimedChange{{Field: long}}}, reasonConstraint},
		{"half a change of identity", store.Delivery{IdentityMoves: []store.IdentityMove{{Line: "l", PhoneNumberID: "1", BSUID: "US.1"}}}, reasonConstraint},
	} {
		items, _ := Flatten(&tc.d)
		if len(items) != 1 {
			t.Errorf("%s: %d items", tc.reason, len(items))
			continue
		}
		got, want := sound, OutcomeNew
		if items[0].Letter != nil {
			got = items[0].Letter.Reason
		}
		if tc.letter != sound {
			want = OutcomeDeadLettered
		}
		if got != tc.letter || items[0].Outcome != want {
			t.Errorf("%s: dead letter %q with outcome %d, want %q and %d", tc.reason, got, items[0].Outcome, tc.letter, want)
		}
	}
}

// delivery has one of each, in the order in which they are applied.
func delivery() store.Delivery {
	raw := []byte("{}")
	return store.Delivery{
		App: "a",
		IdentityMoves: []store.IdentityMove{
			{Line: "move", PhoneNumberID: "1", PreviousBSUID: "US.1", BSUID: "US.2", Raw: raw},
		},
		Messages: []store.InboundMessage{
			{Line: "message", PhoneNumberID: "1", WAMID: "w", From: store.Identity{BSUID: "US.1"}, Raw: raw},
		},
		Statuses:    []store.Status{{Line: "status", PhoneNumberID: "1", WAMID: "w", Kind: store.StatusSent, Raw: raw}},
		Raw:         []store.RawChange{{App: "a", Line: "change", Field: "f", Raw: raw}},
		Unclaimed:   []store.UnclaimedChange{{App: "a", Field: "f", Raw: raw}},
		DeadLetters: []store.DeadLetter{{App: "b", Line: "letter", Kind: "message", Reason: "unreadable", Raw: raw}},
	}
}

func TestFlattenCountsTheBytesThatAnItemHolds(t *testing.T) {
	d := delivery()
	items, bytes := Flatten(&d)
	if want := int64(6 * (itemOverhead + len("{}"))); len(items) != 6 || bytes != want {
		t.Errorf("%d items of %d bytes, want 6 of %d", len(items), bytes, want)
	}
}

// A dead letter is all that remains: it has to tell what it was, whose, and the bytes as they came.
func TestDeadLetterOfAnItemThatTheDatabaseRefuses(t *testing.T) {
	raw := []byte("{}")
	want := []store.DeadLetter{
		{App: "a", Line: "move", Kind: "identity", Reason: reasonConstraint, Raw: raw},
		{App: "a", Line: "message", Kind: "message", Reason: reasonConstraint, Raw: raw},
		{App: "a", Line: "status", Kind: "status", Reason: reasonConstraint, Raw: raw},
		{App: "a", Line: "change", Kind: "change", Reason: reasonConstraint, Raw: raw},
		{App: "a", Kind: "change", Reason: reasonConstraint, Raw: raw},
		{App: "b", Line: "letter", Kind: "message", Reason: "unreadable", Raw: raw},
	}
	d := delivery()
	items, _ := Flatten(&d)
	got := make([]store.DeadLetter, 0, len(items))
	for i := range items {
		got = append(got, *items[i].DeadLetter())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestReceiptLeavesOutWhatCameAsDeadLetterAndMoves(t *testing.T) {
	letter, move, message := &store.DeadLetter{}, &store.IdentityMove{}, &store.InboundMessage{}
	got := ReceiptOf([]Item{
		{Letter: letter},
		{Move: move},
		{Message: message}, {Message: message}, {Message: message}, {Message: message},
		{Message: message, Outcome: OutcomeDuplicate}, {Message: message, Outcome: OutcomeDuplicate}, {Message: message, Outcome: OutcomeDuplicate},
		{Message: message, Outcome: OutcomeUpgraded},
		{Move: move, Outcome: OutcomeDeadLettered}, {Letter: letter, Outcome: OutcomeDeadLettered},
	})
	if diff := cmp.Diff(store.Receipt{New: 4, Duplicates: 3, Upgraded: 1, DeadLettered: 2}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Replicas that take the same rows in different orders wait for each other for ever.
func TestSortPutsEveryMixtureIntoOneOrder(t *testing.T) {
	at := func(seconds int64) time.Time { return time.Unix(seconds, 0) }
	from := func(bsuid, phone string) store.Identity { return store.Identity{BSUID: bsuid, Phone: phone} }
	message := func(number string, id store.Identity, seconds int64) *Item {
		return &Item{Message: &store.InboundMessage{PhoneNumberID: number, From: id, EventTime: at(seconds)}}
	}
	want := []*Item{
		{Move: &store.IdentityMove{PhoneNumberID: "1", BSUID: "US.1", EventTime: at(8)}},
		{Move: &store.IdentityMove{PhoneNumberID: "1", BSUID: "US.1", EventTime: at(9)}},
		{Move: &store.IdentityMove{PhoneNumberID: "2", BSUID: "US.0", EventTime: at(1)}},
		message("1", from("", "49"), 5),
		message("1", from("US.1", "99"), 2), // by the BSUID, whatever the phone
		message("1", from("US.1", "11"), 3),
		message("1", from("US.2", ""), 1),
		message("2", from("US.1", ""), 0),
		{Status: &store.Status{PhoneNumberID: "1", WAMID: "a", Kind: store.StatusSent}},
		{Status: &store.Status{PhoneNumberID: "1", WAMID: "a", Kind: store.StatusDelivered}},
		{Status: &store.Status{PhoneNumberID: "1", WAMID: "b", Kind: store.StatusSent}},
		{Raw: &store.RawChange{}, Digest: []byte{1}},
		{Raw: &store.RawChange{}, Digest: []byte{2}},
		{Unclaimed: &store.UnclaimedChange{}, Digest: []byte{0}},
		{Letter: &store.DeadLetter{}},
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		got := append([]*Item(nil), want...)
		random.Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
		Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("-want +got:\n%s", diff)
		}
	}
}

// Copies in one delivery keep their order: the first one is the new one.
func TestSortKeepsTheOrderOfEquals(t *testing.T) {
	d := store.Delivery{Messages: make([]store.InboundMessage, 40)}
	for i := range d.Messages {
		d.Messages[i] = store.InboundMessage{PhoneNumberID: "1", WAMID: "w", From: store.Identity{BSUID: "US.1"}}
	}
	items, _ := Flatten(&d)
	sorted := make([]*Item, 0, len(items))
	for i := range items {
		sorted = append(sorted, &items[i])
	}
	Sort(sorted)
	for i, it := range sorted {
		if it != &items[i] {
			t.Fatalf("another item than the one that came at %d is there", i)
		}
	}
}

func TestDigestTellsCopiesFromOthers(t *testing.T) {
	base := store.RawChange{App: "a", Line: "l", WABAID: "w", PhoneNumberID: "1", Field: "f", EntryTime: time.UnixMilli(7), Raw: []byte("{}")}
	digest := func(change func(*store.RawChange)) string {
		c := base
		change(&c)
		items, _ := Flatten(&store.Delivery{Raw: []store.RawChange{c}})
		return string(items[0].Digest)
	}
	original := digest(func(*store.RawChange) {})
	seen := map[string]string{original: "the original"}
	for _, tc := range []struct {
		reason string
		change func(*store.RawChange)
	}{
		{"another app", func(c *store.RawChange) { c.App = "b" }},
		{"another line", func(c *store.RawChange) { c.Line = "b" }},
		{"another account", func(c *store.RawChange) { c.WABAID = "b" }},
		{"another number", func(c *store.RawChange) { c.PhoneNumberID = "2" }},
		{"another field", func(c *store.RawChange) { c.Field = "b" }},
		{"another instant", func(c *store.RawChange) { c.EntryTime = time.UnixMilli(8) }},
		{"another content", func(c *store.RawChange) { c.Raw = []byte("[]") }},
		{"names that look the same when they are joined", func(c *store.RawChange) { c.App, c.Line = `a" "l`, "" }},
		{"a name that ends elsewhere", func(c *store.RawChange) { c.App, c.Line = "al", "" }},
	} {
		got := digest(tc.change)
		if other, taken := seen[got]; taken {
			t.Errorf("%s has the digest of %s", tc.reason, other)
		}
		seen[got] = tc.reason
	}
	// The same content comes in another slice, and with a clock of another zone.
	same := digest(func(c *store.RawChange) {
		c.Raw, c.EntryTime = []byte("{}"), c.EntryTime.In(time.FixedZone("", 3600))
	})
	if same != original {
		t.Error("a copy has another digest than the original")
	}
}
