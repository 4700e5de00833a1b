package controllers

import (
	"testing"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
)

// TestFilesThatAreNotKept tells a person who describes the channel why he sees no photos, and leaves the number's readiness alone.
func TestFilesThatAreNotKept(t *testing.T) {
	t.Parallel()
	d, channel := newDirectChannel(t, nil)
	connect(t, d, channel)
	awaitReady(t, channel)
	stub.report(serverapi.Report{
		Kind: serverapi.KindLimitReached, Time: time.Now(), PhoneNumberID: d.phoneNumberID, LineID: channel.Status.LineID,
		Detail: serverapi.Detail{Limit: &serverapi.Limit{Limit: limitOfFiles}},
	})
	_, events := describeWithKubectl(t, channel, reasonMediaQuotaReached)
	mustMention(t, events, "Warning", "are not kept", "spec.retention", "--media-quota")
	awaitReady(t, channel)
	if len(channel.Status.Limits) != 0 {
		t.Errorf("it is shown as a limit of the spec: %+v", channel.Status.Limits)
	}
}
