package urls

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/egress"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/test/wholeturn"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/media"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// outside stands for the internet: the platform lets it be reached. All else of this machine is inside.
const outside = "127.0.0.2"

var (
	outsideAddr = netip.MustParseAddr(outside)
	insideAddr  = netip.MustParseAddr("127.0.0.1")
	policy      = &egress.Policy{Allow: []netip.Prefix{netip.PrefixFrom(outsideAddr, 32)}}
)

// trap listens inside on every address and counts who comes.
type trap struct {
	port int
	came atomic.Int64
}

func newTrap(t *testing.T) *trap {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	tr := &trap{port: listener.Addr().(*net.TCPAddr).Port}
	listeners := []net.Listener{listener}
	if v6, err := net.Listen("tcp", fmt.Sprintf("[::1]:%d", tr.port)); err == nil { // not every machine has IPv6
		listeners = append(listeners, v6)
	}
	for _, l := range listeners {
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				tr.came.Add(1)
				_ = conn.Close()
			}
		}()
		t.Cleanup(func() { _ = l.Close() })
	}
	return tr
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// serveOutside serves the handler at an address outside and returns it.
func serveOutside(t *testing.T, port int, handler http.HandlerFunc) string {
	t.Helper()
	listener, err := net.Listen("tcp", fmt.Sprintf("%s:%d", outside, port))
	must(t, err)
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		must(t, server.Close())
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}

// TestNoURLLeadsInside writes an address inside into all URLs at once, and uses all of them.
func TestNoURLLeadsInside(t *testing.T) {
	inside := newTrap(t)
	away := serveOutside(t, 0, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, fmt.Sprintf("http://127.0.0.1:%d/", inside.port), http.StatusTemporaryRedirect)
	})
	at := func(host string) string { return fmt.Sprintf("%s:%d", host, inside.port) }
	for target, host := range map[string]string{
		"loopback":           at("127.0.0.1"),
		"another loopback":   at("127.8.8.8"),
		"IPv6 loopback":      at("[::1]"),
		"IPv4 in IPv6":       at("[::ffff:127.0.0.1]"),
		"no address":         at("0.0.0.0"),
		"no IPv6 address":    at("[::]"),
		"the cluster":        "10.96.0.1:443",
		"a node":             "192.168.1.10:10250",
		"a unique local one": "[fd00::1]:443",
		"cloud metadata":     "169.254.169.254",
		"link-local IPv6":    "[fe80::1]:80",
		"shared by a cloud":  "100.100.100.200",
		"localhost":          at("localhost"),
		"a name inside":      at(name("inside", []netip.Addr{insideAddr})),
		"a name of two":      at(name("two", []netip.Addr{insideAddr, netip.MustParseAddr("10.96.0.1")})),
		"a redirect":         away,
	} {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			tryAll(t, host)
			if n := inside.came.Load(); n != 0 {
				t.Errorf("%d connections came inside", n)
			}
		})
	}
}

// tryAll uses each kind of URL and wants its refusal told.
func tryAll(t *testing.T, host string) {
	t.Helper()
	provider := func(base string) *runtimeconfig.Provider {
		return &runtimeconfig.Provider{Provider: "OpenAI", BaseURL: base, Model: "m", Timeout: runtimeconfig.Duration(20 * time.Second), APIKey: redact.New(wholeturn.ModelKey)}
	}
	target := func(way string) string { return "http://" + host + "/" + way }
	good := "http://" + serveOutside(t, 0, paints) + "/v1"
	blobs, err := media.OpenBlobs(t.Context(), (&url.URL{Scheme: "file", Path: t.TempDir()}).String())
	must(t, err)
	t.Cleanup(func() { must(t, blobs.Close()) })
	change := func(chat string) func(ch *runtimeconfig.Channel) {
		return func(ch *runtimeconfig.Channel) {
			a := &ch.Assistant
			a.Chat, a.Transcription, a.Vision = provider(chat), provider(target("transcription")), provider(target("vision"))
			a.Images, a.Embeddings = provider(target("images")), provider(target("embeddings"))
			a.Sources = []runtimeconfig.Source{
				{Field: "spec.assistant.catalog.url", URL: target("catalog"), Format: "CSV"},
				{Field: "spec.assistant.knowledge[0].url", URL: target("knowledge")},
			}
			a.Tools = []runtimeconfig.ToolServer{{
				Name: "crm", URL: target("tools"), AllowedTools: []string{"any"}, Timeout: runtimeconfig.Duration(20 * time.Second), MaxResultBytes: 1000,
			}}
			ch.Orders.Notify = &runtimeconfig.OrderNotify{URL: target("orders"), SigningKey: redact.New("key-of-the-shop-0123456789")}
		}
	}
	w := wholeturn.New(t, wholeturn.Options{Egress: policy, Blobs: blobs, Change: change(good)})
	painter := w.Phone(t, "16505570001")
	painter.Writes("Paint me a fern")
	painter.Gets(0, "ProviderAddressRefused") // the model says what it was told
	painter.SendsFile("audio", "audio/ogg; codecs=opus", []byte("OggS and so on"), map[string]any{"voice": true})
	painter.Settled()
	painter.SendsFile("image", "image/png", []byte("\x89PNG\r\n\x1a\n and so on"), nil)
	painter.Settled()

	w.Publish(change(target("chat")))
	buyer := w.Phone(t, "16505570002")
	buyer.Writes("Do you have a fern?")
	buyer.Gets(0, "Boston Fern") // without any model
	buyer.SendsCart("", map[string]int{"fern": 1})
	buyer.Until("an order to confirm", func() bool { return len(buyer.Orders()) == 1 })
	buyer.Settled()
	buyer.Taps("Confirm")
	told := map[string]func() bool{"orders": func() bool {
		o := buyer.Orders()
		return len(o) == 1 && o[0].State == store.OrderConfirmed && o[0].NoticeReason == "AddressRefused"
	}, "images": func() bool { return true }} // the customer was told
	for _, capability := range []string{"chat", "transcription", "vision", "embeddings"} {
		told[capability] = reported(t, w, `"capability":"`+capability+`"`, "ProviderAddressRefused")
	}
	told["tools"] = reported(t, w, `"tool":"crm"`, "AddressRefused")
	told["catalog"] = reported(t, w, `"field":"spec.assistant.catalog.url"`, "Refused")
	told["knowledge"] = reported(t, w, `"field":"spec.assistant.knowledge[0].url"`, "Refused")
	if !slices.Equal(slices.Sorted(maps.Keys(told)), slices.Sorted(maps.Values(tried))) {
		t.Fatal("not all ways are tried")
	}
	for way, ok := range told {
		buyer.Until(way+" is refused, and that is told", ok)
	}
	for _, payload := range reports(t, w) {
		if name, _, _ := strings.Cut(host, ":"); strings.Contains(payload, host) || len(name) > 6 && strings.Contains(payload, name) {
			t.Errorf("a report says where the URL leads: %s", payload)
		}
	}
}

// reports are all that the manager is told.
func reports(t *testing.T, w *wholeturn.World) (all []string) {
	t.Helper()
	rows, err := w.Store.Reports(t.Context(), 0, 1000)
	must(t, err)
	for _, r := range rows {
		all = append(all, string(r.Payload))
	}
	return all
}

func reported(t *testing.T, w *wholeturn.World, words ...string) func() bool {
	t.Helper()
	return func() bool {
		return slices.ContainsFunc(reports(t, w), func(payload string) bool {
			return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(payload, word) })
		})
	}
}

// paints is a chat model that asks for an image and says what came of it.
func paints(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	message := `{"role":"assistant","content":"","tool_calls":[{"id":"call_a","type":"function","function":{"name":"generate_image","arguments":"{\"description\":\"a fern\"}"}}]}`
	if text := string(body); strings.Contains(text, `"role":"tool"`) {
		message = `{"role":"assistant","content":"{\"text\":\"It worked.\"}"}`
		if strings.Contains(text, "ProviderAddressRefused") {
			message = `{"role":"assistant","content":"{\"text\":\"It says ProviderAddressRefused.\"}"}`
		}
	}
	_, _ = io.WriteString(w, `{"choices":[{"message":`+message+`}],"usage":{"prompt_tokens":10,"completion_tokens":5}}`)
}

// TestNamesThatChangeTheirMind: a name is judged by the address that is connected to, whatever it led to before.
func TestNamesThatChangeTheirMind(t *testing.T) {
	inside := newTrap(t)
	var asked atomic.Int64
	serveOutside(t, inside.port, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("Connection", "close") // so that the name is asked for each time
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"choices":[{"message":{"role":"assistant","content":"{\"text\":\"Hello from the model.\"}"}}],"usage":{"prompt_tokens":10,"completion_tokens":5}}`)
	})
	host := name("rebinding", []netip.Addr{outsideAddr}, []netip.Addr{insideAddr})
	w := wholeturn.New(t, wholeturn.Options{Egress: policy, Change: func(ch *runtimeconfig.Channel) {
		ch.Assistant.Chat = &runtimeconfig.Provider{
			Provider: "OpenAI", BaseURL: fmt.Sprintf("http://%s:%d/v1", host, inside.port), Model: "m",
			Timeout: runtimeconfig.Duration(20 * time.Second), APIKey: redact.New(wholeturn.ModelKey),
		}
	}})
	p := w.Phone(t, "16505570003")
	p.Writes("Hello")
	p.Gets(0, "Hello from the model.")
	p.Settled()
	p.Writes("When do you open?")
	p.Gets(1, "open at nine") // without the model
	p.Until("it is told", reported(t, w, `"capability":"chat"`, "ProviderAddressRefused"))
	if n := asked.Load(); n != 1 || inside.came.Load() != 0 {
		t.Errorf("the model was asked %d times; %d connections came inside", n, inside.came.Load())
	}

	// One that leads to both is reached where it may be.
	host = name("both", []netip.Addr{insideAddr, outsideAddr})
	client := egress.NewClient(*policy, 20*time.Second, 1000)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://%s:%d/", host, inside.port), http.NoBody)
	must(t, err)
	res, err := client.Do(req)
	must(t, err)
	must(t, res.Body.Close())
	if asked.Load() != 2 || inside.came.Load() != 0 {
		t.Errorf("%d connections came inside", inside.came.Load())
	}
}
