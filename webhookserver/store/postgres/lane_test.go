package postgres

import (
	"fmt"
	"net/url"
	"testing"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// numberOf is a phone number of the lane.
func numberOf(lane int) string {
	for i := 0; ; i++ {
		if number := fmt.Sprintf("1555000%04d", i); laneOf(number) == lane {
			return number
		}
	}
}

// TestTheSecondLaneHelpsWhenMuchWaits holds up what is under way, and looks at
// what waits for the first lane.
func TestTheSecondLaneHelpsWhenMuchWaits(t *testing.T) {
	s := openStore(t, Options{DSN: with(t, schemaOf(t, server), func(_ *url.URL, q url.Values) { q.Set("lock_timeout", "1min") })})
	release := block(t, s)
	results := make(chan error, 5)
	sent := 0
	ingest := func(lane, messages int) {
		d := &store.Delivery{App: "app"}
		for range messages {
			sent++
			m := message(fmt.Sprint("wamid.", sent), fmt.Sprint("US.", lane, ".", sent%4))
			m.PhoneNumberID = numberOf(lane)
			d.Messages = append(d.Messages, m)
		}
		go func() {
			_, err := s.Ingest(t.Context(), d)
			results <- err
		}()
	}
	for i, step := range []struct {
		lane, messages, queued int
		why                    string
	}{
		{0, 1, 0, "the first lane takes it"},
		{1, 1, 1, "of little the first lane takes all"},
		{0, heavy, 1, "now the second lane takes what is its own"},
		{1, heavy, 2, "both lanes are busy"},
		{1, 1, 3, "both lanes are busy"},
	} {
		t.Log(step.why)
		ingest(step.lane, step.messages)
		waiting(t, s, i+1, step.queued)
	}
	release()
	for range cap(results) {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	waiting(t, s, 0, 0)
	if stored := storedWAMIDs(t, s); len(stored) != sent {
		t.Errorf("%d messages are stored, want %d", len(stored), sent)
	}
}
