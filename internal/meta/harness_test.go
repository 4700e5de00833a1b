package meta

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
)

// Every secret that a test hands to the client. No error may show any of them.
const (
	testToken       = "EAAGtesttokenvalue000111222"
	testAppSecret   = "appsecretvalue00ffee"
	testCode        = "AQBtestcodevalue333444"
	testPIN         = "581063"
	testVerifyToken = "pv_verifytokenvalue555"
	testInputToken  = "EAAGinputtokenvalue666777"
	testTraceID     = "Az8or2yhqkZfEZ-_4Qn_Bam"
	testRedirect    = "https://signup.example.com/back?state=redirectstate"
)

var testSecrets = []string{
	testToken, testAppSecret, testCode, testPIN, testVerifyToken, testInputToken, testTraceID, "redirectstate",
	cred.proof(),
}

// addresses must not show in an error either, but Meta may name one in its details.
var addresses = []string{"https://", "http://", "127.0.0.1"}

// cred carries an app secret, so each call carries a proof.
var cred = NewCredential(testToken, testAppSecret)

// newClient returns a client of a server, and closes its connections at the end.
func newClient(t *testing.T, baseURL string, change ...func(*Config)) *Client {
	t.Helper()
	cfg := Config{BaseURL: baseURL}
	for _, f := range change {
		f(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// serve runs a server for the time of a test.
func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// quoteMark is where answering puts all that the request said, as Meta might in an explanation.
const quoteMark = "QUOTE"

// quote is a request in clear text and as it was encoded, as the inside of a JSON string.
func quote(r *http.Request, body []byte) string {
	var words []string
	for _, values := range r.URL.Query() {
		words = append(words, values...)
	}
	words = append(words, r.URL.RawQuery, string(body), strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	js, err := json.Marshal(strings.Join(words, " "))
	if err != nil {
		panic(err)
	}
	return string(js[1 : len(js)-1])
}

// answering is a handler with one answer.
func answering(status int, header http.Header, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		// Read the request whole, so that the connection ends cleanly.
		said, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		body := strings.ReplaceAll(body, quoteMark, quote(r, said))
		maps.Copy(w.Header(), header)
		w.WriteHeader(status)
		if _, err := io.WriteString(w, body); err != nil {
			panic(http.ErrAbortHandler)
		}
	}
}

// mustError asserts that err is an *Error and that no way of printing it shows a secret.
func mustError(t *testing.T, err error) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got error %v of type %T, want *Error", err, err)
	}
	js, jsonErr := json.Marshal(e)
	if jsonErr != nil {
		t.Fatal(jsonErr)
	}
	for _, secret := range testSecrets {
		if strings.Contains(string(js), secret) || strings.Contains(e.Details, secret) {
			t.Errorf("an error shows %q: %s", secret, js)
		}
	}
	var texts []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d"} {
		texts = append(texts, fmt.Sprintf(verb, e), fmt.Sprintf(verb, struct{ E any }{e}), fmt.Sprintf(verb, fmt.Errorf("step: %w", err)))
	}
	for wrapped := errors.Unwrap(err); wrapped != nil; wrapped = errors.Unwrap(wrapped) {
		texts = append(texts, fmt.Sprintf("%+v", wrapped))
	}
	for _, text := range texts {
		for _, secret := range append(addresses, testSecrets...) {
			if strings.Contains(text, secret) {
				t.Errorf("an error shows %q: %s", secret, text)
			}
		}
	}
	if e.Action == "" || e.Class == "" || e.meaning == "" || outcomeText[e.Outcome] == "" {
		t.Errorf("incomplete error: action %q, class %q, outcome %q, text %q", e.Action, e.Class, e.Outcome, e)
	}
	return e
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func exchangeRequest() ExchangeRequest {
	redirect := testRedirect
	return ExchangeRequest{
		AppID: "670843887433847", AppSecret: redact.New(testAppSecret), Code: redact.New(testCode), RedirectURI: &redirect,
	}
}

// envelope is a Graph error as JSON, of which each text quotes the whole request and the trace id.
func envelope(code, subcode int, more string) string {
	return fmt.Sprintf(`{"error":{"message":"(#%d) M QUOTE %s","type":"OAuthException","code":%d,"error_subcode":%d,
		"error_data":{"messaging_product":"whatsapp","details":"D %s QUOTE"},"fbtrace_id":%q%s}}`,
		code, testTraceID, code, subcode, testTraceID, testTraceID, more)
}
