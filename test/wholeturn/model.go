package wholeturn

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

// ModelKey is the key that channels have for a Model.
const ModelKey = "sk-of-the-bakery-0123456789"

// Model is a server with OpenAI's API that does what a test says.
type Model struct {
	// URL is the base URL with the version.
	URL string

	mu    sync.Mutex
	asked []Request
}

// Request is what the model was asked.
type Request struct {
	// Path such as /v1/chat/completions.
	Path string
	// Body is all of it; JSON of a chat, a form of a transcription.
	Body string
	// Messages and Tools of a chat.
	Messages []ChatMessage
	Tools    []string
}

// ChatMessage is a message as OpenAI's API has it.
type ChatMessage struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
}

// Newest is the newest message of a chat, as JSON.
func (r *Request) Newest() string {
	if len(r.Messages) == 0 {
		return ""
	}
	return string(r.Messages[len(r.Messages)-1].Content)
}

// Call is what a model asks for.
type Call struct {
	Tool string
	// Arguments as the model writes them: JSON if it keeps to its form.
	Arguments string
}

// Answer is what the model does. With none of it set it answers an empty text.
type Answer struct {
	// Content is the text: of a chat its message, of a transcription the transcript.
	Content string
	Calls   []Call
	// Refusal is set by models that would not answer.
	Refusal string
	// Status and Code make it an error of the API.
	Status int
	Code   string
}

// Says is the structured reply with this text.
func Says(text string) Answer { return Reply(map[string]any{"text": text}) }

// Reply is the structured reply with these members.
func Reply(members map[string]any) Answer {
	encoded, err := json.Marshal(members)
	if err != nil {
		panic(err) // a test's own value
	}
	return Answer{Content: string(encoded)}
}

// Asks is a call of one tool.
func Asks(tool, arguments string) Answer { return Answer{Calls: []Call{{tool, arguments}}} }

// NewModel starts a model that answers with do until the test ends. do may be called at the same time for several requests.
func NewModel(t *testing.T, do func(Request) Answer) *Model {
	t.Helper()
	m := &Model{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the server has lost interest
		}
		if r.Header.Get("Authorization") != "Bearer "+ModelKey {
			t.Errorf("the model got the credential %q", r.Header.Get("Authorization"))
		}
		req := Request{Path: r.URL.Path, Body: string(body)}
		var chat struct {
			Messages []ChatMessage `json:"messages"`
			Tools    []struct {
				Function struct {
					Name string `json:"name"`
				} `json:"function"`
			} `json:"tools"`
		}
		if json.Unmarshal(body, &chat) == nil {
			req.Messages = chat.Messages
			for _, tool := range chat.Tools {
				req.Tools = append(req.Tools, tool.Function.Name)
			}
		}
		m.mu.Lock()
		m.asked = append(m.asked, req)
		m.mu.Unlock()
		do(req).write(w, req.Path)
	}))
	t.Cleanup(server.Close)
	m.URL = server.URL + "/v1"
	return m
}

func (a Answer) write(w http.ResponseWriter, path string) {
	w.Header().Set("Content-Type", "application/json")
	encode := func(v any) { _ = json.NewEncoder(w).Encode(v) } // whoever asked may be gone
	switch {
	case a.Status != 0:
		w.WriteHeader(a.Status)
		encode(map[string]any{"error": map[string]any{"message": "no", "code": a.Code}})
	case path == "/v1/audio/transcriptions":
		encode(map[string]any{"text": a.Content})
	default:
		message := map[string]any{"role": "assistant", "content": a.Content}
		if a.Refusal != "" {
			message["refusal"] = a.Refusal
		}
		var calls []any
		for i, c := range a.Calls {
			calls = append(calls, map[string]any{
				"id": "call_" + string(rune('a'+i%26)), "type": "function", "function": map[string]any{"name": c.Tool, "arguments": c.Arguments},
			})
		}
		if calls != nil {
			message["tool_calls"] = calls
		}
		encode(map[string]any{"choices": []any{map[string]any{"message": message}}, "usage": map[string]any{"prompt_tokens": 10, "completion_tokens": 5}})
	}
}

// Asked are the requests so far.
func (m *Model) Asked() []Request {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]Request(nil), m.asked...)
}

// Give gives a channel the model for its capabilities.
func (m *Model) Give(ch *runtimeconfig.Channel, capabilities ...runtimeconfig.Capability) {
	for _, c := range capabilities {
		ch.Assistant.SetProvider(c, &runtimeconfig.Provider{
			Provider: "OpenAI", BaseURL: m.URL, Model: "the-model", Timeout: runtimeconfig.Duration(20 * time.Second), APIKey: redact.New(ModelKey),
		})
	}
}
