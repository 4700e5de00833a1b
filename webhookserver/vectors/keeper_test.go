package vectors

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant/providers"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/catalog"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/sqlite"
)

// upstream is an embeddings endpoint as OpenAI's is. It knows what one can sit on, and counts the texts that it was paid for.
type upstream struct {
	*httptest.Server
	mu    sync.Mutex
	texts map[string]int
	down  bool
}

func newUpstream(t *testing.T) *upstream {
	t.Helper()
	u := &upstream{texts: map[string]int{}}
	u.Server = httptest.NewServer(http.HandlerFunc(u.serve))
	t.Cleanup(u.Close)
	return u
}

func (u *upstream) serve(w http.ResponseWriter, r *http.Request) {
	var req struct {
		Model string   `json:"model"`
		Input []string `json:"input"`
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil || r.URL.Path != "/v1/embeddings" || u.down {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	type datum struct {
		Object    string    `json:"object"`
		Index     int       `json:"index"`
		Embedding []float32 `json:"embedding"`
	}
	data := []datum{}
	for i, text := range req.Input {
		u.texts[text]++
		seat := float32(0)
		for _, word := range []string{"stool", "sofa", "seat", "bench"} {
			if strings.Contains(strings.ToLower(text), word) {
				seat++
			}
		}
		data = append(data, datum{"embedding", i, []float32{seat, 0.1}})
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(map[string]any{"object": "list", "data": data, "model": req.Model, "usage": map[string]int{"prompt_tokens": len(data), "total_tokens": len(data)}}); err != nil {
		return
	}
}

// paid is how often the model was asked for texts with a word.
func (u *upstream) paid(word string) (n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for text, times := range u.texts {
		if strings.Contains(text, word) {
			n += times
		}
	}
	return n
}

type replica struct {
	*Keeper
	library *assistant.Library
}

func newReplica(t *testing.T, s Store) *replica {
	t.Helper()
	pool, err := providers.NewPool(providers.PoolOptions{Client: &http.Client{Transport: &http.Transport{}}, Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	cache := catalog.NewCache(64 << 20)
	k := New(pool, s, logr.Discard())
	k.look = time.Millisecond
	t.Cleanup(func() { k.Close(); cache.Close(); pool.Close() })
	return &replica{k, assistant.NewLibrary(cache, nil).WithMeaning(k)}
}

func newStore(t *testing.T) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "store.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (u *upstream) channel(revision string, more ...string) *runtimeconfig.Channel {
	feed := "id,title\n1,Oak stool\n2,Velvet sofa\n"
	for i := 10; i < 110; i++ {
		feed += fmt.Sprintf("%d,Candle number %d\n", i, i)
	}
	feed += strings.Join(more, "")
	ch := &runtimeconfig.Channel{LineID: "line-a", Revision: revision, Content: &runtimeconfig.Content{CatalogFormat: "CSV", Catalog: []byte(feed), Revision: revision}}
	ch.Assistant.Languages = []string{"en"}
	ch.Assistant.SetProvider(runtimeconfig.CapabilityEmbeddings, &runtimeconfig.Provider{Provider: "OpenAI", BaseURL: u.URL + "/v1", Model: "meaning", Timeout: runtimeconfig.Duration(30 * time.Second)})
	return ch
}

// found are the ids of what a question finds.
func (r *replica) found(t *testing.T, ch *runtimeconfig.Channel, question string) string {
	t.Helper()
	var ids []string
	err := r.library.Use(t.Context(), ch, func(x *catalog.Index) error {
		hits, err := x.SearchProducts(t.Context(), question, 3)
		for _, h := range hits {
			ids = append(ids, h.Product.ID)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(ids, " ")
}

// await searches until a question finds what it should: vectors come when they are there.
func (r *replica) await(t *testing.T, ch *runtimeconfig.Channel, question, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	got := ""
	for ctx.Err() == nil {
		if got = r.found(t, ch, question); got == want {
			return
		}
		<-time.After(time.Millisecond)
	}
	t.Fatalf("%q finds %q, want %q", question, got, want)
}

const unseated = "something for the unseated"

func TestVectorsAreMadeOnceForAllReplicasAndRestarts(t *testing.T) {
	u, s := newUpstream(t), newStore(t)
	ch := u.channel("r1")
	a, b := newReplica(t, s), newReplica(t, s)
	var group sync.WaitGroup
	for _, r := range []*replica{a, b} {
		group.Go(func() { r.await(t, ch, unseated, "1 2") })
	}
	group.Wait()
	if n := u.paid("stool") + u.paid("sofa") + u.paid("Candle"); n != 102 {
		t.Errorf("%d texts were paid for, there are 102", n)
	}
	c := newReplica(t, s)
	if got := c.found(t, ch, unseated); got != "1 2" {
		t.Errorf("after a restart the first question finds %q", got)
	}
	changed := u.channel("r2", "3,Garden bench\n")
	c.await(t, changed, unseated, "1 2 3")
	if n := u.paid("stool") + u.paid("sofa") + u.paid("Candle"); n != 102 {
		t.Errorf("a new row costs the old ones again: %d", n)
	}
	if n := u.paid("bench"); n != 1 {
		t.Errorf("the new row was paid for %d times", n)
	}
	other := u.channel("r3")
	other.Assistant.Embeddings.Model = "another"
	c.await(t, other, unseated, "1 2")
	if n := u.paid("stool"); n != 2 {
		t.Errorf("another model has vectors of its own, asked %d times", n)
	}
}

func TestSearchGoesByWordsWhileTheModelIsDown(t *testing.T) {
	u, s := newUpstream(t), newStore(t)
	u.down = true
	ch := u.channel("r1")
	ch.Assistant.Embeddings.Timeout = runtimeconfig.Duration(time.Second)
	r := newReplica(t, s)
	if got := r.found(t, ch, "velvet sofa"); got != "2" {
		t.Errorf("words find %q", got)
	}
	r.jobs.Wait()
	if got := r.found(t, ch, "velvet sofa"); got != "2" {
		t.Errorf("after the model failed words find %q", got)
	}
	k := key{}
	for at := range r.known {
		k = at
	}
	if now := r.known[k]; now.running || time.Until(now.next) < retry/2 {
		t.Errorf("a model that fails is asked again at once: %+v", now)
	}
	u.mu.Lock()
	u.down = false
	u.mu.Unlock()
	r.mu.Lock()
	r.known[k] = state{}
	r.mu.Unlock()
	r.await(t, ch, unseated, "1 2")
}

func TestChannelWithoutAModel(t *testing.T) {
	u := newUpstream(t)
	ch := u.channel("r1")
	ch.Assistant.Embeddings = nil
	r := newReplica(t, newStore(t))
	if got := r.found(t, ch, unseated); got != "" || len(u.texts) > 0 || r.Revision(ch) != "" {
		t.Errorf("found %q, asked for %d texts", got, len(u.texts))
	}
}
