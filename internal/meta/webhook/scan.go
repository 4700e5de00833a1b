package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"
)

const (
	// maxDepth bounds the nesting of a body. Meta's deepest, history, has about 12 levels.
	maxDepth = 32
	// maxElements bounds the elements of all arrays of a body together. Meta batches up to 1,000 updates, of some elements each; a
	// body of 3 MB could have a million, which take hundreds of times their bytes when they are decoded and stored.
	maxElements = 20_000
	// maxKey is the longest spelling of a key that is looked at: each character of phone_number_id as a \u escape.
	maxKey = 96
	// maxIDText is the longest value that is looked at as an id.
	maxIDText = 64
)

// Errors of the scan. They are constant: a body must not speak through our error text.
var (
	// ErrTooDeep means nesting deeper than in any webhook of Meta.
	ErrTooDeep = errors.New("webhook: JSON is nested too deeply")
	// ErrTooMany means that a body has more elements than any webhook of Meta.
	ErrTooMany = errors.New("webhook: JSON has too many elements")
	// ErrSyntax means that a body is no JSON.
	ErrSyntax = errors.New("webhook: malformed JSON")
	// ErrAmbiguous means that a routing key is spelled twice, or in another case.
	ErrAmbiguous = errors.New("webhook: ambiguous keys")
	// ErrShape means that a body is JSON, but not as documented.
	ErrShape = errors.New("webhook: unexpected shape")
	// errStop ends a scan early.
	errStop = errors.New("webhook: scan stopped")
)

// visitor sees the members of each object of a body. parent is the key under which the object stands, ignoring arrays.
type visitor interface {
	// object is told of the start and the end of each object.
	object(parent []byte, open bool)
	// member gets a key, and the raw value if it is a scalar, else nil. Both are slices of the body.
	member(parent, key, scalar []byte) error
	// deep is told of an object or array that is nested too deeply. It is passed over, unless deep returns an error.
	deep(parent []byte) error
}

// scanner walks over JSON without decoding or copying it. It is no validator: it may accept what encoding/json refuses,
// so it only ever feeds decisions that are checked again after decoding.
type scanner struct {
	data     []byte
	pos      int
	visit    visitor
	elements int
}

// scan walks over a text, which must be one value that stands at a depth of the body.
func scan(data []byte, depth int, v visitor) error {
	s := &scanner{data: data, visit: v}
	if err := s.value(depth, nil); err != nil {
		return err
	}
	if s.next() != 0 {
		return ErrSyntax
	}
	return nil
}

// next skips white space and returns the byte that follows, or 0 at the end.
func (s *scanner) next() byte {
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; c {
		case ' ', '\t', '\r', '\n':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// value walks over the value at the position. parent is the key it belongs to.
func (s *scanner) value(depth int, parent []byte) error {
	switch c := s.next(); {
	case (c == '{' || c == '[') && depth >= maxDepth:
		if err := s.visit.deep(parent); err != nil {
			return err
		}
		return s.passOver()
	case c == '{':
		return s.objectAt(depth+1, parent)
	case c == '[':
		return s.arrayAt(depth+1, parent)
	default:
		_, err := s.scalar()
		return err
	}
}

// passOver consumes an object or array by its brackets alone. It takes no stack, however deeply they are nested.
func (s *scanner) passOver() error {
	for open := 0; s.pos < len(s.data); {
		switch s.data[s.pos] {
		case '"':
			if _, err := s.scalar(); err != nil {
				return err
			}
			continue
		case '{', '[':
			open++
		case '}', ']':
			open--
		}
		s.pos++
		if open == 0 {
			return nil
		}
	}
	return ErrSyntax
}

func (s *scanner) objectAt(depth int, parent []byte) error {
	s.visit.object(parent, true)
	defer s.visit.object(parent, false)
	s.pos++
	if s.next() == '}' {
		s.pos++
		return nil
	}
	for {
		if err := s.memberAt(depth, parent); err != nil {
			return err
		}
		done, err := s.separator('}')
		if done || err != nil {
			return err
		}
	}
}

func (s *scanner) memberAt(depth int, parent []byte) error {
	if s.next() != '"' {
		return ErrSyntax
	}
	key, err := s.scalar()
	if err != nil {
		return err
	}
	if s.next() != ':' {
		return ErrSyntax
	}
	s.pos++
	if c := s.next(); c == '{' || c == '[' {
		if err := s.visit.member(parent, key, nil); err != nil {
			return err
		}
		return s.value(depth, key)
	}
	raw, err := s.scalar()
	if err != nil {
		return err
	}
	return s.visit.member(parent, key, raw)
}

func (s *scanner) arrayAt(depth int, parent []byte) error {
	s.pos++
	if s.next() == ']' {
		s.pos++
		return nil
	}
	for {
		s.elements++
		if s.elements > maxElements {
			return ErrTooMany
		}
		if err := s.value(depth, parent); err != nil {
			return err
		}
		done, err := s.separator(']')
		if done || err != nil {
			return err
		}
	}
}

// separator consumes a comma, or the end of an object or array.
func (s *scanner) separator(end byte) (done bool, err error) {
	c := s.next()
	s.pos++
	switch c {
	case ',':
		return false, nil
	case end:
		return true, nil
	default:
		return false, ErrSyntax
	}
}

// scalar consumes a string, number or literal, and returns its raw text; a string with its quotes.
func (s *scanner) scalar() ([]byte, error) {
	first := s.next()
	start := s.pos
	if first == '"' {
		for s.pos++; s.pos < len(s.data); s.pos++ {
			switch s.data[s.pos] {
			case '\\':
				s.pos++
			case '"':
				s.pos++
				return s.data[start:s.pos], nil
			}
		}
		return nil, ErrSyntax
	}
	if s.pos >= len(s.data) || strings.IndexByte("-0123456789tfn", s.data[s.pos]) < 0 {
		return nil, ErrSyntax
	}
	for s.pos < len(s.data) && strings.IndexByte(",]}: \t\r\n\"{[", s.data[s.pos]) < 0 {
		s.pos++
	}
	return s.data[start:s.pos], nil
}

// keyIs reports whether encoding/json would match a raw key with a name: it unescapes and ignores case.
func keyIs(raw []byte, name string) bool {
	i, _ := matchKey(raw, name)
	return i >= 0
}

// matchKey finds the name that encoding/json would match a raw key with, and whether the key is spelled the same but
// for escapes. It returns -1 if there is none.
func matchKey(raw []byte, names ...string) (index int, exact bool) {
	key, ok := unquote(raw, maxKey)
	if !ok {
		return -1, false
	}
	for i, name := range names {
		if string(key) == name {
			return i, true
		}
	}
	if isPlainKey(key) {
		return -1, false // it has no other spelling
	}
	// Only beyond ASCII there are letters of other lengths that fold to these.
	ascii := isASCII(key)
	for i, name := range names {
		if (!ascii || len(key) == len(name)) && bytes.EqualFold(key, []byte(name)) {
			return i, false
		}
	}
	return -1, false
}

// isPlainKey tells whether a key is of small letters, digits and underscores, as the names of all members are that Meta documents.
func isPlainKey(key []byte) bool {
	for _, c := range key {
		if !isPlainKeyByte(c) {
			return false
		}
	}
	return true
}

func isPlainKeyByte(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' }

func isASCII(text []byte) bool {
	for _, c := range text {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// unquote decodes a raw JSON string of at most limit bytes. It copies only what has escapes.
func unquote(raw []byte, limit int) ([]byte, bool) {
	if len(raw) < 2 || len(raw) > limit+2 || raw[0] != '"' {
		return nil, false
	}
	inner := raw[1 : len(raw)-1]
	for _, c := range inner {
		if c == '\\' || c < ' ' {
			var s string
			err := json.Unmarshal(raw, &s)
			return []byte(s), err == nil
		}
	}
	return inner, true
}
