package controllers

import (
	"fmt"
	"testing"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/internal/vault"
)

// badDays are what Meta and the network may do to the exchange. Codes die in each, so all come to an end.
var badDays = []struct {
	name   string
	faults []metasim.Fault
}{
	{"all is well", nil},
	{"the answer is lost", []metasim.Fault{{Call: "exchange", Action: metasim.ActionResetAfter}}},
	{"the request is lost", []metasim.Fault{{Call: "exchange", Action: metasim.ActionResetBefore}}},
	{"a gateway answers, Meta has acted", []metasim.Fault{{Call: "exchange", Action: metasim.ActionHTTPStatus, Status: 502, ApplyFirst: true}}},
	{"a gateway answers, Meta has not acted", []metasim.Fault{{Call: "exchange", Action: metasim.ActionHTTPStatus, Status: 502}}},
	{"half an answer", []metasim.Fault{{Call: "exchange", Action: metasim.ActionMalformedJSON, ApplyFirst: true}}},
	{"throttled once", []metasim.Fault{{Call: "exchange", Action: metasim.ActionGraphError, Error: &metasim.FaultError{Code: 4}}}},
	{"throttled for ever", []metasim.Fault{{Call: "exchange", Action: metasim.ActionGraphError, Count: -1, Error: &metasim.FaultError{HTTP: 429, Code: 613}}}},
	{"both answers are lost", []metasim.Fault{{Call: "exchange", Action: metasim.ActionResetAfter, Count: 2}}},
}

// TestCrashAtEveryWrite kills the process before and after each of its writes, on good and on bad days, starts another, and
// holds the result against the promise: at most two sends, and no token lost but in the one window between Meta's answer and
// the vault.
func TestCrashAtEveryWrite(t *testing.T) {
	for _, rescue := range []bool{false, true} {
		for _, day := range badDays {
			t.Run(fmt.Sprintf("%s, rescue %t", day.name, rescue), func(t *testing.T) {
				writes := crashRun(t, day.faults, rescue, 0, false)
				if writes < 3 {
					t.Fatalf("the control run made %d writes; reservation, intent and receipt are 3", writes)
				}
				for n := 1; n <= writes; n++ {
					crashRun(t, day.faults, rescue, n, false)
					crashRun(t, day.faults, rescue, n, true)
				}
			})
		}
	}
}

// crashRun plays one day with a crash at the n-th write, 0 for none, and returns how many writes the first process made.
func crashRun(t *testing.T, faults []metasim.Fault, rescue bool, n int, after bool) int {
	t.Helper()
	w := newExchangeWorld(t, func(s *metasim.Switches) {
		if rescue {
			s.Rescue = "works"
		}
	})
	if rescue {
		w.knowBusiness()
	}
	for _, f := range faults {
		if _, err := w.sim.AddFault(f); err != nil {
			t.Fatal(err)
		}
	}
	first := &mortal{Client: admin, dieAt: n, after: after}
	entry, survived := w.settle(w.process(first))
	if !survived {
		entry, _ = w.settle(w.process(&mortal{Client: admin}))
	}
	w.checkPromise(entry, fmt.Sprintf("crash at write %d (after: %t)", n, after), rescue)
	// A third process, and a request that was deleted and made again, change nothing.
	before := w.sim.Counters().Calls["exchange"]
	w.request.UID = "request-2"
	if _, alive := w.reconcile(w.process(&mortal{Client: admin, dieAt: 1})); !alive {
		t.Errorf("a code that is done with was written about again")
	}
	if got := w.sim.Counters().Calls["exchange"]; got != before {
		t.Errorf("a code that is done with was sent again")
	}
	return first.count
}

// knowBusiness gives the vault an earlier, failed attempt that had proven whose business it is.
func (w *exchangeWorld) knowBusiness() {
	w.t.Helper()
	v := &vault.Vault{Reader: admin, Writer: admin, Namespace: w.place, Clock: w.clock}
	entry, err := v.Reserve(w.t.Context(), w.key, w.entry(), "0123456789abcdef")
	if err == nil {
		entry, err = v.Settle(w.t.Context(), w.key, entry, vault.Settlement{Failure: v1alpha1.ReasonCodeExpired})
	}
	if err == nil {
		_, err = v.Prove(w.t.Context(), w.key, entry, vault.Proof{OwnerBusinessID: metasim.DemoCustomerBusiness})
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// checkPromise holds a final entry against invariant 1 of the design: two sends, and a token whenever Meta gave one out that a
// living process could have kept, or can read back.
func (w *exchangeWorld) checkPromise(entry *vault.Entry, when string, rescue bool) {
	w.t.Helper()
	if sends := w.sends(); sends > vault.MaxSends {
		w.t.Errorf("%s: the code was sent %d times", when, sends)
	}
	spent := w.sim.Counters().Applied["exchange"] > 0
	switch entry.Phase {
	case vault.PhaseKept:
		token, _ := entry.Current()
		if !w.works(token) {
			w.t.Errorf("%s: the kept token does not work", when)
		}
	case vault.PhaseFailed:
		if rescue && spent && entry.Failure == v1alpha1.ReasonExchangeOutcomeUnknown {
			w.t.Errorf("%s: the token could have been read back, and the code was given up", when)
		}
		if entry.Failure == v1alpha1.ReasonCodeUsed {
			w.t.Errorf("%s: our own lost send was blamed on somebody else (CodeUsed)", when)
		}
	default:
		w.t.Errorf("%s: came to rest in phase %s", when, entry.Phase)
	}
}

// TestLostTokensAreOnlyThoseOfTheWindow shows for the plain day which crash loses the token: exactly the one between Meta's
// answer and the write that keeps it.
func TestLostTokensAreOnlyThoseOfTheWindow(t *testing.T) {
	// The writes of an exchange: 1 reservation, 2 intent, 3 receipt.
	for _, tc := range []struct {
		reason string
		write  int
		after  bool
		sends  int
		kept   bool
	}{
		{"before the reservation nothing has happened", 1, false, 1, true},
		{"a reservation is taken up", 1, true, 1, true},
		{"before the intent nothing was sent", 2, false, 1, true},
		{"after the intent the send must be assumed, and is made once more", 2, true, 1, true},
		{"between Meta's answer and the receipt the token is lost, and the second send says so", 3, false, 2, false},
		{"a receipt is final", 3, true, 1, true},
	} {
		w := newExchangeWorld(t)
		if _, survived := w.settle(w.process(&mortal{Client: admin, dieAt: tc.write, after: tc.after})); survived && tc.write != 3 {
			t.Fatalf("%s: the process survived", tc.reason)
		}
		entry, _ := w.settle(w.process(admin))
		if got := w.sends(); got != tc.sends {
			t.Errorf("%s: %d sends, want %d", tc.reason, got, tc.sends)
		}
		if kept := entry.Phase == vault.PhaseKept; kept != tc.kept {
			t.Errorf("%s: kept %t, want %t", tc.reason, kept, tc.kept)
		}
		if !tc.kept && entry.Failure != v1alpha1.ReasonExchangeOutcomeUnknown {
			t.Errorf("%s: failure %s, want %s", tc.reason, entry.Failure, v1alpha1.ReasonExchangeOutcomeUnknown)
		}
	}
}
