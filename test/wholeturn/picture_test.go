package wholeturn

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/media"
)

// png begins like every PNG.
const png = "\x89PNG\r\n\x1a\n and so on"

// painter is a server with OpenAI's API for images.
type painter struct {
	*httptest.Server
	asked  atomic.Int32
	prompt atomic.Value
}

func newPainter(t *testing.T, status int, content string) *painter {
	t.Helper()
	p := &painter{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		var req struct {
			Prompt string `json:"prompt"`
		}
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil || r.URL.Path != "/v1/images/generations" {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		p.prompt.Store(req.Prompt)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{ // whoever asked may be gone
			"created": 1, "data": []any{map[string]any{"b64_json": base64.StdEncoding.EncodeToString([]byte(content))}},
		})
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *painter) give(ch *runtimeconfig.Channel) {
	ch.Assistant.Images = &runtimeconfig.Provider{
		Provider: "OpenAI", BaseURL: p.URL + "/v1", Model: "paints", Timeout: runtimeconfig.Duration(20 * time.Second), APIKey: redact.New(ModelKey),
	}
}

func openBlobs(t *testing.T) *media.Blobs {
	t.Helper()
	location := url.URL{Scheme: "file", Path: t.TempDir()}
	blobs, err := media.OpenBlobs(t.Context(), location.String())
	must(t, err)
	t.Cleanup(func() { must(t, blobs.Close()) })
	return blobs
}

// paints lets a chat model ask for an image, and say what came of it.
func paints(req Request) Answer {
	if strings.Contains(req.Body, `"role":"tool"`) {
		return Says("Have a look.")
	}
	return Asks("generate_image", `{"description":"a fern on the moon","caption":"Our fern, **far away** https://evil.example/x"}`)
}

func TestImageIsMadeAndSent(t *testing.T) {
	p, m := newPainter(t, http.StatusOK, png), NewModel(t, paints)
	w := New(t, Options{Blobs: openBlobs(t), Change: func(ch *runtimeconfig.Channel) {
		m.Give(ch, runtimeconfig.CapabilityChat)
		p.give(ch)
	}})
	phone := w.Phone(t, "15550000001")
	phone.Writes("Paint me a fern on the moon")
	got := phone.Gets(0, "image:", "Our fern, *far away*", "Have a look.")
	if strings.Contains(got, "evil.example") {
		t.Errorf("a link that is nobody's went out: %s", got)
	}
	phone.Settled()
	if n := w.Sim.Counters().Calls["upload_media"]; n != 1 || p.asked.Load() != 1 || p.prompt.Load() != "a fern on the moon" {
		t.Errorf("%d uploads; the model was asked %d times, for %q", n, p.asked.Load(), p.prompt.Load())
	}
}

func TestImageThatCantBeMade(t *testing.T) {
	for reason, tc := range map[string]struct {
		painter *painter
		change  func(*runtimeconfig.Channel)
		asked   int32
		told    string
	}{
		"the model refuses":       {newPainter(t, http.StatusUnauthorized, png), nil, 1, "ProviderUnauthorized"},
		"it is no image":          {newPainter(t, http.StatusOK, "<html>"), nil, 1, "ProviderBadResponse"},
		"it is more than is sent": {newPainter(t, http.StatusOK, png+strings.Repeat("x", 5<<20)), nil, 1, "5 MiB"},
		"the budget is too small": {newPainter(t, http.StatusOK, png), func(ch *runtimeconfig.Channel) { ch.Limits.TokensPerDay = new(int64(6000)) }, 0, "TokenBudgetUsedUp"},
	} {
		m := NewModel(t, paints)
		w := New(t, Options{Blobs: openBlobs(t), Change: func(ch *runtimeconfig.Channel) {
			m.Give(ch, runtimeconfig.CapabilityChat)
			tc.painter.give(ch)
			if tc.change != nil {
				tc.change(ch)
			}
		}})
		phone := w.Phone(t, "15550000001")
		phone.Writes("Paint me a fern on the moon")
		phone.Gets(0, "Have a look.")
		phone.Settled()
		asked := m.Asked()
		if last := asked[len(asked)-1].Body; !strings.Contains(last, tc.told) {
			t.Errorf("%s: the chat model isn't told %q", reason, tc.told)
		}
		if n := w.Sim.Counters().Calls["upload_media"]; n != 0 || tc.painter.asked.Load() != tc.asked {
			t.Errorf("%s: %d uploads, the model was asked %d times", reason, n, tc.painter.asked.Load())
		}
	}
}

func TestImagesAreOfferedOnlyWhereTheyCanBeSent(t *testing.T) {
	p := newPainter(t, http.StatusOK, png)
	for reason, tc := range map[string]struct {
		blobs *media.Blobs
		give  func(*runtimeconfig.Channel)
		want  bool
	}{
		"a model and a blob store": {openBlobs(t), p.give, true},
		"no blob store":            {nil, p.give, false},
		"no model for images":      {openBlobs(t), func(*runtimeconfig.Channel) {}, false},
	} {
		m := NewModel(t, func(Request) Answer { return Says("Hello.") })
		w := New(t, Options{Blobs: tc.blobs, Change: func(ch *runtimeconfig.Channel) {
			m.Give(ch, runtimeconfig.CapabilityChat)
			tc.give(ch)
		}})
		phone := w.Phone(t, "15550000001")
		phone.Writes("What can you do?")
		phone.Gets(0, "Hello.")
		if got := slices.Contains(m.Asked()[0].Tools, "generate_image"); got != tc.want {
			t.Errorf("%s: offered is %t", reason, got)
		}
	}
}

// TestTokensUsedUp lets the day's tokens run out between two questions: the built-in assistant answers then, and the manager is told.
func TestTokensUsedUp(t *testing.T) {
	m := NewModel(t, func(Request) Answer { return Says("The model says hello.") })
	w := New(t, Options{Change: func(ch *runtimeconfig.Channel) {
		m.Give(ch, runtimeconfig.CapabilityChat)
		ch.Limits.TokensPerDay = new(int64(20_000))
	}})
	phone := w.Phone(t, "15550000001")
	phone.Writes("Good morning, what is new?")
	phone.Gets(0, "The model says hello.")
	phone.Settled()
	_, ok, err := w.Store.ReserveTokens(t.Context(), Line, "", 19_900, nil) // by another replica
	must(t, err)
	asked := len(m.Asked())
	phone.Writes("Boston fern")
	phone.Gets(1, "Boston Fern", "9.99")
	if !ok || len(m.Asked()) != asked {
		t.Errorf("the model was asked above the budget, %d times", len(m.Asked())-asked)
	}
	var told []string
	phone.Until("the manager is told", func() bool {
		rows, err := w.Store.Reports(t.Context(), 0, 100)
		must(t, err)
		told = nil
		for _, r := range rows {
			if r.Kind == "AssistantHealth" && strings.Contains(string(r.Payload), "chat") {
				told = append(told, string(r.Payload))
			}
		}
		return len(told) == 2
	})
	if !strings.Contains(told[1], "TokenBudgetUsedUp") {
		t.Errorf("told %q", told)
	}
}
