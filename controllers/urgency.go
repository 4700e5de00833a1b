package controllers

import (
	"context"

	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/whatsapp-operator/whatsapp-operator/internal/vault"
)

// urgent is for a code that was just spent: it must not wait for the first look at a thousand requests that were applied together. mostUrgent
// comes before that, for who has signed up by link and waits in front of a page.
const (
	urgent     = 1
	mostUrgent = 2
)

// urgencyOf is that of a vault entry's news.
func urgencyOf(entry client.Object) int {
	if vault.ByLink(entry.GetAnnotations()) {
		return mostUrgent
	}
	return urgent
}

// workQueue is what a controller takes its work from.
type workQueue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// enqueue adds an object with a priority; those of a higher one come first.
func enqueue(q workQueue, priority int, req reconcile.Request) {
	if first, ok := q.(priorityqueue.PriorityQueue[reconcile.Request]); ok {
		first.AddWithOpts(priorityqueue.AddOpts{Priority: &priority}, req)
		return
	}
	q.Add(req)
}

// urgently enqueues what an event of a vault entry maps to with urgency. What is there when the watch begins is no news.
func urgently(requests handler.MapFunc) handler.EventHandler {
	add := func(ctx context.Context, obj client.Object, q workQueue, priority int) {
		for _, req := range requests(ctx, obj) {
			enqueue(q, priority, req)
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q workQueue) {
			priority := urgencyOf(e.Object)
			if e.IsInInitialList {
				priority = handler.LowPriority
			}
			add(ctx, e.Object, q, priority)
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q workQueue) {
			add(ctx, e.ObjectNew, q, urgencyOf(e.ObjectNew))
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q workQueue) {
			add(ctx, e.Object, q, urgencyOf(e.Object))
		},
	}
}

// patiently enqueues what the webhook-server has reported on behind what people change: at a full hour thousands of channels have news at
// once, and whoever applies another one then must not wait for theirs.
func patiently() handler.EventHandler {
	return handler.Funcs{GenericFunc: func(_ context.Context, e event.GenericEvent, q workQueue) {
		enqueue(q, handler.LowPriority, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(e.Object)})
	}}
}

// calmly lets what comes back by itself wait among the others again: it would keep its urgency. What comes back at once does keep it, since
// it was not looked at: our view of it was stale, and its news would wait behind a thousand first looks.
func calmly(r reconcile.Reconciler) reconcile.Reconciler {
	return reconcile.Func(func(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
		result, err := r.Reconcile(ctx, req)
		if err == nil && result.RequeueAfter > atOnce {
			result.Priority = new(int)
		}
		return result, err
	})
}
