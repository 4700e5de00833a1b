package record

import (
	"bytes"
	"encoding/json"
)

// maxRedactDepth is deeper than anything that Meta sends. What names a person
// further down goes as a whole.
const maxRedactDepth = 32

// Redact takes out of a JSON text what names a person in one of the given forms
// (see Mentions): the elements of arrays, such as messages, statuses or
// contacts, and those that are empty without them. It returns nil if nothing is
// left that is somebody else's, also if the text is not JSON.
func Redact(raw []byte, forms [][]byte) []byte {
	raw = bytes.TrimSpace(raw)
	if !json.Valid(raw) {
		return nil
	}
	return redacted(raw, forms, 0)
}

func mentioned(raw []byte, forms [][]byte) bool {
	for _, form := range forms {
		if bytes.Contains(raw, form) {
			return true
		}
	}
	return false
}

// redacted returns nil for a value that goes.
func redacted(raw []byte, forms [][]byte, depth int) []byte {
	if !mentioned(raw, forms) {
		return raw
	}
	if depth > maxRedactDepth {
		return nil
	}
	switch raw[0] {
	case '[':
		return redactedArray(raw, forms, depth)
	case '{':
		return redactedObject(raw, forms, depth)
	default:
		return nil
	}
}

// redactedArray keeps an array of which nothing is left: the object around it decides.
func redactedArray(raw []byte, forms [][]byte, depth int) []byte {
	var elements, kept []json.RawMessage
	if json.Unmarshal(raw, &elements) != nil {
		return nil
	}
	for _, e := range elements {
		if e = redacted(e, forms, depth+1); e != nil {
			kept = append(kept, e)
		}
	}
	return append(append([]byte{'['}, bytes.Join(rawBytes(kept), []byte{','})...), ']')
}

func rawBytes(in []json.RawMessage) [][]byte {
	out := make([][]byte, len(in))
	for i := range in {
		out[i] = in[i]
	}
	return out
}

// redactedObject keeps the order of the members, and duplicate ones, so that
// the text still means what it meant. An object goes that names the person
// other than in arrays, or in whose arrays nothing is left.
func redactedObject(raw []byte, forms [][]byte, depth int) []byte {
	d := json.NewDecoder(bytes.NewReader(raw))
	if _, err := d.Token(); err != nil {
		return nil
	}
	var members [][]byte
	left := false
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil
		}
		name, err := json.Marshal(key)
		if err != nil || mentioned(name, forms) {
			return nil
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return nil
		}
		rest := redacted(value, forms, depth+1)
		if rest == nil {
			return nil
		}
		left = left || holdsElements(rest, depth+1)
		members = append(members, append(append(name, ':'), rest...))
	}
	if !left {
		return nil
	}
	return append(append([]byte{'{'}, bytes.Join(members, []byte{','})...), '}')
}

// holdsElements reports whether an array below has an element.
func holdsElements(raw []byte, depth int) bool {
	if depth > maxRedactDepth {
		return true
	}
	switch raw[0] {
	case '[':
		var elements []json.RawMessage
		return json.Unmarshal(raw, &elements) == nil && len(elements) > 0
	case '{':
		var members map[string]json.RawMessage
		if json.Unmarshal(raw, &members) != nil {
			return false
		}
		for _, value := range members {
			if holdsElements(value, depth+1) {
				return true
			}
		}
	}
	return false
}
