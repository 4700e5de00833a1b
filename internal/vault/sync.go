package vault

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// SyncState is how one kind of the WhatsApp Business app's data stands.
type SyncState string

const (
	// SyncAsking means that the data is being asked for, or that a process died while it did, or that the answer was lost.
	SyncAsking SyncState = "Asking"
	// SyncDone means that Meta took the request, and sends the data as webhooks.
	SyncDone SyncState = "Done"
	// SyncMissed means that Meta's 24 hours were over.
	SyncMissed SyncState = "Missed"
	// SyncRefused means that Meta refused for another reason.
	SyncRefused SyncState = "Refused"
	// SyncUnknown means that the answer was lost as often as the data may be asked for.
	SyncUnknown SyncState = "Unknown"
)

// MaxSyncs is how often one kind of data is asked for, all reasons together: the second time tells what became of the first.
const MaxSyncs = 2

// Sync is one kind of data, by Meta's name for it.
type Sync struct {
	Kind  string
	State SyncState
	// Attempts counts requests that may have reached Meta.
	Attempts int
}

func (s Sync) encode() string { return fmt.Sprintf("%s:%s:%d", s.Kind, s.State, s.Attempts) }

func (p *parser) parseSync(raw string) Sync {
	parts := strings.Split(raw, ":")
	if len(parts) != 3 || !slices.Contains([]SyncState{SyncAsking, SyncDone, SyncMissed, SyncRefused, SyncUnknown}, SyncState(parts[1])) {
		p.fail("a sync of the WhatsApp Business app")
		return Sync{}
	}
	return Sync{Kind: parts[0], State: SyncState(parts[1]), Attempts: p.parseCount(parts[2])}
}

// SyncOf returns how a kind of data stands. One that was never asked for has no State.
func (e *Entry) SyncOf(kind string) Sync {
	for _, s := range e.Syncs {
		if s.Kind == kind {
			return s
		}
	}
	return Sync{Kind: kind}
}

// BeginSync writes the intent to ask for a kind of data, before it is asked for. A crash after it leaves SyncAsking.
func (v *Vault) BeginSync(ctx context.Context, key Key, entry *Entry, kind string) (*Entry, error) {
	have := entry.SyncOf(kind)
	return v.putSync(ctx, key, entry, Sync{Kind: kind, State: SyncAsking, Attempts: have.Attempts + 1})
}

// SettleSync records what became of it. notAsked gives the attempt back, because Meta did not execute it.
func (v *Vault) SettleSync(ctx context.Context, key Key, entry *Entry, kind string, state SyncState, notAsked bool) (*Entry, error) {
	have := entry.SyncOf(kind)
	if have.State = state; notAsked && have.Attempts > 0 {
		have.Attempts--
	}
	return v.putSync(ctx, key, entry, have)
}

func (v *Vault) putSync(ctx context.Context, key Key, entry *Entry, s Sync) (*Entry, error) {
	next := *entry
	next.Syncs = append(slices.DeleteFunc(slices.Clone(entry.Syncs), func(have Sync) bool { return have.Kind == s.Kind }), s)
	return v.update(ctx, key, &next)
}
