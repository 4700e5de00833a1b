package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
)

// waits are the constants that are divided. They belong together: a call ends inside its lease, and a status has its time to
// come before a send is repeated. All others, such as the pause in which a customer goes on writing, stay as they are.
var waits = map[string][]string{
	"webhookserver/store/limits.go":        {"ResendAfter", "UnconfirmedAfter"},
	"webhookserver/outbox/outbox.go":       {"lease", "callTimeout", "leaseMargin", "tendInterval"},
	"webhookserver/conversation/worker.go": {"defaultLease"},
}

// build builds the webhook-server with shorter waits. The sources stay as they are: the compiler reads changed copies of these files.
func build(ctx context.Context, dir string, scale int) (binary string, err error) {
	overlay := struct {
		Replace map[string]string `json:"Replace"`
	}{map[string]string{}}
	for file, names := range waits {
		source, err := filepath.Abs(file)
		if err != nil {
			return "", err
		}
		text, err := os.ReadFile(source)
		if err != nil {
			return "", fmt.Errorf("%w; run it from the top of the repository", err)
		}
		for _, name := range names {
			if text, err = divide(text, name, scale); err != nil {
				return "", fmt.Errorf("%s: %w", file, err)
			}
		}
		changed := filepath.Join(dir, filepath.Base(filepath.Dir(file))+"-"+filepath.Base(file))
		if err := os.WriteFile(changed, text, 0o600); err != nil {
			return "", err
		}
		overlay.Replace[source] = changed
	}
	list, err := json.Marshal(overlay)
	if err != nil {
		return "", err
	}
	listFile := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(listFile, list, 0o600); err != nil {
		return "", err
	}
	binary = filepath.Join(dir, "webhook-server")
	if text, err := exec.CommandContext(ctx, "go", "build", "-overlay", listFile, "-o", binary, "./cmd/webhook-server").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, text)
	}
	return binary, nil
}

// divide changes the one definition of a constant.
func divide(text []byte, name string, scale int) ([]byte, error) {
	definition := regexp.MustCompile(`(?m)^(\t` + name + `\s+= )([^/\n]+?)$`)
	if n := len(definition.FindAll(text, -1)); n != 1 {
		return nil, fmt.Errorf("the constant %s is defined %d times, not once", name, n)
	}
	return definition.ReplaceAll(text, []byte("${1}(${2}) / "+strconv.Itoa(scale))), nil
}
