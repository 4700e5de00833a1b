package reports

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// pageOfConversations is how many rows are read at a time.
const pageOfConversations = 500

// waiting lists the conversations of a number that are a person's. It names no customer: the id is enough to give one back.
func (a api) waiting(w http.ResponseWriter, r *http.Request) {
	c, ok := a.View.Snapshot().Channel(r.URL.Query().Get("phoneNumberID"))
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	out := serverapi.Conversations{Conversations: []serverapi.Conversation{}}
	for after := int64(0); ; {
		rows, err := a.Store.Conversations(r.Context(), c.LineID, after, pageOfConversations)
		if err != nil {
			a.unavailable(w, err)
			return
		}
		for i := range rows {
			row := &rows[i]
			after = row.ID
			if row.State != store.ConversationActive && len(out.Conversations) < serverapi.MaxLimit {
				out.Conversations = append(out.Conversations, serverapi.Conversation{
					ID: row.ID, State: string(row.State), Reason: row.WaitingReason, LastMessageAt: row.LastUserMessageAt.Truncate(time.Second),
				})
			}
		}
		if len(rows) < pageOfConversations {
			a.answer(w, out)
			return
		}
	}
}

// resume gives a conversation back to the assistant.
func (a api) resume(w http.ResponseWriter, r *http.Request) {
	var wish serverapi.Resume
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxRequestBytes+1))
	if err != nil || len(raw) > maxRequestBytes || json.Unmarshal(raw, &wish) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c, ok := a.View.Snapshot().Channel(wish.PhoneNumberID)
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	switch err := a.Store.Resume(r.Context(), c.LineID, wish.Conversation); {
	case errors.Is(err, store.ErrNotFound):
		w.WriteHeader(http.StatusNotFound)
	case err != nil:
		a.unavailable(w, err)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}
