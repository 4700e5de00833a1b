package localcluster

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// settleTimeout bounds what controllers of the controller-manager do: seconds on a machine of one's own.
const settleTimeout = time.Minute

var cluster *Cluster

func TestMain(m *testing.M) {
	if dir := os.Getenv(sleeperDir); dir != "" {
		os.Exit(runSleeper(dir))
	}
	opts := Options{AuditPolicy: "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n"}
	os.Exit(RunTests(m, opts, func(_ context.Context, c *Cluster) error {
		cluster = c
		return nil
	}))
}

// gaugeCRD has a rule over two fields and one that compares with the old object.
const gaugeCRD = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gauges.test.example}
spec:
  group: test.example
  scope: Namespaced
  names: {kind: Gauge, listKind: GaugeList, plural: gauges, singular: gauge}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties: {min: {type: integer}, max: {type: integer}, unit: {type: string}}
            x-kubernetes-validations:
            - {rule: "self.min <= self.max", message: "min must not exceed max"}
            - {rule: "self.unit == oldSelf.unit", message: "unit can't be changed"}
`

func TestCELRulesAreEnforced(t *testing.T) {
	apply := func(manifest string) error {
		_, err := cluster.KubectlWithInput(t.Context(), strings.NewReader(manifest), "apply", "-f", "-")
		return err
	}
	gauge := func(spec string) string {
		return `{apiVersion: test.example/v1, kind: Gauge, metadata: {name: g, namespace: default}, spec: ` + spec + `}`
	}
	if err := apply(gaugeCRD); err != nil {
		t.Fatal(err)
	}
	if _, err := cluster.Kubectl(t.Context(), "wait", "--for=condition=Established", "--timeout=60s", "crd/gauges.test.example"); err != nil {
		t.Fatal(err)
	}
	steps := []struct {
		reason  string
		spec    string
		refused string
	}{
		{reason: "a rule over two fields refuses", spec: `{min: 3, max: 2, unit: bar}`, refused: "min must not exceed max"},
		{reason: "the same object is accepted when it obeys", spec: `{min: 1, max: 2, unit: bar}`},
		{reason: "a rule over the old object refuses", spec: `{min: 1, max: 2, unit: psi}`, refused: "unit can't be changed"},
		{reason: "other changes are accepted", spec: `{min: 1, max: 9, unit: bar}`},
	}
	for _, step := range steps {
		err := apply(gauge(step.spec))
		if step.refused == "" && err != nil {
			t.Errorf("%s: %v", step.reason, err)
		}
		if step.refused != "" && (err == nil || !strings.Contains(err.Error(), step.refused)) {
			t.Errorf("%s: want an error with %q, got %v", step.reason, step.refused, err)
		}
	}
}

func TestDeletedNamespaceGoesAway(t *testing.T) {
	client := adminClient(t)
	namespace := newNamespace(t, client)
	newConfigMap(t, client, namespace, "content")

	if err := client.CoreV1().Namespaces().Delete(t.Context(), namespace, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "namespace to go away", func(ctx context.Context) (bool, error) {
		_, err := client.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return true, nil
		}
		return false, err
	})
}

func TestOrphansAreCollected(t *testing.T) {
	client := adminClient(t)
	namespace := newNamespace(t, client)
	owner := newConfigMap(t, client, namespace, "owner")
	newConfigMap(t, client, namespace, "owned", metav1.OwnerReference{
		APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID,
	})
	newConfigMap(t, client, namespace, "free")

	maps := client.CoreV1().ConfigMaps(namespace)
	if err := maps.Delete(t.Context(), owner.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "owned object to be collected", func(ctx context.Context) (bool, error) {
		_, err := maps.Get(ctx, "owned", metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return true, nil
		}
		return false, err
	})
	if _, err := maps.Get(t.Context(), "free", metav1.GetOptions{}); err != nil {
		t.Errorf("an object without owner must stay: %v", err)
	}
}

func TestServiceAccountHasOnlyItsRole(t *testing.T) {
	admin := adminClient(t)
	namespace := newNamespace(t, admin)
	const account = "reader"
	grantConfigMaps(t, admin, namespace, account)

	path, err := cluster.KubeconfigFor(t.Context(), namespace, account)
	if err != nil {
		t.Fatal(err)
	}
	fromFile, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	direct, err := cluster.RESTConfigFor(t.Context(), namespace, account)
	if err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]*rest.Config{"kubeconfig": fromFile, "RESTConfigFor": direct} {
		t.Run(name, func(t *testing.T) {
			client, err := kubernetes.NewForConfig(cfg)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := client.CoreV1().ConfigMaps(namespace).List(t.Context(), metav1.ListOptions{}); err != nil {
				t.Errorf("what the role grants must work: %v", err)
			}
			if _, err := client.CoreV1().Secrets("").List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
				t.Errorf("listing all Secrets: want Forbidden, got %v", err)
			}
			if _, err := client.CoreV1().ConfigMaps("default").List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
				t.Errorf("listing another namespace: want Forbidden, got %v", err)
			}
		})
	}
}

func TestUnknownServiceAccountIsAnError(t *testing.T) {
	if _, err := cluster.KubeconfigFor(t.Context(), "default", "nobody"); err == nil || !strings.Contains(err.Error(), "default/nobody") {
		t.Errorf("want an error that names default/nobody, got %v", err)
	}
}

func TestAdminMayDoEverything(t *testing.T) {
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "*", Group: "*", Resource: "*"},
	}}
	got, err := adminClient(t).AuthorizationV1().SelfSubjectAccessReviews().Create(t.Context(), review, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !got.Status.Allowed {
		t.Error("the admin is not allowed everything")
	}
}

func TestAuditLogHasEachRequest(t *testing.T) {
	client := adminClient(t)
	namespace := newNamespace(t, client)
	newConfigMap(t, client, namespace, "audited")

	content, err := os.ReadFile(cluster.AuditLog())
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(content))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event struct {
			Verb      string `json:"verb"`
			ObjectRef struct {
				Resource  string `json:"resource"`
				Namespace string `json:"namespace"`
				Name      string `json:"name"`
			} `json:"objectRef"`
		}
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			t.Fatalf("%v in %s", err, lines.Bytes())
		}
		if event.Verb == "create" && event.ObjectRef.Resource == "configmaps" &&
			event.ObjectRef.Namespace == namespace && event.ObjectRef.Name == "audited" {
			return
		}
	}
	t.Errorf("no create of configmaps/audited in the audit log (%v)", lines.Err())
}

// TestStop also proves that a port taken by another program is not the end of a start, since it needs a second
// cluster just the same.
func TestStop(t *testing.T) {
	taken := httptest.NewServer(http.NotFoundHandler())
	defer taken.Close()
	takenURL, err := url.Parse(taken.URL)
	if err != nil {
		t.Fatal(err)
	}
	picks := 0
	c, err := start(t.Context(), Options{BinDir: cluster.BinDir()}, func(ctx context.Context) (int, error) {
		picks++
		if picks == 1 {
			return strconv.Atoi(takenURL.Port())
		}
		return freePort(ctx)
	})
	if err != nil {
		t.Fatal(err)
	}
	if picks != 2 {
		t.Errorf("want the start to be tried on 2 ports, got %d", picks)
	}
	if got, want := len(c.processes), 3; got != want {
		t.Errorf("want %d processes, got %d", want, got)
	}
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	for _, p := range c.processes {
		if processExists(p.handle.Pid) {
			t.Errorf("%s still runs", p.name)
		}
	}
	if _, err := os.Stat(c.Dir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there (%v)", c.Dir(), err)
	}
	if err := c.Stop(); err != nil {
		t.Errorf("a second Stop must do nothing: %v", err)
	}
}

func TestBrokenStartSaysWhyAndLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	_, err := Start(t.Context(), Options{BinDir: cluster.BinDir(), Dir: dir, AuditPolicy: "kind: Nonsense"})
	if err == nil {
		t.Fatal("want an error for an audit policy that is none")
	}
	for _, want := range []string{"kube-apiserver", "Nonsense"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("want %q in the error, got: %v", want, err)
		}
	}
	if _, err := os.Stat(dir); err != nil {
		t.Errorf("a folder that was given must be kept: %v", err)
	}
}

func TestIncompleteFolderOfBinaries(t *testing.T) {
	_, err := Start(t.Context(), Options{BinDir: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "kube-controller-manager") || !strings.Contains(err.Error(), "make tools") {
		t.Errorf("want an error that names what is missing and the remedy, got %v", err)
	}
}

func adminClient(t *testing.T) *kubernetes.Clientset {
	t.Helper()
	client, err := kubernetes.NewForConfig(cluster.RESTConfig())
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func newNamespace(t *testing.T, client *kubernetes.Clientset) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	created, err := client.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return created.Name
}

func newConfigMap(t *testing.T, client *kubernetes.Clientset, namespace, name string, owners ...metav1.OwnerReference) *corev1.ConfigMap {
	t.Helper()
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, OwnerReferences: owners}}
	created, err := client.CoreV1().ConfigMaps(namespace).Create(t.Context(), object, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return created
}

// grantConfigMaps makes a service account that may list the ConfigMaps of its namespace.
func grantConfigMaps(t *testing.T, client *kubernetes.Clientset, namespace, account string) {
	t.Helper()
	meta := metav1.ObjectMeta{Name: account, Namespace: namespace}
	if _, err := client.CoreV1().ServiceAccounts(namespace).Create(t.Context(),
		&corev1.ServiceAccount{ObjectMeta: meta}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	role := &rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"list"}},
	}}
	if _, err := client.RbacV1().Roles(namespace).Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: meta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: account},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: account, Namespace: namespace}},
	}
	if _, err := client.RbacV1().RoleBindings(namespace).Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, check wait.ConditionWithContextFunc) {
	t.Helper()
	if err := wait.PollUntilContextTimeout(t.Context(), pollInterval, settleTimeout, true, check); err != nil {
		t.Fatalf("wait for %s: %v", what, err)
	}
}
