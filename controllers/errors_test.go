package controllers

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
)

func TestClassify(t *testing.T) {
	secrets := schema.GroupResource{Resource: "secrets"}
	for _, tc := range []struct {
		why    string
		err    error
		state  state
		reason string
		after  time.Duration
		held   bool
	}{
		{why: "our own word wins over what it wraps", err: stalledBy(&meta.Error{Outcome: meta.Throttled}, v1alpha1.ReasonWrongApp, "x"), state: stateStalled, reason: v1alpha1.ReasonWrongApp},
		{why: "also below more text", err: fmt.Errorf("step: %w", waiting(v1alpha1.ReasonAwaitingApproval, "x")), state: stateWaiting, reason: v1alpha1.ReasonAwaitingApproval},
		{why: "Meta's hint decides", err: &meta.Error{Outcome: meta.Throttled, HTTPStatus: 403, RetryAfter: time.Minute}, state: stateRetry, reason: v1alpha1.ReasonThrottled, after: time.Minute},
		{why: "our own limit is no failure", err: &meta.Error{Outcome: meta.Throttled, RetryAfter: time.Second}, state: stateRetry, reason: v1alpha1.ReasonThrottled, after: time.Second, held: true},
		{why: "a dead token needs a person", err: &meta.Error{Outcome: meta.Rejected, Class: meta.ClassTokenInvalid}, state: stateStalled, reason: v1alpha1.ReasonInvalidAccessToken},
		{why: "so does lost access", err: &meta.Error{Outcome: meta.Rejected, Class: meta.ClassObjectNotVisible}, state: stateStalled, reason: v1alpha1.ReasonPermissionDenied},
		{why: "a wrong app secret is named as such", err: &meta.Error{Outcome: meta.Rejected, Class: meta.ClassAppSecretProofInvalid}, state: stateStalled, reason: v1alpha1.ReasonAppSecretInvalid},
		{why: "any other refusal too", err: &meta.Error{Outcome: meta.Rejected, Class: meta.ClassInvalid}, state: stateStalled, reason: v1alpha1.ReasonRejected},
		{why: "an unknown outcome of a read is tried again", err: &meta.Error{Outcome: meta.Unknown}, state: stateRetry, reason: v1alpha1.ReasonGraphUnreachable},
		{why: "so is what was not sent", err: &meta.Error{Outcome: meta.NotSent, Class: meta.ClassNetwork}, state: stateRetry, reason: v1alpha1.ReasonGraphUnreachable},
		{why: "and what a proxy kept from Meta", err: &meta.Error{Outcome: meta.NotSent, Class: meta.ClassBadResponse, HTTPStatus: 403}, state: stateRetry, reason: v1alpha1.ReasonGraphUnreachable},
		{why: "unless it never can be", err: &meta.Error{Outcome: meta.NotSent, Class: meta.ClassInvalid}, state: stateStalled, reason: v1alpha1.ReasonRejected},
		{why: "a missing Secret may appear", err: &missingSecretError{field: "f", name: "n"}, state: stateRetry, reason: v1alpha1.ReasonSecretNotFound},
		{why: "a conflict is somebody else's write", err: apierrors.NewConflict(secrets, "n", errors.New("x")), state: stateRetry, reason: v1alpha1.ReasonProgressing, after: time.Second, held: true},
		{why: "the rest is ours", err: errors.New("token EAAG1234567890abcdef"), state: stateRetry, reason: v1alpha1.ReasonInternalError},
	} {
		got := classify(tc.err)
		if got.state != tc.state || got.reason != tc.reason || got.after != tc.after || got.held != tc.held {
			t.Errorf("%s: got %+v", tc.why, got)
		}
		if got.message == "" || strings.Contains(got.message, "EAAG") {
			t.Errorf("%s: the message is %q", tc.why, got.message)
		}
		if meta.OutcomeOf(tc.err) == meta.Rejected && (rejectedRemedy[got.reason] == "" || !strings.Contains(got.message, rejectedRemedy[got.reason])) {
			t.Errorf("%s: the message does not say what to do: %q", tc.why, got.message)
		}
		if barred := meta.OutcomeOf(tc.err) == meta.NotSent && meta.ClassOf(tc.err) == meta.ClassBadResponse; barred != strings.Contains(got.message, barredRemedy) {
			t.Errorf("%s: the message tells of a proxy or does not: %q", tc.why, got.message)
		}
	}
}

func TestBackoff(t *testing.T) {
	within := func(got, want time.Duration) bool { return got >= want*8/10 && got <= want*12/10 }
	for failures, want := range map[int32]time.Duration{
		0: firstBackoff, 1: firstBackoff, 2: 2 * firstBackoff, 3: 4 * firstBackoff, 20: maxBackoff, 1 << 30: maxBackoff,
	} {
		if got := backoff(failures); !within(got, want) {
			t.Errorf("after %d failures: %s, want about %s", failures, got, want)
		}
	}
	if got := secretBackoff(secretPatience - time.Second); got != secretInterval {
		t.Errorf("a Secret that has just gone missing is looked for after %s", got)
	}
	if got := secretBackoff(secretPatience); !within(got, secretPatience/2) {
		t.Errorf("a Secret that is missing for two minutes is looked for after %s", got)
	}
}

func TestScheduleCountsAndForgets(t *testing.T) {
	now := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	var failures *int32
	var next *metav1.Time
	a := attempts{failures: &failures, next: &next}
	for want := int32(1); want <= 3; want++ {
		res := a.schedule(verdict{state: stateRetry}, now, now)
		if failures == nil || *failures != want || next == nil || res.RequeueAfter <= 0 {
			t.Fatalf("failure %d was not recorded: %v %v %v", want, failures, next, res)
		}
	}
	if res := a.schedule(verdict{state: stateRetry, held: true, after: time.Second}, now, now); *failures != 3 || res.RequeueAfter != time.Second {
		t.Error("our own rate limit counts as a failure")
	}
	if res := a.schedule(verdict{state: stateRetry, secret: true}, now, now); next != nil || res.RequeueAfter != secretInterval {
		t.Error("the quick looks for a Secret must not be announced: each would be a write")
	}
	if res := a.schedule(verdict{state: stateStalled}, now, now); failures != nil || next != nil || res.RequeueAfter != 0 {
		t.Error("a Stalled object announces an attempt")
	}
}
