package wholeturn

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

// TestTurnLoop takes a model through what it may do and what it must not do, and looks at the customer's phone and at what the model
// is told.
func TestTurnLoop(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	search := Asks("search_catalog", `{"query":"lamp"}`)
	tooLong := Answer{Status: 400, Code: "context_length_exceeded"}
	repeat := func(a Answer, n int) []Answer { return slices.Repeat([]Answer{a}, n) }
	cases := []struct {
		name string
		asks string
		does []step
		// gets are words of the answer, hears what the model must have been told.
		gets, hears []string
		// asked is how often the model is asked; 0 if it does not matter.
		asked int
	}{
		{"rounds", "What have you got?", steps(search, Asks("search_knowledge", `{"query":"shipping"}`), Says("Two days.")),
			[]string{"Two days."}, []string{"45.50 USD", "out of stock", "Shipping takes two days"}, 3},
		{"filters", "What have you got?", steps(Asks("search_catalog", `{"query":"fern chair lamp","max_price":50,"only_available":true}`), Says("This.")),
			[]string{"This."}, []string{`\"id\":\"fern\"`}, 2},
		{"five", "What have you got?", steps(append(repeat(search, 5), Says("Found it."))...), []string{"Found it."}, nil, 6},
		{"six", "When do you open?", steps(repeat(search, 6)...), []string{"open at nine"}, nil, 6},
		{"unknown", "What have you got?", steps(Asks("launch_rocket", `{}`), Says("I can't.")), []string{"I can't."}, []string{"There is no such tool"}, 2},
		{"schema", "What have you got?", steps(Asks("search_catalog", `{"query":7}`), Says("Sorry.")), []string{"Sorry."}, []string{"do not match the tool's schema"}, 2},
		{"extra", "What have you got?", steps(Asks("search_catalog", `{"query":"fern","shop":"other"}`), Says("Sorry.")), []string{"Sorry."}, []string{"do not match"}, 2},
		{"broken", "What have you got?", steps(Asks("search_catalog", `{"query":`), Says("Sorry.")), []string{"Sorry."}, []string{"not valid JSON"}, 2},
		{"long", "What have you got?", steps(Asks("search_catalog", `{"query":"`+strings.Repeat("x", 20_000)+`"}`), Says("Sorry.")), []string{"Sorry."}, []string{"too long"}, 2},
		{"deadline", "What have you got?", steps(Asks("slow__think", `{}`), Says("It takes too long.")), []string{"takes too long"}, []string{"did not answer in time"}, 2},
		{"failing", "What have you got?", steps(Asks("shop__fail", `{}`), Says("It is closed.")), []string{"It is closed."}, []string{"the shop is closed"}, 2},
		{"cut", "What have you got?", steps(Asks("shop__talk", `{}`), Says("Much.")), []string{"Much."}, []string{`\"cut\":true`}, 2},
		{"prose", "What have you got?", steps(Answer{Content: "We **do**."}), []string{"We *do*."}, nil, 1},
		{"fenced", "What have you got?", steps(Answer{Content: "```\n{\"text\":\"Ferns.\"}\n```"}), []string{"Ferns."}, nil, 1},
		{"between", "What have you got?", steps(Answer{Content: "Sure! Here it is:\n{\"text\":\"Ferns.\",\"products\":[]}\nBye"}), []string{"Ferns."}, nil, 1},
		{"nothing", "When do you open?", steps(Answer{}), []string{"open at nine"}, nil, 0},
		{"emptytext", "When do you open?", steps(Says("")), []string{"open at nine"}, []string{"This answer can't be shown"}, 3},
		{"junk", "When do you open?", steps(Answer{Content: `{"text":`}), []string{"open at nine"}, nil, 3},
		{"twojunk", "When do you open?", steps(Answer{Content: `{"text":`}, Answer{Content: `{"text":`}, Says("At nine sharp.")), []string{"At nine sharp."}, nil, 3},
		{"refusal", "When do you open?", steps(Answer{Refusal: "I would rather not."}), []string{"open at nine"}, nil, 1},
		{"down", "When do you open?", steps(Answer{Status: 500}), []string{"open at nine"}, nil, 0},
		{"revoked", "When do you open?", steps(Answer{Status: 401, Code: "invalid_api_key"}), []string{"open at nine"}, nil, 0},
		{"toolong", "When do you open?", steps(tooLong), []string{"open at nine"}, nil, 0},
	}
	script := map[string][]step{
		// The model takes no request that still has the first message.
		"history": {always(Says("Hello.")), func(r Request) Answer {
			if strings.Contains(r.Body, "a very long story") {
				return tooLong
			}
			return Says("At nine, I think.")
		}},
	}
	for _, tc := range cases {
		script[tc.name] = tc.does
	}
	model := scripted(t, script)
	shop := NewTools(t,
		Tool{"fail", `{"type":"object"}`, func(ToolCall) (string, bool) { return "the shop is closed", true }},
		Tool{"talk", `{"type":"object"}`, func(ToolCall) (string, bool) { return strings.Repeat("blah ", 10_000), false }},
		Tool{"think", `{"type":"object"}`, func(ToolCall) (string, bool) { <-hang; return "42", false }},
	)
	w := New(t, Options{Change: func(ch *runtimeconfig.Channel) {
		model.Give(ch, runtimeconfig.CapabilityChat)
		slow := shop.Server("slow", false, "think")
		slow.Timeout = runtimeconfig.Duration(8 * time.Second) // the list of its tools takes some of it, too, on a machine that is busy
		ch.Assistant.Tools = []runtimeconfig.ToolServer{shop.Server("shop", false, "fail", "talk"), slow}
	}})
	t.Run("cases", func(t *testing.T) {
		for _, tc := range cases {
			t.Run(tc.name, func(t *testing.T) {
				t.Parallel()
				p := w.customer(t, tc.name)
				p.Writes(tc.asks)
				p.Gets(0, tc.gets...)
				p.Settled()
				mine := by(model, tc.name)
				if tc.asked > 0 && len(mine) != tc.asked {
					t.Errorf("the model was asked %d times, want %d", len(mine), tc.asked)
				}
				if !told(mine, tc.hears...) {
					t.Errorf("the model was never told %q", tc.hears)
				}
				if got := join(p); strings.Contains(got, `{"text"`) || strings.Contains(got, "```") {
					t.Errorf("the customer got %s", got)
				}
			})
		}
		t.Run("history", func(t *testing.T) {
			t.Parallel()
			p := w.customer(t, "history")
			p.Writes("a very long story")
			p.Gets(0, "Hello.")
			p.Writes("When do you open?")
			p.Gets(1, "At nine, I think.")
		})
	})
	// What a filter leaves out is not told.
	for _, r := range by(model, "filters") {
		if newest := r.Newest(); strings.Contains(newest, `\"id\":\"chair\"`) || strings.Contains(newest, `\"id\":\"lamp\"`) {
			t.Errorf("the search with filters told %s", newest)
		}
	}
}
