package controllers

import (
	"sync"
	"testing"

	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
)

// TestManySubscribeOnce lets all users of an account ask for its subscription at once, as requests and channels of two numbers
// of one account do.
func TestManySubscribeOnce(t *testing.T) {
	w := newExchangeWorld(t)
	entry, _ := w.settle(w.process(admin))
	token, _ := entry.Current()
	graph, err := (&graphClients{}).forApp(w.metaApp())
	if err != nil {
		t.Fatal(err)
	}
	app := &graphApp{App: w.metaApp(), Client: graph, AppSecret: redact.New(w.sim.AppSecret(metasim.DemoAppID))}
	subs := &subscriptions{}
	var users sync.WaitGroup
	for range 20 {
		users.Go(func() {
			if err := subs.ensure(t.Context(), app.Client, app.Credential(token), metasim.DemoAppID, metasim.DemoWABA); err != nil {
				t.Error(err)
			}
		})
	}
	users.Wait()
	if n := w.sim.Counters().Calls["subscribe"]; n != 1 {
		t.Errorf("20 users made %d subscriptions, want 1", n)
	}
	if len(subs.locks) != 0 {
		t.Errorf("%d locks are kept for nobody", len(subs.locks))
	}
	// An override that somebody set for the account sends its webhooks elsewhere: it is removed.
	if err := w.sim.UpdateWABA(metasim.DemoWABA, func(waba *metasim.WABA) {
		waba.SubscribedApps[0].OverrideCallbackURI = "https://elsewhere.example.test/hook"
	}); err != nil {
		t.Fatal(err)
	}
	if err := subs.ensure(t.Context(), app.Client, app.Credential(token), metasim.DemoAppID, metasim.DemoWABA); err != nil {
		t.Fatal(err)
	}
	if n := w.sim.Counters().Calls["subscribe"]; n != 2 {
		t.Errorf("an override of the account was not removed: %d subscriptions", n)
	}
}
