package ingress

import (
	"cmp"
	"context"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta/webhook"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// projectPending makes rows of the changes that were only kept when they came: what a phone app knows of the past, and its contacts.
// A crash in between makes the same rows again, which are known as copies then.
func (h *Handler) projectPending(ctx context.Context) {
	ticker := time.NewTicker(pendingEvery)
	defer ticker.Stop()
	for {
		if err := h.projectOnce(ctx); err != nil && ctx.Err() == nil {
			h.log.Error(err, "Histories and contacts could not be projected; trying again soon")
		}
		select {
		case <-ctx.Done():
			return
		case <-h.pending:
		case <-ticker.C:
		}
	}
}

func (h *Handler) projectOnce(ctx context.Context) error {
	for after := int64(0); ; {
		changes, err := h.store.PendingChanges(ctx, after, pendingPage)
		if err != nil {
			return err
		}
		for i := range changes {
			after = changes[i].ID
			if err := h.projectChange(ctx, &changes[i]); err != nil {
				return err
			}
			if err := h.store.MarkProjected(ctx, changes[i].ID); err != nil {
				return err
			}
			h.metrics.replayed.WithLabelValues("pending").Inc()
		}
		if len(changes) < pendingPage {
			return nil
		}
	}
}

// projectChange stores the rows of one change, some at a time: a delivery must not hold up those of customers who write now.
func (h *Handler) projectChange(ctx context.Context, c *store.RawChange) error {
	change := webhook.Change{Field: c.Field, Value: c.Raw}
	d, err := historyRows(c, change)
	if c.Field == webhook.FieldAppState {
		d, err = contactRows(c, change)
	}
	if err != nil {
		d.DeadLetters = []store.DeadLetter{{App: c.App, Line: c.Line, Kind: kindChange, Reason: "the value is not of the documented shape", Raw: c.Raw}}
	}
	for len(d.Messages)+len(d.SavedContacts)+len(d.DeadLetters) > 0 {
		messages, contacts := min(len(d.Messages), pendingRows), min(len(d.SavedContacts), pendingRows)
		part := &store.Delivery{App: c.App, Messages: d.Messages[:messages], SavedContacts: d.SavedContacts[:contacts], DeadLetters: d.DeadLetters}
		if _, err := h.store.Ingest(ctx, part); err != nil {
			return err
		}
		d.Messages, d.SavedContacts, d.DeadLetters = d.Messages[messages:], d.SavedContacts[contacts:], nil
	}
	return nil
}

func historyRows(c *store.RawChange, change webhook.Change) (store.Delivery, error) {
	var d store.Delivery
	history, err := change.History()
	if err != nil || c.Field != webhook.FieldHistory {
		return d, err
	}
	business := webhook.Digits(string(history.Metadata.DisplayPhoneNumber))
	add := func(thread webhook.Loose, m *webhook.HistoryMessage) {
		who, wrote := m.Customer(thread, business)
		if m.Err != nil || m.ID == "" || who.UserID == "" && who.Phone == "" {
			d.DeadLetters = append(d.DeadLetters, store.DeadLetter{
				App: c.App, Line: c.Line, Kind: kindMessage, Reason: "the message of a history is not of the documented shape", Raw: m.Raw,
			})
			return
		}
		row := messageRow(c.Line, c.PhoneNumberID, store.SourceHistory, m.ID, m.Type, who, m.Content())
		row.ByBusiness, row.EventTime, row.Raw = !wrote, timeOr(m.Timestamp, c.ReceivedAt), m.Raw
		d.Messages = append(d.Messages, row)
	}
	for i := range history.Chunks {
		for n := range history.Chunks[i].Threads {
			thread := &history.Chunks[i].Threads[n]
			for k := range thread.Messages {
				add(thread.ID, &thread.Messages[k])
			}
		}
	}
	for i := range history.Messages {
		add("", &history.Messages[i])
	}
	return d, nil
}

func contactRows(c *store.RawChange, change webhook.Change) (store.Delivery, error) {
	var d store.Delivery
	state, err := change.AppState()
	if err != nil {
		return d, err
	}
	for i := range state.Sync {
		s := &state.Sync[i]
		phone := webhook.Digits(string(s.Contact.PhoneNumber))
		if s.Type != "contact" || phone == "" {
			continue // what it is stays in the change
		}
		saved := store.SavedContact{Line: c.Line, Phone: phone, EventTime: timeOr(s.Metadata.Timestamp, c.ReceivedAt)}
		if s.Action != "remove" {
			saved.Name = string(cmp.Or(s.Contact.FullName, s.Contact.FirstName))
		}
		d.SavedContacts = append(d.SavedContacts, saved)
	}
	return d, nil
}
