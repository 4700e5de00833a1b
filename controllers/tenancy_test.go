package controllers

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/credit"
	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
	"github.com/whatsapp-operator/whatsapp-operator/internal/vault"
)

// TestVerifyTokenPlaceIsTaken puts a Secret of another controller where the verify token goes: it is neither read nor overwritten, and
// the channel doesn't look for its end in a loop.
func TestVerifyTokenPlaceIsTaken(t *testing.T) {
	t.Parallel()
	d := newDirectNumber(t)
	ns := newNamespace(t, labelDirect)
	owner := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "owner"}}
	create(t, owner)
	foreign := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "shop-verify-token", OwnerReferences: []metav1.OwnerReference{
			{APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID, Controller: new(true)},
		}},
		StringData: map[string]string{v1alpha1.SecretKeyVerifyToken: "theirs"},
	}
	create(t, foreign)
	createSecret(t, ns, "credentials", d.credentials())
	channel := d.channel(ns, "shop")
	create(t, channel)
	got := awaitCondition(t, channel, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonRejected)
	mustMention(t, got.Message, "shop-verify-token", "delete it")
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(foreign), foreign); err != nil || string(foreign.Data[v1alpha1.SecretKeyVerifyToken]) != "theirs" {
		t.Errorf("a foreign Secret was changed: %v", err)
	}
}

// sibling adds another app of the same partner, with the same credit line, and its MetaApp.
func (c *customer) sibling(t *testing.T) *customer {
	t.Helper()
	other := *c
	other.appID, other.appSecret, other.systemToken, other.systemUserID = newID(), newSecret("appsecret"), newSecret("EAAsystem"), newID()
	other.wabaID, other.phoneID = newID(), newID()
	addWorld(t, metasim.World{
		Apps: []metasim.App{{ID: other.appID, Secret: other.appSecret, Name: "Sibling App", BusinessID: c.partner.businessID}},
		SystemUsers: []metasim.SystemUser{{
			ID: other.systemUserID, Name: "sibling-admin", AppID: other.appID, BusinessID: c.partner.businessID, Token: other.systemToken,
			Scopes: []string{meta.ScopeManagement, meta.ScopeMessaging, meta.ScopeBusinessManagement},
		}},
		WABAs: []metasim.WABA{{
			ID: other.wabaID, Name: "Second", OwnerBusinessID: c.businessID,
			PhoneNumbers: []metasim.PhoneNumber{{ID: other.phoneID, DisplayPhoneNumber: "+1 555-078-3882", VerifiedName: "Second"}},
		}},
	})
	other.app = other.metaApp(t)
	create(t, other.app)
	awaitCondition(t, other.app, v1alpha1.ConditionCredentialsValid, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	return &other
}

// TestCreditOfTwoAppsOfOneLine offboards a customer of one app while another app's request needs the credit of the same business.
func TestCreditOfTwoAppsOfOneLine(t *testing.T) {
	t.Parallel()
	c := newCustomer(t, nil)
	second := c.sibling(t)
	a := c.onboard(t, "first", func(r *v1alpha1.OnboardingRequest) { r.Spec.DeletionPolicy = v1alpha1.DeletionOffboard })
	b := second.onboard(t, "second", nil)
	awaitReady(t, a)
	awaitReady(t, b)
	if err := admin.Delete(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	got := awaitCondition(t, a, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonOffboardDenied)
	mustMention(t, got.Message, second.wabaID, "Retain")
	if n := graphCalls(a.Status.CreditAllocationID, "delete_allocation") + graphCalls(b.Status.CreditAllocationID, "delete_allocation"); n != 0 {
		t.Error("the credit that another app's request needs was revoked")
	}
	update(t, a, func() { a.Spec.DeletionPolicy = v1alpha1.DeletionRetain })
	remove(t, a)
}

// TestRequestsOfOneBusinessTakeTurns onboards many accounts of one business at once: they share a page of the ledger, and waiting for
// it must cost no call.
func TestRequestsOfOneBusinessTakeTurns(t *testing.T) {
	t.Parallel()
	c := newCustomer(t, nil)
	var customers []*customer
	var requests []*v1alpha1.OnboardingRequest
	for i := range 8 {
		one := *c
		one.wabaID, one.phoneID = newID(), newID()
		addWorld(t, metasim.World{WABAs: []metasim.WABA{{
			ID: one.wabaID, Name: "Branch", OwnerBusinessID: c.businessID,
			PhoneNumbers: []metasim.PhoneNumber{{ID: one.phoneID, DisplayPhoneNumber: fmt.Sprintf("+1 555-078-39%02d", i), VerifiedName: "Branch"}},
		}}})
		customers = append(customers, &one)
	}
	for i, one := range customers {
		requests = append(requests, one.onboard(t, fmt.Sprintf("branch-%d", i), nil))
	}
	for i, request := range requests {
		awaitReady(t, request)
		for call, want := range map[string]int{"list_assigned_users": 1, "list_subscribed_apps": 2, "list_phone_numbers": 1} {
			if n := graphCalls(customers[i].wabaID, call); n != want {
				t.Errorf("%s: %d calls of %s, want %d", request.Name, n, call, want)
			}
		}
		// Who had to wait reads account and number once more when his turn comes: what was read before may be minutes old.
		if n := graphCalls(customers[i].wabaID, "get_waba"); n > 3 {
			t.Errorf("%s: the account was read %d times", request.Name, n)
		}
		if n := graphCalls(customers[i].phoneID, "get_phone"); n > 1 {
			t.Errorf("%s: the number was read %d times beside the account's list", request.Name, n)
		}
	}
}

// TestCalledOffRevocationIsSettled finds a ledger page whose revocation was announced long ago and never finished.
func TestCalledOffRevocationIsSettled(t *testing.T) {
	w := newExchangeWorld(t)
	w.keepToken()
	ledger := &credit.Ledger{Reader: w.objects, Writer: w.objects, Namespace: systemNamespace}
	page, err := ledger.Read(t.Context(), metasim.DemoCreditLine, ownerOf(t, w))
	if err != nil {
		t.Fatal(err)
	}
	page.Shared(metasim.DemoWABA, "USD", "4711", "acme/earlier", w.clock.Now())
	page.Release(metasim.DemoWABA, "acme/earlier")
	page.BeginRevoke(w.clock.Now())
	if err := ledger.Write(t.Context(), page); err != nil {
		t.Fatal(err)
	}
	before := w.clock.Now()
	w.lead(w.leader(&mortal{Client: w.objects}))
	if w.clock.Now().Sub(before) < creditSettle {
		t.Error("a revocation that may be under way was not waited for")
	}
	w.checkJourney("a revocation was called off", false)
}

func ownerOf(t *testing.T, w *exchangeWorld) string {
	t.Helper()
	world := w.sim.World(false)
	for i := range world.WABAs {
		if world.WABAs[i].ID == metasim.DemoWABA {
			return world.WABAs[i].OwnerBusinessID
		}
	}
	t.Fatal("the simulator has no demo account")
	return ""
}

// reconcileDeleted makes one reconciliation of a request that is being deleted with Offboard, and says whether it is gone.
func (w *exchangeWorld) reconcileDeleted(r *OnboardingRequestReconciler) (after time.Duration, gone bool) {
	w.t.Helper()
	key := client.ObjectKeyFromObject(w.request)
	res, err := r.Reconcile(w.t.Context(), ctrl.Request{NamespacedName: key})
	if err != nil {
		w.t.Fatal(err)
	}
	err = w.objects.Get(w.t.Context(), key, w.request)
	if client.IgnoreNotFound(err) != nil {
		w.t.Fatal(err)
	}
	return res.RequeueAfter, err != nil
}

// deleteRequest begins the deletion of the request with Offboard.
func (w *exchangeWorld) deleteRequest() {
	w.t.Helper()
	ctx, key := w.t.Context(), client.ObjectKeyFromObject(w.request)
	if err := w.objects.Get(ctx, key, w.request); err != nil {
		w.t.Fatal(err)
	}
	w.request.Finalizers, w.request.Spec.DeletionPolicy = []string{v1alpha1.Finalizer}, v1alpha1.DeletionOffboard
	if err := w.objects.Update(ctx, w.request); err != nil {
		w.t.Fatal(err)
	}
	if err := w.objects.Delete(ctx, w.request); err != nil {
		w.t.Fatal(err)
	}
}

// TestOffboardWaitsForTheExchange deletes a request while its code is out: the token that comes must find its place.
func TestOffboardWaitsForTheExchange(t *testing.T) {
	w := newExchangeWorld(t)
	v := &vault.Vault{Reader: w.objects, Writer: w.objects, Namespace: systemNamespace, Clock: w.clock}
	entry, err := v.Reserve(t.Context(), w.key, &vault.Entry{}, "hash")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.BeginSend(t.Context(), w.key, entry); err != nil {
		t.Fatal(err)
	}
	w.deleteRequest()
	r := w.leader(&mortal{Client: w.objects})
	after, gone := w.reconcileDeleted(r)
	if entry, err = v.Read(t.Context(), w.key); err != nil || !entry.Exists() || gone {
		t.Fatalf("the place of a token that is on its way was cleaned up: %v", err)
	}
	w.clock.Step(max(after, sendLease))
	if _, gone = w.reconcileDeleted(r); !gone {
		t.Errorf("the request is still there:\n%s", describe(w.request))
	}
	if entry, err = v.Read(t.Context(), w.key); err != nil || entry.Exists() {
		t.Errorf("the entry outlived its request: %v", err)
	}
}

// TestReportsFindTheLine reports on a number that two channels know: the one that serves it and one that waits for it.
func TestReportsFindTheLine(t *testing.T) {
	scheme, err := Scheme()
	if err != nil {
		t.Fatal(err)
	}
	channel := func(namespace string, uid types.UID) *v1alpha1.WhatsAppChannel {
		return &v1alpha1.WhatsAppChannel{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "shop", UID: uid},
			Status:     v1alpha1.WhatsAppChannelStatus{Phone: &v1alpha1.PhoneStatus{ID: "1"}, LineID: "line-" + string(uid)},
		}
	}
	for _, serving := range []types.UID{"first", "last"} {
		api := fake.NewClientBuilder().WithScheme(scheme).WithObjects(channel("a", "first"), channel("z", "last")).
			WithIndex(&v1alpha1.WhatsAppChannel{}, fieldLine, lineOf).Build()
		r := &reports{client: api, observations: &observations{}, channels: make(chan event.GenericEvent, 2)}
		hour := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
		if err := r.handle(t.Context(), []serverapi.Report{{
			Kind: serverapi.KindTraffic, PhoneNumberID: "1", LineID: "line-" + string(serving),
			Detail: serverapi.Detail{Traffic: &serverapi.Traffic{LastReceived: hour}},
		}}); err != nil {
			t.Fatal(err)
		}
		for _, uid := range []types.UID{"first", "last"} {
			if got := r.observations.take(uid).received.Equal(hour); got != (uid == serving) {
				t.Errorf("%s serves the number, and %s was told of its traffic: %t", serving, uid, got)
			}
		}
	}
}

func TestSweepOfANumberThatWasReplaced(t *testing.T) {
	projection := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: runtimeconfig.ChannelName("1")}}
	channel := requestChannel("acme", "shop", "shop")
	for _, tc := range []struct {
		reason string
		phone  *v1alpha1.PhoneStatus
		want   bool
	}{
		{"a channel that has not learnt its number keeps what it has", nil, false},
		{"the number is the channel's", &v1alpha1.PhoneStatus{ID: "1"}, false},
		{"the channel has another number since its request was made again", &v1alpha1.PhoneStatus{ID: "2"}, true},
	} {
		channel.Status.Phone = tc.phone
		if got := movedOn(channel, projection); got != tc.want {
			t.Errorf("%s: got %t", tc.reason, got)
		}
	}
}

// TestUnreadableVaultLeavesEvidence deletes a request in a namespace that is going while its token's place is taken by something else.
func TestUnreadableVaultLeavesEvidence(t *testing.T) {
	w := newExchangeWorld(t)
	ns := &corev1.Namespace{}
	if err := w.objects.Get(t.Context(), client.ObjectKey{Name: "acme"}, ns); err != nil {
		t.Fatal(err)
	}
	ns.Finalizers = []string{"kubernetes"}
	if err := w.objects.Update(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	if err := w.objects.Delete(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	if err := w.objects.Create(t.Context(), secretOf(systemNamespace, w.key.SecretName(), map[string]string{"what": "else"})); err != nil {
		t.Fatal(err)
	}
	w.deleteRequest()
	r := w.leader(&mortal{Client: w.objects})
	if _, gone := w.reconcileDeleted(r); !gone {
		t.Fatal("a namespace can't go because of a Secret")
	}
	left, err := r.leftovers.of(t.Context(), "partner")
	if err != nil || len(left) != 1 {
		t.Errorf("the evidence is lost: %+v, %v", left, err)
	}
}
