package providers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/whatsapp-operator/whatsapp-operator/internal/egress"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
)

const key = "sk-supersecretkey0123456789"

// serve starts a server and returns an adapter for it.
func serve(t *testing.T, cfg Config, handler http.HandlerFunc) Chat {
	t.Helper()
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	if cfg.Provider == "" {
		cfg.Provider = "OpenAI"
	}
	if cfg.BaseURL == "" {
		cfg.BaseURL = srv.URL + "/v1/"
	}
	if cfg.Model == "" {
		cfg.Model = "small"
	}
	chat, err := New(cfg, egress.NewClient(egress.Policy{AllowLoopback: true}, 10*time.Second, MaxResponseBytes))
	if err != nil {
		t.Fatal(err)
	}
	return chat
}

var question = Request{System: "Be brief.", Messages: []Message{
	{Role: RoleUser, Text: "Hi"}, {Role: RoleAssistant, Text: "Hello"}, {Role: RoleUser, Text: "Ferns?"},
}, MaxTokens: 99}

const answer = `{"id":"1","object":"chat.completion","model":"small","choices":[{"index":0,"message":{"role":"assistant","content":"Yes."},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}`

func write(t *testing.T, w io.Writer, body string) {
	t.Helper()
	if _, err := io.WriteString(w, body); err != nil {
		t.Log(err) // the client may have gone, on purpose
	}
}

func TestCompleteSpeaksTheWireFormat(t *testing.T) {
	var got map[string]any
	var path, auth string
	chat := serve(t, Config{APIKey: redact.New(key)}, func(w http.ResponseWriter, r *http.Request) {
		path, auth = r.URL.Path, r.Header.Get("Authorization")
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		write(t, w, answer)
	})
	req := question
	req.Schema = Schema{Name: "reply", JSON: json.RawMessage(`{"type":"object"}`)}
	res, err := chat.Complete(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Response{Text: "Yes.", PromptTokens: 7, CompletionTokens: 2}, res); diff != "" {
		t.Errorf("response (-want +got):\n%s", diff)
	}
	if path != "/v1/chat/completions" || auth != "Bearer "+key {
		t.Errorf("path %s, authorization %q", path, auth)
	}
	want := map[string]any{
		"model": "small", "max_tokens": 99.0, "stream": false,
		"messages": []any{
			map[string]any{"role": "system", "content": "Be brief."}, map[string]any{"role": "user", "content": "Hi"},
			map[string]any{"role": "assistant", "content": "Hello"}, map[string]any{"role": "user", "content": "Ferns?"},
		},
		"response_format": map[string]any{"type": "json_schema", "json_schema": map[string]any{
			"name": "reply", "strict": true, "schema": map[string]any{"type": "object"},
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
}

func TestCompleteVariants(t *testing.T) {
	for _, tc := range []struct {
		reason string
		cfg    Config
		check  func(r *http.Request, body string) bool
	}{
		{"without a key no empty credential is sent", Config{}, func(r *http.Request, _ string) bool { return r.Header.Get("Authorization") == "" }},
		{"reasoning models know max_completion_tokens only", Config{Model: "gpt-5-mini"}, func(_ *http.Request, body string) bool {
			return strings.Contains(body, `"max_completion_tokens":99`) && !strings.Contains(body, `"max_tokens"`)
		}},
		{"no schema asked, none sent", Config{}, func(_ *http.Request, body string) bool { return !strings.Contains(body, "response_format") }},
	} {
		ok := false
		chat := serve(t, tc.cfg, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			ok = err == nil && tc.check(r, string(body))
			write(t, w, answer)
		})
		if _, err := chat.Complete(t.Context(), question); err != nil || !ok {
			t.Errorf("%s: not so, error %v", tc.reason, err)
		}
	}
}

func TestCompleteAzure(t *testing.T) {
	var got string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.URL.String() + " " + r.Header.Get("Api-Key")
		write(t, w, answer)
	}))
	defer srv.Close()
	chat := serve(t, Config{Provider: "AzureOpenAI", BaseURL: srv.URL, Model: "my-deploy.3.5", APIKey: redact.New(key)}, nil)
	if _, err := chat.Complete(t.Context(), question); err != nil {
		t.Fatal(err)
	}
	if want := "/openai/deployments/my-deploy.3.5/chat/completions?api-version=2024-10-21 " + key; got != want {
		t.Errorf("called %q, want %q", got, want)
	}
}

func TestCompleteWithTools(t *testing.T) {
	var got struct {
		Messages []map[string]any
		Tools    []map[string]any
	}
	chat := serve(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		write(t, w, `{"choices":[{"message":{"role":"assistant","content":null,"tool_calls":[
			{"id":"c7","type":"function","function":{"name":"search","arguments":"{\"query\":\"ferns\"}"}},
			{"type":"function","function":{"name":"search","arguments":"not JSON"}},
			{"id":"c9","type":"function","function":{}}]}}]}`)
	})
	req := question
	req.Tools = []Tool{{Name: "search", Description: "Finds.", Parameters: json.RawMessage(`{"type":"object"}`)}}
	req.Messages = append(slices.Clone(req.Messages),
		Message{Role: RoleAssistant, Text: "Let me see.", Calls: []ToolCall{{ID: "c1", Name: "search", Arguments: json.RawMessage(`{"query":"x"}`)}, {ID: "c2", Name: "nothing"}}},
		Message{Role: RoleTool, Results: []ToolResult{{CallID: "c1", Name: "search", Text: "[]"}, {CallID: "c2", Name: "nothing", Text: "no such tool", Failed: true}}},
	)
	res, err := chat.Complete(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	want := Response{Calls: []ToolCall{
		{ID: "c7", Name: "search", Arguments: json.RawMessage(`{"query":"ferns"}`)}, {ID: "call_1", Name: "search", Arguments: json.RawMessage("not JSON")},
	}}
	if diff := cmp.Diff(want, res); diff != "" {
		t.Errorf("response (-want +got):\n%s", diff)
	}
	asked := []map[string]any{
		{"role": "assistant", "content": "Let me see.", "tool_calls": []any{
			map[string]any{"id": "c1", "type": "function", "function": map[string]any{"name": "search", "arguments": `{"query":"x"}`}},
			map[string]any{"id": "c2", "type": "function", "function": map[string]any{"name": "nothing", "arguments": "{}"}},
		}},
		{"role": "tool", "tool_call_id": "c1", "content": "[]"},
		{"role": "tool", "tool_call_id": "c2", "content": "no such tool"},
	}
	if diff := cmp.Diff(asked, got.Messages[4:]); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	tools := []map[string]any{{"type": "function", "function": map[string]any{
		"name": "search", "description": "Finds.", "parameters": map[string]any{"type": "object"},
	}}}
	if diff := cmp.Diff(tools, got.Tools); diff != "" {
		t.Errorf("tools (-want +got):\n%s", diff)
	}
}

// A server that refuses what it does not know is asked without it, and the next time at once.
func TestCompleteWithoutWhatTheProviderRefuses(t *testing.T) {
	for _, tc := range []struct {
		reason  string
		refused []string
		calls   []int
		want    string
	}{
		{"all is known", nil, []int{1, 2}, "response_format tools"},
		{"no schemas", []string{"response_format"}, []int{2, 3}, "tools"},
		{"no tools", []string{"tools"}, []int{3, 4}, "response_format"},
		{"neither", []string{"response_format", "tools"}, []int{4, 5}, ""},
	} {
		calls, last := 0, ""
		chat := serve(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
			calls++
			var body map[string]any
			if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
				t.Error(err)
			}
			for _, member := range tc.refused {
				if body[member] != nil {
					w.WriteHeader(http.StatusBadRequest)
					write(t, w, `{"error":{"message":"not supported","type":"invalid_request_error"}}`)
					return
				}
			}
			var with []string
			for _, member := range []string{"response_format", "tools"} {
				if body[member] != nil {
					with = append(with, member)
				}
			}
			last = strings.Join(with, " ")
			write(t, w, answer)
		})
		req := question
		req.Schema = Schema{Name: "reply", JSON: json.RawMessage(`{}`)}
		req.Tools = []Tool{{Name: "search", Parameters: json.RawMessage(`{}`)}}
		for i, want := range tc.calls {
			if _, err := chat.Complete(t.Context(), req); err != nil || calls != want || last != tc.want {
				t.Errorf("%s, call %d: %v after %d requests, want %d; sent %q", tc.reason, i, err, calls, want, last)
			}
		}
	}
}

func TestCompleteErrors(t *testing.T) {
	fail := func(status int, body string, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if len(header) == 2 {
				w.Header().Set(header[0], header[1])
			}
			w.WriteHeader(status)
			write(t, w, body)
		}
	}
	quoting := `{"error":{"message":"Incorrect API key provided: ` + key + `","code":"invalid_api_key"}}`
	for _, tc := range []struct {
		reason  string
		handler http.HandlerFunc
		want    Error
	}{
		{"a wrong key, quoted by the provider", fail(401, quoting), Error{Kind: Unauthorized, HTTPStatus: 401}},
		{"a key without access", fail(403, quoting), Error{Kind: Unauthorized, HTTPStatus: 403}},
		{"an unknown model", fail(404, `{"error":{"message":"no","code":"model_not_found"}}`), Error{Kind: ModelNotFound, HTTPStatus: 404}},
		{"an unknown model as 400", fail(400, `{"error":{"message":"no","code":"model_not_found"}}`), Error{Kind: ModelNotFound, HTTPStatus: 400}},
		{"a wrong base URL", fail(404, "<html>not here</html>"), Error{Kind: ModelNotFound, HTTPStatus: 404}},
		{"throttled, with a time", fail(429, `{"error":{"message":"slow down"}}`, "Retry-After", "7"), Error{Kind: RateLimited, HTTPStatus: 429, RetryAfter: 7 * time.Second}},
		{"an absurd time to wait", fail(429, `{}`, "Retry-After", "99999999"), Error{Kind: RateLimited, HTTPStatus: 429, RetryAfter: time.Hour}},
		{"an internal error", fail(500, `{"error":{"message":"oops"}}`), Error{Kind: Unavailable, HTTPStatus: 500}},
		{"a gateway's HTML", fail(502, "<html>bad gateway</html>"), Error{Kind: Unavailable, HTTPStatus: 502}},
		{"a context that is too long", fail(400, `{"error":{"message":"too long","code":"context_length_exceeded"}}`), Error{Kind: ContextTooLong, HTTPStatus: 400}},
		{"a filter", fail(400, `{"error":{"message":"no","code":"content_filter"}}`), Error{Kind: Declined, HTTPStatus: 400}},
		{"a refusal", fail(200, `{"choices":[{"message":{"role":"assistant","content":null,"refusal":"I can't."},"finish_reason":"stop"}]}`), Error{Kind: Declined}},
		{"an answer that a filter has cut", fail(200, `{"choices":[{"message":{"role":"assistant","content":"Well"},"finish_reason":"content_filter"}]}`), Error{Kind: Declined}},
		{"no JSON at all", fail(200, "Welcome!"), Error{Kind: BadResponse}},
		{"JSON of something else", fail(200, `{"choices":"none"}`), Error{Kind: BadResponse}},
		{"no choice", fail(200, `{"choices":[]}`), Error{Kind: BadResponse}},
		{"an empty answer", fail(200, `{"choices":[{"message":{"role":"assistant","content":"  "}}]}`), Error{Kind: BadResponse}},
		{"an endless answer", fail(200, `{"choices":"`+strings.Repeat("x", MaxResponseBytes)), Error{Kind: BadResponse}},
		{"a connection that breaks", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, Error{Kind: Unavailable}},
	} {
		_, err := serve(t, Config{APIKey: redact.New(key)}, tc.handler).Complete(t.Context(), question)
		var e *Error
		if !errors.As(err, &e) || e.Kind != tc.want.Kind || e.HTTPStatus != tc.want.HTTPStatus || e.RetryAfter != tc.want.RetryAfter {
			t.Errorf("%s: got %#v, want %#v", tc.reason, err, tc.want)
			continue
		}
		for _, text := range []string{err.Error(), fmt.Sprintf("%+v", errors.Unwrap(err))} {
			if strings.Contains(text, "sk-") || strings.Contains(text, "127.0.0.1") {
				t.Errorf("%s: the error tells too much: %s", tc.reason, text)
			}
		}
		if meaning[e.Kind] == "" {
			t.Errorf("%s: kind %s has no text", tc.reason, e.Kind)
		}
	}
}

func TestCompleteTimesOut(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	chat := serve(t, Config{Timeout: 30 * time.Millisecond}, func(http.ResponseWriter, *http.Request) { <-release })
	_, err := chat.Complete(t.Context(), question)
	if KindOf(err) != Unavailable || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestNewRefusesAddressesAndProviders(t *testing.T) {
	if _, err := New(Config{Provider: "Skynet"}, &http.Client{}); KindOf(err) != Unsupported {
		t.Errorf("a provider that there is not: %v", err)
	}
	if _, err := NewTranscriber(Config{Provider: "Anthropic"}, &http.Client{}); KindOf(err) != Unsupported {
		t.Errorf("Anthropic transcribes nothing: %v", err)
	}
	called := false
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called = true }))
	defer srv.Close()
	chat, err := New(Config{Provider: "OpenAI", BaseURL: srv.URL, Model: "m"}, egress.NewClient(egress.Policy{}, time.Second, 1000))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := chat.Complete(t.Context(), question); KindOf(err) != Refused || called {
		t.Errorf("an address inside: %v, called %t", err, called)
	}
}
