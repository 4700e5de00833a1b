package main

import (
	"context"
	_ "embed" // the range-spec file
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/test/localcluster"
	"github.com/whatsapp-operator/whatsapp-operator/test/perf/figures"
)

//go:embed operator.yaml
var operatorSpec []byte

const (
	// operatorTimeout bounds the whole measurement.
	operatorTimeout = 40 * time.Minute
	// callsPerSecond is the app's own limit during the load.
	callsPerSecond = 20
	// creators create objects at the same time.
	creators = 16
	// variantRequests are onboarded for each of the smaller variants.
	variantRequests = 3

	techProviderApp    = "670843887433999"
	techProviderSecret = "0123456789abcdef0123456789abcdef"
)

// Customers are numbered; these are the first of each group.
const (
	firstSignup       = 100_000
	firstTechProvider = 200_000
	firstCoexistent   = 300_000
)

// outsideLimit is the one call that the app's limit does not hold back: a code would not survive the wait.
const outsideLimit = "exchange"

// techProviderPlan is plan for an app whose customers pay Meta themselves: nothing about credit, and no second look at the account, which is
// for its funding.
var techProviderPlan = map[string]int{
	"exchange": 1, "debug_token": 1, "get_waba": 1, "list_phone_numbers": 1, "list_subscribed_apps": 2, "subscribe": 1, "register": 1,
}

// coexistencePlan is plan for a number that the WhatsApp Business app has registered.
func coexistencePlan() map[string]int {
	p := maps.Clone(plan)
	delete(p, "register")
	p["smb_app_data"] = 2 // contacts and history
	return p
}

// operatorSize says how much is measured.
type operatorSize struct {
	requests, signups, channels, secrets int
	quiet                                time.Duration
}

var (
	fullSize  = operatorSize{requests: 1000, signups: 200, channels: 5000, secrets: 30_000, quiet: time.Minute}
	shortSize = operatorSize{requests: 60, signups: 20, channels: 200, secrets: 2000, quiet: 15 * time.Second}
)

// operatorBench is the world of these measurements.
type operatorBench struct {
	*bench
	size  operatorSize
	book  *figures.Book
	audit *auditLog
	watch *requestWatch
	// haveChannels is set once the channels were made.
	haveChannels bool
}

// operatorSection is one part of the measurement.
type operatorSection struct {
	name    string
	measure func(*operatorBench, context.Context) error
}

// operatorSections in the order in which they run.
var operatorSections = []operatorSection{
	{"onboarding", (*operatorBench).measureLoad}, {"variants", (*operatorBench).measureVariants}, {"channels", (*operatorBench).measureRest},
	{"traffic", (*operatorBench).measureTraffic},
}

// exchanges is the beginning of onboarding, which decides about codes. It leaves its requests half done, so nothing can follow it.
var exchanges = operatorSection{"exchanges", (*operatorBench).measureExchanges}

// chooseSections finds sections by their names; all are meant if there are none.
func chooseSections(names string) ([]operatorSection, error) {
	switch names {
	case "":
		return operatorSections, nil
	case exchanges.name:
		return []operatorSection{exchanges}, nil
	}
	wanted := strings.Split(names, ",")
	var chosen []operatorSection
	for _, s := range operatorSections {
		if i := slices.Index(wanted, s.name); i >= 0 {
			wanted = slices.Delete(wanted, i, i+1)
			chosen = append(chosen, s)
		}
	}
	if len(wanted) > 0 {
		return nil, fmt.Errorf("-sections has %q; there are onboarding, variants, channels and traffic, and exchanges alone", wanted[0])
	}
	return chosen, nil
}

// measureOperator prints a table of figures beside what operator.yaml expects.
func measureOperator(ctx context.Context, dir string, size operatorSize, sections []operatorSection) (err error) {
	ctx, cancel := context.WithTimeout(ctx, operatorTimeout)
	defer cancel()
	fmt.Printf("Operator: %d requests at once, %d signups meanwhile, each Graph call takes %s, %d calls per second; then %d channels at rest\n\n",
		size.requests, size.signups, graphLatency, callsPerSecond, size.channels)
	cluster, err := localcluster.Start(ctx, localcluster.Options{AuditPolicy: auditPolicy})
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
	o := &operatorBench{bench: b, size: size, audit: &auditLog{path: cluster.AuditLog()}}
	if o.book, err = figures.New(operatorSpec); err != nil {
		return err
	}
	if o.watch, err = watchRequests(ctx, o.api); err != nil {
		return err
	}
	if err := o.prepare(ctx, size.requests); err != nil {
		return err
	}
	for _, section := range sections {
		began := time.Now()
		if err := section.measure(o, ctx); err != nil {
			return fmt.Errorf("%s: %w\n%s", section.name, err, o.manager.Tail())
		}
		fmt.Printf("(%s: %s)\n\n", section.name, time.Since(began).Round(time.Second))
	}
	if len(sections) < len(operatorSections) {
		o.book.KeepMeasured()
	}
	return o.book.Print()
}

// limitCalls sets the limit of the app and waits until the MetaApp is Ready with it.
func (o *operatorBench) limitCalls(ctx context.Context, perSecond int32) error {
	app := &v1alpha1.MetaApp{}
	if err := o.api.Get(ctx, client.ObjectKey{Name: "bench"}, app); err != nil {
		return err
	}
	app.Spec.Graph.CallsPerSecond = perSecond
	if err := o.api.Update(ctx, app); err != nil {
		return err
	}
	return o.awaitApp(ctx, "bench")
}

func (o *operatorBench) awaitApp(ctx context.Context, name string) error {
	return o.poll(ctx, func() (bool, error) {
		app := &v1alpha1.MetaApp{}
		err := o.api.Get(ctx, client.ObjectKey{Name: name}, app)
		ready := apimeta.FindStatusCondition(app.Status.Conditions, v1alpha1.ConditionReady)
		return ready != nil && ready.Status == metav1.ConditionTrue && ready.ObservedGeneration == app.Generation, err
	})
}

// measureVariants counts the Graph calls of onboardings that need fewer.
func (o *operatorBench) measureVariants(ctx context.Context) error {
	if err := o.limitCalls(ctx, 500); err != nil {
		return err
	}
	if err := o.addTechProvider(ctx); err != nil {
		return err
	}
	for _, variant := range []struct {
		name, appID, metaApp, currency string
		first                          int
		phone                          map[string]any
		plan                           map[string]int
	}{
		{"Tech Provider", techProviderApp, "techprovider", "", firstTechProvider, nil, techProviderPlan},
		{"coexistence", benchApp, "bench", "USD", firstCoexistent, map[string]any{"isOnBizApp": true}, coexistencePlan()},
	} {
		if err := o.addCustomers(ctx, variant.first, variant.first+variantRequests, variant.phone); err != nil {
			return err
		}
		before, err := o.calls(ctx)
		if err != nil {
			return err
		}
		ready := o.watch.ready()
		for i := range variantRequests {
			if err := o.createRequest(ctx, variant.first+i, variant.appID, variant.metaApp, variant.currency); err != nil {
				return err
			}
		}
		if err := o.watch.awaitReady(ctx, ready+variantRequests); err != nil {
			return err
		}
		after, err := o.calls(ctx)
		if err != nil {
			return err
		}
		o.book.Record("onboarding, Graph calls beside the plan, "+variant.name, beside(variant.plan, variantRequests, before, after))
	}
	return nil
}

// addTechProvider adds an app without credit, and its MetaApp.
func (o *operatorBench) addTechProvider(ctx context.Context) error {
	const business = "506914307656999"
	world := metasim.World{
		Apps:       []metasim.App{{ID: techProviderApp, Secret: techProviderSecret, Name: "Tech Provider", BusinessID: business}},
		Businesses: []metasim.Business{{ID: business, Name: "Tech Provider"}},
	}
	if err := o.call(ctx, "POST", "/sim/v1/world", world, nil); err != nil {
		return err
	}
	for _, object := range []client.Object{
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "whatsapp-system", Name: "techprovider"}, StringData: map[string]string{
			v1alpha1.SecretKeyAppSecret: techProviderSecret,
		}},
		&v1alpha1.MetaApp{ObjectMeta: metav1.ObjectMeta{Name: "techprovider"}, Spec: v1alpha1.MetaAppSpec{
			AppID: techProviderApp, SecretRef: v1alpha1.SecretReference{Name: "techprovider"},
			Webhook:           v1alpha1.MetaAppWebhook{URL: "https://hooks.example.com", Subscription: v1alpha1.SubscriptionManual},
			Graph:             v1alpha1.GraphSettings{BaseURL: o.sim, CallsPerSecond: 500},
			AllowedNamespaces: &metav1.LabelSelector{MatchLabels: map[string]string{"bench": "yes"}},
		}},
	} {
		if err := o.api.Create(ctx, object); err != nil {
			return err
		}
	}
	return o.awaitApp(ctx, "techprovider")
}

// beside counts the calls that are more or fewer than planned, and names them.
func beside(plan map[string]int, requests int, before, after map[string]int) float64 {
	off := 0
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if n := after[name] - before[name]; n != plan[name]*requests {
			fmt.Printf("  %s: %d calls, planned are %d\n", name, n, plan[name]*requests)
			off += max(n-plan[name]*requests, plan[name]*requests-n)
		}
	}
	return float64(off)
}
