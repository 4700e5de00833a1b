package controllers

import (
	"context"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/conditions"
)

// progress is what became of the steps of one reconciliation, by the condition that tells of each.
type progress struct {
	done   map[string]bool
	failed map[string]verdict
	// first is the condition of the first step that failed.
	first string
}

// run performs a step and reports whether to go on.
func (p *progress) run(ctx context.Context, condition string, step func(context.Context) error) bool {
	err := step(ctx)
	if err == nil {
		if p.done == nil {
			p.done = map[string]bool{}
		}
		p.done[condition] = true
		return true
	}
	v := classify(err)
	if v.reason == v1alpha1.ReasonInternalError {
		log.FromContext(ctx).Error(err, "A step failed", "condition", condition)
	} else {
		log.FromContext(ctx).V(1).Info("A step did not succeed", "condition", condition, "reason", v.reason, "error", err.Error())
	}
	if p.failed == nil {
		p.failed = map[string]verdict{}
	}
	if p.first == "" {
		p.first = condition
	}
	p.failed[condition] = v
	delete(p.done, condition)
	return false
}

// held says whether our own rate limit, or another writer, stopped the reconciliation, and when to come again.
func (p *progress) held() (time.Duration, bool) {
	for _, v := range p.failed {
		if v.held {
			return v.after, true
		}
	}
	return 0, false
}

// put sets the condition of one step: success tells of it if it succeeded.
//
// A failure that time can cure doesn't unprove what was proven for this generation: a blip at Meta must not take a working number's
// Ready away.
func (p *progress) put(set *conditions.Set, generation int64, condition string, success func() (reason, message string)) {
	v, failed := p.failed[condition]
	old := set.Old(condition)
	proven := old != nil && old.Status == "True" && old.ObservedGeneration == generation
	switch {
	case p.done[condition]:
		reason, message := success()
		set.True(condition, reason, message)
	case failed && (v.held || proven && v.passing()):
		set.Keep(condition)
	case failed && v.state == stateRetry && !v.secret:
		set.Unknown(condition, v.reason, v.message)
	case failed:
		set.False(condition, v.reason, v.message)
	case p.stopped() && proven:
		set.Keep(condition)
	default:
		set.Unknown(condition, v1alpha1.ReasonPending, "Waits for an earlier step.")
	}
}

// passing says whether a failure says nothing of what was proven before.
func (v verdict) passing() bool { return v.state == stateRetry && !v.secret && !v.watched }

// stopped says whether the steps after the failed one were not run for a reason that time can cure.
func (p *progress) stopped() bool {
	v, failed := p.failed[p.first]
	return failed && v.state == stateRetry
}

// sumUp marks the set: Ready if each gating condition is True, else by the worst of what failed.
func (p *progress) sumUp(set *conditions.Set, gating []string, success func() (reason, message string)) {
	ready := true
	worst, found := verdict{}, false
	for _, condition := range gating {
		if set.IsTrue(condition) {
			continue
		}
		ready = false
		if v, failed := p.failed[condition]; failed && !v.held && (!found || v.state > worst.state) {
			worst, found = v, true
		}
	}
	switch {
	case ready:
		set.MarkReady(success())
	case !found:
		set.MarkReconciling(v1alpha1.ReasonProgressing, "The operator is working on it.")
	case worst.state == stateStalled:
		set.MarkStalled(worst.reason, worst.message)
	case worst.state == stateWaiting:
		set.MarkWaiting(worst.reason, worst.message)
	default:
		set.MarkReconciling(worst.reason, worst.message)
	}
}

// schedule records the failed attempts and says when to come again: the soonest of what the failed steps ask for. Without a failure it
// forgets them and comes again after the regular check; 0 means that there is none.
func (p *progress) schedule(a attempts, set *conditions.Set, now time.Time, check time.Duration) ctrl.Result {
	if len(p.failed) == 0 {
		a.clear()
		return ctrl.Result{RequeueAfter: check}
	}
	if v, ok := p.worstRetry(); ok {
		return a.schedule(v, since(set, p.first, now), now)
	}
	a.clear()
	res := ctrl.Result{RequeueAfter: check}
	for _, v := range p.failed {
		if v.after > 0 && (res.RequeueAfter == 0 || v.after < res.RequeueAfter) {
			res.RequeueAfter = v.after
		}
	}
	return res
}

// worstRetry is the failure to retry that comes first in time.
func (p *progress) worstRetry() (verdict, bool) {
	var pick verdict
	found := false
	for _, v := range p.failed {
		if v.state == stateRetry && (!found || v.after < pick.after) {
			pick, found = v, true
		}
	}
	return pick, found
}

// since is when a condition left True.
func since(set *conditions.Set, condition string, now time.Time) time.Time {
	if old := set.Old(condition); old != nil && old.Status == "False" {
		return old.LastTransitionTime.Time
	}
	return now
}
