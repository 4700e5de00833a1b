package signup

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
)

// What the page says.
const (
	titleInvite   = "Connect your WhatsApp number"
	titleApproval = "Thank you, you are signed up"
	titleDone     = "You are signed up"
)

// TestLinkToReady is the whole way, with a customer who first leaves, then gets an error of Meta's, and then finishes.
func TestLinkToReady(t *testing.T) {
	c := newCustomer(t, 1)
	link := c.link()
	b := newBrowser(t)
	b.open(link)
	b.awaitTitle(titleInvite)
	b.screenshot("invite", b.ctx)

	b.signUp(c.waba, "cancel", "ids_first")
	b.awaitTitle("You left before the end")
	b.screenshot("cancelled", b.ctx)

	b.signUp(c.waba, "error", "ids_first")
	b.awaitTitle("Meta could not finish the sign-up")
	if text := b.text("#session"); !strings.Contains(text, "f34b51dab5e0498") {
		t.Errorf("Meta's support asks for the session; the page says %q", text)
	}
	b.screenshot("error", b.ctx)

	b.signUp(c.waba, "finish", "ids_first")
	b.awaitTitle(titleApproval)
	b.screenshot("approval", b.ctx)
	c.await(v1alpha1.ReasonAwaitingApproval)
	if calls := sim.Counters().ByObject["subscribe"][c.waba]; calls != 0 {
		t.Error("the account was subscribed before the approval")
	}

	c.approve()
	c.await(v1alpha1.ReasonSucceeded)
	b.awaitTitle(titleDone) // the page that was left open says so
	b.screenshot("done", b.ctx)
	var left corev1.SecretList
	if err := admin.List(t.Context(), &left, client.InNamespace("whatsapp-signup")); err != nil || len(left.Items) != 0 {
		t.Errorf("%d codes were left behind: %v", len(left.Items), err)
	}
	request, err := c.read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, condition := range request.Status.Conditions {
		if strings.Contains(condition.Message, tokenOf(link)) {
			t.Errorf("the link is in %s", condition.Type)
		}
	}
}

// TestDeliveries goes through the orders in which code and ids may come, and the ends that Embedded Signup has.
func TestDeliveries(t *testing.T) {
	for _, tc := range []struct {
		reason            string
		numbers           int
		outcome, delivery string
		title, condition  string
	}{
		{"the code comes first", 1, "finish", "code_first", titleApproval, v1alpha1.ReasonAwaitingApproval},
		{"the ids come too late", 1, "finish", "ids_late", titleApproval, v1alpha1.ReasonAwaitingApproval},
		{"the ids never come", 1, "finish", "code_only", titleApproval, v1alpha1.ReasonAwaitingApproval},
		{"the number keeps its app", 1, "coexistence", "ids_first", titleApproval, v1alpha1.ReasonAwaitingApproval},
		{"the account has no number yet", 0, "only_waba", "ids_first", titleDone, v1alpha1.ReasonWaitingForPhoneNumber},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			c := newCustomer(t, tc.numbers)
			link := c.link()
			b := newBrowser(t)
			b.open(link)
			b.signUp(c.waba, tc.outcome, tc.delivery)
			b.screenshot("working-"+tc.delivery, b.ctx)
			b.awaitTitle(tc.title)
			c.await(tc.condition)
		})
	}
}

// TestFailedSignup: Meta's answer is a refusal, the page says so, and the customer tries again by the same link.
func TestFailedSignup(t *testing.T) {
	c := newCustomer(t, 1)
	link := c.link()
	// Somebody replaces the code on its way: Meta doesn't know it.
	b := newBrowser(t)
	b.open(link)
	b.must(b.replaceCode("AQBnotOfMeta"))
	b.signUp(c.waba, "finish", "ids_first")
	b.awaitTitle("That did not work")
	b.screenshot("failed", b.ctx)
	c.await(v1alpha1.ReasonCodeInvalid)
	b.open(link)
	b.awaitTitle("That did not work")
	b.signUp(c.waba, "finish", "ids_first")
	b.awaitTitle(titleApproval)
}

// TestSessionEventsOfOthers: only Meta's origins are heard.
func TestSessionEventsOfOthers(t *testing.T) {
	c := newCustomer(t, 1)
	b := newBrowser(t)
	b.open(c.link())
	b.must(b.neverAnswers())
	cancelled := `{"type":"WA_EMBEDDED_SIGNUP","event":"CANCEL","data":{"current_step":"PERMISSIONS"}}`
	for _, origin := range []string{"https://evilfacebook.com", "https://facebook.com.evil.example", "http://www.facebook.com", "https://" + publicHost, "null"} {
		b.hear(origin, cancelled)
		if got := b.title(); got != "Continue in Meta's window" {
			t.Errorf("%s was heard: the page says %q", origin, got)
		}
	}
	b.hear("https://www.facebook.com", "cb=f1a2b3&relation=opener")
	b.hear("https://business.facebook.com", cancelled)
	b.awaitTitle("You left before the end")
	if text := b.text("#text"); !strings.Contains(text, "permissions") {
		t.Errorf("the page says %q", text)
	}
}

// TestLinkThatIsNone shows what the holder of a broken or dead link sees.
func TestLinkThatIsNone(t *testing.T) {
	b := newBrowser(t)
	b.open("https://" + publicHost + "/signup/abc.def")
	b.awaitTitle("This link is not valid")
	b.screenshot("invalid", b.ctx)
}
