package webhook

import (
	"bytes"
	"strings"
	"testing"
)

func TestVerify(t *testing.T) {
	body := []byte(`{"text":"\u00e4 \/"}`)
	good := Sign([]byte("secret-b"), body)
	keys := func(s ...string) [][]byte {
		var out [][]byte
		for _, k := range s {
			out = append(out, []byte(k))
		}
		return out
	}
	for _, tc := range []struct {
		reason, header string
		body           []byte
		secrets        [][]byte
		index          int
		ok             bool
	}{
		{"the secret that signed is found", good, body, keys("secret-b"), 0, true},
		{"the second secret matches during a rotation", good, body, keys("secret-a", "secret-b"), 1, true},
		{"upper case hex is the same signature", "sha256=" + strings.ToUpper(good[7:]), body, keys("secret-b"), 0, true},
		{"a foreign secret does not match", good, body, keys("secret-a"), -1, false},
		{"one changed byte breaks it", good, []byte(`{"text":"\u00e4 /"}`), keys("secret-b"), -1, false},
		{"without secrets nothing matches", good, body, nil, -1, false},
		{"an empty secret signs for nobody", Sign(nil, body), body, [][]byte{nil, {}}, -1, false},
		{"the prefix is required", good[7:], body, keys("secret-b"), -1, false},
		{"SHA-1 is not accepted", "sha1=" + good[7:], body, keys("secret-b"), -1, false},
		{"a prefix of the signature is not enough", good[:len(good)-2], body, keys("secret-b"), -1, false},
		{"a longer signature is refused", good + "00", body, keys("secret-b"), -1, false},
		{"what is not hex is refused", "sha256=" + strings.Repeat("g", 64), body, keys("secret-b"), -1, false},
		{"a missing header is refused", "", body, keys("secret-b"), -1, false},
	} {
		index, ok := Verify(tc.header, tc.body, tc.secrets...)
		if index != tc.index || ok != tc.ok {
			t.Errorf("%s: Verify = %d, %t, want %d, %t", tc.reason, index, ok, tc.index, tc.ok)
		}
	}
}

// TestSignKnownAnswer pins the algorithm: the first test case of RFC 4231.
func TestSignKnownAnswer(t *testing.T) {
	key := bytes.Repeat([]byte{0x0b}, 20)
	const want = "sha256=b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
	if got := Sign(key, []byte("Hi There")); got != want {
		t.Errorf("Sign = %s, want %s", got, want)
	}
}

func FuzzVerify(f *testing.F) {
	f.Add("sha256=", []byte("{}"), []byte("k"))
	f.Add(Sign([]byte("k"), []byte("{}")), []byte("{}"), []byte("k"))
	f.Add("sha256="+strings.Repeat("0", 64), []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, header string, body, secret []byte) {
		_, ok := Verify(header, body, secret)
		want := len(secret) > 0 && strings.HasPrefix(header, "sha256=") &&
			strings.EqualFold(header[len("sha256="):], Sign(secret, body)[len("sha256="):]) && len(header) == 71
		if ok != want {
			t.Fatalf("Verify(%q) = %t, want %t", header, ok, want)
		}
	})
}
