package serverapi

import "time"

// Paths of the API.
const (
	PathReports      = "/internal/v1/reports"
	PathSnapshot     = "/internal/v1/snapshot"
	PathTestMessages = "/internal/v1/test-messages"
	PathErasures     = "/internal/v1/erasures"
	// PathParkedLines lists the lines whose sends are on hold.
	PathParkedLines = "/internal/v1/parked-lines"
	// PathConversations lists the conversations of a number (query phoneNumberID) that are a person's; PathResume gives one back.
	PathConversations = "/internal/v1/conversations"
	PathResume        = "/internal/v1/conversations/resume"
)

const (
	// DefaultLimit is how many reports one call returns if it doesn't say.
	DefaultLimit = 200
	// MaxLimit bounds what it may ask for.
	MaxLimit = 1000
)

// Cursor is a position in a store's reports. It is opaque, survives restarts of the server and is the same on every replica of one
// store. The empty Cursor is before the oldest report that is kept. A Cursor that a store did not give out, because the store was
// replaced, counts as empty: its user sees old reports again rather than miss new ones, so handling a report must be idempotent.
// Reports are kept for 30 days.
type Cursor string

// Reports is the answer to PathReports.
type Reports struct {
	// Reports in the order in which they were written, oldest first. What concerns an account appears once for each of its lines, with
	// the same ID, so there can be more than the limit.
	Reports []Report `json:"reports"`
	// Next is the cursor after the last of Reports; the request's own when there are none.
	Next Cursor `json:"next"`
}

// Kind says what a Report is about.
type Kind string

// The kinds of reports. The comment names the member of Detail that is set, if any.
const (
	// KindTraffic: a line had traffic; for each direction at most one per line and hour, but for messages that follow copies: they are told
	// again. Detail.Traffic.
	KindTraffic Kind = "Traffic"
	// KindWebhookVerified: Meta has shaken hands with, or delivered genuinely to, this server. Detail.Webhook.
	KindWebhookVerified Kind = "WebhookVerified"
	// KindVerifyTokenMismatch: somebody tried a handshake with a verify token that nobody has. It names no line.
	KindVerifyTokenMismatch Kind = "VerifyTokenMismatch"
	// KindSecurityEvent: requests of one minute that were not trusted. Detail.Security.
	KindSecurityEvent Kind = "SecurityEvent"
	// KindTokenRejected: Graph refused a line's access token on a send. Detail.Graph.
	KindTokenRejected Kind = "TokenRejected"
	// KindLineParked: sends of a line are on hold until its credential or condition changes. Detail.Graph. PathParkedLines says which are.
	KindLineParked Kind = "LineParked"
	// KindLineResumed: sends of a parked line go on.
	KindLineResumed Kind = "LineResumed"
	// KindTestMessage: a test message has changed its state; from Waiting to Queued because its tester has written. Detail.TestMessage.
	KindTestMessage Kind = "TestMessage"
	// KindAccountEvent: Meta announced something about an account or number; read Graph before acting on it. Detail.Account.
	KindAccountEvent Kind = "AccountEvent"
	// KindAssistantHealth: a line's assistant began or ceased to work. Detail.Assistant.
	KindAssistantHealth Kind = "AssistantHealth"
	// KindLimitReached: a line has used up one of its limits, so that customers are not answered, or their files not kept; at most one per
	// line, limit, replica and hour. Detail.Limit.
	KindLimitReached Kind = "LimitReached"
)

// Report is one thing that the server has learnt. Ids that don't apply are empty.
type Report struct {
	// ID is the cursor right after this report.
	ID Cursor `json:"id"`
	// Time when it was learnt; of an aggregate, the start of its minute or hour.
	Time time.Time `json:"time"`
	Kind Kind      `json:"kind"`
	// Namespace and LineID of the channel, as projected.
	Namespace string `json:"namespace,omitempty"`
	LineID    string `json:"lineID,omitempty"`
	// PhoneNumberID and AppID at Meta. Of a SecurityEvent they are ours that were claimed or concerned.
	PhoneNumberID string `json:"phoneNumberID,omitempty"`
	AppID         string `json:"appID,omitempty"`
	// Count of occurrences, at least 1.
	Count int64 `json:"count"`
	// Detail by kind.
	Detail Detail `json:"detail"`
}

// Detail holds what a kind of report tells beyond ids; at most one member is set.
type Detail struct {
	Traffic     *Traffic     `json:"traffic,omitempty"`
	Webhook     *Webhook     `json:"webhook,omitempty"`
	Security    *Security    `json:"security,omitempty"`
	Graph       *Graph       `json:"graph,omitempty"`
	TestMessage *TestOutcome `json:"testMessage,omitempty"`
	Account     *Account     `json:"account,omitempty"`
	Assistant   *Assistant   `json:"assistant,omitempty"`
	Limit       *Limit       `json:"limit,omitempty"`
}

// Limit is the detail of KindLimitReached.
type Limit struct {
	// Limit such as MessagesPerMonth, in the words of the store.
	Limit string `json:"limit"`
}

// Traffic tells when messages passed, in UTC. LastReceived, LastStandby and LastSent are rounded down to the hour: reports are no record of
// anybody's habits. Zero means not told by this report.
type Traffic struct {
	FirstReceived time.Time `json:"firstReceived,omitzero"`
	LastReceived  time.Time `json:"lastReceived,omitzero"`
	// LastStandby is when copies came of what another responder received, rounded like the others. Until a later report has a LastReceived,
	// the line is routed to somebody else.
	LastStandby time.Time `json:"lastStandby,omitzero"`
	LastSent    time.Time `json:"lastSent,omitzero"`
}

// Proof says how a webhook was verified.
type Proof string

// Proofs of a webhook.
const (
	// Handshake: a GET presented the verify token.
	Handshake Proof = "Handshake"
	// Delivery: a POST carried a genuine signature.
	Delivery Proof = "Delivery"
)

// Webhook is the detail of KindWebhookVerified.
type Webhook struct {
	Proof Proof `json:"proof"`
}

// SecurityReason says why a request or a part of it was not trusted.
type SecurityReason string

// Reasons of security events.
const (
	// BadSignature: the body names a number or account that is served, but no secret of its app signed it.
	BadSignature SecurityReason = "BadSignature"
	// UnknownSender: the body names nothing that is served, and no known secret signed it.
	UnknownSender SecurityReason = "UnknownSender"
	// ForeignID: a genuinely signed body names a number or account that does not belong to the app that signed.
	ForeignID SecurityReason = "ForeignID"
	// DuplicateKeys: a genuinely signed body, or a change in it, spells a routing key twice or in another case.
	DuplicateKeys SecurityReason = "DuplicateKeys"
	// Unreadable: a genuinely signed body is no webhook, or a change in it is nested too deeply.
	Unreadable SecurityReason = "Unreadable"
	// Tombstoned: a genuinely signed body is for a number that was served until lately.
	Tombstoned SecurityReason = "Tombstoned"
)

// Security is the detail of KindSecurityEvent: Count requests of one minute.
type Security struct {
	Reason SecurityReason `json:"reason"`
}

// Graph is an error of the Graph API, as numbers and a reason of ours; Meta's text is not passed on.
type Graph struct {
	// Reason such as InvalidAccessToken, in the vocabulary of conditions.
	Reason  string `json:"reason"`
	Code    int    `json:"code,omitempty"`
	Subcode int    `json:"subcode,omitempty"`
	// CredentialRevision of the token that was used, so that a report about an older token can be told apart.
	CredentialRevision string `json:"credentialRevision,omitempty"`
}

// Account is the detail of KindAccountEvent.
type Account struct {
	// Field of the webhook, such as account_update.
	Field string `json:"field"`
	// Event within it, such as PARTNER_REMOVED; empty when the field has none.
	Event string `json:"event,omitempty"`
	// WABAID is the account that it concerns.
	WABAID string `json:"wabaID,omitempty"`
}

// Assistant is the detail of KindAssistantHealth. It is about the catalog if Catalog is set, about a document if Source is, about a source
// of tools if Tool is, else about the model of one capability; none says anything of the others.
type Assistant struct {
	// Capability whose model it is about, such as chat or transcription; empty means chat.
	Capability string `json:"capability,omitempty"`
	Healthy    bool   `json:"healthy"`
	// Reason such as ProviderUnavailable, or CatalogInvalid; empty when healthy.
	Reason string `json:"reason,omitempty"`
	// Catalog tells what could be read of the catalog, when that is another than before.
	Catalog *Catalog `json:"catalog,omitempty"`
	// Source tells of a document that is fetched, when that is another than before.
	Source *Source `json:"source,omitempty"`
	// Tool names the source of tools that it is about.
	Tool string `json:"tool,omitempty"`
}

// ReasonCatalogInvalid is the Reason of a catalog of which nothing can be used.
const ReasonCatalogInvalid = "CatalogInvalid"

// Catalog tells what could be read of a line's catalog.
type Catalog struct {
	// Products that can be used, and rows that were left out.
	Products int `json:"products"`
	LeftOut  int `json:"leftOut"`
	// Problem is what is wrong with the first of those rows, or with the whole; it quotes nothing of the catalog. Empty if nothing is.
	Problem string `json:"problem,omitempty"`
	// Rows are the first of those that were left out, at most MaxRowErrors.
	Rows []RowError `json:"rows,omitempty"`
}

// MaxRowErrors is how many rows are told of one by one.
const MaxRowErrors = 5

// RowError says why a row of a catalog was left out. It quotes nothing of the row.
type RowError struct {
	// Line where the row starts, from 1; of a JSON feed the position in the list.
	Line    int    `json:"line"`
	Problem string `json:"problem"`
}

// Source tells of a document that a line names by URL.
type Source struct {
	// Field that names it, such as spec.assistant.catalog.url.
	Field string `json:"field"`
	// Served is true when there is a copy of it, which is used.
	Served bool `json:"served"`
	// Detail says what is wrong with a document that is Unreadable; it quotes nothing of it.
	Detail string `json:"detail,omitempty"`
}

// Reasons of an Assistant with a Source: why its URL gives nothing.
const (
	SourceAddressRefused     = "AddressRefused"
	SourceRedirectRefused    = "RedirectRefused"
	SourceTooLarge           = "TooLarge"
	SourceTimeout            = "Timeout"
	SourceCertificateInvalid = "CertificateInvalid"
	SourceUnreachable        = "Unreachable"
	SourceForbidden          = "Forbidden"
	SourceNotFound           = "NotFound"
	SourceServerError        = "ServerError"
	SourceUnreadable         = "Unreadable"
)

// Snapshot is the answer to PathSnapshot: what one replica has loaded.
type Snapshot struct {
	// Synced is true once the replica has seen every projection that existed when it started.
	Synced bool `json:"synced"`
	// Objects are the revisions (runtimeconfig.Revision of the data) of the loaded Objects by name.
	Objects map[string]string `json:"objects"`
	// Problems are Objects that could not be read.
	Problems []Problem `json:"problems"`
}

// ParkedLines is the answer to PathParkedLines: the lines whose sends are on hold now. It comes from the store, like reports.
type ParkedLines struct {
	Lines []ParkedLine `json:"lines"`
}

// ParkedLine is a line whose sends are on hold.
type ParkedLine struct {
	LineID string `json:"lineID"`
	// Reason such as PaymentRequired, in the vocabulary of conditions.
	Reason string `json:"reason"`
	// Since, in UTC. A line is let go on for a moment from time to time, and is on hold anew if its messages are still refused.
	Since time.Time `json:"since"`
}

// Problem is an Object that a replica could not read.
type Problem struct {
	Object  string `json:"object"`
	Message string `json:"message"`
}

// TestMessage asks for a text to be sent once. The same Key may be posted again, to any replica, to learn the state.
type TestMessage struct {
	// Key identifies the wish: at most 128 letters, digits and -_.:/ signs. One Key, one message, whatever else changes.
	Key string `json:"key"`
	// PhoneNumberID and LineID must name the same channel.
	PhoneNumberID string `json:"phoneNumberID"`
	LineID        string `json:"lineID"`
	// To is a phone number, digits only.
	To string `json:"to"`
	// Body of at most 4096 characters.
	Body string `json:"body"`
}

// TestState is what became of a test message.
type TestState string

// States of a test message, in order. Failed ends any of them.
const (
	// TestWaiting: the recipient has not written in the last 24 hours, so Meta would refuse a free text. Once he writes it goes on
	// by itself.
	TestWaiting TestState = "Waiting"
	// TestQueued: it is on its way to Meta.
	TestQueued TestState = "Queued"
	// TestSent: Meta took it.
	TestSent TestState = "Sent"
	// TestDelivered: it reached the recipient's phone.
	TestDelivered TestState = "Delivered"
	// TestFailed: it was refused, not delivered, or nobody knows; it is not sent again.
	TestFailed TestState = "Failed"
)

// TestOutcome is a test message's state: the answer to PathTestMessages and a report's detail.
type TestOutcome struct {
	Key   string    `json:"key"`
	State TestState `json:"state"`
	// Code is Meta's error code and Reason a stable word, if it failed.
	Code   int    `json:"code,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// Erasure asks to forget a person of a number. At least one of Phone and UserID is set.
type Erasure struct {
	PhoneNumberID string `json:"phoneNumberID"`
	// Phone is the customer's number; punctuation does not matter.
	Phone string `json:"phone,omitempty"`
	// UserID is the customer's business-scoped user id.
	UserID string `json:"userID,omitempty"`
}

// Erased counts what went.
type Erased struct {
	Conversations int `json:"conversations"`
	Messages      int `json:"messages"`
	Sends         int `json:"sends"`
	Statuses      int `json:"statuses"`
	TestMessages  int `json:"testMessages"`
	Changes       int `json:"changes"`
	Unclaimed     int `json:"unclaimed"`
	DeadLetters   int `json:"deadLetters"`
	Quarantined   int `json:"quarantined"`
	// QuarantinedKept bodies name others as well, so they stay until a secret verifies them, or for 8 days at most.
	QuarantinedKept int `json:"quarantinedKept"`
}

// Conversations is the answer to PathConversations.
type Conversations struct {
	Conversations []Conversation `json:"conversations"`
}

// Conversation is a chat that is a person's.
type Conversation struct {
	ID int64 `json:"id"`
	// State is Waiting or Human; Reason says why it waits.
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`
	// LastMessageAt is when the customer last wrote.
	LastMessageAt time.Time `json:"lastMessageAt,omitzero"`
}

// Resume asks PathResume for a conversation to be given back to the assistant.
type Resume struct {
	PhoneNumberID string `json:"phoneNumberID"`
	Conversation  int64  `json:"conversation"`
}
