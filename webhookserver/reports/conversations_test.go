package reports

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/storetest"
)

// ask calls the API with the manager's credential.
func (w *world) ask(t *testing.T, method, path, body string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	res, err := w.plain.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(res.Body)
	if cerr := res.Body.Close(); err != nil || cerr != nil {
		t.Fatal(err, cerr)
	}
	return res.StatusCode, string(raw)
}

func TestConversationIsGivenBack(t *testing.T) {
	w := newWorld(t)
	w.serve(t)
	_, err := w.store.Ingest(t.Context(), &store.Delivery{App: "1001", Messages: []store.InboundMessage{{
		Line: "line-p", PhoneNumberID: "201", WAMID: "wamid.1", From: store.Identity{BSUID: "US.1", Phone: "4911", Name: "Ana"},
		Source: store.SourceMessages, Type: "text", Text: "agent", EventTime: w.clock.now, ReplyWorthy: true, OpensWindow: true, Raw: []byte("{}"),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	w.clock.now = w.clock.now.Add(store.ReplyDebounce)
	turn, err := storetest.One(w.store.ClaimConversations(t.Context(), store.ClaimRequest{Owner: "w", Lease: time.Minute, PerLineLimit: 1}))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.store.CommitReply(t.Context(), turn, nil, store.Outcome{Kind: store.OutcomeHandOff, Reason: "CustomerAsked"}); err != nil {
		t.Fatal(err)
	}
	waiting := func() []serverapi.Conversation {
		status, body := w.ask(t, http.MethodGet, serverapi.PathConversations+"?phoneNumberID=201", "")
		var page serverapi.Conversations
		if err := json.Unmarshal([]byte(body), &page); err != nil || status != http.StatusOK {
			t.Fatalf("status %d, %v: %s", status, err, body)
		}
		if strings.Contains(body, "Ana") || strings.Contains(body, "4911") {
			t.Errorf("it names the customer: %s", body)
		}
		return page.Conversations
	}
	if got := waiting(); len(got) != 1 || got[0].ID != turn.ConversationID || got[0].State != "Waiting" || got[0].Reason != "CustomerAsked" {
		t.Fatalf("waiting: %+v", got)
	}
	resume := func(number string, id int64) int {
		status, _ := w.ask(t, http.MethodPost, serverapi.PathResume, fmt.Sprintf(`{"phoneNumberID":%q,"conversation":%d}`, number, id))
		return status
	}
	for reason, status := range map[string]int{
		"another tenant's number":         resume("202", turn.ConversationID),
		"a number that nobody serves":     resume("299", turn.ConversationID),
		"a conversation that isn't there": resume("201", turn.ConversationID+1),
	} {
		if status != http.StatusNotFound {
			t.Errorf("%s: status %d", reason, status)
		}
	}
	if status, _ := w.ask(t, http.MethodPost, serverapi.PathResume, "nonsense"); status != http.StatusBadRequest {
		t.Errorf("nonsense: status %d", status)
	}
	if status := resume("201", turn.ConversationID); status != http.StatusNoContent || len(waiting()) != 0 {
		t.Errorf("status %d, still waiting: %+v", status, waiting())
	}
}
