package leaks

import (
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

const secret = `hunter2/of the "bakery"`

func TestLeaksAreFoundInEveryForm(t *testing.T) {
	for name, text := range map[string]string{
		"plain":  secret,
		"JSON":   `{"token":"hunter2/of the \"bakery\""}`,
		"query":  "?hub.verify_token=hunter2%2Fof+the+%22bakery%22&x=1",
		"path":   "/links/hunter2%2Fof%20the%20%22bakery%22",
		"base64": base64.StdEncoding.EncodeToString([]byte(secret)),
		"hex":    hex.EncodeToString([]byte(secret)),
	} {
		s := &Search{}
		s.Secret(secret)
		s.Show("metrics", "before "+text+" after")
		err := s.Leaks("metrics")
		if err == nil || !strings.Contains(err.Error(), "in the metrics: before ") || strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNumbersAreNoPINs(t *testing.T) {
	for text, leak := range map[string]bool{
		"pin=246813": true, `{"pin":"246813"}`: true, "246813": true, "12468130 and then 246813": true,
		"pin246813": true, "a 246813 b": true, "a34cee7c-3089-4429-bb9d-657f3b246813": false, "246813ab-3089-4429-bb9d-657f3b581234": false,
		"pin-246813ab": true, "ab246813cd": true, "246813-3089": true, "0123456789abcdef246813": false,
		"1246813": false, "2468135": false, "12:00:01.246813Z": false, "nothing": false,
	} {
		s := &Search{}
		s.Secret("246813")
		s.Show(Logs, text)
		if err := s.Leaks(Logs); (err != nil) != leak {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestSearchThatProvesNothing: a search without secrets, or without anything to look at, fails.
func TestSearchThatProvesNothing(t *testing.T) {
	s := &Search{}
	s.Secret("")
	s.Show(Logs, "all is well")
	if s.Leaks(Logs) == nil {
		t.Error("a search without secrets found everything well")
	}
	s.Secret(secret)
	if err := s.Leaks(Logs); err != nil {
		t.Error(err)
	}
	s.Show(Metrics, " ")
	if s.Leaks(Logs, Metrics) == nil {
		t.Error("a search of nothing found everything well")
	}
	s.Secret("short")
	if s.Leaks(Logs) == nil {
		t.Error("a secret that can't be looked for was left out silently")
	}
}

// TestPlaces: what is planted in each place is found there.
func TestPlaces(t *testing.T) {
	for _, planted := range []string{Logs, Store, Answers, Reports, Metrics} {
		s := &Search{}
		object, err := (&runtimeconfig.Channel{
			PhoneNumberID: "1", AccessToken: redact.New("token-that-is-nowhere"),
			Assistant: runtimeconfig.Assistant{Tools: []runtimeconfig.ToolServer{{Name: "crm", Headers: map[string]redact.Secret{"Authorization": redact.New("Bearer " + secret)}}}},
		}).Object()
		if err := errors.Join(err, s.Object(object)); err != nil {
			t.Fatal(err)
		}
		text := func(place string) string {
			if place == planted {
				return secret
			}
			return "nothing"
		}
		s.Logger(MaxVerbosity).V(100).Info("Deep down", "value", text(Logs))
		path := filepath.Join(t.TempDir(), "messages.db")
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = db.ExecContext(t.Context(), `CREATE TABLE a (n INTEGER, later BLOB); INSERT INTO a VALUES (1, CAST(? AS BLOB)), (2, NULL)`, text(Store))
		if err := errors.Join(err, db.Close(), s.SQLite(t.Context(), path)); err != nil {
			t.Fatal(err)
		}
		if err := s.Ask(t.Context(), answering(t, text), "verify"); err != nil {
			t.Fatal(err)
		}
		err = s.Leaks(Logs, Store, Answers, Reports, Metrics)
		if err == nil || strings.Count(err.Error(), "in the ") != 1 || !strings.Contains(err.Error(), "in the "+planted) {
			t.Errorf("planted in the %s; found: %v", planted, err)
		}
	}
}

// answering answers like a webhook-server, with a text in each place.
func answering(t *testing.T, text func(place string) string) Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/readyz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text(Metrics))) })
	mux.HandleFunc("/hook", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && r.URL.Query().Get("hub.verify_token") != "verify" {
			w.WriteHeader(http.StatusForbidden)
		}
	})
	mux.HandleFunc("/internal/v1/", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer internal" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if !strings.HasSuffix(r.URL.Path, "/reports") {
			w.Header().Set("X-Answer", text(Answers))
			return
		}
		// The secret is on the second page.
		answer := `{"reports":[{"kind":"` + hex.EncodeToString([]byte(text(Reports))) + `"}],"next":"2"}`
		if r.URL.Query().Get("after") == "" {
			answer = `{"reports":[],"next":"1"}`
		}
		_, _ = w.Write([]byte(answer))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return Server{Webhook: server.URL + "/hook", Internal: server.URL, Ops: server.URL, BearerToken: "internal"}
}
