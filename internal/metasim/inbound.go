package metasim

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

const forgedSignature = "sha256=0000000000000000000000000000000000000000000000000000000000000000"

// InboundMessage is a message from a customer to a business number.
type InboundMessage struct {
	From          string `json:"from"`           // digits of the customer's phone number
	Name          string `json:"name,omitempty"` // profile name; kept from before when empty
	PhoneNumberID string `json:"phoneNumberID"`
	Text          string `json:"text,omitempty"`
	// Message is any element of value.messages instead of Text; from, id and timestamp are filled in when absent.
	Message json.RawMessage `json:"message,omitempty"`
	// Standby makes it a message for another responder: the copy comes in the field standby.
	Standby bool `json:"standby,omitempty"`
}

// SentMessage names an inbound message and the webhook deliveries it caused.
type SentMessage struct {
	Wamid      string `json:"wamid"`
	Deliveries []int  `json:"deliveries"`
}

// SendText plays a customer who writes a text message.
func (s *Simulator) SendText(from, phoneNumberID, text string) (SentMessage, error) {
	return s.Send(InboundMessage{From: from, PhoneNumberID: phoneNumberID, Text: text})
}

// Send plays a customer who sends a message.
func (s *Simulator) Send(m InboundMessage) (SentMessage, error) {
	out, err := s.SendBatch([]InboundMessage{m})
	if err != nil {
		return SentMessage{}, err
	}
	return out[0], nil
}

// SendBatch plays several customers at once: what goes to one callback arrives in one POST.
func (s *Simulator) SendBatch(messages []InboundMessage) ([]SentMessage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var events []event
	var out []SentMessage
	for _, m := range messages {
		ev, wamid, err := s.receive(m)
		if err != nil {
			return nil, err
		}
		if m.Standby {
			if s.sw.StandbyIsShared {
				events = append(events, ev)
			}
			ev = standbyCopy(ev)
		}
		events = append(events, ev)
		out = append(out, SentMessage{Wamid: wamid, Deliveries: []int{}})
	}
	ids := s.publishBatch(events)
	for i := range out {
		out[i].Deliveries = append(out[i].Deliveries, ids...)
	}
	s.touch()
	return out, nil
}

// receive puts an inbound message into its conversation and returns the webhook event. Requires mu.
func (s *Simulator) receive(m InboundMessage) (event, string, error) {
	p := s.st.phones[m.PhoneNumberID]
	if p == nil {
		return event{}, "", noSuch("phone number", m.PhoneNumberID)
	}
	if !digitsOnly(m.From) {
		return event{}, "", fmt.Errorf("metasim: from must be the digits of a phone number")
	}
	cu := s.customer(m.From, m.Name)
	msg, err := s.inboundMessage(p, cu, m)
	if err != nil {
		return event{}, "", err
	}
	wamid, kind := rawString(msg["id"]), rawString(msg["type"])
	conv := s.conversation(p, cu)
	now := s.now()
	if kind != "system" { // system messages are Meta's, they open no window
		conv.lastUser = now
		p.countSecond(now)
	}
	s.st.received[wamid] = conv
	conv.add(&ConversationEntry{
		Direction: "in", Type: kind, Text: inboundText(msg, kind), Wamid: wamid, Status: "received", Time: now, Payload: msg[kind],
	})
	value := s.envelope(p)
	value["contacts"] = []any{s.contact(p, cu)}
	value["messages"] = []any{msg}
	ev := event{waba: p.waba, phone: p, field: "messages", value: value}
	if s.sw.EntryIDMismatch {
		ev.entryID = "9" + p.waba.ID
	}
	return ev, wamid, nil
}

// standbyCopy is an event of messages as another responder's: nested one level deeper.
func standbyCopy(ev event) event {
	value, _ := ev.value.(map[string]any)
	ev.field = "standby"
	ev.value = map[string]any{
		"messaging_product": value["messaging_product"], "metadata": value["metadata"],
		"standby": map[string]any{"contacts": value["contacts"], "messages": value["messages"]},
	}
	return ev
}

// inboundMessage completes an element of value.messages.
func (s *Simulator) inboundMessage(p *phoneState, cu *Customer, m InboundMessage) (map[string]json.RawMessage, error) {
	msg := map[string]json.RawMessage{}
	if len(m.Message) > 0 {
		if err := json.Unmarshal(m.Message, &msg); err != nil || msg == nil {
			return nil, fmt.Errorf("metasim: message must be a JSON object")
		}
	} else {
		if m.Text == "" {
			return nil, fmt.Errorf("metasim: text or message is required")
		}
		msg["type"], msg["text"] = quote("text"), mustJSON(map[string]string{"body": m.Text})
	}
	bsuid := s.bsuid(p.waba, cu)
	fill := func(name, value string) {
		if _, ok := msg[name]; !ok {
			msg[name] = quote(value)
		}
	}
	switch {
	case s.sw.BSUIDInFrom:
		fill("from", bsuid)
	case !s.hidesPhone(cu):
		fill("from", cu.WaID)
	}
	fill("from_user_id", bsuid)
	fill("id", s.newWamid(cu.WaID))
	fill("timestamp", s.timestamp(s.now()))
	fill("type", "text")
	return msg, nil
}

func (s *Simulator) contact(p *phoneState, cu *Customer) map[string]any {
	profile := map[string]any{"name": cu.Name}
	if cu.Username != "" {
		profile["username"] = cu.Username
		if s.sw.UsernameWithAt {
			profile["username"] = "@" + cu.Username
		}
	}
	bsuid := s.bsuid(p.waba, cu)
	c := map[string]any{"profile": profile, "user_id": bsuid}
	switch {
	case s.sw.BSUIDInFrom:
		c["wa_id"] = bsuid
	case !s.hidesPhone(cu):
		c["wa_id"] = cu.WaID
	}
	return c
}

// inboundText is the line that a transcript shows for a message.
func inboundText(msg map[string]json.RawMessage, kind string) string {
	body, _ := rawObject(msg[kind])
	switch kind {
	case "text":
		return rawString(body["body"])
	case "button":
		return rawString(body["text"])
	case "reaction":
		return rawString(body["emoji"])
	case "interactive":
		reply, _ := rawObject(body[rawString(body["type"])])
		return rawString(reply["title"])
	}
	return rawString(body["caption"])
}

// WebhookInjection is any change under any field, for what customers' messages and statuses do not cover.
type WebhookInjection struct {
	WABAID        string          `json:"wabaID"`
	PhoneNumberID string          `json:"phoneNumberID,omitempty"`
	Field         string          `json:"field"`
	Value         json.RawMessage `json:"value"`
	EntryID       string          `json:"entryID,omitempty"` // instead of the account's id
	AppID         string          `json:"appID,omitempty"`   // instead of the account's subscribed apps
}

// Inject delivers a webhook with the given value; account-level fields get a time in their entry.
func (s *Simulator) Inject(w WebhookInjection) ([]int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ws := s.st.wabas[w.WABAID]
	if ws == nil || w.Field == "" || !json.Valid(w.Value) {
		return nil, fmt.Errorf("metasim: an injected webhook needs a known wabaID, a field and a value")
	}
	ev := event{waba: ws, phone: s.st.phones[w.PhoneNumberID], field: w.Field, value: w.Value, entryID: w.EntryID, timed: !slices.Contains(overridable, w.Field)}
	if w.AppID != "" {
		ev.apps = []string{w.AppID}
	}
	return s.publish(ev), nil
}

// Forgery is a webhook that Meta did not send.
type Forgery struct {
	InboundMessage
	AppID string `json:"appID,omitempty"` // whose callback is called; the first subscribed app when empty
	// Signature is wrong (default), none, other-app (signed with the secret of AnotherApp) or tampered (signed, then changed).
	Signature  string `json:"signature,omitempty"`
	AnotherApp string `json:"anotherApp,omitempty"`
}

// Forge posts a message with a bad signature once and returns what the callback answered. The message is in no
// transcript, because no customer wrote it.
func (s *Simulator) Forge(ctx context.Context, f Forgery) (Delivery, error) {
	d, err := s.forgery(f)
	if err != nil {
		return Delivery{}, err
	}
	return s.AwaitDelivery(ctx, d.ID)
}

func (s *Simulator) forgery(f Forgery) (*Delivery, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.st.phones[f.PhoneNumberID]
	if p == nil {
		return nil, noSuch("phone number", f.PhoneNumberID)
	}
	cu := &Customer{WaID: f.From, Name: f.Name}
	msg, err := s.inboundMessage(p, cu, f.InboundMessage)
	if err != nil {
		return nil, err
	}
	value := s.envelope(p)
	value["contacts"], value["messages"] = []any{s.contact(p, cu)}, []any{msg}
	ev := event{waba: p.waba, phone: p, field: "messages", value: value}
	if f.AppID != "" {
		ev.apps = []string{f.AppID}
	}
	targets := s.targetsOf(ev)
	if len(targets) == 0 {
		return nil, fmt.Errorf("metasim: no app is subscribed to phone number %s", p.ID)
	}
	d := targets[0]
	d.Kind = "forged"
	if d.body, err = encodeWebhook(s.payload([]event{ev}), s.sw.EscapeSlashes); err != nil {
		return nil, err
	}
	if d.signature, err = s.badSignature(f, d); err != nil {
		return nil, err
	}
	s.enqueue(d)
	return d, nil
}

func (s *Simulator) badSignature(f Forgery, d *Delivery) (string, error) {
	switch f.Signature {
	case "", "wrong":
		return forgedSignature, nil
	case "none":
		return "none", nil
	case "other-app":
		app := s.st.apps[f.AnotherApp]
		if app == nil {
			return "", fmt.Errorf("metasim: anotherApp must be a known app")
		}
		return sign(app.Secret, d.body), nil
	case "tampered":
		good := sign(s.st.apps[d.AppID].Secret, d.body)
		d.body = append(d.body, ' ') // still JSON, other bytes
		return good, nil
	}
	return "", fmt.Errorf("metasim: signature must be wrong, none, other-app or tampered")
}

// Replay posts the exact bytes of an earlier delivery again, as Meta's at-least-once does.
func (s *Simulator) Replay(ctx context.Context, id int) (Delivery, error) {
	s.mu.Lock()
	old := s.journal.delivery(id)
	if old == nil {
		s.mu.Unlock()
		return Delivery{}, noSuch("delivery", strconv.Itoa(id))
	}
	d := &Delivery{Kind: "replay", AppID: old.AppID, Field: old.Field, PhoneNumberID: old.PhoneNumberID, callback: old.callback, body: old.body, signature: old.signature}
	s.enqueue(d)
	s.mu.Unlock()
	return s.AwaitDelivery(ctx, d.ID)
}

// AwaitDelivery waits until no further attempt of a delivery will follow.
func (s *Simulator) AwaitDelivery(ctx context.Context, id int) (Delivery, error) {
	s.mu.Lock()
	d := s.journal.delivery(id)
	s.mu.Unlock()
	if d == nil {
		return Delivery{}, noSuch("delivery", strconv.Itoa(id))
	}
	select {
	case <-d.done:
	case <-s.ctx.Done():
	case <-ctx.Done():
		return Delivery{}, fmt.Errorf("metasim: delivery %d is still being tried: %w", id, ctx.Err())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return *d, nil
}

func quote(v string) json.RawMessage { return mustJSON(v) }

// mustJSON encodes strings and maps of strings, which can't fail, and leaves < and > as Meta does.
func mustJSON(v any) json.RawMessage {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("metasim: %T can't be encoded", v))
	}
	return bytes.TrimSpace(buf.Bytes())
}
