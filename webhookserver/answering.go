package webhookserver

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/whatsapp-operator/whatsapp-operator/internal/egress"
	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/tracing"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant/providers"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant/retrieval"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant/tools"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/catalog"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/conversation"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/feeds"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/media"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/orders"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/outbox"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/source"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/understanding"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/vectors"
)

const (
	// DefaultIndexMemory bounds the memory of all channels' search indexes together; those not in use are built again when needed.
	DefaultIndexMemory = 256 << 20
	// modelTimeout bounds any call of a model; channels configure shorter ones.
	modelTimeout = 5 * time.Minute
	// dueMargin is added to the debounce of a reply, so that it is due when the workers look.
	dueMargin = 5 * time.Millisecond
	// dueEvery is how often, at most, they are told to look.
	dueEvery = 10 * time.Millisecond
	// toolTimeout and maxToolBytes bound any exchange with an MCP server; channels configure less.
	toolTimeout  = 2 * time.Minute
	maxToolBytes = 4 << 20
	// shopTimeout bounds a callback about an order.
	shopTimeout = 30 * time.Second
)

// AnsweringOptions make an Answering. All but Blobs, MediaQuota, Hints and Tracer are required.
type AnsweringOptions struct {
	View  *source.View
	Store store.Store
	// Egress says which addresses tenants' models may have.
	Egress egress.Policy
	// IndexMemory bounds all search indexes together, in bytes; zero means DefaultIndexMemory.
	IndexMemory int64
	// Owner names this process in leases.
	Owner    string
	Registry prometheus.Registerer
	Log      logr.Logger
	// Blobs keeps customers' files and images to send; nil if there is no blob store.
	Blobs *media.Blobs
	// MediaQuota is how many bytes of them a line may have; 0 for media.DefaultQuota.
	MediaQuota int64
	// Hints receives when another process may have made work in the store.
	Hints <-chan struct{}
	// Tracer records what is done; nil if it is off.
	Tracer *tracing.Tracer
}

// Answering is the Worker that answers customers and delivers the answers.
type Answering struct {
	conversations *conversation.Worker
	outbox        *outbox.Outbox
	fetcher       *media.Fetcher // nil without a blob store
	graph         *graphClients
	models        *providers.Pool
	tools         *http.Client
	shops         *http.Client
	orders        *orders.Notifier
	indexes       *catalog.Cache
	feeds         *feeds.Feeds
	vectors       *vectors.Keeper
	hints         <-chan struct{}
	// nextDue is when the workers were told to look last, in nanoseconds of the wall clock.
	nextDue atomic.Int64
}

// NewAnswering puts assistant, conversation and outbox together. It starts nothing.
func NewAnswering(o AnsweringOptions) (*Answering, error) {
	a := &Answering{
		graph:   &graphClients{byAddress: map[runtimeconfig.Graph]*meta.Client{}},
		indexes: catalog.NewCache(cmp.Or(o.IndexMemory, DefaultIndexMemory)),
		hints:   o.Hints,
	}
	files := media.Graph{Snapshot: o.View.Snapshot, Client: func(g runtimeconfig.Graph) (media.Client, error) { return a.graph.at(g) }}
	sends := outbox.Options{
		Store: o.Store, Snapshot: o.View.Snapshot, Owner: o.Owner, Log: o.Log.WithName("outbox"), Metrics: o.Registry, Tracer: o.Tracer,
		Client: func(g runtimeconfig.Graph) (outbox.Sender, error) { return a.graph.at(g) },
	}
	var err error
	if o.Blobs != nil {
		limits := conversation.ReportLimits(o.Store, o.Log.WithName("media"))
		sends.Blobs = o.Blobs
		a.fetcher, err = media.New(media.Options{
			Store: o.Store, Blobs: o.Blobs, Quota: o.MediaQuota, Graph: files, Owner: o.Owner, Log: o.Log.WithName("media"), Metrics: o.Registry,
			Fetched: func() { a.conversations.Hint() }, Tracer: o.Tracer,
			NoRoom: func(ctx context.Context, line string) { limits(ctx, line, "", store.LimitFiles) },
		})
		if err != nil {
			return nil, err
		}
	}
	if a.outbox, err = outbox.New(sends); err != nil {
		return nil, err
	}
	a.feeds, err = feeds.New(feeds.Options{
		Snapshot: o.View.Snapshot, Store: o.Store, Client: egress.NewClient(o.Egress, feeds.Timeout, feeds.MaxBytes),
		Metrics: o.Registry, Log: o.Log.WithName("feeds"),
	})
	if err != nil {
		return nil, err
	}
	a.models, err = providers.NewPool(providers.PoolOptions{
		Client: egress.NewClient(o.Egress, modelTimeout, providers.MaxBodyBytes), Metrics: o.Registry, Budget: o.Store,
		Report: conversation.ReportHealth(o.Store, o.Log.WithName("models")),
	})
	if err != nil {
		return nil, err
	}
	a.vectors = vectors.New(a.models, o.Store, o.Log.WithName("vectors"))
	library := assistant.NewLibrary(a.indexes, a.feeds).WithMeaning(a.vectors)
	senses, err := understanding.New(understanding.Options{
		Models: a.models, Keeper: o.Store, Metrics: o.Registry, Files: media.Reader{Graph: files, Blobs: o.Blobs},
	})
	if err != nil {
		return nil, err
	}
	builtin := retrieval.New(library)
	a.tools = egress.NewClient(o.Egress, toolTimeout, maxToolBytes)
	more := tools.New(a.tools, conversation.ReportTools(o.Store, o.Log.WithName("tools")))
	model := assistant.NewModel(library, a.models, more)
	var pictures conversation.Pictures
	if o.Blobs != nil {
		model, pictures = model.WithPictures(a.models), media.Outgoing{Store: o.Store, Blobs: o.Blobs, Quota: o.MediaQuota}
	}
	answers, err := assistant.NewFallback(builtin, model, o.Registry)
	if err != nil {
		return nil, err
	}
	a.conversations, err = conversation.New(conversation.Options{
		Store: o.Store, Snapshot: o.View.Snapshot, Understanding: senses, Assistant: answers, Builtin: builtin, Library: library, Actions: more,
		Committed: a.committed, Owner: o.Owner, Pictures: pictures, AwaitMedia: o.Blobs != nil,
		Log: o.Log.WithName("conversation"), Metrics: o.Registry, Tracer: o.Tracer,
		Reader: func(g runtimeconfig.Graph) (conversation.Reader, error) { return a.graph.at(g) },
	})
	if err != nil {
		return nil, err
	}
	a.shops = egress.NewClient(o.Egress, shopTimeout, orders.MaxResponseBytes)
	a.orders, err = orders.New(orders.Options{
		Store: o.Store, Snapshot: o.View.Snapshot, Client: a.shops, Owner: o.Owner, Log: o.Log.WithName("orders"), Metrics: o.Registry,
	})
	return a, err
}

// committed wakes whoever has something to do after a turn.
func (a *Answering) committed(o *store.Outcome) {
	a.outbox.Hint()
	if o.Decision != nil && o.Decision.Notify {
		a.orders.Hint()
	}
}

// Received counts messages against a number's rate at Meta, and lets the workers look when their replies are due.
func (a *Answering) Received(phoneNumberID string, n int) {
	a.outbox.Received(phoneNumberID, n)
	a.expectDue()
}

// expectDue wakes the workers when a reply to what has just been stored can be due. Without it they would find it with their next poll.
func (a *Answering) expectDue() {
	now := time.Now().UnixNano()
	last := a.nextDue.Load()
	if now-last < int64(dueEvery) || !a.nextDue.CompareAndSwap(last, now) {
		return // told a moment ago; that look finds this one, or its own next one does
	}
	time.AfterFunc(store.ReplyDebounce+dueEvery+dueMargin, a.conversations.Hint)
}

// Run implements Worker.
func (a *Answering) Run(ctx context.Context) error {
	var group errgroup.Group
	group.Go(func() error { return a.conversations.Run(ctx) })
	group.Go(func() error { return a.outbox.Run(ctx) })
	group.Go(func() error { return a.feeds.Run(ctx) })
	group.Go(func() error { return a.orders.Run(ctx) })
	if a.fetcher != nil {
		group.Go(func() error { return a.fetcher.Run(ctx) })
	}
	group.Go(func() error { a.passHints(ctx); return nil })
	err := group.Wait()
	a.vectors.Close()
	a.indexes.Close()
	a.models.Close()
	for _, client := range []*http.Client{a.tools, a.shops} {
		client.CloseIdleConnections()
	}
	a.graph.close()
	return err
}

// passHints wakes the workers when the store says so. Without hints they poll.
func (a *Answering) passHints(ctx context.Context) {
	for {
		select {
		case <-a.hints:
			a.conversations.Hint()
			a.outbox.Hint()
			a.expectDue()
			if a.fetcher != nil {
				a.fetcher.Hint()
			}
		case <-ctx.Done():
			return
		}
	}
}

// graphClients keeps a Graph client for each address and version: apps may use different versions, and tests a simulator.
type graphClients struct {
	mu        sync.Mutex
	byAddress map[runtimeconfig.Graph]*meta.Client
}

// maxGraphClients is far above what a platform configures; more means that something makes them up.
const maxGraphClients = 64

func (g *graphClients) at(address runtimeconfig.Graph) (*meta.Client, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c, ok := g.byAddress[address]; ok {
		return c, nil
	}
	if len(g.byAddress) >= maxGraphClients {
		return nil, errors.New("too many different addresses of the Graph API are configured")
	}
	config := meta.Config{BaseURL: address.BaseURL, Version: address.Version}
	if address.BaseURL != meta.DefaultBaseURL {
		config.MediaOrigins = []string{address.BaseURL} // a simulator or a proxy, which serves media itself
	}
	c, err := meta.New(config)
	if err != nil {
		return nil, err
	}
	g.byAddress[address] = c
	return c, nil
}

func (g *graphClients) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.byAddress {
		c.CloseIdleConnections()
	}
}
