package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/test/pgserver"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/postgres"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/sqlite"
)

// The stores.
const (
	kindPostgres = "postgres"
	kindSQLite   = "sqlite"
)

const (
	// restartPause is how long a killed process stays away, databaseAway how long a stopped database does.
	restartPause = time.Second
	databaseAway = 3 * time.Second
	// rotationGap is how long Meta signs with a secret that the server does not know.
	rotationGap = 6 * time.Second
	// graphFailures is the fraction of sends that fail before they take effect, and again the fraction that fail after.
	graphFailures = 0.05
	// strangeStatuses is the fraction of messages whose statuses come lateStatus later or never, half of them each.
	strangeStatuses = 0.01
	lateStatus      = 10 * time.Minute
	// retryScale turns Meta's 30 seconds before the first retry into 0.15.
	retryScale = 200
	// quietFor is how long nothing may be left to do until it counts as the end; settleTimeout bounds the wait for it.
	quietFor      = 3 * time.Second
	settleTimeout = 5 * time.Minute
)

// trial is one run on one store.
type trial struct {
	options
	kind, dir, binary string

	world    *world
	traffic  *traffic
	sim      *metasim.Server
	replicas []*replica
	database *pgserver.Server // nil for SQLite
	dsn      string
	channels string

	killed, stopped atomic.Int64
}

func (t *trial) run(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, t.sending+settleTimeout+3*time.Minute)
	defer cancel()
	detached := context.WithoutCancel(ctx) // for what has to be put in order after an interrupt, too
	t.channels = filepath.Join(t.dir, "channels")
	if err := os.MkdirAll(t.channels, 0o750); err != nil {
		return err
	}
	chance := rand.New(rand.NewPCG(t.seed, 0x6368616f73))
	t.world = newWorld(chance, t.messages/channels/perCustomer)
	t.traffic = newTraffic(chance, t.world, t.messages)
	talker, err := startModel(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, talker.stop(detached)) }()
	if t.sim, err = t.startMeta(); err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(detached, readyTimeout)
		defer cancel()
		err = errors.Join(err, t.sim.Close(closing))
	}()
	if err := t.world.project(t.channels, t.sim.URL, talker.url); err != nil {
		return err
	}
	defer func() {
		if t.database != nil {
			err = errors.Join(err, t.database.Stop())
		}
	}()
	defer func() { err = errors.Join(err, t.stopReplicas()) }()
	if err := t.startReplicas(ctx); err != nil {
		return err
	}
	if err := t.play(ctx, chance); err != nil {
		return err
	}
	if err := t.settle(ctx); err != nil {
		return err
	}
	if err := t.stopReplicas(); err != nil {
		return err
	}
	return errors.Join(t.verify(ctx), t.searchLeaks(ctx))
}

func (t *trial) startMeta() (*metasim.Server, error) {
	switches := metasim.DefaultSwitches()
	switches.LateStatuses, switches.LostStatuses = strangeStatuses/2, strangeStatuses/2
	switches.LateStatusDelay = metasim.Duration(lateStatus / time.Duration(t.scale))
	sim, err := metasim.Start("127.0.0.1:0", metasim.Options{World: t.world.meta(), Switches: &switches, TimeScale: retryScale, Seed: t.seed})
	if err != nil {
		return nil, err
	}
	hang := metasim.Duration(time.Minute) // longer than any client waits
	for _, f := range []metasim.Fault{
		{Action: metasim.ActionResetBefore, Rate: graphFailures / 2}, {Action: metasim.ActionHTTPStatus, Status: 503, Rate: graphFailures / 2},
		{Action: metasim.ActionTimeoutAfter, Latency: hang, Rate: graphFailures / 2}, {Action: metasim.ActionResetAfter, Rate: graphFailures / 2},
	} {
		f.Call, f.Count = "send", -1
		if _, err := sim.AddFault(f); err != nil {
			return nil, err
		}
	}
	return sim, nil
}

func (t *trial) startReplicas(ctx context.Context) (err error) {
	storeFlag, n := "--store=sqlite:"+filepath.Join(t.dir, "messages.db"), 1
	if t.kind == kindPostgres {
		if t.database, err = pgserver.Start(ctx); err != nil {
			return err
		}
		if t.dsn, _, err = t.database.Schema(ctx); err != nil {
			return err
		}
		file := filepath.Join(t.dir, "dsn")
		if err := os.WriteFile(file, []byte(t.dsn), 0o600); err != nil {
			return err
		}
		storeFlag, n = "--store=postgres:"+file, 2
	}
	var addresses []string
	for i := range n {
		r, err := newReplica(ctx, filepath.Join(t.dir, fmt.Sprintf("replica-%d", i+1)), t.binary,
			"--channels-dir="+t.channels, storeFlag, "--egress-allow-cidrs=127.0.0.0/8")
		if err != nil {
			return err
		}
		t.replicas = append(t.replicas, r)
		addresses = append(addresses, r.public)
		if err := r.start(ctx); err != nil {
			return err
		}
	}
	return t.sim.AddRoute(webhookHost, addresses...)
}

func (t *trial) stopReplicas() error {
	var errs []error
	for _, r := range t.replicas {
		errs = append(errs, r.stop())
	}
	return errors.Join(errs...)
}

// play sends the traffic and makes the trouble, each at its share of the messages.
func (t *trial) play(ctx context.Context, chance *rand.Rand) error {
	var trouble []misfortune
	for i := range t.kills {
		r := t.replicas[i%len(t.replicas)]
		trouble = append(trouble, misfortune{(float64(i) + 0.5) / float64(t.kills), func(ctx context.Context) error {
			t.killed.Add(1)
			return r.restart(ctx)
		}})
	}
	if t.database != nil {
		for i := range t.stops {
			trouble = append(trouble, misfortune{(float64(i) + 0.7) / float64(t.stops), t.stopDatabase})
		}
	}
	rotation := rand.New(rand.NewPCG(chance.Uint64(), 1))
	trouble = append(trouble, misfortune{0.4, func(ctx context.Context) error {
		return t.world.rotate(ctx, t.sim, t.channels, rotation, rotationGap)
	}})
	slices.SortStableFunc(trouble, func(a, b misfortune) int { return int(1000 * (a.at - b.at)) })

	group, ctx := errgroup.WithContext(ctx)
	progress := make(chan float64, len(t.traffic.batches))
	group.Go(func() error {
		defer close(progress)
		return t.traffic.send(ctx, t.sim, chance, t.sending, func(sent int) { progress <- float64(sent) / float64(t.messages) })
	})
	group.Go(func() error { return strike(ctx, trouble, progress) })
	return group.Wait()
}

// misfortune is trouble that begins when a fraction of the messages was taken.
type misfortune struct {
	at    float64
	begin func(ctx context.Context) error
}

// strike begins each misfortune at its time; they may overlap, but a process is killed only once at a time.
func strike(ctx context.Context, trouble []misfortune, progress <-chan float64) error {
	group, ctx := errgroup.WithContext(ctx)
	for at := range progress {
		for len(trouble) > 0 && trouble[0].at <= at {
			begin := trouble[0].begin
			trouble = trouble[1:]
			group.Go(func() error { return begin(ctx) })
		}
	}
	for _, rest := range trouble {
		group.Go(func() error { return rest.begin(ctx) })
	}
	return group.Wait()
}

func (t *trial) stopDatabase(ctx context.Context) error {
	t.stopped.Add(1)
	if err := t.database.Halt(); err != nil {
		return err
	}
	if !pause(ctx, databaseAway) {
		return ctx.Err()
	}
	return t.database.Resume(ctx)
}

// settle waits until nothing is left to do: no conversation is due, no send is open, no status is on its way.
func (t *trial) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	var quietSince, sendSince time.Time
	sends := -1
	for {
		n := t.sim.Counters().Applied["send"]
		if n != sends {
			sends, sendSince = n, time.Now()
		}
		left := t.left(ctx)
		if left == "" && time.Since(sendSince) < lateStatus/time.Duration(t.scale)+quietFor {
			left = "statuses that come late"
		}
		switch {
		case left != "":
			quietSince = time.Time{}
		case quietSince.IsZero():
			quietSince = time.Now()
		case time.Since(quietSince) >= quietFor:
			return nil
		}
		if !pause(ctx, time.Second) {
			return fmt.Errorf("there is still something to do: %s", left)
		}
	}
}

// left says what is still to be done, empty if nothing.
func (t *trial) left(ctx context.Context) string {
	m, err := t.replicas[0].metrics(ctx)
	if err != nil {
		return err.Error()
	}
	if _, ok := m["whatsapp_store_due_conversations"]; !ok {
		return "the store's figures are missing"
	}
	var left []string
	for _, name := range []string{
		"whatsapp_store_due_conversations", "whatsapp_store_parked_lines", `whatsapp_store_outbox_rows{state="pending"}`,
		`whatsapp_store_outbox_rows{state="sending"}`, `whatsapp_store_outbox_rows{state="unknown"}`,
	} {
		if m[name] > 0 {
			left = append(left, fmt.Sprintf("%s %.0f", name, m[name]))
		}
	}
	w := t.sim.Counters().Webhooks
	if open := w.Queued - w.Delivered - w.Abandoned; open > 0 {
		left = append(left, fmt.Sprintf("%d webhooks", open))
	}
	return strings.Join(left, ", ")
}

// open opens the store as it was left.
func (t *trial) open(ctx context.Context) (store.Store, error) {
	if t.kind == kindPostgres {
		return postgres.Open(ctx, postgres.Options{DSN: t.dsn})
	}
	return sqlite.Open(ctx, sqlite.Options{Path: filepath.Join(t.dir, "messages.db")})
}
