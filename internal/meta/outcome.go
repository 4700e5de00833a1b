package meta

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Outcome says what became of a request. It decides whether the same call may be made again.
type Outcome string

const (
	// Succeeded is the outcome of a call without error. Only observers see it.
	Succeeded Outcome = "Succeeded"
	// NotSent means that the request never reached the network as a whole, or was kept from Graph on the way, so Meta can't
	// have executed it.
	NotSent Outcome = "NotSent"
	// Rejected means that Meta answered and did not execute the request. The same request is refused again until
	// somebody changes something; Class says what.
	Rejected Outcome = "Rejected"
	// Throttled means that the request was not executed and is worth repeating after RetryAfter.
	Throttled Outcome = "Throttled"
	// Unknown means that the request was sent and that nobody can tell whether it was executed. Reads may simply be
	// repeated; before anything else is repeated its effect has to be looked up.
	Unknown Outcome = "Unknown"
)

// Error is the failure of one call.
type Error struct {
	// Action is the logical name of the call, such as "ExchangeCode". It is safe as a metric label.
	Action string
	// Outcome says what became of the request.
	Outcome Outcome
	// Class is the reason in a closed vocabulary.
	Class Class
	// Code and Subcode are Meta's error code and subcode; 0 when there was no Graph error.
	Code, Subcode int
	// HTTPStatus is the status of the answer; 0 when there was none.
	HTTPStatus int
	// RetryAfter is how long to wait before the next attempt; 0 when nothing is known.
	RetryAfter time.Duration
	// Details is Meta's explanation: scrubbed of secrets, on one line, of at most 256 runes; often empty. It is foreign
	// text, for humans, and not part of Error().
	Details string

	meaning string
	traceID string
	cause   error
}

// Error names the action, the outcome, the reason and the codes. The text is the same for each failure of one kind.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s: %s", e.Action, outcomeText[e.Outcome], e.meaning)
	switch {
	case e.Code != 0 && e.Subcode != 0:
		fmt.Fprintf(&b, " (code %d, subcode %d)", e.Code, e.Subcode)
	case e.Code != 0:
		fmt.Fprintf(&b, " (code %d)", e.Code)
	case e.HTTPStatus != 0:
		fmt.Fprintf(&b, " (HTTP %d)", e.HTTPStatus)
	}
	return b.String()
}

var outcomeText = map[Outcome]string{
	NotSent:   "not sent",
	Rejected:  "rejected",
	Throttled: "throttled",
	Unknown:   "outcome unknown",
}

// Format prints Error() for every verb, so that no verb reaches the unexported fields.
func (e *Error) Format(f fmt.State, _ rune) {
	// fmt.State buffers; a failed write is reported by the Fprintf that owns the state.
	_, _ = io.WriteString(f, e.Error())
}

// Unwrap returns context.Canceled, context.DeadlineExceeded or the error of a reader or writer that the caller passed
// in, if that is what ended the call. Errors of the network are never wrapped: they quote URLs.
func (e *Error) Unwrap() error { return e.cause }

// TraceID returns Meta's fbtrace_id. It belongs into a log line for Meta's support and nowhere else: it differs from
// attempt to attempt.
func (e *Error) TraceID() string { return e.traceID }

// Temporary reports whether time alone can make the call succeed. For the outcome Unknown of anything but a read, look
// its effect up first.
func (e *Error) Temporary() bool {
	switch e.Outcome {
	case Throttled, Unknown:
		return true
	case NotSent:
		return e.Class == ClassNetwork || e.Class == ClassBadResponse
	default:
		return false
	}
}

// OutcomeOf returns the outcome of a call: Succeeded for nil, and Unknown for an error that did not come from this
// package.
func OutcomeOf(err error) Outcome {
	if err == nil {
		return Succeeded
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Outcome
	}
	return Unknown
}

// ClassOf returns the class of an error of this package, and "" for any other.
func ClassOf(err error) Class {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Class
	}
	return ""
}
