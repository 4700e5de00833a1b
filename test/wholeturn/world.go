package wholeturn

import (
	"cmp"
	"context"
	"net/netip"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/whatsapp-operator/whatsapp-operator/internal/egress"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/tracing"
	"github.com/whatsapp-operator/whatsapp-operator/test/leaks"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/ingress"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/media"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/outbox"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/source"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/sqlite"
)

const (
	// Line is the line of the bakery, whose number everybody writes to.
	Line = "line-of-the-bakery"
	// Number is its phone number id.
	Number = metasim.DemoDirectPhone
	// OtherLine is the line of a shop of another tenant.
	OtherLine = "line-of-the-florist"
	// OtherNumber is its phone number id.
	OtherNumber = "106540352242998"

	hookHost = "hooks.example.test"
	// patience bounds waits that take moments on an idle machine.
	patience = 90 * time.Second
	// discardEvery is how often the server looks for words that a channel does not want to be kept.
	discardEvery = 100 * time.Millisecond
)

// Feed and FAQ are the bakery's catalog and knowledge.
const (
	Feed = "id,title,description,price,availability,image_link,link\n" +
		"fern,Boston Fern,An evergreen green fern in a pot,9.99 USD,in stock,https://shop.example/fern.jpg,https://shop.example/fern\n" +
		"chair,Blue Oak Chair,A chair of oak with a blue seat,120.00 USD,in stock,,\n" +
		"lamp,Brass Lamp,A lamp of brass,45.50 USD,out of stock,,\n"
	FAQ = "# Shipping time\n\nShipping takes two days.\n\n# Opening hours\n\nWe open at nine.\n"
)

// Options change a World. The zero value is a bakery without models.
type Options struct {
	// Feed and FAQ replace the bakery's; empty for the usual ones.
	Feed, FAQ string
	// Change changes the bakery's channel; may be nil.
	Change func(*runtimeconfig.Channel)
	// OtherFeed serves the shop of another tenant with this catalog; empty for none.
	OtherFeed string
	// Blobs keeps files and images; nil for none.
	Blobs *media.Blobs
	// Egress says where the server may go for tenants; nil lets it reach this machine.
	Egress *egress.Policy
	// Tracer makes a tracer for each half of the server, as if they were processes of their own; nil for none.
	Tracer func() *tracing.Tracer
}

// Secrets of the installation and of the app, which no test needs to know.
const (
	bearerToken       = "internal-token-of-the-bakery-0123456789"
	verifyToken       = "verify-token-of-the-bakery-0123456789"
	previousAppSecret = "former-app-secret-of-the-bakery-0123456789"
)

// World is a server between Meta and whatever the channel names. When its test ends, no secret of it may be readable anywhere.
type World struct {
	Sim   *metasim.Server
	Store store.Store

	t     *testing.T
	view  *source.View
	opts  Options
	leaks *leaks.Search
}

// fixed is a source that a test publishes to.
type fixed struct{ view *source.View }

// View implements webhookserver.Source.
func (f fixed) View() *source.View { return f.view }

// Run implements webhookserver.Source.
func (f fixed) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// New starts all of it until the test ends.
func New(t *testing.T, o Options) *World {
	t.Helper()
	w := newMeta(t, o)
	path := filepath.Join(t.TempDir(), "messages.db")
	var err error
	w.Store, err = sqlite.Open(t.Context(), sqlite.Options{Path: path})
	must(t, err)
	t.Cleanup(func() {
		must(t, w.Store.Close())
		w.search(path)
	})
	w.Publish(o.Change)
	w.serve()
	return w
}

// newMeta is a world without a server.
func newMeta(t *testing.T, o Options) *World {
	t.Helper()
	demo := metasim.DemoWorld()
	demo.Apps[1].Subscription = &metasim.AppSubscription{CallbackURL: "https://" + hookHost + ingress.Path, Fields: []string{"messages", "smb_message_echoes"}}
	waba := &demo.WABAs[1]
	waba.SubscribedApps = []metasim.SubscribedApp{{AppID: metasim.DemoDirectAppID}}
	waba.PhoneNumbers = append(waba.PhoneNumbers, metasim.PhoneNumber{
		ID: OtherNumber, DisplayPhoneNumber: "+1 555-078-3998", VerifiedName: "Florist", Registered: true, PIN: "135790",
	})
	sim, err := metasim.Start("127.0.0.1:0", metasim.Options{World: demo, Seed: 7})
	must(t, err)
	w := &World{Sim: sim, t: t, view: source.NewView(), opts: o, leaks: &leaks.Search{}}
	t.Cleanup(func() { must(t, sim.Close(context.WithoutCancel(t.Context()))) })
	return w
}

// Private makes what somebody writes known as something that nobody may read anywhere when the test ends.
func (w *World) Private(words string) string { return w.leaks.Secret(words) }

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// Publish serves the bakery's channel as change leaves it.
func (w *World) Publish(change func(*runtimeconfig.Channel)) {
	w.t.Helper()
	w.view.Publish(w.objects(change))
}

// objects are what the server serves.
func (w *World) objects(change func(*runtimeconfig.Channel)) []runtimeconfig.Object {
	w.t.Helper()
	bakery := w.channel("bakery", Line, Number, cmp.Or(w.opts.Feed, Feed), cmp.Or(w.opts.FAQ, FAQ), change)
	if w.opts.OtherFeed != "" {
		bakery = append(bakery, w.channel("florist", OtherLine, OtherNumber, w.opts.OtherFeed, "# Secret\n\nRoses like the midnight compost of the florist.\n", nil)...)
	}
	internal, err := (&runtimeconfig.Internal{BearerToken: redact.New(bearerToken)}).Object()
	must(w.t, err)
	bakery = append(bakery, internal)
	for _, object := range bakery {
		must(w.t, w.leaks.Object(object))
	}
	return bakery
}

func (w *World) channel(namespace, line, number, feed, faq string, change func(*runtimeconfig.Channel)) []runtimeconfig.Object {
	w.t.Helper()
	content := &runtimeconfig.Content{CatalogFormat: "CSV", Catalog: []byte(feed), Knowledge: []runtimeconfig.Document{{Name: "faq.md", Text: faq}}}
	packed, err := content.Object(number)
	must(w.t, err)
	channel := &runtimeconfig.Channel{
		Namespace: namespace, Name: "sales", LineID: line, PhoneNumberID: number, WABAID: metasim.DemoDirectWABA, AppID: metasim.DemoDirectAppID, Direct: true,
		Graph: runtimeconfig.Graph{BaseURL: w.Sim.URL, Version: "v25.0"}, MessagesPerSecond: 80, PlanActive: true,
		Assistant: runtimeconfig.Assistant{Enabled: true, Languages: []string{"en"}, Content: packed.Name, MaxReplyAge: runtimeconfig.Duration(time.Hour)},
		AppSecret: redact.New(w.Sim.AppSecret(metasim.DemoDirectAppID)), AccessToken: redact.New(w.Sim.SystemToken(metasim.DemoDirectSystemUser)),
		PreviousAppSecret: redact.New(previousAppSecret), VerifyToken: redact.New(verifyToken),
	}
	if change != nil {
		change(channel)
	}
	object, err := channel.Object()
	must(w.t, err)
	return []runtimeconfig.Object{object, packed}
}

// serve runs ingress and worker until the test ends.
func (w *World) serve() {
	w.t.Helper()
	registry, log := prometheus.NewRegistry(), w.leaks.Logger(leaks.MaxVerbosity)
	registry.MustRegister(webhookserver.NewStats(context.WithoutCancel(w.t.Context()), w.Store, log))
	tracer := w.opts.Tracer
	if tracer == nil {
		tracer = func() *tracing.Tracer { return nil }
	}
	answering, err := webhookserver.NewAnswering(webhookserver.AnsweringOptions{
		View: w.view, Store: w.Store, Egress: *cmp.Or(w.opts.Egress, &egress.Policy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}),
		Owner: "test", Registry: registry, Log: log, Blobs: w.opts.Blobs, Tracer: tracer(),
	})
	must(w.t, err)
	retention := &webhookserver.Retention{View: w.view, Store: w.Store, Log: log, DiscardEvery: discardEvery}
	server, err := webhookserver.New(w.t.Context(), webhookserver.Options{
		Source: fixed{w.view}, Store: w.Store, Roles: webhookserver.Roles{Ingress: true, Worker: true}, TextPayload: outbox.TextPayload,
		PublicAddr: "127.0.0.1:0", InternalAddr: "127.0.0.1:0", OpsAddr: "127.0.0.1:0", Registry: registry, Log: log,
		Tracer: tracer(), Received: answering.Received, Workers: []webhookserver.Worker{answering, retention},
	})
	must(w.t, err)
	// The test's own context ends before there was a last look at the server.
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	w.t.Cleanup(func() {
		w.ask(server.URL(), server.InternalURL(), server.OpsURL())
		cancel()
		must(w.t, <-ended)
	})
	address, err := url.Parse(server.URL())
	must(w.t, err)
	must(w.t, w.Sim.AddRoute(hookHost, address.Host))
}

// ask shows the search for secrets what a server answers at the end of its life.
func (w *World) ask(public, internal, ops string) {
	w.t.Helper()
	server := leaks.Server{Webhook: public + ingress.Path, Internal: internal, Ops: ops, BearerToken: bearerToken, PhoneNumberID: Number}
	if err := w.leaks.Ask(context.WithoutCancel(w.t.Context()), server, verifyToken); err != nil {
		w.t.Error(err)
	}
}

// search looks for the secrets of all Objects in what the server has logged, counted, answered, reported and stored.
func (w *World) search(path string) {
	w.t.Helper()
	if err := w.leaks.SQLite(context.WithoutCancel(w.t.Context()), path); err != nil {
		w.t.Error(err)
	}
	if err := w.leaks.Leaks(leaks.Logs, leaks.Metrics, leaks.Answers, leaks.Reports, leaks.Store); err != nil {
		w.t.Error(err)
	}
}
