package controllers

import (
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

// servedSecrets are the app secrets with which the webhook-server verifies an app's deliveries.
func servedSecrets(ctx context.Context, appID string) ([]string, error) {
	objects, err := stub.objects(ctx)
	if err != nil {
		return nil, err
	}
	for _, app := range runtimeconfig.Load(objects).Apps() {
		if app.AppID == appID {
			return []string{app.AppSecret.Reveal(), app.PreviousAppSecret.Reveal()}, nil
		}
	}
	return nil, fmt.Errorf("the app %s is not served", appID)
}

// TestMetaAppSecretRotation rotates an app's secret at Meta and in the cluster, in either order. The server never loses the secret that was good,
// so that what is signed with it is verified; what is signed with the new one before the server has it waits in its quarantine.
func TestMetaAppSecretRotation(t *testing.T) {
	t.Parallel()
	for _, metaFirst := range []bool{true, false} {
		t.Run(fmt.Sprintf("Meta first: %t", metaFirst), func(t *testing.T) {
			t.Parallel()
			p := newPartner(t)
			app := p.metaApp(t)
			create(t, app)
			awaitReady(t, app)
			old, next := p.appSecret, newSecret("appsecret")
			atMeta := func() {
				if err := sim.SetAppSecret(p.appID, next); err != nil {
					t.Fatal(err)
				}
			}
			inCluster := func() {
				setSecret(t, systemNamespace, app.Spec.SecretRef.Name, map[string]string{
					v1alpha1.SecretKeyAppSecret: next, v1alpha1.SecretKeyPreviousAppSecret: old, v1alpha1.SecretKeySystemToken: p.systemToken,
				})
			}
			steps := []func(){inCluster, atMeta}
			if metaFirst {
				steps = []func(){atMeta, inCluster}
			}
			steps[0]()
			awaitCondition(t, app, v1alpha1.ConditionCredentialsValid, metav1.ConditionFalse, v1alpha1.ReasonAppSecretInvalid)
			if served, err := servedSecrets(t.Context(), p.appID); err != nil || served[0] != old {
				t.Errorf("halfway the server verifies with something else than the old secret: %v", err)
			}
			steps[1]()
			awaitReady(t, app)
			if served, err := servedSecrets(t.Context(), p.appID); err != nil || served[0] != next || served[1] != old {
				t.Errorf("after the rotation the server does not verify with both secrets: %v", err)
			}
		})
	}
}

// TestMetaAppSubscribesAgainWhenMetaDisabledIt has Meta disable the subscription of a server that failed for days.
func TestMetaAppSubscribesAgainWhenMetaDisabledIt(t *testing.T) {
	t.Parallel()
	p := newPartner(t)
	app := p.metaApp(t)
	create(t, app)
	awaitReady(t, app)
	secret := &corev1.Secret{}
	if err := admin.Get(t.Context(), client.ObjectKey{Namespace: systemNamespace, Name: verifyTokenSecret(app)}, secret); err != nil {
		t.Fatal(err)
	}
	disabled := metasim.AppSubscription{
		CallbackURL: publicURL + CallbackPath, VerifyToken: known.Secret(string(secret.Data[v1alpha1.SecretKeyVerifyToken])), Fields: subscribedFields, Inactive: true,
	}
	if err := sim.ConfigureWebhook(t.Context(), p.appID, disabled); err != nil {
		t.Fatal(err)
	}
	await(t, func(context.Context) error {
		if sub := subscriptionAtMeta(p.appID); sub == nil || sub.Inactive {
			return fmt.Errorf("the subscription is still disabled: %+v", sub != nil)
		}
		return nil
	})
	awaitReady(t, app)
}
