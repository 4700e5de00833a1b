package store

import (
	"context"
	"time"
)

// Store is everything that the webhook-server keeps. All methods may be called
// from many goroutines. A method that returns nil has made its effect durable:
// it survives a power cut.
//
// Besides the errors that each method names, all of them return ErrUnavailable
// (wrapped, with what to do) when the database is away, full or closed, and
// ctx.Err() when the caller gave up before the work had begun.
type Store interface {
	Ingester
	Turns
	Outbox
	Files
	TestMessages
	Replicas
	Eraser
	Usages
	Orders
	ToolCalls
	Reports
	Documents
	Reader
	Maintenance
}

// Ingester takes what Meta delivered.
type Ingester interface {
	// Ingest stores one verified delivery as a unit. Copies of what is stored
	// already are dropped, be they inside the same delivery, simultaneous or
	// days old. An item that the database cannot hold becomes a dead letter
	// and does not stop its neighbours; only a database that cannot be written
	// is an error. It returns ErrBusy at once when too many deliveries or
	// bytes wait already; then nothing was stored.
	//
	// Who answers is decided here, from facts that only grow, so that any order
	// of arrival gives the same end. An echo (SourceEcho) that is not of a message
	// of ours makes its conversation Human. The newest Handover says whether
	// another responder owns the thread. Either clears ReplyDueAt and takes the
	// turn from whoever has it claimed; when it ends, what is unanswered is due
	// again. Copies from standby are stored, and replaced by one from messages.
	//
	// The store does not keep or change d after it has returned.
	Ingest(ctx context.Context, d *Delivery) (Receipt, error)

	// Quarantine keeps a body whose signature no known secret of the app
	// verifies, to be verified again when a secret of that app changes. It
	// returns ErrQuarantineFull when the budget of the app, or of all apps, is used up.
	Quarantine(ctx context.Context, e *QuarantineEntry) error

	// QuarantineEntries returns up to limit entries of one app with an ID above
	// after, oldest first.
	QuarantineEntries(ctx context.Context, app string, after int64, limit int) ([]QuarantineEntry, error)

	// DeleteQuarantine removes an entry that has been ingested. Removing one
	// that is gone is no error.
	DeleteQuarantine(ctx context.Context, id int64) error

	// PendingChanges returns up to limit raw changes that wait for rows to be made
	// of them, with an ID above after, oldest first.
	PendingChanges(ctx context.Context, after int64, limit int) ([]RawChange, error)

	// MarkProjected says that the rows of a pending change are stored. Marking
	// one that is not pending, or gone, is no error.
	MarkProjected(ctx context.Context, id int64) error

	// Unclaimed returns up to limit verified changes for numbers that no
	// channel claimed when they came, with an ID above after, oldest first.
	Unclaimed(ctx context.Context, after int64, limit int) ([]UnclaimedChange, error)

	// DeleteUnclaimed removes a change that has been ingested. Removing one
	// that is gone is no error.
	DeleteUnclaimed(ctx context.Context, id int64) error
}

// Turns hands out conversations whose customer waits for an answer. The
// conversation row is the queue.
type Turns interface {
	// ClaimConversations leases conversations that are due, at most req.Limit, on
	// lines that are neither excluded nor parked: line by line in the order of
	// their ids, as many of each as its limit of leases has room for, and of these
	// the ones that have been due longest. Fewer than the limit mean that nothing
	// else was due. It returns ErrNothingDue if there is none. A conversation that
	// was claimed MaxTurnLosses times without an outcome (the worker died) is not
	// handed out again: it goes Waiting and leaves a dead letter.
	ClaimConversations(ctx context.Context, req ClaimRequest) ([]*Turn, error)

	// ExtendLease prolongs the turn's lease to now + lease and updates
	// t.LeaseUntil. Errors: ErrLeaseLost.
	ExtendLease(ctx context.Context, t *Turn, lease time.Duration) error

	// SupersedeTurn ends the turn if CommitReply would return ErrSuperseded now,
	// and tells whether it did, so that work for nothing stops early. Errors:
	// ErrLeaseLost.
	SupersedeTurn(ctx context.Context, t *Turn) (bool, error)

	// KeepUnderstood makes what was understood of a message of the turn, such
	// as the transcript of a voice note, its text, so that people and later
	// turns have it. Errors: ErrLeaseLost, ErrNotFound if the turn's
	// conversation has no such message of its customer's.
	KeepUnderstood(ctx context.Context, t *Turn, messageID int64, text string) error

	// CommitReply ends the turn with its replies: in one transaction it
	// records what was answered, puts the replies into the outbox in the given
	// order, and, for OutcomeHandOff, makes the conversation Waiting.
	//
	// If newer messages have arrived and t.AllowSupersede is set, nothing is
	// put into the outbox, and it returns ErrSuperseded; after MaxSupersedes of
	// those, or SupersedeFor after the first unanswered message, the replies go
	// out nevertheless and the newer messages are the next turn. A hand-off is
	// never superseded. What else the outcome has is written in the same
	// transaction. Errors: ErrLeaseLost, ErrSuperseded, *LimitError, and
	// ErrNotFound if a decision's draft or a settlement's open call is gone.
	CommitReply(ctx context.Context, t *Turn, replies []OutboxDraft, o Outcome) error

	// SkipTurn ends the turn without a reply: its messages stay stored and
	// shown, and are never answered automatically. Errors: ErrLeaseLost.
	SkipTurn(ctx context.Context, t *Turn, reason string) error

	// ReleaseTurn gives the turn back as if it had never been claimed; it is
	// not due again until after has passed. Errors: ErrLeaseLost.
	ReleaseTurn(ctx context.Context, t *Turn, after time.Duration) error

	// FailTurn gives the turn back after an error, with a back-off. A failure of
	// the MaxTurnAttempts-th attempt, or a later one, makes the conversation
	// Waiting and leaves a dead letter with the cause, which must be free of
	// secrets and of the customer's data. Errors: ErrLeaseLost.
	FailTurn(ctx context.Context, t *Turn, cause string) error

	// Resume makes a Waiting or Human conversation Active again. What came
	// before counts as answered: a person has seen it. An echo that was written
	// before and comes later changes nothing. Errors: ErrNotFound.
	Resume(ctx context.Context, line string, conversationID int64) error

	// ResumeIdle gives conversations back of which nobody has taken care: on each
	// named line, those that have been Waiting, or since whose newest message of
	// a person as much time has passed. Nobody has seen what is unanswered, so
	// that is due. It returns how many there were, and is to be called again and
	// again.
	ResumeIdle(ctx context.Context, after map[string]time.Duration) (int, error)
}

// Outbox delivers. A row goes pending → sending → accepted | failed | unknown;
// see SendState.
type Outbox interface {
	// EnqueuePersonReply puts a person's message into the outbox, and makes the
	// conversation Human: the assistant is silent until Resume. It does not
	// wait behind rows that are blocked, and its age does not matter, only the
	// window. It returns the outbox id. Errors: ErrNotFound.
	EnqueuePersonReply(ctx context.Context, line string, conversationID int64, d OutboxDraft) (string, error)

	// ClaimSends leases rows that may be sent, at most req.Limit, and commits their
	// state sending before it returns: line by line in the order of their ids, as
	// many of each as its limit has room for. On a line a person's replies go
	// before the assistant's, and those before what no customer waits for. Rows of
	// one conversation are sent in order: an earlier one that is not finished
	// blocks the later ones. Rows whose window has closed or whose message is too
	// old fail here with a reason and are not returned, and so do the assistant's
	// when a person or another responder answers by now. It returns ErrNothingDue
	// if there is nothing.
	ClaimSends(ctx context.Context, req ClaimSendRequest) ([]*Send, error)

	// MarkAccepted records that Meta took the send and gave it this id.
	// Statuses that came before are joined to it. It holds even when the lease
	// has run out meanwhile, since it is the truth. Errors: ErrLeaseLost if
	// the row was claimed again since.
	MarkAccepted(ctx context.Context, s *Send, wamid string) error

	// MarkFailed records that Meta refused the send for good. code is Meta's
	// (0 if none); reason is a short, stable word. Errors: ErrLeaseLost.
	MarkFailed(ctx context.Context, s *Send, code int, reason string) error

	// MarkUnknown records that nobody knows whether Meta took the send.
	// Errors: ErrLeaseLost.
	MarkUnknown(ctx context.Context, s *Send, reason string) error

	// MarkPendingAgain records that Meta certainly did not take the send
	// (throttled, not sent, line parked) and when it may be tried again. Errors:
	// ErrLeaseLost.
	MarkPendingAgain(ctx context.Context, s *Send, again Retry) error

	// ResolveUnknown does what time alone decides, and is to be called every
	// few seconds: sends whose lease ran out become unknown; unknown ones
	// older than ResendAfter with a witness (a status for a later send of the
	// same number) become pending once more; those without one after
	// UnconfirmedAfter, or unknown for the second time, become unconfirmed,
	// and their conversation Waiting.
	ResolveUnknown(ctx context.Context) (Resolution, error)

	// StatusFailures lists what statuses have said of messages that Meta had
	// accepted and then could not deliver, in the time since before now. It is
	// ordered by Newest.
	StatusFailures(ctx context.Context, since time.Duration) ([]StatusFailure, error)

	// ParkLine stops claims on the line, because Meta refuses its credential
	// or account. credentialRevision names what was refused.
	ParkLine(ctx context.Context, line, reason, credentialRevision string) error

	// LiftParking lets claims on the line go on if it is parked for another
	// revision than the given one. It tells whether it did.
	LiftParking(ctx context.Context, line, credentialRevision string) (bool, error)

	// ParkedLines lists the parked lines.
	ParkedLines(ctx context.Context) ([]ParkedLine, error)
}

// TestMessages sends the message by which an operator proves that a line
// works.
type TestMessages interface {
	// EnqueueTestMessage asks for a test message. The same key does nothing
	// the second time and returns the present state. Without an open window
	// (the tester has not written within a day) it waits for the tester's
	// message. Sending, delivery and failure appear as reports
	// (ReportTestMessage).
	EnqueueTestMessage(ctx context.Context, m TestMessage) (TestMessageState, error)
}

// Replicas counts the processes that send, so that each takes its share of what
// a phone number may send.
type Replicas interface {
	// Beat notes that owner is alive, and returns how many are, owner included.
	// It is to be called every ReplicaBeat; who has been silent for
	// ReplicaSilence does not count and is forgotten.
	Beat(ctx context.Context, owner string) (alive int, err error)

	// Receive adds what a process that does not send has received since it told
	// last, by line, so that those who send can count it. It is to be called
	// every ReceiveEvery; of whom nothing was heard for ReplicaSilence it is
	// forgotten. Errors: ErrInvalid.
	Receive(ctx context.Context, owner string, messages map[string]int64) error

	// Received lists what such processes have received for each line. A total
	// grows, until it is forgotten and begins again.
	Received(ctx context.Context) ([]Received, error)

	// Leave forgets owner at once, so that the others need not wait for its
	// silence. Leaving twice is no error.
	Leave(ctx context.Context, owner string) error
}

// Eraser forgets a person.
type Eraser interface {
	// Erase removes whatever a line has of a person: the conversation with its
	// messages, sends and ids, their statuses, test messages to him, and of every
	// change, dead letter and unclaimed change what names him; a quarantined body
	// goes if it names nobody else, see Erased.QuarantinedKept. A person is found
	// by any BSUID that the line has ever known him by, and by the phone that he
	// had last: an earlier one may be somebody else's by now. It leaves keyed
	// hashes for MinRetention, so that a copy of an old delivery does not bring
	// him back; what he writes afterwards is a new contact's. Erasing somebody
	// unknown leaves the hashes, too. It may take minutes, can be repeated, and is
	// complete only when it returns nil. Errors: ErrInvalid.
	Erase(ctx context.Context, e Erasure) (Erased, error)
}

// Reports are what the manager pulls.
type Reports interface {
	// AppendReport adds a row for the manager. ID and Time are set by the store.
	AppendReport(ctx context.Context, r Report) error

	// RecordSecurityEvent adds e.Count to the aggregate of the present minute.
	// The aggregate becomes one report when its minute is over.
	RecordSecurityEvent(ctx context.Context, e SecurityEvent) error

	// Reports returns up to limit rows with an ID above after, in order of ID.
	// A row that a reader could have seen never changes, and no row appears
	// later with a lower ID.
	Reports(ctx context.Context, after int64, limit int) ([]Report, error)
}

// Documents keeps what channels name by URL, fetched by one replica for all.
type Documents interface {
	// Documents lists all documents of all lines, without their bodies.
	Documents(ctx context.Context) ([]Document, error)

	// ClaimFetch leases a document that is to be fetched now: one that nobody
	// has asked for before, that is due, or that was last checked longer than
	// interval ago. It returns ErrNothingDue if it is none of these or somebody
	// else fetches it.
	ClaimFetch(ctx context.Context, line, url string, interval, lease time.Duration) (*Fetch, error)

	// FinishFetch ends a fetch. A failed one keeps the last good copy. Errors:
	// ErrLeaseLost.
	FinishFetch(ctx context.Context, f *Fetch, o FetchOutcome) error

	// DocumentBody returns the last good copy and its revision. Errors:
	// ErrNotFound when there is none.
	DocumentBody(ctx context.Context, line, url string) (body []byte, revision string, err error)
}

// Reader shows what is stored, for the inbox, the demo and tests.
type Reader interface {
	// Conversations returns up to limit conversations of a line with an ID
	// above after, in order of ID.
	Conversations(ctx context.Context, line string, after int64, limit int) ([]Conversation, error)

	// Messages returns up to limit of the newest messages of a conversation,
	// oldest first. before (a message ID; 0 = none) pages backwards. Reactions,
	// edits and revocations are not among them: they show in their targets.
	Messages(ctx context.Context, line string, conversationID, before int64, limit int) ([]Message, error)

	// OutboxRows returns up to limit outbox rows of a line with a sequence
	// above after, in the order in which they were enqueued.
	OutboxRows(ctx context.Context, line string, after int64, limit int) ([]OutboxRow, error)

	// RawChanges returns up to limit changes that are kept raw, with an ID
	// above after.
	RawChanges(ctx context.Context, after int64, limit int) ([]RawChange, error)

	// DeadLetters returns up to limit dead letters with an ID above after.
	DeadLetters(ctx context.Context, after int64, limit int) ([]DeadLetter, error)

	// Stats counts what operators watch.
	Stats(ctx context.Context) (Stats, error)
}

// Maintenance keeps the store healthy.
type Maintenance interface {
	// Ping proves that the store can be written durably.
	Ping(ctx context.Context) error

	// Expire deletes what is older than its retention, at most r.BatchSize
	// rows of each kind in one transaction, and returns how many went. Call it
	// until it returns 0.
	Expire(ctx context.Context, r Retention) (int, error)

	// Discard takes the words out of what nobody needs any more on these lines, and
	// returns how much lost them: of conversations in which nothing is unanswered or
	// on its way out, the texts, files, raw bytes and payloads of all messages and
	// the summary; of decisions that are not open any more, what they were about;
	// and all changes that are kept raw. It takes at most batch conversations in one
	// transaction; call it until it returns 0. What tells copies apart stays, and so
	// do identities, times, states, usage and orders that were confirmed.
	//
	// A conversation that is Waiting, or whose newest turn was skipped or could not
	// be delivered, keeps its words until a person has written after the customer.
	// What he answered in that way counts as answered.
	Discard(ctx context.Context, lines []string, batch int) (int, error)

	// Close finishes what was accepted, and closes the database. Calls that
	// come later get ErrUnavailable.
	Close() error
}
