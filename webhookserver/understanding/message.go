package understanding

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// errNoImage means that a photo's bytes are none.
var errNoImage = errors.New("the file of a photo is no image")

// kind is what a message is to a customer.
type kind string

// The kinds. All that is none of the others is other.
const (
	kindText     kind = "text"
	kindVoice    kind = "voice"
	kindPhoto    kind = "photo"
	kindPlace    kind = "place"
	kindContact  kind = "contact"
	kindVideo    kind = "video"
	kindDocument kind = "document"
	kindSticker  kind = "sticker"
	kindOther    kind = "other"
)

// kindOf reads Meta's type of a message. Orders are not for this package to understand: their text is in the catalog.
func kindOf(messageType string) kind {
	switch messageType {
	case "text", "interactive", "button", "order":
		return kindText
	case "audio", "voice":
		return kindVoice
	case "image":
		return kindPhoto
	case "location":
		return kindPlace
	case "contacts":
		return kindContact
	case "video":
		return kindVideo
	case "document":
		return kindDocument
	case "sticker":
		return kindSticker
	default:
		return kindOther
	}
}

// captionOf is the customer's text below a photo; empty if there is none.
func captionOf(m *store.Message) string {
	var raw struct {
		Image struct {
			Caption string `json:"caption"`
		} `json:"image"`
	}
	if json.Unmarshal(m.Raw, &raw) != nil {
		return ""
	}
	return raw.Image.Caption
}

// describe writes a place or a contact down; empty if there is nothing in it.
func describe(m *store.Message, kind kind) string {
	if kind == kindPlace {
		return place(m.Raw)
	}
	return contacts(m.Raw)
}

func place(message []byte) string {
	var raw struct {
		Location struct {
			Latitude  *float64 `json:"latitude"`
			Longitude *float64 `json:"longitude"`
			Name      string   `json:"name"`
			Address   string   `json:"address"`
		} `json:"location"`
	}
	if json.Unmarshal(message, &raw) != nil {
		return ""
	}
	l := raw.Location
	var parts []string
	for _, text := range []string{l.Name, l.Address} {
		if text = strings.TrimSpace(text); text != "" {
			parts = append(parts, text)
		}
	}
	if l.Latitude != nil && l.Longitude != nil {
		parts = append(parts, fmt.Sprintf("%.5f, %.5f", *l.Latitude, *l.Longitude))
	}
	if len(parts) == 0 {
		return ""
	}
	return "📍 " + strings.Join(parts, ", ")
}

func contacts(message []byte) string {
	var raw struct {
		Contacts []struct {
			Name struct {
				Formatted string `json:"formatted_name"`
			} `json:"name"`
			Phones []struct {
				Phone string `json:"phone"`
			} `json:"phones"`
			Org struct {
				Company string `json:"company"`
			} `json:"org"`
		} `json:"contacts"`
	}
	if json.Unmarshal(message, &raw) != nil {
		return ""
	}
	var lines []string
	for _, c := range raw.Contacts {
		var parts []string
		for _, text := range []string{c.Name.Formatted, c.Org.Company} {
			if text = strings.TrimSpace(text); text != "" {
				parts = append(parts, text)
			}
		}
		for _, p := range c.Phones {
			if p.Phone != "" {
				parts = append(parts, p.Phone)
			}
		}
		if len(parts) > 0 {
			lines = append(lines, "👤 "+strings.Join(parts, ", "))
		}
	}
	return strings.Join(lines, "\n")
}
