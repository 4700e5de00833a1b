package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// SignatureHeader carries the signature of a webhook.
const SignatureHeader = "X-Hub-Signature-256"

// signaturePrefix names the only algorithm accepted; the older SHA-1 header is ignored.
const signaturePrefix = "sha256="

// SignatureLength is that of each value of SignatureHeader that may verify, in bytes.
const SignatureLength = len(signaturePrefix) + 2*sha256.Size

// Sign returns the value of SignatureHeader for a body.
func Sign(secret, body []byte) string {
	return signaturePrefix + hex.EncodeToString(digest(secret, body))
}

func digest(secret, body []byte) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	return mac.Sum(nil)
}

// Verify checks the value of SignatureHeader against the exact bytes received, and returns the index of the first app
// secret that signed them. Meta escapes characters in its own way before it signs, so bytes that were parsed and
// encoded again do not verify. Empty secrets never match: anybody can sign with them.
//
// See developers.facebook.com/docs/graph-api/webhooks/getting-started.
func Verify(header string, body []byte, secrets ...[]byte) (index int, ok bool) {
	encoded, found := strings.CutPrefix(header, signaturePrefix)
	if !found || len(encoded) != hex.EncodedLen(sha256.Size) {
		return -1, false
	}
	signature, err := hex.DecodeString(encoded)
	if err != nil {
		return -1, false
	}
	for i, secret := range secrets {
		if len(secret) > 0 && hmac.Equal(signature, digest(secret, body)) {
			return i, true
		}
	}
	return -1, false
}
