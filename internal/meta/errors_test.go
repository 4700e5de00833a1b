package meta

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestClassifyExchange(t *testing.T) {
	for _, tc := range []struct {
		reason, body string
		status       int
		outcome      Outcome
		class        Class
	}{
		{"a used code", envelope(100, 36009, ""), 400, Rejected, ClassCodeUsed},
		{"an expired code", envelope(100, 36007, ""), 400, Rejected, ClassCodeExpired},
		{"another redirect_uri", envelope(100, 36008, ""), 400, Rejected, ClassRedirectURIMismatch},
		{"an older answer about a used code", `{"error":{"code":100,"message":"This authorization code has been used."}}`, 400, Rejected, ClassCodeUsed},
		{"an older answer about an expired code", `{"error":{"code":100,"message":"This authorization code has expired."}}`, 400, Rejected, ClassCodeExpired},
		{"an older answer about redirect_uri", `{"error":{"code":100,"message":"Error validating verification code. Please make sure your redirect_uri is identical"}}`, 400, Rejected, ClassRedirectURIMismatch},
		{"a malformed code", `{"error":{"code":100,"message":"Invalid verification code format."}}`, 400, Rejected, ClassCodeMalformed},
		{"a wrong app secret", `{"error":{"code":1,"message":"Error validating client secret."}}`, 400, Rejected, ClassClientSecretInvalid},
		{"code 1 of a failing server says nothing about the secret", `{"error":{"code":1,"message":"An unknown error occurred"}}`, 500, Unknown, ClassAmbiguous},
		{"code 1 that is transient says nothing about the secret", `{"error":{"code":1,"is_transient":true}}`, 400, Unknown, ClassAmbiguous},
		{"a wrong app id", `{"error":{"code":101}}`, 400, Rejected, ClassAppIDInvalid},
		{"throttling", `{"error":{"code":4}}`, 400, Throttled, ClassRateLimited},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			s := serve(t, answering(tc.status, nil, tc.body))
			_, err := newClient(t, s.URL).ExchangeCode(testContext(t), exchangeRequest())
			if e := mustError(t, err); e.Outcome != tc.outcome || e.Class != tc.class {
				t.Errorf("got %s %s, want %s %s", e.Outcome, e.Class, tc.outcome, tc.class)
			}
		})
	}
}

// TestCodeTable lists what each code means to a send. The groups are those of Meta's page about error codes.
func TestCodeTable(t *testing.T) {
	type group struct {
		outcome Outcome
		class   Class
		codes   []int
	}
	seen := map[int]bool{}
	for _, g := range []group{
		{Rejected, ClassTokenInvalid, []int{0, 102, 104, 190}},
		{Rejected, ClassPermissionDenied, []int{3, 10, 200, 213, 299, 131005}},
		{Rejected, ClassObjectNotVisible, []int{33, 803}},
		{Rejected, ClassAppIDInvalid, []int{101}},
		{Rejected, ClassInvalid, []int{100, 131008, 131009, 131021, 131059, 135000}},
		{Throttled, ClassRateLimited, []int{4, 17, 32, 341, 613, 80007, 130429}},
		{Throttled, ClassPairRateLimit, []int{131056}},
		{Throttled, ClassMaintenance, []int{131057}},
		{Throttled, ClassTransient, []int{133004}},
		{Throttled, ClassRecentlyDeleted, []int{133015}},
		{Unknown, ClassAmbiguous, []int{1, 2, 131000, 131016}},
		{Unknown, ClassMaintenance, []int{2494100}},
		{Rejected, ClassAccountRestricted, []int{368, 130497, 131031, 131063, 134011}},
		{Rejected, ClassPayment, []int{131042}},
		{Rejected, ClassWindowClosed, []int{131047}},
		{Rejected, ClassUndeliverable, []int{130403, 130472, 131026, 131050, 137000}},
		{Rejected, ClassRecipientNotAllowed, []int{131030}},
		{Rejected, ClassQualityLimited, []int{131037, 131048, 131049}},
		{Rejected, ClassMediaUpload, []int{131014, 131053}},
		{Rejected, ClassMediaDownload, []int{131052}},
		{Rejected, ClassUnsupported, []int{131051, 131055, 131060, 131062, 134100, 138001}},
		{Rejected, ClassTemplate, []int{131064, 132000, 132001, 132005, 132007, 132012, 132015, 132016, 132018, 132068, 132069, 132999, 134101, 134102, 2388103}},
		{Rejected, ClassDeregistrationIncomplete, []int{133000}},
		{Rejected, ClassPINMismatch, []int{133005}},
		{Rejected, ClassNumberNotVerified, []int{133006}},
		{Rejected, ClassTooManyPINGuesses, []int{133008}},
		{Rejected, ClassPINTooFast, []int{133009}},
		{Rejected, ClassNotRegistered, []int{131045, 133010}},
		{Rejected, ClassRegistrationLocked, []int{133016}},
		{Rejected, ClassNumberVerified, []int{136024}},
		{Rejected, ClassNotThreadOwner, []int{2494191}},
		{Rejected, ClassSyncRepeated, []int{2593107}},
		{Rejected, ClassSyncTooLate, []int{2593108}},
		{Rejected, ClassSyncDeclined, []int{2593109}},
		{Rejected, ClassUnclassified, []int{9, 300, 139000, 2494999}},
	} {
		for _, code := range g.codes {
			seen[code] = true
			e := failure(&call{action: "SendMessage"}, &answer{status: 400, body: []byte(envelope(code, 0, ""))})
			if e == nil || e.Outcome != g.outcome || e.Class != g.class {
				t.Errorf("code %d: got %+v, want %s %s", code, e, g.outcome, g.class)
			}
		}
	}
	for code := range codeTable {
		if !seen[code] {
			t.Errorf("code %d is in the table but in no group of this test", code)
		}
	}
}

func TestClassifyByContext(t *testing.T) {
	for _, tc := range []struct {
		reason, action, body string
		status               int
		class                Class
		wait                 time.Duration
	}{
		{"an object out of sight", "ReadWABA", `{"error":{"code":100,"error_subcode":33,"type":"GraphMethodException"}}`, 400, ClassObjectNotVisible, 0},
		{"a wrong proof", "ReadWABA", `{"error":{"code":100,"message":"Invalid appsecret_proof provided in the API argument"}}`, 400, ClassAppSecretProofInvalid, 0},
		{"a missing proof", "ReadWABA", `{"error":{"code":100,"message":"API calls from the server require an appsecret_proof argument"}}`, 400, ClassAppSecretProofInvalid, 0},
		{"a weak PIN", "RegisterPhone", `{"error":{"code":100,"error_subcode":2388092}}`, 400, ClassPINInvalid, 0},
		{"a registered number", "RegisterPhone", `{"error":{"code":100}}`, 422, ClassRegistrationState, 0},
		{"a code of registration decides before the status", "RegisterPhone", `{"error":{"code":133005}}`, 422, ClassPINMismatch, 0},
		{"a number of the Business app", "DeregisterPhone", `{"error":{"code":100,"message":"Deregister endpoint is not available for API solution for SMB businesses."}}`, 400, ClassUnsupported, 0},
		{"the lock of a number", "RegisterPhone", `{"error":{"code":133016}}`, 400, ClassRegistrationLocked, 72 * time.Hour},
		{"a number deleted a moment ago", "RegisterPhone", `{"error":{"code":"133015"}}`, 400, ClassRecentlyDeleted, 5 * time.Minute},
		{"maintenance", "SendMessage", `{"error":{"code":131057}}`, 500, ClassMaintenance, time.Minute},
		{"an error without code is not a dead token", "SendMessage", `{"error":{"message":"odd"}}`, 400, ClassUnclassified, 0},
		{"an error that is text", "SendMessage", `{"error":"odd"}`, 400, ClassBadResponse, 0},
	} {
		e := failure(&call{action: tc.action}, &answer{status: tc.status, body: []byte(tc.body)})
		if e == nil || e.Class != tc.class || e.RetryAfter != tc.wait {
			t.Errorf("%s: got %+v waiting %v, want %s waiting %v", tc.reason, e, e.RetryAfter, tc.class, tc.wait)
		}
	}
}

func TestErrorText(t *testing.T) {
	for _, tc := range []struct{ reason, body, want string }{
		{"code and subcode", `{"error":{"code":190,"error_subcode":463}}`, "ReadMe: rejected: the access token is expired or invalid (code 190, subcode 463)"},
		{"code", `{"error":{"code":131056}}`, "ReadMe: throttled: too many messages to this user (code 131056)"},
		{"no Graph error", `<html>`, "ReadMe: not sent: something on the way refused the request, without a Graph error (HTTP 400)"},
	} {
		s := serve(t, answering(400, nil, tc.body))
		_, err := newClient(t, s.URL).Me(testContext(t), cred)
		if diff := cmp.Diff(tc.want, mustError(t, err).Error()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
		}
	}
}

func TestDetails(t *testing.T) {
	for _, tc := range []struct{ reason, body, want string }{
		{"details come first", `{"error":{"code":131009,"message":"M","error_user_msg":"U","error_data":{"details":"D"}}}`, "D"},
		{"error_data may be a string", `{"error":{"code":131009,"message":"M","error_data":"S"}}`, "S"},
		{"then the message for the user", `{"error":{"code":131009,"message":"M","error_user_msg":"U"}}`, "U"},
		{"then the message", `{"error":{"code":131009,"message":"M"}}`, "M"},
		{"but not about tokens, whose owner it names", `{"error":{"code":190,"message":"Session of Joe expired on Friday"}}`, ""},
		{"on one line without control characters", `{"error":{"code":131009,"message":" a\n\tb\u0000\u202ec "}}`, "a bc"},
		{"cut at the bound", `{"error":{"code":131009,"message":"` + strings.Repeat("ä ", 200) + `"}}`, strings.Repeat("ä ", 127) + "ä…"},
	} {
		e := failure(&call{action: "SendMessage"}, &answer{status: 400, body: []byte(tc.body)})
		if diff := cmp.Diff(tc.want, e.Details); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
		}
	}
}

func TestForeignErrors(t *testing.T) {
	if got := OutcomeOf(nil); got != Succeeded {
		t.Errorf("OutcomeOf(nil) = %s", got)
	}
	if got := OutcomeOf(context.Canceled); got != Unknown {
		t.Errorf("OutcomeOf(foreign) = %s, want the careful one", got)
	}
	wrapped := fmt.Errorf("step: %w", &Error{Outcome: Throttled, Class: ClassRateLimited})
	if OutcomeOf(wrapped) != Throttled || ClassOf(wrapped) != ClassRateLimited || ClassOf(context.Canceled) != "" {
		t.Error("wrapped errors lose their outcome or class")
	}
	if !ClassPermissionDenied.AccessLost() || !ClassObjectNotVisible.AccessLost() || ClassTokenInvalid.AccessLost() {
		t.Error("AccessLost is wrong")
	}
}

func TestLocalMistakesAreNotSent(t *testing.T) {
	s := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") })
	c := newClient(t, s.URL)
	ctx := testContext(t)
	text := &Text{Body: "x"}
	send := func(m Message) error {
		_, err := c.SendMessage(ctx, cred, "106", m)
		return err
	}
	for reason, err := range map[string]error{
		"an id that leaves its path": c.UnsubscribeApp(ctx, cred, "../106"),
		"an id with a query":         c.UnsubscribeApp(ctx, cred, "106?x="),
		"an id that is too long":     c.UnsubscribeApp(ctx, cred, strings.Repeat("1", 33)),
		"no recipient":               send(Message{Text: text}),
		"no content":                 send(Message{To: Recipient{Phone: "1"}}),
		"two contents":               send(Message{To: Recipient{Phone: "1"}, Text: text, Image: &Image{MediaID: "1"}}),
		"two interactive contents":   send(Message{To: Recipient{Phone: "1"}, List: &List{}, Buttons: &Buttons{}}),
		"a token with a line feed":   c.UnsubscribeApp(ctx, NewCredential("EAAG\nX-Evil: 1", ""), "106"),
		"a token with a NUL":         c.UnsubscribeApp(ctx, NewCredential("EAAG\x00", ""), "106"),
	} {
		if e := mustError(t, err); e.Outcome != NotSent {
			t.Errorf("%s: %s", reason, e)
		}
	}
}

// FuzzDecodeError feeds arbitrary answers: none may panic, be printed beyond bounds, or show the secrets of the call.
func FuzzDecodeError(f *testing.F) {
	for _, body := range []string{
		envelope(190, 463, ""), envelope(100, 36009, `,"is_transient":"true"`), `{"error":null}`, `{"error":[]}`,
		`{"error":{"code":"4","error_data":[1],"message":7}}`, `{"error":{"code":1e99}}`, `{"error":{"code":-1,"error_subcode":{}}}`,
		`{"error":{"message":"` + testToken + `"}}`, "\xff\xfe", `{"ERROR":{"code":190}}`,
		`{"error":{"message":"EAAGtest\u200btokenvalue000111222"}}`,
	} {
		f.Add(400, "30", []byte(body))
	}
	f.Add(429, "Wed, 21 Oct 2099 07:28:00 GMT", []byte(``))
	f.Fuzz(func(t *testing.T, status int, retryAfter string, body []byte) {
		for _, action := range []string{actionExchangeCode, actionRegisterPhone} {
			cl := &call{action: action, cred: cred, hidden: []string{testCode, testPIN}}
			h := http.Header{"Retry-After": {retryAfter}, "X-Business-Use-Case-Usage": {string(body)}, "X-App-Usage": {string(body)}}
			e := failure(cl, &answer{status: status, header: h, body: body})
			if e == nil {
				if status < 200 || status > 299 {
					t.Fatalf("HTTP %d is no error", status)
				}
				continue
			}
			checkFuzzed(t, e)
		}
	})
}

func checkFuzzed(t *testing.T, e *Error) {
	t.Helper()
	js, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	// The PIN has the form of an error code, so it is looked for only where no code stands.
	for _, secret := range []string{testToken, testAppSecret, testCode} {
		if strings.Contains(fmt.Sprintf("%s %+v %#v", js, e, e), secret) {
			t.Fatalf("shows %q: %s", secret, js)
		}
	}
	if strings.Contains(e.Details, testPIN) {
		t.Fatalf("shows the PIN: %s", e.Details)
	}
	if utf8.RuneCountInString(e.Details) > maxDetails || !utf8.ValidString(e.Details) || strings.ContainsAny(e.Details, "\n\r\x00") {
		t.Fatalf("details %q", e.Details)
	}
	if e.RetryAfter < 0 || e.RetryAfter > maxRetryAfter || outcomeText[e.Outcome] == "" || e.Class == "" || e.meaning == "" {
		t.Fatalf("incomplete: %#v waiting %v", e, e.RetryAfter)
	}
}
