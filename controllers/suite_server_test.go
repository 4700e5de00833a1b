package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
	"github.com/whatsapp-operator/whatsapp-operator/test/localcluster"
)

// serverStub stands in for the webhook-server: it answers Meta's handshake and the internal API from what is projected, read with the
// server's own rights. It stores no message.
type serverStub struct {
	client client.Client
	http   *http.Server
	addr   net.Addr
	done   chan error

	mu      sync.Mutex
	reports []serverapi.Report
	// parked are the lines that can't send, by their ids.
	parked map[string]serverapi.ParkedLine
	// parkedAsked is how often they were asked for.
	parkedAsked int
	// lagging are Objects that this replica pretends not to have loaded.
	lagging map[string]bool
	tests   map[string]serverapi.TestOutcome
	// asked are the keys of the test messages that were asked for, by number.
	asked map[string]map[string]bool
}

func startServerStub(ctx context.Context, c *localcluster.Cluster) (*serverStub, error) {
	cfg, err := c.RESTConfigFor(ctx, runtimeNamespace, serverAccount)
	if err != nil {
		return nil, err
	}
	cfg.QPS = -1
	s := &serverStub{done: make(chan error, 1), lagging: map[string]bool{}, tests: map[string]serverapi.TestOutcome{}, asked: map[string]map[string]bool{}, parked: map[string]serverapi.ParkedLine{}}
	if s.client, err = client.New(cfg, client.Options{}); err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+CallbackPath, s.handshake)
	mux.HandleFunc("GET "+serverapi.PathSnapshot, s.authorized(s.snapshot))
	mux.HandleFunc("GET "+serverapi.PathReports, s.authorized(s.page))
	mux.HandleFunc("GET "+serverapi.PathParkedLines, s.authorized(s.parkedLines))
	mux.HandleFunc("POST "+serverapi.PathTestMessages, s.authorized(s.testMessage))
	s.addr, s.http = listener.Addr(), &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { s.done <- s.http.Serve(listener) }()
	return s, nil
}

func (s *serverStub) address() string { return s.addr.String() }
func (s *serverStub) url() string     { return "http://" + s.addr.String() }

func (s *serverStub) close() error {
	if err := s.http.Close(); err != nil {
		return err
	}
	if err := <-s.done; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// objects reads what is projected, as the server does.
func (s *serverStub) objects(ctx context.Context) ([]runtimeconfig.Object, error) {
	var secrets corev1.SecretList
	if err := s.client.List(ctx, &secrets, client.InNamespace(runtimeNamespace), client.HasLabels{runtimeconfig.LabelProjection}); err != nil {
		return nil, err
	}
	var objects []runtimeconfig.Object
	for i := range secrets.Items {
		objects = append(objects, runtimeconfig.Object{Name: secrets.Items[i].Name, Data: secrets.Items[i].Data})
	}
	var contents corev1.ConfigMapList
	if err := s.client.List(ctx, &contents, client.InNamespace(runtimeNamespace), client.HasLabels{runtimeconfig.LabelProjection}); err != nil {
		return nil, err
	}
	for i := range contents.Items {
		objects = append(objects, runtimeconfig.Object{Name: contents.Items[i].Name, Data: contents.Items[i].BinaryData})
	}
	return objects, nil
}

func (s *serverStub) handshake(w http.ResponseWriter, r *http.Request) {
	objects, err := s.objects(r.Context())
	if err != nil {
		http.Error(w, "", http.StatusServiceUnavailable)
		return
	}
	if len(runtimeconfig.Load(objects).Handshakers(r.FormValue("hub.verify_token"))) == 0 {
		http.Error(w, "", http.StatusForbidden)
		return
	}
	reply(w, []byte(r.FormValue("hub.challenge")))
}

func (s *serverStub) authorized(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		objects, err := s.objects(r.Context())
		if err != nil {
			http.Error(w, "", http.StatusServiceUnavailable)
			return
		}
		if !serverapi.Authorized(r, runtimeconfig.Load(objects).BearerToken()) {
			http.Error(w, "", http.StatusUnauthorized)
			return
		}
		next(w, r)
	}
}

func (s *serverStub) snapshot(w http.ResponseWriter, r *http.Request) {
	objects, err := s.objects(r.Context())
	if err != nil {
		http.Error(w, "", http.StatusServiceUnavailable)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := serverapi.Snapshot{Synced: true, Objects: map[string]string{}}
	for _, object := range objects {
		if !s.lagging[object.Name] {
			answer.Objects[object.Name] = runtimeconfig.Revision(object.Data)
		}
	}
	replyJSON(w, answer)
}

func (s *serverStub) page(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from, err := strconv.Atoi(r.FormValue("after"))
	if err != nil || from > len(s.reports) {
		from = 0
	}
	replyJSON(w, serverapi.Reports{Reports: s.reports[from:], Next: serverapi.Cursor(strconv.Itoa(len(s.reports)))})
}

func (s *serverStub) parkedLines(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parkedAsked++
	replyJSON(w, serverapi.ParkedLines{Lines: slices.Collect(maps.Values(s.parked))})
}

// asks is how often the parked lines were asked for.
func (s *serverStub) asks() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.parkedAsked
}

// park puts a line on hold; without a reason it goes on.
func (s *serverStub) park(line, reason string, since time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.parked, line)
	if reason != "" {
		s.parked[line] = serverapi.ParkedLine{LineID: line, Reason: reason, Since: since}
	}
}

func (s *serverStub) testMessage(w http.ResponseWriter, r *http.Request) {
	var wish serverapi.TestMessage
	if err := json.NewDecoder(r.Body).Decode(&wish); err != nil {
		http.Error(w, "", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	outcome, ok := s.tests[wish.PhoneNumberID]
	if !ok {
		outcome.State = serverapi.TestWaiting
	}
	outcome.Key = wish.Key
	if s.asked[wish.PhoneNumberID] == nil {
		s.asked[wish.PhoneNumberID] = map[string]bool{}
	}
	s.asked[wish.PhoneNumberID][wish.Key] = true
	replyJSON(w, outcome)
}

// report makes the server tell something.
func (s *serverStub) report(report serverapi.Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	report.ID, report.Time, report.Count = serverapi.Cursor(strconv.Itoa(len(s.reports)+1)), time.Now(), 1
	s.reports = append(s.reports, report)
}

// lag makes this replica pretend not to have loaded an Object, or no longer.
func (s *serverStub) lag(object string, lagging bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lagging[object] = lagging
}

// test sets what becomes of the test messages of a number, and reports it as the server does.
func (s *serverStub) test(request *v1alpha1.OnboardingRequest, outcome serverapi.TestOutcome) {
	number := request.Status.PhoneNumberID
	s.mu.Lock()
	s.tests[number] = outcome
	s.mu.Unlock()
	s.report(serverapi.Report{Kind: serverapi.KindTestMessage, Namespace: request.Namespace, PhoneNumberID: number})
}

// testsAsked is how many test messages were asked for, however often.
func (s *serverStub) testsAsked(phoneNumberID string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked[phoneNumberID])
}

func replyJSON(w http.ResponseWriter, answer any) {
	body, err := json.Marshal(answer)
	if err != nil {
		http.Error(w, "", http.StatusInternalServerError)
		return
	}
	reply(w, body)
}

// reply writes an answer. A client that has gone needs none.
func reply(w http.ResponseWriter, body []byte) { _, _ = w.Write(body) }
