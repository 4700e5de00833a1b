package catalog

import (
	"html"
	"strings"
	"unicode"
)

// plainText removes markup, which shop systems export in titles and descriptions: tags between words become spaces,
// entities their characters, control characters and runs of white space one space. It is not a sanitiser for display as
// HTML.
func plainText(s string) string {
	if strings.ContainsRune(s, '<') {
		s = stripTags(s)
	}
	if strings.ContainsRune(s, '&') {
		s = html.UnescapeString(s)
	}
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")
}

// stripTags drops everything between '<' and the next '>' where a tag may begin, so that "size < 5" survives.
func stripTags(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for s != "" {
		i := strings.IndexByte(s, '<')
		if i < 0 {
			break
		}
		end := strings.IndexByte(s[i:], '>')
		if end < 0 {
			break
		}
		if next := s[i+1]; !isASCIILetter(next) && next != '/' && next != '!' {
			b.WriteString(s[:i+1])
			s = s[i+1:]
			continue
		}
		b.WriteString(s[:i])
		if !inline[tagName(s[i+1:i+end])] {
			b.WriteByte(' ')
		}
		s = s[i+end+1:]
	}
	b.WriteString(s)
	return b.String()
}

// inline are the tags that may stand within a word or before a full stop.
var inline = wordSet("a abbr b big code em i mark s small span strong sub sup u")

func tagName(tag string) string {
	tag = strings.TrimPrefix(tag, "/")
	if i := strings.IndexFunc(tag, func(r rune) bool { return r == '/' || unicode.IsSpace(r) }); i >= 0 {
		tag = tag[:i]
	}
	return strings.ToLower(tag)
}

func isASCIILetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
