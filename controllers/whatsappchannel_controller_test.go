package controllers

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
)

// projectionOf reads the Secret that holds a number.
func projectionOf(t *testing.T, phoneNumberID string) *corev1.Secret {
	t.Helper()
	secret := &corev1.Secret{}
	err := admin.Get(t.Context(), client.ObjectKey{Namespace: runtimeNamespace, Name: runtimeconfig.ChannelName(phoneNumberID)}, secret)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// servedChannel is what the webhook-server would serve for a number, with its content.
func servedChannel(t *testing.T, phoneNumberID string) *runtimeconfig.Channel {
	t.Helper()
	objects, err := stub.objects(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	served, ok := runtimeconfig.Load(objects).Channel(phoneNumberID)
	if !ok {
		t.Fatalf("the number %s is not served", phoneNumberID)
	}
	return served
}

// newDirectChannel makes a direct channel with its Secret in a namespace that allows it.
func newDirectChannel(t *testing.T, change func(*v1alpha1.WhatsAppChannel), moreLabels ...string) (directNumber, *v1alpha1.WhatsAppChannel) {
	t.Helper()
	d := newDirectNumber(t)
	ns := newNamespace(t, append(moreLabels, labelDirect)...)
	createSecret(t, ns, "credentials", d.credentials())
	channel := d.channel(ns, "shop")
	if change != nil {
		change(channel)
	}
	create(t, channel)
	return d, channel
}

// connect brings a direct channel to Ready, as a business does it in the App Dashboard.
func connect(t *testing.T, d directNumber, channel *v1alpha1.WhatsAppChannel) {
	t.Helper()
	awaitCondition(t, channel, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonNotSubscribedToMessages)
	d.enterWebhook(t, channel)
	stub.report(serverapi.Report{
		Kind: serverapi.KindWebhookVerified, PhoneNumberID: d.phoneNumberID, LineID: channel.Status.LineID,
		Detail: serverapi.Detail{Webhook: &serverapi.Webhook{Proof: serverapi.Handshake}},
	})
	awaitReady(t, channel)
}

func TestDirectChannelBecomesReady(t *testing.T) {
	t.Parallel()
	d, channel := newDirectChannel(t, func(c *v1alpha1.WhatsAppChannel) {
		c.Spec.Handoff = &v1alpha1.HandoffSpec{Keywords: []string{"human"}}
		c.Spec.TimeZone = "Europe/Berlin"
	})
	waits := awaitCondition(t, channel, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonNotSubscribedToMessages)
	mustMention(t, waits.Message, "App Dashboard", "callback URL", "verify token", "messages")
	connect(t, d, channel)

	status := &channel.Status
	if status.CallbackURL != publicURL+CallbackPath || status.BusinessAccountID != d.wabaID || status.AppID != d.appID || status.LineID == "" {
		t.Errorf("status lacks facts: %+v", status)
	}
	if status.Phone == nil || status.Phone.DisplayNumber != "+1 555-078-3999" || status.Phone.VerifiedName != "Blue Door Bakery" {
		t.Errorf("status.phone is not what Meta says: %+v", status.Phone)
	}
	if status.Token == nil || !strings.HasSuffix(d.token, strings.TrimPrefix(status.Token.Hint, "…")) || status.AppSecretHint == "" {
		t.Errorf("hints are missing: %+v, %q", status.Token, status.AppSecretHint)
	}
	awaitCondition(t, channel, v1alpha1.ConditionWebhookVerified, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	awaitCondition(t, channel, v1alpha1.ConditionAssistantReady, metav1.ConditionTrue, v1alpha1.ReasonRetrievalOnly)

	verify := &corev1.Secret{}
	if err := admin.Get(t.Context(), client.ObjectKey{Namespace: channel.Namespace, Name: status.VerifyTokenSecretRef.Name}, verify); err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^pv_[A-Za-z0-9]{32,}$`).Match(verify.Data[status.VerifyTokenSecretRef.Key]) {
		t.Error("the verify token is not pv_ and at least 32 random characters")
	}
	if !metav1.IsControlledBy(verify, channel) || len(verify.Labels) != 0 {
		t.Errorf("the verify token's Secret must belong to the channel and have none of its labels: %v %v", verify.OwnerReferences, verify.Labels)
	}
	served := servedChannel(t, d.phoneNumberID)
	if served.AccessToken.Reveal() != d.token || served.AppSecret.Reveal() != d.appSecret || !served.Direct || served.TimeZone != "Europe/Berlin" ||
		served.LineID != status.LineID || served.Namespace != channel.Namespace || served.Graph.BaseURL != sim.URL || served.MessagesPerSecond != throughputStandard {
		t.Errorf("the projection is not the channel: %+v", served)
	}
}

func TestDirectChannelBadInput(t *testing.T) {
	for _, tc := range []struct {
		reason    string
		spoil     func(t *testing.T, d *directNumber, channel *v1alpha1.WhatsAppChannel, secret map[string]string)
		condition string
		want      string
		mention   []string
	}{
		{
			reason: "the token was copied from a page that masks it",
			spoil: func(_ *testing.T, _ *directNumber, _ *v1alpha1.WhatsAppChannel, secret map[string]string) {
				secret[v1alpha1.SecretKeyAccessToken] = "EAAG****4f2a"
			},
			condition: v1alpha1.ConditionCredentialsValid, want: v1alpha1.ReasonTokenMasked,
			mention: []string{"access-token", "appears to be masked", "full value"},
		},
		{
			reason: "the Secret has no access token",
			spoil: func(_ *testing.T, _ *directNumber, _ *v1alpha1.WhatsAppChannel, secret map[string]string) {
				delete(secret, v1alpha1.SecretKeyAccessToken)
			},
			condition: v1alpha1.ConditionCredentialsValid, want: v1alpha1.ReasonSecretKeyMissing,
			mention: []string{fieldCredentials, "access-token", "add it"},
		},
		{
			reason: "the Secret has no app secret",
			spoil: func(_ *testing.T, _ *directNumber, _ *v1alpha1.WhatsAppChannel, secret map[string]string) {
				delete(secret, v1alpha1.SecretKeyAppSecret)
			},
			condition: v1alpha1.ConditionCredentialsValid, want: v1alpha1.ReasonAppSecretNotConfigured,
			mention: []string{fieldCredentials, "app-secret"},
		},
		{
			reason: "there is no such Secret",
			spoil: func(_ *testing.T, _ *directNumber, channel *v1alpha1.WhatsAppChannel, _ map[string]string) {
				channel.Spec.Source.Direct.CredentialsSecretRef.Name = "absent"
			},
			condition: v1alpha1.ConditionCredentialsValid, want: v1alpha1.ReasonSecretNotFound,
			mention: []string{fieldCredentials, "absent", "create it"},
		},
		{
			reason: "a value that is no token is neither kept nor projected",
			spoil: func(_ *testing.T, _ *directNumber, _ *v1alpha1.WhatsAppChannel, secret map[string]string) {
				secret[v1alpha1.SecretKeyAccessToken] = strings.Repeat("x", maxSecretValue+1)
			},
			condition: v1alpha1.ConditionCredentialsValid, want: v1alpha1.ReasonRejected, mention: []string{"access-token", "8193 bytes", "value alone"},
		},
		{
			reason: "the token is dead",
			spoil: func(t *testing.T, d *directNumber, _ *v1alpha1.WhatsAppChannel, _ map[string]string) {
				t.Helper()
				if err := sim.RevokeToken(d.token); err != nil {
					t.Fatal(err)
				}
			},
			condition: v1alpha1.ConditionCredentialsValid, want: v1alpha1.ReasonInvalidAccessToken,
			mention: []string{"Invalid access token", "System users", "access-token"},
		},
		{
			reason: "the app secret is another app's, which appsecret_proof shows",
			spoil: func(_ *testing.T, _ *directNumber, _ *v1alpha1.WhatsAppChannel, secret map[string]string) {
				secret[v1alpha1.SecretKeyAppSecret] = newSecret("wrong")
			},
			condition: v1alpha1.ConditionCredentialsValid, want: v1alpha1.ReasonAppSecretInvalid,
			mention: []string{"app-secret", "App Dashboard"},
		},
		{
			reason: "the token is of another app than the spec says",
			spoil: func(_ *testing.T, _ *directNumber, channel *v1alpha1.WhatsAppChannel, _ map[string]string) {
				channel.Spec.Source.Direct.AppID = "4711"
			},
			condition: v1alpha1.ConditionCredentialsValid, want: v1alpha1.ReasonWrongApp, mention: []string{"4711"},
		},
		{
			reason: "the number is not shown to the token",
			spoil: func(_ *testing.T, _ *directNumber, channel *v1alpha1.WhatsAppChannel, _ map[string]string) {
				channel.Spec.Source.Direct.PhoneNumberID = newID()
			},
			condition: v1alpha1.ConditionPhoneConnected, want: v1alpha1.ReasonPhoneNumberNotFound,
			mention: []string{"Phone number not found", "spec.source.direct.phoneNumberID"},
		},
		{
			reason: "the number is not one of the account",
			spoil: func(_ *testing.T, _ *directNumber, channel *v1alpha1.WhatsAppChannel, _ map[string]string) {
				channel.Spec.Source.Direct.BusinessAccountID = newID()
			},
			condition: v1alpha1.ConditionPhoneConnected, want: v1alpha1.ReasonBusinessAccountMismatch,
			mention: []string{"spec.source.direct.businessAccountID"},
		},
		{
			reason: "the number is not connected",
			spoil: func(t *testing.T, d *directNumber, _ *v1alpha1.WhatsAppChannel, _ map[string]string) {
				t.Helper()
				if err := sim.UpdatePhoneNumber(d.phoneNumberID, func(p *metasim.PhoneNumber) { p.Status = "PENDING" }); err != nil {
					t.Fatal(err)
				}
			},
			condition: v1alpha1.ConditionPhoneConnected, want: v1alpha1.ReasonNotConnected, mention: []string{"PENDING", "WhatsApp Manager"},
		},
		{
			reason: "the MetaApp does not exist",
			spoil: func(_ *testing.T, _ *directNumber, channel *v1alpha1.WhatsAppChannel, _ map[string]string) {
				channel.Spec.Source.Direct.MetaAppRef = &v1alpha1.MetaAppReference{Name: "no-such-app"}
			},
			condition: v1alpha1.ConditionAccepted, want: v1alpha1.ReasonMetaAppNotFound, mention: []string{"metaAppRef.name", "no-such-app"},
		},
		{
			reason: "the MetaApp does not allow the namespace",
			spoil: func(t *testing.T, _ *directNumber, channel *v1alpha1.WhatsAppChannel, _ map[string]string) {
				t.Helper()
				app := newPartner(t).metaApp(t)
				create(t, app)
				awaitReady(t, app)
				channel.Spec.Source.Direct.MetaAppRef = &v1alpha1.MetaAppReference{Name: app.Name}
			},
			condition: v1alpha1.ConditionAccepted, want: v1alpha1.ReasonNamespaceNotAllowed, mention: []string{"spec.allowedNamespaces", "label the namespace"},
		},
		{
			reason: "the catalog's ConfigMap does not exist",
			spoil: func(_ *testing.T, _ *directNumber, channel *v1alpha1.WhatsAppChannel, _ map[string]string) {
				channel.Spec.Assistant.Catalog = &v1alpha1.CatalogSource{ConfigMapKeyRef: &v1alpha1.ConfigMapKeyReference{Name: "absent", Key: "feed.csv"}}
			},
			condition: v1alpha1.ConditionAccepted, want: v1alpha1.ReasonContentInvalid, mention: []string{"spec.assistant.catalog.configMapKeyRef", "absent"},
		},
		{
			reason: "catalog and knowledge are too large",
			spoil: func(t *testing.T, _ *directNumber, channel *v1alpha1.WhatsAppChannel, _ map[string]string) {
				t.Helper()
				noise := make([]byte, 600<<10)
				for i := range noise {
					noise[i] = byte('a' + rand.IntN(26))
				}
				create(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: channel.Namespace, Name: "big"}, Data: map[string]string{"big.md": string(noise)}})
				channel.Spec.Assistant.Knowledge = []v1alpha1.KnowledgeSource{{ConfigMapKeyRef: &v1alpha1.ConfigMapKeyReference{Name: "big", Key: "big.md"}}}
			},
			condition: v1alpha1.ConditionAccepted, want: v1alpha1.ReasonContentInvalid, mention: []string{"spec.assistant.knowledge", "256 KiB"},
		},
		{
			reason: "the chat model's key is missing",
			spoil: func(_ *testing.T, _ *directNumber, channel *v1alpha1.WhatsAppChannel, _ map[string]string) {
				channel.Spec.Assistant.Chat = &v1alpha1.ModelProvider{
					Provider: v1alpha1.ProviderOpenAI, Model: "m", APIKeySecretRef: &v1alpha1.SecretKeyReference{Name: "credentials", Key: "llm"},
				}
			},
			condition: v1alpha1.ConditionAccepted, want: v1alpha1.ReasonSecretKeyMissing, mention: []string{"spec.assistant.chat.apiKeySecretRef", "llm"},
		},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			t.Parallel()
			d := newDirectNumber(t)
			ns := newNamespace(t, labelDirect)
			channel, secret := d.channel(ns, "shop"), d.credentials()
			tc.spoil(t, &d, channel, secret)
			createSecret(t, ns, "credentials", secret)
			create(t, channel)
			got := awaitCondition(t, channel, tc.condition, metav1.ConditionFalse, tc.want)
			mustMention(t, got.Message, tc.mention...)
			awaitCondition(t, channel, v1alpha1.ConditionReady, metav1.ConditionFalse, tc.want)
		})
	}
}

func TestDirectChannelNeedsThePlatformsLeave(t *testing.T) {
	t.Parallel()
	d := newDirectNumber(t)
	ns := newNamespace(t)
	createSecret(t, ns, "credentials", d.credentials())
	channel := d.channel(ns, "shop")
	create(t, channel)
	got := awaitCondition(t, channel, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonDirectNotAllowed)
	mustMention(t, got.Message, "spec.source.direct", ns)
	if n := graphCalls(d.phoneNumberID) + graphCalls(d.wabaID); n > 0 {
		t.Errorf("%d calls were made for a channel that is not allowed", n)
	}

	namespace := &corev1.Namespace{}
	if err := admin.Get(t.Context(), client.ObjectKey{Name: ns}, namespace); err != nil {
		t.Fatal(err)
	}
	namespace.Labels[labelDirect] = "yes"
	if err := admin.Update(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	awaitCondition(t, channel, v1alpha1.ConditionAccepted, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
}

func TestChannelServesTheNewTokenWithoutARestart(t *testing.T) {
	t.Parallel()
	d, channel := newDirectChannel(t, nil)
	connect(t, d, channel)
	fresh := newSecret("EAAfresh")
	addWorld(t, metasim.World{SystemUsers: []metasim.SystemUser{{
		ID: newID(), Name: "bot2", AppID: d.appID, BusinessID: businessOf(t, d.appID), Token: fresh, Scopes: tokenScopes,
	}}})
	data := d.credentials()
	data[v1alpha1.SecretKeyAccessToken] = fresh
	setSecret(t, channel.Namespace, "credentials", data)
	await(t, func(context.Context) error {
		if got := servedChannel(t, d.phoneNumberID).AccessToken.Reveal(); got != fresh {
			return fmt.Errorf("the old token is still served")
		}
		return nil
	})
	awaitReady(t, channel)
}

func businessOf(t *testing.T, appID string) string {
	t.Helper()
	for _, app := range sim.World(false).Apps {
		if app.ID == appID {
			return app.BusinessID
		}
	}
	t.Fatalf("no app %s", appID)
	return ""
}

func TestChannelWarnsOfTokensThatDie(t *testing.T) {
	t.Parallel()
	d := newDirectNumber(t)
	temporary := newSecret("EAAtemporary")
	addWorld(t, metasim.World{SystemUsers: []metasim.SystemUser{{
		ID: newID(), Name: "person", AppID: d.appID, BusinessID: businessOf(t, d.appID), Token: temporary, Scopes: tokenScopes, Temporary: true,
		ExpiresAt: time.Now().Add(23 * time.Hour).Unix(),
	}}})
	d.token = temporary
	ns := newNamespace(t, labelDirect)
	createSecret(t, ns, "credentials", d.credentials())
	channel := d.channel(ns, "shop")
	create(t, channel)
	got := awaitCondition(t, channel, v1alpha1.ConditionCredentialsValid, metav1.ConditionTrue, v1alpha1.ReasonTokenExpiring)
	mustMention(t, got.Message, "temporary", "permanent")
	if channel.Status.Token.ExpiresAt == nil {
		t.Error("status.token.expiresAt is not set")
	}
}

func TestChannelContentIsProjected(t *testing.T) {
	t.Parallel()
	d, channel := newDirectChannel(t, func(c *v1alpha1.WhatsAppChannel) {
		c.Spec.Assistant.Catalog = &v1alpha1.CatalogSource{ConfigMapKeyRef: &v1alpha1.ConfigMapKeyReference{Name: "shop", Key: "feed.csv"}}
		c.Spec.Assistant.Knowledge = []v1alpha1.KnowledgeSource{{ConfigMapKeyRef: &v1alpha1.ConfigMapKeyReference{Name: "shop", Key: "about.md"}}}
	})
	cm := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: channel.Namespace, Name: "shop"},
		Data:       map[string]string{"feed.csv": "id,title\n1,Bread\n", "about.md": "# Hours\nMonday to Friday\n"},
	}
	create(t, cm)
	connect(t, d, channel)
	content := servedChannel(t, d.phoneNumberID).Content
	if content == nil || string(content.Catalog) != cm.Data["feed.csv"] || content.CatalogFormat != "CSV" || len(content.Knowledge) != 1 ||
		content.Knowledge[0] != (runtimeconfig.Document{Name: "about.md", Text: cm.Data["about.md"]}) {
		t.Fatalf("the content is not what the ConfigMap holds: %+v", content)
	}
	cm.Data["feed.csv"] = "id,title\n1,Cake\n"
	if err := admin.Update(t.Context(), cm); err != nil {
		t.Fatal(err)
	}
	await(t, func(context.Context) error {
		if content := servedChannel(t, d.phoneNumberID).Content; content == nil || !bytes.Contains(content.Catalog, []byte("Cake")) {
			return fmt.Errorf("the new catalog is not served yet")
		}
		return nil
	})
}

func TestChannelWebhookGoesElsewhere(t *testing.T) {
	t.Parallel()
	d := newDirectNumber(t, func(app *metasim.App) {
		app.Subscription = &metasim.AppSubscription{CallbackURL: "https://elsewhere.example/hook", Fields: []string{"messages"}}
	})
	ns := newNamespace(t, labelDirect)
	createSecret(t, ns, "credentials", d.credentials())
	channel := d.channel(ns, "shop")
	create(t, channel)
	got := awaitCondition(t, channel, v1alpha1.ConditionWebhookSubscribed, metav1.ConditionFalse, v1alpha1.ReasonConnectedElsewhere)
	mustMention(t, got.Message, publicURL+CallbackPath)
}

func TestChannelSuspended(t *testing.T) {
	t.Parallel()
	d, channel := newDirectChannel(t, nil)
	connect(t, d, channel)
	channel.Spec.Suspend = new(true)
	if err := admin.Update(t.Context(), channel); err != nil {
		t.Fatal(err)
	}
	awaitCondition(t, channel, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonSuspended)
	awaitCondition(t, channel, v1alpha1.ConditionSuspended, metav1.ConditionTrue, v1alpha1.ReasonSuspended)
	if got := servedChannel(t, d.phoneNumberID); got.AccessToken.Reveal() != d.token {
		t.Error("a suspended channel is no longer served")
	}
	calls := graphCalls(d.phoneNumberID)
	// Another change, handled while suspended, marks the time in which no call may be made.
	channel.Annotations = map[string]string{v1alpha1.RequestedAtAnnotation: "now"}
	if err := admin.Update(t.Context(), channel); err != nil {
		t.Fatal(err)
	}
	channel.Spec.TimeZone = "Asia/Tokyo"
	if err := admin.Update(t.Context(), channel); err != nil {
		t.Fatal(err)
	}
	awaitCondition(t, channel, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonSuspended)
	if got := graphCalls(d.phoneNumberID); got != calls {
		t.Errorf("%d calls were made for a suspended channel", got-calls)
	}
	if got := servedChannel(t, d.phoneNumberID); got.TimeZone != "" {
		t.Error("the projection of a suspended channel was changed")
	}
	channel.Spec.Suspend = nil
	if err := admin.Update(t.Context(), channel); err != nil {
		t.Fatal(err)
	}
	awaitReady(t, channel)
	if got := servedChannel(t, d.phoneNumberID); got.TimeZone != "Asia/Tokyo" {
		t.Error("the change was not caught up on")
	}
}

func TestChannelTestConnectionOnRequest(t *testing.T) {
	t.Parallel()
	d, channel := newDirectChannel(t, nil)
	connect(t, d, channel)
	if err := sim.RevokeToken(d.token); err != nil {
		t.Fatal(err)
	}
	update(t, channel, func() {
		channel.Annotations = map[string]string{v1alpha1.RequestedAtAnnotation: "2026-11-21T10:00:00Z"}
	})
	awaitCondition(t, channel, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonInvalidAccessToken)
	awaitHandled(t, channel, "2026-11-21T10:00:00Z")
}

func TestChannelShowsWhatTheServerReports(t *testing.T) {
	t.Parallel()
	d, channel := newDirectChannel(t, nil)
	connect(t, d, channel)
	line := serverapi.Report{PhoneNumberID: d.phoneNumberID, LineID: channel.Status.LineID}
	hour := time.Now().UTC().Truncate(time.Hour)

	bad := line
	bad.Kind, bad.Detail.Security = serverapi.KindSecurityEvent, &serverapi.Security{Reason: serverapi.BadSignature}
	stub.report(bad)
	got := awaitCondition(t, channel, v1alpha1.ConditionWebhookVerified, metav1.ConditionFalse, v1alpha1.ReasonSignatureFailing)
	mustMention(t, got.Message, "app secret", "App Dashboard")
	awaitReady(t, channel)

	foreign := line
	foreign.LineID, foreign.Kind, foreign.Detail.Webhook = "another-tenants-line", serverapi.KindWebhookVerified, &serverapi.Webhook{Proof: serverapi.Delivery}
	stub.report(foreign)
	traffic := line
	traffic.Kind, traffic.Detail.Traffic = serverapi.KindTraffic, &serverapi.Traffic{FirstReceived: hour.Add(7 * time.Minute), LastReceived: hour, LastSent: hour}
	stub.report(traffic)
	await(t, func(ctx context.Context) error {
		if err := admin.Get(ctx, client.ObjectKeyFromObject(channel), channel); err != nil {
			return err
		}
		if shown := channel.Status.Traffic; shown == nil || !shown.LastReceivedAt.Time.Equal(hour) || !shown.FirstReceivedAt.Time.Equal(hour) {
			return fmt.Errorf("status.traffic is %+v", shown)
		}
		return nil
	})
	awaitCondition(t, channel, v1alpha1.ConditionWebhookVerified, metav1.ConditionFalse, v1alpha1.ReasonSignatureFailing)

	genuine := line
	genuine.Kind, genuine.Detail.Webhook = serverapi.KindWebhookVerified, &serverapi.Webhook{Proof: serverapi.Delivery}
	stub.report(genuine)
	awaitCondition(t, channel, v1alpha1.ConditionWebhookVerified, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)

	// Anybody can send a body that names the number. While genuine ones arrive it must not make the channel look broken.
	stub.report(bad)
	after := line
	after.Kind, after.Detail.Traffic = serverapi.KindTraffic, &serverapi.Traffic{LastSent: hour.Add(time.Hour)}
	stub.report(after)
	await(t, func(ctx context.Context) error {
		if err := admin.Get(ctx, client.ObjectKeyFromObject(channel), channel); err != nil {
			return err
		}
		if shown := channel.Status.Traffic.LastSentAt; !shown.Time.Equal(hour.Add(time.Hour)) {
			return fmt.Errorf("the forgery's report has not been seen yet: %s", shown)
		}
		return nil
	})
	if c := apimeta.FindStatusCondition(channel.Status.Conditions, v1alpha1.ConditionWebhookVerified); c.Status != metav1.ConditionTrue {
		t.Errorf("a forgery made a sound channel look broken: %s", c.Message)
	}
}

func TestChannelPlanInactive(t *testing.T) {
	t.Parallel()
	d, channel := newDirectChannel(t, func(c *v1alpha1.WhatsAppChannel) { c.Spec.Plan.Active = new(false) })
	connect(t, d, channel)
	got := awaitCondition(t, channel, v1alpha1.ConditionAssistantReady, metav1.ConditionFalse, v1alpha1.ReasonSubscriptionInactive)
	mustMention(t, got.Message, "spec.plan.active")
	if servedChannel(t, d.phoneNumberID).PlanActive {
		t.Error("the webhook-server was not told that the plan is inactive")
	}
}

func TestChannelStoresNoBodies(t *testing.T) {
	t.Parallel()
	d, channel := newDirectChannel(t, func(c *v1alpha1.WhatsAppChannel) { c.Spec.StoreBodies = new(false) })
	connect(t, d, channel)
	awaitCondition(t, channel, v1alpha1.ConditionAssistantReady, metav1.ConditionTrue, v1alpha1.ReasonRetrievalOnly)
	if !servedChannel(t, d.phoneNumberID).DiscardBodies {
		t.Error("the webhook-server was not told that bodies are not to be stored")
	}
}

func TestRequestChannelWithoutItsRequest(t *testing.T) {
	t.Parallel()
	ns := newNamespace(t, labelPartner)
	channel := &v1alpha1.WhatsAppChannel{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "shop"},
		Spec:       v1alpha1.WhatsAppChannelSpec{Source: v1alpha1.ChannelSource{OnboardingRequestRef: &v1alpha1.ObjectReference{Name: "absent"}}},
	}
	create(t, channel)
	got := awaitCondition(t, channel, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonOnboardingRequestNotFound)
	mustMention(t, got.Message, "spec.source.onboardingRequestRef.name", "absent")
}

func TestChannelLeavesATombstone(t *testing.T) {
	t.Parallel()
	d, channel := newDirectChannel(t, func(c *v1alpha1.WhatsAppChannel) { c.Spec.Source.Direct.UnsubscribeOnDelete = new(true) })
	connect(t, d, channel)
	lineBefore := channel.Status.LineID
	remove(t, channel)
	secret := projectionOf(t, d.phoneNumberID)
	snapshot := runtimeconfig.Load([]runtimeconfig.Object{{Name: secret.Name, Data: secret.Data}})
	tombstone, ok := snapshot.Tombstone(d.phoneNumberID)
	if !ok || tombstone.WABAID != d.wabaID || time.Since(tombstone.ReleasedAt) > patience {
		t.Fatalf("there is no tombstone: %+v", tombstone)
	}
	for key, value := range secret.Data {
		if bytes.Contains(value, []byte(d.token)) || bytes.Contains(value, []byte(d.appSecret)) {
			t.Errorf("the tombstone holds a credential in %s", key)
		}
	}
	for _, waba := range sim.World(false).WABAs {
		if waba.ID == d.wabaID && len(waba.SubscribedApps) > 0 {
			t.Error("unsubscribeOnDelete left the app subscribed")
		}
	}

	again := d.channel(channel.Namespace, channel.Name)
	create(t, again)
	awaitCondition(t, again, v1alpha1.ConditionAccepted, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	if again.Status.LineID != lineBefore {
		t.Error("a channel that is recreated in its namespace lost its line")
	}
	if servedChannel(t, d.phoneNumberID).AccessToken.IsZero() {
		t.Error("the number is not served again")
	}
}

func TestChannelOfAVanishingNamespaceGoes(t *testing.T) {
	t.Parallel()
	d, channel := newDirectChannel(t, func(c *v1alpha1.WhatsAppChannel) { c.Spec.Source.Direct.UnsubscribeOnDelete = new(true) })
	connect(t, d, channel)
	remove(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: channel.Namespace}})
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(channel), channel); !apierrors.IsNotFound(err) {
		t.Errorf("the channel is still there: %v", err)
	}
	if _, released := releasedAt(projectionOf(t, d.phoneNumberID)); !released {
		t.Error("the number was not let go")
	}
}
