package webhookserver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// told is a Worker that ends, and with it the server, when it is told to.
type told struct{ end chan struct{} }

var errTold = errors.New("told to end")

func (w told) Run(ctx context.Context) error {
	select {
	case <-w.end:
		return errTold
	case <-ctx.Done():
		return nil
	}
}

// TestDrainLeavesIdleConnectionsOpen: a load balancer that has not noticed yet may be sending on one at this moment. It ends with an
// answer, which says so.
func TestDrainLeavesIdleConnectionsOpen(t *testing.T) {
	o, from, _ := options(t)
	worker := told{make(chan struct{})}
	o.DrainDelay, o.Workers = time.Hour, []Worker{worker}
	from.publish(t, "https://graph.facebook.com")
	s, stop, ended := start(t, o)
	end := sync.OnceFunc(func() { close(worker.end) }) // rather than waiting for an hour
	t.Cleanup(end)
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(conn)
	ask := func() (ends bool) {
		t.Helper()
		if _, err := fmt.Fprint(conn, "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatalf("a request on an open connection has no answer: %v", err)
		}
		if err := res.Body.Close(); err != nil {
			t.Fatal(err)
		}
		return res.Close
	}
	if ask() {
		t.Error("the connection ends before there is a reason")
	}
	stop()
	eventually(t, "the server is unready", func() bool {
		status, text := get(t, s.OpsURL()+"/readyz")
		return status == http.StatusServiceUnavailable && text == "draining\n"
	})
	if !ask() {
		t.Error("the connection does not end with its next answer")
	}
	end()
	if err := await(t, "the end", ended); !errors.Is(err, errTold) {
		t.Errorf("Run: %v", err)
	}
}
