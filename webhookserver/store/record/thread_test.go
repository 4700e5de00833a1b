package record

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

const (
	active  = store.ConversationActive
	waiting = store.ConversationWaiting
)

func TestAwait(t *testing.T) {
	const now = 100_000
	debounce, most := store.ReplyDebounce.Milliseconds(), store.ReplyDueAtMost.Milliseconds()
	for _, tc := range []struct {
		reason       string
		thread, want Thread
	}{
		{"the first message waits for another one",
			Thread{State: active}, Thread{State: active, FirstUnansweredID: 7, FirstUnansweredAt: now, ReplyDueAt: now + debounce}},
		{"a further one postpones the reply, and leaves the first as it is",
			Thread{State: active, FirstUnansweredID: 3, FirstUnansweredAt: now - 10}, Thread{State: active, FirstUnansweredID: 3, FirstUnansweredAt: now - 10, ReplyDueAt: now + debounce}},
		{"somebody who keeps typing is answered nevertheless",
			Thread{State: active, FirstUnansweredID: 3, FirstUnansweredAt: now - most + 1}, Thread{State: active, FirstUnansweredID: 3, FirstUnansweredAt: now - most + 1, ReplyDueAt: now + 1}},
		{"a person answers: nothing becomes due",
			Thread{State: waiting}, Thread{State: waiting, FirstUnansweredID: 7, FirstUnansweredAt: now}},
	} {
		got := tc.thread
		got.Await(7, now)
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tc.reason, diff)
		}
	}
}

func TestTakeNames(t *testing.T) {
	known := Thread{Name: "Ana", Username: "ana", LastUserAt: 50}
	for _, tc := range []struct {
		reason  string
		id      store.Identity
		at      int64
		want    Thread
		changed bool
	}{
		{"what is known is not worth a write", store.Identity{Name: "Ana", Username: "ana"}, 60, known, false},
		{"what is absent says nothing", store.Identity{}, 60, known, false},
		{"a new name leaves the user name", store.Identity{Name: "Bea"}, 60, Thread{Name: "Bea", Username: "ana", LastUserAt: 50}, true},
		{"a new user name leaves the name", store.Identity{Name: "Ana", Username: "bea"}, 60, Thread{Name: "Ana", Username: "bea", LastUserAt: 50}, true},
		{"an event as new as the last one counts", store.Identity{Name: "Bea"}, 50, Thread{Name: "Bea", Username: "ana", LastUserAt: 50}, true},
		{"an older one comes late", store.Identity{Name: "Bea"}, 49, known, false},
	} {
		got := known
		if changed := got.TakeNames(tc.id, tc.at); changed != tc.changed {
			t.Errorf("%s: changed is %t", tc.reason, changed)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tc.reason, diff)
		}
	}
}

func TestAbsorb(t *testing.T) {
	const now = 1000
	for _, tc := range []struct {
		reason           string
		into, from, want Thread
	}{
		{"what is unanswered in both follows what is there, and is due as the earlier one was",
			Thread{ID: 2, State: active, LastSeq: 5, AnsweredSeq: 4, FirstUnansweredID: 30, FirstUnansweredAt: 300, ReplyDueAt: 400, LastUserAt: 300},
			Thread{ID: 1, State: active, LastSeq: 9, AnsweredSeq: 7, FirstUnansweredID: 20, FirstUnansweredAt: 200, ReplyDueAt: 350, LastUserAt: 250},
			Thread{ID: 2, State: active, LastSeq: 7, AnsweredSeq: 4, FirstUnansweredID: 20, FirstUnansweredAt: 200, ReplyDueAt: 350, LastUserAt: 300}},
		{"nothing unanswered in the one: 0 means none, not early",
			Thread{ID: 2, State: active, LastSeq: 5, AnsweredSeq: 5, LastUserAt: 100},
			Thread{ID: 1, State: active, LastSeq: 1, FirstUnansweredID: 20, FirstUnansweredAt: 200, ReplyDueAt: 350, LastUserAt: 200},
			Thread{ID: 2, State: active, LastSeq: 6, AnsweredSeq: 5, FirstUnansweredID: 20, FirstUnansweredAt: 200, ReplyDueAt: 350, LastUserAt: 200}},
		{"nothing unanswered in the other",
			Thread{ID: 2, State: active, LastSeq: 1, FirstUnansweredID: 20, FirstUnansweredAt: 200, ReplyDueAt: 350},
			Thread{ID: 1, State: active, LastSeq: 5, AnsweredSeq: 5},
			Thread{ID: 2, State: active, LastSeq: 1, FirstUnansweredID: 20, FirstUnansweredAt: 200, ReplyDueAt: 350}},
		{"a person who looks at the one looks at both",
			Thread{ID: 2, State: active, FirstUnansweredID: 20, FirstUnansweredAt: 200, ReplyDueAt: 350},
			Thread{ID: 1, State: waiting},
			Thread{ID: 2, State: waiting, FirstUnansweredID: 20, FirstUnansweredAt: 200}},
		{"the other's messages do not make a waiting one due",
			Thread{ID: 2, State: waiting},
			Thread{ID: 1, State: active, LastSeq: 1, FirstUnansweredID: 20, FirstUnansweredAt: 200, ReplyDueAt: 350},
			Thread{ID: 2, State: waiting, LastSeq: 1, FirstUnansweredID: 20, FirstUnansweredAt: 200}},
		{"what waited for a person in the one is due, since the assistant was given the other later",
			Thread{ID: 2, State: active, ResumedAt: 300},
			Thread{ID: 1, State: active, LastSeq: 1, FirstUnansweredID: 20, FirstUnansweredAt: 200, PersonAt: 210},
			Thread{ID: 2, State: active, LastSeq: 1, FirstUnansweredID: 20, FirstUnansweredAt: 200, ReplyDueAt: now + store.ReplyDebounce.Milliseconds(), PersonAt: 210, ResumedAt: 300}},
		{"the later phone stays",
			Thread{ID: 2, State: active, Phone: "1", PhoneAt: 10},
			Thread{ID: 1, State: active, Phone: "2", PhoneAt: 20},
			Thread{ID: 2, State: active, Phone: "2", PhoneAt: 20}},
		{"an earlier phone goes",
			Thread{ID: 2, State: active, Phone: "1", PhoneAt: 20},
			Thread{ID: 1, State: active, Phone: "2", PhoneAt: 10},
			Thread{ID: 2, State: active, Phone: "1", PhoneAt: 20}},
		{"a phone that was given up does not replace one",
			Thread{ID: 2, State: active, Phone: "1", PhoneAt: 10},
			Thread{ID: 1, State: active, PhoneAt: 20},
			Thread{ID: 2, State: active, Phone: "1", PhoneAt: 10}},
	} {
		got := tc.into
		got.Absorb(&tc.from, now)
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tc.reason, diff)
		}
	}
}
