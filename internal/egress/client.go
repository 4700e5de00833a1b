package egress

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

var (
	// ErrRedirectRefused is returned, wrapped by net/http, when a server redirects to another origin: it would be sent
	// the credentials and the data meant for the configured one.
	ErrRedirectRefused = errors.New("the server redirects to another origin; configure the final URL")
	// ErrBodyTooLarge is returned by reads beyond the response cap.
	ErrBodyTooLarge = errors.New("the response is larger than allowed")
)

const (
	// tlsTimeout bounds the handshake like the connection attempt before it.
	tlsTimeout = 5 * time.Second
	// idleTimeout is below the 60 s after which common load balancers drop idle connections.
	idleTimeout = 50 * time.Second
	// idlePerHost keeps connections of a busy provider without hoarding them for thousands of tenants.
	idlePerHost = 16
	// idleTotal bounds idle connections over all tenants' providers.
	idleTotal = 256
	// maxHeaderBytes bounds response headers; providers send a few KiB.
	maxHeaderBytes = 64 << 10
	// maxRedirects within one origin; more is a loop.
	maxRedirects = 3
)

// NewClient returns a client for tenants' URLs. maxBody caps each response body in bytes, timeout the whole exchange
// including the body; callers may set shorter deadlines by context. Its errors are *url.Error as of net/http and hold
// the URL: map them to a class of error before they are logged or shown.
func NewClient(policy Policy, timeout time.Duration, maxBody int64) *http.Client {
	transport := &http.Transport{
		DialContext:            policy.dialer().DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: policy.RootCAs, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    tlsTimeout,
		ResponseHeaderTimeout:  timeout,
		IdleConnTimeout:        idleTimeout,
		MaxIdleConns:           idleTotal,
		MaxIdleConnsPerHost:    idlePerHost,
		MaxResponseHeaderBytes: maxHeaderBytes,
		ForceAttemptHTTP2:      true,
	}
	if policy.Proxy != nil {
		// All connections are the proxy's then, and the platform has chosen it: addresses are looked at before it is asked.
		transport.Proxy, transport.DialContext = policy.throughProxy, (&net.Dialer{Timeout: dialTimeout, KeepAlive: keepAlive}).DialContext
	}
	return &http.Client{
		Transport:     &capped{next: transport, limit: maxBody},
		CheckRedirect: sameOrigin,
		Timeout:       timeout,
	}
}

func sameOrigin(req *http.Request, via []*http.Request) error {
	first := via[0].URL
	if req.URL.Scheme != first.Scheme || req.URL.Host != first.Host {
		return ErrRedirectRefused
	}
	if len(via) > maxRedirects {
		return fmt.Errorf("more than %d redirects", maxRedirects)
	}
	return nil
}

// capped bounds response bodies for every user of the client, also for SDKs that read all of a body.
type capped struct {
	next  *http.Transport
	limit int64
}

// RoundTrip implements http.RoundTripper.
func (c *capped) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := c.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	res.Body = &cappedBody{body: res.Body, left: c.limit}
	return res, nil
}

// CloseIdleConnections lets http.Client.CloseIdleConnections reach the transport.
func (c *capped) CloseIdleConnections() { c.next.CloseIdleConnections() }

type cappedBody struct {
	body io.ReadCloser
	left int64
}

// Read returns ErrBodyTooLarge instead of the first byte beyond the limit, never a silently shortened body.
func (b *cappedBody) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.body.Read(p)
	if int64(n) > b.left {
		n = int(b.left)
		b.left = 0
		return n, ErrBodyTooLarge
	}
	b.left -= int64(n)
	return n, err
}

// Close closes the underlying body.
func (b *cappedBody) Close() error { return b.body.Close() }
