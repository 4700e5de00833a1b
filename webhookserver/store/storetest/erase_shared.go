package storetest

import (
	"fmt"
	"strings"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// both is JSON that names the erased person and a neighbour, each in a message of his own.
func both() []byte {
	return fmt.Appendf(nil, `{"phone_number_id":%q,"messages":[{"from":%q,"body":"private"},{"from":"4915100000002","body":"the neighbour's"}]}`, number, erasedPhone)
}

// eraseShared: what others wrote in the same batch was acknowledged, too.
func eraseShared(w *world) {
	d := &store.Delivery{
		App: app,
		Raw: []store.RawChange{
			{App: app, Line: line, PhoneNumberID: number, Field: "history", Raw: both()},
		},
		Unclaimed:   []store.UnclaimedChange{{App: app, PhoneNumberID: number, Field: "messages", Raw: both()}},
		DeadLetters: []store.DeadLetter{{App: app, Line: line, Kind: "change", Reason: "odd", Raw: both()}},
	}
	w.deliver(d)
	w.quarantine(both())
	e := store.Erasure{Line: line, PhoneNumberID: number, Phone: erasedPhone}
	w.equal(store.Erased{Changes: 1, Unclaimed: 1, DeadLetters: 1, QuarantinedKept: 1}, w.erase(e), "what lost his part")
	left := w.everything()
	w.equal(4, strings.Count(left, "the neighbour's"), "the neighbour's messages\n"+left)
	w.equal([]int{1, 1}, []int{strings.Count(left, erasedPhone), strings.Count(left, "private")}, "left of him: what can't be cut\n"+left)
	w.deliver(d)
	w.equal(left, w.everything(), "a copy brings nothing back")
	w.equal(store.Erased{QuarantinedKept: 1}, w.erase(e), "the second time")
}
