package controllers

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// checks remembers what was looked at when, so that an event which changes nothing for an object costs no call to Meta. It is memory
// only: after a restart everything is looked at once more, which reads and doesn't write.
type checks struct {
	mu    sync.Mutex
	byUID map[types.UID]check
}

// check is one look at Meta: what it was based on and when the next is due.
type check struct {
	fingerprint string
	due         time.Time
}

// fresh says whether an object was looked at on the same base, and how long that is good for.
func (c *checks) fresh(uid types.UID, fingerprint string, now time.Time) (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	last, ok := c.byUID[uid]
	if !ok || last.fingerprint != fingerprint || !now.Before(last.due) {
		return 0, false
	}
	return last.due.Sub(now), true
}

func (c *checks) remember(uid types.UID, fingerprint string, due time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byUID == nil {
		c.byUID = map[types.UID]check{}
	}
	c.byUID[uid] = check{fingerprint: fingerprint, due: due}
}

// forget makes the next reconciliation look again: the object is gone, or a report says that something changed at Meta.
func (c *checks) forget(uid types.UID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.byUID, uid)
}

// fingerprint identifies what a look is based on: the spec, the wish for a look now, and versions of what else it depends on.
func fingerprint(obj client.Object, versions ...string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d|%q|%q", obj.GetGeneration(), requestedAt(obj), versions))
	return hex.EncodeToString(sum[:])
}
