package controllers

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

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

// TestCrashAtEveryWrite kills the process before and after each of its writes and after each answer of Meta's, on good and on bad
// days, starts another, and holds the result against the promise: at most two sends, and no token lost but in the one window between
// Meta's answer and the vault.
func TestCrashAtEveryWrite(t *testing.T) {
	for _, rescue := range []bool{false, true} {
		for _, day := range badDays {
			t.Run(fmt.Sprintf("%s, rescue %t", day.name, rescue), func(t *testing.T) {
				var table crashTable
				steps := crashRun(t, &table, day.faults, rescue, 0, false)
				if writes := writesOf(steps); writes < 3 {
					t.Errorf("the control run made %d writes; reservation, intent and receipt are 3: %q", writes, steps)
				}
				for n := 1; n <= len(steps); n++ {
					crashRun(t, &table, day.faults, rescue, n, false)
					if isWrite(steps[n-1]) {
						crashRun(t, &table, day.faults, rescue, n, true)
					}
				}
				table.print(t)
			})
		}
	}
}

// crashRun plays one day with a crash at the n-th step, 0 for none, and returns the steps of the first process.
func crashRun(t *testing.T, table *crashTable, faults []metasim.Fault, rescue bool, n int, after bool) []string {
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
	table.row(first, n, "%s%s, %d sends", entry.Phase, entry.Failure, w.sends())
	w.checkPromise(entry, crashPoint(first, n), rescue)
	// A third process, and a request that was deleted and made again, change nothing.
	before := w.sim.Counters().Calls["exchange"]
	w.request.UID = "request-2"
	if _, alive := w.reconcile(w.process(&mortal{Client: admin, dieAt: 1})); !alive {
		t.Errorf("a code that is done with was written about again")
	}
	if got := w.sim.Counters().Calls["exchange"]; got != before {
		t.Errorf("a code that is done with was sent again")
	}
	return first.steps
}

// knowBusiness gives the vault an earlier, failed attempt that had proven whose business it is.
func (w *exchangeWorld) knowBusiness() {
	w.t.Helper()
	w.knowBusinessIn(&vault.Vault{Reader: admin, Writer: admin, Namespace: w.place, Clock: w.clock})
}

func (w *exchangeWorld) knowBusinessIn(v *vault.Vault) {
	w.t.Helper()
	entry, err := v.Read(w.t.Context(), w.key)
	if err == nil {
		entry, err = v.Reserve(w.t.Context(), w.key, entry, "0123456789abcdef")
	}
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

// TestLostTokensAreOnlyThoseOfTheWindow crashes a plain day at every step. The token may be lost in one place alone, between Meta's
// answer and the write that keeps it, and nothing else may be done there.
func TestLostTokensAreOnlyThoseOfTheWindow(t *testing.T) {
	steps := crashRun(t, &crashTable{}, nil, false, 0, false)
	sent := slices.Index(steps, "call ExchangeCode")
	if want := []string{"create Secret", "update Secret", "call ExchangeCode", "update Secret"}; !slices.Equal(steps, want) {
		t.Errorf("an exchange is reservation, intent, call, receipt, and nothing else; the steps are %q", steps)
	}
	for n := 1; n <= len(steps); n++ {
		for _, after := range []bool{false, true} {
			if after && !isWrite(steps[n-1]) {
				continue
			}
			w := newExchangeWorld(t)
			first := &mortal{Client: admin, dieAt: n, after: after}
			if _, survived := w.settle(w.process(first)); survived {
				t.Fatalf("%s: the process survived", crashPoint(first, n))
			}
			entry, _ := w.settle(w.process(admin))
			// The answer was heard and the receipt not written.
			window := n == sent+1 || (n == sent+2 && !after)
			wantSends, wantPhase, wantFailure := 1, vault.PhaseKept, ""
			if window {
				wantSends, wantPhase, wantFailure = 2, vault.PhaseFailed, v1alpha1.ReasonExchangeOutcomeUnknown
			}
			if w.sends() != wantSends || entry.Phase != wantPhase || entry.Failure != wantFailure {
				t.Errorf("%s: %d sends, %s%s; want %d, %s%s", crashPoint(first, n), w.sends(), entry.Phase, entry.Failure, wantSends, wantPhase, wantFailure)
			}
		}
	}
}

// crashTable lists where processes died and what became of their work.
type crashTable struct{ rows []string }

func (c *crashTable) row(m *mortal, n int, format string, args ...any) {
	c.rows = append(c.rows, crashPoint(m, n)+"\t"+fmt.Sprintf(format, args...))
}

func (c *crashTable) print(t *testing.T) {
	t.Helper()
	var out bytes.Buffer
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	_, err := fmt.Fprintln(w, strings.Join(c.rows, "\n"))
	if err := errors.Join(err, w.Flush()); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d crash points:\n%s", len(c.rows), out.String())
}

// crashPoint says where a process died; n is 0 if it was to live.
func crashPoint(m *mortal, n int) string {
	switch {
	case n == 0:
		return "no crash"
	case n > len(m.steps):
		return fmt.Sprintf("%d: not reached", n)
	case m.after || !isWrite(m.steps[n-1]):
		return fmt.Sprintf("%d: after %s", n, m.steps[n-1])
	default:
		return fmt.Sprintf("%d: before %s", n, m.steps[n-1])
	}
}

// isWrite tells writes from calls to Meta.
func isWrite(step string) bool { return !strings.HasPrefix(step, "call ") }

func writesOf(steps []string) (writes int) {
	for _, step := range steps {
		if isWrite(step) {
			writes++
		}
	}
	return writes
}
