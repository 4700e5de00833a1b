package senses

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

// spoken is a sentence that the recognizer understands of the synthesizer's voice, word for word.
const spoken = "do you have green plants"

// run runs a program of Debian (see hack/prerequisites.sh).
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, stderr.String())
	}
	return stdout.String()
}

// voiceNote is speech as WhatsApp records it: Opus in Ogg.
func voiceNote(t *testing.T, text string) []byte {
	t.Helper()
	wav, ogg := filepath.Join(t.TempDir(), "voice.wav"), filepath.Join(t.TempDir(), "voice.ogg")
	run(t, "flite", "-voice", "rms", "-t", text, "-o", wav)
	run(t, "opusenc", "--quiet", "--bitrate", "24", wav, ogg)
	data, err := os.ReadFile(ogg)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// ear is a server with OpenAI's transcription API in front of a speech recognizer.
func ear(t *testing.T) *httptest.Server {
	t.Helper()
	dir := t.TempDir()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := hear(r, dir)
		if err == nil {
			w.Header().Set("Content-Type", "application/json")
			err = json.NewEncoder(w).Encode(map[string]string{"text": text})
		}
		if err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(srv.Close)
	return srv
}

// hear recognizes the speech in a request.
func hear(r *http.Request, dir string) (string, error) {
	if r.URL.Path != "/v1/audio/transcriptions" || r.Header.Get("Authorization") != "Bearer sk-of-the-ear" {
		return "", errors.New("not how OpenAI is asked for a transcript: " + r.URL.Path)
	}
	file, header, err := r.FormFile("file")
	if err != nil {
		return "", err
	}
	if !strings.HasSuffix(header.Filename, ".ogg") {
		return "", errors.New("the file is called " + header.Filename)
	}
	data, err := io.ReadAll(file)
	if err != nil {
		return "", err
	}
	ogg, wav := filepath.Join(dir, "in.ogg"), filepath.Join(dir, "out.wav")
	if err := os.WriteFile(ogg, data, 0o600); err != nil {
		return "", err
	}
	if out, err := exec.CommandContext(r.Context(), "opusdec", "--quiet", "--rate", "16000", "--force-wav", ogg, wav).CombinedOutput(); err != nil {
		return "", errors.New("opusdec: " + string(out))
	}
	words, err := exec.CommandContext(r.Context(), "pocketsphinx_continuous", "-infile", wav, "-logfn", os.DevNull).Output()
	return strings.TrimSpace(string(words)), err
}

// TestSpokenQuestion is the honest path: what was said reaches the answer through real audio and a real recognizer, and no part of
// it knows what was said.
func TestSpokenQuestion(t *testing.T) {
	speech := ear(t)
	w := newWorld(t, func(ch *runtimeconfig.Channel) {
		ch.Assistant.Transcription = &runtimeconfig.Provider{
			Provider: "OpenAI", BaseURL: speech.URL + "/v1", Model: "sphinx", Timeout: runtimeconfig.Duration(time.Minute), APIKey: redact.New("sk-of-the-ear"),
		}
	})
	w.sendsFile("audio", "audio/ogg; codecs=opus", voiceNote(t, spoken), map[string]any{"voice": true})
	w.answered("Boston Fern")
	if got := w.stored(); got != spoken {
		t.Errorf("heard %q, said %q", got, spoken)
	}
}
