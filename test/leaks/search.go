package leaks

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/go-logr/logr"
)

// shortest is the length of a PIN, the shortest secret there is.
const shortest = 6

// Logs is the place of what Logger writes.
const Logs = "logs"

// Search knows secrets and what people can read. The zero value knows nothing; it may be used by many goroutines.
type Search struct {
	mu      sync.Mutex
	secrets map[string]bool
	shown   map[string]*bytes.Buffer
}

// Secret makes a value known as one that nobody may read, and returns it. An empty one is none.
func (s *Search) Secret(value string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.secrets == nil {
		s.secrets = map[string]bool{}
	}
	if value != "" {
		s.secrets[value] = true
	}
	return value
}

// Show adds what can be read in a place, such as "metrics".
func (s *Search) Show(place, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shown == nil {
		s.shown = map[string]*bytes.Buffer{}
	}
	if s.shown[place] == nil {
		s.shown[place] = &bytes.Buffer{}
	}
	s.shown[place].WriteString(text + "\n")
}

// MaxVerbosity is that of everything.
const MaxVerbosity = math.MaxInt8

// Logger returns a logger whose lines, up to a verbosity, are shown in the place Logs.
func (s *Search) Logger(verbosity int) logr.Logger {
	return logr.FromSlogHandler(slog.NewJSONHandler(lines{s}, &slog.HandlerOptions{Level: slog.Level(-verbosity)}))
}

// lines are written to the place Logs.
type lines struct{ s *Search }

// Write implements io.Writer.
func (l lines) Write(p []byte) (int, error) {
	l.s.Show(Logs, string(p))
	return len(p), nil
}

// Leaks is an error for each secret that can be read somewhere, and one if the search proves nothing: when it knows no secret, one
// that is too short to be looked for, or has been shown nothing of the places.
func (s *Search) Leaks(places ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	if len(s.secrets) == 0 {
		errs = append(errs, errors.New("no secret was used, so the search for leaks proves nothing"))
	}
	for _, place := range places {
		if s.shown[place] == nil || len(bytes.TrimSpace(s.shown[place].Bytes())) == 0 {
			errs = append(errs, fmt.Errorf("there are no %s, so the search for leaks in them proves nothing", place))
		}
	}
	wanted := map[string][]form{}
	for secret := range s.secrets {
		if len(secret) < shortest {
			errs = append(errs, fmt.Errorf("a secret of %d characters can't be looked for: it is everywhere by chance", len(secret)))
			continue
		}
		for _, text := range forms(secret) {
			wanted[text[:shortest]] = append(wanted[text[:shortest]], form{text: text, secret: secret})
		}
	}
	for _, place := range slices.Sorted(maps.Keys(s.shown)) {
		found := find(s.shown[place].String(), wanted)
		for _, secret := range slices.Sorted(maps.Keys(found)) {
			errs = append(errs, fmt.Errorf("a secret that begins with %.3s is in the %s: %s", secret, place, found[secret]))
		}
	}
	return errors.Join(errs...)
}

// form is a secret as it may be written.
type form struct{ text, secret string }

// find goes through a text once, looks for all forms, which are given by how they begin, and returns what stands around the first of each
// secret.
func find(text string, wanted map[string][]form) (around map[string]string) {
	around = map[string]string{}
	for start := range len(text) - shortest + 1 {
		for _, f := range wanted[text[start:start+shortest]] {
			end := start + len(f.text)
			if !strings.HasPrefix(text[start:], f.text) || around[f.secret] != "" || digits(f.secret) && !alone(text, start, end) {
				continue
			}
			around[f.secret] = strings.ToValidUTF8(text[max(0, start-100):start]+"…"+text[end:min(len(text), end+60)], "?")
		}
	}
	return around
}

// forms are the secret and its encodings.
func forms(secret string) []string {
	all := []string{secret, url.QueryEscape(secret), url.PathEscape(secret)}
	if quoted, err := json.Marshal(secret); err == nil && utf8.ValidString(secret) {
		all = append(all, string(quoted[1:len(quoted)-1]))
	}
	if !digits(secret) { // other encodings of six digits are some letters, which stand anywhere
		raw := []byte(secret)
		all = append(all, hex.EncodeToString(raw), strings.ToUpper(hex.EncodeToString(raw)))
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			all = append(all, encoding.EncodeToString(raw))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// digits reports whether a secret is a number, such as a PIN, which longer numbers contain by chance.
func digits(secret string) bool { return strings.Trim(secret, "0123456789") == "" }

// id is what is made by chance or is a hash: a UUID, such as that of a reconciliation, or 16 hexadecimal digits and more.
var id = regexp.MustCompile(`^(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{16,})$`)

// alone reports whether text[start:end] is no part of something longer: of a number or a fraction, which a digit or its point would touch, or
// of an id, which has any six digits sooner or later.
func alone(text string, start, end int) bool {
	const number, hexadecimal = "0123456789.", "0123456789abcdef-"
	before, after := text[:start], text[end:]
	if before != "" && strings.Contains(number, before[start-1:]) || after != "" && strings.Contains(number[:10], after[:1]) {
		return false
	}
	from, rest := len(strings.TrimRight(before, hexadecimal)), len(strings.TrimLeft(after, hexadecimal))
	return !id.MatchString(text[from : len(text)-rest])
}
