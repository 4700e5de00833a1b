package controllers

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/conditions"
)

// specOrRequest lets through what a person did to an object: a new generation (spec or deletion), a new requested-at, or the loss of our
// finalizer, as kubectl replace causes it: without it a deletion would go unnoticed. Our own status writes and finalizers pass by unseen,
// or each would cause another reconciliation.
func specOrRequest() predicate.Predicate {
	requested := predicate.Funcs{
		UpdateFunc: func(e event.UpdateEvent) bool {
			lost := e.ObjectNew.GetDeletionTimestamp().IsZero() && controllerutil.ContainsFinalizer(e.ObjectOld, v1alpha1.Finalizer) &&
				!controllerutil.ContainsFinalizer(e.ObjectNew, v1alpha1.Finalizer)
			return lost || requestedAt(e.ObjectOld) != requestedAt(e.ObjectNew)
		},
	}
	return predicate.Or(predicate.GenerationChangedPredicate{}, predicate.Predicate(requested))
}

// requestedAt is the object's wish to be reconciled now; empty if it has none.
func requestedAt(obj client.Object) string {
	value := obj.GetAnnotations()[v1alpha1.RequestedAtAnnotation]
	// status.lastHandledReconcileAt, which repeats the value, is bounded.
	if runes := []rune(value); len(runes) > 256 {
		value = string(runes[:256])
	}
	return value
}

// requestedTime is requestedAt as a time, if it is one: RFC 3339 or what date +%s prints. Zero if it is something else.
func requestedTime(obj client.Object) time.Time {
	value := requestedAt(obj)
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
		return time.Unix(seconds, 0)
	}
	at, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return time.Time{}
	}
	return at
}

// ensureFinalizer adds our finalizer before anything is done that deletion would have to undo.
func ensureFinalizer(ctx context.Context, c client.Client, obj client.Object) error {
	return patchFinalizer(ctx, c, obj, controllerutil.AddFinalizer)
}

// removeFinalizer lets the object go. An object that is gone already is as good.
func removeFinalizer(ctx context.Context, c client.Client, obj client.Object) error {
	return client.IgnoreNotFound(patchFinalizer(ctx, c, obj, controllerutil.RemoveFinalizer))
}

func patchFinalizer(ctx context.Context, c client.Client, obj client.Object, change func(client.Object, string) bool) error {
	before, ok := obj.DeepCopyObject().(client.Object)
	if !ok {
		return fmt.Errorf("%T is no API object", obj)
	}
	if !change(obj, v1alpha1.Finalizer) {
		return nil
	}
	// The lock makes a stale view fail: the list of finalizers is replaced as a whole.
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := c.Patch(ctx, obj, patch, client.FieldOwner(conditions.FieldManager)); err != nil {
		return fmt.Errorf("update finalizers: %w", err)
	}
	return nil
}

const (
	// cacheLag is how soon to look again for our own last write in the cache.
	cacheLag = 20 * time.Millisecond
	// conflictLag is how soon to look again when another's write came before ours.
	conflictLag = 200 * time.Millisecond
	// atOnce bounds both: who comes back within it was not dealt with.
	atOnce = conflictLag
)

// statusWriter writes a status and tells of its transitions.
type statusWriter struct {
	client   client.Client
	recorder events.EventRecorder

	mu sync.Mutex
	// written are the resourceVersions of our last writes that the cache has not shown yet.
	written map[types.UID]string
}

// stale says whether an object from the cache is older than our last write of its status. Work on such a view would repeat calls to Meta
// only to fail at the next write.
func (w *statusWriter) stale(obj client.Object) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	last, ok := w.written[obj.GetUID()]
	if !ok {
		return false
	}
	if order, err := resourceversion.CompareResourceVersion(obj.GetResourceVersion(), last); err == nil && order < 0 {
		return true
	}
	delete(w.written, obj.GetUID())
	return false
}

func (w *statusWriter) wrote(obj client.Object) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.written == nil {
		w.written = map[types.UID]string{}
	}
	w.written[obj.GetUID()] = obj.GetResourceVersion()
}

// write applies obj's status if it differs from old's, and records one event for each condition that changed. An object that is gone
// needs no status.
func (w *statusWriter) write(ctx context.Context, old, obj client.Object) error {
	wrote, err := conditions.Apply(ctx, w.client, old, obj)
	if err != nil || !wrote {
		return client.IgnoreNotFound(err)
	}
	w.wrote(obj)
	changed, err := conditions.Transitions(old, obj)
	if err != nil {
		return err
	}
	for _, c := range eventful(changed) {
		w.recorder.Eventf(obj, nil, eventType(c), c.Reason, c.Type, "%s", clipNote(c.Type+": "+c.Message))
	}
	return nil
}

// eventType of a condition that isn't True is a warning, unless a person's turn is next, which is how things should go.
func eventType(c metav1.Condition) string {
	switch {
	case c.Status != metav1.ConditionFalse:
		return corev1.EventTypeNormal
	case c.Reason == v1alpha1.ReasonWaitingForSignup, c.Reason == v1alpha1.ReasonAwaitingApproval, c.Reason == v1alpha1.ReasonWaitingForTester,
		c.Reason == v1alpha1.ReasonWaitingForCode, c.Reason == v1alpha1.ReasonWaitingForPhoneNumber:
		return corev1.EventTypeNormal
	default:
		return corev1.EventTypeWarning
	}
}

// eventful picks the transitions that deserve an event: those of steps that succeeded or failed, and of Ready. Steps that are at work, wait
// for an earlier one, or are not needed, have nothing to tell, and a summary that repeats a step's reason would tell the same twice.
func eventful(changed []metav1.Condition) []metav1.Condition {
	told := map[string]bool{}
	var out []metav1.Condition
	for _, c := range changed {
		switch {
		case c.Type == v1alpha1.ConditionReady, c.Type == v1alpha1.ConditionReconciling, c.Type == v1alpha1.ConditionStalled,
			c.Reason == v1alpha1.ReasonPending, c.Reason == v1alpha1.ReasonProgressing, c.Reason == v1alpha1.ReasonActive, c.Reason == v1alpha1.ReasonNotRequired:
			continue
		}
		told[c.Reason] = true
		out = append(out, c)
	}
	for _, c := range changed {
		if c.Type == v1alpha1.ConditionReady && c.Reason != v1alpha1.ReasonProgressing && (c.Reason == v1alpha1.ReasonSucceeded || !told[c.Reason]) {
			out = append(out, c)
		}
	}
	return out
}

// attempts are the fields of a status that space attempts across restarts. failures is nil for a kind that doesn't count them.
type attempts struct {
	failures **int32
	next     **metav1.Time
}

// clear forgets failures: it worked, or something has changed since.
func (a attempts) clear() {
	if a.failures != nil {
		*a.failures = nil
	}
	*a.next = nil
}

// schedule records a failed attempt and says when to come again. since is when the condition that failed began to; it spaces the looks
// for a missing Secret, which are too many to be recorded each.
func (a attempts) schedule(v verdict, since, now time.Time) ctrl.Result {
	switch {
	case v.state != stateRetry, v.watched:
		a.clear()
		return ctrl.Result{RequeueAfter: v.after}
	case v.held:
		return ctrl.Result{RequeueAfter: max(v.after, 50*time.Millisecond)}
	case v.secret:
		a.clear()
		after := secretBackoff(now.Sub(since))
		if after > secretInterval {
			*a.next = new(metav1.NewTime(now.Add(after).Truncate(time.Second)))
		}
		return ctrl.Result{RequeueAfter: after}
	}
	// Never sooner than was asked for, and not all at the same moment.
	after := spread(v.after)
	if after == 0 {
		after = backoff(a.count())
	}
	*a.next = new(metav1.NewTime(now.Add(after).Truncate(time.Second)))
	return ctrl.Result{RequeueAfter: after}
}

// count adds one failure and returns how many there are now.
func (a attempts) count() int32 {
	if a.failures == nil {
		// The few MetaApps don't count: their next attempt is soon.
		return 3
	}
	*a.failures = new(ptr.Deref(*a.failures, 0) + 1)
	return **a.failures
}

// settle turns an error of writing a status into a result: a conflict means that our view was stale, so look again when the cache has
// caught up.
func settle(ctx context.Context, res ctrl.Result, err error) (ctrl.Result, error) {
	if apierrors.IsConflict(err) {
		log.FromContext(ctx).V(1).Info("The object changed while it was reconciled; looking again")
		return ctrl.Result{RequeueAfter: conflictLag}, nil
	}
	return res, err
}
