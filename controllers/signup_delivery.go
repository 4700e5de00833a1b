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
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/onboarding"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/signup"
	"github.com/whatsapp-operator/whatsapp-operator/internal/vault"
)

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

// decodeSignup reads the projection of a signup link back.
func decodeSignup(secret *corev1.Secret) (*runtimeconfig.Signup, bool) {
	if secret == nil || secret.Labels[runtimeconfig.LabelProjection] != string(runtimeconfig.KindSignup) {
		return nil, false
	}
	uid := secret.Annotations[annotationHolderUID]
	return runtimeconfig.Load([]runtimeconfig.Object{{Name: secret.Name, Data: secret.Data}}).Signup(uid)
}
