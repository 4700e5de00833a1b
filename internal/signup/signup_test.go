package signup

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
)

func newKey(t *testing.T) (ed25519.PublicKey, ed25519.PrivateKey) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return public, private
}

func TestLink(t *testing.T) {
	public, private := newKey(t)
	link, err := NewLink("670843887433847", "1d1a9b5e-3f7e-4c2e-9a4e-0a5a3c9d2f10", time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	token, err := link.Sign(private)
	if err != nil {
		t.Fatal(err)
	}
	url := URL("https://hooks.example.com/", token)
	if TokenOf(url) != token || !strings.HasPrefix(url, "https://hooks.example.com/signup/") {
		t.Errorf("the address is %s", url)
	}
	got, err := Verify(token, public)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(link, got); diff != "" {
		t.Errorf("a link must survive its token (-want +got):\n%s", diff)
	}
	other, _ := newKey(t)
	body, signature, _ := strings.Cut(token, ".")
	forged := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"v":1,"id":%q,"app":%q,"req":%q,"exp":9999999999}`, link.ID, link.AppID, link.RequestUID))
	for _, tc := range []struct {
		reason, token string
		key           ed25519.PublicKey
	}{
		{"another app's key", token, other},
		{"no key", token, nil},
		{"a later expiry", forged + "." + signature, public},
		{"no signature", body + ".", public},
		{"half a signature", token[:len(token)-10], public},
		{"a changed last character", body + "." + signature[:len(signature)-1] + "_", public},
		{"no token", "", public},
		{"much text", strings.Repeat("A", maxToken) + "." + signature, public},
		{"a signature without our purpose", body + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(private, []byte(body))), public},
	} {
		if _, err := Verify(tc.token, tc.key); !errors.Is(err, ErrLink) {
			t.Errorf("%s: got %v, want %v", tc.reason, err, ErrLink)
		}
	}
	if peeked, err := Peek(forged + "." + signature); err != nil || peeked.AppID != link.AppID {
		t.Errorf("Peek = %+v, %v", peeked, err)
	}
}

func TestHandover(t *testing.T) {
	want := Handover{Token: "a.b", Code: redact.New("AQBcode-_"), Claims: Claims{Event: "FINISH", WABAID: "1022", PhoneNumberID: "1065"}}
	data, err := want.Data()
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseHandover(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("a handover must survive its Secret (-want +got):\n%s", diff)
	}
	if name := want.Name(); name != "signup-"+CodeHash(want.Code) || strings.Contains(name, "AQB") {
		t.Errorf("the name is %s", name)
	}
	for _, tc := range []struct {
		reason string
		change func(map[string][]byte)
		want   string
	}{
		{"without a link it is nobody's", func(d map[string][]byte) { delete(d, keyLink) }, "no signup link"},
		{"without a code it is nothing", func(d map[string][]byte) { delete(d, keyCode) }, "no signup code"},
		{"a code has no line breaks", func(d map[string][]byte) { d[keyCode] = []byte("AQB\nX") }, "holds what no code holds"},
		{"a code is short", func(d map[string][]byte) { d[keyCode] = []byte(strings.Repeat("A", MaxCode+1)) }, "too long"},
		{"ids are digits", func(d map[string][]byte) { d[keyClaims] = []byte(`{"wabaID":"../../app"}`) }, "wabaID"},
		{"ids are short", func(d map[string][]byte) { d[keyClaims] = []byte(`{"businessID":"` + strings.Repeat("1", 33) + `"}`) }, "businessID"},
		{"events are names", func(d map[string][]byte) { d[keyClaims] = []byte(`{"event":"finish <b>"}`) }, "event"},
		{"claims are an object", func(d map[string][]byte) { d[keyClaims] = []byte(`[]`) }, "no JSON object"},
	} {
		data, err := want.Data()
		if err != nil {
			t.Fatal(err)
		}
		tc.change(data)
		if _, err := ParseHandover(data); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", tc.reason, err, tc.want)
		}
	}
	if _, err := (Handover{Token: "a.b"}).Data(); err == nil {
		t.Error("nothing incomplete may be handed over")
	}
}

func FuzzLink(f *testing.F) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		f.Fatal(err)
	}
	token, err := Link{ID: "1", AppID: "2", RequestUID: "3", ExpiresAt: time.Unix(4, 0)}.Sign(private)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(token)
	f.Add("e30.")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := Verify(text, public); err == nil && text != token {
			t.Errorf("a token that nobody signed was taken: %q", text)
		}
	})
}
