package webhook

import (
	"regexp"
	"strings"
)

// Identity is what a webhook tells about a user. Any member may be empty.
type Identity struct {
	// Phone is the number in digits, without "+".
	Phone string
	// UserID is the business-scoped user id (BSUID).
	UserID string
	// ParentUserID is the user id across linked business portfolios.
	ParentUserID string
	// Username is without "@".
	Username string
	// Name is what the user calls himself.
	Name string
}

var (
	phonePattern = regexp.MustCompile(`^\+?([0-9]{5,20})$`)
	// userIDPattern is an ISO country code, a dot and up to 128 letters and digits.
	userIDPattern       = regexp.MustCompile(`^[A-Z]{2}\.[A-Za-z0-9]{1,128}$`)
	parentUserIDPattern = regexp.MustCompile(`^[A-Z]{2}\.ENT\.[A-Za-z0-9]{1,128}$`)
)

// add sorts an id into the member that it fits by its form, unless that is filled in. A BSUID has been seen in members
// that are documented to hold a phone number.
func (i *Identity) add(id string) {
	switch {
	case phonePattern.MatchString(id):
		setOnce(&i.Phone, strings.TrimPrefix(id, "+"))
	case parentUserIDPattern.MatchString(id):
		setOnce(&i.ParentUserID, id)
	case userIDPattern.MatchString(id):
		setOnce(&i.UserID, id)
	}
}

func setOnce(member *string, value string) {
	if *member == "" {
		*member = value
	}
}

// Classify sorts one id into an Identity: digits are a phone number, the form of a BSUID is a user id. Anything else gives
// the zero Identity.
func Classify(id string) Identity {
	var i Identity
	i.add(id)
	return i
}

// Identity returns who the contact is.
func (c *Contact) Identity() Identity {
	i := Identity{Name: c.Profile.Name, Username: strings.TrimPrefix(c.Profile.Username, "@")}
	for _, id := range []string{c.UserID, c.ParentUserID, c.WhatsAppID} {
		i.add(id)
	}
	return i
}

// Sender returns who sent a message, completed from the contact of the same person. It is the zero Identity if the
// message names nobody.
func (v *Value) Sender(m *Message) Identity {
	var sender Identity
	for _, id := range []string{m.FromUserID, m.FromParentUserID, m.From} {
		sender.add(id)
	}
	return v.completed(sender)
}

// completed adds what the contact of the same person tells.
func (v *Value) completed(i Identity) Identity {
	for n := range v.Contacts {
		contact := v.Contacts[n].Identity()
		if !i.same(contact) {
			continue
		}
		setOnce(&i.Phone, contact.Phone)
		setOnce(&i.UserID, contact.UserID)
		setOnce(&i.ParentUserID, contact.ParentUserID)
		i.Username, i.Name = contact.Username, contact.Name
		break
	}
	return i
}

// same reports whether two identities are of one person. The user id decides where both have one: a phone number may
// have changed hands.
func (i Identity) same(other Identity) bool {
	if i.UserID != "" && other.UserID != "" {
		return i.UserID == other.UserID
	}
	return i.Phone != "" && i.Phone == other.Phone
}

// Recipient returns whom a status is about.
func (s *Status) Recipient() Identity {
	var i Identity
	for _, id := range []string{s.RecipientUserID, s.RecipientParentUserID, s.RecipientID} {
		i.add(id)
	}
	return i
}
