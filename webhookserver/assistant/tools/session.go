package tools

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/whatsapp-operator/whatsapp-operator/internal/egress"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

// Errors of calls. Those of the SDK and of net/http quote URLs and what servers wrote, and are never passed on.
var (
	errAddress      = errors.New("the MCP server's URL leads to an address that is not allowed")
	errUnauthorized = errors.New("the MCP server refuses the headers; check the Secret that headersSecretRef names")
	errUnreachable  = errors.New("the MCP server cannot be reached, failed, or did not answer in time")
)

// within connects to a server and ends the session after fn. One session serves one purpose: servers come and go, and a session that
// was kept would have to be watched.
func (m *MCP) within(ctx context.Context, s *runtimeconfig.ToolServer, fn func(*mcp.ClientSession) error) error {
	client := mcp.NewClient(&mcp.Implementation{Name: "whatsapp-operator", Version: "v1"}, nil)
	with := &withHeaders{next: m.client.Transport, headers: s.Headers}
	session, err := client.Connect(ctx, &mcp.StreamableClientTransport{
		Endpoint:   s.URL,
		HTTPClient: &http.Client{Transport: with, CheckRedirect: m.client.CheckRedirect, Timeout: m.client.Timeout},
		MaxRetries: -1, DisableStandaloneSSE: true, // answers to our own requests are all that is wanted
	}, nil)
	if err == nil {
		err = fn(session)
		leave(ctx, session)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, egress.ErrAddressRefused), errors.Is(err, egress.ErrRedirectRefused):
		return errAddress
	case with.refused.Load():
		return errUnauthorized
	default:
		return errors.Join(errUnreachable, ctx.Err())
	}
}

// leave tells the server as a courtesy that the session is over; what counts is what was found. A server that hangs has had its time:
// nobody waits for it any longer, and the client's own time-out ends the request.
func leave(ctx context.Context, session *mcp.ClientSession) {
	left := make(chan struct{})
	go func() {
		defer close(left)
		_ = session.Close()
	}()
	select {
	case <-left:
	case <-ctx.Done():
	}
}

// classified is an error of within as a call returns it.
func classified(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

func reasonOf(err error) string {
	switch {
	case errors.Is(err, errAddress):
		return ReasonAddressRefused
	case errors.Is(err, errUnauthorized):
		return ReasonUnauthorized
	default:
		return ReasonUnreachable
	}
}

// withHeaders adds the channel's headers to the requests of one session, and notes whether the server refuses them.
type withHeaders struct {
	next    http.RoundTripper
	headers map[string]redact.Secret
	refused atomic.Bool
}

// RoundTrip implements http.RoundTripper.
func (t *withHeaders) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	for key, value := range t.headers {
		req.Header.Set(key, value.Reveal())
	}
	res, err := t.next.RoundTrip(req)
	if err == nil && (res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusForbidden) {
		t.refused.Store(true)
	}
	return res, err
}
