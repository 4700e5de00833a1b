package record

import "github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"

// AuthorOf says who wrote a message of a delivery.
func AuthorOf(m *store.InboundMessage) store.Author {
	if m.Source == store.SourceEcho || m.ByBusiness {
		return store.AuthorBusiness
	}
	return store.AuthorCustomer
}

// Shown is what other rows say of a message: nil where there is none.
type Shown struct {
	Edit, Revocation                    *string
	MediaID, MIMEType, SHA256, Filename *string
	Voice                               *bool
	State, Reason, BlobKey              *string
	Size                                *int64
}

// Apply shows it in the message.
func (s *Shown) Apply(m *store.Message) {
	if s.Edit != nil {
		m.Text, m.Edited = *s.Edit, true
	}
	if s.Revocation != nil {
		m.Text, m.Raw, m.Revoked = "", nil, true
		return
	}
	if s.MediaID != nil {
		m.Media = &store.Media{ID: *s.MediaID, MIMEType: *s.MIMEType, SHA256: *s.SHA256, Filename: *s.Filename, Voice: *s.Voice,
			State: store.MediaState(*s.State), Reason: *s.Reason, BlobKey: *s.BlobKey, Size: *s.Size}
	}
}

// MediaState is what becomes of the file of a message of a delivery: only what
// customers write to the line is fetched.
func MediaState(m *store.InboundMessage) store.MediaState {
	if m.Source == store.SourceMessages {
		return store.MediaPending
	}
	return store.MediaSkipped
}
