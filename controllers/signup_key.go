package controllers

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/conditions"
)

// signupKeyName is the key of the Secret that holds an app's private key, as a seed of 32 bytes.
const signupKeyName = "ed25519-seed"

// signupKeySuffix ends the name of such a Secret.
const signupKeySuffix = "-signup"

// signupKeySecret names the Secret, in the system namespace, that keeps the key which signs an app's signup links.
func signupKeySecret(app *v1alpha1.MetaApp) string {
	return "metaapp-" + app.Spec.AppID + signupKeySuffix
}

// readSignupKey reads the key that signs an app's signup links.
func readSignupKey(ctx context.Context, live client.Reader, namespace string, app *v1alpha1.MetaApp) (ed25519.PrivateKey, error) {
	name := signupKeySecret(app)
	secret, err := readSecret(ctx, live, "the manager", namespace, name)
	if err != nil {
		return nil, err
	}
	seed := secret.Data[signupKeyName]
	if len(seed) != ed25519.SeedSize {
		return nil, stalled(v1alpha1.ReasonRejected,
			"The key %q of the Secret %s/%s, which the manager made, is damaged; delete that Secret: another is made, and the signup links that are out die.", signupKeyName, namespace, name)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// ensureSignupKey reads the app's signup key, or makes it. Whoever loses it kills the links that are out, so it is made once.
func (r *MetaAppReconciler) ensureSignupKey(ctx context.Context, app *v1alpha1.MetaApp) (ed25519.PublicKey, error) {
	key, err := readSignupKey(ctx, r.live, r.options.SystemNamespace, app)
	missing := (*missingSecretError)(nil)
	switch {
	case err == nil:
		return publicHalf(key), nil
	case !errors.As(err, &missing):
		return nil, err
	}
	_, key, err = ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a signup key: %w", err)
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: r.options.SystemNamespace, Name: signupKeySecret(app), Annotations: map[string]string{annotationHolder: app.Name},
		},
		Data: map[string][]byte{signupKeyName: key.Seed()},
	}
	// Create only: of two processes the faster one's key is the key.
	if err := r.client.Create(ctx, secret, client.FieldOwner(conditions.FieldManager)); err != nil {
		return nil, fmt.Errorf("keep the signup key: %w", err)
	}
	return publicHalf(key), nil
}

// isSignupKey lets through keys of signup links that are made, anew or for the first time.
func isSignupKey(namespace string) predicate.Predicate {
	ours := predicate.NewPredicateFuncs(func(obj client.Object) bool {
		return obj.GetNamespace() == namespace && strings.HasSuffix(obj.GetName(), signupKeySuffix) && obj.GetAnnotations()[annotationHolder] != ""
	})
	return predicate.And(ours, predicate.Funcs{
		UpdateFunc: func(event.UpdateEvent) bool { return false }, DeleteFunc: func(event.DeleteEvent) bool { return false },
	})
}

// linksOfKey maps a key to the requests of its app that show a link.
func (r *OnboardingRequestReconciler) linksOfKey(ctx context.Context, key client.Object) []reconcile.Request {
	return requestsOf(ctx, r.client, key.GetAnnotations()[annotationHolder], func(request *v1alpha1.OnboardingRequest) bool {
		return request.Status.SignupLinkSecretRef != nil
	})
}

func publicHalf(key ed25519.PrivateKey) ed25519.PublicKey {
	public, _ := key.Public().(ed25519.PublicKey) // the type is the package's promise
	return public
}
