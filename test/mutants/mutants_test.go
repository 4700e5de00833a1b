package mutants

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// root is the module's folder.
const root = "../.."

// timeLimit is for one mutant: to compile it, to start a control plane and to run the crash tests.
const timeLimit = 10 * time.Minute

// mutant is a change that a crash test must notice.
type mutant struct {
	name string
	file string
	// original stands once in the file, and is replaced.
	original, replacement string
	// tests is the pattern of the tests to run, noticed what one of them must say.
	tests, noticed string
}

var mutants = []mutant{
	{
		name: "the intent is not written before the code is sent",
		file: "controllers/exchange_send.go",
		original: `	entry, err := r.vault.BeginSend(ctx, x.key, entry)
	if err != nil {
		return err
	}
`,
		replacement: "",
		tests:       "^TestCrashAtEveryWrite$/^all_is_well,_rescue_false$",
		noticed:     "our own lost send was blamed on somebody else (CodeUsed)",
	},
	{
		name: "the token is examined before it is kept",
		file: "controllers/exchange_send.go",
		original: `		// done in it. The next process finds phase Sending, and rescues the token or gives up with ExchangeOutcomeUnknown.
`,
		replacement: `		if _, err := x.app.Client.DebugToken(ctx, x.app.AppCredential(), token.Token); err != nil {
			return err
		}
`,
		tests:   "^TestLostTokensAreOnlyThoseOfTheWindow$",
		noticed: "an exchange is reservation, intent, call, receipt, and nothing else",
	},
	{
		name: "the ledger is not written before credit is shared",
		file: "controllers/onboardingrequest_credit.go",
		original: `	if err := r.ledger.Write(ctx, f.page); err != nil {
		return ledgerError(err)
	}
	// Being told to stop`,
		replacement: "	// Being told to stop",
		tests:       "^TestJourneyCrashAtEveryWrite$/^it_is_lost,_and_Meta_lists_it_late$",
		noticed:     "2 allocations",
	},
}

// TestCrashTestsNoticeMutants runs the crash tests of controllers against each mutant.
func TestCrashTestsNoticeMutants(t *testing.T) {
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			text, err := m.run(t)
			if err == nil {
				t.Fatalf("the tests passed:\n%s", text)
			}
			if !strings.Contains(text, "--- FAIL") || !strings.Contains(text, m.noticed) {
				t.Errorf("the tests failed for another reason than %q:\n%s", m.noticed, text)
			}
		})
	}
}

// run compiles the mutant and returns what its tests printed, and an error if they failed.
func (m mutant) run(t *testing.T) (string, error) {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(root, m.file))
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), m.original); n != 1 {
		t.Fatalf("what the mutant replaces stands %d times in %s; bring the mutant in step with it", n, m.file)
	}
	dir := t.TempDir()
	changed := filepath.Join(dir, filepath.Base(m.file))
	write(t, changed, []byte(strings.Replace(string(source), m.original, m.replacement, 1)))
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {path: changed}})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "overlay.json"), overlay)
	ctx, cancel := context.WithTimeout(t.Context(), timeLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-vet=off", "-overlay="+filepath.Join(dir, "overlay.json"), "-run="+m.tests, "./controllers")
	cmd.Dir = root
	text, err := cmd.CombinedOutput()
	return string(text), err
}

func write(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
