package controllers

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

// TestNumberWithoutItsAppSecret: the webhook-server knows the number once its token has proven it, so that nothing which comes before the app
// secret is there is taken for nobody's. A channel that loses its app secret goes on with the one it had.
func TestNumberWithoutItsAppSecret(t *testing.T) {
	t.Parallel()
	d := newDirectNumber(t)
	ns := newNamespace(t, labelDirect)
	unsigned := d.credentials()
	delete(unsigned, v1alpha1.SecretKeyAppSecret)
	createSecret(t, ns, "credentials", unsigned)
	channel := d.channel(ns, "shop")
	create(t, channel)
	awaitCondition(t, channel, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonAppSecretNotConfigured)
	awaitCondition(t, channel, v1alpha1.ConditionPhoneConnected, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	if served := servedChannel(t, d.phoneNumberID); !served.Direct || served.AppID != d.appID || !served.AppSecret.IsZero() {
		t.Errorf("the number's place was not taken as it should be: %+v", served)
	}

	setSecret(t, ns, "credentials", d.credentials())
	connect(t, d, channel)
	if got := servedChannel(t, d.phoneNumberID).AppSecret.Reveal(); got != d.appSecret {
		t.Error("the app secret is not served")
	}

	calls := graphCalls(d.phoneNumberID)
	setSecret(t, ns, "credentials", unsigned)
	awaitCondition(t, channel, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonAppSecretNotConfigured)
	if got := servedChannel(t, d.phoneNumberID).AppSecret.Reveal(); got != d.appSecret {
		t.Error("the app secret that was served is gone")
	}
	if n := graphCalls(d.phoneNumberID) - calls; n > 0 {
		t.Errorf("%d calls were made without an app secret", n)
	}
}

// TestNumberWithoutItsAppSecretIsProven: nobody takes the place of a number that his token does not reach.
func TestNumberWithoutItsAppSecretIsProven(t *testing.T) {
	t.Parallel()
	d, other := newDirectNumber(t), newDirectNumber(t)
	ns := newNamespace(t, labelDirect)
	createSecret(t, ns, "credentials", map[string]string{v1alpha1.SecretKeyAccessToken: d.token})
	channel := other.channel(ns, "shop")
	create(t, channel)
	awaitCondition(t, channel, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonPhoneNumberNotFound)
	awaitCondition(t, channel, v1alpha1.ConditionCredentialsValid, metav1.ConditionFalse, v1alpha1.ReasonAppSecretNotConfigured)
	objects, err := stub.objects(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := runtimeconfig.Load(objects).Channel(other.phoneNumberID); ok {
		t.Error("somebody else's number is served")
	}
}
