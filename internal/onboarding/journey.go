package onboarding

// Number is how a phone number stands at Meta.
type Number string

const (
	// NumberUnregistered means that the number has to be registered for Cloud API.
	NumberUnregistered Number = "Unregistered"
	// NumberConnected means that the number works on Cloud API.
	NumberConnected Number = "Connected"
	// NumberCoexistent means that the number is used in the WhatsApp Business app too, and must not be registered.
	NumberCoexistent Number = "Coexistent"
)

// Facts is what is known of a journey when a reconciliation begins, or after one of its steps.
type Facts struct {
	// Held means that nothing may be done: suspended, or a gate is shut.
	Held bool
	// HasToken means that a token is stored, AssetsVerified that the current one has proven its account and number.
	HasToken, AssetsVerified bool
	// NeedsApproval means that the customer came by a signup link, Approved that somebody agreed to the proven account.
	NeedsApproval, Approved bool
	// Subscribed means that the app gets the account's webhooks.
	Subscribed bool
	// Synced means that the data of the WhatsApp Business app was asked for, or was tried to: nothing waits for it.
	Synced bool
	// Partner means that the app's owner pays; CreditShared that the account is funded by its line.
	Partner, CreditShared bool
	// Number is how the number stands.
	Number Number
	// RegistrationLocked means that another register call would be refused, or would use up what Meta allows in 72 hours.
	RegistrationLocked bool
	// PINRefused means that the PIN to register with was refused, or that too many were.
	PINRefused bool
	// WantsCopy means that the customer's programs want the credentials, Copied that they have the present ones.
	WantsCopy, Copied bool
	// WantsTest means that a test message is asked for, Tested that its fate is known.
	WantsTest, Tested bool
}

// Step is what an onboarding does next.
type Step string

const (
	// StepHold does nothing until the gate opens.
	StepHold Step = "Hold"
	// StepAwaitToken waits for the exchange.
	StepAwaitToken Step = "AwaitToken"
	// StepVerifyAssets proves token, account and number by reads.
	StepVerifyAssets Step = "VerifyAssets"
	// StepAwaitApproval waits for somebody to agree to the proven account.
	StepAwaitApproval Step = "AwaitApproval"
	// StepSubscribe subscribes the app to the account's webhooks.
	StepSubscribe Step = "Subscribe"
	// StepSync asks for the contacts and chats of a number that is used in the WhatsApp Business app too. Meta gives 24 hours for it.
	StepSync Step = "Sync"
	// StepShareCredit shares the credit line.
	StepShareCredit Step = "ShareCredit"
	// StepAwaitUnlock waits until Meta forgets earlier register calls.
	StepAwaitUnlock Step = "AwaitUnlock"
	// StepAwaitPIN waits for the PIN that the number has.
	StepAwaitPIN Step = "AwaitPIN"
	// StepRegister registers the number.
	StepRegister Step = "Register"
	// StepCopyCredentials copies token and ids into the request's namespace.
	StepCopyCredentials Step = "CopyCredentials"
	// StepTestMessage sends the test message. The request is Ready meanwhile.
	StepTestMessage Step = "TestMessage"
	// StepDone means that there is nothing left to do.
	StepDone Step = "Done"
)

// Next decides what a journey does next. The order is Meta's: subscribe, share credit, register. The data of the WhatsApp Business app comes
// by webhook, so it is asked for right after the subscription: what comes later may take a person longer than Meta waits.
func Next(f Facts) Step {
	switch {
	case f.Held:
		return StepHold
	case !f.HasToken:
		return StepAwaitToken
	case !f.AssetsVerified:
		return StepVerifyAssets
	case f.NeedsApproval && !f.Approved:
		return StepAwaitApproval
	case !f.Subscribed:
		return StepSubscribe
	case f.Number == NumberCoexistent && !f.Synced:
		return StepSync
	case f.Partner && !f.CreditShared:
		return StepShareCredit
	case f.Number != NumberConnected && f.Number != NumberCoexistent:
		return nextRegistration(f)
	default:
		return nextOfWorking(f)
	}
}

// nextOfWorking decides about a number that works.
func nextOfWorking(f Facts) Step {
	switch {
	case f.WantsCopy && !f.Copied:
		return StepCopyCredentials
	case f.WantsTest && !f.Tested:
		return StepTestMessage
	default:
		return StepDone
	}
}

// nextRegistration decides about a number that has to be registered. Meta allows few calls and fewer PINs.
func nextRegistration(f Facts) Step {
	switch {
	case f.RegistrationLocked:
		return StepAwaitUnlock
	case f.PINRefused:
		return StepAwaitPIN
	default:
		return StepRegister
	}
}

// Waits reports whether the step does nothing by itself.
func (s Step) Waits() bool {
	switch s {
	case StepHold, StepAwaitToken, StepAwaitApproval, StepAwaitUnlock, StepAwaitPIN, StepDone:
		return true
	default:
		return false
	}
}

// Optional reports whether the journey goes on although the step failed.
func (s Step) Optional() bool { return s == StepSync }

// Ready reports whether everything that a working number needs is in place before this step.
func (s Step) Ready() bool { return s == StepTestMessage || s == StepDone }
