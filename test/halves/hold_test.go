package halves

import (
	"context"
	"fmt"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/test/leaks"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// TestNumberThatCantSendSaysSo lets Meta refuse what a number sends for want of payment. Whoever looks at the channel learns that answers
// wait, why and since when, until one of them gets through.
func TestNumberThatCantSendSaysSo(t *testing.T) {
	r := newRotating(t, "unpaid", "3")
	fault, err := sim.AddFault(metasim.Fault{
		Call: "send", ObjectID: r.phoneID, Count: -1, Action: metasim.ActionGraphError, Error: &metasim.FaultError{Code: 131042, Type: "OAuthException"},
	})
	if err != nil {
		t.Fatal(err)
	}
	answer(t)
	r.write("What are your opening hours?")
	message := awaitCondition(t, r.channel, v1alpha1.ConditionAssistantReady, metav1.ConditionFalse, v1alpha1.ReasonPaymentRequired)
	parked, err := messages.ParkedLines(t.Context())
	if err != nil || len(parked) != 1 || parked[0].Line != r.channel.Status.LineID {
		t.Fatalf("on hold are %+v: %v", parked, err)
	}
	since := parked[0].Since.UTC().Format("2006-01-02 15:04")
	mentions(t, message, "Nothing is sent since "+since, "nobody pays", "payment method", "wait meanwhile")
	awaitCondition(t, r.channel, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonPaymentRequired)
	if hold := r.channel.Status.SendsOnHold; hold == nil || hold.Reason != v1alpha1.ReasonPaymentRequired {
		t.Errorf("status.sendsOnHold is %+v", hold)
	}

	// Somebody pays. The server would find out within ten minutes; another token makes it look at once.
	sim.ClearFaults(fault)
	another := metasim.SystemUser{
		ID: "12200000009", Name: "another", AppID: r.appID, BusinessID: "55000000003", Token: "EAAGrotatinganother3",
		Scopes: []string{"whatsapp_business_management", "whatsapp_business_messaging"},
	}
	if err := sim.Add(metasim.World{SystemUsers: []metasim.SystemUser{another}}); err != nil {
		t.Fatal(err)
	}
	secret(t, tenantNamespace, r.channel.Name, map[string]string{v1alpha1.SecretKeyAccessToken: another.Token})
	await(t, func(ctx context.Context) error {
		rows, err := messages.OutboxRows(ctx, r.channel.Status.LineID, 0, 10)
		if err == nil && (len(rows) == 0 || rows[0].State != store.SendAccepted) {
			err = fmt.Errorf("the answer is not sent yet: %+v", rows)
		}
		return err
	})
	awaitCondition(t, r.channel, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	awaitCondition(t, r.channel, v1alpha1.ConditionAssistantReady, metav1.ConditionTrue, v1alpha1.ReasonRetrievalOnly)
	if r.channel.Status.SendsOnHold != nil {
		t.Errorf("status.sendsOnHold is still %+v", r.channel.Status.SendsOnHold)
	}
}

// answer lets customers be answered until the test ends.
func answer(t *testing.T) {
	t.Helper()
	worker, err := webhookserver.NewAnswering(webhookserver.AnsweringOptions{
		View: served, Store: messages, Owner: "test", Registry: prometheus.NewRegistry(), Log: known.Logger(leaks.MaxVerbosity),
	})
	if err != nil {
		t.Fatal(err)
	}
	stop := inBackground(t.Context(), worker.Run)
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}
