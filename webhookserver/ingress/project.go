package ingress

import (
	"cmp"
	"encoding/json"
	"regexp"
	"slices"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta/webhook"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// Types of messages that are answered: what a customer wrote, and what he tapped.
const (
	typeText        = "text"
	typeInteractive = "interactive"
)

// silentTypes are messages that no customer wrote to the business just now: they don't open the customer service window.
var silentTypes = []string{"system", "edit", "revoke", "request_welcome"}

// accountFields are the fields that tell the manager something about an account or a number.
var accountFields = []string{
	"account_alerts", "account_review_update", "account_settings_update", "account_update", "business_capability_update",
	"phone_number_name_update", "phone_number_quality_update", "security",
}

// project turns a change of a served number into rows.
func (j *judgement) project(entry *webhook.Entry, c webhook.Change, channel *runtimeconfig.Channel) {
	var value webhook.Value
	var err error
	from := store.SourceMessages
	switch c.Field {
	case webhook.FieldMessages:
		value, err = c.Messages()
	case webhook.FieldStandby:
		value, err = c.Standby()
		from = store.SourceStandby
	default:
		j.raw(entry, c, channel)
		return
	}
	if err != nil || string(value.Metadata.PhoneNumberID) != channel.PhoneNumberID {
		j.deadLetter(channel.LineID, kindChange, "the value is not of the documented shape", c.Value)
		return
	}
	rows := 0
	for i := range value.Messages {
		if value.Messages[i].GroupID == "" {
			j.message(&value, &value.Messages[i], channel, from)
			rows++
		}
	}
	for i := range value.Statuses {
		j.status(&value.Statuses[i], channel)
	}
	// What did not become rows is kept as a whole: errors, another responder's echoes, messages of groups, and what is not known yet.
	// A group's messages are no part of anybody's private thread.
	if rows+len(value.Statuses) == 0 || rows < len(value.Messages) || len(value.Errors)+len(value.Echoes) > 0 {
		j.raw(entry, c, channel)
	}
}

func (j *judgement) message(v *webhook.Value, m *webhook.Message, channel *runtimeconfig.Channel, from store.Source) {
	sender := v.Sender(m)
	switch {
	case m.Err != nil:
		j.deadLetter(channel.LineID, kindMessage, "the message is not of the documented shape", m.Raw)
		return
	case m.ID == "":
		j.deadLetter(channel.LineID, kindMessage, "the message has no id", m.Raw)
		return
	case sender.UserID == "" && sender.Phone == "":
		j.deadLetter(channel.LineID, kindMessage, "the message names no sender", m.Raw)
		return
	}
	row := store.InboundMessage{
		Line: channel.LineID, PhoneNumberID: channel.PhoneNumberID, WAMID: m.ID, Source: from, Type: m.Type,
		From:        store.Identity{BSUID: sender.UserID, Phone: sender.Phone, Name: sender.Name, Username: sender.Username},
		EventTime:   timeOr(m.Timestamp, j.now),
		OpensWindow: !slices.Contains(silentTypes, m.Type),
		Raw:         m.Raw,
	}
	row.Text = said(m)
	if m.Context != nil {
		row.ContextWAMID = m.Context.ID
	}
	row.ReplyWorthy = from == store.SourceMessages && row.Text != ""
	j.delivery.Messages = append(j.delivery.Messages, row)
}

// said is what the customer wrote, or the label of the button or row that he tapped; empty for everything else.
func said(m *webhook.Message) string {
	switch {
	case m.Type == typeText && m.Text != nil:
		return m.Text.Body
	case m.Type == typeInteractive:
		type tap struct {
			Title string `json:"title"`
		}
		var raw struct {
			Interactive struct {
				Button tap `json:"button_reply"`
				Row    tap `json:"list_reply"`
			} `json:"interactive"`
		}
		if json.Unmarshal(m.Raw, &raw) != nil {
			return "" // kept raw, like every other kind of interactive message
		}
		return cmp.Or(raw.Interactive.Button.Title, raw.Interactive.Row.Title)
	default:
		return ""
	}
}

func (j *judgement) status(s *webhook.Status, channel *runtimeconfig.Channel) {
	if s.Err != nil || s.ID == "" || s.Status == "" {
		j.deadLetter(channel.LineID, kindStatus, "the status is not of the documented shape", s.Raw)
		return
	}
	row := store.Status{
		Line: channel.LineID, PhoneNumberID: channel.PhoneNumberID, WAMID: s.ID, Kind: store.StatusKind(s.Status),
		Participant: s.RecipientParticipantID, CallbackData: s.CallbackData, EventTime: timeOr(s.Timestamp, j.now), Raw: s.Raw,
	}
	if len(s.Errors) > 0 {
		row.ErrorCode = s.Errors[0].Code
	}
	if s.Pricing != nil {
		var raw struct {
			Pricing json.RawMessage `json:"pricing"`
		}
		if json.Unmarshal(s.Raw, &raw) == nil {
			row.Pricing = raw.Pricing
		}
	}
	j.delivery.Statuses = append(j.delivery.Statuses, row)
}

// raw keeps a change of a served number as received.
func (j *judgement) raw(entry *webhook.Entry, c webhook.Change, channel *runtimeconfig.Channel) {
	j.keepRaw(entry, c, store.RawChange{
		Line: channel.LineID, WABAID: channel.WABAID, PhoneNumberID: channel.PhoneNumberID,
		Report: accountReport(c, channel.LineID, channel.AppID, channel.WABAID),
	})
}

// projectAccount keeps a change that names no number. It belongs to a line only if the account has no other.
func (j *judgement) projectAccount(entry *webhook.Entry, c webhook.Change, wabas []string) {
	// The entry of a partner's event names a business. Whom the signer speaks for was checked for what is served only, so that goes
	// before anything else that the change names.
	ids := slices.Concat(wabas, []string{string(entry.ID)})
	row := store.RawChange{WABAID: ids[0]}
	served := func(id string) bool { return len(j.snapshot.ChannelsOfWABA(id)) > 0 }
	if i := slices.IndexFunc(ids, served); i >= 0 {
		row.WABAID = ids[i]
	}
	app := j.app
	channels := j.snapshot.ChannelsOfWABA(row.WABAID)
	for _, channel := range channels {
		if j.by.owns(channel) {
			j.markGenuine(channel)
			app = channel.AppID
		}
	}
	if len(channels) == 1 {
		row.Line, row.PhoneNumberID = channels[0].LineID, channels[0].PhoneNumberID
	}
	row.Report = accountReport(c, row.Line, app, row.WABAID)
	j.keepRaw(entry, c, row)
}

func (j *judgement) keepRaw(entry *webhook.Entry, c webhook.Change, row store.RawChange) {
	row.App, row.Field, row.EntryTime, row.Raw = j.delivery.App, c.Field, timeOr(entry.Time, time.Time{}), c.Value
	j.delivery.Raw = append(j.delivery.Raw, row)
}

// word is what an event's name may look like to be passed on.
var word = regexp.MustCompile(`^[A-Z0-9_]{1,64}$`)

// accountReport tells the manager of an account's change, by its name alone: the manager asks Graph for the rest.
func accountReport(c webhook.Change, line, app, waba string) *store.Report {
	if !slices.Contains(accountFields, c.Field) {
		return nil
	}
	var value struct {
		Event json.RawMessage `json:"event"`
	}
	detail := serverapi.Account{Field: c.Field, WABAID: waba}
	var name string
	if json.Unmarshal(c.Value, &value) == nil && json.Unmarshal(value.Event, &name) == nil && word.MatchString(name) {
		detail.Event = name
	}
	return newReport(serverapi.KindAccountEvent, line, app, detail)
}

// timeOr reads a timestamp. A message whose time can't be read is as old as its arrival.
func timeOr(t webhook.Timestamp, otherwise time.Time) time.Time {
	if parsed, err := t.Time(); err == nil {
		return parsed
	}
	return otherwise
}
