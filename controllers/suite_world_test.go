package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/test/contract"
	"github.com/whatsapp-operator/whatsapp-operator/test/leaks"
)

const (
	// patience is how long a test waits for something that must happen; a loaded machine needs much of it.
	patience = 3 * time.Minute
	// glance is the pause between two looks.
	glance = 50 * time.Millisecond
)

var serial atomic.Int64

// newID makes an id of Meta's kind that no other test has.
func newID() string { return fmt.Sprintf("88%013d", serial.Add(1)) }

// newSecret makes a secret that may show up nowhere. Its end, which hints show, is that of no other.
func newSecret(kind string) string {
	return known.Secret(fmt.Sprintf("%s%024dZ%03d", kind, serial.Add(1), serial.Load()%1000))
}

// partner is a Solution Partner's app at Meta.
type partner struct {
	appID, appSecret, systemToken, businessID, creditLineID, systemUserID string
}

// newPartner adds an app with a credit line and a system user to the simulator.
func newPartner(t *testing.T) partner {
	t.Helper()
	p := partner{
		appID: newID(), appSecret: newSecret("appsecret"), systemToken: newSecret("EAAsystem"), businessID: newID(), creditLineID: newID(),
		systemUserID: newID(),
	}
	addWorld(t, metasim.World{
		Apps:        []metasim.App{{ID: p.appID, Secret: p.appSecret, Name: "Partner App", BusinessID: p.businessID}},
		Businesses:  []metasim.Business{{ID: p.businessID, Name: "Partner"}},
		CreditLines: []metasim.CreditLine{{ID: p.creditLineID, LegalEntityName: "Partner Inc.", BusinessID: p.businessID, Currencies: []string{"USD", "EUR"}}},
		SystemUsers: []metasim.SystemUser{{
			ID: p.systemUserID, Name: "partner-admin", AppID: p.appID, BusinessID: p.businessID, Token: p.systemToken,
			Scopes: []string{meta.ScopeManagement, meta.ScopeMessaging, meta.ScopeBusinessManagement},
		}},
	})
	return p
}

// metaApp is the partner's MetaApp, for all namespaces that are labelled for partners. Its Secret is created.
func (p partner) metaApp(t *testing.T) *v1alpha1.MetaApp {
	t.Helper()
	name := "app-" + p.appID
	createSecret(t, systemNamespace, name, map[string]string{v1alpha1.SecretKeyAppSecret: p.appSecret, v1alpha1.SecretKeySystemToken: p.systemToken})
	return &v1alpha1.MetaApp{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.MetaAppSpec{
			AppID: p.appID, SecretRef: v1alpha1.SecretReference{Name: name}, Webhook: v1alpha1.MetaAppWebhook{URL: publicURL},
			SolutionPartner:   &v1alpha1.SolutionPartner{BusinessID: p.businessID, CreditLineID: p.creditLineID, Currencies: []string{"USD", "EUR"}},
			AllowedNamespaces: &metav1.LabelSelector{MatchLabels: map[string]string{labelPartner: "yes"}},
			Graph:             v1alpha1.GraphSettings{BaseURL: sim.URL, CallsPerSecond: 500},
		},
	}
}

// directNumber is a business with a registered number and an app of its own.
type directNumber struct {
	appID, appSecret, token, wabaID, phoneNumberID, systemUserID string
}

// newDirectNumber adds a business with such a number to the simulator. changes are made to its app before.
func newDirectNumber(t *testing.T, changes ...func(*metasim.App)) directNumber {
	t.Helper()
	d := directNumber{
		appID: newID(), appSecret: newSecret("appsecret"), token: newSecret("EAAdirect"), wabaID: newID(), phoneNumberID: newID(), systemUserID: newID(),
	}
	business := newID()
	app := metasim.App{ID: d.appID, Secret: d.appSecret, Name: "Bakery Bot", BusinessID: business}
	for _, change := range changes {
		change(&app)
	}
	addWorld(t, metasim.World{
		Apps:       []metasim.App{app},
		Businesses: []metasim.Business{{ID: business, Name: "Bakery"}},
		SystemUsers: []metasim.SystemUser{{
			ID: d.systemUserID, Name: "bot", AppID: d.appID, BusinessID: business, Token: d.token, Scopes: []string{meta.ScopeManagement, meta.ScopeMessaging},
		}},
		WABAs: []metasim.WABA{{
			ID: d.wabaID, Name: "Bakery", Currency: "USD", OwnerBusinessID: business,
			PhoneNumbers: []metasim.PhoneNumber{{ID: d.phoneNumberID, DisplayPhoneNumber: "+1 555-078-3999", VerifiedName: "Blue Door Bakery", Registered: true}},
		}},
	})
	return d
}

// credentials are the keys of the number's Secret.
func (d directNumber) credentials() map[string]string {
	return map[string]string{v1alpha1.SecretKeyAccessToken: d.token, v1alpha1.SecretKeyAppSecret: d.appSecret}
}

// channel is a direct channel for the number with the Secret "credentials".
func (d directNumber) channel(namespace, name string) *v1alpha1.WhatsAppChannel {
	return &v1alpha1.WhatsAppChannel{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app.kubernetes.io/instance": "argo"}},
		Spec: v1alpha1.WhatsAppChannelSpec{Source: v1alpha1.ChannelSource{Direct: &v1alpha1.DirectSource{
			PhoneNumberID: d.phoneNumberID, BusinessAccountID: d.wabaID, CredentialsSecretRef: v1alpha1.SecretReference{Name: "credentials"},
		}}},
	}
}

// enterWebhook is what the business does in the App Dashboard: callback URL, verify token, the field messages.
func (d directNumber) enterWebhook(t *testing.T, channel *v1alpha1.WhatsAppChannel) {
	t.Helper()
	d.configure(t, channel, channel.Status.CallbackURL, "messages")
}

// configure enters a callback URL with the channel's verify token in the App Dashboard, and subscribes to a field.
func (d directNumber) configure(t *testing.T, channel *v1alpha1.WhatsAppChannel, callbackURL, field string) {
	t.Helper()
	ref := channel.Status.VerifyTokenSecretRef
	if ref == nil {
		t.Fatal("status.verifyTokenSecretRef is not set")
	}
	secret := &corev1.Secret{}
	if err := admin.Get(t.Context(), client.ObjectKey{Namespace: channel.Namespace, Name: ref.Name}, secret); err != nil {
		t.Fatal(err)
	}
	token := known.Secret(string(secret.Data[ref.Key]))
	if err := sim.ConfigureWebhook(t.Context(), d.appID, metasim.AppSubscription{CallbackURL: callbackURL, VerifyToken: token, Fields: []string{field}}); err != nil {
		t.Fatal(err)
	}
}

func addWorld(t *testing.T, w metasim.World) {
	t.Helper()
	if err := sim.Add(w); err != nil {
		t.Fatal(err)
	}
}

// newNamespace makes a namespace with the given labels set to "yes". Its deletion begins at the end; nobody waits for the seconds that the
// namespace controller takes.
func newNamespace(t *testing.T, labelNames ...string) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-", Labels: map[string]string{}}}
	for _, name := range labelNames {
		ns.Labels[name] = "yes"
	}
	if err := admin.Create(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.IgnoreNotFound(admin.Delete(context.Background(), ns)); err != nil {
			t.Error(err)
		}
	})
	return ns.Name
}

func createSecret(t *testing.T, namespace, name string, data map[string]string) {
	t.Helper()
	create(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, StringData: data})
}

// setSecret replaces the data of a Secret.
func setSecret(t *testing.T, namespace, name string, data map[string]string) {
	t.Helper()
	secret := &corev1.Secret{}
	if err := admin.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, secret); err != nil {
		t.Fatal(err)
	}
	secret.Data = map[string][]byte{}
	for key, value := range data {
		secret.Data[key] = []byte(value)
	}
	if err := admin.Update(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
}

// create makes an object, and sees at the end of the test that it goes, and what it showed.
func create(t *testing.T, obj client.Object) {
	t.Helper()
	if err := admin.Create(t.Context(), obj); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { remove(t, obj) })
}

// remove deletes an object and waits until it is gone. Of our kinds it first checks the contract.
func remove(t *testing.T, obj client.Object) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	key := client.ObjectKeyFromObject(obj)
	if err := admin.Get(ctx, key, obj); err == nil {
		assertStatusContract(t, obj)
	}
	if err := client.IgnoreNotFound(admin.Delete(ctx, obj)); err != nil {
		t.Errorf("delete %s: %v", key, err)
		return
	}
	for ctx.Err() == nil {
		if err := admin.Get(ctx, key, obj); apierrors.IsNotFound(err) {
			return
		}
		pause(ctx)
	}
	t.Errorf("%T %s is still there", obj, key)
}

// promised checks what is promised of every status.
var promised = sync.OnceValues(func() (*contract.Checker, error) { return contract.Load("..") })

// checkContract says where the status of an object of our kinds is not what was promised.
func checkContract(obj client.Object) error {
	checker, err := promised()
	if err != nil {
		return err
	}
	return checker.Check(obj)
}

// assertStatusContract checks an object of our kinds against the contract and keeps what it shows for the search for secrets.
func assertStatusContract(t *testing.T, obj client.Object) {
	t.Helper()
	switch obj.(type) {
	case *v1alpha1.MetaApp, *v1alpha1.OnboardingRequest, *v1alpha1.WhatsAppChannel:
	default:
		return
	}
	if err := checkContract(obj); err != nil {
		t.Error(err)
	}
	text, err := json.Marshal(obj)
	if err != nil {
		t.Fatal(err)
	}
	known.Show(leaks.Objects, string(text))
}

// conditionsOf reads the conditions of one of our kinds.
func conditionsOf(obj client.Object) []metav1.Condition {
	switch o := obj.(type) {
	case *v1alpha1.MetaApp:
		return o.Status.Conditions
	case *v1alpha1.OnboardingRequest:
		return o.Status.Conditions
	case *v1alpha1.WhatsAppChannel:
		return o.Status.Conditions
	default:
		return nil
	}
}

// awaitCondition reads obj until a condition has a status and a reason for the object's generation, and checks the contract.
func awaitCondition(t *testing.T, obj client.Object, conditionType string, status metav1.ConditionStatus, reason string) metav1.Condition {
	t.Helper()
	var found metav1.Condition
	await(t, func(ctx context.Context) error {
		if err := admin.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
			return err
		}
		c := apimeta.FindStatusCondition(conditionsOf(obj), conditionType)
		if c == nil || c.Status != status || c.Reason != reason || c.ObservedGeneration != obj.GetGeneration() {
			return fmt.Errorf("waiting for %s=%s/%s of %s; it has\n%s", conditionType, status, reason, obj.GetName(), describe(obj))
		}
		found = *c
		return nil
	})
	assertStatusContract(t, obj)
	return found
}

// awaitReady waits until an object is Ready.
func awaitReady(t *testing.T, obj client.Object) {
	t.Helper()
	awaitCondition(t, obj, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
}

// awaitHandled waits until a channel's requested-at was acted on.
func awaitHandled(t *testing.T, channel *v1alpha1.WhatsAppChannel, wish string) {
	t.Helper()
	await(t, func(ctx context.Context) error {
		if err := admin.Get(ctx, client.ObjectKeyFromObject(channel), channel); err != nil {
			return err
		}
		if got := channel.Status.LastHandledReconcileAt; got != wish {
			return fmt.Errorf("status.lastHandledReconcileAt is %q, want %q", got, wish)
		}
		return nil
	})
}

func describe(obj client.Object) string {
	var lines []string
	for _, c := range conditionsOf(obj) {
		lines = append(lines, fmt.Sprintf("  %s=%s/%s: %s", c.Type, c.Status, c.Reason, c.Message))
	}
	return strings.Join(lines, "\n")
}

// await repeats a look until it finds nothing wrong.
func await(t *testing.T, look func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var last error
	for ctx.Err() == nil {
		err := look(ctx)
		if err == nil {
			return
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			last = err
		}
		pause(ctx)
	}
	t.Fatalf("after %s: %v", patience, last)
}

// pause waits a moment, or until ctx ends.
func pause(ctx context.Context) {
	timer := time.NewTimer(glance)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// mustMention fails unless a message holds all of the words.
func mustMention(t *testing.T, message string, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(message, word) {
			t.Errorf("the message does not mention %q: %s", word, message)
		}
	}
}

// graphCalls counts the calls that reached the simulator for an object, by logical name.
func graphCalls(object string, names ...string) int {
	total := 0
	for name, byObject := range sim.Counters().ByObject {
		if len(names) == 0 || slices.Contains(names, name) {
			total += byObject[object]
		}
	}
	return total
}
