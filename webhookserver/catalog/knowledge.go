package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

const (
	// maxDocumentBytes bounds one document, MaxPassages all documents of a channel.
	maxDocumentBytes = 4 << 20
	// MaxPassages bounds a channel's knowledge.
	MaxPassages = 20_000
	// passageChars is about what a person reads in one message; longer sections are cut at paragraphs.
	passageChars = 900
	// idBytes of a hash make a passage's ID, twice as many characters.
	idBytes = 12
)

// Document is one source of knowledge as Markdown or plain text.
type Document struct {
	// Name tells documents of a channel apart, such as a file name.
	Name string
	// Text is UTF-8; other bytes are replaced.
	Text string
}

// Passage is a part of a document that can stand as an answer.
type Passage struct {
	// ID stands for the document and the section: it stays while those are called the same, whatever stands around, and never becomes
	// that of another section. Where a section has several passages, it stands for their text as well. Passages that are the same in
	// all of that share it.
	ID string
	// Document is the document's name.
	Document string
	// Headings lead to the passage, outermost first; may be empty.
	Headings []string
	// Text is the passage's Markdown without its heading; may be empty for a heading alone.
	Text string
	// Language is the first subtag of the language that the passage seems to be in; empty when nothing tells.
	Language string
}

// bytes returns the memory that the passage holds.
func (p *Passage) bytes() int64 {
	total := int64(len(p.ID)+len(p.Document)+len(p.Text)+len(p.Language)) + 2*perEntry
	for _, h := range p.Headings {
		total += int64(len(h)) + perEntry
	}
	return total
}

// Heading returns the innermost heading, or "".
func (p *Passage) Heading() string {
	if len(p.Headings) == 0 {
		return ""
	}
	return p.Headings[len(p.Headings)-1]
}

// SplitDocument cuts a document into passages: at ATX headings (#), and within long sections at blank lines.
func SplitDocument(d Document) []Passage {
	text := d.Text
	if len(text) > maxDocumentBytes {
		text = text[:maxDocumentBytes]
	}
	text = strings.ReplaceAll(strings.ToValidUTF8(strings.TrimPrefix(text, "\ufeff"), "\ufffd"), "\r\n", "\n")
	s := splitter{document: d.Name}
	fenced := false
	for line := range strings.SplitSeq(text, "\n") {
		trimmed := strings.TrimSpace(line)
		if strings.HasPrefix(trimmed, "```") || strings.HasPrefix(trimmed, "~~~") {
			fenced = !fenced
		}
		if level, title := headingOf(trimmed); level > 0 && !fenced {
			s.flush()
			s.enter(level, title)
			continue
		}
		if trimmed == "" && !fenced && utf8.RuneCountInString(s.text.String()) >= passageChars {
			s.flush()
			continue
		}
		s.text.WriteString(strings.TrimRight(line, " \t"))
		s.text.WriteByte('\n')
	}
	s.flush()
	identify(s.passages)
	return s.passages
}

// identify gives the passages of a document their IDs.
func identify(passages []Passage) {
	of := func(p *Passage) string { return strings.Join(append([]string{p.Document}, p.Headings...), "\x00") }
	sections := map[string]int{}
	for i := range passages {
		sections[of(&passages[i])]++
	}
	for i := range passages {
		p := &passages[i]
		identity := of(p)
		if len(p.Headings) == 0 || sections[identity] > 1 {
			identity += "\x00\x00" + p.Text
		}
		sum := sha256.Sum256([]byte(identity))
		p.ID = hex.EncodeToString(sum[:idBytes])
	}
}

// headingOf returns the level (1 to 6) and text of an ATX heading, and level 0 for any other line.
func headingOf(line string) (level int, title string) {
	for level < len(line) && line[level] == '#' {
		level++
	}
	if level == 0 || level > 6 || level == len(line) || line[level] != ' ' {
		return 0, ""
	}
	title = strings.TrimSpace(strings.TrimRight(strings.TrimSpace(line[level:]), "#"))
	if title == "" {
		return 0, ""
	}
	return level, clip(title, maxTitleChars)
}

type heading struct {
	level int
	title string
}

type splitter struct {
	document string
	path     []heading
	text     strings.Builder
	passages []Passage
}

func (s *splitter) enter(level int, title string) {
	for len(s.path) > 0 && s.path[len(s.path)-1].level >= level {
		s.path = s.path[:len(s.path)-1]
	}
	s.path = append(s.path, heading{level, title})
}

func (s *splitter) flush() {
	text := strings.TrimSpace(s.text.String())
	s.text.Reset()
	// A heading right before another one has nothing to say; its title stays in the path of its sections.
	if text == "" || len(s.passages) >= MaxPassages {
		return
	}
	headings := make([]string, 0, len(s.path))
	for _, h := range s.path {
		headings = append(headings, h.title)
	}
	s.passages = append(s.passages, Passage{
		Document: s.document,
		Headings: headings,
		Text:     text,
	})
}
