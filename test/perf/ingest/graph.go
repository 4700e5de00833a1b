package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// repliesTimeout bounds the wait for the last replies.
const repliesTimeout = 30 * time.Second

// graph stands in for Meta: it takes messages, at once, and remembers when. It costs as little as it can, since it shares the
// processors with what is measured; how Meta really behaves is the simulator's business.
type graph struct {
	url    string
	server *http.Server

	mu     sync.Mutex
	handed map[string]time.Time // by recipient, the first message
	ids    []string
}

func startGraph(ctx context.Context) (*graph, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	g := &graph{url: "http://" + listener.Addr().String(), handed: map[string]time.Time{}}
	g.server = &http.Server{Handler: g, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = g.server.Serve(listener) }() // ends with ErrServerClosed in stop
	return g, nil
}

func (g *graph) stop(ctx context.Context) error { return g.server.Shutdown(ctx) }

// ServeHTTP takes a message, or a read receipt.
func (g *graph) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var message struct {
		To        string `json:"to"`
		Recipient string `json:"recipient"`
		Type      string `json:"type"`
	}
	at := time.Now()
	if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/messages") || json.NewDecoder(r.Body).Decode(&message) != nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if message.Type == "" {
		_, _ = w.Write([]byte(`{"success":true}`)) // the product will see that it is gone
		return
	}
	_, _ = fmt.Fprintf(w, `{"messaging_product":"whatsapp","messages":[{"id":%q}]}`, g.take(message.Recipient+message.To, at))
}

func (g *graph) take(to string, at time.Time) (id string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, again := g.handed[to]; !again {
		g.handed[to] = at
	}
	id = fmt.Sprintf("wamid.HBgLMTY1MDU1NTEyMzQVAgARGBI5QTND%020d", len(g.ids))
	g.ids = append(g.ids, id)
	return id
}

// sent is the id of a message that was taken, or a made-up one while there are fewer than that.
func (g *graph) sent(n int64) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := n % lanes; i < int64(len(g.ids)) {
		return g.ids[i]
	}
	return fmt.Sprintf("wamid.HBgLMTY1MDU1NTEyMzQVAgARGBI5OTk5%020d", n)
}

func (g *graph) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.ids)
}

// await waits until so many people have got a message, and returns when each got the first.
func (g *graph) await(ctx context.Context, people int) (map[string]time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, repliesTimeout)
	defer cancel()
	for {
		g.mu.Lock()
		got := len(g.handed)
		g.mu.Unlock()
		if got >= people {
			return g.handed, nil
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("%d of %d people have got a reply", got, people), ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// recipient is how a reply names a contact.
func recipient(contact int64) string { return fmt.Sprintf("US.134912%014d", contact) }
