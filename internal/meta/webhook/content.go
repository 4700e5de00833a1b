package webhook

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
)

// Types of messages. The list is open.
const (
	TypeText           = "text"
	TypeImage          = "image"
	TypeAudio          = "audio"
	TypeVoice          = "voice" // an old name of audio
	TypeVideo          = "video"
	TypeDocument       = "document"
	TypeSticker        = "sticker"
	TypeLocation       = "location"
	TypeContacts       = "contacts"
	TypeInteractive    = "interactive"
	TypeButton         = "button"
	TypeOrder          = "order"
	TypeReaction       = "reaction"
	TypeSystem         = "system"
	TypeUnsupported    = "unsupported"
	TypeRequestWelcome = "request_welcome"
	TypeEdit           = "edit"
	TypeRevoke         = "revoke"
)

// Content is what can be said of a message of any type without knowing more of it. Members that don't apply, or are not of the
// documented shape, are empty: one odd member must not cost the others.
type Content struct {
	// Said is what can be read in the message: its text or caption, the label that was tapped, or a summary of what was sent.
	Said string
	// Media is the file of the message.
	Media *Media
	// Target is the message that a reaction, an edit or a revocation is about.
	Target string
	// System is what a system message tells.
	System *System
}

// Media refers to a file that Meta keeps for some days.
type Media struct {
	ID       meta.ID `json:"id"`
	MIMEType string  `json:"mime_type"`
	// SHA256 of the file, in base64 or hexadecimal digits.
	SHA256   string `json:"sha256"`
	Caption  string `json:"caption"`
	Filename string `json:"filename"`
	// Voice tells a voice message from other audio.
	Voice bool `json:"voice"`
}

// System is the content of a system message.
type System struct {
	Type Loose `json:"type"`
	Body Loose `json:"body"`
	// WhatsAppID is the user's new number.
	WhatsAppID     Loose `json:"wa_id"`
	UserID         Loose `json:"user_id"`
	PreviousUserID Loose `json:"previous_user_id"`
}

// Content reads the content of a message from Raw. An ordinary text costs no second decoding.
func (m *Message) Content() Content {
	var c Content
	if m.Type == TypeText {
		if m.Text != nil {
			c.Said = m.Text.Body
		}
	} else {
		c = contentOf(m.Type, m.Raw)
	}
	if headline := m.headline(); headline != "" {
		c.Said = strings.TrimPrefix(c.Said+"\n["+headline+"]", "\n")
	}
	return c
}

// headline is that of the advertisement that the customer came from.
func (m *Message) headline() string {
	if len(m.Referral) == 0 {
		return ""
	}
	return member[struct {
		Headline string `json:"headline"`
	}](m.Referral).Headline
}

// contentOf reads the member that is named like the type.
func contentOf(kind string, raw []byte) Content {
	var all map[string]json.RawMessage
	if json.Unmarshal(raw, &all) != nil {
		return Content{}
	}
	content := all[kind]
	switch kind {
	case TypeText:
		return Content{Said: member[TextContent](content).Body}
	case TypeImage, TypeAudio, TypeVoice, TypeVideo, TypeDocument, TypeSticker:
		return mediaContent(content)
	case TypeLocation:
		return Content{Said: member[location](content).String()}
	case TypeContacts:
		return Content{Said: contactsText(content)}
	case TypeInteractive:
		return Content{Said: member[interactive](content).String()}
	case TypeButton:
		b := member[struct{ Text, Payload string }](content)
		return Content{Said: cmp.Or(b.Text, b.Payload)}
	case TypeOrder:
		return Content{Said: member[order](content).String()}
	case TypeReaction:
		r := member[struct {
			MessageID string `json:"message_id"`
			Emoji     string `json:"emoji"`
		}](content)
		return Content{Said: r.Emoji, Target: r.MessageID}
	case TypeSystem:
		s := member[System](content)
		return Content{Said: string(s.Body), System: &s}
	case TypeEdit, TypeRevoke:
		return changeContent(content)
	default:
		return Content{}
	}
}

// member decodes a member, leaving what does not fit empty.
func member[T any](raw json.RawMessage) T {
	var out T
	if len(raw) > 0 {
		_ = json.Unmarshal(raw, &out) // what fits is read
	}
	return out
}

func mediaContent(raw json.RawMessage) Content {
	m := member[Media](raw)
	if m.ID == "" {
		return Content{Said: m.Caption}
	}
	return Content{Said: m.Caption, Media: &m}
}

// changeContent reads an edit, with what the message says from then on, or a revocation.
func changeContent(raw json.RawMessage) Content {
	e := member[struct {
		Original string          `json:"original_message_id"`
		Message  json.RawMessage `json:"message"`
	}](raw)
	c := Content{Target: e.Original}
	if len(e.Message) > 0 {
		kind := member[struct {
			Type string `json:"type"`
		}](e.Message).Type
		if kind != TypeEdit && kind != TypeRevoke { // an edit of an edit would never end
			c.Said = contentOf(kind, e.Message).Said
		}
	}
	return c
}

type location struct {
	Latitude  json.Number `json:"latitude"`
	Longitude json.Number `json:"longitude"`
	Name      string      `json:"name"`
	Address   string      `json:"address"`
}

func (l location) String() string {
	parts := []string{l.Name, l.Address}
	if l.Latitude != "" && l.Longitude != "" {
		parts = append(parts, string(l.Latitude)+","+string(l.Longitude))
	}
	return joined(", ", parts)
}

// contactsText is the names and numbers of the contacts that were sent.
func contactsText(raw json.RawMessage) string {
	var lines []string
	for _, one := range member[[]json.RawMessage](raw) {
		c := member[struct {
			Name struct {
				Formatted string `json:"formatted_name"`
			} `json:"name"`
			Phones []struct {
				Phone      Loose `json:"phone"`
				WhatsAppID Loose `json:"wa_id"`
			} `json:"phones"`
		}](one)
		parts := []string{c.Name.Formatted}
		for _, p := range c.Phones {
			parts = append(parts, string(cmp.Or(p.Phone, p.WhatsAppID)))
		}
		lines = append(lines, joined(" ", parts))
	}
	return joined("\n", lines)
}

type choice struct {
	Title string `json:"title"`
}

type interactive struct {
	Type   string  `json:"type"`
	Button *choice `json:"button_reply"`
	Row    *choice `json:"list_reply"`
	Flow   *struct {
		Body string `json:"body"`
		// Response is a text of JSON, but not always.
		Response json.RawMessage `json:"response_json"`
	} `json:"nfm_reply"`
}

func (i interactive) String() string {
	switch {
	case i.Button != nil:
		return i.Button.Title
	case i.Row != nil:
		return i.Row.Title
	case i.Flow != nil:
		response := cmp.Or(member[string](i.Flow.Response), string(i.Flow.Response))
		return cmp.Or(answers(response), i.Flow.Body)
	default:
		return ""
	}
}

// answers are the fields of a flow as the customer filled them in, one on a line, sorted by name. Whatever the business's flow
// sends: it may be no object.
func answers(response string) string {
	var lines []string
	for name, raw := range member[map[string]json.RawMessage](json.RawMessage(response)) {
		if name == "flow_token" {
			continue // the business's own
		}
		text := string(raw)
		if s := member[string](raw); s != "" {
			text = s
		}
		lines = append(lines, name+": "+text)
	}
	slices.Sort(lines)
	return joined("\n", lines)
}

type order struct {
	Text  string `json:"text"`
	Items []struct {
		Product  meta.ID     `json:"product_retailer_id"`
		Quantity json.Number `json:"quantity"`
		Price    json.Number `json:"item_price"`
		Currency string      `json:"currency"`
	} `json:"product_items"`
}

func (o order) String() string {
	lines := make([]string, 0, len(o.Items)+1)
	for _, item := range o.Items {
		line := string(cmp.Or(item.Quantity, "1")) + " x " + string(item.Product)
		if item.Price != "" {
			line += joined(" ", []string{" at " + string(item.Price), item.Currency})
		}
		lines = append(lines, line)
	}
	return joined("\n", append(lines, o.Text))
}

// joined joins what is not empty.
func joined(with string, parts []string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), with)
}

// Changed returns the identity after a system message that tells of a change, and the one before; ok is false if it tells of none.
// The ids of a system message are the user's old ones, except for those in its content.
func (m *Message) Changed(sender Identity, s *System) (before, after Identity, ok bool) {
	if s == nil {
		return before, after, false
	}
	before = sender
	if previous := Classify(string(s.PreviousUserID)); previous.UserID != "" {
		before.UserID = previous.UserID
	}
	for _, id := range []Loose{s.UserID, s.WhatsAppID} {
		after.add(id)
	}
	ok = before.UserID != "" && after.UserID != "" && before.UserID != after.UserID
	return before, after, ok
}
