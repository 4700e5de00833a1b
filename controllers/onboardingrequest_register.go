package controllers

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/big"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
	"github.com/whatsapp-operator/whatsapp-operator/internal/onboarding"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/vault"
)

const (
	// maxRegisterCalls is how many of the ten register calls that Meta allows per number in 72 hours are used without a person:
	// the rest is for whoever repairs it, and for other parties who may have used some.
	maxRegisterCalls = 8
	// registrationLock is how long Meta refuses calls after too many, see
	// developers.facebook.com/docs/whatsapp/cloud-api/reference/registration.
	registrationLock = 72 * time.Hour
	// pinPause is how long to wait after a PIN was entered too fast; Meta tells the time in prose only.
	pinPause = 10 * time.Minute
)

// register registers the number for Cloud API. The number is read before every call: one that works must not be registered
// again, and calls are few.
func (r *OnboardingRequestReconciler) register(ctx context.Context, j *journey) error {
	now := r.clock.Now()
	if len(vault.RecentAttempts(j.entry.RegisterAttempts, now)) >= maxRegisterCalls || now.Before(j.entry.LockedUntil) {
		j.facts.RegistrationLocked = true
		return nil
	}
	pin, err := r.choosePIN(ctx, j)
	if err != nil || j.facts.PINRefused {
		return err
	}
	if j.phone == nil {
		if err := r.readPhone(ctx, j); err != nil || j.facts.Number != onboarding.NumberUnregistered {
			return err
		}
	}
	// Intent: the PIN, which this call may set for good, and the call itself, which Meta counts. A crash before this write has
	// called nothing. After it the PIN is known whatever happens, and at worst one call is counted that wasn't made.
	if j.entry, err = r.vault.BeginRegister(ctx, j.key, j.entry, pin); err != nil {
		return r.vaultError(j.key, err)
	}
	err = j.app.Client.RegisterPhone(context.WithoutCancel(ctx), j.businessCredential(), j.request.Status.PhoneNumberID, meta.Registration{
		PIN: pin.Reveal(), DataLocalizationRegion: j.request.Spec.DataLocalizationRegion,
	})
	if err != nil {
		return r.registerFailed(ctx, j, pin, err)
	}
	// The receipt is Meta's own: the next reading of the number says that it is connected.
	j.facts.Number = onboarding.NumberConnected
	return nil
}

// readPhone reads the number.
func (r *OnboardingRequestReconciler) readPhone(ctx context.Context, j *journey) error {
	phone, err := j.app.Client.PhoneNumber(ctx, j.businessCredential(), j.request.Status.PhoneNumberID)
	if err != nil {
		return err
	}
	j.observePhone(&phone)
	return nil
}

// choosePIN returns the given PIN, or the one that was made up before, or makes one up. A PIN that was refused is not tried
// again: Meta locks the number after a few wrong ones.
func (r *OnboardingRequestReconciler) choosePIN(ctx context.Context, j *journey) (redact.Secret, error) {
	if j.request.Spec.PINSecretRef != nil {
		pin, err := readPIN(ctx, r.live, j.request)
		j.facts.PINRefused = err == nil && vault.PINHash(j.request.Status.PhoneNumberID, pin) == j.entry.RefusedPINHash
		return pin, err
	}
	if j.entry.PINMismatches > 0 {
		// The number has a PIN that we don't know; another random one would be another guess.
		j.facts.PINRefused = true
		return redact.Secret{}, nil
	}
	if !j.entry.PIN.IsZero() {
		return j.entry.PIN, nil
	}
	return randomPIN()
}

// randomPIN makes up six digits that nobody can guess.
func randomPIN() (redact.Secret, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		return redact.Secret{}, fmt.Errorf("make a PIN: %w", err)
	}
	return redact.New(fmt.Sprintf("%06d", n.Int64())), nil
}

// registerFailed says what a failed register call means.
func (r *OnboardingRequestReconciler) registerFailed(ctx context.Context, j *journey, pin redact.Secret, err error) error {
	switch meta.ClassOf(err) {
	case meta.ClassPINMismatch, meta.ClassRegistrationState:
		return r.afterRefusal(ctx, j, pin, err)
	case meta.ClassRegistrationLocked:
		entry, lockErr := r.vault.LockRegistration(ctx, j.key, j.entry, r.clock.Now().Add(registrationLock))
		if lockErr != nil {
			// The refusal was not recorded. Stalled all the same, or the next reconciliation would call again.
			log.FromContext(ctx).Error(lockErr, "The lock of the number could not be recorded")
			j.entry.LockedUntil = r.clock.Now().Add(registrationLock)
			return registrationLocked(j)
		}
		j.entry = entry
		return registrationLocked(j)
	case meta.ClassNumberNotVerified:
		return stalledBy(err, v1alpha1.ReasonNumberNotVerified, "The ownership of the number %s is not verified; let the customer verify it in WhatsApp Manager or sign up again, then set the annotation %s to the present time.",
			j.request.Status.DisplayPhoneNumber, v1alpha1.RequestedAtAnnotation)
	case meta.ClassPINInvalid:
		return stalledBy(err, v1alpha1.ReasonPINMalformed, "Meta refused the two-step verification PIN as malformed or weak; put another into the Secret that spec.pinSecretRef names, then set the annotation %s to the present time.",
			v1alpha1.RequestedAtAnnotation)
	case meta.ClassTooManyPINGuesses:
		return stalledBy(err, v1alpha1.ReasonPINMismatch, "Meta blocks PIN entry for the number after too many wrong PINs; wait as long as Meta says, then give the right PIN by spec.pinSecretRef and set the annotation %s to the present time.",
			v1alpha1.RequestedAtAnnotation)
	case meta.ClassPINTooFast:
		return retryAfter(pinPause, v1alpha1.ReasonThrottled, "Meta asks to wait before the PIN is entered again.")
	case meta.ClassDeregistrationIncomplete:
		return r.finishDeregistration(ctx, j)
	default:
		return err
	}
}

// afterRefusal looks whether the number works in spite of the refusal: what Meta answers to registering a number that is
// registered already, perhaps by another partner in this very moment, is not published.
func (r *OnboardingRequestReconciler) afterRefusal(ctx context.Context, j *journey, pin redact.Secret, refusal error) error {
	if meta.ClassOf(refusal) == meta.ClassPINMismatch {
		// Before anything else: a refused PIN that is forgotten would be tried again.
		entry, err := r.vault.RefusePIN(ctx, j.key, j.entry, vault.PINHash(j.request.Status.PhoneNumberID, pin))
		if err != nil {
			return r.vaultError(j.key, err)
		}
		j.entry = entry
	}
	if err := r.readPhone(ctx, j); err != nil {
		return err
	}
	if j.facts.Number != onboarding.NumberUnregistered {
		return nil
	}
	if meta.ClassOf(refusal) == meta.ClassPINMismatch {
		return pinRefused(j)
	}
	return refusal
}

// finishDeregistration completes a deregistration that somebody began. It counts like a register call.
func (r *OnboardingRequestReconciler) finishDeregistration(ctx context.Context, j *journey) error {
	entry, err := r.vault.BeginRegister(ctx, j.key, j.entry, j.entry.PIN)
	if err != nil {
		return r.vaultError(j.key, err)
	}
	j.entry = entry
	if err := j.app.Client.DeregisterPhone(context.WithoutCancel(ctx), j.businessCredential(), j.request.Status.PhoneNumberID); err != nil {
		return err
	}
	return retryAfter(firstBackoff, v1alpha1.ReasonProgressing, "An earlier deregistration of the number was completed; registering it again.")
}

// registrationLocked is the state of a number that must not be registered for now.
func registrationLocked(j *journey) error {
	until := j.entry.LockedUntil
	if calls := j.entry.RegisterAttempts; until.IsZero() && len(calls) > 0 {
		// It was not Meta that refused: one of the calls has to be forgotten first.
		until = calls[max(0, len(calls)-maxRegisterCalls)].Add(registrationLock)
	}
	return stalled(v1alpha1.ReasonRegistrationLocked,
		"The number %s had too many register calls in 72 hours; Meta locks it for 72 hours after ten. Find out why registration failed, wait until %s, then set the annotation %s to the present time.",
		j.request.Status.DisplayPhoneNumber, until.UTC().Format(timeShown), v1alpha1.RequestedAtAnnotation)
}

// pinRefused is the state of a number with another PIN.
func pinRefused(j *journey) error {
	remedy := "put the customer's PIN into a Secret of this namespace and name it in spec.pinSecretRef"
	if ref := j.request.Spec.PINSecretRef; ref != nil {
		remedy = fmt.Sprintf("correct the key %q of the Secret %s, which spec.pinSecretRef names, and set the annotation %s to the present time", keyOr(ref, v1alpha1.SecretKeyPIN), ref.Name, v1alpha1.RequestedAtAnnotation)
	}
	return stalled(v1alpha1.ReasonPINMismatch,
		"The number %s has another two-step verification PIN; %s. If nobody knows it, let the customer switch it off in WhatsApp Manager: any other six digits will do then.",
		j.request.Status.DisplayPhoneNumber, remedy)
}
