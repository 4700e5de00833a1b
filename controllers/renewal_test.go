package controllers

import (
	"strings"
	"testing"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/signup"
)

const day = 24 * time.Hour

// otherAccount is an account of the customer beside the one that was onboarded.
const otherAccount = "102290129340777"

// readyByLink onboards a customer by link, with a token of 60 days.
func readyByLink(t *testing.T, rescue string) (*linkWorld, *linkManager) {
	t.Helper()
	w := newLinkWorld(t, func(s *metasim.Switches) { s.Rescue = rescue })
	m := w.manager(&mortal{Client: w.objects})
	w.signUp(w.waitForSignup(m), signup.Claims{})
	w.run(m, "signing up", w.has(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonAwaitingApproval))
	w.approve(metasim.DemoWABA)
	w.run(m, "approved", w.has(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded))
	w.drain()
	return w, m
}

// served is the token that a channel of the request gets, as its own controller finds it.
func (w *linkWorld) served() redact.Secret {
	w.t.Helper()
	leader := w.leader(&mortal{Client: w.objects})
	r := &WhatsAppChannelReconciler{client: w.objects, live: w.objects, apps: leader.apps, vault: leader.vault, options: Options{}.withDefaults()}
	s := &channelScope{channel: &v1alpha1.WhatsAppChannel{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.request.Namespace, Name: "served"},
		Spec:       v1alpha1.WhatsAppChannelSpec{Source: v1alpha1.ChannelSource{OnboardingRequestRef: &v1alpha1.ObjectReference{Name: w.request.Name}}},
	}}
	w.must(r.accept(w.t.Context(), s))
	return s.number.token
}

// checkService fails unless the request is Ready and a channel of it gets a token that Meta takes.
func (w *linkWorld) checkService(when string) {
	w.t.Helper()
	if !apimeta.IsStatusConditionTrue(w.request.Status.Conditions, v1alpha1.ConditionReady) {
		w.t.Errorf("%s: not Ready\n%s", when, describe(w.request))
	}
	if !w.works(w.served()) {
		w.t.Errorf("%s: the token that channels use is dead", when)
	}
	assertStatusContract(w.t, w.request)
}

func (w *linkWorld) condition(conditionType string) metav1.Condition {
	w.t.Helper()
	c := apimeta.FindStatusCondition(w.request.Status.Conditions, conditionType)
	if c == nil {
		w.t.Fatalf("there is no condition %s", conditionType)
	}
	return *c
}

// TestRenewalIsTimed follows a request at rest: it is looked at 14 days before its token dies, and not before.
func TestRenewalIsTimed(t *testing.T) {
	w, m := readyByLink(t, "error")
	res, err := m.leader.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(w.request)})
	w.must(err)
	left := w.request.Status.Token.ExpiresAt.Sub(w.clock.Now())
	if want := left - 14*day; res.RequeueAfter < want || res.RequeueAfter > want+time.Minute {
		t.Errorf("looked at again in %s, want %s", res.RequeueAfter, want)
	}
	calls := len(w.sim.Journal("", 0))
	w.clock.Step(res.RequeueAfter - time.Hour)
	w.turn(m)
	if got := len(w.sim.Journal("", 0)); got != calls {
		t.Errorf("a request at rest made %d calls to Meta", got-calls)
	}
}

// TestRenewalWithoutTheCustomer: Meta gives out another token, and nobody notices.
func TestRenewalWithoutTheCustomer(t *testing.T) {
	w, m := readyByLink(t, "works")
	before := w.linkEntry().Token
	w.clock.Step(47 * day)
	w.turn(m)
	w.checkService("renewed")
	entry := w.linkEntry()
	if entry.Token.Equal(before) || !entry.Next.IsZero() {
		t.Error("the token was not replaced")
	}
	if got := w.condition(v1alpha1.ConditionTokenExchanged); got.Reason != v1alpha1.ReasonSucceeded {
		t.Errorf("TokenExchanged is %s: %s", got.Reason, got.Message)
	}
	if w.request.Status.SignupLinkSecretRef != nil {
		t.Error("nobody has to sign up, and a link was made")
	}
	if left := w.request.Status.Token.ExpiresAt.Sub(w.clock.Now()); left < 59*day {
		t.Errorf("status shows a token that lives %s", left)
	}
}

// TestRenewalByLink: Meta gives out none, the customer signs up again, first with the wrong account. At no moment is there no token.
func TestRenewalByLink(t *testing.T) {
	w, m := readyByLink(t, "error")
	w.must(w.sim.Add(metasim.World{WABAs: []metasim.WABA{{
		ID: otherAccount, Name: "Second", Currency: "USD", OwnerBusinessID: metasim.DemoCustomerBusiness,
		PhoneNumbers: []metasim.PhoneNumber{{ID: "106540352242001", DisplayPhoneNumber: "+1 555-078-3001", VerifiedName: "One"}},
	}}}))
	before, spent := w.linkEntry().Token, w.spent()
	w.clock.Step(47 * day)
	w.turn(m)
	w.checkService("dying")
	got := w.condition(v1alpha1.ConditionTokenExchanged)
	if got.Reason != v1alpha1.ReasonTokenExpiring {
		t.Fatalf("TokenExchanged is %s: %s", got.Reason, got.Message)
	}
	mustMention(t, got.Message, "kubectl", w.request.Status.SignupLinkSecretRef.Name, "dies at")
	tried := w.sim.Counters().Calls["rescue_token"]
	w.turn(m)
	if again := w.sim.Counters().Calls["rescue_token"]; tried != 1 || again != 1 {
		t.Errorf("Meta was asked for another token %d and %d times; once a day is enough", tried, again)
	}
	if told := w.told(); told.State != runtimeconfig.SignupOpen {
		t.Errorf("the page is told %s", told.State)
	}

	token := w.token()
	w.signUp(token, signup.Claims{}, otherAccount)
	w.run(m, "the wrong account", func() bool { return w.told().State == runtimeconfig.SignupFailed })
	w.checkService("after the wrong account")
	if !w.linkEntry().Token.Equal(before) {
		t.Error("a token of another account took the place of the serving one")
	}
	if events := w.drain(); !strings.Contains(events, v1alpha1.ReasonWABAMismatch) {
		t.Errorf("the events are %q", events)
	}
	if told := w.told(); told.Reason != v1alpha1.ReasonWABAMismatch {
		t.Errorf("the page is told %+v", told)
	}

	w.signUp(token, signup.Claims{})
	w.run(m, "the right account", func() bool {
		w.checkService("on the way")
		return w.has(v1alpha1.ConditionTokenExchanged, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)()
	})
	if w.linkEntry().Token.Equal(before) {
		t.Error("the token was not replaced")
	}
	if got := w.spent(); got != spent {
		t.Errorf("a renewal costs nothing: %s, before %s", got, spent)
	}
	if told := w.told(); told.State != runtimeconfig.SignupDone {
		t.Errorf("the page is told %s", told.State)
	}
	w.clock.Step(20 * day) // past the end of the first token
	w.turn(m)
	w.checkService("later")
}

// TestDeadTokenReopensTheLink: nobody reacted, the token died, or the customer withdrew it. What was done at Meta stays proven.
func TestDeadTokenReopensTheLink(t *testing.T) {
	for _, tc := range []struct {
		reason string
		kill   func(*linkWorld)
	}{
		{"it expired", func(w *linkWorld) { w.clock.Step(61 * day) }},
		{"the customer withdrew it, and a channel noticed", func(w *linkWorld) {
			w.must(w.sim.RevokeToken(w.linkEntry().Token.Reveal()))
			channel := &v1alpha1.WhatsAppChannel{
				ObjectMeta: metav1.ObjectMeta{Namespace: w.request.Namespace, Name: "shop"},
				Spec:       v1alpha1.WhatsAppChannelSpec{Source: v1alpha1.ChannelSource{OnboardingRequestRef: &v1alpha1.ObjectReference{Name: w.request.Name}}},
				Status: v1alpha1.WhatsAppChannelStatus{Conditions: []metav1.Condition{{
					Type: v1alpha1.ConditionCredentialsValid, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonInvalidAccessToken,
				}}},
			}
			w.must(w.objects.Create(w.t.Context(), channel))
		}},
	} {
		for _, rescue := range []string{"error", "works"} {
			t.Run(tc.reason+", rescue "+rescue, func(t *testing.T) {
				w, m := readyByLink(t, rescue)
				spent := w.spent()
				tc.kill(w)
				if rescue == "works" {
					w.turn(m)
					w.checkService("rescued")
					return
				}
				w.run(m, "dead", w.has(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonWaitingForSignup))
				assertStatusContract(t, w.request)
				mustMention(t, w.condition(v1alpha1.ConditionReady).Message, "kubectl", "no longer valid")
				if !apimeta.IsStatusConditionTrue(w.request.Status.Conditions, v1alpha1.ConditionPhoneRegistered) {
					t.Error("the number is registered all the same")
				}
				w.signUp(w.token(), signup.Claims{})
				w.run(m, "signing up again", w.has(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded))
				w.checkService("again")
				if got := w.spent(); got != spent {
					t.Errorf("a renewal costs nothing: %s, before %s", got, spent)
				}
			})
		}
	}
}

// TestRenewalByCodeSecret: a request with codeSecretRef takes another code from the same Secret while its token still serves.
func TestRenewalByCodeSecret(t *testing.T) {
	w := &linkWorld{exchangeWorld: newExchangeWorld(t)}
	w.keepToken()
	m := &mortal{Client: w.objects}
	leader := w.leader(m)
	if !w.lead(leader) {
		t.Fatal("the leader died")
	}
	before := w.linkEntry().Token
	look := func() {
		t.Helper()
		exchange := &ExchangeReconciler{client: w.objects, gate: leader.gate, vault: leader.vault, clock: w.clock}
		for range 4 {
			req := ctrl.Request{NamespacedName: client.ObjectKeyFromObject(w.request)}
			_, err := exchange.Reconcile(t.Context(), req)
			w.must(err)
			_, err = leader.Reconcile(t.Context(), req)
			w.must(err)
			w.must(w.objects.Get(t.Context(), req.NamespacedName, w.request))
			w.checkService("code Secret")
			w.clock.Step(time.Second)
		}
	}
	w.clock.Step(47 * day)
	look()
	got := w.condition(v1alpha1.ConditionTokenExchanged)
	if got.Reason != v1alpha1.ReasonTokenExpiring {
		t.Fatalf("TokenExchanged is %s: %s", got.Reason, got.Message)
	}
	mustMention(t, got.Message, "Secret signup", v1alpha1.RequestedAtAnnotation)
	w.putCode(known.Secret("AQBnotOfMeta"))
	look()
	if got := w.condition(v1alpha1.ConditionTokenExchanged); got.Reason != v1alpha1.ReasonTokenExpiring || !strings.Contains(got.Message, "The last try failed") {
		t.Errorf("a code that fails must be told of: %s: %s", got.Reason, got.Message)
	}
	w.newCode()
	look()
	if got := w.condition(v1alpha1.ConditionTokenExchanged); got.Reason != v1alpha1.ReasonSucceeded {
		t.Errorf("TokenExchanged is %s: %s", got.Reason, got.Message)
	}
	if token := w.linkEntry().Token; token.Equal(before) || token.Equal(redact.Secret{}) {
		t.Error("the token was not replaced")
	}
}
