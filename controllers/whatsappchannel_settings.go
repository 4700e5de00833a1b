package controllers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/conditions"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

const (
	// Defaults of the API server, for objects that were stored before a field had one.
	defaultRetention   = 90 * 24 * time.Hour
	defaultMaxReplyAge = time.Hour
	// defaultModelTimeout is one call's.
	defaultModelTimeout = 30 * time.Second
	defaultRefresh      = time.Hour

	// Meta's throughput of a number in messages per second, see
	// developers.facebook.com/docs/whatsapp/cloud-api/overview#throughput.
	throughputStandard    = 80
	throughputHigh        = 1000
	throughputCoexistence = 20

	// maxSecretName is the longest name of a Secret.
	maxSecretName = 253
)

// readSettings turns the spec into what the webhook-server gets, reading the ConfigMaps and Secrets that it names, and finds the number's
// projection. It makes no call to Meta.
func (r *WhatsAppChannelReconciler) readSettings(ctx context.Context, s *channelScope) error {
	spec, n := &s.channel.Spec, &s.number
	s.settings = runtimeconfig.Channel{
		Namespace: s.channel.Namespace, Name: s.channel.Name, LineID: lineID(s.namespaceUID, n.phoneNumberID),
		PhoneNumberID: n.phoneNumberID, WABAID: n.wabaID, Direct: n.app == nil, Graph: n.graph,
		MessagingAccountID: spec.MessagingAccountID, PlanActive: ptr.Deref(spec.Plan.Active, true), TimeZone: spec.TimeZone,
		Retention: duration(spec.Retention, defaultRetention), DiscardBodies: !ptr.Deref(spec.StoreBodies, true), Assistant: assistantOf(&spec.Assistant),
		AccessToken: n.token, AppSecret: n.ownAppSecret, PreviousAppSecret: n.previousAppSecret,
	}
	if h := spec.Handoff; h != nil {
		s.settings.Handoff = runtimeconfig.Handoff{Message: h.Message, Keywords: h.Keywords, ResumeAfter: duration(h.ResumeAfter, 0)}
	}
	if l := spec.Limits; l != nil {
		s.settings.Limits = runtimeconfig.Limits{
			ConversationsPerMonth: l.ConversationsPerMonth, MessagesPerMonth: l.MessagesPerMonth, TokensPerDay: l.TokensPerDay,
			MessagesPerDay: l.MessagesPerDay, CustomerMessagesPerHour: l.CustomerMessagesPerHour, Message: l.Message,
		}
	}
	if _, err := time.LoadLocation(spec.TimeZone); err != nil {
		return stalled(v1alpha1.ReasonRejected, "spec.timeZone is %q, which is no IANA time zone; use one such as Europe/Berlin, or leave it out for UTC.", spec.TimeZone)
	}
	if err := r.readContent(ctx, s); err != nil {
		return err
	}
	if err := r.readTools(ctx, s); err != nil {
		return err
	}
	if err := r.readOrders(ctx, s); err != nil {
		return err
	}
	if err := r.readModels(ctx, s); err != nil {
		return err
	}
	var err error
	s.projection, err = r.projector.read(ctx, runtimeconfig.ChannelName(n.phoneNumberID))
	return err
}

func assistantOf(spec *v1alpha1.AssistantSpec) runtimeconfig.Assistant {
	a := runtimeconfig.Assistant{
		Enabled: ptr.Deref(spec.Enabled, true), Instructions: spec.Instructions, Languages: spec.Languages,
		MaxReplyAge: duration(spec.MaxReplyAge, defaultMaxReplyAge),
	}
	if c := spec.Catalog; c != nil && c.URL != "" {
		a.Sources = append(a.Sources, runtimeconfig.Source{
			Field: fieldCatalogURL, URL: c.URL, Format: string(c.Format), Refresh: duration(c.RefreshInterval, defaultRefresh),
		})
	}
	for i := range spec.Knowledge {
		if url := spec.Knowledge[i].URL; url != "" {
			a.Sources = append(a.Sources, runtimeconfig.Source{Field: fieldKnowledgeURL(i), URL: url, Refresh: runtimeconfig.Duration(defaultRefresh)})
		}
	}
	return a
}

func duration(d *metav1.Duration, otherwise time.Duration) runtimeconfig.Duration {
	if d == nil {
		return runtimeconfig.Duration(otherwise)
	}
	return runtimeconfig.Duration(d.Duration)
}

// readContent reads catalog and knowledge.
func (r *WhatsAppChannelReconciler) readContent(ctx context.Context, s *channelScope) error {
	content := runtimeconfig.Content{}
	if c := s.channel.Spec.Assistant.Catalog; c != nil && c.ConfigMapKeyRef != nil {
		catalog, err := r.readConfigMap(ctx, s, "spec.assistant.catalog.configMapKeyRef", c.ConfigMapKeyRef)
		if err != nil {
			return err
		}
		content.Catalog, content.CatalogFormat = []byte(catalog), string(c.Format)
	}
	for i, k := range s.channel.Spec.Assistant.Knowledge {
		if k.ConfigMapKeyRef == nil {
			continue
		}
		text, err := r.readConfigMap(ctx, s, fmt.Sprintf("spec.assistant.knowledge[%d].configMapKeyRef", i), k.ConfigMapKeyRef)
		if err != nil {
			return err
		}
		content.Knowledge = append(content.Knowledge, runtimeconfig.Document{Name: k.ConfigMapKeyRef.Key, Text: text})
	}
	if content.Catalog == nil && content.Knowledge == nil {
		return nil
	}
	object, err := content.Object(s.number.phoneNumberID)
	if errors.Is(err, runtimeconfig.ErrContentTooLarge) {
		return stalled(v1alpha1.ReasonContentInvalid, "spec.assistant.catalog and spec.assistant.knowledge together exceed %d KiB gzipped; shorten them.", runtimeconfig.MaxContentBytes>>10)
	}
	if err != nil {
		return err
	}
	s.content, s.settings.Assistant.Content = &object, object.Name
	return nil
}

func (r *WhatsAppChannelReconciler) readConfigMap(ctx context.Context, s *channelScope, field string, ref *v1alpha1.ConfigMapKeyReference) (string, error) {
	cm := &corev1.ConfigMap{}
	err := r.live.Get(ctx, client.ObjectKey{Namespace: s.channel.Namespace, Name: ref.Name}, cm)
	if apierrors.IsNotFound(err) {
		return "", stalled(v1alpha1.ReasonContentInvalid, "%s names the ConfigMap %s/%s, which does not exist; create it.", field, s.channel.Namespace, ref.Name)
	}
	if err != nil {
		return "", fmt.Errorf("read ConfigMap: %w", err)
	}
	text, ok := cm.Data[ref.Key]
	if !ok || text == "" {
		return "", stalled(v1alpha1.ReasonContentInvalid, "%s names the key %s of the ConfigMap %s/%s, which has no such key or an empty one; add it.", field, ref.Key, s.channel.Namespace, ref.Name)
	}
	return text, nil
}

// serve claims the number and gives the webhook-server what it needs for it. Access to the number is proven by now.
func (r *WhatsAppChannelReconciler) serve(ctx context.Context, s *channelScope) error {
	h := channelHolder(s.channel)
	if err := claim(s.projection, h, s.now.Time); err != nil {
		return err
	}
	if err := r.ensureVerifyToken(ctx, s); err != nil {
		return err
	}
	if s.content != nil {
		if err := r.projector.putContent(ctx, *s.content, h); err != nil {
			return err
		}
	}
	s.settings.AppID = s.number.appID
	s.settings.DisplayNumber, s.settings.VerifiedName = s.phone.DisplayPhoneNumber, s.phone.VerifiedName
	s.settings.MessagesPerSecond = throughputStandard
	switch {
	case s.phone.OnBizApp:
		s.settings.MessagesPerSecond = throughputCoexistence
	case s.phone.Throughput.Level == "HIGH":
		s.settings.MessagesPerSecond = throughputHigh
	}
	object, err := s.settings.Object()
	if err != nil {
		return err
	}
	more := map[string]string{}
	if took := tookOver(s.projection); took != "" && s.projection.Annotations[annotationHolder] == h.name {
		more[annotationTookOver] = took
	}
	if s.content != nil {
		more[annotationContent] = s.content.Name
	}
	s.projection, err = r.projector.put(ctx, s.projection, object, runtimeconfig.KindChannel, h, more)
	return err
}

// ensureVerifyToken finds the token that the business enters in its app: its own, or one that is made once.
func (r *WhatsAppChannelReconciler) ensureVerifyToken(ctx context.Context, s *channelScope) error {
	n := &s.number
	if !n.ownVerifyToken() {
		return nil
	}
	if n.givenVerifyToken() {
		s.settings.VerifyToken = n.verifyToken
		s.channel.Status.VerifyTokenSecretRef = &v1alpha1.SecretKeyReference{
			Name: s.channel.Spec.Source.Direct.CredentialsSecretRef.Name, Key: v1alpha1.SecretKeyVerifyToken,
		}
		return nil
	}
	name := verifyTokenName(s.channel.Name)
	s.channel.Status.VerifyTokenSecretRef = &v1alpha1.SecretKeyReference{Name: name, Key: v1alpha1.SecretKeyVerifyToken}
	secret := &corev1.Secret{}
	err := r.live.Get(ctx, client.ObjectKey{Namespace: s.channel.Namespace, Name: name}, secret)
	switch {
	case apierrors.IsNotFound(err):
		s.settings.VerifyToken, err = r.makeVerifyToken(ctx, s.channel, name)
		return err
	case err != nil:
		return fmt.Errorf("read the verify token: %w", err)
	case metav1.IsControlledBy(secret, s.channel):
		s.settings.VerifyToken, err = secretValue(secret, "status.verifyTokenSecretRef", v1alpha1.SecretKeyVerifyToken)
		return err
	case ofPredecessor(secret, s.channel):
		return retry(nil, v1alpha1.ReasonProgressing, "The Secret %s of an earlier channel of this name is about to go; looking again.", name)
	default:
		return stalled(v1alpha1.ReasonRejected, "The Secret %s, which is to hold the verify token, exists and is not ours; delete it, or give a verify token of your own as the key %q of the Secret that %s names.",
			name, v1alpha1.SecretKeyVerifyToken, fieldCredentials)
	}
}

// ofPredecessor says whether a Secret belongs to an earlier channel of the same name; garbage collection removes it.
func ofPredecessor(secret *corev1.Secret, channel *v1alpha1.WhatsAppChannel) bool {
	owner := metav1.GetControllerOf(secret)
	return owner != nil && owner.Kind == "WhatsAppChannel" && owner.Name == channel.Name && owner.UID != channel.UID
}

// makeVerifyToken keeps a new token in the channel's namespace, where the business reads it. The Secret goes with the channel; it has none
// of the channel's labels, by which GitOps tools would take it for theirs and prune it.
func (r *WhatsAppChannelReconciler) makeVerifyToken(ctx context.Context, channel *v1alpha1.WhatsAppChannel, name string) (redact.Secret, error) {
	token, err := newVerifyToken()
	if err != nil {
		return redact.Secret{}, err
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: channel.Namespace, Name: name,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(channel, v1alpha1.GroupVersion.WithKind("WhatsAppChannel"))},
		},
		Data: map[string][]byte{v1alpha1.SecretKeyVerifyToken: []byte(token)},
	}
	// The owner must not be held up by a Secret; that also needs no right to set finalizers.
	secret.OwnerReferences[0].BlockOwnerDeletion = nil
	if err := r.client.Create(ctx, secret, client.FieldOwner(conditions.FieldManager)); err != nil {
		return redact.Secret{}, fmt.Errorf("keep the verify token: %w", err)
	}
	return redact.New(token), nil
}

// verifyTokenName is the Secret of a channel's verify token.
func verifyTokenName(channel string) string {
	const suffix = "-verify-token"
	if len(channel)+len(suffix) <= maxSecretName {
		return channel + suffix
	}
	sum := sha256.Sum256([]byte(channel))
	return channel[:maxSecretName-len(suffix)-17] + "-" + hex.EncodeToString(sum[:8]) + suffix
}
