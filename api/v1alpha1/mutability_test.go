package v1alpha1_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// mutation says what may happen to a field after creation; "" is acceptance, anything else part of the refusal.
type mutation struct {
	manifest            string
	path                string
	before, after       any
	change, add, remove string
	notRemovable        bool // required fields, whose removal is another rule's matter
	creditShared        bool
	// proven is the account, and the number, for which status says AssetsVerified.
	proven string
}

func TestMutability(t *testing.T) {
	const recreate = "create another"
	cases := map[string]mutation{
		"MetaApp.appID":           {manifest: metaApp, path: "spec.appID", before: "1", after: "2", change: "appID can't be changed", notRemovable: true},
		"MetaApp.secretRef":       {manifest: metaApp, path: "spec.secretRef", before: object("name", "a"), after: object("name", "b"), notRemovable: true},
		"MetaApp.graphAPIVersion": {manifest: metaApp, path: "spec.graphAPIVersion", before: "v25.0", after: "v26.0"},
		"MetaApp.webhook":         {manifest: metaApp, path: "spec.webhook", before: object("url", "https://a.example.com"), after: object("url", "https://b.example.com")},
		"MetaApp.allowedNamespaces": {
			manifest: metaApp, path: "spec.allowedNamespaces",
			before: object("matchLabels", object("a", "b")), after: object("matchLabels", object("a", "c")),
		},

		"Request.metaAppRef":    {manifest: request, path: "spec.metaAppRef", before: object("name", "a"), after: object("name", "b"), change: "metaAppRef can't be changed", notRemovable: true},
		"Request.codeSecretRef": {manifest: request, path: "spec.codeSecretRef", before: object("name", "a"), after: object("name", "b"), change: recreate, add: recreate, remove: recreate},
		"Request.codeSecretRef.key": {
			manifest: request, path: "spec.codeSecretRef", before: object("name", "a"), after: object("name", "a", "key", "k"), change: recreate, add: recreate, remove: recreate,
		},
		"Request.wabaID":                {manifest: request, path: "spec.wabaID", before: "1", after: "2", remove: "wabaID can't be removed"},
		"Request.phoneNumberID":         {manifest: request, path: "spec.phoneNumberID", before: "1", after: "2", remove: "phoneNumberID can't be removed"},
		"Request.wabaID.proven":         {manifest: request, path: "spec.wabaID", before: "1", after: "2", proven: "1", change: recreate, remove: "wabaID can't be"},
		"Request.phoneNumberID.proven":  {manifest: request, path: "spec.phoneNumberID", before: "1", after: "2", proven: "1", change: recreate, remove: "phoneNumberID can't be"},
		"Request.wabaID.mistyped":       {manifest: request, path: "spec.wabaID", before: "9", after: "1", proven: "1", remove: "wabaID can't be removed"},
		"Request.phoneNumberID.typo":    {manifest: request, path: "spec.phoneNumberID", before: "9", after: "1", proven: "1", remove: "phoneNumberID can't be removed"},
		"Request.currency":              {manifest: request, path: "spec.currency", before: "USD", after: "EUR"},
		"Request.currency.CreditShared": {manifest: request, path: "spec.currency", before: "USD", after: "EUR", creditShared: true, change: "once CreditShared is True", add: "once CreditShared is True", remove: "once CreditShared is True"},
		"Request.suspend.CreditShared":  {manifest: request, path: "spec.suspend", before: true, after: false, creditShared: true},
		"Request.pinSecretRef":          {manifest: request, path: "spec.pinSecretRef", before: object("name", "a"), after: object("name", "b")},
		"Request.dataLocalizationRegion": {
			manifest: request, path: "spec.dataLocalizationRegion", before: "DE", after: "IN", change: recreate, add: recreate, remove: recreate,
		},
		"Request.testMessage":           {manifest: request, path: "spec.testMessage", before: object("to", "+16505551234", "body", "a"), after: object("to", "+16505551234", "body", "b")},
		"Request.credentialsSecretName": {manifest: request, path: "spec.credentialsSecretName", before: "a", after: "b"},
		"Request.deletionPolicy":        {manifest: request, path: "spec.deletionPolicy", before: "Retain", after: "Offboard"},
		"Request.suspend":               {manifest: request, path: "spec.suspend", before: true, after: false},

		"Channel.onboardingRequestRef": {manifest: requestChannel, path: "spec.source.onboardingRequestRef", before: object("name", "a"), after: object("name", "b"), change: recreate, notRemovable: true},
		"Channel.phoneNumberID":        {manifest: directChannel, path: "spec.source.direct.phoneNumberID", before: "1", after: "2", change: recreate, notRemovable: true},
		"Channel.businessAccountID":    {manifest: directChannel, path: "spec.source.direct.businessAccountID", before: "1", after: "2", change: recreate, notRemovable: true},
		"Channel.appID":                {manifest: directChannel, path: "spec.source.direct.appID", before: "1", after: "2", change: "appID can be set once", remove: "appID can be set once"},
		"Channel.credentialsSecretRef": {manifest: directChannel, path: "spec.source.direct.credentialsSecretRef", before: object("name", "a"), after: object("name", "b"), notRemovable: true},
		"Channel.metaAppRef":           {manifest: directChannel, path: "spec.source.direct.metaAppRef", before: object("name", "a"), after: object("name", "b")},
		"Channel.suspend":              {manifest: directChannel, path: "spec.suspend", before: true, after: false},
		"Channel.assistant":            {manifest: directChannel, path: "spec.assistant", before: object("instructions", "a"), after: object("instructions", "b")},
		"Channel.storeBodies":          {manifest: directChannel, path: "spec.storeBodies", before: true, after: false},
		"Channel.retention":            {manifest: directChannel, path: "spec.retention", before: "216h", after: "300h"},
	}
	for name, m := range cases {
		t.Run(name, func(t *testing.T) {
			set := m.existing(t, edit{m.path, m.before})
			update(t, "change", set, edit{m.path, m.after}, m.change)
			update(t, "no change", set, edit{m.path, m.before}, "")
			if m.notRemovable {
				return
			}
			update(t, "remove", set, edit{m.path, nil}, m.remove)
			update(t, "add", m.existing(t, edit{m.path, nil}), edit{m.path, m.after}, m.add)
		})
	}
}

func TestSourceCannotSwitch(t *testing.T) {
	const want = "can't switch between"
	byRequest := mutation{manifest: requestChannel}.existing(t)
	direct := parse(t, directChannel)
	source, _, err := unstructured.NestedMap(direct.Object, "spec", "source")
	if err != nil {
		t.Fatal(err)
	}
	update(t, "request to direct", byRequest, edit{"spec.source", source}, want)
	update(t, "direct to request", mutation{manifest: directChannel}.existing(t), edit{"spec.source", object("onboardingRequestRef", object("name", "x"))}, want)
}

func (m mutation) existing(t *testing.T, edits ...edit) *unstructured.Unstructured {
	t.Helper()
	obj := parse(t, m.manifest, edits...)
	create(t, obj)
	isTrue := ""
	switch {
	case m.creditShared:
		isTrue = "CreditShared"
	case m.proven != "":
		isTrue = "AssetsVerified"
		apply(t, obj, edit{"status.wabaID", m.proven})
		apply(t, obj, edit{"status.phoneNumberID", m.proven})
	}
	if isTrue != "" {
		condition := object("type", isTrue, "status", "True", "reason", "Succeeded", "message", "done", "lastTransitionTime", "2026-11-01T00:00:00Z")
		apply(t, obj, edit{"status.conditions", []any{condition}})
		if err := api.Status().Update(t.Context(), obj); err != nil {
			t.Fatalf("set status: %v", err)
		}
	}
	return obj
}

func update(t *testing.T, what string, obj *unstructured.Unstructured, e edit, want string) {
	t.Helper()
	changed := obj.DeepCopy()
	apply(t, changed, e)
	check(t, what+" "+e.path, api.Update(t.Context(), changed, client.DryRunAll), want)
}

func TestStatusStartsUnobserved(t *testing.T) {
	for _, manifest := range []string{metaApp, request, requestChannel, directChannel} {
		obj := parse(t, manifest)
		create(t, obj)
		generation, found, err := unstructured.NestedInt64(obj.Object, "status", "observedGeneration")
		if err != nil || !found || generation != -1 {
			t.Errorf("%s: a new object must say status.observedGeneration: -1, so that tools see it as not yet reconciled; got %d, %v, %v",
				obj.GetKind(), generation, found, err)
		}
	}
}

func TestStatusDefaultSurvivesReplacement(t *testing.T) {
	obj := parse(t, metaApp)
	create(t, obj)
	apply(t, obj, edit{"status", object("appName", "Acme")})
	if err := api.Status().Update(t.Context(), obj); err != nil {
		t.Fatal(err)
	}
	if generation, _, _ := unstructured.NestedInt64(obj.Object, "status", "observedGeneration"); generation != -1 {
		t.Errorf("the field's own default must hold when status is written without it, got %d", generation)
	}
}

func TestSelectableFields(t *testing.T) {
	cases := map[string]struct {
		manifest string
		edits    []edit
		field    string
		value    string
	}{
		"MetaApp.appID":                {metaApp, []edit{{"spec.appID", "77"}}, "spec.appID", "77"},
		"Request.metaAppRef":           {request, []edit{{"spec.metaAppRef", object("name", "mine")}}, "spec.metaAppRef.name", "mine"},
		"Request.wabaID":               {request, []edit{{"spec.wabaID", "77"}}, "spec.wabaID", "77"},
		"Request.phoneNumberID":        {request, []edit{{"spec.phoneNumberID", "78"}}, "spec.phoneNumberID", "78"},
		"Channel.onboardingRequestRef": {requestChannel, []edit{{"spec.source.onboardingRequestRef", object("name", "mine")}}, "spec.source.onboardingRequestRef.name", "mine"},
		"Channel.phoneNumberID":        {directChannel, []edit{{"spec.source.direct.phoneNumberID", "79"}}, "spec.source.direct.phoneNumberID", "79"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			create(t, parse(t, tc.manifest))
			wanted := parse(t, tc.manifest, tc.edits...)
			create(t, wanted)
			list := &unstructured.UnstructuredList{}
			list.SetGroupVersionKind(wanted.GroupVersionKind())
			if err := api.List(t.Context(), list, client.MatchingFields{tc.field: tc.value}); err != nil {
				t.Fatal(err)
			}
			if len(list.Items) != 1 || list.Items[0].GetName() != wanted.GetName() {
				t.Errorf("selecting %s=%s must find the one object, found %d", tc.field, tc.value, len(list.Items))
			}
		})
	}
}
