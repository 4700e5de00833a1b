package metasim_test

import (
	"testing"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
)

func TestWhatPassesBesideCustomersMessages(t *testing.T) {
	hour := metasim.Duration(time.Hour)
	handOver := func(to string) func(*metasim.Simulator) error {
		return func(s *metasim.Simulator) error {
			_, err := s.HandOver(metasim.Handover{PhoneNumberID: metasim.DemoDirectPhone, Customer: metasim.DemoCustomer, To: to})
			return err
		}
	}
	standby := func(s *metasim.Simulator) error {
		_, err := s.Send(metasim.InboundMessage{From: metasim.DemoCustomer, PhoneNumberID: metasim.DemoDirectPhone, Text: "hi", Standby: true})
		return err
	}
	echo := func(of metasim.Echo) func(*metasim.Simulator) error {
		return func(s *metasim.Simulator) error {
			of.PhoneNumberID, of.To = metasim.DemoDirectPhone, metasim.DemoCustomer
			_, err := s.SendEcho(of)
			return err
		}
	}
	history := func(messages ...metasim.PastMessage) func(*metasim.Simulator) error {
		return func(s *metasim.Simulator) error {
			_, err := s.SyncHistory(metasim.DemoDirectPhone, messages)
			return err
		}
	}
	for _, tc := range []struct {
		reason string
		change func(*metasim.Switches)
		do     func(*metasim.Simulator) error
		want   []string
	}{
		{"the business answers on its phone", nil, echo(metasim.Echo{Text: "on my way"}), []string{`"field":"smb_message_echoes"`, `"message_echoes":[{`, `"to":"` + metasim.DemoCustomer + `"`, `"body":"on my way"`}},
		{"another responder answers", nil, echo(metasim.Echo{Text: "on my way", Standby: true}), []string{`"field":"standby"`, `"standby":{"message_echoes":[{`, `"message":{`, `"body":"on my way"`}},
		{"an echo of any type", nil, echo(metasim.Echo{Message: []byte(`{"type":"revoke","revoke":{"original_message_id":"w"}}`)}), []string{`"type":"revoke"`, `"original_message_id":"w"`}},
		{"a message for another responder", nil, standby, []string{`"field":"standby"`, `"standby":{"contacts":[{`, `"body":"hi"`}},
		{"which comes to us, too", func(s *metasim.Switches) { s.StandbyIsShared = true }, standby, []string{`"field":"messages"`, `"field":"standby"`}},
		{"a handover by roles", nil, handOver("other"), []string{`"type":"control_taken"`, `"new_owner_role":"escalation"`, `"recipient":{`, `"sender":{"phone_number":"` + metasim.DemoCustomer}},
		{"by apps", func(s *metasim.Switches) { s.HandoverShape = "apps" }, handOver("ours"), []string{`"type":"control_passed"`, `"new_owner_app_id":"` + metasim.DemoDirectAppID + `"`, `"previous_owner_app_id":"77`}},
		{"with metadata as a bare text", func(s *metasim.Switches) { s.HandoverShape = "metadata" }, handOver("none"), []string{`"metadata":"a bare text"`, `"new_owner_role":"none"`}},
		{"the past", nil, history(metasim.PastMessage{Customer: metasim.DemoCustomer, Text: "long ago", Age: 2 * hour}, metasim.PastMessage{Customer: metasim.DemoCustomer, Text: "we answered", FromBusiness: true, Age: hour}),
			[]string{`"field":"history"`, `"threads":[{"id":"` + metasim.DemoCustomer + `"`, `"body":"long ago"`, `"to":"` + metasim.DemoCustomer + `"`, `"history_context":{"status":"READ"}`}},
		{"a past that is not shared", nil, history(), []string{`"code":2593109`}},
		{"the address book", nil, func(s *metasim.Simulator) error {
			_, err := s.SyncContacts(metasim.DemoDirectPhone, []metasim.SavedContact{{Phone: metasim.DemoCustomer, Name: "Ana Plants"}, {Phone: "1", Removed: true}})
			return err
		}, []string{`"field":"smb_app_state_sync"`, `"full_name":"Ana Plants"`, `"action":"remove"`}},
		{"an account's id that is another's", func(s *metasim.Switches) { s.EntryIDMismatch = true }, func(s *metasim.Simulator) error {
			_, err := s.SendText(metasim.DemoCustomer, metasim.DemoDirectPhone, "hi")
			return err
		}, []string{`"id":"9` + metasim.DemoDirectWABA + `"`}},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			w := newWorld(t)
			rec := newReceiver(t)
			w.connectDirect(rec)
			if tc.change != nil {
				w.flip(tc.change)
			}
			if err := tc.do(w.sim); err != nil {
				t.Fatal(err)
			}
			p := rec.wait(1)[0]
			for _, want := range tc.want {
				if !p.contains(want) {
					t.Errorf("%s is not in %s", want, p.body)
				}
			}
			if !w.signed(metasim.DemoDirectAppID, p) {
				t.Error("it is not signed")
			}
		})
	}
}

func TestRespondersThatAreNone(t *testing.T) {
	w := newWorld(t)
	for reason, err := range map[string]error{
		"a number that nobody has": func() error {
			_, err := w.sim.SendEcho(metasim.Echo{PhoneNumberID: "1", To: "1", Text: "x"})
			return err
		}(),
		"an echo of nothing": func() error {
			_, err := w.sim.SendEcho(metasim.Echo{PhoneNumberID: metasim.DemoDirectPhone, To: "1"})
			return err
		}(),
		"a handover to somebody": func() error {
			_, err := w.sim.HandOver(metasim.Handover{PhoneNumberID: metasim.DemoDirectPhone, Customer: "1", To: "somebody"})
			return err
		}(),
		"a past of nobody": func() error {
			_, err := w.sim.SyncHistory(metasim.DemoDirectPhone, []metasim.PastMessage{{Customer: "x"}})
			return err
		}(),
		"contacts of no number": func() error { _, err := w.sim.SyncContacts("1", nil); return err }(),
	} {
		if err == nil {
			t.Errorf("%s is no error", reason)
		}
	}
}
