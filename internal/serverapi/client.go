package serverapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
)

const (
	// callTimeout bounds one call with its body. The server answers from memory or one indexed query, so a slower one is not ready.
	callTimeout = 10 * time.Second
	// idleTimeout drops connections to replicas that are gone; calls come every few seconds while all is well.
	idleTimeout = 30 * time.Second
	// maxAnswerBytes bounds an answer: MaxLimit reports, or 10,000 objects with their revisions, take about 1 MiB.
	maxAnswerBytes = 8 << 20
)

var (
	// ErrUnauthorized means that the server does not know the bearer token (yet).
	ErrUnauthorized = errors.New("the webhook-server refused the bearer token; it may not have loaded the projected one yet")
	// ErrUnknownLine means that the replica serves no such number for the line (yet).
	ErrUnknownLine = errors.New("the webhook-server does not serve this number; it may not have loaded its projection yet")
	// ErrUnavailable means that the server can't answer now: not synced, or its store is away.
	ErrUnavailable = errors.New("the webhook-server can't answer now")
	// ErrInvalid means that the server refused the request's content.
	ErrInvalid = errors.New("the webhook-server refused the request as invalid")
	// ErrAnswer means that an answer was too large or not what this API says.
	ErrAnswer = errors.New("the webhook-server's answer can't be read; manager and webhook-server may be of different versions")
)

// Client calls one replica, or a Service in front of several.
type Client struct {
	http    *http.Client
	baseURL string
	token   redact.Secret
}

// NewHTTPClient returns a client with this API's timeouts, to be shared by the Clients of all replicas. Its user calls
// CloseIdleConnections at the end.
func NewHTTPClient() *http.Client { return NewPatientHTTPClient(callTimeout) }

// NewPatientHTTPClient is NewHTTPClient for calls that may take longer, such as Erase.
func NewPatientHTTPClient(timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			Proxy:                  nil, // it speaks to a Service or a pod, never to the outside
			IdleConnTimeout:        idleTimeout,
			ResponseHeaderTimeout:  timeout,
			MaxResponseHeaderBytes: 64 << 10,
		},
		// A redirect would carry the bearer token elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// New returns a Client for baseURL, such as http://webhook-server-internal.whatsapp-runtime:8081. It holds nothing of its own: make
// one per replica and token as needed.
func New(httpClient *http.Client, baseURL string, token redact.Secret) *Client {
	return &Client{http: httpClient, baseURL: baseURL, token: token}
}

// Reports returns up to limit reports after a cursor; limit 0 means DefaultLimit.
func (c *Client) Reports(ctx context.Context, after Cursor, limit int) (Reports, error) {
	query := url.Values{"after": {string(after)}}
	if limit > 0 {
		query.Set("limit", strconv.Itoa(limit))
	}
	var page Reports
	err := c.call(ctx, http.MethodGet, PathReports+"?"+query.Encode(), nil, &page)
	return page, err
}

// Snapshot returns what the replica has loaded.
func (c *Client) Snapshot(ctx context.Context) (Snapshot, error) {
	var s Snapshot
	err := c.call(ctx, http.MethodGet, PathSnapshot, nil, &s)
	return s, err
}

// ParkedLines returns the lines whose sends are on hold.
func (c *Client) ParkedLines(ctx context.Context) ([]ParkedLine, error) {
	var parked ParkedLines
	err := c.call(ctx, http.MethodGet, PathParkedLines, nil, &parked)
	return parked.Lines, err
}

// SendTestMessage asks for a test message, or, when its key is known already, for its state.
func (c *Client) SendTestMessage(ctx context.Context, m TestMessage) (TestOutcome, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return TestOutcome{}, fmt.Errorf("encode test message: %w", err)
	}
	var outcome TestOutcome
	err = c.call(ctx, http.MethodPost, PathTestMessages, body, &outcome)
	return outcome, err
}

// Erase forgets a person; an http.Client that waits for minutes is needed. It can be repeated, and is complete only without an error.
func (c *Client) Erase(ctx context.Context, e Erasure) (Erased, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return Erased{}, fmt.Errorf("encode erasure: %w", err)
	}
	var erased Erased
	err = c.call(ctx, http.MethodPost, PathErasures, body, &erased)
	return erased, err
}

func (c *Client) call(ctx context.Context, method, pathAndQuery string, body []byte, answer any) (err error) {
	req, err := http.NewRequestWithContext(ctx, method, c.baseURL+pathAndQuery, bytes.NewReader(body))
	if err != nil {
		return errors.New("the webhook-server's address is not a URL")
	}
	req.Header.Set("Authorization", scheme+c.token.Reveal())
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.http.Do(req)
	if err != nil {
		return unreachable(err)
	}
	defer func() {
		if cerr := res.Body.Close(); cerr != nil && err == nil {
			err = unreachable(cerr)
		}
	}()
	if err := statusError(res.StatusCode); err != nil {
		return err
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswerBytes+1))
	if err != nil {
		return unreachable(err)
	}
	if len(raw) > maxAnswerBytes {
		return fmt.Errorf("%w: more than %d bytes", ErrAnswer, maxAnswerBytes)
	}
	if err := json.Unmarshal(raw, answer); err != nil {
		return ErrAnswer // without the decoder's text, which can quote the answer
	}
	return nil
}

// unreachable drops the URL, whose query holds a cursor, from what net/http says.
func unreachable(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return fmt.Errorf("the webhook-server can't be reached: %w", err)
}

func statusError(code int) error {
	switch code {
	case http.StatusOK:
		return nil
	case http.StatusUnauthorized:
		return ErrUnauthorized
	case http.StatusNotFound:
		return ErrUnknownLine
	case http.StatusBadRequest:
		return ErrInvalid
	case http.StatusServiceUnavailable:
		return ErrUnavailable
	default:
		return fmt.Errorf("%w: HTTP status %d", ErrAnswer, code)
	}
}
