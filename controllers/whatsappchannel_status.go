package controllers

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/conditions"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
)

// channelGates are the conditions that must be True for a WhatsAppChannel to be Ready.
var channelGates = []string{
	v1alpha1.ConditionAccepted, v1alpha1.ConditionCredentialsValid, v1alpha1.ConditionPhoneConnected, v1alpha1.ConditionWebhookSubscribed,
}

// temporaryToken is the type of a person's token, such as the one of the API Setup page that dies within a day.
const temporaryToken = "USER"

// updateStatus computes all conditions of a WhatsAppChannel from what the phases found, and says when to come again. wait is how long what
// was seen before is good for; it counts if nothing was looked at now.
func (r *WhatsAppChannelReconciler) updateStatus(s *channelScope, wait time.Duration) ctrl.Result {
	set := conditions.New(s.channel, s.now)
	res := ctrl.Result{RequeueAfter: wait}
	s.recordHold()
	switch {
	case s.deletion != nil:
		set.Keep(channelGates...)
		s.markDeletion(set)
		res.RequeueAfter = s.deletion.after
	case ptr.Deref(s.channel.Spec.Suspend, false):
		set.Keep(channelGates...)
		attempts{&s.channel.Status.Failures, &s.channel.Status.NextAttemptTime}.clear()
		set.MarkWaiting(v1alpha1.ReasonSuspended, "spec.suspend is true: the operator does nothing for this channel; its messages go on being answered.")
	case s.kept:
		set.KeepAll()
	default:
		r.setGates(s, set)
		s.recordFacts()
		check := jitter(r.options.CheckInterval)
		res = s.progress.schedule(attempts{&s.channel.Status.Failures, &s.channel.Status.NextAttemptTime}, set, s.now.Time, check)
		s.channel.Status.LastHandledReconcileAt = requestedAt(s.channel)
	}
	s.recordTraffic()
	s.setInforming(set)
	set.Write()
	return res
}

func (r *WhatsAppChannelReconciler) setGates(s *channelScope, set *conditions.Set) {
	generation := s.channel.Generation
	s.progress.put(set, generation, v1alpha1.ConditionAccepted, func() (string, string) {
		return v1alpha1.ReasonSucceeded, "The channel can be served in this namespace."
	})
	s.progress.put(set, generation, v1alpha1.ConditionCredentialsValid, s.credentialsText)
	s.progress.put(set, generation, v1alpha1.ConditionPhoneConnected, func() (string, string) {
		return v1alpha1.ReasonSucceeded, "Meta reports the number as connected."
	})
	s.progress.put(set, generation, v1alpha1.ConditionWebhookSubscribed, func() (string, string) {
		return v1alpha1.ReasonSucceeded, "Meta delivers this number's messages to the webhook-server."
	})
	s.progress.sumUp(set, channelGates, s.readyText)
}

// setInforming sets the conditions that never gate Ready.
func (s *channelScope) setInforming(set *conditions.Set) {
	if ptr.Deref(s.channel.Spec.Suspend, false) {
		set.True(v1alpha1.ConditionSuspended, v1alpha1.ReasonSuspended, "spec.suspend is true.")
	} else {
		set.False(v1alpha1.ConditionSuspended, v1alpha1.ReasonActive, "spec.suspend is not true.")
	}
	s.setVerified(set)
	s.setAssistant(set)
}

// setVerified tells whether webhooks have been seen, as the webhook-server reports it.
func (s *channelScope) setVerified(set *conditions.Set) {
	const condition = v1alpha1.ConditionWebhookVerified
	old := set.Old(condition)
	switch {
	case s.news.proof == serverapi.Delivery:
		set.True(condition, v1alpha1.ReasonSucceeded, "Genuine webhooks for this number arrive.")
	case s.news.signatureFailing && !s.genuineLately():
		set.False(condition, v1alpha1.ReasonSignatureFailing,
			"Deliveries that name this number are not signed with the app secret that is configured. If messages are missing, copy the app secret again from the App Dashboard (App settings, Basic); else somebody sends forgeries, which change nothing.")
	case s.news.tokenMismatch && (old == nil || old.Status != metav1.ConditionTrue):
		set.False(condition, v1alpha1.ReasonVerifyTokenMismatch,
			"Somebody tried to verify a callback URL here with a verify token that no channel has. If that was for this number, copy the verify token again exactly as status.verifyTokenSecretRef shows it, and status.callbackURL, which starts with https:// and must be reachable from the internet, and click Verify and save in the App Dashboard (WhatsApp, Configuration).")
	case s.news.proof == serverapi.Handshake && (old == nil || old.Status != metav1.ConditionTrue):
		set.True(condition, v1alpha1.ReasonSucceeded, "Meta has verified the callback URL.")
	case old != nil && old.Reason != v1alpha1.ReasonPending:
		set.Keep(condition)
	default:
		set.Unknown(condition, v1alpha1.ReasonWaitingForWebhook, "No handshake and no genuine webhook has been seen yet; send a message to the number.")
	}
}

// genuineLately says whether genuine webhooks have come of late. Anybody can send a body that names the number: while genuine ones
// arrive, others are forgeries, which must not make a sound channel look broken. Traffic is shown by the hour, hence two of them.
func (s *channelScope) genuineLately() bool {
	latest := timeOf(ptr.Deref(s.channel.Status.Traffic, v1alpha1.TrafficStatus{}).LastReceivedAt)
	if s.news.received.After(latest) {
		latest = s.news.received
	}
	return !latest.IsZero() && s.now.Sub(latest) < 2*time.Hour
}

// recordFacts shows what the phases found; what they did not reach stays as it was.
func (s *channelScope) recordFacts() {
	status, n := &s.channel.Status, &s.number
	if n.callbackURL != "" {
		status.CallbackURL = n.callbackURL
	}
	if !s.progress.done[v1alpha1.ConditionCredentialsValid] || s.token.Type == "" && !s.token.Valid {
		return
	}
	status.BusinessAccountID, status.AppID = n.wabaID, n.appID
	status.LineID = lineID(s.namespaceUID, n.phoneNumberID)
	status.Token = tokenStatus(n.token, s.token)
	status.AppSecretHint = masked(n.ownAppSecret)
	if s.phoneErr != nil || s.phone.ID == "" {
		return
	}
	p := &s.phone
	status.Phone = &v1alpha1.PhoneStatus{
		ID: string(p.ID), DisplayNumber: clip(p.DisplayPhoneNumber, maxWordShown), VerifiedName: clip(p.VerifiedName, maxNameShown),
		Status: clip(p.Status, maxWordShown), PlatformType: clip(p.PlatformType, maxWordShown), QualityRating: clip(p.QualityRating, maxWordShown),
		ThroughputLevel: clip(p.Throughput.Level, maxWordShown), MessagingLimit: clip(p.MessagingLimit, maxWordShown),
		Coexistence: new(p.OnBizApp),
	}
	if p.HealthStatus != nil {
		status.Phone.CanSendMessage = clip(p.HealthStatus.CanSendMessage, maxWordShown)
	}
}

// recordTraffic shows when messages last passed. Who owns the chats is always worth a write.
func (s *channelScope) recordTraffic() {
	shown := ptr.Deref(s.channel.Status.Traffic, v1alpha1.TrafficStatus{})
	have := timeOf(shown.LastStandbyAt)
	copies := latestCopies(have, timeOf(shown.LastReceivedAt), &s.news)
	if copies.Equal(have) && !s.trafficIsDue(shown) {
		return
	}
	latest := func(shown *metav1.Time, seen time.Time) *metav1.Time {
		if seen.IsZero() || (shown != nil && !seen.After(shown.Time)) {
			return shown
		}
		return toHour(seen)
	}
	shown.LastReceivedAt = latest(shown.LastReceivedAt, s.news.received)
	shown.LastSentAt = latest(shown.LastSentAt, s.news.sent)
	if shown.FirstReceivedAt == nil && !s.news.first.IsZero() {
		shown.FirstReceivedAt = toHour(s.news.first)
	}
	shown.LastStandbyAt = nil
	if !copies.IsZero() {
		shown.LastStandbyAt = toHour(copies)
	}
	s.channel.Status.Traffic = &shown
}

func toHour(t time.Time) *metav1.Time { return new(metav1.NewTime(t.UTC().Truncate(time.Hour))) }

// timeOf is the zero time if there is none.
func timeOf(t *metav1.Time) time.Time { return ptr.Deref(t, metav1.Time{}).Time }

// unshownTraffic is what was heard of traffic and the status doesn't show.
func (s *channelScope) unshownTraffic() observation {
	var unshown observation
	shown := ptr.Deref(s.channel.Status.Traffic, v1alpha1.TrafficStatus{})
	if s.news.received.After(timeOf(shown.LastReceivedAt)) {
		unshown.received = s.news.received
	}
	if s.news.sent.After(timeOf(shown.LastSentAt)) {
		unshown.sent = s.news.sent
	}
	return unshown
}

// trafficWaits is how long the second direction of an hour waits for the next hour's write to take it along.
const trafficWaits = 2 * time.Hour

// trafficIsDue says whether what was heard is worth a write: the first of its direction, a later hour than both that are shown, and what no
// other write has taken along. So a channel full of traffic costs one write per hour, and shows both directions all the same.
func (s *channelScope) trafficIsDue(shown v1alpha1.TrafficStatus) bool {
	due := func(shown *metav1.Time, seen time.Time) bool {
		return !seen.IsZero() && (shown == nil || seen.After(shown.Time) && s.now.Sub(seen) >= trafficWaits)
	}
	return laterHour(shown, s.news) || due(shown.LastReceivedAt, s.news.received) || due(shown.LastSentAt, s.news.sent)
}

func laterHour(shown v1alpha1.TrafficStatus, seen observation) bool {
	have := timeOf(shown.LastReceivedAt)
	if sent := timeOf(shown.LastSentAt); sent.After(have) {
		have = sent
	}
	return seen.received.After(have) || seen.sent.After(have)
}

func (s *channelScope) markDeletion(set *conditions.Set) {
	if s.deletion.state == stateStalled {
		set.MarkStalled(s.deletion.reason, s.deletion.message)
		return
	}
	set.MarkReconciling(s.deletion.reason, s.deletion.message)
}

func (s *channelScope) credentialsText() (reason, message string) {
	if reason, message, ok := s.expiryText(); ok {
		return reason, message
	}
	return v1alpha1.ReasonSucceeded, "Meta accepts the access token and the app secret."
}

// expiryText warns of a token that dies soon.
func (s *channelScope) expiryText() (reason, message string, ok bool) {
	switch {
	case s.token.Type == temporaryToken:
		return v1alpha1.ReasonTokenExpiring, "The access token is a temporary one of a person, as the API Setup page gives it: it dies within a day; " + s.tokenAdvice() + ".", true
	case !s.token.ExpiresAt.IsZero() && s.token.ExpiresAt.Sub(s.now.Time) < expiryWarning:
		at := s.token.ExpiresAt.UTC().Format(timeShown)
		return v1alpha1.ReasonTokenExpiring, fmt.Sprintf("The access token expires on %s; %s.", at, s.tokenAdvice()), true
	default:
		return "", "", false
	}
}

func (s *channelScope) readyText() (reason, message string) {
	if reason, message := s.holdProblem(); reason != "" {
		return reason, message
	}
	if reason, message, ok := s.expiryText(); ok {
		return reason, message
	}
	return v1alpha1.ReasonSucceeded, fmt.Sprintf("Connected as %s (%s).", s.phone.DisplayPhoneNumber, s.phone.VerifiedName)
}
