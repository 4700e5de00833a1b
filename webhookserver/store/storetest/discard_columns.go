package storetest

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// keptWords are the columns that may hold what a customer wrote after all, and why.
var keptWords = map[string]string{
	"dead_letters.raw":      "could not be processed: it is for a person to look at",
	"quarantine.body":       "nobody has verified it yet",
	"unclaimed_changes.raw": "no channel has the number yet",
	"orders.items":          "a confirmed order is the business's",
	"orders.note":           "a confirmed order is the business's",
	"orders.total":          "a confirmed order is the business's",
	"test_messages.body":    "the operator's words",
	"test_messages.payload": "the operator's words",
}

// RunDiscard proves that discarding reaches every column. A column that is new
// is a failure if it holds what somebody wrote and Discard leaves it there.
func RunDiscard(t *testing.T, open Open, columns Columns) {
	t.Helper()
	w := newWorld(t, open)
	w.say()
	look := func() (found []string) {
		w.must(w.store.Close())
		all := columns(t, w.dir)
		w.store = w.open(w.T, w.dir, w.clock)
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if slices.ContainsFunc(all[name], func(v string) bool { return strings.Contains(v, "private") }) {
				found = append(found, name)
			}
		}
		return found
	}
	before := look()
	for _, name := range []string{
		"conversations.summary", "media.filename", "media.media_id", "media.mime_type", "media.sha256", "messages.raw", "messages.text",
		"orders.items", "orders.note", "raw_changes.raw", "tool_calls.arguments",
	} {
		if !slices.Contains(before, name) {
			t.Errorf("%s holds nothing of what was said: let say put something there", name)
		}
	}
	w.discard(line)
	w.advance(store.DecideWithin + 1)
	w.discard(line)
	for _, name := range look() {
		if keptWords[name] == "" {
			t.Errorf("%s still holds what was said", name)
		}
	}
}

// say has a conversation that puts its words, each private, into whatever holds words.
func (w *world) say() {
	w.Helper()
	in := w.text("in", "US.1")
	in.Text, in.Raw = "private words", []byte(`{"body":"private"}`)
	in.Media = &store.Media{ID: "private-id", MIMEType: "private/type", SHA256: "private digest", Filename: "private.pdf"}
	edit := w.about("edit", "edit", "in", "private edit")
	edit.Raw = []byte(`{"body":"private"}`)
	w.deliver(&store.Delivery{
		App: app, Messages: []store.InboundMessage{in, edit},
		Raw:         []store.RawChange{{App: app, Line: line, PhoneNumberID: number, Field: "unheard_of", Raw: []byte(`{"body":"private"}`)}},
		Unclaimed:   []store.UnclaimedChange{{App: app, PhoneNumberID: number, Field: "messages", Raw: []byte(`{"body":"private"}`)}},
		DeadLetters: []store.DeadLetter{{App: app, Line: line, Kind: "message", Reason: "odd", Raw: []byte(`{"body":"private"}`)}},
	})
	w.quarantine([]byte(`{"body":"private"}`))
	turn := w.claim()
	outcome := answered()
	outcome.Summary = &store.Summary{Text: "private summary", Through: turn.Unanswered[0].ID}
	outcome.Draft = &store.OrderDraftRow{ID: "confirmed", Items: []byte(`["private item"]`), Total: "private total", Note: "private note"}
	outcome.Proposal = &store.ToolProposal{ID: "call", Tool: "tool", Arguments: []byte(`{"to":"private"}`)}
	w.must(w.store.CommitReply(w.Context(), turn, drafts("private answer"), outcome))
	outcome = answered()
	outcome.Decision = &store.OrderDecision{ID: "confirmed", State: store.OrderConfirmed}
	outcome.Draft = &store.OrderDraftRow{ID: "draft", Items: []byte(`["private item"]`), Total: "private total", Note: "private note"}
	w.must(w.store.CommitReply(w.Context(), w.asks("in2", "US.1"), drafts("private answer"), outcome))
	w.accept("out1")
	w.advance(store.PairInterval)
	w.accept("out2")
	w.must(w.store.ParkLine(w.Context(), "line-c", "reason", "1"))
}
