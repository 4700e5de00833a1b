package main

import (
	"os"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"
)

// TestKubeletLetsTheStoreMigrate: until the store is open nothing answers the probes, and a migration that is broken off begins anew. So a
// kubelet that lost patience before its end would kill the server again and again.
func TestKubeletLetsTheStoreMigrate(t *testing.T) {
	const enough = 30 * time.Minute // for dozens of millions of rows on a slow disk
	manifest, err := os.ReadFile("../../config/webhookserver/deployment.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var d appsv1.Deployment
	if err := yaml.UnmarshalStrict(manifest, &d); err != nil {
		t.Fatal(err)
	}
	p := d.Spec.Template.Spec.Containers[0].StartupProbe
	if p == nil {
		t.Fatal("there is no startup probe, so the liveness probe counts from the beginning")
	}
	if patience := time.Duration(p.FailureThreshold) * time.Duration(p.PeriodSeconds) * time.Second; patience < enough {
		t.Errorf("the kubelet waits for %s, want %s at least", patience, enough)
	}
}
