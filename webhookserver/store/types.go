package store

import "time"

// Delivery is what one verified webhook POST contains, decoded and re-checked
// by the ingress: every item belongs to the app whose secret verified it.
type Delivery struct {
	// App names the MetaApp, or the line with its own app, whose secret
	// verified the body.
	App string

	Messages      []InboundMessage
	Statuses      []Status
	IdentityMoves []IdentityMove
	Handovers     []Handover
	SavedContacts []SavedContact
	Raw           []RawChange
	Unclaimed     []UnclaimedChange
	// DeadLetters are items that the ingress itself refuses, such as a change
	// with two phone number ids.
	DeadLetters []DeadLetter
}

// Receipt says what became of a delivery's items.
type Receipt struct {
	// New counts messages, statuses, raw and unclaimed changes stored for the
	// first time, Duplicates the copies dropped, Upgraded the standby messages
	// that a copy from the messages field has replaced, DeadLettered the items
	// that the database could not hold (the ingress's own not included).
	New, Duplicates, Upgraded, DeadLettered int
}

// Source says by which way a message reached the store.
type Source string

// The ways of a message.
const (
	// SourceMessages is the messages field: the line owns the thread.
	SourceMessages Source = "messages"
	// SourceStandby is the standby field: another responder owns the thread.
	SourceStandby Source = "standby"
	// SourceEcho is a message that the business sent by other means.
	SourceEcho Source = "echo"
	// SourceHistory is the history of a number that keeps its phone app.
	SourceHistory Source = "history"
	// SourceOutbox is a message of our own.
	SourceOutbox Source = "outbox"
)

// Rank orders the ways by which copies of one message come: the copy of the
// higher rank is the one that is kept, whichever came first.
func (s Source) Rank() int {
	switch s {
	case SourceHistory:
		return 1
	case SourceStandby:
		return 2
	case SourceEcho:
		return 3
	case SourceMessages:
		return 4
	case SourceOutbox:
		return 5
	default:
		return 0
	}
}

// Identity is what a webhook says about a customer. At least one of BSUID and
// Phone is set. Contacts are told apart by (line, BSUID), else (line, phone).
type Identity struct {
	// BSUID is the business-scoped user id, such as US.13491208655302741918.
	BSUID string
	// Phone is the customer's number as digits without +, or empty. The
	// ingress sets it only if it has seen digits.
	Phone string
	// Name is the profile name, empty if the webhook gives none.
	Name string
	// Username is the WhatsApp username without @, empty if none.
	Username string
}

// InboundMessage is one message of a delivery.
type InboundMessage struct {
	Line          string
	PhoneNumberID string
	// WAMID is Meta's id. With PhoneNumberID it is unique.
	WAMID string
	// From is the customer in whose thread it is, also if the business wrote it.
	From   Identity
	Source Source
	// Type is Meta's type: text, image, interactive and so on.
	Type string
	// Text is what can be read in it; empty if nothing.
	Text string
	// ContextWAMID is the message that this one answers, empty if none.
	ContextWAMID string
	// TargetWAMID is the message that this one reacts to, edits or revokes, by
	// its Type; empty for all others. It is looked for only in the same
	// conversation, and an edit or a revocation only among what the same side
	// wrote. Whichever comes first, it is the newest that counts.
	TargetWAMID string
	// Media is the file that it has, nil if none. The store keeps what it is, not
	// the file: see the table media, which has a row for each such message, found
	// by PhoneNumberID and WAMID.
	Media *Media
	// ByBusiness says that the business wrote it: always so of an echo, of a
	// history's message sometimes.
	ByBusiness bool
	// EventTime is Meta's timestamp. One in the future counts as now.
	EventTime time.Time
	// ReplyWorthy asks for an automatic answer, if the message is new.
	ReplyWorthy bool
	// OpensWindow says that the customer wrote, which opens the customer
	// service window. System messages and echoes don't.
	OpensWindow bool
	// Raw is the message as received.
	Raw []byte
}

// TypePlaceholder is the type of a history's message whose file comes on its own, with the same WAMID.
const TypePlaceholder = "media_placeholder"

// Replaces tells whether the message takes the place of a copy that came from
// source and is of a type: of the better way, or what the copy has announced.
func (m *InboundMessage) Replaces(source Source, kind string) bool {
	if source == SourceHistory && m.Source == SourceHistory {
		return kind == TypePlaceholder && m.Type != TypePlaceholder
	}
	return source.Rank() < m.Source.Rank()
}

// Media is a file at Meta.
type Media struct {
	// ID is Meta's, by which the file can be fetched for some days.
	ID       string
	MIMEType string
	// SHA256 is as received: in base64 or hexadecimal digits, or empty.
	SHA256 string
	// Filename is the sender's, of documents only.
	Filename string
	// Voice tells a voice message from other audio.
	Voice bool

	// What follows is set by the store: how far fetching it has come, why it is not
	// there, and under which key it lies in the blob store, in which size, once
	// State is MediaStored.
	State   MediaState
	Reason  string
	BlobKey string
	Size    int64
}

// SavedContact is a customer as the business has saved him on its phone. The
// newest by EventTime counts.
type SavedContact struct {
	Line  string
	Phone string // digits
	// Name is empty if the contact was removed.
	Name      string
	EventTime time.Time
}

// StatusKind is what a status reports. The kinds are ranked (see Rank), and a
// message's status only ever rises.
type StatusKind string

// The statuses that Meta reports for a message of ours.
const (
	StatusSent      StatusKind = "sent"
	StatusFailed    StatusKind = "failed"
	StatusDelivered StatusKind = "delivered"
	StatusRead      StatusKind = "read"
	StatusPlayed    StatusKind = "played"
)

// Rank orders statuses: sent < failed < delivered < read < played. failed may
// follow sent, while a delivery proves that the message was not lost; so any
// order of arrival gives the same end. Unknown kinds rank 0 and change nothing.
func (k StatusKind) Rank() int {
	switch k {
	case StatusSent:
		return 1
	case StatusFailed:
		return 2
	case StatusDelivered:
		return 3
	case StatusRead:
		return 4
	case StatusPlayed:
		return 5
	default:
		return 0
	}
}

// Status is one status of a delivery. One for a wamid that is not known (yet)
// is kept, and joined when the outbox learns the wamid.
type Status struct {
	Line          string
	PhoneNumberID string
	WAMID         string
	Kind          StatusKind
	// Participant tells the recipients of a group message apart; else empty.
	Participant string
	// CallbackData is the biz_opaque_callback_data of the send: an outbox id,
	// if it is ours. It is looked up only within PhoneNumberID.
	CallbackData string
	EventTime    time.Time
	// ErrorCode is Meta's code of a failed status, else 0.
	ErrorCode int
	// Pricing is Meta's pricing object as received, nil if absent. A repeated
	// status adds it to a row that has none.
	Pricing []byte
	// Raw is the status as received.
	Raw []byte
}

// IdentityMove says that a customer's BSUID has changed: both ids are the same
// person from now on, for good.
type IdentityMove struct {
	Line          string
	PhoneNumberID string
	PreviousBSUID string
	BSUID         string
	// Phone is the new number as digits, empty if not told.
	Phone     string
	EventTime time.Time
	// Raw is the system message as received, for a dead letter.
	Raw []byte
}

// ThreadOwner is who a handover gives a thread to: Meta lets one responder at
// a time answer a customer.
type ThreadOwner string

// The owners of a thread.
const (
	// OwnerOurs is this line.
	OwnerOurs ThreadOwner = "ours"
	// OwnerOther is another partner, or Meta's own agent.
	OwnerOther ThreadOwner = "other"
	// OwnerNone is nobody: whoever answers first becomes the owner.
	OwnerNone ThreadOwner = "none"
)

// Handover says that a customer's thread has changed its owner. Of several the
// newest counts, by EventTime, whatever the order in which they come; of two of
// the same time the one to OwnerOther.
type Handover struct {
	Line          string
	PhoneNumberID string
	// From is the customer.
	From      Identity
	Owner     ThreadOwner
	EventTime time.Time
	// Raw is the value of the change as received, for a dead letter.
	Raw []byte
}

// RawChange is a change whose field is not turned into rows, kept as received.
type RawChange struct {
	ID  int64 // set by the store
	App string
	// Line is empty for account-level fields of a WABA with several lines.
	Line          string
	WABAID        string
	PhoneNumberID string
	Field         string
	// EntryTime is the time of the webhook's entry, zero if absent. Together
	// with the other members and Raw it tells copies from repetitions.
	EntryTime  time.Time
	ReceivedAt time.Time // set by the store
	Raw        []byte
	// Pending asks for rows to be made of it later; see PendingChanges.
	Pending bool
	// Report, if set, is appended together with the change if that is new.
	Report *Report
}

// UnclaimedChange is a verified change for a number that no channel claims.
type UnclaimedChange struct {
	ID            int64 // set by the store
	App           string
	WABAID        string
	PhoneNumberID string
	Field         string
	EntryTime     time.Time
	ReceivedAt    time.Time // set by the store
	// Raw is the whole change (field and value) as received.
	Raw []byte
}

// DeadLetter is something that could not be processed, kept for a human.
type DeadLetter struct {
	ID   int64 // set by the store
	App  string
	Line string
	// Kind says what it was: message, status, identity, handover, contact, change, turn.
	Kind string
	// Reason is stable text without the customer's data.
	Reason string
	Raw    []byte
	Time   time.Time // set by the store
}

// QuarantineEntry is a body that no secret verified, for an app that we serve.
type QuarantineEntry struct {
	ID  int64 // set by the store
	App string
	// Signature is the value of the signature header as received.
	Signature string
	// Path is the request's path: it limits which secrets count.
	Path       string
	Body       []byte
	ReceivedAt time.Time // set by the store
}

// ConversationState says who is to answer.
type ConversationState string

// The states of a conversation.
const (
	// ConversationActive means that the assistant answers.
	ConversationActive ConversationState = "Active"
	// ConversationWaiting means that a person has to look: nothing is answered
	// automatically.
	ConversationWaiting ConversationState = "Waiting"
	// ConversationHuman means that a person answers: somebody of the business
	// wrote by other means than this server (an echo), after the last Resume and
	// after the last handover to us. Nothing is answered automatically. It hides
	// Active or Waiting, and WaitingReason stays.
	ConversationHuman ConversationState = "Human"
)

// ReasonRevoked skips a turn whose messages the customer has taken back.
const ReasonRevoked = "Revoked"

// Contact is a customer of one line.
type Contact struct {
	// BSUID is the newest one, empty if never told.
	BSUID    string
	Phone    string
	Name     string
	Username string
	// SavedName is what the business calls him on its phone; empty if he is not
	// saved there, and in turns and sends.
	SavedName string
}

// Conversation is the only thread between a line and a contact, and the queue
// row of its replies.
type Conversation struct {
	ID            int64
	Line          string
	PhoneNumberID string
	Contact       Contact
	State         ConversationState
	// WaitingReason says why it is Waiting.
	WaitingReason string
	// SkippedReason says why the newest turn got no reply, empty if it got one.
	SkippedReason string
	// LastSeq numbers the newest message that asks for an answer, AnsweredSeq
	// the newest that is dealt with.
	LastSeq, AnsweredSeq int64
	// ReplyDueAt is zero if nothing is to be answered.
	ReplyDueAt time.Time
	// LastUserMessageAt is when the customer last wrote; zero if never.
	LastUserMessageAt time.Time
	// LastPersonMessageAt is when a person of the business last wrote by other
	// means than this server; zero if never.
	LastPersonMessageAt time.Time
	// OwnedElsewhere says that another responder owns the thread: nothing is due
	// and nothing must be sent. It ends with a handover to us or to nobody, or
	// when the customer writes to us after OwnershipLapses.
	OwnedElsewhere bool
}

// Author says who wrote a message.
type Author string

// The authors.
const (
	AuthorCustomer  Author = "customer"
	AuthorAssistant Author = "assistant"
	AuthorPerson    Author = "person"
	AuthorTest      Author = "test"
	// AuthorBusiness wrote by other means than this server (echoes, history).
	AuthorBusiness Author = "business"
)

// Message is a stored message, in or out.
type Message struct {
	ID             int64
	Line           string
	PhoneNumberID  string
	ConversationID int64
	// WAMID is empty for a message of ours that Meta has not accepted.
	WAMID  string
	Author Author
	Source Source
	Type   string
	Text   string
	// ContextWAMID is the message that this one answers, empty if none.
	ContextWAMID string
	// Seq numbers the messages that ask for an answer; 0 for all others.
	Seq        int64
	EventTime  time.Time
	ReceivedAt time.Time
	// Status is the highest status of a message of ours, empty if none.
	Status StatusKind
	// OutboxID is set for a message of ours.
	OutboxID string
	// Media is the file that it has, nil if none.
	Media *Media
	// Edited says that Text is what an edit made of it. Raw is the original.
	Edited bool
	// Revoked says that its author took it back: Text, Media and Raw are empty.
	Revoked bool
	// CustomerReaction and BusinessReaction are emojis; empty if there is none,
	// or none any more.
	CustomerReaction, BusinessReaction string
	// Raw is the message as received, or the payload of ours. It is nil and Text empty after Discard.
	Raw []byte
}

// ClaimRequest says who claims conversations and how.
type ClaimRequest struct {
	// Owner names the worker, for people who read the rows.
	Owner string
	Lease time.Duration
	// Limit is how many are claimed at most; 0 for one.
	Limit int
	// PerLineLimit is how many turns of one line may be leased at a time.
	PerLineLimit int
	// History is how many earlier messages the turn brings along.
	History int
	// ExcludeLines are not claimed.
	ExcludeLines []string
	// After leaves out its line and those before it, by their ids. A caller that
	// goes on after the line that was served last, and begins again when nothing is
	// due there, serves the lines in turn, however much one of them has waiting.
	After string
	// AwaitMedia leaves a conversation alone, for MediaPatience, while files of its
	// customer's messages are on their way.
	AwaitMedia bool
}

// Turn is a claimed conversation: what the customer wrote and what was said
// before.
type Turn struct {
	ConversationID int64
	Line           string
	PhoneNumberID  string
	Contact        Contact

	Owner      string
	Epoch      int64
	LeaseUntil time.Time
	// Attempt is 1 for the first try.
	Attempt int
	// LoadedSeq is the newest message that the turn knows of.
	LoadedSeq int64
	// Superseded counts the replies that newer messages have discarded.
	Superseded int
	// FirstUnansweredAt is when the store got the oldest message of Unanswered.
	FirstUnansweredAt time.Time
	// ClaimedAt is the store's clock at the claim. Ages are measured by it.
	ClaimedAt time.Time
	// AllowSupersede lets newer messages discard the reply. The claim sets it;
	// a worker clears it when the turn has had an effect.
	AllowSupersede bool

	// Unanswered are the messages to answer, by event time: the newest, within
	// MaxTurnMessages and MaxTurnBytes.
	Unanswered []Message
	// History are the messages before those, in and out, by event time, within
	// the same bounds. Those that Discard has been at are not among them.
	History []Message
	// Summary is of what was said before; zero if there is none.
	Summary Summary
}

// OutcomeKind says how a turn ended.
type OutcomeKind string

// The outcomes of a turn that CommitReply takes.
const (
	OutcomeAnswered OutcomeKind = "Answered"
	// OutcomeHandOff makes the conversation Waiting.
	OutcomeHandOff OutcomeKind = "HandOff"
)

// Outcome is how a turn ended, and what is written together with its replies. Reason is shown to people when it is a hand-off.
type Outcome struct {
	Kind   OutcomeKind
	Reason string
	// Cause, if set, leaves a dead letter: the turn failed for good. It is free of secrets and of the customer's data.
	Cause string
	// Quota, if set, counts the replies and holds them to its limits.
	Quota *Quota
	// Draft, if set, is a new order. Older drafts of the conversation are replaced.
	Draft *OrderDraftRow
	// Decision, if set, ends a draft of the conversation.
	Decision *OrderDecision
	// Proposal and Settlement, if set, write the ledger of calls with side effects.
	Proposal   *ToolProposal
	Settlement *ToolSettlement
	// Summary, if set, tells what was said up to a message of the conversation.
	Summary *Summary
}

// Summary is what an assistant remembers of the older messages of a conversation.
type Summary struct {
	Text string
	// Through is the ID of the newest message that it tells of.
	Through int64
}

// OutboxDraft is a message to be sent.
type OutboxDraft struct {
	// Type is Meta's type of the message.
	Type string
	// Text is what people and the assistant's history see of it.
	Text string
	// Payload is the message as the delivery understands it, without recipient
	// and callback data.
	Payload []byte
	// ContextWAMID is the message that it quotes, empty if none.
	ContextWAMID string
	// MaxReplyAge is how old the newest message that is answered may be when
	// it is sent; 0 = no limit. The store measures it.
	MaxReplyAge time.Duration
	// BlobKey names the blob that the payload refers to, empty if none. It is the
	// row's from then on, and goes with it; see Files.NoteBlob. BlobBytes is its size.
	BlobKey   string
	BlobBytes int64
}

// Erasure names a person of a line, by at least one of Phone and BSUID.
type Erasure struct {
	Line          string
	PhoneNumberID string
	// Phone has digits only.
	Phone string
	BSUID string
}

// Erased counts the rows that went or lost what was the person's.
type Erased struct {
	Conversations, Messages, Sends, Statuses, TestMessages int
	// Changes were kept raw, Unclaimed ones for a number that no channel had,
	// DeadLetters for a person to look at, Quarantined bodies for a secret.
	Changes, Unclaimed, DeadLetters, Quarantined int
	// QuarantinedKept bodies name others as well. They go when a secret verifies
	// them, without anything of the person's, or after QuarantineFor.
	QuarantinedKept int
}

// Retention says how long rows are kept. Periods below MinRetention count as
// MinRetention.
type Retention struct {
	// Default holds for lines that PerLine does not name.
	Default   time.Duration
	PerLine   map[string]time.Duration
	BatchSize int
}

// Stats are counts over the whole store.
type Stats struct {
	// DueConversations wait for a worker; OldestDueAt is zero if none.
	DueConversations int64
	OldestDueAt      time.Time
	// Outbox counts the sends that are not settled, by state: pending, sending and unknown.
	Outbox map[SendState]int64
	// WaitingConversations wait for a person.
	WaitingConversations int64
	DeadLetters          int64
	QuarantineBytes      int64
	UnclaimedChanges     int64
	// ParkedLines send nothing at present.
	ParkedLines int64
	// BlobBytes is what the blobs of all messages take.
	BlobBytes int64
}
