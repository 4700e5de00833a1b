package localcluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// assetsVariable is the variable by which controller-runtime's envtest is told where the binaries are. We
// read the same one, so one export serves both.
const assetsVariable = "KUBEBUILDER_ASSETS"

// binaries names what Start needs in its folder of binaries.
var binaries = []string{"etcd", "kube-apiserver", "kube-controller-manager", "kubectl"}

// findBinaries returns a folder that holds all binaries: dir if it is not empty, else KUBEBUILDER_ASSETS if it is
// complete, else what hack/tools.sh provides. The script builds what is missing, which takes minutes the first
// time; its progress goes to progress.
func findBinaries(ctx context.Context, dir string, progress io.Writer) (string, error) {
	if dir != "" {
		return dir, checkBinaries(dir)
	}
	if assets := os.Getenv(assetsVariable); assets != "" && checkBinaries(assets) == nil {
		return assets, nil
	}
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	var out, tail bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join(root, "hack", "tools.sh"), "envtest")
	cmd.Stdout = &out
	cmd.Stderr = io.MultiWriter(&tail, progress)
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("hack/tools.sh envtest: %w\n%s", err, tail.String())
	}
	dir = strings.TrimSpace(out.String())
	return dir, checkBinaries(dir)
}

func checkBinaries(dir string) error {
	var missing []string
	for _, name := range binaries {
		if _, err := exec.LookPath(filepath.Join(dir, name)); err != nil {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("no %s in %s: run 'make tools', or leave %s unset to have hack/tools.sh build them",
			strings.Join(missing, ", "), dir, assetsVariable)
	}
	return nil
}

// moduleRoot is the nearest folder above the working directory that holds a go.mod. The go command runs
// tests in their package's folder, and the demo is run from the checkout.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("the working directory is not inside the checkout: no go.mod above it, so hack/tools.sh cannot be found")
		}
		dir = parent
	}
}
