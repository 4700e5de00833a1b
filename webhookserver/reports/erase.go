package reports

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta/webhook"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// eraseTimeout is for a store that has to be searched from one end to the other.
const eraseTimeout = 10 * time.Minute

// erase forgets a person. It goes on when the caller has gone: half an erasure would have to be repeated.
func (a api) erase(w http.ResponseWriter, r *http.Request) {
	var e serverapi.Erasure
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxRequestBytes+1))
	if err != nil || len(raw) > maxRequestBytes || json.Unmarshal(raw, &e) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	phone, user := webhook.Classify(plain(e.Phone)).Phone, webhook.Classify(e.UserID).UserID
	if (phone == "") != (e.Phone == "") || (user == "") != (e.UserID == "") || phone+user == "" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c, ok := a.View.Snapshot().Channel(e.PhoneNumberID)
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	// The listener's own limit is for answers that are quick.
	if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(eraseTimeout)); err != nil {
		a.Log.V(1).Info("An erasure has only the listener's time for its answer")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), eraseTimeout)
	defer cancel()
	done, err := a.Store.Erase(ctx, store.Erasure{Line: c.LineID, PhoneNumberID: c.PhoneNumberID, Phone: phone, BSUID: user})
	if errors.Is(err, store.ErrInvalid) {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if err != nil {
		a.unavailable(w, err)
		return
	}
	a.Log.Info("A person was erased", "line", c.LineID)
	a.answer(w, serverapi.Erased{
		Conversations: done.Conversations, Messages: done.Messages, Sends: done.Sends, Statuses: done.Statuses, TestMessages: done.TestMessages,
		Changes: done.Changes, Unclaimed: done.Unclaimed, DeadLetters: done.DeadLetters, Quarantined: done.Quarantined, QuarantinedKept: done.QuarantinedKept,
	})
}

// plain leaves out what people write between the digits of a phone number.
func plain(phone string) string {
	return strings.NewReplacer(" ", "", "-", "", "(", "", ")", "", ".", "", "/", "").Replace(phone)
}
