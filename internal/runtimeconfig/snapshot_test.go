package runtimeconfig

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
)

func testChannel(phoneNumberID string) *Channel {
	return &Channel{
		Namespace: "acme", Name: "sales", LineID: "line-" + phoneNumberID, PhoneNumberID: phoneNumberID, WABAID: "102290129340398",
		AppID: "670843887433847", Graph: Graph{BaseURL: "https://graph.facebook.com", Version: "v25.0"}, MessagesPerSecond: 80,
		PlanActive: true, Retention: Duration(2160 * time.Hour), AccessToken: redact.New("EAAG-token-" + phoneNumberID),
		VerifyToken: redact.New("pv_" + phoneNumberID),
		Assistant: Assistant{Enabled: true, MaxReplyAge: Duration(time.Hour), Chat: &Provider{
			Provider: "OpenAI", Model: "m", Timeout: Duration(30 * time.Second), APIKey: redact.New("sk-key"),
		}, Transcription: &Provider{
			Provider: "AzureOpenAI", BaseURL: "https://x.example", Model: "whisper", Default: true, APIKey: redact.New("sk-speech"),
		}, Vision: &Provider{Provider: "Anthropic", Model: "eyes", APIKey: redact.New("sk-eyes")},
			Images: &Provider{Provider: "OpenAI", Model: "paint", APIKey: redact.New("sk-paint")}, Embeddings: &Provider{Provider: "OpenAI", Model: "e"}},
	}
}

func mustObject(t *testing.T, encode func() (Object, error)) Object {
	t.Helper()
	object, err := encode()
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	return object
}

func TestRoundTrip(t *testing.T) {
	channel := testChannel("106540352242922")
	content := &Content{CatalogFormat: "CSV", Catalog: []byte("id,title\n1,Fern\n"), Knowledge: []Document{{Name: "faq.md", Text: "# Hours\nNine to five."}}}
	contentObject := mustObject(t, func() (Object, error) { return content.Object(channel.PhoneNumberID) })
	channel.Assistant.Content = contentObject.Name
	app := &App{Name: "acme", AppID: "670843887433847", Graph: channel.Graph, AppSecret: redact.New("s3cret"), VerifyToken: redact.New("pv_app"), LinkPublicKey: []byte{1, 2},
		EmbeddedSignup: &EmbeddedSignup{ConfigurationID: "1207", Extras: json.RawMessage(`{"setup":{}}`)}}
	signup := &Signup{RequestUID: "uid-1", LinkID: "link-1", AppID: app.AppID, ExpiresAt: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), State: SignupFailed, Reason: "CodeExpired", Attempt: "a1"}
	tombstone := &Tombstone{Namespace: "b", Name: "old", PhoneNumberID: "2", WABAID: "22", ReleasedAt: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}
	internal := &Internal{BearerToken: redact.New("bearer")}

	s := Load([]Object{
		contentObject, mustObject(t, channel.Object), mustObject(t, app.Object), mustObject(t, tombstone.Object), mustObject(t, internal.Object), mustObject(t, signup.Object),
	})

	if len(s.Problems()) != 0 {
		t.Fatalf("problems: %v", s.Problems())
	}
	got, _ := s.Channel(channel.PhoneNumberID)
	if diff := cmp.Diff(channel, got, cmpopts.IgnoreFields(Channel{}, "Revision", "CredentialRevision", "Content")); diff != "" {
		t.Errorf("channel changed on its way (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(content, got.Content); diff != "" {
		t.Errorf("content changed on its way (-want +got):\n%s", diff)
	}
	gotApp, _ := s.App(app.AppID)
	if diff := cmp.Diff(app, gotApp, cmpopts.IgnoreFields(App{}, "Revision")); diff != "" {
		t.Errorf("app changed on its way (-want +got):\n%s", diff)
	}
	gotSignup, _ := s.Signup("uid-1")
	if diff := cmp.Diff(signup, gotSignup); diff != "" {
		t.Errorf("signup changed on its way (-want +got):\n%s", diff)
	}
	gotTombstone, _ := s.Tombstone("2")
	if diff := cmp.Diff(tombstone, gotTombstone); diff != "" {
		t.Errorf("tombstone changed on its way (-want +got):\n%s", diff)
	}
	if !s.TombstonedWABA("22") || s.TombstonedWABA(channel.WABAID) {
		t.Error("only an account without a channel is tombstoned")
	}
	if !s.BearerToken().Equal(internal.BearerToken) {
		t.Error("bearer token changed on its way")
	}
	if h := s.Handshakers("pv_app"); len(h) != 1 || h[0].App != gotApp {
		t.Error("the app's verify token must lead to the app")
	}
	if h := s.Handshakers("pv_106540352242922"); len(h) != 1 || h[0].Channel != got {
		t.Error("the channel's verify token must lead to the channel")
	}
	if h := s.Handshakers(""); len(h) > 0 {
		t.Error("an empty verify token must lead nowhere")
	}
}

func TestSettingsHoldNoSecret(t *testing.T) {
	object := mustObject(t, testChannel("1").Object)
	for _, secret := range []string{"EAAG-token-1", "pv_1", "sk-key", "sk-speech", "sk-eyes", "sk-paint"} {
		if strings.Contains(string(object.Data[KeySettings]), secret) {
			t.Errorf("settings.json holds a secret: %s", object.Data[KeySettings])
		}
	}
}

func TestRevisionFollowsEveryKey(t *testing.T) {
	base := mustObject(t, testChannel("1").Object)
	if Revision(base.Data) != Revision(mustObject(t, testChannel("1").Object).Data) {
		t.Error("equal data must have an equal revision")
	}
	rotated := testChannel("1")
	rotated.AccessToken = redact.New("EAAG-other")
	if Revision(base.Data) == Revision(mustObject(t, rotated.Object).Data) {
		t.Error("a rotated token must change the revision")
	}
	shifted := map[string][]byte{"a": []byte("1b"), "b": nil}
	if Revision(shifted) == Revision(map[string][]byte{"a": []byte("1"), "b": []byte("b")}) {
		t.Error("bytes moved between keys must change the revision")
	}
}

func TestLoadKeepsTheRest(t *testing.T) {
	good := mustObject(t, testChannel("1").Object)
	cases := map[string]struct {
		reason string
		data   map[string][]byte
		want   string
	}{
		"NoSettings":   {"without settings nothing is known", map[string][]byte{}, "settings.json is missing"},
		"NotJSON":      {"a broken file is named", map[string][]byte{KeySettings: []byte("{")}, "not valid JSON"},
		"NewerVersion": {"a newer manager is not guessed at", map[string][]byte{KeySettings: []byte(`{"version":2,"kind":"channel"}`)}, "upgrade the webhook-server"},
		"UnknownKind":  {"an unknown kind is not guessed at", map[string][]byte{KeySettings: []byte(`{"version":1,"kind":"teapot"}`)}, `unknown kind "teapot"`},
		"NoIDs":        {"a channel without ids can't be routed to", map[string][]byte{KeySettings: []byte(`{"version":1,"kind":"channel"}`)}, "phoneNumberID"},
		"AppNoSecret":  {"an app without secret can't verify", map[string][]byte{KeySettings: []byte(`{"version":1,"kind":"app","appID":"1"}`)}, "app-secret"},
		"BadGzip":      {"content must be gzip", map[string][]byte{KeySettings: []byte(`{"version":1,"kind":"content"}`), KeyContent: []byte("x")}, "not gzip"},
		"Bomb":         {"a bomb must not fill memory", map[string][]byte{KeySettings: []byte(`{"version":1,"kind":"content"}`), KeyContent: bomb(t)}, "unpacks to more"},
		"SameNumber":   {"a number is served once", good.Data, "served by another object"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := Load([]Object{good, {Name: "bad", Data: tc.data}})
			if len(s.Problems()) != 1 || s.Problems()[0].Object != "bad" || !strings.Contains(s.Problems()[0].Err.Error(), tc.want) {
				t.Errorf("%s: want one problem with %q, got %v", tc.reason, tc.want, s.Problems())
			}
			if _, ok := s.Channel("1"); !ok {
				t.Errorf("%s: the good channel must still be served", tc.reason)
			}
		})
	}
}

func TestLoadNamesUnreadableObjects(t *testing.T) {
	unreadable := errors.New("permission denied")
	s := Load([]Object{{Name: "gone", Err: unreadable}})
	if len(s.Problems()) != 1 || s.Problems()[0].Object != "gone" || !errors.Is(s.Problems()[0].Err, unreadable) {
		t.Errorf("an object that could not be read must be a problem with its reason, got %v", s.Problems())
	}
}

func TestContentTooLarge(t *testing.T) {
	noise := make([]byte, MaxContentBytes)
	if _, err := rand.Read(noise); err != nil {
		t.Fatal(err)
	}
	_, err := (&Content{Catalog: []byte(hex.EncodeToString(noise))}).Object("1")
	if !errors.Is(err, ErrContentTooLarge) {
		t.Errorf("content that does not compress below the bound must be refused, got %v", err)
	}
}

func TestChannelsOfWABASorted(t *testing.T) {
	s := Load([]Object{mustObject(t, testChannel("2").Object), mustObject(t, testChannel("1").Object)})
	var got []string
	for _, c := range s.ChannelsOfWABA("102290129340398") {
		got = append(got, c.PhoneNumberID)
	}
	if diff := cmp.Diff([]string{"1", "2"}, got); diff != "" {
		t.Error(diff)
	}
	if len(s.Channels()) != 2 || len(s.Apps()) != 0 {
		t.Errorf("want 2 channels and no app, got %d and %d", len(s.Channels()), len(s.Apps()))
	}
	if text := fmt.Sprintf("%+v", *s.Channels()[0]); strings.Contains(text, "EAAG") {
		t.Errorf("printing a channel shows its token: %s", text)
	}
}

func bomb(t *testing.T) []byte {
	t.Helper()
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	zeros := make([]byte, 1<<20)
	for range 17 {
		if _, err := zip.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}
