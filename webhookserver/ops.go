package webhookserver

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// readyTimeout bounds a readiness probe; kubelets give up after a second or a few.
const readyTimeout = 3 * time.Second

// opsHandler answers probes and scrapes.
func (s *Server) opsHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if cause := s.unready(r.Context()); cause != "" {
			say(w, http.StatusServiceUnavailable, cause)
			return
		}
		say(w, http.StatusOK, "ok")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.o.Registry, promhttp.HandlerOpts{Registry: s.o.Registry}))
	return mux
}

// unready says why the server should get no webhooks; empty if it should.
func (s *Server) unready(ctx context.Context) string {
	if s.draining.Load() {
		return "draining"
	}
	if !s.o.Source.View().Load().Synced {
		return "the projections are not loaded yet: the Kubernetes API can't be reached, or this server may not list and watch " +
			"Secrets and ConfigMaps in its runtime namespace; the log says which"
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := s.o.Store.Ping(ctx); err != nil {
		s.o.Log.Error(err, "The store is not writable")
		return "the store is not writable: " + err.Error() // it names the remedy, and nothing of the content
	}
	return ""
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	// A probe that went away needs no answer.
	_, _ = io.WriteString(w, text+"\n")
}
