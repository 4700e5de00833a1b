package controllers

import (
	"strconv"
	"testing"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
)

// variant is one way in which Meta, or a customer, may be.
type variant struct {
	name string
	// switches are positions of the simulator.
	switches func(*metasim.Switches)
	// app and request change what is asked for, prepare what is there before the customer signs up, signUp the accounts that are granted.
	app     func(*v1alpha1.MetaAppSpec)
	request func(*v1alpha1.OnboardingRequestSpec)
	prepare func(r *faultRun)
	signUp  []string
	// reason is why the request doesn't become Ready; waiting says that it waits for a person instead of being Stalled.
	reason  string
	waiting bool
	// revoked is how many sharings of the line were made and revoked before.
	revoked int
	// calls are how often Meta was called, for those that the variant is about.
	calls map[string]int
}

const (
	// otherWABA is an account of the same customer, strangersWABA one that was never shared with the partner.
	otherWABA     = "102290129349901"
	strangersWABA = metasim.DemoDirectWABA
	// coexistentNumber is a second number of the customer's account.
	coexistentNumber = "106540352249902"
	// emptyWABA has no number.
	emptyWABA = "102290129349902"
)

// TestEverySwitchPositionComesToAnEnd leads a request through each position that the simulator has for what Meta doesn't publish, and
// through each variant of the journey. It ends Ready, waiting for a named person, or Stalled with the reason that fits.
func TestEverySwitchPositionComesToAnEnd(t *testing.T) {
	for _, v := range variants() {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			change := v.switches
			if change == nil {
				change = func(*metasim.Switches) {}
			}
			r := newFaultRun(t, -1, change)
			r.arrange(v)
			r.play(4*time.Hour, nil)
			switch {
			case v.reason == "" && !r.is(v1alpha1.ConditionReady):
				t.Fatalf("the request is not Ready:\n%s", describe(r.request))
			case v.reason != "" && !v.waiting:
				r.mustBeStalled("", v.reason)
			case v.waiting:
				r.mustWait(v.reason)
			}
			calls := r.sim.Counters().Calls
			for name, want := range v.calls {
				if calls[name] != want {
					t.Errorf("%s was called %d times, want %d", name, calls[name], want)
				}
			}
			if n := r.sim.Counters().CreditAllocations; n > 1+v.revoked {
				t.Errorf("%d allocations were made", n)
			}
			assertStatusContract(t, r.request)
		})
	}
}

// arrange makes the variant's world.
func (r *faultRun) arrange(v variant) {
	r.t.Helper()
	ctx := r.t.Context()
	if err := r.sim.Add(metasim.World{WABAs: []metasim.WABA{
		{
			ID: otherWABA, Name: "Second Shrub", Currency: "USD", OwnerBusinessID: metasim.DemoCustomerBusiness,
			PhoneNumbers: []metasim.PhoneNumber{{ID: "106540352249901", DisplayPhoneNumber: "+1 555-078-3882", VerifiedName: "Second Shrub"}},
		},
		{ID: emptyWABA, Name: "No number", Currency: "USD", OwnerBusinessID: metasim.DemoCustomerBusiness},
	}}); err != nil {
		r.t.Fatal(err)
	}
	if v.app != nil {
		app := &v1alpha1.MetaApp{}
		if err := r.objects.Get(ctx, client.ObjectKey{Name: "partner"}, app); err != nil {
			r.t.Fatal(err)
		}
		v.app(&app.Spec)
		if err := r.objects.Update(ctx, app); err != nil {
			r.t.Fatal(err)
		}
	}
	if v.request != nil {
		v.request(&r.request.Spec)
		if err := r.objects.Update(ctx, r.request); err != nil {
			r.t.Fatal(err)
		}
	}
	if v.prepare != nil {
		v.prepare(r)
	}
	if len(v.signUp) > 0 {
		code, err := r.sim.IssueCode(metasim.CodeRequest{AppID: metasim.DemoAppID, WABAIDs: v.signUp})
		if err != nil {
			r.t.Fatal(err)
		}
		r.code = code
		r.putCode(known.Secret(code.Code))
	}
}

// mustWait checks that the request waits for a person, and asks Meta little meanwhile.
func (r *faultRun) mustWait(reason string) {
	r.t.Helper()
	ready := apimeta.FindStatusCondition(r.request.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.Status != metav1.ConditionFalse || ready.Reason != reason || r.is(v1alpha1.ConditionReconciling) || r.is(v1alpha1.ConditionStalled) {
		r.t.Fatalf("the request does not wait with %s:\n%s", reason, describe(r.request))
	}
}

// number changes the customer's number at Meta.
func number(change func(*metasim.PhoneNumber)) func(*faultRun) {
	return func(r *faultRun) {
		r.t.Helper()
		if err := r.sim.UpdatePhoneNumber(metasim.DemoPhoneNumber, change); err != nil {
			r.t.Fatal(err)
		}
	}
}

// loseAnswer makes Meta act on a call and lose its answer, once.
func loseAnswer(call string) func(*faultRun) {
	return func(r *faultRun) {
		r.t.Helper()
		r.addFault(metasim.Fault{Call: call, Action: metasim.ActionResetAfter})
	}
}

func variants() []variant {
	all := []variant{
		{name: "as documented", calls: map[string]int{"exchange": 1, "subscribe": 1, "assign_user": 1, "credit_share_and_attach": 1, "register": 1}},
		{name: "A1: the token never expires", switches: func(s *metasim.Switches) { s.BusinessTokenLifetime = 0 }},
		{name: "A1: the answer does not say when it expires", switches: func(s *metasim.Switches) { s.ExchangeOmitsExpiresIn = true }},
		{name: "A2: redirect_uri must be absent", switches: func(s *metasim.Switches) { s.RedirectURIPolicy = "absent" }, calls: map[string]int{"exchange": 1}},
		{name: "A2: redirect_uri must be empty", switches: func(s *metasim.Switches) { s.RedirectURIPolicy = "empty" }, calls: map[string]int{"exchange": 2}},
		{
			name: "A2: redirect_uri must be the one that is configured", switches: func(s *metasim.Switches) { s.RedirectURIPolicy = "exact" },
			app:   redirectTo(metasim.DemoRedirectURI),
			calls: map[string]int{"exchange": 1},
		},
		{
			name: "A2: redirect_uri is configured and must be absent", switches: func(s *metasim.Switches) { s.RedirectURIPolicy = "absent" },
			app:   redirectTo(metasim.DemoRedirectURI),
			calls: map[string]int{"exchange": 2},
		},
		{
			name: "A2: redirect_uri must be another one", switches: func(s *metasim.Switches) { s.RedirectURIPolicy = "exact" },
			app:    redirectTo("https://elsewhere.example.com/"),
			reason: v1alpha1.ReasonRedirectURIMismatch, calls: map[string]int{"exchange": 2, "subscribe": 0},
		},
		{
			name: "A3: a lost code is rescued, since the business is known", switches: func(s *metasim.Switches) { s.Rescue = "works" },
			prepare: func(r *faultRun) {
				r.knowBusinessIn(r.exchange.vault)
				loseAnswer("exchange")(r)
			},
			calls: map[string]int{"exchange": 1, "rescue_token": 1, "register": 1},
		},
		{
			name: "A3: a lost code can't be rescued", prepare: loseAnswer("exchange"), reason: v1alpha1.ReasonExchangeOutcomeUnknown,
			calls: map[string]int{"exchange": 2, "subscribe": 0},
		},
		{name: "A6: there is no number yet", signUp: []string{emptyWABA}, reason: v1alpha1.ReasonWaitingForPhoneNumber, waiting: true, calls: map[string]int{"subscribe": 0}},
		{name: "A7: the number is used in the WhatsApp Business app", prepare: func(r *faultRun) { r.makeCoexistent() }, calls: map[string]int{"register": 0, "smb_app_data": 2}},
		{
			name: "A7: of two numbers one is used in the WhatsApp Business app, and none is expected", prepare: (*faultRun).addCoexistent,
			reason: v1alpha1.ReasonPhoneNumberAmbiguous, calls: map[string]int{"subscribe": 0},
		},
		{
			name: "A7: of two numbers one is used in the WhatsApp Business app and expected", prepare: (*faultRun).addCoexistent,
			request: func(s *v1alpha1.OnboardingRequestSpec) { s.PhoneNumberID = coexistentNumber }, calls: map[string]int{"register": 0, "smb_app_data": 2},
		},
		{name: "A9: all accounts are granted, and none is expected", switches: grantAll, reason: v1alpha1.ReasonWABAAmbiguous, calls: map[string]int{"subscribe": 0}},
		{name: "A9: all accounts are granted, and one is expected", switches: grantAll, request: expect(metasim.DemoWABA)},
		{name: "A9: several are granted, and none is expected", signUp: []string{metasim.DemoWABA, otherWABA}, reason: v1alpha1.ReasonWABAAmbiguous},
		{name: "A9: several are granted, and one is expected", signUp: []string{metasim.DemoWABA, otherWABA}, request: expect(otherWABA)},
		{name: "ids: another account is expected", request: expect(otherWABA), reason: v1alpha1.ReasonWABAMismatch, calls: map[string]int{"subscribe": 0}},
		{
			name: "ids: another number is expected", request: func(s *v1alpha1.OnboardingRequestSpec) { s.PhoneNumberID = "4711" },
			reason: v1alpha1.ReasonPhoneNumberMismatch, calls: map[string]int{"subscribe": 0},
		},
		{name: "ids: both are expected", request: func(s *v1alpha1.OnboardingRequestSpec) {
			s.WABAID, s.PhoneNumberID = metasim.DemoWABA, metasim.DemoPhoneNumber
		}},
		{name: "B2: the PIN is retired", switches: func(s *metasim.Switches) { s.PINRetired = true }, prepare: number(func(p *metasim.PhoneNumber) { p.PIN = "111111" }), calls: map[string]int{"register": 1}},
		{name: "B2: the number has a PIN", prepare: number(func(p *metasim.PhoneNumber) { p.PIN = "111111" }), reason: v1alpha1.ReasonPINMismatch, calls: map[string]int{"register": 1}},
		{
			name: "E12: a single wrong PIN locks the number", switches: func(s *metasim.Switches) { s.PINGuesses = 0 },
			prepare: number(func(p *metasim.PhoneNumber) { p.PIN = "111111" }), reason: v1alpha1.ReasonPINMismatch, calls: map[string]int{"register": 1},
		},
		{
			name: "C5: revoked sharings are listed", switches: func(s *metasim.Switches) { s.ListRevokedAllocations = true },
			prepare: func(r *faultRun) {
				r.shareAndRevoke()
				loseAnswer("credit_share_and_attach")(r)
			},
			revoked: 1, calls: map[string]int{"credit_share_and_attach": 2},
		},
		{name: "C6: attaching does not need the system user", app: shareThenAttach, calls: map[string]int{"credit_share": 1, "credit_attach": 1, "assign_user": 0}},
		{
			name: "C6: attaching needs the system user", app: shareThenAttach, switches: func(s *metasim.Switches) { s.AttachNeedsAssignedUser = true },
			calls: map[string]int{"credit_share": 1, "credit_attach": 2, "assign_user": 1},
		},
		{name: "C7: assigning the system user again is an error", switches: func(s *metasim.Switches) { s.AssignedUsersRepeat = "error" }, prepare: loseAnswer("assign_user"), calls: map[string]int{"assign_user": 1}},
		{name: "C10: the owner is told by the token alone", switches: func(s *metasim.Switches) { s.OwnerBusinessInfo = "missing" }, calls: map[string]int{"me": 1}},
		{
			name: "Tech Provider", app: func(s *v1alpha1.MetaAppSpec) { s.SolutionPartner = nil }, request: func(s *v1alpha1.OnboardingRequestSpec) { s.Currency = "" },
			calls: map[string]int{"assign_user": 0, "credit_share_and_attach": 0, "register": 1},
		},
		{name: "E2: success is text", switches: func(s *metasim.Switches) { s.SuccessAsString = true }},
		{name: "E3: ids are numbers", switches: func(s *metasim.Switches) { s.IDsAsNumbers = true }},
		{name: "E8: the usage header has another type", switches: func(s *metasim.Switches) { s.BusinessUsageType = "messenger" }},
		{name: "appsecret_proof is required", switches: func(s *metasim.Switches) { s.RequireAppSecretProof = true }},
	}
	for _, position := range []string{"success", "success_flag", "error_422", "error_133005"} {
		all = append(all, variant{
			name: "B1: the number is registered, and registering it again is " + position, switches: func(s *metasim.Switches) { s.ReRegister = position },
			prepare: number(func(p *metasim.PhoneNumber) {
				p.Registered, p.PlatformType, p.Status, p.PIN = true, "CLOUD_API", "CONNECTED", "111111"
			}),
			calls: map[string]int{"register": 0},
		})
	}
	for _, position := range []string{"success", "success_flag", "error_422", "error_133005"} {
		all = append(all, variant{
			name:     "B1: another partner registers the number meanwhile, and registering it again is " + position,
			switches: func(s *metasim.Switches) { s.ReRegister, s.RegisteredMeanwhile = position, true },
			prepare: number(func(p *metasim.PhoneNumber) {
				p.Registered, p.PlatformType, p.Status, p.PIN = true, "CLOUD_API", "CONNECTED", "111111"
			}),
			calls: map[string]int{"register": 1},
		})
	}
	for _, repeat := range []string{"same", "new"} {
		for _, lag := range []time.Duration{0, 10 * time.Minute} {
			all = append(all, variant{
				name:     "C1, C2: the answer to sharing is lost, a repeat gives " + repeat + ", listed after " + lag.String(),
				switches: func(s *metasim.Switches) { s.CreditRepeat, s.CreditListingLag = repeat, metasim.Duration(lag) },
				prepare:  loseAnswer("credit_share_and_attach"), calls: map[string]int{"credit_share_and_attach": 1},
			})
		}
	}
	for code, reason := range map[int]string{
		100: v1alpha1.ReasonRejected, 200: v1alpha1.ReasonPermissionDenied, 10: v1alpha1.ReasonPermissionDenied, 2446012: v1alpha1.ReasonRejected,
	} {
		all = append(all, variant{
			name: "C3, C8: Meta refuses the currency with " + strconv.Itoa(code), switches: func(s *metasim.Switches) { s.CreditErrorCode = code },
			app:     func(s *v1alpha1.MetaAppSpec) { s.SolutionPartner.Currencies = []string{"BRL"} },
			request: func(s *v1alpha1.OnboardingRequestSpec) { s.Currency = "BRL" },
			reason:  reason, calls: map[string]int{"credit_share_and_attach": 1, "register": 0},
		})
	}
	for _, shape := range []string{"edge", "bare"} {
		for _, status := range []string{"", "APPROVED", "PENDING"} {
			all = append(all, variant{
				name:     "C4, C5: allocations are listed as " + shape + " with the status '" + status + "'",
				switches: func(s *metasim.Switches) { s.AllocationListShape, s.ActiveRequestStatus = shape, status },
				prepare:  loseAnswer("credit_share_and_attach"), calls: map[string]int{"credit_share_and_attach": 1},
			})
		}
	}
	for _, invisible := range []string{"100/33", "803", "10", "200"} {
		all = append(all, variant{
			name: "E4: an account that the token can't see is " + invisible,
			switches: func(s *metasim.Switches) {
				grantAll(s)
				s.Invisible = invisible
			},
			request: expect(strangersWABA), reason: v1alpha1.ReasonWABAMismatch, calls: map[string]int{"subscribe": 0},
		})
	}
	for _, status := range []int{400, 403, 429} {
		all = append(all, variant{
			name: "E1: the account's calls are used up, said with HTTP " + strconv.Itoa(status), switches: func(s *metasim.Switches) { s.ThrottleHTTPStatus = status },
			prepare: (*faultRun).useUpCalls, calls: map[string]int{"subscribe": 1, "credit_share_and_attach": 1, "register": 1},
		})
	}
	return all
}

func grantAll(s *metasim.Switches) { s.GranularTargets = "absent" }

func shareThenAttach(s *v1alpha1.MetaAppSpec) {
	s.SolutionPartner.CreditSharing = v1alpha1.ShareThenAttach
}

// redirectTo configures the address of a signup page of one's own.
func redirectTo(uri string) func(*v1alpha1.MetaAppSpec) {
	return func(s *v1alpha1.MetaAppSpec) {
		s.EmbeddedSignup = &v1alpha1.EmbeddedSignup{
			ConfigurationID: metasim.DemoConfiguration, RedirectURIPolicy: v1alpha1.RedirectURIPolicy{Mode: v1alpha1.RedirectURIExact, URI: uri},
		}
	}
}

// addCoexistent gives the customer's account a second number, which is used in the WhatsApp Business app.
func (r *faultRun) addCoexistent() {
	r.t.Helper()
	if err := r.sim.Add(metasim.World{WABAs: []metasim.WABA{{ID: metasim.DemoWABA, PhoneNumbers: []metasim.PhoneNumber{{
		ID: coexistentNumber, DisplayPhoneNumber: "+1 555-078-3883", VerifiedName: "Lucky Shrub", Registered: true, IsOnBizApp: true,
	}}}}}); err != nil {
		r.t.Fatal(err)
	}
}

// shareAndRevoke leaves a sharing with the customer's business behind that was revoked, from a time before this operator.
func (r *faultRun) shareAndRevoke() {
	r.t.Helper()
	if err := r.sim.UpdateWABA(otherWABA, func(w *metasim.WABA) { w.SharedWith = []string{metasim.DemoPartnerBusiness} }); err != nil {
		r.t.Fatal(err)
	}
	ctx, app := r.t.Context(), r.leaderApp()
	if err := app.Client.AssignUser(ctx, app.SystemCredential(), otherWABA, metasim.DemoSystemUser, meta.TaskManage); err != nil {
		r.t.Fatal(err)
	}
	id, err := app.Client.ShareAndAttachCredit(ctx, app.SystemCredential(), metasim.DemoCreditLine, otherWABA, "USD")
	if err != nil {
		r.t.Fatal(err)
	}
	if err := app.Client.RevokeCreditAllocation(ctx, app.SystemCredential(), string(id)); err != nil {
		r.t.Fatal(err)
	}
}

// expect expects an account.
func expect(wabaID string) func(*v1alpha1.OnboardingRequestSpec) {
	return func(s *v1alpha1.OnboardingRequestSpec) { s.WABAID = wabaID }
}

// useUpCalls makes the calls that Meta allows in an hour for an account without a registered number.
func (r *faultRun) useUpCalls() {
	r.t.Helper()
	app := r.leaderApp()
	for range 200 {
		if _, err := app.Client.WABA(r.t.Context(), app.SystemCredential(), metasim.DemoWABA); err != nil {
			r.t.Fatal(err)
		}
	}
}

// leaderApp is the partner's app as the leader uses it.
func (r *faultRun) leaderApp() *graphApp {
	r.t.Helper()
	app, err := r.leader.apps.ForUse(r.t.Context(), fieldMetaApp, "partner", r.request.Namespace)
	if err != nil {
		r.t.Fatal(err)
	}
	return app
}
