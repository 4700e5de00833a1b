package crash

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/internal/vault"
)

// TestTermInTheMiddleOfTheExchange tells the process to stop, as a roll-out does, while Meta has a code and has not answered. It waits for
// the token, keeps it, and ends; the next process goes on from there.
func TestTermInTheMiddleOfTheExchange(t *testing.T) {
	m := startManager(t)
	awaitAppChecked(t, 0)
	c := newCustomer(t)
	c.signUp(t)
	id, err := sim.AddFault(metasim.Fault{Call: "exchange", Action: metasim.ActionLatency, Latency: metasim.Duration(3 * time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.ClearFaults(id) })
	kept := func() bool {
		t.Helper()
		entry, err := (&vault.Vault{Reader: admin, Namespace: systemNamespace}).Read(t.Context(), vault.Key{Namespace: tenantNamespace, Name: c.name})
		if err != nil {
			t.Fatal(err)
		}
		return entry.Phase == vault.PhaseKept
	}
	c.request(t)
	await(t, patience, blink, func(context.Context) error {
		for _, fault := range sim.Faults() { // a call stands in the journal only when it is answered
			if fault.ID == id && fault.Hits > 0 {
				return nil
			}
		}
		return errors.New("Meta does not have the code yet")
	})
	if kept() {
		t.Fatal("Meta has answered already, so nothing is in the middle")
	}
	if err := m.Stop(); err != nil {
		t.Fatal(err)
	}
	if !kept() {
		t.Fatal("the process ended without the token")
	}
	startManager(t)
	await(t, patience, glance, func(ctx context.Context) error {
		request, err := c.read(ctx)
		if err == nil && reasonOf(request, v1alpha1.ConditionReady, metav1.ConditionTrue) == "" {
			err = fmt.Errorf("the request is not Ready:\n%s", describe(request))
		}
		return err
	})
	c.check(t, end{ready: true, sends: 1})
}
