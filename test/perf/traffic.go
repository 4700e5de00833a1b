package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
)

// trafficHours is in how many hours all channels have traffic.
const trafficHours = 2

// measureTraffic lets messages pass on all channels for some hours, which last as long as it takes to report them, and counts what that
// makes the manager write. The hours are told by reporter, as a webhook-server's own are those of the clock.
func (o *operatorBench) measureTraffic(ctx context.Context) (err error) {
	if err := o.makeChannels(ctx); err != nil {
		return err
	}
	server, err := startReporter(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	before, err := o.calls(ctx)
	if err != nil {
		return err
	}
	if err := o.manager.Stop(); err != nil {
		return err
	}
	if err := o.startManager(ctx, "--direct-namespace-selector=bench=yes", "--webhook-server-urls="+server.url()); err != nil {
		return err
	}
	if err := o.poll(ctx, func() (bool, error) {
		now, err := o.calls(ctx)
		return now["get_phone"]-before["get_phone"] >= o.size.channels, err
	}); err != nil {
		return fmt.Errorf("wait until all channels were looked at: %w", err)
	}
	lines, err := o.lines(ctx)
	if err != nil {
		return err
	}
	hour := time.Now().UTC().Truncate(time.Hour)
	if err := o.firstHour(ctx, server, lines, hour); err != nil {
		return err
	}
	fmt.Printf("%d channels have a first hour of traffic\n", len(lines))
	began := time.Now()
	for range trafficHours {
		hour = hour.Add(time.Hour)
		if err := o.anHour(ctx, server, lines, hour); err != nil {
			return err
		}
	}
	counts, err := o.audit.settle(ctx)
	if err != nil {
		return err
	}
	writes := 0
	for name, n := range counts {
		fmt.Printf("  with traffic: %s: %d\n", name, n)
		writes += n
	}
	mib, err := residentMiB(o.manager.PID())
	if err != nil {
		return err
	}
	fmt.Printf("%d hours of traffic on %d channels in %s, resident %.1f MiB\n", trafficHours, len(lines), time.Since(began).Round(time.Second), mib)
	o.book.Record("with traffic, requests that change objects per channel and hour", float64(writes)/float64(trafficHours*len(lines)))
	return nil
}

// lines are the channels' lines by number.
func (o *operatorBench) lines(ctx context.Context) (map[string]string, error) {
	list := &v1alpha1.WhatsAppChannelList{}
	if err := o.api.List(ctx, list, client.InNamespace(restNamespace)); err != nil {
		return nil, err
	}
	lines := map[string]string{}
	for i := range list.Items {
		if status := &list.Items[i].Status; status.Phone != nil && status.LineID != "" {
			lines[status.Phone.ID] = status.LineID
		}
	}
	if len(lines) != o.size.channels {
		return nil, fmt.Errorf("%d of %d channels have a line", len(lines), o.size.channels)
	}
	return lines, nil
}

// firstHour is an hour of traffic that proves the webhook, too, and shows the first answers at once, which are no matters of every hour.
func (o *operatorBench) firstHour(ctx context.Context, server *reporter, lines map[string]string, hour time.Time) error {
	if err := o.anHour(ctx, server, lines, hour); err != nil {
		return err
	}
	if err := o.awaitEach(ctx, func(channel *v1alpha1.WhatsAppChannel) (bool, string) {
		return channel.Status.Traffic.LastSentAt != nil, "it does not show its first answer"
	}); err != nil {
		return fmt.Errorf("wait until all channels show both directions: %w", err)
	}
	_, err := o.audit.settle(ctx)
	return err
}

// anHour reports what a webhook-server does of an hour in which messages came and went on all lines: that some came, then, once the manager
// knows, that the answers went out and that more came. It waits until all channels show the hour and have heard the rest.
func (o *operatorBench) anHour(ctx context.Context, server *reporter, lines map[string]string, hour time.Time) error {
	came := serverapi.Detail{Traffic: &serverapi.Traffic{FirstReceived: hour, LastReceived: hour}}
	server.report(serverapi.KindTraffic, lines, came)
	server.report(serverapi.KindWebhookVerified, lines, serverapi.Detail{Webhook: &serverapi.Webhook{Proof: serverapi.Delivery}})
	if err := o.awaitEach(ctx, func(channel *v1alpha1.WhatsAppChannel) (bool, string) {
		traffic := channel.Status.Traffic
		return traffic != nil && traffic.LastReceivedAt != nil && !traffic.LastReceivedAt.Time.Before(hour), "it does not show the hour"
	}); err != nil {
		return fmt.Errorf("wait until all channels show the hour: %w", err)
	}
	server.report(serverapi.KindTraffic, lines, serverapi.Detail{Traffic: &serverapi.Traffic{LastSent: hour}})
	server.report(serverapi.KindTraffic, lines, came)
	return o.poll(ctx, func() (bool, error) { return server.read(), nil })
}

// reporter stands in for the webhook-server's internal API: it tells what it is told to.
type reporter struct {
	http     *http.Server
	listener net.Listener
	done     chan error

	mu      sync.Mutex
	reports []serverapi.Report
	// asked is the position that the manager has got to.
	asked int
}

// cursorPrefix tells this reporter's positions from those of the server before.
const cursorPrefix = "bench."

func startReporter(ctx context.Context) (*reporter, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &reporter{listener: listener, done: make(chan error, 1)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+serverapi.PathReports, s.page)
	mux.HandleFunc("GET "+serverapi.PathParkedLines, func(w http.ResponseWriter, _ *http.Request) { answer(w, serverapi.ParkedLines{}) })
	s.http = &http.Server{Handler: mux, ReadHeaderTimeout: readyTimeout}
	go func() { s.done <- s.http.Serve(listener) }()
	return s, nil
}

func (s *reporter) url() string { return "http://" + s.listener.Addr().String() }

func (s *reporter) stop() error {
	err := s.http.Close()
	if served := <-s.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// report tells the same of all lines.
func (s *reporter) report(kind serverapi.Kind, lines map[string]string, detail serverapi.Detail) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for number, line := range lines {
		s.reports = append(s.reports, serverapi.Report{
			ID: serverapi.Cursor(cursorPrefix + strconv.Itoa(len(s.reports)+1)), Time: time.Now(), Kind: kind,
			Namespace: restNamespace, LineID: line, PhoneNumberID: number, Count: 1, Detail: detail,
		})
	}
}

// read says whether the manager has asked for what follows the last report.
func (s *reporter) read() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked == len(s.reports)
}

func (s *reporter) page(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	after, isOurs := strings.CutPrefix(r.FormValue("after"), cursorPrefix)
	from, err := strconv.Atoi(after)
	if !isOurs || err != nil || from > len(s.reports) {
		from = 0
	}
	s.asked = from
	to := min(from+serverapi.MaxLimit, len(s.reports))
	answer(w, serverapi.Reports{Reports: s.reports[from:to], Next: serverapi.Cursor(cursorPrefix + strconv.Itoa(to))})
}

func answer(w http.ResponseWriter, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(body)
}
