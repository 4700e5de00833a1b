package controllers

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
)

// TestForeignTextIsCut uses names that are longer than what status takes: a status that the API server refuses is never written.
func TestForeignTextIsCut(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ü", 600)
	c := newCustomer(t, func(_ *v1alpha1.MetaApp, waba *metasim.WABA) {
		waba.Name, waba.PhoneNumbers[0].VerifiedName = long, long
		waba.PhoneNumbers[0].DisplayPhoneNumber = "+1 555-078-" + strings.Repeat(" 3", 50)
	})
	request := c.onboard(t, "shop", nil)
	awaitReady(t, request)
	if got := utf8.RuneCountInString(request.Status.VerifiedName); got != maxNameShown {
		t.Errorf("the name has %d characters", got)
	}
	channel := requestChannel(c.namespace, "shop", "shop")
	create(t, channel)
	awaitReady(t, channel)
}

func TestEventNotesFit(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"short", "short"},
		{strings.Repeat("a", 2*maxEventNote), strings.Repeat("a", maxEventNote)},
		{"a" + strings.Repeat("ü", maxEventNote), "a" + strings.Repeat("ü", maxEventNote/2-1)},
	} {
		if got := clipNote(tc.in); got != tc.want {
			t.Errorf("%d bytes became %d, want %d", len(tc.in), len(got), len(tc.want))
		}
	}
}

// TestLeftoversAreBounded fills the memory of one app: a ConfigMap that is full would hold every later offboarding up.
func TestLeftoversAreBounded(t *testing.T) {
	api := fake.NewClientBuilder().Build()
	l := &leftovers{live: api, writer: api, namespace: systemNamespace}
	start := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	var all []v1alpha1.Leftover
	for i := range maxKeptLeftovers + 10 {
		all = append(all, v1alpha1.Leftover{
			Time: metav1.NewTime(start.Add(time.Duration(i) * time.Second)), Object: fmt.Sprintf("acme/%d", i), What: "the subscription", Reason: "Refused.",
		})
	}
	if err := l.record(t.Context(), "app", all...); err != nil {
		t.Fatal(err)
	}
	var kept corev1.ConfigMapList
	if err := api.List(t.Context(), &kept); err != nil {
		t.Fatal(err)
	}
	if n := len(kept.Items[0].Data); n != maxKeptLeftovers {
		t.Errorf("%d are kept", n)
	}
	shown, err := l.of(t.Context(), "app")
	if err != nil {
		t.Fatal(err)
	}
	if last := all[len(all)-1].Object; len(shown) != maxLeftovers || shown[len(shown)-1].Object != last {
		t.Errorf("%d are shown, and the newest must be among them", len(shown))
	}
}

func TestRequestedTime(t *testing.T) {
	for _, tc := range []struct {
		reason, value string
		want          time.Time
	}{
		{"what the documentation writes: date +%s", "1763719200", time.Unix(1763719200, 0)},
		{"what other tools write", "2025-11-21T10:00:00Z", time.Date(2025, 11, 21, 10, 0, 0, 0, time.UTC)},
		{"any other value is a wish without a time", "please", time.Time{}},
		{"no wish", "", time.Time{}},
	} {
		obj := &v1alpha1.OnboardingRequest{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{v1alpha1.RequestedAtAnnotation: tc.value}}}
		if got := requestedTime(obj); !got.Equal(tc.want) {
			t.Errorf("%s: got %s", tc.reason, got)
		}
	}
}
