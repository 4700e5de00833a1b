package controllers

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
)

// writeGolden writes the golden files anew: go test ./controllers -run TestDescribe -write-golden. Read them before you commit them, as
// whoever is called at night will.
var writeGolden = flag.Bool("write-golden", false, "write testdata/describe anew")

// TestDescribe shows what 'kubectl describe' says of the ten most likely failures. The golden files are meant to be read: each has to
// tell somebody who doesn't know the operator what is wrong, where, and what to do about it.
func TestDescribe(t *testing.T) {
	for _, tc := range []struct {
		name string
		// reason is what Ready says.
		reason string
		make   func(t *testing.T) client.Object
	}{
		{"request-code-used", v1alpha1.ReasonCodeUsed, func(t *testing.T) client.Object {
			t.Helper()
			breakCall(t, metasim.Fault{
				Call: "exchange", Action: metasim.ActionGraphError, Error: &metasim.FaultError{Code: 100, Subcode: 36009, Type: "OAuthException"},
			})
			return newCustomer(t, nil).onboard(t, "shop", nil)
		}},
		{"request-waits-for-its-code", v1alpha1.ReasonWaitingForCode, func(t *testing.T) client.Object {
			t.Helper()
			request := newCustomer(t, nil).request("shop")
			create(t, request)
			return request
		}},
		{"request-pin-unknown", v1alpha1.ReasonPINMismatch, func(t *testing.T) client.Object {
			t.Helper()
			return newCustomer(t, func(_ *v1alpha1.MetaApp, w *metasim.WABA) { w.PhoneNumbers[0].PIN = "581063" }).onboard(t, "shop", nil)
		}},
		{"request-currency-not-allowed", v1alpha1.ReasonCurrencyNotAllowed, func(t *testing.T) client.Object {
			t.Helper()
			return newCustomer(t, nil).onboard(t, "shop", func(r *v1alpha1.OnboardingRequest) { r.Spec.Currency = "GBP" })
		}},
		{"request-namespace-not-allowed", v1alpha1.ReasonNamespaceNotAllowed, func(t *testing.T) client.Object {
			t.Helper()
			c := newCustomer(t, nil)
			c.namespace = newNamespace(t)
			return c.onboard(t, "shop", nil)
		}},
		{"app-secret-invalid", v1alpha1.ReasonAppSecretInvalid, func(t *testing.T) client.Object {
			t.Helper()
			p := newPartner(t)
			app := p.metaApp(t)
			setSecret(t, systemNamespace, app.Spec.SecretRef.Name, map[string]string{
				v1alpha1.SecretKeyAppSecret: newSecret("wrong"), v1alpha1.SecretKeySystemToken: p.systemToken,
			})
			create(t, app)
			return app
		}},
		{"app-foreign-callback", v1alpha1.ReasonForeignCallback, func(t *testing.T) client.Object {
			t.Helper()
			p := partner{appID: newID(), appSecret: newSecret("appsecret"), businessID: newID()}
			addWorld(t, metasim.World{Businesses: []metasim.Business{{ID: p.businessID, Name: "Partner"}}, Apps: []metasim.App{{
				ID: p.appID, Secret: p.appSecret, Name: "Partner App", BusinessID: p.businessID,
				Subscription: &metasim.AppSubscription{CallbackURL: "https://elsewhere.example/hook", Fields: []string{"messages"}},
			}}})
			app := p.metaApp(t)
			app.Spec.SolutionPartner = nil
			create(t, app)
			return app
		}},
		{"channel-token-refused", v1alpha1.ReasonInvalidAccessToken, func(t *testing.T) client.Object {
			t.Helper()
			d := newDirectNumber(t)
			ns := newNamespace(t, labelDirect)
			secret := d.credentials()
			secret[v1alpha1.SecretKeyAccessToken] = newSecret("EAAdead")
			createSecret(t, ns, "credentials", secret)
			channel := d.channel(ns, "shop")
			create(t, channel)
			return channel
		}},
		{"channel-without-app-secret", v1alpha1.ReasonAppSecretNotConfigured, func(t *testing.T) client.Object {
			t.Helper()
			d := newDirectNumber(t)
			ns := newNamespace(t, labelDirect)
			createSecret(t, ns, "credentials", map[string]string{v1alpha1.SecretKeyAccessToken: d.token})
			channel := d.channel(ns, "shop")
			create(t, channel)
			return channel
		}},
		{"channel-not-subscribed", v1alpha1.ReasonNotSubscribedToMessages, func(t *testing.T) client.Object {
			t.Helper()
			_, channel := newDirectChannel(t, nil)
			return channel
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			obj := tc.make(t)
			awaitCondition(t, obj, v1alpha1.ConditionReady, metav1.ConditionFalse, tc.reason)
			compareWithGolden(t, tc.name, obj, tc.reason)
		})
	}
}

// TestDescribeOfNumberThatCantSend: the connection works, and yet no customer gets an answer.
func TestDescribeOfNumberThatCantSend(t *testing.T) {
	d, channel := newDirectChannel(t, nil)
	connect(t, d, channel)
	line := channel.Status.LineID
	t.Cleanup(func() { stub.park(line, "", time.Time{}) })
	stub.park(line, "PaymentRequired", time.Now())
	awaitCondition(t, channel, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonPaymentRequired)
	compareWithGolden(t, "channel-cant-send", channel, v1alpha1.ReasonPaymentRequired)
}

// compareWithGolden compares what kubectl shows of an object, once an event has the reason, with its golden file.
func compareWithGolden(t *testing.T, name string, obj client.Object, reason string) {
	t.Helper()
	got, events := describeWithKubectl(t, obj, reason)
	if !strings.Contains(events, reason) {
		t.Errorf("no event says %s:\n%s", reason, events)
	}
	name = filepath.Join("testdata", "describe", name+".txt")
	if *writeGolden {
		if err := os.WriteFile(name, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("kubectl describe says something else; read it, and if it is as good run the test with -write-golden (-want +got):\n%s", diff)
	}
}

// Words of 'kubectl describe' that differ from run to run, and what stands for them.
var varying = []struct {
	pattern *regexp.Regexp
	stands  string
}{
	{regexp.MustCompile(`(?m)^ *(UID|Resource Version|Generation|Creation Timestamp|Failures|Next Attempt Time): .*\n`), ""},
	{regexp.MustCompile(`(Credit Allocation ID: +)\d+`), "${1}<allocation>"},
	{regexp.MustCompile(`\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z`), "<time>"},
	{regexp.MustCompile(`\d{4}-\d{2}-\d{2} \d{2}:\d{2} UTC`), "<time>"},
	{regexp.MustCompile(`\btest-[a-z0-9]{5}\b`), "<namespace>"},
	{regexp.MustCompile(`http://127\.0\.0\.1:\d+`), "<graph>"},
	{regexp.MustCompile(`…\w+`), "<hint>"},
	{regexp.MustCompile(`\b[0-9a-f]{16,}\b`), "<hash>"},
}

// ids are Meta's, as the tests make them.
var ids = regexp.MustCompile(`\b88\d{13}\b`)

// describeWithKubectl returns what kubectl shows of an object but its events, with what varies replaced, and the events, once one of
// them has the reason.
func describeWithKubectl(t *testing.T, obj client.Object, reason string) (shown, events string) {
	t.Helper()
	gvk, err := admin.GroupVersionKindFor(obj)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"describe", strings.ToLower(gvk.Kind), obj.GetName()}
	if obj.GetNamespace() != "" {
		args = append(args, "--namespace="+obj.GetNamespace())
	}
	await(t, func(ctx context.Context) error {
		text, err := cluster.Kubectl(ctx, args...)
		if err != nil {
			return err
		}
		shown, events, _ = strings.Cut(text, "\nEvents:")
		if !strings.Contains(events, reason) {
			return fmt.Errorf("no event has the reason %s:\n%s", reason, events)
		}
		return nil
	})
	seen := map[string]string{}
	shown = ids.ReplaceAllStringFunc(shown, func(id string) string {
		if seen[id] == "" {
			seen[id] = fmt.Sprintf("<id %d>", len(seen)+1)
		}
		return seen[id]
	})
	for _, v := range varying {
		shown = v.pattern.ReplaceAllString(shown, v.stands)
	}
	return shown + "\n", events
}
