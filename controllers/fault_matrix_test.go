package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/internal/vault"
	"github.com/whatsapp-operator/whatsapp-operator/test/leaks"
)

// journeyCalls are the Graph calls of a Solution Partner's onboarding, in their order. A call that is made twice is here twice.
var journeyCalls = []struct {
	// name is the simulator's, nth says which of several calls of that name it is.
	name string
	nth  int
	// condition tells of the step that makes the call.
	condition string
	// writes means that repeating a call that Meta has executed would be wrong: its effect is looked up instead.
	writes bool
}{
	{"exchange", 0, v1alpha1.ConditionTokenExchanged, true},
	{"debug_token", 0, v1alpha1.ConditionAssetsVerified, false},
	{"get_waba", 0, v1alpha1.ConditionAssetsVerified, false},
	{"list_phone_numbers", 0, v1alpha1.ConditionAssetsVerified, false},
	{"list_subscribed_apps", 0, v1alpha1.ConditionWebhooksSubscribed, false},
	{"subscribe", 0, v1alpha1.ConditionWebhooksSubscribed, true},
	{"list_subscribed_apps", 1, v1alpha1.ConditionWebhooksSubscribed, false},
	{"list_assigned_users", 0, v1alpha1.ConditionCreditShared, false},
	{"assign_user", 0, v1alpha1.ConditionCreditShared, true},
	{"credit_share_and_attach", 0, v1alpha1.ConditionCreditShared, true},
	{"get_allocation", 0, v1alpha1.ConditionCreditShared, false},
	{"get_waba", 1, v1alpha1.ConditionCreditShared, false},
	{"register", 0, v1alpha1.ConditionPhoneRegistered, true},
}

// planOf is how often a call is made when nothing goes wrong.
func planOf(name string) int {
	n := 0
	for _, call := range journeyCalls {
		if call.name == name {
			n++
		}
	}
	return n
}

// outages are the ways in which any call may fail through nobody's fault.
var outages = []struct {
	name  string
	fault metasim.Fault
	// unsent means that no connection can be made; applied, that Meta has acted although the answer doesn't say so.
	unsent, applied bool
	// throttled means that Meta said it did not act; wait is how long it asked for.
	throttled bool
	wait      time.Duration
}{
	{name: "connection refused", unsent: true},
	{name: "reset before Meta acts", fault: metasim.Fault{Action: metasim.ActionResetBefore}},
	{name: "time-out before Meta acts", fault: metasim.Fault{Action: metasim.ActionTimeoutBefore, Latency: metasim.Duration(time.Millisecond)}},
	{name: "time-out after Meta acted", fault: metasim.Fault{Action: metasim.ActionTimeoutAfter, Latency: metasim.Duration(time.Millisecond)}, applied: true},
	{name: "reset after Meta acted", fault: metasim.Fault{Action: metasim.ActionResetAfter}, applied: true},
	{name: "throttled with 400 and a hint", throttled: true, wait: 3 * time.Minute, fault: graphFault(metasim.FaultError{
		HTTP: http.StatusBadRequest, Code: 80007,
		Headers: map[string]string{"X-Business-Use-Case-Usage": `{"1":[{"type":"whatsapp","call_count":100,"estimated_time_to_regain_access":3}]}`},
	})},
	{name: "throttled with 403 and a hint", throttled: true, wait: 40 * time.Second, fault: graphFault(metasim.FaultError{
		HTTP: http.StatusForbidden, Code: 4, Headers: map[string]string{"Retry-After": "40"},
	})},
	{name: "throttled with 429", throttled: true, fault: graphFault(metasim.FaultError{HTTP: http.StatusTooManyRequests, Code: 613})},
	{name: "throttled without a Graph error", throttled: true, fault: metasim.Fault{Action: metasim.ActionHTTPStatus, Status: http.StatusTooManyRequests}},
	{name: "500 as JSON", fault: graphFault(metasim.FaultError{HTTP: http.StatusInternalServerError, Code: 2, Transient: true})},
	{name: "500 as JSON, Meta has acted", applied: true, fault: withApply(graphFault(metasim.FaultError{HTTP: http.StatusInternalServerError, Code: 1}))},
	{name: "403 of a proxy", fault: metasim.Fault{Action: metasim.ActionHTTPStatus, Status: http.StatusForbidden}},
	{name: "502 as HTML", fault: metasim.Fault{Action: metasim.ActionHTTPStatus, Status: http.StatusBadGateway}},
	{name: "502 as HTML, Meta has acted", applied: true, fault: withApply(metasim.Fault{Action: metasim.ActionHTTPStatus, Status: http.StatusBadGateway})},
	{name: "malformed JSON", applied: true, fault: withApply(metasim.Fault{Action: metasim.ActionMalformedJSON})},
	{name: "huge body", applied: true, fault: withApply(metasim.Fault{Action: metasim.ActionHugeBody, Size: 2 << 20})},
}

func graphFault(e metasim.FaultError) metasim.Fault {
	return metasim.Fault{Action: metasim.ActionGraphError, Error: &e}
}

func withApply(f metasim.Fault) metasim.Fault {
	f.ApplyFirst = true
	return f
}

// TestFaultMatrix breaks each call in each way, once, and holds what follows against the promise: while it lasts the right condition
// says why and when it is tried again, then the customer is onboarded, with no call more than the failure explains. Only
// the exchange may end otherwise, since its code dies.
func TestFaultMatrix(t *testing.T) {
	control := newFaultRun(t, -1)
	control.play(time.Minute, nil)
	control.mustBeReady()
	order := control.callOrder()
	var planned []string
	for _, call := range journeyCalls {
		planned = append(planned, call.name)
	}
	if diff := cmp.Diff(planned, order); diff != "" {
		t.Fatalf("the calls of an onboarding are not the plan (-want +got):\n%s", diff)
	}
	for place, call := range journeyCalls {
		for _, o := range outages {
			t.Run(fmt.Sprintf("%s %d/%s", call.name, call.nth, o.name), func(t *testing.T) {
				t.Parallel()
				refused := -1
				if o.unsent {
					refused = place
				}
				r := newFaultRun(t, refused)
				if !o.unsent {
					fault := o.fault
					fault.Call, fault.Skip = call.name, call.nth
					r.addFault(fault)
				}
				if call.name == "exchange" {
					r.checkExchangeOutage(o.unsent, o.applied, o.throttled, o.wait)
					return
				}
				reason := v1alpha1.ReasonGraphUnreachable
				switch {
				case o.throttled:
					reason = v1alpha1.ReasonThrottled
				case call.name == "credit_share_and_attach" && !o.unsent:
					reason = v1alpha1.ReasonCreditOutcomeUnknown
				}
				shown := false
				r.play(time.Hour, func() { shown = r.shows(call.condition, reason, o.wait) || shown })
				r.mustBeReady()
				if !shown {
					t.Errorf("%s never said %s, and when it is tried again", call.condition, reason)
				}
				want := planOf(call.name)
				if !o.unsent && (!call.writes || !o.applied) {
					want++
				}
				r.checkCalls(map[string]int{call.name: want})
			})
		}
	}
}

// faultRun leads one request from its code to the end, with both controllers, a clock that jumps to the next attempt, and a network that
// can be refused.
type faultRun struct {
	*exchangeWorld
	exchange *ExchangeReconciler
	leader   *OnboardingRequestReconciler
	events   *events.FakeRecorder
	leaks    *leaks.Search
	logger   logr.Logger
	// after is what the leader asked for last.
	after time.Duration
	// dials counts connections; each call makes one.
	dials atomic.Int64
}

// checkExchangeOutage says what becomes of a code whose first send failed: one more send while it may live, and the truth after that.
func (r *faultRun) checkExchangeOutage(unsent, applied, throttled bool, wait time.Duration) {
	r.t.Helper()
	r.play(time.Hour, nil)
	switch {
	case applied:
		r.mustBeStalled(v1alpha1.ConditionTokenExchanged, v1alpha1.ReasonExchangeOutcomeUnknown)
		r.mustHaveSent(2)
	case throttled && wait > codeLife:
		r.mustBeStalled(v1alpha1.ConditionTokenExchanged, v1alpha1.ReasonThrottled)
		r.mustHaveSent(1)
	case unsent:
		// What never left is not counted.
		r.mustBeReady()
		r.mustHaveSent(1)
	default:
		r.mustBeReady()
		r.mustHaveSent(2)
	}
}

// TestRefusalMatrix answers each call with the refusals that Meta is known to give to it. A person has to act on most: the request stalls
// with a reason, and nothing is called again before that.
func TestRefusalMatrix(t *testing.T) {
	type refusal struct {
		call   string
		err    metasim.FaultError
		reason string // of Stalled; empty if it ends Ready by itself
		calls  int
	}
	for _, tc := range []refusal{
		{"exchange", metasim.FaultError{Code: 100, Subcode: 36009, Type: "OAuthException"}, v1alpha1.ReasonCodeUsed, 1},
		{"exchange", metasim.FaultError{Code: 100, Subcode: 36007, Type: "OAuthException"}, v1alpha1.ReasonCodeExpired, 1},
		{"exchange", metasim.FaultError{Code: 100, Subcode: 36008, Type: "OAuthException"}, v1alpha1.ReasonRedirectURIMismatch, 2},
		{"exchange", metasim.FaultError{Code: 100, Message: "Invalid verification code format."}, v1alpha1.ReasonCodeInvalid, 1},
		{"exchange", metasim.FaultError{Code: 1, Message: "Error validating client secret."}, v1alpha1.ReasonAppSecretInvalid, 1},
		{"exchange", metasim.FaultError{Code: 101}, v1alpha1.ReasonAppSecretInvalid, 1},
		{"exchange", metasim.FaultError{Code: 200, HTTP: http.StatusForbidden}, v1alpha1.ReasonRejected, 1},
		{"debug_token", metasim.FaultError{Code: 190, HTTP: http.StatusUnauthorized}, v1alpha1.ReasonAppSecretInvalid, 1},
		{"debug_token", metasim.FaultError{Code: 100, Message: "Invalid appsecret_proof provided in the API argument"}, v1alpha1.ReasonAppSecretInvalid, 1},
		{"get_waba", metasim.FaultError{Code: 100, Subcode: 33}, v1alpha1.ReasonWABAMismatch, 1},
		{"get_waba", metasim.FaultError{Code: 10}, v1alpha1.ReasonWABAMismatch, 1},
		{"get_waba", metasim.FaultError{Code: 190}, v1alpha1.ReasonInvalidAccessToken, 1},
		{"list_phone_numbers", metasim.FaultError{Code: 200}, v1alpha1.ReasonPermissionDenied, 1},
		{"list_phone_numbers", metasim.FaultError{Code: 190}, v1alpha1.ReasonInvalidAccessToken, 1},
		{"list_subscribed_apps", metasim.FaultError{Code: 200}, v1alpha1.ReasonPermissionDenied, 1},
		{"list_subscribed_apps", metasim.FaultError{Code: 100, Subcode: 33}, v1alpha1.ReasonPermissionDenied, 1},
		{"subscribe", metasim.FaultError{Code: 200}, v1alpha1.ReasonPermissionDenied, 1},
		{"subscribe", metasim.FaultError{Code: 368}, v1alpha1.ReasonRejected, 1},
		{"list_assigned_users", metasim.FaultError{Code: 100, Message: "Invalid appsecret_proof"}, v1alpha1.ReasonAppSecretInvalid, 1},
		{"assign_user", metasim.FaultError{Code: 200}, v1alpha1.ReasonPermissionDenied, 1},
		{"assign_user", metasim.FaultError{Code: 100}, v1alpha1.ReasonRejected, 1},
		{"credit_share_and_attach", metasim.FaultError{Code: 200}, v1alpha1.ReasonPermissionDenied, 1},
		{"credit_share_and_attach", metasim.FaultError{Code: 100}, v1alpha1.ReasonRejected, 1},
		{"credit_share_and_attach", metasim.FaultError{Code: 134011}, v1alpha1.ReasonRejected, 1},
		// What was just shared may be listed late; after a quarter of an hour it is believed to be out of reach.
		{"get_allocation", metasim.FaultError{Code: 100, Subcode: 33}, v1alpha1.ReasonPermissionDenied, 14},
		{"get_allocation", metasim.FaultError{Code: 190}, v1alpha1.ReasonInvalidAccessToken, 1},
		{"register", metasim.FaultError{Code: 133005}, v1alpha1.ReasonPINMismatch, 1},
		{"register", metasim.FaultError{Code: 133006}, v1alpha1.ReasonNumberNotVerified, 1},
		{"register", metasim.FaultError{Code: 133008}, v1alpha1.ReasonPINMismatch, 1},
		{"register", metasim.FaultError{Code: 133016}, v1alpha1.ReasonRegistrationLocked, 1},
		{"register", metasim.FaultError{Code: 100, Subcode: 2388092}, v1alpha1.ReasonPINMalformed, 1},
		{"register", metasim.FaultError{Code: 100, HTTP: http.StatusUnprocessableEntity}, v1alpha1.ReasonRejected, 1},
		{"register", metasim.FaultError{Code: 131031}, v1alpha1.ReasonRejected, 1},
		{"register", metasim.FaultError{Code: 190}, v1alpha1.ReasonInvalidAccessToken, 1},
		// Time helps here, and the number is not locked by trying too often: eight of Meta's ten calls are used.
		{"register", metasim.FaultError{Code: 133009}, v1alpha1.ReasonRegistrationLocked, maxRegisterCalls},
		{"register", metasim.FaultError{Code: 133015}, v1alpha1.ReasonRegistrationLocked, maxRegisterCalls},
		{"register", metasim.FaultError{Code: 133004, HTTP: http.StatusServiceUnavailable}, v1alpha1.ReasonRegistrationLocked, maxRegisterCalls},
	} {
		t.Run(fmt.Sprintf("%s/%d.%d", tc.call, tc.err.Code, tc.err.Subcode), func(t *testing.T) {
			t.Parallel()
			r := newFaultRun(t, -1)
			fault := graphFault(tc.err)
			fault.Call, fault.Count = tc.call, -1
			r.addFault(fault)
			r.play(24*time.Hour, nil)
			r.mustBeStalled("", tc.reason)
			if got := r.sim.Counters().Calls[tc.call]; got > tc.calls || got == 0 {
				t.Errorf("%s was called %d times, want at most %d", tc.call, got, tc.calls)
			}
		})
	}
}

// TestOutageOfADay lets each call fail for a day: the pauses grow, so that a broken object costs about as many calls as a sound one, the
// contract holds, and the request goes on by itself when Meta does.
func TestOutageOfADay(t *testing.T) {
	// patient is what the longest back-off allows in a day, and the few of the quick beginning.
	patient := int(24*time.Hour/maxBackoff)*5/4 + 12
	for _, call := range journeyCalls {
		if call.nth > 0 {
			continue
		}
		t.Run(call.name, func(t *testing.T) {
			t.Parallel()
			r := newFaultRun(t, -1)
			id := r.addFault(metasim.Fault{Call: call.name, Action: metasim.ActionHTTPStatus, Status: http.StatusServiceUnavailable, Count: -1})
			r.play(24*time.Hour, nil)
			limit := patient
			switch call.name {
			case "exchange":
				limit = vault.MaxSends
				r.mustBeStalled(call.condition, v1alpha1.ReasonExchangeOutcomeUnknown)
			case "register":
				limit = maxRegisterCalls
				r.mustBeStalled(call.condition, v1alpha1.ReasonRegistrationLocked)
			case "credit_share_and_attach":
				// It is looked up for a quarter of an hour before it is made again.
				limit = int(24 * time.Hour / creditSettle)
			}
			if got := r.sim.Counters().Calls[call.name]; got > limit || got == 0 {
				t.Errorf("%s was called %d times in a day, want at most %d", call.name, got, limit)
			}
			r.sim.ClearFaults(id)
			if call.name != "exchange" && call.name != "register" {
				r.play(2*maxBackoff, nil)
				r.mustBeReady()
			}
		})
	}
}

// newFaultRun makes a run in which the connection of one call, counted from 0, is refused; -1 stands for none.
func newFaultRun(t *testing.T, refused int, change ...func(*metasim.Switches)) *faultRun {
	t.Helper()
	r := &faultRun{exchangeWorld: newExchangeWorld(t, change...), leaks: &leaks.Search{}, events: events.NewFakeRecorder(10_000)}
	r.logger = r.leaks.Logger(MaxLogVerbosity)
	// The API server's default.
	r.request.Status.ObservedGeneration = new(int64(-1))
	if err := r.objects.Status().Update(t.Context(), r.request); err != nil {
		t.Fatal(err)
	}
	r.exchange = r.process(r.objects)
	r.exchange.vault = &vault.Vault{Reader: r.objects, Writer: r.objects, Namespace: systemNamespace, Clock: r.clock}
	r.leader = r.exchangeWorld.leader(&mortal{Client: r.objects})
	r.leader.status.recorder = r.events
	clients := &graphClients{}
	var graph *meta.Client
	graph, err := meta.New(meta.Config{
		BaseURL: r.sim.URL, Version: r.metaApp().Spec.GraphAPIVersion,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if r.dials.Add(1)-1 == int64(refused) {
				return nil, &net.OpError{Op: "dial", Net: network, Err: errors.New("connection refused")}
			}
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
		// A connection for each call, so that each can be refused.
		Observe: func(meta.Call) { graph.CloseIdleConnections() },
	})
	if err != nil {
		t.Fatal(err)
	}
	clients.byID = map[string]cachedClient{metasim.DemoAppID: {settings: clients.settingsOf(r.metaApp()), client: graph}}
	r.exchange.gate.apps.clients, r.leader.apps.clients, r.leader.gate.apps.clients = clients, clients, clients
	t.Cleanup(r.checkNoSecret)
	return r
}

func (r *faultRun) addFault(f metasim.Fault) int {
	r.t.Helper()
	id, err := r.sim.AddFault(f)
	if err != nil {
		r.t.Fatal(err)
	}
	return id
}

// play reconciles until the request is Ready or Stalled, or the time is over, moving the clock to what is asked for.
func (r *faultRun) play(limit time.Duration, look func()) {
	r.t.Helper()
	ctx, req := log.IntoContext(r.t.Context(), r.logger), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(r.request)}
	for end := r.clock.Now().Add(limit); r.clock.Now().Before(end); {
		sent, err := r.exchange.Reconcile(ctx, req)
		if err != nil {
			r.t.Fatalf("exchange: %v", err)
		}
		led, err := r.leader.Reconcile(ctx, req)
		if err != nil {
			r.t.Fatalf("lead: %v", err)
		}
		r.after = led.RequeueAfter
		if err := r.objects.Get(ctx, req.NamespacedName, r.request); err != nil {
			r.t.Fatal(err)
		}
		if err := checkContract(r.request); err != nil {
			r.t.Fatalf("%v\n%s", err, describe(r.request))
		}
		if look != nil {
			look()
		}
		if r.is(v1alpha1.ConditionReady) || r.is(v1alpha1.ConditionStalled) {
			return
		}
		r.clock.Step(soonest(sent.RequeueAfter, led.RequeueAfter))
	}
}

// soonest is the shorter of two waits, of which 0 means none.
func soonest(waits ...time.Duration) time.Duration {
	next := time.Hour
	for _, wait := range waits {
		if wait > 0 {
			next = min(next, wait)
		}
	}
	return max(next, 10*time.Millisecond)
}

func (r *faultRun) is(condition string) bool {
	return apimeta.IsStatusConditionTrue(r.request.Status.Conditions, condition)
}

// shows says whether the status tells of a failed attempt: the step's condition and Ready have the reason, and the next attempt is
// announced, no earlier than Meta asked for.
func (r *faultRun) shows(condition, reason string, wait time.Duration) bool {
	step := apimeta.FindStatusCondition(r.request.Status.Conditions, condition)
	ready := apimeta.FindStatusCondition(r.request.Status.Conditions, v1alpha1.ConditionReady)
	next := r.request.Status.NextAttemptTime
	if step == nil || ready == nil || step.Reason != reason || step.Status != metav1.ConditionUnknown || ready.Reason != reason || next == nil {
		return false
	}
	// The time of an attempt has whole seconds.
	return r.after > 0 && !next.Time.Before(r.clock.Now().Add(wait-time.Second)) && r.after >= wait
}

func (r *faultRun) mustBeReady() {
	r.t.Helper()
	if !r.is(v1alpha1.ConditionReady) {
		r.t.Fatalf("the request is not Ready:\n%s", describe(r.request))
	}
	c := r.sim.Counters()
	if c.CreditAllocations != 1 || c.Applied["register"] != 1 || c.Applied["subscribe"] != 1 || c.Applied["exchange"] != 1 {
		r.t.Errorf("%d allocations; Meta acted on %d registrations, %d subscriptions, %d exchanges; want one of each",
			c.CreditAllocations, c.Applied["register"], c.Applied["subscribe"], c.Applied["exchange"])
	}
	if r.request.Status.NextAttemptTime != nil || r.request.Status.Failures != nil {
		r.t.Errorf("a Ready request remembers failures: %v, next attempt %v", r.request.Status.Failures, r.request.Status.NextAttemptTime)
	}
}

// mustBeStalled checks the end of a request that a person has to help; condition may be empty for any.
func (r *faultRun) mustBeStalled(condition, reason string) {
	r.t.Helper()
	stalledBy := apimeta.FindStatusCondition(r.request.Status.Conditions, v1alpha1.ConditionStalled)
	if stalledBy == nil || stalledBy.Status != metav1.ConditionTrue || stalledBy.Reason != reason {
		r.t.Fatalf("the request is not Stalled by %s:\n%s", reason, describe(r.request))
	}
	if r.after != 0 {
		r.t.Errorf("a stalled request comes back after %s by itself", r.after)
	}
	if condition != "" {
		if step := apimeta.FindStatusCondition(r.request.Status.Conditions, condition); step == nil || step.Status != metav1.ConditionFalse || step.Reason != reason {
			r.t.Errorf("%s does not say %s:\n%s", condition, reason, describe(r.request))
		}
	}
}

func (r *faultRun) mustHaveSent(n int) {
	r.t.Helper()
	if got := r.sends(); got != n {
		r.t.Errorf("the code was sent %d times, want %d", got, n)
	}
}

// checkCalls compares how often Meta was called: the writes as planned but for those in want.
func (r *faultRun) checkCalls(want map[string]int) {
	r.t.Helper()
	calls := r.sim.Counters().Calls
	for _, call := range journeyCalls {
		planned := planOf(call.name)
		if n, ok := want[call.name]; ok {
			planned = n
		} else if !call.writes {
			// A step that is performed again reads again.
			planned = max(planned, calls[call.name])
		}
		if got := calls[call.name]; got != planned {
			r.t.Errorf("%s was called %d times, want %d", call.name, got, planned)
		}
	}
}

// callOrder are the names of the calls that reached Meta.
func (r *faultRun) callOrder() []string {
	var names []string
	for _, entry := range r.sim.Journal("", 0) {
		names = append(names, entry.Call)
	}
	return names
}

// checkNoSecret looks for the run's secrets in all that it showed.
func (r *faultRun) checkNoSecret() {
	r.t.Helper()
	text, err := json.Marshal(r.request)
	if err != nil {
		r.t.Error(err)
	}
	r.leaks.Show(leaks.Objects, string(text))
	for len(r.events.Events) > 0 {
		r.leaks.Show(leaks.Events, <-r.events.Events)
	}
	entry, err := (&vault.Vault{Reader: r.objects, Namespace: systemNamespace}).Read(context.Background(), r.key)
	if err != nil {
		r.t.Error(err)
		return
	}
	token, _ := entry.Current()
	secrets := []string{r.code.Code, r.sim.AppSecret(metasim.DemoAppID), r.sim.SystemToken(metasim.DemoSystemUser)}
	if slices.Contains(secrets, "") {
		r.t.Error("one of the secrets is empty, so the search for them proves nothing")
	}
	for _, secret := range append(secrets, token.Reveal(), entry.PIN.Reveal()) {
		r.leaks.Secret(secret)
	}
	if err := r.leaks.Leaks(leaks.Objects, leaks.Events, leaks.Logs); err != nil {
		r.t.Error(err)
	}
}
