package controllers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/conditions"
	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
	"github.com/whatsapp-operator/whatsapp-operator/internal/onboarding"
	"github.com/whatsapp-operator/whatsapp-operator/internal/vault"
)

const (
	// terminatingPatience is how long Meta's troubles may hold up the deletion of a namespace.
	terminatingPatience = 5 * time.Minute
	// offboardRecheck is how soon an offboarding that waits for another one is looked at again.
	offboardRecheck = time.Minute
)

// offboarding is the deletion of one request with the policy Offboard.
type offboarding struct {
	*journey
	// terminating means that the namespace is being deleted: it must not hang, and leaves evidence instead.
	terminating bool
	left        []v1alpha1.Leftover
	// The account, its number and its owner, from the vault. If the vault's entry is gone status still names them, so that what was done can be
	// undone, or told.
	wabaID, phoneID, ownerID string
}

// knowAssets says what is to be undone.
func (o *offboarding) knowAssets() {
	// Status knows what an entry that was lost, or lost and made again, does not.
	status := &o.request.Status
	o.wabaID = cmp.Or(o.entry.WABAID, status.WABAID)
	o.phoneID = cmp.Or(o.entry.PhoneNumberID, status.PhoneNumberID)
	o.ownerID = cmp.Or(o.entry.OwnerBusinessID, status.OwnerBusinessID)
}

// reconcileDelete lets a deleted request go: at once with Retain, and with Offboard when nothing of it is left at Meta.
func (r *OnboardingRequestReconciler) reconcileDelete(ctx context.Context, j *journey) (ctrl.Result, error) {
	if !controllerutil.ContainsFinalizer(j.request, v1alpha1.Finalizer) {
		return ctrl.Result{}, nil
	}
	if err := r.forgetSignup(ctx, j.request); err != nil {
		return settle(ctx, ctrl.Result{}, err)
	}
	if j.request.Spec.DeletionPolicy != v1alpha1.DeletionOffboard {
		// Token, subscription, credit and number stay: a channel of the number goes on working, and a request of the same name
		// finds the vault and replays nothing.
		return settle(ctx, ctrl.Result{}, removeFinalizer(ctx, r.client, j.request))
	}
	o := &offboarding{journey: j}
	err := r.offboard(ctx, o)
	if err == nil {
		return settle(ctx, ctrl.Result{}, removeFinalizer(ctx, r.client, j.request))
	}
	j.fail(ctx, v1alpha1.ConditionReady, err)
	return r.finishDelete(ctx, j)
}

// offboard undoes at Meta what the request did: unsubscribe, revoke credit, deregister, and last of all forget the token,
// which everything before needs. Each part reads first or may be repeated, so a crash anywhere only repeats reads.
func (r *OnboardingRequestReconciler) offboard(ctx context.Context, o *offboarding) error {
	var err error
	if o.terminating, err = r.namespaceTerminating(ctx, o.request.Namespace); err != nil {
		return err
	}
	if err := r.observe(ctx, o.journey); err != nil {
		if err := o.giveUp(r.clock.Now(), "everything that the request did", err); err != nil {
			return err
		}
		return r.leftovers.record(ctx, o.request.Spec.MetaAppRef.Name, o.left...)
	}
	if until := o.entry.StartedAt.Add(sendLease); o.entry.Phase == vault.PhaseSending && r.clock.Now().Before(until) {
		// The token that is on its way would be kept in a place that was cleaned up.
		return blockedFor(until.Sub(r.clock.Now())+time.Second, v1alpha1.ReasonDeleting, "The signup code is being exchanged; what comes of it is undone after that.")
	}
	switch {
	case o.entry.Exists():
	case o.request.Status.WABAID == "":
		// No code was ever spent, so Meta knows nothing of this request.
		return nil
	case o.request.Annotations[annotationOffboarded] != "":
		// The entry is gone because everything was done.
		return nil
	}
	o.knowAssets()
	if err := r.undo(ctx, o); err != nil {
		return err
	}
	if err := r.leftovers.record(ctx, o.request.Spec.MetaAppRef.Name, o.left...); err != nil {
		return err
	}
	if err := r.disownCopy(ctx, o.request); err != nil {
		return err
	}
	// A crash between the vault's last write and the finalizer's must not make a request that was offboarded look like one whose token was lost.
	if err := r.markOffboarded(ctx, o.request); err != nil {
		return err
	}
	if err := r.vault.Forget(ctx, o.entry); err != nil {
		return r.vaultError(o.key, err)
	}
	return nil
}

// annotationOffboarded says of a request that nothing is left to be undone, before the vault forgets what it would take.
const annotationOffboarded = v1alpha1.GroupName + "/offboarded"

func (r *OnboardingRequestReconciler) markOffboarded(ctx context.Context, request *v1alpha1.OnboardingRequest) error {
	before := request.DeepCopy()
	if request.Annotations == nil {
		request.Annotations = map[string]string{}
	}
	request.Annotations[annotationOffboarded] = "true"
	if err := r.client.Patch(ctx, request, client.MergeFrom(before), client.FieldOwner(conditions.FieldManager)); err != nil {
		return fmt.Errorf("mark the request as offboarded: %w", err)
	}
	return nil
}

// undo performs the parts in their order. What can't be undone for good becomes a leftover.
func (r *OnboardingRequestReconciler) undo(ctx context.Context, o *offboarding) error {
	app, err := r.apps.ForDeletion(ctx, o.request.Spec.MetaAppRef.Name)
	if err != nil {
		return o.giveUp(r.clock.Now(), fmt.Sprintf("the subscription, credit and registration of the account %s and the number %s", o.wabaID, o.phoneID), denied(err))
	}
	o.app = app
	var refused error
	for _, part := range []struct {
		what string
		undo func(context.Context, *offboarding) error
	}{
		{"the webhook subscription of the account " + o.wabaID, r.unsubscribe},
		{"the shared credit of the account " + o.wabaID, r.revokeCredit},
		{"the registration of the number " + o.phoneID, r.deregister},
	} {
		err := o.giveUp(r.clock.Now(), part.what, part.undo(ctx, o))
		if err != nil && classify(err).state != stateStalled {
			return err
		}
		// What only a person can repair holds up nothing else: while a customer's token is dead the partner's credit is still spent.
		if refused == nil {
			refused = err
		}
	}
	return refused
}

// errNoToken means that there is no token to undo something with.
var errNoToken = errors.New("the customer's token is not there any more")

// giveUp decides what the failure of a part means: it holds the deletion up, or is recorded as left behind.
func (o *offboarding) giveUp(now time.Time, what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errNoToken):
		// Nobody can do it any more: waiting would be for ever.
	case !o.terminating:
		return err
	case classify(err).state == stateRetry && now.Sub(o.request.DeletionTimestamp.Time) < terminatingPatience:
		return err
	}
	o.left = append(o.left, v1alpha1.Leftover{
		Time: metav1.NewTime(now.Truncate(time.Second)), Object: o.request.Namespace + "/" + o.request.Name, What: what, Reason: leftoverReason(err),
	})
	return nil
}

// leftoverReason is the message of an error, as far as it is fit to be shown.
func leftoverReason(err error) string {
	if errors.Is(err, errNoToken) {
		return "The customer's token is not there any more, so nothing could be undone with it."
	}
	return clip(classify(err).message, maxNameShown)
}

// denied turns what a person has to repair into a stall that names the way out.
func denied(err error) error {
	v := classify(err)
	if v.state == stateRetry && !v.secret {
		return err
	}
	return stalledBy(err, v1alpha1.ReasonOffboardDenied, "%s Repair that, or set spec.deletionPolicy to Retain to delete this request and leave everything at Meta as it is.", v.message)
}

// absent says whether Meta refuses because there is nothing left to undo.
func absent(err error) bool {
	return meta.OutcomeOf(err) == meta.Rejected && meta.ClassOf(err) == meta.ClassObjectNotVisible
}

// unsubscribe ends the account's webhooks, unless another request still serves a number of the account.
func (r *OnboardingRequestReconciler) unsubscribe(ctx context.Context, o *offboarding) error {
	if o.wabaID == "" {
		return nil
	}
	if token, _ := o.entry.Current(); token.IsZero() {
		return errNoToken
	}
	shared, err := r.accountInUse(ctx, o)
	if err != nil || shared {
		return err
	}
	err = r.subscriptions.remove(ctx, o.app, o.businessCredential(), o.wabaID)
	if err == nil || absent(err) {
		return nil
	}
	return denied(err)
}

// accountInUse says whether another request that stays has the same account.
func (r *OnboardingRequestReconciler) accountInUse(ctx context.Context, o *offboarding) (bool, error) {
	var all v1alpha1.OnboardingRequestList
	if err := r.client.List(ctx, &all); err != nil {
		return false, fmt.Errorf("list the requests of the account: %w", err)
	}
	for i := range all.Items {
		other := &all.Items[i]
		if other.UID != o.request.UID && other.DeletionTimestamp.IsZero() && other.Status.WABAID == o.wabaID {
			return true, nil
		}
	}
	return false, nil
}

// deregister takes the number off Cloud API. It is read first: these calls are counted like registrations, and a number of
// the WhatsApp Business app belongs to the app.
func (r *OnboardingRequestReconciler) deregister(ctx context.Context, o *offboarding) error {
	if o.phoneID == "" {
		return nil
	}
	token, _ := o.entry.Current()
	if token.IsZero() {
		return errNoToken
	}
	phone, err := o.app.Client.PhoneNumber(ctx, o.businessCredential(), o.phoneID)
	if absent(err) {
		return nil
	}
	if err != nil {
		return denied(err)
	}
	o.observePhone(&phone)
	if o.facts.Number != onboarding.NumberConnected {
		return nil
	}
	err = o.app.Client.DeregisterPhone(ctx, o.businessCredential(), o.phoneID)
	if err == nil || absent(err) || meta.ClassOf(err) == meta.ClassNotRegistered || meta.ClassOf(err) == meta.ClassUnsupported {
		return nil
	}
	return denied(err)
}

// disownCopy hands the copy of the credentials over to garbage collection: the manager may not delete tenants' Secrets.
func (r *OnboardingRequestReconciler) disownCopy(ctx context.Context, request *v1alpha1.OnboardingRequest) error {
	if request.Spec.CredentialsSecretName == "" {
		return nil
	}
	secret := &corev1.Secret{}
	err := r.live.Get(ctx, client.ObjectKey{Namespace: request.Namespace, Name: request.Spec.CredentialsSecretName}, secret)
	if apierrors.IsNotFound(err) || (err == nil && secret.Annotations[annotationCopyOf] != request.Name) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the copy of the credentials: %w", err)
	}
	if err := controllerutil.SetOwnerReference(request, secret, r.client.Scheme()); err != nil {
		return fmt.Errorf("hand over the copy of the credentials: %w", err)
	}
	if err := client.IgnoreNotFound(r.client.Update(ctx, secret)); err != nil {
		return fmt.Errorf("hand over the copy of the credentials: %w", err)
	}
	return nil
}

// namespaceTerminating says whether the request's namespace is being deleted.
func (r *OnboardingRequestReconciler) namespaceTerminating(ctx context.Context, name string) (bool, error) {
	ns, err := readNamespace(ctx, r.client, name)
	if err != nil {
		return false, err
	}
	return !ns.DeletionTimestamp.IsZero(), nil
}

// finishDelete shows why a deleted request is still there.
func (r *OnboardingRequestReconciler) finishDelete(ctx context.Context, j *journey) (ctrl.Result, error) {
	if after, held := j.held(); held {
		return ctrl.Result{RequeueAfter: after}, nil
	}
	now := metav1.NewTime(r.clock.Now().Truncate(time.Second))
	set := conditions.New(j.request, now)
	set.Keep(slices.Concat(journeyConditions, informingConditions, []string{v1alpha1.ConditionSuspended})...)
	v := j.failed[v1alpha1.ConditionReady]
	res := attempts{failures: &j.request.Status.Failures, next: &j.request.Status.NextAttemptTime}.schedule(v, now.Time, now.Time)
	switch v.state {
	case stateStalled:
		set.MarkStalled(v.reason, v.message)
		// What holds it up may end without this request being changed: another offboarding, or the namespace's own deletion.
		res.RequeueAfter = jitter(offboardRecheck)
	case stateWaiting:
		set.MarkWaiting(v.reason, v.message)
		res.RequeueAfter = jitter(offboardRecheck)
	default:
		set.MarkReconciling(v1alpha1.ReasonDeleting, v.message)
	}
	set.Write()
	return settle(ctx, res, r.status.write(ctx, j.old, j.request))
}
