package metasim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Echo is a message that the business sends by other means than the API: on its phone, or through another responder.
type Echo struct {
	PhoneNumberID string `json:"phoneNumberID"`
	To            string `json:"to"` // digits of the customer's phone number
	Text          string `json:"text,omitempty"`
	// Message is any element of value.message_echoes instead of Text; to, id and timestamp are filled in when absent.
	Message json.RawMessage `json:"message,omitempty"`
	// Standby makes it another responder's: the copy comes in the field standby, with the send as it was requested.
	Standby bool `json:"standby,omitempty"`
}

// SendEcho plays somebody of the business who answers a customer.
func (s *Simulator) SendEcho(e Echo) (SentMessage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.st.phones[e.PhoneNumberID]
	if p == nil {
		return SentMessage{}, noSuch("phone number", e.PhoneNumberID)
	}
	if !digitsOnly(e.To) {
		return SentMessage{}, fmt.Errorf("metasim: to must be the digits of a phone number")
	}
	cu := s.customer(e.To, "")
	msg := map[string]json.RawMessage{"type": quote("text"), "text": mustJSON(map[string]string{"body": e.Text})}
	if len(e.Message) > 0 {
		msg = map[string]json.RawMessage{}
		if err := json.Unmarshal(e.Message, &msg); err != nil || msg == nil {
			return SentMessage{}, fmt.Errorf("metasim: message must be a JSON object")
		}
	} else if e.Text == "" {
		return SentMessage{}, fmt.Errorf("metasim: text or message is required")
	}
	head := map[string]json.RawMessage{
		"from": quote(p.digits()), "to": quote(cu.WaID), "to_user_id": quote(s.bsuid(p.waba, cu)),
		"id": quote(s.newWamid(cu.WaID)), "timestamp": quote(s.timestamp(s.now())),
	}
	for name, value := range head {
		if _, ok := msg[name]; !ok {
			msg[name] = value
		}
	}
	wamid, kind := rawString(msg["id"]), rawString(msg["type"])
	s.conversation(p, cu).add(&ConversationEntry{
		Direction: "out", Type: kind, Text: inboundText(msg, kind), Wamid: wamid, Status: "sent", Time: s.now(), Payload: msg[kind],
	})
	value, field := s.envelope(p), "smb_message_echoes"
	if e.Standby {
		request := map[string]json.RawMessage{"to": msg["to"], "type": msg["type"], kind: msg[kind]}
		value["standby"] = map[string]any{"message_echoes": []any{map[string]any{
			"id": wamid, "timestamp": msg["timestamp"], "to_user_id": msg["to_user_id"], "message": request,
		}}}
		field = "standby"
	} else {
		value["message_echoes"] = []any{msg}
	}
	ids := s.publish(event{waba: p.waba, phone: p, field: field, value: value})
	s.touch()
	return SentMessage{Wamid: wamid, Deliveries: append([]int{}, ids...)}, nil
}

// Handover changes the owner of a customer's thread.
type Handover struct {
	PhoneNumberID string `json:"phoneNumberID"`
	Customer      string `json:"customer"` // digits of the phone number
	// To is who owns the thread from then on, as seen by the subscribed app: ours, other or none.
	To string `json:"to"`
	// Age is how long ago it happened: handovers come in any order.
	Age Duration `json:"age,omitempty"`
}

// HandOver plays Meta's routing between responders. The switch handoverShape says how the webhook names them.
func (s *Simulator) HandOver(h Handover) ([]int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.st.phones[h.PhoneNumberID]
	if p == nil {
		return nil, noSuch("phone number", h.PhoneNumberID)
	}
	if !digitsOnly(h.Customer) {
		return nil, fmt.Errorf("metasim: customer must be the digits of a phone number")
	}
	kind, control, err := s.control(p, h.To)
	if err != nil {
		return nil, err
	}
	value := map[string]any{
		"messaging_product": "whatsapp",
		"recipient":         map[string]any{"phone_number_id": p.ID, "display_phone_number": p.digits()},
		"sender":            map[string]any{"phone_number": h.Customer, "user_id": s.bsuid(p.waba, s.customer(h.Customer, ""))},
		"type":              kind, "timestamp": s.now().Add(-time.Duration(h.Age)).Unix(),
		kind: control,
	}
	return s.publish(event{waba: p.waba, phone: p, field: "messaging_handovers", value: value}), nil
}

// control is the type of a handover and what it says of the owners. Requires mu.
func (s *Simulator) control(p *phoneState, to string) (kind string, control map[string]any, err error) {
	const stranger = "770000000000077"
	ours := ""
	if len(p.waba.SubscribedApps) > 0 {
		ours = p.waba.SubscribedApps[0].AppID
	}
	byRole := map[string][3]string{
		"ours": {"control_passed", "ai_agent", "customer_service"}, "other": {"control_taken", "customer_service", "escalation"},
		"none": {"control_passed", "customer_service", "none"},
	}
	byApp := map[string][2]string{"ours": {stranger, ours}, "other": {ours, stranger}, "none": {ours, ""}}
	roles, known := byRole[to]
	if !known {
		return "", nil, fmt.Errorf("metasim: to must be ours, other or none")
	}
	switch s.sw.HandoverShape {
	case "apps":
		control = map[string]any{"previous_owner_app_id": byApp[to][0], "previous_owner_app_role": roles[1]}
		if id := byApp[to][1]; id != "" {
			control["new_owner_app_id"] = id
		} else {
			control["new_owner_role"] = "none"
		}
	case "metadata":
		control = map[string]any{"previous_owner_role": roles[1], "new_owner_role": roles[2], "metadata": "a bare text"}
	default:
		control = map[string]any{
			"previous_owner_role": roles[1], "new_owner_role": roles[2],
			"conversation_context": map[string]any{"type": "summary", "summary": map[string]string{"text": "asked for a fern"}},
		}
	}
	return roles[0], control, nil
}

// PastMessage is what a phone app remembers of a chat.
type PastMessage struct {
	Customer     string   `json:"customer"` // digits
	Text         string   `json:"text"`
	FromBusiness bool     `json:"fromBusiness,omitempty"`
	Age          Duration `json:"age"`
}

// SyncHistory sends the past of a coexistence number, in one webhook of the field history. Without messages the business declines to
// share it.
func (s *Simulator) SyncHistory(phoneNumberID string, messages []PastMessage) ([]int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.st.phones[phoneNumberID]
	if p == nil {
		return nil, noSuch("phone number", phoneNumberID)
	}
	value := s.envelope(p)
	if len(messages) == 0 {
		value["history"] = []any{map[string]any{"errors": []any{map[string]any{"code": 2593109, "title": "History sharing is turned off by the business"}}}}
		return s.publish(event{waba: p.waba, phone: p, field: "history", value: value}), nil
	}
	var order []string
	threads := map[string][]any{}
	for _, m := range messages {
		if !digitsOnly(m.Customer) {
			return nil, fmt.Errorf("metasim: customer must be the digits of a phone number")
		}
		if _, ok := threads[m.Customer]; !ok {
			order = append(order, m.Customer)
		}
		msg := map[string]any{
			"id": s.newWamid(m.Customer), "timestamp": strconv.FormatInt(s.now().Add(-time.Duration(m.Age)).Unix(), 10),
			"type": "text", "text": map[string]string{"body": m.Text}, "history_context": map[string]string{"status": "READ"}, "from": m.Customer,
		}
		if m.FromBusiness {
			msg["from"], msg["to"] = p.digits(), m.Customer
		}
		threads[m.Customer] = append(threads[m.Customer], msg)
	}
	list := make([]any, 0, len(order))
	for _, customer := range order {
		list = append(list, map[string]any{"id": customer, "messages": threads[customer]})
	}
	value["history"] = []any{map[string]any{"metadata": map[string]int{"phase": 0, "chunk_order": 1, "progress": 100}, "threads": list}}
	return s.publish(event{waba: p.waba, phone: p, field: "history", value: value}), nil
}

// SavedContact is an entry of a phone app's address book.
type SavedContact struct {
	Phone   string `json:"phone"`
	Name    string `json:"name"`
	Removed bool   `json:"removed,omitempty"`
}

// SyncContacts sends the address book of a coexistence number.
func (s *Simulator) SyncContacts(phoneNumberID string, contacts []SavedContact) ([]int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.st.phones[phoneNumberID]
	if p == nil {
		return nil, noSuch("phone number", phoneNumberID)
	}
	list := make([]any, 0, len(contacts))
	for _, c := range contacts {
		action := "add"
		if c.Removed {
			action = "remove"
		}
		list = append(list, map[string]any{
			"type": "contact", "contact": map[string]string{"full_name": c.Name, "first_name": c.Name, "phone_number": c.Phone},
			"action": action, "metadata": map[string]string{"timestamp": s.timestamp(s.now())},
		})
	}
	value := s.envelope(p)
	value["state_sync"] = list
	return s.publish(event{waba: p.waba, phone: p, field: "smb_app_state_sync", value: value}), nil
}

func (s *Simulator) adminResponders(mux *http.ServeMux) {
	deliveries := func(ids []int, err error) (any, error) {
		return map[string][]int{"deliveries": append([]int{}, ids...)}, err
	}
	mux.HandleFunc("POST /sim/v1/echoes", posted(func(_ *http.Request, e Echo) (any, error) { return s.SendEcho(e) }))
	mux.HandleFunc("POST /sim/v1/handovers", posted(func(_ *http.Request, h Handover) (any, error) { return deliveries(s.HandOver(h)) }))
	mux.HandleFunc("POST /sim/v1/phone-numbers/{id}/history", posted(func(r *http.Request, v struct {
		Messages []PastMessage `json:"messages"`
	}) (any, error) {
		return deliveries(s.SyncHistory(r.PathValue("id"), v.Messages))
	}))
	mux.HandleFunc("POST /sim/v1/phone-numbers/{id}/contacts", posted(func(r *http.Request, v struct {
		Contacts []SavedContact `json:"contacts"`
	}) (any, error) {
		return deliveries(s.SyncContacts(r.PathValue("id"), v.Contacts))
	}))
}
