package catalog

import "testing"

func TestMannerOf(t *testing.T) {
	for _, tc := range []struct {
		word, language string
		want           manner
	}{
		{"please", "en", filler}, {"bitte", "de", filler}, {"gracias", "es", filler},
		{"price", "en", trade}, {"kostet", "de", trade}, {"precio", "es", trade},
		{"berlin", "en", idle}, {"unterwegs", "de", idle}, {"viaje", "es", idle},
		{"red", "en", trait}, {"rotes", "de", trait}, {"roja", "es", trait},
		{"teapot", "en", naming}, {"teekanne", "de", naming}, {"tetera", "es", naming},
		{"55", "en", tiny}, {"usb3", "de", tiny}, {"c", "en", tiny}, {"ü", "de", naming},
		{"die", "de", filler}, {"die", "en", naming},
		{"bitte", "", filler}, {"roja", "", trait}, {"teapot", "", naming},
		{"a", "en", filler}, {"a", "", tiny}, // a letter is a size, unless it is known to be none
	} {
		if got := mannerOf(tc.word, tc.language); got != tc.want {
			t.Errorf("%q in %q: %d, want %d", tc.word, tc.language, got, tc.want)
		}
	}
}

func TestFolded(t *testing.T) {
	for word, want := range map[string]string{"Señora": "senora", "größe": "grosse", "TEE": "tee", "café": "cafe", "急須": "急須", "": ""} {
		if got := folded(word); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

func TestLanguageOf(t *testing.T) {
	shop := func(word, language string) int {
		switch {
		case word == "hat" && language == "en":
			return tellsMuch
		case word == "lampe" && language == "de", word == "lamp" && language == "en":
			return tellsLittle
		default:
			return 0
		}
	}
	for _, tc := range []struct {
		text, want string
		likely     []string
	}{
		{"do you have a lamp", "en", nil},
		{"habt ihr eine Lampe?", "de", nil},
		{"¿tienen una lámpara?", "es", nil},
		{"avez-vous une lampe pour moi", "fr", nil},
		{"lampe", "de", []string{"de"}},
		{"急須", "", nil},
		{"", "", nil},
		{"a", "", nil}, // of several languages
		{"hat lampe", "de", []string{"de", "en"}},
		{"lamp hat", "en", []string{"de", "en"}}, // "hat" is said in German, but it is a thing in English
		{"please rotes", "en", nil},              // what carries nothing tells more than how a thing is
		{"please rotes breites großes", "de", nil},
	} {
		if got := languageOf(tc.text, spoken, tc.likely, shop); got != tc.want {
			t.Errorf("%q: %q, want %q", tc.text, got, tc.want)
		}
	}
}

// TestLanguageOfGoods: a word that names a thing in one language, and is only written in another, tells for the first.
func TestLanguageOfGoods(t *testing.T) {
	x := build(t, Source{Languages: []string{"es", "en", "de"}, Format: CSV, Feed: []byte(
		"id,override,title\n1,,Pan\n1,es_ES,Pan de molde\n2,,Kettle\n")})
	for text, want := range map[string]string{"pan": "en", "molde": "es", "xyzzy": ""} {
		if got := x.language(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

// TestLanguageOfPages: a word that only the pages of one language have tells for it.
func TestLanguageOfPages(t *testing.T) {
	x := build(t, Source{Languages: []string{"en", "de", "es"}, Documents: []Document{
		{Name: "a", Text: "# Garantie\n\nDas gilt für alle.\n"}, {Name: "b", Text: "# Garantía\n\nEs para todos.\n"},
	}})
	if got := x.language("Garantie"); got != "de" {
		t.Errorf("the language is %q", got)
	}
}
