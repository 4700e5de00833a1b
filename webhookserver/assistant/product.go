package assistant

import (
	"strings"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/catalog"
)

// ProductCard shows one product as the catalog has it: its photo with a caption, or a text if it has none. facts is a
// line such as price and availability; description bounds the description in characters.
func ProductCard(p *catalog.Product, facts string, description int) Part {
	lines := []string{"*" + strings.ReplaceAll(p.Title, "*", "") + "*"}
	for _, line := range []string{facts, shrink(p.Description, description), p.Link} {
		if line != "" {
			lines = append(lines, line)
		}
	}
	caption := strings.Join(lines, "\n")
	if p.ImageLink != "" {
		return Image{Link: p.ImageLink, Caption: caption}
	}
	return Text{Body: caption}
}

// Shorten cuts a text to at most limit characters, preferably at the end of a word, and shows by an ellipsis that
// something is missing.
func Shorten(s string, limit int) string { return shrink(s, limit) }
