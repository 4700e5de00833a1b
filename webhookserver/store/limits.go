package store

import "time"

// The figures that are part of the contract. Implementations use them; the
// contract suite checks them.
const (
	// ReplyDebounce is how long a reply waits after a message for another one
	// to follow: people send one thought in several messages.
	ReplyDebounce = 1500 * time.Millisecond
	// ReplyDueAtMost bounds that wait, counted from the first unanswered
	// message, so that somebody who keeps typing is answered nevertheless.
	ReplyDueAtMost = 8 * time.Second

	// MaxTurnAttempts is how often a turn is tried before a person has to
	// look at it.
	MaxTurnAttempts = 3
	// MaxTurnLosses is how often its worker may be lost instead. Then the turn
	// is perhaps what kills its workers, but mostly it was one of many that were
	// under way when a node or a database went down.
	MaxTurnLosses = 6
	// MaxTurnMessages and MaxTurnBytes bound the unanswered messages of a turn,
	// and its history, each: the newest are told, all are dealt with. Whoever
	// signs with an app of his own writes as much as he likes, and must not
	// exhaust the memory that others need.
	MaxTurnMessages = 100
	MaxTurnBytes    = 1 << 20
	// TurnBackoff is the wait after the first failed attempt; each further one
	// waits four times longer.
	TurnBackoff = 5 * time.Second

	// MaxSupersedes and SupersedeFor bound how often, and how long after the
	// first unanswered message, newer messages may discard a prepared reply.
	MaxSupersedes = 2
	SupersedeFor  = 20 * time.Second

	// WindowLength is the customer service window after a customer's message,
	// less a margin for the way to Meta: a reply sent into a closed window is
	// refused with error 131047. See
	// https://developers.facebook.com/docs/whatsapp/cloud-api/guides/send-messages.
	WindowLength = 24*time.Hour - 2*time.Minute

	// OwnershipLapses is how long after the last sign of another responder (the
	// handover to it, or a copy of what passed there) Meta's thread is idle again:
	// a customer's message that is later than that is ours to answer. See
	// https://developers.facebook.com/docs/whatsapp/conversation-routing.
	OwnershipLapses = 24 * time.Hour

	// PairInterval and PairBurst are the pace for one pair of business number
	// and customer: one message in 6 seconds, 45 at once.
	PairInterval = 6 * time.Second
	PairBurst    = 45

	// ResendAfter is how long a status may still tell what became of a send
	// whose outcome is unknown before it is sent again.
	ResendAfter = 2 * time.Minute
	// UnconfirmedAfter is when a send without a witness is given up.
	UnconfirmedAfter = 10 * time.Minute

	// ReplicaBeat is how often a process says that it is alive, ReplicaSilence
	// after how long the others believe that it is not. Until then they send
	// less than they could, which costs nothing but time.
	ReplicaBeat    = 5 * time.Second
	ReplicaSilence = 20 * time.Second
	// ReceiveEvery is how often a process that only receives tells what it has
	// received: rates are those of seconds.
	ReceiveEvery = time.Second
	// MediaPatience is how long a reply waits for the files of its messages,
	// counted from when each was received.
	MediaPatience = 20 * time.Second
	// BlobGrace is how long a blob is kept that no row names: whoever writes it
	// takes less to have its row written.
	BlobGrace = time.Hour

	// DecideWithin is how long a customer may take to decide on an order or a call
	// of a tool. Prices and what a call is for change.
	DecideWithin = 24 * time.Hour

	// NoticesTogether is of how many orders of one line its shop is told at a
	// time, over all processes: one that is slow to answer must not keep the
	// workers from those of others. Processes that claim in the same moment may
	// exceed it.
	NoticesTogether = 2

	// QuarantineBytes is what one app may keep in quarantine.
	QuarantineBytes = 64 << 20
	// QuarantineTotalBytes is what all apps together may keep there: unverified
	// bodies must not take the space that messages need.
	QuarantineTotalBytes = 256 << 20
	// QuarantineFor is a day longer than Meta retries a delivery.
	QuarantineFor = 8 * 24 * time.Hour

	// MinRetention is the shortest time for which messages are kept: copies of
	// a delivery may come for 7 days and must still be known as copies.
	MinRetention = 9 * 24 * time.Hour
	// UsageRetention is how long what lines have used is kept: a year and a month.
	UsageRetention = 396 * 24 * time.Hour
	// ReportRetention is how long the manager may be away without losing a
	// report.
	ReportRetention = 30 * 24 * time.Hour
)
