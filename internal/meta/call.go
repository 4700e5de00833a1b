package meta

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// callTimeout bounds a call. Meta answers most within a second; the code exchange has to leave room for a second
	// attempt within the 30 seconds that a code lives.
	callTimeout = 10 * time.Second
	// sendTimeout bounds a send: Meta fetches the image of a link before it answers, and an answer that is not awaited
	// leaves the outcome unknown.
	sendTimeout = 20 * time.Second
	// uploadTimeout and downloadTimeout bound the transfer of up to 100 MB.
	uploadTimeout   = 60 * time.Second
	downloadTimeout = 60 * time.Second
	// maxAnswer bounds an answer of the API; a page of a hundred phone numbers has a few hundred KiB at most.
	maxAnswer = 1 << 20
	// userAgent is always sent: Meta's media hosts are said to refuse requests without one.
	userAgent = "whatsapp-operator"
)

// call is one request to the Graph API.
type call struct {
	action string
	method string
	// object is the id of the node addressed, edge the rest of the path; one of the two may be empty.
	object, edge string
	query        url.Values
	body         *payload
	cred         Credential
	// timeout is callTimeout when zero.
	timeout time.Duration
	// irreversible calls spend or give away what nobody gets back: that one was not executed is believed of Graph alone, and not of
	// something on the way that may have seen its answer.
	irreversible bool
	// hidden are secrets of this call beside the credential. An answer may quote them.
	hidden []string
}

// payload is the body of a request.
type payload struct {
	contentType string
	parts       [][]byte
}

func (cl *call) secrets() []string {
	return append([]string{cl.cred.Token.Reveal(), cl.cred.AppSecret.Reveal(), cl.cred.proof()}, cl.hidden...)
}

func (cl *call) invalid(meaning string) *Error {
	return &Error{Action: cl.action, Outcome: NotSent, Class: ClassInvalid, meaning: meaning}
}

// jsonBody encodes a request. It takes only types of this package, which always encode.
func jsonBody(v any) *payload {
	data, err := json.Marshal(v)
	if err != nil {
		panic("meta: encoding a request: " + err.Error())
	}
	return &payload{contentType: "application/json", parts: [][]byte{data}}
}

func formBody(v url.Values) *payload {
	return &payload{contentType: "application/x-www-form-urlencoded", parts: [][]byte{[]byte(v.Encode())}}
}

// checked is an answer that knows which of its members it can't do without, and what they may say.
type checked interface{ check(cl *call) *Error }

// expect is the check of an answer that has to have something. An answer that can't be understood says nothing about
// what happened.
func (cl *call) expect(present bool) *Error {
	if present {
		return nil
	}
	return &Error{
		Action: cl.action, Outcome: Unknown, Class: ClassBadResponse, HTTPStatus: http.StatusOK,
		meaning: "the answer is not the JSON that the API promises",
	}
}

// do makes a call and decodes its answer into out. The error, if any, is an *Error.
func (c *Client) do(ctx context.Context, cl *call, out checked) error {
	return c.doVia(ctx, c.shared, cl, out)
}

// doVia is do on a given transport.
func (c *Client) doVia(ctx context.Context, transport *http.Transport, cl *call, out checked) error {
	start := time.Now()
	a, e := c.roundTrip(ctx, cl, transport)
	if e == nil {
		e = failure(cl, a)
	}
	if e == nil {
		e = decode(cl, a, out)
	}
	c.report(cl, a, e, time.Since(start))
	c.reportUsage(cl, a, e)
	if e != nil {
		return e
	}
	return nil
}

func decode(cl *call, a *answer, out checked) *Error {
	if json.Unmarshal(a.body, out) != nil {
		return cl.expect(false)
	}
	return out.check(cl)
}

func (c *Client) report(cl *call, a *answer, e *Error, took time.Duration) {
	if c.observe == nil {
		return
	}
	seen := Call{Action: cl.action, Outcome: Succeeded, Duration: took}
	if a != nil {
		seen.UsagePercent = readUsage(a.header).percent
	}
	if e != nil {
		seen.Outcome, seen.Class = e.Outcome, e.Class
	}
	c.observe(seen)
}

// roundTrip sends the request and reads the answer whole. It uses the transport directly: http.Client would follow
// redirects with the Authorization header, and wrap errors in *url.Error, which quotes the URL with its secrets.
func (c *Client) roundTrip(ctx context.Context, cl *call, transport *http.Transport) (*answer, *Error) {
	if cl.object != "" && !validID(cl.object) {
		return nil, cl.invalid("the id of the object must consist of digits")
	}
	if e := c.admit(cl); e != nil {
		return nil, e
	}
	timeout := cl.timeout
	if timeout == 0 {
		timeout = callTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var mark sentMark
	req, err := c.request(mark.trace(ctx), cl)
	if err != nil {
		return nil, cl.invalid("the request can't be built")
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, networkError(ctx, cl, mark.sent.Load(), err)
	}
	defer closeBody(resp.Body)
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, networkError(ctx, cl, true, err)
	}
	if len(body) > maxAnswer {
		return nil, &Error{
			Action: cl.action, Outcome: Unknown, Class: ClassBadResponse, HTTPStatus: resp.StatusCode,
			meaning: "the answer is too large",
		}
	}
	return &answer{status: resp.StatusCode, header: resp.Header, body: body}, nil
}

// closeBody ends the use of an answer. There is nothing to do about an error: the answer has been read, or given up.
func closeBody(body io.Closer) { _ = body.Close() }

// admit asks the rate limiter. The exchange passes: its code would not survive the wait.
func (c *Client) admit(cl *call) *Error {
	if c.limit == nil || cl.action == actionExchangeCode {
		return nil
	}
	wait, ok := c.limit(cl.action, cl.object)
	if ok {
		return nil
	}
	return &Error{
		Action: cl.action, Outcome: Throttled, Class: ClassRateLimited, RetryAfter: wait,
		meaning: "held back by our own rate limit",
	}
}

func (c *Client) request(ctx context.Context, cl *call) (*http.Request, error) {
	u := c.base.JoinPath(cl.object, cl.edge)
	query := url.Values{}
	maps.Copy(query, cl.query)
	if proof := cl.cred.proof(); proof != "" {
		query.Set("appsecret_proof", proof)
	}
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, cl.method, u.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	if cl.body != nil {
		cl.body.attach(req)
	}
	// Without GetBody net/http has no means to send a body twice.
	req.GetBody = nil
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set("Accept", "application/json")
	if token := cl.cred.Token.Reveal(); token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return req, nil
}

// attach gives the request its body.
func (p *payload) attach(req *http.Request) {
	readers := make([]io.Reader, 0, len(p.parts))
	for _, part := range p.parts {
		readers = append(readers, bytes.NewReader(part))
		req.ContentLength += int64(len(part))
	}
	req.Body = io.NopCloser(io.MultiReader(readers...))
	req.Header.Set("Content-Type", p.contentType)
}

// successAnswer is what calls return that have nothing to tell. Meta prints true and "true".
type successAnswer struct {
	Success flag `json:"success"`
}

func (a *successAnswer) check(cl *call) *Error {
	if !a.Success.set {
		return cl.expect(false)
	}
	return a.refusal(cl)
}

// refusal is the error of an answer that says that nothing was done.
func (a *successAnswer) refusal(cl *call) *Error {
	if !a.Success.set || a.Success.value {
		return nil
	}
	return &Error{
		Action: cl.action, Outcome: Rejected, Class: ClassUnclassified, HTTPStatus: http.StatusOK,
		meaning: "Meta reports no success, without a reason",
	}
}

// acknowledge makes a call whose answer is a success flag.
func (c *Client) acknowledge(ctx context.Context, cl *call) error {
	return c.do(ctx, cl, &successAnswer{})
}

const (
	// pageSize is the number of elements per page of a list.
	pageSize = "100"
	// maxPages bounds a list; a list that long would not fit any of our resources.
	maxPages = 50
)

// page is one page of a list, see developers.facebook.com/docs/graph-api/results. Meta's page about credit lines prints
// one bare object in place of a list of one; that is accepted from every list.
type page[T any] struct {
	Data   *[]T `json:"data"`
	Paging struct {
		Cursors struct {
			After string `json:"after"`
		} `json:"cursors"`
		Next string `json:"next"`
	} `json:"paging"`
}

// UnmarshalJSON turns a bare object with an id into a list of one.
func (p *page[T]) UnmarshalJSON(data []byte) error {
	type plain page[T]
	var bare struct {
		ID ID `json:"id"`
	}
	*p = page[T]{}
	if err := json.Unmarshal(data, (*plain)(p)); err != nil || p.Data != nil {
		return err
	}
	if err := json.Unmarshal(data, &bare); err != nil || bare.ID == "" {
		return err
	}
	var one T
	if err := json.Unmarshal(data, &one); err != nil {
		return err
	}
	p.Data = &[]T{one}
	return nil
}

// check tells an empty list from an answer that is no list.
func (p *page[T]) check(cl *call) *Error { return cl.expect(p.Data != nil) }

// list reads all pages. It follows cursors, never the URL in paging.next, which contains the access token.
func list[T any](ctx context.Context, c *Client, cl *call) ([]T, error) {
	if cl.query == nil {
		cl.query = url.Values{}
	}
	cl.query.Set("limit", pageSize)
	var all []T
	for range maxPages {
		var p page[T]
		if err := c.do(ctx, cl, &p); err != nil {
			return nil, err
		}
		all = append(all, *p.Data...)
		if p.Paging.Next == "" {
			return all, nil
		}
		if p.Paging.Cursors.After == "" {
			// Half a list would pass for the whole: what is missing from it would be created a second time.
			return nil, cl.expect(false)
		}
		cl.query.Set("after", p.Paging.Cursors.After)
	}
	return nil, &Error{
		Action: cl.action, Outcome: Unknown, Class: ClassBadResponse, meaning: "the list has too many pages",
	}
}

// fields joins field names for the fields parameter.
func fields(names ...string) url.Values {
	return url.Values{"fields": {strings.Join(names, ",")}}
}
