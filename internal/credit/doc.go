// Package credit is the ledger of shared credit: one ConfigMap per credit line and customer business in the operator's namespace.
//
// Sharing a partner's credit line is not known to be safe to repeat, can't be changed once attached, and is revoked for a
// whole business at once. So each account has a state that is written before the call that it announces:
//
//	(none) ──BeginPost──▶ posting ──Shared──▶ shared ──BeginRevoke──▶ revoking ──Revoked──▶ revoked
//	   ▲                     │                                                                │
//	   └───────Refused───────┘                        posting ◀──BeginPost────────────────────┘
//
// A crash after "posting" or "revoking" leaves it for the next reconciliation, which reads back at Meta before it repeats
// anything. RevokeEnded goes back to "shared" where Meta still lists the sharing. Claimants are the requests that need the account funded; credit is revoked when none is left.
//
// The package does not call Meta and does not decide whether a call took effect. It stores no secret.
package credit
