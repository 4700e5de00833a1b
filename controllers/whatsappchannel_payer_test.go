package controllers

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
)

// TestWhoPaysForASharedNumber gives a number two accounts. While nobody says which pays the channel is served and not Ready; with a token
// that reaches one of them alone there is nothing to say.
func TestWhoPaysForASharedNumber(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		reaches func(d *directNumber, other string) []string
		needed  bool
	}{
		{"both", func(d *directNumber, other string) []string { return []string{d.wabaID, other} }, true},
		{"one", func(d *directNumber, _ string) []string { return []string{d.wabaID} }, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d, other := newDirectNumber(t), newID()
			business := businessOf(t, d.appID)
			d.token = newSecret("EAAshared")
			addWorld(t, metasim.World{
				WABAs: []metasim.WABA{{ID: other, Name: "Bakery by another partner", OwnerBusinessID: business, SharedNumbers: []string{d.phoneNumberID}}},
				SystemUsers: []metasim.SystemUser{{
					ID: newID(), Name: "shared", AppID: d.appID, BusinessID: business, Token: d.token, Scopes: []string{meta.ScopeManagement, meta.ScopeMessaging},
					WABAIDs: tc.reaches(&d, other),
				}},
			})
			ns := newNamespace(t, labelDirect)
			createSecret(t, ns, "credentials", d.credentials())
			channel := d.channel(ns, "shop")
			create(t, channel)
			if !tc.needed {
				connect(t, d, channel)
				if n := graphCalls(other, "list_phone_numbers"); n != 0 {
					t.Errorf("an account that the token does not reach was read %d times", n)
				}
				return
			}
			got := awaitCondition(t, channel, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonMessagingAccountRequired)
			mustMention(t, got.Message, d.wabaID, other, "set spec.messagingAccountID")
			if served := servedChannel(t, d.phoneNumberID); served.MessagingAccountID != "" {
				t.Errorf("served with the account %s", served.MessagingAccountID)
			}
			update(t, channel, func() { channel.Spec.MessagingAccountID = other })
			connect(t, d, channel)
			if served := servedChannel(t, d.phoneNumberID); served.MessagingAccountID != other {
				t.Errorf("served with the account %q, want %s", served.MessagingAccountID, other)
			}
		})
	}
}
