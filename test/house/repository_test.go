package house

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// files are the repository's files below a folder ("" is all of it), with slashes and relative to its root: what git
// tracks, and what it would track if it were added.
func files(t *testing.T, folder string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "./"+folder).Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	// A file that was deleted stays tracked until the deletion is committed.
	found := slices.DeleteFunc(strings.Split(strings.Trim(string(out), "\x00"), "\x00"), func(name string) bool {
		info, err := os.Stat(filepath.Join(root, name))
		return err != nil || info.IsDir()
	})
	if len(found) == 0 {
		t.Fatalf("there are no files in %q; does it lie elsewhere now?", folder)
	}
	return found
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestTextsStandAlone: a clone has to work anywhere, so no text may lead to a place that is on one machine only.
func TestTextsStandAlone(t *testing.T) {
	// In two halves, or this file would be the first to break the rule.
	forbidden := []string{"../" + "shared", "/wor" + "k/", "GOPROXY=" + "http", "registry=" + "http"}
	for _, name := range files(t, "") {
		text := read(t, name)
		for _, words := range forbidden {
			if strings.Contains(text, words) {
				t.Errorf("%s names %q, which other machines don't have", name, words)
			}
		}
	}
}

// TestNamesSayWhatIsInside covers files and folders; a name that fits everything gathers everything.
func TestNamesSayWhatIsInside(t *testing.T) {
	saysNothing := []string{"util", "utils", "common", "helper", "helpers", "misc"}
	for _, name := range files(t, "") {
		if strings.Contains(name, "/applyconfiguration/") {
			continue // generated, names included
		}
		for part := range strings.SplitSeq(name, "/") {
			part = strings.TrimSuffix(strings.TrimSuffix(part, path.Ext(part)), "_test")
			if slices.Contains(saysNothing, part) {
				t.Errorf("%s: the name %q does not say what is inside", name, part)
			}
		}
	}
}
