package controllers

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/internal/vault"
)

// behind is a cache that shows a request as it was.
type behind struct {
	client.Client
	// shown is what it shows; nil stands for the present.
	shown *v1alpha1.OnboardingRequest
}

func (b *behind) Get(ctx context.Context, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
	if request, ok := obj.(*v1alpha1.OnboardingRequest); ok && b.shown != nil {
		b.shown.DeepCopyInto(request)
		return nil
	}
	return b.Client.Get(ctx, key, obj, opts...)
}

// TestLaggingCache shows the controllers each state of a request again after they have left it behind, as a cache may. A process that
// remembers its last write does nothing then; one that was started since repeats reads, and nothing that can't be undone.
func TestLaggingCache(t *testing.T) {
	alone := newExchangeWorld(t)
	alone.keepToken()
	alone.lead(alone.leader(&mortal{Client: alone.objects}))
	for _, restarted := range []bool{false, true} {
		t.Run(fmt.Sprintf("restarted: %t", restarted), func(t *testing.T) {
			w := newExchangeWorld(t, func(s *metasim.Switches) { s.CreditRepeat = "new" })
			controllerutil.AddFinalizer(w.request, v1alpha1.Finalizer)
			if err := w.objects.Update(t.Context(), w.request); err != nil {
				t.Fatal(err)
			}
			cache := &behind{Client: w.objects}
			start := func() (*ExchangeReconciler, *OnboardingRequestReconciler) {
				exchange := w.process(w.objects)
				exchange.client = cache
				exchange.vault = &vault.Vault{Reader: w.objects, Writer: w.objects, Namespace: systemNamespace, Clock: w.clock}
				return exchange, w.leader(&mortal{Client: cache})
			}
			exchange, leader := start()
			req := ctrl.Request{NamespacedName: client.ObjectKeyFromObject(w.request)}
			look := func() time.Duration {
				t.Helper()
				if _, err := exchange.Reconcile(t.Context(), req); err != nil {
					t.Fatal(err)
				}
				res, err := leader.Reconcile(t.Context(), req)
				if err != nil {
					t.Fatal(err)
				}
				return res.RequeueAfter
			}
			for ready := false; !ready; {
				left := &v1alpha1.OnboardingRequest{}
				if err := w.objects.Get(t.Context(), req.NamespacedName, left); err != nil {
					t.Fatal(err)
				}
				after := look()
				cache.shown = left
				for range 3 {
					if restarted {
						exchange, leader = start()
					}
					look()
				}
				cache.shown = nil
				if err := w.objects.Get(t.Context(), req.NamespacedName, w.request); err != nil {
					t.Fatal(err)
				}
				ready = apimeta.IsStatusConditionTrue(w.request.Status.Conditions, v1alpha1.ConditionReady)
				w.clock.Step(max(min(after, time.Minute), 10*time.Millisecond))
				if !ready && w.clock.Since(w.request.CreationTimestamp.Time) > time.Hour {
					t.Fatalf("the journey came to no end:\n%s", describe(w.request))
				}
			}
			w.checkJourney("a cache that lags", false)
			if n := w.sends(); n != 1 {
				t.Errorf("the code was sent %d times", n)
			}
			if diff := cmp.Diff(alone.sim.Counters().Calls, w.sim.Counters().Calls); !restarted && diff != "" {
				t.Errorf("a process that remembers what it wrote called Meta for what it saw again (-alone +lagging):\n%s", diff)
			}
		})
	}
}

// TestDeletedBeforeTheSend deletes a request while the exchange still sees it in its cache: the deletion has looked for a vault entry before
// there was one, so none may be left, and the code must not be spent.
func TestDeletedBeforeTheSend(t *testing.T) {
	for name, deletion := range map[string]func(t *testing.T, w *exchangeWorld){
		"gone": func(t *testing.T, w *exchangeWorld) {
			t.Helper()
			if err := w.objects.Delete(t.Context(), w.request.DeepCopy()); err != nil {
				t.Fatal(err)
			}
		},
		"made again": func(t *testing.T, w *exchangeWorld) {
			t.Helper()
			if err := w.objects.Delete(t.Context(), w.request.DeepCopy()); err != nil {
				t.Fatal(err)
			}
			again := w.request.DeepCopy()
			again.UID, again.ResourceVersion = "request-2", ""
			if err := w.objects.Create(t.Context(), again); err != nil {
				t.Fatal(err)
			}
		},
		"held by a finalizer": func(t *testing.T, w *exchangeWorld) {
			t.Helper()
			held := w.request.DeepCopy()
			controllerutil.AddFinalizer(held, v1alpha1.Finalizer)
			if err := w.objects.Update(t.Context(), held); err != nil {
				t.Fatal(err)
			}
			if err := w.objects.Delete(t.Context(), held); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newExchangeWorld(t)
			if err := w.objects.Get(t.Context(), client.ObjectKeyFromObject(w.request), w.request); err != nil {
				t.Fatal(err)
			}
			r := w.process(admin)
			r.client = &behind{Client: w.objects, shown: w.request.DeepCopy()}
			deletion(t, w)
			w.reconcile(r)
			if w.entry().Exists() || w.sends() != 0 {
				t.Errorf("an entry is left: %t; the code was sent %d times", w.entry().Exists(), w.sends())
			}
		})
	}
}
