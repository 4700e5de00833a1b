package metasim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of https://developers.facebook.com/docs/whatsapp/cloud-api/reference/messages, in characters.
const (
	maxTextBody       = 4096
	maxCaption        = 1024
	maxOpaqueData     = 512
	maxButtonBody     = 1024
	maxListBody       = 4096
	maxFooter         = 60
	maxHeaderText     = 60
	maxButtonTitle    = 20
	maxButtonID       = 256
	maxButtons        = 3
	maxListButton     = 20
	maxSections       = 10
	maxRows           = 10
	maxSectionTitle   = 24
	maxRowID          = 200
	maxRowTitle       = 24
	maxRowDescription = 72
)

// knownMembers of a send; Meta refuses the whole send for any other.
var knownMembers = []string{
	"messaging_product", "recipient_type", "to", "recipient", "type", "context", "biz_opaque_callback_data", "messaging_account_id",
	"paid_messaging_account_id", "access_token", "appsecret_proof",
}

// message is a validated send.
type message struct {
	kind    string
	text    string // what the phone shows in one line
	opaque  string
	context string // quoted message, or the target of a reaction
	payload json.RawMessage
}

func invalidValue(format string, args ...any) *graphError {
	return waError(131009, "Parameter value is not valid", fmt.Sprintf(format, args...))
}

func required(name string) *graphError {
	return waError(131008, "Required parameter is missing", name+" is required.")
}

func parseMessage(c *call) (message, *graphError) {
	m := message{kind: c.str("type"), opaque: c.str("biz_opaque_callback_data")}
	if m.kind == "" {
		m.kind = "text"
	}
	for name := range c.params {
		if name != m.kind && !slices.Contains(knownMembers, name) {
			return m, errf(100, "Unexpected key %q on param", name)
		}
	}
	if rt := c.str("recipient_type"); rt != "" && rt != "individual" && rt != "group" {
		return m, errf(100, "Param recipient_type must be one of {individual, group}")
	}
	if tooLong(m.opaque, maxOpaqueData) {
		return m, errf(100, "Param biz_opaque_callback_data must be at most %d characters long.", maxOpaqueData)
	}
	if ctx, ok := c.object("context"); ok {
		m.context = rawString(ctx["message_id"])
	}
	body, ok := c.object(m.kind)
	if !ok {
		if _, known := messageTypes[m.kind]; !known {
			return m, errf(100, "Param type must be one of {audio, contacts, document, image, interactive, location, reaction, sticker, template, text, video}")
		}
		return m, required(m.kind)
	}
	check, known := messageTypes[m.kind]
	if !known {
		return m, waError(131051, "Unsupported message type", "The message type "+m.kind+" is not supported.")
	}
	m.payload = payloadOf(c, m.kind)
	problem := check(&m, body)
	return m, problem
}

var messageTypes = map[string]func(*message, map[string]json.RawMessage) *graphError{
	"text": checkText, "image": checkMedia, "video": checkMedia, "document": checkMedia, "audio": checkMedia, "sticker": checkMedia,
	"interactive": checkInteractive, "reaction": checkReaction, "location": checkLocation, "template": checkTemplate,
}

func checkText(m *message, b map[string]json.RawMessage) *graphError {
	m.text = rawString(b["body"])
	return between("text['body']", m.text, maxTextBody)
}

// between demands 1 to limit characters.
func between(name, v string, limit int) *graphError {
	if v == "" {
		return required(name)
	}
	if tooLong(v, limit) {
		return errf(100, "Param %s must be at most %d characters long.", name, limit)
	}
	return nil
}

func atMost(name, v string, limit int) *graphError {
	if tooLong(v, limit) {
		return errf(100, "Param %s must be at most %d characters long.", name, limit)
	}
	return nil
}

func tooLong(v string, limit int) bool { return utf8.RuneCountInString(v) > limit }

func checkMedia(m *message, b map[string]json.RawMessage) *graphError {
	id, link := rawString(b["id"]), rawString(b["link"])
	if (id == "") == (link == "") {
		return errf(100, "Param %s must have exactly one of id and link.", m.kind)
	}
	if link != "" && !strings.HasPrefix(link, "https://") && !strings.HasPrefix(link, "http://") {
		return invalidValue("%s['link'] is not a URL.", m.kind)
	}
	m.text = rawString(b["caption"])
	if m.text != "" && (m.kind == "audio" || m.kind == "sticker") {
		return errf(100, "Unexpected key \"caption\" on param %q", m.kind)
	}
	return atMost(m.kind+"['caption']", m.text, maxCaption)
}

func checkReaction(m *message, b map[string]json.RawMessage) *graphError {
	m.context, m.text = rawString(b["message_id"]), rawString(b["emoji"])
	if m.context == "" {
		return required("reaction['message_id']")
	}
	return nil
}

func checkLocation(m *message, b map[string]json.RawMessage) *graphError {
	if rawString(b["latitude"]) == "" || rawString(b["longitude"]) == "" {
		return required("location['latitude'] and location['longitude']")
	}
	m.text = rawString(b["name"])
	return nil
}

func checkTemplate(m *message, b map[string]json.RawMessage) *graphError {
	lang, ok := rawObject(b["language"])
	if m.text = rawString(b["name"]); m.text == "" || !ok || rawString(lang["code"]) == "" {
		return required("template['name'] and template['language']['code']")
	}
	return nil
}

func checkInteractive(m *message, b map[string]json.RawMessage) *graphError {
	body, _ := rawObject(b["body"])
	m.text = rawString(body["text"])
	limit := maxButtonBody
	kind := rawString(b["type"])
	if kind == "list" {
		limit = maxListBody
	}
	if err := between("interactive['body']['text']", m.text, limit); err != nil {
		return err
	}
	if footer, ok := rawObject(b["footer"]); ok {
		if err := between("interactive['footer']['text']", rawString(footer["text"]), maxFooter); err != nil {
			return err
		}
	}
	if err := checkHeader(kind, b["header"]); err != nil {
		return err
	}
	action, ok := rawObject(b["action"])
	if !ok {
		return required("interactive['action']")
	}
	switch kind {
	case "button":
		return checkButtons(action)
	case "list":
		return checkList(action)
	case "cta_url":
		return checkCTA(action)
	case "location_request_message", "request_contact_info":
		return nil
	}
	return errf(100, "Param interactive['type'] must be one of {button, list, cta_url, location_request_message, request_contact_info}")
}

func checkHeader(kind string, raw json.RawMessage) *graphError {
	h, ok := rawObject(raw)
	if !ok {
		return nil
	}
	t := rawString(h["type"])
	switch {
	case t == "text":
		return between("interactive['header']['text']", rawString(h["text"]), maxHeaderText)
	case kind == "list":
		return errf(100, "Param interactive['header']['type'] must be one of {text}")
	case t != "image" && t != "video" && t != "document":
		return errf(100, "Param interactive['header']['type'] must be one of {text, image, video, document}")
	}
	media, _ := rawObject(h[t])
	return checkMedia(&message{kind: t}, media)
}

func checkButtons(action map[string]json.RawMessage) *graphError {
	var buttons []struct {
		Type  string `json:"type"`
		Reply struct {
			ID    string `json:"id"`
			Title string `json:"title"`
		} `json:"reply"`
	}
	if json.Unmarshal(action["buttons"], &buttons) != nil || len(buttons) < 1 || len(buttons) > maxButtons {
		return invalidValue("Invalid buttons count. Min allowed buttons: 1, Max allowed buttons: %d", maxButtons)
	}
	ids, titles := map[string]bool{}, map[string]bool{}
	for _, b := range buttons {
		if b.Type != "reply" {
			return errf(100, "Param interactive['action']['buttons']['type'] must be one of {reply}")
		}
		if err := between("button id", b.Reply.ID, maxButtonID); err != nil {
			return err
		}
		if err := between("button title", b.Reply.Title, maxButtonTitle); err != nil {
			return err
		}
		if ids[b.Reply.ID] || titles[b.Reply.Title] {
			return invalidValue("Button ids and titles must be unique.")
		}
		ids[b.Reply.ID], titles[b.Reply.Title] = true, true
	}
	return nil
}

type listSection struct {
	Title string `json:"title"`
	Rows  []struct {
		ID          string `json:"id"`
		Title       string `json:"title"`
		Description string `json:"description"`
	} `json:"rows"`
}

func checkList(action map[string]json.RawMessage) *graphError {
	if err := between("interactive['action']['button']", rawString(action["button"]), maxListButton); err != nil {
		return err
	}
	var sections []listSection
	if json.Unmarshal(action["sections"], &sections) != nil || len(sections) < 1 || len(sections) > maxSections {
		return invalidValue("A list has 1 to %d sections.", maxSections)
	}
	rows, ids := 0, map[string]bool{}
	for _, sec := range sections {
		if sec.Title == "" && len(sections) > 1 {
			return required("section title")
		}
		if err := atMost("section title", sec.Title, maxSectionTitle); err != nil {
			return err
		}
		rows += len(sec.Rows)
		if err := checkRows(sec, ids); err != nil {
			return err
		}
	}
	if rows < 1 || rows > maxRows {
		return invalidValue("Total row count exceed max allowed count: %d", maxRows)
	}
	return nil
}

func checkRows(sec listSection, ids map[string]bool) *graphError {
	for _, r := range sec.Rows {
		if err := between("row id", r.ID, maxRowID); err != nil {
			return err
		}
		if err := between("row title", r.Title, maxRowTitle); err != nil {
			return err
		}
		if err := atMost("row description", r.Description, maxRowDescription); err != nil {
			return err
		}
		if ids[r.ID] {
			return invalidValue("Duplicated row ids are not allowed.")
		}
		ids[r.ID] = true
	}
	return nil
}

func checkCTA(action map[string]json.RawMessage) *graphError {
	params, ok := rawObject(action["parameters"])
	if !ok || rawString(action["name"]) != "cta_url" || rawString(params["url"]) == "" {
		return required("interactive['action']['parameters']")
	}
	return between("display_text", rawString(params["display_text"]), maxButtonTitle)
}
