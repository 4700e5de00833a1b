package vault

import (
	"context"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
)

// KeepRenewed stores a token that Meta gave out in place of one that dies, without a code. It waits as Next until Prove or Refuse. It
// may be asked for again, so a crash before this write loses nothing.
func (v *Vault) KeepRenewed(ctx context.Context, key Key, entry *Entry, token redact.Secret) (*Entry, error) {
	next := *entry
	next.RenewalTriedAt = v.clock().Now()
	next.Next, next.NextCodeHash = token, digest("renewed token", formatTime(next.RenewalTriedAt))
	return v.update(ctx, key, &next)
}

// NoteRenewal records that Meta was asked for another token and gave none, so that a restart doesn't ask again.
func (v *Vault) NoteRenewal(ctx context.Context, key Key, entry *Entry) (*Entry, error) {
	next := *entry
	next.RenewalTriedAt = v.clock().Now()
	return v.update(ctx, key, &next)
}

// Refuse drops a later token that did not prove the same account, with a reason of the API's vocabulary. The serving token stays.
func (v *Vault) Refuse(ctx context.Context, key Key, entry *Entry, reason string) (*Entry, error) {
	next := *entry
	if entry.NextCodeHash == entry.CodeHash {
		next.Phase, next.Failure = PhaseFailed, reason
	}
	next.Next, next.NextCodeHash = redact.Secret{}, ""
	return v.update(ctx, key, &next)
}
