package controllers

import (
	"context"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/conditions"
	"github.com/whatsapp-operator/whatsapp-operator/internal/onboarding"
)

// journeyConditions are the steps that gate Ready, in the order of the journey.
var journeyConditions = []string{
	v1alpha1.ConditionTokenExchanged, v1alpha1.ConditionAssetsVerified, v1alpha1.ConditionWebhooksSubscribed,
	v1alpha1.ConditionCreditShared, v1alpha1.ConditionPhoneRegistered,
}

// informingConditions are the steps that never gate Ready.
var informingConditions = []string{v1alpha1.ConditionBusinessAppSynced, v1alpha1.ConditionTestMessageSent}

// maxShownAttempts is what status.registerAttempts takes.
const maxShownAttempts = 10

// finish turns what was found into the status, writes it once, and says when to come again.
func (r *OnboardingRequestReconciler) finish(ctx context.Context, j *journey) (ctrl.Result, error) {
	// A step that was held up is not worth a write, but the steps before it are: without one they would be repeated at Meta.
	after, held := j.held()
	if held && (len(j.performedNow) == 0 || recheckWanted(j.request)) {
		return ctrl.Result{RequeueAfter: after}, nil
	}
	now := metav1.NewTime(r.clock.Now().Truncate(time.Second))
	set := conditions.New(j.request, now)
	status := &j.request.Status
	status.LastHandledReconcileAt = requestedAt(j.request)
	j.showVault()
	j.showLink()
	tries := attempts{failures: &status.Failures, next: &status.NextAttemptTime}
	res := j.schedule(tries, set, now.Time, r.renewalLook(j))
	if j.facts.Held {
		// What could not be read is looked at again, and nothing is tried.
		tries.clear()
	}
	j.setConditions(set)
	j.sumUpJourney(set)
	set.Write()
	// Whoever holds the link may be waiting for this.
	if err := r.tellSignup(ctx, j); err != nil {
		return settle(ctx, ctrl.Result{}, err)
	}
	return settle(ctx, res, r.status.write(ctx, j.old, j.request))
}

// showVault copies what the vault says into status, for people. The vault stays the truth.
func (j *journey) showVault() {
	if j.entry == nil || !j.entry.Exists() {
		return
	}
	status := &j.request.Status
	status.Exchange = &v1alpha1.ExchangeStatus{CodeHash: j.entry.CodeHash, Attempts: new(int32(min(j.entry.Attempt, onboarding.MaxSends))), State: string(j.entry.Phase)} //nolint:gosec // at most 2
	if !j.entry.StartedAt.IsZero() {
		started := metav1.NewTime(j.entry.StartedAt.Truncate(time.Second))
		status.Exchange.StartedAt = &started
	}
	status.RegisterAttempts = nil
	for _, t := range j.entry.RegisterAttempts[max(0, len(j.entry.RegisterAttempts)-maxShownAttempts):] {
		status.RegisterAttempts = append(status.RegisterAttempts, metav1.NewTime(t.Truncate(time.Second)))
	}
	status.PINMismatches = nil
	if j.entry.PINMismatches > 0 {
		status.PINMismatches = new(int32(min(j.entry.PINMismatches, 1<<20)))
	}
}

// setConditions says of each step how it stands.
func (j *journey) setConditions(set *conditions.Set) {
	if j.facts.Held {
		set.Keep(journeyConditions...)
		set.Keep(informingConditions...)
		set.True(v1alpha1.ConditionSuspended, v1alpha1.ReasonSuspended, "spec.suspend is true: no work is done on this request.")
		return
	}
	set.False(v1alpha1.ConditionSuspended, v1alpha1.ReasonActive, "spec.suspend is not true.")
	j.markDone()
	for _, condition := range slices.Concat(journeyConditions, informingConditions) {
		j.put(set, j.request.Generation, condition, func() (string, string) { return j.success(set, condition) })
	}
	if j.dead {
		// A new token changes nothing of what was done at Meta for the account and the number.
		set.Keep(v1alpha1.ConditionWebhooksSubscribed, v1alpha1.ConditionCreditShared, v1alpha1.ConditionPhoneRegistered)
	}
}

// markDone adds the steps that the facts say are in place, performed now or earlier, unless a later look at them failed.
func (j *journey) markDone() {
	if j.done == nil {
		j.done = map[string]bool{}
	}
	for condition, in := range map[string]bool{
		v1alpha1.ConditionTokenExchanged:     j.facts.HasToken,
		v1alpha1.ConditionAssetsVerified:     j.facts.HasToken && j.facts.AssetsVerified,
		v1alpha1.ConditionWebhooksSubscribed: j.facts.Subscribed,
		v1alpha1.ConditionCreditShared:       j.facts.CreditShared || !j.facts.Partner,
		v1alpha1.ConditionPhoneRegistered:    j.facts.Number != onboarding.NumberUnregistered,
		v1alpha1.ConditionBusinessAppSynced:  j.facts.HasToken && j.facts.AssetsVerified && (j.facts.Number != onboarding.NumberCoexistent || j.facts.Synced),
		v1alpha1.ConditionTestMessageSent:    !j.facts.WantsTest || j.facts.Tested,
	} {
		_, failed := j.failed[condition]
		j.done[condition] = in && !failed
	}
}

// success words a condition that is True.
func (j *journey) success(set *conditions.Set, condition string) (reason, message string) {
	if condition == v1alpha1.ConditionTokenExchanged && j.expiring {
		return v1alpha1.ReasonTokenExpiring, j.expiringMessage()
	}
	if old := set.Old(condition); old != nil && old.Reason != v1alpha1.ReasonTokenExpiring && old.Status == metav1.ConditionTrue && !j.performed(condition) {
		return old.Reason, old.Message
	}
	return j.wordSuccess(condition)
}

// wordSuccess words a condition that has become True.
func (j *journey) wordSuccess(condition string) (reason, message string) {
	status := &j.request.Status
	switch condition {
	case v1alpha1.ConditionTokenExchanged:
		return v1alpha1.ReasonSucceeded, "The customer's token is kept."
	case v1alpha1.ConditionAssetsVerified:
		return v1alpha1.ReasonSucceeded, fmt.Sprintf("The token reaches the account %s and its number %s.", status.WABAID, status.DisplayPhoneNumber)
	case v1alpha1.ConditionWebhooksSubscribed:
		return v1alpha1.ReasonSucceeded, "The app receives the account's webhooks."
	case v1alpha1.ConditionCreditShared:
		if !j.facts.Partner {
			return v1alpha1.ReasonNotRequired, "The MetaApp is a Tech Provider's: the customer pays Meta."
		}
		return v1alpha1.ReasonSucceeded, fmt.Sprintf("The credit line pays for the account in %s.", j.request.Spec.Currency)
	case v1alpha1.ConditionPhoneRegistered:
		if j.facts.Number == onboarding.NumberCoexistent {
			return v1alpha1.ReasonNotRequired, "The number is used in the WhatsApp Business app, which registered it."
		}
		return v1alpha1.ReasonSucceeded, "The number is registered for Cloud API."
	case v1alpha1.ConditionBusinessAppSynced:
		if j.facts.Number != onboarding.NumberCoexistent {
			return v1alpha1.ReasonNotRequired, "The number is not used in the WhatsApp Business app."
		}
		return v1alpha1.ReasonSucceeded, "Meta hands over the contacts and chats of the WhatsApp Business app."
	default:
		if !j.facts.WantsTest {
			return v1alpha1.ReasonNotRequired, "spec.testMessage is not set."
		}
		return v1alpha1.ReasonSucceeded, "The test message was delivered."
	}
}

// performed says whether this reconciliation looked at the step at Meta, so that it is worded afresh.
func (j *journey) performed(condition string) bool {
	switch condition {
	case v1alpha1.ConditionTokenExchanged:
		return false
	case v1alpha1.ConditionTestMessageSent:
		return true
	default:
		return j.performedNow[condition]
	}
}

// sumUpJourney marks Ready. The copy of the credentials has no condition of its own, and the test message never counts.
func (j *journey) sumUpJourney(set *conditions.Set) {
	if j.facts.Held {
		set.MarkWaiting(v1alpha1.ReasonSuspended, "spec.suspend is true; set it to false to go on.")
		return
	}
	gating := journeyConditions
	if _, failed := j.failed[conditionCopy]; failed {
		gating = append(append([]string(nil), journeyConditions...), conditionCopy)
	}
	j.sumUp(set, gating, func() (string, string) {
		return v1alpha1.ReasonSucceeded, fmt.Sprintf("The number %s works.", j.request.Status.DisplayPhoneNumber)
	})
}
