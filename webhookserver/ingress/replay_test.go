package ingress

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

func TestRotatedSecretLosesNothing(t *testing.T) {
	w := newWorld(t, everything(), nil)
	w.run()
	// Meta has the new secret first.
	for _, b := range []string{
		body(entry("301", messages("201", text("1", "49151", "one")))),
		body(entry("301", messages("201", text("2", "49151", "two")), messages("201", text("1", "49151", "one")))),
	} {
		if status, _ := w.post(secretNew, b); status != 200 {
			t.Fatalf("answered %d", status)
		}
	}
	if status, _ := w.post(nobodys, body(entry("301", messages("201", text("3", "49151", "forged"))))); status != 200 {
		t.Fatalf("answered %d", status)
	}
	if got := w.contents(); got.Quarantined != 3 || len(w.texts("line-p")) != 0 {
		t.Fatalf("before the rotation: %+v, %v", got, w.texts("line-p"))
	}

	rotated := appA
	rotated.AppSecret, rotated.PreviousAppSecret = redact.New(secretNew), redact.New(secretA)
	w.serve([]encoder{&rotated, &appB, &channelP, &channelQ, &channelR, &channelD})
	w.eventually("the two genuine bodies are stored", func() bool { return len(w.texts("line-p")) == 2 && w.contents().Quarantined == 1 })
	if diff := cmp.Diff([]string{"one", "two"}, w.texts("line-p")); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	if err := w.handler.reverifyOwner(t.Context(), appA.AppID); err != nil {
		t.Fatal(err)
	}
	if got := w.contents().Quarantined; got != 1 || len(w.texts("line-p")) != 2 {
		t.Errorf("looked at again, the forgery must stay one: %d quarantined, messages %v", got, w.texts("line-p"))
	}
}

// TestErasedPersonOfAQuarantinedBatch: whoever wrote in the same batch as him was acknowledged.
func TestErasedPersonOfAQuarantinedBatch(t *testing.T) {
	w := newWorld(t, everything(), nil)
	w.run()
	batch := body(entry("301", messages("201", text("1", "49151", "his"), text("2", "49152", "another's"))))
	for _, b := range []string{batch, body(entry("301", messages("201", text("3", "49151", "his alone"))))} {
		if status, _ := w.post(secretNew, b); status != 200 {
			t.Fatalf("answered %d", status)
		}
	}
	erased, err := w.store.Erase(t.Context(), store.Erasure{Line: "line-p", PhoneNumberID: "201", Phone: "49151"})
	if diff := cmp.Diff(store.Erased{Quarantined: 1, QuarantinedKept: 1}, erased); err != nil || diff != "" {
		t.Fatalf("%v (-want +got):\n%s", err, diff)
	}
	rotated := appA
	rotated.AppSecret, rotated.PreviousAppSecret = redact.New(secretNew), redact.New(secretA)
	w.serve([]encoder{&rotated, &appB, &channelP, &channelQ, &channelR, &channelD})
	w.eventually("the batch is judged again", func() bool { return w.contents().Quarantined == 0 })
	if diff := cmp.Diff([]string{"another's"}, w.texts("line-p")); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

// TestUnclaimedNumberOfASharedAccount: an account may have numbers of several apps. One that no channel claims yet is not the others'.
func TestUnclaimedNumberOfASharedAccount(t *testing.T) {
	w := newWorld(t, everything(), nil)
	for secret, phones := range map[string][]string{secretA: {"204", "208", "206"}, secretD: {"208"}} {
		for _, phone := range phones {
			if status, _ := w.post(secret, body(entry("304", messages(phone, text(phone, "49151", "signed by "+secret))))); status != 200 {
				t.Fatalf("answered %d", status)
			}
		}
	}
	if got := w.contents(); got != (contents{Unclaimed: 1}) {
		t.Errorf("%+v", got)
	}
	w.run()
	claimed := channelP
	claimed.Namespace, claimed.LineID, claimed.PhoneNumberID, claimed.WABAID = "n", "line-n", "208", "304"
	w.serve(append(everything(), &claimed))
	w.eventually("its channel has it", func() bool { return len(w.texts("line-n")) == 1 && w.contents() == contents{} })
	if got := w.texts("line-n"); got[0] != "signed by "+secretA || len(w.texts("line-d")) != 0 {
		t.Errorf("%q, and others %q", got, w.texts("line-d"))
	}
}

// counted tells how many unclaimed changes the largest read has held in memory.
type counted struct {
	Store

	most int
}

func (s *counted) Unclaimed(ctx context.Context, after int64, limit int) ([]store.UnclaimedChange, error) {
	changes, err := s.Store.Unclaimed(ctx, after, limit)
	s.most = max(s.most, len(changes))
	return changes, err
}

// The history of a number comes right after its onboarding, mostly before its channel, and in changes that fill a webhook each.
func TestUnclaimedHistoriesFitIntoMemory(t *testing.T) {
	kept := &counted{}
	w := newWorld(t, everything(), func(s Store) Store { kept.Store = s; return kept })
	const n = 40
	history := []byte(`{"field":"history","value":{"metadata":{"phone_number_id":"208"},"history":[]}}`)
	for i := range n {
		d := &store.Delivery{App: appA.AppID, Unclaimed: []store.UnclaimedChange{{
			App: appA.AppID, WABAID: "301", PhoneNumberID: "208", Field: "history", EntryTime: time.Unix(int64(1763700000+i), 0), Raw: history,
		}}}
		if _, err := w.store.Ingest(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	claimed := channelP
	claimed.LineID, claimed.PhoneNumberID = "line-n", "208"
	w.serve(append(everything(), &claimed))
	if err := w.handler.sweepOnce(t.Context(), w.view.Snapshot()); err != nil {
		t.Fatal(err)
	}
	if got := w.contents(); got != (contents{Raw: n}) || kept.most*MaxBody > 32<<20 {
		t.Errorf("%+v, with %d at once", got, kept.most)
	}
}

func TestOnlyAnOwnersChangeIsAReasonToLookAgain(t *testing.T) {
	w := newWorld(t, everything(), nil)
	k := w.handler.keeper
	due := func() map[string]bool {
		keys := map[string]bool{}
		k.notice(w.view.Snapshot())
		for _, key := range k.take() {
			keys[key] = true
		}
		return keys
	}
	if diff := cmp.Diff(map[string]bool{"1001": true, "1002": true, "line:line-d": true, "line:line-e": true}, due()); diff != "" {
		t.Errorf("after a start everybody's (-want +got):\n%s", diff)
	}
	if got := due(); len(got) != 0 {
		t.Errorf("without a change nobody's, got %v", got)
	}
	rotated := channelD
	rotated.AppSecret, rotated.PreviousAppSecret = redact.New(secretNew), redact.New(secretD)
	w.serve([]encoder{&appA, &appB, &channelP, &rotated})
	if diff := cmp.Diff(map[string]bool{"line:line-d": true}, due()); diff != "" {
		t.Errorf("after a rotation its owner's (-want +got):\n%s", diff)
	}
}

func TestQuarantineIsLookedAtAfterAStart(t *testing.T) {
	w := newWorld(t, everything(), nil)
	if status, _ := w.post(secretNew, body(entry("301", messages("201", text("1", "49151", "late"))))); status != 200 {
		t.Fatalf("answered %d", status)
	}
	rotated := appA
	rotated.AppSecret = redact.New(secretNew)
	w.serve([]encoder{&rotated, &channelP})
	w.run() // the secret had changed while nothing ran
	w.eventually("the body is stored", func() bool { return len(w.texts("line-p")) == 1 && len(w.quarantined(appA.AppID)) == 0 })
}

func TestDirectChannelsOfOneAppRotateOneByOne(t *testing.T) {
	other := channelD
	other.LineID, other.PhoneNumberID, other.WABAID = "line-x", "209", "309"
	w := newWorld(t, []encoder{&channelD, &other}, nil)
	w.run()
	// The app's secret was rotated; only one of its two channels has the new one yet.
	fresh := channelD
	fresh.AppSecret = redact.New(secretNew)
	w.serve([]encoder{&fresh, &other})
	b := body(entry("304", messages("204", text("1", "49151", "for d"))), entry("309", messages("209", text("2", "49151", "for x"))))
	if status, _ := w.post(secretNew, b); status != 200 {
		t.Fatalf("answered %d", status)
	}
	if len(w.texts("line-d")) != 1 || len(w.texts("line-x")) != 0 {
		t.Fatalf("d has %v, x has %v", w.texts("line-d"), w.texts("line-x"))
	}
	caughtUp := other
	caughtUp.AppSecret = redact.New(secretNew)
	w.serve([]encoder{&fresh, &caughtUp})
	w.eventually("the other channel gets its own", func() bool {
		return len(w.texts("line-x")) == 1 && len(w.texts("line-d")) == 1 && len(w.quarantined("line:line-x")) == 0
	})
}

func TestUnclaimedGoesToItsOwnChannelOnly(t *testing.T) {
	w := newWorld(t, []encoder{&appA, &appB, &channelD}, nil)
	w.run()
	b := body(entry("301", messages("201", text("1", "49151", "early")), `{"field":"consumer_profile","value":{"metadata":{"phone_number_id":"201"}}}`))
	for range 2 {
		if status, _ := w.post(secretA, b); status != 200 {
			t.Fatalf("answered %d", status)
		}
	}
	if got := w.contents(); got != (contents{Unclaimed: 2}) {
		t.Fatalf("before the channel: %+v", got)
	}
	for _, tc := range []struct {
		reason string
		change func(*runtimeconfig.Channel)
	}{
		{"a channel of another app has no right to it", func(c *runtimeconfig.Channel) { c.AppID = "1002" }},
		{"nor one of another account", func(c *runtimeconfig.Channel) { c.WABAID = "388" }},
		{"nor one with an app of its own, whatever id it gives", func(c *runtimeconfig.Channel) { c.Direct, c.AppSecret = true, redact.New(secretD) }},
	} {
		wrong := channelP
		wrong.LineID = "line-q"
		tc.change(&wrong)
		w.serve([]encoder{&appA, &appB, &channelD, &wrong})
		if err := w.handler.sweepOnce(t.Context(), w.view.Snapshot()); err != nil {
			t.Fatal(err)
		}
		if got := w.contents(); got != (contents{Unclaimed: 2}) || len(w.texts("line-q")) != 0 {
			t.Errorf("%s: %+v, %v", tc.reason, got, w.texts("line-q"))
		}
	}
	w.serve([]encoder{&appA, &appB, &channelD, &channelP})
	w.eventually("the right channel gets it", func() bool { return w.contents() == contents{Raw: 1} })
	if diff := cmp.Diff([]string{"early"}, w.texts("line-p")); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	// A copy that Meta delivers now is known.
	if status, _ := w.post(secretA, b); status != 200 || len(w.texts("line-p")) != 1 || w.contents().Raw != 1 {
		t.Errorf("after a copy: %d, %v, %+v", status, w.texts("line-p"), w.contents())
	}
}

// reports returns the reports of a kind.
func (w *world) reports(kind serverapi.Kind) []store.Report {
	w.t.Helper()
	all, err := w.store.Reports(w.t.Context(), 0, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	var of []store.Report
	for _, r := range all {
		if r.Kind == store.ReportKind(kind) {
			of = append(of, r)
		}
	}
	return of
}

func TestWhatTheManagerIsTold(t *testing.T) {
	w := newWorld(t, everything(), nil)
	stop := w.run()
	hour := time.Now().Truncate(time.Hour)
	for range 3 {
		w.post(secretA, body(entry("301", messages("201", text("1", "49151", "x")))))
	}
	w.post(secretA, body(entry("301", `{"field":"account_update","value":{"event":"ACCOUNT_DELETED"}}`)))
	w.post(nobodys, body(entry("301", messages("201", text("2", "49151", "y")))))
	stop() // the last flush

	if got := w.reports(serverapi.KindWebhookVerified); len(got) != 1 && time.Now().Truncate(time.Hour).Equal(hour) {
		t.Errorf("a line is reported once an hour, got %d", len(got))
	} else if got[0].Line != "line-p" || got[0].App != "1001" || string(got[0].Payload) != `{"proof":"Delivery"}` {
		t.Errorf("verified: %+v %s", got[0], got[0].Payload)
	}
	got := w.reports(serverapi.KindAccountEvent)
	if len(got) != 1 || got[0].Line != "line-p" || string(got[0].Payload) != `{"field":"account_update","event":"ACCOUNT_DELETED","wabaID":"301"}` {
		t.Errorf("account event: %+v", got)
	}
	if len(w.handler.observer.counts) != 0 {
		t.Error("the security event was not handed to the store")
	}
}

// TestManyDirectChannelsOfOneAppRotate: each has a copy of the app's secret, and a body is kept under a few of them only. Nobody's
// message may go when those have been judged.
func TestManyDirectChannelsOfOneAppRotate(t *testing.T) {
	const n = maxQuarantinedUnder + 3
	channels := make([]runtimeconfig.Channel, n)
	var entries []string
	for i := range channels {
		c := channelD
		c.Name, c.LineID, c.PhoneNumberID, c.WABAID = fmt.Sprint("m", i), fmt.Sprint("line-m", i), fmt.Sprint(500+i), fmt.Sprint(600+i)
		channels[i] = c
		entries = append(entries, entry(c.WABAID, messages(c.PhoneNumberID, text(fmt.Sprint(i), "49151", c.Name))))
	}
	served := func() (parts []encoder) {
		for i := range channels {
			c := channels[i]
			parts = append(parts, &c)
		}
		return parts
	}
	w := newWorld(t, served(), nil)
	w.run()
	if status, _ := w.post(secretNew, body(entries...)); status != 200 {
		t.Fatalf("answered %d", status)
	}
	for _, i := range []int{3, 0, 6, 1, 4, 2, 5} {
		channels[i].AppSecret = redact.New(secretNew)
		w.serve(served())
		line := channels[i].LineID
		w.eventually(line+" gets its own", func() bool { return len(w.texts(line)) == 1 })
	}
	w.eventually("nothing is left", func() bool {
		return !slices.ContainsFunc(channels, func(c runtimeconfig.Channel) bool { return len(w.quarantined(lineOwner+c.LineID)) > 0 })
	})
	for i := range channels {
		if got := w.texts(channels[i].LineID); len(got) != 1 || got[0] != channels[i].Name {
			t.Errorf("%s has %q", channels[i].LineID, got)
		}
	}
}
