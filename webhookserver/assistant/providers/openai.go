package providers

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	openai "github.com/sashabaranov/go-openai"

	"github.com/whatsapp-operator/whatsapp-operator/internal/egress"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
)

// Config says which model to call.
type Config struct {
	// Provider is OpenAI, AzureOpenAI or Anthropic.
	Provider string
	// BaseURL of the API up to and including its version, such as https://llm.example/v1; empty for the provider's own.
	BaseURL string
	// Model is the model's name; for Azure the deployment's.
	Model string
	// APIKey may be empty for servers that want none.
	APIKey redact.Secret
	// Timeout of one call; 0 for DefaultTimeout.
	Timeout time.Duration
}

const (
	// DefaultTimeout of one call: WhatsApp's typing indicator lasts 25 seconds.
	DefaultTimeout = 25 * time.Second
	// MaxResponseBytes is what the http.Client should cap answers at: an answer of 4,096 characters with room for the
	// envelope and for reasoning that some servers send along.
	MaxResponseBytes = 1 << 20
	// azureAPIVersion is the first general one with JSON schemas.
	azureAPIVersion = "2024-10-21"
	// maxRetryAfter bounds what a provider can make us wait.
	maxRetryAfter = time.Hour
)

// New makes the adapter of a provider that chats. client decides about addresses, time-outs and the size of answers.
func New(cfg Config, client *http.Client) (Chat, error) {
	if cfg.Provider == "Anthropic" {
		return newAnthropic(cfg, client), nil
	}
	return newCompatible(cfg, client)
}

func newCompatible(cfg Config, client *http.Client) (*compatible, error) {
	var sdk openai.ClientConfig
	switch cfg.Provider {
	case "OpenAI":
		sdk = openai.DefaultConfig(cfg.APIKey.Reveal())
		if cfg.BaseURL != "" {
			sdk.BaseURL = strings.TrimRight(cfg.BaseURL, "/")
		}
	case "AzureOpenAI":
		sdk = openai.DefaultAzureConfig(cfg.APIKey.Reveal(), strings.TrimRight(cfg.BaseURL, "/"))
		sdk.APIVersion = azureAPIVersion
		sdk.AzureModelMapperFunc = func(model string) string { return model } // the deployment's name, as it is
	default:
		return nil, &Error{Kind: Unsupported}
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = DefaultTimeout
	}
	c := &compatible{model: cfg.Model, timeout: cfg.Timeout, http: client, anonymous: cfg.APIKey.IsZero()}
	sdk.HTTPClient = c
	c.sdk = openai.NewClientWithConfig(sdk)
	return c, nil
}

// compatible speaks OpenAI's chat completions. It is also the SDK's http doer, since the SDK's errors keep no headers.
type compatible struct {
	sdk       *openai.Client
	http      *http.Client
	model     string
	timeout   time.Duration
	anonymous bool
	// schemas and tools tell whether the provider knows response_format, and tools.
	schemas, tools feature
}

// feature is something that not every provider knows. It is found out by the first request that succeeds.
type feature struct{ atomic.Int32 }

const (
	untried = iota
	works
	refused
)

func (f *feature) note(used bool) {
	if used {
		f.CompareAndSwap(untried, works)
	} else {
		f.CompareAndSwap(untried, refused)
	}
}

// retryAfterKey carries the address for a Retry-After header from Complete to Do.
type retryAfterKey struct{}

// Do sends the SDK's request. It drops the empty credential that the SDK sends without a key, which some servers
// refuse, and notes Retry-After.
func (c *compatible) Do(req *http.Request) (*http.Response, error) {
	if c.anonymous {
		req.Header.Del("Authorization")
		req.Header.Del("Api-Key")
	}
	return noting(c.http, req)
}

// noting sends a request and notes Retry-After.
func noting(client *http.Client, req *http.Request) (*http.Response, error) {
	res, err := client.Do(req)
	if err == nil {
		if into, ok := req.Context().Value(retryAfterKey{}).(*time.Duration); ok {
			*into = retryAfter(res.Header)
		}
	}
	return res, err
}

// codeContextTooLong is OpenAI's code for a request that is too long.
const codeContextTooLong = "context_length_exceeded"

// filtered are OpenAI's and Azure's codes for what their filters stop.
var filtered = []string{"content_filter", "content_policy_violation", "moderation_blocked"}

// Complete implements Chat.
func (c *compatible) Complete(ctx context.Context, req Request) (Response, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	wantSchema, wantTools := req.Schema.Name != "", len(req.Tools) > 0
	var err error
	// Either the provider does not know what it is asked with, or it refuses the request itself. Only if it takes the same
	// request without, it is the former.
	for _, with := range []struct{ schema, tools bool }{{true, true}, {false, true}, {true, false}, {false, false}} {
		if !possible(&c.schemas, wantSchema, with.schema) || !possible(&c.tools, wantTools, with.tools) {
			continue
		}
		try := req
		if !with.schema {
			try.Schema = Schema{}
		}
		if !with.tools {
			try.Tools = nil
		}
		var res Response
		if res, err = c.ask(ctx, try); err == nil {
			if wantSchema {
				c.schemas.note(with.schema)
			}
			if wantTools {
				c.tools.note(with.tools)
			}
			return res, nil
		}
		if KindOf(err) != BadRequest {
			return Response{}, err
		}
	}
	return Response{}, err
}

// possible reports whether a request that wants the feature, or doesn't, may go out with it or without.
func possible(f *feature, wanted, with bool) bool {
	if !wanted {
		return with // one way is enough
	}
	switch f.Load() {
	case works:
		return with
	case refused:
		return !with
	default:
		return true
	}
}

func (c *compatible) ask(ctx context.Context, req Request) (Response, error) {
	var wait time.Duration
	ctx = context.WithValue(ctx, retryAfterKey{}, &wait)
	res, err := c.sdk.CreateChatCompletion(ctx, c.wire(req))
	if err != nil {
		e := classify(err)
		e.RetryAfter = wait
		return Response{}, e
	}
	if len(res.Choices) == 0 {
		return Response{}, &Error{Kind: BadResponse}
	}
	message := res.Choices[0].Message
	if message.Refusal != "" || res.Choices[0].FinishReason == openai.FinishReasonContentFilter {
		return Response{}, &Error{Kind: Declined}
	}
	calls := callsOf(message.ToolCalls)
	if len(calls) == 0 && strings.TrimSpace(message.Content) == "" {
		return Response{}, &Error{Kind: BadResponse}
	}
	return Response{
		Text: message.Content, Calls: calls,
		PromptTokens: res.Usage.PromptTokens, CompletionTokens: res.Usage.CompletionTokens,
	}, nil
}

// callsOf drops what is no call of a function, and gives an id to calls that came without, as some servers send them.
func callsOf(wire []openai.ToolCall) []ToolCall {
	var calls []ToolCall
	for i, c := range wire {
		if c.Function.Name == "" {
			continue
		}
		if c.ID == "" {
			c.ID = "call_" + strconv.Itoa(i)
		}
		calls = append(calls, ToolCall{ID: c.ID, Name: c.Function.Name, Arguments: json.RawMessage(c.Function.Arguments)})
	}
	return calls
}

func wireMessages(req Request) []openai.ChatCompletionMessage {
	messages := []openai.ChatCompletionMessage{{Role: openai.ChatMessageRoleSystem, Content: req.System}}
	for _, m := range req.Messages {
		if m.Role == RoleTool {
			for _, r := range m.Results {
				messages = append(messages, openai.ChatCompletionMessage{Role: openai.ChatMessageRoleTool, ToolCallID: r.CallID, Content: r.Text})
			}
			continue
		}
		wire := openai.ChatCompletionMessage{Role: string(m.Role), Content: m.Text}
		if len(m.Images) > 0 {
			wire.Content, wire.MultiContent = "", imageParts(m)
		}
		for _, call := range m.Calls {
			if len(call.Arguments) == 0 {
				call.Arguments = json.RawMessage("{}")
			}
			wire.ToolCalls = append(wire.ToolCalls, openai.ToolCall{
				ID: call.ID, Type: openai.ToolTypeFunction,
				Function: openai.FunctionCall{Name: call.Name, Arguments: string(call.Arguments)},
			})
		}
		messages = append(messages, wire)
	}
	return messages
}

// imageParts is a message with images as parts. The images are in it, so that the provider needs no way to ours.
func imageParts(m Message) []openai.ChatMessagePart {
	var parts []openai.ChatMessagePart
	if m.Text != "" {
		parts = append(parts, openai.ChatMessagePart{Type: openai.ChatMessagePartTypeText, Text: m.Text})
	}
	for _, image := range m.Images {
		parts = append(parts, openai.ChatMessagePart{Type: openai.ChatMessagePartTypeImageURL, ImageURL: &openai.ChatMessageImageURL{
			URL: "data:" + image.MIMEType + ";base64," + base64.StdEncoding.EncodeToString(image.Data),
		}})
	}
	return parts
}

func (c *compatible) wire(req Request) openai.ChatCompletionRequest {
	wire := openai.ChatCompletionRequest{Model: c.model, Messages: wireMessages(req)}
	if reasons(c.model) {
		wire.MaxCompletionTokens = req.MaxTokens
	} else {
		// Only OpenAI has renamed it. Many compatible servers ignore the new name, and answers would have no bound.
		wire.MaxTokens = req.MaxTokens //nolint:staticcheck // deprecated by OpenAI alone, see above
	}
	for _, t := range req.Tools {
		wire.Tools = append(wire.Tools, openai.Tool{
			Type:     openai.ToolTypeFunction,
			Function: &openai.FunctionDefinition{Name: t.Name, Description: t.Description, Parameters: t.Parameters},
		})
	}
	if req.Schema.Name != "" {
		wire.ResponseFormat = &openai.ChatCompletionResponseFormat{
			Type:       openai.ChatCompletionResponseFormatTypeJSONSchema,
			JSONSchema: &openai.ChatCompletionResponseFormatJSONSchema{Name: req.Schema.Name, Schema: req.Schema.JSON, Strict: true},
		}
	}
	return wire
}

// reasons reports whether OpenAI refuses max_tokens for the model, as its reasoning models do.
func reasons(model string) bool {
	for _, prefix := range []string{"o1", "o3", "o4", "gpt-5"} {
		if strings.HasPrefix(model, prefix) {
			return true
		}
	}
	return false
}

// classify turns an error of the SDK or of net/http into an *Error without its text.
func classify(err error) *Error {
	if api, ok := errors.AsType[*openai.APIError](err); ok {
		return &Error{Kind: kindOf(api.HTTPStatusCode, fmt.Sprint(api.Code)), HTTPStatus: api.HTTPStatusCode}
	}
	var request *openai.RequestError
	if errors.As(err, &request) && request.HTTPStatusCode >= http.StatusBadRequest {
		return &Error{Kind: kindOf(request.HTTPStatusCode, ""), HTTPStatus: request.HTTPStatusCode}
	}
	switch {
	case errors.Is(err, egress.ErrAddressRefused), errors.Is(err, egress.ErrRedirectRefused):
		return &Error{Kind: Refused}
	case errors.Is(err, egress.ErrBodyTooLarge):
		return &Error{Kind: BadResponse}
	case errors.Is(err, context.Canceled):
		return &Error{Kind: Unavailable, cause: context.Canceled}
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{Kind: Unavailable, cause: context.DeadlineExceeded}
	case isDecoding(err):
		return &Error{Kind: BadResponse}
	default:
		return &Error{Kind: Unavailable}
	}
}

func kindOf(status int, code string) Kind {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return Unauthorized
	case code == codeContextTooLong:
		return ContextTooLong
	case slices.Contains(filtered, code):
		return Declined
	case code == "model_not_found", code == "DeploymentNotFound", status == http.StatusNotFound:
		return ModelNotFound
	case status == http.StatusTooManyRequests, status == http.StatusPaymentRequired:
		return RateLimited
	case status >= 500, status == http.StatusRequestTimeout, status == 0:
		return Unavailable
	default:
		return BadRequest
	}
}

func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || seconds <= 0 {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, maxRetryAfter)
}

// isDecoding reports whether the answer arrived and was not JSON, or not the API's.
func isDecoding(err error) bool {
	var syntax *json.SyntaxError
	var shape *json.UnmarshalTypeError
	return errors.As(err, &syntax) || errors.As(err, &shape)
}
