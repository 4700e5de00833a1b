package controllers

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/vault"
)

// Looking for a code. Secrets of tenants can't be watched, and a code lives 30 seconds, so a request that wants one is looked
// after often at first.
const (
	// codePatience is how long a code is looked for every secretInterval.
	codePatience = 2 * time.Minute
	// codeInterval is used after that for codeLongPatience: a code found within it is still young enough.
	codeInterval     = 10 * time.Second
	codeLongPatience = time.Hour
	// codeIdleInterval is for requests that nobody seems to care about; the requested-at annotation wakes them at once.
	codeIdleInterval = 5 * time.Minute
)

var pinPattern = regexp.MustCompile(`^[0-9]{6}$`)

// wantsCode says whether a request may have an unspent code: it names one, and either has no token yet, stalled before its token proved
// anything, so that the customer has to sign up again, or has a token that dies soon.
func wantsCode(request *v1alpha1.OnboardingRequest) bool {
	if request.Spec.CodeSecretRef == nil || !request.DeletionTimestamp.IsZero() || isSuspended(request) {
		return false
	}
	if !apimeta.IsStatusConditionTrue(request.Status.Conditions, v1alpha1.ConditionTokenExchanged) || renewing(request) {
		return true
	}
	return apimeta.IsStatusConditionTrue(request.Status.Conditions, v1alpha1.ConditionStalled) &&
		!apimeta.IsStatusConditionTrue(request.Status.Conditions, v1alpha1.ConditionAssetsVerified)
}

// nextCodeLook says how soon to look for a code again. It depends on the object alone, so that it is the same on every
// replica and after a restart.
func nextCodeLook(request *v1alpha1.OnboardingRequest, now time.Time) time.Duration {
	since := request.CreationTimestamp.Time
	for _, conditionType := range []string{v1alpha1.ConditionTokenExchanged, v1alpha1.ConditionStalled} {
		if c := apimeta.FindStatusCondition(request.Status.Conditions, conditionType); c != nil && c.LastTransitionTime.After(since) {
			since = c.LastTransitionTime.Time
		}
	}
	if asked := requestedTime(request); asked.After(since) && !asked.After(now) {
		since = asked
	}
	switch waited := now.Sub(since); {
	case waited < codePatience:
		return secretInterval
	case waited < codeLongPatience:
		return jitter(codeInterval)
	default:
		return jitter(codeIdleInterval)
	}
}

// readyCode is a code that may be spent, with what spending it takes.
type readyCode struct {
	// request is whose code it is, perhaps from a cache.
	request *v1alpha1.OnboardingRequest
	app     *graphApp
	code    redact.Secret
	hash    string
	key     vault.Key
	// entry is what was just read of the vault; nil means that it must be read.
	entry *vault.Entry
	// sending is called when the code is about to be sent; may be nil.
	sending func()
	// kept means that the exchange came to its end and the token is stored.
	kept bool
	// origin says by which signup link the code came; zero if it came by none.
	origin vault.Origin
}

// exchangeGate checks everything that can be checked before a code is spent, with reads of the Kubernetes API alone.
// The exchange controller acts on its result, the OnboardingRequest controller reports it.
type exchangeGate struct {
	apps *graphApps
	// live reads Secrets and Namespaces.
	live client.Reader

	mu sync.Mutex
	// keys are the vault keys of requests by their UIDs. A request never changes its namespace.
	keys map[types.UID]vault.Key
}

// maxKeysKnown bounds what is remembered of requests; beyond it the memory starts anew, which costs a read for each.
const maxKeysKnown = 20_000

// checkOpen returns the app through which a code may be spent, or an error of the kinds in errors.go that says what is missing.
func (g *exchangeGate) checkOpen(ctx context.Context, request *v1alpha1.OnboardingRequest) (*graphApp, error) {
	app, err := g.apps.ForUse(ctx, fieldMetaApp, request.Spec.MetaAppRef.Name, request.Namespace)
	if err != nil {
		return nil, err
	}
	if err := checkCurrency(app.App, request.Spec.Currency); err != nil {
		return nil, err
	}
	if request.Spec.PINSecretRef != nil {
		if _, err := readPIN(ctx, g.live, request); err != nil {
			return nil, err
		}
	}
	return app, nil
}

// check returns the code that lies in the request's Secret, or an error that says what is missing.
func (g *exchangeGate) check(ctx context.Context, request *v1alpha1.OnboardingRequest) (*readyCode, error) {
	app, err := g.checkOpen(ctx, request)
	if err != nil {
		return nil, err
	}
	code, err := readCode(ctx, g.live, request)
	if err != nil {
		return nil, err
	}
	key, err := g.key(ctx, request)
	if err != nil {
		return nil, err
	}
	return &readyCode{request: request, app: app, code: code, hash: vault.CodeHash(code), key: key}, nil
}

// key names the vault entry of a request. The namespace's UID keeps a later tenant from inheriting it, so it is read live: a cache
// may still show the earlier namespace.
func (g *exchangeGate) key(ctx context.Context, request *v1alpha1.OnboardingRequest) (vault.Key, error) {
	g.mu.Lock()
	known, ok := g.keys[request.UID]
	g.mu.Unlock()
	if ok {
		return known, nil
	}
	ns, err := readNamespace(ctx, g.live, request.Namespace)
	if err != nil {
		return vault.Key{}, err
	}
	key := vault.Key{Namespace: request.Namespace, Name: request.Name, NamespaceUID: ns.UID}
	if !ns.DeletionTimestamp.IsZero() {
		return key, nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.keys == nil || len(g.keys) >= maxKeysKnown {
		g.keys = map[types.UID]vault.Key{}
	}
	g.keys[request.UID] = key
	return key, nil
}

// checkCurrency refuses a currency that the credit line could not be attached in, which can't be changed afterwards.
func checkCurrency(app *v1alpha1.MetaApp, currency string) error {
	partner := app.Spec.SolutionPartner
	switch {
	case partner == nil:
		return nil
	case currency == "":
		return stalled(v1alpha1.ReasonCurrencyRequired,
			"spec.currency is required, since the MetaApp %s shares its credit line; set it to one of %s.", app.Name, strings.Join(partner.Currencies, ", "))
	case !slices.Contains(partner.Currencies, currency):
		return stalled(v1alpha1.ReasonCurrencyNotAllowed,
			"spec.currency is %s, and the MetaApp %s allows %s; set spec.currency to one of these.", currency, app.Name, strings.Join(partner.Currencies, ", "))
	}
	return nil
}

// readPIN reads the PIN that the request brings.
func readPIN(ctx context.Context, live client.Reader, request *v1alpha1.OnboardingRequest) (redact.Secret, error) {
	ref := request.Spec.PINSecretRef
	secret, err := readSecret(ctx, live, "spec.pinSecretRef", request.Namespace, ref.Name)
	if err != nil {
		return redact.Secret{}, err
	}
	name := keyOr(ref, v1alpha1.SecretKeyPIN)
	pin := trimmed(secret.Data[name])
	switch {
	case pin == "":
		return redact.Secret{}, &missingSecretError{field: "spec.pinSecretRef", namespace: request.Namespace, name: ref.Name, key: name}
	case !pinPattern.MatchString(pin):
		return redact.Secret{}, stalled(v1alpha1.ReasonPINMalformed,
			"The key %q of the Secret %s, which spec.pinSecretRef names, must hold exactly six digits; correct it and set the annotation %s to the present time.",
			name, ref.Name, v1alpha1.RequestedAtAnnotation)
	}
	return redact.New(pin), nil
}

// readCode reads the signup code. Until it is there the request waits for it, which is nobody's failure.
func readCode(ctx context.Context, live client.Reader, request *v1alpha1.OnboardingRequest) (redact.Secret, error) {
	ref := request.Spec.CodeSecretRef
	name := keyOr(ref, v1alpha1.SecretKeyCode)
	var secret corev1.Secret
	err := live.Get(ctx, client.ObjectKey{Namespace: request.Namespace, Name: ref.Name}, &secret)
	if err != nil && !apierrors.IsNotFound(err) {
		return redact.Secret{}, fmt.Errorf("read the signup code: %w", err)
	}
	code := trimmed(secret.Data[name])
	switch {
	case apierrors.IsNotFound(err):
		return redact.Secret{}, waiting(v1alpha1.ReasonWaitingForCode,
			"Waiting for the Secret %s with the signup code under the key %q, which spec.codeSecretRef names; create it within 30 seconds of the signup.", ref.Name, name)
	case code == "":
		return redact.Secret{}, waiting(v1alpha1.ReasonWaitingForCode,
			"The Secret %s, which spec.codeSecretRef names, has no key %q or an empty one; put the signup code there within 30 seconds of the signup.", ref.Name, name)
	case len(code) > maxSecretValue:
		return redact.Secret{}, stalled(v1alpha1.ReasonCodeInvalid,
			"The key %q of the Secret %s, which spec.codeSecretRef names, holds %d bytes, which is no signup code; nothing was sent to Meta. Let the customer sign up again and store the code alone.", name, ref.Name, len(code))
	case redact.LooksMasked(code):
		return redact.Secret{}, stalled(v1alpha1.ReasonTokenMasked,
			"The signup code under the key %q of the Secret %s appears to be masked, as web pages show secrets; let the customer sign up again and store the full code.", name, ref.Name)
	}
	return redact.New(code), nil
}

// keyOr is the key of a reference, or the field's default.
func keyOr(ref *v1alpha1.SecretKeyReference, otherwise string) string {
	if ref.Key != "" {
		return ref.Key
	}
	return otherwise
}

func isSuspended(request *v1alpha1.OnboardingRequest) bool {
	return request.Spec.Suspend != nil && *request.Spec.Suspend
}
