package metasim

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// An indicator ends by itself after 25 seconds.
const typingLife = 25 * time.Second

type convKey struct {
	phone    string
	customer string
}

// ConversationEntry is one message as the customer's phone shows it.
type ConversationEntry struct {
	Direction string    `json:"direction"` // in = from the customer
	Type      string    `json:"type"`
	Text      string    `json:"text"`
	Wamid     string    `json:"wamid"`
	Status    string    `json:"status"` // out: accepted, sent, delivered, read, failed; in: received
	Time      time.Time `json:"time"`
	// Read: an inbound message that the business marked as read.
	Read bool `json:"read"`
	// Typing: the indicator is showing now. TypingShown: it was asked for with this message.
	Typing      bool `json:"typing"`
	TypingShown bool `json:"typingShown"`
	// Error code of a failed message.
	Error   int             `json:"error,omitempty"`
	Context string          `json:"context,omitempty"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

type conversation struct {
	phoneID     string
	entries     []*ConversationEntry
	lastUser    time.Time // newest message of the user: opens the service window
	typingUntil time.Time
	typingFor   string
	pair        pairBucket
}

func (s *Simulator) conversation(p *phoneState, cu *Customer) *conversation {
	key := convKey{p.ID, cu.WaID}
	conv := s.st.conversations[key]
	if conv == nil {
		conv = &conversation{phoneID: p.ID}
		s.st.conversations[key] = conv
	}
	return conv
}

func (c *conversation) add(e *ConversationEntry) *ConversationEntry {
	c.entries = append(c.entries, e)
	if len(c.entries) > maxTranscript {
		c.entries = slices.Delete(c.entries, 0, len(c.entries)-maxTranscript)
	}
	return e
}

// open says whether the customer service window is open.
func (c *conversation) open(now time.Time) bool {
	return !c.lastUser.IsZero() && now.Before(c.lastUser.Add(serviceWindow))
}

func (c *conversation) has(wamid string) bool {
	return slices.ContainsFunc(c.entries, func(e *ConversationEntry) bool { return e.Wamid == wamid })
}

func (c *conversation) markRead(wamid string, typing bool, now time.Time) {
	for _, e := range c.entries {
		if e.Direction == "in" {
			e.Read = true
		}
		if e.Wamid == wamid {
			if typing {
				e.TypingShown = true
				c.typingUntil, c.typingFor = now.Add(typingLife), wamid
			}
			return
		}
	}
}

// findInbound returns the conversation of a message that a customer sent to the number.
func (s *Simulator) findInbound(p *phoneState, wamid string) *conversation {
	if conv := s.st.received[wamid]; conv != nil && conv.phoneID == p.ID {
		return conv
	}
	return nil
}

// Conversation returns the transcript between a number and a customer (digits of the phone number), oldest first.
func (s *Simulator) Conversation(phoneNumberID, customer string) []ConversationEntry {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []ConversationEntry{}
	conv := s.st.conversations[convKey{phoneNumberID, customer}]
	if conv == nil {
		return out
	}
	for _, e := range conv.entries {
		c := *e
		c.Typing = e.Wamid == conv.typingFor && s.now().Before(conv.typingUntil)
		out = append(out, c)
	}
	return out
}

// Changed returns a channel that is closed at the next change of any conversation.
func (s *Simulator) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// personKey is how a portfolio names a person.
type personKey struct{ business, bsuid string }

// bsuid is the person's id within the portfolio that owns the account: another portfolio sees another id. Requires mu.
func (s *Simulator) bsuid(w *wabaState, cu *Customer) string {
	sum := sha256.Sum256([]byte(w.OwnerBusinessID + "/" + cu.WaID))
	id := fmt.Sprintf("US.%020d", binary.BigEndian.Uint64(sum[:8]))
	if s.st.customers[cu.WaID] == cu { // not the made-up sender of a forgery
		s.st.people[personKey{w.OwnerBusinessID, id}] = cu
	}
	return id
}

// person finds who has a business-scoped id: who was told of under it, or else anybody.
func (s *Simulator) person(w *wabaState, bsuid string) *Customer {
	if cu := s.st.people[personKey{w.OwnerBusinessID, bsuid}]; cu != nil {
		return cu
	}
	for _, cu := range s.st.customers {
		if s.bsuid(w, cu) == bsuid {
			return cu
		}
	}
	return nil
}
