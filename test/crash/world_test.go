package crash

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/test/contract"
	"github.com/whatsapp-operator/whatsapp-operator/test/leaks"
	"github.com/whatsapp-operator/whatsapp-operator/test/localcluster"
	"github.com/whatsapp-operator/whatsapp-operator/test/program"
)

const (
	systemNamespace = "whatsapp-system"
	managerAccount  = "whatsapp-operator-manager"
	tenantNamespace = "tenant"
	appName         = "partner"

	// patience is how long something that must happen is waited for; a loaded machine needs much of it.
	patience = 3 * time.Minute
	// glance is the pause between two looks at the API, blink that between two at the simulator, which decides how soon after a call the
	// process dies.
	glance = 50 * time.Millisecond
	blink  = time.Millisecond
	// lastAppCall is the last call of a look at the MetaApp.
	lastAppCall = "get_credit_line"
	// startTimeout bounds the start of a manager.
	startTimeout = 2 * time.Minute
)

// The world that the tests share.
var (
	cluster    *localcluster.Cluster
	admin      client.Client
	sim        *metasim.Server
	binary     string
	kubeconfig string
	// known are the secrets that were used, and all that people can read of the managers.
	known = &leaks.Search{}
	// promised checks what is promised of every status.
	promised *contract.Checker
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "whatsapp-crash-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, "manager")
	code := localcluster.RunTests(suite{m}, localcluster.Options{}, setUp)
	if sim != nil {
		err = sim.Close(context.Background())
	}
	if err = errors.Join(err, os.RemoveAll(dir)); err != nil {
		fmt.Fprintln(os.Stderr, "after the tests:", err)
		code = 1
	}
	os.Exit(code)
}

// suite looks for secrets in what the tests left behind while the cluster is still there.
type suite struct{ m *testing.M }

func (s suite) Run() int {
	code := s.m.Run()
	ctx := context.Background()
	err := errors.Join(promised.Cluster(ctx, admin), known.Cluster(ctx, admin), known.Leaks(leaks.Logs, leaks.Events, leaks.Objects))
	if err != nil {
		fmt.Fprintln(os.Stderr, "after the tests:", err)
		code = 1
	}
	return code
}

func setUp(ctx context.Context, c *localcluster.Cluster) error {
	cluster = c
	var err error
	if promised, err = contract.Load("../.."); err != nil {
		return err
	}
	// Without the race detector: it would change what is timed, and nothing of it outlives a kill.
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "../../cmd/manager")
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, text)
	}
	for _, dir := range []string{"../../config/namespaces", "../../config/rbac"} {
		if _, err := c.Kubectl(ctx, "apply", "--server-side", "-k", dir); err != nil {
			return err
		}
	}
	if err := c.ApplyCRDs(ctx, "../../config/crd"); err != nil {
		return err
	}
	if kubeconfig, err = c.KubeconfigFor(ctx, systemNamespace, managerAccount); err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return err
	}
	if admin, err = client.New(c.RESTConfig(), client.Options{Scheme: scheme}); err != nil {
		return err
	}
	switches := metasim.DefaultSwitches()
	// A second sharing must show.
	switches.CreditRepeat, switches.PartnerAddedWebhook = "new", false
	if sim, err = metasim.Start("127.0.0.1:0", metasim.Options{World: metasim.DemoWorld(), Switches: &switches, CodeTTL: time.Minute}); err != nil {
		return err
	}
	return createPartner(ctx)
}

// createPartner makes the namespace of the tenants and the MetaApp. It takes no webhooks, so it needs no handshake.
func createPartner(ctx context.Context) error {
	for _, object := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: tenantNamespace, Labels: map[string]string{"partner": "yes"}}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: systemNamespace, Name: appName}, StringData: map[string]string{
			v1alpha1.SecretKeyAppSecret: sim.AppSecret(metasim.DemoAppID), v1alpha1.SecretKeySystemToken: sim.SystemToken(metasim.DemoSystemUser),
		}},
		&v1alpha1.MetaApp{ObjectMeta: metav1.ObjectMeta{Name: appName}, Spec: v1alpha1.MetaAppSpec{
			AppID: metasim.DemoAppID, SecretRef: v1alpha1.SecretReference{Name: appName},
			Webhook:        v1alpha1.MetaAppWebhook{URL: "https://hooks.example.com", Subscription: v1alpha1.SubscriptionManual},
			EmbeddedSignup: &v1alpha1.EmbeddedSignup{ConfigurationID: metasim.DemoConfiguration},
			SolutionPartner: &v1alpha1.SolutionPartner{
				BusinessID: metasim.DemoPartnerBusiness, CreditLineID: metasim.DemoCreditLine, SystemUserID: metasim.DemoSystemUser, Currencies: []string{"USD"},
			},
			Graph:             v1alpha1.GraphSettings{BaseURL: sim.URL, CallsPerSecond: 500},
			AllowedNamespaces: &metav1.LabelSelector{MatchLabels: map[string]string{"partner": "yes"}},
		}},
	} {
		if err := admin.Create(ctx, object); err != nil {
			return err
		}
	}
	return nil
}

// manager is a process of the product.
type manager struct{ *program.Program }

// startManager starts a manager and waits until it serves. It is killed at the end of the test, if not before.
func startManager(t *testing.T, args ...string) *manager {
	t.Helper()
	address, err := program.FreeAddress(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p, err := program.Start(t.Context(), t.TempDir(), binary, append([]string{
		"--kubeconfig=" + kubeconfig, "--health-probe-bind-address=" + address, "--metrics-bind-address=0", "--webhook-server-urls=http://127.0.0.1:1", "--zap-log-level=debug",
	}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	m := &manager{Program: p}
	t.Cleanup(func() {
		if err := known.File(leaks.Logs, m.LogPath); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { m.kill(t) })
	if err := p.AwaitOK(t.Context(), "http://"+address+"/readyz", startTimeout); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *manager) kill(t *testing.T) {
	t.Helper()
	if err := m.Kill(); err != nil {
		t.Error(err)
	}
}

// customer is a business with one account and one number, that has just signed up.
type customer struct {
	name                        string
	businessID, wabaID, phoneID string
	code                        metasim.IssuedCode
}

var customers int

func newCustomer(t *testing.T) *customer {
	t.Helper()
	customers++
	c := &customer{
		name: fmt.Sprintf("customer-%d", customers), businessID: fmt.Sprintf("7729%06d", customers), wabaID: fmt.Sprintf("7022%06d", customers),
		phoneID: fmt.Sprintf("7065%06d", customers),
	}
	if err := sim.Add(metasim.World{
		Businesses: []metasim.Business{{ID: c.businessID, Name: c.name}},
		WABAs: []metasim.WABA{{
			ID: c.wabaID, Name: c.name, Currency: "USD", OwnerBusinessID: c.businessID,
			PhoneNumbers: []metasim.PhoneNumber{{ID: c.phoneID, DisplayPhoneNumber: "+1 555-078-3881", VerifiedName: c.name}},
		}},
	}); err != nil {
		t.Fatal(err)
	}
	return c
}

// signUp completes the signup; the code lands in the Secret that the request names.
func (c *customer) signUp(t *testing.T) {
	t.Helper()
	var err error
	if c.code, err = sim.IssueCode(metasim.CodeRequest{AppID: metasim.DemoAppID, WABAIDs: []string{c.wabaID}}); err != nil {
		t.Fatal(err)
	}
	code := known.Secret(c.code.Code)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: tenantNamespace, Name: c.name}, StringData: map[string]string{v1alpha1.SecretKeyCode: code}}
	if err := admin.Create(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
}

// request makes the OnboardingRequest.
func (c *customer) request(t *testing.T) {
	t.Helper()
	request := &v1alpha1.OnboardingRequest{ObjectMeta: metav1.ObjectMeta{Namespace: tenantNamespace, Name: c.name}, Spec: v1alpha1.OnboardingRequestSpec{
		MetaAppRef: v1alpha1.MetaAppReference{Name: appName}, CodeSecretRef: &v1alpha1.SecretKeyReference{Name: c.name}, Currency: "USD", DeletionPolicy: v1alpha1.DeletionRetain,
	}}
	if err := admin.Create(t.Context(), request); err != nil {
		t.Fatal(err)
	}
}

// read reads the customer's request.
func (c *customer) read(ctx context.Context) (*v1alpha1.OnboardingRequest, error) {
	request := &v1alpha1.OnboardingRequest{}
	return request, admin.Get(ctx, client.ObjectKey{Namespace: tenantNamespace, Name: c.name}, request)
}

// await looks every so often until there is nothing in the way any more.
func await(t *testing.T, timeout, every time.Duration, look func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var last error
	for {
		err := look(ctx)
		if err == nil {
			return
		}
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			t.Fatalf("after %s: %v", timeout, last)
		case <-ticker.C:
		}
	}
}

func describe(request *v1alpha1.OnboardingRequest) string {
	var lines []string
	for _, c := range request.Status.Conditions {
		lines = append(lines, fmt.Sprintf("  %s=%s/%s: %s", c.Type, c.Status, c.Reason, c.Message))
	}
	return strings.Join(lines, "\n")
}

// reasonOf is the reason of a condition of a status; empty if the condition has another status.
func reasonOf(request *v1alpha1.OnboardingRequest, condition string, status metav1.ConditionStatus) string {
	if c := apimeta.FindStatusCondition(request.Status.Conditions, condition); c != nil && c.Status == status {
		return c.Reason
	}
	return ""
}
