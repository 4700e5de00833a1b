package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// connections that load keeps busy: enough for group commits to form, as many as one busy partner of Meta's.
	connections = 64
	// answerTimeout bounds the wait for one answer.
	answerTimeout = 20 * time.Second
)

// outcome of one run.
type outcome struct {
	perSecond float64
	p50, p99  time.Duration
	requests  int
	// server and database are the processor time of a request there; 0 where it is not told apart from the generator's.
	server, database time.Duration
}

// String shows a rate and latencies in one cell.
func (f outcome) String() string {
	text := fmt.Sprintf("%6.0f/s p50 %s p99 %s", f.perSecond, f.p50.Round(100*time.Microsecond), f.p99.Round(100*time.Microsecond))
	if f.server > 0 {
		text += fmt.Sprintf(" processor %s", f.server.Round(time.Microsecond))
	}
	if f.database > 0 {
		text += fmt.Sprintf(" database's %s", f.database.Round(time.Microsecond))
	}
	return text
}

func outcomeOf(latencies []time.Duration, elapsed time.Duration) (outcome, error) {
	if len(latencies) == 0 {
		return outcome{}, errors.New("no webhook was answered")
	}
	slices.Sort(latencies)
	return outcome{
		perSecond: float64(len(latencies)) / elapsed.Seconds(), requests: len(latencies),
		p50: latencies[len(latencies)/2], p99: latencies[len(latencies)*99/100],
	}, nil
}

// connection is one keep-alive connection. It does less than net/http's, because the generator shares the processors with what it measures.
type connection struct {
	conn   net.Conn
	reader *bufio.Reader
	out    []byte
	host   string
}

func dial(ctx context.Context, addr string) (*connection, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &connection{conn: conn, reader: bufio.NewReader(conn), host: addr}, nil
}

// post delivers a signed body. Anything but 200 is an error: a figure with refusals in it would not be one of durable messages.
func (c *connection) post(secret, body []byte) error {
	if err := c.conn.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return err
	}
	c.out = fmt.Appendf(c.out[:0], "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n%s: %s\r\nContent-Length: %d\r\n\r\n",
		webhookPath, c.host, signatureHeader, sign(secret, body), len(body))
	c.out = append(c.out, body...)
	if _, err := c.conn.Write(c.out); err != nil {
		return err
	}
	return c.answer()
}

func (c *connection) answer() error {
	status, err := c.reader.ReadSlice('\n')
	if err != nil {
		return err
	}
	if len(status) < 12 || string(status[9:12]) != "200" {
		return fmt.Errorf("a webhook was answered with %q", bytes.TrimSpace(status))
	}
	length := 0
	for {
		line, err := c.reader.ReadSlice('\n')
		if err != nil {
			return err
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			break
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return err
			}
		}
	}
	_, err = io.CopyN(io.Discard, c.reader, int64(length))
	return err
}

// load is what is sent, to whom.
type load struct {
	// addrs of the servers, which share the connections.
	addrs  []string
	secret []byte
	// next makes the nth webhook of the sequence.
	next     func(n int64) []byte
	sequence *atomic.Int64
}

// closed keeps all connections busy for a while.
func (l load) closed(ctx context.Context, duration time.Duration) (outcome, error) {
	latencies := make([][]time.Duration, connections)
	group, ctx := errgroup.WithContext(ctx)
	start := time.Now()
	until := start.Add(duration)
	for i := range connections {
		group.Go(func() error {
			c, err := dial(ctx, l.addrs[i%len(l.addrs)])
			if err != nil {
				return err
			}
			for time.Now().Before(until) && ctx.Err() == nil {
				body := l.next(l.sequence.Add(1))
				sent := time.Now()
				if err := c.post(l.secret, body); err != nil {
					return errors.Join(err, c.conn.Close())
				}
				latencies[i] = append(latencies[i], time.Since(sent))
			}
			return c.conn.Close()
		})
	}
	if err := group.Wait(); err != nil {
		return outcome{}, err
	}
	return outcomeOf(slices.Concat(latencies...), time.Since(start))
}

// open sends at openRate, whatever the answers do. A latency counts from when its webhook was to be sent.
func (l load) open(ctx context.Context, duration time.Duration, answered func(n int64)) (outcome, error) {
	planned := make(chan time.Time, openRate*int(duration/time.Second+1))
	latencies := make([][]time.Duration, connections)
	group, ctx := errgroup.WithContext(ctx)
	for i := range connections {
		group.Go(func() error {
			c, err := dial(ctx, l.addrs[i%len(l.addrs)])
			if err != nil {
				return err
			}
			for at := range planned {
				n := l.sequence.Add(1)
				if err := c.post(l.secret, l.next(n)); err != nil {
					return errors.Join(err, c.conn.Close())
				}
				latencies[i] = append(latencies[i], time.Since(at))
				if answered != nil {
					answered(n)
				}
			}
			return c.conn.Close()
		})
	}
	start := time.Now()
	for i := range openRate * int(duration/time.Second) {
		at := start.Add(time.Duration(i) * time.Second / openRate)
		if ctx.Err() != nil {
			break
		}
		select {
		case <-time.After(time.Until(at)):
		case <-ctx.Done():
		}
		planned <- at
	}
	close(planned)
	if err := group.Wait(); err != nil {
		return outcome{}, err
	}
	return outcomeOf(slices.Concat(latencies...), time.Since(start))
}
