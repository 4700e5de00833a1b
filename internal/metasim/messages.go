package metasim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

const (
	serviceWindow = 24 * time.Hour
	// Per number and second, in and out together.
	throughputStandard, throughputBizApp = 80, 20
	// One message per 6 seconds to one person, 45 of which may be borrowed.
	pairInterval = 6 * time.Second
	pairBurst    = 45
)

// messages is POST /{phone}/messages: a send, or a read receipt with or without typing indicator.
func (s *Simulator) messages(c *call) (any, *graphError) {
	p, err := s.phone(c, scopeMessaging)
	if err != nil {
		return nil, err
	}
	if c.str("messaging_product") != "whatsapp" {
		return nil, missing("messaging_product")
	}
	if c.name == "mark_read" {
		return s.markRead(c, p)
	}
	m, err := parseMessage(c)
	if err != nil {
		return nil, err
	}
	to, contact, err := s.recipient(c, p)
	if err != nil {
		return nil, err
	}
	if err := s.mayAccept(c, p, to); err != nil {
		return nil, err
	}
	return s.accept(p, to, contact, m), nil
}

// recipient finds the person by phone number (to) or business-scoped id (recipient); to wins.
func (s *Simulator) recipient(c *call, p *phoneState) (*Customer, map[string]any, *graphError) {
	to, bsuid := c.str("to"), c.str("recipient")
	if to == "" && bsuid == "" {
		return nil, nil, waError(131008, "Required parameter is missing", "to or recipient is required.")
	}
	if to == "" {
		if cu := s.person(p.waba, bsuid); cu != nil {
			return cu, map[string]any{"input": bsuid, "user_id": bsuid}, nil
		}
		return nil, nil, waError(131009, "Parameter value is not valid", "recipient is not a user of this business.")
	}
	digits := onlyDigits(to)
	if digits == "" || strings.Trim(to, "+0123456789-() ") != "" {
		return nil, nil, waError(131009, "Parameter value is not valid", "to is not a phone number.")
	}
	// Without a plus sign Meta assumes the business's own country; a national number is told by its length.
	if !strings.HasPrefix(to, "+") && len(digits) <= 10 && s.st.customers[digits] == nil {
		digits = p.countryCode() + digits
	}
	if digits == p.digits() {
		return nil, nil, waError(131021, "Recipient cannot be sender", "Sender and recipient phone number is the same.")
	}
	return s.customer(digits, ""), map[string]any{"input": to, "wa_id": digits}, nil
}

// customer returns the person with that number, making one up when nobody has it yet.
func (s *Simulator) customer(digits, name string) *Customer {
	cu := s.st.customers[digits]
	if cu == nil {
		if name == "" {
			name = "Customer " + digits
		}
		cu = &Customer{WaID: digits, Name: name}
		s.st.customers[digits] = cu
	} else if name != "" {
		cu.Name = name
	}
	return cu
}

// mayAccept applies everything that refuses a send at once.
func (s *Simulator) mayAccept(c *call, p *phoneState, to *Customer) *graphError {
	if !p.usable() {
		return waError(133010, "Phone number Not Registered", "The phone number is not registered on the WhatsApp Business Platform.")
	}
	if s.sw.AmbiguousPayer == "error" && cmp.Or(c.str("messaging_account_id"), c.str("paid_messaging_account_id")) != p.waba.ID {
		return errf(100, "Param messaging_account_id must be one of the Messaging accounts of the phone number.")
	}
	if s.sw.Unfunded == "sync" && p.waba.PrimaryFundingID == "" {
		return s.errUnfunded()
	}
	if s.sw.EnforceThroughput && !s.withinThroughput(p) {
		return waError(130429, "Rate limit hit", "Cloud API message throughput has been reached.").status(s.sw.ThrottleHTTPStatus)
	}
	conv := s.conversation(p, to)
	if s.sw.EnforcePairRate && !conv.pair.take(s.now()) {
		return waError(131056, "(Business Account, Consumer Account) pair rate limit hit",
			"Too many messages sent from this phone number to the same phone number in a short period of time.").status(s.sw.ThrottleHTTPStatus)
	}
	if s.sw.ClosedWindow == "sync" && !conv.open(s.now()) && c.str("type") != "template" {
		return errWindowClosed()
	}
	return nil
}

func errWindowClosed() *graphError {
	return waError(131047, "Re-engagement message", "Message failed to send because more than 24 hours have passed since the customer last replied to this number.")
}

func (s *Simulator) errUnfunded() *graphError {
	e := waError(s.sw.UnfundedCode, "Business eligibility payment issue", "Message failed to send because there were one or more errors related to your payment method.")
	if e.code == 10 || (e.code >= 200 && e.code < 300) {
		e.status(http.StatusForbidden)
	}
	return e
}

// withinThroughput counts a message of this second.
func (s *Simulator) withinThroughput(p *phoneState) bool {
	limit := throughputStandard
	if p.IsOnBizApp {
		limit = throughputBizApp
	}
	if p.countSecond(s.now()) > limit {
		p.inSecond--
		return false
	}
	return true
}

func (p *phoneState) countSecond(now time.Time) int {
	if sec := now.Unix(); p.second != sec {
		p.second, p.inSecond = sec, 0
	}
	p.inSecond++
	return p.inSecond
}

// pairBucket is the allowance between one number and one person.
type pairBucket struct {
	used float64
	at   time.Time
}

func (b *pairBucket) take(now time.Time) bool {
	if !b.at.IsZero() {
		b.used = max(0, b.used-float64(now.Sub(b.at))/float64(pairInterval))
	}
	b.at = now
	if b.used+1 > pairBurst {
		return false
	}
	b.used++
	return true
}

// accept stores the message, starts its status webhooks and answers 200, which means accepted and no more.
func (s *Simulator) accept(p *phoneState, to *Customer, contact map[string]any, m message) map[string]any {
	now := s.now()
	conv := s.conversation(p, to)
	out := &outMessage{wamid: s.newWamid(to.WaID), phone: p, customer: to, opaque: m.opaque, acceptedAt: now, reaction: m.kind == "reaction"}
	out.failure = s.asyncFailure(p, to, conv, m)
	s.st.sent[out.wamid] = out
	conv.typingUntil = time.Time{}
	out.entry = conv.add(&ConversationEntry{
		Direction: "out", Type: m.kind, Text: m.text, Wamid: out.wamid, Status: "accepted", Time: now, Context: m.context, Payload: m.payload,
	})
	s.count.Sends[p.ID]++
	s.touch()
	s.spawnStatuses(out)
	return map[string]any{"messaging_product": "whatsapp", "contacts": []any{contact}, "messages": []any{map[string]any{"id": out.wamid}}}
}

// asyncFailure decides whether an accepted message will end in status failed, and why.
func (s *Simulator) asyncFailure(p *phoneState, to *Customer, conv *conversation, m message) *graphError {
	switch {
	case to.Unreachable:
		return waError(131026, "Message undeliverable", "Message Undeliverable.")
	case m.kind == "reaction" && !conv.has(m.context):
		return waError(131009, "Parameter value is not valid", "The message that the reaction refers to is unknown or too old.")
	case m.kind != "template" && !conv.open(s.now()):
		return errWindowClosed()
	case p.waba.PrimaryFundingID == "" && s.sw.Unfunded == "async":
		return s.errUnfunded()
	case p.waba.PrimaryFundingID == "" && s.sw.Unfunded == "free_allowance" && p.freeLeft(s.now(), s.sw.FreeServiceMessages) == 0:
		return s.errUnfunded()
	}
	return nil
}

// markRead sets the blue ticks, on earlier messages of the thread too, and may show the typing indicator.
func (s *Simulator) markRead(c *call, p *phoneState) (any, *graphError) {
	id := c.str("message_id")
	if id == "" {
		return nil, missing("message_id")
	}
	typing := false
	if c.has("typing_indicator") {
		ti, ok := c.object("typing_indicator")
		if !ok || rawString(ti["type"]) != "text" {
			return nil, errf(100, "Param typing_indicator['type'] must be one of {text}")
		}
		typing = true
	}
	conv := s.findInbound(p, id)
	if conv == nil {
		return nil, waError(131009, "Parameter value is not valid", "message_id is not a message that this phone number received.")
	}
	if s.sw.ReadCountsForPairRate && !conv.pair.take(s.now()) {
		return nil, waError(131056, "(Business Account, Consumer Account) pair rate limit hit", "Too many messages.").status(s.sw.ThrottleHTTPStatus)
	}
	conv.markRead(id, typing, s.now())
	s.touch()
	return success(), nil
}

// history is GET /{phone}/message_history, whose availability is doubtful.
func (s *Simulator) history(c *call) (any, *graphError) {
	p, err := s.phone(c, scopeManagement)
	if err != nil {
		return nil, err
	}
	if !s.sw.MessageHistory {
		return nil, errf(100, "Tried accessing nonexisting field (message_history) on node type (WhatsAppBusinessPhoneNumber)")
	}
	data := []any{}
	if out := s.st.sent[c.str("message_id")]; out != nil && out.phone == p {
		events := []any{}
		for _, st := range out.emitted {
			events = append(events, map[string]any{
				"delivery_status": strings.ToUpper(st.status), "webhook_update_state": "DELIVERED", "timestamp": fmt.Sprint(st.at.Unix()),
			})
		}
		data = append(data, map[string]any{"id": "9" + p.ID, "message_id": out.wamid, "events": map[string]any{"data": events}})
	}
	return map[string]any{"data": data}, nil
}

// payloadOf keeps the part of a request that the phone page needs to draw the bubble.
func payloadOf(c *call, kind string) json.RawMessage {
	raw := c.raw(kind)
	if len(raw) == 0 || !json.Valid(raw) {
		return nil
	}
	return append(json.RawMessage(nil), raw...)
}
