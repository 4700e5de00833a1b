package meta

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
)

// maxDetails bounds Error.Details in runes: enough for Meta's longest explanation, small enough for a condition.
const maxDetails = 256

// graphError is the error object of an answer, see developers.facebook.com/docs/graph-api/guides/error-handling.
type graphError struct {
	Message     string
	Type        string
	Code        int
	Subcode     int
	Transient   bool
	UserMessage string
	Details     string
	TraceID     string
}

// UnmarshalJSON is lenient about each member: an odd one must not hide the code.
func (g *graphError) UnmarshalJSON(data []byte) error {
	var wire struct {
		Message     text            `json:"message"`
		Type        text            `json:"type"`
		Code        number          `json:"code"`
		Subcode     number          `json:"error_subcode"`
		Transient   flag            `json:"is_transient"`
		UserMessage text            `json:"error_user_msg"`
		Data        json.RawMessage `json:"error_data"`
		TraceID     text            `json:"fbtrace_id"`
	}
	if err := json.Unmarshal(data, &wire); err != nil {
		return err
	}
	*g = graphError{
		Message: string(wire.Message), Type: string(wire.Type), Code: int(wire.Code), Subcode: int(wire.Subcode),
		Transient: wire.Transient.value, UserMessage: string(wire.UserMessage), Details: errorDetails(wire.Data),
		TraceID: string(wire.TraceID),
	}
	return nil
}

// errorDetails reads error_data, which is an object with details, or sometimes just a string.
func errorDetails(data json.RawMessage) string {
	var object struct {
		Details text `json:"details"`
	}
	if json.Unmarshal(data, &object) == nil {
		return string(object.Details)
	}
	var plain string
	if json.Unmarshal(data, &plain) == nil {
		return plain
	}
	return ""
}

// decodeError finds the Graph error in a body. It returns nil if there is none.
func decodeError(body []byte) *graphError {
	var envelope struct {
		Error *graphError `json:"error"`
	}
	if !bytes.Contains(body, []byte(`"error"`)) || json.Unmarshal(body, &envelope) != nil {
		return nil
	}
	return envelope.Error
}

// answer is what one HTTP exchange gave.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// failure turns an answer into an *Error, or nil if it is a success. The code decides before the HTTP status, which is
// unreliable: throttling arrives as 400, 403 and 429.
func failure(cl *call, a *answer) *Error {
	graph := decodeError(a.body)
	if graph == nil {
		return statusFailure(cl, a)
	}
	v := classify(cl, graph, a.status)
	e := &Error{
		Action: cl.action, Outcome: v.outcome, Class: v.class, Code: graph.Code, Subcode: graph.Subcode,
		HTTPStatus: a.status, RetryAfter: v.wait, meaning: v.meaning, traceID: graph.TraceID,
	}
	if e.Outcome == Throttled {
		// What is counted in messages has nothing to do with how many calls are left.
		if hint := retryHint(a.header, v.class == ClassRateLimited && graph.Code != codeThroughput); hint > 0 {
			e.RetryAfter = hint
		}
	}
	e.Details = details(cl, graph, v.class)
	return e
}

// statusFailure judges an answer without a Graph error by its HTTP status.
func statusFailure(cl *call, a *answer) *Error {
	e := &Error{Action: cl.action, HTTPStatus: a.status, Class: ClassBadResponse, Outcome: Unknown}
	switch {
	case a.status >= 200 && a.status < 300:
		return nil
	case a.status == http.StatusTooManyRequests:
		e.Outcome, e.Class, e.meaning = Throttled, ClassRateLimited, "too many calls"
		e.RetryAfter = retryHint(a.header, true)
	case a.status >= 300 && a.status < 400:
		e.meaning = "the server answered with a redirect, which is not followed"
	case a.status >= 500 || a.status == http.StatusRequestTimeout || cl.irreversible:
		e.meaning = "the server failed without a Graph error"
	default:
		// Something refused the request, but not Graph: a proxy, or a wrong base URL.
		e.Outcome, e.meaning = NotSent, "something on the way refused the request, without a Graph error"
	}
	return e
}

// details picks the explanation to show. Messages about tokens and codes are left out: they name the token's owner
// and quote times, so they would be neither discreet nor stable.
func details(cl *call, g *graphError, class Class) string {
	picked := g.Details
	if picked == "" {
		picked = g.UserMessage
	}
	if picked == "" {
		switch class {
		case ClassTokenInvalid, ClassClientSecretInvalid, ClassAppIDInvalid, ClassAppSecretProofInvalid,
			ClassCodeUsed, ClassCodeExpired, ClassCodeMalformed, ClassRedirectURIMismatch:
			return ""
		default:
			picked = g.Message
		}
	}
	return sanitise(picked, append(cl.secrets(), g.TraceID)...)
}

// sanitise puts foreign text on one line, scrubs it and cuts it. Invisible characters go first, else they could split a
// secret and leave it readable.
func sanitise(s string, secrets ...string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r):
			return -1
		default:
			return r
		}
	}, strings.ToValidUTF8(s, "?"))
	s = redact.Text(strings.Join(strings.Fields(s), " "), secrets...)
	runes := []rune(s)
	if len(runes) > maxDetails {
		runes = append(runes[:maxDetails-1], '…')
	}
	return string(runes)
}

// maxRetryAfter bounds what a header may ask for; Meta's longest lock-out is 72 hours.
const maxRetryAfter = 72 * time.Hour

// retryHint reads how long the answer asks to wait: Retry-After or, if calls are what there were too many of, the business use
// case header if that is longer.
func retryHint(h http.Header, calls bool) time.Duration {
	var wait time.Duration
	if calls {
		wait = readUsage(h).wait
	}
	if after, err := strconv.ParseUint(strings.TrimSpace(h.Get("Retry-After")), 10, 31); err == nil {
		wait = max(wait, time.Duration(after)*time.Second)
	} else if at, err := http.ParseTime(h.Get("Retry-After")); err == nil {
		wait = max(wait, time.Until(at))
	}
	return min(wait, maxRetryAfter)
}

// usage is what the rate headers say, see developers.facebook.com/docs/graph-api/overview/rate-limiting.
type usage struct {
	percent int
	wait    time.Duration
}

// usageCounters are percentages; the time is in minutes.
type usageCounters struct {
	CallCount    number `json:"call_count"`
	TotalCPUTime number `json:"total_cputime"`
	TotalTime    number `json:"total_time"`
	Regain       number `json:"estimated_time_to_regain_access"`
}

func (u *usage) add(c usageCounters) {
	u.percent = max(u.percent, int(c.CallCount), int(c.TotalCPUTime), int(c.TotalTime))
	// The bound keeps the product below far from overflow.
	minutes := min(max(int64(c.Regain), 0), int64(maxRetryAfter/time.Minute))
	u.wait = max(u.wait, time.Duration(minutes)*time.Minute)
}

// readUsage takes the worst of all counters. The types inside are an open list and do not matter.
func readUsage(h http.Header) usage {
	var u usage
	var app usageCounters
	if json.Unmarshal([]byte(h.Get("X-App-Usage")), &app) == nil {
		u.add(app)
	}
	for _, business := range readBusinessUsage(h) {
		u.percent, u.wait = max(u.percent, business.percent), max(u.wait, business.wait)
	}
	return u
}

// readBusinessUsage takes the worst of the counters of each account or business that the answer tells of.
func readBusinessUsage(h http.Header) map[string]usage {
	var wire map[string][]usageCounters
	if json.Unmarshal([]byte(h.Get("X-Business-Use-Case-Usage")), &wire) != nil {
		return nil
	}
	out := map[string]usage{}
	for id, list := range wire {
		var u usage
		for _, counters := range list {
			u.add(counters)
		}
		out[id] = u
	}
	return out
}
