package v1alpha1_test

import (
	"context"
	"os"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/whatsapp-operator/whatsapp-operator/test/localcluster"
)

// api talks to a real kube-apiserver that serves our CRDs: the rules are the server's to enforce, so it is asked.
var api client.Client

func TestMain(m *testing.M) {
	os.Exit(localcluster.RunTests(m, localcluster.Options{}, func(ctx context.Context, c *localcluster.Cluster) error {
		if err := c.ApplyCRDs(ctx, "../../config/crd"); err != nil {
			return err
		}
		var err error
		api, err = client.New(c.RESTConfig(), client.Options{})
		return err
	}))
}

// The smallest objects that are accepted.
const (
	metaApp = `
apiVersion: whatsapp-operator.dev/v1alpha1
kind: MetaApp
metadata: {generateName: t-}
spec:
  appID: "670843887433847"
  secretRef: {name: app}
`
	request = `
apiVersion: whatsapp-operator.dev/v1alpha1
kind: OnboardingRequest
metadata: {generateName: t-, namespace: default}
spec:
  metaAppRef: {name: app}
`
	requestChannel = `
apiVersion: whatsapp-operator.dev/v1alpha1
kind: WhatsAppChannel
metadata: {generateName: t-, namespace: default}
spec:
  source:
    onboardingRequestRef: {name: shop}
`
	directChannel = `
apiVersion: whatsapp-operator.dev/v1alpha1
kind: WhatsAppChannel
metadata: {generateName: t-, namespace: default}
spec:
  source:
    direct:
      phoneNumberID: "106540352242922"
      businessAccountID: "102290129340398"
      credentialsSecretRef: {name: creds}
`
)

// edit is one change of an object: a path such as "spec.webhook.url" and its new value, nil to remove it.
type edit struct {
	path  string
	value any
}

func parse(t *testing.T, manifest string, edits ...edit) *unstructured.Unstructured {
	t.Helper()
	obj := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(manifest), &obj.Object); err != nil {
		t.Fatal(err)
	}
	apply(t, obj, edits...)
	return obj
}

func apply(t *testing.T, obj *unstructured.Unstructured, edits ...edit) {
	t.Helper()
	for _, e := range edits {
		path := strings.Split(e.path, ".")
		if e.value == nil {
			unstructured.RemoveNestedField(obj.Object, path...)
			continue
		}
		if err := unstructured.SetNestedField(obj.Object, e.value, path...); err != nil {
			t.Fatalf("set %s: %v", e.path, err)
		}
	}
}

// create makes an object that the test needs, and removes it afterwards.
func create(t *testing.T, obj *unstructured.Unstructured) {
	t.Helper()
	if err := api.Create(t.Context(), obj); err != nil {
		t.Fatalf("create: %v", err)
	}
	t.Cleanup(func() {
		if err := api.Delete(context.WithoutCancel(t.Context()), obj); err != nil {
			t.Errorf("clean up: %v", err)
		}
	})
}

// check compares an answer of the API server with what is wanted: "" is acceptance, anything else part of the refusal.
func check(t *testing.T, reason string, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("%s: must be accepted, got: %v", reason, err)
	case want != "" && err == nil:
		t.Errorf("%s: must be refused with %q, was accepted", reason, want)
	case want != "" && !apierrors.IsInvalid(err):
		t.Errorf("%s: must be refused as invalid, got: %v", reason, err)
	case want != "" && !strings.Contains(err.Error(), want):
		t.Errorf("%s: must be refused with %q, got: %v", reason, want, err)
	}
}

func object(pairs ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	return m
}

func provider(pairs ...any) map[string]any {
	return object(append([]any{"provider", "OpenAI", "model", "m"}, pairs...)...)
}

func TestCreate(t *testing.T) {
	https := "https://hooks.example.com"
	partner := object("businessID", "1", "creditLineID", "2", "currencies", []any{"USD"})
	manual := edit{"spec.webhook", object("subscription", "Manual")}
	cases := map[string]struct {
		reason   string
		manifest string
		edits    []edit
		want     string
	}{
		"AppMinimal":            {"the smallest MetaApp", metaApp, nil, ""},
		"AppIDLetters":          {"ids are digits", metaApp, []edit{{"spec.appID", "abc"}}, "spec.appID"},
		"AppIDMissing":          {"an app has an id", metaApp, []edit{{"spec.appID", nil}}, "spec.appID"},
		"AppSecretRefMissing":   {"an app has a Secret", metaApp, []edit{{"spec.secretRef", nil}}, "spec.secretRef"},
		"AppVersion":            {"another Graph version", metaApp, []edit{{"spec.graphAPIVersion", "v26.0"}}, ""},
		"AppVersionBad":         {"a version has a v and a minor part", metaApp, []edit{{"spec.graphAPIVersion", "26.00"}}, "spec.graphAPIVersion"},
		"WebhookAuto":           {"Auto with a URL", metaApp, []edit{{"spec.webhook", object("url", https)}}, ""},
		"WebhookAutoNoURL":      {"Auto needs a URL", metaApp, []edit{{"spec.webhook", object("subscription", "Auto")}}, "webhook.url is required while"},
		"WebhookManual":         {"Manual needs none", metaApp, []edit{manual}, ""},
		"WebhookHTTP":           {"Meta calls https only", metaApp, []edit{{"spec.webhook", object("url", "http://hooks.example.com")}}, "must be an https URL"},
		"WebhookSlash":          {"the operator adds the path", metaApp, []edit{{"spec.webhook", object("url", https+"/")}}, "no trailing slash"},
		"WebhookQuery":          {"a query would be lost", metaApp, []edit{{"spec.webhook", object("url", https+"/x?y=1")}}, "no trailing slash, query"},
		"WebhookMode":           {"modes are Auto and Manual", metaApp, []edit{{"spec.webhook", object("url", https, "subscription", "Sometimes")}}, "Unsupported value"},
		"Partner":               {"a Solution Partner", metaApp, []edit{{"spec.solutionPartner", partner}}, ""},
		"PartnerNoCurrency":     {"a partner allows some currency", metaApp, []edit{{"spec.solutionPartner", partner}, {"spec.solutionPartner.currencies", []any{}}}, "currencies"},
		"PartnerBadCurrency":    {"currencies are ISO codes", metaApp, []edit{{"spec.solutionPartner", partner}, {"spec.solutionPartner.currencies", []any{"usd"}}}, "currencies"},
		"PartnerTwiceCurrency":  {"currencies are a set", metaApp, []edit{{"spec.solutionPartner", partner}, {"spec.solutionPartner.currencies", []any{"USD", "USD"}}}, "Duplicate value"},
		"PartnerSharing":        {"both methods of sharing", metaApp, []edit{{"spec.solutionPartner", partner}, {"spec.solutionPartner.creditSharing", "ShareThenAttach"}}, ""},
		"PartnerSharingBad":     {"no other method", metaApp, []edit{{"spec.solutionPartner", partner}, {"spec.solutionPartner.creditSharing", "Gift"}}, "Unsupported value"},
		"SignupExact":           {"an exact redirect URI", metaApp, []edit{{"spec.embeddedSignup", object("configurationID", "1", "redirectURIPolicy", object("mode", "Exact", "uri", https))}}, ""},
		"SignupExactNoURI":      {"Exact needs the URI", metaApp, []edit{{"spec.embeddedSignup", object("configurationID", "1", "redirectURIPolicy", object("mode", "Exact"))}}, "set uri exactly when mode is Exact"},
		"SignupURIWithoutExact": {"a URI without Exact would be ignored", metaApp, []edit{{"spec.embeddedSignup", object("configurationID", "1", "redirectURIPolicy", object("mode", "Empty", "uri", https))}}, "set uri exactly when mode is Exact"},
		"SignupExtras":          {"extras as JSON text", metaApp, []edit{{"spec.embeddedSignup", object("configurationID", "1", "extras", `{"setup":{}}`)}}, ""},
		"SignupExtrasBad":       {"extras that is no object", metaApp, []edit{{"spec.embeddedSignup", object("configurationID", "1", "extras", `[1]`)}}, "extras must be a JSON object"},
		"GraphLoopback":         {"a simulator on loopback", metaApp, []edit{{"spec.graph", object("baseURL", "http://127.0.0.1:9180")}}, ""},
		"GraphHTTP":             {"tokens never travel in the clear", metaApp, []edit{{"spec.graph", object("baseURL", "http://graph.example.com")}}, "graph.baseURL must be an https URL"},
		"GraphLoopbackTrick":    {"a host that merely begins like loopback", metaApp, []edit{{"spec.graph", object("baseURL", "http://127.0.0.1.example.com")}}, "graph.baseURL must be an https URL"},
		"GraphRate":             {"at least one call per second", metaApp, []edit{{"spec.graph", object("callsPerSecond", int64(0))}}, "callsPerSecond"},

		"RequestMinimal":   {"the smallest request asks for a link", request, nil, ""},
		"RequestNoApp":     {"a request names its app", request, []edit{{"spec.metaAppRef", nil}}, "spec.metaAppRef"},
		"RequestFull":      {"everything at once", request, fullRequest(), ""},
		"RequestCurrency":  {"currency is an ISO code", request, []edit{{"spec.currency", "Dollar"}}, "spec.currency"},
		"RequestWABA":      {"ids are digits", request, []edit{{"spec.wabaID", "waba-1"}}, "spec.wabaID"},
		"RequestNumber":    {"ids are digits", request, []edit{{"spec.phoneNumberID", "+1555"}}, "spec.phoneNumberID"},
		"RequestRegion":    {"regions are ISO codes", request, []edit{{"spec.dataLocalizationRegion", "Germany"}}, "spec.dataLocalizationRegion"},
		"RequestTesterBad": {"the tester's number has + and country code", request, []edit{{"spec.testMessage", object("to", "016505551234", "body", "hi")}}, "spec.testMessage.to"},
		"RequestBodyLong":  {"WhatsApp's bound of a text", request, []edit{{"spec.testMessage", object("to", "+16505551234", "body", strings.Repeat("x", 4097))}}, "spec.testMessage.body"},
		"RequestCopyName":  {"a Secret's name", request, []edit{{"spec.credentialsSecretName", "My Secret"}}, "must be a valid Secret name"},
		"RequestPolicy":    {"two policies only", request, []edit{{"spec.deletionPolicy", "Delete"}}, "Unsupported value"},
		"RequestCodeKey":   {"keys of Secrets have no slash", request, []edit{{"spec.codeSecretRef", object("name", "s", "key", "a/b")}}, "spec.codeSecretRef.key"},

		"ChannelRequest":      {"a channel of a request", requestChannel, nil, ""},
		"ChannelDirect":       {"a direct channel", directChannel, nil, ""},
		"ChannelNoSource":     {"a channel has a source", requestChannel, []edit{{"spec.source", nil}}, "spec.source"},
		"ChannelEmptySource":  {"one of the two", requestChannel, []edit{{"spec.source", object()}}, "exactly one of"},
		"ChannelBothSources":  {"not both", directChannel, []edit{{"spec.source.onboardingRequestRef", object("name", "x")}}, "exactly one of"},
		"ChannelRetention":    {"retention outlasts Meta's redelivery", requestChannel, []edit{{"spec.retention", "24h"}}, "retention must be at least 216h"},
		"ChannelRetention9d":  {"nine days are enough", requestChannel, []edit{{"spec.retention", "216h"}}, ""},
		"ChannelReplyAge":     {"WhatsApp's window", requestChannel, []edit{{"spec.assistant", object("maxReplyAge", "24h")}}, "maxReplyAge must be between"},
		"ChannelReplyAgeText": {"durations have units", requestChannel, []edit{{"spec.assistant", object("maxReplyAge", "soon")}}, "maxReplyAge"},
		"ChannelLanguage":     {"languages are BCP 47 tags", requestChannel, []edit{{"spec.assistant", object("languages", []any{"English"})}}, "spec.assistant.languages"},
		"ChannelChat":         {"a model with a key", requestChannel, []edit{{"spec.assistant", object("chat", provider("apiKeySecretRef", object("name", "k")))}}, ""},
		"ChannelChatTimeout":  {"a call ends in time", requestChannel, []edit{{"spec.assistant", object("chat", provider("timeout", "10m"))}}, "timeout must be between 1s and 2m"},
		"ChannelChatURL":      {"a base URL is a URL", requestChannel, []edit{{"spec.assistant", object("chat", provider("baseURL", "ftp://models"))}}, "baseURL must be an http or https URL"},
		"ChannelAzure":        {"Azure has no common endpoint", requestChannel, []edit{{"spec.assistant", object("chat", provider("provider", "AzureOpenAI"))}}, "baseURL is required for AzureOpenAI"},
		"ChannelProvider":     {"three providers", requestChannel, []edit{{"spec.assistant", object("chat", provider("provider", "Oracle"))}}, "Unsupported value"},
		"ChannelCatalogBoth":  {"one source of a catalog", requestChannel, []edit{{"spec.assistant", object("catalog", object("url", https, "configMapKeyRef", object("name", "a", "key", "b")))}}, "exactly one of"},
		"ChannelCatalogNone":  {"some source of a catalog", requestChannel, []edit{{"spec.assistant", object("catalog", object("format", "CSV"))}}, "exactly one of"},
		"ChannelCatalogHTTP":  {"feeds come by https", requestChannel, []edit{{"spec.assistant", object("catalog", object("url", "http://shop.example.com"))}}, "url must be an https URL"},
		"ChannelCatalogOften": {"feeds are not hammered", requestChannel, []edit{{"spec.assistant", object("catalog", object("url", https, "refreshInterval", "1s"))}}, "refreshInterval must be between"},
		"ChannelKnowledge":    {"one source of a document", requestChannel, []edit{{"spec.assistant", object("knowledge", []any{object()})}}, "exactly one of"},
		"ChannelTool":         {"a tool server", requestChannel, []edit{{"spec.assistant", object("tools", []any{object("name", "crm", "mcp", object("url", https))})}}, ""},
		"ChannelToolHTTP":     {"tools come by https", requestChannel, []edit{{"spec.assistant", object("tools", []any{object("name", "crm", "mcp", object("url", "http://crm"))})}}, "url must be an https URL"},
		"ChannelToolTwice":    {"tools have names of their own", requestChannel, []edit{{"spec.assistant", object("tools", []any{object("name", "crm", "mcp", object("url", https)), object("name", "crm", "mcp", object("url", https))})}}, "Duplicate value"},
		"ChannelOrders":       {"orders are announced with a signature", requestChannel, []edit{{"spec.orders", object("notify", object("url", https, "signingSecretRef", object("name", "k")))}}, ""},
		"ChannelOrdersHTTP":   {"orders go by https", requestChannel, []edit{{"spec.orders", object("notify", object("url", "http://shop", "signingSecretRef", object("name", "k")))}}, "url must be an https URL"},
		"ChannelResume":       {"a chat isn't taken back while a person types", requestChannel, []edit{{"spec.handoff", object("resumeAfter", "10s")}}, "resumeAfter must be between"},
		"ChannelZone":         {"zones have no blanks", requestChannel, []edit{{"spec.timeZone", "New York"}}, "spec.timeZone"},
		"ChannelLimits":       {"limits are not negative", requestChannel, []edit{{"spec.limits", object("messagesPerMonth", int64(-1))}}, "messagesPerMonth"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			obj := parse(t, tc.manifest, tc.edits...)
			err := api.Create(t.Context(), obj, client.DryRunAll)
			check(t, tc.reason, err, tc.want)
		})
	}
}

func fullRequest() []edit {
	return []edit{
		{"spec.codeSecretRef", object("name", "code")},
		{"spec.wabaID", "1"},
		{"spec.phoneNumberID", "2"},
		{"spec.currency", "USD"},
		{"spec.pinSecretRef", object("name", "pin")},
		{"spec.dataLocalizationRegion", "DE"},
		{"spec.testMessage", object("to", "+16505551234", "body", "hi")},
		{"spec.credentialsSecretName", "creds"},
		{"spec.deletionPolicy", "Offboard"},
		{"spec.suspend", true},
	}
}
