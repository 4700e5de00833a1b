package meta

import "slices"

// Class is the reason of a failure, in a closed vocabulary. Callers switch on it; codes are for display.
type Class string

// Classes of credentials and access.
const (
	// ClassTokenInvalid means that the access token is dead: expired, revoked, or never one.
	ClassTokenInvalid Class = "TokenInvalid"
	// ClassPermissionDenied means that the token lacks a permission, or access to this asset.
	ClassPermissionDenied Class = "PermissionDenied"
	// ClassObjectNotVisible means that the object does not exist, or that the token can't see it.
	ClassObjectNotVisible Class = "ObjectNotVisible"
	// ClassAppSecretProofInvalid means that the app secret used for appsecret_proof is missing or wrong.
	ClassAppSecretProofInvalid Class = "AppSecretProofInvalid"
	// ClassClientSecretInvalid means that the app secret of a code exchange is wrong.
	ClassClientSecretInvalid Class = "ClientSecretInvalid"
	// ClassAppIDInvalid means that there is no such app.
	ClassAppIDInvalid Class = "AppIDInvalid"
)

// Classes of the code exchange.
const (
	// ClassCodeUsed means that the code was exchanged before, perhaps by an attempt of ours whose answer was lost.
	ClassCodeUsed Class = "CodeUsed"
	// ClassCodeExpired means that the code is older than its 30 seconds.
	ClassCodeExpired Class = "CodeExpired"
	// ClassRedirectURIMismatch means that the code was issued for another redirect_uri.
	ClassRedirectURIMismatch Class = "RedirectURIMismatch"
	// ClassCodeMalformed means that the text is not a code.
	ClassCodeMalformed Class = "CodeMalformed"
)

// Classes of limits and of Meta's own troubles.
const (
	// ClassRateLimited means that the app, the account or the number made too many calls.
	ClassRateLimited Class = "RateLimited"
	// ClassPairRateLimit means too many messages to one user; wait 4^n seconds after the n-th refusal.
	ClassPairRateLimit Class = "PairRateLimit"
	// ClassTransient means that Meta was unavailable and did not execute the call.
	ClassTransient Class = "Transient"
	// ClassMaintenance means that the number is being moved or upgraded, for about a minute.
	ClassMaintenance Class = "Maintenance"
	// ClassAmbiguous means an internal error of Meta after which the call may have been executed.
	ClassAmbiguous Class = "Ambiguous"
)

// Classes of registration and PIN.
const (
	// ClassPINMismatch means that the number has another two-step PIN.
	ClassPINMismatch Class = "PINMismatch"
	// ClassPINInvalid means that the PIN is not six digits, or is refused as weak.
	ClassPINInvalid Class = "PINInvalid"
	// ClassTooManyPINGuesses means that PIN entry is blocked for the time that Details states.
	ClassTooManyPINGuesses Class = "TooManyPINGuesses"
	// ClassPINTooFast means that the PIN was entered too fast; Details states the time to wait.
	ClassPINTooFast Class = "PINTooFast"
	// ClassRegistrationLocked means that the number used up its 10 registrations in 72 hours.
	ClassRegistrationLocked Class = "RegistrationLocked"
	// ClassRegistrationState means that the number can't be registered in its current state, perhaps because it is.
	ClassRegistrationState Class = "RegistrationState"
	// ClassNumberNotVerified means that the ownership of the number is not proven yet.
	ClassNumberNotVerified Class = "NumberNotVerified"
	// ClassNumberVerified means that the ownership of the number is proven already.
	ClassNumberVerified Class = "NumberVerified"
	// ClassNotRegistered means that the number is not, or not properly, registered on the platform.
	ClassNotRegistered Class = "NotRegistered"
	// ClassDeregistrationIncomplete means that an earlier deregistration has to be finished first.
	ClassDeregistrationIncomplete Class = "DeregistrationIncomplete"
	// ClassRecentlyDeleted means that the number was deleted a moment ago.
	ClassRecentlyDeleted Class = "RecentlyDeleted"
)

// Classes of messages and media.
const (
	// ClassPayment means that nobody pays: no payment method, no credit line, or a suspended account.
	ClassPayment Class = "Payment"
	// ClassWindowClosed means that the customer's last message is older than 24 hours.
	ClassWindowClosed Class = "WindowClosed"
	// ClassUndeliverable means that WhatsApp can't or may not deliver to this user.
	ClassUndeliverable Class = "Undeliverable"
	// ClassRecipientNotAllowed means that a test number may not write to this user.
	ClassRecipientNotAllowed Class = "RecipientNotAllowed"
	// ClassQualityLimited means that Meta holds messages back because of quality or volume.
	ClassQualityLimited Class = "QualityLimited"
	// ClassAccountRestricted means that Meta locked or restricted the account.
	ClassAccountRestricted Class = "AccountRestricted"
	// ClassNotThreadOwner means that another responder owns the conversation.
	ClassNotThreadOwner Class = "NotThreadOwner"
	// ClassTemplate means that a template is missing, paused or filled in wrongly.
	ClassTemplate Class = "Template"
	// ClassMediaUpload means that Meta refused or could not fetch the media to send.
	ClassMediaUpload Class = "MediaUpload"
	// ClassMediaDownload means that media can't be downloaded.
	ClassMediaDownload Class = "MediaDownload"
	// ClassMediaTooLarge means that a download exceeded the caller's limit.
	ClassMediaTooLarge Class = "MediaTooLarge"
	// ClassSyncRepeated means that this data of a WhatsApp Business app number was asked for before.
	ClassSyncRepeated Class = "SyncRepeated"
	// ClassSyncTooLate means that the 24 hours in which that data can be asked for are over.
	ClassSyncTooLate Class = "SyncTooLate"
	// ClassSyncDeclined means that the owner of the number does not share the data.
	ClassSyncDeclined Class = "SyncDeclined"
)

// Classes of everything else.
const (
	// ClassUnsupported means that the API does not offer this for this message or number.
	ClassUnsupported Class = "Unsupported"
	// ClassInvalid means that a parameter is missing or wrong.
	ClassInvalid Class = "Invalid"
	// ClassNetwork means that there was no complete exchange with the server: DNS, TCP, TLS or time.
	ClassNetwork Class = "Network"
	// ClassBadResponse means that the answer was not what the API promises: HTML, cut JSON, too large, a redirect.
	ClassBadResponse Class = "BadResponse"
	// ClassLocal means that a reader or writer of the caller failed.
	ClassLocal Class = "Local"
	// ClassUnclassified means a Graph error that this package does not know.
	ClassUnclassified Class = "Unclassified"
)

// accessLost are the classes Meta answers with, varying by call, when access to an asset is gone.
var accessLost = []Class{ClassPermissionDenied, ClassObjectNotVisible}

// AccessLost reports whether the token no longer reaches the asset. Meta is not consistent about the code, so confirm
// it by a second read before acting on it.
func (c Class) AccessLost() bool { return slices.Contains(accessLost, c) }
