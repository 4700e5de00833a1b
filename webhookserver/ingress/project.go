package ingress

import (
	"slices"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta/webhook"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// silentTypes are messages that no customer wrote to the business just now: they don't open the customer service window.
var silentTypes = []string{webhook.TypeSystem, webhook.TypeEdit, webhook.TypeRevoke, webhook.TypeRequestWelcome}

// answeredTypes are messages that ask for an answer although nothing can be read in them.
var answeredTypes = []string{
	webhook.TypeImage, webhook.TypeAudio, webhook.TypeVoice, webhook.TypeVideo, webhook.TypeDocument, webhook.TypeSticker,
	webhook.TypeLocation, webhook.TypeContacts, webhook.TypeOrder, webhook.TypeButton,
}

// spokenTypes ask for an answer if something can be read in them.
var spokenTypes = []string{webhook.TypeText, webhook.TypeInteractive}

// project turns a change of a served number into rows.
func (j *judgement) project(entry *webhook.Entry, c webhook.Change, channel *runtimeconfig.Channel) {
	switch c.Field {
	case webhook.FieldMessages:
		value, err := c.Messages()
		j.conversation(entry, c, channel, &value, err, store.SourceMessages)
	case webhook.FieldStandby:
		value, err := c.Standby()
		j.conversation(entry, c, channel, &value, err, store.SourceStandby)
	case webhook.FieldPhoneEchoes, webhook.FieldEchoes:
		value, err := c.PhoneEchoes()
		j.conversation(entry, c, channel, &value, err, store.SourceEcho)
	case webhook.FieldHandovers:
		j.handover(entry, c, channel)
	case webhook.FieldHistory, webhook.FieldAppState:
		// Many thousand rows may be in one: they are made beside requests.
		j.raw(entry, c, channel)
		j.delivery.Raw[len(j.delivery.Raw)-1].Pending = true
	default:
		j.raw(entry, c, channel)
	}
}

// conversation projects the messages, echoes and statuses of a value.
func (j *judgement) conversation(entry *webhook.Entry, c webhook.Change, channel *runtimeconfig.Channel, value *webhook.Value, err error, from store.Source) {
	if err != nil || string(value.Metadata.PhoneNumberID) != channel.PhoneNumberID {
		j.deadLetter(channel.LineID, kindChange, "the value is not of the documented shape", c.Value)
		return
	}
	j.delivery.Messages = slices.Grow(j.delivery.Messages, len(value.Messages)+len(value.Echoes))
	j.delivery.Statuses = slices.Grow(j.delivery.Statuses, len(value.Statuses))
	rows := 0
	for i := range value.Messages {
		if value.Messages[i].GroupID == "" {
			j.message(value, &value.Messages[i], channel, from)
			rows++
		}
	}
	for i := range value.Echoes {
		if !value.Echoes[i].ToGroup() {
			j.echo(value, &value.Echoes[i], channel)
			rows++
		}
	}
	for i := range value.Statuses {
		j.status(&value.Statuses[i], channel)
	}
	// What did not become rows is kept as a whole: errors, messages of groups, what another responder says of the conversation, and
	// what is not known yet. A group's messages are no part of anybody's private thread.
	said := len(value.Messages) + len(value.Echoes)
	if rows+len(value.Statuses) == 0 || rows < said || len(value.Errors) > 0 || len(value.Context) > 0 {
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
	content := m.Content()
	row := messageRow(channel.LineID, channel.PhoneNumberID, from, m.ID, m.Type, sender, content)
	row.EventTime, row.Raw = j.timeOf(m.Timestamp), m.Raw
	row.OpensWindow = !slices.Contains(silentTypes, m.Type)
	if m.Context != nil {
		row.ContextWAMID = string(m.Context.ID)
	}
	row.ReplyWorthy = from == store.SourceMessages &&
		(slices.Contains(answeredTypes, m.Type) || row.Text != "" && slices.Contains(spokenTypes, m.Type))
	if before, after, changed := m.Changed(sender, content.System); changed {
		row.From.BSUID = before.UserID // the number of the sender is the old one, by which he need not be found any more
		j.delivery.IdentityMoves = append(j.delivery.IdentityMoves, store.IdentityMove{
			Line: channel.LineID, PhoneNumberID: channel.PhoneNumberID, PreviousBSUID: before.UserID, BSUID: after.UserID,
			Phone: after.Phone, EventTime: row.EventTime, Raw: m.Raw,
		})
	}
	j.delivery.Messages = append(j.delivery.Messages, row)
}

// echo projects a message that the business sent by other means.
func (j *judgement) echo(v *webhook.Value, e *webhook.Echo, channel *runtimeconfig.Channel) {
	to := v.Recipient(e)
	switch {
	case e.Err != nil:
		j.deadLetter(channel.LineID, kindMessage, "the echo is not of the documented shape", e.Raw)
		return
	case e.ID == "":
		j.deadLetter(channel.LineID, kindMessage, "the echo has no id", e.Raw)
		return
	case to.UserID == "" && to.Phone == "":
		j.deadLetter(channel.LineID, kindMessage, "the echo names no recipient", e.Raw)
		return
	}
	row := messageRow(channel.LineID, channel.PhoneNumberID, store.SourceEcho, e.ID, e.Type, to, e.Content())
	row.EventTime, row.ByBusiness, row.Raw = j.timeOf(e.Timestamp), true, e.Raw
	j.delivery.Messages = append(j.delivery.Messages, row)
}

// messageRow is what all ways of a message have in common.
func messageRow(line, number string, from store.Source, id, kind string, who webhook.Identity, content webhook.Content) store.InboundMessage {
	row := store.InboundMessage{
		Line: line, PhoneNumberID: number, WAMID: id, Source: from, Type: kind,
		From: store.Identity{BSUID: who.UserID, Phone: who.Phone, Name: who.Name, Username: who.Username},
		Text: content.Said, TargetWAMID: content.Target,
	}
	if m := content.Media; m != nil {
		row.Media = &store.Media{ID: string(m.ID), MIMEType: m.MIMEType, SHA256: m.SHA256, Filename: m.Filename, Voice: m.Voice}
	}
	return row
}

// owners are those of the wire in the store's words.
var owners = map[webhook.Owner]store.ThreadOwner{
	webhook.OwnerUs: store.OwnerOurs, webhook.OwnerElse: store.OwnerOther, webhook.OwnerNobody: store.OwnerNone,
}

// handover projects a change of the owner of a thread. It is kept raw, too: what it says is not always known.
func (j *judgement) handover(entry *webhook.Entry, c webhook.Change, channel *runtimeconfig.Channel) {
	h, err := c.Handover()
	owner, known := owners[h.Owner(channel.AppID)]
	at, timeErr := h.Timestamp.Time()
	who := h.Customer()
	if err != nil || timeErr != nil || !known || who.UserID == "" && who.Phone == "" {
		j.deadLetter(channel.LineID, kindChange, "the handover is not of a documented shape", c.Value)
		return
	}
	j.delivery.Handovers = append(j.delivery.Handovers, store.Handover{
		Line: channel.LineID, PhoneNumberID: channel.PhoneNumberID, From: store.Identity{BSUID: who.UserID, Phone: who.Phone},
		Owner: owner, EventTime: at, Raw: c.Value,
	})
	j.raw(entry, c, channel)
}

func (j *judgement) status(s *webhook.Status, channel *runtimeconfig.Channel) {
	if s.Err != nil || s.ID == "" || s.Status == "" {
		j.deadLetter(channel.LineID, kindStatus, "the status is not of the documented shape", s.Raw)
		return
	}
	row := store.Status{
		Line: channel.LineID, PhoneNumberID: channel.PhoneNumberID, WAMID: s.ID, Kind: store.StatusKind(s.Status),
		Participant: string(s.RecipientParticipantID), CallbackData: string(s.CallbackData), EventTime: j.timeOf(s.Timestamp),
		Pricing: s.Pricing, Raw: s.Raw,
	}
	if len(s.Errors) > 0 {
		row.ErrorCode = s.Errors[0].Code
	}
	j.delivery.Statuses = append(j.delivery.Statuses, row)
}

// timeOf is the time of an item; that of its arrival if it can't be read.
func (j *judgement) timeOf(t webhook.Timestamp) time.Time {
	at, err := t.Time()
	if err != nil {
		j.undated++
		return j.came
	}
	return at
}
