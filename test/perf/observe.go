package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
)

// auditPolicy records what the manager changes. A leader's renewals of its lease go on for ever and belong to no object.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  resources: [{group: coordination.k8s.io}]
- level: Metadata
  users: ["system:serviceaccount:whatsapp-system:whatsapp-operator-manager"]
  verbs: [create, update, patch, delete, deletecollection]
- level: None
`

// leaseEvent begins the name of the Event that says who leads now, which each start makes.
const leaseEvent = "whatsapp-operator-manager."

// writeSilence is how long nothing may have been written before all writes are taken to be there: Events are written in the background.
const writeSilence = 3 * time.Second

// auditLog reads the API server's audit log as it grows.
type auditLog struct {
	path   string
	offset int64
}

// since counts the changes since the last call, by verb and resource.
func (a *auditLog) since() (map[string]int, error) {
	file, err := os.Open(a.path)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // opened for reading only
	if _, err := file.Seek(a.offset, io.SeekStart); err != nil {
		return nil, err
	}
	counts := map[string]int{}
	reader := bufio.NewReader(file)
	for {
		line, err := reader.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return counts, nil // what follows the last line is being written
		}
		if err != nil {
			return nil, err
		}
		a.offset += int64(len(line))
		var event struct {
			Verb      string `json:"verb"`
			ObjectRef struct {
				Resource    string `json:"resource"`
				Subresource string `json:"subresource"`
				Name        string `json:"name"`
			} `json:"objectRef"`
		}
		if err := json.Unmarshal(line, &event); err != nil {
			return nil, fmt.Errorf("read the audit log: %w", err)
		}
		if strings.HasPrefix(event.ObjectRef.Name, leaseEvent) {
			continue
		}
		what := event.Verb + " " + event.ObjectRef.Resource
		if event.ObjectRef.Subresource != "" {
			what += "/" + event.ObjectRef.Subresource
		}
		counts[what]++
	}
}

// settle waits until nothing is written any more, and counts what was since the last call.
func (a *auditLog) settle(ctx context.Context) (map[string]int, error) {
	all := map[string]int{}
	ticker := time.NewTicker(writeSilence / 10)
	defer ticker.Stop()
	for last := time.Now(); time.Since(last) < writeSilence; {
		counts, err := a.since()
		if err != nil {
			return nil, err
		}
		for name, n := range counts {
			all[name] += n
			last = time.Now()
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-ticker.C:
		}
	}
	return all, nil
}

// requestWatch notes when requests got where.
type requestWatch struct {
	mu               sync.Mutex
	exchanged, ended map[string]time.Time
	// unready is the condition of some request that isn't Ready.
	unready map[string]string
	stopped error
}

// watchRequests watches until ctx ends.
func watchRequests(ctx context.Context, api client.WithWatch) (*requestWatch, error) {
	w := &requestWatch{exchanged: map[string]time.Time{}, ended: map[string]time.Time{}, unready: map[string]string{}}
	stream, err := api.Watch(ctx, &v1alpha1.OnboardingRequestList{}, client.InNamespace(benchNamespace))
	if err != nil {
		return nil, err
	}
	go func() {
		defer stream.Stop()
		for event := range stream.ResultChan() {
			w.note(event)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.stopped = errors.New("the watch on the requests ended")
	}()
	return w, nil
}

func (w *requestWatch) note(event watch.Event) {
	request, ok := event.Object.(*v1alpha1.OnboardingRequest)
	if !ok {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for condition, times := range map[string]map[string]time.Time{v1alpha1.ConditionTokenExchanged: w.exchanged, v1alpha1.ConditionReady: w.ended} {
		if _, known := times[request.Name]; !known && apimeta.IsStatusConditionTrue(request.Status.Conditions, condition) {
			times[request.Name] = time.Now()
		}
	}
	if ready := apimeta.FindStatusCondition(request.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
		w.unready[request.Name] = ready.Reason + ": " + ready.Message
	}
	if _, ended := w.ended[request.Name]; ended {
		delete(w.unready, request.Name)
	}
}

func (w *requestWatch) ready() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.ended)
}

// awaitExchanged waits until that many requests had TokenExchanged.
func (w *requestWatch) awaitExchanged(ctx context.Context, n int) error {
	return w.await(ctx, w.exchanged, n)
}

// awaitReady waits until that many requests were Ready.
func (w *requestWatch) awaitReady(ctx context.Context, n int) error { return w.await(ctx, w.ended, n) }

func (w *requestWatch) await(ctx context.Context, got map[string]time.Time, n int) error {
	err := (*bench)(nil).poll(ctx, func() (bool, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(got) >= n, w.stopped
	})
	if err == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, why := range w.unready {
		return fmt.Errorf("%d of %d requests got there; one that is not Ready: %s: %s: %w", len(got), n, name, why, err)
	}
	return fmt.Errorf("%d of %d requests got there: %w", len(got), n, err)
}

// lastReady is when the last request became Ready.
func (w *requestWatch) lastReady() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	var last time.Time
	for _, at := range w.ended {
		if at.After(last) {
			last = at
		}
	}
	return last
}

// exchangedAfter is the time that a share of the requests took at most from their arrival to TokenExchanged. who names them.
func (w *requestWatch) exchangedAfter(who string, arrived map[string]time.Time, share float64) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	var took []time.Duration
	for name, at := range arrived {
		took = append(took, w.exchanged[name].Sub(at))
	}
	slices.Sort(took)
	fmt.Printf("%s, from code to TokenExchanged: p50 %s, p90 %s, p99 %s, longest %s\n", who, quantile(took, 0.5), quantile(took, 0.9), quantile(took, 0.99), quantile(took, 1))
	return quantile(took, share)
}

// quantile of sorted durations; at least one must be there.
func quantile(sorted []time.Duration, share float64) time.Duration {
	i := min(int(share*float64(len(sorted))), len(sorted)-1)
	return sorted[i].Round(time.Millisecond)
}

// residentMiB is the memory of a process that is in RAM.
func residentMiB(pid int) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("resident memory is read from /proc, which Linux has: %w", err)
	}
	_, rest, found := bytes.Cut(status, []byte("VmRSS:"))
	fields := bytes.Fields(rest)
	if !found || len(fields) == 0 {
		return 0, errors.New("the process shows no resident memory")
	}
	kib, err := strconv.ParseFloat(string(fields[0]), 64)
	return kib / 1024, err
}
