package credit

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

var now = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

func newLedger(objects ...client.Object) *Ledger {
	api := fake.NewClientBuilder().WithScheme(scheme.Scheme).WithObjects(objects...).Build()
	return &Ledger{Reader: api, Writer: api, Namespace: "whatsapp-system"}
}

func read(t *testing.T, l *Ledger) *Page {
	t.Helper()
	page, err := l.Read(t.Context(), "line", "business")
	if err != nil {
		t.Fatal(err)
	}
	return page
}

func write(t *testing.T, l *Ledger, p *Page) {
	t.Helper()
	if err := l.Write(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

func post(t *testing.T, p *Page, wabaID, claimant string) {
	t.Helper()
	if err := p.BeginPost(wabaID, "USD", claimant, now); err != nil {
		t.Fatal(err)
	}
}

func TestLedgerRemembers(t *testing.T) {
	l := newLedger()
	page := read(t, l)
	post(t, page, "waba", "acme/shop")
	write(t, l, page)
	page = read(t, l)
	want := Account{State: StatePosting, Currency: "USD", Since: now, Claimants: []string{"acme/shop"}}
	if got, _ := page.Account("waba"); !cmp.Equal(want, got) {
		t.Errorf("(-want +got):\n%s", cmp.Diff(want, got))
	}
	later := now.Add(time.Minute)
	page.Shared("waba", "USD", "allocation", "acme/shop", later)
	write(t, l, page)
	want = Account{State: StateShared, Currency: "USD", AllocationID: "allocation", Since: later, Claimants: []string{"acme/shop"}}
	if got, _ := read(t, l).Account("waba"); !cmp.Equal(want, got) {
		t.Errorf("(-want +got):\n%s", cmp.Diff(want, got))
	}
}

func TestStaleViewsFail(t *testing.T) {
	l := newLedger()
	a, b := read(t, l), read(t, l)
	post(t, a, "waba", "acme/shop")
	write(t, l, a)
	post(t, b, "waba", "acme/other")
	if err := l.Write(t.Context(), b); !errors.Is(err, ErrConflict) {
		t.Errorf("a second first page gave %v, want ErrConflict", err)
	}
	a, b = read(t, l), read(t, l)
	a.Shared("waba", "USD", "allocation", "acme/shop", now)
	write(t, l, a)
	b.Refused("waba")
	if err := l.Write(t.Context(), b); !errors.Is(err, ErrConflict) {
		t.Errorf("a write on a stale view gave %v, want ErrConflict", err)
	}
}

func TestOneDoubtAtATime(t *testing.T) {
	page := read(t, newLedger())
	post(t, page, "first", "acme/a")
	if err := page.BeginPost("second", "USD", "acme/b", now); !errors.Is(err, ErrBusy) {
		t.Errorf("a second account in doubt gave %v, want ErrBusy", err)
	}
	page.Shared("first", "USD", "allocation", "acme/a", now)
	post(t, page, "second", "acme/b")
}

func TestRefusedLeavesNoTrace(t *testing.T) {
	page := read(t, newLedger())
	post(t, page, "waba", "acme/shop")
	page.Refused("waba")
	if _, known := page.Account("waba"); known {
		t.Error("a refused call is still announced")
	}
	page.Shared("waba", "USD", "allocation", "acme/shop", now)
	page.Refused("waba")
	if account, _ := page.Account("waba"); account.State != StateShared {
		t.Error("a refusal undid what is shared")
	}
}

func TestFirstHalfSurvivesAnotherPost(t *testing.T) {
	page := read(t, newLedger())
	post(t, page, "waba", "acme/shop")
	page.Allocated("waba", "allocation")
	post(t, page, "waba", "acme/shop")
	if account, _ := page.Account("waba"); account.AllocationID != "allocation" {
		t.Error("the first half of a sharing in two calls was forgotten")
	}
	page.Shared("waba", "USD", "allocation", "acme/shop", now)
	page.BeginRevoke(now)
	page.Revoked(now)
	post(t, page, "waba", "acme/shop")
	if account, _ := page.Account("waba"); account.AllocationID != "" {
		t.Error("a revoked allocation is taken for a new one")
	}
}

func TestRevocationIsForTheWholeBusiness(t *testing.T) {
	page := read(t, newLedger())
	page.Shared("first", "USD", "allocation", "acme/a", now)
	page.Shared("first", "USD", "allocation", "acme/twin", now)
	page.Shared("second", "USD", "allocation", "acme/b", now)
	for _, step := range []struct {
		reason, waba, claimant string
		needed                 []string
	}{
		{"a twin request still claims the account", "first", "acme/a", []string{"first", "second"}},
		{"another account is still claimed", "first", "acme/twin", []string{"second"}},
		{"nobody is left", "second", "acme/b", nil},
	} {
		page.Release(step.waba, step.claimant)
		if diff := cmp.Diff(step.needed, page.Needed()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.reason, diff)
		}
	}
	if !page.Funded() {
		t.Error("releasing claims alone ended the funding")
	}
	page.BeginRevoke(now)
	if diff := cmp.Diff([]string{"second"}, page.Others("first", StateRevoking)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	page.Revoked(now)
	if page.Funded() || len(page.Allocations()) != 0 {
		t.Error("something is funded after the revocation")
	}
}

func TestUnfinishedRevocationIsSettledByWhatMetaLists(t *testing.T) {
	page := read(t, newLedger())
	page.Shared("kept", "USD", "1", "acme/kept", now)
	page.Shared("gone", "USD", "2", "acme/gone", now)
	page.BeginRevoke(now)
	page.RevokeEnded([]string{"1"}, now)
	for wabaID, want := range map[string]State{"kept": StateShared, "gone": StateRevoked} {
		if got, _ := page.Account(wabaID); got.State != want {
			t.Errorf("%s is %s, want %s", wabaID, got.State, want)
		}
	}
	if err := page.BeginPost("gone", "EUR", "acme/gone", now); err != nil {
		t.Errorf("what was revoked can't be shared again: %v", err)
	}
}

func TestForeignPagesStopEverything(t *testing.T) {
	ours := func(change func(*corev1.ConfigMap)) *corev1.ConfigMap {
		cm := &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: "whatsapp-system", Name: Name("line", "business"), Labels: map[string]string{Label: LabelValue},
				Annotations: map[string]string{annotationCreditLine: "line", annotationBusiness: "business"},
			},
			Data: map[string]string{"waba": `{"state":"shared"}`},
		}
		change(cm)
		return cm
	}
	for _, tc := range []struct {
		reason string
		change func(*corev1.ConfigMap)
	}{
		{"no label", func(cm *corev1.ConfigMap) { cm.Labels = nil }},
		{"another line's", func(cm *corev1.ConfigMap) { cm.Annotations[annotationCreditLine] = "other" }},
		{"an account that can't be read must not count as unknown", func(cm *corev1.ConfigMap) { cm.Data["waba"] = "shared" }},
	} {
		if _, err := newLedger(ours(tc.change)).Read(t.Context(), "line", "business"); !errors.Is(err, ErrForeign) {
			t.Errorf("%s: Read gave %v, want ErrForeign", tc.reason, err)
		}
	}
}
