package onboarding

// HandoverFacts is what is known of a code that the signup page handed over, by a link whose signature is good.
type HandoverFacts struct {
	// Current means that the vault works on this code, Ended that it is done with it, SpentBefore that it gave it up for a later one.
	Current, Ended, SpentBefore bool
	// HasToken means that the token of this code is stored.
	HasToken bool
	// Again means that the code was handed over after the vault had seen it: somebody repeats an old one.
	Again bool
	// LinkLives means that the link is the request's present one, has not expired, and that the request takes codes.
	LinkLives bool
	// LinkUsed means that a token which came by this link has proven its account.
	LinkUsed bool
	// OtherBusy means that another code of the request is being exchanged, or that its token is being looked at.
	OtherBusy bool
	// TooOld means that the code has waited for so long that it can't be alive.
	TooOld bool
}

// HandoverAction is what to do with a code that was handed over.
type HandoverAction string

const (
	// HandoverExchange exchanges the code, or goes on with it.
	HandoverExchange HandoverAction = "Exchange"
	// HandoverWait looks again soon.
	HandoverWait HandoverAction = "Wait"
	// HandoverDone removes the code: the vault knows how it ended.
	HandoverDone HandoverAction = "Done"
	// HandoverReplay refuses a code that was handed over before.
	HandoverReplay HandoverAction = "Replay"
	// HandoverDead refuses a code whose link is dead.
	HandoverDead HandoverAction = "Dead"
	// HandoverLate refuses a code that could not be exchanged in time.
	HandoverLate HandoverAction = "Late"
)

// NextHandover decides what to do with a code that was handed over. One link gives one success: while one code of it may still become
// one, no other is begun.
func NextHandover(f HandoverFacts) HandoverAction {
	switch {
	case f.Again && (f.HasToken || f.SpentBefore || (f.Current && f.Ended)):
		return HandoverReplay
	case f.HasToken, f.Current && f.Ended:
		return HandoverDone
	case f.Current:
		// Begun is begun: stopping in the middle would cost the customer's signup.
		return HandoverExchange
	case f.SpentBefore:
		return HandoverReplay
	case f.LinkUsed, !f.LinkLives:
		return HandoverDead
	case f.TooOld:
		return HandoverLate
	case f.OtherBusy:
		return HandoverWait
	default:
		return HandoverExchange
	}
}
