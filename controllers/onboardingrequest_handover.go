package controllers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
)

// Keys of the copy of the credentials that a customer's own programs read.
const (
	copyKeyToken    = "access-token"
	copyKeyWABA     = "waba-id"
	copyKeyPhone    = "phone-number-id"
	copyKeyBusiness = "business-id"
)

// annotationCopyOf marks a copy of credentials with the request that it was made for. Nothing else is ever overwritten.
const annotationCopyOf = v1alpha1.GroupName + "/credentials-of"

// copyCredentials keeps the copy of token and ids in the request's namespace. It has no owner: deleting the request with
// Retain must not stop the programs that use it.
func (r *OnboardingRequestReconciler) copyCredentials(ctx context.Context, j *journey) error {
	token, _ := j.entry.Current()
	want := map[string][]byte{
		copyKeyToken: []byte(token.Reveal()), copyKeyWABA: []byte(j.request.Status.WABAID),
		copyKeyPhone: []byte(j.request.Status.PhoneNumberID), copyKeyBusiness: []byte(j.request.Status.OwnerBusinessID),
	}
	name := j.request.Spec.CredentialsSecretName
	have := &corev1.Secret{}
	err := r.live.Get(ctx, client.ObjectKey{Namespace: j.request.Namespace, Name: name}, have)
	switch {
	case apierrors.IsNotFound(err):
		err = r.client.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: j.request.Namespace, Name: name, Annotations: map[string]string{annotationCopyOf: j.request.Name}},
			Type:       corev1.SecretTypeOpaque, Data: want,
		})
	case err == nil && have.Annotations[annotationCopyOf] != j.request.Name:
		return stalled(v1alpha1.ReasonRejected,
			"spec.credentialsSecretName is %s, and a Secret of this name exists that this request did not make; it is not overwritten. Choose another name or remove that Secret.", name)
	case err == nil && !maps.EqualFunc(have.Data, want, slices.Equal[[]byte]):
		have.Data = want
		err = r.client.Update(ctx, have)
	}
	if err != nil {
		return fmt.Errorf("keep the copy of the credentials: %w", err)
	}
	j.facts.Copied = true
	return nil
}

// Looking for the fate of a test message: soon at first, then with patience, since it waits for a person.
const (
	testFirstLook   = 2 * time.Second
	testLongestLook = 5 * time.Minute
)

// sendTestMessage hands the test message to the webhook-server, or asks for its fate: one key, one message, so asking again
// sends nothing twice. It gates nothing.
func (r *OnboardingRequestReconciler) sendTestMessage(ctx context.Context, j *journey) error {
	wish := j.request.Spec.TestMessage
	old := apimeta.FindStatusCondition(j.request.Status.Conditions, v1alpha1.ConditionTestMessageSent)
	if old != nil && old.Status == metav1.ConditionTrue && old.ObservedGeneration == j.request.Generation {
		j.facts.Tested = true
		return nil
	}
	pause := testFirstLook
	if old != nil && old.Status != metav1.ConditionTrue {
		pause = min(max(r.clock.Now().Sub(old.LastTransitionTime.Time)/4, testFirstLook), testLongestLook)
	}
	server, err := r.tests(ctx)
	if err != nil {
		return blockedFor(pause, v1alpha1.ReasonServerUnreachable, "The webhook-server, which sends the test message, can't be reached; trying again.")
	}
	outcome, err := server.SendTestMessage(ctx, serverapi.TestMessage{
		Key: testKey(j.request), PhoneNumberID: j.request.Status.PhoneNumberID, LineID: lineID(j.key.NamespaceUID, j.request.Status.PhoneNumberID),
		To: strings.TrimPrefix(wish.To, "+"), Body: wish.Body,
	})
	switch {
	case errors.Is(err, serverapi.ErrUnknownLine):
		return waitingFor(pause, v1alpha1.ReasonWaitingForTester,
			"The test message waits for a WhatsAppChannel of the number %s in this namespace, which then receives the tester's message.", j.request.Status.DisplayPhoneNumber)
	case errors.Is(err, serverapi.ErrInvalid):
		return stalled(v1alpha1.ReasonTestMessageFailed, "The webhook-server refused spec.testMessage as invalid; correct it.")
	case err != nil:
		return blockedFor(pause, v1alpha1.ReasonServerUnreachable, "The webhook-server, which sends the test message, can't be asked; trying again.")
	}
	return testOutcome(j, outcome, pause)
}

// testOutcome says what a test message's state means for the request.
func testOutcome(j *journey, outcome serverapi.TestOutcome, pause time.Duration) error {
	switch outcome.State {
	case serverapi.TestDelivered:
		j.facts.Tested = true
		return nil
	case serverapi.TestFailed:
		return stalled(v1alpha1.ReasonTestMessageFailed, "The test message was not delivered (code %d %s); change spec.testMessage to send another.", outcome.Code, outcome.Reason)
	case serverapi.TestQueued, serverapi.TestSent:
		return blockedFor(min(pause, 4*testFirstLook), v1alpha1.ReasonProgressing, "The test message is on its way.")
	default:
		return waitingFor(pause, v1alpha1.ReasonWaitingForTester,
			"Waiting for the tester to write to %s from the number in spec.testMessage.to; only then does WhatsApp allow an answer.", j.request.Status.DisplayPhoneNumber)
	}
}

// testKey names the wish for one test message: another number or text is another wish.
func testKey(request *v1alpha1.OnboardingRequest) string {
	sum := sha256.Sum256([]byte(request.Spec.TestMessage.To + "\x00" + request.Spec.TestMessage.Body))
	return string(request.UID) + ":" + hex.EncodeToString(sum[:8])
}
