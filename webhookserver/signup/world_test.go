package signup

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	contract "github.com/whatsapp-operator/whatsapp-operator/internal/signup"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/source"
)

const (
	appID      = "670843887433847"
	requestUID = "1d1a9b5e-3f7e-4c2e-9a4e-0a5a3c9d2f10"
	appSecret  = "app-s3cret-value"
)

// world is a signup page with what the manager projected for it.
type world struct {
	t      *testing.T
	now    time.Time
	key    ed25519.PrivateKey
	public ed25519.PublicKey
	link   contract.Link
	token  string
	view   *source.View
	url    string
	client *http.Client

	mu    sync.Mutex
	taken []contract.Handover
	fail  error
}

// Put implements Handover.
func (w *world) Put(_ context.Context, h contract.Handover) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fail != nil {
		return w.fail
	}
	w.taken = append(w.taken, h)
	return nil
}

func newWorld(t *testing.T) *world {
	t.Helper()
	public, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, now: time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC), key: key, public: public, view: source.NewView()}
	if w.link, err = contract.NewLink(appID, requestUID, w.now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	w.token = w.sign(w.link)
	h, err := New(Options{View: w.view, Handover: w, Metrics: prometheus.NewRegistry(), Log: logr.Discard(), Now: func() time.Time { return w.now }})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	w.url, w.client = server.URL, server.Client()
	w.project(runtimeconfig.Signup{State: runtimeconfig.SignupOpen})
	return w
}

func (w *world) sign(link contract.Link) string {
	w.t.Helper()
	token, err := link.Sign(w.key)
	if err != nil {
		w.t.Fatal(err)
	}
	return token
}

// project publishes the app and a signup; what the signup leaves empty is that of the present link.
func (w *world) project(s runtimeconfig.Signup) {
	w.t.Helper()
	if s.LinkID == "" {
		s.LinkID = w.link.ID
	}
	s.RequestUID, s.AppID, s.ExpiresAt = requestUID, appID, w.link.ExpiresAt
	app := runtimeconfig.App{
		Name: "acme", AppID: appID, Graph: runtimeconfig.Graph{Version: "v25.0"}, AppSecret: redact.New(appSecret), LinkPublicKey: w.public,
		EmbeddedSignup: &runtimeconfig.EmbeddedSignup{ConfigurationID: "1207", Extras: json.RawMessage(`{"setup":{"business":{"name":"<Lucky> & \"Shrub\""}}}`)},
	}
	w.publish(app.Object, s.Object)
}

func (w *world) publish(encode ...func() (runtimeconfig.Object, error)) {
	w.t.Helper()
	var objects []runtimeconfig.Object
	for _, f := range encode {
		object, err := f()
		if err != nil {
			w.t.Fatal(err)
		}
		objects = append(objects, object)
	}
	w.view.Publish(objects)
}

// answered is a response that was read.
type answered struct {
	status int
	header http.Header
	body   string
}

func (w *world) do(method, path, body string, header ...string) answered {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := w.client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	data, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		w.t.Fatal(err)
	}
	return answered{res.StatusCode, res.Header, string(data)}
}

func (w *world) get(path string) answered { return w.do(http.MethodGet, path, "") }

func (w *world) post(token, body string, header ...string) answered {
	return w.do(http.MethodPost, Path+token, body, append([]string{"Content-Type", "application/json"}, header...)...)
}

// outcome asks how an attempt stands.
func (w *world) outcome(attempt string) notice {
	w.t.Helper()
	res := w.get(Path + w.token + "/outcome?attempt=" + attempt)
	var n notice
	if err := json.Unmarshal([]byte(res.body), &n); err != nil {
		w.t.Fatalf("%d %s: %v", res.status, res.body, err)
	}
	return n
}
