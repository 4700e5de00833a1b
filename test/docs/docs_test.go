package docs

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/whatsapp-operator/whatsapp-operator/test/localcluster"
)

const root = "../.."

var cluster *localcluster.Cluster

func TestMain(m *testing.M) {
	os.Exit(localcluster.RunTests(m, localcluster.Options{}, func(ctx context.Context, c *localcluster.Cluster) error {
		cluster = c
		if err := c.ApplyCRDs(ctx, root+"/config/crd"); err != nil {
			return err
		}
		// The samples name namespaces of their own.
		if _, err := c.Kubectl(ctx, "apply", "-f", root+"/config/samples/namespaces.yaml"); err != nil {
			return err
		}
		// The operator's own, for the Secrets that the platform puts there.
		if _, err := c.Kubectl(ctx, "apply", "-k", root+"/config/namespaces"); err != nil {
			return err
		}
		// Argo CD's namespace, for the page that teaches it our health.
		_, err := c.Kubectl(ctx, "create", "namespace", "argocd")
		return err
	}))
}

// pages are README.md and everything in docs/ that is written by hand or generated.
func pages(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	paths, err := filepath.Glob(root + "/docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	generated, err := filepath.Glob(root + "/docs/*/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(append(paths, generated...), root+"/README.md") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		found[path] = string(text)
	}
	if len(found) < 5 {
		t.Fatalf("only %d pages were found; do they lie elsewhere now?", len(found))
	}
	return found
}

var fence = regexp.MustCompile("(?s)(?:^|\n)```([a-z]*)\n(.*?)\n```")

// blocks are the fenced blocks of a language.
func blocks(page, language string) []string {
	var found []string
	for _, match := range fence.FindAllStringSubmatch(page, -1) {
		if match[1] == language {
			found = append(found, match[2])
		}
	}
	return found
}

func TestManifestsAreAccepted(t *testing.T) {
	checked := 0
	for path, page := range pages(t) {
		for _, block := range blocks(page, "yaml") {
			if !strings.Contains(block, "apiVersion:") || strings.Contains(block, "apiVersion: argoproj.io/") {
				continue // a fragment, whose fields a whole manifest on the same page shows in place, or a kind of Argo CD, which isn't here
			}
			checked++
			if _, err := cluster.KubectlWithInput(t.Context(), strings.NewReader(block), "apply", "--dry-run=server", "--validate=strict", "-f", "-"); err != nil {
				t.Errorf("%s: this manifest is refused: %v\n%s", path, err, block)
			}
		}
	}
	if checked < 3 {
		t.Errorf("README must show a manifest of each kind; %d manifests were found", checked)
	}
}

func TestSamplesAreAccepted(t *testing.T) {
	if _, err := cluster.Kubectl(t.Context(), "apply", "--dry-run=server", "--validate=strict", "-k", root+"/config/samples"); err != nil {
		t.Error(err)
	}
}

// TestCommandsWork runs the kubectl commands of the pages about kinds, against the objects that the same page shows.
func TestCommandsWork(t *testing.T) {
	const verifyToken = "pv_0123456789"
	admit(t, `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"verify","namespace":"blue-door"},"stringData":{"verify-token":"`+verifyToken+`"}}`)
	const signupLink = "https://hooks.example.com/signup/eyJ2Ijox"
	admit(t, `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"by-link-signup-link","namespace":"lucky-shrub"},"stringData":{"url":"`+signupLink+`"}}`)
	all := pages(t)
	for _, kind := range []string{"onboardingrequest", "whatsappchannel"} {
		for _, manifest := range blocks(all[root+"/docs/"+kind+".md"], "yaml") {
			if !strings.Contains(manifest, "apiVersion:") {
				continue // a fragment, as above
			}
			admit(t, manifest)
		}
	}
	status := `{"status":{"callbackURL":"https://hooks.example.com/webhooks/whatsapp","verifyTokenSecretRef":{"name":"verify","key":"verify-token"}}}`
	if _, err := cluster.Kubectl(t.Context(), "-n", "blue-door", "patch", "whatsappchannel", "blue-door", "--subresource=status", "--type=merge", "-p", status); err != nil {
		t.Fatal(err)
	}
	outputs, commands := "", 0
	for path, page := range all {
		for _, block := range blocks(page, "sh") {
			if !strings.HasPrefix(block, "kubectl ") {
				continue // TestMakeTargetsAreRun and the pages' own tests see to the others
			}
			commands++
			cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", block)
			cmd.Dir = root
			cmd.Env = append(os.Environ(), "PATH="+cluster.BinDir()+":"+os.Getenv("PATH"), "KUBECONFIG="+cluster.AdminKubeconfig())
			output, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%s: this doesn't work: %v\n%s%s", path, err, block, output)
			}
			outputs += string(output)
		}
	}
	if !strings.Contains(outputs, signupLink) {
		t.Errorf("no command shows the signup link; they showed:\n%s", outputs)
	}
	if commands < 3 || !strings.Contains(outputs, verifyToken) || !strings.Contains(outputs, "https://hooks.example.com/webhooks/whatsapp") {
		t.Errorf("%d commands must show callback URL and verify token, they showed:\n%s", commands, outputs)
	}
}

func admit(t *testing.T, manifest string) {
	t.Helper()
	if _, err := cluster.KubectlWithInput(t.Context(), strings.NewReader(manifest), "apply", "-f", "-"); err != nil {
		t.Fatal(err)
	}
}

// Relative targets only, and nothing that merely looks like a link, such as the patterns in the API reference.
var link = regexp.MustCompile(`\]\(([\w./-]+)(#[^)]*)?\)`)

func TestLinksLeadSomewhere(t *testing.T) {
	for path, page := range pages(t) {
		for _, match := range link.FindAllStringSubmatch(page, -1) {
			target := filepath.Join(filepath.Dir(path), match[1])
			text, err := os.ReadFile(target)
			if info, statErr := os.Stat(target); statErr == nil && info.IsDir() {
				continue
			}
			if err != nil {
				t.Errorf("%s: link to %s leads nowhere", path, match[1])
				continue
			}
			if anchor := strings.TrimPrefix(match[2], "#"); anchor != "" && !slices.Contains(anchors(string(text)), anchor) {
				t.Errorf("%s: %s has no heading for #%s", path, match[1], anchor)
			}
		}
	}
}

var notInAnchor = regexp.MustCompile(`[^a-z0-9 _-]`)

// anchors are the names that Markdown renderers give to headings.
func anchors(page string) []string {
	var found []string
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, "#") {
			heading := strings.ToLower(strings.TrimSpace(strings.TrimLeft(line, "#")))
			found = append(found, strings.ReplaceAll(notInAnchor.ReplaceAllString(heading, ""), " ", "-"))
		}
	}
	return found
}

var makeTarget = regexp.MustCompile(`\bmake ([a-z][a-z-]+)`)

// TestMakeTargetsAreRun keeps the commands of the README true: what continuous integration doesn't run, a newcomer runs first.
func TestMakeTargetsAreRun(t *testing.T) {
	pipeline, err := os.ReadFile(root + "/.ci/run")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(root + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range makeTarget.FindAllStringSubmatch(string(readme), -1) {
		if !strings.Contains(string(pipeline), "make "+match[1]) {
			t.Errorf("README.md tells to run 'make %s', which .ci/run doesn't", match[1])
		}
	}
}

// TestReasonsAreExplained finds each reason that the controllers can set in the pages that people search for it.
func TestReasonsAreExplained(t *testing.T) {
	declared := map[string]string{}
	vocabulary, err := os.ReadFile(root + "/api/v1alpha1/conditions.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile(`\t(Reason\w+) = "(\w+)"`).FindAllStringSubmatch(string(vocabulary), -1) {
		declared[match[1]] = match[2]
	}
	sources, err := filepath.Glob(root + "/controllers/*.go")
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob(root + "/internal/onboarding/*.go")
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, path := range append(sources, more...) {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`v1alpha1\.(Reason\w+)`).FindAllStringSubmatch(string(text), -1) {
			used[match[1]] = true
		}
	}
	if len(used) < 50 {
		t.Fatalf("only %d reasons were found in the controllers; have they moved?", len(used))
	}
	prose := ""
	for _, name := range []string{"metaapp", "onboardingrequest", "whatsappchannel", "operations"} {
		prose += pages(t)[root+"/docs/"+name+".md"]
	}
	for name := range used {
		if value := declared[name]; !strings.Contains(prose, "`"+value+"`") {
			t.Errorf("%s (%q) is set by a controller, and no page says what to do about it", name, value)
		}
	}
}
