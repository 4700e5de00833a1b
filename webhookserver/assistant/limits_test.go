package assistant

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestFit(t *testing.T) {
	long := strings.Repeat("word ", 1000) + "end."
	rows := func(n int) []Row {
		var out []Row
		for i := range n {
			out = append(out, Row{ID: fmt.Sprint(i), Title: fmt.Sprint("Row ", i)})
		}
		return out
	}
	for _, tc := range []struct {
		reason string
		in     []Part
		want   []Part
	}{
		{"what fits stays as it is",
			[]Part{Text{"Hi"}, Image{"https://x.example/a.jpg", "A"}, Buttons{"Pick", []Button{{"1", "One"}}}, List{"Pick", "Open", rows(10)}},
			[]Part{Text{"Hi"}, Image{"https://x.example/a.jpg", "A"}, Buttons{"Pick", []Button{{"1", "One"}}}, List{"Pick", "Open", rows(10)}}},
		{"empty parts are left out", []Part{Text{" \x00 "}, Image{Link: "", Caption: ""}, Buttons{}, List{}}, nil},
		{"an image that can't be fetched leaves its caption", []Part{Image{"file:///etc/passwd", "Fern"}}, []Part{Text{"Fern"}}},
		{"four buttons become a list",
			[]Part{Buttons{"Pick", []Button{{"1", "One"}, {"2", "Two"}, {"3", "Three"}, {"4", "Four"}}}},
			[]Part{List{"Pick", "Menu", []Row{{ID: "1", Title: "One"}, {ID: "2", Title: "Two"}, {ID: "3", Title: "Three"}, {ID: "4", Title: "Four"}}}}},
		{"a list keeps its first ten rows", []Part{List{"Pick", "Open", rows(12)}}, []Part{List{"Pick", "Open", rows(10)}}},
		{"buttons need a body", []Part{Buttons{"", []Button{{"1", "One"}}}}, []Part{Buttons{"One", []Button{{"1", "One"}}}}},
		{"a repeated id and an id too long to come back are left out",
			[]Part{Buttons{"Pick", []Button{{"1", "One"}, {"1", "Again"}, {strings.Repeat("x", 257), "Long"}, {"2", ""}}}},
			[]Part{Buttons{"Pick", []Button{{"1", "One"}}}}},
		{"without a usable button the body is a text", []Part{Buttons{"Pick", []Button{{"", "One"}}}}, []Part{Text{"Pick"}}},
		{"titles are shortened and kept apart",
			[]Part{Buttons{"Pick", []Button{{"1", "A very long title, first"}, {"2", "A very long title, second"}}}},
			[]Part{Buttons{"Pick", []Button{{"1", "A very long title,…"}, {"2", "A very long title… 2"}}}}},
		{"a row's title that is too long goes on below",
			[]Part{List{"Pick", "Open", []Row{{"1", "Large evergreen Boston fern", "9.99 USD"}}}},
			[]Part{List{"Pick", "Open", []Row{{"1", "Large evergreen Boston…", "Large evergreen Boston fern · 9.99 USD"}}}}},
	} {
		if diff := cmp.Diff(tc.want, Fit(tc.in)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
		}
	}

	got := Fit([]Part{Buttons{long, []Button{{"1", "One"}}}})
	last, ok := got[len(got)-1].(Buttons)
	if !ok || len(got) < 2 || !strings.HasSuffix(last.Body, "end.") || strings.Count(fmt.Sprint(got), "word") != 1000 {
		t.Errorf("a long body must go before its buttons without losing a word, got %d parts", len(got))
	}
	got = Fit([]Part{Image{"https://x.example/a.jpg", long}})
	if strings.Count(fmt.Sprint(got), "word") != 1000 {
		t.Error("a long caption lost words")
	}
	got = Fit([]Part{Text{strings.Repeat(long, 6)}, Buttons{"Pick", []Button{{"1", "One"}}}})
	if _, ok := got[len(got)-1].(Buttons); !ok || len(got) != MaxParts || !strings.HasSuffix(got[MaxParts-2].Summary(), ellipsis) {
		t.Errorf("a reply of too many messages must keep its buttons and show what is missing: %d parts", len(got))
	}
}

func TestSplitPrefersTheBestBreak(t *testing.T) {
	for _, tc := range []struct {
		reason, in string
		limit      int
		want       []string
	}{
		{"short text is one piece", "Hello.", 20, []string{"Hello."}},
		{"paragraphs first", "One two.\n\nThree. Four", 20, []string{"One two.", "Three. Four"}},
		{"then sentences", "One two. Three four five", 20, []string{"One two.", "Three four five"}},
		{"then words", "aaaa bbbb cccc dddd", 12, []string{"aaaa bbbb", "cccc dddd"}},
		{"else anywhere", "aaaaaaaaaa", 4, []string{"aaaa", "aaaa", "aa"}},
		{"a Chinese sentence", "你好世界。再见朋友们", 8, []string{"你好世界。", "再见朋友们"}},
		{"never inside a family", "ab👨‍👩‍👧‍👦", 12, []string{"ab", "👨‍👩‍👧‍👦"}},
	} {
		if diff := cmp.Diff(tc.want, split(tc.in, tc.limit)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
		}
	}
}

func TestShrink(t *testing.T) {
	for _, tc := range []struct {
		reason, in string
		limit      int
		want       string
	}{
		{"what fits is untouched", "Boston Fern", 11, "Boston Fern"},
		{"at a word's end", "Green Boston Fern", 15, "Green Boston…"},
		{"inside a word when the next end is far", "Donaudampfschifffahrt", 10, "Donaudamp…"},
		{"characters, not bytes", "äöüäöü", 6, "äöüäöü"},
		{"an emoji counts as two", "👍👍👍", 4, "👍…"},
		{"an accent stays with its letter", "abcde\u0301f", 6, "abcd…"},
	} {
		if got := shrink(tc.in, tc.limit); got != tc.want {
			t.Errorf("%s: shrink(%q, %d) = %q, want %q", tc.reason, tc.in, tc.limit, got, tc.want)
		}
	}
}

// checker names each limit that a part exceeds. It counts on its own, so that it can't share a mistake with Fit.
type checker struct {
	violations  []string
	ids, titles map[string]bool
}

func violations(part Part) []string {
	c := &checker{ids: map[string]bool{}, titles: map[string]bool{}}
	switch p := part.(type) {
	case Text:
		c.text("text", p.Body, 1, 4096)
	case Image:
		c.text("link", p.Link, 8, 2048)
		c.text("caption", p.Caption, 0, 1024)
	case Buttons:
		c.text("body", p.Body, 1, 1024)
		c.count("buttons", len(p.Buttons), 3)
		for _, b := range p.Buttons {
			c.text("button title", b.Title, 1, 20)
			c.text("button id", b.ID, 1, 256)
			c.unique(b.ID, b.Title)
		}
	case List:
		c.text("body", p.Body, 1, 4096)
		c.text("list button", p.Button, 1, 20)
		c.count("rows", len(p.Rows), 10)
		for _, r := range p.Rows {
			c.text("row title", r.Title, 1, 24)
			c.text("row id", r.ID, 1, 200)
			c.text("row description", r.Description, 0, 72)
			c.unique(r.ID, r.Title)
		}
	}
	return c.violations
}

func (c *checker) text(what, s string, least, most int) {
	if n := utf8.RuneCountInString(s); n < least || n > most || !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		c.violations = append(c.violations, fmt.Sprintf("%s has %d characters", what, n))
	}
}

func (c *checker) count(what string, n, most int) {
	if n < 1 || n > most {
		c.violations = append(c.violations, fmt.Sprint(n, " ", what))
	}
}

func (c *checker) unique(id, title string) {
	if c.ids[id] || c.titles[title] {
		c.violations = append(c.violations, "a repeated id or title")
	}
	c.ids[id], c.titles[title] = true, true
}

func assertFits(t *testing.T, in []Part) {
	t.Helper()
	got := Fit(in)
	if len(got) > MaxParts {
		t.Errorf("%d parts", len(got))
	}
	for _, part := range got {
		if v := violations(part); len(v) > 0 {
			t.Errorf("%T: %v", part, v)
		}
	}
	if diff := cmp.Diff(got, Fit(got)); diff != "" {
		t.Errorf("what is fit was changed again (-once +twice):\n%s", diff)
	}
}

// alphabet holds what breaks naive cutting: wide, combining, joined, control and broken text.
var alphabet = []string{"a", "b", " ", "\n", "\n\n", ". ", "é", "e\u0301", "ß", "你", "。", "👍🏽", "👨‍👩‍👧", "🇩🇪", "\x00", "\xff", "\u200d", "*", "_", "ا", "…"}

func TestFitAnyReply(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2)) // fixed, so that a failure can be repeated
	text := func(most int) string {
		var b strings.Builder
		for range r.IntN(most + 1) {
			b.WriteString(alphabet[r.IntN(len(alphabet))])
		}
		return b.String()
	}
	for range 300 {
		var parts []Part
		for range r.IntN(4) {
			switch r.IntN(4) {
			case 0:
				parts = append(parts, Text{text(9000)})
			case 1:
				parts = append(parts, Image{"https://x.example/" + text(3), text(2500)})
			case 2:
				p := Buttons{Body: text(2500)}
				for range r.IntN(6) {
					p.Buttons = append(p.Buttons, Button{text(300), text(50)})
				}
				parts = append(parts, p)
			default:
				p := List{Body: text(6000), Button: text(40)}
				for range r.IntN(15) {
					p.Rows = append(p.Rows, Row{text(250), text(60), text(150)})
				}
				parts = append(parts, p)
			}
		}
		assertFits(t, parts)
		if t.Failed() {
			t.Fatalf("reply: %#v", parts)
		}
	}
}

func FuzzShrink(f *testing.F) {
	f.Add("Green Boston Fern", 15)
	f.Add("👨‍👩‍👧‍👦", 5)
	f.Add("e\u0301\u0301\u0301", 2)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		if limit < 2 || limit > 5000 {
			return
		}
		s = clean(s)
		if got := shrink(s, limit); utf8.RuneCountInString(got) > limit || !utf8.ValidString(got) || (s != "" && got == "") {
			t.Errorf("shrink(%q, %d) = %q", s, limit, got)
		}
		strip := func(s string) string { return strings.Join(strings.Fields(s), "") }
		pieces := split(s, limit)
		if strip(strings.Join(pieces, "")) != strip(s) {
			t.Errorf("split(%q, %d) lost text: %q", s, limit, pieces)
		}
		for _, p := range pieces {
			if p == "" || utf8.RuneCountInString(p) > limit {
				t.Errorf("split(%q, %d) made the piece %q", s, limit, p)
			}
		}
	})
}

func FuzzFit(f *testing.F) {
	f.Add("body", "title", "id", "https://x.example/a.jpg", 4)
	f.Add("body", "#", "id", "https://x.example/a.jpg", 12)
	f.Add("body", "- >", "id", "https://x.example/a.jpg", 12)
	f.Fuzz(func(t *testing.T, body, title, id, link string, n int) {
		var buttons []Button
		var rows []Row
		for i := range min(max(n, 0), 12) {
			buttons = append(buttons, Button{fmt.Sprint(id, i), title})
			rows = append(rows, Row{fmt.Sprint(id, i), title, body})
		}
		for _, part := range []Part{Text{body}, Image{link, body}, Buttons{body, buttons}, List{body, title, rows}} {
			assertFits(t, []Part{part})
		}
	})
}

func TestFromMarkdown(t *testing.T) {
	for _, tc := range []struct{ reason, in, want string }{
		{"bold", "It is **very** good", "It is *very* good"},
		{"bold with underscores", "It is __very__ good", "It is *very* good"},
		{"italic", "It is *very* good", "It is _very_ good"},
		{"italic with underscores is the same in both", "It is _very_ good", "It is _very_ good"},
		{"both", "***Wow***", "*_Wow_*"},
		{"strike", "~~10 USD~~ 8 USD", "~10 USD~ 8 USD"},
		{"a heading is a bold line", "## Shipping ##\nFast.", "*Shipping*\nFast."},
		{"a bold heading has its stars once", "# **Hi**", "*Hi*"},
		{"stars as bullets", "* one\n+ two\n- three", "- one\n- two\n- three"},
		{"a calculation is no formatting", "2 * 3 * 4 = 24", "2 * 3 * 4 = 24"},
		{"nor is one without spaces", "2*3*4 = 24, 2**3**2 = 512, 20*30*5 cm *or* **less**", "2*3*4 = 24, 2**3**2 = 512, 20*30*5 cm _or_ *less*"},
		{"bold around italic", "**very *very***, *a* *b*", "*very _very_*, _a_ _b_"},
		{"a link", "See [our shop](https://x.example/a_b_c).", "See our shop (https://x.example/a_b_c)."},
		{"a link that is its own text", "[https://x.example](https://x.example)", "https://x.example"},
		{"an image leaves its description", "![A fern](https://x.example/a.jpg)", "A fern"},
		{"code keeps its stars", "Use `a*b*c` **now**", "Use `a*b*c` *now*"},
		{"a block keeps everything but its language", "```go\n**x**\n```", "```\n**x**\n```"},
		{"a rule is an empty line", "a\n---\nb", "a\n\nb"},
		{"a name with underscores", "snake_case_name", "snake_case_name"},
	} {
		if diff := cmp.Diff(tc.want, FromMarkdown(tc.in)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
		}
	}
}
