package wholeturn

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

// ToolSecret is what channels present to Tools.
const ToolSecret = "mcp-secret-of-the-bakery-0123456789"

// Tools is an MCP server, spoken to over Streamable HTTP.
type Tools struct {
	URL string

	mu    sync.Mutex
	calls []ToolCall
}

// ToolCall is a call that a server has received.
type ToolCall struct {
	Tool      string
	Arguments string
	// Key is the idempotency key; empty if there was none.
	Key string
	// Authorization is the header of the request.
	Authorization string
}

// Tool is one that a server has.
type Tool struct {
	Name string
	// Schema of the arguments, as JSON.
	Schema string
	// Do makes the result. failed marks one that the tool itself calls a failure.
	Do func(c ToolCall) (text string, failed bool)
}

// NewTools starts a server until the test ends. It refuses whoever does not present ToolSecret.
func NewTools(t *testing.T, tools ...Tool) *Tools {
	t.Helper()
	s := &Tools{}
	server := mcp.NewServer(&mcp.Implementation{Name: "shop", Version: "v1"}, nil)
	for _, tool := range tools {
		server.AddTool(&mcp.Tool{Name: tool.Name, Description: "A tool of the shop.", InputSchema: json.RawMessage(tool.Schema)},
			func(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				call := ToolCall{Tool: tool.Name, Arguments: string(req.Params.Arguments), Authorization: req.Extra.Header.Get("Authorization")}
				call.Key, _ = req.Params.Meta["whatsapp-operator.dev/idempotency-key"].(string)
				s.mu.Lock()
				s.calls = append(s.calls, call)
				s.mu.Unlock()
				text, failed := tool.Do(call)
				return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}, IsError: failed}, nil
			})
	}
	handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, nil)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+ToolSecret {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	s.URL = front.URL
	return s
}

// Calls are those that were received, of one tool if it is named.
func (s *Tools) Calls(tool string) []ToolCall {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []ToolCall
	for _, c := range s.calls {
		if tool == "" || c.Tool == tool {
			out = append(out, c)
		}
	}
	return out
}

// Server names the server in a channel, with the tools that it may use.
func (s *Tools) Server(name string, sideEffect bool, allowed ...string) runtimeconfig.ToolServer {
	return runtimeconfig.ToolServer{
		Name: name, URL: s.URL, AllowedTools: allowed, SideEffect: sideEffect, Timeout: runtimeconfig.Duration(10 * time.Second), MaxResultBytes: 4096,
		Headers: map[string]redact.Secret{"Authorization": redact.New("Bearer " + ToolSecret)},
	}
}
