package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/test/leaks"
)

// discretion looks for the contents of every Secret that the story has led to, in all that people and Prometheus can read of it.
func (s *story) discretion(ctx context.Context) error {
	ctrllog.SetLogger(logr.Discard()) // the client below asks for one
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	admin, err := client.New(s.w.cluster.RESTConfig(), client.Options{Scheme: scheme})
	if err != nil {
		return err
	}
	search := &leaks.Search{}
	if err := search.Cluster(ctx, admin); err != nil {
		return err
	}
	for _, name := range []string{"manager", "webhook-server"} {
		if err := search.File(leaks.Logs, filepath.Join(s.w.dir, name+".log")); err != nil {
			return err
		}
	}
	for _, base := range []string{s.w.opsURL, s.w.metricsURL} {
		text, err := s.w.httpText(ctx, http.MethodGet, base+"/metrics", nil)
		if err != nil {
			return fmt.Errorf("read the metrics: %w", err)
		}
		search.Show(leaks.Metrics, text)
	}
	places := []string{leaks.Objects, leaks.Events, leaks.Logs, leaks.Metrics}
	if err := search.Leaks(places...); err != nil {
		return err
	}
	s.out.seen("nothing that a Secret holds is in %s, %s, %s or %s", places[0], places[1], places[2], places[3])
	return nil
}
