package controllers

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

func TestClaim(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	served := func(holder string) *corev1.Secret {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
			Labels: map[string]string{runtimeconfig.LabelProjection: string(runtimeconfig.KindChannel)}, Annotations: map[string]string{annotationHolder: holder},
		}}
	}
	tombstone := func(holder string, age time.Duration) *corev1.Secret {
		secret := served(holder)
		secret.Labels[runtimeconfig.LabelProjection] = string(runtimeconfig.KindTombstone)
		secret.Annotations[annotationReleasedAt] = now.Add(-age).Format(time.RFC3339)
		return secret
	}
	tampered := tombstone("a/shop", time.Hour)
	tampered.Annotations[annotationReleasedAt] = "yesterday"
	for _, tc := range []struct {
		reason string
		have   *corev1.Secret
		free   bool
	}{
		{"nobody has the number", nil, true},
		{"the channel has it already", served("b/shop"), true},
		{"another channel has it", served("a/shop"), false},
		{"its predecessor of the same name let it go just now", tombstone("b/shop", 0), true},
		{"another one let it go nine minutes ago, perhaps to be recreated", tombstone("a/shop", 9*time.Minute), false},
		{"another one let it go ten minutes ago", tombstone("a/shop", claimGrace), true},
		{"a tombstone without a readable time is no release", tampered, false},
	} {
		err := claim(tc.have, holder{name: "b/shop"}, now)
		if (err == nil) != tc.free {
			t.Errorf("%s: got %v", tc.reason, err)
		}
		if v := classify(err); err != nil && (v.state != stateStalled || v.reason != v1alpha1.ReasonPhoneNumberClaimed) {
			t.Errorf("%s: got %+v", tc.reason, v)
		}
	}
}

func TestChannelPhoneNumberIsClaimedOnce(t *testing.T) {
	t.Parallel()
	d, first := newDirectChannel(t, nil)
	awaitCondition(t, first, v1alpha1.ConditionAccepted, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)

	stranger := newDirectNumber(t)
	ns := newNamespace(t, labelDirect)
	createSecret(t, ns, "credentials", d.credentials())
	createSecret(t, ns, "strange", stranger.credentials())
	second := d.channel(ns, "rival")
	create(t, second)
	got := awaitCondition(t, second, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonPhoneNumberClaimed)
	if strings.Contains(got.Message, first.Namespace) {
		t.Errorf("the message names another tenant: %s", got.Message)
	}
	// Who can't prove access doesn't learn that somebody serves the number.
	third := d.channel(ns, "prober")
	third.Spec.Source.Direct.CredentialsSecretRef.Name = "strange"
	create(t, third)
	awaitCondition(t, third, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonPhoneNumberNotFound)
	if served := servedChannel(t, d.phoneNumberID); served.Namespace != first.Namespace {
		t.Errorf("the number is served for %s", served.Namespace)
	}
}

func TestSweep(t *testing.T) {
	t.Parallel()
	d, channel := newDirectChannel(t, func(c *v1alpha1.WhatsAppChannel) {
		c.Spec.Assistant.Knowledge = []v1alpha1.KnowledgeSource{{ConfigMapKeyRef: &v1alpha1.ConfigMapKeyReference{Name: "shop", Key: "about.md"}}}
	})
	create(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: channel.Namespace, Name: "shop"}, Data: map[string]string{"about.md": "Hours"}})
	awaitCondition(t, channel, v1alpha1.ConditionAccepted, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	content := client.ObjectKey{Namespace: runtimeNamespace, Name: servedChannel(t, d.phoneNumberID).Assistant.Content}
	secret := projectionOf(t, d.phoneNumberID)

	offset := time.Duration(0)
	sweep := &sweeper{
		client: admin, live: admin, now: func() time.Time { return time.Now().Add(offset) },
		projector: &projector{client: admin, live: admin, namespace: runtimeNamespace},
	}
	only := func() {
		t.Helper()
		if err := sweep.sweepSecret(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
	}
	only()
	if _, released := releasedAt(projectionOf(t, d.phoneNumberID)); released {
		t.Fatal("the number of a channel that exists was swept")
	}

	failing := &sweeper{client: admin, live: brokenReader{}, now: time.Now, projector: sweep.projector}
	if err := failing.sweepSecret(t.Context(), secret); err == nil {
		t.Error("a failed read was taken for an answer")
	}
	if _, released := releasedAt(projectionOf(t, d.phoneNumberID)); released {
		t.Fatal("a number was lost to a failed read")
	}

	// Somebody takes the finalizer away by hand: nothing of the deletion is seen.
	key := client.ObjectKeyFromObject(channel)
	await(t, func(ctx context.Context) error {
		if err := admin.Get(ctx, key, channel); err != nil {
			return err
		}
		secret.Annotations[annotationHolder] = channel.Namespace + "/gone"
		return nil
	})
	if err := admin.Update(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	only()
	secret = projectionOf(t, d.phoneNumberID)
	if _, released := releasedAt(secret); !released {
		t.Fatal("the number of a channel that is gone is still held")
	}
	offset = tombstoneLife - time.Hour
	only()
	if _, released := releasedAt(projectionOf(t, d.phoneNumberID)); !released {
		t.Fatal("a tombstone went before its time")
	}
	offset = tombstoneLife + time.Hour
	only()
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(secret), &corev1.Secret{}); !apierrors.IsNotFound(err) {
		t.Errorf("a tombstone outlived its time: %v", err)
	}

	used := map[string]bool{}
	var all corev1.ConfigMapList
	if err := admin.List(t.Context(), &all, client.InNamespace(runtimeNamespace)); err != nil {
		t.Fatal(err)
	}
	for i := range all.Items {
		used[all.Items[i].Name] = all.Items[i].Name != content.Name
	}
	offset = contentGrace + time.Minute
	if err := sweep.sweepContent(t.Context(), used); err != nil {
		t.Fatal(err)
	}
	if err := admin.Get(t.Context(), content, &corev1.ConfigMap{}); !apierrors.IsNotFound(err) {
		t.Errorf("content that nobody uses is still there: %v", err)
	}
	if controllerutil.ContainsFinalizer(secret, v1alpha1.Finalizer) {
		t.Error("a projection must carry no finalizer")
	}
}

// brokenReader is an API server that can't be read.
type brokenReader struct{ client.Reader }

func (brokenReader) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return errors.New("the API server is away")
}
