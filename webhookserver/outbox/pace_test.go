package outbox

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPaceCountsBothDirections(t *testing.T) {
	now := time.Unix(1000, 0)
	p := newPace(func() time.Time { return now })
	p.spend("a", 10, 6)
	sentAtOnce := 0
	for {
		wait, ok := p.take("a", 10)
		if !ok {
			if wait <= patience {
				t.Errorf("refused for %s", wait)
			}
			break
		}
		if wait == 0 {
			sentAtOnce++
		}
	}
	if sentAtOnce != 4 {
		t.Errorf("%d of 10 a second were left after 6 came in", sentAtOnce)
	}
	if diff := cmp.Diff([]string{"a"}, p.blocked()); diff != "" {
		t.Errorf("a line that is behind is not claimed (-want +got):\n%s", diff)
	}
	if wait, ok := p.take("b", 10); !ok || wait != 0 {
		t.Errorf("another line waits %s", wait)
	}
	now = now.Add(3 * time.Second)
	if wait, ok := p.take("a", 10); !ok || wait != 0 || len(p.blocked()) != 0 {
		t.Errorf("after 3 seconds the line waits %s", wait)
	}
}

// TestPaceForgetsWhatCameInLongAgo lets a backlog come in at once: what Meta delivers after the server was away, or what was in
// quarantine. Meta counted it when it was written.
func TestPaceForgetsWhatCameInLongAgo(t *testing.T) {
	now := time.Unix(1000, 0)
	p := newPace(func() time.Time { return now })
	for range 50 {
		p.spend("a", 10, 1000)
	}
	if diff := cmp.Diff([]string{"a"}, p.blocked()); diff != "" {
		t.Errorf("a line that has just received as much as it may (-want +got):\n%s", diff)
	}
	now = now.Add(2 * time.Second)
	if wait, ok := p.take("a", 10); !ok || wait > 0 || len(p.blocked()) != 0 {
		t.Errorf("after 2 seconds the line waits %s", wait)
	}
}

func TestPaceFollowsTheChannel(t *testing.T) {
	now := time.Unix(1000, 0)
	p := newPace(func() time.Time { return now })
	atOnce := func(perSecond int) (n int) {
		for {
			if wait, ok := p.take("a", perSecond); !ok || wait > 0 {
				return n
			}
			n++
		}
	}
	if n := atOnce(0); n != defaultPerSecond {
		t.Errorf("%d at once by default", n)
	}
	now = now.Add(time.Hour)
	if n := atOnce(1000); n < 80 {
		t.Errorf("%d at once after the upgrade", n)
	}
	now = now.Add(time.Hour)
	if n := atOnce(1000); n != 1000 {
		t.Errorf("%d at once a while after the upgrade", n)
	}
	now = now.Add(time.Hour)
	if n := atOnce(20); n != 20 {
		t.Errorf("%d at once for a number that keeps its app", n)
	}
}

func TestPaceIsShared(t *testing.T) {
	now := time.Unix(1000, 0)
	clock := func() time.Time { return now }
	replicas := []*pace{newPace(clock), newPace(clock), newPace(clock)}
	count := func() (n int) {
		for _, p := range replicas {
			for {
				if wait, ok := p.take("a", 80); !ok || wait > 0 {
					break
				}
				n++
			}
		}
		return n
	}
	if n := count(); n != 240 {
		t.Errorf("alone each sends at the full rate: %d at once", n)
	}
	now = now.Add(time.Hour)
	for _, p := range replicas {
		p.share(3)
		p.spend("a", 80, 6)
	}
	if n := count(); n != 3*(26-6) {
		t.Errorf("%d at once by three that share 80, of which 18 came in", n)
	}
}

func TestPacePauseAndForget(t *testing.T) {
	now := time.Unix(1000, 0)
	p := newPace(func() time.Time { return now })
	p.pause("a", 80, now.Add(time.Minute))
	p.pause("a", 80, now.Add(time.Second)) // does not shorten
	now = now.Add(30 * time.Second)
	p.forget()
	if diff := cmp.Diff([]string{"a"}, p.blocked()); diff != "" {
		t.Errorf("paused (-want +got):\n%s", diff)
	}
	now = now.Add(31 * time.Second)
	p.forget()
	if len(p.blocked()) != 0 || len(p.lines) != 0 {
		t.Errorf("blocked %v, %d lines kept", p.blocked(), len(p.lines))
	}
}

func TestBackoff(t *testing.T) {
	for _, tc := range []struct {
		attempt int
		base    int
		want    time.Duration
	}{
		{1, 4, 4 * time.Second}, {2, 4, 16 * time.Second}, {3, 4, 64 * time.Second}, {50, 4, maxPairBackoff}, {1, 2, 2 * time.Second},
	} {
		if got := backoff(tc.attempt, tc.base, maxPairBackoff); got != tc.want {
			t.Errorf("backoff(%d, %d) = %s, want %s", tc.attempt, tc.base, got, tc.want)
		}
	}
}
