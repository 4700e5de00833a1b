package controllers

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/types"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
	"github.com/whatsapp-operator/whatsapp-operator/internal/onboarding"
)

// queueShare is the part of an app's limit that onboardings get. The rest keeps channels and checks alive while thousands wait.
const queueShare = 0.97

// callQueue lets the onboardings of one app begin in the order of their arrival, as fast as the app's limit lets them end. The limit alone
// would turn most of them away in the middle, and every one that comes back reads again what it knew: a thousand at once would
// spend the limit on that.
//
// Nobody waits in it: who has to is told when his turn comes. It is memory only, so a restart makes a new order.
type callQueue struct {
	// admitted is the client for those whose turn it is. It holds no call back but those of accounts
	// that have used up what Meta allows, and counts each against the limit of everybody else.
	admitted *meta.Client
	bucket   *rate.Limiter

	mu sync.Mutex
	// next is when the turn of the next to arrive comes.
	next  time.Time
	turns map[types.UID]time.Time
}

func newCallQueue(client *meta.Client, bucket *rate.Limiter, accounts *accountLimits) *callQueue {
	q := &callQueue{bucket: bucket, turns: map[types.UID]time.Time{}}
	q.admitted = client.WithLimit(func(_, object string) (time.Duration, bool) {
		if wait := accounts.wait(object); wait > 0 {
			return spread(wait), false
		}
		q.bucket.Reserve()
		return 0, true
	})
	return q
}

// enter returns 0 if it is the object's turn, else how long until it is. calls is how many it will make.
func (q *callQueue) enter(uid types.UID, calls int, now time.Time) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.next.After(now) {
		// Everybody's turn has come. Who did not take it is gone, or may go now.
		clear(q.turns)
		q.next = now
	}
	turn, waits := q.turns[uid]
	if !waits {
		turn = q.next
		q.next = turn.Add(time.Duration(float64(calls) / (queueShare * float64(q.bucket.Limit())) * float64(time.Second)))
		q.turns[uid] = turn
	}
	if wait := turn.Sub(now); wait > 0 {
		return wait
	}
	delete(q.turns, uid)
	return 0
}

// callsAhead is how many calls an onboarding will make if all goes well.
func callsAhead(f *onboarding.Facts, partner bool) int {
	calls := 0
	if !f.AssetsVerified {
		calls += 3 // the token, the account, its numbers
	}
	if !f.Subscribed {
		calls += 3 // looked up, made, looked up
	}
	if partner && !f.CreditShared {
		calls += 5 // system user looked up and assigned, line shared, sharing and account looked up
	}
	if f.Number == onboarding.NumberUnregistered {
		calls++
	}
	return max(calls, 1)
}
