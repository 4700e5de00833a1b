package webhook

import (
	"encoding/json"
	"slices"
	"unicode/utf8"
)

// maxMembers is the most members that an object may have to be read by plain. Meta's largest, a message, has about 15.
const maxMembers = 32

// plain reads JSON as Meta writes it: each key once, in lower case and without escapes, and each value of the documented type. That
// is a fifth of the work of encoding/json, which is for everything else: the methods return false where they find it, and it decides
// what oddities mean. What plain does accept, it reads as encoding/json would.
type plain struct {
	data []byte
	// text is data, so that strings can be parts of it instead of copies.
	text string
	pos  int
}

// readPlain reads a whole text. If it returns false, out may be partly filled in.
func readPlain[T any](data []byte, out *T, read func(*plain, *T) bool) bool {
	p := &plain{data: data, text: string(data)}
	return read(p, out) && p.next() == 0 && p.pos == len(data)
}

// next skips white space and returns the byte that follows, or 0 at the end.
func (p *plain) next() byte {
	for p.pos < len(p.data) {
		switch c := p.data[p.pos]; c {
		case ' ', '\t', '\r', '\n':
			p.pos++
		default:
			return c
		}
	}
	return 0
}

// take consumes the byte that follows, if it is c.
func (p *plain) take(c byte) bool {
	if p.next() != c {
		return false
	}
	p.pos++
	return true
}

// object calls member with each key; member consumes the value.
func (p *plain) object(member func(key string) bool) bool {
	if !p.take('{') {
		return false
	}
	if p.take('}') {
		return true
	}
	var seen [maxMembers]string
	for n := range maxMembers {
		key, ok := p.key()
		if !ok || slices.Contains(seen[:n], key) || !p.take(':') || !member(key) {
			return false
		}
		seen[n] = key
		if p.take('}') {
			return true
		}
		if !p.take(',') {
			return false
		}
	}
	return false
}

// key reads a key of small letters, digits and underscores. Only such a key can't be one of ours in another spelling.
func (p *plain) key() (string, bool) {
	if !p.take('"') {
		return "", false
	}
	start := p.pos
	for ; p.pos < len(p.data); p.pos++ {
		switch c := p.data[p.pos]; {
		case isPlainKeyByte(c):
		case c == '"':
			p.pos++
			return p.text[start : p.pos-1], true
		default:
			return "", false
		}
	}
	return "", false
}

// array calls element before each element, which consumes it.
func (p *plain) array(element func() bool) bool {
	if !p.take('[') {
		return false
	}
	if p.take(']') {
		return true
	}
	for element() {
		if p.take(']') {
			return true
		}
		if !p.take(',') {
			return false
		}
	}
	return false
}

// list reads an array.
func list[T any](p *plain, to *[]T, read func(*plain, *T) bool) bool {
	return p.array(func() bool {
		var one T
		ok := read(p, &one)
		*to = append(*to, one)
		return ok
	})
}

// str reads a string.
func str[T ~string](p *plain, to *T) bool {
	if !p.take('"') {
		return false
	}
	start := p.pos
	escaped, ascii := false, true
	for ; p.pos < len(p.data); p.pos++ {
		switch c := p.data[p.pos]; {
		case c == '"':
			p.pos++
			text, ok := p.text[start:p.pos-1], true
			if escaped {
				text, ok = unescape(p.data[start-1 : p.pos])
			} else if !ascii {
				ok = utf8.ValidString(text) // encoding/json replaces what is not
			}
			*to = T(text)
			return ok
		case c == '\\':
			escaped = true
			p.pos++
		case c < ' ':
			return false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return false
}

// unescape decodes a string with its quotes.
func unescape(raw []byte) (text string, ok bool) {
	ok = json.Unmarshal(raw, &text) == nil
	return text, ok
}

// boolean reads true or false.
func (p *plain) boolean(to *bool) bool {
	p.next()
	for _, word := range []string{"true", "false"} {
		if len(p.text)-p.pos >= len(word) && p.text[p.pos:p.pos+len(word)] == word {
			p.pos += len(word)
			*to = word == "true"
			return true
		}
	}
	return false
}

// timestamp reads a string, or a whole number.
func (p *plain) timestamp(to *Timestamp) bool {
	c := p.next()
	if c < '1' || c > '9' {
		return str(p, to)
	}
	start := p.pos
	for p.pos < len(p.data) && p.data[p.pos] >= '0' && p.data[p.pos] <= '9' {
		p.pos++
	}
	*to = Timestamp(p.text[start:p.pos])
	// What follows in a number of another kind is no separator, and found there.
	return true
}

// raw takes any value as it is.
func (p *plain) raw(to *json.RawMessage) bool {
	p.next()
	start := p.pos
	if !p.skip() {
		return false
	}
	*to = p.data[start:p.pos:p.pos]
	return true
}

// skip consumes any value.
func (p *plain) skip() bool {
	if p.next() == '"' {
		var ignored string
		return str(p, &ignored)
	}
	s := scanner{data: p.data, pos: p.pos, visit: ignore{}}
	if s.value(0, nil) != nil || !json.Valid(p.data[p.pos:s.pos]) {
		return false
	}
	p.pos = s.pos
	return true
}
