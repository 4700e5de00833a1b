package outbox

import (
	"context"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// Receiver tells the processes that send what this one receives, which sends nothing itself: Meta counts both directions against a
// number's rate. Fill in its fields, and run it.
type Receiver struct {
	// Store is where they are told. Required.
	Store store.Replicas
	// Snapshot returns what is served now. Required.
	Snapshot func() *runtimeconfig.Snapshot
	// Owner names this process.
	Owner string
	// Log gets failures. Required.
	Log logr.Logger

	mu     sync.Mutex
	counts map[string]int64 // by line, since they were last told
}

// Received notes n messages that came in for a number. It never blocks.
func (r *Receiver) Received(phoneNumberID string, n int) {
	ch, ok := r.Snapshot().Channel(phoneNumberID)
	if !ok {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.counts == nil {
		r.counts = map[string]int64{}
	}
	r.counts[ch.LineID] += int64(n)
}

// Run tells until ctx is done, every store.ReceiveEvery and a last time.
func (r *Receiver) Run(ctx context.Context) error {
	ticker := time.NewTicker(store.ReceiveEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			r.tell(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
			r.tell(last)
			cancel()
			return nil
		}
	}
}

// tell is for a store that may be away. Then nobody sends either, and what it does not take is no longer of interest when it is back.
func (r *Receiver) tell(ctx context.Context) {
	r.mu.Lock()
	counts := r.counts
	r.counts = nil
	r.mu.Unlock()
	if len(counts) == 0 {
		return
	}
	if err := r.Store.Receive(ctx, r.Owner, counts); err != nil && ctx.Err() == nil {
		r.Log.Error(err, "The processes that send could not be told what was received")
	}
}

// received counts what processes have received that don't send.
type received struct {
	totals map[store.Received]int64 // by owner and line; the total in the key is zero
	// rest is what is left, by line, of dividing among those who send.
	rest map[string]int
}

// news are the messages by line that came since the last time. The first time there are none: what came before is past.
func (r *received) news(all []store.Received) map[string]int {
	first := r.totals == nil
	before := r.totals
	r.totals = make(map[store.Received]int64, len(all))
	news := map[string]int{}
	for _, a := range all {
		key := store.Received{Owner: a.Owner, Line: a.Line}
		r.totals[key] = a.Total
		more := a.Total
		if known, ok := before[key]; ok && known <= a.Total {
			more -= known // or it was forgotten meanwhile, and has begun again
		}
		if more > 0 && !first {
			news[a.Line] += int(more)
		}
	}
	return news
}

// share is this process's part of n messages of a line.
func (r *received) share(line string, n, replicas int) int {
	if r.rest == nil {
		r.rest = map[string]int{}
	}
	n += r.rest[line]
	if r.rest[line] = n % replicas; r.rest[line] == 0 {
		delete(r.rest, line)
	}
	return n / replicas
}

// receiveLoop counts what others receive against the rates of numbers. It returns when ctx is done.
func (b *Outbox) receiveLoop(ctx context.Context) {
	ticker := time.NewTicker(store.ReceiveEvery)
	defer ticker.Stop()
	var known received
	for {
		all, err := b.store.Received(ctx)
		switch {
		case err == nil:
			b.countReceived(&known, all)
		case ctx.Err() == nil:
			b.log.Error(err, "What other processes receive could not be read")
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func (b *Outbox) countReceived(known *received, all []store.Received) {
	news := known.news(all)
	if len(news) == 0 {
		return
	}
	perSecond := map[string]int{}
	for _, ch := range b.snapshot().Channels() {
		perSecond[ch.LineID] = ch.MessagesPerSecond
	}
	for line, n := range news {
		rate, served := perSecond[line]
		if mine := known.share(line, n, b.pace.sharing()); served && mine > 0 {
			b.pace.spend(line, rate, mine)
		}
	}
}
