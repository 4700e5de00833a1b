package ingress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta/webhook"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// mistaken is a store that panics with what it is given.
type mistaken struct{ Store }

func (mistaken) Ingest(_ context.Context, d *store.Delivery) (store.Receipt, error) {
	panic(d.Messages[0].Text)
}

// TestAPanicIsTold: it ends one request, is counted and logged with its place, and the log quotes nothing.
func TestAPanicIsTold(t *testing.T) {
	w := newWorld(t, everything(), func(s Store) Store { return mistaken{s} })
	if status, answer := w.post(secretA, body(entry("301", messages("201", text("1", "49151", "a-word-of-hers"))))); status != 503 || answer != "" {
		t.Errorf("answered %d %q", status, answer)
	}
	if got := w.counted(); got["posts panicked"] != 1 || len(got) != 1 {
		t.Errorf("counted %v", got)
	}
	if logs := w.logs.String(); !strings.Contains(logs, "mistaken.Ingest") || strings.Contains(logs, "a-word-of-hers") || strings.Contains(logs, "wamid") {
		t.Errorf("the log tells: %s", logs)
	}
	if !w.handler.budget.free.TryAcquire(MaxInFlight) {
		t.Error("its memory is not given back")
	}
}

// brokenStore fails while told to.
type brokenStore struct {
	Store
	fails atomic.Pointer[error]
}

func (b *brokenStore) failure() error {
	if p := b.fails.Load(); p != nil {
		return *p
	}
	return nil
}

func (b *brokenStore) Ingest(ctx context.Context, d *store.Delivery) (store.Receipt, error) {
	if err := b.failure(); err != nil {
		return store.Receipt{}, err
	}
	return b.Store.Ingest(ctx, d)
}

func (b *brokenStore) Quarantine(ctx context.Context, e *store.QuarantineEntry) error {
	if err := b.failure(); err != nil {
		return err
	}
	return b.Store.Quarantine(ctx, e)
}

func TestStoreThatFails(t *testing.T) {
	broken := &brokenStore{}
	w := newWorld(t, everything(), func(s Store) Store { broken.Store = s; return broken })
	genuine := body(entry("301", messages("201", text("1", "49151", "x"))))
	for _, err := range []error{store.ErrUnavailable, store.ErrBusy, store.ErrQuarantineFull, errors.New("anything else")} {
		broken.fails.Store(&err)
		for _, secret := range []string{secretA, nobodys} {
			if status, answer := w.post(secret, genuine); status != 503 || answer != "" {
				t.Errorf("%v: answered %d %q, want 503: what is not durable must come again", err, status, answer)
			}
		}
	}
	broken.fails.Store(nil)
	if status, _ := w.post(secretA, genuine); status != 200 || len(w.texts("line-p")) != 1 {
		t.Errorf("after the store has come back: %d, %v", status, w.texts("line-p"))
	}
}

// pickyStore refuses messages as invalid.
type pickyStore struct{ Store }

func (p pickyStore) Ingest(ctx context.Context, d *store.Delivery) (store.Receipt, error) {
	if len(d.Messages) > 0 {
		return store.Receipt{}, store.ErrInvalid
	}
	return p.Store.Ingest(ctx, d)
}

func TestWhatTheStoreNeverTakesIsKeptForAPerson(t *testing.T) {
	w := newWorld(t, everything(), func(s Store) Store { return pickyStore{s} })
	if status, _ := w.post(secretA, body(entry("301", messages("201", text("1", "49151", "x"))))); status != 200 {
		t.Errorf("answered %d: Meta would deliver it for days", status)
	}
	if got := w.contents(); got != (contents{DeadLetters: 1}) {
		t.Errorf("kept: %+v", got)
	}
}

func TestReceivedMessagesAreCountedByNumber(t *testing.T) {
	w := newWorld(t, everything(), nil)
	counts := map[string]int{}
	w.handler.received = func(phone string, n int) { counts[phone] += n }
	b := body(entry("301", messages("201", text("1", "49151", "x"), text("2", "49152", "y"))), entry("302", messages("202", text("3", "49151", "z"))))
	if status, _ := w.post(secretA, b); status != 200 || counts["201"] != 2 || counts["202"] != 1 || len(counts) != 2 {
		t.Errorf("answered %d, counted %v", status, counts)
	}
}

func TestQuarantineFloodIsLimited(t *testing.T) {
	w := newWorld(t, everything(), nil)
	frozen := time.Now()
	w.handler.now = func() time.Time { return frozen }
	refused := 0
	for i := range quarantineBurst + 20 {
		status, _ := w.post(nobodys, body(entry("301", messages("201", text(fmt.Sprint(i), "49151", "flood")))))
		if status == 503 {
			refused++
		}
	}
	if kept := len(w.quarantined(appA.AppID)); refused != 20 || kept != quarantineBurst {
		t.Errorf("%d refused and %d kept, want 20 and %d", refused, kept, quarantineBurst)
	}
	if status, _ := w.post(secretA, body(entry("302", messages("202", text("g", "49151", "genuine"))))); status != 200 {
		t.Errorf("a flood of forgeries pushed out a genuine webhook: %d", status)
	}
}

func TestBodyLimit(t *testing.T) {
	w := newWorld(t, everything(), nil)
	// Meta's largest: 3 MB. Padding inside a text keeps it one message.
	padded := func(size int) string {
		b := body(entry("301", messages("201", text("1", "49151", "x"))))
		return b + strings.Repeat(" ", size-len(b))
	}
	if status, _ := w.post(secretA, padded(3<<20)); status != 200 || len(w.texts("line-p")) != 1 {
		t.Errorf("3 MB: answered %d", status)
	}
	if status, answer := w.post(secretA, padded(MaxBody+1)); status != 413 || answer != "" {
		t.Errorf("one byte more than read: answered %d %q, want 413", status, answer)
	}
	// Without a Content-Length the end is found by reading.
	long := padded(MaxBody + 1)
	status, _ := w.send(http.MethodPost, io.MultiReader(strings.NewReader(long)), map[string]string{
		"Content-Type": "application/json", webhook.SignatureHeader: webhook.Sign([]byte(secretA), []byte(long)),
	})
	if status != 413 {
		t.Errorf("chunked: answered %d, want 413", status)
	}
}

func TestBudget(t *testing.T) {
	b := newBudget(96 << 10)
	body, done, err := b.read(strings.NewReader(strings.Repeat("x", 50_000)), -1)
	if err != nil || len(body) != 50_000 {
		t.Fatalf("read %d bytes, %v", len(body), err)
	}
	if _, again, err := b.read(strings.NewReader(strings.Repeat("y", 50_000)), -1); !errors.Is(err, errOverloaded) {
		t.Errorf("a second one is too much: got %v", err)
	} else {
		again()
	}
	done()
	// A small declared size takes little, a huge claim no more than the first step.
	_, small, err := b.read(strings.NewReader("y"), 1)
	if err != nil {
		t.Errorf("after the release: %v", err)
	}
	defer small()
	if _, none, err := b.read(strings.NewReader("y"), MaxBody+1); !errors.Is(err, errTooLarge) {
		t.Errorf("a claim beyond the limit: got %v", err)
	} else {
		none()
	}
	if _, failed, err := b.read(io.MultiReader(strings.NewReader("y"), broken{}), -1); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a reader that fails: got %v", err)
	} else {
		failed()
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestSlowClients shows that clients who drip their bodies cost the others nothing, and that one who gives up leaves nothing.
func TestSlowClients(t *testing.T) {
	w := newWorld(t, everything(), nil)
	host := strings.TrimSuffix(strings.TrimPrefix(w.url, "http://"), Path)
	var slow []net.Conn
	for range 200 {
		c, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		slow = append(slow, c)
		if _, err := fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n{", Path, MaxBody-1); err != nil {
			t.Fatal(err)
		}
	}
	// 200 bodies of 3 MB are claimed, ten times of what may be in flight.
	for i := range 20 {
		if status, _ := w.post(secretA, body(entry("301", messages("201", text(fmt.Sprint(i), "49151", "x"))))); status != 200 {
			t.Fatalf("beside slow clients: answered %d", status)
		}
	}
	for _, c := range slow {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if got := w.contents(); got != (contents{}) || len(w.texts("line-p")) != 20 {
		t.Errorf("slow clients left %+v", got)
	}
	w.eventually("all memory is given back", func() bool {
		ok := w.handler.budget.free.TryAcquire(MaxInFlight)
		if ok {
			w.handler.budget.free.Release(MaxInFlight)
		}
		return ok
	})
}
