package contract

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/conditions"
)

// stalledChannel is a channel that only a person can help, for some reason.
func stalledChannel(reason string) *v1alpha1.WhatsAppChannel {
	channel := &v1alpha1.WhatsAppChannel{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "main", Generation: 1}, Status: v1alpha1.WhatsAppChannelStatus{ObservedGeneration: new(int64(-1))},
	}
	set := conditions.New(channel, conditions.Now())
	set.False(v1alpha1.ConditionSuspended, v1alpha1.ReasonActive, "spec.suspend is not true.")
	set.MarkStalled(reason, "Let somebody see to it.")
	set.Write()
	return channel
}

func TestCheck(t *testing.T) {
	c, err := Load("../..")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Check(stalledChannel(v1alpha1.ReasonPhoneNumberClaimed)); err != nil {
		t.Errorf("a sound channel is said to be wrong: %v", err)
	}
	broken := stalledChannel(v1alpha1.ReasonPhoneNumberClaimed)
	broken.Status.ObservedGeneration = nil
	lazy := *c
	lazy.health = `return {status = "Healthy", message = "All is well."}`
	for _, tc := range []struct {
		want    string
		checker *Checker
		channel *v1alpha1.WhatsAppChannel
	}{
		{"breaks the status contract: status.observedGeneration is missing", c, broken},
		{`Stalled has the reason "Whatever"`, c, stalledChannel("Whatever")},
		{"shown by Argo CD as Healthy", &lazy, stalledChannel(v1alpha1.ReasonPhoneNumberClaimed)},
	} {
		if err := tc.checker.Check(tc.channel); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("want %q, got %v", tc.want, err)
		}
	}
}
