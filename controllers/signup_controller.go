package controllers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
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
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
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

// delivery is one handed-over code while it is worked on.
type delivery struct {
	secret   *corev1.Secret
	handover signup.Handover
	link     signup.Link
	// request is nil until the link's signature has proven which one it is.
	request *v1alpha1.OnboardingRequest
	key     vault.Key
	entry   *vault.Entry
	present runtimeconfig.Signup
	// kept means that its token was just kept, and is to be shown.
	kept bool
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

// authenticate finds the request that the code is for with what is known of it, and proves that its manager made the link.
func (r *SignupReconciler) authenticate(ctx context.Context, d *delivery) error {
	var err error
	if d.handover, err = signup.ParseHandover(d.secret.Data); err != nil {
		return refused("It can't be read: %s.", err)
	}
	claimed, err := signup.Peek(d.handover.Token)
	if err != nil {
		return refused("What it holds as link is none.")
	}
	request, err := r.requestOf(ctx, claimed.RequestUID)
	if err != nil {
		return err
	}
	if request == nil && r.age(d) < handoverCacheLag {
		return &busyError{after: handoverInterval}
	}
	if request == nil || !request.DeletionTimestamp.IsZero() {
		return refused("The OnboardingRequest that its link names does not exist, or is being deleted.")
	}
	app, err := r.exchange.gate.apps.find(ctx, fieldMetaApp, request.Spec.MetaAppRef.Name)
	if stall := (*stalledError)(nil); errors.As(err, &stall) || (err == nil && app.Spec.AppID != claimed.AppID) {
		return refused("Its link is of another Meta app than its OnboardingRequest.")
	}
	if err != nil {
		return err
	}
	// What is known of the request is read beside the key, since a customer waits. Whoever made the link up learns nothing of it.
	var observed error
	var reading sync.WaitGroup
	reading.Go(func() { observed = r.observe(ctx, d, request) })
	key, err := readSignupKey(ctx, r.live, r.systemNamespace, app)
	reading.Wait()
	if missing := (*missingSecretError)(nil); errors.As(err, &missing) {
		return refused("The MetaApp %s has no key for signup links.", app.Name)
	}
	if err != nil {
		return err
	}
	if d.link, err = signup.Verify(d.handover.Token, publicHalf(key)); err != nil {
		return refused("The signature of its link is wrong: this installation did not make the link.")
	}
	d.request = request
	return observed
}

// requestOf finds a request by its UID; nil if there is none.
func (r *SignupReconciler) requestOf(ctx context.Context, uid string) (*v1alpha1.OnboardingRequest, error) {
	var found v1alpha1.OnboardingRequestList
	if err := r.client.List(ctx, &found, client.MatchingFields{fieldUID: uid}); err != nil {
		return nil, fmt.Errorf("find the request of a signup link: %w", err)
	}
	if len(found.Items) == 0 {
		return nil, nil //nolint:nilnil // "none" is an answer here, and the caller looks at it first
	}
	return &found.Items[0], nil
}

// age is how long ago the code was handed over. Only the API server's clock is in the Secret.
func (r *SignupReconciler) age(d *delivery) time.Duration {
	return r.clock.Now().Sub(d.secret.CreationTimestamp.Time)
}

// observe reads live what the vault knows of the code and what is known of the link. A cache may be behind, and what it would cost is a
// second success.
func (r *SignupReconciler) observe(ctx context.Context, d *delivery, request *v1alpha1.OnboardingRequest) error {
	var entryErr, presentErr error
	var reading sync.WaitGroup
	reading.Go(func() { entryErr = r.readEntry(ctx, d, request) })
	reading.Go(func() { presentErr = r.readPresent(ctx, d, request) })
	reading.Wait()
	return cmp.Or(entryErr, presentErr)
}

// readEntry reads what the vault knows of the code.
func (r *SignupReconciler) readEntry(ctx context.Context, d *delivery, request *v1alpha1.OnboardingRequest) error {
	var err error
	if d.key, err = r.exchange.gate.key(ctx, request); err != nil {
		return err
	}
	d.entry, err = r.exchange.vault.Read(ctx, d.key)
	if errors.Is(err, vault.ErrOccupied) {
		return refused("The place for its token is taken; the OnboardingRequest says more.")
	}
	return err
}

// readPresent reads what is known of the link.
func (r *SignupReconciler) readPresent(ctx context.Context, d *delivery, request *v1alpha1.OnboardingRequest) error {
	present := &corev1.Secret{}
	err := r.live.Get(ctx, client.ObjectKey{Namespace: r.runtimeNamespace, Name: runtimeconfig.SignupName(string(request.UID))}, present)
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("read the signup link's projection: %w", err)
	}
	if known, ok := decodeSignup(present); ok {
		d.present = *known
	}
	return nil
}

// facts says what is known of the code.
func (r *SignupReconciler) facts(d *delivery) onboarding.HandoverFacts {
	entry := d.entry
	hash := vault.CodeHash(d.handover.Code)
	_, spent := entry.SpentBefore(hash)
	current := entry.Exists() && entry.CodeHash == hash
	return onboarding.HandoverFacts{
		Current: current, Ended: current && !atWork(entry), SpentBefore: spent, HasToken: entry.HasTokenOf(hash),
		Again:     current && d.secret.CreationTimestamp.After(entry.FirstSeenAt.Add(handoverTwin)),
		LinkLives: d.linkLives(),
		LinkUsed:  entry.TokenProven && entry.Next.IsZero() && entry.TokenCodeHash == entry.CodeHash && entry.Origin.LinkID == d.link.ID,
		OtherBusy: entry.Exists() && !current && d.codeBusy(r.clock.Now()),
		TooOld:    r.age(d) > handoverPatience,
	}
}

// atWork says whether an entry's code is being exchanged.
func atWork(entry *vault.Entry) bool {
	return entry.Phase == vault.PhaseReserved || entry.Phase == vault.PhaseSending
}

// linkLives says whether the request takes codes by the link. What pauses a link may be over in time: that is looked at when the code is
// about to be spent.
func (d *delivery) linkLives() bool {
	usable := d.present.State.Usable() || d.present.State == runtimeconfig.SignupPaused
	return usable && d.present.LinkID == d.link.ID && d.secret.CreationTimestamp.Time.Before(d.link.ExpiresAt) && !isSuspended(d.request)
}

// codeBusy says whether the vault's code may still become a success: it is being exchanged, or its token is being looked at.
func (d *delivery) codeBusy(now time.Time) bool {
	if atWork(d.entry) {
		return now.Before(d.entry.FirstSeenAt.Add(otherCodeLife))
	}
	_, proven := d.entry.Current()
	failed := d.present.State == runtimeconfig.SignupFailed && d.present.Attempt == d.entry.CodeHash
	return d.entry.Phase == vault.PhaseKept && !proven && !failed
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
	x := &readyCode{app: app, code: d.handover.Code, hash: vault.CodeHash(d.handover.Code), key: d.key, entry: d.entry, origin: vault.Origin{
		LinkID: d.link.ID, WABAID: claims.WABAID, PhoneNumberID: claims.PhoneNumberID, Coexistence: claims.Event == coexistenceEvent,
	}}
	after, err := r.exchange.exchange(ctx, x)
	d.kept = x.kept
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

// decodeSignup reads the projection of a signup link back.
func decodeSignup(secret *corev1.Secret) (*runtimeconfig.Signup, bool) {
	if secret == nil || secret.Labels[runtimeconfig.LabelProjection] != string(runtimeconfig.KindSignup) {
		return nil, false
	}
	uid := secret.Annotations[annotationHolderUID]
	return runtimeconfig.Load([]runtimeconfig.Object{{Name: secret.Name, Data: secret.Data}}).Signup(uid)
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
