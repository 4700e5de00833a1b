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
type subject struct{ line, app string }

// observer gathers what the manager is told, so that a flood of forgeries causes no flood of writes. What a crash loses of it is
// counted too low, or comes again with the next hour's webhook.
type observer struct {
	mu      sync.Mutex
	counts  map[event]int
	pending []store.Report
	// told are the hours in which deliveries were last reported; as many as there are lines and apps.
	told map[subject]time.Time
	// shakes are when handshakes were last reported, again those who have shaken hands since.
	shakes map[subject]time.Time
	again  map[subject]bool
	// mismatch is the minute in which a refused handshake was last reported.
	mismatch time.Time
}

func newObserver() *observer {
	return &observer{counts: map[event]int{}, told: map[subject]time.Time{}, shakes: map[subject]time.Time{}, again: map[subject]bool{}}
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
		o.delivered(subject{line: c.LineID, app: c.AppID}, now)
	}
	if len(channels) == 0 && app != "" {
		o.delivered(subject{app: app}, now)
	}
}

// shaken notes a handshake. The first is told at once, since somebody waits for it; those that follow it closely, together.
func (o *observer) shaken(with runtimeconfig.Handshaker, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var s subject
	if with.App != nil {
		s.app = with.App.AppID
	} else {
		s.line, s.app = with.Channel.LineID, with.Channel.AppID
	}
	o.again[s] = true
	o.handshakes(now)
}

// handshakes adds the reports of handshakes that may be told now. The lock is held.
func (o *observer) handshakes(now time.Time) {
	for s := range o.again {
		if now.Sub(o.shakes[s]) >= handshakeReportEvery {
			delete(o.again, s)
			o.shakes[s] = now
			o.proven(s, serverapi.Handshake)
		}
	}
}

// delivered adds a report, at most one an hour for each subject. The lock is held.
func (o *observer) delivered(s subject, now time.Time) {
	if hour := now.Truncate(time.Hour); !o.told[s].Equal(hour) {
		o.told[s] = hour
		o.proven(s, serverapi.Delivery)
	}
}

func (o *observer) proven(s subject, by serverapi.Proof) {
	o.add(newReport(serverapi.KindWebhookVerified, s.line, s.app, serverapi.Webhook{Proof: by}))
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
func (o *observer) flush(ctx context.Context, to store.Reports, now time.Time) error {
	o.mu.Lock()
	o.handshakes(now)
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
