package tools_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/whatsapp-operator/whatsapp-operator/internal/egress"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/test/wholeturn"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant/tools"
)

const object = `{"type":"object"}`

// health remembers what was reported, as "source reason".
type health struct {
	mu   sync.Mutex
	said []string
}

func (h *health) report(_ context.Context, _ *runtimeconfig.Channel, source, reason string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.said = append(h.said, strings.TrimSpace(source+" "+reason))
}

func newMCP(t *testing.T, policy egress.Policy) (*tools.MCP, *health) {
	t.Helper()
	client := egress.NewClient(policy, time.Minute, 1<<20)
	t.Cleanup(client.CloseIdleConnections)
	h := &health{}
	return tools.New(client, h.report), h
}

func channel(servers ...runtimeconfig.ToolServer) *runtimeconfig.Channel {
	return &runtimeconfig.Channel{LineID: "line-1", Revision: "r1", Assistant: runtimeconfig.Assistant{Tools: servers}}
}

func answers(text string) func(wholeturn.ToolCall) (string, bool) {
	return func(wholeturn.ToolCall) (string, bool) { return text, false }
}

// shop is a server with three tools.
func shop(t *testing.T) *wholeturn.Tools {
	t.Helper()
	return wholeturn.NewTools(t,
		wholeturn.Tool{Name: "hours", Schema: object, Do: answers("nine to five")},
		wholeturn.Tool{Name: "echo", Schema: object, Do: func(c wholeturn.ToolCall) (string, bool) { return "called with " + c.Authorization, false }},
		wholeturn.Tool{Name: "talk.much", Schema: object, Do: answers(strings.Repeat("é", 5000))},
		wholeturn.Tool{Name: "refuse", Schema: object, Do: func(wholeturn.ToolCall) (string, bool) { return "closed today", true }},
		wholeturn.Tool{Name: "big", Schema: `{"type":"object","description":"` + strings.Repeat("x", 20_000) + `"}`, Do: answers("never")},
	)
}

func names(list []assistant.Tool) (out []string) {
	for _, t := range list {
		out = append(out, t.Name)
	}
	return out
}

func TestOnlyAllowedToolsAreOffered(t *testing.T) {
	s := shop(t)
	m, h := newMCP(t, egress.Policy{AllowLoopback: true})
	got := m.Tools(t.Context(), channel(s.Server("nothing", false), s.Server("shop", false, "hours", "talk.much", "big"), s.Server("crm", true, "refuse")))
	if diff := cmp.Diff([]string{"shop__hours", "shop__talk_much", "crm__refuse"}, names(got)); diff != "" {
		t.Errorf("offered (-want +got):\n%s", diff)
	}
	if got[0].SideEffect || got[0].Run == nil || !got[2].SideEffect || got[2].Run != nil {
		t.Error("a tool with a side effect can be run without a confirmation, or one without can't")
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, said := range h.said {
		if said != "shop" && said != "crm" {
			t.Errorf("reported %q; a server of which nothing is allowed is not even asked", said)
		}
	}
}

func TestCalls(t *testing.T) {
	s := shop(t)
	m, _ := newMCP(t, egress.Policy{AllowLoopback: true})
	small := s.Server("shop", false, "hours", "echo", "talk.much", "refuse")
	small.MaxResultBytes = 101
	got := map[string]assistant.Tool{}
	for _, tool := range m.Tools(t.Context(), channel(small)) {
		got[tool.Name] = tool
	}
	for name, want := range map[string]string{
		"shop__hours":     `{"cut":false,"result":"nine to five"}`,
		"shop__echo":      `{"cut":false,"result":"called with Bearer ` + redact.Placeholder + `"}`,
		"shop__talk_much": `{"cut":true,"result":"` + strings.Repeat("é", 50) + `"}`, // whole characters
	} {
		text, err := got[name].Run(t.Context(), json.RawMessage(`{}`))
		var decoded, wanted any
		if err != nil || json.Unmarshal([]byte(text), &decoded) != nil || json.Unmarshal([]byte(want), &wanted) != nil || cmp.Diff(wanted, decoded) != "" {
			t.Errorf("%s: %q, %v; want %s", name, text, err, want)
		}
	}
	_, err := got["shop__refuse"].Run(t.Context(), json.RawMessage(`{}`))
	if told, ok := errors.AsType[*assistant.ToolError](err); !ok || !strings.Contains(told.Text, "closed today") {
		t.Errorf("a tool that says that it failed: %v", err)
	}
	for _, c := range s.Calls("") {
		if c.Key != "" {
			t.Errorf("a call without a side effect has the key %q", c.Key)
		}
	}
}

func TestSideEffectsGoThroughDoAlone(t *testing.T) {
	s := shop(t)
	m, _ := newMCP(t, egress.Policy{AllowLoopback: true})
	ch := channel(s.Server("shop", false, "hours"), s.Server("crm", true, "hours", "refuse"))
	text, err := m.Do(t.Context(), ch, "crm__hours", json.RawMessage(`{"day":"monday"}`), "key-1")
	if err != nil || !strings.Contains(text, "nine to five") {
		t.Errorf("%q, %v", text, err)
	}
	calls := s.Calls("hours")
	if len(calls) != 1 || calls[0].Key != "key-1" || calls[0].Arguments != `{"day":"monday"}` {
		t.Errorf("calls %+v", calls)
	}
	for _, tool := range []string{"shop__hours", "crm__echo", "other__hours", "hours", ""} {
		_, err := m.Do(t.Context(), ch, tool, json.RawMessage(`{}`), "key-2")
		if _, told := errors.AsType[*assistant.ToolError](err); !told {
			t.Errorf("%s: %v, want that it is not there", tool, err)
		}
	}
	if n := len(s.Calls("")); n != 1 {
		t.Errorf("%d calls", n)
	}
	if _, err := m.Do(t.Context(), ch, "crm__refuse", json.RawMessage(`{}`), "key-3"); err == nil || !strings.Contains(err.Error(), "closed today") {
		t.Errorf("a refusal: %v", err)
	}
}

func TestServersThatCannotBeUsed(t *testing.T) {
	hang := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "secret-of-the-server", http.StatusInternalServerError)
	}))
	away := httptest.NewServer(http.RedirectHandler("http://localhost:1/", http.StatusTemporaryRedirect))
	t.Cleanup(func() { close(hang); hanging.Close(); broken.Close(); away.Close() })
	at := func(url string) runtimeconfig.ToolServer {
		return runtimeconfig.ToolServer{Name: "shop", URL: url, AllowedTools: []string{"hours"}, Timeout: runtimeconfig.Duration(300 * time.Millisecond), MaxResultBytes: 100,
			Headers: map[string]redact.Secret{"Authorization": redact.New("Bearer " + wholeturn.ToolSecret)}}
	}
	revoked, missing := shop(t).Server("shop", false, "hours"), shop(t).Server("shop", false, "hours", "nosuch")
	revoked.Headers = map[string]redact.Secret{"Authorization": redact.New("Bearer old")}
	loopback := egress.Policy{AllowLoopback: true}
	for name, tc := range map[string]struct {
		policy egress.Policy
		server runtimeconfig.ToolServer
		want   string
		tools  int
	}{
		"works":    {loopback, shop(t).Server("shop", false, "hours"), "shop", 1},
		"missing":  {loopback, missing, "shop ToolsMissing", 1},
		"revoked":  {loopback, revoked, "shop Unauthorized", 0},
		"hangs":    {loopback, at(hanging.URL), "shop Unreachable", 0},
		"broken":   {loopback, at(broken.URL), "shop Unreachable", 0},
		"redirect": {loopback, at(away.URL), "shop AddressRefused", 0},
		"inside":   {egress.Policy{}, at(hanging.URL), "shop AddressRefused", 0},
	} {
		m, h := newMCP(t, tc.policy)
		ch := channel(tc.server)
		if got := m.Tools(t.Context(), ch); len(got) != tc.tools {
			t.Errorf("%s: offered %v", name, names(got))
		}
		if diff := cmp.Diff([]string{tc.want}, h.said); diff != "" {
			t.Errorf("%s: reported (-want +got):\n%s", name, diff)
		}
		if tc.tools > 0 {
			continue
		}
		ch.Assistant.Tools[0].SideEffect = true
		_, err := m.Do(t.Context(), ch, "shop__hours", json.RawMessage(`{}`), "k")
		if _, told := errors.AsType[*assistant.ToolError](err); err == nil || told {
			t.Errorf("%s: %v; nobody knows what the call has done", name, err)
		} else if strings.Contains(err.Error(), "127.0.0.1") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error says too much: %v", name, err)
		}
	}
}

// TestListsAreRemembered: a turn does not ask each server anew, but a channel that has changed does.
func TestListsAreRemembered(t *testing.T) {
	s := shop(t)
	m, h := newMCP(t, egress.Policy{AllowLoopback: true})
	ch := channel(s.Server("shop", false, "hours"))
	for range 3 {
		m.Tools(t.Context(), ch)
	}
	ch.Revision = "r2"
	ch.Assistant.Tools[0].AllowedTools = []string{"hours", "echo"}
	if got := names(m.Tools(t.Context(), ch)); len(got) != 2 || len(h.said) != 2 {
		t.Errorf("offered %v, asked %d times", got, len(h.said))
	}
}
