package controllers

import (
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/signup"
	"github.com/whatsapp-operator/whatsapp-operator/internal/vault"
)

const signupNamespace = "whatsapp-signup"

// linkWorld is an exchangeWorld whose request asks for a signup link. All of it lies in memory, so that clocks can be moved.
type linkWorld struct {
	*exchangeWorld
	// events are those of the process that runs now.
	events *events.FakeRecorder
	// codes are the codes that were handed over, by the simulator's name.
	codes []metasim.IssuedCode
}

func newLinkWorld(t *testing.T, change ...func(*metasim.Switches)) *linkWorld {
	t.Helper()
	w := &linkWorld{exchangeWorld: newExchangeWorld(t, change...), events: events.NewFakeRecorder(1000)}
	w.request.Spec.CodeSecretRef = nil
	w.must(w.objects.Update(t.Context(), w.request))
	app := w.metaApp()
	w.must(w.objects.Get(t.Context(), client.ObjectKeyFromObject(app), app))
	app.Spec.Webhook.URL = publicURL
	app.Spec.EmbeddedSignup = &v1alpha1.EmbeddedSignup{ConfigurationID: "1207"}
	w.must(w.objects.Update(t.Context(), app))
	r := &MetaAppReconciler{client: w.objects, live: w.objects, options: Options{}.withDefaults()}
	_, err := r.ensureSignupKey(t.Context(), app)
	w.must(err)
	return w
}

func (w *linkWorld) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// manager is one process with both controllers that a signup by link needs.
type linkManager struct {
	signups *SignupReconciler
	leader  *OnboardingRequestReconciler
}

func (w *linkWorld) manager(m *mortal) *linkManager {
	leader := w.leader(m)
	leader.status.recorder = w.events
	exchange := &ExchangeReconciler{client: w.objects, gate: leader.gate, vault: leader.vault, clock: w.clock}
	return &linkManager{leader: leader, signups: &SignupReconciler{
		client: m, live: w.objects, exchange: exchange, recorder: w.events, clock: w.clock,
		systemNamespace: systemNamespace, runtimeNamespace: runtimeNamespace, namespace: signupNamespace,
	}}
}

// turn lets each controller look once at everything that is there, and says how soon something wants to be looked at again.
func (w *linkWorld) turn(m *linkManager) (after time.Duration) {
	w.t.Helper()
	soonest := func(res ctrl.Result, err error) {
		w.must(err)
		if res.RequeueAfter > 0 && (after == 0 || res.RequeueAfter < after) {
			after = res.RequeueAfter
		}
	}
	for _, secret := range w.handedOver() {
		soonest(m.signups.Reconcile(w.t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&secret)}))
	}
	soonest(m.leader.Reconcile(w.t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(w.request)}))
	w.must(w.objects.Get(w.t.Context(), client.ObjectKeyFromObject(w.request), w.request))
	return after
}

// run gives turns, moving the clock as they ask for moments, until look is content. It returns false if the process died.
func (w *linkWorld) run(m *linkManager, what string, look func() bool) (alive bool) {
	w.t.Helper()
	defer func() {
		if v := recover(); v != nil {
			if err, ok := v.(error); !ok || !errors.Is(err, errDied) {
				panic(v)
			}
			alive = false
		}
	}()
	for range 100 {
		after := w.turn(m)
		if look() && len(w.handedOver()) == 0 {
			return true
		}
		if after == 0 || after > time.Hour {
			after = time.Second
		}
		w.clock.Step(after)
	}
	w.t.Fatalf("%s: it came to no end; the vault says %s %s\n%s", what, w.linkEntry().Phase, w.linkEntry().Failure, describe(w.request))
	return false
}

// has says whether the request shows a reason under a condition.
func (w *linkWorld) has(conditionType string, status metav1.ConditionStatus, reason string) func() bool {
	return func() bool {
		c := apimeta.FindStatusCondition(w.request.Status.Conditions, conditionType)
		return c != nil && c.Status == status && c.Reason == reason
	}
}

func (w *linkWorld) handedOver() []corev1.Secret {
	w.t.Helper()
	var list corev1.SecretList
	w.must(w.objects.List(w.t.Context(), &list, client.InNamespace(signupNamespace)))
	return list.Items
}

func (w *linkWorld) linkEntry() *vault.Entry {
	w.t.Helper()
	entry, err := (&vault.Vault{Reader: w.objects, Namespace: systemNamespace}).Read(w.t.Context(), w.key)
	w.must(err)
	return entry
}

// token reads the link as the tenant does.
func (w *linkWorld) token() string {
	w.t.Helper()
	ref := w.request.Status.SignupLinkSecretRef
	if ref == nil {
		w.t.Fatalf("status.signupLinkSecretRef is not set\n%s", describe(w.request))
	}
	secret := &corev1.Secret{}
	w.must(w.objects.Get(w.t.Context(), client.ObjectKey{Namespace: w.request.Namespace, Name: ref.Name}, secret))
	if !metav1.IsControlledBy(secret, w.request) {
		w.t.Error("the link's Secret must go with its request")
	}
	return known.Secret(signup.TokenOf(string(secret.Data["url"])))
}

// signUp plays customer and page: a signup whose code is handed over by a link.
func (w *linkWorld) signUp(token string, claims signup.Claims, wabaIDs ...string) signup.Handover {
	w.t.Helper()
	if len(wabaIDs) == 0 {
		wabaIDs = []string{metasim.DemoWABA}
	}
	issued, err := w.sim.IssueCode(metasim.CodeRequest{AppID: metasim.DemoAppID, WABAIDs: wabaIDs})
	w.must(err)
	w.codes = append(w.codes, issued)
	h := signup.Handover{Token: token, Code: redact.New(known.Secret(issued.Code)), Claims: claims}
	w.handOver(h)
	return h
}

func (w *linkWorld) handOver(h signup.Handover) {
	w.t.Helper()
	data, err := h.Data()
	w.must(err)
	w.must(w.objects.Create(w.t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: signupNamespace, Name: h.Name(), Labels: map[string]string{signup.LabelHandover: signup.LabelHandoverValue},
			CreationTimestamp: metav1.NewTime(w.clock.Now()), UID: "handover",
		}, Data: data,
	}))
}

// approve sets spec.wabaID, as a person does, and what the API server does then.
func (w *linkWorld) approve(wabaID string) {
	w.t.Helper()
	w.request.Spec.WABAID = wabaID
	w.request.Generation++
	w.must(w.objects.Update(w.t.Context(), w.request))
}

// told is what the page shows.
func (w *linkWorld) told() runtimeconfig.Signup {
	w.t.Helper()
	secret := &corev1.Secret{}
	w.must(w.objects.Get(w.t.Context(), client.ObjectKey{Namespace: runtimeNamespace, Name: runtimeconfig.SignupName(string(w.request.UID))}, secret))
	told, ok := decodeSignup(secret)
	if !ok {
		w.t.Fatal("the signup's projection can't be read")
	}
	return *told
}

// sendsOf is how often the codes of the world reached Meta, each at most twice.
func (w *linkWorld) checkSends(when string) {
	w.t.Helper()
	for _, code := range w.codes {
		if sends := w.sim.Counters().CodeSends[code.ID]; sends > vault.MaxSends {
			w.t.Errorf("%s: %s was sent %d times", when, code.ID, sends)
		}
	}
}

// spent is what was done at the partner's cost.
func (w *linkWorld) spent() string {
	applied := w.sim.Counters().Applied
	return fmt.Sprintf("%d subscribed, %d shared, %d registered", applied["subscribe"], applied["credit_share_and_attach"], applied["register"])
}

const nothingSpent = "0 subscribed, 0 shared, 0 registered"
