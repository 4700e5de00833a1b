package controllers

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/internal/vault"
)

func TestRejectedCodes(t *testing.T) {
	graphError := func(code, subcode int, message string) metasim.Fault {
		return metasim.Fault{Call: "exchange", Action: metasim.ActionGraphError, Count: -1, Error: &metasim.FaultError{Code: code, Subcode: subcode, Type: "OAuthException", Message: message}}
	}
	for _, tc := range []struct {
		reason string
		fault  *metasim.Fault
		before func(*exchangeWorld)
		want   string
		sends  int
	}{
		{"somebody else used the code", new(graphError(100, 36009, "This authorization code has been used.")), nil, v1alpha1.ReasonCodeUsed, 1},
		{"the code came too late", nil, func(w *exchangeWorld) { w.clock.Step(31 * time.Second) }, v1alpha1.ReasonCodeExpired, 1},
		{"the code is no code", new(graphError(100, 0, "Invalid verification code format.")), nil, v1alpha1.ReasonCodeInvalid, 1},
		{"the app secret is wrong", new(graphError(1, 0, "Error validating client secret.")), nil, v1alpha1.ReasonAppSecretInvalid, 1},
		{"the app id is wrong", new(graphError(101, 0, "Error validating application.")), nil, v1alpha1.ReasonAppSecretInvalid, 1},
		{"no redirect_uri will do", new(graphError(100, 36008, "redirect_uri")), nil, v1alpha1.ReasonRedirectURIMismatch, 2},
		{"an error that nobody knows", new(graphError(98765, 0, "?")), nil, v1alpha1.ReasonRejected, 1},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			w := newExchangeWorld(t)
			if tc.before != nil {
				tc.before(w)
			}
			if tc.fault != nil {
				if _, err := w.sim.AddFault(*tc.fault); err != nil {
					t.Fatal(err)
				}
			}
			entry, _ := w.settle(w.process(admin))
			if entry.Failure != tc.want || w.sends() != tc.sends {
				t.Errorf("failure %s after %d sends, want %s after %d", entry.Failure, w.sends(), tc.want, tc.sends)
			}
			// The customer signs up again: a new code in the same Secret is another attempt.
			w.sim.ClearFaults(0)
			w.newCode()
			if _, alive := w.reconcile(w.process(admin)); !alive || w.entry().Phase != vault.PhaseKept {
				t.Errorf("the next code was not exchanged: %+v", w.entry())
			}
		})
	}
}

func TestOtherRedirectPolicyIsTheSecondSend(t *testing.T) {
	for _, policy := range []string{"absent", "empty"} {
		w := newExchangeWorld(t, func(s *metasim.Switches) { s.RedirectURIPolicy = policy })
		entry, _ := w.settle(w.process(admin))
		want := map[string]int{"absent": 1, "empty": 2}[policy]
		if entry.Phase != vault.PhaseKept || w.sends() != want {
			t.Errorf("Meta wants redirect_uri %s: phase %s after %d sends, want Kept after %d", policy, entry.Phase, w.sends(), want)
		}
	}
}

func TestNotSentIsRetriedWhileTheCodeLives(t *testing.T) {
	w := newExchangeWorld(t)
	app := &v1alpha1.MetaApp{}
	if err := w.objects.Get(t.Context(), client.ObjectKey{Name: "partner"}, app); err != nil {
		t.Fatal(err)
	}
	reachable := app.Spec.Graph.BaseURL
	// Nobody listens on the discard port of loopback.
	app.Spec.Graph.BaseURL = "http://127.0.0.1:9"
	if err := w.objects.Update(t.Context(), app); err != nil {
		t.Fatal(err)
	}
	r := w.process(admin)
	for range 5 {
		after, _ := w.reconcile(r)
		w.clock.Step(after)
	}
	if entry := w.entry(); entry.Phase != vault.PhaseReserved || entry.Attempt != 0 {
		t.Fatalf("sends that never left were counted: %+v", entry)
	}
	app.Spec.Graph.BaseURL = reachable
	if err := w.objects.Update(t.Context(), app); err != nil {
		t.Fatal(err)
	}
	if entry, _ := w.settle(r); entry.Phase != vault.PhaseKept || w.sends() != 1 {
		t.Errorf("phase %s after %d sends, want Kept after 1", entry.Phase, w.sends())
	}
}

func TestLostAnswerIsReadBackBeforeItIsSentAgain(t *testing.T) {
	w := newExchangeWorld(t, func(s *metasim.Switches) { s.Rescue = "works" })
	w.knowBusiness()
	if _, err := w.sim.AddFault(metasim.Fault{Call: "exchange", Action: metasim.ActionResetAfter}); err != nil {
		t.Fatal(err)
	}
	entry, _ := w.settle(w.process(admin))
	if entry.Phase != vault.PhaseKept || w.sends() != 1 || w.sim.Counters().Calls["rescue_token"] != 1 {
		t.Errorf("phase %s after %d sends and %d rescues, want Kept after 1 and 1", entry.Phase, w.sends(), w.sim.Counters().Calls["rescue_token"])
	}
}

// TestTwoReplicas lets several managers loose on one code. Each has its own client; the vault alone keeps them apart.
func TestTwoReplicas(t *testing.T) {
	w := newExchangeWorld(t)
	if _, err := w.sim.AddFault(metasim.Fault{Call: "exchange", Action: metasim.ActionLatency, Count: -1, Latency: metasim.Duration(100 * time.Millisecond)}); err != nil {
		t.Fatal(err)
	}
	var replicas sync.WaitGroup
	for range 4 {
		r := w.process(admin)
		replicas.Go(func() {
			for range 3 {
				w.reconcile(r)
			}
		})
	}
	replicas.Wait()
	if entry := w.entry(); entry.Phase != vault.PhaseKept || w.sends() != 1 {
		t.Errorf("phase %s after %d sends, want Kept after 1", entry.Phase, w.sends())
	}
}

// TestShutdownWaitsForTheToken tells the process to stop while Meta has the code.
func TestShutdownWaitsForTheToken(t *testing.T) {
	w := newExchangeWorld(t)
	if _, err := w.sim.AddFault(metasim.Fault{Call: "exchange", Action: metasim.ActionLatency, Latency: metasim.Duration(300 * time.Millisecond)}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	r := w.process(admin)
	done := make(chan error, 1)
	x, err := r.gate.check(ctx, w.request)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := r.exchange(ctx, x)
		done <- err
	}()
	await(t, func(context.Context) error {
		if w.entry().Phase != vault.PhaseSending && w.sends() == 0 {
			return errors.New("the code is not on its way yet")
		}
		return nil
	})
	stop()
	// What follows the receipt is left to the next process.
	if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if entry := w.entry(); entry.Phase != vault.PhaseKept || w.sends() != 1 {
		t.Errorf("phase %s after %d sends, want Kept after 1", entry.Phase, w.sends())
	}
	// A process that is stopping begins nothing new.
	w.newCode()
	if x, err = r.gate.check(t.Context(), w.request); err != nil {
		t.Fatal(err)
	}
	entry := w.entry()
	if err := r.send(ctx, x, entry, nil); err == nil || w.sends() != 0 {
		t.Errorf("a stopping process sent a code: %v, %d sends", err, w.sends())
	}
}

// TestNothingIsSpentInVain holds what can be known beforehand against the counter of exchanges.
func TestNothingIsSpentInVain(t *testing.T) {
	for _, tc := range []struct {
		reason string
		change func(*exchangeWorld)
		want   string
		says   []string
	}{
		{"no currency", func(w *exchangeWorld) { w.request.Spec.Currency = "" }, v1alpha1.ReasonCurrencyRequired, []string{"spec.currency", "USD"}},
		{"a currency that the app does not offer", func(w *exchangeWorld) { w.request.Spec.Currency = "EUR" }, v1alpha1.ReasonCurrencyNotAllowed, []string{"spec.currency", "EUR", "USD"}},
		{"a PIN of letters", func(w *exchangeWorld) { w.givePIN("12a456") }, v1alpha1.ReasonPINMalformed, []string{"six digits", "pinSecretRef"}},
		{"a PIN of five digits", func(w *exchangeWorld) { w.givePIN("12345") }, v1alpha1.ReasonPINMalformed, []string{"six digits"}},
		{"a PIN Secret that is not there", func(w *exchangeWorld) { w.request.Spec.PINSecretRef = &v1alpha1.SecretKeyReference{Name: "pin"} },
			v1alpha1.ReasonSecretNotFound, []string{"pinSecretRef", "acme/pin"}},
		{"no such MetaApp", func(w *exchangeWorld) { w.request.Spec.MetaAppRef.Name = "other" }, v1alpha1.ReasonMetaAppNotFound, []string{"metaAppRef", "other"}},
		{"a namespace that the app does not allow", func(w *exchangeWorld) {
			w.edit(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "acme"}}, func(o client.Object) { o.SetLabels(nil) })
		},
			v1alpha1.ReasonNamespaceNotAllowed, []string{"acme"}},
		{"an app whose credentials are not proven", func(w *exchangeWorld) {
			app := w.metaApp()
			app.Status.Conditions[0].Status = metav1.ConditionFalse
			w.editStatus(app)
		}, v1alpha1.ReasonMetaAppNotReady, []string{"partner"}},
		{"a code as pages show it", func(w *exchangeWorld) { w.putCode("AQB…9f2a") }, v1alpha1.ReasonTokenMasked, []string{"code", "signup"}},
		{"an empty code", func(w *exchangeWorld) { w.putCode(" \n") }, v1alpha1.ReasonWaitingForCode, []string{"signup", "code"}},
		{"a code Secret that is not there", func(w *exchangeWorld) { w.request.Spec.CodeSecretRef.Name = "later" }, v1alpha1.ReasonWaitingForCode, []string{"later", "code"}},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			w := newExchangeWorld(t)
			tc.change(w)
			w.storeRequest()
			r := w.process(admin)
			_, err := r.gate.check(t.Context(), w.request)
			if err == nil {
				t.Fatal("the gate is open")
			}
			v := classify(err)
			if v.reason != tc.want {
				t.Errorf("reason %s, want %s", v.reason, tc.want)
			}
			mustMention(t, v.message, tc.says...)
			after, _ := w.reconcile(r)
			if after <= 0 || w.entry().Exists() || w.sim.Counters().Calls["exchange"] != 0 {
				t.Errorf("look again after %s, entry %t, %d exchanges; want a later look and neither", after, w.entry().Exists(), w.sim.Counters().Calls["exchange"])
			}
		})
	}
}

func (w *exchangeWorld) givePIN(pin string) {
	w.t.Helper()
	if err := w.objects.Create(w.t.Context(), secretOf("acme", "pin", map[string]string{v1alpha1.SecretKeyPIN: pin})); err != nil {
		w.t.Fatal(err)
	}
	w.request.Spec.PINSecretRef = &v1alpha1.SecretKeyReference{Name: "pin"}
}

func (w *exchangeWorld) edit(obj client.Object, change func(client.Object)) {
	w.t.Helper()
	if err := w.objects.Get(w.t.Context(), client.ObjectKeyFromObject(obj), obj); err != nil {
		w.t.Fatal(err)
	}
	change(obj)
	if err := w.objects.Update(w.t.Context(), obj); err != nil {
		w.t.Fatal(err)
	}
}

func (w *exchangeWorld) editStatus(app *v1alpha1.MetaApp) {
	w.t.Helper()
	have := &v1alpha1.MetaApp{}
	if err := w.objects.Get(w.t.Context(), client.ObjectKeyFromObject(app), have); err != nil {
		w.t.Fatal(err)
	}
	have.Status = app.Status
	if err := w.objects.Status().Update(w.t.Context(), have); err != nil {
		w.t.Fatal(err)
	}
}

func (w *exchangeWorld) storeRequest() {
	w.t.Helper()
	w.edit(&v1alpha1.OnboardingRequest{ObjectMeta: metav1.ObjectMeta{Namespace: "acme", Name: w.key.Name}}, func(o client.Object) {
		if have, ok := o.(*v1alpha1.OnboardingRequest); ok {
			have.Spec = w.request.Spec
		}
	})
}

func TestForeignPlaceStopsTheExchange(t *testing.T) {
	w := newExchangeWorld(t)
	create(t, secretOf(w.place, w.key.SecretName(), map[string]string{"access-token": "somebody else's"}))
	if after, _ := w.reconcile(w.process(admin)); after <= 0 || w.sim.Counters().Calls["exchange"] != 0 {
		t.Errorf("look again after %s, %d exchanges; want a later look and none", after, w.sim.Counters().Calls["exchange"])
	}
}

func TestCodeLooks(t *testing.T) {
	now := time.Now()
	at := func(age time.Duration) metav1.Time { return metav1.NewTime(now.Add(-age)) }
	request := func(age time.Duration) *v1alpha1.OnboardingRequest {
		return &v1alpha1.OnboardingRequest{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: at(age)}}
	}
	stalled := request(24 * time.Hour)
	stalled.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue, LastTransitionTime: at(time.Minute)}}
	asked := request(24 * time.Hour)
	asked.Annotations = map[string]string{v1alpha1.RequestedAtAnnotation: now.Add(-time.Second).Format(time.RFC3339)}
	for _, tc := range []struct {
		reason   string
		request  *v1alpha1.OnboardingRequest
		min, max time.Duration
	}{
		{"a new request looks every second", request(time.Minute), time.Second, time.Second},
		{"an older one often enough for a code to live", request(10 * time.Minute), 8 * time.Second, 12 * time.Second},
		{"a forgotten one now and then", request(2 * time.Hour), 4 * time.Minute, 6 * time.Minute},
		{"one that has just failed every second", stalled, time.Second, time.Second},
		{"one that a person asks for every second", asked, time.Second, time.Second},
	} {
		if got := nextCodeLook(tc.request, now); got < tc.min || got > tc.max {
			t.Errorf("%s: %s, want %s to %s", tc.reason, got, tc.min, tc.max)
		}
	}
}

// TestKeptCodeIsLeftAlone: until the leader shows the token nobody needs another code, and a thousand requests that looked for one every
// second would keep it from showing. A token that turns out to be none is another matter: the customer signs up again.
func TestKeptCodeIsLeftAlone(t *testing.T) {
	w := newExchangeWorld(t)
	w.settle(w.process(admin))
	if after, _ := w.reconcile(w.process(admin)); after < codeInterval/2 {
		t.Errorf("a code whose token is kept is looked at again after %s", after)
	}
	w.request.Status.Conditions = []metav1.Condition{
		{Type: v1alpha1.ConditionTokenExchanged, Status: metav1.ConditionTrue}, {Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue},
	}
	if err := w.objects.Status().Update(t.Context(), w.request); err != nil {
		t.Fatal(err)
	}
	if after, _ := w.reconcile(w.process(admin)); after != secretInterval {
		t.Errorf("another code is looked for after %s", after)
	}
}

// TestSlowMetaHoldsUpNoOtherCode: few codes are prepared at a time, and one that Meta has takes no place from the others.
func TestSlowMetaHoldsUpNoOtherCode(t *testing.T) {
	w := newExchangeWorld(t)
	if _, err := w.sim.AddFault(metasim.Fault{Call: "exchange", Action: metasim.ActionLatency, Latency: metasim.Duration(2 * time.Second)}); err != nil {
		t.Fatal(err)
	}
	r := w.process(admin)
	r.places = &places{}
	var working sync.WaitGroup
	working.Go(func() { w.reconcile(r) })
	await(t, func(context.Context) error {
		if len(w.sim.Journal("exchange", 0)) == 0 {
			return errors.New("Meta does not have the code yet")
		}
		return nil
	})
	if taken, _, _ := r.places.counts(); taken != 0 {
		t.Errorf("a code that Meta has still takes %d places of others", taken)
	}
	working.Wait()
	if taken, _, _ := r.places.counts(); w.entry().Phase != vault.PhaseKept || taken != 0 {
		t.Errorf("phase %s, and %d places are taken", w.entry().Phase, taken)
	}
}
