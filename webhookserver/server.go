package webhookserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/whatsapp-operator/whatsapp-operator/internal/tracing"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/ingress"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/reports"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/signup"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/source"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

const (
	// DefaultDrainDelay is how long a server goes on accepting after it has become unready: until load balancers have noticed.
	DefaultDrainDelay = 5 * time.Second
	// requestGrace is for requests under way when the listeners close. It exceeds what one may take altogether.
	requestGrace = ingress.WriteTimeout + 5*time.Second
	// workerGrace is for a reply or a send under way; what is not over by then is taken up again when its lease has run out.
	workerGrace = 30 * time.Second
)

// Worker does work beside requests until ctx is done. It returns when it has finished or released what it had begun.
type Worker interface {
	Run(ctx context.Context) error
}

// Source provides what the server serves.
type Source interface {
	Worker
	View() *source.View
}

// Options make a Server.
type Options struct {
	Source Source
	// Store is used until Run returns; closing it is the caller's, after that.
	Store store.Store
	Roles Roles
	// Workers run once the source is synced.
	Workers []Worker
	// Received is told of stored messages by number; see ingress.Options. May be nil.
	Received func(phoneNumberID string, n int)
	// Tracer records what comes in; nil if it is off.
	Tracer *tracing.Tracer
	// TextPayload encodes a text as the outbox sends it.
	TextPayload func(body string) ([]byte, error)
	// Signup serves the page behind signup links; it is set in the role signup.
	Signup http.Handler
	// PublicAddr, InternalAddr and OpsAddr are where to listen, such as ":8080". The public one is used in the roles ingress and signup.
	PublicAddr, InternalAddr, OpsAddr string
	// DrainDelay is DefaultDrainDelay in production.
	DrainDelay time.Duration
	Registry   *prometheus.Registry
	Log        logr.Logger
}

// Server is a webhook-server whose listeners are open.
type Server struct {
	o         Options
	ingress   *ingress.Handler
	listeners []*listener
	draining  atomic.Bool
}

// listener is one of the server's ports.
type listener struct {
	name string
	net.Listener
	http *http.Server
}

// New opens the listeners. Nothing is served before Run, but connections wait.
func New(ctx context.Context, o Options) (*Server, error) {
	s := &Server{o: o}
	if o.Roles.Ingress {
		var err error
		s.ingress, err = ingress.New(ingress.Options{
			View: o.Source.View(), Store: o.Store, Metrics: o.Registry, Log: o.Log.WithName("ingress"), Now: time.Now, Received: o.Received,
			Tracer: o.Tracer,
		})
		if err != nil {
			return nil, err
		}
	}
	if err := s.listen(ctx); err != nil {
		return nil, errors.Join(err, s.closeListeners())
	}
	return s, nil
}

func (s *Server) listen(ctx context.Context) error {
	if s.o.Roles.Ingress || s.o.Roles.Signup {
		mux := http.NewServeMux()
		if s.o.Roles.Ingress {
			mux.Handle(ingress.Path, s.ingress)
			mux.Handle(ingress.Path+"/", s.ingress)
		}
		if s.o.Roles.Signup {
			mux.Handle(signup.Path, s.o.Signup)
		}
		if err := s.open(ctx, publicName, s.o.PublicAddr, s.ending(mux)); err != nil {
			return err
		}
	}
	api := reports.New(reports.Options{
		View: s.o.Source.View(), Store: s.o.Store, TextPayload: s.o.TextPayload, Log: s.o.Log.WithName("internal-api"),
	})
	if err := s.open(ctx, internalName, s.o.InternalAddr, api); err != nil {
		return err
	}
	return s.open(ctx, opsName, s.o.OpsAddr, s.opsHandler())
}

// Names of the listeners.
const (
	publicName   = "public"
	internalName = "internal"
	opsName      = "ops"
)

func (s *Server) open(ctx context.Context, name, addr string, handler http.Handler) error {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("open the %s listener: %w", name, err)
	}
	s.listeners = append(s.listeners, &listener{name: name, Listener: l, http: &http.Server{
		Handler: handler,
		// The public port's limits serve the others as well: their requests are smaller, and their clients ours.
		ReadHeaderTimeout: ingress.ReadHeaderTimeout,
		ReadTimeout:       ingress.ReadTimeout,
		WriteTimeout:      ingress.WriteTimeout,
		IdleTimeout:       ingress.IdleTimeout,
		MaxHeaderBytes:    ingress.MaxHeaderBytes,
		// net/http's complaints about connections: anybody can cause them, so they are for debugging.
		ErrorLog: slog.NewLogLogger(logr.ToSlogHandler(s.o.Log.WithName(name)), slog.LevelDebug),
	}})
	return nil
}

func (s *Server) closeListeners() error {
	var errs []error
	for _, l := range s.listeners {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// URL returns the base URL of the public listener; empty without the roles ingress and signup.
func (s *Server) URL() string { return s.url(publicName) }

// InternalURL returns the base URL of the internal API.
func (s *Server) InternalURL() string { return s.url(internalName) }

// OpsURL returns the base URL of probes and metrics.
func (s *Server) OpsURL() string { return s.url(opsName) }

func (s *Server) url(name string) string {
	for _, l := range s.listeners {
		if l.name == name {
			return "http://" + l.Addr().String()
		}
	}
	return ""
}

// Run serves until ctx is done, then drains: it becomes unready, goes on for the drain delay, closes the public and the internal
// listener and finishes their requests, lets the workers finish, and returns. Whatever was begun is over when Run returns. Run also
// ends, with an error, when a part of the server fails.
func (s *Server) Run(ctx context.Context) error {
	// Each part outlives ctx for its share of the drain; that is why they have contexts of their own.
	detached := context.WithoutCancel(ctx)
	group, failed := errgroup.WithContext(detached)
	for _, l := range s.listeners {
		group.Go(func() error { return l.serve() })
	}
	stopSource := s.start(detached, group, "source", s.o.Source)
	var stopWorkers []func()
	for _, w := range s.o.Workers {
		stopWorkers = append(stopWorkers, s.start(detached, group, "worker", whenSynced{s.o.Source.View(), w}))
	}
	stopIngress := func() {}
	if s.ingress != nil {
		stopIngress = s.start(detached, group, "ingress", s.ingress)
	}
	s.o.Log.Info("Serving", "public", s.URL(), "internal", s.InternalURL(), "ops", s.OpsURL())

	select {
	case <-ctx.Done():
		s.drainDelay(failed)
	case <-failed.Done(): // no point in waiting: something is gone
	}
	s.draining.Store(true)
	errs := []error{s.shutdown(detached, publicName), s.shutdown(detached, internalName)}
	for _, stop := range stopWorkers {
		stop()
	}
	stopIngress()
	stopSource()
	errs = append(errs, s.shutdown(detached, opsName), group.Wait())
	s.o.Log.Info("Stopped")
	return errors.Join(errs...)
}

// start runs a part in the group and returns what stops it and waits for it.
func (s *Server) start(ctx context.Context, group *errgroup.Group, name string, w Worker) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	group.Go(func() error {
		defer close(done)
		err := w.Run(ctx)
		switch {
		case errors.Is(err, context.Canceled) && ctx.Err() != nil:
			return nil // it was told to stop
		case err == nil && ctx.Err() == nil:
			err = errors.New("ended by itself")
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
	return func() {
		cancel()
		select {
		case <-done:
		case <-time.After(workerGrace):
			s.o.Log.Info("A part of the server is slow to end", "part", name)
			<-done
		}
	}
}

// whenSynced is a Worker that begins once it is known what is served.
type whenSynced struct {
	view *source.View
	Worker
}

// Run implements Worker.
func (w whenSynced) Run(ctx context.Context) error {
	for {
		loaded := w.view.Load()
		if loaded.Synced {
			return w.Worker.Run(ctx)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-loaded.Replaced():
		}
	}
}

// ending lets each connection end with its next answer while the server drains. SetKeepAlivesEnabled would close idle ones at once,
// perhaps under a request that is on its way.
func (s *Server) ending(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// drainDelay makes the server unready and lets load balancers notice while it still accepts.
func (s *Server) drainDelay(failed context.Context) {
	s.o.Log.Info("Draining", "delay", s.o.DrainDelay.String())
	s.draining.Store(true)
	timer := time.NewTimer(s.o.DrainDelay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-failed.Done():
	}
}

func (l *listener) serve() error {
	if err := l.http.Serve(l.Listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the %s listener: %w", l.name, err)
	}
	return nil
}

// shutdown closes a listener and waits for its requests.
func (s *Server) shutdown(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, requestGrace)
	defer cancel()
	for _, l := range s.listeners {
		if l.name != name {
			continue
		}
		if err := l.http.Shutdown(ctx); err != nil {
			return errors.Join(fmt.Errorf("finish the requests of the %s listener: %w", name, err), l.http.Close())
		}
	}
	return nil
}
