package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/test/localcluster"
	"github.com/whatsapp-operator/whatsapp-operator/test/program"
)

const (
	// graphLatency is what each Graph call takes.
	graphLatency = 50 * time.Millisecond
	// onboardTimeout bounds the whole measurement.
	onboardTimeout = 5 * time.Minute
	// readyTimeout bounds the start of one of our programs.
	readyTimeout   = 30 * time.Second
	benchNamespace = "bench"
	benchApp       = "670843887433847"
)

// plan is how often each Graph call is needed for one customer of a Solution Partner whose number is new: the journey of Meta's
// guide, with a read before each write that must not be repeated, and a read after each write whose effect is proven.
var plan = map[string]int{
	"exchange":                1,
	"debug_token":             1,
	"get_waba":                2,
	"list_phone_numbers":      1,
	"list_subscribed_apps":    2,
	"subscribe":               1,
	"list_assigned_users":     1,
	"assign_user":             1,
	"credit_share_and_attach": 1,
	"get_allocation":          1,
	"register":                1,
}

// bench is the world of the onboarding measurement.
type bench struct {
	api client.WithWatch
	sim string
	// http talks to the simulator's admin API.
	http *http.Client
	// startManager starts the manager with more arguments; manager is the one that runs.
	startManager func(ctx context.Context, args ...string) error
	manager      *program.Program
}

// measureOnboarding creates requests all at once and waits until all are Ready.
func measureOnboarding(ctx context.Context, dir string, o options) (err error) {
	ctx, cancel := context.WithTimeout(ctx, onboardTimeout)
	defer cancel()
	fmt.Printf("Onboarding: %d requests at once, each Graph call takes %s\n\n", o.requests, graphLatency)
	cluster, err := localcluster.Start(ctx, localcluster.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cluster.Stop()) }()
	if err := install(ctx, cluster); err != nil {
		return err
	}
	b, stop, err := startBench(ctx, dir, cluster)
	defer func() { err = errors.Join(err, stop()) }()
	if err != nil {
		return err
	}
	if err := b.prepare(ctx, o.requests); err != nil {
		return err
	}
	before, err := b.calls(ctx)
	if err != nil {
		return err
	}
	start := time.Now()
	if err := b.createRequests(ctx, o.requests); err != nil {
		return err
	}
	created := time.Since(start)
	if err := b.awaitReady(ctx, o.requests); err != nil {
		return err
	}
	elapsed := time.Since(start)
	after, err := b.calls(ctx)
	if err != nil {
		return err
	}
	report(o.requests, created, elapsed, before, after)
	return nil
}

// report prints the time against what the Graph calls of one request take one after the other, and the calls against the plan.
func report(requests int, created, elapsed time.Duration, before, after map[string]int) {
	planned := 0
	for _, n := range plan {
		planned += n
	}
	alone := time.Duration(planned) * graphLatency
	fmt.Printf("created in %s, all Ready after %s\n", created.Round(10*time.Millisecond), elapsed.Round(10*time.Millisecond))
	fmt.Printf("one request's %d planned calls, one after the other: %s; all %d requests ÷ that: %.1f\n\n", planned, alone, requests, elapsed.Seconds()/alone.Seconds())
	fmt.Printf("%-26s %8s %12s %8s\n", "Graph call", "plan", "per request", "ratio")
	total := 0
	for _, name := range slices.Sorted(maps.Keys(after)) {
		n := after[name] - before[name]
		if n == 0 && plan[name] == 0 {
			continue
		}
		total += n
		fmt.Printf("%-26s %8d %12.2f %8.2f\n", name, plan[name], float64(n)/float64(requests), float64(n)/float64(max(plan[name], 1)*requests))
	}
	fmt.Printf("%-26s %8d %12.2f %8.2f\n\n", "all", planned, float64(total)/float64(requests), float64(total)/float64(planned*requests))
}

// startBench starts simulator, webhook-server and manager. The returned function stops what was started, also after an error.
func startBench(ctx context.Context, dir string, cluster *localcluster.Cluster) (_ *bench, stop func() error, err error) {
	var programs []*program.Program
	stop = func() error {
		var errs []error
		for _, p := range slices.Backward(programs) {
			errs = append(errs, p.Stop())
		}
		return errors.Join(errs...)
	}
	var addresses [6]string
	for i := range addresses {
		if addresses[i], err = program.FreeAddress(ctx); err != nil {
			return nil, stop, err
		}
	}
	start := func(ctx context.Context, url, name string, args ...string) (*program.Program, error) {
		p, err := program.Start(ctx, dir, filepath.Join(dir, name), args...)
		if err != nil {
			return nil, err
		}
		programs = append(programs, p)
		err = p.AwaitOK(ctx, url, readyTimeout)
		return p, err
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, stop, err
	}
	config := cluster.RESTConfig()
	config.QPS = -1 // the load must not be held back on our side
	api, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, stop, err
	}
	b := &bench{api: api, sim: "http://" + addresses[0], http: &http.Client{Timeout: time.Minute}}
	// Codes must outlive the creation of all requests: their life isn't what is measured.
	if _, err := start(ctx, b.sim+"/sim/v1/clock", "metasim", "--addr="+addresses[0], "--code-ttl=10m", "--route=hooks.example.com="+addresses[1]); err != nil {
		return nil, stop, err
	}
	serverConfig, err := cluster.KubeconfigFor(ctx, "whatsapp-runtime", "webhook-server")
	if err != nil {
		return nil, stop, err
	}
	if _, err := start(ctx, "http://"+addresses[3]+"/healthz", "webhook-server", "--kubeconfig="+serverConfig, "--addr="+addresses[1],
		"--internal-addr="+addresses[2], "--ops-addr="+addresses[3], "--store=sqlite:"+filepath.Join(dir, "bench.db")); err != nil {
		return nil, stop, err
	}
	managerConfig, err := cluster.KubeconfigFor(ctx, "whatsapp-system", "whatsapp-operator-manager")
	if err != nil {
		return nil, stop, err
	}
	b.startManager = func(ctx context.Context, args ...string) (err error) {
		b.manager, err = start(ctx, "http://"+addresses[4]+"/readyz", "manager", append([]string{
			"--kubeconfig=" + managerConfig, "--leader-elect", "--health-probe-bind-address=" + addresses[4],
			"--metrics-bind-address=" + addresses[5], "--webhook-server-urls=http://" + addresses[2],
		}, args...)...)
		return err
	}
	err = b.startManager(ctx)
	return b, stop, err
}

// prepare makes the customers at Meta, the MetaApp with its Secret, and slows Graph down.
func (b *bench) prepare(ctx context.Context, requests int) error {
	var meta struct {
		Apps        []struct{ ID, Secret string }   `json:"apps"`
		SystemUsers []struct{ AppID, Token string } `json:"systemUsers"`
	}
	if err := b.call(ctx, http.MethodGet, "/sim/v1/world?secrets=true", nil, &meta); err != nil {
		return err
	}
	if err := b.addCustomers(ctx, 0, requests, nil); err != nil {
		return err
	}
	objects := []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: benchNamespace, Labels: map[string]string{"bench": "yes"}}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "whatsapp-system", Name: "bench"}, StringData: map[string]string{
			v1alpha1.SecretKeyAppSecret: meta.Apps[0].Secret, v1alpha1.SecretKeySystemToken: meta.SystemUsers[0].Token,
		}},
		&v1alpha1.MetaApp{ObjectMeta: metav1.ObjectMeta{Name: "bench"}, Spec: v1alpha1.MetaAppSpec{
			AppID: benchApp, SecretRef: v1alpha1.SecretReference{Name: "bench"}, Webhook: v1alpha1.MetaAppWebhook{URL: "https://hooks.example.com"},
			SolutionPartner:   &v1alpha1.SolutionPartner{BusinessID: "506914307656634", CreditLineID: "1972385232742146", Currencies: []string{"USD"}},
			EmbeddedSignup:    &v1alpha1.EmbeddedSignup{ConfigurationID: "1234567890"},
			Graph:             v1alpha1.GraphSettings{BaseURL: b.sim, CallsPerSecond: 500},
			AllowedNamespaces: &metav1.LabelSelector{MatchLabels: map[string]string{"bench": "yes"}},
		}},
	}
	for _, object := range objects {
		if err := b.api.Create(ctx, object); err != nil {
			return err
		}
	}
	if err := b.poll(ctx, func() (bool, error) {
		app := &v1alpha1.MetaApp{}
		err := b.api.Get(ctx, client.ObjectKey{Name: "bench"}, app)
		return apimeta.IsStatusConditionTrue(app.Status.Conditions, v1alpha1.ConditionReady), err
	}); err != nil {
		return fmt.Errorf("wait for the MetaApp: %w", err)
	}
	return b.call(ctx, http.MethodPatch, "/sim/v1/switches", map[string]any{"graphLatency": graphLatency.String()}, nil)
}

// addCustomers adds the customers from the first to before the last to Meta. phone has what is special about their numbers.
func (b *bench) addCustomers(ctx context.Context, first, last int, phone map[string]any) error {
	var businesses, wabas []map[string]any
	for i := first; i < last; i++ {
		businesses = append(businesses, map[string]any{"id": businessID(i), "name": fmt.Sprintf("Customer %d", i)})
		number := map[string]any{"id": phoneID(i), "displayPhoneNumber": fmt.Sprintf("+1 555-%07d", i), "verifiedName": fmt.Sprintf("Customer %d", i)}
		maps.Copy(number, phone)
		wabas = append(wabas, map[string]any{
			"id": wabaID(i), "name": fmt.Sprintf("Customer %d", i), "currency": "USD", "ownerBusinessID": businessID(i), "phoneNumbers": []any{number},
		})
	}
	return b.call(ctx, http.MethodPost, "/sim/v1/world", map[string]any{"businesses": businesses, "wabas": wabas}, nil)
}

func businessID(i int) string { return fmt.Sprintf("9272906%08d", i) }
func wabaID(i int) string     { return fmt.Sprintf("9022901%08d", i) }
func phoneID(i int) string    { return fmt.Sprintf("9065403%08d", i) }

func (b *bench) createRequests(ctx context.Context, requests int) error {
	for i := range requests {
		if err := b.createRequest(ctx, i, benchApp, "bench", "USD"); err != nil {
			return err
		}
	}
	return nil
}

// signUp lets a customer sign up with an app and returns the code.
func (b *bench) signUp(ctx context.Context, i int, appID string) (string, error) {
	var issued struct {
		Code string `json:"code"`
	}
	err := b.call(ctx, http.MethodPost, "/sim/v1/codes", map[string]any{"appID": appID, "wabaIDs": []string{wabaID(i)}}, &issued)
	return issued.Code, err
}

// createRequest lets a customer sign up with an app and makes the OnboardingRequest, for the MetaApp of that app.
func (b *bench) createRequest(ctx context.Context, i int, appID, metaApp, currency string) error {
	code, err := b.signUp(ctx, i, appID)
	if err != nil {
		return err
	}
	meta := metav1.ObjectMeta{Namespace: benchNamespace, Name: requestName(i)}
	if err := b.api.Create(ctx, &corev1.Secret{ObjectMeta: meta, StringData: map[string]string{v1alpha1.SecretKeyCode: code}}); err != nil {
		return err
	}
	return b.api.Create(ctx, &v1alpha1.OnboardingRequest{ObjectMeta: meta, Spec: v1alpha1.OnboardingRequestSpec{
		MetaAppRef: v1alpha1.MetaAppReference{Name: metaApp}, CodeSecretRef: &v1alpha1.SecretKeyReference{Name: meta.Name}, Currency: currency,
	}})
}

func requestName(i int) string { return fmt.Sprintf("customer-%04d", i) }

func (b *bench) awaitReady(ctx context.Context, requests int) error {
	ready, last := 0, ""
	err := b.poll(ctx, func() (bool, error) {
		list := &v1alpha1.OnboardingRequestList{}
		if err := b.api.List(ctx, list, client.InNamespace(benchNamespace)); err != nil {
			return false, err
		}
		ready = 0
		for i := range list.Items {
			condition := apimeta.FindStatusCondition(list.Items[i].Status.Conditions, v1alpha1.ConditionReady)
			if condition != nil && condition.Status == metav1.ConditionTrue {
				ready++
			} else if condition != nil {
				last = fmt.Sprintf("%s: %s: %s", list.Items[i].Name, condition.Reason, condition.Message)
			}
		}
		return ready == requests, nil
	})
	if err != nil {
		return fmt.Errorf("%d of %d requests are Ready; one that is not: %s: %w", ready, requests, last, err)
	}
	return nil
}

// calls are the Graph calls that the simulator has received, by name.
func (b *bench) calls(ctx context.Context) (map[string]int, error) {
	var counters struct {
		Calls map[string]int `json:"calls"`
	}
	err := b.call(ctx, http.MethodGet, "/sim/v1/counters", nil, &counters)
	// What the simulator does to us isn't a Graph call of ours.
	delete(counters.Calls, "webhook")
	delete(counters.Calls, "handshake")
	return counters.Calls, err
}

func (*bench) poll(ctx context.Context, done func() (bool, error)) error {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// call does one request of the simulator's admin API.
func (b *bench) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader = http.NoBody
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, b.sim+path, body)
	if err != nil {
		return err
	}
	resp, err := b.http.Do(req)
	if err != nil {
		return err
	}
	data, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the simulator answered %s with %d: %s", path, resp.StatusCode, bytes.TrimSpace(data))
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(data, out)
}
