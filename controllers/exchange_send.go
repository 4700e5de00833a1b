package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
	"github.com/whatsapp-operator/whatsapp-operator/internal/onboarding"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/vault"
)

// Times of the exchange. A code lives 30 seconds at Meta, counted from when it was issued, which is before we see it.
const (
	// sendLease is after which a send that was begun must be over: the call's own limit of 10 seconds and a margin.
	sendLease = 12 * time.Second
	// codeLife is how long after it was first seen a code is worth another send.
	codeLife = 25 * time.Second
	// rescueLife is how long after the send a lost token is asked for.
	rescueLife = 10 * time.Minute
	// resendPause lets a service that just failed recover before it gets the second and last send.
	resendPause = time.Second
	// rescuePause is between attempts to read a lost token back.
	rescuePause = 5 * time.Second
	// notSentFirst and notSentLongest bound the pause after a send that never reached the network.
	notSentFirst   = 250 * time.Millisecond
	notSentLongest = 4 * time.Second
)

// exchangeFacts says what is known of a code.
func exchangeFacts(entry *vault.Entry, x *readyCode, now time.Time) onboarding.ExchangeFacts {
	_, spent := entry.SpentBefore(x.hash)
	return onboarding.ExchangeFacts{
		Current: entry.Exists() && entry.CodeHash == x.hash, SpentBefore: spent,
		HasToken: entry.HasTokenOf(x.hash), Phase: onboarding.ExchangePhase(entry.Phase), Attempts: entry.Attempt,
		LastOutcome: onboarding.Outcome(entry.LastOutcome), Uncertain: entry.Uncertain,
		SendMayRun: now.Before(entry.StartedAt.Add(sendLease)),
		HeldBack:   now.Before(entry.NotBefore),
		MayLive:    now.Before(entry.FirstSeenAt.Add(codeLife)),
		RescueOpen: entry.OwnerBusinessID != "" && !x.app.SystemToken.IsZero() && !entry.RescueRefused && now.Before(entry.StartedAt.Add(rescueLife)),
	}
}

// wakeAt is when a code that has to wait deserves another look.
func wakeAt(entry *vault.Entry, now time.Time) time.Duration {
	at := entry.NotBefore
	if entry.Phase == vault.PhaseSending {
		at = entry.StartedAt.Add(sendLease)
	}
	return max(at.Sub(now), 10*time.Millisecond)
}

// send spends the code: intent, call, receipt. entry is a live read of a moment ago.
func (r *ExchangeReconciler) send(ctx context.Context, x *readyCode, entry *vault.Entry, redirect *string) error {
	if err := ctx.Err(); err != nil {
		// The process was told to stop: a code is better left to the next one than begun here.
		return err
	}
	if entry.Fresh() {
		if err := r.stands(ctx, x, entry); err != nil {
			return err
		}
	}
	// Intent. A crash before this write has sent nothing. A crash after it leaves phase Sending with this attempt counted, so
	// whoever comes next assumes that Meta has seen the code.
	entry, err := r.vault.BeginSend(ctx, x.key, entry)
	if err != nil {
		return err
	}
	if x.sending != nil {
		x.sending()
	}
	// From here on stopping costs the customer's signup: the process waits for this goroutine on shutdown.
	ctx = context.WithoutCancel(ctx)
	token, err := x.app.Client.ExchangeCode(ctx, meta.ExchangeRequest{
		AppID: x.app.App.Spec.AppID, AppSecret: x.app.AppSecret, Code: x.code, RedirectURI: redirect,
	})
	if err == nil {
		// Receipt. A crash between Meta's answer and this write is the one window in which a token is lost: nothing else may be
		// done in it. The next process finds phase Sending, and rescues the token or gives up with ExchangeOutcomeUnknown.
		return r.keep(ctx, x, entry, token.Token)
	}
	// A crash before this write is read as "outcome unknown", which is true of every outcome.
	_, err = r.vault.Settle(ctx, x.key, entry, settlementOf(err, entry, r.clock.Now()))
	return err
}

// errRequestGone means that the request was deleted before its code was sent, and that the code was left alone.
var errRequestGone = errors.New("the OnboardingRequest was deleted")

// stands makes sure that the request of a new entry was not deleted meanwhile. A deletion reads the vault to learn what there is to undo, and
// may have done so just before the entry was made; nobody would ever undo what came of it. Whoever deletes later finds the entry.
func (r *ExchangeReconciler) stands(ctx context.Context, x *readyCode, entry *vault.Entry) error {
	var now v1alpha1.OnboardingRequest
	err := r.gate.live.Get(ctx, client.ObjectKeyFromObject(x.request), &now)
	switch {
	case apierrors.IsNotFound(err):
	case err != nil:
		return fmt.Errorf("read the OnboardingRequest: %w", err)
	case now.UID == x.request.UID && now.DeletionTimestamp.IsZero():
		return nil
	}
	if err := r.vault.Forget(ctx, entry); err != nil {
		return err
	}
	return errRequestGone
}

// keep stores the token.
func (r *ExchangeReconciler) keep(ctx context.Context, x *readyCode, entry *vault.Entry, token redact.Secret) error {
	err := r.vault.Keep(ctx, x.key, entry, x.hash, token)
	x.kept = err == nil
	return err
}

// rescue asks for the token that a lost answer held. It changes nothing at Meta, so it needs no intent.
func (r *ExchangeReconciler) rescue(ctx context.Context, x *readyCode, entry *vault.Entry) error {
	token, err := x.app.Client.FetchBusinessToken(ctx, x.app.SystemCredential(), entry.OwnerBusinessID)
	if err == nil {
		return r.keep(ctx, x, entry, token.Token)
	}
	log.FromContext(ctx).Info("The token of a lost answer could not be read back", "outcome", meta.OutcomeOf(err), "class", meta.ClassOf(err))
	s := vault.Settlement{Outcome: string(onboarding.OutcomeUnknown), Uncertain: true}
	if meta.OutcomeOf(err) == meta.Rejected {
		s.RescueRefused = true
	} else {
		s.NotBefore = r.clock.Now().Add(rescuePause)
	}
	_, err = r.vault.Settle(ctx, x.key, entry, s)
	return err
}

// settlementOf says what a failed send means for the code. entry is the one that carries the intent.
func settlementOf(err error, entry *vault.Entry, now time.Time) vault.Settlement {
	var graph *meta.Error
	if !errors.As(err, &graph) {
		graph = &meta.Error{Outcome: meta.Unknown}
	}
	switch graph.Outcome {
	case meta.NotSent:
		if !graph.Temporary() {
			return vault.Settlement{Outcome: string(onboarding.OutcomeNotSent), NotSent: true, Failure: v1alpha1.ReasonRejected}
		}
		pause := min(max(now.Sub(entry.FirstSeenAt)/2, notSentFirst), notSentLongest)
		return vault.Settlement{Outcome: string(onboarding.OutcomeNotSent), NotSent: true, NotBefore: now.Add(pause)}
	case meta.Throttled:
		return vault.Settlement{Outcome: string(onboarding.OutcomeThrottled), NotBefore: now.Add(max(graph.RetryAfter, resendPause))}
	case meta.Rejected:
		return rejectedCode(graph, entry)
	default:
		return vault.Settlement{Outcome: string(onboarding.OutcomeUnknown), Uncertain: true, NotBefore: now.Add(resendPause)}
	}
}

// rejectedCode says what Meta's refusal means.
func rejectedCode(e *meta.Error, entry *vault.Entry) vault.Settlement {
	switch e.Class {
	case meta.ClassCodeUsed, meta.ClassCodeExpired:
		if entry.Uncertain {
			// An earlier send of ours has most likely spent it: the token exists, and its answer was lost.
			return vault.Settlement{Outcome: string(onboarding.OutcomeUnknown), Uncertain: true}
		}
		if e.Class == meta.ClassCodeExpired {
			return vault.Settlement{Failure: v1alpha1.ReasonCodeExpired}
		}
		return vault.Settlement{Failure: v1alpha1.ReasonCodeUsed}
	case meta.ClassRedirectURIMismatch:
		return vault.Settlement{Outcome: string(onboarding.OutcomeRedirectMismatch)}
	case meta.ClassCodeMalformed:
		return vault.Settlement{Failure: v1alpha1.ReasonCodeInvalid}
	case meta.ClassClientSecretInvalid, meta.ClassAppIDInvalid:
		return vault.Settlement{Failure: v1alpha1.ReasonAppSecretInvalid}
	default:
		return vault.Settlement{Failure: v1alpha1.ReasonRejected}
	}
}

// redirectURI is what the MetaApp's policy sends as redirect_uri, or the other policy: Meta's pages and integrators disagree
// whether a code of the JavaScript SDK needs one, and a refusal for it doesn't spend the code.
func redirectURI(app *v1alpha1.MetaApp, other bool) *string {
	var policy v1alpha1.RedirectURIPolicy
	if app.Spec.EmbeddedSignup != nil {
		policy = app.Spec.EmbeddedSignup.RedirectURIPolicy
	}
	empty := ""
	switch policy.Mode {
	case v1alpha1.RedirectURIExact:
		if other {
			return nil
		}
		return &policy.URI
	case v1alpha1.RedirectURIEmpty:
		if other {
			return nil
		}
		return &empty
	default:
		if other {
			return &empty
		}
		return nil
	}
}
