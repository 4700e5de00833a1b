package controllers

import (
	"context"
	"errors"
	"testing"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
)

// requestChannel is a channel of the number that a request brings.
func requestChannel(namespace, name, request string) *v1alpha1.WhatsAppChannel {
	return &v1alpha1.WhatsAppChannel{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       v1alpha1.WhatsAppChannelSpec{Source: v1alpha1.ChannelSource{OnboardingRequestRef: &v1alpha1.ObjectReference{Name: request}}},
	}
}

func TestRequestChannelFollowsItsRequest(t *testing.T) {
	t.Parallel()
	c := newCustomer(t, nil)
	// GitOps tools apply both at once: the channel waits for the request.
	request := c.request("shop")
	create(t, request)
	channel := requestChannel(c.namespace, "shop", "shop")
	create(t, channel)
	got := awaitCondition(t, channel, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonOnboardingNotReady)
	mustMention(t, got.Message, "OnboardingRequest shop")
	createSecret(t, c.namespace, "shop", map[string]string{v1alpha1.SecretKeyCode: c.signUp(t)})
	awaitReady(t, request)
	awaitReady(t, channel)

	served := servedChannel(t, c.phoneID)
	token, _ := entryOf(t, request).Current()
	if served.AccessToken.Reveal() != token.Reveal() || served.WABAID != c.wabaID || served.AppID != c.appID || served.Direct {
		t.Errorf("the projection is not what the request brought: %+v", served)
	}
	if !served.AppSecret.IsZero() || !served.VerifyToken.IsZero() {
		t.Error("the channel was given the MetaApp's secrets")
	}
	if n := graphCalls(c.wabaID, "subscribe"); n != 1 {
		t.Errorf("request and channel subscribed the account %d times", n)
	}

	remove(t, request)
	calls := graphCalls(c.phoneID, "get_phone")
	update(t, channel, func() {
		channel.Annotations = map[string]string{v1alpha1.RequestedAtAnnotation: "after the request went"}
	})
	awaitHandled(t, channel, "after the request went")
	awaitReady(t, channel)
	if graphCalls(c.phoneID, "get_phone") == calls {
		t.Error("the channel was not looked at again")
	}
	if servedChannel(t, c.phoneID).AccessToken.Reveal() != token.Reveal() {
		t.Error("a channel lost its token when its request was deleted with Retain")
	}
}

// TestDeadTokenIsReplacedBySigningUpAgain follows the advice that channel and request give.
func TestDeadTokenIsReplacedBySigningUpAgain(t *testing.T) {
	t.Parallel()
	c := newCustomer(t, nil)
	request := c.onboard(t, "shop", nil)
	channel := requestChannel(c.namespace, "shop", "shop")
	create(t, channel)
	awaitReady(t, channel)
	old, _ := entryOf(t, request).Current()
	if err := sim.RevokeToken(old.Reveal()); err != nil {
		t.Fatal(err)
	}

	askForChannel := func(wish string) {
		update(t, channel, func() { channel.Annotations = map[string]string{v1alpha1.RequestedAtAnnotation: wish} })
	}
	askForChannel("is the token alive?")
	got := awaitCondition(t, channel, v1alpha1.ConditionCredentialsValid, metav1.ConditionFalse, v1alpha1.ReasonInvalidAccessToken)
	mustMention(t, got.Message, "OnboardingRequest", "sign up again", v1alpha1.RequestedAtAnnotation)

	askAgain(t, request)
	got = awaitCondition(t, request, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonTokenInvalid)
	mustMention(t, got.Message, "sign up again", `the key "code" of the Secret shop`, v1alpha1.RequestedAtAnnotation)
	setSecret(t, c.namespace, "shop", map[string]string{v1alpha1.SecretKeyCode: c.signUp(t)})
	askAgain(t, request)
	awaitReady(t, request)
	renewed, _ := entryOf(t, request).Current()
	if renewed.Equal(old) {
		t.Error("the dead token is still the one that is used")
	}
	awaitReady(t, channel)
	if !servedChannel(t, c.phoneID).AccessToken.Equal(renewed) {
		t.Error("the channel still sends with the dead token")
	}
	if n := graphCalls(c.wabaID, "subscribe"); n != 1 {
		t.Errorf("the account was subscribed %d times", n)
	}
}

// TestBothAnswersToC9 tells the operator in each way that a number may be gone: a send was refused for this or that, or Meta announced
// something. Whatever it was, Meta is read before anything is believed: only what the read confirms changes the channel.
func TestBothAnswersToC9(t *testing.T) {
	t.Parallel()
	refused := func(kind serverapi.Kind, reason string, code int) serverapi.Report {
		return serverapi.Report{Kind: kind, Detail: serverapi.Detail{Graph: &serverapi.Graph{Reason: reason, Code: code}}}
	}
	for _, tc := range []struct {
		told   string
		report serverapi.Report
	}{
		{"131042", refused(serverapi.KindLineParked, "PaymentRequired", 131042)},
		{"10", refused(serverapi.KindLineParked, "PermissionDenied", 10)},
		{"200", refused(serverapi.KindLineParked, "PermissionDenied", 200)},
		{"131005", refused(serverapi.KindLineParked, "PermissionDenied", 131005)},
		{"190", refused(serverapi.KindTokenRejected, "InvalidAccessToken", 190)},
		{"PARTNER_REMOVED", serverapi.Report{Kind: serverapi.KindAccountEvent, Detail: serverapi.Detail{
			Account: &serverapi.Account{Field: "account_update", Event: "PARTNER_REMOVED"},
		}}},
	} {
		t.Run(tc.told, func(t *testing.T) {
			t.Parallel()
			c := newCustomer(t, nil)
			request := c.onboard(t, "shop", nil)
			channel := requestChannel(c.namespace, "shop", "shop")
			create(t, channel)
			awaitReady(t, request)
			awaitReady(t, channel)
			tc.report.PhoneNumberID, tc.report.LineID = c.phoneID, channel.Status.LineID

			reads := graphCalls(c.phoneID, "get_phone")
			stub.report(tc.report)
			await(t, func(context.Context) error {
				if graphCalls(c.phoneID, "get_phone") == reads {
					return errors.New("Meta was not read")
				}
				return nil
			})
			update(t, channel, func() { channel.Annotations = map[string]string{v1alpha1.RequestedAtAnnotation: "after the report"} })
			awaitHandled(t, channel, "after the report")
			if !apimeta.IsStatusConditionTrue(channel.Status.Conditions, v1alpha1.ConditionReady) {
				t.Errorf("a channel whose number is there is not Ready any more:\n%s", describe(channel))
			}

			if err := sim.RemovePartner(c.wabaID, c.appID); err != nil {
				t.Fatal(err)
			}
			stub.report(tc.report)
			got := awaitCondition(t, channel, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonPhoneNumberNotFound)
			mustMention(t, got.Message, c.phoneID, "does not show")
		})
	}
}
