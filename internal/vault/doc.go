// Package vault keeps the one thing of an onboarding that can't be had twice: the customer's token.
//
// Each OnboardingRequest has one entry, a Secret in the operator's namespace without owner and finalizer, so that neither
// deleting the request nor deleting its namespace takes the token away. The entry is at once the lock that lets one process
// send a code, the intent that is written before the send, the place where the token goes, and the receipt that keeps a
// recreated request from replaying anything.
//
//	(none) ──Reserve──▶ Reserved ──BeginSend──▶ Sending ──Keep──▶ Kept
//	                      ▲  ▲                     │ │
//	                      │  └──Settle (may retry)─┘ └──Settle (final)──▶ Failed
//	                      └────────────Reserve with another code──────────────┘
//
// Every write is a Create or an Update with the resourceVersion of a live read; a conflict is ErrConflict and means "stop,
// somebody else is at work". Keep alone insists: it merges into whatever it finds, because it holds the only copy of a token.
//
// It does not call Meta, does not decide whether a send is due (internal/onboarding does), does not check what a token is
// worth and never deletes an entry on its own.
package vault
