package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
)

const (
	// renewalInterval is how often Meta is asked for another token in place of one that dies. It may begin to give one out, and the
	// customer may take days to sign up again.
	renewalInterval = 24 * time.Hour
	// renewalRetry is how soon that is tried again when Meta could not be asked.
	renewalRetry = time.Hour
)

// renewing says whether a request shows that its token dies soon, so that a new code is welcome. The present token serves meanwhile.
func renewing(request *v1alpha1.OnboardingRequest) bool {
	c := apimeta.FindStatusCondition(request.Status.Conditions, v1alpha1.ConditionTokenExchanged)
	return c != nil && c.Status == "True" && c.Reason == v1alpha1.ReasonTokenExpiring
}

// renew sees to a proven token that dies soon: another one from Meta without the customer, else the way to sign up again stays open. What
// fails here disturbs nobody: the present token serves.
func (r *OnboardingRequestReconciler) renew(ctx context.Context, j *journey) {
	if j.facts.Held || !j.facts.HasToken || !j.facts.AssetsVerified || !expiring(j.request.Status.Token, r.clock.Now()) {
		return
	}
	j.expiring = true
	fetched, err := r.fetchRenewed(ctx, j)
	if err == nil && fetched {
		j.facts.AssetsVerified, j.facts.Copied = false, false
		r.advance(ctx, j)
		j.expiring = j.facts.AssetsVerified && expiring(j.request.Status.Token, r.clock.Now())
	}
	if err == nil && j.expiring && bySignupLink(j.request) {
		err = r.ensureLink(ctx, j)
	}
	if err != nil {
		log.FromContext(ctx).Info("The token that dies soon could not be seen to; trying again", "cause", classify(err).message)
	}
}

// fetchRenewed asks Meta for a token in place of one that dies or is dead, and says whether one waits to be proven. Nobody knows whether
// Meta does that for businesses that signed up by code; if it doesn't, that is remembered for a day.
func (r *OnboardingRequestReconciler) fetchRenewed(ctx context.Context, j *journey) (bool, error) {
	now := r.clock.Now()
	if j.entry.OwnerBusinessID == "" || now.Before(j.entry.RenewalTriedAt.Add(renewalInterval)) {
		return false, nil
	}
	if err := r.loadApp(ctx, j); err != nil {
		return false, err
	}
	if j.app.SystemToken.IsZero() {
		return false, nil
	}
	token, err := j.app.Client.FetchBusinessToken(ctx, j.app.SystemCredential(), j.entry.OwnerBusinessID)
	if err != nil && meta.OutcomeOf(err) != meta.Rejected {
		return false, err
	}
	better := false
	if err == nil {
		if better, err = r.outlives(ctx, j, token.Token); err != nil {
			return false, err
		}
	}
	if !better {
		entry, err := r.vault.NoteRenewal(ctx, j.key, j.entry)
		if err != nil {
			return false, r.vaultError(j.key, err)
		}
		j.entry = entry
		return false, nil
	}
	entry, err := r.vault.KeepRenewed(ctx, j.key, j.entry, token.Token)
	if err != nil {
		return false, r.vaultError(j.key, err)
	}
	j.entry = entry
	return true, nil
}

// outlives says whether a token that Meta gave out is alive and no candidate for renewal itself: it may be the very one that dies.
func (r *OnboardingRequestReconciler) outlives(ctx context.Context, j *journey, token redact.Secret) (bool, error) {
	info, err := r.inspectToken(ctx, j.app, token)
	if stall := (*stalledError)(nil); errors.As(err, &stall) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return info.ExpiresAt.IsZero() || info.ExpiresAt.Sub(r.clock.Now()) >= expiryWarning, nil
}

// refuseNext drops a new token that did not prove what the serving one has proven, and tells why.
func (r *OnboardingRequestReconciler) refuseNext(ctx context.Context, j *journey, err error) error {
	v := classify(err)
	entry, werr := r.vault.Refuse(ctx, j.key, j.entry, v.reason)
	if werr != nil {
		return r.vaultError(j.key, werr)
	}
	j.entry = entry
	r.status.recorder.Eventf(j.request, nil, corev1.EventTypeWarning, v.reason, "Renew", "%s",
		clipNote("The token of a new signup was refused, and the earlier one stays: "+v.message))
	return nil
}

// replaceDead sees to a token that is dead and had proven its account: another one from Meta, or a new signup.
func (r *OnboardingRequestReconciler) replaceDead(ctx context.Context, j *journey, dead error) error {
	j.dead = true
	fetched, err := r.fetchRenewed(ctx, j)
	if err != nil {
		return err
	}
	if fetched {
		if err = r.proveAssets(ctx, j); err == nil {
			j.dead = false
			return nil
		}
		if stall := (*stalledError)(nil); !errors.As(err, &stall) {
			return err
		}
		if err := r.refuseNext(ctx, j, err); err != nil {
			return err
		}
	}
	if !bySignupLink(j.request) {
		return recheckIn(dead, renewalInterval)
	}
	if err := r.ensureLink(ctx, j); err != nil {
		return err
	}
	if j.codeAtWork(r.clock.Now()) {
		return blockedFor(gateRecheck, v1alpha1.ReasonProgressing, "The signup code is being exchanged for the customer's token.")
	}
	return waitingFor(min(r.untilLinkExpires(j), renewalInterval), v1alpha1.ReasonWaitingForSignup,
		"The customer's token is no longer valid: it expired, or the customer withdrew it. Let the customer sign up again with the same account.%s Send them the link: %s",
		lastTry(j), whereLinkIs(j.request))
}

// lastTry tells of a new signup that failed, as a sentence after others; empty if there was none.
func lastTry(j *journey) string {
	if why := whyCodeFailed[j.entry.Failure]; why != "" && j.entry.CodeHash != j.entry.TokenCodeHash {
		return " The last try failed: " + why
	}
	if j.entry.Failure != "" && j.entry.CodeHash != j.entry.TokenCodeHash {
		return fmt.Sprintf(" The last try failed (%s); the events say more.", j.entry.Failure)
	}
	return ""
}

// expiringMessage says that the token dies soon, and what to do.
func (j *journey) expiringMessage() string {
	advice := newCodeAdvice(j.request)
	return fmt.Sprintf("The customer's token dies at %s; it serves until then. Let the customer sign up again with the same account.%s %s",
		j.request.Status.Token.ExpiresAt.UTC().Format(timeShown), lastTry(j), advice)
}

// renewalLook is how soon a request that works has to be looked at because of its token; 0 if never.
func (r *OnboardingRequestReconciler) renewalLook(j *journey) time.Duration {
	token := j.request.Status.Token
	if token == nil || token.ExpiresAt == nil || j.facts.Held {
		return 0
	}
	for _, condition := range journeyConditions {
		if _, failed := j.failed[condition]; failed {
			// What is in the way comes first, and says itself when to look again.
			return 0
		}
	}
	now := r.clock.Now()
	left := token.ExpiresAt.Sub(now)
	if left > expiryWarning {
		return left - expiryWarning + time.Second
	}
	look := renewalRetry
	if next := j.entry.RenewalTriedAt.Add(renewalInterval); next.After(now) {
		look = next.Sub(now)
	}
	if left > 0 {
		look = min(look, left+time.Second)
	}
	if j.link != nil {
		look = min(look, r.untilLinkExpires(j))
	}
	return max(look, time.Second)
}

// tokenSuspected says whether a channel of the request was told by Meta that the token is dead.
func (r *OnboardingRequestReconciler) tokenSuspected(ctx context.Context, request *v1alpha1.OnboardingRequest) (bool, error) {
	var channels v1alpha1.WhatsAppChannelList
	if err := r.client.List(ctx, &channels, client.InNamespace(request.Namespace)); err != nil {
		return false, fmt.Errorf("list the channels of a request: %w", err)
	}
	for i := range channels.Items {
		ref := channels.Items[i].Spec.Source.OnboardingRequestRef
		if ref != nil && ref.Name == request.Name && tokenRefused(&channels.Items[i]) {
			return true, nil
		}
	}
	return false, nil
}

// tokenRefused says whether a channel shows that Meta refuses its token.
func tokenRefused(obj client.Object) bool {
	channel, ok := obj.(*v1alpha1.WhatsAppChannel)
	if !ok {
		return false
	}
	c := apimeta.FindStatusCondition(channel.Status.Conditions, v1alpha1.ConditionCredentialsValid)
	return c != nil && c.Status == "False" && c.Reason == v1alpha1.ReasonInvalidAccessToken
}
