package ingress

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta/webhook"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
	"github.com/whatsapp-operator/whatsapp-operator/test/pgserver"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/source"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/postgres"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/sqlite"
)

// permutations is how many orders each store is shown.
const permutations = 8

// delivery is a body and who signs it.
type delivery struct{ secret, body string }

// story is what happens on two numbers: two customers who write, change their ids and numbers, edit and take back, the business's
// phone, another responder, and what Meta tells of accounts. No two events of one kind have the same time.
func story() []delivery {
	at := time.Now().Add(-2 * time.Hour).Unix()
	m := func(id, who string, after int64, rest string) string {
		return fmt.Sprintf(`{%s,"id":"wamid.%s","timestamp":"%d",%s}`, who, id, at+after, rest)
	}
	said := func(text string) string { return fmt.Sprintf(`"type":"text","text":{"body":%q}`, text) }
	const ana, ana2, bo, ghost = `"from":"49151","from_user_id":"US.1"`, `"from_user_id":"US.11"`, `"from":"49152","from_user_id":"US.2"`, `"from":"49153"`
	p := func(changes ...string) delivery { return delivery{secretA, body(entry("301", changes...))} }
	standby := func(of string) string {
		return `{"field":"standby","value":{"metadata":{"phone_number_id":"201"},"standby":{"messages":[` + of + `]}}}`
	}
	echo := func(id, to string, after int64, text string) string {
		return messagesOf("smb_message_echoes", "201", "message_echoes", fmt.Sprintf(`{"to":%q,"id":"wamid.%s","timestamp":"%d",%s}`, to, id, at+after, said(text)))
	}
	status := func(id, kind string, after int64, rest string) string {
		return messagesOf("messages", "201", "statuses", fmt.Sprintf(`{"id":"wamid.%s","status":%q,"timestamp":"%d"%s}`, id, kind, at+after, rest))
	}
	handover := func(phone string, after int64, kind string) string {
		return fmt.Sprintf(`{"field":"messaging_handovers","value":{"recipient":{"phone_number_id":"201"},"sender":{"phone_number":%q},"type":"control_%s","timestamp":%d,"control_%s":{}}}`,
			phone, kind, at+after, kind)
	}
	contact := func(after int64, name, action string) string {
		return fmt.Sprintf(`{"field":"smb_app_state_sync","value":{"metadata":{"phone_number_id":"201"},"state_sync":[{"type":"contact","contact":{"full_name":%q,"phone_number":"49151"},"action":%q,"metadata":{"timestamp":"%d"}}]}}`,
			name, action, at+after)
	}
	return []delivery{
		p(messages("201", m("a1", ana, 1, said("hello")), m("b1", bo, 2, said("hi")))),
		p(messages("201", m("a2", ana, 10, said("anyone?")))),
		p(messages("201", m("a3", ana2, 300, said("my new id")))),
		p(messages("201", m("a4", ana, 290, `"type":"system","system":{"type":"user_changed_user_id","user_id":"US.11","previous_user_id":"US.1"}`))),
		p(messages("201", m("a5", ana, 20, `"type":"edit","edit":{"original_message_id":"wamid.a2","message":{"type":"text","text":{"body":"anybody?"}}}`))),
		p(messages("201", m("a6", ana, 25, `"type":"edit","edit":{"original_message_id":"wamid.a2","message":{"type":"text","text":{"body":"anybody there?"}}}`))),
		p(messages("201", m("a7", ana, 30, `"type":"revoke","revoke":{"original_message_id":"wamid.a1"}`))),
		p(messages("201", m("a8", ana, 40, `"type":"image","image":{"id":"9","mime_type":"image/jpeg","sha256":"x=","caption":"this"}`))),
		p(messages("201", m("b2", bo, 50, `"type":"reaction","reaction":{"message_id":"wamid.e1","emoji":"x"}`))),
		p(messages("201", m("b3", bo, 60, `"type":"reaction","reaction":{"message_id":"wamid.e1","emoji":""}`))),
		p(standby(m("b4", bo, 70, said("to the other")))),
		p(standby(m("b5", bo, 80, said("to both")))), p(messages("201", m("b5", bo, 80, said("to both")))),
		p(messages("201", m("g1", ghost, 90, said("only a number")))),
		p(echo("e1", "49152", 45, "on my way"), status("e1", "delivered", 46, "")),
		p(status("e1", "read", 47, `,"pricing":{"type":"regular"}`), status("o1", "failed", 48, `,"errors":[{"code":131026}]`)),
		p(echo("e3", "49153", 91, "somebody answers")),
		p(echo("e2", "49151", 5, "before the handover")),
		p(handover("49151", 6, "passed")), p(handover("49151", 400, "passed")), p(handover("49151", 390, "taken")),
		p(handover("49152", 100, "taken")), p(handover("49152", 95, "passed")),
		p(fmt.Sprintf(`{"field":"history","value":{"metadata":{"phone_number_id":"201"},"history":[{"threads":[{"id":"49151","messages":[%s,%s]}]}]}}`,
			m("h1", `"from":"49151"`, -500, said("long ago")), m("h2", `"from":"1555","to":"49151"`, -400, said("we answered")))),
		p(contact(1, "Ana", "add"), contact(2, "Ana Plants", "add")), p(contact(0, "Nobody", "remove")),
		p(`{"field":"account_update","value":{"event":"ACCOUNT_RESTRICTION"}}`, `{"field":"calls","value":{"metadata":{"phone_number_id":"201"}}}`),
		p(messages("201", `{"id":"wamid.odd","type":"text"}`, m("a9", ana2, 310, `"type":"hologram","x":1`))),
		{secretD, body(entry("304", messages("204", m("a1", ana, 1, said("another number"))), messages("201", m("f1", bo, 1, said("forged")))))},
		{nobodys, body(entry("301", messages("201", m("f2", bo, 1, said("forged")))))},
	}
}

// projection is everything that is stored, by names that do not depend on the order in which it came.
type projection struct {
	Conversations, Messages, Raw, DeadLetters, Reports []string
	Quarantined                                        int
}

func projectionOf(t *testing.T, s store.Store) projection {
	t.Helper()
	ctx := t.Context()
	var out projection
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range []string{"line-p", "line-q", "line-r", "line-d"} {
		conversations, err := s.Conversations(ctx, line, 0, 100)
		check(err)
		for i := range conversations {
			c := &conversations[i]
			out.Conversations = append(out.Conversations, fmt.Sprintf("%s %+v %s/%s elsewhere %t, %d unanswered, due %t, customer %s, person %s",
				line, c.Contact, c.State, c.WaitingReason, c.OwnedElsewhere, c.LastSeq-c.AnsweredSeq, !c.ReplyDueAt.IsZero(), c.LastUserMessageAt, c.LastPersonMessageAt))
			messages, err := s.Messages(ctx, line, c.ID, 0, 1000)
			check(err)
			for k := range messages {
				m := &messages[k]
				out.Messages = append(out.Messages, fmt.Sprintf("%s %s of %+v: %s by %s in %s %q reply to %q, %t, edited %t, revoked %t, %q %q, %+v, %s at %s: %s",
					line, m.WAMID, c.Contact, m.Type, m.Author, m.Source, m.Text, m.ContextWAMID, m.Seq > 0, m.Edited, m.Revoked,
					m.CustomerReaction, m.BusinessReaction, m.Media, m.Status, m.EventTime, m.Raw))
			}
		}
	}
	raw, err := s.RawChanges(ctx, 0, 1000)
	check(err)
	for i := range raw {
		out.Raw = append(out.Raw, fmt.Sprintf("%s %s %s %t %s", raw[i].Line, raw[i].App, raw[i].Field, raw[i].Pending, raw[i].Raw))
	}
	dead, err := s.DeadLetters(ctx, 0, 1000)
	check(err)
	for i := range dead {
		out.DeadLetters = append(out.DeadLetters, fmt.Sprintf("%s %s %s %s", dead[i].Line, dead[i].Kind, dead[i].Reason, dead[i].Raw))
	}
	reports, err := s.Reports(ctx, 0, 1000)
	check(err)
	for i := range reports {
		if reports[i].Kind == store.ReportKind(serverapi.KindAccountEvent) {
			out.Reports = append(out.Reports, fmt.Sprintf("%s %s", reports[i].Line, reports[i].Payload))
		}
	}
	entries, err := s.QuarantineEntries(ctx, appA.AppID, 0, 100)
	check(err)
	out.Quarantined = min(1, len(entries)) // each copy is kept: nobody can say yet what it is
	for _, names := range [][]string{out.Conversations, out.Messages, out.Raw, out.Reports} {
		slices.Sort(names)
	}
	slices.Sort(out.DeadLetters)
	out.DeadLetters = slices.Compact(out.DeadLetters) // what has no id is kept as often as it came
	return out
}

// TestAnyOrderGivesTheSameStore delivers the same webhooks in many orders, with copies, to each store: what is stored does not depend
// on it.
func TestAnyOrderGivesTheSameStore(t *testing.T) {
	database, err := pgserver.Shared(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := database.Stop(); err != nil {
			t.Error(err)
		}
	})
	stores := map[string]func(t *testing.T) store.Store{
		"sqlite": func(t *testing.T) store.Store {
			t.Helper()
			s, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "store.db")})
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
		"postgres": func(t *testing.T) store.Store {
			t.Helper()
			dsn, drop, err := database.Schema(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := drop(context.WithoutCancel(t.Context())); err != nil {
					t.Error(err)
				}
			})
			s, err := postgres.Open(t.Context(), postgres.Options{DSN: dsn})
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
	}
	all := story()
	var want *projection
	for _, name := range []string{"sqlite", "postgres"} {
		random := rand.New(rand.NewPCG(20, 26))
		for n := range permutations {
			t.Run(fmt.Sprint(name, " ", n), func(t *testing.T) {
				order := slices.Clone(all)
				if n > 0 { // the first is told as it happened
					for range len(all) / 3 {
						order = append(order, all[random.IntN(len(all))])
					}
					random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
				}
				got := tell(t, stores[name](t), order)
				if want == nil {
					want = &got
					checkStory(t, got)
				}
				if diff := gocmp.Diff(*want, got); diff != "" {
					var told []string
					for _, d := range order {
						told = append(told, d.body)
					}
					t.Errorf("another store (-want +got):\n%s\nafter\n%s", diff, strings.Join(told, "\n"))
				}
			})
		}
	}
}

// tell delivers webhooks in an order, and returns what a store makes of them.
func tell(t *testing.T, s store.Store, order []delivery) projection {
	t.Helper()
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	view := source.NewView()
	objects := make([]runtimeconfig.Object, 0, 8)
	for _, part := range everything() {
		o, err := part.Object()
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, o)
	}
	view.Publish(objects)
	h, err := New(Options{View: view, Store: s, Metrics: prometheus.NewRegistry(), Log: logr.Discard(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range order {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, Path, strings.NewReader(d.body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set(webhook.SignatureHeader, webhook.Sign([]byte(d.secret), []byte(d.body)))
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, r)
		if answer.Code != http.StatusOK {
			t.Fatalf("answered %d to %s", answer.Code, d.body)
		}
		if i%5 == 0 || i == len(order)-1 {
			if err := h.projectOnce(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	return projectionOf(t, s)
}

// checkStory fails unless the story came out as it should: a store that keeps nothing is always the same.
func checkStory(t *testing.T, p projection) {
	t.Helper()
	counts := []int{len(p.Conversations), len(p.Messages), len(p.Raw), len(p.DeadLetters), len(p.Reports), p.Quarantined}
	if diff := gocmp.Diff([]int{4, 16, 11, 1, 1, 1}, counts); diff != "" {
		t.Errorf("the story has another end (-want +got):\n%s\n%s", diff, strings.Join(slices.Concat(p.Conversations, p.Messages, p.Raw), "\n"))
	}
	of := func(list []string, part string) string {
		return cmp.Or(append(slices.DeleteFunc(slices.Clone(list), func(s string) bool { return !strings.Contains(s, part) }), "")...)
	}
	for _, want := range []struct {
		list    []string
		of, has string
	}{
		{p.Conversations, "SavedName:Ana Plants", "Active/ elsewhere false"},
		{p.Conversations, "Phone:49152", "Active/ elsewhere true"},
		{p.Conversations, "Phone:49153", "Human/ elsewhere false"},
		{p.Messages, "line-p wamid.a1 ", "revoked true"},
		{p.Messages, "wamid.a2 ", `"anybody there?"`},
		{p.Messages, "wamid.b5 ", "in messages"},
		{p.Messages, "wamid.e1 ", "read at"},
	} {
		if got := of(want.list, want.of); !strings.Contains(got, want.has) {
			t.Errorf("%q is not in %q", want.has, got)
		}
	}
}
