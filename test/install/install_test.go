package install

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/whatsapp-operator/whatsapp-operator/test/localcluster"
)

// auditDeletes records what is deleted, in order.
const auditDeletes = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: Metadata, verbs: [delete]}
- {level: None}
`

// heldMetaApp is a MetaApp whose clean-up at Meta is not done: its finalizer is the manager's to remove.
const heldMetaApp = `
apiVersion: whatsapp-operator.dev/v1alpha1
kind: MetaApp
metadata: {name: held, finalizers: [whatsapp-operator.dev/finalizer]}
spec: {appID: "1234567890123456", secretRef: {name: held}, webhook: {subscription: Manual}}
`

var cluster *localcluster.Cluster

func TestMain(m *testing.M) {
	opts := localcluster.Options{AuditPolicy: auditDeletes}
	os.Exit(localcluster.RunTests(m, opts, func(_ context.Context, c *localcluster.Cluster) error {
		cluster = c
		return nil
	}))
}

func TestInstallAndUninstall(t *testing.T) {
	mustRun(t, "make", "install")
	want := []string{
		"customresourcedefinition.apiextensions.k8s.io/metaapps.whatsapp-operator.dev",
		"customresourcedefinition.apiextensions.k8s.io/onboardingrequests.whatsapp-operator.dev",
		"customresourcedefinition.apiextensions.k8s.io/whatsappchannels.whatsapp-operator.dev",
	}
	if diff := cmp.Diff(want, names(t, "crd")); diff != "" {
		t.Errorf("CustomResourceDefinitions after make install (-want +got):\n%s", diff)
	}
	mustRun(t, "make", "install") // a second one must be harmless
	// A definition that goes before it is served keeps the API server busy for minutes: it can't list what it has to remove first.
	for _, crd := range want {
		if _, err := cluster.Kubectl(t.Context(), "wait", "--for=condition=Established", "--timeout=60s", crd); err != nil {
			t.Fatal(err)
		}
		kind, _, _ := strings.Cut(strings.TrimPrefix(crd, "customresourcedefinition.apiextensions.k8s.io/"), ".")
		if _, err := cluster.Kubectl(t.Context(), "get", kind, "--all-namespaces"); err != nil {
			t.Fatal(err)
		}
	}
	mustRun(t, "make", "uninstall")
	if got := names(t, "crd"); len(got) != 0 {
		t.Errorf("make uninstall left %v", got)
	}
}

func TestUndeployWaitsForCleanUpAndKeepsTheOrder(t *testing.T) {
	mustRun(t, "make", "deploy", "IMG_MANAGER=registry.example:5000/manager:v1", "IMG_WEBHOOK_SERVER=server:v2")
	wantImages := "registry.example:5000/manager:v1 server:v2"
	if got := images(t); got != wantImages {
		t.Errorf("make deploy: want the images %q, got %q", wantImages, got)
	}
	if _, err := cluster.KubectlWithInput(t.Context(), strings.NewReader(heldMetaApp), "apply", "-f", "-"); err != nil {
		t.Fatal(err)
	}

	out, err := run(t, "make", "undeploy", "TIMEOUT=2s")
	if _, failed := errors.AsType[*exec.ExitError](err); !failed {
		t.Fatalf("undeploy must fail while a MetaApp is not cleaned up, got %v:\n%s", err, out)
	}
	if !strings.Contains(out, "the manager stays") {
		t.Errorf("undeploy must say what it left and why, got:\n%s", out)
	}
	if got := images(t); got != wantImages {
		t.Errorf("undeploy must keep the programs that clean up, left are %q", got)
	}

	if _, err := cluster.Kubectl(t.Context(), "patch", "metaapp", "held", "--type=merge", "-p", `{"metadata":{"finalizers":null}}`); err != nil {
		t.Fatal(err)
	}
	mustRun(t, "make", "undeploy")
	for _, kinds := range []string{"crd", "deployment,service,serviceaccount,role,rolebinding,secret,pvc -n whatsapp-system"} {
		if got := names(t, strings.Fields(kinds)...); len(got) != 0 {
			t.Errorf("undeploy left %v", got)
		}
	}
	for _, kind := range []string{"ns", "clusterrole", "clusterrolebinding"} {
		for _, name := range names(t, kind) {
			if strings.Contains(name, "whatsapp") {
				t.Errorf("undeploy left %s", name)
			}
		}
	}

	deleted := deletions(t)
	for _, pair := range [][2]string{
		{"metaapps/held", "deployments/whatsapp-operator-manager"},
		{"deployments/whatsapp-operator-manager", "customresourcedefinitions/metaapps.whatsapp-operator.dev"},
		{"deployments/webhook-server", "customresourcedefinitions/metaapps.whatsapp-operator.dev"},
	} {
		// Uninstall of the other test deleted the definitions as well, so the last deletion of each counts.
		first, second := lastIndex(deleted, pair[0]), lastIndex(deleted, pair[1])
		if first < 0 || second < 0 || first > second {
			t.Errorf("%s must be deleted before %s, the order was %v", pair[0], pair[1], deleted)
		}
	}
	mustRun(t, "make", "undeploy") // nothing is left to delete, and that is no failure
}

// run runs a program at the root of the checkout against the cluster.
func run(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if name == "make" {
		args = append(args, "KUBECTL="+filepath.Join(cluster.BinDir(), "kubectl"))
	}
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "KUBECONFIG="+cluster.AdminKubeconfig())
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func mustRun(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := run(t, name, args...); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

func names(t *testing.T, args ...string) []string {
	t.Helper()
	out, err := cluster.Kubectl(t.Context(), append([]string{"get", "-o", "name"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(out)
}

// images returns the images of all Deployments, in order.
func images(t *testing.T) string {
	t.Helper()
	out, err := cluster.Kubectl(t.Context(), "get", "deployments", "-A", "-o", "jsonpath={.items[*].spec.template.spec.containers[*].image}")
	if err != nil {
		t.Fatal(err)
	}
	found := strings.Fields(out)
	slices.Sort(found)
	return strings.Join(found, " ")
}

// deletions returns "resource/name" of what was deleted successfully, in order.
func deletions(t *testing.T) []string {
	t.Helper()
	content, err := os.ReadFile(cluster.AuditLog())
	if err != nil {
		t.Fatal(err)
	}
	var deleted []string
	lines := bufio.NewScanner(bytes.NewReader(content))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event struct {
			ObjectRef struct {
				Resource string `json:"resource"`
				Name     string `json:"name"`
			} `json:"objectRef"`
			ResponseStatus struct {
				Code int `json:"code"`
			} `json:"responseStatus"`
		}
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			t.Fatal(err)
		}
		if event.ResponseStatus.Code < 300 {
			deleted = append(deleted, event.ObjectRef.Resource+"/"+event.ObjectRef.Name)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return deleted
}

func lastIndex(list []string, item string) int {
	for i, v := range slices.Backward(list) {
		if v == item {
			return i
		}
	}
	return -1
}
