package controllers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/vault"
)

const (
	// gateRecheck is how soon the leader looks again at what it only displays: the exchange itself looks more often.
	gateRecheck = 5 * time.Second
	// exchangeRecheck is for a code that is being exchanged: the vault tells when that is over. A look sooner, at each of a thousand, would
	// only take the API server's time away from it.
	exchangeRecheck = 30 * time.Second
	// exchangeHeadStart is how long a look at a new request with a code waits for the code's exchange, of which the vault tells. Two looks at
	// each of a thousand that are applied together would take the API server's time away from their codes.
	exchangeHeadStart = 5 * time.Second
)

// awaitToken tells how the exchange stands. It does nothing for it.
func (r *OnboardingRequestReconciler) awaitToken(ctx context.Context, j *journey) error {
	request, entry := j.request, j.entry
	if bySignupLink(request) {
		return r.awaitSignup(ctx, j)
	}
	x, err := r.gate.check(ctx, request)
	if token, _ := entry.Current(); !token.IsZero() {
		// There is a token, and it isn't this request's: factsOf would have seen it.
		if err == nil && x.hash == entry.CodeHash {
			return blockedFor(gateRecheck, v1alpha1.ReasonProgressing, "The token of this code is here already; it is being adopted.")
		}
		return r.vaultError(j.key, vault.ErrOccupied)
	}
	if entry.Phase == vault.PhaseFailed {
		_, spent := entry.SpentBefore(hashOf(x))
		if err != nil || x.hash == entry.CodeHash || spent {
			return codeFailure(request, entry.Failure)
		}
	}
	if err != nil {
		return recheckIn(err, max(gateRecheck, nextCodeLook(request, r.clock.Now())))
	}
	return blockedFor(exchangeRecheck, v1alpha1.ReasonProgressing, "The signup code is being exchanged for the customer's token.")
}

// inLine says whether the code of a request may still stand in line with many others. Until it is looked at, nobody knows what to show of it.
func (r *OnboardingRequestReconciler) inLine(request *v1alpha1.OnboardingRequest) bool {
	return r.places.crowded() && r.clock.Now().Before(request.CreationTimestamp.Add(codeLife))
}

func hashOf(x *readyCode) string {
	if x == nil {
		return ""
	}
	return x.hash
}

// recheckIn makes an error that leaves the object at rest come back: what it waits for can't be watched.
func recheckIn(err error, after time.Duration) error {
	if stall, ok := errors.AsType[*stalledError](err); ok && stall.recheck == 0 {
		again := *stall
		again.recheck = after
		return &again
	}
	if wait, ok := errors.AsType[*waitingError](err); ok && wait.recheck == 0 {
		again := *wait
		again.recheck = after
		return &again
	}
	return err
}

// whyCodeFailed words the reasons for which a code is given up.
var whyCodeFailed = map[string]string{
	v1alpha1.ReasonCodeUsed:               "Meta says that the signup code was used before.",
	v1alpha1.ReasonCodeExpired:            "The signup code was older than its 30 seconds when Meta saw it, or Meta could not be reached in time.",
	v1alpha1.ReasonCodeInvalid:            "Meta does not know the signup code; it may be cut off, or belong to another app than the MetaApp's.",
	v1alpha1.ReasonRedirectURIMismatch:    "Meta refused the redirect_uri of the exchange; set spec.embeddedSignup.redirectURIPolicy of the MetaApp to what the signup page uses.",
	v1alpha1.ReasonAppSecretInvalid:       "Meta refused the app id or app secret of the MetaApp; correct the Secret that its spec.secretRef names.",
	v1alpha1.ReasonThrottled:              "Meta asked for fewer calls until the signup code was too old.",
	v1alpha1.ReasonExchangeOutcomeUnknown: "The answer to the exchange was lost, so Meta may have spent the signup code without the token having been kept.",
}

// codeFailure says why a code was given up, and what to do.
func codeFailure(request *v1alpha1.OnboardingRequest, reason string) error {
	why := whyCodeFailed[reason]
	if why == "" {
		reason, why = v1alpha1.ReasonRejected, "Meta refused the exchange of the signup code; the manager's log has the details."
	}
	return stalled(reason, "%s Let the customer sign up again. %s", why, newCodeAdvice(request))
}

// newCodeAdvice says how a customer who has to sign up again does it.
func newCodeAdvice(request *v1alpha1.OnboardingRequest) string {
	ref := request.Spec.CodeSecretRef
	if ref == nil {
		return "Send them the link: " + whereLinkIs(request)
	}
	return fmt.Sprintf("Put the new code into the key %q of the Secret %s within 30 seconds, and set the annotation %s of this request to the present time.",
		keyOr(ref, v1alpha1.SecretKeyCode), ref.Name, v1alpha1.RequestedAtAnnotation)
}

// withCodeAdvice completes the message of a token that has to be replaced.
func withCodeAdvice(request *v1alpha1.OnboardingRequest, err error) error {
	e, ok := errors.AsType[*stalledError](err)
	if !ok {
		return err
	}
	switch e.reason {
	case v1alpha1.ReasonTokenInvalid, v1alpha1.ReasonWrongApp, v1alpha1.ReasonScopesMissing, v1alpha1.ReasonWABAMismatch:
		return &stalledError{reason: e.reason, message: strings.TrimSpace(e.message + " " + newCodeAdvice(request)), cause: e.cause, recheck: e.recheck}
	default:
		return err
	}
}
