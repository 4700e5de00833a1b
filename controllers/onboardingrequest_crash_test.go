package controllers

import (
	"context"
	"errors"
	"testing"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/credit"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/internal/vault"
)

// Status counts writes of the status like all others.
func (m *mortal) Status() client.SubResourceWriter {
	return &mortalStatus{SubResourceWriter: m.Client.Status(), owner: m}
}

type mortalStatus struct {
	client.SubResourceWriter
	owner *mortal
}

func (s *mortalStatus) Apply(ctx context.Context, obj runtime.ApplyConfiguration, opts ...client.SubResourceApplyOption) error {
	return s.owner.write("apply status", func() error { return s.SubResourceWriter.Apply(ctx, obj, opts...) })
}

// leader is the process that leads the journey; the token is in the vault before it starts.
func (w *exchangeWorld) leader(m *mortal) *OnboardingRequestReconciler {
	apps := &graphApps{cached: w.objects, live: w.objects, namespace: systemNamespace, clients: &graphClients{observe: m.answered, now: w.clock.Now}}
	return &OnboardingRequestReconciler{
		client: m, live: w.objects, apps: apps, gate: &exchangeGate{apps: apps, live: w.objects}, clock: w.clock,
		vault:         &vault.Vault{Reader: w.objects, Writer: m, Namespace: systemNamespace, Clock: w.clock},
		ledger:        &credit.Ledger{Reader: w.objects, Writer: m, Namespace: systemNamespace},
		leftovers:     &leftovers{live: w.objects, writer: m, namespace: systemNamespace},
		projector:     &projector{client: m, live: w.objects, namespace: runtimeNamespace},
		subscriptions: &subscriptions{},
		status:        &statusWriter{client: m, recorder: events.NewFakeRecorder(1000)},
		tests:         func(context.Context) (testSender, error) { return nil, errNoReplica },
	}
}

// lead runs a leader until the request is Ready, moving the clock as it asks. It returns false if the process died.
func (w *exchangeWorld) lead(r *OnboardingRequestReconciler) (alive bool) {
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
	for range 200 {
		res, err := r.Reconcile(w.t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(w.request)})
		if err != nil {
			w.t.Fatalf("reconcile: %v", err)
		}
		if err := w.objects.Get(w.t.Context(), client.ObjectKeyFromObject(w.request), w.request); err != nil {
			w.t.Fatal(err)
		}
		if apimeta.IsStatusConditionTrue(w.request.Status.Conditions, v1alpha1.ConditionReady) && w.request.Status.NextAttemptTime == nil {
			return true
		}
		w.clock.Step(max(res.RequeueAfter, 10*time.Millisecond))
	}
	w.t.Fatalf("the journey came to no end:\n%s", describe(w.request))
	return true
}

// TestJourneyCrashAtEveryWrite kills the leader before and after each of its writes and after each answer of Meta's, on good days and
// on days that lose the answer to an irreversible call, starts another, and counts what Meta did.
func TestJourneyCrashAtEveryWrite(t *testing.T) {
	for _, day := range []struct {
		name       string
		fault      *metasim.Fault
		lag        time.Duration
		coexistent bool
	}{
		{name: "all is well"},
		{name: "the answer to sharing credit is lost", fault: &metasim.Fault{Call: "credit_share_and_attach", Action: metasim.ActionResetAfter}},
		{name: "it is lost, and Meta lists it late", fault: &metasim.Fault{Call: "credit_share_and_attach", Action: metasim.ActionResetAfter}, lag: 10 * time.Minute},
		{name: "the request to share credit is lost", fault: &metasim.Fault{Call: "credit_share_and_attach", Action: metasim.ActionResetBefore}},
		{name: "the answer to registering is lost", fault: &metasim.Fault{Call: "register", Action: metasim.ActionResetAfter}},
		{name: "the number is used in the WhatsApp Business app", coexistent: true},
		{name: "so it is, and the answer to the sync is lost", coexistent: true, fault: &metasim.Fault{Call: "smb_app_data", Action: metasim.ActionResetAfter}},
		{name: "so it is, and a proxy refuses the sync", coexistent: true, fault: &metasim.Fault{Call: "smb_app_data", Action: metasim.ActionHTTPStatus, Status: 403}},
	} {
		t.Run(day.name, func(t *testing.T) {
			var table crashTable
			run := func(n int, after bool) []string {
				// Each call of Meta's that lists credit differently must give one allocation.
				w := newExchangeWorld(t, func(s *metasim.Switches) {
					s.CreditRepeat, s.CreditListingLag = "new", metasim.Duration(day.lag)
				})
				if day.coexistent {
					w.makeCoexistent()
				}
				w.keepToken()
				if day.fault != nil {
					if _, err := w.sim.AddFault(*day.fault); err != nil {
						t.Fatal(err)
					}
				}
				first := &mortal{Client: w.objects, dieAt: n, after: after}
				if !w.lead(w.leader(first)) {
					w.lead(w.leader(&mortal{Client: w.objects}))
				}
				counters := w.sim.Counters()
				table.row(first, n, "Ready, %d allocation, %d registration, %d subscription",
					counters.CreditAllocations, counters.Applied["register"], counters.Applied["subscribe"])
				w.checkJourney(crashPoint(first, n), day.coexistent)
				return first.steps
			}
			steps := run(0, false)
			if writes := writesOf(steps); writes < 6 {
				t.Fatalf("the control run made %d writes; finalizer, proof, two of the ledger, the PIN and the status are 6: %q", writes, steps)
			}
			for n := 1; n <= len(steps); n++ {
				run(n, false)
				if isWrite(steps[n-1]) {
					run(n, true)
				}
			}
			table.print(t)
		})
	}
}

// keepToken exchanges the code, with the vault beside the request.
func (w *exchangeWorld) keepToken() {
	w.t.Helper()
	r := w.process(w.objects)
	r.vault = &vault.Vault{Reader: w.objects, Writer: w.objects, Namespace: systemNamespace, Clock: w.clock}
	if _, alive := w.reconcile(r); !alive {
		w.t.Fatal("the exchange died")
	}
}

// makeCoexistent plays a customer who goes on using the number in the WhatsApp Business app.
func (w *exchangeWorld) makeCoexistent() {
	w.t.Helper()
	if err := w.sim.UpdatePhoneNumber(metasim.DemoPhoneNumber, func(p *metasim.PhoneNumber) {
		p.IsOnBizApp, p.Registered, p.PlatformType, p.Status = true, true, "CLOUD_API", "CONNECTED"
	}); err != nil {
		w.t.Fatal(err)
	}
}

// checkSync sees that each kind of the app's data was asked for, a second time only if an answer was lost, and that status says what came
// of it.
func (w *exchangeWorld) checkSync(when string) {
	w.t.Helper()
	asked := map[string]int{}
	lost := false
	for _, entry := range w.sim.Journal("smb_app_data", 0) {
		if entry.Fault == metasim.ActionHTTPStatus {
			continue // a proxy kept it from Meta
		}
		asked[entry.Params["sync_type"]]++
		lost = lost || entry.Fault != ""
	}
	c := apimeta.FindStatusCondition(w.request.Status.Conditions, v1alpha1.ConditionBusinessAppSynced)
	switch {
	case len(asked) != len(syncKinds) || max(asked["history"], asked["smb_app_state_sync"]) > vault.MaxSyncs:
		w.t.Errorf("%s: the app's data was asked for %v times", when, asked)
	case c == nil:
		w.t.Errorf("%s: there is no BusinessAppSynced", when)
	case c.Reason != v1alpha1.ReasonSucceeded && (!lost || c.Reason != v1alpha1.ReasonSyncOutcomeUnknown):
		w.t.Errorf("%s: BusinessAppSynced is %s: %s", when, c.Reason, c.Message)
	}
}

// checkJourney counts what can't be undone.
func (w *exchangeWorld) checkJourney(when string, coexistent bool) {
	w.t.Helper()
	counters := w.sim.Counters()
	if counters.CreditAllocations != 1 {
		w.t.Errorf("%s: %d allocations", when, counters.CreditAllocations)
	}
	registrations := 1
	if coexistent {
		registrations = 0
		w.checkSync(when)
	}
	if applied := counters.Applied["register"]; applied != registrations {
		w.t.Errorf("%s: the number was registered %d times", when, applied)
	}
	if applied := counters.Applied["subscribe"]; applied != 1 {
		w.t.Errorf("%s: the app was subscribed %d times", when, applied)
	}
	entry, err := (&vault.Vault{Reader: w.objects, Namespace: systemNamespace}).Read(w.t.Context(), w.key)
	if err != nil {
		w.t.Fatal(err)
	}
	world := w.sim.World(true)
	for i := range world.WABAs {
		for _, phone := range world.WABAs[i].PhoneNumbers {
			if phone.ID == metasim.DemoPhoneNumber && phone.PIN != entry.PIN.Reveal() {
				w.t.Errorf("%s: the PIN that Meta has is not the one in the vault", when)
			}
		}
	}
	assertStatusContract(w.t, w.request)
}
