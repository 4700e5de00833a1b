package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// Of the beginning alone, exchangesSignups arrive within exchangesLast: about twice as many as in the whole load.
const (
	exchangesSignups = 60
	exchangesLast    = time.Minute
)

// load is what was put on the operator, and when.
type load struct {
	start   time.Time
	created time.Duration
	// calls are the Graph calls until then.
	calls map[string]int
	// applied is when the customers that were applied together got their codes, arrived when the signups that came meanwhile were handed over.
	applied, arrived map[string]time.Time
}

// all is the number of customers.
func (l *load) all() int { return len(l.applied) + len(l.arrived) }

// putLoad applies many customers at once, under the limit of the app, and lets others sign up over a time.
func (o *operatorBench) putLoad(ctx context.Context, over time.Duration) (*load, error) {
	if err := o.addCustomers(ctx, firstSignup, firstSignup+o.size.signups, nil); err != nil {
		return nil, err
	}
	links, err := o.sendLinks(ctx)
	if err != nil {
		return nil, err
	}
	if err := o.limitCalls(ctx, callsPerSecond); err != nil {
		return nil, err
	}
	// What the MetaApp's check writes about is not the requests'.
	if _, err := o.audit.settle(ctx); err != nil {
		return nil, err
	}
	calls, err := o.calls(ctx)
	if err != nil {
		return nil, err
	}
	l := &load{start: time.Now(), calls: calls, applied: map[string]time.Time{}}
	applied := make([]time.Time, o.size.requests)
	if err := parallel(ctx, o.size.requests, func(ctx context.Context, i int) error {
		applied[i] = time.Now()
		return o.createRequest(ctx, i, benchApp, "bench", "USD")
	}); err != nil {
		return nil, err
	}
	l.created = time.Since(l.start)
	for i, at := range applied {
		l.applied[requestName(i)] = at
	}
	l.arrived, err = o.arrive(ctx, links, over/time.Duration(o.size.signups))
	return l, err
}

// measureExchanges sees how soon codes are exchanged, and leaves it at that.
func (o *operatorBench) measureExchanges(ctx context.Context) error {
	o.size.signups = min(o.size.signups, exchangesSignups)
	l, err := o.putLoad(ctx, exchangesLast)
	if err != nil {
		return err
	}
	if err := o.watch.awaitExchanged(ctx, l.all()); err != nil {
		return err
	}
	fmt.Printf("created in %s, %d signups over %s\n", l.created.Round(time.Millisecond), len(l.arrived), exchangesLast)
	o.recordExchanges(l)
	return nil
}

func (o *operatorBench) recordExchanges(l *load) {
	o.book.Record("onboarding, longest from code to TokenExchanged of those applied together", o.watch.exchangedAfter("applied together", l.applied, 1).Seconds())
	o.book.Record("onboarding, p99 from arrival to TokenExchanged", o.watch.exchangedAfter("arrived meanwhile", l.arrived, 0.99).Seconds())
}

// measureLoad onboards many customers at once, under the limit of the app, while more arrive.
func (o *operatorBench) measureLoad(ctx context.Context) error {
	limited := 0
	for name, n := range plan {
		if name != outsideLimit {
			limited += n
		}
	}
	all := o.size.requests + o.size.signups
	// The bucket is full at the beginning.
	bound := time.Duration(float64(limited*all-callsPerSecond) / callsPerSecond * float64(time.Second))
	// They come over the first half of the work, so that even the last finds many in it.
	l, err := o.putLoad(ctx, bound/2)
	if err != nil {
		return err
	}
	if err := o.watch.awaitReady(ctx, all); err != nil {
		return err
	}
	elapsed := o.watch.lastReady().Sub(l.start)
	after, err := o.calls(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("created in %s, all %d Ready after %s; %d calls of each are limited, so the bound is %s\n",
		l.created.Round(time.Millisecond), all, elapsed.Round(time.Millisecond), limited, bound.Round(time.Millisecond))
	o.book.Record("onboarding, time over the bound that the rate limit alone gives", elapsed.Seconds()/bound.Seconds())
	o.book.Record("onboarding, Graph calls beside the plan, Solution Partner", beside(plan, all, l.calls, after))
	o.recordExchanges(l)
	return o.countWrites(ctx, all)
}

// countWrites takes the writes of the load apart: objects, and Events, which are not worth as much and come in their own time.
func (o *operatorBench) countWrites(ctx context.Context, requests int) error {
	writes, err := o.audit.settle(ctx)
	if err != nil {
		return err
	}
	objects, events := 0, 0
	for _, name := range slices.Sorted(maps.Keys(writes)) {
		n := writes[name]
		if strings.Contains(name, " events") {
			events += n
		} else {
			objects += n
		}
		fmt.Printf("  %-44s %6.2f per request\n", name, float64(n)/float64(requests))
	}
	o.book.Record("onboarding, object writes per request", float64(objects)/float64(requests))
	o.book.Record("onboarding, Events per request", float64(events)/float64(requests))
	return nil
}

// parallel does something for each number below n, a few at a time.
func parallel(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(creators)
	for i := range n {
		group.Go(func() error { return do(ctx, i) })
	}
	return group.Wait()
}
