package outbox

import (
	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

// Ownership says whether a line may act for a phone number.
type Ownership int

const (
	// Owned means that the channel found serves the line.
	Owned Ownership = iota
	// Absent means that nobody serves the number at the moment, which a projection on its way can change.
	Absent
	// Moved means that the number belongs to somebody else now, or was given up.
	Moved
)

// ChannelOf finds the channel that serves a line. It is asked again before every act of a line: a number can move to
// another tenant while messages of the former one are waiting.
func ChannelOf(s *runtimeconfig.Snapshot, phoneNumberID, line string) (*runtimeconfig.Channel, Ownership) {
	ch, ok := s.Channel(phoneNumberID)
	switch {
	case ok && ch.LineID == line:
		return ch, Owned
	case ok:
		return nil, Moved
	}
	if _, gone := s.Tombstone(phoneNumberID); gone {
		return nil, Moved
	}
	return nil, Absent
}

// CredentialOf is what a channel's Graph calls authenticate with. The app secret comes from the MetaApp unless the
// channel has its own.
func CredentialOf(s *runtimeconfig.Snapshot, ch *runtimeconfig.Channel) meta.Credential {
	cred := meta.Credential{Token: ch.AccessToken, AppSecret: ch.AppSecret}
	if app, ok := s.App(ch.AppID); ok && !ch.Direct {
		cred.AppSecret = app.AppSecret
	}
	return cred
}
