package storetest

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// Columns reads the tables of the closed store in dir, behind its back: of each
// column that can hold more than a number, named "table.column", all values.
type Columns func(t *testing.T, dir string) map[string][]string

// impersonal are the columns that hold nothing that a customer wrote or is
// known by. Reasons, states, kinds and leases are words of ours, numbers and
// lines the business's.
var impersonal = map[string]bool{
	"blob_garbage.key":   true, // hashes, and random keys
	"conversations.line": true, "conversations.owner": true, "conversations.phone_number_id": true,
	"conversations.skipped_reason": true, "conversations.state": true, "conversations.waiting_reason": true,
	"dead_letters.app": true, "dead_letters.kind": true, "dead_letters.line": true, "dead_letters.reason": true,
	"document_bodies.body": true, "document_bodies.line": true, "document_bodies.revision": true, "document_bodies.url": true, // the shop's
	"documents.etag": true, "documents.last_modified": true, "documents.line": true, "documents.problem": true,
	"documents.revision": true, "documents.url": true,
	"erasure_key.key": true, "erasures.mark": true, // keyed hashes, which are what remains
	"goose_db_version.tstamp": true,
	"identities.line":         true,
	"line_blobs.line":         true,
	"line_traffic.line":       true,
	"media.blob_key":          true, "media.line": true, "media.owner": true, "media.phone_number_id": true, "media.reason": true, "media.state": true,
	"messages.author": true, "messages.outbox_id": true, "messages.phone_number_id": true, "messages.source": true,
	"messages.status": true, "messages.type": true,
	"orders.id": true, "orders.line": true, "orders.notice": true, "orders.notice_reason": true, "orders.owner": true, "orders.state": true,
	"outbox.author": true, "outbox.blob_key": true, "outbox.day": true, "outbox.id": true, "outbox.line": true, "outbox.media_id": true,
	"outbox.month": true, "outbox.owner": true, "outbox.phone_number_id": true, "outbox.reason": true, "outbox.state": true,
	"outbox.test_key":                  true, // the manager's
	"parked_lines.credential_revision": true, "parked_lines.line": true, "parked_lines.reason": true,
	"quarantine.app": true, "quarantine.path": true, "quarantine.signature": true, "quarantine_usage.app": true,
	"raw_changes.app": true, "raw_changes.digest": true, "raw_changes.field": true, "raw_changes.line": true,
	"raw_changes.phone_number_id": true, "raw_changes.waba_id": true,
	"received.line": true, "received.owner": true,
	"replicas.owner": true,
	"reports.app":    true, "reports.kind": true, "reports.line": true, "reports.payload": true,
	"saved_contacts.line": true,
	"security_events.app": true, "security_events.kind": true, "security_events.line": true,
	"statuses.line": true, "statuses.phone_number_id": true, "statuses.pricing": true, "statuses.status": true,
	"test_messages.key": true, "test_messages.line": true, "test_messages.phone_number_id": true, "test_messages.state": true,
	"tool_calls.id": true, "tool_calls.line": true, "tool_calls.state": true, "tool_calls.tool": true,
	"unclaimed_changes.app": true, "unclaimed_changes.digest": true, "unclaimed_changes.field": true,
	"unclaimed_changes.phone_number_id": true, "unclaimed_changes.waba_id": true,
	"usages.line": true, "usages.period": true,
}

// RunErasure proves that erasing a person reaches every column. A column that is
// new is a failure until its table is erased and the person has something in
// it, or somebody has thought about it and named it in impersonal.
func RunErasure(t *testing.T, open Open, columns Columns) {
	t.Helper()
	w := newWorld(t, open)
	w.plant()
	look := func() map[string][]string {
		w.must(w.store.Close())
		all := columns(t, w.dir)
		w.store = w.open(w.T, w.dir, w.clock)
		return all
	}
	before := look()
	if len(before) < 100 {
		t.Fatalf("only %d columns were found", len(before))
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		switch his := slices.ContainsFunc(before[name], personal); {
		case his && impersonal[name]:
			t.Errorf("%s holds the person's data: it must not be in impersonal", name)
		case !his && !impersonal[name]:
			t.Errorf("%s is new: let plant put something of the person there and Erase remove it, or name it in impersonal", name)
		}
	}
	w.erase(store.Erasure{Line: line, PhoneNumberID: number, Phone: erasedPhone})
	for name, values := range look() {
		for _, value := range values {
			if personal(value) {
				t.Errorf("%s still holds %q", name, value)
			}
		}
	}
}

// personal reports whether a value tells of the person whom plant plants.
func personal(value string) bool {
	for _, mark := range []string{erasedUser, erasedPhone, "private"} {
		if strings.Contains(value, mark) {
			return true
		}
	}
	return false
}

// plant puts the person into everything that can hold him. What he writes has
// the word private in it, and the ids of his messages name him.
func (w *world) plant() {
	w.Helper()
	w.settle(erasedUser, erasedPhone)
	in := func(wamid string) store.InboundMessage {
		m := w.text(wamid+"-"+erasedUser, erasedUser)
		m.From = store.Identity{BSUID: erasedUser, Phone: erasedPhone, Name: "private name", Username: "private.name"}
		m.Text = "private words"
		return m
	}
	photo := in("photo")
	photo.Media = &store.Media{ID: "private-id", MIMEType: "private/type", SHA256: "private digest", Filename: "private.pdf"}
	photo.ContextWAMID = "in-" + erasedUser
	reaction := in("reaction")
	reaction.Type, reaction.TargetWAMID, reaction.ReplyWorthy = "reaction", "in-"+erasedUser, false
	w.ingest(photo, reaction)
	w.deliver(&store.Delivery{App: app, SavedContacts: []store.SavedContact{
		{Line: line, Phone: erasedPhone, Name: "private name", EventTime: w.clock()},
	}, Statuses: []store.Status{{
		Line: line, PhoneNumberID: number, WAMID: "group-" + erasedUser, Kind: store.StatusRead, Participant: erasedPhone,
		EventTime: w.clock(), Raw: naming(erasedPhone),
	}}})
	outcome := answered()
	outcome.Draft = &store.OrderDraftRow{ID: "order", Items: []byte(`["private item"]`), Total: "private total", Note: "private note"}
	outcome.Proposal = &store.ToolProposal{ID: "call", Tool: "tool", Arguments: []byte(`{"to":"private"}`)}
	turn := w.claim()
	outcome.Summary = &store.Summary{Text: "private summary", Through: turn.Unanswered[0].ID}
	w.must(w.store.CommitReply(w.Context(), turn, drafts("private answer"), outcome))
	_, err := w.store.EnqueueTestMessage(w.Context(), store.TestMessage{
		Key: "another test", Line: line, PhoneNumberID: number, To: "+" + erasedPhone,
		Body: "private test", Payload: []byte(`{"text":"private test"}`),
	})
	w.must(err)
}
