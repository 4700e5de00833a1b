// Package meta is the client of Meta's Graph API: the calls that onboard a WhatsApp business customer, and the calls
// that send messages and move media.
//
// New is the only constructor. Credentials are passed with each call. Every failed call returns an *Error, which says
// what became of the request (Outcome), what Meta holds against it (Class) and when to try again, in text that is
// stable and free of secrets.
//
// The package does not retry, does not wait for rate limits, does not cache and does not log: whether a call may be
// repeated depends on what the caller has written down before. It also makes sure that net/http does not repeat a
// call by itself. It defines no interfaces of its own methods; each consumer declares the few that it uses. Wire types
// of webhooks are in the package webhook below.
package meta
