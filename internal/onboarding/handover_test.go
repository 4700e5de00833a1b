package onboarding

import "testing"

func everyHandover(f func(HandoverFacts)) {
	for bits := range uint16(1 << 9) {
		on := func(i int) bool { return bits&(1<<i) != 0 }
		f(HandoverFacts{
			Current: on(0), Ended: on(1), SpentBefore: on(2), HasToken: on(3), Again: on(4), LinkLives: on(5), LinkUsed: on(6), OtherBusy: on(7), TooOld: on(8),
		})
	}
}

func TestNextHandoverKeepsItsPromises(t *testing.T) {
	everyHandover(func(f HandoverFacts) {
		action := NextHandover(f)
		begins := action == HandoverExchange && !f.Current
		for _, promise := range []struct {
			reason string
			kept   bool
		}{
			{"a dead link begins nothing", !begins || (f.LinkLives && !f.LinkUsed)},
			{"a link that succeeded never does again", !begins || !f.LinkUsed},
			{"two codes are never at work at once", !begins || !f.OtherBusy},
			{"a code whose token is here is not sent", action != HandoverExchange || !f.HasToken},
			{"an end is an end", action != HandoverExchange || !f.Current || !f.Ended},
			{"a code that was given up never comes back", !begins || !f.SpentBefore},
			{"what was begun is gone on with", !f.Current || f.Ended || f.HasToken || f.SpentBefore || action == HandoverExchange},
			{"nothing waits for ever", action != HandoverWait || !f.TooOld},
			{"a success is not called a replay by the replica that comes second", action != HandoverReplay || f.Again || f.SpentBefore},
		} {
			if !promise.kept {
				t.Fatalf("%s: NextHandover(%+v) = %s", promise.reason, f, action)
			}
		}
	})
}

func TestNextHandover(t *testing.T) {
	for _, tc := range []struct {
		reason string
		facts  HandoverFacts
		want   HandoverAction
	}{
		{"a code by a live link is exchanged at once", HandoverFacts{LinkLives: true}, HandoverExchange},
		{"also when the link dies meanwhile", HandoverFacts{Current: true}, HandoverExchange},
		{"a second tab waits for the first", HandoverFacts{LinkLives: true, OtherBusy: true}, HandoverWait},
		{"and is refused when that has succeeded", HandoverFacts{LinkLives: true, LinkUsed: true}, HandoverDead},
		{"a code that the platform's troubles outlasted is said to be late", HandoverFacts{LinkLives: true, TooOld: true}, HandoverLate},
		{"a kept token's code is cleared away", HandoverFacts{Current: true, Ended: true, HasToken: true}, HandoverDone},
		{"a failed code is cleared away", HandoverFacts{Current: true, Ended: true, LinkLives: true}, HandoverDone},
		{"an old success is not played again", HandoverFacts{Current: true, Ended: true, HasToken: true, Again: true}, HandoverReplay},
		{"nor an old failure", HandoverFacts{SpentBefore: true, LinkLives: true}, HandoverReplay},
	} {
		if got := NextHandover(tc.facts); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.reason, got, tc.want)
		}
	}
}
