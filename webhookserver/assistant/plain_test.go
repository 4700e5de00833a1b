package assistant

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPlain(t *testing.T) {
	for _, tc := range []struct{ reason, in, want string }{
		{"WhatsApp's marks", "*bold*, _italic_, ~gone~ and `code`", "bold, italic, gone and code"},
		{"Markdown's marks", "**bold**, __bold__, ***both***, ~~gone~~", "bold, bold, both, gone"},
		{"marks inside of marks", "*_~very~_* **`new`**", "very new"},
		{"a part of a word", "**Blumen**topf", "Blumentopf"},
		{"a calculation", "2*3*4 = 24, 2 * 3 * 4, 2**3**2", "2*3*4 = 24, 2 * 3 * 4, 2**3**2"},
		{"measures and prices", "20*30*5 cm, 5* and 4* hotels, ~20 € to ~30 €, ~~19 €~~ 12 €", "20*30*5 cm, 5* and 4* hotels, ~20 € to ~30 €, 19 € 12 €"},
		{"a footnote", "Free delivery* (*from 50 €)", "Free delivery* (*from 50 €)"},
		{"names with underscores", "snake_case_name, _snake_case_", "snake_case_name, snake_case"},
		{"letters beyond ASCII", "für*alle*ä", "für*alle*ä"},
		{"links", "See [our *shop*](https://x.example/a_b_c \"Shop\"), <https://x.example>, ![a fern](https://x.example/a.jpg)", "See our shop, https://x.example, a fern"},
		{"brackets that are no link", "Fern [sale] (30 cm)", "Fern [sale] (30 cm)"},
		{"headings", "## **Hours** ##\nMonday", "Hours Monday"},
		{"number signs", "#1 of ferns, C# and No. # 5", "#1 of ferns, C# and No. # 5"},
		{"a list", "We take\n- cards\n* *cash*\n+ vouchers\n\nand thanks.", "We take cards · cash · vouchers and thanks."},
		{"a numbered list", "1. Order\n2. Pay", "1. Order 2. Pay"},
		{"dashes and negative numbers", "-5 °C - 10 °C", "-5 °C - 10 °C"},
		{"a quote, a rule and a block", "> Nice\n\n---\n```go\nx\n```\ny", "Nice x y"},
		{"nothing but marks", " ***\n", "***"},
		{"nothing", " \n", ""},
	} {
		if diff := cmp.Diff(tc.want, Plain(tc.in)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
		}
	}
}

// TestRowsAndButtonsArePlain: bodies keep WhatsApp's formatting; what is tapped has none, even where a mark appears only because the text is cut.
func TestRowsAndButtonsArePlain(t *testing.T) {
	got := Fit([]Part{
		List{Body: "*Choose*", Button: "_More_", Rows: []Row{
			{"1", "**Fern**", "`24 USD` · *in stock*"}, {"2", "A *very long* name of a fern", "~24~ 20 USD"}, {"3", "Abcdefghijklmnopqr *st*uvw", "[Care](https://x.example)"},
		}},
		Buttons{Body: "_Sure?_", Buttons: []Button{{"yes", "*Yes*"}, {"no", "2*3*4"}}},
	})
	want := []Part{
		List{Body: "*Choose*", Button: "More", Rows: []Row{
			{"1", "Fern", "24 USD · in stock"}, {"2", "A very long name of a…", "A very long name of a fern · 24 20 USD"},
			{"3", "Abcdefghijklmnopqr…", "Abcdefghijklmnopqr *st*uvw · Care"},
		}},
		Buttons{Body: "_Sure?_", Buttons: []Button{{"yes", "Yes"}, {"no", "2*3*4"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(got, Fit(got)); diff != "" {
		t.Errorf("what fits does not stay (-want +got):\n%s", diff)
	}
	if got := label("Abcdefgh*st*uvw", 13); got != "Abcdefgh*st*…" {
		t.Errorf("a mark inside of a word is none: %q", got)
	}
	if got := label("Ab *st*uvw xyz", 8); got != "Ab st…" {
		t.Errorf("the mark that cutting makes stays: %q", got)
	}
}
