package store

import "time"

// SendState is the state of an outbox row.
type SendState string

// The states of an outbox row.
const (
	// SendPending waits for its turn.
	SendPending SendState = "pending"
	// SendSending has been handed to a worker; Meta may have it.
	SendSending SendState = "sending"
	// SendAccepted was taken by Meta. What became of it then is its status.
	SendAccepted SendState = "accepted"
	// SendFailed was not sent, or was refused.
	SendFailed SendState = "failed"
	// SendUnknown may or may not have reached Meta.
	SendUnknown SendState = "unknown"
	// SendUnconfirmed is an unknown one that was given up. It is never sent
	// again; a late status can still make it accepted or failed.
	SendUnconfirmed SendState = "unconfirmed"
)

// Reasons that the store itself gives to rows.
const (
	ReasonWindowClosed = "WindowClosed"
	ReasonReplyTooOld  = "ReplyTooOld"
	// ReasonPersonAnswers and ReasonNotThreadOwner fail the assistant's replies
	// when somebody else has begun to answer since they were written.
	ReasonPersonAnswers  = "PersonAnswers"
	ReasonNotThreadOwner = "NotThreadOwner"
	ReasonLeaseExpired   = "LeaseExpired"
	ReasonUnconfirmed    = "Unconfirmed"
	ReasonTurnFailed     = "TurnFailed"
	ReasonTurnAbandoned  = "TurnAbandoned"
	ReasonStatusFailed   = "StatusFailed"
)

// OutboxRow is a row of the outbox as people see it.
type OutboxRow struct {
	// Sequence is the order in which rows were enqueued.
	Sequence       int64
	ID             string
	Line           string
	ConversationID int64
	MessageID      int64
	Author         Author
	State          SendState
	// Reason explains failed, unknown and unconfirmed; ErrorCode is Meta's.
	Reason    string
	ErrorCode int
	WAMID     string
	// Status is the highest status that Meta reported.
	Status   StatusKind
	Attempts int
	Resends  int
}

// ClaimSendRequest says who claims sends and how.
type ClaimSendRequest struct {
	Owner string
	// Lease must be longer than the deadline of the call.
	Lease time.Duration
	// Limit is how many are claimed at most; 0 for one.
	Limit int
	// PerLineLimit is how many sends of one line may be under way at a time.
	PerLineLimit int
	// ExcludeLines are not claimed.
	ExcludeLines []string
	// After leaves out its line and those before it, by their ids. A caller that
	// goes on after the line that was served last, and begins again when nothing is
	// due there, serves the lines in turn, however much one of them has waiting.
	After string
}

// Send is a claimed outbox row.
type Send struct {
	// ID is random and unguessable. It goes out as biz_opaque_callback_data.
	ID             string
	Line           string
	PhoneNumberID  string
	ConversationID int64
	// To is whom to send to: by BSUID if there is one, else by phone.
	To      Contact
	Author  Author
	Type    string
	Payload []byte
	// ContextWAMID is the message that it quotes, empty if none.
	ContextWAMID string
	// Routed says that another responder was seen in the thread.
	Routed bool
	// MediaID is what an earlier attempt has uploaded; see Files.SetUploaded.
	MediaID string

	Owner      string
	Epoch      int64
	LeaseUntil time.Time
	ClaimedAt  time.Time
	// Attempt is 1 for the first try. Resend marks the one repetition after an
	// unknown outcome.
	Attempt int
	Resend  bool
}

// Retry says why what was claimed was not done, and when it may be claimed again.
type Retry struct {
	// Reason is a short, stable word.
	Reason string
	// After is how long it waits, by the store's clock: the caller's may be another.
	After time.Duration
	// Untried says that the claim is no attempt, as what failed was something else.
	Untried bool
}

// Uncounted is how many attempts are taken back.
func (r Retry) Uncounted() int {
	if r.Untried {
		return 1
	}
	return 0
}

// Resolution counts what ResolveUnknown changed.
type Resolution struct {
	// Expired sends became unknown, Resent ones pending again, Unconfirmed
	// ones were given up.
	Expired, Resent, Unconfirmed int
}

// Received is how many messages came in for a line through one process.
type Received struct {
	Owner, Line string
	Total       int64
}

// StatusFailure is an error of accepted messages of a line.
type StatusFailure struct {
	Line          string
	PhoneNumberID string
	// Code is Meta's.
	Code int
	// Newest grows with each further failure of this kind.
	Newest int64
}

// ParkedLine is a line on which nothing is claimed.
type ParkedLine struct {
	Line               string
	Reason             string
	CredentialRevision string
	Since              time.Time
	// For is how long that has been, by the store's clock.
	For time.Duration
}
