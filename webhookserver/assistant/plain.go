package assistant

import (
	"regexp"
	"strings"
)

// maxNested bounds how deep marks are taken out of one another.
const maxNested = 4

var (
	plainFence    = regexp.MustCompile("^\\s*```[^`]*$")
	plainItem     = regexp.MustCompile(`^\s*(?:[-*+•]\s+)+`)
	plainQuote    = regexp.MustCompile(`^\s*(?:>\s*)+`)
	plainAutolink = regexp.MustCompile(`<((?:https?://|mailto:)[^>\s]+)>`)
	plainBold     = standing(`\*`)
	plainItalic   = standing(`_`)
	plainStrike   = standing(`~`)
	plainCode     = regexp.MustCompile("`([^`]+)`")
)

// Plain takes the marks of Markdown and of WhatsApp's formatting out of a text for a place where WhatsApp shows them as they are:
// the rows of a list and buttons. It makes one line, with dots between the items of a list. Marks inside of words and numbers are
// none: 2*3*4 and snake_case stay. So does a text that is nothing but marks.
func Plain(s string) string {
	for range maxNested {
		switch plain := plainOnce(s); plain {
		case s:
			return s
		case "":
			return oneLine(clean(s))
		default:
			s = plain
		}
	}
	return s
}

// label makes a text Plain and at most limit characters long. What becomes a mark because the text is cut there is taken out too.
func label(s string, limit int) string {
	for {
		short := shrink(Plain(s), limit)
		if short == s {
			return s
		}
		s = short
	}
}

// plainOnce takes out the outermost marks.
func plainOnce(s string) string {
	var out strings.Builder
	afterItem := false
	for line := range strings.SplitSeq(clean(s), "\n") {
		if plainFence.MatchString(line) || mdRule.MatchString(line) {
			continue
		}
		line = plainQuote.ReplaceAllString(line, "")
		if m := mdHeading.FindStringSubmatch(line); m != nil {
			line = m[1]
		}
		item := plainItem.FindString(line)
		if line = oneLine(plainSpan(line[len(item):])); line == "" {
			continue
		}
		switch {
		case out.Len() == 0:
		case afterItem && item != "":
			out.WriteString(" · ")
		default:
			out.WriteByte(' ')
		}
		out.WriteString(line)
		afterItem = item != ""
	}
	return out.String()
}

// plainSpan takes out what stands inside of a line.
func plainSpan(s string) string {
	s = mdImage.ReplaceAllString(s, "$1")
	s = mdLink.ReplaceAllString(s, "$1")
	s = plainAutolink.ReplaceAllString(s, "$1")
	s = strings.ReplaceAll(s, "```", "`")
	s = plainCode.ReplaceAllString(s, "$1")
	s = mdStrike.ReplaceAllString(s, "$1")
	s = unmark(s, mdBoth, "", "")
	s = unmark(s, mdBold, "", "")
	s = mdUnder.ReplaceAllString(s, "$1")
	s = unmark(s, plainBold, "", "")
	s = unmark(s, plainItalic, "", "")
	return unmark(s, plainStrike, "", "")
}

// standing matches what stands between two of a mark, none of them inside of a word or number, with what is before and after.
func standing(mark string) *regexp.Regexp {
	return regexp.MustCompile(`(^|[^\pL\pN\pM` + mark + `])` + mark + `([^\s` + mark + `](?:.*?[^\s` + mark + `])??)` + mark + `($|[^\pL\pN\pM` + mark + `])`)
}

// apart matches what stands between two of a mark of stars that may be inside of a word, but not of a number.
func apart(mark string) *regexp.Regexp {
	return regexp.MustCompile(`(^|[^\pN])` + mark + `(\S(?:.*?\S)??)` + mark + `($|[^\pN*])`)
}

// unmark puts other marks around what a pattern of standing or apart finds.
func unmark(s string, marked *regexp.Regexp, begin, end string) string {
	var out strings.Builder
	for {
		m := marked.FindStringSubmatchIndex(s)
		if m == nil {
			out.WriteString(s)
			return out.String()
		}
		out.WriteString(s[:m[3]] + begin + s[m[4]:m[5]] + end)
		s = s[m[6]:] // what is after may be before the next
	}
}
