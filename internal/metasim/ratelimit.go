package metasim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// The management limits of https://developers.facebook.com/docs/graph-api/overview/rate-limiting, per rolling hour.
const (
	limitNewWABA    = 200   // no registered number yet, that is while onboarding
	limitActiveWABA = 5_000 // also the limit of the credit endpoints
	rateMinutes     = 60

	creditObject = "credit" // the credit endpoints of an app share one limit
)

// rateWindow counts calls of the last hour in buckets of a minute.
type rateWindow struct {
	minute [rateMinutes]int64 // which minute the bucket counts
	calls  [rateMinutes]int
}

func (r *rateWindow) total(now time.Time) int {
	current, sum := now.Unix()/60, 0
	for i, m := range r.minute {
		if current-m < rateMinutes {
			sum += r.calls[i]
		}
	}
	return sum
}

func (r *rateWindow) add(now time.Time) {
	current := now.Unix() / 60
	i := current % rateMinutes
	if r.minute[i] != current {
		r.minute[i], r.calls[i] = current, 0
	}
	r.calls[i]++
}

// throttle counts a management call, writes the usage headers and refuses what is over the limit. Requires mu.
func (s *Simulator) throttle(c *call, class rateClass, h http.Header) *graphError {
	object, limit := s.limited(c, class)
	if object == "" {
		s.usageHeaders(h, "", 0, 0)
		return nil
	}
	appID := c.str("client_id")
	if c.token != nil {
		appID = c.token.appID
	}
	win := s.st.rates[appID+"/"+object]
	if win == nil {
		win = &rateWindow{}
		s.st.rates[appID+"/"+object] = win
	}
	used := win.total(s.now())
	if used >= limit && s.sw.EnforceRateLimits {
		s.usageHeaders(h, object, 100, rateMinutes)
		e := errf(80007, "There have been too many calls to this WhatsApp Business account. Wait a bit and try again.").status(s.sw.ThrottleHTTPStatus)
		e.header = h
		return e
	}
	win.add(s.now())
	s.usageHeaders(h, object, used*100/limit, 0)
	return nil
}

// limited says whose calls are counted and how many are allowed; "" stands for calls without a limit. Requires mu.
func (s *Simulator) limited(c *call, class rateClass) (object string, limit int) {
	switch class {
	case rateCredit:
		return creditObject, limitActiveWABA
	case rateWABA:
		w := s.st.wabas[c.objectID]
		if p := s.st.phones[c.objectID]; p != nil {
			w = p.waba
		}
		if w != nil {
			return w.ID, w.callLimit()
		}
	case rateNone:
	}
	return "", 0
}

func (w *wabaState) callLimit() int {
	for _, p := range w.phones {
		if p.Registered {
			return limitActiveWABA
		}
	}
	return limitNewWABA
}

// usageHeaders reports percentages; the time to regain access is in minutes.
func (s *Simulator) usageHeaders(h http.Header, object string, percent, minutes int) {
	h.Set("X-App-Usage", fmt.Sprintf(`{"call_count":%d,"total_time":%d,"total_cputime":%d}`, percent, percent, percent))
	if object == "" || object == creditObject {
		return
	}
	b, err := json.Marshal(map[string]any{object: []any{map[string]any{
		"type": s.sw.BusinessUsageType, "call_count": percent, "total_cputime": percent, "total_time": percent, "estimated_time_to_regain_access": minutes,
	}}})
	if err == nil {
		h.Set("X-Business-Use-Case-Usage", string(b))
	}
}
