package metasim

import (
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// route is one Graph call that the simulator knows.
type route struct {
	name   string // logical name: faults, counters, journal
	open   bool   // no token needed
	rated  rateClass
	handle func(*Simulator, *call) (any, *graphError)
	// network handlers perform a handshake and so run without the lock; they take it themselves.
	network bool
}

type rateClass int

const (
	rateNone   rateClass = iota
	rateWABA             // 200 or 5,000 per hour, app and WABA
	rateCredit           // 5,000 per hour and app
)

const (
	nodeApp        = ":app"
	nodeBusiness   = ":business"
	nodeWABA       = ":waba"
	nodePhone      = ":phone"
	nodeLine       = ":credit"
	nodeAllocation = ":allocation"
	nodeMedia      = ":media"
	nodeUnknown    = ":unknown"
)

var versionPrefix = regexp.MustCompile(`^/v\d+\.\d/`)

// routes maps "METHOD node/edge" to the call. Nodes are resolved by looking the id up.
var routes = map[string]route{
	"GET oauth/access_token":  {name: "exchange", open: true, handle: (*Simulator).exchange},
	"POST oauth/access_token": {name: "exchange", open: true, handle: (*Simulator).exchange},
	"GET debug_token":         {name: "debug_token", handle: (*Simulator).debugToken},
	"GET me":                  {name: "me", handle: (*Simulator).me},

	"GET :business":                                   {name: "get_business", handle: (*Simulator).getBusiness},
	"GET :business/extendedcredits":                   {name: "list_credit_lines", rated: rateCredit, handle: (*Simulator).listCreditLines},
	"GET :business/client_whatsapp_business_accounts": {name: "list_client_wabas", handle: (*Simulator).listClientWABAs},
	"POST :business/system_user_access_tokens":        {name: "rescue_token", handle: (*Simulator).rescueToken},
	"GET :waba":                                       {name: "get_waba", rated: rateWABA, handle: (*Simulator).getWABA},
	"GET :waba/phone_numbers":                         {name: "list_phone_numbers", rated: rateWABA, handle: (*Simulator).listPhoneNumbers},
	"POST :waba/phone_numbers":                        {name: "add_phone_number", rated: rateWABA, handle: (*Simulator).addPhoneNumber},
	"GET :waba/subscribed_apps":                       {name: "list_subscribed_apps", rated: rateWABA, handle: (*Simulator).listSubscribedApps},
	"POST :waba/subscribed_apps":                      {name: "subscribe", rated: rateWABA, handle: (*Simulator).subscribe, network: true},
	"DELETE :waba/subscribed_apps":                    {name: "unsubscribe", rated: rateWABA, handle: (*Simulator).unsubscribe},
	"GET :waba/assigned_users":                        {name: "list_assigned_users", rated: rateWABA, handle: (*Simulator).listAssignedUsers},
	"POST :waba/assigned_users":                       {name: "assign_user", rated: rateWABA, handle: (*Simulator).assignUser},
	"DELETE :waba/assigned_users":                     {name: "unassign_user", rated: rateWABA, handle: (*Simulator).unassignUser},
	"GET :credit":                                     {name: "get_credit_line", rated: rateCredit, handle: (*Simulator).getCreditLine},
	"POST :credit/whatsapp_credit_sharing_and_attach": {name: "credit_share_and_attach", rated: rateCredit, handle: (*Simulator).shareAndAttach},
	"POST :credit/whatsapp_credit_sharing":            {name: "credit_share", rated: rateCredit, handle: (*Simulator).share},
	"POST :credit/whatsapp_credit_attach":             {name: "credit_attach", rated: rateCredit, handle: (*Simulator).attach},
	"GET :credit/owning_credit_allocation_configs":    {name: "list_allocations", rated: rateCredit, handle: (*Simulator).listAllocations},
	"GET :allocation":                                 {name: "get_allocation", rated: rateCredit, handle: (*Simulator).getAllocation},
	"DELETE :allocation":                              {name: "delete_allocation", rated: rateCredit, handle: (*Simulator).deleteAllocation},
	"GET :phone":                                      {name: "get_phone", rated: rateWABA, handle: (*Simulator).getPhone},
	"POST :phone":                                     {name: "update_phone", handle: (*Simulator).updatePhone, network: true},
	"POST :phone/register":                            {name: "register", handle: (*Simulator).register},
	"POST :phone/deregister":                          {name: "deregister", handle: (*Simulator).deregister},
	"POST :phone/request_code":                        {name: "request_code", handle: (*Simulator).requestCode},
	"POST :phone/verify_code":                         {name: "verify_code", handle: (*Simulator).verifyCode},
	"POST :phone/smb_app_data":                        {name: "smb_app_data", handle: (*Simulator).smbAppData},
	"POST :phone/messages":                            {name: "send", handle: (*Simulator).messages},
	"GET :phone/message_history":                      {name: "message_history", handle: (*Simulator).history},
	"POST :phone/media":                               {name: "upload_media", handle: (*Simulator).uploadMedia},
	"GET :media":                                      {name: "get_media", handle: (*Simulator).getMedia},
	"DELETE :media":                                   {name: "delete_media", handle: (*Simulator).deleteMedia},
	"GET :app/subscriptions":                          {name: "list_app_subscriptions", handle: (*Simulator).listAppSubscriptions},
	"POST :app/subscriptions":                         {name: "subscribe_app", handle: (*Simulator).subscribeApp, network: true},
	"DELETE :app/subscriptions":                       {name: "unsubscribe_app", handle: (*Simulator).unsubscribeApp},
	"GET whatsapp_business/attachments":               {name: "download_media", handle: (*Simulator).downloadMedia},
}

// serveGraph is one Graph call: parse, route, count, break it if a fault says so, authenticate, throttle, answer.
func (s *Simulator) serveGraph(w http.ResponseWriter, r *http.Request) {
	c, err := parseCall(w, r)
	if err != nil {
		c.name = "unknown"
		s.writeGraph(w, c, answer{err: err})
		return
	}
	s.mu.Lock()
	rt, rerr := s.route(c)
	s.countCall(c)
	f := s.pickFault(c)
	latency := time.Duration(s.sw.GraphLatency)
	s.mu.Unlock()
	if latency > 0 {
		s.hang(r.Context(), latency)
	}

	if f != nil && !s.faultBefore(r.Context(), w, c, f) {
		return
	}
	if f != nil && f.replacesAnswer() && !f.ApplyFirst {
		s.writeFault(w, c, f)
		return
	}
	a := answer{err: rerr}
	if rerr == nil {
		a = s.apply(c, rt)
	}
	if f != nil && s.faultAfter(r.Context(), w, c, f) {
		return
	}
	s.writeGraph(w, c, a)
}

// answer is what a call produced, before it is written.
type answer struct {
	body   any
	err    *graphError
	header http.Header
}

// rawBody is an answer that is not JSON.
type rawBody struct {
	status      int
	contentType string
	data        []byte
	location    string
}

func (s *Simulator) apply(c *call, rt route) answer {
	s.mu.Lock()
	a := answer{header: http.Header{}}
	s.usageHeaders(a.header, "", 0, 0) // refused callers get them as well
	if !rt.open {
		a.err = s.authenticate(c)
	}
	if a.err == nil {
		a.err = s.throttle(c, rt.rated, a.header)
	}
	if a.err == nil {
		s.count.Applied[c.name]++
		if !rt.network {
			a.body, a.err = rt.handle(s, c)
		}
	}
	s.mu.Unlock()
	if a.err == nil && rt.network {
		a.body, a.err = rt.handle(s, c)
	}
	return a
}

// route fills the call's logical name and object. Requires mu.
func (s *Simulator) route(c *call) (route, *graphError) {
	c.name = "unknown"
	key := c.method + " " + strings.Join(c.segments, "/")
	if rt, ok := routes[key]; ok {
		c.name = rt.name
		return rt, nil
	}
	if len(c.segments) == 0 || len(c.segments) > 2 || !digitsOnly(c.segments[0]) {
		return route{}, errf(2500, "Unknown path components: /%s", strings.Join(c.segments, "/"))
	}
	c.objectID = c.segments[0]
	kind := s.nodeKind(c.objectID)
	edge := ""
	if len(c.segments) == 2 {
		edge = "/" + c.segments[1]
	}
	if rt, ok := routes[c.method+" "+kind+edge]; ok {
		c.name = refineName(rt.name, c)
		return rt, nil
	}
	// The name does not depend on whether the object exists, so that a fault or a counter on it still matches.
	for k, rt := range routes {
		if edge != "" && strings.HasPrefix(k, c.method+" :") && strings.HasSuffix(k, edge) {
			c.name = refineName(rt.name, c)
		}
	}
	return route{}, s.invisible(c.method, c.objectID)
}

// refineName separates calls that share a path.
func refineName(name string, c *call) string {
	switch {
	case name == "send" && c.str("status") == "read":
		return "mark_read"
	case name == "update_phone" && c.raw("webhook_configuration") != nil:
		return "set_phone_webhook"
	case name == "update_phone":
		return "set_pin"
	}
	return name
}

func (s *Simulator) nodeKind(id string) string {
	switch {
	case s.st.wabas[id] != nil:
		return nodeWABA
	case s.st.phones[id] != nil:
		return nodePhone
	case s.st.apps[id] != nil:
		return nodeApp
	case s.st.lines[id] != nil:
		return nodeLine
	case s.st.allocations[id] != nil:
		return nodeAllocation
	case s.st.media[id] != nil:
		return nodeMedia
	case s.st.businesses[id] != nil:
		return nodeBusiness
	}
	return nodeUnknown
}

// writeGraph writes the answer and closes the call's line in the journal.
func (s *Simulator) writeGraph(w http.ResponseWriter, c *call, a answer) {
	s.mu.Lock()
	trace := "A" + s.randomString(tokenAlphabet, 22)
	sw := s.sw
	s.mu.Unlock()
	status, code := http.StatusOK, 0
	body := a.body
	maps.Copy(w.Header(), a.header)
	if a.err != nil {
		status, code, body = a.err.http, a.err.code, a.err.body(trace)
		maps.Copy(w.Header(), a.err.header)
	}
	s.record(c, status, code, "")
	if raw, ok := body.(rawBody); ok {
		writeRaw(w, raw)
		return
	}
	data, err := json.Marshal(reshape(body, sw))
	if err != nil {
		http.Error(w, "metasim: answer can't be encoded", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_, _ = w.Write(data) // the client may be gone, which is its own affair
}

func writeRaw(w http.ResponseWriter, raw rawBody) {
	w.Header().Set("Content-Type", raw.contentType)
	if raw.location != "" {
		w.Header().Set("Location", raw.location)
	}
	w.WriteHeader(raw.status)
	_, _ = w.Write(raw.data)
}

// reshape applies the switches that change how every answer is printed.
func reshape(v any, sw Switches) any {
	if !sw.SuccessAsString && !sw.IDsAsNumbers {
		return v
	}
	switch t := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(t))
		for k, e := range t {
			out[k] = reshapeMember(k, e, sw)
		}
		return out
	case []any:
		out := make([]any, len(t))
		for i, e := range t {
			out[i] = reshape(e, sw)
		}
		return out
	}
	return v
}

func reshapeMember(key string, v any, sw Switches) any {
	if b, ok := v.(bool); ok && key == "success" && sw.SuccessAsString {
		if b {
			return "true"
		}
		return "false"
	}
	if id, ok := v.(string); ok && key == "id" && sw.IDsAsNumbers && digitsOnly(id) {
		return json.Number(id)
	}
	return reshape(v, sw)
}
