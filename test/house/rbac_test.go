package house

import (
	"errors"
	"io"
	"path"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// TestNobodyListsSecretsOfTheCluster: a Secret that is read by name must be known by name, while list and watch hand out
// every credential of every tenant. In a namespace of ours a Role may grant them.
func TestNobodyListsSecretsOfTheCluster(t *testing.T) {
	roles := 0
	for _, name := range files(t, "config/rbac") {
		if path.Ext(name) != ".yaml" {
			continue
		}
		for _, role := range clusterRoles(t, name) {
			roles++
			for _, rule := range role.Rules {
				if grants(rule.APIGroups, "") && grants(rule.Resources, "secrets") && (grants(rule.Verbs, "list") || grants(rule.Verbs, "watch")) {
					t.Errorf("%s: ClusterRole %s may %v secrets", name, role.Name, rule.Verbs)
				}
			}
		}
	}
	if roles == 0 {
		t.Error("config/rbac has no ClusterRole; do they lie elsewhere now?")
	}
}

// grants reports whether a member of a rule covers a value.
func grants(member []string, value string) bool {
	return slices.Contains(member, value) || slices.Contains(member, "*")
}

// clusterRoles are those among the documents of a file.
func clusterRoles(t *testing.T, name string) []rbacv1.ClusterRole {
	t.Helper()
	var found []rbacv1.ClusterRole
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(read(t, name)), 4<<10)
	for {
		var role rbacv1.ClusterRole
		err := decoder.Decode(&role)
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if role.Kind == "ClusterRole" {
			found = append(found, role)
		}
	}
}
