package assistant

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/catalog"
)

// linkLike is whatever a phone may make a link of: a scheme, "www.", or anything with a dot that at least two letters follow, in any
// script, since names of hosts have signs and emojis as well. Dots that only look like one count too: phones resolve them.
var linkLike = regexp.MustCompile(`(?i)[a-z][a-z0-9+.-]*://\S+|\b(?:mailto|tel|sms|intent|whatsapp|javascript|data):\S+|\S*[^\s.。．｡][.。．｡]\p{L}[\p{L}\p{M}\p{N}-]+\S*`)

// trailing are characters after a link that are the sentence's.
const trailing = ".,;:!?)]}>\"'*_~`…»”’"

// leading are characters before a link that are the sentence's.
const leading = "([{<\"'*_~`«“‘"

// onlyKnownLinks takes every link out of a text that catalog and knowledge don't have byte for byte. It tells how many were not known.
func onlyKnownLinks(x *catalog.Index, text string) (out string, removed int) {
	return onlyLinks(x.HasLink, text)
}

// onlyLinks takes every link out of a text that is not known byte for byte. It tells how many were not.
func onlyLinks(known func(link string) bool, text string) (out string, removed int) {
	out = linkLike.ReplaceAllStringFunc(text, func(found string) string {
		link := strings.TrimLeft(found, leading)
		head := found[:len(found)-len(link)]
		for {
			if known(link) {
				return found
			}
			last, size := utf8.DecodeLastRuneInString(link)
			if size == 0 || !strings.ContainsRune(trailing, last) {
				break
			}
			link = link[:len(link)-size]
		}
		removed++
		if strings.ContainsAny(link, "/:@?#%") {
			return head
		}
		// A name alone may be two sentences without a space between them. With one it is no link.
		return head + dots.Replace(found[len(head):])
	})
	return strings.TrimSpace(out), removed
}

// dots takes names apart.
var dots = strings.NewReplacer(".", ". ", "。", "。 ", "．", "． ", "｡", "｡ ")

// wrote reports whether the customer himself wrote the link in one of the messages that the turn has.
func (t *Turn) wrote(link string) bool {
	for _, messages := range [][]Message{t.Unanswered, t.History} {
		for i := range messages {
			if !messages[i].FromCustomer {
				continue
			}
			for word := range strings.FieldsSeq(messages[i].Text) {
				if word == link || strings.TrimRight(strings.TrimLeft(word, leading), trailing) == link {
					return true
				}
			}
		}
	}
	return false
}
