package understanding

import (
	"strings"
	"testing"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

func TestGuess(t *testing.T) {
	for text, want := range map[string]string{
		"Do you have this in red?":           "en",
		"Hola, ¿tienen sillas?":              "es",
		"Haben Sie das auch in Rot?":         "de",
		"Bonjour, vous avez des chaises ?":   "fr",
		"Olá, vocês têm cadeiras?":           "pt",
		"Buongiorno, quanto costa la sedia?": "it",
		"Halo, apakah ada kursi biru?":       "id",
		"क्या आपके पास नीली कुर्सी है?": "hi",
		"هل لديكم كرسي أزرق؟":           "ar",
		"👍":                             "",
		"":                              "",
		"42":                            "",
		"\xff\x00":                      "",
		"Xyzzy plugh":                   "",
		strings.Repeat("кресло ", 1000) + "стул": "",
	} {
		if got := guess(text); got != want {
			t.Errorf("%.40q: %q, want %q", text, got, want)
		}
	}
}

func TestLanguageOf(t *testing.T) {
	wrote := func(texts ...string) (out []store.Message) {
		for _, text := range texts {
			out = append(out, store.Message{Author: store.AuthorCustomer, Text: text})
		}
		return out
	}
	for _, tc := range []struct {
		reason    string
		languages []string
		turn      store.Turn
		want      string
	}{
		{"what the customer writes now", []string{"en"}, store.Turn{Unanswered: wrote("Hola, ¿tienen sillas?"), History: wrote("hello")}, "es"},
		{"what he wrote before", []string{"en"}, store.Turn{Unanswered: wrote(""), History: wrote("Guten Tag, haben Sie Stühle?", "👍")}, "de"},
		{"what we wrote is no sign", []string{"fr-CA"}, store.Turn{History: []store.Message{{Author: store.AuthorAssistant, Text: "hello, how are you?"}}}, "fr"},
		{"a channel in a language without words", []string{"sw"}, store.Turn{}, "en"},
		{"a channel that says nothing", nil, store.Turn{}, "en"},
	} {
		ch := &runtimeconfig.Channel{Assistant: runtimeconfig.Assistant{Languages: tc.languages}}
		if got := languageOf(ch, &tc.turn); got != spoken[tc.want] {
			t.Errorf("%s: want %s", tc.reason, tc.want)
		}
	}
}

// TestEveryLanguageSaysEverything: a phrase that was forgotten would be an empty message, or one with a hole.
func TestEveryLanguageSaysEverything(t *testing.T) {
	all := &runtimeconfig.Channel{Assistant: runtimeconfig.Assistant{Transcription: &runtimeconfig.Provider{}, Vision: &runtimeconfig.Provider{}}}
	if len(languages) != len(spoken) {
		t.Errorf("%d languages, %d with words", len(languages), len(spoken))
	}
	for _, language := range languages {
		w := spoken[language]
		for _, k := range []kind{kindVideo, kindDocument, kindSticker, kindOther, kindPlace, kindContact} {
			text := w.unsupported(k, all)
			for _, part := range []string{w.kinds[k], w.texts, w.voice, w.photos} {
				if part == "" || !strings.Contains(text, part) {
					t.Errorf("%s, %s: %q is missing in %q", language, k, part, text)
				}
			}
			if strings.Contains(text, "%") {
				t.Errorf("%s, %s: a hole in %q", language, k, text)
			}
		}
		for _, k := range []kind{kindVoice, kindPhoto} {
			for _, off := range []bool{false, true} {
				if text := w.unread(k, off, all); len(text) < 20 || strings.Contains(text, "%") || (!off && !strings.Contains(text, w.this[k])) {
					t.Errorf("%s, %s, off %t: %q", language, k, off, text)
				}
			}
		}
		if w.received(kindPlace) == "" || w.received(kindContact) == "" || w.received(kindPlace) == w.received(kindContact) {
			t.Errorf("%s: places and contacts are not confirmed", language)
		}
	}
	if got := spoken["en"].alternatives(&runtimeconfig.Channel{}); got != "You can send me text messages." {
		t.Errorf("without models: %q", got)
	}
}

func TestMessagesThatAreNotOfTheirShape(t *testing.T) {
	for _, raw := range []string{``, `null`, `[]`, `{"location":[]}`, `{"location":{}}`, `{"contacts":{}}`, `{"contacts":[{}]}`, `{"contacts":[{"phones":[{}]}]}`, `{"image":"x"}`, `{"image":{"caption":1}}`} {
		m := &store.Message{Raw: []byte(raw)}
		if p, c, f := describe(m, kindPlace), describe(m, kindContact), captionOf(m); p != "" || c != "" || f != "" {
			t.Errorf("%s: place %q, contact %q, caption %q", raw, p, c, f)
		}
	}
	m := &store.Message{Raw: []byte(`{"location":{"latitude":0,"longitude":0}}`)}
	if got := describe(m, kindPlace); got != "📍 0.00000, 0.00000" {
		t.Errorf("the null island is a place: %q", got)
	}
}

func TestClip(t *testing.T) {
	if got := clip("a\x00b\xffc"); got != "abc" {
		t.Errorf("got %q", got)
	}
	if got := clip(strings.Repeat("é", maxText+1)); len([]rune(got)) != maxText {
		t.Errorf("%d characters", len([]rune(got)))
	}
}
