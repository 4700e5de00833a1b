package assistant

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// WhatsApp's limits in characters, see developers.facebook.com/docs/whatsapp/cloud-api/messages.
const (
	maxText       = 4096
	maxCaption    = 1024
	maxButtonBody = 1024
	maxButtons    = 3
	maxButtonText = 20
	maxButtonID   = 256
	maxListBody   = 4096
	maxRows       = 10
	maxRowTitle   = 24
	maxRowText    = 72
	maxRowID      = 200
	maxLink       = 2048
)

// maxPictureBytes is WhatsApp's limit for an image.
const maxPictureBytes = 5 << 20

// MaxParts bounds a reply: each part is a message of its own, and WhatsApp grants a pair of users one in six seconds.
const MaxParts = 5

// menuWord stands on the button of a list that was given none; it is understood in the languages that we speak.
const menuWord = "Menu"

// Fit makes a reply sendable: no part exceeds a limit of WhatsApp, none is empty, and there are at most MaxParts. More
// than three buttons become a list, long texts are split at sentence ends or go before the buttons, titles are
// shortened, rows and buttons become Plain, and what cannot be shown is left out. A reply that is fit stays as it is.
func Fit(parts []Part) []Part { return fitIn(parts, MaxParts) }

// FitAbove is Fit for parts with something below them that the customer has to decide: that is sent as a whole, and what it leaves no
// room for is left out above.
func FitAbove(parts, decision []Part) []Part {
	decision = Fit(decision)
	return append(fitIn(parts, MaxParts-len(decision)), decision...)
}

// fitIn is Fit for so many parts.
func fitIn(parts []Part, most int) []Part {
	var out []Part
	for _, part := range parts {
		switch p := part.(type) {
		case Text:
			out = append(out, texts(p.Body)...)
		case Image:
			out = append(out, fitImage(p)...)
		case Picture:
			out = append(out, fitPicture(p)...)
		case Buttons:
			out = append(out, fitButtons(p)...)
		case List:
			out = append(out, fitList(p)...)
		}
	}
	if len(out) <= most {
		return out
	}
	return truncate(out, most)
}

// truncate keeps the first parts and the last one, which holds what the customer may tap, and shows in the text before
// it that something is missing.
func truncate(parts []Part, most int) []Part {
	if most <= 0 {
		return nil
	}
	kept := append(slices.Clone(parts[:most-1]), parts[len(parts)-1])
	for i := most - 2; i >= 0; i-- {
		if text, ok := kept[i].(Text); ok {
			kept[i] = Text{Body: strings.TrimSuffix(cut(text.Body, maxText-length(ellipsis)), ellipsis) + ellipsis}
			break
		}
	}
	return kept
}

func texts(body string) []Part {
	pieces := split(clean(body), maxText)
	parts := make([]Part, 0, len(pieces))
	for _, piece := range pieces {
		parts = append(parts, Text{Body: piece})
	}
	return parts
}

func fitImage(p Image) []Part {
	if !sendableLink(p.Link) {
		return texts(p.Caption)
	}
	caption := clean(p.Caption)
	if length(caption) <= maxCaption {
		return []Part{Image{Link: p.Link, Caption: caption}}
	}
	head, rest := splitOnce(caption, maxCaption)
	return append([]Part{Image{Link: p.Link, Caption: head}}, texts(rest)...)
}

func fitPicture(p Picture) []Part {
	caption := clean(p.Caption)
	if !sendablePicture(p.MIMEType, len(p.Data)) {
		return texts(caption)
	}
	var rest []Part
	if length(caption) > maxCaption {
		var tail string
		caption, tail = splitOnce(caption, maxCaption)
		rest = texts(tail)
	}
	return append([]Part{Picture{MIMEType: p.MIMEType, Data: p.Data, Caption: caption}}, rest...)
}

// sendablePicture reports whether WhatsApp takes an image of this kind and size.
func sendablePicture(mimeType string, size int) bool {
	return (mimeType == "image/jpeg" || mimeType == "image/png") && size > 0 && size <= maxPictureBytes
}

func sendableLink(link string) bool {
	u, err := url.Parse(link)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") && len(link) <= maxLink && clean(link) == link
}

func fitButtons(p Buttons) []Part {
	rows := make([]Row, 0, len(p.Buttons))
	for _, b := range p.Buttons {
		rows = append(rows, Row{ID: b.ID, Title: b.Title})
	}
	if rows = usable(rows, maxButtonID); len(rows) > maxButtons {
		return fitList(List{Body: p.Body, Rows: rows})
	}
	titles := distinct(rows, maxButtonText)
	if len(rows) == 0 {
		return texts(p.Body)
	}
	buttons := make([]Button, 0, len(rows))
	for i, r := range rows {
		buttons = append(buttons, Button{ID: r.ID, Title: titles[i]})
	}
	before, body := lastPiece(p.Body, titles[0], maxButtonBody)
	return append(before, Buttons{Body: body, Buttons: buttons})
}

func fitList(p List) []Part {
	rows := usable(p.Rows, maxRowID)
	if len(rows) == 0 {
		return texts(p.Body)
	}
	rows = rows[:min(len(rows), maxRows)]
	titles := distinct(rows, maxRowTitle)
	for i := range rows {
		description := rows[i].Description
		if full := rows[i].Title; length(full) > maxRowTitle {
			// What the title has no room for can often be read below it.
			description = strings.TrimSuffix(full+" · "+Plain(description), " · ")
		}
		rows[i].Title, rows[i].Description = titles[i], label(description, maxRowText)
	}
	button := label(p.Button, maxButtonText)
	if button == "" {
		button = menuWord
	}
	before, body := lastPiece(p.Body, button, maxListBody)
	return append(before, List{Body: body, Button: button, Rows: rows})
}

// lastPiece splits a body that is too long for a message with buttons: the buttons stay under its end. A message with
// buttons must have a body, so an empty one becomes instead.
func lastPiece(body, instead string, limit int) (before []Part, last string) {
	body = clean(body)
	if length(body) <= limit {
		if body == "" {
			body = instead
		}
		return nil, body
	}
	pieces := split(body, limit)
	last = pieces[len(pieces)-1]
	head := strings.TrimSpace(strings.TrimSuffix(body, last))
	return texts(head), last
}

// usable returns a copy of the rows that can be shown and tapped: with a title, and an id that is unique and short
// enough (a shortened id would lead nowhere).
func usable(rows []Row, maxID int) []Row {
	seen := map[string]bool{}
	var out []Row
	for _, r := range rows {
		r.Title = Plain(r.Title)
		if r.Title == "" || r.ID == "" || clean(r.ID) != r.ID || length(r.ID) > maxID || seen[r.ID] {
			continue
		}
		seen[r.ID] = true
		out = append(out, r)
	}
	return out
}

// distinct shortens the rows' titles and keeps them apart where they became equal.
func distinct(rows []Row, limit int) []string {
	seen := map[string]bool{}
	titles := make([]string, 0, len(rows))
	for _, r := range rows {
		title := label(r.Title, limit)
		for n := 2; seen[title]; n++ {
			suffix := " " + strconv.Itoa(n)
			title = label(label(r.Title, limit-length(suffix))+suffix, limit) // "#" and a number would be a heading
		}
		seen[title] = true
		titles = append(titles, title)
	}
	return titles
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
