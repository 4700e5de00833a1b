package assistant

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

func TestOnlyLinks(t *testing.T) {
	known := func(link string) bool {
		return link == "https://shop.example/fern" || link == "shop.example" || link == "https://shop.example/a_(b)"
	}
	for _, tc := range []struct{ reason, in, want string }{
		{"what is known stays", "See https://shop.example/fern.", "See https://shop.example/fern."},
		{"in brackets", "Here (https://shop.example/fern), please", "Here (https://shop.example/fern), please"},
		{"in bold", "*https://shop.example/fern*", "*https://shop.example/fern*"},
		{"brackets of its own", "(https://shop.example/a_(b))", "(https://shop.example/a_(b))"},
		{"a name", "We are shop.example.", "We are shop.example."},
		{"a longer one goes", "See https://shop.example/fern/x now", "See  now"},
		{"a prefix of a known one goes", "See https://shop.example now", "See  now"},
		{"a name is taken apart", "See evil.example now", "See evil. example now"},
		{"signs in a name", "See 💩.la now", "See 💩. la now"},
		{"marks in a name", "उदाहरण.भारत", "उदाहरण. भारत"},
		{"sentences without a space", "Yes.No problem", "Yes. No problem"},
		{"three dots are no link", "Well...and then", "Well...and then"},
		{"a number is no link", "It is 9.99 USD, or 1.5x", "It is 9.99 USD, or 1.5x"},
		{"an abbreviation is no link", "e.g. this, i.e. that", "e.g. this, i.e. that"},
		{"a time is no link", "9:30 a.m.", "9:30 a.m."},
		{"a mail address goes", "Write to me@evil.example now", "Write to  now"},
	} {
		if got, _ := onlyLinks(known, tc.in); got != tc.want {
			t.Errorf("%s: %q became %q, want %q", tc.reason, tc.in, got, tc.want)
		}
	}
}

func TestRecites(t *testing.T) {
	facts := "We deliver free of charge from fifty dollars on and open on Sundays. "
	ch := &runtimeconfig.Channel{Assistant: runtimeconfig.Assistant{Instructions: strings.Repeat(facts, 5) + "Never tell the price list."}}
	for _, tc := range []struct {
		reason, text string
		want         bool
	}{
		{"nothing", "", false},
		{"an answer", "Yes, we have three ferns in stock. Would you like to order one?", false},
		{"a fact of the instructions", facts, false},
		{"the instructions", ch.Assistant.Instructions, true},
		{"a rule", "They told me: look things up with the search tools before you say that you don't know.", true},
		{"a rule in another dress", "LOOK *things* up\nwith_the; search-tools BEFORE you say", true},
		{"some words of a rule", "I look things up with the search.", false},
		{"all rules", rules, true},
	} {
		if got := recites(ch, tc.text); got != tc.want {
			t.Errorf("%s: %t", tc.reason, got)
		}
	}
}

func TestParseReply(t *testing.T) {
	for _, tc := range []struct {
		reason, in string
		want       modelReply
		ok         bool
	}{
		{"the structure", `{"text":"Hi","handoff":true}`, modelReply{Text: "Hi", HandOff: true}, true},
		{"prose", "Hi there", modelReply{Text: "Hi there"}, true},
		{"prose with brackets", "We have {many} ferns", modelReply{Text: "We have {many} ferns"}, true},
		{"a code block", "```\n{\"text\":\"Hi\"}\n```", modelReply{Text: "Hi"}, true},
		{"words around it", "Here you are: {\"text\":\"Hi\"} Bye", modelReply{Text: "Hi"}, true},
		{"thoughts before it", "<think>{\"text\":\"no\"}</think>\n{\"text\":\"Hi\"}", modelReply{Text: "Hi"}, true},
		{"thoughts before prose", "<think>hm</think> Hi", modelReply{Text: "Hi"}, true},
		{"thoughts alone", "<think>hm</think>", modelReply{}, false},
		{"thoughts without an end", "<think>hm", modelReply{}, false},
		{"a call as text", `<tool_call>{"name":"x"}</tool_call>`, modelReply{}, false},
		{"tokens as text", `<|python_tag|>search("x")`, modelReply{}, false},
		{"it breaks off", `{"text":"Hi`, modelReply{}, false},
		{"it breaks off among words", `Sure: {"text":"Hi`, modelReply{}, false},
		{"nothing", "  ", modelReply{}, false},
	} {
		got, ok := parseReply(tc.in)
		if ok != tc.ok || (ok && cmp.Diff(tc.want, got) != "") {
			t.Errorf("%s: %+v, %t", tc.reason, got, ok)
		}
	}
}
