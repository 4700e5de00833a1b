package controllers

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
)

// mutations are the changes that the manager made through the API server so far, one line each.
func mutations(t *testing.T) []string {
	t.Helper()
	file, err := os.Open(cluster.AuditLog())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	}()
	var lines []string
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, 4<<20)
	for scanner.Scan() {
		var event struct {
			Verb      string `json:"verb"`
			ObjectRef struct {
				Resource, Subresource, Namespace, Name string
			} `json:"objectRef"`
		}
		if err := json.Unmarshal(scanner.Bytes(), &event); err != nil {
			// The line that is being written.
			break
		}
		ref := event.ObjectRef
		lines = append(lines, fmt.Sprintf("%s %s/%s %s/%s", event.Verb, ref.Resource, ref.Subresource, ref.Namespace, ref.Name))
	}
	return lines
}

// graphWrites counts the calls that would change something at Meta.
func graphWrites() int {
	n := 0
	for _, entry := range sim.Journal("", 0) {
		if entry.Method != http.MethodGet {
			n++
		}
	}
	return n
}

// awaitSilence waits until nothing has been written for a while: events are written in the background.
func awaitSilence(t *testing.T) {
	t.Helper()
	const silence = time.Second
	count, since := len(mutations(t)), time.Now()
	await(t, func(context.Context) error {
		if now := len(mutations(t)); now != count {
			count, since = now, time.Now()
		}
		if time.Since(since) < silence {
			return fmt.Errorf("the manager is still writing")
		}
		return nil
	})
}

// awaitChecks waits until the MetaApp and the number were compared with Meta that many times more.
func awaitChecks(t *testing.T, p partner, d directNumber, times int) {
	t.Helper()
	app, phone := graphCalls(p.appID, "list_app_subscriptions"), graphCalls(d.phoneNumberID, "get_phone")
	await(t, func(context.Context) error {
		apps, phones := graphCalls(p.appID, "list_app_subscriptions")-app, graphCalls(d.phoneNumberID, "get_phone")-phone
		if apps < times || phones < times {
			return fmt.Errorf("%d checks of the app and %d of the number, want %d", apps, phones, times)
		}
		return nil
	})
}

// Not parallel: it is about everything that the manager does.
func TestQuietClusterAndRestartWriteNothing(t *testing.T) {
	p, d := newPartner(t), newDirectNumber(t)
	app := p.metaApp(t)
	create(t, app)
	awaitReady(t, app)
	ns := newNamespace(t, labelDirect)
	createSecret(t, ns, "credentials", d.credentials())
	channel := d.channel(ns, "shop")
	create(t, channel)
	awaitCondition(t, channel, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonNotSubscribedToMessages)
	d.enterWebhook(t, channel)
	update(t, channel, func() { channel.Annotations = map[string]string{v1alpha1.RequestedAtAnnotation: "now"} })
	awaitReady(t, channel)

	awaitSilence(t)
	before, writes := len(mutations(t)), graphWrites()
	if before == 0 || writes == 0 {
		t.Fatalf("the records are empty: %d changes, %d writes at Meta", before, writes)
	}
	awaitChecks(t, p, d, 2)
	if after := mutations(t); len(after) > before {
		t.Errorf("a quiet cluster was written to: %q", after[before:])
	}

	if err := running.stop(); err != nil {
		t.Fatal(err)
	}
	var err error
	if running, err = startManager(t.Context(), testOptions()); err != nil {
		t.Fatal(err)
	}
	awaitChecks(t, p, d, 2)
	if after := mutations(t); len(after) > before {
		t.Errorf("a restart wrote: %q", after[before:])
	}
	if after := graphWrites(); after != writes {
		t.Errorf("a restart made %d writes at Meta", after-writes)
	}
}

// TestTrafficIsOneWriteAnHour: whatever passes, the manager writes at most once per channel and hour about it.
func TestTrafficIsOneWriteAnHour(t *testing.T) {
	d, channel := newDirectChannel(t, nil)
	connect(t, d, channel)
	awaitSilence(t)
	written := func() (n int) {
		for _, line := range mutations(t) {
			if strings.Contains(line, channel.Namespace+"/"+channel.Name) {
				n++
			}
		}
		return n
	}
	before := written()
	hour := time.Now().UTC().Truncate(time.Hour)
	for _, at := range []time.Time{hour, hour.Add(time.Hour)} {
		for range 20 {
			stub.report(serverapi.Report{
				Kind: serverapi.KindTraffic, PhoneNumberID: d.phoneNumberID, LineID: channel.Status.LineID,
				Detail: serverapi.Detail{Traffic: &serverapi.Traffic{LastReceived: at}},
			})
		}
		await(t, func(ctx context.Context) error {
			if err := admin.Get(ctx, client.ObjectKeyFromObject(channel), channel); err != nil {
				return err
			}
			if shown := channel.Status.Traffic; shown == nil || shown.LastReceivedAt == nil || !shown.LastReceivedAt.Time.Equal(at) {
				return fmt.Errorf("status.traffic is %+v", shown)
			}
			return nil
		})
	}
	awaitSilence(t)
	if n := written() - before; n != 2 {
		t.Errorf("traffic in two hours made %d writes", n)
	}
}

func TestFloodGate(t *testing.T) {
	t.Parallel()
	p := newPartner(t)
	d := directNumber{appID: p.appID, token: p.systemToken, wabaID: newID(), phoneNumberID: newID()}
	addWorld(t, metasim.World{WABAs: []metasim.WABA{{
		ID: d.wabaID, Name: "Ours", OwnerBusinessID: p.businessID,
		PhoneNumbers: []metasim.PhoneNumber{{ID: d.phoneNumberID, DisplayPhoneNumber: "+1 555-078-4000", VerifiedName: "Partner", Registered: true}},
	}}})
	app := p.metaApp(t)
	create(t, app)
	awaitReady(t, app)
	ns := newNamespace(t, labelDirect, labelPartner)
	createSecret(t, ns, "credentials", map[string]string{v1alpha1.SecretKeyAccessToken: d.token})
	channel := d.channel(ns, "shop")
	channel.Spec.Source.Direct.MetaAppRef = &v1alpha1.MetaAppReference{Name: app.Name}
	create(t, channel)
	awaitReady(t, channel)
	if served := servedChannel(t, d.phoneNumberID); served.Direct || !served.AppSecret.IsZero() || !served.VerifyToken.IsZero() {
		t.Error("the MetaApp's secret was projected into a tenant's channel")
	}

	good := map[string]string{v1alpha1.SecretKeyAppSecret: p.appSecret, v1alpha1.SecretKeySystemToken: p.systemToken}
	setSecret(t, systemNamespace, app.Spec.SecretRef.Name, map[string]string{v1alpha1.SecretKeyAppSecret: newSecret("wrong"), v1alpha1.SecretKeySystemToken: p.systemToken})
	got := awaitCondition(t, channel, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonMetaAppNotReady)
	mustMention(t, got.Message, app.Name, "CredentialsValid")
	calls := graphCalls(d.phoneNumberID) + graphCalls(d.wabaID)
	channel.Annotations = map[string]string{v1alpha1.RequestedAtAnnotation: "now"}
	if err := admin.Update(t.Context(), channel); err != nil {
		t.Fatal(err)
	}
	awaitHandled(t, channel, "now")
	if after := graphCalls(d.phoneNumberID) + graphCalls(d.wabaID); after != calls {
		t.Errorf("%d calls were made through an app that is not healthy", after-calls)
	}
	setSecret(t, systemNamespace, app.Spec.SecretRef.Name, good)
	awaitReady(t, channel)
}
