package meta

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"
)

const (
	// dialTimeout and handshakeTimeout leave most of a call's time to Meta.
	dialTimeout      = 3 * time.Second
	handshakeTimeout = 3 * time.Second
	// keepAliveProbe notices connections that a firewall dropped silently.
	keepAliveProbe = 30 * time.Second
	// idleTimeout is below the minute or so after which load balancers close idle connections: a request written to a
	// connection that is just being closed has an unknown outcome.
	idleTimeout = 30 * time.Second
	// maxIdlePerHost suits a server that sends for many numbers at once; everything goes to one host.
	maxIdlePerHost = 128
	// maxHeaderBytes bounds the head of an answer; Meta's have a few KiB.
	maxHeaderBytes = 64 << 10
)

// newSharedTransport builds the transport of ordinary calls. It speaks HTTP/1.1 only: on HTTP/2, net/http repeats a
// request without body after errors that may follow its execution.
func newSharedTransport(cfg Config) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	dial := cfg.DialContext
	if dial == nil {
		dial = (&net.Dialer{Timeout: dialTimeout, KeepAlive: keepAliveProbe}).DialContext
	}
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.TLS != nil {
		tlsConfig = cfg.TLS.Clone()
	}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dial,
		TLSClientConfig:        tlsConfig,
		TLSHandshakeTimeout:    handshakeTimeout,
		MaxIdleConnsPerHost:    maxIdlePerHost,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
		Protocols:              protocols,
	}
}

// newSingleUseTransport builds the transport of the code exchange. The exchange is a GET that must not be repeated, and
// net/http repeats a GET by itself when a connection that it reuses breaks (shouldRetryRequest in net/http). So no
// connection is ever reused. A proxy is used only for tunnels, because one that sees the request could repeat it too.
func newSingleUseTransport(cfg Config) *http.Transport {
	t := newSharedTransport(cfg)
	t.DisableKeepAlives = true
	t.Proxy = func(r *http.Request) (*url.URL, error) {
		if r.URL.Scheme != "https" {
			return nil, nil
		}
		return http.ProxyFromEnvironment(r)
	}
	return t
}

// sentMark records whether a request was written completely up to the end of its head. Before that no server can have
// acted on it. net/http sets it before it flushes the head, and closes the connection before it gives up on a request,
// so a mark that is unset when RoundTrip returns stays true to its word.
type sentMark struct{ sent atomic.Bool }

func (m *sentMark) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteHeaders: func() { m.sent.Store(true) },
	})
}

// networkError judges an error of the transport. Nothing of its text is kept: it can quote URLs and addresses.
func networkError(ctx context.Context, cl *call, sent bool, err error) *Error {
	e := &Error{Action: cl.action, Outcome: NotSent, Class: ClassNetwork}
	if sent {
		e.Outcome = Unknown
	}
	if ctx.Err() != nil {
		e.cause = ctx.Err()
	}
	e.meaning = networkMeaning(err, sent, e.cause)
	return e
}

// networkMeaning names the kind of an error of the network in fixed words.
func networkMeaning(err error, sent bool, ctxErr error) string {
	var (
		timeout   net.Error
		lookup    *net.DNSError
		operation *net.OpError
		untrusted *tls.CertificateVerificationError
		authority x509.UnknownAuthorityError
		record    tls.RecordHeaderError
	)
	switch {
	case errors.Is(ctxErr, context.Canceled):
		return "the call was cancelled"
	case ctxErr != nil, errors.As(err, &timeout) && timeout.Timeout():
		return "the call timed out"
	case errors.As(err, &lookup):
		return "the name of the server could not be resolved"
	case errors.As(err, &untrusted), errors.As(err, &authority):
		return "the certificate of the server is not trusted"
	// The server's refusal of a handshake is a net.OpError around a type that crypto/tls does not export.
	case errors.As(err, &record), errors.As(err, &operation) && operation.Op == "remote error" && !sent:
		return "the TLS handshake failed"
	case errors.As(err, &operation) && operation.Op == "dial":
		return "the server could not be reached"
	case sent:
		return "the connection broke before the answer was complete"
	default:
		return "the connection broke before the request was sent"
	}
}
