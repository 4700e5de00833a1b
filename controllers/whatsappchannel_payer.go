package controllers

import (
	"context"
	"slices"
	"strings"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
)

// maxOtherAccounts is how many more accounts of a token are looked through for the number. A customer's token reaches one, or a few; a
// partner's own reaches hundreds, and each look costs a call.
const maxOtherAccounts = 5

// namePayer sees that it is clear who pays for what the number sends. A number may have an account for each partner; of one whose token
// reaches more than one, Meta refuses messages that name none, or charges any of them.
func (r *WhatsAppChannelReconciler) namePayer(ctx context.Context, s *channelScope) error {
	n := &s.number
	if s.channel.Spec.MessagingAccountID != "" {
		return nil
	}
	granted, _ := s.token.GrantedWABAs(meta.ScopeMessaging)
	others := slices.DeleteFunc(granted, func(id string) bool { return id == n.wabaID })
	if len(others) > maxOtherAccounts {
		return nil
	}
	shared := []string{n.wabaID}
	for _, account := range others {
		numbers, err := n.client.PhoneNumbers(ctx, n.credential(), account)
		if err != nil && !meta.ClassOf(err).AccessLost() {
			return err
		}
		if slices.ContainsFunc(numbers, func(p meta.PhoneNumber) bool { return string(p.ID) == n.phoneNumberID }) {
			shared = append(shared, account)
		}
	}
	if len(shared) == 1 {
		return nil
	}
	return stalled(v1alpha1.ReasonMessagingAccountRequired,
		"The token reaches the WhatsApp Business accounts %s, which share this number, so Meta may charge any of them for what it sends, or refuse it; set spec.messagingAccountID to the one that pays.",
		strings.Join(shared, ", "))
}
