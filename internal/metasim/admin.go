package metasim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"
)

const (
	maxAdminBody = 16 << 20 // a customer's photo fits
	// A comment line that keeps the event stream's connection and its reader alive.
	eventKeepAlive = 15 * time.Second
)

// errNoSuch marks what an admin path names and the world has not.
var errNoSuch = errors.New("not in this world")

func noSuch(kind, id string) error { return fmt.Errorf("metasim: %s %q: %w", kind, id, errNoSuch) }

// adminHandler serves /sim/v1 and the phone page, to loopback clients only: the API hands out every secret.
func (s *Simulator) adminHandler() http.Handler {
	mux := http.NewServeMux()
	s.adminWorld(mux)
	s.adminTraffic(mux)
	s.adminResponders(mux)
	s.adminFaults(mux)
	s.phonePage(mux)
	return loopbackOnly(http.NewCrossOriginProtection().Handler(mux))
}

// loopbackOnly also refuses foreign Host names, so that a web page can't reach the API through a name that it controls.
func loopbackOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer, err := netip.ParseAddrPort(r.RemoteAddr)
		host := r.Host
		if h, _, splitErr := net.SplitHostPort(host); splitErr == nil {
			host = h
		}
		if err != nil || !peer.Addr().Unmap().IsLoopback() || (host != "localhost" && checkLoopback(net.JoinHostPort(host, "0")) != nil) {
			http.Error(w, "metasim: the admin API and the phone page serve loopback only", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// endpoint adapts a function to HTTP: nil error is 200 with the JSON result.
func endpoint(f func(r *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxAdminBody)
		out, err := f(r)
		status := http.StatusOK
		switch {
		case errors.Is(err, errNoSuch):
			status = http.StatusNotFound
		case err != nil:
			status = http.StatusBadRequest
		}
		if err != nil {
			out = map[string]string{"error": err.Error()}
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		_ = enc.Encode(out) // the client may be gone
	}
}

// decode reads a JSON body; unknown members are errors, because a typing error would silently do nothing.
func decode[T any](r *http.Request) (T, error) {
	var v T
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		return v, fmt.Errorf("metasim: request body: %w", err)
	}
	return v, nil
}

// posted serves a POST whose JSON body is T.
func posted[T any](f func(r *http.Request, v T) (any, error)) http.HandlerFunc {
	return endpoint(func(r *http.Request) (any, error) {
		v, err := decode[T](r)
		if err != nil {
			return nil, err
		}
		return f(r, v)
	})
}

type okAnswer struct {
	OK bool `json:"ok"`
}

func (s *Simulator) adminWorld(mux *http.ServeMux) {
	mux.HandleFunc("GET /sim/v1/world", endpoint(func(r *http.Request) (any, error) {
		return s.World(r.URL.Query().Get("secrets") == "true"), nil
	}))
	mux.HandleFunc("POST /sim/v1/world", posted(func(_ *http.Request, w World) (any, error) { return okAnswer{true}, s.Add(w) }))
	mux.HandleFunc("POST /sim/v1/codes", posted(func(_ *http.Request, c CodeRequest) (any, error) { return s.IssueCode(c) }))
	mux.HandleFunc("POST /sim/v1/tokens/revoke", posted(func(_ *http.Request, v struct {
		Token string `json:"token"`
	}) (any, error) {
		return okAnswer{true}, s.RevokeToken(v.Token)
	}))
	mux.HandleFunc("PATCH /sim/v1/apps/{id}", posted(func(r *http.Request, v struct {
		Secret string `json:"secret"`
	}) (any, error) {
		return okAnswer{true}, s.SetAppSecret(r.PathValue("id"), v.Secret)
	}))
	mux.HandleFunc("PUT /sim/v1/apps/{id}/webhook", posted(func(r *http.Request, sub AppSubscription) (any, error) {
		return okAnswer{true}, s.ConfigureWebhook(r.Context(), r.PathValue("id"), sub)
	}))
	mux.HandleFunc("PATCH /sim/v1/phone-numbers/{id}", endpoint(s.patchPhone))
	mux.HandleFunc("GET /sim/v1/phone-numbers/{id}/verification-code", endpoint(func(r *http.Request) (any, error) {
		return map[string]string{"code": s.VerificationCode(r.PathValue("id"))}, nil
	}))
	mux.HandleFunc("PATCH /sim/v1/wabas/{id}", endpoint(s.patchWABA))
	mux.HandleFunc("POST /sim/v1/wabas/{id}/remove-partner", posted(func(r *http.Request, v struct {
		AppID string `json:"appID"`
	}) (any, error) {
		return okAnswer{true}, s.RemovePartner(r.PathValue("id"), v.AppID)
	}))
	mux.HandleFunc("GET /sim/v1/switches", endpoint(func(*http.Request) (any, error) { return s.Switches(), nil }))
	mux.HandleFunc("PATCH /sim/v1/switches", endpoint(s.patchSwitches))
	mux.HandleFunc("GET /sim/v1/clock", endpoint(func(*http.Request) (any, error) { return map[string]time.Time{"now": s.Now()}, nil }))
	mux.HandleFunc("POST /sim/v1/clock", posted(func(_ *http.Request, v struct {
		Advance Duration `json:"advance"`
	}) (any, error) {
		s.Advance(time.Duration(v.Advance))
		return map[string]time.Time{"now": s.Now()}, nil
	}))
	mux.HandleFunc("POST /sim/v1/routes", posted(func(_ *http.Request, v struct {
		Host  string   `json:"host"`
		Addrs []string `json:"addrs"`
	}) (any, error) {
		return okAnswer{true}, s.AddRoute(v.Host, v.Addrs...)
	}))
}

// merge applies a JSON object on top of v, refusing unknown members.
func merge(data []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("metasim: request body: %w", err)
	}
	return nil
}

func (s *Simulator) patchPhone(r *http.Request) (any, error) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var mergeErr error
	err = s.UpdatePhoneNumber(r.PathValue("id"), func(p *PhoneNumber) {
		next := *p
		if mergeErr = merge(data, &next); mergeErr == nil {
			*p = next
		}
	})
	return okAnswer{true}, errors.Join(err, mergeErr)
}

func (s *Simulator) patchWABA(r *http.Request) (any, error) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var mergeErr error
	err = s.UpdateWABA(r.PathValue("id"), func(w *WABA) {
		next := *w
		if mergeErr = merge(data, &next); mergeErr == nil {
			*w = next
		}
	})
	return okAnswer{true}, errors.Join(err, mergeErr)
}

func (s *Simulator) patchSwitches(r *http.Request) (any, error) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var mergeErr error
	err = s.Switch(func(sw *Switches) {
		next := *sw
		if mergeErr = merge(data, &next); mergeErr == nil {
			*sw = next
		}
	})
	return s.Switches(), errors.Join(err, mergeErr)
}

func (s *Simulator) adminTraffic(mux *http.ServeMux) {
	mux.HandleFunc("POST /sim/v1/messages", posted(func(_ *http.Request, m InboundMessage) (any, error) { return s.Send(m) }))
	mux.HandleFunc("POST /sim/v1/batches", posted(func(_ *http.Request, v struct {
		Messages []InboundMessage `json:"messages"`
	}) (any, error) {
		return s.SendBatch(v.Messages)
	}))
	mux.HandleFunc("POST /sim/v1/webhooks", posted(func(_ *http.Request, w WebhookInjection) (any, error) {
		ids, err := s.Inject(w)
		return map[string][]int{"deliveries": ids}, err
	}))
	mux.HandleFunc("POST /sim/v1/media", endpoint(s.postMedia))
	mux.HandleFunc("GET /sim/v1/media/{id}", s.showMedia)
	mux.HandleFunc("GET /sim/v1/conversations/{phone}/{customer}", endpoint(func(r *http.Request) (any, error) {
		return s.Conversation(r.PathValue("phone"), r.PathValue("customer")), nil
	}))
	mux.HandleFunc("GET /sim/v1/deliveries", endpoint(func(r *http.Request) (any, error) {
		after, err := intParam(r, "after")
		return s.Deliveries(after), err
	}))
	mux.HandleFunc("POST /sim/v1/deliveries/forged", posted(func(r *http.Request, f Forgery) (any, error) { return s.Forge(r.Context(), f) }))
	mux.HandleFunc("GET /sim/v1/deliveries/{id}", endpoint(s.showDelivery))
	mux.HandleFunc("POST /sim/v1/deliveries/{id}/replay", endpoint(func(r *http.Request) (any, error) {
		id, err := strconv.Atoi(r.PathValue("id"))
		if err != nil {
			return nil, errNoSuch
		}
		return s.Replay(r.Context(), id)
	}))
	mux.HandleFunc("GET /sim/v1/journal", endpoint(func(r *http.Request) (any, error) {
		after, err := intParam(r, "after")
		return s.Journal(r.URL.Query().Get("call"), after), err
	}))
	mux.HandleFunc("GET /sim/v1/counters", endpoint(func(*http.Request) (any, error) { return s.Counters(), nil }))
	mux.HandleFunc("GET /sim/v1/events", s.streamEvents)
}

func intParam(r *http.Request, name string) (int, error) {
	v := r.URL.Query().Get(name)
	if v == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		return 0, fmt.Errorf("metasim: %s must be a number", name)
	}
	return n, nil
}

func (s *Simulator) showDelivery(r *http.Request) (any, error) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil {
		return nil, errNoSuch
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.journal.delivery(id)
	if d == nil {
		return nil, errNoSuch
	}
	return struct {
		Delivery
		Body string `json:"body"`
	}{*d, string(d.body)}, nil
}

func (s *Simulator) postMedia(r *http.Request) (any, error) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	id, err := s.AddMedia(r.URL.Query().Get("phoneNumberID"), r.URL.Query().Get("type"), data)
	return map[string]string{"id": id}, err
}

// showMedia is for the phone page. What a business uploaded is shown as what it says it is only when it is an image.
func (s *Simulator) showMedia(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	m := s.st.media[r.PathValue("id")]
	s.mu.Unlock()
	if m == nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Security-Policy", "sandbox")
	kind := "application/octet-stream"
	if m.mimeType == "image/png" || m.mimeType == "image/jpeg" || m.mimeType == "image/webp" {
		kind = m.mimeType
	}
	writeRaw(w, rawBody{status: http.StatusOK, contentType: kind, data: m.data})
}

func (s *Simulator) adminFaults(mux *http.ServeMux) {
	mux.HandleFunc("GET /sim/v1/faults", endpoint(func(*http.Request) (any, error) { return s.Faults(), nil }))
	mux.HandleFunc("POST /sim/v1/faults", posted(func(_ *http.Request, f Fault) (any, error) {
		id, err := s.AddFault(f)
		return map[string]int{"id": id}, err
	}))
	mux.HandleFunc("DELETE /sim/v1/faults", endpoint(func(*http.Request) (any, error) {
		s.ClearFaults(0)
		return okAnswer{true}, nil
	}))
	mux.HandleFunc("DELETE /sim/v1/faults/{id}", endpoint(func(r *http.Request) (any, error) {
		id, err := strconv.Atoi(r.PathValue("id"))
		if err != nil || id == 0 {
			return nil, errNoSuch
		}
		s.ClearFaults(id)
		return okAnswer{true}, nil
	}))
}

// streamEvents tells the phone page that some conversation changed, as server-sent events without content.
func (s *Simulator) streamEvents(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	rc := http.NewResponseController(w)
	keepAlive := time.NewTicker(eventKeepAlive)
	defer keepAlive.Stop()
	for line := "data: changed\n\n"; ; {
		changed := s.Changed() // before writing, so that no change falls between
		if _, err := io.WriteString(w, line); err != nil || rc.Flush() != nil {
			return
		}
		select {
		case <-changed:
			line = "data: changed\n\n"
		case <-keepAlive.C:
			line = ": keep-alive\n\n"
		case <-r.Context().Done():
			return
		case <-s.ctx.Done():
			return
		}
	}
}
