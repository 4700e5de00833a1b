package assistant

import (
	"strings"
	"unicode"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

const (
	// recitedRules is from how many words in a row on a text recites the rules of the prompt.
	recitedRules = 8
	// recitedInstructions is the same for the channel's instructions, which hold facts that customers are meant to be told.
	recitedInstructions = 30
)

// recites reports whether a text repeats what only the model should read: the rules, or the channel's instructions at length. It finds
// what is repeated word for word, in whatever dress; a translation it can't find, which is one more reason to keep secrets out of
// instructions.
func recites(ch *runtimeconfig.Channel, text string) bool {
	said := plainWords(text)
	return repeats(said, plainRules, recitedRules) || repeats(said, strings.Join(plainWords(ch.Assistant.Instructions), " "), recitedInstructions)
}

// plainRules are the rules' words.
var plainRules = strings.Join(plainWords(rules), " ")

// repeats reports whether n of the words in a row are in text.
func repeats(words []string, text string, n int) bool {
	text = " " + text + " "
	for i := range len(words) - n + 1 {
		if strings.Contains(text, " "+strings.Join(words[i:i+n], " ")+" ") {
			return true
		}
	}
	return false
}

// plainWords are the words of a text without case, signs and formatting.
func plainWords(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
}
