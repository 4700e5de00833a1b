package providers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Chat is one chat model. Implementations are safe for concurrent use.
type Chat interface {
	// Complete asks the model once. Every error is an *Error.
	Complete(ctx context.Context, req Request) (Response, error)
}

// Role says who wrote a message.
type Role string

const (
	// RoleUser is the customer.
	RoleUser Role = "user"
	// RoleAssistant is the business: its assistant or a person.
	RoleAssistant Role = "assistant"
	// RoleTool brings the results of the calls that the message before asked for.
	RoleTool Role = "tool"
)

// Message is one message of the dialogue.
type Message struct {
	Role Role
	// Text may be empty if there are calls or results.
	Text string
	// Images are photos that a message of RoleUser brings; only models of vision understand them.
	Images []Image
	// Calls are what a message of RoleAssistant asks for: those of the Response that it repeats.
	Calls []ToolCall
	// Results are what a message of RoleTool brings, one for each call of the message before.
	Results []ToolResult
}

// Tool is a function that the model may ask for.
type Tool struct {
	// Name has at most 64 letters, digits, underscores and hyphens, which is what every provider takes.
	Name string
	// Description says what it does and when to ask for it.
	Description string
	// Parameters is the JSON schema of its arguments, an object's.
	Parameters json.RawMessage
}

// ToolCall is what a model asks for. Nobody has checked that there is such a tool, or that the arguments match.
type ToolCall struct {
	// ID pairs the call with its result.
	ID string
	// Name of the tool.
	Name string
	// Arguments are what the model wrote: JSON if it kept to its form.
	Arguments json.RawMessage
}

// ToolResult is what a call gave.
type ToolResult struct {
	// CallID is the ToolCall's ID.
	CallID string
	// Name is the ToolCall's.
	Name string
	// Text is what the model reads of it; never empty.
	Text string
	// Failed tells that there is no result, and that Text says why.
	Failed bool
}

// Request is what a model is asked.
type Request struct {
	// System are the instructions.
	System string
	// Messages are the dialogue, oldest first.
	Messages []Message
	// MaxTokens bounds the answer.
	MaxTokens int
	// Schema asks for JSON of this shape; the zero Schema for text. A provider that can't do it answers in text. Calls of
	// tools come before it: the shape is that of the final answer.
	Schema Schema
	// Tools are what the model may ask for instead of answering. A provider that knows no tools answers without.
	Tools []Tool
}

// Schema is a JSON schema with a name.
type Schema struct {
	Name string
	JSON json.RawMessage
}

// Response is what a model answered.
type Response struct {
	// Text is never empty without Calls.
	Text string
	// Calls are what the model wants to know or to have done before it answers; see Message for how to go on.
	Calls []ToolCall
	// PromptTokens and CompletionTokens as the provider counts them; 0 when it does not.
	PromptTokens, CompletionTokens int
}

// Kind is the reason of a failure, in a closed vocabulary that is also the reason of a channel's AssistantReady
// condition.
type Kind string

const (
	// Unauthorized means that the API key is missing, wrong, revoked, or not allowed to use the model.
	Unauthorized Kind = "ProviderUnauthorized"
	// ModelNotFound means that the provider has no such model, or nothing at this base URL.
	ModelNotFound Kind = "ModelNotFound"
	// RateLimited means that the key used up its rate or its budget.
	RateLimited Kind = "ProviderRateLimited"
	// Unavailable means that the provider can't be reached, is down, or took too long.
	Unavailable Kind = "ProviderUnavailable"
	// Refused means that the base URL leads to an address that tenants may not reach.
	Refused Kind = "ProviderAddressRefused"
	// BadRequest means that the provider did not accept the request.
	BadRequest Kind = "ProviderBadRequest"
	// ContextTooLong means that the request is longer than the model can read.
	ContextTooLong Kind = "ContextTooLong"
	// Declined means that the model, or its provider's filter, would not answer this.
	Declined Kind = "ModelDeclined"
	// BadResponse means that the answer was empty, cut short or not what the API promises.
	BadResponse Kind = "ProviderBadResponse"
	// Unsupported means that this server has no adapter for the provider, or that the provider has no such capability.
	Unsupported Kind = "NotSupported"
	// NotConfigured means that the channel has no such model.
	NotConfigured Kind = "NotConfigured"
	// BudgetUsedUp means that the channel's tokens of the day don't suffice for the call.
	BudgetUsedUp Kind = "TokenBudgetUsedUp"
	// BudgetUnknown means that nobody knows whether they do: the store is away.
	BudgetUnknown Kind = "TokenBudgetUnknown"
)

var meaning = map[Kind]string{
	Unauthorized:  "the model provider refused the API key; check the key in apiKeySecretRef and its access to the model",
	ModelNotFound: "the model provider has no such model at this base URL; check model and baseURL",
	RateLimited:   "the model provider's rate limit or budget is used up",
	Unavailable:   "the model provider cannot be reached or did not answer in time",
	Refused:       "the model provider's base URL leads to an address that is not allowed",
	BadRequest:    "the model provider did not accept the request",
	BadResponse:   "the model provider's answer was empty or unreadable",
	Unsupported:   "this provider can't do this; use OpenAI or AzureOpenAI, or Anthropic for chat and vision",

	ContextTooLong: "the request is longer than the model can read",
	Declined:       "the model would not answer this",
	NotConfigured:  "the channel has no model for this",
	BudgetUsedUp:   "the channel's tokens of today are used up",
	BudgetUnknown:  "it could not be found out how many tokens the channel has used today",
}

// ofRequest reports whether the kind says something of one request only, and nothing of the next one.
func (k Kind) ofRequest() bool {
	switch k {
	case BadRequest, ContextTooLong, Declined, BudgetUnknown:
		return true
	default:
		return false
	}
}

// passes reports whether the trouble may go without anybody's doing.
func (k Kind) passes() bool { return k == Unavailable || k == RateLimited || k == BadResponse }

// Error is the failure of one call. Its text is the same for every failure of one kind and status.
type Error struct {
	// Kind is the reason.
	Kind Kind
	// HTTPStatus of the answer; 0 when there was none.
	HTTPStatus int
	// RetryAfter is how long the provider asked to wait; 0 when it did not say.
	RetryAfter time.Duration

	cause error
}

// Error says what is wrong and what to check.
func (e *Error) Error() string {
	if e.HTTPStatus != 0 {
		return fmt.Sprintf("%s (HTTP %d)", meaning[e.Kind], e.HTTPStatus)
	}
	return meaning[e.Kind]
}

// Unwrap returns context.Canceled or context.DeadlineExceeded if that ended the call. Errors of the SDK and of net/http
// are never wrapped: they quote URLs and the provider's text, which may quote the key.
func (e *Error) Unwrap() error { return e.cause }

// KindOf returns the kind of an error of this package, Unavailable for any other error, and "" for nil.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Unavailable
}
