package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	webhookPath     = "/webhooks/whatsapp"
	signatureHeader = "X-Hub-Signature-256"
	// connections that load keeps busy: enough for group commits to form, as many as one busy partner of Meta's.
	connections = 64
	// senders are the customers that write in turns.
	senders = 2000
)

// figures of one closed-loop run.
type figures struct {
	perSecond float64
	p50, p99  time.Duration
}

// message builds the nth delivery: one text message in Meta's envelope.
func message(n int64) []byte {
	return fmt.Appendf(nil, `{"object":"whatsapp_business_account","entry":[{"id":"%s","changes":[{"value":{"messaging_product":"whatsapp",`+
		`"metadata":{"display_phone_number":"15550783881","phone_number_id":"%s"},"contacts":[{"profile":{"name":"Customer %d"},"wa_id":"1650555%04d",`+
		`"user_id":"US.1349120865530274%04d"}],"messages":[{"from":"1650555%04d","from_user_id":"US.1349120865530274%04d","id":"wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQ%012d",`+
		`"timestamp":"%d","text":{"body":"Do you have ferns? Question number %d"},"type":"text"}]},"field":"messages"}]}]}`,
		benchWABA, benchPhone, n%senders, n%senders, n%senders, n%senders, n%senders, n, time.Now().Unix(), n)
}

// drive keeps all connections busy with signed deliveries for a while. Anything but 200 is an error: a figure with refusals in it
// would not be one of durable messages.
func drive(ctx context.Context, url string, secret []byte, sequence *atomic.Int64, duration time.Duration) (figures, error) {
	client := &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections},
		Timeout:   10 * time.Second,
	}
	defer client.CloseIdleConnections()
	until := time.Now().Add(duration)
	latencies := make([][]time.Duration, connections)
	group, ctx := errgroup.WithContext(ctx)
	start := time.Now()
	for i := range connections {
		group.Go(func() error {
			for time.Now().Before(until) {
				sent := time.Now()
				if err := post(ctx, client, url, secret, message(sequence.Add(1))); err != nil {
					return err
				}
				latencies[i] = append(latencies[i], time.Since(sent))
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return figures{}, err
	}
	elapsed := time.Since(start)
	all := slices.Concat(latencies...)
	if len(all) == 0 {
		return figures{}, errors.New("no delivery was answered")
	}
	slices.Sort(all)
	return figures{perSecond: float64(len(all)) / elapsed.Seconds(), p50: all[len(all)/2], p99: all[len(all)*99/100]}, nil
}

func post(ctx context.Context, client *http.Client, url string, secret, body []byte) error {
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(signatureHeader, "sha256="+hex.EncodeToString(mac.Sum(nil)))
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	_, copyErr := io.Copy(io.Discard, resp.Body)
	if err := errors.Join(copyErr, resp.Body.Close()); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("a delivery was answered with %d", resp.StatusCode)
	}
	return nil
}
