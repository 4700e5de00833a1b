package tools

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant"
)

const (
	// listFor is how long the tools of a server are remembered, failedFor that it could not tell them.
	listFor   = 5 * time.Minute
	failedFor = 30 * time.Second
	// maxLists bounds the servers that are remembered; beyond it all are forgotten, which costs a call each.
	maxLists = 4096
	// maxListed bounds the tools that a server may list.
	maxListed = 512
	// maxName is what every provider takes as a tool's name.
	maxName = 64
	// maxDescription and maxSchema bound what a model is told of a tool, in bytes.
	maxDescription = 1024
	maxSchema      = 16 << 10
	// minSecretWord is the shortest word of a header that is taken for a secret; "Bearer" is none.
	minSecretWord = 8
	// metaKey is the member of a call's _meta that has the idempotency key.
	metaKey = "whatsapp-operator.dev/idempotency-key"
)

// Reasons for which the tools of a server can't be used, as the manager is told them.
const (
	ReasonUnreachable    = "Unreachable"
	ReasonAddressRefused = "AddressRefused"
	ReasonUnauthorized   = "Unauthorized"
	ReasonToolsMissing   = "ToolsMissing"
)

// HealthReporter is told when the health of a channel's tool source changes. reason is empty when it works.
type HealthReporter func(ctx context.Context, ch *runtimeconfig.Channel, source, reason string)

// MCP are the tools of channels' MCP servers. It implements assistant.ToolSource and makes the calls that customers have confirmed. It
// is safe for concurrent use.
type MCP struct {
	client *http.Client
	report HealthReporter

	mu    sync.Mutex
	lists map[listKey]list
}

type listKey struct{ line, revision, source string }

// list is what a server said of its tools.
type list struct {
	tools []*mcp.Tool
	until time.Time
}

// New makes an MCP. client is used for all servers; report may be nil.
func New(client *http.Client, report HealthReporter) *MCP {
	return &MCP{client: client, report: report, lists: map[listKey]list{}}
}

// Tools implements assistant.ToolSource. Servers are asked at the same time.
func (m *MCP) Tools(ctx context.Context, ch *runtimeconfig.Channel) []assistant.Tool {
	servers := ch.Assistant.Tools
	found := make([][]assistant.Tool, len(servers))
	var group sync.WaitGroup
	for i := range servers {
		group.Go(func() { found[i] = m.offered(ctx, ch, &servers[i]) })
	}
	group.Wait()
	return slices.Concat(found...)
}

// offered are the tools of one server that the channel allows.
func (m *MCP) offered(ctx context.Context, ch *runtimeconfig.Channel, s *runtimeconfig.ToolServer) []assistant.Tool {
	if len(s.AllowedTools) == 0 {
		return nil
	}
	var out []assistant.Tool
	for _, t := range m.list(ctx, ch, s) {
		schema, err := json.Marshal(t.InputSchema)
		if err != nil || len(schema) > maxSchema || !slices.Contains(s.AllowedTools, t.Name) {
			continue
		}
		tool := assistant.Tool{
			Name: name(s.Name, t.Name), Description: cut(t.Description, maxDescription), Parameters: schema,
			SideEffect: s.SideEffect, Timeout: time.Duration(s.Timeout),
		}
		if !s.SideEffect {
			tool.Run = func(ctx context.Context, arguments json.RawMessage) (string, error) {
				return m.call(ctx, s, t.Name, arguments, nil)
			}
		}
		out = append(out, tool)
	}
	return out
}

// list returns the server's tools, as they were some minutes ago at most.
func (m *MCP) list(ctx context.Context, ch *runtimeconfig.Channel, s *runtimeconfig.ToolServer) []*mcp.Tool {
	key := listKey{ch.LineID, ch.Revision, s.Name}
	m.mu.Lock()
	known, ok := m.lists[key]
	m.mu.Unlock()
	if ok && time.Now().Before(known.until) {
		return known.tools
	}
	tools, reason := m.fetch(ctx, s)
	if ctx.Err() != nil {
		return nil // it is not the server that failed
	}
	fresh := list{tools: tools, until: time.Now().Add(listFor)}
	if reason != "" && reason != ReasonToolsMissing {
		fresh.until = time.Now().Add(failedFor)
	}
	m.mu.Lock()
	if len(m.lists) >= maxLists {
		clear(m.lists)
	}
	m.lists[key] = fresh
	m.mu.Unlock()
	if m.report != nil {
		m.report(ctx, ch, s.Name, reason)
	}
	return tools
}

// fetch asks a server for its tools. reason says why not all that are allowed can be used.
func (m *MCP) fetch(ctx context.Context, s *runtimeconfig.ToolServer) (tools []*mcp.Tool, reason string) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(s.Timeout))
	defer cancel()
	err := m.within(ctx, s, func(session *mcp.ClientSession) error {
		for tool, err := range session.Tools(ctx, nil) {
			if err != nil {
				return err
			}
			if tools = append(tools, tool); len(tools) == maxListed {
				break
			}
		}
		return nil
	})
	if err != nil {
		return nil, reasonOf(err)
	}
	for _, allowed := range s.AllowedTools {
		if !slices.ContainsFunc(tools, func(t *mcp.Tool) bool { return t.Name == allowed }) {
			reason = ReasonToolsMissing
		}
	}
	return tools, reason
}

// Do makes a call with a side effect, whose name is that of an assistant.Tool. key is its idempotency key. A *assistant.ToolError means
// that the tool answered that it failed; after any other error nobody knows what it did.
func (m *MCP) Do(ctx context.Context, ch *runtimeconfig.Channel, tool string, arguments json.RawMessage, key string) (string, error) {
	for i := range ch.Assistant.Tools {
		s := &ch.Assistant.Tools[i]
		for _, allowed := range s.AllowedTools {
			if s.SideEffect && name(s.Name, allowed) == tool {
				return m.callInTime(ctx, s, allowed, arguments, mcp.Meta{metaKey: key})
			}
		}
	}
	return "", &assistant.ToolError{Text: "The tool is not there any more."}
}

// callInTime makes one call within the server's time-out.
func (m *MCP) callInTime(ctx context.Context, s *runtimeconfig.ToolServer, tool string, arguments json.RawMessage, meta mcp.Meta) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(s.Timeout))
	defer cancel()
	return m.call(ctx, s, tool, arguments, meta)
}

// call makes one call and returns what a model may read of its result.
func (m *MCP) call(ctx context.Context, s *runtimeconfig.ToolServer, tool string, arguments json.RawMessage, meta mcp.Meta) (string, error) {
	var result *mcp.CallToolResult
	err := m.within(ctx, s, func(session *mcp.ClientSession) (err error) {
		result, err = session.CallTool(ctx, &mcp.CallToolParams{Meta: meta, Name: tool, Arguments: arguments})
		return err
	})
	if err != nil {
		return "", classified(ctx, err)
	}
	text, err := data(result, s)
	if err != nil {
		return "", err
	}
	if result.IsError {
		return "", &assistant.ToolError{Text: text}
	}
	return text, nil
}

// data encodes a result as JSON, so that nothing in it reads like a word of ours. A server that gives its headers back, as some do to
// help with debugging, does not tell them a model.
func data(result *mcp.CallToolResult, s *runtimeconfig.ToolServer) (string, error) {
	var texts []string
	for _, c := range result.Content {
		if text, ok := c.(*mcp.TextContent); ok {
			texts = append(texts, text.Text)
		}
	}
	text := strings.Join(texts, "\n")
	if text == "" && result.StructuredContent != nil {
		structured, err := json.Marshal(result.StructuredContent)
		if err != nil {
			return "", err
		}
		text = string(structured)
	}
	for _, value := range s.Headers {
		for word := range strings.FieldsSeq(value.Reveal()) {
			if len(word) >= minSecretWord {
				text = strings.ReplaceAll(text, word, redact.Placeholder)
			}
		}
	}
	limit := int(s.MaxResultBytes)
	encoded, err := json.Marshal(map[string]any{"result": cut(text, limit), "cut": len(text) > limit})
	return string(encoded), err
}

var unusual = regexp.MustCompile(`[^A-Za-z0-9_-]`)

// name is a tool's name for models. Of names that become equal the first is used.
func name(source, tool string) string {
	all := unusual.ReplaceAllString(source+"__"+tool, "_")
	return all[:min(len(all), maxName)]
}

// cut shortens s to at most limit bytes of whole characters.
func cut(s string, limit int) string {
	s = strings.ToValidUTF8(s, "")
	if len(s) <= limit {
		return s
	}
	s = s[:limit]
	for s != "" && !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s
}
