package vault

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/signup"
)

// Phase is where the exchange of the current code stands.
type Phase string

const (
	// PhaseReserved means that the place is ours and that the code is not being sent.
	PhaseReserved Phase = "Reserved"
	// PhaseSending means that a process is sending the code, or died while it did.
	PhaseSending Phase = "Sending"
	// PhaseKept means that the token of the current code is stored.
	PhaseKept Phase = "Kept"
	// PhaseFailed means that the current code will not be sent again. Failure says why.
	PhaseFailed Phase = "Failed"
)

// Label marks entries, so that the manager can watch them in its own namespace. Its value is "onboarding".
const (
	Label      = "whatsapp-operator.dev/vault"
	LabelValue = "onboarding"
)

const (
	prefix = "whatsapp-operator.dev/"

	annotationRequest       = prefix + "request"
	annotationNamespaceUID  = prefix + "namespace-uid"
	annotationPhase         = prefix + "phase"
	annotationCodeHash      = prefix + "code-hash"
	annotationAttempt       = prefix + "attempt"
	annotationStartedAt     = prefix + "started-at"
	annotationFirstSeenAt   = prefix + "first-seen-at"
	annotationLastOutcome   = prefix + "last-outcome"
	annotationUncertain     = prefix + "uncertain"
	annotationNotBefore     = prefix + "not-before"
	annotationFailure       = prefix + "failure"
	annotationRescueRefused = prefix + "rescue-refused"
	annotationSpent         = prefix + "spent-codes"
	annotationTokenCode     = prefix + "token-code-hash"
	annotationNextCode      = prefix + "next-token-code-hash"
	annotationTokenProven   = prefix + "token-proven"
	annotationWABA          = prefix + "waba-id"
	annotationPhone         = prefix + "phone-number-id"
	annotationOwner         = prefix + "owner-business-id"
	annotationCoexistent    = prefix + "coexistent"
	annotationSyncs         = prefix + "business-app-syncs"
	annotationRegistrations = prefix + "register-attempts"
	annotationMismatches    = prefix + "pin-mismatches"
	annotationLockedUntil   = prefix + "registration-locked-until"
	annotationRefusedPIN    = prefix + "refused-pin-hash"
	annotationLink          = prefix + "signup-link-id"
	annotationClaimedWABA   = prefix + "claimed-waba-id"
	annotationClaimedPhone  = prefix + "claimed-phone-number-id"
	annotationCoexistence   = prefix + "claimed-coexistence"
	annotationRenewalTried  = prefix + "renewal-tried-at"

	keyToken     = "access-token"
	keyNextToken = "next-access-token"
	keyPIN       = "pin"
)

// maxSpent bounds the memory of earlier codes. Meta refuses a code after 30 seconds anyway; the list keeps a Secret that
// flaps between old values from causing sends.
const maxSpent = 64

// Key names an entry by the OnboardingRequest that it belongs to.
type Key struct {
	Namespace, Name string
	// NamespaceUID tells the tenant from a later one whose namespace has the same name. Empty means unknown.
	NamespaceUID types.UID
}

// KeyOf reads which request a Secret with Label belongs to.
func KeyOf(annotations map[string]string) (types.NamespacedName, bool) {
	namespace, name, ok := strings.Cut(annotations[annotationRequest], "/")
	return types.NamespacedName{Namespace: namespace, Name: name}, ok
}

// Settled says of an entry's annotations whether there is anything to tell: a token, a failure, or how a send ended. A code that is merely
// reserved or being sent is on its way to that.
func Settled(annotations map[string]string) bool {
	switch Phase(annotations[annotationPhase]) {
	case PhaseReserved, PhaseSending:
		return annotations[annotationLastOutcome] != ""
	default:
		return true
	}
}

// ByLink says of an entry's annotations whether its code came by a signup link.
func ByLink(annotations map[string]string) bool { return annotations[annotationLink] != "" }

// SecretName returns the name of the entry's Secret.
func (k Key) SecretName() string {
	return "onboarding-" + digest("vault entry", k.Namespace, k.Name)
}

func (k Key) request() string { return k.Namespace + "/" + k.Name }

// CodeHash identifies a code without telling it. The signup page knows a code by the same hash.
func CodeHash(code redact.Secret) string { return signup.CodeHash(code) }

// PINHash identifies a refused PIN of one number. A PIN has little entropy, so the hash never leaves the entry.
func PINHash(phoneNumberID string, pin redact.Secret) string {
	return digest("refused pin", phoneNumberID, pin.Reveal())
}

// digest hashes parts under a purpose. Lengths keep ("a", "bc") and ("ab", "c") apart.
func digest(purpose string, parts ...string) string {
	h := sha256.New()
	for _, part := range append([]string{"whatsapp-operator", purpose}, parts...) {
		h.Write([]byte(strconv.Itoa(len(part)) + ":" + part))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Spent is a code that an entry no longer works on.
type Spent struct {
	CodeHash string
	Attempts int
}

// Origin is how a code came. The zero Origin is that of a code which a person or a program put into a Secret.
type Origin struct {
	// LinkID is the id of the signup link that it came by.
	LinkID string
	// WABAID and PhoneNumberID are what the browser claimed, and Coexistence that the number keeps its WhatsApp Business app. They help
	// to choose among what the token proves, and prove nothing.
	WABAID, PhoneNumberID string
	Coexistence           bool
}

// Entry is what the vault holds for one request. The zero Entry is that of a request without one.
type Entry struct {
	// NamespaceUID is the UID of the request's namespace when the entry was made.
	NamespaceUID types.UID
	// Phase, CodeHash and Attempt describe the current code. Attempt counts sends that may have reached Meta.
	Phase    Phase
	CodeHash string
	Attempt  int
	// Origin is how the current code came.
	Origin Origin
	// StartedAt is when the last send began, FirstSeenAt when the code was reserved.
	StartedAt, FirstSeenAt time.Time
	// LastOutcome is what became of the last send, in the caller's words; empty while it is not known.
	LastOutcome string
	// Uncertain means that nobody knows what became of some send of this code: its token may exist at Meta.
	Uncertain bool
	// NotBefore holds the next send back.
	NotBefore time.Time
	// Failure is the reason of PhaseFailed, from the API's vocabulary.
	Failure string
	// RescueRefused means that Meta won't give out the token of a lost code.
	RescueRefused bool
	// Spent are earlier codes, oldest first.
	Spent []Spent

	// Token is the serving token, TokenCodeHash the code that it came from, TokenProven whether it proved its account.
	Token         redact.Secret
	TokenCodeHash string
	TokenProven   bool
	// Next is a token of a later code that has not proven the same account yet; the serving one stays until it has.
	Next         redact.Secret
	NextCodeHash string

	// RenewalTriedAt is when Meta was last asked for a token in place of one that dies; zero if never.
	RenewalTriedAt time.Time

	// WABAID, PhoneNumberID and OwnerBusinessID are what a token of this request has proven.
	WABAID, PhoneNumberID, OwnerBusinessID string
	// Coexistent means that the number was found to be used in the WhatsApp Business app too. Syncs are what of that app's data was asked for.
	Coexistent bool
	Syncs      []Sync

	// PIN is the PIN of the last register call. RegisterAttempts are the times of register calls, PINMismatches how many were
	// refused because of the PIN with RefusedPINHash.
	PIN              redact.Secret
	RegisterAttempts []time.Time
	PINMismatches    int
	RefusedPINHash   string
	// LockedUntil is when Meta takes register calls for the number again; zero if it never refused them.
	LockedUntil time.Time

	secret *corev1.Secret
}

// Exists reports whether there is an entry.
func (e *Entry) Exists() bool { return e.secret != nil }

// Fresh reports whether nothing has come of the entry yet: it has a code that was never sent, and no other before it.
func (e *Entry) Fresh() bool {
	return e.Exists() && e.Phase == PhaseReserved && e.Attempt == 0 && e.LastOutcome == "" && len(e.Spent) == 0 && e.Token.IsZero() && e.Next.IsZero()
}

// Current returns the token to work with next: the newest one, and whether it still has to be proven.
func (e *Entry) Current() (token redact.Secret, proven bool) {
	if !e.Next.IsZero() {
		return e.Next, false
	}
	return e.Token, e.TokenProven
}

// Claims is what the browser said of the newest token; zero if that didn't come by a signup link.
func (e *Entry) Claims() Origin {
	from := e.TokenCodeHash
	if !e.Next.IsZero() {
		from = e.NextCodeHash
	}
	if from != e.CodeHash {
		return Origin{}
	}
	return e.Origin
}

// HasTokenOf reports whether the token of a code is stored.
func (e *Entry) HasTokenOf(codeHash string) bool {
	return codeHash != "" && ((!e.Token.IsZero() && e.TokenCodeHash == codeHash) || (!e.Next.IsZero() && e.NextCodeHash == codeHash))
}

// SpentBefore returns how often an earlier code was sent, and whether it is one.
func (e *Entry) SpentBefore(codeHash string) (attempts int, found bool) {
	for _, s := range e.Spent {
		if s.CodeHash == codeHash {
			return s.Attempts, true
		}
	}
	return 0, false
}

// BelongsTo reports whether the entry may serve a request that can't show the code: only in the namespace it was made for.
func (e *Entry) BelongsTo(namespaceUID types.UID) bool {
	return e.Exists() && namespaceUID != "" && e.NamespaceUID == namespaceUID
}

// errForeign is why a Secret is no entry of ours.
var errForeign = errors.New("the Secret was not made by this operator for this request")

// decode reads an entry. It refuses a Secret that doesn't carry our receipt, rather than guess.
func decode(key Key, secret *corev1.Secret) (*Entry, error) {
	a := secret.Annotations
	if secret.Labels[Label] != LabelValue || a[annotationRequest] != key.request() {
		return nil, errForeign
	}
	e := &Entry{
		NamespaceUID: types.UID(a[annotationNamespaceUID]),
		Phase:        Phase(a[annotationPhase]), CodeHash: a[annotationCodeHash],
		LastOutcome: a[annotationLastOutcome], Failure: a[annotationFailure], RescueRefused: a[annotationRescueRefused] == "true",
		Uncertain: a[annotationUncertain] == "true",
		Token:     redact.New(string(secret.Data[keyToken])), TokenCodeHash: a[annotationTokenCode], TokenProven: a[annotationTokenProven] == "true",
		Next: redact.New(string(secret.Data[keyNextToken])), NextCodeHash: a[annotationNextCode],
		WABAID: a[annotationWABA], PhoneNumberID: a[annotationPhone], OwnerBusinessID: a[annotationOwner],
		Coexistent: a[annotationCoexistent] == "true",
		PIN:        redact.New(string(secret.Data[keyPIN])), RefusedPINHash: a[annotationRefusedPIN],
		Origin: Origin{
			LinkID: a[annotationLink], WABAID: a[annotationClaimedWABA], PhoneNumberID: a[annotationClaimedPhone], Coexistence: a[annotationCoexistence] == "true",
		},
		secret: secret,
	}
	if !slices.Contains([]Phase{PhaseReserved, PhaseSending, PhaseKept, PhaseFailed}, e.Phase) || e.CodeHash == "" {
		return nil, errForeign
	}
	p := parser{annotations: a}
	e.Attempt = p.count(annotationAttempt)
	e.PINMismatches = p.count(annotationMismatches)
	e.StartedAt, e.FirstSeenAt, e.NotBefore = p.time(annotationStartedAt), p.time(annotationFirstSeenAt), p.time(annotationNotBefore)
	e.LockedUntil, e.RenewalTriedAt = p.time(annotationLockedUntil), p.time(annotationRenewalTried)
	for _, raw := range p.list(annotationRegistrations) {
		e.RegisterAttempts = append(e.RegisterAttempts, p.parseTime(raw))
	}
	for _, raw := range p.list(annotationSyncs) {
		e.Syncs = append(e.Syncs, p.parseSync(raw))
	}
	for _, raw := range p.list(annotationSpent) {
		hash, attempts, _ := strings.Cut(raw, ":")
		e.Spent = append(e.Spent, Spent{CodeHash: hash, Attempts: p.parseCount(attempts)})
	}
	return e, p.err
}

// encode writes the entry into a copy of the Secret that it came from, or into a new one.
func (e *Entry) encode(key Key, namespace string) *corev1.Secret {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: key.SecretName(), Namespace: namespace}, Type: corev1.SecretTypeOpaque}
	if e.secret != nil {
		secret = e.secret.DeepCopy()
	}
	secret.Labels = merge(secret.Labels, map[string]string{Label: LabelValue})
	registrations := make([]string, 0, len(e.RegisterAttempts))
	for _, t := range e.RegisterAttempts {
		registrations = append(registrations, formatTime(t))
	}
	spent := make([]string, 0, len(e.Spent))
	for _, s := range e.Spent {
		spent = append(spent, s.CodeHash+":"+strconv.Itoa(s.Attempts))
	}
	syncs := make([]string, 0, len(e.Syncs))
	for _, s := range e.Syncs {
		syncs = append(syncs, s.encode())
	}
	secret.Annotations = merge(secret.Annotations, map[string]string{
		annotationRequest: key.request(), annotationNamespaceUID: string(e.NamespaceUID),
		annotationPhase: string(e.Phase), annotationCodeHash: e.CodeHash, annotationAttempt: formatCount(e.Attempt),
		annotationStartedAt: formatTime(e.StartedAt), annotationFirstSeenAt: formatTime(e.FirstSeenAt), annotationNotBefore: formatTime(e.NotBefore),
		annotationLastOutcome: e.LastOutcome, annotationFailure: e.Failure, annotationRescueRefused: formatFlag(e.RescueRefused),
		annotationUncertain: formatFlag(e.Uncertain),
		annotationSpent:     strings.Join(spent, ","),
		annotationTokenCode: e.TokenCodeHash, annotationTokenProven: formatFlag(e.TokenProven), annotationNextCode: e.NextCodeHash,
		annotationWABA: e.WABAID, annotationPhone: e.PhoneNumberID, annotationOwner: e.OwnerBusinessID,
		annotationCoexistent: formatFlag(e.Coexistent), annotationSyncs: strings.Join(syncs, ","),
		annotationRegistrations: strings.Join(registrations, ","), annotationMismatches: formatCount(e.PINMismatches), annotationLockedUntil: formatTime(e.LockedUntil), annotationRefusedPIN: e.RefusedPINHash,
		annotationLink: e.Origin.LinkID, annotationClaimedWABA: e.Origin.WABAID, annotationClaimedPhone: e.Origin.PhoneNumberID,
		annotationCoexistence: formatFlag(e.Origin.Coexistence), annotationRenewalTried: formatTime(e.RenewalTriedAt),
	})
	if secret.Data == nil {
		secret.Data = map[string][]byte{}
	}
	for name, value := range map[string]redact.Secret{keyToken: e.Token, keyNextToken: e.Next, keyPIN: e.PIN} {
		if value.IsZero() {
			delete(secret.Data, name)
			continue
		}
		secret.Data[name] = []byte(value.Reveal())
	}
	return secret
}

// merge sets the values that are not empty and removes the others, leaving foreign keys alone.
func merge(into, values map[string]string) map[string]string {
	if into == nil {
		into = map[string]string{}
	}
	for name, value := range values {
		if value == "" {
			delete(into, name)
			continue
		}
		into[name] = value
	}
	return into
}

func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func formatCount(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func formatFlag(v bool) string {
	if !v {
		return ""
	}
	return "true"
}

// parser reads annotations and remembers the first that can't be read: a count that somebody garbled must stop the send, not
// count as zero.
type parser struct {
	annotations map[string]string
	err         error
}

func (p *parser) fail(what string) {
	if p.err == nil {
		p.err = fmt.Errorf("%w: %s can't be read", errForeign, what)
	}
}

func (p *parser) count(name string) int { return p.parseCount(p.annotations[name]) }

func (p *parser) parseCount(raw string) int {
	if raw == "" {
		return 0
	}
	n, err := strconv.Atoi(raw)
	if err != nil || n < 0 {
		p.fail("a count")
		return 0
	}
	return n
}

func (p *parser) time(name string) time.Time {
	if p.annotations[name] == "" {
		return time.Time{}
	}
	return p.parseTime(p.annotations[name])
}

func (p *parser) parseTime(raw string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, raw)
	if err != nil {
		p.fail("a time")
	}
	return t
}

func (p *parser) list(name string) []string {
	if p.annotations[name] == "" {
		return nil
	}
	return strings.Split(p.annotations[name], ",")
}
