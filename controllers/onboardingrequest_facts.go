package controllers

import (
	"context"
	"errors"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/onboarding"
	"github.com/whatsapp-operator/whatsapp-operator/internal/vault"
)

// observe gathers the facts that need no call to Meta: what the vault holds and what status remembers as proven.
func (r *OnboardingRequestReconciler) observe(ctx context.Context, j *journey) error {
	// What can't be read proves nothing, and makes no step unneeded.
	j.facts = factsOf(j.request, &vault.Entry{}, false)
	var err error
	if j.key, err = r.gate.key(ctx, j.request); err != nil {
		return err
	}
	if j.entry, err = r.readVault(ctx, j.key); err != nil {
		return err
	}
	j.facts = factsOf(j.request, j.entry, r.ownsEntry(ctx, j))
	if !j.facts.AssetsVerified {
		return nil
	}
	suspected, err := r.tokenSuspected(ctx, j.request)
	token := j.request.Status.Token
	if suspected || (token != nil && token.ExpiresAt != nil && !r.clock.Now().Before(token.ExpiresAt.Time)) {
		j.facts.AssetsVerified = false
	}
	return err
}

// ownsEntry says whether the vault's token may serve this request: if it was made for this very namespace, or if the request
// shows the code that it came from.
func (r *OnboardingRequestReconciler) ownsEntry(ctx context.Context, j *journey) bool {
	if !j.entry.Exists() || j.entry.BelongsTo(j.key.NamespaceUID) {
		return j.entry.Exists()
	}
	if j.request.Spec.CodeSecretRef == nil {
		return false
	}
	code, err := readCode(ctx, r.live, j.request)
	return err == nil && j.entry.HasTokenOf(vault.CodeHash(code))
}

// factsOf says what is known without asking Meta. What a person asks to be looked at again counts as unknown; every step
// reads before it writes, so that costs reads alone.
func factsOf(request *v1alpha1.OnboardingRequest, entry *vault.Entry, owned bool) onboarding.Facts {
	token, proven := entry.Current()
	spec, status := &request.Spec, &request.Status
	done := func(conditionType string) bool {
		return apimeta.IsStatusConditionTrue(status.Conditions, conditionType) && !recheckWanted(request)
	}
	f := onboarding.Facts{
		Held:     isSuspended(request),
		HasToken: owned && !token.IsZero(),
		AssetsVerified: done(v1alpha1.ConditionAssetsVerified) && proven && status.WABAID == entry.WABAID && status.PhoneNumberID == entry.PhoneNumberID &&
			expects(spec.WABAID, status.WABAID) && expects(spec.PhoneNumberID, status.PhoneNumberID),
		// A request without a code came by signup link: whoever opened it onboarded his business at the partner's cost.
		NeedsApproval: spec.CodeSecretRef == nil, Approved: spec.WABAID != "",
		Subscribed: done(v1alpha1.ConditionWebhooksSubscribed), Synced: done(v1alpha1.ConditionBusinessAppSynced),
		// Whether credit is needed is known when the MetaApp is loaded; until then it is, unless it was shared.
		Partner: true, CreditShared: done(v1alpha1.ConditionCreditShared),
		Number:    onboarding.NumberUnregistered,
		WantsCopy: spec.CredentialsSecretName != "",
		WantsTest: spec.TestMessage != nil,
	}
	switch {
	case entry.Coexistent:
		f.Number = onboarding.NumberCoexistent
	case done(v1alpha1.ConditionPhoneRegistered):
		f.Number = onboarding.NumberConnected
	}
	return f
}

// settled says whether the vault has something to tell of a code.
func settled(entry *vault.Entry) bool {
	return entry.Exists() && (!atWork(entry) || entry.LastOutcome != "")
}

// expects says whether a proven id is the expected one, or none is expected.
func expects(want, proven string) bool { return want == "" || want == proven }

// recheckWanted says whether a person asked for a reconciliation that has not been made.
func recheckWanted(request *v1alpha1.OnboardingRequest) bool {
	wish := requestedAt(request)
	return wish != "" && wish != request.Status.LastHandledReconcileAt
}

// rest is how long the back-off of the last failure goes on. It lives in status, so that a restart doesn't shorten it; a
// person's change ends it.
func (j *journey) rest(now time.Time) time.Duration {
	next := j.request.Status.NextAttemptTime
	ready := apimeta.FindStatusCondition(j.request.Status.Conditions, v1alpha1.ConditionReady)
	if next == nil || ready == nil || ready.ObservedGeneration != j.request.Generation || recheckWanted(j.request) || !j.facts.HasToken {
		return 0
	}
	return next.Sub(now)
}

// readVault reads the entry live, and says what to do about a place that is taken.
func (r *OnboardingRequestReconciler) readVault(ctx context.Context, key vault.Key) (*vault.Entry, error) {
	entry, err := r.vault.Read(ctx, key)
	return entry, r.vaultError(key, err)
}

// vaultError gives the vault's errors the meaning that they have for a request.
func (r *OnboardingRequestReconciler) vaultError(key vault.Key, err error) error {
	switch {
	case errors.Is(err, vault.ErrOccupied):
		return stalledBy(err, v1alpha1.ReasonVaultConflict,
			"The place for the token, the Secret %s/%s, is taken by a Secret that this operator did not make for this request; a platform administrator must look at it and remove it.",
			r.vault.Namespace, key.SecretName())
	case errors.Is(err, vault.ErrConflict):
		return retryAfter(secretInterval, v1alpha1.ReasonProgressing, "The token's record was changed by another replica; looking again.")
	default:
		return err
	}
}
