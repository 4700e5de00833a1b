package serverapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
)

const scheme = "Bearer "

// Authorized says whether a request carries the token. It takes the same time for every wrong token, and an empty token
// authorises nobody.
func Authorized(r *http.Request, token redact.Secret) bool {
	given, ok := strings.CutPrefix(r.Header.Get("Authorization"), scheme)
	if !ok || given == "" || token.IsZero() {
		return false
	}
	// Digests, so that not even the length of the token can be timed.
	have, want := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(token.Reveal()))
	return subtle.ConstantTimeCompare(have[:], want[:]) == 1
}
