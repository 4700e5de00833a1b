// Package conversation answers customers: it claims a conversation whose customer waits, decides whether an answer may
// be given, has voice notes and photos understood, lets the assistant write it, and commits it together with its outbox rows.
//
// The conversation row is the queue and its lease is the only lock. A worker that dies leaves a lease that runs out; the
// next one starts over, and since an answer exists only when the commit that needs the lease has succeeded, a customer
// gets one answer or, for a while, none. Messages that arrive while an answer is being written discard it, within the
// bounds that the store sets.
//
// The package delivers nothing: package outbox does. It does not decide what to say: package assistant does.
package conversation
