package runtimeconfig

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// EmbeddedSignup is what the signup page gives to Meta's JavaScript SDK.
type EmbeddedSignup struct {
	// ConfigurationID is the Facebook Login for Business configuration.
	ConfigurationID string `json:"configurationID"`
	// Extras is a JSON object.
	Extras json.RawMessage `json:"extras"`
}

// SignupState is how a signup by link stands.
type SignupState string

const (
	// SignupOpen means that nobody has signed up by this link yet.
	SignupOpen SignupState = "Open"
	// SignupPaused means that a code could not be exchanged now: the platform has something to repair first. Reason says what.
	SignupPaused SignupState = "Paused"
	// SignupWorking means that a code is being exchanged, or that what it grants is being looked at.
	SignupWorking SignupState = "Working"
	// SignupFailed means that the last try failed, for Reason, and that the link can be used again.
	SignupFailed SignupState = "Failed"
	// SignupAwaitingApproval means that the customer signed up and that somebody has to agree to the account. The link is dead.
	SignupAwaitingApproval SignupState = "AwaitingApproval"
	// SignupDone means that the customer signed up. The link is dead.
	SignupDone SignupState = "Done"
)

// Usable says whether a customer may sign up.
func (s SignupState) Usable() bool { return s == SignupOpen || s == SignupFailed || s == SignupWorking }

// Signup is the present signup link of a request, and what became of it. It is all that the server learns of a request: the page shows
// it to whoever holds the link.
type Signup struct {
	// RequestUID is the UID of the OnboardingRequest, and LinkID the id of its present link: others are dead.
	RequestUID string `json:"requestUID"`
	LinkID     string `json:"linkID"`
	// AppID is the Meta app.
	AppID string `json:"appID"`
	// ExpiresAt is when the link dies.
	ExpiresAt time.Time `json:"expiresAt"`
	// State is how the signup stands, and Reason the condition reason of SignupPaused and SignupFailed.
	State  SignupState `json:"state"`
	Reason string      `json:"reason,omitempty"`
	// Attempt is the hash of the code that State speaks of; empty before the first.
	Attempt string `json:"attempt,omitempty"`
}

// Object encodes the signup.
func (s *Signup) Object() (Object, error) {
	data, err := settings(KindSignup, s)
	if err != nil {
		return Object{}, err
	}
	return Object{Name: SignupName(s.RequestUID), Data: data}, nil
}

func (s *Snapshot) addSignup(raw []byte) error {
	signup := &Signup{}
	if err := json.Unmarshal(raw, signup); err != nil {
		return fmt.Errorf("%s is not valid: %w", KeySettings, err)
	}
	if signup.RequestUID == "" || signup.LinkID == "" {
		return errors.New("requestUID and linkID must be set")
	}
	s.signups[signup.RequestUID] = signup
	return nil
}

// Signup returns the signup of a request.
func (s *Snapshot) Signup(requestUID string) (*Signup, bool) {
	signup, ok := s.signups[requestUID]
	return signup, ok
}
