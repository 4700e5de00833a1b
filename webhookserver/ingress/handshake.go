package ingress

import (
	"io"
	"net/http"
	"net/url"
	"regexp"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

// challenge is what may be echoed: digits as Meta sends them, or a word. Nothing that a browser could take for markup.
var challenge = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

// handshake answers the GET by which Meta verifies a callback URL.
//
// See https://developers.facebook.com/docs/graph-api/webhooks/getting-started.
func (h *Handler) handshake(w http.ResponseWriter, r *http.Request, within scope) {
	loaded := h.view.Load()
	if !loaded.Synced {
		h.metrics.handshakes.WithLabelValues(string(resultUnsynced)).Inc()
		w.Header().Set("Retry-After", retryAfter)
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	query := r.URL.Query()
	echo, wellFormed := single(query, "hub.challenge")
	wellFormed = wellFormed && len(echo) <= maxChallenge && challenge.MatchString(echo)
	mode, _ := single(query, "hub.mode")
	token, _ := single(query, "hub.verify_token")
	var with []runtimeconfig.Handshaker
	for _, owner := range loaded.Snapshot.Handshakers(token) {
		if within.greets(loaded.Snapshot, owner) {
			with = append(with, owner)
		}
	}
	if len(with) == 0 || !wellFormed || mode != "subscribe" {
		h.refuseHandshake(w, len(with) == 0)
		return
	}
	// Of several with one token it can't be told who it is. Nobody may keep another from being told by choosing the same one.
	for _, owner := range with {
		h.observer.shaken(owner, h.now())
	}
	h.metrics.handshakes.WithLabelValues("verified").Inc()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	if _, err := io.WriteString(w, echo); err != nil { //nolint:gosec // digits and words, as text/plain; see challenge
		h.log.V(1).Info("The answer to a handshake could not be written")
	}
}

func (h *Handler) refuseHandshake(w http.ResponseWriter, mismatch bool) {
	if !h.refused.AllowN(h.now(), 1) {
		h.metrics.handshakes.WithLabelValues("limited").Inc()
		w.WriteHeader(http.StatusTooManyRequests)
		return
	}
	if mismatch {
		h.observer.mismatched(h.now())
	}
	h.metrics.handshakes.WithLabelValues("refused").Inc()
	w.WriteHeader(http.StatusForbidden)
}

// single returns a parameter that is given exactly once.
func single(query url.Values, name string) (string, bool) {
	if values := query[name]; len(values) == 1 {
		return values[0], true
	}
	return "", false
}
