package serverapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
)

const testToken = "bearer-3f1c0e"

func TestAuthorized(t *testing.T) {
	for _, tc := range []struct {
		reason, header, token string
		want                  bool
	}{
		{"the projected token opens", "Bearer " + testToken, testToken, true},
		{"another one does not", "Bearer other", testToken, false},
		{"a prefix does not", "Bearer " + testToken[:5], testToken, false},
		{"no header does not", "", testToken, false},
		{"an empty token does not", "Bearer ", testToken, false},
		{"another scheme does not", "Basic " + testToken, testToken, false},
		{"without a projected token nobody gets in", "Bearer " + testToken, "", false},
		{"not even with the empty token", "Bearer ", "", false},
	} {
		r := httptest.NewRequest(http.MethodGet, PathSnapshot, http.NoBody)
		if tc.header != "" {
			r.Header.Set("Authorization", tc.header)
		}
		if got := Authorized(r, redact.New(tc.token)); got != tc.want {
			t.Errorf("%s: got %t", tc.reason, got)
		}
	}
}

// newClient returns a client of a server with this handler.
func newClient(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	hc := NewHTTPClient()
	t.Cleanup(hc.CloseIdleConnections)
	return New(hc, srv.URL, redact.New(testToken))
}

func answer(t *testing.T, w http.ResponseWriter, v any) {
	t.Helper()
	if err := json.NewEncoder(w).Encode(v); err != nil {
		t.Error(err)
	}
}

func TestClientCalls(t *testing.T) {
	reports := Reports{Next: "s.2", Reports: []Report{{
		ID: "s.2", Time: time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC), Kind: KindTraffic, LineID: "l", Count: 1,
		Detail: Detail{Traffic: &Traffic{LastReceived: time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)}},
	}}}
	snapshot := Snapshot{Synced: true, Objects: map[string]string{"app-1": "r"}, Problems: []Problem{{Object: "x", Message: "m"}}}
	message := TestMessage{Key: "k", PhoneNumberID: "1", LineID: "l", To: "49", Body: "hi"}
	outcome := TestOutcome{Key: "k", State: TestDelivered}
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		if !Authorized(r, redact.New(testToken)) {
			t.Error("the client sent no valid token")
		}
		switch r.Method + " " + r.URL.Path {
		case "GET " + PathReports:
			if r.URL.Query().Get("after") != "s.1&x" || r.URL.Query().Get("limit") != "7" {
				t.Errorf("query %q", r.URL.RawQuery)
			}
			answer(t, w, reports)
		case "GET " + PathSnapshot:
			answer(t, w, snapshot)
		case "POST " + PathTestMessages:
			var got TestMessage
			if err := json.NewDecoder(r.Body).Decode(&got); err != nil || got != message {
				t.Errorf("posted %+v, %v", got, err)
			}
			answer(t, w, outcome)
		default:
			t.Errorf("unexpected %s %s", r.Method, r.URL.Path)
		}
	})
	ctx := t.Context()
	gotReports, err := c.Reports(ctx, "s.1&x", 7)
	if err != nil || cmp.Diff(reports, gotReports) != "" {
		t.Errorf("Reports: %v %s", err, cmp.Diff(reports, gotReports))
	}
	gotSnapshot, err := c.Snapshot(ctx)
	if err != nil || cmp.Diff(snapshot, gotSnapshot) != "" {
		t.Errorf("Snapshot: %v %s", err, cmp.Diff(snapshot, gotSnapshot))
	}
	gotOutcome, err := c.SendTestMessage(ctx, message)
	if err != nil || gotOutcome != outcome {
		t.Errorf("SendTestMessage: %+v %v", gotOutcome, err)
	}
}

func TestClientErrors(t *testing.T) {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	for _, tc := range []struct {
		reason string
		h      http.HandlerFunc
		want   error
	}{
		{"401 is a token not known yet", status(http.StatusUnauthorized), ErrUnauthorized},
		{"404 is a line not loaded yet", status(http.StatusNotFound), ErrUnknownLine},
		{"400 is our fault", status(http.StatusBadRequest), ErrInvalid},
		{"503 passes", status(http.StatusServiceUnavailable), ErrUnavailable},
		{"any other status is none of this API", status(http.StatusTeapot), ErrAnswer},
		{"a redirect is not followed with the token", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		}, ErrAnswer},
		{"junk is none of this API", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<secret-junk>") }, ErrAnswer},
		{"an endless answer is cut off", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat(" ", maxAnswerBytes+1))
		}, ErrAnswer},
	} {
		_, err := newClient(t, tc.h).Reports(t.Context(), "cursor-in-query", 0)
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", tc.reason, err, tc.want)
		}
		if strings.Contains(err.Error(), "secret-junk") || strings.Contains(err.Error(), testToken) {
			t.Errorf("%s: the error quotes what it must not: %v", tc.reason, err)
		}
	}
}

func TestClientUnreachable(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	srv.Close()
	_, err := New(NewHTTPClient(), srv.URL, redact.New(testToken)).Reports(t.Context(), "cursor-in-query", 0)
	var u *url.Error
	if err == nil || errors.As(err, &u) || strings.Contains(err.Error(), "cursor-in-query") {
		t.Errorf("want an error without a URL, got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := New(NewHTTPClient(), srv.URL, redact.New(testToken)).Snapshot(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled call must say so, got %v", err)
	}
}
