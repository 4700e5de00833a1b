// Package store is the contract between the webhook-server and its database:
// the Store interface, the rows that cross it, and the errors that callers act
// on.
//
// A store keeps what Meta delivered (messages, statuses, account events,
// bodies whose signature could not be verified), the conversation row that is
// at once the queue of replies, the outbox, and the rows that the manager
// pulls as reports. It decides whatever needs the whole database in view:
// whether a message is new or a copy, whose message it is, when a reply is
// due, who may work on it, and which send is next.
//
// It does not parse webhooks, verify signatures, call Graph or a model, and
// knows neither channels nor credentials: tokens and secrets never enter it.
// It imports nothing beside the standard library. Implementations live in
// sub-packages, pass the contract suite in package storetest, and share what
// has nothing to do with their SQL in package record.
//
// # Time
//
// Every rule that involves time (due, lease, window, age) is decided against
// the store's own clock, so that servers whose clocks disagree still agree on
// who holds what. Instants have a resolution of one millisecond and are
// returned in UTC.
package store
