package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"time"
)

const (
	// floorQueue is far above the connections that the load uses, so that it never fills.
	floorQueue = 4096
	// floorGroup bounds a group like the product's stores do.
	floorGroup = 512
)

// floor is a bare receiver: signature, and one row per message with one fsync for all that wait. What it leaves out is all that a
// product adds. Without a keeper it does not even keep anything: the limit of HTTP and HMAC alone.
type floor struct {
	secret []byte
	keeper keeper
	queue  chan *floorRequest
	server *http.Server
	done   chan struct{}
}

// keeper commits a group of requests. It is used by one goroutine.
type keeper interface {
	commit(ctx context.Context, group []*floorRequest) error
	close(ctx context.Context) error
}

// floorRequest is a body with the ids of its messages, which are inserted as a unit.
type floorRequest struct {
	ids    [][]byte
	body   []byte
	answer chan error
}

// startFloor serves until stop. The keeper is closed with it.
func startFloor(ctx context.Context, secret []byte, k keeper) (f *floor, url string, err error) {
	f = &floor{secret: secret, keeper: k, queue: make(chan *floorRequest, floorQueue), done: make(chan struct{})}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	f.server = &http.Server{Handler: f, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(f.done)
		f.write(ctx)
	}()
	go func() { _ = f.server.Serve(listener) }() // ends with ErrServerClosed in stop
	return f, listener.Addr().String(), nil
}

func (f *floor) stop(ctx context.Context) error {
	err := f.server.Shutdown(ctx)
	close(f.queue)
	<-f.done
	if f.keeper != nil {
		err = errors.Join(err, f.keeper.close(ctx))
	}
	return err
}

// ServeHTTP answers 200 once the body is durable.
func (f *floor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 3<<20))
	if err != nil {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	mac := hmac.New(sha256.New, f.secret)
	mac.Write(body)
	given, err := hex.DecodeString(r.Header.Get(signatureHeader)[len("sha256="):])
	if err != nil || !hmac.Equal(mac.Sum(nil), given) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if f.keeper == nil {
		return
	}
	q := &floorRequest{ids: itemIDs(body), body: body, answer: make(chan error, 1)}
	f.queue <- q
	if err := <-q.answer; err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// write commits everything that waits in one transaction; what arrives meanwhile is the next group.
func (f *floor) write(ctx context.Context) {
	for first := range f.queue {
		group := []*floorRequest{first}
		for len(f.queue) > 0 && len(group) < floorGroup {
			group = append(group, <-f.queue)
		}
		err := f.keeper.commit(ctx, group)
		for _, q := range group {
			q.answer <- err
		}
	}
}

// itemIDs finds the ids of messages and statuses without parsing the rest. A status is told from others of its message by what it says.
func itemIDs(body []byte) [][]byte {
	var ids [][]byte
	for rest := body; ; {
		_, after, found := bytes.Cut(rest, []byte(`"id":"wamid.`))
		if !found {
			return ids
		}
		id, tail, _ := bytes.Cut(after, []byte(`"`))
		if status, ok := bytes.CutPrefix(tail, []byte(`,"status":"`)); ok {
			kind, _, _ := bytes.Cut(status, []byte(`"`))
			id = append(append(bytes.Clone(id), ' '), kind...)
		}
		ids, rest = append(ids, id), tail
	}
}
