package providers

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/whatsapp-operator/whatsapp-operator/internal/egress"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/test/aimock"
)

// fixtures are the scenarios, one for each first word of a question.
func fixtures() []aimock.Fixture {
	on := func(word string) map[string]any { return map[string]any{"userMessage": word} }
	fails := func(word string, status int, code, message string) aimock.Fixture {
		return aimock.Fixture{Match: on(word), Response: map[string]any{
			"error": map[string]any{"message": message, "type": "invalid_request_error", "code": code}, "status": status,
		}}
	}
	text := map[string]any{"content": "Yes, we have ferns."}
	call := map[string]any{"toolCalls": []any{map[string]any{"name": "search_catalog", "arguments": `{"query":"fern"}`}}}
	with := func(word, key string, value any) map[string]any {
		return map[string]any{"userMessage": word, key: value}
	}
	var recovering []aimock.Fixture // a sequence is counted once, so each adapter has its own
	for _, provider := range []string{"OpenAI", "AzureOpenAI", "Anthropic"} {
		recovering = append(recovering, aimock.Fixture{Match: with("THROTTLED "+provider, "sequenceIndex", 0), Response: map[string]any{
			"error": map[string]any{"message": "slow down", "type": "rate_limit_error", "code": "rate_limit_exceeded"}, "status": 429, "retryAfter": 2,
		}}, aimock.Fixture{Match: on("THROTTLED " + provider), Response: text}, aimock.Fixture{Match: with("HICCUP "+provider, "sequenceIndex", 0), Response: map[string]any{
			"error": map[string]any{"message": "oops", "type": "server_error"}, "status": 500,
		}}, aimock.Fixture{Match: on("HICCUP " + provider), Response: text})
	}
	return append(recovering, []aimock.Fixture{
		{Match: on("HELLO"), Response: text},
		{Match: on("PHOTO"), Response: map[string]any{"content": "A green fern in a pot."}},
		{Match: with("SEARCH", "hasToolResult", false), Response: call},
		{Match: with("SEARCH", "toolResultContains", "Boston Fern"), Response: text},
		fails("REVOKED", 401, "invalid_api_key", "Incorrect API key provided: "+key),
		fails("NOMODEL", 404, "model_not_found", "The model does not exist"),
		fails("TOOLONG", 400, "context_length_exceeded", "prompt is too long: 300000 tokens > 200000 maximum"),
		fails("DOWN", 500, "server_error", "The server had an error"),
		fails("BUSY", 529, "overloaded_error", "Overloaded"),
		{Match: on("GARBLED"), Response: text, Chaos: map[string]float64{"malformedRate": 1}},
		{Match: on("HANGUP"), Response: text, Chaos: map[string]float64{"disconnectRate": 1}},
		{Match: on("FILTERED"), Response: map[string]any{"content": "I can't", "finishReason": "content_filter"}},
		{Match: on("REFUSED"), Response: map[string]any{"content": "I can't", "finishReason": "refusal"}},
		{Match: on("SILENT"), Response: map[string]any{"content": " "}},
		{Match: map[string]any{"endpoint": "transcription"}, Response: map[string]any{"transcription": map[string]any{"text": "two ferns please", "duration": 2.5}}},
		{Match: map[string]any{"endpoint": "image"}, Response: map[string]any{"image": map[string]any{"b64Json": base64.StdEncoding.EncodeToString(png)}}},
		{Match: map[string]any{"endpoint": "embedding", "inputText": "fern"}, Response: map[string]any{"embedding": []float64{1, 0, 0.5}}},
	}...)
}

// bench is a channel of one provider at aimock.
type bench struct {
	*testing.T
	provider string
	mock     *aimock.Server
	pool     *Pool
	channel  *runtimeconfig.Channel
	slept    []time.Duration
	// wire is what went out.
	wire bytes.Buffer
}

// tee is the way to the server that keeps what goes out.
type tee struct {
	next http.RoundTripper
	wire *bytes.Buffer
}

// RoundTrip implements http.RoundTripper.
func (t tee) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := req.GetBody()
	if err != nil {
		return nil, err
	}
	if _, err := t.wire.ReadFrom(body); err != nil {
		return nil, err
	}
	return t.next.RoundTrip(req)
}

// TestConformance runs every adapter through the same scenarios, against a server that others have written.
func TestConformance(t *testing.T) {
	mock, err := aimock.Start(t.Context(), t.TempDir(), fixtures())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := mock.Stop(); err != nil {
			t.Error(err)
		}
	})
	for provider, base := range map[string]string{"OpenAI": mock.URL + "/v1", "AzureOpenAI": mock.URL, "Anthropic": mock.URL} {
		for _, scenario := range []struct {
			name string
			run  func(*bench)
		}{
			{"text", (*bench).text},
			{"tools", (*bench).tools},
			{"vision", (*bench).vision},
			{"recovery", (*bench).recovery},
			{"faults", (*bench).faults},
			{"transcription", (*bench).transcription},
			{"images", (*bench).images},
			{"embeddings", (*bench).embeddings},
		} {
			t.Run(provider+"/"+scenario.name, func(t *testing.T) {
				scenario.run(newBench(t, mock, provider, base))
			})
		}
	}
}

func newBench(t *testing.T, mock *aimock.Server, provider, base string) *bench {
	t.Helper()
	if err := mock.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t, provider: provider, mock: mock, channel: &runtimeconfig.Channel{LineID: "line-a", Revision: "r"}}
	for _, capability := range runtimeconfig.Capabilities {
		b.channel.Assistant.SetProvider(capability, &runtimeconfig.Provider{
			Provider: provider, BaseURL: base, Model: "the-model", APIKey: redact.New(key), Timeout: runtimeconfig.Duration(20 * time.Second),
		})
	}
	var err error
	b.pool, err = NewPool(PoolOptions{
		Client: egress.NewClient(egress.Policy{AllowLoopback: true}, time.Minute, MaxBodyBytes), Metrics: prometheus.NewRegistry(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.pool.Close)
	transport, ok := b.pool.client.Transport.(*Transport)
	if !ok {
		t.Fatal("the pool has another transport")
	}
	transport.next = tee{transport.next, &b.wire}
	transport.sleep = func(_ context.Context, d time.Duration) error { b.slept = append(b.slept, d); return nil }
	return b
}

// ask asks the chat model with the word of a scenario.
func (b *bench) ask(req Request) (Response, error) {
	b.Helper()
	chat, err := b.pool.Chat(b.channel)
	if err != nil {
		b.Fatal(err)
	}
	req.MaxTokens = 200
	return chat.Complete(b.Context(), req)
}

func user(text string) []Message { return []Message{{Role: RoleUser, Text: text}} }

// sent is the journal's newest body.
func (b *bench) sent() string {
	b.Helper()
	entries, err := b.mock.Journal(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	if len(entries) == 0 {
		b.Fatal("nothing arrived")
	}
	return string(entries[len(entries)-1].Body)
}

func (b *bench) must(res Response, err error, want string) {
	b.Helper()
	if err != nil || res.Text != want {
		b.Errorf("got %+v, %v; want %q", res, err, want)
	}
}

func (b *bench) text() {
	res, err := b.ask(Request{
		System: "Be brief.", Messages: []Message{{Role: RoleUser, Text: "Hi"}, {Role: RoleAssistant, Text: "Welcome"}, {Role: RoleUser, Text: "HELLO"}},
		Schema: Schema{Name: "reply", JSON: json.RawMessage(`{"type":"object","additionalProperties":false,"properties":{"text":{"type":"string"}},"required":["text"]}`)},
	})
	b.must(res, err, "Yes, we have ferns.")
	if sent := b.sent(); !strings.Contains(sent, "Be brief.") || !strings.Contains(sent, "Welcome") || strings.Contains(sent, key) {
		b.Errorf("sent %s", sent)
	}
}

func (b *bench) tools() {
	tools := []Tool{{Name: "search_catalog", Description: "Finds products.", Parameters: json.RawMessage(
		`{"type":"object","properties":{"query":{"type":"string"}},"required":["query"],"additionalProperties":false}`)}}
	messages := user("SEARCH ferns")
	res, err := b.ask(Request{Messages: messages, Tools: tools})
	if err != nil || len(res.Calls) != 1 || res.Calls[0].Name != "search_catalog" || res.Calls[0].ID == "" {
		b.Fatalf("got %+v, %v", res, err)
	}
	var arguments map[string]string
	if err := json.Unmarshal(res.Calls[0].Arguments, &arguments); err != nil || arguments["query"] != "fern" {
		b.Errorf("arguments %s, %v", res.Calls[0].Arguments, err)
	}
	if sent := b.sent(); !strings.Contains(sent, "Finds products.") || !strings.Contains(sent, `"additionalProperties":false`) {
		b.Errorf("the tool's schema is not in %s", sent)
	}
	messages = append(messages, Message{Role: RoleAssistant, Text: res.Text, Calls: res.Calls}, Message{Role: RoleTool, Results: []ToolResult{
		{CallID: res.Calls[0].ID, Name: "search_catalog", Text: `[{"title":"Boston Fern"}]`},
	}})
	res, err = b.ask(Request{Messages: messages, Tools: tools})
	b.must(res, err, "Yes, we have ferns.")
}

func (b *bench) vision() {
	eyes, err := b.pool.Vision(b.channel)
	if err != nil {
		b.Fatal(err)
	}
	res, err := eyes.Complete(b.Context(), Request{MaxTokens: 200, Messages: []Message{
		{Role: RoleUser, Text: "PHOTO What is in it?", Images: []Image{{MIMEType: "image/png", Data: png}}},
	}})
	b.must(res, err, "A green fern in a pot.")
	sent := b.sent()
	if b.provider == "Anthropic" {
		sent = b.wire.String() // aimock keeps only the texts of Anthropic's blocks in its journal
	}
	if !strings.Contains(sent, base64.StdEncoding.EncodeToString(png)) || !strings.Contains(sent, "image/png") {
		b.Errorf("the photo is not in %s", sent)
	}
}

func (b *bench) recovery() {
	res, err := b.ask(Request{Messages: user("THROTTLED " + b.provider)})
	b.must(res, err, "Yes, we have ferns.")
	if len(b.slept) != 1 || b.slept[0] < 2*time.Second {
		b.Errorf("waited %v, the provider asked for 2s", b.slept)
	}
	res, err = b.ask(Request{Messages: user("HICCUP " + b.provider)})
	b.must(res, err, "Yes, we have ferns.")
}

func (b *bench) faults() {
	declined := "FILTERED"
	if b.provider == "Anthropic" {
		declined = "REFUSED"
	}
	for word, want := range map[string]Kind{
		"REVOKED": Unauthorized, "NOMODEL": ModelNotFound, "TOOLONG": ContextTooLong, "DOWN": Unavailable, "BUSY": Unavailable,
		"GARBLED": BadResponse, "HANGUP": Unavailable, declined: Declined, "SILENT": BadResponse,
		"UNSCRIPTED": Unavailable, // aimock answers 503
	} {
		_, err := b.ask(Request{Messages: user(word)})
		var e *Error
		if !errors.As(err, &e) || e.Kind != want {
			b.Errorf("%s: got %v, want %s", word, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "sk-") {
			b.Errorf("%s: the error tells the key: %v", word, err)
		}
	}
}

func (b *bench) transcription() {
	speech, err := b.pool.Transcriber(b.channel)
	if b.unsupported(err) {
		return
	}
	got, err := speech.Transcribe(b.Context(), Audio{MIMEType: "audio/ogg; codecs=opus", Data: []byte("OggS and so on")})
	if err != nil || got.Text != "two ferns please" {
		b.Errorf("got %+v, %v", got, err)
	}
}

func (b *bench) images() {
	images, err := b.pool.ImageGenerator(b.channel)
	if b.unsupported(err) {
		return
	}
	got, err := images.Generate(b.Context(), "A fern in a blue pot")
	if err != nil || got.MIMEType != "image/png" || !bytes.Equal(got.Data, png) {
		b.Errorf("got %s of %d bytes, %v", got.MIMEType, len(got.Data), err)
	}
	if sent := b.sent(); !strings.Contains(sent, "A fern in a blue pot") {
		b.Errorf("sent %s", sent)
	}
}

func (b *bench) embeddings() {
	embed, err := b.pool.Embedder(b.channel)
	if b.unsupported(err) {
		return
	}
	got, err := embed.Embed(b.Context(), []string{"fern", "fern in a pot"})
	if err != nil {
		b.Fatal(err)
	}
	if diff := cmp.Diff([][]float32{{1, 0, 0.5}, {1, 0, 0.5}}, got.Vectors); diff != "" {
		b.Errorf("vectors (-want +got):\n%s", diff)
	}
}

// unsupported reports whether the provider has no such capability, which Anthropic has to say and the others may not.
func (b *bench) unsupported(err error) bool {
	b.Helper()
	if b.provider != "Anthropic" {
		if err != nil {
			b.Fatal(err)
		}
		return false
	}
	if KindOf(err) != Unsupported {
		b.Errorf("got %v, want %s", err, Unsupported)
	}
	return true
}

// TestNothingComesFromTheEnvironment: the server's environment is the platform's, and a tenant's calls must not be made with it.
func TestNothingComesFromTheEnvironment(t *testing.T) {
	for _, name := range []string{"OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "AZURE_OPENAI_API_KEY"} {
		t.Setenv(name, "leaked-from-the-environment")
	}
	t.Setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:1")
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	mock, err := aimock.Start(t.Context(), t.TempDir(), fixtures())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := mock.Stop(); err != nil {
			t.Error(err)
		}
	}()
	for provider, base := range map[string]string{"OpenAI": mock.URL + "/v1", "AzureOpenAI": mock.URL, "Anthropic": mock.URL} {
		b := newBench(t, mock, provider, base)
		res, err := b.ask(Request{Messages: user("HELLO")})
		b.must(res, err, "Yes, we have ferns.")
	}
}
