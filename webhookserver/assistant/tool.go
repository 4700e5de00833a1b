package assistant

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"go.opentelemetry.io/otel/trace"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/tracing"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant/providers"
)

const (
	// maxRounds is how often a model may ask for tools before it has to answer.
	maxRounds = 6
	// maxCalls is how many calls of one round are made.
	maxCalls = 4
	// builtinTimeout is the deadline of a built-in tool.
	builtinTimeout = 5 * time.Second
	// maxArguments bounds the arguments of a call in bytes.
	maxArguments = 16 << 10
	// maxResult bounds what the built-in tools tell a model, in characters.
	maxResult = 16_000
)

// Tool is a function that a model may ask for during a turn. It is bound to the turn's channel and conversation by who made it:
// nothing in its arguments can lead to another.
type Tool struct {
	// Name has at most 64 letters, digits, underscores and hyphens.
	Name string
	// Description says what it does and when to ask for it.
	Description string
	// Parameters is the JSON schema of its arguments.
	Parameters json.RawMessage
	// SideEffect marks a tool that changes something: it runs only after the customer has confirmed, and never twice.
	SideEffect bool
	// Timeout is the deadline of one call.
	Timeout time.Duration
	// Run makes the call; arguments match Parameters. Of an error the model learns the text of a *ToolError alone. It is nil for tools
	// with side effects, which are not run during a turn.
	Run func(ctx context.Context, arguments json.RawMessage) (string, error)
}

// ToolError is a failure that a model may be told of.
type ToolError struct {
	// Text says what is wrong, without secrets and addresses.
	Text string
}

// Error is the text.
func (e *ToolError) Error() string { return e.Text }

// ToolSource has tools beyond the built-in ones. It is safe for concurrent use.
type ToolSource interface {
	// Tools returns the tools of a channel. What can't be reached is left out.
	Tools(ctx context.Context, ch *runtimeconfig.Channel) []Tool
}

// toolbox are the tools of a turn.
type toolbox struct {
	tools   []Tool
	schemas map[string]*jsonschema.Resolved
}

// newToolbox leaves tools out whose schema can't be read: their arguments could not be checked. The first of a name wins.
func newToolbox(tools ...Tool) *toolbox {
	b := &toolbox{schemas: map[string]*jsonschema.Resolved{}}
	for _, t := range tools {
		schema, err := resolve(t.Parameters)
		if err != nil || b.schemas[t.Name] != nil {
			continue
		}
		b.tools = append(b.tools, t)
		b.schemas[t.Name] = schema
	}
	return b
}

func resolve(parameters json.RawMessage) (*jsonschema.Resolved, error) {
	var schema jsonschema.Schema
	if err := json.Unmarshal(parameters, &schema); err != nil {
		return nil, fmt.Errorf("read the schema of a tool: %w", err)
	}
	return schema.Resolve(nil)
}

// offer is what the provider is told of the tools.
func (b *toolbox) offer() []providers.Tool {
	var out []providers.Tool
	for _, t := range b.tools {
		out = append(out, providers.Tool{Name: t.Name, Description: t.Description, Parameters: t.Parameters})
	}
	return out
}

// find returns the tool that a call is for, or what to tell the model.
func (b *toolbox) find(call providers.ToolCall) (*Tool, string) {
	for i := range b.tools {
		t := &b.tools[i]
		if t.Name != call.Name {
			continue
		}
		if problem := b.check(t, call.Arguments); problem != "" {
			return nil, problem
		}
		return t, ""
	}
	return nil, "There is no such tool. Use only the tools that you were given, or answer."
}

// check says what is wrong with the arguments, empty if nothing.
func (b *toolbox) check(t *Tool, arguments json.RawMessage) string {
	if len(arguments) > maxArguments {
		return "The arguments are too long."
	}
	var value any
	if err := json.Unmarshal(arguments, &value); err != nil {
		return "The arguments are not valid JSON."
	}
	if err := b.schemas[t.Name].Validate(value); err != nil {
		return "The arguments do not match the tool's schema: " + shrink(oneLine(clean(err.Error())), 300)
	}
	return ""
}

// failure is what a span says of an error; what the tool says may be a customer's.
func failure(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	default:
		return "failed"
	}
}

// run makes one call within its deadline and returns what the model reads of it.
func (t *Tool) run(ctx context.Context, arguments json.RawMessage) (text string, failed bool) {
	ctx, cancel := context.WithTimeout(ctx, t.Timeout)
	defer cancel()
	ctx, span := tracing.Child(ctx, "tool", trace.SpanKindClient, tracing.ToolKey.String(t.Name))
	text, err := t.Run(ctx, arguments)
	tracing.End(span, failure(err))
	var told *ToolError
	switch {
	case errors.As(err, &told):
		return told.Text, true
	case errors.Is(err, context.DeadlineExceeded):
		return "The tool did not answer in time.", true
	case err != nil:
		return "The tool failed.", true
	case text == "":
		return "The tool returned nothing.", false
	default:
		return text, false
	}
}
