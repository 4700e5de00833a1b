package controllers

import (
	"crypto/ed25519"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/signup"
	"github.com/whatsapp-operator/whatsapp-operator/internal/vault"
)

// waitForSignup takes a fresh world to the point where the link is out.
func (w *linkWorld) waitForSignup(m *linkManager) string {
	w.t.Helper()
	w.run(m, "waiting", w.has(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonWaitingForSignup))
	return w.token()
}

// drain collects the events since the last time.
func (w *linkWorld) drain() string {
	var all []string
	for {
		select {
		case e := <-w.events.Events:
			all = append(all, e)
		default:
			return strings.Join(all, "\n")
		}
	}
}

// sign makes a link for the request with the installation's key, or another.
func (w *linkWorld) sign(key ed25519.PrivateKey, change func(*signup.Link)) string {
	w.t.Helper()
	link, err := signup.NewLink(metasim.DemoAppID, string(w.request.UID), w.clock.Now().Add(time.Hour))
	w.must(err)
	if change != nil {
		change(&link)
	}
	token, err := link.Sign(key)
	w.must(err)
	return token
}

func TestStraySignupsAreRefused(t *testing.T) {
	w := newLinkWorld(t)
	m := w.manager(&mortal{Client: w.objects})
	token := w.waitForSignup(m)
	w.drain()
	key, err := readSignupKey(t.Context(), w.objects, systemNamespace, w.metaApp())
	w.must(err)
	_, foreign, err := ed25519.GenerateKey(nil)
	w.must(err)
	present, err := signup.Peek(token)
	w.must(err)
	for _, tc := range []struct {
		reason, token, want string
	}{
		{"a link that somebody else signed", w.sign(foreign, func(l *signup.Link) { *l = present }), "signature"},
		{"a link of a request that there is not", w.sign(key, func(l *signup.Link) { l.RequestUID = "nobody" }), "does not exist"},
		{"a link of another app", w.sign(key, func(l *signup.Link) { l.AppID = metasim.DemoDirectAppID }), "another Meta app"},
		{"a link that is not the present one", w.sign(key, nil), "dead"},
		{"a link that has expired", w.sign(key, func(l *signup.Link) { *l = present; l.ExpiresAt = w.clock.Now().Add(-time.Minute) }), "dead"},
		{"no link", "what.ever", "none"},
	} {
		w.signUp(tc.token, signup.Claims{})
		w.clock.Step(time.Minute) // a request that isn't there may be one that the cache doesn't show yet
		w.run(m, tc.reason, func() bool { return true })
		if got := w.drain(); !strings.Contains(got, "SignupRefused") || !strings.Contains(got, tc.want) {
			t.Errorf("%s: the events are %q, want one with %q", tc.reason, got, tc.want)
		}
		if code := w.codes[len(w.codes)-1]; w.sim.Counters().CodeSends[code.ID] != 0 {
			t.Errorf("%s: the code was sent", tc.reason)
		}
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: signupNamespace, Name: "garbage", UID: "1", Labels: map[string]string{signup.LabelHandover: signup.LabelHandoverValue}},
		Data: map[string][]byte{"link": []byte(token), "code": []byte("with\nline breaks")}}
	w.must(w.objects.Create(t.Context(), secret))
	w.run(m, "garbage", func() bool { return true })
	if got := w.drain(); !strings.Contains(got, "can't be read") || strings.Contains(got, "line breaks") {
		t.Errorf("garbage: the events are %q", got)
	}
	if w.linkEntry().Exists() {
		t.Error("a refused code left a vault entry")
	}
}

func TestReplayedSignupIsRefused(t *testing.T) {
	w := newLinkWorld(t)
	m := w.manager(&mortal{Client: w.objects})
	h := w.signUp(w.waitForSignup(m), signup.Claims{})
	w.run(m, "signing up", w.has(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonAwaitingApproval))
	w.drain()
	w.clock.Step(time.Minute)
	w.handOver(h)
	w.run(m, "again", func() bool { return true })
	if got := w.drain(); !strings.Contains(got, "handed over and spent before") {
		t.Errorf("the events are %q", got)
	}
	if sends := w.sim.Counters().CodeSends[w.codes[0].ID]; sends != 1 {
		t.Errorf("the code was sent %d times", sends)
	}
}

// TestMistypedApprovalIsCorrected: an approval that names another account than the customer shared costs one more edit, and no signup.
func TestMistypedApprovalIsCorrected(t *testing.T) {
	w := newLinkWorld(t)
	m := w.manager(&mortal{Client: w.objects})
	w.signUp(w.waitForSignup(m), signup.Claims{})
	w.run(m, "signing up", w.has(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonAwaitingApproval))
	approve := func(wabaID string) {
		w.request.Spec.WABAID = wabaID
		w.request.Generation++ // the API server's part
		w.must(w.objects.Update(t.Context(), w.request))
	}
	mistyped := "102290129340389"
	approve(mistyped)
	w.run(m, "approving another account", w.has(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonWABAMismatch))
	assertStatusContract(t, w.request)
	message := apimeta.FindStatusCondition(w.request.Status.Conditions, v1alpha1.ConditionStalled).Message
	mustMention(t, message, "spec.wabaID is "+mistyped, "correct spec.wabaID to "+metasim.DemoWABA, "without another signup")
	if calls := w.sim.Counters().Calls; calls["subscribe"]+calls["credit_share_and_attach"]+calls["register"] != 0 {
		t.Errorf("something was changed at Meta for an account that is not the approved one: %v", calls)
	}
	approve(metasim.DemoWABA)
	w.run(m, "approving the right account", w.has(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded))
	assertStatusContract(t, w.request)
	if calls := w.sim.Counters().Calls; calls["exchange"] != 1 || len(w.codes) != 1 {
		t.Errorf("the exchange was called %d times for %d codes", calls["exchange"], len(w.codes))
	}
}

func TestFailedSignupLeavesTheLinkUsable(t *testing.T) {
	w := newLinkWorld(t)
	m := w.manager(&mortal{Client: w.objects})
	token := w.waitForSignup(m)
	h := signup.Handover{Token: token, Code: redact.New(known.Secret("AQBnotOfMeta")), Claims: signup.Claims{}}
	w.handOver(h)
	w.run(m, "a code that Meta does not know", w.has(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonCodeInvalid))
	assertStatusContract(t, w.request)
	if got := w.told(); got.State != runtimeconfig.SignupFailed || got.Reason != v1alpha1.ReasonCodeInvalid || got.Attempt != signup.CodeHash(h.Code) {
		t.Errorf("the page is told %+v", got)
	}
	if w.token() != token {
		t.Error("the link must stay")
	}
	w.signUp(token, signup.Claims{})
	w.run(m, "another try", w.has(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonAwaitingApproval))
	assertStatusContract(t, w.request)
	if w.request.Status.SignupLinkSecretRef != nil {
		t.Error("status still leads to a link that is dead")
	}
}

// TestTwoTabs hands two codes over by one link at once.
func TestTwoTabs(t *testing.T) {
	w := newLinkWorld(t)
	m := w.manager(&mortal{Client: w.objects})
	token := w.waitForSignup(m)
	w.signUp(token, signup.Claims{})
	w.signUp(token, signup.Claims{})
	w.run(m, "signing up twice", w.has(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonAwaitingApproval))
	counters := w.sim.Counters()
	if counters.Applied["exchange"] != 1 {
		t.Errorf("one link gave %d tokens", counters.Applied["exchange"])
	}
	if got := w.drain(); !strings.Contains(got, "dead") {
		t.Errorf("the second code must be refused and told of; the events are %q", got)
	}
}

// TestTwoReplicasTakeOneSignup lets two processes take the same handed-over code by turns, at each of the first one's writes.
func TestTwoReplicasTakeOneSignup(t *testing.T) {
	w := newLinkWorld(t)
	m := w.manager(&mortal{Client: w.objects})
	w.signUp(w.waitForSignup(m), signup.Claims{})
	secret := w.handedOver()[0]
	other := w.manager(&mortal{Client: w.objects})
	done := make(chan error, 2)
	for _, r := range []*SignupReconciler{m.signups, other.signups} {
		go func() {
			var err error
			for range 50 {
				var res ctrl.Result
				if res, err = r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&secret)}); err != nil || res.RequeueAfter == 0 {
					break
				}
			}
			done <- err
		}()
	}
	w.must(<-done)
	w.must(<-done)
	w.run(m, "after both", w.has(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonAwaitingApproval))
	if sends := w.sim.Counters().CodeSends[w.codes[0].ID]; sends != 1 {
		t.Errorf("the code was sent %d times", sends)
	}
	if got := w.drain(); strings.Contains(got, "SignupRefused") {
		t.Errorf("the replica that came second called it a stray: %s", got)
	}
}

func TestSignupWaitsWhileTheAppIsInTrouble(t *testing.T) {
	w := newLinkWorld(t)
	m := w.manager(&mortal{Client: w.objects})
	token := w.waitForSignup(m)
	app := w.metaApp()
	setValid := func(status metav1.ConditionStatus) {
		w.must(w.objects.Get(t.Context(), client.ObjectKeyFromObject(app), app))
		app.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionCredentialsValid, Status: status}}
		w.must(w.objects.Status().Update(t.Context(), app))
	}
	setValid(metav1.ConditionFalse)
	w.turn(m)
	if got := w.told(); got.State != runtimeconfig.SignupPaused || got.Reason != v1alpha1.ReasonMetaAppNotReady {
		t.Errorf("the page is told %+v", got)
	}
	w.signUp(token, signup.Claims{})
	w.turn(m)
	if w.sim.Counters().CodeSends[w.codes[0].ID] != 0 || len(w.handedOver()) != 1 {
		t.Fatal("a code must wait while the app is in trouble")
	}
	setValid(metav1.ConditionTrue)
	w.run(m, "when it is over", w.has(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonAwaitingApproval))

	// One that waits for too long is refused, and says what was in the way.
	w2 := newLinkWorld(t)
	m2 := w2.manager(&mortal{Client: w2.objects})
	token = w2.waitForSignup(m2)
	w = w2
	setValid(metav1.ConditionFalse)
	w.signUp(token, signup.Claims{})
	w.clock.Step(handoverPatience + time.Minute)
	w.run(m2, "too late", func() bool { return true })
	if got := w.drain(); !strings.Contains(got, "in time") {
		t.Errorf("the events are %q", got)
	}
}

func TestLinkNeedsASignupConfiguration(t *testing.T) {
	for _, tc := range []struct {
		reason string
		change func(*v1alpha1.MetaApp)
		want   string
	}{
		{"none at all", func(app *v1alpha1.MetaApp) { app.Spec.EmbeddedSignup = nil }, "spec.embeddedSignup.configurationID"},
		{"no public address", func(app *v1alpha1.MetaApp) { app.Spec.Webhook.URL = "" }, "spec.webhook.url"},
		{"extras that are no JSON", func(app *v1alpha1.MetaApp) { app.Spec.EmbeddedSignup.Extras = "{setup}" }, "spec.embeddedSignup.extras"},
	} {
		w := newLinkWorld(t)
		app := w.metaApp()
		w.must(w.objects.Get(t.Context(), client.ObjectKeyFromObject(app), app))
		tc.change(app)
		w.must(w.objects.Update(t.Context(), app))
		m := w.manager(&mortal{Client: w.objects})
		w.run(m, tc.reason, w.has(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonSignupNotConfigured))
		mustMention(t, w.condition(v1alpha1.ConditionStalled).Message, tc.want)
		assertStatusContract(t, w.request)
	}
}

func TestLinkIsRenewedWhenItExpires(t *testing.T) {
	w := newLinkWorld(t)
	m := w.manager(&mortal{Client: w.objects})
	token := w.waitForSignup(m)
	if res, err := m.leader.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(w.request)}); err != nil || res.RequeueAfter <= 0 || res.RequeueAfter > linkLife {
		t.Errorf("the end of the link must be looked at: %v, %v", res, err)
	}
	w.clock.Step(linkLife + time.Second)
	w.turn(m)
	next := w.token()
	if next == token || !w.request.Status.SignupLinkExpiresAt.After(w.clock.Now()) {
		t.Fatal("an expired link must be replaced")
	}
	w.signUp(token, signup.Claims{})
	w.run(m, "by the old link", func() bool { return true })
	if got := w.drain(); !strings.Contains(got, "dead") {
		t.Errorf("the events are %q", got)
	}
	w.signUp(next, signup.Claims{})
	w.run(m, "by the new link", w.has(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonAwaitingApproval))
}

// TestClaimsChooseAndProveNothing: what the browser says decides among what the token grants, and nothing beyond.
func TestClaimsChooseAndProveNothing(t *testing.T) {
	second := metasim.World{WABAs: []metasim.WABA{{
		ID: "102290129340777", Name: "Second", Currency: "USD", OwnerBusinessID: metasim.DemoCustomerBusiness,
		PhoneNumbers: []metasim.PhoneNumber{
			{ID: "106540352242001", DisplayPhoneNumber: "+1 555-078-3001", VerifiedName: "One"}, {ID: "106540352242002", DisplayPhoneNumber: "+1 555-078-3002", VerifiedName: "Two"},
		},
	}}}
	for _, tc := range []struct {
		reason        string
		claims        signup.Claims
		targets       string
		stalled       string
		waba, phoneID string
	}{
		{"a claimed account and number among several", signup.Claims{WABAID: "102290129340777", PhoneNumberID: "106540352242002"}, "present", "", "102290129340777", "106540352242002"},
		{"a claim where the token grants everything", signup.Claims{WABAID: "102290129340777", PhoneNumberID: "106540352242001"}, "absent", "", "102290129340777", "106540352242001"},
		{"no claims", signup.Claims{}, "present", v1alpha1.ReasonWABAAmbiguous, "", ""},
		{"somebody else's account", signup.Claims{WABAID: metasim.DemoDirectWABA}, "present", v1alpha1.ReasonWABAAmbiguous, "", ""},
		{"somebody else's account where no list says so", signup.Claims{WABAID: metasim.DemoDirectWABA}, "absent", v1alpha1.ReasonWABAMismatch, "", ""},
		{"a number of another account", signup.Claims{WABAID: "102290129340777", PhoneNumberID: metasim.DemoPhoneNumber}, "present", v1alpha1.ReasonPhoneNumberAmbiguous, "", ""},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			w := newLinkWorld(t, func(s *metasim.Switches) { s.GranularTargets = tc.targets })
			w.must(w.sim.Add(second))
			m := w.manager(&mortal{Client: w.objects})
			w.signUp(w.waitForSignup(m), tc.claims, metasim.DemoWABA, "102290129340777")
			if tc.stalled != "" {
				w.run(m, tc.reason, w.has(v1alpha1.ConditionStalled, metav1.ConditionTrue, tc.stalled))
				if got := w.spent(); got != nothingSpent {
					t.Errorf("without a proof %s", got)
				}
				return
			}
			w.run(m, tc.reason, w.has(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonAwaitingApproval))
			if entry := w.linkEntry(); entry.WABAID != tc.waba || entry.PhoneNumberID != tc.phoneID {
				t.Errorf("proven are %s and %s, want %s and %s", entry.WABAID, entry.PhoneNumberID, tc.waba, tc.phoneID)
			}
			if w.linkEntry().Phase != vault.PhaseKept {
				t.Error("the token is not kept")
			}
		})
	}
}
