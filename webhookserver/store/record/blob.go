package record

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// BlobKey is where the file of a message lies. The same message has the same
// key, so that a file that is fetched again replaces itself; it tells nothing of
// the line, the number or the customer, of whom a message's id does tell.
func BlobKey(line, number, wamid string) string {
	owner, message := sha256.Sum256([]byte(line)), sha256.Sum256([]byte(number+"\x00"+wamid))
	return hex.EncodeToString(owner[:8]) + "/" + hex.EncodeToString(message[:])
}

// AwaitedFor is how long a claim waits for a file after it was received.
func AwaitedFor(req store.ClaimRequest) time.Duration {
	if !req.AwaitMedia {
		return 0
	}
	return store.MediaPatience
}
