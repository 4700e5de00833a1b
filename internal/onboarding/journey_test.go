package onboarding

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var numbers = []Number{"", NumberUnregistered, NumberConnected, NumberCoexistent}

func factsFrom(bits uint16, number Number) Facts {
	on := func(i int) bool { return bits&(1<<i) != 0 }
	return Facts{
		Held: on(0), HasToken: on(1), AssetsVerified: on(2), NeedsApproval: on(3), Approved: on(4), Subscribed: on(5), Partner: on(6), CreditShared: on(7),
		RegistrationLocked: on(8), PINRefused: on(9), WantsCopy: on(10), Copied: on(11), WantsTest: on(12), Tested: on(13), Synced: on(14), Number: number,
	}
}

func everyFacts(f func(Facts)) {
	for bits := range uint16(1 << 15) {
		for _, number := range numbers {
			f(factsFrom(bits, number))
		}
	}
}

func TestNextKeepsItsPromises(t *testing.T) {
	spending := []Step{StepSubscribe, StepSync, StepShareCredit, StepRegister}
	everyFacts(func(f Facts) {
		step := Next(f)
		registered := f.Number == NumberConnected || f.Number == NumberCoexistent
		for _, promise := range []struct {
			reason string
			kept   bool
		}{
			{"a shut gate stops everything", !f.Held || step == StepHold},
			{"nothing is done at the partner's cost without approval", !slices.Contains(spending, step) || !f.NeedsApproval || f.Approved},
			{"nothing is changed at Meta before the assets are proven", !slices.Contains(spending, step) || (f.HasToken && f.AssetsVerified)},
			{"credit is for accounts whose webhooks arrive", step != StepShareCredit || f.Subscribed},
			{"data of the WhatsApp Business app is asked for where there is some, once its webhooks arrive", step != StepSync || (f.Number == NumberCoexistent && f.Subscribed && !f.Synced)},
			{"a Tech Provider shares nothing", step != StepShareCredit || f.Partner},
			{"a number is registered only when somebody pays", step != StepRegister || !f.Partner || f.CreditShared},
			{"a number that works, or has an app, is never registered", step != StepRegister || !registered},
			{"a locked number is never registered", step != StepRegister || !f.RegistrationLocked},
			{"a refused PIN is never tried again", step != StepRegister || !f.PINRefused},
			{"credentials are handed over when the number works", step != StepCopyCredentials || registered},
			{"the test message gates nothing", step != StepTestMessage || !f.WantsCopy || f.Copied},
			{"an end is complete", step != StepDone || (f.HasToken && f.AssetsVerified && f.Subscribed && (!f.Partner || f.CreditShared) && registered)},
		} {
			if !promise.kept {
				t.Fatalf("%s: Next(%+v) = %s", promise.reason, f, step)
			}
		}
	})
}

// perform is what a successful step makes of the facts.
func perform(f Facts, step Step) Facts {
	switch step {
	case StepVerifyAssets:
		f.AssetsVerified = true
	case StepSubscribe:
		f.Subscribed = true
	case StepSync:
		f.Synced = true
	case StepShareCredit:
		f.CreditShared = true
	case StepRegister:
		f.Number = NumberConnected
	case StepCopyCredentials:
		f.Copied = true
	case StepTestMessage:
		f.Tested = true
	default:
		// The others wait: they change nothing.
	}
	return f
}

func TestJourneyTerminates(t *testing.T) {
	everyFacts(func(f Facts) {
		start := f
		for range 8 {
			step := Next(f)
			if step.Waits() {
				return
			}
			f = perform(f, step)
		}
		t.Fatalf("no end from %+v", start)
	})
}

func TestJourneyIsMetas(t *testing.T) {
	var got []Step
	f := Facts{HasToken: true, Partner: true, Number: NumberUnregistered, WantsCopy: true, WantsTest: true}
	for step := Next(f); ; step = Next(f) {
		got = append(got, step)
		if step.Waits() {
			break
		}
		f = perform(f, step)
	}
	want := []Step{StepVerifyAssets, StepSubscribe, StepShareCredit, StepRegister, StepCopyCredentials, StepTestMessage, StepDone}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the order is Meta's: subscribe, share credit, register (-want +got):\n%s", diff)
	}
}

func TestReady(t *testing.T) {
	everyFacts(func(f Facts) {
		step := Next(f)
		without := f
		without.WantsTest = false
		// Nothing waits for a step that may fail.
		without.Synced = true
		if !step.Optional() && step.Ready() != (Next(without) == StepDone) {
			t.Fatalf("Next(%+v) = %s: a request is Ready exactly when nothing but a test message is missing", f, step)
		}
	})
}
