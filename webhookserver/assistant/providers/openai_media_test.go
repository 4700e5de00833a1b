package providers

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/whatsapp-operator/whatsapp-operator/internal/egress"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
)

// loopback reaches servers of tests.
func loopback() *http.Client {
	return egress.NewClient(egress.Policy{AllowLoopback: true}, 10*time.Second, MaxResponseBytes)
}

// dial makes an adapter for a server that answers with handler.
func dial[T any](t *testing.T, build func(Config, *http.Client) (T, error), cfg Config, handler http.HandlerFunc) T {
	t.Helper()
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	cfg.BaseURL = srv.URL
	if cfg.Provider == "" {
		cfg.Provider = "OpenAI"
	}
	adapter, err := build(cfg, loopback())
	if err != nil {
		t.Fatal(err)
	}
	return adapter
}

// png is a picture of one pixel.
var png = func() []byte {
	data, err := base64.StdEncoding.DecodeString("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==")
	if err != nil {
		panic(err)
	}
	return data
}()

func TestTranscribe(t *testing.T) {
	var path, language, model, name string
	var audio []byte
	speech := dial(t, NewTranscriber, Config{Model: "ears", APIKey: redact.New(key)}, func(w http.ResponseWriter, r *http.Request) {
		path, language, model = r.URL.Path+" "+r.Header.Get("Authorization"), r.FormValue("language"), r.FormValue("model")
		file, header, err := r.FormFile("file")
		if err != nil {
			t.Error(err)
			return
		}
		name = header.Filename
		if audio, err = io.ReadAll(file); err != nil {
			t.Error(err)
		}
		write(t, w, `{"text":" two ferns, please ","duration":2.5}`)
	})
	got, err := speech.Transcribe(t.Context(), Audio{MIMEType: "audio/ogg; codecs=opus", Data: []byte("OggS"), Language: "en"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Transcript{Text: "two ferns, please", Seconds: 2.5}, got); diff != "" {
		t.Errorf("transcript (-want +got):\n%s", diff)
	}
	if path != "/audio/transcriptions Bearer "+key || language != "en" || model != "ears" || name != "voice.ogg" || string(audio) != "OggS" {
		t.Errorf("sent %q, language %q, model %q, file %q with %q", path, language, model, name, audio)
	}
}

func TestTranscribeAzure(t *testing.T) {
	var got string
	speech := dial(t, NewTranscriber, Config{Provider: "AzureOpenAI", Model: "ears", APIKey: redact.New(key)}, func(w http.ResponseWriter, r *http.Request) {
		got = r.URL.Path + " " + r.Header.Get("Api-Key")
		write(t, w, `{"text":"hello"}`)
	})
	if _, err := speech.Transcribe(t.Context(), Audio{Data: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	if want := "/openai/deployments/ears/audio/transcriptions " + key; got != want {
		t.Errorf("called %q, want %q", got, want)
	}
}

func TestAudioNames(t *testing.T) {
	for kind, want := range map[string]string{
		"audio/ogg; codecs=opus": "voice.ogg", "audio/mp4": "voice.m4a", "audio/aac": "voice.aac", "audio/amr": "voice.amr", "audio/mpeg": "voice.mp3", "": "voice.ogg",
	} {
		if got := audioName(kind); got != want {
			t.Errorf("%q: %s, want %s", kind, got, want)
		}
	}
}

func TestGenerate(t *testing.T) {
	for model, wantFormat := range map[string]string{"dall-e-3": "b64_json", "gpt-image-1": ""} {
		var got struct {
			Model, Prompt string
			N             int
			Format        string `json:"response_format"`
		}
		images := dial(t, NewImageGenerator, Config{Model: model}, func(w http.ResponseWriter, r *http.Request) {
			if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
				t.Error(err)
			}
			write(t, w, `{"data":[{"b64_json":"`+base64.StdEncoding.EncodeToString(png)+`"}],"usage":{"input_tokens":4,"output_tokens":9}}`)
		})
		image, err := images.Generate(t.Context(), "a fern")
		if err != nil || image.MIMEType != "image/png" || !bytes.Equal(image.Data, png) || image.PromptTokens != 4 || image.CompletionTokens != 9 {
			t.Errorf("%s: got %s of %d bytes, %v", model, image.MIMEType, len(image.Data), err)
		}
		if got.Prompt != "a fern" || got.Model != model || got.N != 1 || got.Format != wantFormat {
			t.Errorf("%s: sent %+v", model, got)
		}
	}
}

func TestEmbedKeepsTheOrder(t *testing.T) {
	embed := dial(t, NewEmbedder, Config{Model: "e"}, func(w http.ResponseWriter, _ *http.Request) {
		write(t, w, `{"data":[{"index":1,"embedding":[0,1]},{"index":0,"embedding":[1,0]}],"usage":{"prompt_tokens":3}}`)
	})
	got, err := embed.Embed(t.Context(), []string{"fern", "palm"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Embeddings{Vectors: [][]float32{{1, 0}, {0, 1}}, PromptTokens: 3}, got); diff != "" {
		t.Errorf("embeddings (-want +got):\n%s", diff)
	}
}

func TestUnusableAnswersOfMediaModels(t *testing.T) {
	answer := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { write(t, w, body) }
	}
	for _, tc := range []struct {
		reason, body string
		call         func(http.HandlerFunc) error
	}{
		{"silence", `{"text":"  "}`, func(h http.HandlerFunc) error {
			_, err := dial(t, NewTranscriber, Config{}, h).Transcribe(t.Context(), Audio{Data: []byte("x")})
			return err
		}},
		{"no transcript but a page", `<html>`, func(h http.HandlerFunc) error {
			_, err := dial(t, NewTranscriber, Config{}, h).Transcribe(t.Context(), Audio{Data: []byte("x")})
			return err
		}},
		{"a link in place of an image", `{"data":[{"url":"http://169.254.169.254/"}]}`, func(h http.HandlerFunc) error {
			_, err := dial(t, NewImageGenerator, Config{}, h).Generate(t.Context(), "x")
			return err
		}},
		{"no image", `{"data":[{"b64_json":"PGh0bWw+"}]}`, func(h http.HandlerFunc) error {
			_, err := dial(t, NewImageGenerator, Config{}, h).Generate(t.Context(), "x")
			return err
		}},
		{"no base64", `{"data":[{"b64_json":"!"}]}`, func(h http.HandlerFunc) error {
			_, err := dial(t, NewImageGenerator, Config{}, h).Generate(t.Context(), "x")
			return err
		}},
		{"a vector that is missing", `{"data":[{"index":0,"embedding":[1]}]}`, embedTwo(t)},
		{"a vector given twice", `{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}`, embedTwo(t)},
		{"a vector for nothing", `{"data":[{"index":0,"embedding":[1]},{"index":9,"embedding":[1]}]}`, embedTwo(t)},
		{"vectors of different lengths", `{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[1,2]}]}`, embedTwo(t)},
		{"empty vectors", `{"data":[{"index":0,"embedding":[]},{"index":1,"embedding":[]}]}`, embedTwo(t)},
	} {
		if err := tc.call(answer(tc.body)); KindOf(err) != BadResponse {
			t.Errorf("%s: got %v", tc.reason, err)
		}
	}
}

func embedTwo(t *testing.T) func(http.HandlerFunc) error {
	t.Helper()
	return func(h http.HandlerFunc) error {
		_, err := dial(t, NewEmbedder, Config{}, h).Embed(t.Context(), []string{"a", "b"})
		return err
	}
}

func TestErrorsOfMediaModelsTellNothing(t *testing.T) {
	throttled := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3")
		w.WriteHeader(http.StatusTooManyRequests)
		write(t, w, `{"error":{"message":"`+key+` is throttled"}}`)
	}
	_, transcribe := dial(t, NewTranscriber, Config{}, throttled).Transcribe(t.Context(), Audio{Data: []byte("x")})
	_, generate := dial(t, NewImageGenerator, Config{}, throttled).Generate(t.Context(), "x")
	_, embed := dial(t, NewEmbedder, Config{}, throttled).Embed(t.Context(), []string{"x"})
	for _, err := range []error{transcribe, generate, embed} {
		var e *Error
		if !errors.As(err, &e) || e.Kind != RateLimited || e.RetryAfter != 3*time.Second || strings.Contains(err.Error(), "sk-") {
			t.Errorf("got %#v", err)
		}
	}
}
