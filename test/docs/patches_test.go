package docs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPatchesApply builds an overlay with each patch that the pages show, and sees that the API server takes the result.
func TestPatchesApply(t *testing.T) {
	base, err := filepath.Abs(root + "/config/webhookserver")
	if err != nil {
		t.Fatal(err)
	}
	applied := 0
	for path, page := range pages(t) {
		for _, block := range blocks(page, "yaml") {
			if !strings.HasPrefix(block, "patches:") || !strings.Contains(block, "name: webhook-server}") {
				continue
			}
			applied++
			overlay := t.TempDir()
			relative, err := filepath.Rel(overlay, base)
			if err != nil {
				t.Fatal(err)
			}
			text := "resources: [" + relative + "]\n" + block + "\n"
			if err := os.WriteFile(filepath.Join(overlay, "kustomization.yaml"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := cluster.Kubectl(t.Context(), "apply", "--dry-run=server", "--validate=strict", "-k", overlay); err != nil {
				t.Errorf("%s: the API server refuses what this patch makes: %v\n%s", path, err, block)
			}
		}
	}
	if applied < 2 {
		t.Errorf("%d patches of the webhook-server were found, want those for PostgreSQL and S3 at least", applied)
	}
}
