package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

// subscriptionAtMeta is what the simulator has for an app.
func subscriptionAtMeta(appID string) *metasim.AppSubscription {
	for _, app := range sim.World(true).Apps {
		if app.ID == appID {
			return app.Subscription
		}
	}
	return nil
}

func TestMetaAppBecomesReady(t *testing.T) {
	p := newPartner(t)
	app := p.metaApp(t)
	create(t, app)
	awaitReady(t, app)

	if app.Status.SystemUserID != p.systemUserID || app.Status.CreditLineName != "Partner Inc." || app.Status.AppName != "Partner App" {
		t.Errorf("status does not show what Meta says: %+v", app.Status)
	}
	sub := subscriptionAtMeta(p.appID)
	if sub == nil || sub.CallbackURL != publicURL+CallbackPath {
		t.Fatalf("the app's webhooks do not come to us: %+v", sub)
	}
	for _, field := range subscribedFields {
		if !slices.Contains(sub.Fields, field) {
			t.Errorf("the field %s is not subscribed", field)
		}
	}
	if n := graphCalls(p.appID, "subscribe_app"); n != 1 {
		t.Errorf("the subscription was set %d times", n)
	}
	projection := &corev1.Secret{}
	if err := admin.Get(t.Context(), client.ObjectKey{Namespace: runtimeNamespace, Name: runtimeconfig.AppName(p.appID)}, projection); err != nil {
		t.Fatal(err)
	}
	loaded, ok := runtimeconfig.Load([]runtimeconfig.Object{{Name: projection.Name, Data: projection.Data}}).App(p.appID)
	if !ok || loaded.AppSecret.Reveal() != p.appSecret || loaded.VerifyToken.Reveal() != sub.VerifyToken {
		t.Error("the projection does not hold what verifies this app's webhooks")
	}
	if loaded.Graph.BaseURL != sim.URL {
		t.Errorf("the webhook-server would call %s", loaded.Graph.BaseURL)
	}
	known.Secret(sub.VerifyToken)
}

func TestMetaAppBadInput(t *testing.T) {
	for _, tc := range []struct {
		reason string
		// spoil changes the app, its Secret's data, or the world.
		spoil     func(t *testing.T, p *partner, app *v1alpha1.MetaApp, secret map[string]string)
		condition string
		want      string
		status    metav1.ConditionStatus
		mention   []string
	}{
		{
			reason: "the Secret lacks the app secret",
			spoil: func(_ *testing.T, _ *partner, _ *v1alpha1.MetaApp, secret map[string]string) {
				delete(secret, v1alpha1.SecretKeyAppSecret)
			},
			condition: v1alpha1.ConditionCredentialsValid, want: v1alpha1.ReasonSecretKeyMissing, status: metav1.ConditionFalse,
			mention: []string{"spec.secretRef", "app-secret", "add it"},
		},
		{
			reason: "the Secret does not exist",
			spoil: func(_ *testing.T, _ *partner, app *v1alpha1.MetaApp, _ map[string]string) {
				app.Spec.SecretRef.Name = "no-such-secret"
			},
			condition: v1alpha1.ConditionCredentialsValid, want: v1alpha1.ReasonSecretNotFound, status: metav1.ConditionFalse,
			mention: []string{"spec.secretRef", "whatsapp-system/no-such-secret", "create it"},
		},
		{
			reason: "the app secret is another app's",
			spoil: func(_ *testing.T, _ *partner, _ *v1alpha1.MetaApp, secret map[string]string) {
				secret[v1alpha1.SecretKeyAppSecret] = newSecret("wrong")
			},
			condition: v1alpha1.ConditionCredentialsValid, want: v1alpha1.ReasonAppSecretInvalid, status: metav1.ConditionFalse,
			mention: []string{"spec.appID", "app-secret", "App Dashboard"},
		},
		{
			reason: "the system token was copied from a page that masks it",
			spoil: func(_ *testing.T, _ *partner, _ *v1alpha1.MetaApp, secret map[string]string) {
				secret[v1alpha1.SecretKeySystemToken] = "EAAG••••••••4f2a"
			},
			condition: v1alpha1.ConditionCredentialsValid, want: v1alpha1.ReasonTokenMasked, status: metav1.ConditionFalse,
			mention: []string{"system-token", "masked", "full value"},
		},
		{
			reason: "a Solution Partner has no system token",
			spoil: func(_ *testing.T, _ *partner, _ *v1alpha1.MetaApp, secret map[string]string) {
				delete(secret, v1alpha1.SecretKeySystemToken)
			},
			condition: v1alpha1.ConditionCredentialsValid, want: v1alpha1.ReasonSystemTokenMissing, status: metav1.ConditionFalse,
			mention: []string{"spec.solutionPartner", "system-token"},
		},
		{
			reason: "the system token is another app's",
			spoil: func(t *testing.T, _ *partner, _ *v1alpha1.MetaApp, secret map[string]string) {
				t.Helper()
				secret[v1alpha1.SecretKeySystemToken] = newPartner(t).systemToken
			},
			condition: v1alpha1.ConditionCredentialsValid, want: v1alpha1.ReasonSystemTokenInvalid, status: metav1.ConditionFalse,
			mention: []string{"system-token", "does not belong to this app"},
		},
		{
			reason: "the credit line is not the partner's",
			spoil: func(_ *testing.T, _ *partner, app *v1alpha1.MetaApp, _ map[string]string) {
				app.Spec.SolutionPartner.CreditLineID = "4711"
			},
			condition: v1alpha1.ConditionCreditLineReady, want: v1alpha1.ReasonCreditLineNotFound, status: metav1.ConditionFalse,
			mention: []string{"spec.solutionPartner.creditLineID 4711"},
		},
		{
			reason: "somebody else's callback is never taken over",
			spoil: func(t *testing.T, p *partner, app *v1alpha1.MetaApp, secret map[string]string) {
				t.Helper()
				foreign := partner{appID: newID(), appSecret: secret[v1alpha1.SecretKeyAppSecret], businessID: p.businessID}
				addWorld(t, metasim.World{Apps: []metasim.App{{
					ID: foreign.appID, Secret: foreign.appSecret, Name: "Foreign", BusinessID: p.businessID,
					Subscription: &metasim.AppSubscription{CallbackURL: "https://elsewhere.example/hook", Fields: []string{"messages"}},
				}}})
				app.Spec.AppID, app.Spec.SolutionPartner = foreign.appID, nil
				delete(secret, v1alpha1.SecretKeySystemToken)
			},
			condition: v1alpha1.ConditionWebhookSubscribed, want: v1alpha1.ReasonForeignCallback, status: metav1.ConditionFalse,
			mention: []string{"spec.webhook.subscription", "Manual"},
		},
		{
			reason: "the callback URL leads nowhere",
			spoil: func(_ *testing.T, _ *partner, app *v1alpha1.MetaApp, _ map[string]string) {
				app.Spec.Webhook.URL = "https://nowhere.example.test"
			},
			condition: v1alpha1.ConditionWebhookSubscribed, want: v1alpha1.ReasonHandshakeFailed, status: metav1.ConditionUnknown,
			mention: []string{"spec.webhook.url", "https://nowhere.example.test/webhooks/whatsapp"},
		},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			t.Parallel()
			p := newPartner(t)
			app := p.metaApp(t)
			secret := map[string]string{v1alpha1.SecretKeyAppSecret: p.appSecret, v1alpha1.SecretKeySystemToken: p.systemToken}
			name := app.Spec.SecretRef.Name
			tc.spoil(t, &p, app, secret)
			setSecret(t, systemNamespace, name, secret)
			create(t, app)
			got := awaitCondition(t, app, tc.condition, tc.status, tc.want)
			mustMention(t, got.Message, tc.mention...)
			ready := awaitCondition(t, app, v1alpha1.ConditionReady, metav1.ConditionFalse, tc.want)
			if ready.Message != got.Message {
				t.Errorf("Ready does not say what %s says: %s", tc.condition, ready.Message)
			}
		})
	}
}

func TestMetaAppRecoversWhenItsSecretIsCorrected(t *testing.T) {
	t.Parallel()
	p := newPartner(t)
	app := p.metaApp(t)
	setSecret(t, systemNamespace, app.Spec.SecretRef.Name, map[string]string{v1alpha1.SecretKeyAppSecret: newSecret("wrong"), v1alpha1.SecretKeySystemToken: p.systemToken})
	create(t, app)
	awaitCondition(t, app, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonAppSecretInvalid)
	setSecret(t, systemNamespace, app.Spec.SecretRef.Name, map[string]string{v1alpha1.SecretKeyAppSecret: p.appSecret, v1alpha1.SecretKeySystemToken: p.systemToken})
	awaitReady(t, app)
}

func TestMetaAppTechProviderNeedsNoCredit(t *testing.T) {
	t.Parallel()
	p := newPartner(t)
	app := p.metaApp(t)
	app.Spec.SolutionPartner, app.Spec.Webhook.Subscription = nil, v1alpha1.SubscriptionManual
	create(t, app)
	awaitReady(t, app)
	awaitCondition(t, app, v1alpha1.ConditionCreditLineReady, metav1.ConditionTrue, v1alpha1.ReasonNotRequired)
	awaitCondition(t, app, v1alpha1.ConditionWebhookSubscribed, metav1.ConditionTrue, v1alpha1.ReasonManual)
	if sub := subscriptionAtMeta(p.appID); sub != nil {
		t.Errorf("a Manual app was subscribed: %+v", sub)
	}
}

func TestMetaAppDuplicateIsRefused(t *testing.T) {
	t.Parallel()
	p := newPartner(t)
	first := p.metaApp(t)
	create(t, first)
	awaitReady(t, first)
	second := first.DeepCopy()
	second.ObjectMeta = metav1.ObjectMeta{Name: first.Name + "-copy"}
	second.Status = v1alpha1.MetaAppStatus{}
	create(t, second)
	got := awaitCondition(t, second, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonDuplicateApp)
	mustMention(t, got.Message, "spec.appID", p.appID, first.Name)

	remove(t, second)
	if sub := subscriptionAtMeta(p.appID); sub == nil {
		t.Error("deleting the duplicate removed the first one's subscription")
	}
}

func TestMetaAppWarnsBeforeTheSystemTokenExpires(t *testing.T) {
	t.Parallel()
	p := newPartner(t)
	app := p.metaApp(t)
	dying, user := newSecret("EAAdying"), newID()
	addWorld(t, metasim.World{SystemUsers: []metasim.SystemUser{{
		ID: user, Name: "dying", AppID: p.appID, BusinessID: p.businessID, Token: dying, Scopes: systemScopes,
		ExpiresAt: time.Now().Add(5 * 24 * time.Hour).Unix(),
	}}})
	setSecret(t, systemNamespace, app.Spec.SecretRef.Name, map[string]string{v1alpha1.SecretKeyAppSecret: p.appSecret, v1alpha1.SecretKeySystemToken: dying})
	create(t, app)
	got := awaitCondition(t, app, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonTokenExpiring)
	mustMention(t, got.Message, "system token expires", "System users")
	if app.Status.SystemToken == nil || app.Status.SystemToken.ExpiresAt == nil {
		t.Error("status.systemToken.expiresAt is not set")
	}
}

func TestMetaAppSubscribesOnlyWhenEveryReplicaKnowsTheVerifyToken(t *testing.T) {
	t.Parallel()
	p := newPartner(t)
	app := p.metaApp(t)
	object := runtimeconfig.AppName(p.appID)
	stub.lag(object, true)
	create(t, app)
	got := awaitCondition(t, app, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonServerNotReady)
	mustMention(t, got.Message, "1 of 1 replicas")
	if sub := subscriptionAtMeta(p.appID); sub != nil {
		t.Fatal("Meta was asked for a handshake that a replica would have failed")
	}
	stub.lag(object, false)
	awaitReady(t, app)
}

func TestMetaAppSurvivesABlipOfMeta(t *testing.T) {
	t.Parallel()
	p := newPartner(t)
	app := p.metaApp(t)
	create(t, app)
	awaitReady(t, app)
	id, err := sim.AddFault(metasim.Fault{ObjectID: p.appID, Count: -1, Action: "http_status", Status: 503})
	if err != nil {
		t.Fatal(err)
	}
	await(t, func(ctx context.Context) error {
		if err := admin.Get(ctx, client.ObjectKeyFromObject(app), app); err != nil {
			return err
		}
		if app.Status.NextAttemptTime == nil {
			return errors.New("no failed attempt shows in status")
		}
		return nil
	})
	awaitReady(t, app)
	sim.ClearFaults(id)
}

func TestMetaAppInUseIsNotDeleted(t *testing.T) {
	t.Parallel()
	p := newPartner(t)
	app := p.metaApp(t)
	create(t, app)
	awaitReady(t, app)
	ns := newNamespace(t)
	channel := newDirectNumber(t).channel(ns, "shop")
	channel.Spec.Source.Direct.MetaAppRef = &v1alpha1.MetaAppReference{Name: app.Name}
	create(t, channel)
	awaitCondition(t, channel, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonDirectNotAllowed)

	if err := admin.Delete(t.Context(), app); err != nil {
		t.Fatal(err)
	}
	got := awaitCondition(t, app, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonInUse)
	mustMention(t, got.Message, "0 OnboardingRequests", "1 WhatsAppChannels")
	remove(t, channel)
	await(t, func(ctx context.Context) error {
		if err := admin.Get(ctx, client.ObjectKeyFromObject(app), app); !apierrors.IsNotFound(err) {
			return fmt.Errorf("the app is still there: %w", err)
		}
		return nil
	})
	if sub := subscriptionAtMeta(p.appID); sub != nil {
		t.Error("the app's subscription outlived it")
	}
	for _, name := range []client.ObjectKey{
		{Namespace: runtimeNamespace, Name: runtimeconfig.AppName(p.appID)}, {Namespace: systemNamespace, Name: verifyTokenSecret(app)},
	} {
		if err := admin.Get(t.Context(), name, &corev1.Secret{}); !apierrors.IsNotFound(err) {
			t.Errorf("the Secret %s outlived the app: %v", name, err)
		}
	}
}
