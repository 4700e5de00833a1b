package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/onboarding"
	"github.com/whatsapp-operator/whatsapp-operator/internal/signup"
	"github.com/whatsapp-operator/whatsapp-operator/internal/vault"
)

const (
	// handoverPatience is how long a code waits for what keeps it from being exchanged. It lives 30 seconds at Meta; the rest is for a
	// clock that is wrong.
	handoverPatience = 2 * time.Minute
	// handoverInterval is the pause between two looks at what keeps a code from being exchanged.
	handoverInterval = 500 * time.Millisecond
	// handoverCacheLag is how long a request that isn't in the cache may be one that the cache doesn't show yet.
	handoverCacheLag = 10 * time.Second
	// handoverTwin is by how much a code that was handed over once may seem younger than its vault entry: clocks differ.
	handoverTwin = 5 * time.Second
	// otherCodeLife is how long a code of the same request is waited for: its life and a send that began at the end of it.
	otherCodeLife = codeLife + sendLease
	// reasonSignupRefused is the reason of the event about a code that isn't taken.
	reasonSignupRefused = "SignupRefused"
)

// fieldUID is the index of requests by UID, which is all that a signup link says of its request.
const fieldUID = "metadata.uid"

// SignupReconciler takes the codes that the signup page hands over as Secrets, has them exchanged, and removes them. It runs on every
// replica without leader election, like the exchange itself: of a code that arrives while the leadership moves, half the life would be
// gone. The link's signature says which request a code is for; nothing else of a handed-over Secret is believed.
type SignupReconciler struct {
	client client.Client
	// live reads Secrets and projections from the API.
	live     client.Reader
	exchange *ExchangeReconciler
	recorder events.EventRecorder
	clock    clock.PassiveClock
	// systemNamespace holds the keys of links, runtimeNamespace what is known of links, and namespace the handed-over codes.
	systemNamespace, runtimeNamespace, namespace string
}

// refusedError means that a handed-over code is not taken. Its text goes into an event: it quotes nothing of the Secret.
type refusedError struct{ message string }

func (e *refusedError) Error() string { return e.message }

func refused(format string, args ...any) error {
	return &refusedError{fmt.Sprintf(format, args...)}
}

// Reconcile takes one handed-over code as far as it goes now.
func (r *SignupReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	d := &delivery{secret: &corev1.Secret{}}
	leave := r.exchange.places.welcome()
	defer func() { leave(d.kept) }()
	if err := r.live.Get(ctx, req.NamespacedName, d.secret); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	err := r.authenticate(ctx, d)
	if err == nil {
		var after time.Duration
		if after, err = r.act(ctx, d); err == nil && after > 0 {
			return ctrl.Result{RequeueAfter: after}, nil
		}
	}
	var no *refusedError
	var wait *busyError
	switch {
	case err == nil:
		return ctrl.Result{}, deleteOurs(ctx, r.client, d.secret)
	case errors.As(err, &no):
		return ctrl.Result{}, r.refuse(ctx, d, no)
	case errors.As(err, &wait):
		return ctrl.Result{RequeueAfter: wait.after}, nil
	case errors.Is(err, vault.ErrConflict):
		// Another replica is at it.
		return ctrl.Result{RequeueAfter: jitter(secretInterval)}, nil
	default:
		return ctrl.Result{}, err
	}
}

// act does what the facts ask for. With nil and 0 the code is done with.
func (r *SignupReconciler) act(ctx context.Context, d *delivery) (time.Duration, error) {
	switch action := onboarding.NextHandover(r.facts(d)); action {
	case onboarding.HandoverDone:
		return 0, nil
	case onboarding.HandoverWait:
		return handoverInterval, nil
	case onboarding.HandoverReplay:
		return 0, refused("Its code was handed over and spent before.")
	case onboarding.HandoverDead:
		return 0, refused("Its signup link is dead: it was used, replaced by a newer one, or has expired, or the OnboardingRequest is suspended.")
	case onboarding.HandoverLate:
		return 0, refused("Its code could not be exchanged in time; the conditions say what was in the way. The signup link can be used again.")
	default:
		return r.spend(ctx, d)
	}
}

// spend has the code exchanged.
func (r *SignupReconciler) spend(ctx context.Context, d *delivery) (time.Duration, error) {
	app, err := r.exchange.gate.checkOpen(ctx, d.request)
	if err != nil {
		if r.age(d) > handoverPatience {
			return 0, refused("Its code could not be exchanged in time. %s", classify(err).message)
		}
		log.FromContext(ctx).V(1).Info("A handed-over code can't be spent yet", "reason", classify(err).reason)
		return handoverInterval, nil
	}
	claims := d.handover.Claims
	x := &readyCode{request: d.request, app: app, code: d.handover.Code, hash: vault.CodeHash(d.handover.Code), key: d.key, entry: d.entry, origin: vault.Origin{
		LinkID: d.link.ID, WABAID: claims.WABAID, PhoneNumberID: claims.PhoneNumberID, Coexistence: claims.Event == coexistenceEvent,
	}}
	after, err := r.exchange.exchange(ctx, x)
	d.kept = x.kept
	if errors.Is(err, errRequestGone) {
		return 0, refused("Its OnboardingRequest was deleted meanwhile; the code was not spent.")
	}
	if errors.Is(err, vault.ErrOccupied) || errors.Is(err, vault.ErrSpent) {
		return 0, refused("The place for its token is taken; the OnboardingRequest says more.")
	}
	return after, err
}

// coexistenceEvent is what Embedded Signup calls the end of a signup whose number stays in the WhatsApp Business app.
const coexistenceEvent = "FINISH_WHATSAPP_BUSINESS_APP_ONBOARDING"

// refuse removes a code that isn't taken and tells of it: on its request if the link is genuine, else on the Secret, since a forger must
// not fill a tenant's events. Whoever removes it tells, so that two replicas don't tell twice.
func (r *SignupReconciler) refuse(ctx context.Context, d *delivery, no *refusedError) error {
	uid := d.secret.UID
	err := r.client.Delete(ctx, d.secret, client.Preconditions{UID: &uid})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove a refused signup code: %w", err)
	}
	var about client.Object = d.secret
	if d.request != nil {
		about = d.request
	}
	log.FromContext(ctx).Info("A handed-over signup code was refused", "cause", no.message)
	r.recorder.Eventf(about, nil, corev1.EventTypeWarning, reasonSignupRefused, "Signup", "%s", clipNote("A signup that arrived was refused. "+no.message))
	return nil
}

// SetupWithManager registers the controller.
func (r *SignupReconciler) SetupWithManager(mgr ctrl.Manager) error {
	setUp := context.Background() //nolint:forbidigo // nothing runs yet that could be told to stop
	if err := mgr.GetFieldIndexer().IndexField(setUp, &v1alpha1.OnboardingRequest{}, fieldUID, uidOf); err != nil {
		return fmt.Errorf("index requests by UID: %w", err)
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("signup").
		For(&corev1.Secret{}, builder.OnlyMetadata, builder.WithPredicates(handedOver(r.namespace))).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: exchangeWorkers,
			NeedLeaderElection:      new(false),
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](exchangeRetryFirst, exchangeRetryLongest),
		}).
		Complete(r)
}

func uidOf(obj client.Object) []string { return []string{string(obj.GetUID())} }

// handedOver lets through codes that arrive. They never change, and ones that go need nothing.
func handedOver(namespace string) predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool {
			return e.Object.GetNamespace() == namespace && e.Object.GetLabels()[signup.LabelHandover] == signup.LabelHandoverValue
		},
		UpdateFunc:  func(event.UpdateEvent) bool { return false },
		DeleteFunc:  func(event.DeleteEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
}
