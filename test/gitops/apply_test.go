package gitops

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/whatsapp-operator/whatsapp-operator/test/localcluster"
)

const config = "../../config/"

var cluster *localcluster.Cluster

func TestMain(m *testing.M) {
	os.Exit(localcluster.RunTests(m, localcluster.Options{}, func(ctx context.Context, c *localcluster.Cluster) error {
		cluster = c
		return c.ApplyCRDs(ctx, config+"crd")
	}))
}

// TestAppliedTwiceIsUnchanged applies the samples as Argo CD does with ServerSideApply=true: what the API server fills in is no difference.
func TestAppliedTwiceIsUnchanged(t *testing.T) {
	apply := func() map[string]string {
		args := []string{"apply", "--server-side", "--field-manager=argocd-controller", "-k", config + "samples", "-o", "json"}
		out, err := cluster.Kubectl(t.Context(), args...)
		if err != nil {
			t.Fatal(err)
		}
		return versions(t, out)
	}
	// The API server stores the default of status with the first write after the creation; people's part is unchanged by that, as the
	// generation shows.
	created := apply()
	second, third := apply(), apply()
	if len(created) < 5 {
		t.Fatalf("the samples are %d objects only", len(created))
	}
	if diff := cmp.Diff(second, third); diff != "" {
		t.Errorf("applying the same again changed something (-second +third):\n%s", diff)
	}
	for _, kind := range []string{"metaapps", "onboardingrequests", "whatsappchannels"} {
		generations, err := cluster.Kubectl(t.Context(), "get", kind, "-A", "-o", "jsonpath={.items[*].metadata.generation}")
		if err != nil || strings.Trim(generations, "1 ") != "" || generations == "" {
			t.Errorf("the generations of %s are %q, want 1: %v", kind, generations, err)
		}
	}
	// What a server-side dry run would make of them is what they are: kubectl diff exits with 1 for a difference.
	if out, err := cluster.Kubectl(t.Context(), "diff", "--server-side", "--field-manager=argocd-controller", "-k", config+"samples"); err != nil {
		t.Errorf("there is a difference: %v\n%s", err, out)
	}
}

// versions are the resourceVersions in a list that kubectl prints, by kind, namespace and name.
func versions(t *testing.T, list string) map[string]string {
	t.Helper()
	type object struct {
		Kind     string `json:"kind"`
		Metadata struct {
			Namespace       string `json:"namespace"`
			Name            string `json:"name"`
			ResourceVersion string `json:"resourceVersion"`
		} `json:"metadata"`
	}
	var printed struct {
		Items []object `json:"items"`
	}
	if err := json.Unmarshal([]byte(list), &printed); err != nil {
		t.Fatalf("kubectl printed no list: %v\n%s", err, list)
	}
	out := map[string]string{}
	for _, o := range printed.Items {
		out[o.Kind+" "+o.Metadata.Namespace+"/"+o.Metadata.Name] = o.Metadata.ResourceVersion
	}
	return out
}
