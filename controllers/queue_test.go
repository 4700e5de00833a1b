package controllers

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/types"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
)

func newTestQueue(t *testing.T, callsPerSecond int) *callQueue {
	t.Helper()
	graph, err := meta.New(meta.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return newCallQueue(graph, rate.NewLimiter(rate.Limit(callsPerSecond), callsPerSecond), &accountLimits{})
}

// Who asks again keeps his turn, turns come in the order of arrival, and all together take what their calls take at the limit.
func TestCallQueueKeepsOrderAndRate(t *testing.T) {
	const objects, calls, perSecond = 100, 12, 20
	q, start := newTestQueue(t, perSecond), time.Now()
	turns := make([]time.Duration, objects)
	for i := range objects {
		turns[i] = q.enter(types.UID(fmt.Sprint(i)), calls, start)
		if i > 0 && turns[i] <= turns[i-1] {
			t.Fatalf("object %d comes before object %d", i, i-1)
		}
	}
	if turns[0] != 0 {
		t.Errorf("the first waits for %s", turns[0])
	}
	const soon = 100 * time.Millisecond
	for i := 1; i < objects; i++ {
		if wait := q.enter(types.UID(fmt.Sprint(i)), calls, start.Add(soon)); wait != turns[i]-soon {
			t.Fatalf("object %d had %s to wait, and asked again %s later it has %s", i, turns[i], soon, wait)
		}
	}
	const atLimit = (objects - 1) * calls * time.Second / perSecond
	if last := turns[objects-1]; last < atLimit || last > atLimit*11/10 {
		t.Errorf("the last waits for %s; at the limit its turn comes after %s", last, atLimit)
	}
	if wait := q.enter("50", calls, start.Add(turns[50])); wait != 0 {
		t.Errorf("an object whose turn has come waits for %s", wait)
	}
}

func TestCallQueueForgetsWhoDoesNotCome(t *testing.T) {
	q, now := newTestQueue(t, 20), time.Now()
	for i := range 1000 {
		q.enter(types.UID(fmt.Sprint(i)), 12, now)
	}
	later := now.Add(time.Hour)
	if wait := q.enter("late", 12, later); wait != 0 {
		t.Errorf("an empty queue lets its first wait for %s", wait)
	}
	if len(q.turns) != 0 {
		t.Errorf("the queue remembers %d that did not come", len(q.turns))
	}
}
