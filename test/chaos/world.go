package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

const (
	channels     = 20
	partnerApps  = 2
	directApps   = 3
	webhookHost  = "hooks.chaos.example"
	webhookPath  = "/webhooks/whatsapp"
	graphVersion = "v25.0"
	// dataPrefix begins the directories of what is projected.
	dataPrefix = ".data-"
	// perCustomer is how many messages a customer writes on average.
	perCustomer = 5
)

// channel is one number with its customers.
type channel struct {
	app           *app
	line          string
	phone, waba   string
	token         string
	customers     []string // digits
	settings      *runtimeconfig.Channel
	phoneDisplay  string
	ownerBusiness string
}

// app is one app of Meta's with the channels whose webhooks it signs.
type app struct {
	id, secret string
	// neighbour is another app, whose secret does not count here.
	neighbour string
	direct    bool
	channels  []*channel
}

// world is what exists: at Meta, and in the directory that the server takes its channels from.
type world struct {
	apps     []*app
	channels []*channel
}

// newWorld makes 20 channels: all but three are spread over the apps of partners, three have an app of their own.
func newWorld(chance *rand.Rand, customers int) *world {
	w := &world{}
	for i := range partnerApps + directApps {
		w.apps = append(w.apps, &app{
			id: fmt.Sprintf("67084388743%04d", i), secret: fmt.Sprintf("%016x%016x", chance.Uint64(), chance.Uint64()), direct: i >= partnerApps,
		})
	}
	for i, a := range w.apps {
		a.neighbour = w.apps[(i+1)%len(w.apps)].id
	}
	for i := range channels {
		a := w.apps[i%partnerApps]
		if i >= channels-directApps {
			a = w.apps[partnerApps+i-(channels-directApps)]
		}
		c := &channel{
			app: a, line: fmt.Sprintf("line-%02d", i), phone: fmt.Sprintf("1065403522%05d", i), waba: fmt.Sprintf("1022901293%05d", i),
			token: fmt.Sprintf("EAAGchaos%032x%02d", chance.Uint64(), i), phoneDisplay: fmt.Sprintf("+1 555-07%d-%04d", i%10, 1000+i),
			ownerBusiness: fmt.Sprintf("27290634905%05d", i),
		}
		for n := range customers {
			c.customers = append(c.customers, fmt.Sprintf("1650%02d%05d", i, n))
		}
		a.channels = append(a.channels, c)
		w.channels = append(w.channels, c)
	}
	return w
}

// meta is the world on Meta's side. Every fifth customer hides the phone number.
func (w *world) meta() metasim.World {
	var out metasim.World
	for _, a := range w.apps {
		out.Apps = append(out.Apps, metasim.App{ID: a.id, Secret: a.secret, Name: "app " + a.id, Subscription: &metasim.AppSubscription{
			CallbackURL: "https://" + webhookHost + webhookPath, Fields: []string{"messages"},
		}})
	}
	for i, c := range w.channels {
		out.Businesses = append(out.Businesses, metasim.Business{ID: c.ownerBusiness, Name: c.line})
		out.WABAs = append(out.WABAs, metasim.WABA{
			ID: c.waba, Name: c.line, Currency: "USD", OwnerBusinessID: c.ownerBusiness, PrimaryFundingID: "3049822198523001",
			SubscribedApps: []metasim.SubscribedApp{{AppID: c.app.id}},
			PhoneNumbers:   []metasim.PhoneNumber{{ID: c.phone, DisplayPhoneNumber: c.phoneDisplay, VerifiedName: c.line, Registered: true, PIN: "123456"}},
		})
		out.SystemUsers = append(out.SystemUsers, metasim.SystemUser{
			ID: fmt.Sprintf("1221%011d", i), Name: c.line, AppID: c.app.id, BusinessID: c.ownerBusiness, Token: c.token, WABAIDs: []string{c.waba},
			Scopes: []string{"whatsapp_business_management", "whatsapp_business_messaging"},
		})
		for n, digits := range c.customers {
			out.Customers = append(out.Customers, metasim.Customer{WaID: digits, Name: "Customer " + digits, HidePhone: n%5 == 4})
		}
	}
	return out
}

// project writes what the manager would project.
func (w *world) project(dir, graphURL, modelURL string) error {
	graph := runtimeconfig.Graph{BaseURL: graphURL, Version: graphVersion}
	for _, a := range w.apps {
		if a.direct {
			continue
		}
		if err := a.project(dir, graph, a.secret, ""); err != nil {
			return err
		}
	}
	for _, c := range w.channels {
		c.settings = &runtimeconfig.Channel{
			Namespace: "chaos", Name: c.line, LineID: c.line, PhoneNumberID: c.phone, WABAID: c.waba, AppID: c.app.id, Direct: c.app.direct,
			Graph: graph, MessagesPerSecond: 80, PlanActive: true, Retention: runtimeconfig.Duration(216 * time.Hour), AccessToken: redact.New(c.token),
			Assistant: runtimeconfig.Assistant{
				Enabled: true, MaxReplyAge: runtimeconfig.Duration(time.Hour),
				Chat: &runtimeconfig.Provider{
					Provider: "OpenAI", BaseURL: modelURL, Model: "echo", Timeout: runtimeconfig.Duration(20 * time.Second), APIKey: redact.New("sk-chaos"),
				},
			},
		}
		if c.app.direct {
			c.settings.AppSecret = redact.New(c.app.secret)
		}
		if err := write(dir, c.settings.Object); err != nil {
			return err
		}
	}
	return nil
}

// project writes the app's object; previous is the secret before a rotation.
func (a *app) project(dir string, graph runtimeconfig.Graph, secret, previous string) error {
	object := &runtimeconfig.App{Name: "app-" + a.id, AppID: a.id, Graph: graph, AppSecret: redact.New(secret), PreviousAppSecret: redact.New(previous)}
	return write(dir, object.Object)
}

// write puts an object into the directory as Kubernetes mounts it: a new directory that a symbolic link leads to.
func write(dir string, encode func() (runtimeconfig.Object, error)) error {
	object, err := encode()
	if err != nil {
		return err
	}
	place, err := os.MkdirTemp(dir, dataPrefix)
	if err != nil {
		return err
	}
	for key, value := range object.Data {
		if err := os.WriteFile(filepath.Join(place, key), value, 0o600); err != nil {
			return err
		}
	}
	link := filepath.Join(dir, "."+object.Name+".new")
	if err := os.Symlink(filepath.Base(place), link); err != nil {
		return err
	}
	return os.Rename(link, filepath.Join(dir, object.Name))
}

// rotate changes an app's secret at Meta at once, and in the directory when the platform team gets to it.
func (w *world) rotate(ctx context.Context, sim *metasim.Server, dir string, chance *rand.Rand, delay time.Duration) error {
	a := w.apps[0]
	before := a.secret
	a.secret = fmt.Sprintf("%016x%016x", chance.Uint64(), chance.Uint64())
	if err := sim.SetAppSecret(a.id, a.secret); err != nil {
		return err
	}
	if !pause(ctx, delay) {
		return ctx.Err()
	}
	return a.project(dir, runtimeconfig.Graph{BaseURL: sim.URL, Version: graphVersion}, a.secret, before)
}
