package main

import (
	"errors"
	"flag"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/labels"
)

func TestParse(t *testing.T) {
	cfg, err := parse([]string{
		"--leader-elect", "--webhook-server-urls=http://a:1,http://b:2", "--public-webhook-url=https://hooks.example.com/",
		"--direct-namespace-selector=team=shop", "--default-models-namespace-selector=plan=paid", "--default-models-secret=models", "--graph-base-url=http://127.0.0.1:9180",
	})
	if err != nil {
		t.Fatal(err)
	}
	o := cfg.controllers
	if !cfg.leaderElection || o.PublicWebhookURL != "https://hooks.example.com" || o.GraphBaseURL != "http://127.0.0.1:9180" {
		t.Errorf("flags are lost: %+v", cfg)
	}
	if diff := cmp.Diff([]string{"http://a:1", "http://b:2"}, o.ServerURLs); diff != "" {
		t.Error(diff)
	}
	if !o.DirectNamespaces.Matches(labels.Set{"team": "shop"}) || o.DirectNamespaces.Matches(labels.Set{"team": "other"}) {
		t.Errorf("the selector is %s", o.DirectNamespaces)
	}
	if o.DefaultModelsSecret != "models" || !o.DefaultModelsNamespaces.Matches(labels.Set{"plan": "paid"}) || o.DefaultModelsNamespaces.Matches(labels.Set{"plan": "free"}) {
		t.Errorf("the platform's models are those of %q, for %s", o.DefaultModelsSecret, o.DefaultModelsNamespaces)
	}
}

func TestParseAllowsNoDirectChannelUnlessTold(t *testing.T) {
	for _, args := range [][]string{nil, {"--direct-namespace-selector=", "--default-models-namespace-selector="}} {
		cfg, err := parse(args)
		if err != nil {
			t.Fatal(err)
		}
		if cfg.controllers.DirectNamespaces != nil || cfg.controllers.DefaultModelsNamespaces != nil {
			t.Errorf("with %q direct channels are allowed in %s, and the platform's models in %s", args, cfg.controllers.DirectNamespaces, cfg.controllers.DefaultModelsNamespaces)
		}
	}
}

func TestParseAllowsLogsWithoutSecrets(t *testing.T) {
	for _, level := range []string{"7", "debug", "info", "error"} {
		if _, err := parse([]string{"--zap-log-level=" + level}); err != nil {
			t.Errorf("%s: %v", level, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, args := range [][]string{
		{"--public-webhook-url=http://hooks.example.com"}, {"--direct-namespace-selector=a=b=c"}, {"serve"}, {"--no-such-flag"},
		{"--zap-log-level=8"}, {"--zap-log-level=127"},
	} {
		if _, err := parse(args); err == nil || errors.Is(err, flag.ErrHelp) {
			t.Errorf("%q was accepted", args)
		}
	}
}
