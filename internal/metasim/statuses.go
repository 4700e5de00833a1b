package metasim

import (
	"context"
	"strconv"
	"time"
)

// outMessage is an accepted send on its way to the customer.
type outMessage struct {
	wamid      string
	phone      *phoneState
	customer   *Customer
	opaque     string
	acceptedAt time.Time
	reaction   bool
	failure    *graphError
	entry      *ConversationEntry
	emitted    []emittedStatus
	free       bool
	counted    bool
}

type emittedStatus struct {
	status string
	at     time.Time
}

type statusStep struct {
	status string
	delay  time.Duration // since the send
}

// statusPlan lists the webhooks of a send in the order in which they leave. Requires mu.
func (s *Simulator) statusPlan(out *outMessage) []statusStep {
	sent, delivered, read := time.Duration(s.sw.SentDelay), time.Duration(s.sw.DeliveredDelay), time.Duration(s.sw.ReadDelay)
	switch {
	case s.sw.StatusMode == "never":
		return nil
	case out.failure != nil:
		return []statusStep{{"failed", sent}}
	case out.reaction:
		return []statusStep{{"sent", sent}}
	}
	if s.sw.LostStatuses+s.sw.LateStatuses > 0 {
		switch fate := s.rng.Float64(); {
		case fate < s.sw.LostStatuses:
			return nil
		case fate < s.sw.LostStatuses+s.sw.LateStatuses:
			late := time.Duration(s.sw.LateStatusDelay)
			sent, delivered, read = sent+late, delivered+late, read+late
		}
	}
	plan := []statusStep{{"sent", sent}, {"delivered", delivered}, {"read", read}}
	switch s.sw.StatusMode {
	case "skip_delivered":
		return []statusStep{plan[0], plan[2]}
	case "reorder":
		return []statusStep{{"read", sent}, {"delivered", delivered}, {"sent", read}}
	case "duplicate":
		return []statusStep{plan[0], plan[0], plan[1], plan[1], plan[2], plan[2]}
	}
	return plan
}

// spawnStatuses requires mu.
func (s *Simulator) spawnStatuses(out *outMessage) {
	plan := s.statusPlan(out)
	s.spawn(func(ctx context.Context) {
		var passed time.Duration
		for _, step := range plan {
			if !wait(ctx, step.delay-passed) {
				return
			}
			passed = max(passed, step.delay)
			s.emitStatus(out, step.status)
		}
	})
}

var statusRank = map[string]int{"accepted": 0, "sent": 1, "delivered": 2, "read": 3, "failed": 4}

func (s *Simulator) emitStatus(out *outMessage, status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	out.emitted = append(out.emitted, emittedStatus{status, now})
	if statusRank[status] > statusRank[out.entry.Status] {
		out.entry.Status = status
		s.touch()
	}
	st := map[string]any{
		"id": out.wamid, "status": status, "timestamp": s.timestamp(now), "recipient_user_id": s.bsuid(out.phone.waba, out.customer),
	}
	if !s.hidesPhone(out.customer) {
		st["recipient_id"] = out.customer.WaID
	}
	if out.opaque != "" && (status != "failed" || !s.sw.OmitOpaqueDataOnFailed) {
		st["biz_opaque_callback_data"] = out.opaque
	}
	if status == "failed" {
		out.entry.Error = out.failure.code
		st["errors"] = []any{map[string]any{
			"code": out.failure.code, "title": out.failure.message, "message": out.failure.message,
			"error_data": map[string]any{"details": out.failure.details}, "href": "/docs/whatsapp/cloud-api/support/error-codes/",
		}}
	}
	if s.carriesPrice(out, status) {
		st["pricing"] = s.price(out, now)
	}
	value := s.envelope(out.phone)
	value["statuses"] = []any{st}
	s.publish(event{waba: out.phone.waba, phone: out.phone, field: "messages", value: value})
}

// carriesPrice: pricing comes with sent and with the first of delivered and read.
func (s *Simulator) carriesPrice(out *outMessage, status string) bool {
	if status == "sent" {
		return true
	}
	if status != "delivered" && status != "read" {
		return false
	}
	arrivals := 0
	for _, e := range out.emitted {
		if e.status == "delivered" || e.status == "read" {
			arrivals++
		}
	}
	return arrivals == 1
}

// price decides once per message whether it is within the free allowance of its number and month.
func (s *Simulator) price(out *outMessage, now time.Time) map[string]any {
	if !out.counted {
		out.counted, out.free = true, out.phone.freeLeft(now, s.sw.FreeServiceMessages) > 0
		out.phone.freeUsed++
	}
	kind := "regular"
	if out.free {
		kind = "free_customer_service"
	}
	return map[string]any{"billable": !out.free, "pricing_model": "PMP", "type": kind, "category": "service"}
}

func (p *phoneState) freeLeft(now time.Time, allowance int) int {
	if m := now.UTC().Format("2006-01"); p.month != m {
		p.month, p.freeUsed = m, 0
	}
	return max(0, allowance-p.freeUsed)
}

// timestamp is unix seconds as text, or the milliseconds that are seen at times.
func (s *Simulator) timestamp(t time.Time) string {
	if s.sw.MillisecondTimestamps {
		return strconv.FormatInt(t.UnixMilli(), 10)
	}
	return strconv.FormatInt(t.Unix(), 10)
}

// envelope is the part of value that every messages webhook of a number shares.
func (s *Simulator) envelope(p *phoneState) map[string]any {
	return map[string]any{
		"messaging_product": "whatsapp",
		"metadata":          map[string]any{"display_phone_number": p.digits(), "phone_number_id": p.ID},
	}
}

func (s *Simulator) hidesPhone(cu *Customer) bool { return cu.HidePhone || s.sw.BSUIDOnly }

// publishPartnerEvent sends account_update to an app. Its entry carries the id of a portfolio, not of the account.
func (s *Simulator) publishPartnerEvent(app *appState, w *wabaState, name string) {
	entryID := w.OwnerBusinessID
	if s.sw.PartnerEntryID == "waba" {
		entryID = w.ID
	}
	s.publish(event{waba: w, field: "account_update", entryID: entryID, timed: true, apps: []string{app.ID}, value: map[string]any{
		"event": name, "waba_info": map[string]any{"waba_id": w.ID, "owner_business_id": w.OwnerBusinessID},
	}})
}

// Statuses returns the status webhooks that a message has produced so far, in order.
func (s *Simulator) Statuses(wamid string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.st.sent[wamid]
	if out == nil {
		return nil
	}
	names := make([]string, 0, len(out.emitted))
	for _, e := range out.emitted {
		names = append(names, e.status)
	}
	return names
}
