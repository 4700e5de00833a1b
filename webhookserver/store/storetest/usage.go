package storetest

import (
	"errors"
	"sync"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

func charged(q store.Quota) store.Outcome {
	return store.Outcome{Kind: store.OutcomeAnswered, Quota: &q}
}

// usages are periods with what was used in them, as "conversations messages billed free tokens".
func (w *world) usages() map[string][5]int64 {
	w.Helper()
	all, err := w.store.Usages(w.Context(), line, 100)
	w.must(err)
	out := map[string][5]int64{}
	for _, u := range all {
		out[u.Period] = [5]int64{u.Conversations, u.Messages, u.Billed, u.Free, u.Tokens}
	}
	return out
}

// asks lets a customer write, and claims the turn.
func (w *world) asks(wamid, bsuid string) *store.Turn {
	w.Helper()
	w.ingest(w.text(wamid, bsuid))
	return w.claim()
}

func (w *world) wantLimit(err error, want store.Limit, reason string) {
	w.Helper()
	e, ok := errors.AsType[*store.LimitError](err)
	if !ok || e.Limit != want || !errors.Is(err, store.ErrLimitReached) {
		w.Errorf("%s: error %v, want %s", reason, err, want)
	}
}

func (w *world) reached(turn *store.Turn, q store.Quota) store.Limit {
	w.Helper()
	l, err := w.store.Reached(w.Context(), turn, q)
	w.must(err)
	return l
}

var usageCases = map[string]func(*world){
	"replies are counted in month and day of the time zone": func(w *world) {
		w.must(w.store.CommitReply(w.Context(), w.asks("m1", "US.1"), drafts("a", "b"), charged(store.Quota{TimeZone: "Pacific/Auckland"})))
		w.must(w.store.CommitReply(w.Context(), w.asks("m2", "US.1"), drafts("c"), charged(store.Quota{TimeZone: "Pacific/Auckland"})))
		w.must(w.store.CommitReply(w.Context(), w.asks("m3", "US.2"), drafts("d"), charged(store.Quota{TimeZone: "Pacific/Auckland"})))
		w.reply("m4", "US.3", "nobody counts this one")
		w.equal(map[string][5]int64{"2026-03": {2, 4, 0, 0, 0}, "2026-03-02": {0, 4, 0, 0, 0}}, w.usages(), "noon in UTC is tomorrow in Auckland")
		err := w.store.CommitReply(w.Context(), w.asks("m5", "US.1"), drafts("e"), charged(store.Quota{TimeZone: "Mars/Phobos"}))
		w.wantErr(err, store.ErrInvalid, "a time zone that does not exist")
	},
	"a limit refuses the reply and leaves the turn": func(w *world) {
		for name, q := range map[store.Limit]store.Quota{
			store.LimitMessages: {MessagesPerMonth: new(int64(1))}, store.LimitDay: {MessagesPerDay: new(int64(1))},
			store.LimitCustomer: {CustomerMessagesPerHour: new(int64(1))}, store.LimitConversations: {ConversationsPerMonth: new(int64(0))},
		} {
			turn := w.asks("m-"+string(name), "US."+string(name))
			w.wantLimit(w.store.CommitReply(w.Context(), turn, drafts("a", "b"), charged(q)), name, "two messages above "+string(name))
			w.must(w.store.CommitReply(w.Context(), turn, drafts("limit"), store.Outcome{Kind: store.OutcomeHandOff, Reason: "LimitReached"}))
		}
		w.equal(map[string][5]int64{}, w.usages(), "nothing was counted")
		w.equal(store.LimitDay, w.reached(w.asks("m9", "US.9"), store.Quota{MessagesPerDay: new(int64(0))}), "Reached tells before")
	},
	"an AI conversation lasts a day": func(w *world) {
		q := store.Quota{ConversationsPerMonth: new(int64(2))}
		w.must(w.store.CommitReply(w.Context(), w.asks("m1", "US.1"), drafts("a"), charged(q)))
		w.advance(store.ConversationLength - time.Hour)
		w.must(w.store.CommitReply(w.Context(), w.asks("m2", "US.1"), drafts("b"), charged(q)))
		w.equal([5]int64{1, 2, 0, 0, 0}, w.usages()["2026-03"], "within a day it is one")
		w.advance(time.Hour)
		w.must(w.store.CommitReply(w.Context(), w.asks("m3", "US.1"), drafts("c"), charged(q)))
		w.wantLimit(w.store.CommitReply(w.Context(), w.asks("m4", "US.2"), drafts("d"), charged(q)), store.LimitConversations, "a third one")
		w.must(w.store.CommitReply(w.Context(), w.asks("m5", "US.1"), drafts("e"), charged(q)))
		w.equal([5]int64{2, 4, 0, 0, 0}, w.usages()["2026-03"], "those under way go on")
	},
	"a customer's rate begins anew each hour": func(w *world) {
		q := store.Quota{CustomerMessagesPerHour: new(int64(2))}
		w.must(w.store.CommitReply(w.Context(), w.asks("m1", "US.1"), drafts("a", "b"), charged(q)))
		turn := w.asks("m2", "US.1")
		w.wantLimit(w.store.CommitReply(w.Context(), turn, drafts("c"), charged(q)), store.LimitCustomer, "a third message")
		w.must(w.store.SkipTurn(w.Context(), turn, "limit"))
		w.must(w.store.CommitReply(w.Context(), w.asks("m3", "US.2"), drafts("d"), charged(q)))
		w.advance(time.Hour)
		w.must(w.store.CommitReply(w.Context(), w.asks("m4", "US.1"), drafts("e", "f"), charged(q)))
	},
	"what fails is given back, once": func(w *world) {
		w.must(w.store.CommitReply(w.Context(), w.asks("m1", "US.1"), drafts("a", "b", "c"), charged(store.Quota{})))
		refused := w.claimSend()
		w.must(w.store.MarkFailed(w.Context(), refused, 131026, "Undeliverable"))
		undelivered := w.claimSend()
		w.must(w.store.MarkAccepted(w.Context(), undelivered, "wamid.b"))
		for range 2 {
			w.deliver(&store.Delivery{App: app, Statuses: []store.Status{{
				Line: line, PhoneNumberID: number, WAMID: "wamid.b", Kind: store.StatusFailed, ErrorCode: 131049, EventTime: w.clock(), Raw: []byte(`{}`),
			}}})
		}
		w.advance(25 * time.Hour)
		w.nothingToSend("the window has closed")
		w.equal([5]int64{1, 0, 0, 0, 0}, w.usages()["2026-03"], "none of the three counts")
	},
	"Meta's price is counted once": func(w *world) {
		w.must(w.store.CommitReply(w.Context(), w.asks("m1", "US.1"), drafts("a", "b", "c"), charged(store.Quota{})))
		for i, pricing := range []string{
			`{"billable":true,"pricing_model":"PMP","type":"regular","category":"service"}`,
			`{"billable":false,"pricing_model":"PMP","type":"free_customer_service","category":"service"}`, `{}`,
		} {
			wamid := "wamid." + string(rune('a'+i))
			send := w.claimSend()
			if i > 0 {
				w.must(w.store.MarkAccepted(w.Context(), send, wamid))
			}
			for _, kind := range []store.StatusKind{store.StatusSent, store.StatusDelivered} {
				w.deliver(&store.Delivery{App: app, Statuses: []store.Status{{
					Line: line, PhoneNumberID: number, WAMID: wamid, Kind: kind, EventTime: w.clock(), Pricing: []byte(pricing), Raw: []byte(`{}`),
				}}})
			}
			if i == 0 {
				w.must(w.store.MarkAccepted(w.Context(), send, wamid)) // the status was faster
			}
		}
		w.equal([5]int64{1, 3, 1, 1, 0}, w.usages()["2026-03"], "one is billed, one free, one unknown")
	},
	"the first price that Meta tells counts, until the message fails": func(w *world) {
		const billed = `{"billable":true,"pricing_model":"PMP","type":"regular","category":"service"}`
		const free = `{"billable":false,"pricing_model":"PMP","type":"free_customer_service","category":"service"}`
		tells := func(wamid string, kind store.StatusKind, pricing string) {
			w.Helper()
			w.deliver(&store.Delivery{App: app, Statuses: []store.Status{{
				Line: line, PhoneNumberID: number, WAMID: wamid, Kind: kind, EventTime: w.clock(), Pricing: []byte(pricing), Raw: []byte(`{}`),
			}}})
		}
		w.must(w.store.CommitReply(w.Context(), w.asks("m1", "US.1"), drafts("a", "b", "c", "d"), charged(store.Quota{})))
		for _, wamid := range []string{"a", "b", "c", "d"} {
			w.must(w.store.MarkAccepted(w.Context(), w.claimSend(), wamid))
		}
		tells("a", store.StatusSent, `{"billable":true,"category":"service"}`) // as before types
		tells("a", store.StatusDelivered, `{"billable":true,"type":"regular","category":"marketing"}`)
		tells("b", store.StatusSent, free)
		tells("b", store.StatusRead, billed)
		tells("c", store.StatusSent, billed)
		tells("c", store.StatusSent, billed)
		tells("d", store.StatusSent, free)
		w.equal([5]int64{1, 4, 2, 2, 0}, w.usages()["2026-03"], "each price once, whatever category it has")
		w.reopen()
		for _, wamid := range []string{"c", "d"} {
			for range 2 {
				tells(wamid, store.StatusFailed, "")
			}
			tells(wamid, store.StatusSent, billed)
		}
		w.equal([5]int64{1, 2, 1, 1, 0}, w.usages()["2026-03"], "what failed is given back with its price")
		w.equal([5]int64{0, 2, 0, 0, 0}, w.usages()["2026-03-01"], "and for the day")
	},
	"what was sent after all counts again, once": func(w *world) {
		tells := func(kind store.StatusKind, callback, pricing string) {
			w.Helper()
			w.deliver(&store.Delivery{App: app, Statuses: []store.Status{{
				Line: line, PhoneNumberID: number, WAMID: "wamid.a", Kind: kind, CallbackData: callback, EventTime: w.clock(), Pricing: []byte(pricing), Raw: []byte(`{}`),
			}}})
		}
		w.must(w.store.CommitReply(w.Context(), w.asks("m1", "US.1"), drafts("a"), charged(store.Quota{})))
		send := w.claimSend()
		w.must(w.store.MarkFailed(w.Context(), send, 131026, "Undeliverable"))
		w.equal([5]int64{1, 0, 0, 0, 0}, w.usages()["2026-03"], "it was refused")
		tells(store.StatusSent, send.ID, "")
		w.equal([5]int64{1, 1, 0, 0, 0}, w.usages()["2026-03"], "no, Meta has it")
		tells(store.StatusFailed, "", `{"type":"regular"}`)
		w.equal([5]int64{1, 0, 0, 0, 0}, w.usages()["2026-03"], "and could not deliver it")
		w.advance(24 * time.Hour)
		tells(store.StatusDelivered, "", "")
		tells(store.StatusRead, "", "")
		w.equal(map[string][5]int64{"2026-03": {1, 1, 1, 0, 0}, "2026-03-01": {0, 1, 0, 0, 0}}, w.usages(), "but on another device of the customer it did, for its price")
	},
	"what is settled after midnight counts where it was reserved": func(w *world) {
		w.advance(time.Date(2026, 4, 1, 3, 59, 0, 0, time.UTC).Sub(w.clock())) // a minute before April in New York, which has gone to summer time
		q := store.Quota{TimeZone: "America/New_York", MessagesPerMonth: new(int64(2)), MessagesPerDay: new(int64(2))}
		w.must(w.store.CommitReply(w.Context(), w.asks("m1", "US.1"), drafts("a", "b"), charged(q)))
		full := w.asks("m2", "US.2")
		w.wantLimit(w.store.CommitReply(w.Context(), full, drafts("c"), charged(q)), store.LimitMessages, "March is used up")
		first := w.claimSend()
		w.advance(time.Minute)
		w.must(w.store.CommitReply(w.Context(), full, drafts("c"), charged(q)))
		w.must(w.store.MarkAccepted(w.Context(), first, "a"))
		w.deliver(&store.Delivery{App: app, Statuses: []store.Status{{
			Line: line, PhoneNumberID: number, WAMID: "a", Kind: store.StatusSent, EventTime: w.clock(), Pricing: []byte(`{"type":"regular"}`), Raw: []byte(`{}`),
		}}})
		w.must(w.store.MarkFailed(w.Context(), w.claimSend(), 131026, "Undeliverable"))
		w.equal(map[string][5]int64{"2026-03": {1, 1, 1, 0, 0}, "2026-03-31": {0, 1, 0, 0, 0}, "2026-04": {1, 1, 0, 0, 0}, "2026-04-01": {0, 1, 0, 0, 0}}, w.usages(),
			"March has its price and its failure")
	},
	"tokens of a day": func(w *world) {
		reserve := func(line string, n int64, bound *int64) string {
			w.Helper()
			day, ok, err := w.store.ReserveTokens(w.Context(), line, "Pacific/Auckland", n, bound)
			w.must(err)
			if !ok {
				return "refused on " + day
			}
			return day
		}
		bound := new(int64(100))
		w.equal("2026-03-02", reserve(line, 60, bound), "noon in UTC is tomorrow in Auckland")
		w.equal("refused on 2026-03-02", reserve(line, 41, bound), "one above the bound")
		w.equal("2026-03-02", reserve(line, 40, bound), "exactly the bound")
		w.equal("2026-03-02", reserve("line-b", 1, bound), "another line")
		w.must(w.store.SettleTokens(w.Context(), line, "2026-03-02", -30))
		w.equal("2026-03-02", reserve(line, 30, bound), "what was given back")
		w.advance(23 * time.Hour) // midnight in Auckland
		w.equal("2026-03-03", reserve(line, 100, bound), "the next day")
		w.must(w.store.SettleTokens(w.Context(), line, "2026-03-02", 5))
		w.equal("2026-03-03", reserve(line, 7, nil), "no bound")
		w.equal(map[string][5]int64{"2026-03-02": {0, 0, 0, 0, 105}, "2026-03-03": {0, 0, 0, 0, 107}}, w.usages(), "days are told apart")
		_, _, err := w.store.ReserveTokens(w.Context(), line, "Mars/Phobos", 1, nil)
		w.wantErr(err, store.ErrInvalid, "a time zone that does not exist")
	},
	"no number of workers exceeds the tokens of a day together": func(w *world) {
		const workers, each, bound = 12, 10, 75
		var group sync.WaitGroup
		granted := make([]bool, workers)
		for i := range workers {
			group.Go(func() {
				var err error
				_, granted[i], err = w.store.ReserveTokens(w.Context(), line, "", each, new(int64(bound)))
				if err != nil {
					w.Error(err)
				}
			})
		}
		group.Wait()
		n := 0
		for _, ok := range granted {
			if ok {
				n++
			}
		}
		w.equal(bound/each, n, "so many fit")
		w.equal([5]int64{0, 0, 0, 0, bound / each * each}, w.usages()["2026-03-01"], "and no more is counted")
	},
	"no number of workers exceeds a limit together": func(w *world) {
		const workers, limit = 10, 4
		turns := make([]*store.Turn, workers)
		for i := range turns {
			turns[i] = w.asks("m"+string(rune('a'+i)), "US."+string(rune('a'+i)))
		}
		var group sync.WaitGroup
		errs := make([]error, workers)
		for i, turn := range turns {
			group.Go(func() {
				errs[i] = w.store.CommitReply(w.Context(), turn, drafts("a"), charged(store.Quota{MessagesPerMonth: new(int64(limit)), ConversationsPerMonth: new(int64(limit))}))
			})
		}
		group.Wait()
		refused := 0
		for _, err := range errs {
			if err != nil {
				w.wantErr(err, store.ErrLimitReached, "the only reason to refuse")
				refused++
			}
		}
		w.equal(workers-limit, refused, "those above the limit are refused")
		w.equal([5]int64{limit, limit, 0, 0, 0}, w.usages()["2026-03"], "and exactly the limit is used")
	},
}
