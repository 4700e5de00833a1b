package crash

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/internal/vault"
)

// moment is when the process dies.
type moment string

const (
	// onArrival: Meta has the call and has not acted.
	onArrival moment = "the call arrives"
	// onceActed: Meta has acted, and its answer is never heard.
	onceActed moment = "Meta has acted"
	// onceAnswered: the answer is on its way, or being worked on. What the process did with it is left to chance.
	onceAnswered moment = "the answer is out"
)

// crashPoint is one kill.
type crashPoint struct {
	call string
	nth  int
	// object is what the call is made on, to tell the customer's from others.
	object func(*customer) string
	when   moment
}

func (p crashPoint) String() string { return fmt.Sprintf("%s %d, when %s", p.call, p.nth+1, p.when) }

// crashPoints go through an onboarding call by call. Kills in the exchange come last: what follows them takes the 12 seconds after
// which a send must be over, and no other kill may get in between.
func crashPoints() []crashPoint {
	account := func(c *customer) string { return c.wabaID }
	phone := func(c *customer) string { return c.phoneID }
	line := func(*customer) string { return metasim.DemoCreditLine }
	anything := func(*customer) string { return "" }
	var points []crashPoint
	for _, call := range []struct {
		name   string
		nth    int
		object func(*customer) string
		writes bool
	}{
		{"debug_token", 0, anything, false},
		{"get_waba", 0, account, false},
		{"list_phone_numbers", 0, account, false},
		{"list_subscribed_apps", 0, account, false},
		{"subscribe", 0, account, true},
		{"list_subscribed_apps", 1, account, false},
		{"list_assigned_users", 0, account, false},
		{"assign_user", 0, account, true},
		{"credit_share_and_attach", 0, line, true},
		{"get_allocation", 0, anything, false},
		{"get_waba", 1, account, false},
		{"register", 0, phone, true},
		{"exchange", 0, anything, true},
	} {
		moments := []moment{onceAnswered, onceActed, onArrival}
		if !call.writes {
			// A read that was answered and one that was not leave the same behind.
			moments = []moment{onArrival}
		}
		for _, when := range moments {
			points = append(points, crashPoint{call.name, call.nth, call.object, when})
		}
	}
	return points
}

// ends are where a customer may end. Whatever else happens, one of each irreversible thing is the most.
type end struct {
	ready   bool
	stalled string
	// waiting is a reason of Ready for what time cures later than a test can wait.
	waiting string
	sends   int
}

func (e end) String() string {
	switch {
	case e.ready:
		return "Ready"
	case e.stalled != "":
		return "Stalled: " + e.stalled
	default:
		return "Waiting: " + e.waiting
	}
}

// allowed says where a customer may end after a kill.
func (p crashPoint) allowed() []end {
	lost := end{stalled: v1alpha1.ReasonExchangeOutcomeUnknown, sends: 2}
	ready := end{ready: true, sends: 1}
	// An announced sharing of which Meta shows nothing may be one that it lists late, so it is looked for a quarter of an hour before it is
	// made again.
	announced := end{waiting: v1alpha1.ReasonCreditOutcomeUnknown, sends: 1}
	switch {
	case p.call == "exchange" && p.when == onArrival:
		return []end{{ready: true, sends: 2}}
	case p.call == "exchange" && p.when == onceActed:
		// The one window in which a token is lost.
		return []end{lost}
	case p.call == "exchange":
		return []end{ready, lost, announced}
	case p.call == "credit_share_and_attach" && p.when == onArrival:
		return []end{announced}
	case (p.call == "assign_user" || p.call == "subscribe") && p.when == onceAnswered:
		// The sharing comes after them, and how far the process comes until it is dead is up to the machine.
		return []end{ready, announced}
	default:
		return []end{ready}
	}
}

// TestKillAtEveryCall kills the manager at each call of an onboarding, each time for another customer, starts it again, and counts what
// Meta did.
func TestKillAtEveryCall(t *testing.T) {
	points := crashPoints()
	if len(points) < 20 {
		t.Fatalf("%d kills are too few", len(points))
	}
	table := []string{"killed at\tended\tsends\tsharings\tregistrations"}
	type victim struct {
		*customer
		crashPoint
	}
	var victims []victim
	m := startManager(t)
	awaitAppChecked(t, 0)
	for _, point := range points {
		c := newCustomer(t)
		c.signUp(t)
		m.killAt(t, c, point)
		restarted := lastCall()
		m = startManager(t)
		awaitAppChecked(t, restarted)
		if point.call != "exchange" {
			c.awaitEnd(t, point)
		}
		victims = append(victims, victim{c, point})
	}
	sharings := 0
	for _, v := range victims {
		reached := v.awaitEnd(t, v.crashPoint)
		shared, registered := v.check(t, reached)
		sharings += shared
		table = append(table, fmt.Sprintf("%s\t%s\t%d\t%d\t%d", v.crashPoint, reached, sim.Counters().CodeSends[v.code.ID], shared, registered))
	}
	if got := sim.Counters().CreditAllocations; got != sharings {
		t.Errorf("Meta has %d sharings of the credit line, %d of the customers have one", got, sharings)
	}
	t.Logf("%d kills:\n%s", len(victims), align(t, table))
}

// align puts the columns of a table, which tabs separate, below each other.
func align(t *testing.T, lines []string) string {
	t.Helper()
	var out bytes.Buffer
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	_, err := w.Write([]byte(strings.Join(lines, "\n") + "\n"))
	if err := errors.Join(err, w.Flush()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// killAt creates the customer's request and kills the manager at the moment.
func (m *manager) killAt(t *testing.T, c *customer, p crashPoint) {
	t.Helper()
	action := map[moment]string{onArrival: metasim.ActionTimeoutBefore, onceActed: metasim.ActionTimeoutAfter}[p.when]
	if action != "" {
		// The call hangs until its caller is gone.
		id, err := sim.AddFault(metasim.Fault{Call: p.call, ObjectID: p.object(c), Skip: p.nth, Action: action})
		if err != nil {
			t.Fatal(err)
		}
		defer sim.ClearFaults(id)
	}
	before := lastCall()
	c.request(t)
	await(t, patience, blink, func(context.Context) error {
		seen := 0
		for _, entry := range sim.Journal(p.call, before) {
			if object := p.object(c); object == "" || entry.ObjectID == object {
				seen++
			}
		}
		if seen <= p.nth {
			return fmt.Errorf("%s: the call was not made", p)
		}
		return nil
	})
	m.kill(t)
}

// lastCall is the number of the simulator's newest journal entry.
func lastCall() int {
	journal := sim.Journal("", 0)
	if len(journal) == 0 {
		return 0
	}
	return journal[len(journal)-1].Seq
}

// awaitAppChecked waits until a manager that was just started has looked at the MetaApp, so that no call of that is taken for one of
// the customer's.
func awaitAppChecked(t *testing.T, after int) {
	t.Helper()
	await(t, patience, glance, func(context.Context) error {
		if len(sim.Journal(lastAppCall, after)) == 0 {
			return errors.New("the MetaApp was not looked at")
		}
		return nil
	})
}

// awaitEnd waits until the customer's request has come to one of the ends that the kill allows.
func (c *customer) awaitEnd(t *testing.T, p crashPoint) end {
	t.Helper()
	var reached end
	await(t, patience, glance, func(ctx context.Context) error {
		request, err := c.read(ctx)
		if err != nil {
			return err
		}
		for _, e := range p.allowed() {
			if e.ready == (reasonOf(request, v1alpha1.ConditionReady, metav1.ConditionTrue) != "") &&
				e.stalled == reasonOf(request, v1alpha1.ConditionStalled, metav1.ConditionTrue) &&
				(e.waiting == "" || e.waiting == reasonOf(request, v1alpha1.ConditionReady, metav1.ConditionFalse)) {
				reached = e
				return nil
			}
		}
		return fmt.Errorf("killed at %s, the request of %s has come to no end that is allowed:\n%s", p, c.name, describe(request))
	})
	return reached
}

// check counts what can't be undone.
func (c *customer) check(t *testing.T, reached end) (shared, registered int) {
	t.Helper()
	request, err := c.read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := promised.Check(request); err != nil {
		t.Error(err)
	}
	if sends := sim.Counters().CodeSends[c.code.ID]; sends > reached.sends || sends == 0 {
		t.Errorf("%s: the code was sent %d times, want at most %d", c.name, sends, reached.sends)
	}
	for _, entry := range sim.Journal("credit_share_and_attach", 0) {
		if entry.Params["waba_id"] == c.wabaID && happened(entry) {
			shared++
		}
	}
	for _, entry := range sim.Journal("register", 0) {
		if entry.ObjectID == c.phoneID && happened(entry) {
			registered++
		}
	}
	want := 0
	if reached.ready {
		want = 1
	}
	if shared != want || registered != want {
		t.Errorf("%s ended %s: its account was shared with %d times and its number registered %d times, want %d", c.name, reached, shared, registered, want)
	}
	return shared, registered
}

// happened says whether Meta acted on a call.
func happened(entry metasim.JournalEntry) bool {
	return entry.Status == http.StatusOK || entry.Fault == metasim.ActionTimeoutAfter
}

// holdLease makes the lease of a leader that has just died last until release is called, so that nobody leads however long that is.
func holdLease(t *testing.T) (release func()) {
	t.Helper()
	lasts := func(seconds int32) {
		t.Helper()
		lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: systemNamespace, Name: "whatsapp-operator-manager"}}
		patch := fmt.Appendf(nil, `{"spec":{"leaseDurationSeconds":%d}}`, seconds)
		if err := admin.Patch(t.Context(), lease, client.RawPatch(types.MergePatchType, patch)); err != nil {
			t.Fatal(err)
		}
	}
	lasts(3600)
	return func() { t.Helper(); lasts(1) }
}

// TestLeaderDiesBeforeTheCodeArrives kills the leader of two managers a second before a customer's code is there. The code lives shorter
// than the other one may need to become the leader; it has to be exchanged while nobody leads.
func TestLeaderDiesBeforeTheCodeArrives(t *testing.T) {
	leader := startManager(t, "--leader-elect")
	seen := lastCall()
	awaitAppChecked(t, 0)
	startManager(t, "--leader-elect")
	c := newCustomer(t)
	c.request(t)
	await(t, patience, glance, func(ctx context.Context) error {
		request, err := c.read(ctx)
		if err == nil && reasonOf(request, v1alpha1.ConditionReady, metav1.ConditionFalse) != v1alpha1.ReasonWaitingForCode {
			err = fmt.Errorf("the request does not wait for its code:\n%s", describe(request))
		}
		return err
	})
	leader.kill(t)
	release := holdLease(t)
	killed := time.Now()
	await(t, patience, glance, func(context.Context) error {
		if time.Since(killed) < time.Second {
			return errors.New("it is too soon")
		}
		return nil
	})
	c.signUp(t)
	arrived := time.Now()
	await(t, patience, glance, func(context.Context) error {
		if len(sim.Journal("exchange", seen)) == 0 {
			return errors.New("the code was not exchanged")
		}
		entry, err := (&vault.Vault{Reader: admin, Namespace: systemNamespace}).Read(t.Context(), vault.Key{Namespace: tenantNamespace, Name: c.name})
		if err == nil && entry.Phase != vault.PhaseKept {
			err = fmt.Errorf("the token is not kept: the vault says %s", entry.Phase)
		}
		return err
	})
	exchanged := time.Since(arrived)
	release()
	// Status is the next leader's, who has to wait until the lease of the dead one is over.
	await(t, patience, glance, func(ctx context.Context) error {
		request, err := c.read(ctx)
		if err == nil && reasonOf(request, v1alpha1.ConditionReady, metav1.ConditionTrue) == "" {
			err = fmt.Errorf("the request is not Ready:\n%s", describe(request))
		}
		return err
	})
	if sends := sim.Counters().CodeSends[c.code.ID]; sends != 1 {
		t.Errorf("the code was sent %d times", sends)
	}
	t.Logf("exchanged %s after the code arrived; Ready, under the next leader, after %s", exchanged.Round(10*time.Millisecond), time.Since(arrived).Round(10*time.Millisecond))
}
