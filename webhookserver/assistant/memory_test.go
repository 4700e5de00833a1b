package assistant

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

// notary is a model that summarises, and answers; it remembers what it was asked.
type notary struct {
	*httptest.Server
	// fails makes it refuse to summarise.
	fails            bool
	summaries, turns []string
}

func newNotary(t *testing.T) *notary {
	t.Helper()
	n := &notary{}
	n.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct {
			Messages []struct{ Role, Content string }
		}
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			t.Error(err)
		}
		all := ""
		for _, m := range asked.Messages {
			all += m.Role + ": " + m.Content + "\n"
		}
		content := `{"text":"Yes."}`
		if strings.Contains(all, "You keep notes") {
			n.summaries = append(n.summaries, all)
			content = "Ana wants a tall palm."
			if n.fails {
				w.WriteHeader(http.StatusBadRequest)
			}
		} else {
			n.turns = append(n.turns, all)
		}
		message := map[string]any{"role": "assistant", "content": content}
		if err := json.NewEncoder(w).Encode(map[string]any{"choices": []any{map[string]any{"message": message}}}); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(n.Close)
	return n
}

// chat is a turn with so many messages before it.
func (n *notary) chat(before int) Turn {
	turn := Turn{
		Channel: &runtimeconfig.Channel{LineID: "line-1", Revision: "c1", Assistant: runtimeconfig.Assistant{
			Chat: &runtimeconfig.Provider{Provider: "OpenAI", BaseURL: n.URL, Model: "m", Timeout: runtimeconfig.Duration(time.Minute)},
		}},
		Unanswered: []Message{{ID: int64(before + 1), FromCustomer: true, Text: "And now?"}},
	}
	for i := range before {
		turn.History = append(turn.History, Message{ID: int64(i + 1), FromCustomer: i%2 == 0, Text: fmt.Sprintf("message %d.", i+1)})
	}
	return turn
}

func TestOlderMessagesAreSummarised(t *testing.T) {
	n := newNotary(t)
	reply, err := newModel(t).Answer(t.Context(), n.chat(verbatim+summarizeFrom))
	if err != nil || reply.Summary != "Ana wants a tall palm." || reply.SummaryThrough != summarizeFrom {
		t.Fatalf("%+v, %v", reply, err)
	}
	if len(n.summaries) != 1 || !strings.Contains(n.summaries[0], "Customer: message 1.") || !strings.Contains(n.summaries[0], fmt.Sprintf("message %d.", summarizeFrom)) ||
		strings.Contains(n.summaries[0], fmt.Sprintf("message %d.", summarizeFrom+1)) {
		t.Errorf("summarised %q", n.summaries)
	}
	if !strings.Contains(n.turns[0], "Ana wants a tall palm.") || strings.Contains(n.turns[0], fmt.Sprintf("message %d.", summarizeFrom)) ||
		!strings.Contains(n.turns[0], fmt.Sprintf("message %d.", summarizeFrom+1)) {
		t.Errorf("asked %q", n.turns)
	}

	// The next turn has the summary, and does not pay for another one.
	turn := n.chat(verbatim + summarizeFrom + 2)
	turn.Summary, turn.SummaryThrough = reply.Summary, reply.SummaryThrough
	if reply, err = newModel(t).Answer(t.Context(), turn); err != nil || reply.Summary != "" || len(n.summaries) != 1 {
		t.Errorf("%+v, %v; %d summaries", reply, err, len(n.summaries))
	}
	if !strings.Contains(n.turns[1], "Ana wants a tall palm.") || strings.Contains(n.turns[1], fmt.Sprintf("message %d.", summarizeFrom)) {
		t.Errorf("asked %q", n.turns[1])
	}
}

func TestAnswerWithoutASummary(t *testing.T) {
	for _, tc := range []struct {
		reason string
		before int
		fails  bool
	}{{"too little to summarise", verbatim + summarizeFrom - 1, false}, {"the model can't", verbatim + summarizeFrom, true}} {
		n := newNotary(t)
		n.fails = tc.fails
		reply, err := newModel(t).Answer(t.Context(), n.chat(tc.before))
		if err != nil || len(reply.Parts) != 1 || reply.Summary != "" || (len(n.summaries) > 0) != tc.fails {
			t.Errorf("%s: %+v, %v; %d summaries", tc.reason, reply, err, len(n.summaries))
		}
	}
}
