package record

import "github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"

// Urgency orders what a line has to send: people do not wait for the assistant,
// and customers not for what nobody has asked for.
func Urgency(author store.Author) int {
	switch author {
	case store.AuthorPerson:
		return 0
	case store.AuthorAssistant:
		return 1
	default:
		return 2
	}
}
