package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
)

const (
	// maxBatch is how many messages travel in one POST, of which there are at least one.
	maxBatch = 50
	// copied is the fraction of messages that come twice in the same POST, and again the fraction that come in a later one.
	copied = 0.05
	// simultaneous is the fraction of POSTs of which two further copies arrive at the same time.
	simultaneous = 0.05
	// forged is the fraction of messages beside the genuine ones that Meta did not send.
	forged = 0.01
	// inFlight bounds the POSTs that wait for their 200.
	inFlight = 64
)

// message is what a customer writes.
type message struct {
	nonce, wamid string
	channel      *channel
	customer     string
	raw          json.RawMessage // once it was sent
}

// traffic is all that customers write, and how it arrives.
type traffic struct {
	messages []*message
	// forgeries are in no customer's thread.
	forgeries []*message
	batches   [][]*message

	posts, duplicates, copies, refusedForgeries, sent atomic.Int64
}

// newTraffic makes n messages of random customers, and puts them into batches of one app each: a partner's mix tenants.
func newTraffic(chance *rand.Rand, w *world, n int) *traffic {
	t := &traffic{}
	byApp := map[*app][]*message{}
	for i := range n {
		c := w.channels[chance.IntN(len(w.channels))]
		m := newMessage(chance, c, i)
		t.messages = append(t.messages, m)
		byApp[c.app] = append(byApp[c.app], m)
	}
	for i := range int(float64(n) * forged) {
		t.forgeries = append(t.forgeries, newMessage(chance, w.channels[chance.IntN(len(w.channels))], n+i))
	}
	for _, a := range w.apps {
		rest := byApp[a]
		for start := 0; start < len(rest); {
			end := min(len(rest), start+1+chance.IntN(maxBatch))
			t.batches = append(t.batches, t.double(chance, rest[start:end], rest[:start]))
			start = end
		}
	}
	chance.Shuffle(len(t.batches), func(i, j int) { t.batches[i], t.batches[j] = t.batches[j], t.batches[i] })
	return t
}

func newMessage(chance *rand.Rand, c *channel, i int) *message {
	nonce := fmt.Sprintf("n%06dx%08x", i, chance.Uint32())
	return &message{nonce: nonce, wamid: "wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQ" + nonce, channel: c, customer: c.customers[chance.IntN(len(c.customers))]}
}

// double adds copies to a batch, of its own messages and of earlier ones of the app, and shuffles it.
func (t *traffic) double(chance *rand.Rand, own, earlier []*message) []*message {
	batch := append([]*message(nil), own...)
	for _, m := range own {
		if chance.Float64() < copied {
			batch = append(batch, m)
			t.duplicates.Add(1)
		}
		if len(earlier) > 0 && chance.Float64() < copied {
			batch = append(batch, earlier[chance.IntN(len(earlier))])
			t.duplicates.Add(1)
		}
	}
	chance.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
	return batch
}

// inbound is the message as the simulator takes it. A copy has the id and the time of the first one.
func (m *message) inbound(now time.Time) metasim.InboundMessage {
	if m.raw == nil {
		m.raw = mustJSON(map[string]any{
			"id": m.wamid, "timestamp": strconv.FormatInt(now.Unix(), 10), "type": "text", "text": map[string]string{"body": "Is it there? " + m.nonce},
		})
	}
	return metasim.InboundMessage{From: m.customer, PhoneNumberID: m.channel.phone, Message: m.raw}
}

// send sends everything, spread over the time, and returns when the last POST was answered with 200. done is told of each batch.
func (t *traffic) send(ctx context.Context, sim *metasim.Server, chance *rand.Rand, spread time.Duration, done func(sent int)) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(inFlight)
	every := time.NewTicker(max(time.Millisecond, spread/time.Duration(len(t.batches))))
	defer every.Stop()
	forgeEvery := max(1, len(t.batches)/max(1, len(t.forgeries)))
	forgeries := t.forgeries
	for i, batch := range t.batches {
		select {
		case <-every.C:
		case <-ctx.Done():
			return group.Wait()
		}
		now := time.Now()
		messages := make([]metasim.InboundMessage, 0, len(batch))
		for _, m := range batch {
			messages = append(messages, m.inbound(now))
		}
		copies := chance.Float64() < simultaneous
		group.Go(func() error { return t.post(ctx, sim, messages, copies, done) })
		for n := 0; len(forgeries) > 0 && (i%forgeEvery == 0 || i == len(t.batches)-1) && n <= len(t.forgeries)/len(t.batches); n++ {
			m, way := forgeries[0], chance.IntN(4)
			forgeries = forgeries[1:]
			group.Go(func() error { return t.forge(ctx, sim, m, way) })
		}
	}
	return group.Wait()
}

// post sends one batch, which may be of any size at Meta but is one POST here, and waits until it was taken.
func (t *traffic) post(ctx context.Context, sim *metasim.Server, messages []metasim.InboundMessage, copies bool, done func(int)) error {
	sent, err := sim.SendBatch(messages)
	if err != nil {
		return err
	}
	var group errgroup.Group
	for _, id := range sent[0].Deliveries {
		t.posts.Add(1)
		for range 2 {
			if copies {
				t.copies.Add(1)
				group.Go(func() error { return taken(sim.Replay(ctx, id)) })
			}
		}
		group.Go(func() error { return taken(sim.AwaitDelivery(ctx, id)) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	done(int(t.sent.Add(int64(len(messages)))))
	return nil
}

func taken(d metasim.Delivery, err error) error {
	if err == nil && d.Status != "delivered" {
		return fmt.Errorf("a genuine POST was %s after %d attempts: %s", d.Status, d.Attempts, d.LastError)
	}
	return err
}

// forge posts a message that Meta did not sign.
func (t *traffic) forge(ctx context.Context, sim *metasim.Server, m *message, way int) error {
	f := metasim.Forgery{InboundMessage: m.inbound(time.Now()), Signature: []string{"wrong", "none", "tampered", "other-app"}[way]}
	if f.Signature == "other-app" {
		f.AnotherApp = m.channel.app.neighbour
	}
	d, err := sim.Forge(ctx, f)
	if err != nil {
		return err
	}
	if d.LastStatus != 200 {
		t.refusedForgeries.Add(1) // the server or its database was away
	}
	return nil
}
