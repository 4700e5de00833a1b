package controllers

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/vault"
)

// vaultNamespace holds the entries of these tests, out of the running manager's sight.
const vaultNamespace = "exchange-vault"

// exchangeWorld is one request with a fresh code, a Meta of its own and a clock that the test moves. The vault lies in the real
// API server, in a namespace that the running manager doesn't look at; what the exchange only reads lies in memory, so that
// the running manager doesn't take the code.
type exchangeWorld struct {
	t       *testing.T
	sim     *metasim.Server
	clock   *clocktesting.FakeClock
	objects client.WithWatch
	request *v1alpha1.OnboardingRequest
	key     vault.Key
	place   string
	code    metasim.IssuedCode
}

func newExchangeWorld(t *testing.T, change ...func(*metasim.Switches)) *exchangeWorld {
	t.Helper()
	w := &exchangeWorld{t: t, clock: clocktesting.NewFakeClock(time.Now().Truncate(time.Second)), place: vaultNamespace}
	// One namespace serves all worlds, since deleting one takes seconds; each has an entry of its own there.
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: vaultNamespace}}
	if err := admin.Create(t.Context(), ns); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	name := fmt.Sprintf("shop-%d", serial.Add(1))
	switches := metasim.DefaultSwitches()
	switches.PartnerAddedWebhook = false
	for _, f := range change {
		f(&switches)
	}
	var err error
	if w.sim, err = metasim.Start("127.0.0.1:0", metasim.Options{World: metasim.DemoWorld(), Switches: &switches, Clock: w.clock}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := w.sim.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	scheme, err := Scheme()
	if err != nil {
		t.Fatal(err)
	}
	w.request = &v1alpha1.OnboardingRequest{
		ObjectMeta: metav1.ObjectMeta{Namespace: "acme", Name: name, UID: "request-1", Generation: 1, CreationTimestamp: metav1.NewTime(w.clock.Now())},
		Spec: v1alpha1.OnboardingRequestSpec{
			MetaAppRef: v1alpha1.MetaAppReference{Name: "partner"}, CodeSecretRef: &v1alpha1.SecretKeyReference{Name: "signup"}, Currency: "USD",
		},
	}
	w.key = vault.Key{Namespace: "acme", Name: name, NamespaceUID: "namespace-1"}
	w.objects = fake.NewClientBuilder().WithScheme(scheme).WithObjects(
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "acme", UID: w.key.NamespaceUID, Labels: map[string]string{labelPartner: "yes"}}},
		w.request, w.metaApp(), secretOf(systemNamespace, "partner", map[string]string{
			v1alpha1.SecretKeyAppSecret: w.sim.AppSecret(metasim.DemoAppID), v1alpha1.SecretKeySystemToken: w.sim.SystemToken(metasim.DemoSystemUser),
		}),
	).WithStatusSubresource(&v1alpha1.MetaApp{}, &v1alpha1.OnboardingRequest{}, &v1alpha1.WhatsAppChannel{}).
		WithIndex(&v1alpha1.OnboardingRequest{}, fieldUID, uidOf).Build()
	w.newCode()
	return w
}

func (w *exchangeWorld) metaApp() *v1alpha1.MetaApp {
	return &v1alpha1.MetaApp{
		ObjectMeta: metav1.ObjectMeta{Name: "partner"},
		Spec: v1alpha1.MetaAppSpec{
			AppID: metasim.DemoAppID, SecretRef: v1alpha1.SecretReference{Name: "partner"}, GraphAPIVersion: "v25.0",
			SolutionPartner:   &v1alpha1.SolutionPartner{BusinessID: metasim.DemoPartnerBusiness, CreditLineID: metasim.DemoCreditLine, SystemUserID: metasim.DemoSystemUser, Currencies: []string{"USD"}},
			AllowedNamespaces: &metav1.LabelSelector{MatchLabels: map[string]string{labelPartner: "yes"}},
			Graph:             v1alpha1.GraphSettings{BaseURL: w.sim.URL},
		},
		Status: v1alpha1.MetaAppStatus{Conditions: []metav1.Condition{{Type: v1alpha1.ConditionCredentialsValid, Status: metav1.ConditionTrue}}},
	}
}

func secretOf(namespace, name string, data map[string]string) *corev1.Secret {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Data: map[string][]byte{}}
	for key, value := range data {
		secret.Data[key] = []byte(value)
	}
	return secret
}

// newCode plays the customer: a signup whose code lands in the request's Secret.
func (w *exchangeWorld) newCode() {
	w.t.Helper()
	var err error
	if w.code, err = w.sim.IssueCode(metasim.CodeRequest{AppID: metasim.DemoAppID, WABAIDs: []string{metasim.DemoWABA}}); err != nil {
		w.t.Fatal(err)
	}
	w.putCode(known.Secret(w.code.Code))
}

func (w *exchangeWorld) putCode(code string) {
	w.t.Helper()
	secret := secretOf("acme", "signup", map[string]string{v1alpha1.SecretKeyCode: code})
	if err := client.IgnoreNotFound(w.objects.Delete(w.t.Context(), secret.DeepCopy())); err != nil {
		w.t.Fatal(err)
	}
	if err := w.objects.Create(w.t.Context(), secret); err != nil {
		w.t.Fatal(err)
	}
}

// process is one manager process. A mortal writer can kill it.
func (w *exchangeWorld) process(writer client.Writer) *ExchangeReconciler {
	clients := &graphClients{now: w.clock.Now}
	if m, ok := writer.(*mortal); ok {
		clients.observe = m.answered
	}
	apps := &graphApps{cached: w.objects, live: w.objects, namespace: systemNamespace, clients: clients}
	return &ExchangeReconciler{
		client: w.objects, gate: &exchangeGate{apps: apps, live: w.objects}, clock: w.clock,
		vault: &vault.Vault{Reader: admin, Writer: writer, Namespace: w.place, Clock: w.clock},
	}
}

// died is what a killed process panics with.
var errDied = errors.New("the process was killed")

// reconcile runs one reconciliation and says whether the process survived it.
func (w *exchangeWorld) reconcile(r *ExchangeReconciler) (after time.Duration, alive bool) {
	w.t.Helper()
	defer func() {
		if v := recover(); v != nil {
			err, ok := v.(error)
			if !ok || !errors.Is(err, errDied) {
				panic(v)
			}
			alive = false
		}
	}()
	res, err := r.Reconcile(w.t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(w.request)})
	if err != nil {
		w.t.Fatalf("reconcile: %v", err)
	}
	return res.RequeueAfter, true
}

// settle runs a process until the code is done with, moving the clock as it asks. It returns false if the process died.
func (w *exchangeWorld) settle(r *ExchangeReconciler) (*vault.Entry, bool) {
	w.t.Helper()
	for range 200 {
		after, alive := w.reconcile(r)
		if !alive {
			return nil, false
		}
		if entry := w.entry(); entry.Phase == vault.PhaseKept || entry.Phase == vault.PhaseFailed {
			return entry, true
		}
		w.clock.Step(max(after, 10*time.Millisecond))
	}
	w.t.Fatalf("the exchange came to no end: %+v", w.entry())
	return nil, false
}

func (w *exchangeWorld) entry() *vault.Entry {
	w.t.Helper()
	entry, err := (&vault.Vault{Reader: admin, Namespace: w.place}).Read(w.t.Context(), w.key)
	if err != nil {
		w.t.Fatal(err)
	}
	return entry
}

// sends is how often the present code reached Meta.
func (w *exchangeWorld) sends() int { return w.sim.Counters().CodeSends[w.code.ID] }

// works says whether a token is one that Meta takes.
func (w *exchangeWorld) works(token redact.Secret) bool {
	w.t.Helper()
	known.Secret(token.Reveal())
	app := &graphApp{App: w.metaApp(), AppSecret: redact.New(w.sim.AppSecret(metasim.DemoAppID))}
	graph, err := (&graphClients{}).forApp(app.App)
	if err != nil {
		w.t.Fatal(err)
	}
	info, err := graph.DebugToken(w.t.Context(), app.AppCredential(), token)
	if err != nil {
		w.t.Fatal(err)
	}
	return info.Valid
}

// mortal passes writes on and kills the process at the n-th of its steps: before or after a write, or when a call to Meta has been
// answered. A dead process writes nothing more.
type mortal struct {
	client.Client
	dieAt int
	after bool
	// steps are the writes and answered calls so far, in order.
	steps []string
	dead  bool
}

// answered counts a call to Meta. Nothing but memory has changed since, so dying before the call is dying after the step before it.
func (m *mortal) answered(call meta.Call) {
	if m.step("call " + call.Action) {
		m.die()
	}
}

func (m *mortal) write(name string, f func() error) error {
	last := m.step(name)
	if last && !m.after {
		m.die()
	}
	err := f()
	if last {
		m.die()
	}
	return err
}

// step counts a step and says whether it is the one to die at.
func (m *mortal) step(name string) bool {
	if m.dead {
		m.die()
	}
	m.steps = append(m.steps, name)
	return len(m.steps) == m.dieAt
}

func (m *mortal) die() {
	m.dead = true
	panic(errDied)
}

func (m *mortal) Create(ctx context.Context, obj client.Object, opts ...client.CreateOption) error {
	return m.write("create "+typeOf(obj), func() error { return m.Client.Create(ctx, obj, opts...) })
}

func (m *mortal) Update(ctx context.Context, obj client.Object, opts ...client.UpdateOption) error {
	return m.write("update "+typeOf(obj), func() error { return m.Client.Update(ctx, obj, opts...) })
}

func (m *mortal) Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
	return m.write("patch "+typeOf(obj), func() error { return m.Client.Patch(ctx, obj, patch, opts...) })
}

func (m *mortal) Delete(ctx context.Context, obj client.Object, opts ...client.DeleteOption) error {
	return m.write("delete "+typeOf(obj), func() error { return m.Client.Delete(ctx, obj, opts...) })
}

// typeOf names what is written.
func typeOf(obj client.Object) string { return reflect.Indirect(reflect.ValueOf(obj)).Type().Name() }
