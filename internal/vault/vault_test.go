package vault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
)

const system = "whatsapp-system"

var (
	key   = Key{Namespace: "acme", Name: "shop", NamespaceUID: "ns-1"}
	start = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	codeA = CodeHash(redact.New("code-a"))
	codeB = CodeHash(redact.New("code-b"))
)

// store is a vault on an API server in memory, whose writes fail as the test says.
type store struct {
	*Vault
	api   client.WithWatch
	clock *clocktesting.FakeClock
	mu    sync.Mutex
	// before and after are asked around each write; an error of after is returned for a write that was made.
	before, after func(n int) error
	writes        int
}

func newStore(t *testing.T, objects ...client.Object) *store {
	t.Helper()
	s := &store{clock: clocktesting.NewFakeClock(start)}
	around := func(write func() error) error {
		s.mu.Lock()
		s.writes++
		n, before, after := s.writes, s.before, s.after
		s.mu.Unlock()
		if before != nil {
			if err := before(n); err != nil {
				return err
			}
		}
		err := write()
		if err == nil && after != nil {
			err = after(n)
		}
		return err
	}
	s.api = fake.NewClientBuilder().WithScheme(scheme.Scheme).WithObjects(objects...).WithInterceptorFuncs(interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
			return around(func() error { return c.Create(ctx, obj, opts...) })
		},
		Update: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.UpdateOption) error {
			return around(func() error { return c.Update(ctx, obj, opts...) })
		},
	}).Build()
	s.Vault = &Vault{Reader: s.api, Writer: s.api, Namespace: system, Clock: s.clock}
	return s
}

func (s *store) read(t *testing.T) *Entry {
	t.Helper()
	entry, err := s.Read(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return entry
}

// reserve takes a code up to the state before its first send.
func (s *store) reserve(t *testing.T, code string) *Entry {
	t.Helper()
	entry, err := s.Reserve(t.Context(), key, s.read(t), code)
	if err != nil {
		t.Fatal(err)
	}
	return entry
}

func (s *store) begin(t *testing.T) *Entry {
	t.Helper()
	entry, err := s.BeginSend(t.Context(), key, s.read(t))
	if err != nil {
		t.Fatal(err)
	}
	return entry
}

func (s *store) keep(t *testing.T, code, token string) {
	t.Helper()
	s.keepOn(t, nil, code, token)
}

// keepOn keeps a token by who knows an entry as it may no longer be.
func (s *store) keepOn(t *testing.T, entry *Entry, code, token string) {
	t.Helper()
	if err := s.Keep(t.Context(), key, entry, code, redact.New(token)); err != nil {
		t.Fatal(err)
	}
}

func TestExchangeOfOneCode(t *testing.T) {
	s := newStore(t)
	if s.read(t).Exists() {
		t.Fatal("an empty vault has an entry")
	}
	entry := s.reserve(t, codeA)
	if entry.Phase != PhaseReserved || entry.Attempt != 0 || !entry.FirstSeenAt.Equal(start) {
		t.Fatalf("reserved: %+v", entry)
	}
	s.clock.Step(time.Second)
	if entry = s.begin(t); entry.Phase != PhaseSending || entry.Attempt != 1 || !entry.StartedAt.Equal(start.Add(time.Second)) {
		t.Fatalf("sending: %+v", entry)
	}
	s.keep(t, codeA, "EAAGtoken")
	entry = s.read(t)
	if entry.Phase != PhaseKept || !entry.HasTokenOf(codeA) || entry.HasTokenOf(codeB) || entry.Token.Reveal() != "EAAGtoken" {
		t.Fatalf("kept: %+v", entry)
	}
	if _, err := s.BeginSend(t.Context(), key, entry); !errors.Is(err, ErrSpent) {
		t.Errorf("sending a kept code again gave %v, want ErrSpent", err)
	}
	var secret corev1.Secret
	if err := s.api.Get(t.Context(), client.ObjectKey{Namespace: system, Name: key.SecretName()}, &secret); err != nil {
		t.Fatal(err)
	}
	if len(secret.OwnerReferences) != 0 || len(secret.Finalizers) != 0 || secret.Labels[Label] != LabelValue {
		t.Errorf("the Secret must have no owner, no finalizer and our label: %+v", secret.ObjectMeta)
	}
	if name, ok := KeyOf(secret.Annotations); !ok || name.String() != "acme/shop" {
		t.Errorf("KeyOf = %v, %t", name, ok)
	}
}

func TestNoThirdSend(t *testing.T) {
	s := newStore(t)
	s.reserve(t, codeA)
	for range MaxSends {
		entry := s.begin(t)
		if _, err := s.Settle(t.Context(), key, entry, Settlement{Outcome: "Unknown", Uncertain: true}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.BeginSend(t.Context(), key, s.read(t)); !errors.Is(err, ErrSpent) {
		t.Errorf("a third send gave %v, want ErrSpent", err)
	}
}

func TestNotSentGivesTheAttemptBack(t *testing.T) {
	s := newStore(t)
	s.reserve(t, codeA)
	for range 5 {
		if _, err := s.Settle(t.Context(), key, s.begin(t), Settlement{Outcome: "NotSent", NotSent: true}); err != nil {
			t.Fatal(err)
		}
	}
	if entry := s.read(t); entry.Attempt != 0 || entry.Phase != PhaseReserved {
		t.Errorf("after sends that never left: %+v", entry)
	}
}

func TestDeadSenderLeavesUncertainty(t *testing.T) {
	s := newStore(t)
	s.reserve(t, codeA)
	s.begin(t)
	entry := s.begin(t) // another process, after the first one died
	if !entry.Uncertain || entry.Attempt != 2 {
		t.Errorf("a send after one that was never settled: %+v", entry)
	}
	// A later code starts without it.
	if entry = s.reserve(t, codeB); entry.Uncertain || entry.Attempt != 0 {
		t.Errorf("a new code: %+v", entry)
	}
	if attempts, ok := entry.SpentBefore(codeA); !ok || attempts != 2 {
		t.Errorf("the code before: %d attempts, %t", attempts, ok)
	}
	if _, err := s.Reserve(t.Context(), key, entry, codeA); !errors.Is(err, ErrSpent) {
		t.Errorf("a code that comes back gave %v, want ErrSpent", err)
	}
}

func TestOneSenderWins(t *testing.T) {
	s := newStore(t)
	s.reserve(t, codeA)
	view := s.read(t)
	if _, err := s.BeginSend(t.Context(), key, view); err != nil {
		t.Fatal(err)
	}
	if _, err := s.BeginSend(t.Context(), key, view); !errors.Is(err, ErrConflict) {
		t.Errorf("a second intent on the same view gave %v, want ErrConflict", err)
	}
	none := &Entry{}
	if _, err := s.Reserve(t.Context(), key, none, codeB); !errors.Is(err, ErrConflict) {
		t.Errorf("a second reservation on a stale view gave %v, want ErrConflict", err)
	}
}

func TestForeignSecretIsLeftAlone(t *testing.T) {
	for _, tc := range []struct {
		reason string
		change func(*corev1.Secret)
	}{
		{"no label", func(s *corev1.Secret) { s.Labels = nil }},
		{"another request's", func(s *corev1.Secret) { s.Annotations[annotationRequest] = "acme/other" }},
		{"no phase", func(s *corev1.Secret) { delete(s.Annotations, annotationPhase) }},
		{"no code", func(s *corev1.Secret) { delete(s.Annotations, annotationCodeHash) }},
		{"a count that can't be read must not count as zero", func(s *corev1.Secret) { s.Annotations[annotationAttempt] = "many" }},
		{"a time that can't be read", func(s *corev1.Secret) { s.Annotations[annotationStartedAt] = "yesterday" }},
	} {
		secret := (&Entry{Phase: PhaseReserved, CodeHash: codeA, NamespaceUID: key.NamespaceUID}).encode(key, system)
		tc.change(secret)
		s := newStore(t, secret)
		if _, err := s.Read(t.Context(), key); !errors.Is(err, ErrOccupied) {
			t.Errorf("%s: Read gave %v, want ErrOccupied", tc.reason, err)
		}
	}
}

func TestAnotherTenantsNamespaceInheritsNothing(t *testing.T) {
	s := newStore(t)
	s.reserve(t, codeA)
	s.begin(t)
	s.keep(t, codeA, "EAAGtoken")
	later := key
	later.NamespaceUID = "ns-2"
	entry, err := s.Read(t.Context(), later)
	if err != nil {
		t.Fatal(err)
	}
	if entry.BelongsTo(later.NamespaceUID) {
		t.Error("the entry of a deleted namespace belongs to its successor")
	}
	if _, err := s.Reserve(t.Context(), later, entry, codeB); !errors.Is(err, ErrOccupied) {
		t.Errorf("a new code over another tenant's token gave %v, want ErrOccupied", err)
	}
	if got := s.read(t); !got.HasTokenOf(codeA) {
		t.Error("the token is gone")
	}
}

func TestKeepGivesNoTokenToALaterTenant(t *testing.T) {
	s := newStore(t)
	s.reserve(t, codeA)
	sent := s.begin(t)
	// While the code is out the namespace goes, and another tenant's of the same name takes the place.
	if err := s.Forget(t.Context(), s.read(t)); err != nil {
		t.Fatal(err)
	}
	later := key
	later.NamespaceUID = "ns-2"
	if _, err := s.Reserve(t.Context(), later, s.read(t), codeB); err != nil {
		t.Fatal(err)
	}
	if err := s.Keep(t.Context(), key, sent, codeA, redact.New("EAAGtoken")); !errors.Is(err, ErrOccupied) {
		t.Errorf("Keep gave %v, want ErrOccupied", err)
	}
	if token, _ := s.read(t).Current(); !token.IsZero() {
		t.Error("a tenant got the token of an earlier one")
	}
}

var errLost = apierrors.NewTimeoutError("the answer was lost", 1)

func TestKeepNeverLosesTheToken(t *testing.T) {
	conflict := apierrors.NewConflict(schema.GroupResource{Resource: "secrets"}, "x", errors.New("changed"))
	for _, tc := range []struct {
		reason  string
		prepare func(t *testing.T, s *store)
		want    Phase
	}{
		{"the API server is away for a while", func(_ *testing.T, s *store) {
			s.before = failFirst(s, 3, errLost)
		}, PhaseKept},
		{"the write succeeds and its answer is lost", func(_ *testing.T, s *store) {
			s.after = failFirst(s, 1, errLost)
		}, PhaseKept},
		{"somebody writes in between", func(_ *testing.T, s *store) {
			s.before = failFirst(s, 2, conflict)
		}, PhaseKept},
		{"somebody gave the code up meanwhile", func(t *testing.T, s *store) {
			t.Helper()
			if _, err := s.Settle(t.Context(), key, s.read(t), Settlement{Failure: "ExchangeOutcomeUnknown"}); err != nil {
				t.Fatal(err)
			}
		}, PhaseKept},
		{"a later code was reserved meanwhile", func(t *testing.T, s *store) {
			t.Helper()
			s.reserve(t, codeB)
		}, PhaseReserved},
		{"somebody deleted the reservation", func(t *testing.T, s *store) {
			t.Helper()
			if err := s.Forget(t.Context(), s.read(t)); err != nil {
				t.Fatal(err)
			}
		}, PhaseKept},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			s := newStore(t)
			s.reserve(t, codeA)
			sent := s.begin(t)
			tc.prepare(t, s)
			ctx, cancel := context.WithCancel(t.Context())
			cancel() // the process was told to stop
			if err := s.Keep(ctx, key, sent, codeA, redact.New("EAAGtoken")); err != nil {
				t.Fatal(err)
			}
			entry := s.read(t)
			if entry.Phase != tc.want || !entry.HasTokenOf(codeA) || entry.Token.Reveal() != "EAAGtoken" {
				t.Errorf("phase %s, token of the code kept: %t", entry.Phase, entry.HasTokenOf(codeA))
			}
		})
	}
}

// TestKeepWritesBeforeItReads: between Meta's answer and the write of the token there is nothing.
func TestKeepWritesBeforeItReads(t *testing.T) {
	s := newStore(t)
	s.reserve(t, codeA)
	sent := s.begin(t)
	s.Reader = nil // whoever reads panics
	s.keepOn(t, sent, codeA, "EAAGtoken")
	s.Reader = s.api
	if entry := s.read(t); entry.Phase != PhaseKept || !entry.HasTokenOf(codeA) {
		t.Errorf("kept: %+v", entry)
	}
}

// failFirst fails the next n writes.
func failFirst(s *store, n int, err error) func(int) error {
	last := s.writes + n
	return func(i int) error {
		if i <= last {
			return err
		}
		return nil
	}
}

func TestKeepPrefersTheLaterCode(t *testing.T) {
	s := newStore(t)
	s.reserve(t, codeA)
	former := s.begin(t)
	s.reserve(t, codeB)
	s.begin(t)
	s.keep(t, codeB, "EAAGnew")
	s.keepOn(t, former, codeA, "EAAGold")
	if entry := s.read(t); entry.Token.Reveal() != "EAAGnew" || entry.Phase != PhaseKept {
		t.Errorf("the token of a code that was given up replaced that of the code after it: %+v", entry)
	}
}

func TestProvenTokenServesUntilTheNextIsProven(t *testing.T) {
	s := newStore(t)
	s.reserve(t, codeA)
	s.begin(t)
	s.keep(t, codeA, "EAAGold")
	if token, proven := s.read(t).Current(); token.Reveal() != "EAAGold" || proven {
		t.Fatalf("before the proof: proven %t", proven)
	}
	proof := Proof{WABAID: "1", PhoneNumberID: "2", OwnerBusinessID: "3"}
	if _, err := s.Prove(t.Context(), key, s.read(t), proof); err != nil {
		t.Fatal(err)
	}
	s.reserve(t, codeB)
	s.begin(t)
	s.keep(t, codeB, "EAAGnew")
	entry := s.read(t)
	if entry.Token.Reveal() != "EAAGold" || !entry.TokenProven {
		t.Fatalf("the old token must serve on: %+v", entry)
	}
	if token, proven := entry.Current(); token.Reveal() != "EAAGnew" || proven {
		t.Fatal("the new token must be the one to prove")
	}
	entry, err := s.Prove(t.Context(), key, entry, Proof{})
	if err != nil {
		t.Fatal(err)
	}
	got := Proof{WABAID: entry.WABAID, PhoneNumberID: entry.PhoneNumberID, OwnerBusinessID: entry.OwnerBusinessID}
	if diff := cmp.Diff(proof, got); diff != "" || entry.Token.Reveal() != "EAAGnew" || !entry.Next.IsZero() || !entry.HasTokenOf(codeB) {
		t.Errorf("after the second proof (-want +got):\n%s", diff)
	}
}

func TestRegistration(t *testing.T) {
	s := newStore(t)
	s.reserve(t, codeA)
	pin := redact.New("581063")
	entry, err := s.BeginRegister(t.Context(), key, s.read(t), pin)
	if err != nil {
		t.Fatal(err)
	}
	if entry.PIN.Reveal() != "581063" || len(entry.RegisterAttempts) != 1 {
		t.Errorf("the PIN and the call must be stored before the call: %+v", entry)
	}
	s.clock.Step(73 * time.Hour)
	if entry, err = s.BeginRegister(t.Context(), key, entry, pin); err != nil || len(entry.RegisterAttempts) != 1 {
		t.Errorf("calls older than 72 hours don't count: %d, %v", len(entry.RegisterAttempts), err)
	}
	entry, err = s.RefusePIN(t.Context(), key, entry, PINHash("2", pin))
	if err != nil || entry.PINMismatches != 1 || entry.RefusedPINHash != PINHash("2", pin) || !entry.PIN.IsZero() {
		t.Errorf("a refused PIN: %+v, %v", entry, err)
	}
	until := s.clock.Now().Add(time.Hour)
	if entry, err = s.LockRegistration(t.Context(), key, entry, until); err != nil || !s.read(t).LockedUntil.Equal(until) {
		t.Errorf("a locked number: %+v, %v", entry, err)
	}
}

func TestSyncsAreRememberedUntilTheNextSignup(t *testing.T) {
	s := newStore(t)
	s.reserve(t, codeA)
	entry, err := s.BeginSync(t.Context(), key, s.read(t), "history")
	if err != nil || entry.SyncOf("history") != (Sync{Kind: "history", State: SyncAsking, Attempts: 1}) {
		t.Fatalf("the intent must be stored before the call: %+v, %v", entry.Syncs, err)
	}
	if entry, err = s.SettleSync(t.Context(), key, entry, "history", SyncMissed, true); err != nil {
		t.Fatal(err)
	}
	if entry, err = s.BeginSync(t.Context(), key, entry, "contacts"); err != nil {
		t.Fatal(err)
	}
	if _, err = s.SettleSync(t.Context(), key, entry, "contacts", SyncDone, false); err != nil {
		t.Fatal(err)
	}
	want := []Sync{{Kind: "history", State: SyncMissed}, {Kind: "contacts", State: SyncDone, Attempts: 1}}
	if diff := cmp.Diff(want, s.read(t).Syncs); diff != "" {
		t.Errorf("what was asked for (-want +got):\n%s", diff)
	}
	s.reserve(t, codeB)
	if diff := cmp.Diff(want[1:], s.read(t).Syncs); diff != "" {
		t.Errorf("another signup asks again for what was missed alone (-want +got):\n%s", diff)
	}
}

// TestNothingPrintsASecret holds names, annotations and errors against what must not be in them.
func TestNothingPrintsASecret(t *testing.T) {
	s := newStore(t)
	s.reserve(t, codeA)
	s.begin(t)
	s.keep(t, codeA, "EAAGtoken")
	entry, err := s.BeginRegister(t.Context(), key, s.read(t), redact.New("581063"))
	if err != nil {
		t.Fatal(err)
	}
	var secret corev1.Secret
	if err := s.api.Get(t.Context(), client.ObjectKey{Namespace: system, Name: key.SecretName()}, &secret); err != nil {
		t.Fatal(err)
	}
	entry.secret = nil
	shown := fmt.Sprintf("%+v %v %v", entry, secret.Annotations, secret.Labels)
	for _, value := range []string{"EAAGtoken", "581063", "code-a"} {
		if strings.Contains(shown, value) {
			t.Errorf("%q is shown in %s", value, shown)
		}
	}
	if CodeHash(redact.New("581063")) == PINHash("", redact.New("581063")) {
		t.Error("hashes for different purposes must differ")
	}
}

func TestForgetSparesANewEntry(t *testing.T) {
	s := newStore(t)
	s.reserve(t, codeA)
	view := s.read(t)
	s.begin(t)
	if err := s.Forget(t.Context(), view); !errors.Is(err, ErrConflict) {
		t.Errorf("forgetting an entry that changed gave %v, want ErrConflict", err)
	}
	if err := s.Forget(t.Context(), s.read(t)); err != nil {
		t.Fatal(err)
	}
	if s.read(t).Exists() {
		t.Error("the entry is still there")
	}
}

func TestRecentAttempts(t *testing.T) {
	now := start
	all := []time.Time{now.Add(-100 * time.Hour), now.Add(-72 * time.Hour), now.Add(-71 * time.Hour), now}
	if diff := cmp.Diff(all[2:], RecentAttempts(all, now)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(all) != 4 {
		t.Error("the input was changed")
	}
}
