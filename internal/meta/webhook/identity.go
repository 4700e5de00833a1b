package webhook

import "strings"

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

// add sorts an id into the member that it fits by its form, unless that is filled in. A BSUID has been seen in members
// that are documented to hold a phone number.
func (i *Identity) add(loose Loose) {
	id := string(loose)
	if digits := strings.TrimPrefix(id, "+"); isPhone(digits) {
		setOnce(&i.Phone, digits)
	} else if user, ok := afterCountry(id); !ok {
		return
	} else if parent, ok := strings.CutPrefix(user, "ENT."); ok && isAlphanumeric(parent) {
		setOnce(&i.ParentUserID, id)
	} else if isAlphanumeric(user) {
		setOnce(&i.UserID, id)
	}
}

// afterCountry cuts the ISO country code and the dot that a user id begins with.
func afterCountry(id string) (rest string, ok bool) {
	if len(id) < 3 || id[2] != '.' || !isUpper(id[0]) || !isUpper(id[1]) {
		return "", false
	}
	return id[3:], true
}

// isPhone reports whether a text is the digits of a phone number.
func isPhone(s string) bool {
	return len(s) >= 5 && len(s) <= 20 && all(s, isDigit)
}

// isAlphanumeric reports whether a text has up to 128 letters and digits, as user ids have after the country.
func isAlphanumeric(s string) bool {
	return len(s) >= 1 && len(s) <= 128 && all(s, func(c byte) bool { return isDigit(c) || isUpper(c) || c >= 'a' && c <= 'z' })
}

func all(s string, is func(byte) bool) bool {
	for n := range len(s) {
		if !is(s[n]) {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }

func setOnce(member *string, value string) {
	if *member == "" {
		*member = value
	}
}

// Classify sorts one id into an Identity: digits are a phone number, the form of a BSUID is a user id. Anything else gives
// the zero Identity.
func Classify(id string) Identity {
	var i Identity
	i.add(Loose(id))
	return i
}

// Identity returns who the contact is.
func (c *Contact) Identity() Identity {
	i := Identity{Name: string(c.Profile.Name), Username: strings.TrimPrefix(string(c.Profile.Username), "@")}
	for _, id := range []Loose{c.UserID, c.ParentUserID, c.WhatsAppID} {
		i.add(id)
	}
	return i
}

// Sender returns who sent a message, completed from the contact of the same person. It is the zero Identity if the
// message names nobody.
func (v *Value) Sender(m *Message) Identity {
	var sender Identity
	for _, id := range []Loose{m.FromUserID, m.FromParentUserID, m.From} {
		sender.add(id)
	}
	return v.completed(sender)
}

// completed adds what the contact of the same person tells.
func (v *Value) completed(i Identity) Identity {
	if len(v.people) != len(v.Contacts) {
		v.people = make([]Identity, len(v.Contacts))
		for n := range v.Contacts {
			v.people[n] = v.Contacts[n].Identity()
		}
	}
	for n := range v.people {
		contact := &v.people[n]
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
func (i *Identity) same(other *Identity) bool {
	if i.UserID != "" && other.UserID != "" {
		return i.UserID == other.UserID
	}
	return i.Phone != "" && i.Phone == other.Phone
}

// Recipient returns whom a status is about.
func (s *Status) Recipient() Identity {
	var i Identity
	for _, id := range []Loose{s.RecipientUserID, s.RecipientParentUserID, s.RecipientID} {
		i.add(id)
	}
	return i
}
