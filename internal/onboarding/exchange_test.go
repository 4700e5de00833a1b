package onboarding

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
)

var (
	phases   = []ExchangePhase{PhaseNone, PhaseReserved, PhaseSending, PhaseKept, PhaseFailed}
	outcomes = []Outcome{OutcomeNone, OutcomeNotSent, OutcomeThrottled, OutcomeRedirectMismatch, OutcomeUnknown}
)

// everyExchangeFacts calls f with each combination of facts.
func everyExchangeFacts(f func(ExchangeFacts)) {
	for bits := range 1 << 8 {
		on := func(i int) bool { return bits&(1<<i) != 0 }
		for _, phase := range phases {
			for _, outcome := range outcomes {
				for attempts := range MaxSends + 2 {
					f(ExchangeFacts{
						Current: on(0), SpentBefore: on(1), HasToken: on(2), Uncertain: on(3), SendMayRun: on(4), HeldBack: on(5), MayLive: on(6), RescueOpen: on(7),
						Phase: phase, LastOutcome: outcome, Attempts: attempts,
					})
				}
			}
		}
	}
}

func TestNextExchangeKeepsItsPromises(t *testing.T) {
	reasons := []string{
		v1alpha1.ReasonRedirectURIMismatch, v1alpha1.ReasonExchangeOutcomeUnknown, v1alpha1.ReasonThrottled, v1alpha1.ReasonCodeExpired,
	}
	everyExchangeFacts(func(f ExchangeFacts) {
		step := NextExchange(f)
		for _, promise := range []struct {
			reason string
			kept   bool
		}{
			{"a code is sent at most twice", !step.Sends() || f.Attempts < MaxSends},
			{"a code whose token is here is never sent, rescued or given up", !f.HasToken || step.Action == ExchangeIdle || step.Action == ExchangeAdopt},
			{"a send needs a reservation of this very code", !step.Sends() || (f.Current && (f.Phase == PhaseReserved || f.Phase == PhaseSending))},
			{"a send that may be running is waited for", f.HasToken || !f.Current || f.Phase != PhaseSending || !f.SendMayRun || step.Action == ExchangeWait},
			{"a code that was given up for a later one never comes back", f.Current || !f.SpentBefore || step.Action == ExchangeIdle},
			{"an end is an end", !f.Current || f.HasToken || (f.Phase != PhaseKept && f.Phase != PhaseFailed) || step.Action == ExchangeIdle},
			{"a second send is for a code that may live", !step.Sends() || f.Attempts == 0 || f.MayLive},
			{"the other redirect_uri is for a refused one", step.Action != ExchangeSendOtherRedirect || f.LastOutcome == OutcomeRedirectMismatch},
			{"giving up has a reason of the vocabulary", (step.Action == ExchangeFail) == slices.Contains(reasons, step.Reason)},
			{"what may be lost at Meta is never called expired or throttled",
				step.Action != ExchangeFail || !f.Uncertain || step.Reason == v1alpha1.ReasonExchangeOutcomeUnknown || step.Reason == v1alpha1.ReasonRedirectURIMismatch},
			{"a token that can be read back is not given up", step.Action != ExchangeFail || !f.RescueOpen || f.LastOutcome != OutcomeUnknown},
		} {
			if !promise.kept {
				t.Fatalf("%s: NextExchange(%+v) = %+v", promise.reason, f, step)
			}
		}
	})
}

func TestNextExchange(t *testing.T) {
	reserved := ExchangeFacts{Current: true, Phase: PhaseReserved, MayLive: true}
	change := func(f func(*ExchangeFacts)) ExchangeFacts {
		facts := reserved
		f(&facts)
		return facts
	}
	for _, tc := range []struct {
		reason string
		facts  ExchangeFacts
		want   ExchangeStep
	}{
		{"a new code gets its place first", ExchangeFacts{MayLive: true}, act(ExchangeReserve)},
		{"then it is sent", reserved, act(ExchangeSend)},
		{"an old reservation is sent too: only Meta knows the code's age", change(func(f *ExchangeFacts) { f.MayLive = false }), act(ExchangeSend)},
		{"a send that never left is made again", change(func(f *ExchangeFacts) { f.LastOutcome = OutcomeNotSent }), act(ExchangeSend)},
		{"but not after the code has died", change(func(f *ExchangeFacts) { f.LastOutcome, f.MayLive = OutcomeNotSent, false }),
			ExchangeStep{ExchangeFail, v1alpha1.ReasonCodeExpired}},
		{"a refused redirect_uri gets the other policy", change(func(f *ExchangeFacts) { f.LastOutcome, f.Attempts = OutcomeRedirectMismatch, 1 }), act(ExchangeSendOtherRedirect)},
		{"once", change(func(f *ExchangeFacts) { f.LastOutcome, f.Attempts = OutcomeRedirectMismatch, 2 }),
			ExchangeStep{ExchangeFail, v1alpha1.ReasonRedirectURIMismatch}},
		{"a lost answer is read back if the business is known", change(func(f *ExchangeFacts) { f.LastOutcome, f.Attempts, f.RescueOpen = OutcomeUnknown, 1, true }), act(ExchangeRescue)},
		{"else the code is sent once more", change(func(f *ExchangeFacts) { f.LastOutcome, f.Attempts = OutcomeUnknown, 1 }), act(ExchangeSend)},
		{"and then given up", change(func(f *ExchangeFacts) { f.LastOutcome, f.Attempts = OutcomeUnknown, 2 }),
			ExchangeStep{ExchangeFail, v1alpha1.ReasonExchangeOutcomeUnknown}},
		{"a dead process's send is a lost answer", change(func(f *ExchangeFacts) { f.Phase, f.Attempts, f.MayLive = PhaseSending, 1, false }),
			ExchangeStep{ExchangeFail, v1alpha1.ReasonExchangeOutcomeUnknown}},
		{"uncertainty outlasts a later send that never left", change(func(f *ExchangeFacts) {
			f.LastOutcome, f.Attempts, f.Uncertain, f.MayLive = OutcomeNotSent, 1, true, false
		}),
			ExchangeStep{ExchangeFail, v1alpha1.ReasonExchangeOutcomeUnknown}},
		{"a token that is here is adopted", change(func(f *ExchangeFacts) { f.Phase, f.HasToken = PhaseSending, true }), act(ExchangeAdopt)},
		{"a throttled code waits", change(func(f *ExchangeFacts) { f.LastOutcome, f.Attempts, f.HeldBack = OutcomeThrottled, 1, true }), act(ExchangeWait)},
	} {
		if diff := cmp.Diff(tc.want, NextExchange(tc.facts)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
		}
	}
}

// world plays the vault, the clock and Meta for one code: facts after each step follow from what the fuzzer chooses.
type world struct {
	facts  ExchangeFacts
	sends  int
	tokens int
}

// apply performs a step and lets choice decide what becomes of it. It reports whether the code can go on.
func (w *world) apply(step ExchangeStep, choice byte) bool {
	f := &w.facts
	switch step.Action {
	case ExchangeIdle:
		return false
	case ExchangeReserve:
		f.Current, f.Phase, f.Attempts, f.LastOutcome, f.Uncertain, f.SpentBefore = true, PhaseReserved, 0, OutcomeNone, false, false
	case ExchangeWait:
		f.SendMayRun, f.HeldBack = false, false
	case ExchangeAdopt:
		f.Phase = PhaseKept
	case ExchangeFail:
		f.Phase = PhaseFailed
	case ExchangeRescue:
		f.Phase, f.LastOutcome, f.Uncertain = PhaseReserved, OutcomeUnknown, true
		if choice&1 == 0 {
			f.HasToken, f.Phase = true, PhaseKept
		} else {
			f.RescueOpen = false
		}
	default:
		w.send(choice)
	}
	// Time passes: a code never becomes younger.
	f.MayLive = f.MayLive && choice&0x40 == 0
	return true
}

func (w *world) send(choice byte) {
	f := &w.facts
	f.Uncertain = f.Uncertain || f.Phase == PhaseSending
	f.Attempts++
	f.Phase = PhaseReserved
	switch choice % 6 {
	case 0:
		w.sends++
		w.tokens++
		f.HasToken, f.Phase = true, PhaseKept
	case 1:
		// Nothing reached Meta, so nothing is counted. Codes die, so this can't go on for ever.
		f.Attempts--
		f.LastOutcome, f.MayLive = OutcomeNotSent, f.MayLive && choice&0x80 == 0
	case 2:
		w.sends++
		f.LastOutcome, f.HeldBack = OutcomeThrottled, true
	case 3:
		w.sends++
		f.LastOutcome = OutcomeRedirectMismatch
	case 4:
		w.sends++
		f.LastOutcome, f.Uncertain = OutcomeUnknown, true
	default:
		// The process dies in the middle.
		w.sends++
		f.Phase, f.SendMayRun = PhaseSending, true
	}
}

func FuzzExchangeTerminates(f *testing.F) {
	f.Add([]byte{0}, uint16(0))
	f.Add([]byte{4, 0}, uint16(0x40))
	f.Add([]byte{5, 1, 5, 2}, uint16(0xc0))
	f.Add([]byte{1, 1, 1, 0x81, 3, 3}, uint16(0x40))
	f.Fuzz(func(t *testing.T, choices []byte, start uint16) {
		w := world{facts: ExchangeFacts{
			MayLive: start&0x40 != 0, RescueOpen: start&0x80 != 0, SpentBefore: start&1 != 0,
		}}
		// Sends that never leave are bounded by the code's life alone; after the fuzzer's choices it is over.
		for i := range len(choices) + 32 {
			choice := byte(0xc1)
			if i < len(choices) {
				choice = choices[i]
			}
			if !w.apply(NextExchange(w.facts), choice) {
				if w.sends > MaxSends {
					t.Fatalf("the code was sent %d times", w.sends)
				}
				if !w.facts.SpentBefore && w.facts.Phase != PhaseKept && w.facts.Phase != PhaseFailed {
					t.Fatalf("came to rest in the middle: %+v", w.facts)
				}
				return
			}
			if w.sends > MaxSends {
				t.Fatalf("the code was sent %d times", w.sends)
			}
		}
		t.Fatalf("no end after %d steps: %+v", len(choices)+32, w.facts)
	})
}
