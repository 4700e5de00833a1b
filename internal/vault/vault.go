package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
)

const (
	// KeepTimeout is how long Keep insists. A process that is told to stop must wait that long for a running Keep.
	KeepTimeout = 25 * time.Second
	// keepAttemptTimeout bounds one write of Keep, so that a hanging connection doesn't use up all of KeepTimeout.
	keepAttemptTimeout = 5 * time.Second
	// keepFirstPause is doubled after each failed write of Keep, up to keepLongestPause.
	keepFirstPause   = 50 * time.Millisecond
	keepLongestPause = 2 * time.Second
	// MaxSends is how often one code may reach Meta, all reasons together.
	MaxSends = 2
)

var (
	// ErrConflict means that another process changed the entry since it was read. Stop; the next reconciliation sees why.
	ErrConflict = errors.New("the vault entry was changed by another process")
	// ErrOccupied means that the place of the entry is taken by a Secret that isn't ours. A person has to remove it.
	ErrOccupied = errors.New("the place of the vault entry is taken")
	// ErrSpent means that the code has been sent as often as allowed, or was replaced by a later one.
	ErrSpent = errors.New("the code has been spent")
)

// Vault stores entries. It is safe for concurrent use.
type Vault struct {
	// Reader reads live, never from a cache: a stale view of an entry is how a code is sent twice.
	Reader client.Reader
	// Writer creates, updates and deletes Secrets in Namespace.
	Writer client.Writer
	// Namespace is the operator's own.
	Namespace string
	// Clock tells the time; nil means the real one.
	Clock clock.Clock
}

func (v *Vault) clock() clock.Clock {
	if v.Clock == nil {
		return clock.RealClock{}
	}
	return v.Clock
}

// Read returns the live entry of a request: an Entry that doesn't exist if there is none, ErrOccupied if the place is taken
// by something else.
func (v *Vault) Read(ctx context.Context, key Key) (*Entry, error) {
	var secret corev1.Secret
	err := v.Reader.Get(ctx, types.NamespacedName{Namespace: v.Namespace, Name: key.SecretName()}, &secret)
	switch {
	case apierrors.IsNotFound(err):
		return &Entry{}, nil
	case err != nil:
		return nil, fmt.Errorf("read the vault entry: %w", err)
	}
	entry, err := decode(key, &secret)
	if err != nil {
		return nil, fmt.Errorf("%w: Secret %s/%s: %w", ErrOccupied, v.Namespace, key.SecretName(), err)
	}
	return entry, nil
}

// Reserve makes the place for the token of a code, before anything is sent: it proves that the Secret can be written. entry
// is what Read returned. A crash after it leaves a reservation without a send; the next reconciliation goes on from it.
//
// Reserving the code that is current already changes nothing. Another code starts over; the tokens stay, and the code before
// goes on the list of spent ones.
func (v *Vault) Reserve(ctx context.Context, key Key, entry *Entry, codeHash string) (*Entry, error) {
	return v.ReserveFrom(ctx, key, entry, codeHash, Origin{})
}

// ReserveFrom is Reserve for a code that came by a signup link.
func (v *Vault) ReserveFrom(ctx context.Context, key Key, entry *Entry, codeHash string, origin Origin) (*Entry, error) {
	if entry.Exists() && entry.CodeHash == codeHash {
		return entry, nil
	}
	if _, spent := entry.SpentBefore(codeHash); spent {
		return nil, ErrSpent
	}
	if entry.Exists() && entry.NamespaceUID != key.NamespaceUID {
		// The namespace was deleted and made again, perhaps by another tenant, who must not inherit the token.
		return nil, fmt.Errorf("%w: Secret %s/%s belongs to an earlier namespace of the same name", ErrOccupied, v.Namespace, key.SecretName())
	}
	next := *entry
	if entry.Exists() {
		next.Spent = append(slices.Clone(entry.Spent), Spent{CodeHash: entry.CodeHash, Attempts: entry.Attempt})
		next.Spent = next.Spent[max(0, len(next.Spent)-maxSpent):]
	}
	next.NamespaceUID = key.NamespaceUID
	next.Phase, next.CodeHash, next.Attempt, next.FirstSeenAt, next.Origin = PhaseReserved, codeHash, 0, v.clock().Now(), origin
	next.StartedAt, next.NotBefore, next.LastOutcome, next.Failure = time.Time{}, time.Time{}, "", ""
	next.RescueRefused, next.Uncertain = false, false
	// Another signup opens Meta's window for the app's data anew. What was handed over already is not asked for twice.
	next.Syncs = slices.DeleteFunc(slices.Clone(entry.Syncs), func(s Sync) bool { return s.State != SyncDone })
	if !entry.Exists() {
		return v.create(ctx, key, &next)
	}
	return v.update(ctx, key, &next)
}

// BeginSend writes the intent to send the code, and returns the entry that Settle needs. A crash after it leaves PhaseSending:
// whoever finds it must assume that the code reached Meta.
func (v *Vault) BeginSend(ctx context.Context, key Key, entry *Entry) (*Entry, error) {
	if entry.Phase == PhaseKept || entry.Phase == PhaseFailed || entry.Attempt >= MaxSends {
		return nil, ErrSpent
	}
	next := *entry
	next.Phase, next.Attempt, next.StartedAt = PhaseSending, entry.Attempt+1, v.clock().Now()
	next.LastOutcome, next.NotBefore = "", time.Time{}
	// A send that was begun and never settled belongs to a process that died.
	next.Uncertain = entry.Uncertain || entry.Phase == PhaseSending
	return v.update(ctx, key, &next)
}

// Settlement is how a send, or a wait for one, ended without a token.
type Settlement struct {
	// Outcome is what became of the send; kept in Entry.LastOutcome.
	Outcome string
	// NotSent gives the attempt back, because nothing reached Meta.
	NotSent bool
	// Uncertain means that nobody knows whether Meta executed the send.
	Uncertain bool
	// NotBefore holds the next send back.
	NotBefore time.Time
	// Failure ends the work on this code with this reason. Empty means that it may be sent again.
	Failure string
	// RescueRefused remembers that Meta won't give out the token of a lost code.
	RescueRefused bool
}

// Settle records how a send ended without a token. A crash before it leaves PhaseSending, which is read as "unknown".
func (v *Vault) Settle(ctx context.Context, key Key, entry *Entry, s Settlement) (*Entry, error) {
	next := *entry
	next.Phase, next.LastOutcome, next.NotBefore, next.Failure = PhaseReserved, s.Outcome, s.NotBefore, s.Failure
	next.RescueRefused = entry.RescueRefused || s.RescueRefused
	next.Uncertain = entry.Uncertain || s.Uncertain
	if s.NotSent && next.Attempt > 0 {
		next.Attempt--
	}
	if s.Failure != "" {
		next.Phase = PhaseFailed
	}
	return v.update(ctx, key, &next)
}

// Keep stores the token of a code. It outlives ctx, retries for KeepTimeout and merges into whatever the entry has become,
// because the caller holds the only copy: a lost one costs the customer another signup. Nothing may happen between Meta's
// answer and this call. A process that dies before it returns has lost the token, which ends in PhaseSending.
//
// entry is what the caller knows of the entry. The first write is made on that, so that nothing but the write stands between Meta's answer
// and the token's safety; the entry is read only once that write has failed.
//
// The token goes in as the serving one unless an earlier one is proven; then it waits as Next until Prove.
func (v *Vault) Keep(ctx context.Context, key Key, entry *Entry, codeHash string, token redact.Secret) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), KeepTimeout)
	defer cancel()
	pause := keepFirstPause
	for {
		err := v.keepOnce(ctx, key, entry, codeHash, token)
		if err == nil || errors.Is(err, ErrOccupied) {
			return err
		}
		entry = nil
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("keep the token: %w", err)
		case <-timer.C:
			pause = min(2*pause, keepLongestPause)
		}
	}
}

// keepOnce writes the token into the entry; nil means that it has to be read.
func (v *Vault) keepOnce(ctx context.Context, key Key, entry *Entry, codeHash string, token redact.Secret) (err error) {
	ctx, cancel := context.WithTimeout(ctx, keepAttemptTimeout)
	defer cancel()
	if entry == nil {
		if entry, err = v.Read(ctx, key); err != nil {
			return err
		}
	}
	if entry.HasTokenOf(codeHash) {
		// An earlier write of this call succeeded and its answer was lost.
		return nil
	}
	if entry.Exists() && entry.NamespaceUID != key.NamespaceUID {
		// The namespace was deleted and made again while the code was out: the place is another tenant's now.
		return fmt.Errorf("%w: Secret %s/%s belongs to a later namespace of the same name", ErrOccupied, v.Namespace, key.SecretName())
	}
	next := *entry
	if entry.Exists() && entry.CodeHash != codeHash && entry.HasTokenOf(entry.CodeHash) {
		// A later code has a token already: the customer signed up again since, and this token is of the past.
		return nil
	}
	if !entry.Exists() {
		// Somebody deleted the reservation while the code was out. The token is worth more than the history.
		next.CodeHash, next.Attempt, next.FirstSeenAt, next.NamespaceUID = codeHash, 1, v.clock().Now(), key.NamespaceUID
	}
	if next.CodeHash == codeHash {
		next.Phase, next.LastOutcome, next.Failure, next.NotBefore = PhaseKept, "Succeeded", "", time.Time{}
	}
	if entry.TokenProven && !entry.Token.IsZero() {
		next.Next, next.NextCodeHash = token, codeHash
	} else {
		next.Token, next.TokenCodeHash, next.TokenProven = token, codeHash, false
	}
	if !entry.Exists() {
		next.Phase = PhaseKept
		_, err = v.create(ctx, key, &next)
		return err
	}
	_, err = v.update(ctx, key, &next)
	return err
}

// Adopt marks the current code as done when its token is here already: a Keep whose answer was lost, or a request that was
// deleted and created again.
func (v *Vault) Adopt(ctx context.Context, key Key, entry *Entry) (*Entry, error) {
	if entry.Phase == PhaseKept {
		return entry, nil
	}
	next := *entry
	next.Phase, next.Failure, next.LastOutcome = PhaseKept, "", "Succeeded"
	return v.update(ctx, key, &next)
}

// Proof is what a token has proven at Meta.
type Proof struct {
	WABAID, PhoneNumberID, OwnerBusinessID string
	// Coexistent says whether the number is used in the WhatsApp Business app too.
	Coexistent bool
}

// Prove records what the current token has proven and makes it the serving one. Empty members leave what is recorded. A crash
// before it means that the token is proven once more, by reads alone.
func (v *Vault) Prove(ctx context.Context, key Key, entry *Entry, p Proof) (*Entry, error) {
	next := *entry
	if !entry.Next.IsZero() {
		next.Token, next.TokenCodeHash = entry.Next, entry.NextCodeHash
		next.Next, next.NextCodeHash = redact.Secret{}, ""
	}
	next.TokenProven, next.Coexistent = true, p.Coexistent
	for _, m := range []struct {
		value string
		field *string
	}{{p.WABAID, &next.WABAID}, {p.PhoneNumberID, &next.PhoneNumberID}, {p.OwnerBusinessID, &next.OwnerBusinessID}} {
		if m.value != "" {
			*m.field = m.value
		}
	}
	return v.update(ctx, key, &next)
}

// registrationWindow is the rolling time in which Meta counts register calls.
const registrationWindow = 72 * time.Hour

// BeginRegister stores the PIN and the time of a register call before the call is made, so that a PIN which Meta may have set
// is never lost and no crash hides a call from the count. A crash after it counts a call that wasn't made, which is harmless.
func (v *Vault) BeginRegister(ctx context.Context, key Key, entry *Entry, pin redact.Secret) (*Entry, error) {
	now := v.clock().Now()
	next := *entry
	next.PIN = pin
	next.RegisterAttempts = append(RecentAttempts(entry.RegisterAttempts, now), now)
	return v.update(ctx, key, &next)
}

// RecentAttempts returns the register calls that Meta still counts.
func RecentAttempts(attempts []time.Time, now time.Time) []time.Time {
	return slices.DeleteFunc(slices.Clone(attempts), func(t time.Time) bool { return now.Sub(t) >= registrationWindow })
}

// RefusePIN records that Meta refused the PIN of the last register call. Mismatches are counted across PINs: Meta counts them
// so, and locks the number after a few.
func (v *Vault) RefusePIN(ctx context.Context, key Key, entry *Entry, pinHash string) (*Entry, error) {
	next := *entry
	next.PINMismatches, next.RefusedPINHash, next.PIN = entry.PINMismatches+1, pinHash, redact.Secret{}
	return v.update(ctx, key, &next)
}

// LockRegistration records that Meta takes no register calls for the number until a time.
func (v *Vault) LockRegistration(ctx context.Context, key Key, entry *Entry, until time.Time) (*Entry, error) {
	next := *entry
	next.LockedUntil = until
	return v.update(ctx, key, &next)
}

// Forget deletes an entry. It is the last act of an offboarding: everything before needs the token. The precondition keeps it
// from deleting an entry that was made anew.
func (v *Vault) Forget(ctx context.Context, entry *Entry) error {
	if !entry.Exists() {
		return nil
	}
	err := v.Writer.Delete(ctx, entry.secret, client.Preconditions{UID: &entry.secret.UID, ResourceVersion: &entry.secret.ResourceVersion})
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case apierrors.IsConflict(err):
		return ErrConflict
	case err != nil:
		return fmt.Errorf("delete the vault entry: %w", err)
	}
	return nil
}

func (v *Vault) create(ctx context.Context, key Key, entry *Entry) (*Entry, error) {
	secret := entry.encode(key, v.Namespace)
	err := v.Writer.Create(ctx, secret)
	switch {
	case apierrors.IsAlreadyExists(err):
		return nil, ErrConflict
	case err != nil:
		return nil, fmt.Errorf("create the vault entry: %w", err)
	}
	return decode(key, secret)
}

func (v *Vault) update(ctx context.Context, key Key, entry *Entry) (*Entry, error) {
	if !entry.Exists() || entry.secret.ResourceVersion == "" {
		// Without a resourceVersion an update would overwrite blindly.
		return nil, ErrConflict
	}
	secret := entry.encode(key, v.Namespace)
	err := v.Writer.Update(ctx, secret)
	switch {
	case apierrors.IsConflict(err), apierrors.IsNotFound(err):
		return nil, ErrConflict
	case err != nil:
		return nil, fmt.Errorf("update the vault entry: %w", err)
	}
	return decode(key, secret)
}
