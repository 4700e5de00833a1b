package store

import "time"

// TestMessage is a message to a tester, sent once per Key.
type TestMessage struct {
	Key           string
	Line          string
	PhoneNumberID string
	// To is the tester's number (punctuation does not matter) or BSUID.
	To   string
	Body string
	// Payload is the message as the delivery understands it.
	Payload []byte
}

// TestMessageState is how far a test message has come.
type TestMessageState string

// The states of a test message, in order; Failed ends any of them.
const (
	TestMessageWaiting   TestMessageState = "Waiting"
	TestMessageQueued    TestMessageState = "Queued"
	TestMessageSent      TestMessageState = "Sent"
	TestMessageDelivered TestMessageState = "Delivered"
	TestMessageFailed    TestMessageState = "Failed"
)

// ReportKind names the facts that the store itself reports. Other packages add
// their own.
type ReportKind string

// The store's own reports, with their payloads.
const (
	// ReportTraffic has a TrafficPayload: for each direction at most one per
	// line and hour.
	ReportTraffic ReportKind = "Traffic"
	// ReportTestMessage has a TestMessagePayload.
	ReportTestMessage ReportKind = "TestMessage"
	// ReportSecurity has a SecurityPayload: one per line, app, kind and minute.
	ReportSecurity ReportKind = "Security"
)

// Report is a row for the manager.
type Report struct {
	ID   int64     // set by the store
	Time time.Time // set by the store
	Kind ReportKind
	// Line and App say what it is about; either may be empty.
	Line string
	App  string
	// Payload is JSON.
	Payload []byte
}

// TrafficPayload is the payload of ReportTraffic. LastReceived, LastStandby and
// LastSent are rounded down to the hour; it has those of one direction only.
type TrafficPayload struct {
	FirstReceived time.Time `json:"firstReceived,omitzero"`
	LastReceived  time.Time `json:"lastReceived,omitzero"`
	// LastStandby is of copies of what another responder received. The first
	// message of the line's own after that is reported, whatever the hour, so
	// that the latest report says whether the line is routed elsewhere.
	LastStandby time.Time `json:"lastStandby,omitzero"`
	LastSent    time.Time `json:"lastSent,omitzero"`
}

// TestMessagePayload is the payload of ReportTestMessage.
type TestMessagePayload struct {
	Key   string           `json:"key"`
	State TestMessageState `json:"state"`
	// Code is Meta's error code and Reason a stable word, if it failed.
	Code   int    `json:"code,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// SecurityEvent is something that should not happen: a wrong signature, a
// foreign phone number id. Line and App may be empty.
type SecurityEvent struct {
	Kind  string
	Line  string
	App   string
	Count int
}

// SecurityPayload is the payload of ReportSecurity.
type SecurityPayload struct {
	Kind   string    `json:"kind"`
	Minute time.Time `json:"minute"`
	Count  int64     `json:"count"`
}
