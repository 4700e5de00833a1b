package assistant

import (
	"regexp"
	"strings"
)

// Marks stand for WhatsApp's formatting characters while Markdown's are replaced; clean removes them from the input.
const (
	markBold   = "\x01"
	markItalic = "\x02"
	markStrike = "\x03"
)

var (
	mdHeading = regexp.MustCompile(`^\s{0,3}#{1,6}\s+(.*?)\s*#*\s*$`)
	mdBullet  = regexp.MustCompile(`^(\s*)[*+]\s+`)
	mdRule    = regexp.MustCompile(`^\s*(?:\*\s*){3,}$|^\s*(?:-\s*){3,}$|^\s*(?:_\s*){3,}$`)
	mdImage   = regexp.MustCompile(`!\[([^\]]*)\]\([^)\s]*(?:\s+"[^"]*")?\)`)
	mdLink    = regexp.MustCompile(`\[([^\]]+)\]\(([^)\s]+)(?:\s+"[^"]*")?\)`)
	mdBoth    = apart(`\*\*\*`)
	mdBold    = apart(`\*\*`)
	mdUnder   = regexp.MustCompile(`\b__(\S(?:.*?\S)?)__\b`)
	mdItalic  = standing(`\*`)
	mdStrike  = regexp.MustCompile(`~~(\S(?:.*?\S)?)~~`)
	mdCode    = regexp.MustCompile("`[^`]+`")
)

// FromMarkdown turns Markdown into WhatsApp's formatting: *bold*, _italic_, ~strike~, `code` and ``` blocks. Headings
// become bold lines, links their text and URL. Stars inside of words and numbers are none of its: 2*3*4 stays. Text that is in WhatsApp's formatting already reads single stars as
// Markdown does, which is italic.
func FromMarkdown(s string) string {
	var out []string
	fenced := false
	for line := range strings.SplitSeq(clean(s), "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
			out = append(out, "```") // WhatsApp knows no language tag
			continue
		}
		if !fenced {
			line = fromMarkdownLine(line)
		}
		out = append(out, line)
	}
	return strings.TrimSpace(strings.Join(out, "\n"))
}

func fromMarkdownLine(line string) string {
	if mdRule.MatchString(line) {
		return ""
	}
	if m := mdHeading.FindStringSubmatch(line); m != nil {
		if m[1] == "" {
			return ""
		}
		return "*" + strings.Trim(fromMarkdownInline(m[1]), "*") + "*"
	}
	return fromMarkdownInline(mdBullet.ReplaceAllString(line, "$1- "))
}

// fromMarkdownInline converts what is between code spans.
func fromMarkdownInline(s string) string {
	var b strings.Builder
	last := 0
	for _, code := range mdCode.FindAllStringIndex(s, -1) {
		b.WriteString(fromMarkdownSpan(s[last:code[0]]))
		b.WriteString(s[code[0]:code[1]])
		last = code[1]
	}
	b.WriteString(fromMarkdownSpan(s[last:]))
	return b.String()
}

func fromMarkdownSpan(s string) string {
	s = mdImage.ReplaceAllString(s, "$1")
	s = mdLink.ReplaceAllStringFunc(s, func(link string) string {
		m := mdLink.FindStringSubmatch(link)
		if m[1] == m[2] {
			return m[2]
		}
		return m[1] + " (" + m[2] + ")"
	})
	s = unmark(s, mdBoth, markBold+markItalic, markItalic+markBold)
	s = unmark(s, mdBold, markBold, markBold)
	s = mdUnder.ReplaceAllString(s, markBold+"$1"+markBold)
	s = unmark(s, mdItalic, markItalic, markItalic)
	s = mdStrike.ReplaceAllString(s, markStrike+"$1"+markStrike)
	return strings.NewReplacer(markBold, "*", markItalic, "_", markStrike, "~").Replace(s)
}
