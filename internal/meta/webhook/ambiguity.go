package webhook

// place is where an object stands on the way to what decides whose a webhook is.
type place int8

// The places. Those from inValue on are in the value of a change.
const (
	elsewhere place = iota
	atBody
	atEntry
	atChange
	inValue
	atValue
	atStandby
	atNumber
	atAccount
)

// valueDepth is how deep the value of a change stands in a body: in an object of a list of an object of a list of an object.
const valueDepth = 5

// keysAt are the keys at each place that decide who a webhook belongs to, or lead to one that does.
var keysAt = [...][]string{
	atBody:    {"object", "entry"},
	atEntry:   {"id", "changes", "field"},
	atChange:  {"field", "value"},
	atValue:   {"metadata", "standby", "recipient", "waba_info", "entity_id", "entity_type"},
	atStandby: {"metadata"},
	atNumber:  {"phone_number_id"},
	atAccount: {"waba_id"},
}

// under is the place of what stands under a key of an object.
func (p place) under(key []byte) place {
	switch p {
	case atBody:
		if keyIs(key, "entry") {
			return atEntry
		}
	case atEntry:
		if keyIs(key, "changes") {
			return atChange
		}
	case atChange:
		if keyIs(key, "value") {
			return atValue
		}
	case atValue, atStandby:
		switch i, _ := matchKey(key, "metadata", "recipient", "waba_info", "standby"); i {
		case 0, 1:
			return atNumber
		case 2:
			return atAccount
		case 3:
			return atStandby
		}
	case elsewhere, inValue, atNumber, atAccount:
	}
	if p >= inValue {
		return inValue
	}
	return elsewhere
}

// ambiguity finds routing keys that an object has twice, or in other than lower case. Meta sends no such body. encoding/json matches
// keys without regard to case and merges repeated objects, other parsers do not, so such a body could name one tenant to one reader
// and another tenant to the next. The same keys elsewhere decide nothing: copies of what another responder has sent hold whatever
// it liked to send.
type ambiguity struct {
	// root is the place of what is scanned.
	root place
	// places and seen are those of each open object, and which of its keys it has had.
	places [maxDepth]place
	seen   [maxDepth]uint32
	open   int
	// outside and inside say that it was found outside and inside of the values of changes; tooDeep that such a value is nested too deeply.
	outside, inside, tooDeep bool
}

// here is where what follows under a key stands.
func (a *ambiguity) here(parent []byte) place {
	if a.open == 0 {
		return a.root
	}
	return a.places[a.open-1].under(parent)
}

func (a *ambiguity) object(parent []byte, open bool) {
	if !open {
		a.open--
		return
	}
	a.places[a.open], a.seen[a.open] = a.here(parent), 0
	a.open++
}

func (a *ambiguity) member(_, key, _ []byte) error {
	at := a.places[a.open-1]
	keys := keysAt[at]
	if len(keys) == 0 {
		return nil
	}
	i, exact := matchKey(key, keys...)
	if i < 0 {
		return nil
	}
	repeated := a.seen[a.open-1]&(1<<i) != 0
	a.seen[a.open-1] |= 1 << i
	if repeated || !exact {
		a.inside = a.inside || at >= inValue
		a.outside = a.outside || at < inValue
	}
	return nil
}

func (a *ambiguity) deep(parent []byte) error {
	if a.here(parent) < inValue {
		return ErrTooDeep
	}
	a.tooDeep = true
	return nil
}

// oddity tells what is wrong with the value of a change; nil if nothing is.
func (c *Change) oddity() error {
	a := ambiguity{root: atValue}
	_ = scan(c.Value, valueDepth, &a) // it fails only where there is no value
	switch {
	case a.tooDeep:
		return ErrTooDeep
	case a.inside:
		return ErrAmbiguous
	default:
		return nil
	}
}
