package permissions

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/whatsapp-operator/whatsapp-operator/test/localcluster"
)

const root = "../../config/"

var cluster *localcluster.Cluster

func TestMain(m *testing.M) {
	os.Exit(localcluster.RunTests(m, localcluster.Options{}, func(ctx context.Context, c *localcluster.Cluster) error {
		cluster = c
		for _, folder := range []string{"namespaces", "rbac"} {
			if _, err := c.Kubectl(ctx, "apply", "--server-side", "-k", root+folder); err != nil {
				return err
			}
		}
		if err := c.ApplyCRDs(ctx, root+"crd"); err != nil {
			return err
		}
		// Somebody else's namespace, with a Secret to be curious about.
		if _, err := c.Kubectl(ctx, "create", "namespace", "tenant"); err != nil {
			return err
		}
		_, err := c.Kubectl(ctx, "-n", "tenant", "create", "secret", "generic", "theirs", "--from-literal=key=value")
		return err
	}))
}

const (
	manager = "system:serviceaccount:whatsapp-system:whatsapp-operator-manager"
	server  = "system:serviceaccount:whatsapp-runtime:webhook-server"
)

func TestWhoMayDoWhat(t *testing.T) {
	const everywhere = "-A"
	for _, tc := range []struct {
		reason    string
		account   string
		verb      string
		resource  string
		namespace string
		want      bool
	}{
		{"nobody browses the cluster's Secrets", manager, "list", "secrets", everywhere, false},
		{"nor watches them", manager, "watch", "secrets", everywhere, false},
		{"nobody browses the cluster's Secrets", server, "list", "secrets", everywhere, false},
		{"nor watches them", server, "watch", "secrets", everywhere, false},

		{"an object may name a Secret beside it", manager, "get", "secrets", "tenant", true},
		{"a copy of credentials is made where it is asked for", manager, "create", "secrets", "tenant", true},
		{"a tenant's Secrets are not browsed", manager, "list", "secrets", "tenant", false},
		{"nor deleted", manager, "delete", "secrets", "tenant", false},
		{"a catalog is read by its name", manager, "get", "configmaps", "tenant", true},
		{"and not browsed for", manager, "list", "configmaps", "tenant", false},
		{"tenants' objects are not the manager's to create", manager, "create", "whatsappchannels.whatsapp-operator.dev", "tenant", false},
		{"nor to delete", manager, "delete", "onboardingrequests.whatsapp-operator.dev", "tenant", false},
		{"status is the manager's", manager, "patch", "whatsappchannels.whatsapp-operator.dev/status", "tenant", true},
		{"the vault is watched", manager, "watch", "secrets", "whatsapp-system", true},
		{"projections are removed", manager, "delete", "secrets", "whatsapp-runtime", true},
		{"signup codes are taken", manager, "delete", "secrets", "whatsapp-signup", true},
		{"and not made", manager, "create", "roles.rbac.authorization.k8s.io", "whatsapp-signup", false},
		{"Pods are nobody's business here", manager, "create", "pods", "whatsapp-system", false},

		{"the server reads its projections", server, "watch", "secrets", "whatsapp-runtime", true},
		{"and changes none", server, "update", "secrets", "whatsapp-runtime", false},
		{"the server faces the internet: no tenant's Secret", server, "get", "secrets", "tenant", false},
		{"no token of the vault", server, "get", "secrets", "whatsapp-system", false},
		{"it hands signup codes over", server, "create", "secrets", "whatsapp-signup", true},
		{"and can't read one back", server, "get", "secrets", "whatsapp-signup", false},
		{"nor find out which there are", server, "list", "secrets", "whatsapp-signup", false},
		{"it doesn't know the kinds", server, "list", "whatsappchannels.whatsapp-operator.dev", everywhere, false},
		{"status is the manager's alone", server, "patch", "whatsappchannels.whatsapp-operator.dev/status", "tenant", false},
	} {
		scope := []string{"--namespace=" + tc.namespace}
		if tc.namespace == everywhere {
			scope = []string{everywhere}
		}
		answer, err := cluster.Kubectl(t.Context(), append([]string{"auth", "can-i", "--as=" + tc.account, tc.verb, tc.resource}, scope...)...)
		// "no" comes with exit code 1; anything else that fails didn't answer.
		if _, no := errors.AsType[*exec.ExitError](err); err != nil && !no {
			t.Fatal(err)
		}
		got := strings.TrimSpace(answer)
		if want := map[bool]string{true: "yes", false: "no"}[tc.want]; got != want {
			t.Errorf("%s: kubectl auth can-i --as=%s %s %s %v: want %s, got %q (%v)", tc.reason, tc.account, tc.verb, tc.resource, scope, want, got, err)
		}
	}
}
