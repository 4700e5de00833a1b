package reports

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/source"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/sqlite"
)

const bearer = "bearer-of-the-manager"

// clock is a store's clock that tests move.
type clock struct{ now time.Time }

func (c *clock) read() time.Time { return c.now }

type world struct {
	view   *source.View
	store  *sqlite.Store
	clock  *clock
	url    string
	client *serverapi.Client
	plain  *http.Client
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{view: source.NewView(), clock: &clock{time.Now().UTC().Truncate(time.Millisecond)}}
	w.store = openStore(t, w.clock)
	srv := httptest.NewServer(New(Options{
		View: w.view, Store: w.store, Log: logr.Discard(),
		TextPayload: func(body string) ([]byte, error) { return json.Marshal(body) },
	}))
	t.Cleanup(srv.Close)
	w.url, w.plain = srv.URL, srv.Client()
	hc := serverapi.NewHTTPClient()
	t.Cleanup(hc.CloseIdleConnections)
	w.client = serverapi.New(hc, srv.URL, redact.New(bearer))
	return w
}

func openStore(t *testing.T, c *clock) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "store.db"), Clock: c.read})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (w *world) serve(t *testing.T) {
	t.Helper()
	channel := &runtimeconfig.Channel{Namespace: "shop", PhoneNumberID: "201", WABAID: "301", LineID: "line-p", AppID: "1001"}
	c, err1 := channel.Object()
	second := *channel
	second.PhoneNumberID, second.LineID = "202", "line-q"
	foreign := *channel
	foreign.PhoneNumberID, foreign.LineID, foreign.AppID = "203", "line-r", "1002"
	q, err3 := second.Object()
	r, err4 := foreign.Object()
	i, err2 := (&runtimeconfig.Internal{BearerToken: redact.New(bearer)}).Object()
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	w.view.Publish([]runtimeconfig.Object{c, q, r, i, {Name: "broken", Data: map[string][]byte{}}})
}

func TestAuthorisation(t *testing.T) {
	w := newWorld(t)
	if _, err := w.client.Snapshot(t.Context()); !errors.Is(err, serverapi.ErrUnauthorized) {
		t.Errorf("before a token was projected: %v", err)
	}
	w.serve(t)
	if _, err := w.client.Snapshot(t.Context()); err != nil {
		t.Errorf("with the projected token: %v", err)
	}
	for _, path := range []string{serverapi.PathReports, serverapi.PathSnapshot, serverapi.PathParkedLines, serverapi.PathTestMessages, "/", "/internal/v1/other"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer wrong")
		res, err := w.plain.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s with a wrong token: %d, %v", path, res.StatusCode, err)
		}
	}
}

func TestSnapshot(t *testing.T) {
	w := newWorld(t)
	w.serve(t)
	s, err := w.client.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := serverapi.Snapshot{Synced: true, Objects: w.view.Load().Revisions, Problems: []serverapi.Problem{{Object: "broken", Message: "key settings.json is missing"}}}
	if diff := cmp.Diff(want, s); diff != "" || s.Objects["number-201"] == "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParkedLines(t *testing.T) {
	w := newWorld(t)
	w.serve(t)
	look := func(want ...serverapi.ParkedLine) {
		t.Helper()
		got, err := w.client.ParkedLines(t.Context())
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
	look()
	since := w.clock.now
	if err := w.store.ParkLine(t.Context(), "line-p", "PaymentRequired", "revision"); err != nil {
		t.Fatal(err)
	}
	w.clock.now = since.Add(time.Hour)
	look(serverapi.ParkedLine{LineID: "line-p", Reason: "PaymentRequired", Since: since})
	if _, err := w.store.LiftParking(t.Context(), "line-p", "another"); err != nil {
		t.Fatal(err)
	}
	look()
}

func TestReportsOfEachKind(t *testing.T) {
	w := newWorld(t)
	w.serve(t)
	ctx := t.Context()
	minute := w.clock.now.Truncate(time.Minute)
	for _, r := range []store.Report{
		{Kind: store.ReportTraffic, Line: "line-p", Payload: []byte(`{"firstReceived":"2026-11-01T10:00:00Z","lastReceived":"2026-11-01T10:00:00Z"}`)},
		{Kind: "WebhookVerified", Line: "line-p", App: "1001", Payload: []byte(`{"proof":"Handshake"}`)},
		{Kind: "TokenRejected", Line: "line-p", Payload: []byte(`{"reason":"InvalidAccessToken","code":190}`)},
		{Kind: store.ReportTestMessage, Line: "line-p", Payload: []byte(`{"key":"k","state":"Delivered"}`)},
		{Kind: "AccountEvent", App: "1001", Payload: []byte(`{"field":"account_update","event":"PARTNER_ADDED","wabaID":"7"}`)},
		{Kind: "AccountEvent", App: "1001", Payload: []byte(`{"field":"account_update","event":"ACCOUNT_DELETED","wabaID":"301"}`)},
		{Kind: "AssistantHealth", Line: "line-p", Payload: []byte(`{"healthy":true}`)},
		{Kind: "VerifyTokenMismatch", Payload: []byte(`{}`)},
		{Kind: "Traffic", Line: "gone", Payload: []byte(`junk`)},
	} {
		if err := w.store.AppendReport(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.store.RecordSecurityEvent(ctx, store.SecurityEvent{Kind: "BadSignature", Line: "line-p", App: "1001", Count: 3}); err != nil {
		t.Fatal(err)
	}
	at := w.clock.now
	w.clock.now = at.Add(time.Minute)
	page, err := w.client.Reports(ctx, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	hour := time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)
	on := func(kind serverapi.Kind, d serverapi.Detail) serverapi.Report {
		return serverapi.Report{Time: at, Kind: kind, Namespace: "shop", LineID: "line-p", PhoneNumberID: "201", Count: 1, Detail: d}
	}
	deleted := serverapi.Detail{Account: &serverapi.Account{Field: "account_update", Event: "ACCOUNT_DELETED", WABAID: "301"}}
	want := []serverapi.Report{
		on(serverapi.KindTraffic, serverapi.Detail{Traffic: &serverapi.Traffic{FirstReceived: hour, LastReceived: hour}}),
		on(serverapi.KindWebhookVerified, serverapi.Detail{Webhook: &serverapi.Webhook{Proof: serverapi.Handshake}}),
		on(serverapi.KindTokenRejected, serverapi.Detail{Graph: &serverapi.Graph{Reason: "InvalidAccessToken", Code: 190}}),
		on(serverapi.KindTestMessage, serverapi.Detail{TestMessage: &serverapi.TestOutcome{Key: "k", State: serverapi.TestDelivered}}),
		{Time: at, Kind: serverapi.KindAccountEvent, AppID: "1001", Count: 1, Detail: serverapi.Detail{Account: &serverapi.Account{Field: "account_update", Event: "PARTNER_ADDED", WABAID: "7"}}},
		on(serverapi.KindAccountEvent, deleted),
		{Time: at, Kind: serverapi.KindAccountEvent, Namespace: "shop", LineID: "line-q", PhoneNumberID: "202", AppID: "1001", Count: 1, Detail: deleted},
		on(serverapi.KindAssistantHealth, serverapi.Detail{Assistant: &serverapi.Assistant{Healthy: true}}),
		{Time: at, Kind: serverapi.KindVerifyTokenMismatch, Count: 1},
		{Time: at, Kind: serverapi.KindTraffic, LineID: "gone", Count: 1},
		on(serverapi.KindSecurityEvent, serverapi.Detail{Security: &serverapi.Security{Reason: serverapi.BadSignature}}),
	}
	want[1].AppID, want[5].AppID = "1001", "1001"
	security := &want[len(want)-1]
	security.AppID, security.Count, security.Time = "1001", 3, minute
	for i := range page.Reports {
		page.Reports[i].ID = ""
	}
	if diff := cmp.Diff(want, page.Reports); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCursors(t *testing.T) {
	w := newWorld(t)
	w.serve(t)
	ctx := t.Context()
	appendTo := func(s *sqlite.Store, n int) {
		t.Helper()
		for range n {
			if err := s.AppendReport(ctx, store.Report{Kind: "VerifyTokenMismatch", Payload: []byte(`{}`)}); err != nil {
				t.Fatal(err)
			}
			w.clock.now = w.clock.now.Add(time.Second)
		}
	}
	appendTo(w.store, 5)
	var cursor serverapi.Cursor
	var sizes []int
	for range 4 {
		page, err := w.client.Reports(ctx, cursor, 2)
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(page.Reports))
		cursor = page.Next
	}
	if diff := cmp.Diff([]int{2, 2, 1, 0}, sizes); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	for _, junk := range []serverapi.Cursor{"x", "1", "-1.5", "999999.1"} {
		if page, err := w.client.Reports(ctx, junk, 10); err != nil || len(page.Reports) != 5 {
			t.Errorf("a cursor that this store did not give out (%s) starts from the beginning: %d, %v", junk, len(page.Reports), err)
		}
	}
	// Another store has rows of the same ids.
	other := openStore(t, w.clock)
	appendTo(other, 7)
	rows, err := rowsAfter(ctx, other, cursor, 100)
	if err != nil || len(rows) != 7 {
		t.Errorf("a cursor of another store starts from the beginning: %d, %v", len(rows), err)
	}
}

// expired is a store whose rows up to 10 are gone.
type expired struct{ *sqlite.Store }

func (expired) Reports(_ context.Context, after int64, limit int) ([]store.Report, error) {
	var rows []store.Report
	for id := max(after, 10) + 1; id <= 20 && len(rows) < limit; id++ {
		rows = append(rows, store.Report{ID: id, Time: time.UnixMilli(id)})
	}
	return rows, nil
}

func TestCursorWhoseRowHasExpired(t *testing.T) {
	for _, tc := range []struct {
		cursor       serverapi.Cursor
		first, count int64
	}{{"4.4", 11, 5}, {"10.10", 11, 5}, {"11.11", 12, 5}, {"18.18", 19, 2}} {
		rows, err := rowsAfter(t.Context(), expired{}, tc.cursor, 5)
		if err != nil || int64(len(rows)) != tc.count || rows[0].ID != tc.first {
			t.Errorf("after %s: %d rows from %d, %v", tc.cursor, len(rows), rows[0].ID, err)
		}
	}
}

func TestBadLimit(t *testing.T) {
	w := newWorld(t)
	w.serve(t)
	for _, limit := range []string{"0", "-1", "x"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+serverapi.PathReports+"?limit="+limit, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+bearer)
		res, err := w.plain.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusBadRequest {
			t.Errorf("limit %s: %d, %v", limit, res.StatusCode, err)
		}
	}
}

func TestTestMessages(t *testing.T) {
	w := newWorld(t)
	w.serve(t)
	good := serverapi.TestMessage{Key: "shop/onboarding:1", PhoneNumberID: "201", LineID: "line-p", To: "+4915112345678", Body: "It works."}
	for range 2 {
		outcome, err := w.client.SendTestMessage(t.Context(), good)
		if err != nil || outcome != (serverapi.TestOutcome{Key: good.Key, State: serverapi.TestWaiting}) {
			t.Errorf("the tester has not written: %+v, %v", outcome, err)
		}
	}
	for _, tc := range []struct {
		reason string
		change func(*serverapi.TestMessage)
		want   error
	}{
		{"no key", func(m *serverapi.TestMessage) { m.Key = "" }, serverapi.ErrInvalid},
		{"no recipient", func(m *serverapi.TestMessage) { m.To = "Ana" }, serverapi.ErrInvalid},
		{"no text", func(m *serverapi.TestMessage) { m.Body = "" }, serverapi.ErrInvalid},
		{"too much text", func(m *serverapi.TestMessage) { m.Body = strings.Repeat("ä", maxText+1) }, serverapi.ErrInvalid},
		{"a number that is not served", func(m *serverapi.TestMessage) { m.PhoneNumberID = "299" }, serverapi.ErrUnknownLine},
		{"another tenant's line", func(m *serverapi.TestMessage) { m.LineID = "line-q" }, serverapi.ErrUnknownLine},
	} {
		bad := good
		tc.change(&bad)
		if _, err := w.client.SendTestMessage(t.Context(), bad); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", tc.reason, err, tc.want)
		}
	}
}
