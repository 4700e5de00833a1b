package ingress

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// maxPending bounds the reports that wait for a store that is away. They are hints; the oldest are worth most.
const maxPending = 10_000

// subject is what a proof is about.
type subject struct {
	line, app string
	proof     serverapi.Proof
}

// observer gathers what the manager is told, so that a flood of forgeries causes no flood of writes. What a crash loses of it is
// counted too low, or comes again with the next hour's webhook.
type observer struct {
	mu      sync.Mutex
	counts  map[event]int
	pending []store.Report
	// told are the hours in which proofs were last reported; as many as there are lines and apps.
	told map[subject]time.Time
	// mismatch is the minute in which a refused handshake was last reported.
	mismatch time.Time
}

func newObserver() *observer {
	return &observer{counts: map[event]int{}, told: map[subject]time.Time{}}
}

// untrusted counts security events.
func (o *observer) untrusted(events []event) {
	if len(events) == 0 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range events {
		o.counts[e]++
	}
}

// genuine notes that Meta delivered for these channels, or for an app none of whose channels it was.
func (o *observer) genuine(channels []*runtimeconfig.Channel, app string, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range channels {
		o.proven(subject{line: c.LineID, app: c.AppID, proof: serverapi.Delivery}, now)
	}
	if len(channels) == 0 && app != "" {
		o.proven(subject{app: app, proof: serverapi.Delivery}, now)
	}
}

// shaken notes a handshake.
func (o *observer) shaken(with runtimeconfig.Handshaker, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := subject{proof: serverapi.Handshake}
	if with.App != nil {
		s.app = with.App.AppID
	} else {
		s.line, s.app = with.Channel.LineID, with.Channel.AppID
	}
	delete(o.told, s) // somebody waits for this one
	o.proven(s, now)
}

// proven adds a report, at most one an hour for each subject.
func (o *observer) proven(s subject, now time.Time) {
	hour := now.Truncate(time.Hour)
	if o.told[s].Equal(hour) {
		return
	}
	o.told[s] = hour
	o.add(newReport(serverapi.KindWebhookVerified, s.line, s.app, serverapi.Webhook{Proof: s.proof}))
}

// mismatched notes a refused handshake, at most one a minute.
func (o *observer) mismatched(now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	minute := now.Truncate(time.Minute)
	if o.mismatch.Equal(minute) {
		return
	}
	o.mismatch = minute
	o.add(newReport(serverapi.KindVerifyTokenMismatch, "", "", nil))
}

func (o *observer) add(r *store.Report) {
	if len(o.pending) < maxPending {
		o.pending = append(o.pending, *r)
	}
}

// flush writes what was gathered. What the store does not take is kept for the next time.
func (o *observer) flush(ctx context.Context, to store.Reports) error {
	o.mu.Lock()
	counts, pending := o.counts, o.pending
	o.counts, o.pending = map[event]int{}, nil
	o.mu.Unlock()
	var failed error
	for len(pending) > 0 {
		failed = to.AppendReport(ctx, pending[0])
		if errors.Is(failed, store.ErrInvalid) {
			failed = nil // it never will be stored, and must not block the others
		}
		if failed != nil {
			break
		}
		pending = pending[1:]
	}
	for e, n := range counts {
		if failed != nil {
			break
		}
		failed = to.RecordSecurityEvent(ctx, store.SecurityEvent{Kind: string(e.reason), Line: e.line, App: e.app, Count: n})
		if failed == nil {
			delete(counts, e)
		}
	}
	if failed == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pending = append(pending, o.pending...)
	for e, n := range counts {
		o.counts[e] += n
	}
	return failed
}

// newReport makes a row for the manager; detail may be nil.
func newReport(kind serverapi.Kind, line, app string, detail any) *store.Report {
	r := &store.Report{Kind: store.ReportKind(kind), Line: line, App: app, Payload: []byte("{}")}
	if detail == nil {
		return r
	}
	if payload, err := json.Marshal(detail); err == nil { // details are structs of text
		r.Payload = payload
	}
	return r
}
