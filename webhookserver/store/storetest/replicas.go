package storetest

import (
	"fmt"
	"sync"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

var replicaCases = map[string]func(*world){
	"replicas count each other while they beat":          replicasCount,
	"one that left counts no more, a name is needed":     replicasLeave,
	"many that beat at once see each other in the end":   replicasAtOnce,
	"one that comes back after its silence counts again": replicasReturn,
	"what is received elsewhere is told and forgotten":   replicasReceive,
}

func (w *world) beat(owner string, want int, reason string) {
	w.Helper()
	alive, err := w.store.Beat(w.Context(), owner)
	w.must(err)
	w.equal(want, alive, reason)
}

func replicasCount(w *world) {
	w.beat("a", 1, "alone")
	w.beat("b", 2, "the second")
	w.advance(store.ReplicaBeat)
	w.beat("a", 2, "both beat lately")
	w.advance(store.ReplicaSilence - store.ReplicaBeat)
	w.beat("a", 1, "the other one has been silent for too long")
	w.reopen()
	w.beat("c", 2, "a restart forgets nobody who is alive")
}

func replicasLeave(w *world) {
	w.beat("a", 1, "alone")
	w.beat("b", 2, "the second")
	w.must(w.store.Leave(w.Context(), "b"))
	w.must(w.store.Leave(w.Context(), "b"))
	w.beat("a", 1, "the other one has left")
	for _, name := range []string{"", "a\x00"} {
		_, err := w.store.Beat(w.Context(), name)
		w.wantErr(err, store.ErrInvalid, "a name that can't be stored")
	}
}

func replicasAtOnce(w *world) {
	var group sync.WaitGroup
	for range 3 {
		for _, name := range []string{"a", "b", "c", "d"} {
			group.Go(func() {
				if _, err := w.store.Beat(w.Context(), name); err != nil {
					w.Error(err)
				}
			})
		}
		group.Wait()
		w.advance(store.ReplicaSilence) // each finds the others' rows to forget
	}
	w.beat("a", 1, "all have been silent")
}

func replicasReturn(w *world) {
	w.beat("a", 1, "alone")
	w.advance(2 * store.ReplicaSilence)
	w.beat("a", 1, "its own silence does not count against it")
	w.beat("b", 2, "nor hides it from others")
}

func replicasReceive(w *world) {
	told := func(reason string, want ...store.Received) {
		w.Helper()
		got, err := w.store.Received(w.Context())
		w.must(err)
		w.equal(fmt.Sprint(want), fmt.Sprint(got), reason)
	}
	told("at first")
	w.must(w.store.Receive(w.Context(), "in-1", map[string]int64{"line-a": 3, "line-b": 1}))
	w.must(w.store.Receive(w.Context(), "in-2", map[string]int64{"line-a": 5}))
	w.must(w.store.Receive(w.Context(), "in-1", map[string]int64{"line-a": 4}))
	told("totals", store.Received{Owner: "in-1", Line: "line-a", Total: 7}, store.Received{Owner: "in-1", Line: "line-b", Total: 1}, store.Received{Owner: "in-2", Line: "line-a", Total: 5})
	w.beat("a", 1, "who only receives is none of those who send")
	w.advance(store.ReplicaSilence)
	w.must(w.store.Receive(w.Context(), "in-2", map[string]int64{"line-a": 1}))
	told("who is silent is forgotten", store.Received{Owner: "in-2", Line: "line-a", Total: 6})
	w.wantErr(w.store.Receive(w.Context(), "", map[string]int64{"line-a": 1}), store.ErrInvalid, "no name")
	w.wantErr(w.store.Receive(w.Context(), "in-2", map[string]int64{"a\x00": 1}), store.ErrInvalid, "a line that can't be stored")
}
