package ingress

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
	"github.com/whatsapp-operator/whatsapp-operator/internal/meta/webhook"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// sweep hands unclaimed changes to the channels that have appeared since, on every change of the snapshot and every sweepEvery: a
// change may be stored right after the snapshot that would have claimed it.
func (h *Handler) sweep(ctx context.Context) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for ctx.Err() == nil {
		loaded := h.view.Load()
		if loaded.Synced {
			if err := h.sweepOnce(ctx, loaded.Snapshot); err != nil && ctx.Err() == nil {
				h.log.Error(err, "Unclaimed webhooks could not be looked at; trying again in a minute")
			}
		}
		select {
		case <-ctx.Done():
		case <-loaded.Replaced():
		case <-ticker.C:
		}
	}
}

func (h *Handler) sweepOnce(ctx context.Context, s *runtimeconfig.Snapshot) error {
	for after := int64(0); ; {
		changes, err := h.store.Unclaimed(ctx, after, unclaimedPage)
		if err != nil {
			return err
		}
		for i := range changes {
			u := &changes[i]
			after = u.ID
			v, ok := claim(s, u)
			if !ok {
				continue
			}
			if err := h.ingest(ctx, &v, u.Raw); err != nil {
				return err
			}
			if err := h.store.DeleteUnclaimed(ctx, u.ID); err != nil {
				return err
			}
			h.metrics.replayed.WithLabelValues("unclaimed").Inc()
		}
		if len(changes) < unclaimedPage {
			return nil
		}
	}
}

// claim projects an unclaimed change for its line. Only the channel of the same app and account has a right to it: the number may
// have come to somebody else since.
func claim(s *runtimeconfig.Snapshot, u *store.UnclaimedChange) (verdict, bool) {
	c, ok := s.Channel(u.PhoneNumberID)
	if !ok || c.Direct || c.AppID != u.App || c.WABAID != u.WABAID {
		return verdict{}, false
	}
	j := &judgement{snapshot: s, by: signer{apps: []string{u.App}}}
	j.came = u.ReceivedAt
	j.delivery = &store.Delivery{App: u.App}
	var change webhook.Change
	if err := json.Unmarshal(u.Raw, &change); err != nil {
		j.deadLetter(c.LineID, kindChange, "the unclaimed change can't be read any more", slices.Clone(u.Raw))
		return j.verdict, true
	}
	entry := &webhook.Entry{ID: meta.ID(u.WABAID)}
	if !u.EntryTime.IsZero() {
		entry.Time = webhook.Timestamp(strconv.FormatInt(u.EntryTime.Unix(), 10))
	}
	j.markGenuine(c)
	j.project(entry, change, c)
	return j.verdict, true
}
