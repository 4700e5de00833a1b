package controllers

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/test/leaks"
	"github.com/whatsapp-operator/whatsapp-operator/test/localcluster"
)

const (
	systemNamespace  = "whatsapp-system"
	runtimeNamespace = "whatsapp-runtime"
	managerAccount   = "whatsapp-operator-manager"
	serverAccount    = "webhook-server"

	// callbackHost is the public name of the webhook-server; the simulator calls it at the stub's address.
	callbackHost = "hooks.example.test"
	publicURL    = "https://" + callbackHost
	// elsewhereHost answers handshakes, too, and is not the webhook-server's name.
	elsewhereHost = "elsewhere.example.test"

	// Labels of the namespaces that may use the tests' MetaApps, and direct channels.
	labelPartner = "test.example/partner"
	labelDirect  = "test.example/direct"
	labelModels  = "test.example/models"

	defaultModels    = "default-models"
	defaultModelsKey = "sk-of-the-platform"
)

// auditPolicy records what the manager changes.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  users: ["system:serviceaccount:whatsapp-system:whatsapp-operator-manager"]
  verbs: [create, update, patch, delete, deletecollection]
- level: None
`

// The world that all tests of the package share. Each test adds apps, accounts and namespaces of its own.
var (
	cluster *localcluster.Cluster
	// admin arranges and observes. The manager under test has its own account's rights.
	admin client.Client
	sim   *metasim.Server
	stub  *serverStub
	// running is the manager under test.
	running *runningManager
	// known are the secrets that tests use, and what people can read. Tests delete their objects, so each shows how its own ended.
	known = &leaks.Search{}
)

func TestMain(m *testing.M) {
	os.Exit(localcluster.RunTests(suite{m}, localcluster.Options{AuditPolicy: auditPolicy}, setUp))
}

// suite runs the tests, stops the manager while the cluster is still there, and looks for secrets in what the tests left behind.
type suite struct{ m *testing.M }

func (s suite) Run() int {
	code := s.m.Run()
	err := errors.Join(running.stop(), sim.Close(context.Background()), stub.close(), lastLook(context.Background()))
	if err != nil {
		fmt.Fprintln(os.Stderr, "after the tests:", err)
		return 1
	}
	return code
}

// lastLook searches for secrets in the cluster, the metrics, the logs, and what tests showed.
func lastLook(ctx context.Context) error {
	families, err := metrics.Registry.Gather()
	if err != nil {
		return err
	}
	known.Show(leaks.Metrics, fmt.Sprint(families))
	places := []string{leaks.Logs, leaks.Objects, leaks.Metrics}
	if flag.Lookup("test.run").Value.String() == "" {
		// A few of the tests alone may cause none.
		places = append(places, leaks.Events)
	}
	return errors.Join(known.Cluster(ctx, admin), known.Leaks(places...))
}

func setUp(ctx context.Context, c *localcluster.Cluster) error {
	cluster = c
	ctrl.SetLogger(known.Logger(MaxLogVerbosity))
	scheme, err := Scheme()
	if err != nil {
		return err
	}
	if err := c.ApplyCRDs(ctx, "../config/crd"); err != nil {
		return err
	}
	for _, dir := range []string{"../config/namespaces", "../config/rbac"} {
		if _, err := c.Kubectl(ctx, "apply", "--server-side", "-k", dir); err != nil {
			return err
		}
	}
	if admin, err = client.New(c.RESTConfig(), client.Options{Scheme: scheme}); err != nil {
		return err
	}
	if stub, err = startServerStub(ctx, c); err != nil {
		return err
	}
	sim, err = metasim.Start("127.0.0.1:0", metasim.Options{Routes: map[string][]string{callbackHost: {stub.address()}, elsewhereHost: {stub.address()}}, CodeTTL: time.Minute})
	if err != nil {
		return err
	}
	if err := admin.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: systemNamespace, Name: defaultModels},
		StringData: map[string]string{keyDefaultModels: "chat: {provider: OpenAI, model: platform-chat}\nvision: {provider: Anthropic, model: platform-eyes}\n", keyDefaultAPIKey: defaultModelsKey},
	}); err != nil {
		return err
	}
	running, err = startManager(ctx, testOptions())
	return err
}

// testOptions run a manager that looks at everything much more often than one does in a cluster.
func testOptions() Options {
	return Options{
		ServerURLs: []string{stub.url()}, PublicWebhookURL: publicURL, GraphBaseURL: sim.URL,
		DirectNamespaces: labels.SelectorFromSet(labels.Set{labelDirect: "yes"}), DefaultModelsSecret: defaultModels,
		DefaultModelsNamespaces: labels.SelectorFromSet(labels.Set{labelModels: "yes"}),
		CheckInterval:           2 * time.Second, ReferenceInterval: 300 * time.Millisecond, ReportInterval: 100 * time.Millisecond,
	}
}

// runningManager is a manager that runs in this process under its own ServiceAccount.
type runningManager struct {
	cancel context.CancelFunc
	done   chan error
}

func startManager(ctx context.Context, o Options) (*runningManager, error) {
	cfg, err := cluster.RESTConfigFor(ctx, systemNamespace, managerAccount)
	if err != nil {
		return nil, err
	}
	cfg.QPS = -1
	return startManagerAs(ctx, cfg, o)
}

func startManagerAs(ctx context.Context, cfg *rest.Config, o Options) (*runningManager, error) {
	scheme, err := Scheme()
	if err != nil {
		return nil, err
	}
	mo := ManagerOptions(scheme, o)
	mo.Metrics = server.Options{BindAddress: "0"}
	mo.HealthProbeBindAddress = "0"
	// Names of controllers label metrics, which are global; tests run several managers one after the other.
	mo.Controller = config.Controller{SkipNameValidation: new(true)}
	mo.Logger = ctrl.Log
	mgr, err := ctrl.NewManager(cfg, mo)
	if err != nil {
		return nil, err
	}
	if err := Setup(mgr, o); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	run := &runningManager{cancel: cancel, done: make(chan error, 1)}
	go func() { run.done <- mgr.Start(logr.NewContext(ctx, ctrl.Log)) }()
	if !mgr.GetCache().WaitForCacheSync(ctx) {
		return nil, errors.Join(errors.New("the manager's cache did not start"), run.stop())
	}
	return run, nil
}

// stop stops the manager and waits for it.
func (r *runningManager) stop() error {
	if r == nil {
		return nil
	}
	r.cancel()
	return <-r.done
}
