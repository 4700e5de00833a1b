package metasim

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
)

// The things that can go wrong with a call. "After" actions change the simulator's state and lose the answer.
const (
	ActionResetBefore   = "reset_before"
	ActionResetAfter    = "reset_after_apply"
	ActionTimeoutBefore = "timeout_before_apply" // hang for Latency (an hour when 0), then close
	ActionTimeoutAfter  = "timeout_after_apply"
	ActionHTTPStatus    = "http_status"    // Status with an HTML body
	ActionMalformedJSON = "malformed_json" // 200 with half an object
	ActionHugeBody      = "huge_body"      // 200 with Size bytes of JSON
	ActionGraphError    = "graph_error"    // Error
	ActionLatency       = "latency"        // the normal answer, Latency later
	ActionDrop          = "drop"           // call webhook only: the attempt never arrives
	ActionForge         = "forge"          // call webhook only: the attempt carries a wrong signature
)

var faultActions = []string{
	ActionResetBefore, ActionResetAfter, ActionTimeoutBefore, ActionTimeoutAfter, ActionHTTPStatus, ActionMalformedJSON, ActionHugeBody,
	ActionGraphError, ActionLatency, ActionDrop, ActionForge,
}

const (
	// callWebhook is the logical name of one attempt to deliver a webhook.
	callWebhook = "webhook"

	defaultHang = time.Hour
	defaultHuge = 64 << 20
)

// Fault breaks calls that match. Empty match members match everything.
type Fault struct {
	ID int `json:"id,omitempty"`
	// Call is the logical name, such as exchange, subscribe, register, send. Empty means every Graph call; attempts of
	// webhooks are broken by the name webhook only.
	Call   string `json:"call,omitempty"`
	Method string `json:"method,omitempty"`
	// Path is a shell pattern on the path without version, such as /*/register.
	Path string `json:"path,omitempty"`
	// ObjectID is the number, account, app or allocation in the path.
	ObjectID string `json:"objectID,omitempty"`
	// TokenSuffix is the end of the caller's token.
	TokenSuffix string `json:"tokenSuffix,omitempty"`
	// Skip lets that many matching calls pass first.
	Skip int `json:"skip,omitempty"`
	// Count is how many calls are broken: 0 means one, -1 all.
	Count int `json:"count,omitempty"`
	// Rate breaks only this fraction of the matching calls, at random; 0 means each. Count still bounds them.
	Rate float64 `json:"rate,omitempty"`

	Action string `json:"action"`
	// ApplyFirst changes the state before an answer of http_status, malformed_json, huge_body or graph_error.
	ApplyFirst bool `json:"applyFirst,omitempty"`
	// Latency delays latency and webhook faults, and is how long the timeouts hang.
	Latency Duration    `json:"latency,omitempty"`
	Status  int         `json:"status,omitempty"`
	Size    int         `json:"size,omitempty"`
	Error   *FaultError `json:"error,omitempty"`
	// Hits is how many calls it has broken, counted as they arrive: a call that hangs is in no journal yet. Listed, never read.
	Hits int `json:"hits,omitempty"`
}

// FaultError is a scripted error envelope.
type FaultError struct {
	HTTP    int               `json:"http,omitempty"` // 400 when 0
	Code    int               `json:"code"`
	Subcode int               `json:"subcode,omitempty"`
	Type    string            `json:"type,omitempty"`
	Message string            `json:"message,omitempty"`
	Details string            `json:"details,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	// Transient sets is_transient.
	Transient bool `json:"transient,omitempty"`
}

type activeFault struct {
	Fault
	seen int
}

func (f *Fault) replacesAnswer() bool {
	return slices.Contains([]string{ActionHTTPStatus, ActionMalformedJSON, ActionHugeBody, ActionGraphError}, f.Action)
}

// AddFault scripts a fault and returns its id.
func (s *Simulator) AddFault(f Fault) (int, error) {
	if !slices.Contains(faultActions, f.Action) {
		return 0, fmt.Errorf("metasim: fault action must be one of %s", strings.Join(faultActions, ", "))
	}
	if f.Action == ActionGraphError && f.Error == nil {
		return 0, fmt.Errorf("metasim: the action graph_error needs error")
	}
	if f.Rate < 0 || f.Rate > 1 {
		return 0, fmt.Errorf("metasim: fault rate must be between 0 and 1")
	}
	if _, err := path.Match(f.Path, "/"); err != nil {
		return 0, fmt.Errorf("metasim: fault path: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faultID++
	f.ID, f.Hits = s.faultID, 0
	s.faults = append(s.faults, &activeFault{Fault: f})
	return f.ID, nil
}

// ClearFaults removes one fault, or all when id is 0.
func (s *Simulator) ClearFaults(id int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = slices.DeleteFunc(s.faults, func(f *activeFault) bool { return id == 0 || f.ID == id })
}

// Faults lists what is scripted.
func (s *Simulator) Faults() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []Fault{}
	for _, f := range s.faults {
		out = append(out, f.Fault)
	}
	return out
}

// pickFault returns the first scripted fault for a call and uses it up. Requires mu.
func (s *Simulator) pickFault(c *call) *Fault {
	for _, f := range s.faults {
		if !f.matches(c) {
			continue
		}
		f.seen++
		if f.seen <= f.Skip || (f.Count >= 0 && f.Hits >= max(1, f.Count)) || (f.Rate > 0 && s.rng.Float64() >= f.Rate) {
			continue
		}
		f.Hits++
		c.fault = f.Action
		return &f.Fault
	}
	return nil
}

func (f *Fault) matches(c *call) bool {
	if f.Call != c.name && (f.Call != "" || c.name == callWebhook) {
		return false
	}
	if f.Method != "" && !strings.EqualFold(f.Method, c.method) {
		return false
	}
	if f.ObjectID != "" && f.ObjectID != c.objectID {
		return false
	}
	if f.Path != "" {
		if ok, err := path.Match(f.Path, "/"+strings.Join(c.segments, "/")); err != nil || !ok {
			return false
		}
	}
	return f.TokenSuffix == "" || strings.HasSuffix(c.bearer(), f.TokenSuffix)
}

func (c *call) bearer() string {
	if c.r == nil {
		return ""
	}
	if _, t, ok := strings.Cut(c.r.Header.Get("Authorization"), " "); ok {
		return t
	}
	return c.str("access_token")
}

// faultBefore plays what happens before the call is applied; false means that the call is over.
func (s *Simulator) faultBefore(ctx context.Context, w http.ResponseWriter, c *call, f *Fault) bool {
	switch f.Action {
	case ActionResetBefore:
		s.record(c, 0, 0, "connection reset before apply")
		reset(w)
		return false
	case ActionTimeoutBefore:
		s.record(c, 0, 0, "timeout before apply")
		s.hang(ctx, f.hangFor())
		reset(w)
		return false
	case ActionLatency:
		s.hang(ctx, time.Duration(f.Latency))
	}
	return true
}

// faultAfter plays what happens once the call is applied; true means that its answer is lost or replaced.
func (s *Simulator) faultAfter(ctx context.Context, w http.ResponseWriter, c *call, f *Fault) bool {
	switch {
	case f.Action == ActionResetAfter:
		s.record(c, 0, 0, "connection reset after apply")
		reset(w)
	case f.Action == ActionTimeoutAfter:
		s.record(c, 0, 0, "timeout after apply")
		s.hang(ctx, f.hangFor())
		reset(w)
	case f.replacesAnswer():
		s.writeFault(w, c, f)
	default:
		return false
	}
	return true
}

func (f *Fault) hangFor() time.Duration {
	if f.Latency > 0 {
		return time.Duration(f.Latency)
	}
	return defaultHang
}

func (s *Simulator) writeFault(w http.ResponseWriter, c *call, f *Fault) {
	switch f.Action {
	case ActionGraphError:
		s.writeGraph(w, c, answer{err: f.Error.graphError()})
	case ActionHTTPStatus:
		status := f.Status
		if status == 0 {
			status = http.StatusInternalServerError
		}
		s.record(c, status, 0, "scripted status")
		writeRaw(w, rawBody{status: status, contentType: "text/html", data: []byte("<!DOCTYPE html><html><body><h1>Sorry, something went wrong.</h1></body></html>")})
	case ActionMalformedJSON:
		s.record(c, http.StatusOK, 0, "scripted malformed answer")
		writeRaw(w, rawBody{status: http.StatusOK, contentType: "application/json", data: []byte(`{"access_token":"EAA`)})
	case ActionHugeBody:
		size := f.Size
		if size <= 0 {
			size = defaultHuge
		}
		s.record(c, http.StatusOK, 0, "scripted huge answer")
		writeHuge(w, size)
	}
}

func writeHuge(w http.ResponseWriter, size int) {
	w.Header().Set("Content-Type", "application/json")
	if _, err := w.Write([]byte(`{"data":"`)); err != nil {
		return
	}
	chunk := []byte(strings.Repeat("x", 64*kib))
	for size > 0 {
		n := min(size, len(chunk))
		if _, err := w.Write(chunk[:n]); err != nil {
			return // the client had enough, which is what the fault is for
		}
		size -= n
	}
	_, _ = w.Write([]byte(`"}`))
}

func (e *FaultError) graphError() *graphError {
	out := &graphError{http: e.HTTP, code: e.Code, subcode: e.Subcode, kind: e.Type, message: e.Message, details: e.Details, transient: e.Transient, header: http.Header{}}
	if out.http == 0 {
		out.http = http.StatusBadRequest
	}
	if out.message == "" {
		out.message = "Scripted error"
	}
	for k, v := range e.Headers {
		out.header.Set(k, v)
	}
	return out
}

// hang withholds the answer until d has passed, the client has left or the simulator closes.
func (s *Simulator) hang(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	case <-s.ctx.Done():
	}
}

// reset ends the connection with RST, so that the client sees neither an answer nor an orderly end.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2 or a recorder: net/http's own way to drop a client
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // best effort; an orderly close is a lost answer too
	}
	closeBody(conn)
}
