package record

import (
	"strings"
	"testing"
)

func TestRedact(t *testing.T) {
	forms := Mentions([]string{"491", "US.1"})
	for reason, tc := range map[string]struct{ raw, want string }{
		"one of two messages": {
			`{"metadata":{"phone_number_id":"5"},"contacts":[{"wa_id":"491"},{"wa_id":"492"}],"messages":[{"from":"491","id":"a"},{"from":"492","id":"b"}]}`,
			`{"metadata":{"phone_number_id":"5"},"contacts":[{"wa_id":"492"}],"messages":[{"from":"492","id":"b"}]}`,
		},
		"nothing of others":                  {`{"metadata":{"phone_number_id":"5"},"contacts":[{"wa_id":"491"}],"messages":[{"from":"+491"}]}`, ``},
		"named outside of any array":         {`{"user":"US.1","messages":[{"from":"492"}]}`, ``},
		"named in a key":                     {`{"491":1,"messages":[{"from":"492"}]}`, ``},
		"named in a key of an element":       {`{"messages":[{"US.1":1},{"from":"492"}]}`, `{"messages":[{"from":"492"}]}`},
		"another whose message names him":    {`{"messages":[{"from":"492","context":{"from":"491"}},{"from":"493"}]}`, `{"messages":[{"from":"493"}]}`},
		"a change of a batch, and its entry": {`{"entry":[{"id":"1","changes":[{"value":{"messages":[{"from":"491"}]}}]},{"id":"2","changes":[{"value":{"messages":[{"from":"492"}]}}]}]}`, `{"entry":[{"id":"2","changes":[{"value":{"messages":[{"from":"492"}]}}]}]}`},
		"a thread of a history":              {`{"history":[{"threads":[{"id":"491","messages":[{"to":"491"}]},{"id":"492","messages":[{"to":"492"}]}]}]}`, `{"history":[{"threads":[{"id":"492","messages":[{"to":"492"}]}]}]}`},
		"who only begins like him":           {`{"messages":[{"from":"4912"},{"text":"call \"491\""}]}`, `{"messages":[{"from":"4912"},{"text":"call \"491\""}]}`},
		"large numbers and duplicates stay":  {`{"a":12345678901234567890,"a":2,"messages":[{"from":"491"},{"n":1.50}]}`, `{"a":12345678901234567890,"a":2,"messages":[{"n":1.50}]}`},
		"an array":                           {`["491","492"]`, `["492"]`},
		"no JSON":                            {`{"messages":[{"from":"491"}`, ``},
		"too deep to look":                   {`{"m":[{"from":"492"},` + strings.Repeat("[", 99) + `"491"` + strings.Repeat("]", 99) + `]}`, `{"m":[{"from":"492"},` + strings.Repeat("[", 31) + strings.Repeat("]", 31) + `]}`},
	} {
		if got := string(Redact([]byte(tc.raw), forms)); got != tc.want {
			t.Errorf("%s:\n got %s\nwant %s", reason, got, tc.want)
		}
	}
}
