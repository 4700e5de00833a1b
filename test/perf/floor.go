package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the database that the product embeds
)

// floorQueue is far above the connections that the load uses, so that it never fills.
const floorQueue = 4096

// floor is a bare durable receiver: signature, one row, one fsync for all that wait. What it leaves out is all that a product adds.
type floor struct {
	secret []byte
	db     *sql.DB
	conn   *sql.Conn
	insert *sql.Stmt
	queue  chan floorRow
	server *http.Server
	done   chan struct{}
}

type floorRow struct {
	id     []byte
	body   []byte
	answer chan error
}

// startFloor serves until stop.
func startFloor(ctx context.Context, dir string, secret []byte) (f *floor, url string, err error) {
	f = &floor{secret: secret, queue: make(chan floorRow, floorQueue), done: make(chan struct{})}
	defer func() {
		if err != nil && f.db != nil {
			err = errors.Join(err, f.db.Close())
		}
	}()
	f.db, err = sql.Open("sqlite", "file:"+filepath.Join(dir, "floor.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return nil, "", err
	}
	// One connection and one statement for life: the floor has to be as low as it can be.
	if f.conn, err = f.db.Conn(ctx); err != nil {
		return nil, "", err
	}
	if _, err := f.conn.ExecContext(ctx, "CREATE TABLE inbox (id BLOB NOT NULL UNIQUE, body BLOB NOT NULL)"); err != nil {
		return nil, "", err
	}
	if f.insert, err = f.conn.PrepareContext(ctx, "INSERT INTO inbox (id, body) VALUES (?, ?) ON CONFLICT DO NOTHING"); err != nil {
		return nil, "", err
	}
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
	return f, "http://" + listener.Addr().String() + webhookPath, nil
}

func (f *floor) stop(ctx context.Context) error {
	err := f.server.Shutdown(ctx)
	close(f.queue)
	<-f.done
	return errors.Join(err, f.insert.Close(), f.conn.Close(), f.db.Close())
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
	sum := mac.Sum(nil)
	given, err := hex.DecodeString(r.Header.Get(signatureHeader)[len("sha256="):])
	if err != nil || !hmac.Equal(sum, given) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	row := floorRow{id: messageID(body), body: body, answer: make(chan error, 1)}
	f.queue <- row
	if err := <-row.answer; err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// write commits everything that waits in one transaction; what arrives meanwhile is the next group.
func (f *floor) write(ctx context.Context) {
	for first := range f.queue {
		group := []floorRow{first}
		for len(f.queue) > 0 {
			group = append(group, <-f.queue)
		}
		err := f.commit(ctx, group)
		for _, row := range group {
			row.answer <- err
		}
	}
}

func (f *floor) commit(ctx context.Context, group []floorRow) error {
	if _, err := f.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	for _, row := range group {
		if _, err := f.insert.ExecContext(ctx, row.id, row.body); err != nil {
			_, rollbackErr := f.conn.ExecContext(ctx, "ROLLBACK")
			return errors.Join(err, rollbackErr)
		}
	}
	_, err := f.conn.ExecContext(ctx, "COMMIT")
	return err
}

// messageID finds the id of the one message without parsing the rest.
func messageID(body []byte) []byte {
	_, after, _ := bytes.Cut(body, []byte(`"wamid.`))
	id, _, _ := bytes.Cut(after, []byte(`"`))
	return id
}
