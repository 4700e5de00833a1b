// Package controllers is the operator's side that touches the outside: it reads the resources, performs at Meta what they ask for,
// projects what the webhook-server needs into the runtime namespace, and writes every status.
//
// Each kind has its files: <kind>_controller.go holds the skeleton, _phases.go the steps, which record facts and set nothing, _status.go
// the one function that turns facts into conditions, _delete.go what deletion does, _watches.go what else causes a reconciliation; steps
// that need much have files of their own. errors.go has the one function that turns an error into a reason and the time of the next
// attempt; graph.go is the only place that reads a MetaApp's Secret; places.go and urgency.go decide who waits when many come at once.
//
// The package doesn't serve HTTP, never sees a customer's message, and doesn't decide which step of an onboarding comes next: that is
// internal/onboarding. Graph API calls go through internal/meta only.
package controllers
