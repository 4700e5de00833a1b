package controllers

import (
	"fmt"

	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/conditions"
)

// metaAppGates are the conditions that must be True for a MetaApp to be Ready.
var metaAppGates = []string{v1alpha1.ConditionCredentialsValid, v1alpha1.ConditionCreditLineReady, v1alpha1.ConditionWebhookSubscribed}

// updateStatus computes all conditions of a MetaApp from what the phases found, and says when to come again.
func (r *MetaAppReconciler) updateStatus(s *metaAppScope) ctrl.Result {
	set := conditions.New(s.app, s.now)
	generation := s.app.Generation
	s.progress.put(set, generation, v1alpha1.ConditionCredentialsValid, s.credentialsText)
	s.progress.put(set, generation, v1alpha1.ConditionCreditLineReady, s.creditText)
	s.progress.put(set, generation, v1alpha1.ConditionWebhookSubscribed, s.webhookText)
	if s.deletion != nil {
		set.Keep(metaAppGates...)
		s.markDeletion(set)
		set.Write()
		return ctrl.Result{RequeueAfter: s.deletion.after}
	}
	if s.progress.done[v1alpha1.ConditionWebhookSubscribed] {
		// Only what is known to be ours is remembered: a callback that isn't this one is somebody else's.
		s.app.Status.CallbackURL = s.callbackURL
	}
	s.progress.sumUp(set, metaAppGates, s.readyText)
	set.Write()
	s.app.Status.LastHandledReconcileAt = requestedAt(s.app)
	return s.progress.schedule(attempts{next: &s.app.Status.NextAttemptTime}, set, s.now.Time, jitter(r.options.CheckInterval))
}

func (s *metaAppScope) markDeletion(set *conditions.Set) {
	if s.deletion.state == stateStalled {
		set.MarkStalled(s.deletion.reason, s.deletion.message)
		return
	}
	set.MarkReconciling(s.deletion.reason, s.deletion.message)
}

func (s *metaAppScope) credentialsText() (reason, message string) {
	if reason, message, ok := s.expiryText(); ok {
		return reason, message
	}
	if s.app.Spec.SolutionPartner == nil {
		return v1alpha1.ReasonSucceeded, "Meta accepts the app secret."
	}
	return v1alpha1.ReasonSucceeded, "Meta accepts the app secret and the system token."
}

// expiryText warns of a system token that dies soon.
func (s *metaAppScope) expiryText() (reason, message string, ok bool) {
	token := s.app.Status.SystemToken
	if !expiring(token, s.now.Time) {
		return "", "", false
	}
	return v1alpha1.ReasonTokenExpiring, fmt.Sprintf("The system token expires on %s; generate another in Business Settings (System users) and put it into the Secret.",
		token.ExpiresAt.UTC().Format(timeShown)), true
}

func (s *metaAppScope) creditText() (reason, message string) {
	if s.app.Spec.SolutionPartner == nil {
		return v1alpha1.ReasonNotRequired, "Without spec.solutionPartner no credit is shared: customers pay Meta themselves."
	}
	return v1alpha1.ReasonSucceeded, "The credit line can be shared."
}

func (s *metaAppScope) webhookText() (reason, message string) {
	if s.app.Spec.Webhook.Subscription == v1alpha1.SubscriptionManual {
		return v1alpha1.ReasonManual, "spec.webhook.subscription is Manual: a person keeps the callback URL and the fields in the App Dashboard."
	}
	return v1alpha1.ReasonSucceeded, "Meta delivers the webhooks of this app to " + s.callbackURL + "."
}

func (s *metaAppScope) readyText() (reason, message string) {
	if reason, message, ok := s.expiryText(); ok {
		return reason, message
	}
	return v1alpha1.ReasonSucceeded, "The app can onboard customers and receive webhooks."
}

// inUse is the count that status shows.
func inUse(n int) *int32 { return new(int32(min(n, 1<<30))) } //nolint:gosec // bounded
