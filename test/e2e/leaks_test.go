//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/test/contract"
	"github.com/whatsapp-operator/whatsapp-operator/test/leaks"
)

// metricsPorts are where the Pods of a namespace serve their metrics.
var metricsPorts = map[string]int{systemNamespace: 8080, runtimeNamespace: 8082}

// discreet looks for the contents of every Secret that the story has led to in all that people and Prometheus can read of it.
func discreet(t *testing.T, w *world) {
	t.Helper()
	ctrl.SetLogger(logr.Discard()) // the client below asks for one
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		t.Fatal(err)
	}
	admin, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	promised, err := contract.Load("../..")
	if err != nil {
		t.Fatal(err)
	}
	if err := promised.Cluster(t.Context(), admin); err != nil {
		t.Error(err)
	}
	if err := w.leaks.Cluster(t.Context(), admin); err != nil {
		t.Fatal(err)
	}
	for namespace, port := range metricsPorts {
		pods := w.kubectl(t, "get", "pods", "-n", namespace, "-o", `jsonpath={range .items[*]}{.metadata.name} {.status.podIP} {.status.containerStatuses[0].restartCount}{"\n"}{end}`)
		for line := range strings.SplitSeq(pods, "\n") {
			pod := strings.Fields(line)
			if len(pod) != 3 {
				t.Fatalf("%s has a Pod without name, address or container: %q", namespace, line)
			}
			w.showLogs(t, namespace, pod[0])
			if pod[2] != "0" {
				w.showLogs(t, namespace, pod[0], "--previous")
			}
			w.showMetrics(t, fmt.Sprintf("http://%s:%d/metrics", pod[1], port))
		}
	}
	if err := w.leaks.Leaks(leaks.Objects, leaks.Events, leaks.Logs, leaks.Metrics); err != nil {
		t.Error(err)
	}
}

// showLogs shows what a Pod has logged.
func (w *world) showLogs(t *testing.T, namespace, pod string, more ...string) {
	t.Helper()
	w.leaks.Show(leaks.Logs, w.kubectl(t, append([]string{"logs", pod, "-n", namespace, "--all-containers"}, more...)...))
}

func (w *world) showMetrics(t *testing.T, url string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Client{Timeout: headerTimeout}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	if closeErr := response.Body.Close(); err != nil || closeErr != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s answered with %d: %v, %v", url, response.StatusCode, err, closeErr)
	}
	w.leaks.Show(leaks.Metrics, string(text))
}
