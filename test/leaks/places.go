package leaks

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
)

// Places that a server has beside its Logs.
const (
	Metrics = "metrics"
	Answers = "answers"
	Reports = "reports"
	Store   = "store"
)

// answerTimeout bounds one answer of a server.
const answerTimeout = 30 * time.Second

// public are the keys of Objects, and of the Secrets that tenants get, that hold no secret.
var public = map[string]bool{
	runtimeconfig.KeySettings: true, runtimeconfig.KeyContent: true, runtimeconfig.KeyLinkPublicKey: true,
	"waba-id": true, "phone-number-id": true, "business-id": true, "claims": true,
}

// Object makes all secrets of an Object of the runtime configuration, or of a Secret, known: every key that is not known to be public.
func (s *Search) Object(o runtimeconfig.Object) error {
	for key, value := range o.Data {
		switch {
		case public[key]:
		case key == runtimeconfig.KeyToolHeaders:
			var all map[string]map[string]string
			if err := json.Unmarshal(value, &all); err != nil {
				return fmt.Errorf("read %s of %s: %w", key, o.Name, err)
			}
			for _, headers := range all {
				for _, header := range headers {
					s.Secret(strings.TrimPrefix(header, "Bearer "))
				}
			}
		case key == "url": // a signup link is one by its end
			s.Secret(string(value[bytes.LastIndexByte(value, '/')+1:]))
		default:
			s.Secret(string(value))
		}
	}
	return nil
}

// Server is where a webhook-server listens.
type Server struct {
	// Webhook is where Meta delivers; Internal and Ops are base URLs.
	Webhook, Internal, Ops string
	// BearerToken of the internal API.
	BearerToken string
	// PhoneNumberID of a number that it serves.
	PhoneNumberID string
}

// Ask shows what a server that still runs answers: its metrics and probes, all reports, what it has loaded, which chats wait, and what
// strangers are told at its public port. Handshakes are tried with each of the verify tokens.
func (s *Search) Ask(ctx context.Context, server Server, verifyTokens ...string) error {
	var errs []error
	ask := func(place, method, target, bearer, body string, want int) (answer []byte) {
		answer, status, err := s.ask(ctx, place, method, target, bearer, body)
		if err == nil && status != want {
			err = fmt.Errorf("answered with %d, want %d", status, want)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", place, err))
		}
		return answer
	}
	ask(Answers, http.MethodGet, server.Ops+"/readyz", "", "", http.StatusOK)
	handshake := server.Webhook + "?hub.mode=subscribe&hub.challenge=123&hub.verify_token="
	for _, token := range verifyTokens {
		ask(Answers, http.MethodGet, handshake+url.QueryEscape(token), "", "", http.StatusOK)
	}
	ask(Answers, http.MethodGet, handshake+"of-nobody", "", "", http.StatusForbidden)
	ask(Answers, http.MethodPost, server.Webhook, "", `{"object":"whatsapp_business_account","entry":[]}`, http.StatusOK)
	ask(Answers, http.MethodGet, server.Internal+serverapi.PathSnapshot, "of-nobody", "", http.StatusUnauthorized)
	ask(Answers, http.MethodGet, server.Internal+serverapi.PathSnapshot, server.BearerToken, "", http.StatusOK)
	ask(Answers, http.MethodGet, server.Internal+serverapi.PathConversations+"?phoneNumberID="+server.PhoneNumberID, server.BearerToken, "", http.StatusOK)
	for after := serverapi.Cursor(""); ; {
		var page serverapi.Reports
		answer := ask(Reports, http.MethodGet, server.Internal+serverapi.PathReports+"?after="+url.QueryEscape(string(after)), server.BearerToken, "", http.StatusOK)
		if err := json.Unmarshal(answer, &page); err != nil {
			errs = append(errs, fmt.Errorf("read reports: %w", err))
			break
		}
		if page.Next == after {
			break
		}
		after = page.Next
	}
	ask(Metrics, http.MethodGet, server.Ops+"/metrics", "", "", http.StatusOK)
	return errors.Join(errs...)
}

// ask shows one answer with its headers, and returns its body.
func (s *Search) ask(ctx context.Context, place, method, target, bearer, body string) (answer []byte, status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	answer, err = io.ReadAll(res.Body)
	s.Show(place, fmt.Sprint(res.Header, "\n", string(answer)))
	return answer, res.StatusCode, err
}

// File shows what is in a file.
func (s *Search) File(place, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	s.Show(place, string(text))
	return nil
}

// SQLite shows all values of all columns that can hold more than a number, whatever tables there are.
func (s *Search) SQLite(ctx context.Context, path string) (err error) {
	if _, err := os.Stat(path); err != nil {
		return err // opening would make one
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	columns, err := texts(ctx, db, `
		SELECT m.name || '.' || c.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND c.type NOT IN ('INTEGER', 'BOOLEAN')`)
	if err != nil {
		return err
	}
	if len(columns) == 0 {
		return fmt.Errorf("%s has no tables", path)
	}
	for _, name := range columns {
		table, column, _ := strings.Cut(name, ".")
		values, err := texts(ctx, db, `SELECT CAST("`+column+`" AS TEXT) FROM "`+table+`" WHERE "`+column+`" IS NOT NULL`)
		if err != nil {
			return err
		}
		if len(values) > 0 {
			s.Show(Store, name+": "+strings.Join(values, "\n"))
		}
	}
	return nil
}

// texts runs a query for one column.
func texts(ctx context.Context, db *sql.DB, query string) (values []string, err error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var value string
		if err := rows.Scan(&value); err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, rows.Err()
}
