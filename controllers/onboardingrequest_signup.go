package controllers

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/conditions"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/signup"
	"github.com/whatsapp-operator/whatsapp-operator/internal/vault"
)

const (
	// linkLife is how long a signup link lives: long enough for a busy customer, short for a mail that wanders.
	linkLife = 7 * 24 * time.Hour
	// linkKeyURL is the key of the link's Secret.
	linkKeyURL = "url"
	// annotationLinkOf marks the Secret of a link with the UID of its request. Nothing else is ever overwritten.
	annotationLinkOf = v1alpha1.GroupName + "/signup-link-of"
	// linkSuffix follows the request's name in that of the Secret; a name that gets too long is shortened.
	linkSuffix     = "-signup-link"
	linkNameDigest = 16
)

// bySignupLink says whether the customer of a request signs up by a link.
func bySignupLink(request *v1alpha1.OnboardingRequest) bool { return request.Spec.CodeSecretRef == nil }

// linkSecretName names the Secret with a request's link.
func linkSecretName(request *v1alpha1.OnboardingRequest) string {
	if name := request.Name + linkSuffix; len(name) <= maxSecretName {
		return name
	}
	sum := sha256.Sum256([]byte(request.Name))
	return request.Name[:maxSecretName-len(linkSuffix)-linkNameDigest-1] + "-" + hex.EncodeToString(sum[:linkNameDigest/2]) + linkSuffix
}

// whereLinkIs says how to read the link of a request.
func whereLinkIs(request *v1alpha1.OnboardingRequest) string {
	return fmt.Sprintf("kubectl -n %s get secret %s -o go-template='{{.data.%s|base64decode}}'", request.Namespace, linkSecretName(request), linkKeyURL)
}

// awaitSignup keeps a signup link ready and tells how the signup stands.
func (r *OnboardingRequestReconciler) awaitSignup(ctx context.Context, j *journey) error {
	if token, _ := j.entry.Current(); !token.IsZero() {
		// There is a token, and it isn't this request's: factsOf would have seen it.
		return r.vaultError(j.key, vault.ErrOccupied)
	}
	if err := r.ensureLink(ctx, j); err != nil {
		return err
	}
	switch {
	case j.codeAtWork(r.clock.Now()):
		return blockedFor(gateRecheck, v1alpha1.ReasonProgressing, "The signup code is being exchanged for the customer's token.")
	case j.entry.Phase == vault.PhaseFailed:
		return recheckIn(codeFailure(j.request, j.entry.Failure), r.untilLinkExpires(j))
	default:
		return waitingFor(r.untilLinkExpires(j), v1alpha1.ReasonWaitingForSignup, "Waiting for the customer to sign up. Send them the link: %s", whereLinkIs(j.request))
	}
}

// codeAtWork says whether a code is being exchanged. One that was reserved long ago belongs to a handover that is gone.
func (j *journey) codeAtWork(now time.Time) bool {
	return atWork(j.entry) && now.Before(j.entry.FirstSeenAt.Add(otherCodeLife))
}

// untilLinkExpires is how long the present link still lives.
func (r *OnboardingRequestReconciler) untilLinkExpires(j *journey) time.Duration {
	return max(j.link.ExpiresAt.Sub(r.clock.Now()), time.Second)
}

// ensureLink makes a signup link unless there is one that can be used. The server is told of it first, so that nobody opens a link which
// the server doesn't know. A crash in between leaves a link that nobody has; the next one takes its place.
func (r *OnboardingRequestReconciler) ensureLink(ctx context.Context, j *journey) error {
	if j.link != nil {
		return nil
	}
	app, err := r.gate.checkOpen(ctx, j.request)
	if err != nil {
		return err
	}
	if app.App.Spec.EmbeddedSignup == nil || app.App.Spec.Webhook.URL == "" {
		return stalled(v1alpha1.ReasonSignupNotConfigured,
			"The request has no spec.codeSecretRef, so it needs a signup link, and the MetaApp %s makes none: set its spec.embeddedSignup.configurationID and spec.webhook.url, or create another request with spec.codeSecretRef.", app.App.Name)
	}
	if !validExtras(app.App.Spec.EmbeddedSignup) {
		return stalled(v1alpha1.ReasonSignupNotConfigured, "spec.embeddedSignup.extras of the MetaApp %s is no valid JSON; correct it, or leave it out.", app.App.Name)
	}
	key, err := readSignupKey(ctx, r.live, r.vault.Namespace, app.App)
	if err != nil {
		return err
	}
	have, err := r.readLinkSecret(ctx, j.request)
	if err != nil {
		return err
	}
	token, link := r.presentLink(j, have, key)
	if token == "" {
		if link, err = signup.NewLink(app.App.Spec.AppID, string(j.request.UID), r.clock.Now().Add(linkLife)); err != nil {
			return err
		}
		if token, err = link.Sign(key); err != nil {
			return err
		}
	}
	j.link = &link
	if err := r.tellSignup(ctx, j); err != nil {
		return err
	}
	if err := r.writeLinkSecret(ctx, j.request, have, signup.URL(app.App.Spec.Webhook.URL, token)); err != nil {
		return err
	}
	expires := metav1.NewTime(link.ExpiresAt)
	j.request.Status.SignupLinkSecretRef, j.request.Status.SignupLinkExpiresAt = &v1alpha1.SecretReference{Name: linkSecretName(j.request)}, &expires
	return nil
}

// readLinkSecret reads the Secret of a request's link; nil if there is none.
func (r *OnboardingRequestReconciler) readLinkSecret(ctx context.Context, request *v1alpha1.OnboardingRequest) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	name := linkSecretName(request)
	err := r.live.Get(ctx, client.ObjectKey{Namespace: request.Namespace, Name: name}, secret)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil //nolint:nilnil // "none" is an answer here, and the caller looks at it first
	case err != nil:
		return nil, fmt.Errorf("read the signup link: %w", err)
	case secret.Annotations[annotationLinkOf] == "":
		return nil, stalled(v1alpha1.ReasonRejected,
			"The signup link belongs into the Secret %s, and a Secret of this name exists that the operator did not make; it is not overwritten. Remove it, or create a request of another name.", name)
	}
	return secret, nil
}

// presentLink is the link in its Secret, with its token; empty if it can't be used any more. The Secret is the tenant's to spoil, so only
// the signature counts.
func (r *OnboardingRequestReconciler) presentLink(j *journey, have *corev1.Secret, key ed25519.PrivateKey) (string, signup.Link) {
	if have == nil {
		return "", signup.Link{}
	}
	token := signup.TokenOf(string(have.Data[linkKeyURL]))
	link, err := signup.Verify(token, publicHalf(key))
	used := j.entry.TokenProven && j.entry.Origin.LinkID == link.ID && j.entry.CodeHash == j.entry.TokenCodeHash
	if err != nil || used || link.RequestUID != string(j.request.UID) || !r.clock.Now().Before(link.ExpiresAt) {
		return "", signup.Link{}
	}
	return token, link
}

// writeLinkSecret brings the link's Secret to the wanted state. It belongs to the request and goes with it.
func (r *OnboardingRequestReconciler) writeLinkSecret(ctx context.Context, request *v1alpha1.OnboardingRequest, have *corev1.Secret, url string) error {
	uid := string(request.UID)
	if have != nil && have.Annotations[annotationLinkOf] == uid && string(have.Data[linkKeyURL]) == url && metav1.IsControlledBy(have, request) {
		return nil
	}
	want := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: request.Namespace, Name: linkSecretName(request), Annotations: map[string]string{annotationLinkOf: uid}},
		Type:       corev1.SecretTypeOpaque, Data: map[string][]byte{linkKeyURL: []byte(url)},
	}
	if err := controllerutil.SetControllerReference(request, want, r.client.Scheme()); err != nil {
		return fmt.Errorf("keep the signup link: %w", err)
	}
	var err error
	if have == nil {
		err = r.client.Create(ctx, want, client.FieldOwner(conditions.FieldManager))
	} else {
		want.ResourceVersion, want.UID = have.ResourceVersion, have.UID
		err = r.client.Update(ctx, want, client.FieldOwner(conditions.FieldManager))
	}
	if err != nil {
		return fmt.Errorf("keep the signup link: %w", err)
	}
	return nil
}

// tellSignup tells the webhook-server, and so whoever holds the link, how the signup stands. Without a link there is nothing to tell.
func (r *OnboardingRequestReconciler) tellSignup(ctx context.Context, j *journey) error {
	if !bySignupLink(j.request) || j.entry == nil {
		return nil
	}
	have, err := r.projector.read(ctx, runtimeconfig.SignupName(string(j.request.UID)))
	if err != nil {
		return err
	}
	told, known := decodeSignup(have)
	if !known {
		told = &runtimeconfig.Signup{RequestUID: string(j.request.UID)}
	}
	if j.link != nil {
		told.LinkID, told.AppID, told.ExpiresAt = j.link.ID, j.link.AppID, j.link.ExpiresAt
	}
	if told.LinkID == "" {
		return nil
	}
	told.State, told.Reason, told.Attempt = j.signupState(r.clock.Now(), told.LinkID)
	object, err := told.Object()
	if err != nil {
		return err
	}
	_, err = r.projector.put(ctx, have, object, runtimeconfig.KindSignup, requestHolder(j.request), nil)
	return err
}

func requestHolder(request *v1alpha1.OnboardingRequest) holder {
	return holder{name: request.Namespace + "/" + request.Name, uid: request.UID}
}

// signupState says how the signup by the link stands, and of which code that is said.
func (j *journey) signupState(now time.Time, linkID string) (state runtimeconfig.SignupState, reason, attempt string) {
	entry := j.entry
	if entry.Origin.LinkID == linkID {
		attempt = entry.CodeHash
	}
	if state, over := j.signedUp(); over {
		return state, "", attempt
	}
	v, stopped := j.failed[j.first]
	onTheWay := j.first == v1alpha1.ConditionTokenExchanged || j.first == v1alpha1.ConditionAssetsVerified
	switch {
	case j.facts.Held:
		return runtimeconfig.SignupPaused, v1alpha1.ReasonSuspended, attempt
	case j.codeAtWork(now), stopped && v.reason == v1alpha1.ReasonProgressing:
		return runtimeconfig.SignupWorking, "", attempt
	case attempt != "" && entry.Phase == vault.PhaseFailed:
		return runtimeconfig.SignupFailed, entry.Failure, attempt
	case !stopped, v.reason == v1alpha1.ReasonWaitingForSignup, !onTheWay:
		return runtimeconfig.SignupOpen, "", ""
	case j.first == v1alpha1.ConditionTokenExchanged:
		return runtimeconfig.SignupPaused, v.reason, attempt
	case v.state == stateRetry:
		return runtimeconfig.SignupWorking, "", attempt
	default:
		return runtimeconfig.SignupFailed, v.reason, attempt
	}
}

// signedUp says how a signup that has proven its account stands, and whether there is one.
func (j *journey) signedUp() (runtimeconfig.SignupState, bool) {
	v, stopped := j.failed[j.first]
	switch {
	case stopped && v.reason == v1alpha1.ReasonWaitingForPhoneNumber:
		return runtimeconfig.SignupDone, true
	case !j.facts.AssetsVerified || j.expiring:
		return "", false
	case stopped && v.reason == v1alpha1.ReasonAwaitingApproval:
		return runtimeconfig.SignupAwaitingApproval, true
	default:
		return runtimeconfig.SignupDone, true
	}
}

// showLink removes a link that is used up from status.
func (j *journey) showLink() {
	if j.link == nil && j.facts.AssetsVerified && !j.expiring {
		j.request.Status.SignupLinkSecretRef, j.request.Status.SignupLinkExpiresAt = nil, nil
	}
}

// forgetSignup makes the link of a request that goes unknown to the server.
func (r *OnboardingRequestReconciler) forgetSignup(ctx context.Context, request *v1alpha1.OnboardingRequest) error {
	if !bySignupLink(request) {
		return nil
	}
	have, err := r.projector.read(ctx, runtimeconfig.SignupName(string(request.UID)))
	if err != nil || have == nil {
		return err
	}
	return deleteOurs(ctx, r.client, have)
}
