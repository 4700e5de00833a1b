package meta

import (
	"net/http"
	"strings"
	"time"
)

// Waits that Meta states for a code rather than in a header.
const (
	waitRecentlyDeleted    = 5 * time.Minute
	waitMaintenance        = time.Minute
	waitEcosystem          = 24 * time.Hour
	waitRegistrationLocked = 72 * time.Hour
)

// verdict is what a code means.
type verdict struct {
	outcome Outcome
	class   Class
	meaning string
	wait    time.Duration
}

func rejected(class Class, meaning string) verdict {
	return verdict{outcome: Rejected, class: class, meaning: meaning}
}

func throttled(class Class, meaning string) verdict {
	return verdict{outcome: Throttled, class: class, meaning: meaning}
}

// ambiguous marks codes after which the request may have been executed.
func ambiguous(class Class, meaning string) verdict {
	return verdict{outcome: Unknown, class: class, meaning: meaning}
}

func (v verdict) after(wait time.Duration) verdict {
	v.wait = wait
	return v
}

// codeTable follows developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes and
// developers.facebook.com/docs/graph-api/guides/error-handling. Codes that mean the same in every call are here; the
// rest is in classify.
var codeTable = map[int]verdict{
	0:   rejected(ClassTokenInvalid, "the access token is expired, invalidated or missing"),
	1:   ambiguous(ClassAmbiguous, "unknown error of the API"),
	2:   ambiguous(ClassAmbiguous, "the service is temporarily unavailable"),
	3:   rejected(ClassPermissionDenied, "the app lacks a capability or permission"),
	4:   throttled(ClassRateLimited, "the app reached its call limit"),
	10:  rejected(ClassPermissionDenied, "the permission is not granted or was removed"),
	17:  throttled(ClassRateLimited, "the user reached the call limit"),
	32:  throttled(ClassRateLimited, "the page reached the call limit"),
	33:  rejected(ClassObjectNotVisible, "the number or object was deleted"),
	100: rejected(ClassInvalid, "a parameter is invalid or unsupported"),
	101: rejected(ClassAppIDInvalid, "the app id is not valid"),
	102: rejected(ClassTokenInvalid, "the session of the access token is not valid"),
	104: rejected(ClassTokenInvalid, "an access token is required"),
	190: rejected(ClassTokenInvalid, "the access token is expired or invalid"),
	341: throttled(ClassRateLimited, "a temporary call limit was reached"),
	368: rejected(ClassAccountRestricted, "the account is blocked for a violation of policy"),
	613: throttled(ClassRateLimited, "a custom call limit was reached"),
	803: rejected(ClassObjectNotVisible, "the object does not exist"),

	80007: throttled(ClassRateLimited, "the WhatsApp Business Account reached its call limit"),

	130403:         rejected(ClassUndeliverable, "the business has blocked this user"),
	codeThroughput: throttled(ClassRateLimited, "the throughput of the number was reached"),
	130472:         rejected(ClassUndeliverable, "the user is part of an experiment"),
	130497:         rejected(ClassAccountRestricted, "the account may not message users of this country"),

	131000: ambiguous(ClassAmbiguous, "something went wrong at WhatsApp"),
	131005: rejected(ClassPermissionDenied, "access is denied"),
	131008: rejected(ClassInvalid, "a required parameter is missing"),
	131009: rejected(ClassInvalid, "the value of a parameter is not valid"),
	131014: rejected(ClassMediaUpload, "the linked media could not be fetched"),
	131016: ambiguous(ClassAmbiguous, "the service is unavailable"),
	131021: rejected(ClassInvalid, "the recipient is the sender"),
	131026: rejected(ClassUndeliverable, "the message can't be delivered to this user"),
	131030: rejected(ClassRecipientNotAllowed, "the recipient is not on the list of the test number"),
	131031: rejected(ClassAccountRestricted, "the account is locked, or data of the request could not be verified"),
	131037: rejected(ClassQualityLimited, "the display name of the number is not approved"),
	131042: rejected(ClassPayment, "there is no valid payment method or credit line"),
	131045: rejected(ClassNotRegistered, "the number is not properly registered"),
	131047: rejected(ClassWindowClosed, "the customer service window is closed"),
	131048: rejected(ClassQualityLimited, "too many messages of this number were blocked or reported as spam"),
	131049: rejected(ClassQualityLimited, "WhatsApp holds the message back to keep the ecosystem healthy").after(waitEcosystem),
	131050: rejected(ClassUndeliverable, "the user stopped marketing messages"),
	131051: rejected(ClassUnsupported, "the message type is not supported"),
	131052: rejected(ClassMediaDownload, "the media of the user can't be downloaded"),
	131053: rejected(ClassMediaUpload, "the media can't be uploaded"),
	131055: rejected(ClassUnsupported, "the method is not allowed"),
	131056: throttled(ClassPairRateLimit, "too many messages to this user"),
	131057: throttled(ClassMaintenance, "the account is in maintenance").after(waitMaintenance),
	131059: rejected(ClassInvalid, "the pagination cursor is not valid"),
	131060: rejected(ClassUnsupported, "the message of a companion device is not available"),
	131062: rejected(ClassUnsupported, "the message can't be sent to a business-scoped user id"),
	131063: rejected(ClassAccountRestricted, "marketing messages are disabled"),
	131064: rejected(ClassTemplate, "the template is limited because it was classified wrongly"),

	132000: rejected(ClassTemplate, "the number of template parameters does not match"),
	132001: rejected(ClassTemplate, "the template does not exist in this language"),
	132005: rejected(ClassTemplate, "the text of the template is too long"),
	132007: rejected(ClassTemplate, "the content of the template violates a policy"),
	132012: rejected(ClassTemplate, "the format of a template parameter does not match"),
	132015: rejected(ClassTemplate, "the template is paused"),
	132016: rejected(ClassTemplate, "the template is disabled"),
	132018: rejected(ClassTemplate, "the template parameters are not valid"),
	132068: rejected(ClassTemplate, "the flow is blocked"),
	132069: rejected(ClassTemplate, "the flow is throttled"),

	133000: rejected(ClassDeregistrationIncomplete, "an earlier deregistration is incomplete"),
	133004: throttled(ClassTransient, "the server is temporarily unavailable"),
	133005: rejected(ClassPINMismatch, "the two-step verification PIN does not match"),
	133006: rejected(ClassNumberNotVerified, "the phone number has to be verified first"),
	133008: rejected(ClassTooManyPINGuesses, "too many guesses of the two-step verification PIN"),
	133009: rejected(ClassPINTooFast, "the two-step verification PIN was entered too fast"),
	133010: rejected(ClassNotRegistered, "the phone number is not registered on the WhatsApp Business Platform"),
	133015: throttled(ClassRecentlyDeleted, "the phone number was deleted a moment ago").after(waitRecentlyDeleted),
	133016: rejected(ClassRegistrationLocked, "too many registrations of the number in 72 hours").after(waitRegistrationLocked),

	134011: rejected(ClassAccountRestricted, "the payments terms are not accepted"),
	134100: rejected(ClassUnsupported, "only marketing messages are supported"),
	134101: rejected(ClassTemplate, "the template is still being synchronised"),
	134102: rejected(ClassTemplate, "the template is not available here"),
	135000: rejected(ClassInvalid, "a parameter is not valid"),
	136024: rejected(ClassNumberVerified, "the phone number is verified already"),
	137000: rejected(ClassUndeliverable, "the identity of the user changed and is not acknowledged"),

	2494100: ambiguous(ClassMaintenance, "the number is in maintenance").after(waitMaintenance),
	2494191: rejected(ClassNotThreadOwner, "this responder may not take the conversation"),
	2593107: rejected(ClassSyncRepeated, "the synchronisation was requested too often"),
	2593108: rejected(ClassSyncTooLate, "the synchronisation window of 24 hours is over"),
	2593109: rejected(ClassSyncDeclined, "the owner declined to share the history"),
}

// codeThroughput is that of too many messages of a number.
const codeThroughput = 130429

// Subcodes that change the meaning of their code.
const (
	subcodeObjectNotVisible = 33
	subcodeCodeExpired      = 36007
	subcodeRedirectURI      = 36008
	subcodeCodeUsed         = 36009
	subcodePINInvalid       = 2388092
)

// codeRanges give codes without an entry of their own the meaning of their family.
var codeRanges = []struct {
	first, last int
	verdict     verdict
}{
	{200, 299, rejected(ClassPermissionDenied, "a permission, or access to the asset, is missing")},
	{132000, 132999, rejected(ClassTemplate, "the template is not in a state that allows this")},
	{138000, 138999, rejected(ClassUnsupported, "the calling API refused the request")},
	{2388000, 2388999, rejected(ClassTemplate, "the template or number is not in a state that allows this")},
}

// classify finds the verdict of a Graph error: what the call gives the code first, then the table, then ranges, then
// the HTTP status.
func classify(cl *call, g *graphError, status int) verdict {
	if v, ok := classifyByCall(cl, g, status); ok {
		return v
	}
	if v, ok := classifyInvalid(g); ok {
		return v
	}
	if v, ok := codeTable[g.Code]; ok && hasCode(g, status) {
		return v
	}
	for _, r := range codeRanges {
		if r.first <= g.Code && g.Code <= r.last {
			return r.verdict
		}
	}
	return classifyStatus(g, status)
}

// ClassOfCode is what an error means that came in a webhook: there is a code, and neither a call nor a message.
func ClassOfCode(code int) Class {
	return classify(&call{}, &graphError{Code: code}, http.StatusOK).class
}

// hasCode tells Meta's code 0 from an error without a code, which decodes to 0 too: code 0 needs a witness.
func hasCode(g *graphError, status int) bool {
	return g.Code != 0 || status == http.StatusUnauthorized || g.Type == "OAuthException" || g.Type == "AuthException"
}

// classifyByCall gives codes the meaning that they have for one call alone.
func classifyByCall(cl *call, g *graphError, status int) (verdict, bool) {
	switch {
	case cl.action == actionExchangeCode:
		return classifyExchange(g, status)
	case cl.action == actionRegisterPhone && status == http.StatusUnprocessableEntity && g.Code < 133000:
		return rejected(ClassRegistrationState, "the number can't be registered in its current state"), true
	default:
		return verdict{}, false
	}
}

// classifyStatus judges codes that are in no table.
func classifyStatus(g *graphError, status int) verdict {
	switch {
	case status == http.StatusTooManyRequests:
		return throttled(ClassRateLimited, "too many calls")
	case g.Transient:
		return ambiguous(ClassAmbiguous, "a temporary error of the API")
	case status >= 500:
		return ambiguous(ClassAmbiguous, "an error of the API")
	default:
		return rejected(ClassUnclassified, "an error that is not in the catalogue")
	}
}

// classifyInvalid takes the meanings of code 100 apart.
func classifyInvalid(g *graphError) (verdict, bool) {
	message := strings.ToLower(g.Message)
	switch {
	case g.Code != 100:
		return verdict{}, false
	case g.Subcode == subcodeObjectNotVisible:
		return rejected(ClassObjectNotVisible, "the object does not exist or the access token can't see it"), true
	case g.Subcode == subcodePINInvalid:
		return rejected(ClassPINInvalid, "the two-step verification PIN is not valid"), true
	case strings.Contains(message, "appsecret_proof"):
		return rejected(ClassAppSecretProofInvalid, "the app secret does not belong to the access token"), true
	case strings.Contains(message, "deregister endpoint is not available"):
		return rejected(ClassUnsupported, "numbers of the WhatsApp Business app can't be deregistered"), true
	default:
		return verdict{}, false
	}
}

// Verdicts of the exchange, see developers.facebook.com/docs/facebook-login/guides/advanced/manual-flow.
var (
	codeUsed      = rejected(ClassCodeUsed, "the authorization code has been used")
	codeExpired   = rejected(ClassCodeExpired, "the authorization code has expired")
	codeRedirect  = rejected(ClassRedirectURIMismatch, "the redirect_uri is not the one of the authorization code")
	codeMalformed = rejected(ClassCodeMalformed, "the authorization code is malformed")
)

// classifyExchange gives codes the meaning they have for the code exchange alone.
func classifyExchange(g *graphError, status int) (verdict, bool) {
	switch {
	case g.Code == 1 && status < 500 && !g.Transient:
		return rejected(ClassClientSecretInvalid, "the app secret is wrong"), true
	case g.Code != 100:
		return verdict{}, false
	}
	switch g.Subcode {
	case subcodeCodeUsed:
		return codeUsed, true
	case subcodeCodeExpired:
		return codeExpired, true
	case subcodeRedirectURI:
		return codeRedirect, true
	case 0:
		return classifyOldExchange(g), true
	default:
		return verdict{}, false
	}
}

// classifyOldExchange reads the message, because older answers carry no subcode.
func classifyOldExchange(g *graphError) verdict {
	message := strings.ToLower(g.Message)
	switch {
	case strings.Contains(message, "has been used"):
		return codeUsed
	case strings.Contains(message, "has expired"):
		return codeExpired
	case strings.Contains(message, "redirect_uri"):
		return codeRedirect
	default:
		return codeMalformed
	}
}
