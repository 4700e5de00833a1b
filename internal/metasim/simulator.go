package metasim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	defaultCodeTTL   = 30 * time.Second
	defaultTimeScale = 10_000
	// Graph reads of a slow client must not pin a connection for ever; uploads of 100 MB on loopback take far less.
	serverReadTimeout       = 60 * time.Second
	serverReadHeaderTimeout = 5 * time.Second
	serverIdleTimeout       = 60 * time.Second
	// Longer than any scripted hang, because a hang is an answer that is being withheld.
	serverWriteTimeout = 10 * time.Minute
)

// Clock tells the simulator's time. k8s.io/utils/clock and its fake both satisfy it.
type Clock interface {
	Now() time.Time
}

type wallClock struct{}

func (wallClock) Now() time.Time { return time.Now() }

// Options configures a Simulator. The zero value is an empty world on the wall clock.
type Options struct {
	// World is what exists at the start. DemoWorld gives a complete one.
	World World
	// Switches are the initial positions; nil means DefaultSwitches.
	Switches *Switches
	// Clock is the source of time for everything that expires; nil means the wall clock.
	Clock Clock
	// CodeTTL is the life of a signup code; 0 means Meta's 30 seconds.
	CodeTTL time.Duration
	// TimeScale compresses the retry schedule of webhooks: 10,000 (the meaning of 0) turns Meta's 7 days into a minute.
	TimeScale float64
	// Routes maps a public host name to loopback addresses (host:port). A callback URL on that host is called there as
	// plain HTTP, round robin, as if an ingress had terminated TLS.
	Routes map[string][]string
	// PublicURL is the base of media URLs; empty means the host of the request that asks for one.
	PublicURL string
	// Seed makes all generated identifiers reproducible.
	Seed uint64
	// Log receives one line per refused or abandoned webhook; nil discards.
	Log *slog.Logger
}

// Simulator is the Graph API, the customers' phones and the admin API behind one http.Handler.
type Simulator struct {
	clock     Clock
	codeTTL   time.Duration
	timeScale float64
	publicURL string
	log       *slog.Logger
	client    *http.Client
	admin     http.Handler
	signup    http.Handler

	mu      sync.Mutex // guards everything below
	offset  time.Duration
	rng     *rand.Rand
	sw      Switches
	st      state
	faults  []*activeFault
	faultID int
	journal journal
	count   Counters
	routes  map[string][]string
	routeAt map[string]int
	changed chan struct{} // closed and replaced whenever a conversation changes

	life   sync.Mutex // guards closed, so that no goroutine starts once Close waits
	closed bool
	ctx    context.Context //nolint:containedctx // webhooks outlive the requests that cause them; this is their life, and Close ends it
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// New builds a simulator. It fails when the world contradicts itself or a route does not lead to a loopback address.
func New(o Options) (*Simulator, error) {
	s := &Simulator{
		clock: o.Clock, codeTTL: o.CodeTTL, timeScale: o.TimeScale, publicURL: strings.TrimSuffix(o.PublicURL, "/"), log: o.Log,
		//nolint:gosec // identifiers of a simulator must be reproducible, not secret.
		rng:    rand.New(rand.NewPCG(o.Seed, 0x6d65746173696d)),
		sw:     DefaultSwitches(),
		st:     newState(),
		count:  newCounters(),
		routes: map[string][]string{}, routeAt: map[string]int{},
		changed: make(chan struct{}),
	}
	if s.clock == nil {
		s.clock = wallClock{}
	}
	if s.codeTTL <= 0 {
		s.codeTTL = defaultCodeTTL
	}
	if s.timeScale <= 0 {
		s.timeScale = defaultTimeScale
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if o.Switches != nil {
		s.sw = *o.Switches
	}
	if err := s.sw.validate(); err != nil {
		return nil, err
	}
	for host, addrs := range o.Routes {
		if err := s.AddRoute(host, addrs...); err != nil {
			return nil, err
		}
	}
	if err := s.Add(o.World); err != nil {
		return nil, err
	}
	s.client = newWebhookClient()
	s.admin, s.signup = s.adminHandler(), s.signupPages()
	//nolint:forbidigo // no caller's context lives as long as the simulator does
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// ServeHTTP answers Graph calls, media downloads, the admin API, the phone page and the pages of Embedded Signup.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasPrefix(r.URL.Path, "/sim/"), r.URL.Path == "/phone", strings.HasPrefix(r.URL.Path, "/phone/"):
		s.admin.ServeHTTP(w, r)
	case isSignupPath(r.URL.Path):
		s.signup.ServeHTTP(w, r)
	default:
		s.serveGraph(w, r)
	}
}

// Close stops every pending delivery and waits for its goroutine, or until ctx ends.
func (s *Simulator) Close(ctx context.Context) error {
	s.life.Lock()
	s.closed = true
	s.life.Unlock()
	s.cancel()
	done := make(chan struct{})
	go func() {
		s.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		s.client.CloseIdleConnections()
		return nil
	case <-ctx.Done():
		return fmt.Errorf("metasim: webhook deliveries still running: %w", ctx.Err())
	}
}

// Now is the simulator's time.
func (s *Simulator) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now()
}

// Advance moves the simulator's clock forward: codes, tokens, windows, locks and media URLs age by d.
func (s *Simulator) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset += d
}

// AddRoute sends callbacks for a public host name to loopback addresses (host:port), replacing earlier ones.
func (s *Simulator) AddRoute(host string, addrs ...string) error {
	if host == "" || len(addrs) == 0 {
		return errors.New("metasim: a route needs a host name and at least one address")
	}
	for _, a := range addrs {
		if err := checkLoopback(a); err != nil {
			return fmt.Errorf("metasim: route for %s: %w", host, err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.routes[strings.ToLower(host)] = append([]string(nil), addrs...)
	return nil
}

// now requires mu.
func (s *Simulator) now() time.Time { return s.clock.Now().Add(s.offset) }

// spawn runs f in a goroutine that Close waits for, unless the simulator is closed already.
func (s *Simulator) spawn(f func(ctx context.Context)) {
	s.life.Lock()
	defer s.life.Unlock()
	if s.closed {
		return
	}
	s.wg.Go(func() { f(s.ctx) })
}

// wait returns false when the simulator is closed before d has passed.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// touch wakes everybody who waits for a conversation to change. Requires mu.
func (s *Simulator) touch() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Server is a Simulator behind its own listener.
type Server struct {
	*Simulator
	// URL is the base of all calls, without a trailing slash.
	URL string

	http *http.Server
	done chan error
}

// Start serves a new simulator on addr ("127.0.0.1:0" picks a port).
func Start(addr string, o Options) (*Server, error) {
	sim, err := New(o)
	if err != nil {
		return nil, err
	}
	ln, err := (&net.ListenConfig{}).Listen(sim.ctx, "tcp", addr)
	if err != nil {
		sim.cancel()
		return nil, fmt.Errorf("metasim: cannot listen on %s: %w", addr, err)
	}
	srv := &Server{Simulator: sim, URL: "http://" + ln.Addr().String(), done: make(chan error, 1), http: &http.Server{
		Handler: sim, ReadTimeout: serverReadTimeout, ReadHeaderTimeout: serverReadHeaderTimeout,
		WriteTimeout: serverWriteTimeout, IdleTimeout: serverIdleTimeout,
	}}
	go func() { srv.done <- srv.http.Serve(ln) }()
	return srv, nil
}

// Close stops the listener and everything in flight.
func (s *Server) Close(ctx context.Context) error {
	simErr := s.Simulator.Close(ctx) // first: it releases the hanging answers that Shutdown would wait for
	err := s.http.Shutdown(ctx)
	if serveErr := <-s.done; err == nil && !errors.Is(serveErr, http.ErrServerClosed) {
		err = serveErr
	}
	return errors.Join(simErr, err)
}
