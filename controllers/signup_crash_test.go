package controllers

import (
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/signup"
	"github.com/whatsapp-operator/whatsapp-operator/internal/vault"
)

// TestLinkCrashAtEveryWrite kills the manager before and after each of its writes on the way from a request to a working number by a
// signup link, starts another, and holds the end against the promises: two sends per code, one success per link, nothing at the partner's
// cost before the approval, no token lost but in the one window, after which the same link works again.
func TestLinkCrashAtEveryWrite(t *testing.T) {
	steps := linkCrashRun(t, 0, false)
	if writes := writesOf(steps); writes < 14 {
		t.Fatalf("the control run made %d writes; finalizer, link, its projection, reservation, intent, receipt, removal, proof, approval and the journey are more", writes)
	}
	for n := 1; n <= len(steps); n++ {
		linkCrashRun(t, n, false)
		if isWrite(steps[n-1]) {
			linkCrashRun(t, n, true)
		}
	}
}

// linkCrashRun plays one onboarding with a crash at the n-th step, 0 for none, and returns the steps of the first process.
func linkCrashRun(t *testing.T, n int, after bool) []string {
	t.Helper()
	when := fmt.Sprintf("crash at step %d (after: %t)", n, after)
	w := newLinkWorld(t)
	first := &mortal{Client: w.objects, dieAt: n, after: after}
	m := w.manager(first)
	// until runs what is alive, and what is started in its place.
	until := func(what string, look func() bool) {
		t.Helper()
		if !w.run(m, when+", "+what, look) {
			m = w.manager(&mortal{Client: w.objects})
			if !w.run(m, when+", "+what+" again", look) {
				t.Fatalf("%s: the second process died", when)
			}
		}
	}
	until("waiting", w.has(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonWaitingForSignup))
	token := w.token()
	w.signUp(token, signup.Claims{Event: "FINISH", WABAID: metasim.DemoWABA, PhoneNumberID: metasim.DemoPhoneNumber})
	awaitsApproval := w.has(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonAwaitingApproval)
	lost := w.has(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonExchangeOutcomeUnknown)
	until("signing up", func() bool { return awaitsApproval() || lost() })
	if lost() {
		if got := w.told(); got.State != runtimeconfig.SignupFailed || got.Reason != v1alpha1.ReasonExchangeOutcomeUnknown {
			t.Errorf("%s: the page is told %+v", when, got)
		}
		assertStatusContract(t, w.request)
		w.signUp(w.token(), signup.Claims{})
		until("signing up once more", awaitsApproval)
	}
	if got := w.spent(); got != nothingSpent {
		t.Errorf("%s: before the approval %s", when, got)
	}
	if got := w.told().State; got != runtimeconfig.SignupAwaitingApproval {
		t.Errorf("%s: before the approval the page is told %s", when, got)
	}
	w.approve(metasim.DemoWABA)
	until("approved", w.has(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded))
	w.checkSends(when)
	w.checkJourney(when, false)
	if got := w.told().State; got != runtimeconfig.SignupDone {
		t.Errorf("%s: in the end the page is told %s", when, got)
	}
	// The link is dead: another success is impossible.
	entry := w.linkEntry()
	w.signUp(token, signup.Claims{})
	until("once too often", func() bool { return true })
	if got := w.linkEntry(); got.CodeHash != entry.CodeHash || got.Phase != vault.PhaseKept || !got.Next.IsZero() {
		t.Errorf("%s: a link that had succeeded was used again", when)
	}
	if sends := w.sim.Counters().CodeSends[w.codes[len(w.codes)-1].ID]; sends != 0 {
		t.Errorf("%s: a code by a dead link was sent", when)
	}
	return first.steps
}
