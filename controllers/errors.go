package controllers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
)

const (
	// firstBackoff and maxBackoff bound the time between attempts while something fails: quick enough to forgive a blip, slow enough
	// that a broken object costs about as many calls as a sound one.
	firstBackoff = 5 * time.Second
	maxBackoff   = 30 * time.Minute
	// secretPatience is how long a missing Secret is looked for every secretInterval: GitOps tools apply objects of one commit in any
	// order, and a signup code lives 30 seconds.
	secretPatience = 2 * time.Minute
	secretInterval = time.Second
	// shownWait is how long our own limit may hold a call back without status telling of it.
	shownWait = 30 * time.Second
)

// stalledError means that only a change made by a person can help. The message says which.
type stalledError struct {
	reason, message string
	cause           error
	// recheck is how soon to look again all the same; 0 means not before something changes.
	recheck time.Duration
}

func (e *stalledError) Error() string { return e.message }
func (e *stalledError) Unwrap() error { return e.cause }

// stalled makes an error that stalls the object.
func stalled(reason, format string, args ...any) error {
	return &stalledError{reason: reason, message: fmt.Sprintf(format, args...)}
}

// stalledBy is stalled with the error that led to it, for the log.
func stalledBy(cause error, reason, format string, args ...any) error {
	return &stalledError{reason: reason, message: fmt.Sprintf(format, args...), cause: cause}
}

// waitingError means that nothing is wrong and that a named person has to act before work goes on.
type waitingError struct {
	reason, message string
	// recheck is how soon to look again without being told; 0 means that a watch tells.
	recheck time.Duration
}

func (e *waitingError) Error() string { return e.message }

// waiting makes an error that leaves the object waiting until a watched object changes.
func waiting(reason, format string, args ...any) error {
	return &waitingError{reason: reason, message: fmt.Sprintf(format, args...)}
}

// waitingFor is waiting with a look every so often.
func waitingFor(recheck time.Duration, reason, format string, args ...any) error {
	return &waitingError{reason: reason, message: fmt.Sprintf(format, args...), recheck: recheck}
}

// retryError means that time can help.
type retryError struct {
	reason, message string
	// after is when to try again; 0 means that the back-off decides.
	after time.Duration
	cause error
}

func (e *retryError) Error() string { return e.message }
func (e *retryError) Unwrap() error { return e.cause }

// retry makes an error that is tried again, spaced by the back-off.
func retry(cause error, reason, format string, args ...any) error {
	return &retryError{reason: reason, message: fmt.Sprintf(format, args...), cause: cause}
}

// retryAfter is retry with a time of its own.
func retryAfter(after time.Duration, reason, format string, args ...any) error {
	return &retryError{reason: reason, message: fmt.Sprintf(format, args...), after: after}
}

// blockedError means that another object has to become ready first. A watch on it tells when, so no attempt is counted.
type blockedError struct {
	reason, message string
	// recheck is how soon to look again in case that no watch tells.
	recheck time.Duration
}

func (e *blockedError) Error() string { return e.message }

// blocked makes an error that leaves the object reconciling until a watched object changes.
func blocked(reason, format string, args ...any) error {
	// A watch can miss what happened while this reconciliation ran: the longest back-off is the safety net.
	return blockedFor(maxBackoff, reason, format, args...)
}

// blockedFor is blocked with a look every so often, for what no watch tells of.
func blockedFor(recheck time.Duration, reason, format string, args ...any) error {
	return &blockedError{reason: reason, message: fmt.Sprintf(format, args...), recheck: jitter(recheck)}
}

// busyError means that somebody else is at work on the same thing and will be done soon: nothing failed, so nothing is shown or counted.
type busyError struct{ after time.Duration }

func (*busyError) Error() string { return "Another writer is at work; looking again." }

// missingSecretError means that a referenced Secret, or a key of it, is not there (yet).
type missingSecretError struct {
	// field is the path of the reference in the object, namespace and name what it names; key is empty if the Secret itself is missing.
	field, namespace, name, key string
	// why replaces the usual reason where the API has a better one, remedy the usual advice where more is known about the value.
	why, remedy string
}

func (e *missingSecretError) Error() string {
	if e.key == "" {
		return fmt.Sprintf("%s names the Secret %s/%s, which does not exist; create it.", e.field, e.namespace, e.name)
	}
	return fmt.Sprintf("The Secret %s/%s, which %s names, has no key %q or an empty one; %s.", e.namespace, e.name, e.field, e.key, cmp.Or(e.remedy, "add it"))
}

func (e *missingSecretError) reason() string {
	if e.why != "" {
		return e.why
	}
	if e.key == "" {
		return v1alpha1.ReasonSecretNotFound
	}
	return v1alpha1.ReasonSecretKeyMissing
}

// state is what an error makes of an object.
type state int

const (
	stateRetry state = iota
	stateWaiting
	stateStalled
)

// verdict is what an error means for an object. Its reason and message are fit for a condition: stable, actionable, without secrets.
type verdict struct {
	state           state
	reason, message string
	// after is when to come again; 0 leaves it to the back-off (retry) or to a watch (waiting, stalled).
	after time.Duration
	// held means that our own rate limit, or another writer, was in the way: nothing failed, so the status stays as it is.
	held bool
	// watched means that a watch tells when to go on, so that no attempt is counted or announced.
	watched bool
	// secret means that a Secret is missing: it is looked for often at first.
	secret bool
}

// classify is the one place where an error becomes a reason, a message and the time of the next attempt.
func classify(err error) verdict {
	var (
		stall   *stalledError
		wait    *waitingError
		block   *blockedError
		again   *retryError
		missing *missingSecretError
		busy    *busyError
		graph   *meta.Error
	)
	switch {
	case errors.As(err, &stall):
		return verdict{state: stateStalled, reason: stall.reason, message: stall.message, after: stall.recheck}
	case errors.As(err, &wait):
		return verdict{state: stateWaiting, reason: wait.reason, message: wait.message, after: wait.recheck}
	case errors.As(err, &block):
		return verdict{state: stateRetry, reason: block.reason, message: block.message, after: block.recheck, watched: true}
	case errors.As(err, &again):
		return verdict{state: stateRetry, reason: again.reason, message: again.message, after: again.after}
	case errors.As(err, &missing):
		return verdict{state: stateRetry, reason: missing.reason(), message: missing.Error(), secret: true}
	case errors.As(err, &busy):
		return verdict{state: stateRetry, reason: v1alpha1.ReasonProgressing, message: busy.Error(), after: jitter(busy.after), held: true}
	case errors.As(err, &graph):
		return classifyGraph(graph)
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
		return verdict{
			state: stateRetry, reason: v1alpha1.ReasonProgressing, message: "Another writer was faster; looking again.",
			after: time.Second, held: true,
		}
	default:
		return verdict{state: stateRetry, reason: v1alpha1.ReasonInternalError, message: internalMessage(err)}
	}
}

// internalMessage names the kind of failure only: texts of other components may differ from attempt to attempt, or quote what is secret.
func internalMessage(err error) string {
	if reason := apierrors.ReasonForError(err); reason != "" {
		return fmt.Sprintf("The Kubernetes API answered %s; it is tried again. The manager's log has the details.", reason)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "A call took too long; it is tried again."
	}
	return "The operator failed; it is tried again. The manager's log has the details."
}

// classifyGraph judges an error of the Graph API that no phase has given a meaning of its own.
func classifyGraph(e *meta.Error) verdict {
	v := verdict{state: stateRetry, message: graphMessage(e)}
	switch e.Outcome {
	case meta.Throttled:
		v.reason, v.after = v1alpha1.ReasonThrottled, e.RetryAfter
		// Without an answer it was our own limit. A wait that a person would notice is shown all the same.
		v.held = e.HTTPStatus == 0 && e.RetryAfter < shownWait
	case meta.Rejected:
		v.state, v.reason = stateStalled, rejectedReason(e.Class)
		v.message += " " + rejectedRemedy[v.reason]
	case meta.NotSent:
		v.reason = v1alpha1.ReasonGraphUnreachable
		switch {
		case !e.Temporary():
			v.state, v.reason = stateStalled, v1alpha1.ReasonRejected
		case e.Class == meta.ClassBadResponse:
			v.message += " " + barredRemedy
		}
	default:
		v.reason = v1alpha1.ReasonGraphUnreachable
	}
	return v
}

func rejectedReason(class meta.Class) string {
	switch class {
	case meta.ClassTokenInvalid:
		return v1alpha1.ReasonInvalidAccessToken
	case meta.ClassPermissionDenied, meta.ClassObjectNotVisible:
		return v1alpha1.ReasonPermissionDenied
	case meta.ClassAppSecretProofInvalid, meta.ClassClientSecretInvalid, meta.ClassAppIDInvalid:
		return v1alpha1.ReasonAppSecretInvalid
	default:
		return v1alpha1.ReasonRejected
	}
}

// rejectedRemedy is what to do about a refusal, for each reason of rejectedReason.
var rejectedRemedy = map[string]string{
	v1alpha1.ReasonInvalidAccessToken: "Replace the token: let the customer sign up again, or put a living one into the Secret that it came from.",
	v1alpha1.ReasonPermissionDenied:   "Give the token's system user the permission, and access to the account, in Meta Business Settings; " + lookAgain,
	v1alpha1.ReasonAppSecretInvalid:   "Copy the app secret again from the App Dashboard (App settings, Basic) into the Secret that it came from.",
	v1alpha1.ReasonRejected:           "Mend what Meta names; " + lookAgain,
}

// barredRemedy is what to do about something that keeps calls from Meta.
const barredRemedy = "Let the proxy or egress rule on the way to Meta's Graph API permit the call, or correct spec.graph.baseURL of the MetaApp if it is set; it is tried again."

const lookAgain = "then set the annotation " + v1alpha1.RequestedAtAnnotation + " to the present time."

// graphMessage is the error's stable text, with Meta's explanation if it gave one.
func graphMessage(e *meta.Error) string {
	if e.Details == "" {
		return e.Error() + "."
	}
	return e.Error() + ". Meta says: " + strings.TrimRight(e.Details, ". ") + "."
}

// backoff is the time before the next attempt after so many failures in a row. It is jittered, so that objects which failed together
// don't come back together.
func backoff(failures int32) time.Duration {
	wait := firstBackoff
	for range min(max(failures-1, 0), 16) {
		wait = min(2*wait, maxBackoff)
	}
	return jitter(wait)
}

// secretBackoff is the time before the next look for a Secret that has been missing for so long.
func secretBackoff(missingFor time.Duration) time.Duration {
	if missingFor < secretPatience {
		return secretInterval
	}
	return jitter(min(missingFor/2, maxBackoff))
}

// spread delays a time that was asked for by up to a quarter: who was told the same must not come back together, and not sooner.
func spread(d time.Duration) time.Duration {
	return d + time.Duration(float64(d)*rand.Float64()/4) //nolint:gosec // as in jitter
}

// jitter spreads a time by a fifth in both directions.
func jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64())) //nolint:gosec // spreading load needs no unpredictable numbers
}
