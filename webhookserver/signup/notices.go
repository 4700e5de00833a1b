package signup

import (
	"net/http"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

// Looks of a notice.
const (
	lookInvite  = "invite"
	lookWorking = "working"
	lookDone    = "done"
	lookWaiting = "waiting"
	lookProblem = "problem"
)

// notice is what the page says to the customer: a business owner who knows nothing of clusters.
type notice struct {
	// Look is one of the looks.
	Look  string `json:"look"`
	Title string `json:"title"`
	Text  string `json:"text"`
	// Retry means that the customer may try (again).
	Retry bool `json:"retry"`

	status int
}

func (n notice) as(status int) notice {
	n.status = status
	return n
}

// What the page says of links that can't be used.
var (
	noticeNotReady = notice{lookProblem, "Please try again in a minute", "This page is being started.", false, http.StatusServiceUnavailable}
	noticeUnknown  = notice{lookProblem, "This link is not valid", "Open it exactly as you received it. If it still does not work, ask whoever sent it for a new one.", false, http.StatusNotFound}
	noticeGone     = notice{lookProblem, "This link is no longer valid", "Ask whoever sent it for a new one.", false, http.StatusGone}
	noticeReplaced = notice{lookProblem, "There is a newer link", "This one was replaced. Ask whoever sent it for the newest link.", false, http.StatusGone}
	noticeExpired  = notice{lookProblem, "This link has expired", "Ask whoever sent it for a new one.", false, http.StatusGone}
	noticeTooMany  = notice{lookProblem, "That was too often", "Wait a minute, then try again.", true, http.StatusTooManyRequests}
	noticeNotTaken = notice{lookProblem, "Your sign-up could not be saved", "Nothing is lost at your side: please try again. If it fails again, tell whoever sent you the link.", true, http.StatusBadGateway}
)

// noticeMalformed answers what no genuine page posts. The text names the field and quotes nothing.
func noticeMalformed(err error) notice {
	return notice{lookProblem, "The browser sent something unexpected", "Reload the page and try again. (" + err.Error() + ")", true, http.StatusBadRequest}
}

// noticeOf says how a signup stands for whoever made the attempt; empty for a visitor who has made none.
func noticeOf(s *runtimeconfig.Signup, attempt string) notice {
	switch s.State {
	case runtimeconfig.SignupDone:
		return notice{Look: lookDone, Title: "You are signed up", Text: "Your WhatsApp account is connected. The rest of the set-up goes on by itself; you can close this page."}
	case runtimeconfig.SignupAwaitingApproval:
		return notice{Look: lookWaiting, Title: "Thank you, you are signed up", Text: "Your provider now checks and approves your account. There is nothing more for you to do; you can close this page."}
	case runtimeconfig.SignupPaused:
		return notice{Look: lookWaiting, Title: "Signing up is not possible right now", Text: "Your provider has to finish something first. Please open this link again later."}
	case runtimeconfig.SignupWorking:
		return noticeWorking
	case runtimeconfig.SignupFailed:
		if s.Attempt == attempt {
			return failure(s.Reason)
		}
	case runtimeconfig.SignupOpen:
	}
	if attempt != "" {
		// The manager has not said anything of this attempt yet.
		return noticeWorking
	}
	return notice{
		Look: lookInvite, Title: "Connect your WhatsApp number", Retry: true,
		Text: "You sign in to Meta in a window of its own, choose your business and your number, and confirm. Have the phone with the number at hand.",
	}
}

var noticeWorking = notice{Look: lookWorking, Title: "We are connecting your account", Text: "This takes a few seconds. Please leave this page open.", Retry: false}

// failures say what to do about a try that failed, by the reason of the request's condition.
var failures = map[string]string{
	v1alpha1.ReasonCodeExpired:            "It took too long between Meta's window and us. Please try again.",
	v1alpha1.ReasonCodeUsed:               "Meta says that this sign-up was used before. Please try again.",
	v1alpha1.ReasonCodeInvalid:            "Meta did not recognise the sign-up. Please try again; if that fails too, tell whoever sent you the link.",
	v1alpha1.ReasonThrottled:              "Meta is busy at the moment. Please wait some minutes, then try again.",
	v1alpha1.ReasonExchangeOutcomeUnknown: "The connection to Meta broke off in the middle. Please try again.",
	v1alpha1.ReasonScopesMissing:          "Not everything that is needed was allowed. Please try again and leave all permissions switched on.",
	v1alpha1.ReasonWABAMismatch:           "Another WhatsApp account than the expected one was chosen. Please try again with that account.",
	v1alpha1.ReasonWABAAmbiguous:          "Several WhatsApp accounts were shared. Please try again and choose one.",
	v1alpha1.ReasonPhoneNumberMismatch:    "The expected phone number is not part of the account that was chosen. Please try again with the right one.",
	v1alpha1.ReasonPhoneNumberAmbiguous:   "The account has several phone numbers. Tell whoever sent you the link which one is meant.",
	v1alpha1.ReasonTokenInvalid:           "The permission was withdrawn before we could use it. Please try again.",
	v1alpha1.ReasonRedirectURIMismatch:    "Your provider has to correct a setting first. Tell whoever sent you the link.",
	v1alpha1.ReasonAppSecretInvalid:       "Your provider has to correct a setting first. Tell whoever sent you the link.",
}

func failure(reason string) notice {
	text := failures[reason]
	if text == "" {
		text = "Please try again. If it fails again, tell whoever sent you the link."
	}
	return notice{Look: lookProblem, Title: "That did not work", Text: text, Retry: true}
}
