package signup

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/controllers"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/test/contract"
	"github.com/whatsapp-operator/whatsapp-operator/test/leaks"
	"github.com/whatsapp-operator/whatsapp-operator/test/localcluster"
	page "github.com/whatsapp-operator/whatsapp-operator/webhookserver/signup"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/source"
)

const (
	systemNamespace = "whatsapp-system"
	tenantNamespace = "tenant"
	appName         = "partner"
	// publicHost is where customers reach the page.
	publicHost = "hooks.example.com"
	// patience is how long something that must happen is waited for; a loaded machine needs much of it.
	patience = 3 * time.Minute
	glance   = 100 * time.Millisecond
)

// The world that the tests share.
var (
	admin client.Client
	sim   *metasim.Simulator
	// pageAddress and metaAddress are where the browser finds the page's host and Meta's hosts, both over TLS.
	pageAddress, metaAddress string
	closers                  []func() error
	// known are the secrets that were used, and all that people can read of the manager and the page.
	known = &leaks.Search{}
	// promised checks what is promised of every status.
	promised *contract.Checker
	// pageMetrics are the page's.
	pageMetrics = prometheus.NewRegistry()
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
	if err := known.Leaks(leaks.Logs, leaks.Events, leaks.Objects, leaks.Metrics, leaks.Answers); err != nil {
		fmt.Fprintln(os.Stderr, "after the tests:", err)
		code = 1
	}
	return code
}

// lastLook shows the search for secrets the cluster and the metrics of manager and page, while they are there.
func lastLook(ctx context.Context) error {
	world := sim.World(true)
	for _, app := range world.Apps {
		known.Secret(app.Secret)
	}
	for i := range world.WABAs {
		for _, number := range world.WABAs[i].PhoneNumbers {
			known.Secret(number.PIN)
		}
	}
	for _, registry := range []prometheus.Gatherer{metrics.Registry, pageMetrics} {
		families, err := registry.Gather()
		if err != nil {
			return err
		}
		known.Show(leaks.Metrics, fmt.Sprint(families))
	}
	return errors.Join(promised.Cluster(ctx, admin), known.Cluster(ctx, admin))
}

// watched notes the codes that browsers post to the page, and shows the search what the page answers.
func watched(page http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		var posted struct {
			Code string `json:"code"`
		}
		if json.Unmarshal(body, &posted) == nil {
			known.Secret(posted.Code)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		answer := httptest.NewRecorder()
		page.ServeHTTP(answer, r)
		known.Show(leaks.Answers, fmt.Sprint(answer.Header(), "\n", answer.Body))
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes()) // the browser may be gone
	})
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
	switches := metasim.DefaultSwitches()
	switches.PartnerAddedWebhook = false
	if sim, err = metasim.New(metasim.Options{World: metasim.DemoWorld(), Switches: &switches}); err != nil {
		return err
	}
	closers = append(closers, func() error { return sim.Close(context.Background()) })
	graph, browsers := httptest.NewServer(sim), httptest.NewTLSServer(sim)
	metaAddress = browsers.Listener.Addr().String()
	closers = append(closers, func() error { graph.Close(); browsers.Close(); return nil })
	if err := startManager(ctx, c, graph.URL); err != nil {
		return err
	}
	if err := startPage(ctx, c); err != nil {
		return err
	}
	return createPartner(ctx, graph.URL)
}

// startManager runs the controllers under the manager's account.
func startManager(ctx context.Context, c *localcluster.Cluster, graphURL string) error {
	cfg, err := c.RESTConfigFor(ctx, systemNamespace, "whatsapp-operator-manager")
	if err != nil {
		return err
	}
	scheme, err := controllers.Scheme()
	if err != nil {
		return err
	}
	o := controllers.Options{GraphBaseURL: graphURL, ServerURLs: []string{"http://127.0.0.1:1"}}
	mo := controllers.ManagerOptions(scheme, o)
	mo.Logger = ctrl.Log
	mo.Metrics, mo.HealthProbeBindAddress = server.Options{BindAddress: "0"}, "0"
	mgr, err := ctrl.NewManager(cfg, mo)
	if err != nil {
		return err
	}
	if err := controllers.Setup(mgr, o); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	closers = append(closers, func() error { cancel(); return <-done })
	return nil
}

// startPage runs the signup page under the webhook-server's account, behind TLS.
func startPage(ctx context.Context, c *localcluster.Cluster) error {
	cfg, err := c.RESTConfigFor(ctx, "whatsapp-runtime", "webhook-server")
	if err != nil {
		return err
	}
	cluster, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return err
	}
	log := known.Logger(leaks.MaxVerbosity)
	from, err := source.NewKubernetes(cluster, "whatsapp-runtime", log)
	if err != nil {
		return err
	}
	handler, err := page.New(page.Options{
		View: from.View(), Handover: page.NewKubernetes(cluster, "whatsapp-signup"), Metrics: pageMetrics, Log: log, Now: time.Now,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- from.Run(ctx) }()
	mux := http.NewServeMux()
	mux.Handle(page.Path, watched(handler))
	pages := httptest.NewTLSServer(mux)
	pageAddress = pages.Listener.Addr().String()
	closers = append(closers, func() error { pages.Close(); cancel(); return <-done })
	return nil
}

// createPartner makes the namespace of the tenants and the MetaApp. It takes no webhooks, so it needs no handshake.
func createPartner(ctx context.Context, graphURL string) error {
	for _, object := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: tenantNamespace, Labels: map[string]string{"partner": "yes"}}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: systemNamespace, Name: appName}, StringData: map[string]string{
			v1alpha1.SecretKeyAppSecret: sim.AppSecret(metasim.DemoAppID), v1alpha1.SecretKeySystemToken: sim.SystemToken(metasim.DemoSystemUser),
		}},
		&v1alpha1.MetaApp{ObjectMeta: metav1.ObjectMeta{Name: appName}, Spec: v1alpha1.MetaAppSpec{
			AppID: metasim.DemoAppID, SecretRef: v1alpha1.SecretReference{Name: appName},
			Webhook:        v1alpha1.MetaAppWebhook{URL: "https://" + publicHost, Subscription: v1alpha1.SubscriptionManual},
			EmbeddedSignup: &v1alpha1.EmbeddedSignup{ConfigurationID: metasim.DemoConfiguration},
			SolutionPartner: &v1alpha1.SolutionPartner{
				BusinessID: metasim.DemoPartnerBusiness, CreditLineID: metasim.DemoCreditLine, SystemUserID: metasim.DemoSystemUser, Currencies: []string{"USD"},
			},
			Graph:             v1alpha1.GraphSettings{BaseURL: graphURL},
			AllowedNamespaces: &metav1.LabelSelector{MatchLabels: map[string]string{"partner": "yes"}},
		}},
	} {
		if err := admin.Create(ctx, object); err != nil {
			return err
		}
	}
	return nil
}

// customer is a business that is asked to sign up by a link.
type customer struct {
	t                   *testing.T
	name, waba, phoneID string
}

var customers int

// newCustomer makes a business at Meta and its request. numbers are those of its account.
func newCustomer(t *testing.T, numbers int) *customer {
	t.Helper()
	customers++
	c := &customer{t: t, name: fmt.Sprintf("customer-%d", customers), waba: fmt.Sprintf("7022%06d", customers), phoneID: fmt.Sprintf("7065%06d", customers)}
	waba := metasim.WABA{ID: c.waba, Name: c.name, Currency: "USD", OwnerBusinessID: "77" + c.waba}
	if numbers > 0 {
		waba.PhoneNumbers = []metasim.PhoneNumber{{ID: c.phoneID, DisplayPhoneNumber: fmt.Sprintf("+1 555-078-%04d", customers), VerifiedName: c.name}}
	}
	if err := sim.Add(metasim.World{Businesses: []metasim.Business{{ID: waba.OwnerBusinessID, Name: c.name}}, WABAs: []metasim.WABA{waba}}); err != nil {
		t.Fatal(err)
	}
	request := &v1alpha1.OnboardingRequest{ObjectMeta: metav1.ObjectMeta{Namespace: tenantNamespace, Name: c.name}, Spec: v1alpha1.OnboardingRequestSpec{
		MetaAppRef: v1alpha1.MetaAppReference{Name: appName}, Currency: "USD",
	}}
	if err := admin.Create(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *customer) read(ctx context.Context) (*v1alpha1.OnboardingRequest, error) {
	request := &v1alpha1.OnboardingRequest{}
	return request, admin.Get(ctx, client.ObjectKey{Namespace: tenantNamespace, Name: c.name}, request)
}

// link reads the signup link as its tenant does.
func (c *customer) link() string {
	c.t.Helper()
	c.await(v1alpha1.ReasonWaitingForSignup)
	request, err := c.read(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	secret := &corev1.Secret{}
	if err := admin.Get(c.t.Context(), client.ObjectKey{Namespace: tenantNamespace, Name: request.Status.SignupLinkSecretRef.Name}, secret); err != nil {
		c.t.Fatal(err)
	}
	link := string(secret.Data["url"])
	if !strings.HasPrefix(link, "https://"+publicHost+page.Path) {
		c.t.Fatalf("the link is %s", link)
	}
	known.Secret(tokenOf(link))
	return link
}

// await waits until Ready has a reason, and checks the contract.
func (c *customer) await(reason string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	last := errors.New("the request can't be read")
	for ctx.Err() == nil {
		request, err := c.read(ctx)
		ready := apimeta.FindStatusCondition(request.Status.Conditions, v1alpha1.ConditionReady)
		if err == nil && ready != nil && ready.Reason == reason {
			if err := promised.Check(request); err != nil {
				c.t.Error(err)
			}
			return
		}
		if err == nil {
			last = fmt.Errorf("its conditions are %+v", request.Status.Conditions)
		}
		timer := time.NewTimer(glance)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
	c.t.Fatalf("%s: waiting for the reason %s: %v", c.name, reason, last)
}

// approve agrees to the account that the customer shared.
func (c *customer) approve() {
	c.t.Helper()
	request, err := c.read(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	patch := client.MergeFrom(request.DeepCopy())
	request.Spec.WABAID = request.Status.WABAID
	if err := admin.Patch(c.t.Context(), request, patch); err != nil {
		c.t.Fatal(err)
	}
}

// tokenOf is the link's secret part, to look for where it must not be.
func tokenOf(link string) string {
	token := link[strings.LastIndex(link, "/")+1:]
	if _, err := base64.RawURLEncoding.DecodeString(strings.SplitN(token, ".", 2)[0]); err != nil {
		panic(err)
	}
	return token
}
