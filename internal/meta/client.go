package meta

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
)

const (
	// DefaultBaseURL is the Graph API.
	DefaultBaseURL = "https://graph.facebook.com"
	// DefaultVersion is the version of the Graph API that this package was written for.
	DefaultVersion = "v25.0"
)

// Config describes a Client. The zero value talks to Meta.
type Config struct {
	// BaseURL is the address of the Graph API without the version; DefaultBaseURL when empty.
	BaseURL string
	// Version is the Graph API version such as "v25.0"; DefaultVersion when empty.
	Version string
	// MediaOrigins replaces Meta's hosts as the places media may be downloaded from: exact origins such as
	// "http://127.0.0.1:8080". Empty means Meta's hosts, over https.
	MediaOrigins []string
	// TLS is the base of the TLS configuration, for instance for another certificate authority; nil means Go's defaults.
	TLS *tls.Config
	// DialContext replaces the dialer; nil means a dialer with a time limit.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// Limit is asked before each call but the code exchange, which can't wait. It gets the logical action and the id of
	// the object addressed, must not block, and returns ok, or how long to wait. nil means no limit.
	Limit func(action, object string) (wait time.Duration, ok bool)
	// Observe is told of every call after its end. It must not block. nil means nobody.
	Observe func(Call)
	// Usage is told what an answer says of the calls that are left for an account. It must not block. nil means nobody.
	Usage func(Usage)
}

// Call is what an observer is told. All of it is safe for metrics, and all but Duration and UsagePercent are of few
// values.
type Call struct {
	// Action is the logical name of the call, such as "ExchangeCode".
	Action string
	// Outcome is Succeeded or the outcome of the error.
	Outcome Outcome
	// Class is the class of the error, empty on success.
	Class Class
	// Duration covers the whole call.
	Duration time.Duration
	// UsagePercent is the worst of the rate counters in the answer, 0 to 100 and above; Meta refuses from 100 on.
	UsagePercent int
}

// Client talks to one version of the Graph API at one address. It is safe for concurrent use and meant to be kept.
type Client struct {
	base    *url.URL
	origins []string
	limit   func(action, object string) (time.Duration, bool)
	observe func(Call)
	usage   func(Usage)
	// shared reuses connections.
	shared *http.Transport
	// single never reuses a connection; see newSingleUseTransport.
	single *http.Transport
}

var versionPattern = regexp.MustCompile(`^v[0-9]{1,3}\.[0-9]{1,2}$`)

// New builds a Client. It fails if BaseURL, Version or an entry of MediaOrigins is malformed.
func New(cfg Config) (*Client, error) {
	base, err := parseBase(cfg.BaseURL)
	if err != nil {
		return nil, err
	}
	version := cfg.Version
	if version == "" {
		version = DefaultVersion
	}
	if !versionPattern.MatchString(version) {
		return nil, errors.New(`the Graph API version must look like "v25.0"`)
	}
	c := &Client{
		base:    base.JoinPath(version),
		limit:   cfg.Limit,
		observe: cfg.Observe,
		usage:   cfg.Usage,
		shared:  newSharedTransport(cfg),
		single:  newSingleUseTransport(cfg),
	}
	for _, raw := range cfg.MediaOrigins {
		origin, err := url.Parse(raw)
		if err != nil || origin.Host == "" || (origin.Scheme != "https" && origin.Scheme != "http") {
			return nil, errors.New(`a media origin must look like "https://host" or "https://host:port"`)
		}
		c.origins = append(c.origins, originOf(origin))
	}
	return c, nil
}

// parseBase checks the address. The error does not quote it: it may hold a password.
func parseBase(raw string) (*url.URL, error) {
	if raw == "" {
		raw = DefaultBaseURL
	}
	base, err := url.Parse(raw)
	switch {
	case err != nil, base.Host == "", base.Scheme != "https" && base.Scheme != "http":
		return nil, errors.New("the base URL of the Graph API must be an absolute http or https URL")
	case base.User != nil, base.RawQuery != "", base.Fragment != "":
		return nil, errors.New("the base URL of the Graph API must not have user info, a query or a fragment")
	}
	return base, nil
}

// CloseIdleConnections closes connections that are not in use. Call it when the Client is no longer needed.
func (c *Client) CloseIdleConnections() {
	c.shared.CloseIdleConnections()
	c.single.CloseIdleConnections()
}

// Credential is what a call authenticates with. It can be printed safely: it shows nothing.
type Credential struct {
	// Token is the access token.
	Token redact.Secret
	// AppSecret is the secret of the app that the token belongs to. When it is known, each call carries the
	// appsecret_proof, which apps can require.
	AppSecret redact.Secret
}

// NewCredential makes a Credential of plain strings. appSecret may be empty.
func NewCredential(token, appSecret string) Credential {
	return Credential{Token: redact.New(token), AppSecret: redact.New(appSecret)}
}

// AppCredential is the credential of an app itself: its access token is the app id, a bar and the app secret.
func AppCredential(appID string, appSecret redact.Secret) Credential {
	return Credential{Token: redact.New(appID + "|" + appSecret.Reveal()), AppSecret: appSecret}
}

// proof is the appsecret_proof, see developers.facebook.com/docs/graph-api/guides/secure-requests. It is empty if the
// app secret is not known.
func (cred Credential) proof() string {
	if cred.Token.IsZero() || cred.AppSecret.IsZero() {
		return ""
	}
	mac := hmac.New(sha256.New, []byte(cred.AppSecret.Reveal()))
	mac.Write([]byte(cred.Token.Reveal()))
	return hex.EncodeToString(mac.Sum(nil))
}
