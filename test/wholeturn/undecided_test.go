package wholeturn

import (
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/sqlite"
)

// The tests of this file lead a whole turn through both answers to what Meta leaves open about sending. Letters and numbers name the
// question, as they do in the tests of the controllers.

const (
	asksHours, hours       = "When do you open?", "We open at nine."
	asksShipping, shipping = "How long does shipping take?", "Shipping takes two days."
	bakersFunding          = "3049822198523001"
)

// positioned is a world of which Meta has taken its positions.
func positioned(t *testing.T, switches func(*metasim.Switches), o Options) *World {
	t.Helper()
	w := New(t, o)
	must(t, w.Sim.Switch(switches))
	return w
}

// fund lets somebody pay for the bakery's messages, or nobody.
func (w *World) fund(id string) {
	w.t.Helper()
	must(w.t, w.Sim.UpdateWABA(metasim.DemoDirectWABA, func(a *metasim.WABA) { a.PrimaryFundingID = id }))
}

// sends is how often Meta was asked to send.
func (w *World) sends() int { return w.Sim.Counters().Calls["send"] }

// parked is why the bakery's sends are on hold; empty if they are not.
func (w *World) parked() string {
	w.t.Helper()
	all, err := w.Store.ParkedLines(w.t.Context())
	must(w.t, err)
	for _, p := range all {
		if p.Line == Line {
			return p.Reason
		}
	}
	return ""
}

// rows are what was to be sent to the customer, oldest first.
func (p *Phone) rows() []store.OutboxRow {
	p.t.Helper()
	c, _ := p.Conversation()
	all, err := p.w.Store.OutboxRows(p.t.Context(), Line, 0, 100)
	must(p.t, err)
	return slices.DeleteFunc(all, func(r store.OutboxRow) bool { return r.ConversationID != c.ID })
}

// arrived is how many messages of the business the phone has shown.
func (p *Phone) arrived() int {
	n := 0
	for _, e := range p.out() {
		if e.Status == "delivered" || e.Status == "read" {
			n++
		}
	}
	return n
}

// TestBothAnswersToC9AndC12 takes the bakery's funding, or its access, away: Meta says so with one code or another, in the answer to a
// send or in a status. Nothing is sent any more, all that customers write is kept and answered once that is mended.
func TestBothAnswersToC9AndC12(t *testing.T) {
	for _, tc := range []struct {
		question string
		code     int
		parked   string
	}{
		{"C12: nobody pays", 131042, "PaymentRequired"},
		{"C9: the permission is gone", 10, "PermissionDenied"},
		{"C9: the access to the account is gone", 200, "PermissionDenied"},
		{"C9: access is denied", 131005, "PermissionDenied"},
		{"C9: the token is gone", 190, "InvalidAccessToken"},
	} {
		for _, told := range []string{"sync", "async"} {
			t.Run(fmt.Sprintf("%s, told %s", tc.question, told), func(t *testing.T) {
				t.Parallel()
				w := positioned(t, func(s *metasim.Switches) { s.Unfunded, s.UnfundedCode = told, tc.code }, Options{})
				w.fund("")
				p := w.customer(t, "unfunded")
				p.Writes(asksHours)
				p.Until("sends are on hold for "+tc.parked, func() bool { return w.parked() == tc.parked })
				// The line is put on hold before the outcome of the send is kept, so that nothing is claimed in between.
				p.Until("the outcome of the first send is kept", func() bool { return p.rows()[0].State != store.SendSending })
				p.Writes(asksShipping)
				p.Until("the next question is kept, and its answer due", func() bool {
					c, _ := p.Conversation()
					return !c.ReplyDueAt.IsZero() && slices.ContainsFunc(p.Stored(), func(m store.Message) bool { return m.Text == asksShipping })
				})
				if n := w.sends(); n != 1 || len(p.rows()) != 1 || p.arrived() != 0 {
					t.Errorf("Meta was asked %d times for %d answers, %d arrived", n, len(p.rows()), p.arrived())
				}
				// What a status refuses is over; what an answer refuses was never sent.
				first, want, left := p.rows()[0], store.SendPending, 2
				if told == "async" {
					want, left = store.SendAccepted, 1
				}
				if first.State != want || (told == "async" && (first.Status != store.StatusFailed || first.ErrorCode != tc.code)) {
					t.Errorf("the first answer is %+v", first)
				}

				w.fund(bakersFunding)
				w.renew()
				p.Until("what waited arrives", func() bool { return p.arrived() == left })
				p.Gets(0, shipping)
				if n := w.sends(); n != 1+left {
					t.Errorf("Meta was asked %d times", n)
				}
			})
		}
	}
}

// renew gives the bakery another token.
func (w *World) renew() {
	w.t.Helper()
	const another = "122100000000000009"
	must(w.t, w.Sim.Add(metasim.World{SystemUsers: []metasim.SystemUser{{
		ID: another, Name: "bakery-bot-2", AppID: metasim.DemoDirectAppID, BusinessID: "2729063490586100",
		Scopes: []string{"whatsapp_business_management", "whatsapp_business_messaging"},
	}}}))
	w.Publish(func(ch *runtimeconfig.Channel) { ch.AccessToken = redact.New(w.Sim.SystemToken(another)) })
}

// TestBothAnswersToC11 sends with and without an allowance of free messages, and with and without somebody who pays: what Meta takes
// arrives, and sends are on hold from what it doesn't take.
func TestBothAnswersToC11(t *testing.T) {
	for _, tc := range []struct {
		name     string
		paid     bool
		unfunded string
		free     int
		arrive   int
	}{
		{"nothing is free, somebody pays", true, "async", 0, 2},
		{"one is free, somebody pays", true, "free_allowance", 1, 2},
		{"nothing is free, nobody pays", false, "async", 0, 0},
		{"the free ones need somebody who would pay", false, "async", 1000, 0},
		{"one is free, nobody pays", false, "free_allowance", 1, 1},
		{"enough are free, nobody pays", false, "free_allowance", 1000, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := positioned(t, func(s *metasim.Switches) { s.Unfunded, s.FreeServiceMessages = tc.unfunded, tc.free }, Options{})
			if !tc.paid {
				w.fund("")
			}
			p := w.customer(t, "free")
			for i, question := range []string{asksHours, asksShipping} {
				p.Writes(question)
				p.Until("the answer arrives, or sends are on hold", func() bool { return p.arrived() == i+1 || w.parked() != "" })
				if w.parked() != "" {
					break
				}
			}
			parked := ""
			if tc.arrive < 2 {
				parked = "PaymentRequired"
			}
			if p.arrived() != tc.arrive || w.parked() != parked {
				t.Errorf("%d messages arrived, sends are on hold for %q; want %d, %q", p.arrived(), w.parked(), tc.arrive, parked)
			}
		})
	}
}

// TestBothAnswersToB6 sends for a number with several accounts. Where Meta refuses what names none of them, nothing is sent again and
// again, and naming one mends it; where it doesn't, both are fine.
func TestBothAnswersToB6(t *testing.T) {
	name := func(ch *runtimeconfig.Channel) { ch.MessagingAccountID = metasim.DemoDirectWABA }
	for _, tc := range []struct {
		position string
		change   func(*runtimeconfig.Channel)
	}{
		{"silent", nil}, {"silent", name}, {"error", nil}, {"error", name},
	} {
		t.Run(fmt.Sprintf("%s, named: %t", tc.position, tc.change != nil), func(t *testing.T) {
			t.Parallel()
			w := positioned(t, func(s *metasim.Switches) { s.AmbiguousPayer = tc.position }, Options{Change: tc.change})
			p := w.customer(t, "ambiguous")
			p.Writes(asksHours)
			want := store.SendAccepted
			if tc.position == "error" && tc.change == nil {
				want = store.SendFailed
			}
			p.Until("the answer is "+string(want), func() bool { return len(p.rows()) == 1 && p.rows()[0].State == want })
			if want == store.SendFailed {
				if r := p.rows()[0]; r.Reason != "Invalid" || r.ErrorCode != 100 || w.parked() != "" {
					t.Errorf("the answer is %+v, sends are on hold for %q", r, w.parked())
				}
				w.Publish(name)
				p.Writes(asksShipping)
				p.Gets(0, shipping)
			}
			p.Until("an answer arrives", func() bool { return p.arrived() == 1 })
			if n := w.sends(); n != len(p.rows()) {
				t.Errorf("Meta was asked %d times for %d answers", n, len(p.rows()))
			}
		})
	}
}

// TestBothAnswersToE7AndE10 loses Meta's answer to a send, or doesn't, with and without the history of messages, and with and without
// our data in the status of a message that failed. Each send is settled by what Meta told of it. A customer who can be reached gets
// one message, and one who can't is not sent to without end. The history is never asked for, so that nothing depends on it.
func TestBothAnswersToE7AndE10(t *testing.T) {
	for _, lost := range []bool{false, true} {
		for _, unreachable := range []bool{false, true} {
			for _, position := range []bool{false, true} {
				t.Run(fmt.Sprintf("the answer is lost: %t, unreachable: %t, history and data absent on failed: %t", lost, unreachable, position), func(t *testing.T) {
					t.Parallel()
					w, advance := newClocked(t)
					must(t, w.Sim.Switch(func(s *metasim.Switches) { s.MessageHistory, s.OmitOpaqueDataOnFailed = position, position }))
					p := w.customer(t, "lost")
					must(t, w.Sim.Add(metasim.World{Customers: []metasim.Customer{{WaID: p.Customer, Name: "lost", Unreachable: unreachable}}}))
					if lost {
						_, err := w.Sim.AddFault(metasim.Fault{Call: "send", Action: metasim.ActionResetAfter})
						must(t, err)
					}
					p.Writes(asksHours)
					p.Until("Meta is asked", func() bool { return len(p.out()) == 1 })
					sends := 1
					if lost && unreachable && position {
						// Nothing links the status with the send. That webhooks come through shows that it was not delivered.
						sends = 2
						p.Until("the outcome is unknown", func() bool { return p.rows()[0].State == store.SendUnknown })
						witness := w.customer(t, "witness")
						witness.Writes(asksHours)
						witness.Until("its status", func() bool { return len(witness.rows()) == 1 && witness.rows()[0].Status.Rank() > 0 })
						if r := p.rows()[0]; r.State != store.SendUnknown || len(p.out()) != 1 {
							t.Errorf("before a status had its time, the send is %+v", r)
						}
						advance(store.ResendAfter)
					}
					settled := func(r *store.OutboxRow) bool {
						if unreachable {
							return r.State == store.SendAccepted && r.Status == store.StatusFailed && r.ErrorCode == 131026
						}
						return r.State == store.SendAccepted && r.Status.Rank() >= store.StatusDelivered.Rank() && r.Status != store.StatusFailed
					}
					p.Until("the send is settled", func() bool { return settled(&p.rows()[0]) })
					if len(p.out()) != sends || w.Sim.Counters().Calls["message_history"] != 0 {
						t.Errorf("sent %d times, want %d; the history was asked for %d times", len(p.out()), sends, w.Sim.Counters().Calls["message_history"])
					}
				})
			}
		}
	}
}

// newClocked is a world whose store's clock can be advanced.
func newClocked(t *testing.T) (w *World, advance func(time.Duration)) {
	t.Helper()
	var ahead atomic.Int64
	w = newMeta(t, Options{})
	var err error
	w.Store, err = sqlite.Open(t.Context(), sqlite.Options{
		Path:  filepath.Join(t.TempDir(), "messages.db"),
		Clock: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) },
	})
	must(t, err)
	t.Cleanup(func() { must(t, w.Store.Close()) })
	w.Publish(nil)
	w.serve()
	return w, func(d time.Duration) { ahead.Add(int64(d)) }
}
