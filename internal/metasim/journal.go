package metasim

import (
	"maps"
	"slices"
	"strings"
	"time"
)

const keptEntries = 5_000

// JournalEntry is one Graph call or handshake. Secrets are masked.
type JournalEntry struct {
	Seq      int               `json:"seq"`
	Time     time.Time         `json:"time"`
	Call     string            `json:"call"`
	Method   string            `json:"method"`
	Path     string            `json:"path"`
	ObjectID string            `json:"objectID,omitempty"`
	Params   map[string]string `json:"params,omitempty"`
	Token    string            `json:"token,omitempty"` // first and last characters
	CodeID   string            `json:"codeID,omitempty"`
	Status   int               `json:"status"` // 0 = no answer was written
	Error    int               `json:"error,omitempty"`
	Fault    string            `json:"fault,omitempty"`
	Note     string            `json:"note,omitempty"`
}

// Counters are totals since the start. Calls counts what arrived, Applied what was neither refused for its token or
// rate nor broken before it took effect.
type Counters struct {
	Calls             map[string]int            `json:"calls"`
	Applied           map[string]int            `json:"applied"`
	ByObject          map[string]map[string]int `json:"byObject"`         // call -> number, account, app or line -> calls
	CodeSends         map[string]int            `json:"codeSends"`        // code id -> exchanges that carried it
	RegisterAttempts  map[string]int            `json:"registerAttempts"` // number -> calls
	Sends             map[string]int            `json:"sends"`            // number -> accepted messages
	CreditAllocations int                       `json:"creditAllocations"`
	Webhooks          WebhookCounters           `json:"webhooks"`
}

// WebhookCounters count deliveries and their attempts.
type WebhookCounters struct {
	Queued    int `json:"queued"`
	Attempts  int `json:"attempts"`
	Delivered int `json:"delivered"`
	Abandoned int `json:"abandoned"`
}

func newCounters() Counters {
	return Counters{
		Calls: map[string]int{}, Applied: map[string]int{}, ByObject: map[string]map[string]int{}, CodeSends: map[string]int{},
		RegisterAttempts: map[string]int{}, Sends: map[string]int{},
	}
}

// Counters returns a copy of the totals.
func (s *Simulator) Counters() Counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.count
	c.Calls, c.Applied, c.CodeSends = maps.Clone(c.Calls), maps.Clone(c.Applied), maps.Clone(c.CodeSends)
	c.RegisterAttempts, c.Sends = maps.Clone(c.RegisterAttempts), maps.Clone(c.Sends)
	c.ByObject = map[string]map[string]int{}
	for k, v := range s.count.ByObject {
		c.ByObject[k] = maps.Clone(v)
	}
	return c
}

// countCall requires mu.
func (s *Simulator) countCall(c *call) {
	s.count.Calls[c.name]++
	if c.objectID != "" {
		if s.count.ByObject[c.name] == nil {
			s.count.ByObject[c.name] = map[string]int{}
		}
		s.count.ByObject[c.name][c.objectID]++
	}
	if c.name == "exchange" && c.has("code") {
		s.count.CodeSends[s.codeID(c)]++
	}
}

func (s *Simulator) codeID(c *call) string {
	if cd := s.st.codes[c.str("code")]; cd != nil {
		return cd.id
	}
	return "unknown"
}

// journal holds the last calls and deliveries.
type journal struct {
	entries      []JournalEntry
	seq          int
	deliveries   []*Delivery
	nextDelivery int
}

func (j *journal) add(now time.Time, e JournalEntry) {
	j.seq++
	e.Seq, e.Time = j.seq, now
	j.entries = append(j.entries, e)
	if len(j.entries) > 2*keptEntries { // cut rarely, copy little
		j.entries = slices.Clone(j.entries[len(j.entries)-keptEntries:])
	}
}

func (j *journal) addDelivery(d *Delivery) {
	j.deliveries = append(j.deliveries, d)
	if len(j.deliveries) > 2*keptDeliveries {
		j.deliveries = slices.Clone(j.deliveries[len(j.deliveries)-keptDeliveries:])
	}
}

func (j *journal) delivery(id int) *Delivery {
	for _, d := range slices.Backward(j.deliveries) {
		if d.ID == id {
			return d
		}
	}
	return nil
}

// publicParams may be printed; the values of all others are masked, so that a new secret parameter is masked by default.
var publicParams = []string{
	"fields", "waba_id", "waba_currency", "receiving_business_id", "user", "tasks", "business", "object", "type", "to", "recipient",
	"messaging_product", "status", "limit", "sort", "data_localization_region", "phone_number_id", "sync_type", "client_id", "fetch_only", "code_method",
	"grant_type",
}

const maxParam = 200

// record writes the journal line of a call.
func (s *Simulator) record(c *call, status, code int, note string) {
	e := JournalEntry{
		Call: c.name, Method: c.r.Method, Path: c.path, ObjectID: c.objectID, Status: status, Error: code, Fault: c.fault, Note: note,
		Token: hint(c.bearer()), Params: map[string]string{},
	}
	for name := range c.params {
		v := "***"
		if slices.Contains(publicParams, name) {
			v = c.str(name)
		}
		e.Params[name] = v[:min(len(v), maxParam)]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.name == "exchange" && c.has("code") {
		e.CodeID = s.codeID(c)
	}
	s.journal.add(s.now(), e)
}

// hint shows enough of a token to tell it from others. Of an app token it shows the app alone.
func hint(tok string) string {
	if id, _, ok := strings.Cut(tok, "|"); ok {
		return id + "|***"
	}
	const shown = 4
	if len(tok) < 4*shown {
		return strings.Repeat("*", len(tok))
	}
	return tok[:shown] + "***" + tok[len(tok)-shown:]
}

// Journal returns the kept entries after a sequence number, of one call when it is named, oldest first.
func (s *Simulator) Journal(callName string, after int) []JournalEntry {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []JournalEntry{}
	for _, e := range s.journal.entries {
		if e.Seq > after && (callName == "" || callName == e.Call) {
			out = append(out, e)
		}
	}
	return out
}

// Deliveries returns the kept webhook deliveries with an id above after, oldest first.
func (s *Simulator) Deliveries(after int) []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []Delivery{}
	for _, d := range s.journal.deliveries {
		if d.ID > after {
			out = append(out, *d)
		}
	}
	return out
}
