package halves

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/controllers"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/test/contract"
	"github.com/whatsapp-operator/whatsapp-operator/test/leaks"
	"github.com/whatsapp-operator/whatsapp-operator/test/localcluster"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/ingress"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/outbox"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/source"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/sqlite"
)

const (
	systemNamespace  = "whatsapp-system"
	runtimeNamespace = "whatsapp-runtime"
	tenantNamespace  = "tenant"
	// publicHost is where Meta finds the webhook-server.
	publicHost = "hooks.example.com"
	// patience is how long something that must happen is waited for; a loaded machine needs much of it.
	patience = 3 * time.Minute
	glance   = 100 * time.Millisecond
)

// The world that the tests share.
var (
	admin    client.Client
	sim      *metasim.Server
	messages store.Store
	// served is what the server has loaded.
	served  *source.View
	closers []func() error
	// known are the secrets that were used, and all that people can read of both halves.
	known = &leaks.Search{}
	// promised checks what is promised of every status.
	promised *contract.Checker
	// askServer shows what the server answers at the end.
	askServer func(ctx context.Context) error
)

func TestMain(m *testing.M) {
	os.Exit(localcluster.RunTests(suite{m}, localcluster.Options{}, setUp))
}

// suite stops what was started while the cluster is still there, and looks for secrets in what the tests left behind.
type suite struct{ m *testing.M }

func (s suite) Run() int {
	code := s.m.Run()
	if err := lastLook(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "after the tests:", err)
		code = 1
	}
	for _, closeIt := range slices.Backward(closers) {
		if err := closeIt(); err != nil {
			fmt.Fprintln(os.Stderr, "after the tests:", err)
			code = 1
		}
	}
	if err := known.Leaks(leaks.Logs, leaks.Events, leaks.Objects, leaks.Metrics, leaks.Answers, leaks.Reports, leaks.Store); err != nil {
		fmt.Fprintln(os.Stderr, "after the tests:", err)
		code = 1
	}
	return code
}

// lastLook shows the search for secrets the cluster, the server's answers and the metrics of both, while they are there.
func lastLook(ctx context.Context) error {
	for _, app := range sim.World(true).Apps {
		known.Secret(app.Secret)
	}
	families, err := metrics.Registry.Gather()
	if err != nil {
		return err
	}
	known.Show(leaks.Metrics, fmt.Sprint(families))
	return errors.Join(promised.Cluster(ctx, admin), known.Cluster(ctx, admin), askServer(ctx))
}

func setUp(ctx context.Context, c *localcluster.Cluster) error {
	ctrl.SetLogger(known.Logger(controllers.MaxLogVerbosity))
	for _, dir := range []string{"../../config/namespaces", "../../config/rbac"} {
		if _, err := c.Kubectl(ctx, "apply", "--server-side", "-k", dir); err != nil {
			return err
		}
	}
	if err := c.ApplyCRDs(ctx, "../../config/crd"); err != nil {
		return err
	}
	scheme, err := controllers.Scheme()
	if err != nil {
		return err
	}
	if promised, err = contract.Load("../.."); err != nil {
		return err
	}
	if admin, err = client.New(c.RESTConfig(), client.Options{Scheme: scheme}); err != nil {
		return err
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: tenantNamespace, Labels: map[string]string{"tenant": "yes"}}}
	if err := admin.Create(ctx, ns); err != nil {
		return err
	}
	if sim, err = metasim.Start("127.0.0.1:0", metasim.Options{World: metasim.DemoWorld()}); err != nil {
		return err
	}
	closers = append(closers, func() error { return sim.Close(context.Background()) })
	internalURL, err := startServer(ctx, c)
	if err != nil {
		return err
	}
	return startManager(ctx, c, internalURL)
}

// startServer runs ingress and internal API under the server's account, on a store of its own.
func startServer(ctx context.Context, c *localcluster.Cluster) (internalURL string, err error) {
	cfg, err := c.RESTConfigFor(ctx, runtimeNamespace, "webhook-server")
	if err != nil {
		return "", err
	}
	cluster, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return "", err
	}
	log := known.Logger(leaks.MaxVerbosity)
	from, err := source.NewKubernetes(cluster, runtimeNamespace, log)
	if err != nil {
		return "", err
	}
	served = from.View()
	dir, err := os.MkdirTemp("", "halves-*")
	if err != nil {
		return "", err
	}
	closers = append(closers, func() error { return os.RemoveAll(dir) })
	path := filepath.Join(dir, "messages.db")
	if messages, err = sqlite.Open(ctx, sqlite.Options{Path: path}); err != nil {
		return "", err
	}
	closers = append(closers, func() error {
		return errors.Join(messages.Close(), known.SQLite(context.WithoutCancel(ctx), path))
	})
	server, err := webhookserver.New(ctx, webhookserver.Options{
		Source: from, Store: messages, Roles: webhookserver.Roles{Ingress: true}, TextPayload: outbox.TextPayload,
		PublicAddr: "127.0.0.1:0", InternalAddr: "127.0.0.1:0", OpsAddr: "127.0.0.1:0", Registry: prometheus.NewRegistry(), Log: log,
	})
	if err != nil {
		return "", err
	}
	closers = append(closers, inBackground(ctx, server.Run))
	askServer = func(ctx context.Context) error {
		return known.Ask(ctx, leaks.Server{
			Webhook: server.URL() + ingress.Path, Internal: server.InternalURL(), Ops: server.OpsURL(),
			BearerToken: from.View().Snapshot().BearerToken().Reveal(), PhoneNumberID: metasim.DemoDirectPhone,
		})
	}
	address, err := url.Parse(server.URL())
	if err != nil {
		return "", err
	}
	return server.InternalURL(), sim.AddRoute(publicHost, address.Host)
}

// startManager runs the controllers under the manager's account.
func startManager(ctx context.Context, c *localcluster.Cluster, serverURL string) error {
	cfg, err := c.RESTConfigFor(ctx, systemNamespace, "whatsapp-operator-manager")
	if err != nil {
		return err
	}
	scheme, err := controllers.Scheme()
	if err != nil {
		return err
	}
	o := controllers.Options{
		GraphBaseURL: sim.URL, ServerURLs: []string{serverURL}, PublicWebhookURL: "https://" + publicHost,
		DirectNamespaces: labels.SelectorFromSet(labels.Set{"tenant": "yes"}),
		// Everything is looked at much more often than in a cluster.
		CheckInterval: 2 * time.Second, ReferenceInterval: 300 * time.Millisecond, ReportInterval: 100 * time.Millisecond,
	}
	mo := controllers.ManagerOptions(scheme, o)
	mo.Logger = ctrl.Log
	mo.Metrics, mo.HealthProbeBindAddress = metricsserver.Options{BindAddress: "0"}, "0"
	mgr, err := ctrl.NewManager(cfg, mo)
	if err != nil {
		return err
	}
	if err := controllers.Setup(mgr, o); err != nil {
		return err
	}
	closers = append(closers, inBackground(ctx, mgr.Start))
	return nil
}

// inBackground runs something until the function that it returns is called.
func inBackground(ctx context.Context, run func(context.Context) error) func() error {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	return func() error { cancel(); return <-done }
}

// create makes an object.
func create(t *testing.T, obj client.Object) {
	t.Helper()
	if err := admin.Create(t.Context(), obj); err != nil {
		t.Fatal(err)
	}
}

// secret makes a Secret, or replaces what is in it.
func secret(t *testing.T, namespace, name string, data map[string]string) {
	t.Helper()
	for _, value := range data {
		known.Secret(value) // it may be replaced later
	}
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, StringData: data}
	err := client.IgnoreNotFound(admin.Get(t.Context(), client.ObjectKeyFromObject(s), s))
	if err == nil && s.UID == "" {
		err = admin.Create(t.Context(), s)
	} else if err == nil {
		s.Data, s.StringData = nil, data
		err = admin.Update(t.Context(), s)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// await repeats a look until it finds nothing wrong.
func await(t *testing.T, look func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	last := errors.New("nothing was seen")
	for ctx.Err() == nil {
		err := look(ctx)
		if err == nil {
			return
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			last = err
		}
		timer := time.NewTimer(glance)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
	t.Fatalf("after %s: %v", patience, last)
}

// awaitCondition waits until a condition has a status and a reason, checks the contract and returns the condition's message.
func awaitCondition(t *testing.T, obj client.Object, conditionType string, status metav1.ConditionStatus, reason string) string {
	t.Helper()
	message := ""
	await(t, func(ctx context.Context) error {
		if err := admin.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
			return err
		}
		all := conditionsOf(obj)
		c := apimeta.FindStatusCondition(all, conditionType)
		if c == nil || c.Status != status || c.Reason != reason || c.ObservedGeneration != obj.GetGeneration() {
			return fmt.Errorf("waiting for %s=%s/%s of %s; it has %+v", conditionType, status, reason, obj.GetName(), all)
		}
		message = c.Message
		return nil
	})
	if err := promised.Check(obj); err != nil {
		t.Error(err)
	}
	return message
}

func conditionsOf(obj client.Object) []metav1.Condition {
	switch o := obj.(type) {
	case *v1alpha1.MetaApp:
		return o.Status.Conditions
	case *v1alpha1.WhatsAppChannel:
		return o.Status.Conditions
	default:
		return nil
	}
}

// texts are the messages of a line's customers, oldest first.
func texts(ctx context.Context, line string) ([]string, error) {
	conversations, err := messages.Conversations(ctx, line, 0, 100)
	if err != nil {
		return nil, err
	}
	var all []string
	for i := range conversations {
		found, err := messages.Messages(ctx, line, conversations[i].ID, 0, 100)
		if err != nil {
			return nil, err
		}
		for n := range found {
			all = append(all, found[n].Text)
		}
	}
	return all, nil
}
