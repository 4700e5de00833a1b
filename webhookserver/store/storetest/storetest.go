package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// Open opens the store that lies in dir, creating it if it is not there yet.
// The store must use the clock for everything. Opening the same dir again after
// Close gives the same rows.
type Open func(t *testing.T, dir string, clock func() time.Time) store.Store

// Run proves that the stores that open returns keep the contract.
func Run(t *testing.T, open Open) {
	t.Helper()
	for _, group := range []struct {
		name  string
		cases map[string]func(*world)
	}{
		{"Ingest", ingestCases},
		{"Identity", identityCases},
		{"Owner", ownerCases},
		{"Inbound", inboundCases},
		{"Files", fileCases},
		{"Turns", turnCases},
		{"Claims", claimCases},
		{"Outbox", outboxCases},
		{"Statuses", statusCases},
		{"TestMessages", testMessageCases},
		{"Replicas", replicaCases},
		{"Erasure", eraseCases},
		{"HandOff", handOffCases},
		{"Usages", usageCases},
		{"Orders", orderCases},
		{"ToolCalls", toolCallCases},
		{"Reports", reportCases},
		{"Documents", documentCases},
		{"Retention", retentionCases},
		{"Discard", discardCases},
	} {
		t.Run(group.name, func(t *testing.T) {
			for name, run := range group.cases {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					run(newWorld(t, open))
				})
			}
		})
	}
}

// The identities that most cases use.
const (
	line   = "line-a"
	number = "15550000001"
	app    = "app-a"
)

// world is a store and what a case needs to drive it.
type world struct {
	*testing.T
	open  Open
	dir   string
	store store.Store

	mu  sync.Mutex
	now time.Time
	// asked, if set, is called when the store asks for the time.
	asked func()
}

func newWorld(t *testing.T, open Open) *world {
	t.Helper()
	// Half a minute past the hour: neither the hour nor the minute changes by
	// accident in a case.
	w := &world{T: t, open: open, dir: t.TempDir(), now: time.Date(2026, 3, 1, 12, 0, 5, 0, time.UTC)}
	w.store = open(t, w.dir, w.clock)
	t.Cleanup(func() {
		if err := w.store.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.asked != nil {
		w.asked()
	}
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// reopen closes the store and opens it again, as a new process would.
func (w *world) reopen() {
	w.Helper()
	w.must(w.store.Close())
	w.store = w.open(w.T, w.dir, w.clock)
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) wantErr(got, want error, reason string) {
	w.Helper()
	if !errors.Is(got, want) {
		w.Errorf("%s: error %v, want %v", reason, got, want)
	}
}

func (w *world) equal(want, got any, reason string) {
	w.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		w.Errorf("%s: -want +got:\n%s", reason, diff)
	}
}

// text is a reply-worthy text message of a customer, written now.
func (w *world) text(wamid, bsuid string) store.InboundMessage {
	return store.InboundMessage{
		Line: line, PhoneNumberID: number, WAMID: wamid, From: store.Identity{BSUID: bsuid},
		Source: store.SourceMessages, Type: "text", Text: "text of " + wamid, EventTime: w.clock(),
		ReplyWorthy: true, OpensWindow: true, Raw: []byte(`{"id":"` + wamid + `"}`),
	}
}

func (w *world) ingest(messages ...store.InboundMessage) store.Receipt {
	w.Helper()
	return w.deliver(&store.Delivery{App: app, Messages: messages})
}

func (w *world) deliver(d *store.Delivery) store.Receipt {
	w.Helper()
	r, err := w.store.Ingest(w.Context(), d)
	w.must(err)
	return r
}

func (w *world) status(wamid string, kind store.StatusKind) store.Receipt {
	w.Helper()
	return w.deliver(&store.Delivery{App: app, Statuses: []store.Status{{
		Line: line, PhoneNumberID: number, WAMID: wamid, Kind: kind, EventTime: w.clock(), Raw: []byte(`{}`),
	}}})
}

// conversations returns all of a line.
func (w *world) conversations(line string) []store.Conversation {
	w.Helper()
	c, err := w.store.Conversations(w.Context(), line, 0, 1000)
	w.must(err)
	return c
}

// conversation returns the only one of the usual line.
func (w *world) conversation() store.Conversation {
	w.Helper()
	c := w.conversations(line)
	if len(c) != 1 {
		w.Fatalf("%d conversations, want 1", len(c))
	}
	return c[0]
}

// texts returns the texts of all messages of a conversation, oldest first.
func (w *world) texts(c store.Conversation) []string {
	w.Helper()
	return textsOf(w.messages(c))
}

func (w *world) messages(c store.Conversation) []store.Message {
	w.Helper()
	m, err := w.store.Messages(w.Context(), c.Line, c.ID, 0, 1000)
	w.must(err)
	return m
}

func textsOf(messages []store.Message) []string {
	out := make([]string, 0, len(messages))
	for i := range messages {
		out = append(out, messages[i].Text)
	}
	return out
}

func (w *world) deadLetters() []store.DeadLetter {
	w.Helper()
	l, err := w.store.DeadLetters(w.Context(), 0, 1000)
	w.must(err)
	return l
}

func claimRequest() store.ClaimRequest {
	return store.ClaimRequest{Owner: "worker", Lease: time.Minute, PerLineLimit: 10, History: 20}
}

// claim waits out the debounce and claims what is due.
func (w *world) claim() *store.Turn {
	w.Helper()
	w.advance(store.ReplyDebounce)
	turn, err := One(w.store.ClaimConversations(w.Context(), claimRequest()))
	w.must(err)
	return turn
}

// One is the result of a claim whose limit is one.
func One[T any](claimed []*T, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	return claimed[0], nil
}

func drafts(texts ...string) []store.OutboxDraft {
	out := make([]store.OutboxDraft, 0, len(texts))
	for _, text := range texts {
		out = append(out, store.OutboxDraft{Type: "text", Text: text, Payload: []byte(fmt.Sprintf(`{"body":%q}`, text))})
	}
	return out
}

func answered() store.Outcome { return store.Outcome{Kind: store.OutcomeAnswered} }

// reply answers the customer's message wamid with the texts.
func (w *world) reply(wamid, bsuid string, texts ...string) {
	w.Helper()
	w.ingest(w.text(wamid, bsuid))
	w.must(w.store.CommitReply(w.Context(), w.claim(), drafts(texts...), answered()))
}

func sendRequest() store.ClaimSendRequest {
	return store.ClaimSendRequest{Owner: "sender", Lease: time.Minute, PerLineLimit: 10}
}

func (w *world) claimSend() *store.Send {
	w.Helper()
	s, err := One(w.store.ClaimSends(w.Context(), sendRequest()))
	w.must(err)
	return s
}

func (w *world) nothingToSend(reason string) {
	w.Helper()
	s, err := One(w.store.ClaimSends(w.Context(), sendRequest()))
	if s != nil {
		w.Errorf("%s: claimed %s", reason, s.Payload)
	}
	w.wantErr(err, store.ErrNothingDue, reason)
}

// row returns the only outbox row of the usual line, or the nth.
func (w *world) row(n int) store.OutboxRow {
	w.Helper()
	rows, err := w.store.OutboxRows(w.Context(), line, 0, 1000)
	w.must(err)
	if len(rows) <= n {
		w.Fatalf("%d outbox rows, want more than %d", len(rows), n)
	}
	return rows[n]
}

// wantState checks the state of the first row.
func (w *world) wantState(want store.SendState, reason string) {
	w.Helper()
	w.equal(want, w.row(0).State, reason)
}
