package webhook

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
)

// maxCandidates bounds the ids of each kind that PeekIDs collects. A genuine batch of many accounts is signed with one
// secret, so the first few ids find it.
const maxCandidates = 64

// idKind says what an id at some place names.
type idKind int

const (
	notAnID idKind = iota
	phoneNumberID
	wabaID
	// entityID is a phone number id if its neighbour entity_type says so.
	entityID
)

// kindOf classifies a member by its key and the key of the object it stands in.
func kindOf(parent, key []byte) idKind {
	switch i, _ := matchKey(key, "phone_number_id", "waba_id", "id", "entity_id"); {
	case i == 0 && (keyIs(parent, "metadata") || keyIs(parent, "recipient")):
		return phoneNumberID
	case i == 1 && keyIs(parent, "waba_info"), i == 2 && keyIs(parent, "entry"):
		return wabaID
	case i == 3:
		return entityID
	default:
		return notAnID
	}
}

// PeekIDs collects the ids in a body that may name a phone number or a WhatsApp Business Account, without repetition and
// at most 64 of each. The body need not be trusted or well-formed: what was found before an error is returned with it.
// The ids say which secrets are worth trying, and nothing else. The id of an entry is among the accounts even where it
// names a business.
func PeekIDs(body []byte) (phoneNumberIDs, wabaIDs []string, err error) {
	c := &collector{limit: maxCandidates, peek: true}
	err = scan(body, 0, c)
	if errors.Is(err, errStop) {
		err = nil
	}
	return c.phones, c.wabas, err
}

// RoutingIDs returns every phone number id and every account id in the value of a change, whatever they look like: all
// of them must belong to the app whose secret verified the webhook. The id of the entry is not part of the change. A
// value with more ids than any webhook of Meta yields the empty id too, which belongs to nobody.
func (c Change) RoutingIDs() (phoneNumberIDs, wabaIDs []string) {
	found := &collector{limit: maxCandidates}
	if scan(c.Value, 0, found) != nil || found.overflow {
		found.phones, found.wabas = append(found.phones, ""), append(found.wabas, "")
	}
	if c.Field == FieldAccountAlerts {
		found.phones = append(found.phones, c.alertedNumber()...)
	}
	return found.phones, found.wabas
}

// alertedNumber is the number that an account alert names in its own way, if any.
func (c Change) alertedNumber() []string {
	var alert struct {
		EntityType string  `json:"entity_type"`
		EntityID   meta.ID `json:"entity_id"`
	}
	// A value that is no object has no entity.
	if json.Unmarshal(c.Value, &alert) != nil || !strings.EqualFold(alert.EntityType, "PHONE_NUMBER") {
		return nil
	}
	return []string{string(alert.EntityID)}
}

// collector gathers ids during a scan.
type collector struct {
	phones, wabas []string
	// limit bounds the ids of each kind.
	limit    int
	overflow bool
	// peek drops what can't be an id of Meta, and ends the scan when both kinds are full.
	peek bool
}

func (c *collector) object([]byte, bool) {}

// deep leaves out what is too deep, where no webhook of Meta has an id.
func (c *collector) deep([]byte) error {
	c.overflow = true
	return nil
}

func (c *collector) member(parent, key, scalar []byte) error {
	if scalar == nil {
		return nil
	}
	switch kindOf(parent, key) {
	case phoneNumberID:
		c.add(&c.phones, scalar)
	case entityID:
		// The entity may also be a business; when peeking, a candidate too many does no harm.
		if c.peek {
			c.add(&c.phones, scalar)
		}
	case wabaID:
		c.add(&c.wabas, scalar)
	case notAnID:
	}
	if c.peek && len(c.phones) >= c.limit && len(c.wabas) >= c.limit {
		return errStop
	}
	return nil
}

func (c *collector) add(to *[]string, scalar []byte) {
	id := idText(scalar)
	switch {
	case c.peek && !allDigits(id), slices.Contains(*to, id):
	case len(*to) >= c.limit:
		c.overflow = true
	default:
		*to = append(*to, id)
	}
}

// idText is the text of an id, from a string or a number. What is too long to be an id is cut, so that it matches none.
func idText(scalar []byte) string {
	if scalar[0] != '"' {
		return string(scalar[:min(len(scalar), maxIDText)])
	}
	// A digit takes six bytes when it is escaped.
	id, ok := unquote(scalar, 6*maxIDText)
	if !ok {
		return string(scalar[:min(len(scalar), maxIDText)])
	}
	return string(id)
}

func allDigits(s string) bool {
	return s != "" && len(s) <= 32 && strings.Trim(s, "0123456789") == ""
}
