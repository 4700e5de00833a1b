package signup

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Path is where the signup page is served, below the public base URL. What follows is the link's token.
const Path = "/signup/"

// maxToken bounds a token in bytes; a real one has some 350.
const maxToken = 1024

// linkVersion is the version of the token's form.
const linkVersion = 1

// purpose keeps a signature from meaning anything elsewhere.
const purpose = "whatsapp-operator signup link\n"

var tokenForm = regexp.MustCompile(`^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$`)

// ErrLink means that a token is no link that the key's owner made. It says no more, since whoever presents one may be anybody.
var ErrLink = errors.New("not a signup link of this installation")

// Link invites one customer to sign up. It names the request by its UID alone, which tells nothing to whoever holds the link.
type Link struct {
	// ID tells a link from a later one of the same request: 32 hex characters.
	ID string
	// AppID is the Meta app through which the customer signs up; it says which key verifies the link.
	AppID string
	// RequestUID is the UID of the OnboardingRequest.
	RequestUID string
	// ExpiresAt is when the link dies, in whole seconds.
	ExpiresAt time.Time
}

// linkJSON is a Link as it is signed.
type linkJSON struct {
	Version    int    `json:"v"`
	ID         string `json:"id"`
	AppID      string `json:"app"`
	RequestUID string `json:"req"`
	ExpiresAt  int64  `json:"exp"`
}

// NewLink makes a link with a random ID.
func NewLink(appID, requestUID string, expiresAt time.Time) (Link, error) {
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return Link{}, fmt.Errorf("make a signup link: %w", err)
	}
	return Link{ID: hex.EncodeToString(id), AppID: appID, RequestUID: requestUID, ExpiresAt: expiresAt.UTC().Truncate(time.Second)}, nil
}

// Sign returns the link's token: whoever holds it may sign up.
func (l Link) Sign(key ed25519.PrivateKey) (string, error) {
	payload, err := json.Marshal(linkJSON{linkVersion, l.ID, l.AppID, l.RequestUID, l.ExpiresAt.Unix()})
	if err != nil {
		return "", fmt.Errorf("sign a signup link: %w", err)
	}
	body := base64.RawURLEncoding.EncodeToString(payload)
	return body + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(purpose+body))), nil
}

// Peek reads a token without verifying it, to find the key. Nothing of the result may be believed before Verify.
func Peek(token string) (Link, error) {
	link, _, _, err := split(token)
	return link, err
}

// Verify returns the link of a token that was signed with the key's other half. It doesn't look at the time.
func Verify(token string, key ed25519.PublicKey) (Link, error) {
	link, body, signature, err := split(token)
	if err != nil {
		return Link{}, err
	}
	if len(key) != ed25519.PublicKeySize || !ed25519.Verify(key, []byte(purpose+body), signature) {
		return Link{}, ErrLink
	}
	return link, nil
}

func split(token string) (link Link, body string, signature []byte, err error) {
	// The decoder would pass over line breaks.
	if len(token) > maxToken || !tokenForm.MatchString(token) {
		return Link{}, "", nil, ErrLink
	}
	body, signed, _ := strings.Cut(token, ".")
	payload, err := base64.RawURLEncoding.Strict().DecodeString(body)
	if err != nil {
		return Link{}, "", nil, ErrLink
	}
	if signature, err = base64.RawURLEncoding.Strict().DecodeString(signed); err != nil {
		return Link{}, "", nil, ErrLink
	}
	var fields linkJSON
	if err := json.Unmarshal(payload, &fields); err != nil || fields.Version != linkVersion || fields.ID == "" || fields.AppID == "" || fields.RequestUID == "" {
		return Link{}, "", nil, ErrLink
	}
	return Link{fields.ID, fields.AppID, fields.RequestUID, time.Unix(fields.ExpiresAt, 0).UTC()}, body, signature, nil
}

// URL is the address of the page that a token opens. base is the public base URL, without a trailing slash.
func URL(base, token string) string { return strings.TrimSuffix(base, "/") + Path + token }

// TokenOf is the token in an address that URL made; empty if there is none.
func TokenOf(url string) string {
	_, token, _ := strings.Cut(url, Path)
	return token
}
