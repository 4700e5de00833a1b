package redact

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const value = "EAAGsupersecretvalue0123456789"

func TestSecretNeverPrints(t *testing.T) {
	s := New(value)
	type holder struct {
		Token  Secret
		hidden Secret
		Next   *holder
	}
	h := holder{Token: s, hidden: s, Next: &holder{Token: s, hidden: s}}

	outputs := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10.3s"} {
		outputs["secret "+verb] = fmt.Sprintf(verb, s)
		outputs["pointer "+verb] = fmt.Sprintf(verb, &s)
		outputs["slice "+verb] = fmt.Sprintf(verb, []Secret{s})
		outputs["struct "+verb] = fmt.Sprintf(verb, h)
		outputs["pointer to struct "+verb] = fmt.Sprintf(verb, &h)
	}
	outputs["error"] = fmt.Errorf("calling with %v: %s", s, s).Error()
	js, err := json.Marshal(map[Secret]any{s: []any{s, &s, h}})
	if err != nil {
		t.Fatal(err)
	}
	outputs["json"] = string(js)
	var buf bytes.Buffer
	slog.New(slog.NewJSONHandler(&buf, nil)).Info("call", "token", s, "holder", h)
	outputs["slog"] = buf.String()
	outputs["logr"] = fmt.Sprint(s.MarshalLog())

	for name, out := range outputs {
		if strings.Contains(out, "supersecret") || strings.Contains(out, fmt.Sprintf("%x", "supersecret")) {
			t.Errorf("%s prints the secret: %s", name, out)
		}
	}
	if got := s.Reveal(); got != value {
		t.Errorf("Reveal() = %q, want the value", got)
	}
}

func TestSecretUnmarshals(t *testing.T) {
	var got struct{ Token Secret }
	if err := json.Unmarshal([]byte(`{"token":"`+value+`"}`), &got); err != nil {
		t.Fatal(err)
	}
	if !got.Token.Equal(New(value)) {
		t.Errorf("decoded %q, want the value", got.Token.Reveal())
	}
	err := json.Unmarshal([]byte(`{"token":1234567890}`), &got)
	if err == nil || strings.Contains(err.Error(), "1234567890") {
		t.Errorf("a number gave error %v, want one that does not quote the input", err)
	}
}

func TestSecretZeroValue(t *testing.T) {
	for _, s := range []Secret{{}, New("")} {
		if !s.IsZero() || s.Reveal() != "" || !s.Equal(Secret{}) {
			t.Errorf("the empty secret is not the zero value: %q", s.Reveal())
		}
	}
	if New("a").Equal(New("b")) || New("a").Equal(Secret{}) || New("a").IsZero() {
		t.Error("different secrets compare as equal")
	}
}

func TestMask(t *testing.T) {
	for _, tc := range []struct{ reason, in, want string }{
		{"nothing has no hint", "", ""},
		{"a short value would give away too much", "abcdefghijk", "…"},
		{"the shortest value with a hint", "abcdefghijkl", "…ijkl"},
		{"a long token shows its last four characters", value, "…6789"},
	} {
		if diff := cmp.Diff(tc.want, Mask(tc.in)); diff != "" {
			t.Errorf("%s: Mask(%q) (-want +got):\n%s", tc.reason, tc.in, diff)
		}
	}
}

func TestLooksMasked(t *testing.T) {
	for _, tc := range []struct {
		reason, in string
		want       bool
	}{
		{"a Graph token is genuine", value, false},
		{"an app token is genuine", "670843887433847|0123456789abcdef0123456789abcdef", false},
		{"an app secret is genuine", "0123456789abcdef0123456789abcdef", false},
		{"a token may hold a few x", "EAAxxxxQ", false},
		{"two dots mask nothing", "ab..cd", false},
		{"stars", "EAAG****9f2a", true},
		{"bullets of a password field", "••••••••", true},
		{"an ellipsis character", "EAAG…9f2a", true},
		{"three dots", "EAAG...9f2a", true},
		{"a row of x", "xxxxxxxx", true},
		{"our own hint", Mask(value), true},
		{"our own placeholder", Placeholder, true},
	} {
		if got := LooksMasked(tc.in); got != tc.want {
			t.Errorf("%s: LooksMasked(%q) = %t, want %t", tc.reason, tc.in, got, tc.want)
		}
	}
}

func TestText(t *testing.T) {
	for _, tc := range []struct {
		reason, in string
		secrets    []string
		want       string
	}{
		{"ordinary text is left alone", "Parameter value is not valid: 131009", nil, "Parameter value is not valid: 131009"},
		{"a known secret goes", "pin 581063 is weak", []string{"581063"}, "pin [redacted] is weak"},
		{"a tiny secret would garble the text", "a b c", []string{"a"}, "a b c"},
		{"the longer of two nested secrets goes as a whole", "x=topsecretvalue", []string{"topsecret", "topsecretvalue"}, "x=[redacted]"},
		{"a URL-encoded secret goes", "c=a%2Fb%7Cc+d", []string{"a/b|c d"}, "c=[redacted]"},
		{"a Graph token goes wherever it stands", "token of (" + value + ")", nil, "token of ([redacted])"},
		{"an app token goes", "with 670843887433847|abcdefghijklmnop", nil, "with [redacted]"},
		{"named values keep their names", "access_token=abcd1234&client_secret=ef56ef56&code=AQBx7&x=1", nil,
			"access_token=[redacted]&client_secret=[redacted]&code=[redacted]&x=1"},
		{"JSON members keep their names", `{"access_token":"abcd1234","n":1}`, nil, `{"access_token":"[redacted]","n":1}`},
		{"an Authorization header goes", "Authorization: Bearer abcdefghijk", nil, "Authorization: Bearer [redacted]"},
		{"a URL loses its query", `Get "https://graph.facebook.com/v25.0/me?x=y": EOF`, nil,
			`Get "https://graph.facebook.com/v25.0/me?[redacted]": EOF`},
		{"a URL loses its user info", "https://u:p@h.example/x", nil, "https://[redacted]@h.example/x"},
		{"a proof or app secret goes", "proof 0123456789abcdef0123456789abcdef", nil, "proof [redacted]"},
		{"a message id holds a phone number", "message wamid.HBgLMTY1MDU1NTEyMzQ= unknown", nil, "message [redacted] unknown"},
	} {
		if diff := cmp.Diff(tc.want, Text(tc.in, tc.secrets...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
		}
	}
}
