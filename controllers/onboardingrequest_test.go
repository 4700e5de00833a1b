package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/credit"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/internal/vault"
)

// customer is a business with one account and one number, about to sign up with a partner.
type customer struct {
	partner
	app                         *v1alpha1.MetaApp
	namespace                   string
	businessID, wabaID, phoneID string
	codeID                      string
}

// newCustomer makes a partner with a Ready MetaApp, a namespace that it allows, and a customer at Meta. change may alter the
// account and the app before they exist.
func newCustomer(t *testing.T, change func(*v1alpha1.MetaApp, *metasim.WABA)) *customer {
	t.Helper()
	c := &customer{partner: newPartner(t), businessID: newID(), wabaID: newID(), phoneID: newID()}
	c.namespace = newNamespace(t, labelPartner)
	c.app = c.metaApp(t)
	waba := metasim.WABA{
		ID: c.wabaID, Name: "Lucky Shrub", Currency: "USD", OwnerBusinessID: c.businessID,
		PhoneNumbers: []metasim.PhoneNumber{{ID: c.phoneID, DisplayPhoneNumber: "+1 555-078-3881", VerifiedName: "Lucky Shrub Plants"}},
	}
	if change != nil {
		change(c.app, &waba)
	}
	addWorld(t, metasim.World{Businesses: []metasim.Business{{ID: c.businessID, Name: "Lucky Shrub"}}, WABAs: []metasim.WABA{waba}})
	create(t, c.app)
	awaitCondition(t, c.app, v1alpha1.ConditionCredentialsValid, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	return c
}

// signUp plays the customer's signup for some accounts and returns the code.
func (c *customer) signUp(t *testing.T, wabaIDs ...string) string {
	t.Helper()
	if len(wabaIDs) == 0 {
		wabaIDs = []string{c.wabaID}
	}
	issued, err := sim.IssueCode(metasim.CodeRequest{AppID: c.appID, WABAIDs: wabaIDs})
	if err != nil {
		t.Fatal(err)
	}
	c.codeID = issued.ID
	return known.Secret(issued.Code)
}

// request is an OnboardingRequest with the code Secret of the same name.
func (c *customer) request(name string) *v1alpha1.OnboardingRequest {
	r := &v1alpha1.OnboardingRequest{
		ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: name},
		Spec: v1alpha1.OnboardingRequestSpec{
			MetaAppRef: v1alpha1.MetaAppReference{Name: c.app.Name}, CodeSecretRef: &v1alpha1.SecretKeyReference{Name: name}, DeletionPolicy: v1alpha1.DeletionRetain,
		},
	}
	if c.app.Spec.SolutionPartner != nil {
		r.Spec.Currency = "USD"
	}
	return r
}

// onboard creates a request whose customer has just signed up.
func (c *customer) onboard(t *testing.T, name string, change func(*v1alpha1.OnboardingRequest)) *v1alpha1.OnboardingRequest {
	t.Helper()
	request := c.request(name)
	if change != nil {
		change(request)
	}
	createSecret(t, c.namespace, name, map[string]string{v1alpha1.SecretKeyCode: c.signUp(t)})
	create(t, request)
	return request
}

// entryOf reads the vault entry of a request.
func entryOf(t *testing.T, request *v1alpha1.OnboardingRequest) *vault.Entry {
	t.Helper()
	v := &vault.Vault{Reader: admin, Namespace: systemNamespace}
	entry, err := v.Read(t.Context(), vault.Key{Namespace: request.Namespace, Name: request.Name})
	if err != nil {
		t.Fatal(err)
	}
	token, _ := entry.Current()
	for _, value := range []string{token.Reveal(), entry.PIN.Reveal()} {
		// PINs are six digits, which ids contain by chance.
		if len(value) > 6 {
			known.Secret(value)
		}
	}
	return entry
}

// callsFor counts the calls that concern the customer, by name. The partner's line and app are the customer's alone here.
func (c *customer) callsFor() map[string]int {
	out := map[string]int{}
	for name, byObject := range sim.Counters().ByObject {
		for _, object := range []string{c.wabaID, c.phoneID, c.creditLineID} {
			if n := byObject[object]; n > 0 {
				out[name] += n
			}
		}
	}
	// The MetaApp's own watch over the line is not part of the journey.
	delete(out, "get_credit_line")
	return out
}

func TestJourneyToReady(t *testing.T) {
	c := newCustomer(t, nil)
	request := c.onboard(t, "shop", func(r *v1alpha1.OnboardingRequest) { r.Spec.CredentialsSecretName = "shop-credentials" })
	awaitReady(t, request)

	want := map[string]int{
		"get_waba": 2, "list_phone_numbers": 1, // proof of the assets, and of the funding
		"list_subscribed_apps": 2, "subscribe": 1,
		"list_assigned_users": 1, "assign_user": 1, "credit_share_and_attach": 1,
		"register": 1,
	}
	if diff := cmp.Diff(want, c.callsFor()); diff != "" {
		t.Errorf("calls that are not the plan (-want +got):\n%s", diff)
	}
	if sends := sim.Counters().CodeSends[c.codeID]; sends != 1 {
		t.Errorf("the code was sent %d times", sends)
	}
	s := request.Status
	if s.WABAID != c.wabaID || s.PhoneNumberID != c.phoneID || s.OwnerBusinessID != c.businessID || s.CreditAllocationID == "" || s.Token == nil || s.Exchange == nil {
		t.Errorf("status lacks what was proven: %+v", s)
	}
	entry := entryOf(t, request)
	if entry.PIN.IsZero() || len(entry.RegisterAttempts) != 1 || entry.OwnerBusinessID != c.businessID || !entry.TokenProven {
		t.Errorf("the vault lacks what was proven: %+v", entry)
	}
	copied := &corev1.Secret{}
	if err := admin.Get(t.Context(), client.ObjectKey{Namespace: c.namespace, Name: "shop-credentials"}, copied); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for key, value := range copied.Data {
		got[key] = string(value)
	}
	if diff := cmp.Diff(map[string]string{
		"access-token": entry.Token.Reveal(), "waba-id": c.wabaID, "phone-number-id": c.phoneID, "business-id": c.businessID,
	}, got); diff != "" {
		t.Errorf("the copy of the credentials (-want +got):\n%s", diff)
	}

	// Asking to look again reads, and changes nothing at Meta.
	before := c.callsFor()
	askAgain(t, request)
	awaitReady(t, request)
	after := c.callsFor()
	for _, write := range []string{"subscribe", "assign_user", "credit_share_and_attach", "register"} {
		if before[write] != after[write] {
			t.Errorf("looking again called %s", write)
		}
	}
	if after["get_waba"] == before["get_waba"] {
		t.Error("looking again read nothing")
	}
}

// askAgain sets requested-at and waits until it was seen.
func askAgain(t *testing.T, request *v1alpha1.OnboardingRequest) {
	t.Helper()
	wish := fmt.Sprintf("wish-%d", serial.Add(1))
	update(t, request, func() { request.Annotations = map[string]string{v1alpha1.RequestedAtAnnotation: wish} })
	await(t, func(ctx context.Context) error {
		if err := admin.Get(ctx, client.ObjectKeyFromObject(request), request); err != nil {
			return err
		}
		if request.Status.LastHandledReconcileAt != wish {
			return fmt.Errorf("%s was not looked at again", request.Name)
		}
		return nil
	})
}

// update changes an object, over again while others change it too.
func update(t *testing.T, obj client.Object, change func()) {
	t.Helper()
	await(t, func(ctx context.Context) error {
		if err := admin.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
			return err
		}
		change()
		return admin.Update(ctx, obj)
	})
}

func TestTechProviderSharesNoCredit(t *testing.T) {
	c := newCustomer(t, func(app *v1alpha1.MetaApp, _ *metasim.WABA) { app.Spec.SolutionPartner = nil })
	request := c.onboard(t, "shop", nil)
	awaitReady(t, request)
	awaitCondition(t, request, v1alpha1.ConditionCreditShared, metav1.ConditionTrue, v1alpha1.ReasonNotRequired)
	calls := c.callsFor()
	if calls["credit_share_and_attach"]+calls["assign_user"] != 0 || calls["register"] != 1 {
		t.Errorf("calls: %v", calls)
	}
}

func TestShareThenAttach(t *testing.T) {
	c := newCustomer(t, func(app *v1alpha1.MetaApp, _ *metasim.WABA) {
		app.Spec.SolutionPartner.CreditSharing = v1alpha1.ShareThenAttach
	})
	request := c.onboard(t, "shop", nil)
	awaitReady(t, request)
	calls := c.callsFor()
	if calls["credit_share"] != 1 || calls["credit_attach"] != 1 || calls["assign_user"] != 0 {
		t.Errorf("calls: %v", calls)
	}
}

func TestNumbersThatNeedNoRegistration(t *testing.T) {
	for _, tc := range []struct {
		name, reason string
		change       func(*metasim.PhoneNumber)
	}{
		{"registered", v1alpha1.ReasonSucceeded, func(p *metasim.PhoneNumber) { p.Registered, p.PIN = true, "246813" }},
		{"coexistent", v1alpha1.ReasonNotRequired, func(p *metasim.PhoneNumber) { p.IsOnBizApp = true }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newCustomer(t, func(_ *v1alpha1.MetaApp, w *metasim.WABA) { tc.change(&w.PhoneNumbers[0]) })
			request := c.onboard(t, "shop", nil)
			awaitReady(t, request)
			awaitCondition(t, request, v1alpha1.ConditionPhoneRegistered, metav1.ConditionTrue, tc.reason)
			if calls := c.callsFor(); calls["register"] != 0 {
				t.Errorf("the number was registered %d times", calls["register"])
			}
		})
	}
}

// TestBusinessAppSync asks for the contacts and chats of a number of the WhatsApp Business app once each, and never holds the number up.
func TestBusinessAppSync(t *testing.T) {
	c := newCustomer(t, func(_ *v1alpha1.MetaApp, w *metasim.WABA) { w.PhoneNumbers[0].IsOnBizApp = true })
	request := c.onboard(t, "shop", nil)
	awaitReady(t, request)
	awaitCondition(t, request, v1alpha1.ConditionBusinessAppSynced, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	if n := c.callsFor()["smb_app_data"]; n != 2 {
		t.Errorf("the app's data was asked for %d times, want once for contacts and once for chats", n)
	}
	// Deleting and creating the request again, as Argo CD's Replace does, asks for nothing.
	remove(t, request)
	again := c.request("shop")
	create(t, again)
	awaitReady(t, again)
	awaitCondition(t, again, v1alpha1.ConditionBusinessAppSynced, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	if n := c.callsFor()["smb_app_data"]; n != 2 {
		t.Errorf("the app's data was asked for %d times after the request was made again", n)
	}
}

// TestBusinessAppSyncWindowMissed has a request that comes a day after its signup.
func TestBusinessAppSyncWindowMissed(t *testing.T) {
	c := newCustomer(t, func(_ *v1alpha1.MetaApp, w *metasim.WABA) { w.PhoneNumbers[0].IsOnBizApp = true })
	request := c.request("shop")
	code := c.signUp(t)
	if err := sim.UpdatePhoneNumber(c.phoneID, func(p *metasim.PhoneNumber) { p.LastOnboardedTime = "2026-01-02T03:04:05+0000" }); err != nil {
		t.Fatal(err)
	}
	createSecret(t, c.namespace, "shop", map[string]string{v1alpha1.SecretKeyCode: code})
	create(t, request)
	awaitReady(t, request)
	got := awaitCondition(t, request, v1alpha1.ConditionBusinessAppSynced, metav1.ConditionFalse, v1alpha1.ReasonSyncWindowMissed)
	mustMention(t, got.Message, "24 hours", "works without them", "disconnect the number", "sign up again")
	calls := c.callsFor()["smb_app_data"]
	update(t, request, func() { request.Annotations = map[string]string{v1alpha1.RequestedAtAnnotation: "again"} })
	await(t, func(ctx context.Context) error {
		if err := admin.Get(ctx, client.ObjectKeyFromObject(request), request); err != nil || request.Status.LastHandledReconcileAt != "again" {
			return fmt.Errorf("not handled yet: %w", err)
		}
		return nil
	})
	if n := c.callsFor()["smb_app_data"]; n != calls {
		t.Errorf("what was missed was asked for again, %d times", n-calls)
	}
}

func TestGivenPIN(t *testing.T) {
	c := newCustomer(t, func(_ *v1alpha1.MetaApp, w *metasim.WABA) { w.PhoneNumbers[0].PIN = "581063" })
	createSecret(t, c.namespace, "pin", map[string]string{v1alpha1.SecretKeyPIN: "581063\n"})
	request := c.onboard(t, "shop", func(r *v1alpha1.OnboardingRequest) { r.Spec.PINSecretRef = &v1alpha1.SecretKeyReference{Name: "pin"} })
	awaitReady(t, request)
	if got := entryOf(t, request).PIN.Reveal(); got != "581063" {
		t.Errorf("the vault holds the PIN %s", got)
	}
}

func TestUnknownPINWaitsForAPerson(t *testing.T) {
	c := newCustomer(t, func(_ *v1alpha1.MetaApp, w *metasim.WABA) { w.PhoneNumbers[0].PIN = "581063" })
	request := c.onboard(t, "shop", nil)
	stalledBy := awaitCondition(t, request, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonPINMismatch)
	mustMention(t, stalledBy.Message, "spec.pinSecretRef", "switch it off")
	if request.Status.PINMismatches == nil || *request.Status.PINMismatches != 1 || len(request.Status.RegisterAttempts) != 1 {
		t.Errorf("after one random PIN: mismatches %v, attempts %v", request.Status.PINMismatches, request.Status.RegisterAttempts)
	}
	askAgain(t, request)
	awaitCondition(t, request, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonPINMismatch)
	if n := sim.Counters().RegisterAttempts[c.phoneID]; n != 1 {
		t.Errorf("a number with another PIN was registered %d times without a PIN having been given", n)
	}
	createSecret(t, c.namespace, "pin", map[string]string{v1alpha1.SecretKeyPIN: "999999"})
	update(t, request, func() { request.Spec.PINSecretRef = &v1alpha1.SecretKeyReference{Name: "pin"} })
	stalledBy = awaitCondition(t, request, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonPINMismatch)
	mustMention(t, stalledBy.Message, "Secret pin", v1alpha1.RequestedAtAnnotation)
	askAgain(t, request)
	if n := sim.Counters().RegisterAttempts[c.phoneID]; n != 2 {
		t.Errorf("one random and one given PIN made %d calls, want 2", n)
	}
	setSecret(t, c.namespace, "pin", map[string]string{v1alpha1.SecretKeyPIN: "581063"})
	askAgain(t, request)
	awaitReady(t, request)
}

func TestLockedNumberIsNotRegisteredAgain(t *testing.T) {
	c := newCustomer(t, nil)
	breakCall(t, metasim.Fault{Call: "register", ObjectID: c.phoneID, Action: metasim.ActionGraphError, Count: -1, Error: &metasim.FaultError{Code: 133016}})
	request := c.onboard(t, "shop", nil)
	awaitCondition(t, request, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonRegistrationLocked)
	askAgain(t, request)
	awaitCondition(t, request, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonRegistrationLocked)
	if n := graphCalls(c.phoneID, "register"); n != 1 {
		t.Errorf("a locked number was registered %d times", n)
	}
}

func TestUnverifiedNumber(t *testing.T) {
	c := newCustomer(t, func(_ *v1alpha1.MetaApp, w *metasim.WABA) { w.PhoneNumbers[0].CodeVerificationStatus = "NOT_VERIFIED" })
	request := c.onboard(t, "shop", nil)
	awaitCondition(t, request, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonNumberNotVerified)
}

// breakCall scripts a fault for this test alone.
func breakCall(t *testing.T, f metasim.Fault) {
	t.Helper()
	id, err := sim.AddFault(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.ClearFaults(id) })
}

func TestIDsThatDontMatch(t *testing.T) {
	for _, tc := range []struct {
		name, reason string
		change       func(*v1alpha1.OnboardingRequestSpec, string)
		right        func(*customer) string
		says         string
	}{
		{
			"account", v1alpha1.ReasonWABAMismatch, func(s *v1alpha1.OnboardingRequestSpec, id string) { s.WABAID = id },
			func(c *customer) string { return c.wabaID }, "correct spec.wabaID",
		},
		{
			"number", v1alpha1.ReasonPhoneNumberMismatch, func(s *v1alpha1.OnboardingRequestSpec, id string) { s.PhoneNumberID = id },
			func(c *customer) string { return c.phoneID }, "correct spec.phoneNumberID",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newCustomer(t, nil)
			request := c.onboard(t, "shop", func(r *v1alpha1.OnboardingRequest) { tc.change(&r.Spec, "123") })
			condition := awaitCondition(t, request, v1alpha1.ConditionStalled, metav1.ConditionTrue, tc.reason)
			mustMention(t, condition.Message, "123", tc.right(c), tc.says)
			calls := c.callsFor()
			if calls["subscribe"]+calls["credit_share_and_attach"]+calls["register"] != 0 {
				t.Errorf("something was changed at Meta for unproven ids: %v", calls)
			}
			update(t, request, func() { tc.change(&request.Spec, tc.right(c)) })
			awaitReady(t, request)
			if sends := sim.Counters().CodeSends[c.codeID]; sends != 1 {
				t.Errorf("correcting an id made the code be sent %d times", sends)
			}
			tc.change(&request.Spec, "123")
			if err := admin.Update(t.Context(), request); !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "create another") {
				t.Errorf("an id that is proven was changed: %v", err)
			}
		})
	}
}

func TestSeveralAccounts(t *testing.T) {
	c := newCustomer(t, nil)
	other := newID()
	addWorld(t, metasim.World{WABAs: []metasim.WABA{{ID: other, Name: "Second", OwnerBusinessID: c.businessID}}})
	request := c.request("shop")
	createSecret(t, c.namespace, "shop", map[string]string{v1alpha1.SecretKeyCode: c.signUp(t, c.wabaID, other)})
	create(t, request)
	condition := awaitCondition(t, request, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonWABAAmbiguous)
	mustMention(t, condition.Message, c.wabaID, other, "spec.wabaID")
	update(t, request, func() { request.Spec.WABAID = c.wabaID })
	awaitReady(t, request)
}

func TestUsedCodeAndTheNextOne(t *testing.T) {
	c := newCustomer(t, nil)
	breakCall(t, metasim.Fault{
		Call: "exchange", Action: metasim.ActionGraphError, Error: &metasim.FaultError{Code: 100, Subcode: 36009, Type: "OAuthException"},
	})
	request := c.onboard(t, "shop", nil)
	condition := awaitCondition(t, request, v1alpha1.ConditionTokenExchanged, metav1.ConditionFalse, v1alpha1.ReasonCodeUsed)
	mustMention(t, condition.Message, "sign up again", "shop", v1alpha1.RequestedAtAnnotation)
	setSecret(t, c.namespace, "shop", map[string]string{v1alpha1.SecretKeyCode: c.signUp(t)})
	awaitReady(t, request)
}

func TestLostCreditAnswerMakesOneAllocation(t *testing.T) {
	for _, action := range []string{metasim.ActionResetAfter, metasim.ActionMalformedJSON} {
		t.Run(action, func(t *testing.T) {
			c := newCustomer(t, nil)
			breakCall(t, metasim.Fault{Call: "credit_share_and_attach", ObjectID: c.creditLineID, Action: action, ApplyFirst: true})
			request := c.onboard(t, "shop", nil)
			awaitReady(t, request)
			if calls := c.callsFor(); calls["credit_share_and_attach"] != 1 {
				t.Errorf("the line was shared %d times", calls["credit_share_and_attach"])
			}
			page, err := (&credit.Ledger{Reader: admin, Namespace: systemNamespace}).Read(t.Context(), c.creditLineID, c.businessID)
			if err != nil {
				t.Fatal(err)
			}
			account, _ := page.Account(c.wabaID)
			if account.State != credit.StateShared || account.AllocationID != request.Status.CreditAllocationID || !slices.Equal(account.Claimants, []string{c.namespace + "/shop"}) {
				t.Errorf("the ledger says %+v", account)
			}
		})
	}
}

func TestWaitingForCode(t *testing.T) {
	c := newCustomer(t, nil)
	request := c.request("shop")
	create(t, request)
	condition := awaitCondition(t, request, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonWaitingForCode)
	mustMention(t, condition.Message, `Secret shop`, `"code"`)
	createSecret(t, c.namespace, "shop", map[string]string{v1alpha1.SecretKeyCode: c.signUp(t)})
	awaitReady(t, request)
}

func TestSuspend(t *testing.T) {
	c := newCustomer(t, nil)
	suspend := true
	request := c.onboard(t, "shop", func(r *v1alpha1.OnboardingRequest) { r.Spec.Suspend = &suspend })
	awaitCondition(t, request, v1alpha1.ConditionSuspended, metav1.ConditionTrue, v1alpha1.ReasonSuspended)
	if sends := sim.Counters().CodeSends[c.codeID]; sends != 0 {
		t.Errorf("a suspended request spent its code")
	}
	update(t, request, func() { *request.Spec.Suspend = false })
	awaitReady(t, request)
}

func TestForeignCredentialsSecretIsKept(t *testing.T) {
	c := newCustomer(t, nil)
	createSecret(t, c.namespace, "mine", map[string]string{"access-token": "the tenant's own"})
	request := c.onboard(t, "shop", func(r *v1alpha1.OnboardingRequest) { r.Spec.CredentialsSecretName = "mine" })
	condition := awaitCondition(t, request, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonRejected)
	mustMention(t, condition.Message, "spec.credentialsSecretName", "mine")
	secret := &corev1.Secret{}
	if err := admin.Get(t.Context(), client.ObjectKey{Namespace: c.namespace, Name: "mine"}, secret); err != nil || string(secret.Data["access-token"]) != "the tenant's own" {
		t.Errorf("the tenant's Secret was overwritten (%v)", err)
	}
}

func TestRetainLeavesEverything(t *testing.T) {
	c := newCustomer(t, nil)
	request := c.onboard(t, "shop", nil)
	awaitReady(t, request)
	before := c.callsFor()
	remove(t, request)
	if diff := cmp.Diff(before, c.callsFor()); diff != "" {
		t.Errorf("deleting with Retain called Meta:\n%s", diff)
	}
	if !entryOf(t, request).Exists() {
		t.Error("the token is gone")
	}
}

func TestOffboard(t *testing.T) {
	c := newCustomer(t, nil)
	request := c.onboard(t, "shop", func(r *v1alpha1.OnboardingRequest) {
		r.Spec.DeletionPolicy, r.Spec.CredentialsSecretName = v1alpha1.DeletionOffboard, "shop-credentials"
	})
	awaitReady(t, request)
	remove(t, request)
	calls := c.callsFor()
	if calls["unsubscribe"] != 1 || calls["deregister"] != 1 {
		t.Errorf("calls: %v", calls)
	}
	if n := graphCalls(request.Status.CreditAllocationID, "delete_allocation"); n != 1 {
		t.Errorf("the credit was revoked %d times", n)
	}
	if entryOf(t, request).Exists() {
		t.Error("the token is still there")
	}
	await(t, func(ctx context.Context) error {
		err := admin.Get(ctx, client.ObjectKey{Namespace: c.namespace, Name: "shop-credentials"}, &corev1.Secret{})
		if !apierrors.IsNotFound(err) {
			return fmt.Errorf("the copy of the credentials is still there: %w", err)
		}
		return nil
	})
}

func TestOffboardRefusesWhileTheBusinessNeedsItsCredit(t *testing.T) {
	c := newCustomer(t, nil)
	second := *c
	second.wabaID, second.phoneID = newID(), newID()
	addWorld(t, metasim.World{WABAs: []metasim.WABA{{
		ID: second.wabaID, Name: "Second", OwnerBusinessID: c.businessID,
		PhoneNumbers: []metasim.PhoneNumber{{ID: second.phoneID, DisplayPhoneNumber: "+1 555-078-3882", VerifiedName: "Second"}},
	}}})
	offboard := func(r *v1alpha1.OnboardingRequest) { r.Spec.DeletionPolicy = v1alpha1.DeletionOffboard }
	a, b := c.onboard(t, "first", offboard), second.onboard(t, "second", offboard)
	awaitReady(t, a)
	awaitReady(t, b)
	if err := admin.Delete(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	await(t, func(ctx context.Context) error {
		if err := admin.Get(ctx, client.ObjectKeyFromObject(a), a); err != nil {
			return err
		}
		for _, condition := range a.Status.Conditions {
			if condition.Type == v1alpha1.ConditionStalled && condition.Reason == v1alpha1.ReasonOffboardDenied {
				mustMention(t, condition.Message, second.wabaID, "Retain")
				return nil
			}
		}
		return fmt.Errorf("the offboarding was not refused:\n%s", describe(a))
	})
	if n := graphCalls(a.Status.CreditAllocationID, "delete_allocation"); n != 0 {
		t.Fatal("the credit of the other account was revoked")
	}
	// The last one to go revokes for both, and does not wait for the first.
	remove(t, b)
	if n := graphCalls(a.Status.CreditAllocationID, "delete_allocation"); n != 1 {
		t.Errorf("the credit was revoked %d times", n)
	}
	update(t, a, func() {
		a.Annotations = map[string]string{v1alpha1.RequestedAtAnnotation: time.Now().Format(time.RFC3339)}
	})
	remove(t, a)
}

func TestNamespaceDeletionLeavesEvidence(t *testing.T) {
	c := newCustomer(t, nil)
	request := c.onboard(t, "shop", func(r *v1alpha1.OnboardingRequest) { r.Spec.DeletionPolicy = v1alpha1.DeletionOffboard })
	awaitReady(t, request)
	breakCall(t, metasim.Fault{Call: "unsubscribe", ObjectID: c.wabaID, Action: metasim.ActionGraphError, Count: -1, Error: &metasim.FaultError{HTTP: 403, Code: 200}})
	remove(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: c.namespace}})
	left, err := (&leftovers{live: admin, namespace: systemNamespace}).of(t.Context(), c.app.Name)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 1 || left[0].Object != c.namespace+"/shop" {
		t.Fatalf("leftovers: %+v", left)
	}
	mustMention(t, left[0].What, "subscription", c.wabaID)
}
