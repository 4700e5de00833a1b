package orders

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
)

// secretPrefix marks a key that is written in base64, see the Standard Webhooks specification.
const secretPrefix = "whsec_"

// sign adds the headers of the Standard Webhooks specification.
func sign(h http.Header, key redact.Secret, id string, at time.Time, body []byte) {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, keyBytes(key))
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	h.Set("Webhook-Id", id)
	h.Set("Webhook-Timestamp", timestamp)
	h.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

// keyBytes are those of the key: a value with the prefix is base64, any other is taken as it is.
func keyBytes(key redact.Secret) []byte {
	if encoded, ok := strings.CutPrefix(key.Reveal(), secretPrefix); ok {
		if raw, err := base64.StdEncoding.DecodeString(encoded); err == nil {
			return raw
		}
	}
	return []byte(key.Reveal())
}
