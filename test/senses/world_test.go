package senses

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/whatsapp-operator/whatsapp-operator/internal/egress"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/test/aimock"
	"github.com/whatsapp-operator/whatsapp-operator/test/leaks"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/ingress"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/outbox"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/source"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/sqlite"
)

const (
	hookHost = "hooks.example.test"
	line     = "line-of-the-bakery"
	// bearerToken is that of the internal API.
	bearerToken = "bearer-of-the-internal-api"
	// patience bounds waits that take moments on an idle machine.
	patience = 60 * time.Second
)

const feed = "id,title,description,price,availability,image_link\n" +
	"fern,Boston Fern,An evergreen green plant in a pot,9.99 USD,in stock,https://shop.example/fern.jpg\n" +
	"chair,Blue Oak Chair,A chair of oak with a blue seat,120.00 USD,in stock,\n"

const faq = "# Shipping\n\nShipping takes two days.\n\n# Opening hours\n\nWe open at nine.\n"

// fixed is a source of one channel.
type fixed struct{ view *source.View }

// View implements webhookserver.Source.
func (f fixed) View() *source.View { return f.view }

// Run implements webhookserver.Source.
func (f fixed) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// world is a server between Meta and models.
type world struct {
	*testing.T
	sim   *metasim.Server
	store store.Store
	from  fixed
	leaks *leaks.Search
}

// newWorld starts all of it. change may give the channel models.
func newWorld(t *testing.T, change func(*runtimeconfig.Channel)) *world {
	t.Helper()
	demo := metasim.DemoWorld()
	demo.Apps[1].Subscription = &metasim.AppSubscription{CallbackURL: "https://" + hookHost + ingress.Path, Fields: []string{"messages"}}
	demo.WABAs[1].SubscribedApps = []metasim.SubscribedApp{{AppID: metasim.DemoDirectAppID}}
	sim, err := metasim.Start("127.0.0.1:0", metasim.Options{World: demo, Seed: 7})
	w := &world{T: t, sim: sim, from: fixed{source.NewView()}, leaks: &leaks.Search{}}
	w.must(err)
	t.Cleanup(func() { w.must(w.leaks.Leaks(leaks.Logs, leaks.Store, leaks.Metrics, leaks.Answers)) })
	t.Cleanup(func() { w.must(sim.Close(context.WithoutCancel(t.Context()))) })
	path := filepath.Join(t.TempDir(), "messages.db")
	w.store, err = sqlite.Open(t.Context(), sqlite.Options{Path: path})
	w.must(err)
	t.Cleanup(func() { w.must(errors.Join(w.store.Close(), w.leaks.SQLite(context.WithoutCancel(t.Context()), path))) })
	w.publish(change)
	w.serve()
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) publish(change func(*runtimeconfig.Channel)) {
	w.Helper()
	content := &runtimeconfig.Content{CatalogFormat: "CSV", Catalog: []byte(feed), Knowledge: []runtimeconfig.Document{{Name: "faq.md", Text: faq}}}
	packed, err := content.Object(metasim.DemoDirectPhone)
	w.must(err)
	channel := &runtimeconfig.Channel{
		Namespace: "bakery", Name: "sales", LineID: line, PhoneNumberID: metasim.DemoDirectPhone, WABAID: metasim.DemoDirectWABA, AppID: metasim.DemoDirectAppID, Direct: true,
		Graph: runtimeconfig.Graph{BaseURL: w.sim.URL, Version: "v25.0"}, MessagesPerSecond: 80, PlanActive: true,
		Assistant: runtimeconfig.Assistant{Enabled: true, Languages: []string{"en"}, Content: packed.Name, MaxReplyAge: runtimeconfig.Duration(time.Hour)},
		AppSecret: redact.New(w.sim.AppSecret(metasim.DemoDirectAppID)), AccessToken: redact.New(w.sim.SystemToken(metasim.DemoDirectSystemUser)),
	}
	if change != nil {
		change(channel)
	}
	object, err := channel.Object()
	w.must(err)
	w.must(w.leaks.Object(object))
	internal, err := (&runtimeconfig.Internal{BearerToken: redact.New(w.leaks.Secret(bearerToken))}).Object()
	w.must(err)
	w.from.view.Publish([]runtimeconfig.Object{object, packed, internal})
}

// serve runs ingress and worker until the test ends.
func (w *world) serve() {
	w.Helper()
	registry, log := prometheus.NewRegistry(), w.leaks.Logger(leaks.MaxVerbosity)
	answering, err := webhookserver.NewAnswering(webhookserver.AnsweringOptions{
		View: w.from.View(), Store: w.store, Egress: egress.Policy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
		Owner: "test", Registry: registry, Log: log,
	})
	w.must(err)
	server, err := webhookserver.New(w.Context(), webhookserver.Options{
		Source: w.from, Store: w.store, Roles: webhookserver.Roles{Ingress: true, Worker: true}, TextPayload: outbox.TextPayload,
		PublicAddr: "127.0.0.1:0", InternalAddr: "127.0.0.1:0", OpsAddr: "127.0.0.1:0", Registry: registry, Log: log,
		Received: answering.Received, Workers: []webhookserver.Worker{answering},
	})
	w.must(err)
	// The test's own context ends before there was a last look at the server.
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.Context()))
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	w.Cleanup(func() {
		if err := w.leaks.Ask(context.WithoutCancel(w.Context()), leaks.Server{
			Webhook: server.URL() + ingress.Path, Internal: server.InternalURL(), Ops: server.OpsURL(), BearerToken: bearerToken,
			PhoneNumberID: metasim.DemoDirectPhone,
		}); err != nil {
			w.Error(err)
		}
		cancel()
		w.must(<-ended)
	})
	address, err := url.Parse(server.URL())
	w.must(err)
	w.must(w.sim.AddRoute(hookHost, address.Host))
}

// models starts aimock and returns what gives a channel its models there.
func models(t *testing.T, fixtures ...aimock.Fixture) (*aimock.Server, func(*runtimeconfig.Channel, ...runtimeconfig.Capability)) {
	t.Helper()
	mock, err := aimock.Start(t.Context(), t.TempDir(), fixtures)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := mock.Stop(); err != nil {
			t.Error(err)
		}
	})
	return mock, func(ch *runtimeconfig.Channel, capabilities ...runtimeconfig.Capability) {
		for _, c := range capabilities {
			ch.Assistant.SetProvider(c, &runtimeconfig.Provider{
				Provider: "OpenAI", BaseURL: mock.URL + "/v1", Model: "the-model", Timeout: runtimeconfig.Duration(20 * time.Second), APIKey: redact.New("sk-of-the-bakery"),
			})
		}
	}
}

// sends plays the customer, who sends a message of Meta's shape.
func (w *world) sends(message map[string]any) {
	w.Helper()
	raw, err := json.Marshal(message)
	w.must(err)
	_, err = w.sim.Send(metasim.InboundMessage{From: metasim.DemoCustomer, PhoneNumberID: metasim.DemoDirectPhone, Message: raw})
	w.must(err)
}

// sendsFile plays the customer, who sends a file as a member of a message: audio, image, video, document or sticker.
func (w *world) sendsFile(kind, mimeType string, data []byte, more map[string]any) {
	w.Helper()
	id, err := w.sim.AddMedia(metasim.DemoDirectPhone, mimeType, data)
	w.must(err)
	file := map[string]any{"id": id, "mime_type": mimeType}
	maps.Copy(file, more)
	w.sends(map[string]any{"type": kind, kind: file})
}

// answered waits for answers on the customer's phone until one has all the words, and returns all of them.
func (w *world) answered(words ...string) string {
	w.Helper()
	var all []string
	for end := time.Now().Add(patience); time.Now().Before(end); {
		changed := w.sim.Changed()
		all = nil
		for _, e := range w.sim.Conversation(metasim.DemoDirectPhone, metasim.DemoCustomer) {
			if e.Direction == "out" {
				all = append(all, fmt.Sprintf("%s: %s %s", e.Type, e.Text, e.Payload))
			}
		}
		if text := strings.Join(all, "\n"); hasAll(text, words) {
			return text
		}
		select {
		case <-changed:
		case <-time.After(200 * time.Millisecond):
		}
	}
	w.Fatalf("no answer with %q; there are:\n%s", words, strings.Join(all, "\n"))
	return ""
}

func hasAll(text string, words []string) bool {
	for _, word := range words {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// stored are the texts of the customer's messages, as people see them.
func (w *world) stored() string {
	w.Helper()
	conversations, err := w.store.Conversations(w.Context(), line, 0, 10)
	w.must(err)
	var texts []string
	for i := range conversations {
		messages, err := w.store.Messages(w.Context(), line, conversations[i].ID, 0, 100)
		w.must(err)
		for n := range messages {
			if messages[n].Author == store.AuthorCustomer {
				texts = append(texts, messages[n].Text)
			}
		}
	}
	return strings.Join(texts, "\n")
}

// photo is a picture of one pixel.
func photo(t *testing.T) []byte {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==")
	if err != nil {
		t.Fatal(err)
	}
	return data
}
