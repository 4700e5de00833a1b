package onboarding

import "github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"

// MaxSends is how often one code may be sent to Meta, all reasons together. A second send is only for a first one that was
// refused without being executed, or whose answer was lost: OAuth servers may revoke what a replayed code was exchanged for
// (RFC 6749, section 4.1.2).
const MaxSends = 2

// ExchangePhase is where the exchange of the current code stands.
type ExchangePhase string

const (
	// PhaseNone means that no code was ever reserved.
	PhaseNone ExchangePhase = ""
	// PhaseReserved means that the place for the token is ours and that no send is under way.
	PhaseReserved ExchangePhase = "Reserved"
	// PhaseSending means that a send was begun and not settled.
	PhaseSending ExchangePhase = "Sending"
	// PhaseKept means that the token is stored.
	PhaseKept ExchangePhase = "Kept"
	// PhaseFailed means that the code is given up.
	PhaseFailed ExchangePhase = "Failed"
)

// Outcome is what became of the last settled send of a code.
type Outcome string

const (
	// OutcomeNone means that no send was settled.
	OutcomeNone Outcome = ""
	// OutcomeNotSent means that nothing reached Meta. Such a send is not counted.
	OutcomeNotSent Outcome = "NotSent"
	// OutcomeThrottled means that Meta refused to look at the code for now.
	OutcomeThrottled Outcome = "Throttled"
	// OutcomeRedirectMismatch means that Meta refused the redirect_uri, and did not spend the code.
	OutcomeRedirectMismatch Outcome = "RedirectMismatch"
	// OutcomeUnknown means that nobody knows whether Meta spent the code.
	OutcomeUnknown Outcome = "Unknown"
)

// ExchangeFacts is what is known of a code that is at hand.
type ExchangeFacts struct {
	// Current means that the vault works on this code; SpentBefore that it gave it up for a later one.
	Current, SpentBefore bool
	// HasToken means that the token of this code is stored, whatever the phase says.
	HasToken bool
	// Phase, Attempts and LastOutcome are meaningful if Current.
	Phase       ExchangePhase
	Attempts    int
	LastOutcome Outcome
	// Uncertain means that nobody knows what became of some send of this code.
	Uncertain bool
	// SendMayRun means that the process which began the send may still be at it.
	SendMayRun bool
	// HeldBack means that the time of the next send has not come.
	HeldBack bool
	// MayLive means that the code is young enough to be worth another send.
	MayLive bool
	// RescueOpen means that the customer's business is known and that Meta has not refused to give out its token.
	RescueOpen bool
}

// ExchangeAction is what to do with a code.
type ExchangeAction string

const (
	// ExchangeIdle means that there is nothing to do with this code.
	ExchangeIdle ExchangeAction = "Idle"
	// ExchangeReserve makes the place for the token.
	ExchangeReserve ExchangeAction = "Reserve"
	// ExchangeWait looks again when a running send must be over, or when the time of the next one has come.
	ExchangeWait ExchangeAction = "Wait"
	// ExchangeSend sends the code.
	ExchangeSend ExchangeAction = "Send"
	// ExchangeSendOtherRedirect sends the code with the other policy for redirect_uri.
	ExchangeSendOtherRedirect ExchangeAction = "SendOtherRedirect"
	// ExchangeRescue asks Meta for the token that a lost answer held.
	ExchangeRescue ExchangeAction = "Rescue"
	// ExchangeAdopt marks the code as done, since its token is stored.
	ExchangeAdopt ExchangeAction = "Adopt"
	// ExchangeFail gives the code up, with Reason.
	ExchangeFail ExchangeAction = "Fail"
)

// ExchangeStep is what to do with a code, and why if it is given up.
type ExchangeStep struct {
	Action ExchangeAction
	// Reason is a condition reason; set for ExchangeFail alone.
	Reason string
}

// Sends reports whether the step sends the code to Meta.
func (s ExchangeStep) Sends() bool {
	return s.Action == ExchangeSend || s.Action == ExchangeSendOtherRedirect
}

// NextExchange decides what to do with a code.
func NextExchange(f ExchangeFacts) ExchangeStep {
	switch {
	case f.HasToken && (!f.Current || f.Phase == PhaseKept):
		return act(ExchangeIdle)
	case f.HasToken:
		return act(ExchangeAdopt)
	case f.SpentBefore && !f.Current:
		return act(ExchangeIdle)
	case !f.Current:
		return act(ExchangeReserve)
	}
	switch f.Phase {
	case PhaseReserved:
		return nextSend(f)
	case PhaseSending:
		if f.SendMayRun {
			return act(ExchangeWait)
		}
		// The process that sent the code died before it could say what came of it.
		f.Uncertain, f.LastOutcome, f.HeldBack = true, OutcomeUnknown, false
		return nextSend(f)
	default:
		return act(ExchangeIdle)
	}
}

// nextSend decides about a code that nobody is sending.
func nextSend(f ExchangeFacts) ExchangeStep {
	switch {
	case f.HeldBack:
		return act(ExchangeWait)
	case f.LastOutcome == OutcomeUnknown && f.RescueOpen:
		// Reading the lost token back is better than a second send, which may revoke it.
		return act(ExchangeRescue)
	case f.Attempts == 0 && f.LastOutcome == OutcomeNone:
		// Only Meta knows how old the code was when we first saw it.
		return act(ExchangeSend)
	case f.Attempts >= MaxSends, !f.MayLive:
		return giveUp(f)
	case f.LastOutcome == OutcomeRedirectMismatch:
		return act(ExchangeSendOtherRedirect)
	default:
		return act(ExchangeSend)
	}
}

// giveUp names why a code is given up: what may have been lost at Meta comes before what kept us from trying again.
func giveUp(f ExchangeFacts) ExchangeStep {
	step := act(ExchangeFail)
	switch {
	case f.LastOutcome == OutcomeRedirectMismatch:
		step.Reason = v1alpha1.ReasonRedirectURIMismatch
	case f.Uncertain, f.LastOutcome == OutcomeUnknown:
		step.Reason = v1alpha1.ReasonExchangeOutcomeUnknown
	case f.LastOutcome == OutcomeThrottled:
		step.Reason = v1alpha1.ReasonThrottled
	default:
		step.Reason = v1alpha1.ReasonCodeExpired
	}
	return step
}

func act(action ExchangeAction) ExchangeStep { return ExchangeStep{Action: action} }
