package providers

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
)

// claude speaks Anthropic's Messages API. Like compatible it is its SDK's http doer.
type claude struct {
	sdk     anthropic.Client
	http    *http.Client
	model   string
	timeout time.Duration
	// noSchemas is set when the model turned out to refuse structured output.
	noSchemas atomic.Bool
}

func newAnthropic(cfg Config, client *http.Client) *claude {
	c := &claude{http: client, model: cfg.Model, timeout: cfg.Timeout}
	if c.timeout <= 0 {
		c.timeout = DefaultTimeout
	}
	opts := []option.RequestOption{
		// Neither keys nor addresses nor telemetry of the process's environment: they are not the tenant's.
		option.WithoutEnvironmentDefaults(), option.WithoutOpenTelemetry(),
		option.WithHTTPClient(c), option.WithMaxRetries(0), option.WithAPIKey(cfg.APIKey.Reveal()),
	}
	if cfg.BaseURL != "" {
		opts = append(opts, option.WithBaseURL(anthropicBase(cfg.BaseURL)))
	}
	c.sdk = anthropic.NewClient(opts...)
	return c
}

// anthropicBase drops the version that other providers' base URLs end with: the SDK adds it.
func anthropicBase(base string) string {
	return strings.TrimSuffix(strings.TrimRight(base, "/"), "/v1") + "/"
}

// Do sends the SDK's request and notes Retry-After.
func (c *claude) Do(req *http.Request) (*http.Response, error) { return noting(c.http, req) }

// Complete implements Chat.
func (c *claude) Complete(ctx context.Context, req Request) (Response, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if c.noSchemas.Load() {
		req.Schema = Schema{}
	}
	res, err := c.ask(ctx, req)
	if KindOf(err) == BadRequest && req.Schema.Name != "" {
		// As with the other adapter: only if it takes the same request without, it is the schema that it refuses.
		req.Schema = Schema{}
		if res, err = c.ask(ctx, req); err == nil {
			c.noSchemas.Store(true)
		}
	}
	return res, err
}

func (c *claude) ask(ctx context.Context, req Request) (Response, error) {
	params, err := c.params(req)
	if err != nil {
		return Response{}, err
	}
	var wait time.Duration
	message, err := c.sdk.Messages.New(context.WithValue(ctx, retryAfterKey{}, &wait), params)
	if err != nil {
		e := classifyAnthropic(err)
		e.RetryAfter = wait
		return Response{}, e
	}
	out := Response{
		PromptTokens:     int(message.Usage.InputTokens + message.Usage.CacheReadInputTokens + message.Usage.CacheCreationInputTokens),
		CompletionTokens: int(message.Usage.OutputTokens),
	}
	var texts []string
	for i := range message.Content {
		switch block := message.Content[i].AsAny().(type) {
		case anthropic.TextBlock:
			texts = append(texts, block.Text)
		case anthropic.ToolUseBlock:
			out.Calls = append(out.Calls, ToolCall{ID: block.ID, Name: block.Name, Arguments: block.Input})
		}
	}
	out.Text = strings.Join(texts, "")
	switch {
	case message.StopReason == anthropic.StopReasonRefusal:
		return Response{}, &Error{Kind: Declined}
	case message.StopReason == anthropic.StopReasonModelContextWindowExceeded:
		return Response{}, &Error{Kind: ContextTooLong}
	case len(out.Calls) == 0 && strings.TrimSpace(out.Text) == "":
		return Response{}, &Error{Kind: BadResponse}
	}
	return out, nil
}

func (c *claude) params(req Request) (anthropic.MessageNewParams, error) {
	params := anthropic.MessageNewParams{Model: c.model, MaxTokens: int64(req.MaxTokens)}
	if req.System != "" {
		params.System = []anthropic.TextBlockParam{{Text: req.System}}
	}
	for _, m := range req.Messages {
		if blocks := contentOf(m); len(blocks) > 0 {
			if m.Role == RoleAssistant {
				params.Messages = append(params.Messages, anthropic.NewAssistantMessage(blocks...))
			} else {
				params.Messages = append(params.Messages, anthropic.NewUserMessage(blocks...))
			}
		}
	}
	for _, tool := range req.Tools {
		var schema struct {
			Properties map[string]any `json:"properties"`
			Required   []string       `json:"required"`
		}
		var extra map[string]any
		if json.Unmarshal(tool.Parameters, &schema) != nil || json.Unmarshal(tool.Parameters, &extra) != nil {
			return params, &Error{Kind: BadRequest}
		}
		for _, known := range []string{"type", "properties", "required"} {
			delete(extra, known)
		}
		t := anthropic.ToolUnionParamOfTool(anthropic.ToolInputSchemaParam{
			Properties: schema.Properties, Required: schema.Required, ExtraFields: extra,
		}, tool.Name)
		t.OfTool.Description = anthropic.String(tool.Description)
		params.Tools = append(params.Tools, t)
	}
	if req.Schema.Name != "" {
		var schema map[string]any
		if err := json.Unmarshal(req.Schema.JSON, &schema); err != nil {
			return params, &Error{Kind: BadRequest}
		}
		params.OutputConfig = anthropic.OutputConfigParam{Format: anthropic.JSONOutputFormatParam{Schema: schema}}
	}
	return params, nil
}

// contentOf is a message as Anthropic's blocks. Its results of tools are content of the user.
func contentOf(m Message) []anthropic.ContentBlockParamUnion {
	var blocks []anthropic.ContentBlockParamUnion
	for _, image := range m.Images {
		blocks = append(blocks, anthropic.NewImageBlockBase64(image.MIMEType, base64.StdEncoding.EncodeToString(image.Data)))
	}
	if m.Text != "" {
		blocks = append(blocks, anthropic.NewTextBlock(m.Text))
	}
	for _, call := range m.Calls {
		input := call.Arguments
		if !json.Valid(input) {
			input = json.RawMessage("{}") // its result says that it could not be read
		}
		blocks = append(blocks, anthropic.NewToolUseBlock(call.ID, input, call.Name))
	}
	for _, result := range m.Results {
		blocks = append(blocks, anthropic.NewToolResultBlock(result.CallID, result.Text, result.Failed))
	}
	return blocks
}

// classifyAnthropic is classify for the other SDK.
func classifyAnthropic(err error) *Error {
	var api *anthropic.Error
	if !errors.As(err, &api) {
		return classify(err)
	}
	code := ""
	if api.StatusCode == http.StatusRequestEntityTooLarge || strings.Contains(api.RawJSON(), "prompt is too long") {
		code = codeContextTooLong
	}
	return &Error{Kind: kindOf(api.StatusCode, code), HTTPStatus: api.StatusCode}
}
