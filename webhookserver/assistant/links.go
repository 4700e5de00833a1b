package assistant

import (
	"regexp"
	"strings"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/catalog"
)

// linkLike is whatever a phone may make a link of: a scheme, "www.", or letters with dots between them that end in letters. Dots that
// only look like one count as well: phones resolve them.
var linkLike = regexp.MustCompile(`(?i)[a-z][a-z0-9+.-]*://\S+|\b(?:mailto|tel|sms|intent|whatsapp|javascript|data):\S+|\S*[\p{L}\p{N}][.。．｡][\p{L}][\p{L}\p{N}-]+\S*`)

// trailing are characters after a link that are the sentence's.
const trailing = ".,;:!?)]}>\"'*_~`…»”’"

// leading are characters before a link that are the sentence's.
const leading = "([{<\"'*_~`«“‘"

// onlyKnownLinks takes every link out of a text that catalog and knowledge don't have byte for byte. It tells how many were not known.
func onlyKnownLinks(x *catalog.Index, text string) (out string, removed int) {
	out = linkLike.ReplaceAllStringFunc(text, func(found string) string {
		link := strings.TrimLeft(found, leading)
		head := found[:len(found)-len(link)]
		for {
			if x.HasLink(link) {
				return found
			}
			shorter := strings.TrimRight(link, trailing)
			if shorter == link {
				break
			}
			if x.HasLink(shorter) {
				return found
			}
			link = shorter
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
