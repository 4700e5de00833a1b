package source

import (
	"context"
	"os"
	"testing"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/test/localcluster"
)

const runtimeNamespace = "source-test"

var cluster *localcluster.Cluster

func TestMain(m *testing.M) {
	os.Exit(localcluster.RunTests(m, localcluster.Options{}, func(_ context.Context, c *localcluster.Cluster) error {
		cluster = c
		return nil
	}))
}

// newKubernetes returns an administrator's client, and a source with list and watch in one namespace and no other right.
func newKubernetes(t *testing.T) (*kubernetes.Clientset, *Kubernetes) {
	t.Helper()
	ctx := t.Context()
	admin, err := kubernetes.NewForConfig(cluster.RESTConfig())
	if err != nil {
		t.Fatal(err)
	}
	meta := metav1.ObjectMeta{Name: "server", Namespace: runtimeNamespace}
	_, nsErr := admin.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: runtimeNamespace}}, metav1.CreateOptions{})
	_, saErr := admin.CoreV1().ServiceAccounts(runtimeNamespace).Create(ctx, &corev1.ServiceAccount{ObjectMeta: meta}, metav1.CreateOptions{})
	_, roleErr := admin.RbacV1().Roles(runtimeNamespace).Create(ctx, &rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"secrets", "configmaps"}, Verbs: []string{"list", "watch"}},
	}}, metav1.CreateOptions{})
	_, bindErr := admin.RbacV1().RoleBindings(runtimeNamespace).Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "server"},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: "server", Namespace: runtimeNamespace}},
	}, metav1.CreateOptions{})
	for _, err := range []error{nsErr, saErr, roleErr, bindErr} {
		if err != nil {
			t.Fatal(err)
		}
	}
	config, err := cluster.RESTConfigFor(ctx, runtimeNamespace, "server")
	if err != nil {
		t.Fatal(err)
	}
	server, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	k, err := NewKubernetes(server, runtimeNamespace, logr.Discard())
	if err != nil {
		t.Fatal(err)
	}
	return admin, k
}

func TestKubernetesFollowsProjections(t *testing.T) {
	ctx := t.Context()
	admin, k := newKubernetes(t)
	secrets := admin.CoreV1().Secrets(runtimeNamespace)
	put := func(object runtimeconfig.Object, kind runtimeconfig.Kind) *corev1.Secret {
		t.Helper()
		meta := metav1.ObjectMeta{Name: object.Name}
		if kind != "" {
			meta.Labels = map[string]string{runtimeconfig.LabelProjection: string(kind)}
		}
		s, err := secrets.Create(ctx, &corev1.Secret{ObjectMeta: meta, Data: object.Data}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	content := &runtimeconfig.Content{Knowledge: []runtimeconfig.Document{{Name: "faq.md", Text: "# Hours"}}}
	contentObject, err := content.Object("1")
	if err != nil {
		t.Fatal(err)
	}
	channel := &runtimeconfig.Channel{PhoneNumberID: "1", WABAID: "11", LineID: "a", AppID: "111"}
	channel.Assistant.Content = contentObject.Name
	object, err := channel.Object()
	if err != nil {
		t.Fatal(err)
	}
	projected := put(object, runtimeconfig.KindChannel)
	put(runtimeconfig.Object{Name: "unrelated", Data: object.Data}, "")

	if k.View().Load().Synced {
		t.Fatal("nothing was read yet")
	}
	run(t, k)
	l := await(t, k.View(), "the first load", func(l *Loaded) bool { return l.Synced })
	if c, ok := l.Snapshot.Channel("1"); !ok || c.LineID != "a" || len(l.Revisions) != 1 || len(l.Problems) != 0 {
		t.Errorf("the first load has %v, problems %v", l.Revisions, l.Problems)
	}

	_, err = admin.CoreV1().ConfigMaps(runtimeNamespace).Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: contentObject.Name, Labels: map[string]string{runtimeconfig.LabelProjection: string(runtimeconfig.KindContent)}},
		Data:       map[string]string{runtimeconfig.KeySettings: string(contentObject.Data[runtimeconfig.KeySettings])},
		BinaryData: map[string][]byte{runtimeconfig.KeyContent: contentObject.Data[runtimeconfig.KeyContent]},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	await(t, k.View(), "content from a ConfigMap", func(l *Loaded) bool {
		c, ok := l.Snapshot.Channel("1")
		return ok && c.Content != nil && len(c.Content.Knowledge) == 1
	})

	tombstone, err := (&runtimeconfig.Tombstone{PhoneNumberID: "1", WABAID: "11"}).Object()
	if err != nil {
		t.Fatal(err)
	}
	projected.Data = tombstone.Data
	projected.Labels[runtimeconfig.LabelProjection] = string(runtimeconfig.KindTombstone)
	if _, err := secrets.Update(ctx, projected, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	await(t, k.View(), "the channel's end", func(l *Loaded) bool {
		_, served := l.Snapshot.Channel("1")
		_, gone := l.Snapshot.Tombstone("1")
		return !served && gone
	})
	if err := secrets.Delete(ctx, object.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	await(t, k.View(), "the tombstone's end", func(l *Loaded) bool { _, gone := l.Snapshot.Tombstone("1"); return !gone })
}
