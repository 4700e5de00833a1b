package understanding

import (
	"slices"
	"strings"
	"unicode"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// defaultLanguage speaks for those that have no words.
const defaultLanguage = "en"

// languageOf guesses the customer's language by what he wrote, the newest first; without a sign it is the channel's first.
func languageOf(ch *runtimeconfig.Channel, turn *store.Turn) *words {
	for _, messages := range [][]store.Message{turn.Unanswered, turn.History} {
		for i := len(messages) - 1; i >= 0; i-- {
			if m := &messages[i]; m.Author == store.AuthorCustomer {
				if language := guess(m.Text); language != "" {
					return spoken[language]
				}
			}
		}
	}
	for _, tag := range ch.Assistant.Languages {
		base, _, _ := strings.Cut(strings.ToLower(tag), "-")
		if spoken[base] != nil {
			return spoken[base]
		}
	}
	return spoken[defaultLanguage]
}

// guess tells a language by its script, or by the frequent words that no other one has; empty if it can't.
func guess(text string) string {
	for _, r := range text {
		switch {
		case unicode.Is(unicode.Arabic, r):
			return "ar"
		case unicode.Is(unicode.Devanagari, r):
			return "hi"
		}
	}
	found := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && r != '\'' })
	best, most := "", 0
	for _, language := range languages {
		score := 0
		for _, w := range found {
			if slices.Contains(spoken[language].markers, w) {
				score++
			}
		}
		if score > most {
			best, most = language, score
		}
	}
	return best
}
