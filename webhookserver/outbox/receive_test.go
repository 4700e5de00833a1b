package outbox

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

func TestShareOfWhatOthersReceive(t *testing.T) {
	var k received
	row := func(owner string, total int64) store.Received {
		return store.Received{Owner: owner, Line: "a", Total: total}
	}
	for _, tc := range []struct {
		reason string
		rows   []store.Received
		want   int
	}{
		{"what came before is past", []store.Received{row("x", 50)}, 0},
		{"nothing new", []store.Received{row("x", 50)}, 0},
		{"of one that was known and of a new one", []store.Received{row("x", 53), row("y", 4)}, 7},
		{"one is forgotten", []store.Received{row("y", 4)}, 0},
		{"and begins again", []store.Received{row("x", 2), row("y", 4)}, 2},
		{"between two looks", []store.Received{row("x", 1), row("y", 5)}, 2},
	} {
		if got := k.news(tc.rows)["a"]; got != tc.want {
			t.Errorf("%s: %d messages, want %d", tc.reason, got, tc.want)
		}
	}
	mine := 0
	for range 9 {
		mine += k.share("a", 1, 3)
	}
	if mine != 3 || len(k.rest) != 0 {
		t.Errorf("%d of nine messages are one third, left is %v", mine, k.rest)
	}
}

// TestReceivedElsewhereCountsAgainstTheRate lets a process that only receives take more than the number may have in and out, and sees
// that the one that sends waits.
func TestReceivedElsewhereCountsAgainstTheRate(t *testing.T) {
	w := newWorld(t)
	w.serve("1555", "line-a", func(ch *runtimeconfig.Channel) { ch.MessagesPerSecond = 20 })
	w.serve("1666", "line-b")
	// Before the rate is used up, as time passes while a reply is made.
	w.enqueue("1555", "line-a", "4911", "one")
	w.enqueue("1666", "line-b", "4912", "two")
	b := w.outbox()
	receiver := &Receiver{Store: w.store, Snapshot: w.snapshot, Owner: "ingress-1", Log: w.log()}
	ctx, cancel := context.WithCancel(w.Context())
	done := make(chan error, 1)
	go func() { done <- receiver.Run(ctx) }()
	t.Cleanup(func() { cancel(); w.must(<-done) })
	noticing, noticed := context.WithCancel(w.Context())
	var looking sync.WaitGroup
	looking.Go(func() { b.receiveLoop(noticing) })
	t.Cleanup(func() { noticed(); looking.Wait() })
	// What was told before the sender's first look is past, so it is told more until the sender notices.
	w.until("the sender has noticed", func() bool {
		receiver.mu.Lock()
		told := len(receiver.counts) == 0
		receiver.mu.Unlock()
		if told {
			receiver.Received("1555", 45)
			receiver.Received("1777", 1) // nobody's
		}
		return len(b.pace.blocked()) > 0
	}, func() string { return fmt.Sprint(b.pace.blocked()) })
	if lines := b.pace.blocked(); len(lines) != 1 || lines[0] != "line-a" {
		t.Errorf("%q must not send", lines)
	}
	noticed()
	w.run(b)
	w.eventually("line-b", "accepted")
	if n := len(w.graph.all()); n != 1 {
		t.Errorf("%d sends, although the number's rate is used up", n)
	}
	w.until("the rate allows it", func() bool {
		w.advance(store.ReceiveEvery)
		return len(w.graph.all()) == 2
	}, func() string { return fmt.Sprint(b.pace.blocked()) })
}
