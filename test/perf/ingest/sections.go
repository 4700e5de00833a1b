package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	// openRate is that of a quiet installation, per second.
	openRate = 200
	// batchSize is how many messages a batch has.
	batchSize = 50
	// statusesPerMessage follow each message in the second mix.
	statusesPerMessage = 2
	// debounce is what a reply waits on purpose for another message; it is not counted.
	debounce = 1500 * time.Millisecond
	// warmUp goes before what is measured at a steady rate: connections are made, statements prepared, and what is read once is read.
	warmUp = 2 * time.Second
)

// ordinary is the traffic of the base measurement.
var ordinary = traffic{channels: baseChannels}

// closedLoop compares a bare handler without a store, bare handlers with one, and the product.
func (b *bench) closedLoop(ctx context.Context) error {
	bare, err := b.startFloor(ctx, "")
	if err != nil {
		return err
	}
	runners := []runner{{"HMAC only", b.to(ordinary.message, bare), nil}}
	servers := map[string]*instance{}
	for _, on := range []string{onSQLite, onPostgres} {
		floor, err := b.startFloor(ctx, on)
		if err != nil {
			return err
		}
		if servers[on], err = b.startServer(ctx, serverOptions{on: on, channels: baseChannels, roles: "ingress"}); err != nil {
			return err
		}
		runners = append(runners, runner{on + " bare", b.to(ordinary.message, floor), nil}, runner{on, b.to(ordinary.message, servers[on].addr), servers[on]})
	}
	before := map[string]float64{}
	for on, s := range servers {
		if before[on], err = s.metric(ctx, "go_memstats_mallocs_total"); err != nil {
			return err
		}
	}
	results, err := b.rounds(ctx, runners...)
	if err != nil {
		return err
	}
	for on, s := range servers {
		b.book.Record(on+": bare handler ÷ HMAC only", ratio(results[on+" bare"], results["HMAC only"]))
		b.book.Record(on+": ÷ bare handler", ratio(results[on], results[on+" bare"]))
		b.book.Record(on+": p99 at 64 connections", medianP99(results[on]))
		after, err := s.metric(ctx, "go_memstats_mallocs_total")
		if err != nil {
			return err
		}
		i := slices.IndexFunc(runners, func(r runner) bool { return r.name == on })
		sent := float64(runners[i].sequence.Load() % lanes)
		b.book.Record(on+": allocations per request", (after-before[on])/sent)
	}
	return nil
}

// statusMix has two statuses for each message, and replies that are sent while webhooks come.
func (b *bench) statusMix(ctx context.Context) error {
	for _, on := range []string{onSQLite, onPostgres} {
		graph, err := startGraph(ctx)
		if err != nil {
			return err
		}
		b.later(graph.stop)
		floor, err := b.startFloor(ctx, on)
		if err != nil {
			return err
		}
		server, err := b.startServer(ctx, serverOptions{on: on, channels: baseChannels, graph: graph.url})
		if err != nil {
			return err
		}
		next := func(n int64) []byte {
			lane, i := n/lanes*lanes, n%lanes
			message, part := lane+i/(1+statusesPerMessage), i%(1+statusesPerMessage)
			switch part {
			case 0:
				return ordinary.message(message)
			case 1:
				return ordinary.status(message, graph.sent(message), "sent")
			default:
				return ordinary.status(message, graph.sent(message), "delivered")
			}
		}
		results, err := b.rounds(ctx, runner{on + " bare", b.to(next, floor), nil}, runner{on + " with workers", b.to(next, server.addr), server})
		if err != nil {
			return err
		}
		b.book.Record(on+": with statuses and workers, ÷ bare handler", ratio(results[on+" with workers"], results[on+" bare"]))
		fmt.Printf("   %d replies were handed to Graph meanwhile\n", graph.count())
	}
	return nil
}

// openLoop sends at a steady rate.
func (b *bench) openLoop(ctx context.Context) error {
	for _, on := range []string{onSQLite, onPostgres} {
		server, err := b.startServer(ctx, serverOptions{on: on, channels: baseChannels, roles: "ingress"})
		if err != nil {
			return err
		}
		l := b.to(ordinary.message, server.addr)
		if _, err := l.open(ctx, warmUp, nil); err != nil {
			return err
		}
		f, err := l.open(ctx, 3*b.size.duration, nil)
		if err != nil {
			return err
		}
		fmt.Printf("   %-32s %s\n", on, f)
		b.book.Record(on+": p99 at 200/s", milliseconds(f.p99))
	}
	return nil
}

// batches compares with a bare handler that inserts the messages of a batch as a unit.
func (b *bench) batches(ctx context.Context) error {
	for _, kind := range []struct {
		name string
		of   traffic
	}{{"", ordinary}, {" with Meta's ids", traffic{channels: baseChannels, scattered: true}}} {
		next := func(n int64) []byte { return kind.of.batch(n*batchSize, batchSize) }
		var runners []runner
		for _, on := range []string{onSQLite, onPostgres} {
			floor, err := b.startFloor(ctx, on)
			if err != nil {
				return err
			}
			server, err := b.startServer(ctx, serverOptions{on: on, channels: baseChannels, roles: "ingress"})
			if err != nil {
				return err
			}
			runners = append(runners, runner{on + " bare" + kind.name, b.to(next, floor), nil}, runner{on + kind.name, b.to(next, server.addr), server})
		}
		results, err := b.rounds(ctx, runners...)
		if err != nil {
			return err
		}
		for _, on := range []string{onSQLite, onPostgres} {
			b.book.Record(on+": batches of 50"+kind.name+", ÷ bare handler", ratio(results[on+kind.name], results[on+" bare"+kind.name]))
		}
	}
	return nil
}

// replicas compares two servers on one database with one of them alone.
func (b *bench) replicas(ctx context.Context) error {
	dsn, err := b.schema(ctx)
	if err != nil {
		return err
	}
	var addrs []string
	for range 2 {
		s, err := b.startServer(ctx, serverOptions{on: onPostgres, channels: baseChannels, roles: "ingress", dsn: dsn})
		if err != nil {
			return err
		}
		addrs = append(addrs, s.addr)
	}
	results, err := b.rounds(ctx, runner{"one replica", b.to(ordinary.message, addrs[0]), nil}, runner{"two replicas", b.to(ordinary.message, addrs...), nil})
	if err != nil {
		return err
	}
	b.book.Record(onPostgres+": two replicas ÷ one", ratio(results["two replicas"], results["one replica"]))
	return nil
}

// manyChannels compares a large snapshot with a small one.
func (b *bench) manyChannels(ctx context.Context) error {
	few, err := b.startServer(ctx, serverOptions{on: onSQLite, channels: baseChannels, roles: "ingress"})
	if err != nil {
		return err
	}
	many, err := b.startServer(ctx, serverOptions{on: onSQLite, channels: b.size.channels, roles: "ingress"})
	if err != nil {
		return err
	}
	results, err := b.rounds(ctx, runner{"20 channels", b.to(ordinary.message, few.addr), few},
		runner{fmt.Sprintf("%d channels", b.size.channels), b.to(ordinary.message, many.addr), many})
	if err != nil {
		return err
	}
	b.book.Record("10,000 channels ÷ 20 channels", ratio(results[fmt.Sprintf("%d channels", b.size.channels)], results["20 channels"]))
	return nil
}

// replyLatency measures from the 200 to the send, less the wait for another message. Everybody writes once.
func (b *bench) replyLatency(ctx context.Context) error {
	everybodyNew := traffic{channels: baseChannels, alwaysNew: true}
	fmt.Printf("   %d conversations a second over %d numbers; %s of warm-up are left out\n", openRate, baseChannels, warmUp)
	for _, on := range []string{onSQLite, onPostgres} {
		graph, err := startGraph(ctx)
		if err != nil {
			return err
		}
		b.later(graph.stop)
		server, err := b.startServer(ctx, serverOptions{on: on, channels: baseChannels, graph: graph.url})
		if err != nil {
			return err
		}
		l := b.to(everybodyNew.message, server.addr)
		warm, err := l.open(ctx, warmUp, nil)
		if err != nil {
			return err
		}
		r := runner{on, l, server}
		before, databaseBefore, err := b.busy(ctx, &r)
		if err != nil {
			return err
		}
		answered := answers{at: map[string]time.Time{}}
		f, err := l.open(ctx, 3*b.size.duration, func(n int64) { answered.note(recipient(everybodyNew.contact(n))) })
		if err != nil {
			return err
		}
		handed, err := graph.await(ctx, warm.requests+f.requests)
		if err != nil {
			return err
		}
		after, databaseAfter, err := b.busy(ctx, &r)
		if err != nil {
			return err
		}
		replies, err := answered.latencies(handed)
		if err != nil {
			return err
		}
		replies.server, replies.database = (after-before)/time.Duration(f.requests), (databaseAfter-databaseBefore)/time.Duration(f.requests)
		fmt.Printf("   %-32s %s\n", on, replies)
		b.book.Record(on+": accepted to handed to Graph, p50", milliseconds(replies.p50))
		b.book.Record(on+": accepted to handed to Graph, p99", milliseconds(replies.p99))
	}
	return nil
}

// answers are when webhooks were answered, by the recipient of the reply.
type answers struct {
	mu sync.Mutex
	at map[string]time.Time
}

func (a *answers) note(to string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.at[to] = time.Now()
}

// latencies are what replies took that were handed to Graph at these times, less the debounce. It prints how they came out in each
// second of the run: a tail that belongs to one of them has another cause than one that belongs to all.
func (a *answers) latencies(handed map[string]time.Time) (outcome, error) {
	first := time.Now()
	for _, at := range a.at {
		if at.Before(first) {
			first = at
		}
	}
	var all []time.Duration
	bySecond := map[int][]time.Duration{}
	for to, at := range a.at {
		took, second := handed[to].Sub(at)-debounce, int(at.Sub(first)/time.Second)
		all, bySecond[second] = append(all, took), append(bySecond[second], took)
	}
	for second := range len(bySecond) {
		o, err := outcomeOf(bySecond[second], time.Second)
		if err != nil {
			return outcome{}, err
		}
		fmt.Printf("     second %-2d %s\n", second+1, o)
	}
	return outcomeOf(all, time.Duration(len(bySecond))*time.Second)
}

// memory compares the resident memory after a fifth of the messages with that after all of them.
func (b *bench) memory(ctx context.Context) error {
	const residentMetric = "process_resident_memory_bytes"
	for _, on := range []string{onSQLite, onPostgres} {
		server, err := b.startServer(ctx, serverOptions{on: on, channels: baseChannels, roles: "ingress"})
		if err != nil {
			return err
		}
		l := b.to(ordinary.message, server.addr)
		var early float64
		for sent := 0; sent < b.size.messages; sent = int(l.sequence.Load() % lanes) {
			if _, err := l.closed(ctx, time.Second); err != nil {
				return err
			}
			if early == 0 && sent > b.size.messages/5 {
				if early, err = server.metric(ctx, residentMetric); err != nil {
					return err
				}
			}
		}
		late, err := server.metric(ctx, residentMetric)
		if err != nil {
			return err
		}
		const mebi = 1 << 20
		fmt.Printf("   %-32s %.0f MiB after a fifth, %.0f MiB after %d messages\n", on, early/mebi, late/mebi, l.sequence.Load()%lanes)
		b.book.Record(on+": resident memory, last four fifths of 500,000 messages", (late-early)/mebi)
	}
	return nil
}
