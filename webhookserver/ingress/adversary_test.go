package ingress

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
)

// A tenant knows his own verify token, and can shake hands as fast as he likes.
func TestHandshakesDontFloodTheReports(t *testing.T) {
	w := newWorld(t, everything(), nil)
	now := time.Date(2026, 11, 1, 10, 0, 5, 0, time.UTC)
	w.handler.now = func() time.Time { return now }
	shake := func(times int) {
		t.Helper()
		for range times {
			if status, _, _ := w.shake(handshakeQuery("subscribe", "pv_direct_d", "1")); status != 200 {
				t.Fatalf("answered %d", status)
			}
		}
		if err := w.handler.observer.flush(t.Context(), w.store, now); err != nil {
			t.Fatal(err)
		}
	}
	told := func(want int, reason string) {
		t.Helper()
		if got := len(w.reports(serverapi.KindWebhookVerified)); got != want {
			t.Errorf("%s: %d reports, want %d", reason, got, want)
		}
	}
	shake(50)
	told(1, "the first is told at once")
	shake(50)
	told(1, "the others wait")
	now = now.Add(time.Minute)
	shake(0)
	told(2, "until the minute is over, together")
	now = now.Add(time.Minute)
	shake(0)
	told(2, "and once")
}

// A tenant may choose another's verify token, which he has guessed or read in the same example. It must not cost the other his handshake.
func TestTheSameVerifyTokenOfTwoTenants(t *testing.T) {
	other := channelD
	other.Namespace, other.Name, other.LineID, other.PhoneNumberID, other.WABAID, other.AppID = "m", "m", "line-m", "209", "309", "1010"
	w := newWorld(t, append(everything(), &other), nil)
	lines := func() map[string]bool {
		t.Helper()
		if err := w.handler.observer.flush(t.Context(), w.store, time.Now()); err != nil {
			t.Fatal(err)
		}
		told := map[string]bool{}
		for _, r := range w.reports(serverapi.KindWebhookVerified) {
			told[r.Line] = true
		}
		return told
	}
	for _, path := range []string{ChannelPath + "204", AppPath + "1009"} {
		w.at(path)
		if status, _, _ := w.shake(handshakeQuery("subscribe", "pv_direct_d", "1")); status != 200 {
			t.Errorf("on %s: answered %d", path, status)
		}
		if got := lines(); !got["line-d"] || got["line-m"] {
			t.Errorf("on %s: told of %v, want its own line", path, got)
		}
	}
	w.at(Path)
	if status, _, _ := w.shake(handshakeQuery("subscribe", "pv_direct_d", "1")); status != 200 {
		t.Errorf("answered %d", status)
	}
	if got := lines(); !got["line-d"] || !got["line-m"] {
		t.Errorf("on the shared path it can't be told whose it is, got %v", got)
	}
	w.at(ChannelPath + "201")
	if status, _, _ := w.shake(handshakeQuery("subscribe", "pv_direct_d", "1")); status != 403 {
		t.Errorf("on the path of neither: answered %d", status)
	}
}

// Whoever signs with his own app can announce account events as fast as he likes; the manager reads all reports in order.
func TestAccountEventsOfADirectAppDontFloodTheReports(t *testing.T) {
	w := newWorld(t, everything(), nil)
	frozen := time.Now()
	w.handler.now = func() time.Time { return frozen }
	flood := func(secret, waba string, n int) {
		t.Helper()
		var changes []string
		for i := range n {
			changes = append(changes, fmt.Sprintf(`{"field":"account_update","value":{"event":"ACCOUNT_DELETED","n":%d}}`, i))
		}
		if status, _ := w.post(secret, body(entry(waba, changes...))); status != 200 {
			t.Fatalf("answered %d", status)
		}
	}
	flood(secretD, "304", 3*accountReportBurst)
	if got, raw := len(w.reports(serverapi.KindAccountEvent)), w.contents().Raw; got != accountReportBurst || raw != 3*accountReportBurst {
		t.Errorf("%d reports of %d stored changes, want %d", got, raw, accountReportBurst)
	}
	flood(secretA, "301", 2*accountReportBurst)
	if got := len(w.reports(serverapi.KindAccountEvent)); got != 3*accountReportBurst {
		t.Errorf("what Meta itself announces for a MetaApp is told in full, got %d reports", got-accountReportBurst)
	}
}

func TestADirectAppSpeaksForItsOwnAccountsOnly(t *testing.T) {
	w := newWorld(t, everything(), nil)
	// 999 is nobody's yet: perhaps a customer who is being onboarded.
	b := body(entry("304", `{"field":"account_update","value":{"event":"ACCOUNT_DELETED","waba_info":{"waba_id":"999"}}}`))
	if status, _ := w.post(secretD, b); status != 200 {
		t.Fatalf("answered %d", status)
	}
	for _, r := range w.reports(serverapi.KindAccountEvent) {
		if strings.Contains(string(r.Payload), "999") {
			t.Errorf("told the manager of a stranger's account: %s", r.Payload)
		}
	}
}

// half is a channel that the server can't read, as of a newer manager.
type half struct{ runtimeconfig.Channel }

func (h *half) Object() (runtimeconfig.Object, error) {
	o, err := h.Channel.Object()
	o.Data[runtimeconfig.KeySettings] = []byte(strings.Replace(string(o.Data[runtimeconfig.KeySettings]), `"wabaID"`, `"unknown"`, 1))
	return o, err
}

func TestWhatMayBeForAnUnreadableChannelComesAgain(t *testing.T) {
	second := channelD
	second.LineID, second.PhoneNumberID, second.WABAID = "line-x", "209", "309"
	w := newWorld(t, []encoder{&channelD, &half{second}}, nil)
	if len(w.view.Load().Problems) != 1 {
		t.Fatalf("problems: %v", w.view.Load().Problems)
	}
	b := body(entry("304", messages("204", text("1", "49151", "for d"))), entry("309", messages("209", text("2", "49151", "for x"))))
	if status, _ := w.post(secretD, b); status != 503 || len(w.texts("line-d")) != 1 {
		t.Errorf("answered %d, and d has %v; want 503: the message for x is not stored", status, w.texts("line-d"))
	}
	w.serve([]encoder{&channelD, &second})
	if status, _ := w.post(secretD, b); status != 200 || len(w.texts("line-d")) != 1 || len(w.texts("line-x")) != 1 {
		t.Errorf("answered %d: d has %v, x has %v", status, w.texts("line-d"), w.texts("line-x"))
	}
}

// A number with an app of its own that is served no more is no stranger, nor may it be that of a channel that can't be read.
func TestTombstoneOfADirectNumber(t *testing.T) {
	second, gone := channelE, grave
	gone.WABAID = channelD.WABAID
	w := newWorld(t, []encoder{&channelD, &half{second}, &gone}, nil)
	for _, path := range []string{Path, AppPath + channelD.AppID} {
		w.url = strings.TrimSuffix(w.url, Path) + path
		b := body(entry("304", messages("204", text("1", "49151", "for d")), messages("206", text("2", "49151", "too late"))))
		if status, _ := w.post(secretD, b); status != 200 || len(w.texts("line-d")) != 1 {
			t.Errorf("answered %d, and d has %v", status, w.texts("line-d"))
		}
		w.url = strings.TrimSuffix(w.url, path) + Path
	}
	if diff := cmp.Diff(map[event]int{{reason: serverapi.Tombstoned}: 2}, w.handler.observer.counts, cmp.AllowUnexported(event{})); diff != "" {
		t.Errorf("security events (-want +got):\n%s", diff)
	}
}

// A wrong app secret is often mended by naming the right app in its place.
func TestQuarantineIsLookedAtWhenALineGetsAnotherApp(t *testing.T) {
	direct := channelP
	direct.Direct, direct.AppSecret = true, redact.New(nobodys)
	w := newWorld(t, []encoder{&appB, &direct}, nil)
	w.run()
	if status, _ := w.post(secretA, body(entry("301", messages("201", text("1", "49151", "early"))))); status != 200 {
		t.Fatalf("answered %d", status)
	}
	if got := len(w.quarantined("line:line-p")); got != 1 {
		t.Fatalf("%d quarantined", got)
	}
	w.eventually("the first look", func() bool {
		w.handler.keeper.mu.Lock()
		defer w.handler.keeper.mu.Unlock()
		return len(w.handler.keeper.secrets) == 2
	})
	w.serve([]encoder{&appA, &appB, &channelP})
	w.eventually("the body is stored", func() bool { return len(w.texts("line-p")) == 1 && len(w.quarantined("line:line-p")) == 0 })
}

// With more MetaApps than are tried at once, a body that names nobody comes again until its own is among them.
func TestEveryMetaAppIsTried(t *testing.T) {
	var parts []encoder
	for i := range 12 {
		parts = append(parts, &runtimeconfig.App{
			Name: fmt.Sprint(i), AppID: fmt.Sprint(1100 + i), AppSecret: redact.New(fmt.Sprintf("secret-%02d", i)), PreviousAppSecret: redact.New(fmt.Sprintf("secret-old-%02d", i)),
		})
	}
	w := newWorld(t, parts, nil)
	for i, secret := range []string{"secret-11", "secret-old-00"} {
		status, tries := 503, 0
		for ; status == 503 && tries < 500; tries++ {
			status, _ = w.post(secret, body(entry("301", messages("201", text(fmt.Sprint(i), "49151", "early")))))
			var c candidates
			c.addApps(w.view.Snapshot().Apps())
			if len(c.secrets) != maxSecrets || !c.more {
				t.Fatalf("%d secrets are tried on one body, want %d", len(c.secrets), maxSecrets)
			}
		}
		if status != 200 || w.contents().Unclaimed != i+1 {
			t.Errorf("signed with %s: answered %d after %d tries, %+v", secret, status, tries, w.contents())
		}
	}
	// On the path of its app it is found at once.
	w.url = strings.TrimSuffix(w.url, Path) + AppPath + "1105"
	if status, _ := w.post("secret-old-05", body(entry("301", messages("201", text("9", "49151", "early"))))); status != 200 || w.contents().Unclaimed != 3 {
		t.Errorf("on its app's path: answered %d, %+v", status, w.contents())
	}
}

// Three bytes of a list can become half a kilobyte of memory.
func TestALongListIsNotUnpacked(t *testing.T) {
	w := newWorld(t, everything(), nil)
	b := body(entry("304", messages("204", strings.Repeat("{},", 1<<20)+"{}")))
	if len(b) > MaxBody {
		t.Fatalf("%d bytes are not read at all", len(b))
	}
	if status, _ := w.post(secretD, b); status != 200 {
		t.Errorf("answered %d", status)
	}
	if got := w.contents(); got != (contents{DeadLetters: 1}) {
		t.Errorf("kept %+v, want the body as one dead letter", got)
	}
	if status, _ := w.post(secretD, body(entry("304", messages("204", text("1", "49151", "hi"))))); status != 200 || len(w.texts("line-d")) != 1 {
		t.Errorf("afterwards: %d, %v", status, w.texts("line-d"))
	}
}
