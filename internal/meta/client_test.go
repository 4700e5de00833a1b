package meta

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNewRefuses(t *testing.T) {
	for reason, cfg := range map[string]Config{
		"a relative base URL":                   {BaseURL: "/graph"},
		"another scheme":                        {BaseURL: "ftp://graph.example"},
		"user info in the base URL":             {BaseURL: "https://a:topsecret@graph.example"},
		"a query in the base URL":               {BaseURL: "https://graph.example?topsecret"},
		"a version without v":                   {Version: "25.0"},
		"a version that is a path":              {Version: "v25.0/../me"},
		"a media host, no origin":               {MediaOrigins: []string{"lookaside.example"}},
		"a media origin that is no web address": {MediaOrigins: []string{"file:///topsecret"}},
	} {
		if _, err := New(cfg); err == nil || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%s: error %v", reason, err)
		}
	}
}

func TestBaseURLMayHaveAPath(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, `{"id":%q}`, strings.ReplaceAll(r.URL.Path, "/", "."))
	})
	c := newClient(t, s.URL+"/proxy/", func(cfg *Config) { cfg.Version = "v26.0" })
	me, err := c.Me(testContext(t), cred)
	if err != nil || me.ID != ".proxy.v26.0.me" {
		t.Errorf("path %s, error %v", me.ID, err)
	}
}

// TestPages follows cursors, and must not use the URL in next, which holds the token.
func TestPages(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		after := r.URL.Query().Get("after")
		next := map[string]string{"": "b", "b": "c"}[after]
		if next == "" {
			_, _ = io.WriteString(w, `{"data":[{"id":"3"}],"paging":{"cursors":{"after":"end"}}}`)
			return
		}
		_, _ = fmt.Fprintf(w, `{"data":[{"id":"%d"}],"paging":{"cursors":{"after":%q},"next":"http://127.0.0.1:1/%s"}}`, len(after)+1, next, testToken)
	})
	lines, err := newClient(t, s.URL).CreditLines(testContext(t), cred, "5")
	if diff := cmp.Diff([]CreditLine{{ID: "1"}, {ID: "2"}, {ID: "3"}}, lines); diff != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
	for reason, page := range map[string]string{
		"an endless list":                      `{"data":[],"paging":{"cursors":{"after":"x"},"next":"y"}}`,
		"a list that goes on without a cursor": `{"data":[{"id":"1"}],"paging":{"next":"y"}}`,
	} {
		_, err := newClient(t, serve(t, answering(200, nil, page)).URL).CreditLines(testContext(t), cred, "5")
		if e := mustError(t, err); e.Class != ClassBadResponse || e.Outcome != Unknown {
			t.Errorf("%s gave %s", reason, e)
		}
	}
}

func TestCredentialNeverPrints(t *testing.T) {
	holder := struct{ cred Credential }{cred}
	js, err := json.Marshal(cred)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		string(js), fmt.Sprintf("%v %+v %#v %s %q", cred, cred, cred, cred, cred), fmt.Sprintf("%v %+v %#v %s", holder, holder, holder, holder),
		fmt.Sprintf("%+v", exchangeRequest()), fmt.Sprintf("%+v", &call{cred: cred}),
	} {
		for _, secret := range []string{testToken, testAppSecret, testCode} {
			if strings.Contains(text, secret) {
				t.Errorf("prints a secret: %s", text)
			}
		}
	}
}

func TestGrantedWABAs(t *testing.T) {
	for _, tc := range []struct {
		reason, json string
		ids          []string
		all          bool
	}{
		{"named accounts, newest first", `{"scopes":["m"],"granular_scopes":[{"scope":"m","target_ids":["2","1","2"]}]}`, []string{"2", "1"}, false},
		{"no targets mean all", `{"scopes":["m"],"granular_scopes":[{"scope":"m"}]}`, nil, true},
		{"an empty list grants nothing", `{"scopes":["m"],"granular_scopes":[{"scope":"m","target_ids":[]}]}`, nil, false},
		{"without granular scopes the scope covers all", `{"scopes":["m"]}`, nil, true},
		{"another scope grants nothing", `{"scopes":["x"],"granular_scopes":[{"scope":"x","target_ids":["2"]}]}`, nil, false},
	} {
		var info TokenInfo
		if err := json.Unmarshal([]byte(tc.json), &info); err != nil {
			t.Fatal(err)
		}
		ids, all := info.GrantedWABAs("m")
		if diff := cmp.Diff(tc.ids, ids); diff != "" || all != tc.all {
			t.Errorf("%s: all %t (-want +got):\n%s", tc.reason, all, diff)
		}
		if info.HasScope("m") == strings.HasPrefix(tc.reason, "another") {
			t.Errorf("%s: HasScope is wrong", tc.reason)
		}
	}
}

func TestID(t *testing.T) {
	for _, tc := range []struct {
		json string
		want ID
		bad  bool
	}{
		{`"102290129340398"`, "102290129340398", false},
		{`122100000000000001`, "122100000000000001", false},
		{`null`, "", false},
		{`1e5`, "", true},
		{`-1`, "", true},
		{`1.5`, "", true},
		{`{}`, "", true},
		{`true`, "", true},
	} {
		var id ID
		if err := json.Unmarshal([]byte(tc.json), &id); (err != nil) != tc.bad || id != tc.want {
			t.Errorf("%s: got %q, error %v", tc.json, id, err)
		}
	}
}

func TestOwner(t *testing.T) {
	b := &Business{ID: "1"}
	for reason, w := range map[string]WABA{
		"the documented member":                 {OwnerBusinessInfo: b, OnBehalfOf: &Business{ID: "2"}},
		"the member of accounts held on behalf": {OwnerBusinessInfo: &Business{}, OnBehalfOf: b},
	} {
		if got := w.Owner(); got != *b {
			t.Errorf("%s: got %+v", reason, got)
		}
	}
}
