package ingress

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

// keeper knows whose quarantined bodies are to be judged again.
type keeper struct {
	mu      sync.Mutex
	due     map[string]bool
	wake    chan struct{}
	secrets map[string][sha256.Size]byte // digests by owner, as last seen; only notice uses it
	owners  map[string]string            // keys by line, as last seen; the same
}

func newKeeper() *keeper {
	return &keeper{due: map[string]bool{}, wake: make(chan struct{}, 1), owners: map[string]string{}}
}

// recheck asks for an owner's bodies to be judged again.
func (k *keeper) recheck(key string) {
	k.mu.Lock()
	k.due[key] = true
	k.mu.Unlock()
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// take returns whose bodies are due, and forgets them.
func (k *keeper) take() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	keys := make([]string, 0, len(k.due))
	for key := range k.due {
		keys = append(keys, key)
	}
	clear(k.due)
	return keys
}

// notice makes due whoever has other secrets than last time. The first time that is everybody: a secret may have changed while no
// server ran.
func (k *keeper) notice(s *runtimeconfig.Snapshot) {
	now := digests(s)
	k.mu.Lock()
	defer k.mu.Unlock()
	changed := func(key string) bool {
		old, ok := k.secrets[key]
		return !ok || old != now[key]
	}
	apps := map[string]bool{}
	for _, c := range s.Channels() {
		if c.Direct && changed(ownerOf(c).key) {
			apps[c.AppID] = true
		}
	}
	for key := range now {
		if changed(key) {
			k.due[key] = true
		}
	}
	// A body for many lines of one app is kept under some of them only, for all.
	for _, c := range s.Channels() {
		if c.Direct && c.AppID != "" && apps[c.AppID] {
			k.due[ownerOf(c).key] = true
		}
	}
	k.secrets = now
	// Somebody who mends a line by giving it another app leaves bodies under the former one.
	for _, c := range s.Channels() {
		key := ownerOf(c).key
		if former, ok := k.owners[c.LineID]; ok && former != key {
			k.due[former] = true
		}
		k.owners[c.LineID] = key
	}
}

// digests identifies the secrets of each owner.
func digests(s *runtimeconfig.Snapshot) map[string][sha256.Size]byte {
	all := map[string][sha256.Size]byte{}
	put := func(key string, secrets ...redact.Secret) {
		h := sha256.New()
		for _, secret := range secrets {
			part := sha256.Sum256([]byte(secret.Reveal()))
			_, _ = h.Write(part[:]) // a hash never fails
		}
		all[key] = [sha256.Size]byte(h.Sum(nil))
	}
	for _, app := range s.Apps() {
		put(app.AppID, app.AppSecret, app.PreviousAppSecret)
	}
	for _, c := range s.Channels() {
		if c.Direct {
			put(ownerOf(c).key, c.AppSecret, c.PreviousAppSecret)
		}
	}
	return all
}

// reverify judges quarantined bodies again whenever a secret of their owner changes.
func (h *Handler) reverify(ctx context.Context) {
	for ctx.Err() == nil {
		loaded := h.view.Load()
		var again <-chan time.Time
		if loaded.Synced {
			h.keeper.notice(loaded.Snapshot)
			for _, key := range h.keeper.take() {
				if err := h.reverifyOwner(ctx, key); err != nil && ctx.Err() == nil {
					h.log.Error(err, "Quarantined webhooks could not be looked at; trying again")
					h.keeper.recheck(key)
					again = time.After(replayBackoff)
				}
			}
		}
		h.awaitWork(ctx, loaded.Replaced(), again)
	}
}

// awaitWork waits until there is something to do. After a failure it waits for the back-off, whatever happens meanwhile.
func (h *Handler) awaitWork(ctx context.Context, replaced <-chan struct{}, again <-chan time.Time) {
	if again != nil {
		select {
		case <-ctx.Done():
		case <-again:
		}
		return
	}
	select {
	case <-ctx.Done():
	case <-replaced:
	case <-h.keeper.wake:
	}
}

func (h *Handler) reverifyOwner(ctx context.Context, key string) error {
	for after := int64(0); ; {
		entries, err := h.store.QuarantineEntries(ctx, key, after, quarantinePage)
		if err != nil {
			return err
		}
		for i := range entries {
			e := &entries[i]
			after = e.ID
			// Its security event was counted when it came.
			within, ok := scopeOf(e.Path)
			if !ok {
				continue // of a version that has other paths
			}
			v := judge(h.view.Load(), within, e.Body, e.Signature, e.ReceivedAt)
			if !v.verified {
				continue
			}
			if v.delivery != nil {
				if err := h.ingest(ctx, &v, e.Body); err != nil {
					return err
				}
			}
			if v.retry || len(v.quarantine) > 0 {
				continue // somebody's secret is yet to come
			}
			// A crash before this line makes the body come again; its rows are known as copies then.
			if err := h.store.DeleteQuarantine(ctx, e.ID); err != nil {
				return err
			}
			h.metrics.replayed.WithLabelValues("quarantine").Inc()
		}
		if len(entries) < quarantinePage {
			return nil
		}
	}
}
