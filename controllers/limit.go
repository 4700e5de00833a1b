package controllers

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
)

// maxAccountsKnown bounds what is remembered of accounts; beyond it the memory starts anew, which costs a refused call for each account
// that is used up.
const maxAccountsKnown = 100_000

// accountLimits holds the calls of those accounts back that have used up what Meta allows, so that one tenant's trouble costs one refused call
// and stops nobody else. Meta itself tells which number counts for which account. It is memory only.
type accountLimits struct {
	// now tells the time; nil means time.Now.
	now func() time.Time

	mu sync.Mutex
	// accountOf tells under which account Meta counts the calls for an object.
	accountOf map[string]string
	// until is when an account may make calls again.
	until map[string]time.Time
}

// observe learns from an answer.
func (l *accountLimits) observe(u meta.Usage) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.accountOf == nil || len(l.accountOf) >= maxAccountsKnown {
		l.accountOf, l.until = map[string]string{}, map[string]time.Time{}
	}
	l.accountOf[u.Object] = u.Account
	if u.Regain > 0 {
		l.until[u.Account] = l.time().Add(u.Regain)
	}
}

// wait is how long the calls for an object are held back; 0 if they are not.
func (l *accountLimits) wait(object string) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	account, known := l.accountOf[object]
	if !known {
		account = object
	}
	until, held := l.until[account]
	if !held {
		return 0
	}
	now := l.time()
	if !until.After(now) {
		delete(l.until, account)
		return 0
	}
	return until.Sub(now)
}

func (l *accountLimits) time() time.Time {
	if l.now == nil {
		return time.Now()
	}
	return l.now()
}

// limiter bounds the calls of an app, and of each of its accounts, without ever blocking a worker: who comes too early is told when to come
// again. bucket is nil for an app without a limit of its own.
func limiter(bucket *rate.Limiter, accounts *accountLimits) func(action, object string) (time.Duration, bool) {
	return func(_, object string) (time.Duration, bool) {
		if wait := accounts.wait(object); wait > 0 {
			return spread(wait), false
		}
		if bucket == nil {
			return 0, true
		}
		r := bucket.Reserve()
		wait := r.Delay()
		if wait == 0 {
			return 0, true
		}
		r.Cancel()
		// Spread over the next second: all who are turned away now would be back together.
		return wait + jitter(time.Second)/2, false
	}
}
