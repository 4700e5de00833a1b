package controllers

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
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
