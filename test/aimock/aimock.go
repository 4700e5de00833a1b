package aimock

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// patience bounds the start and each request; both take moments.
const patience = 60 * time.Second

// Fixture is an answer to the requests that it matches; the first that does answers. Its members are aimock's own.
type Fixture struct {
	// Match has members such as userMessage (a part of it), hasToolResult, sequenceIndex, or endpoint (chat, transcription, image,
	// embedding).
	Match map[string]any `json:"match"`
	// Response has content, toolCalls, transcription, image, embedding, or error with status and retryAfter.
	Response map[string]any `json:"response"`
	// Chaos has the probabilities of faults: dropRate (500), malformedRate, disconnectRate, rateLimitRate.
	Chaos map[string]float64 `json:"chaos,omitempty"`
}

// Entry is one request in the journal. Credentials are not in it.
type Entry struct {
	Method string          `json:"method"`
	Path   string          `json:"path"`
	Body   json.RawMessage `json:"body"`
}

// Server is a running server.
type Server struct {
	// URL of the server, without a path.
	URL string

	child *exec.Cmd
	http  *http.Client
}

// Start starts a server that answers with the fixtures, and with an error where none matches. Stop it.
func Start(ctx context.Context, dir string, fixtures []Fixture) (*Server, error) {
	installed, err := install(ctx)
	if err != nil {
		return nil, err
	}
	content, err := json.Marshal(map[string]any{"fixtures": fixtures})
	if err != nil {
		return nil, fmt.Errorf("aimock: encode the fixtures: %w", err)
	}
	path := filepath.Join(dir, "fixtures.json")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return nil, fmt.Errorf("aimock: write the fixtures: %w", err)
	}
	s := &Server{http: &http.Client{Timeout: patience}}
	s.child = exec.CommandContext(context.WithoutCancel(ctx), "node", filepath.Join(installed, "dist", "cli.js"),
		"--port", "0", "--fixtures", path, "--strict", "--validate-on-load", "--log-level", "info")
	var tail bytes.Buffer
	s.child.Stderr = &tail
	out, err := s.child.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("aimock: %w", err)
	}
	if err := s.child.Start(); err != nil {
		return nil, fmt.Errorf("aimock: start it with node (hack/prerequisites.sh node npm): %w", err)
	}
	var said []string // beside tail, which is another goroutine's until the server has ended
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		said = append(said, lines.Text())
		if _, url, found := strings.Cut(lines.Text(), "listening on "); found {
			s.URL = strings.TrimSpace(url)
			go func() { _, _ = io.Copy(io.Discard, out) }() // or it would wait for a reader of its log
			return s, nil
		}
	}
	stopped := s.Stop()
	return nil, errors.Join(fmt.Errorf("aimock: it did not start:\n%s\n%s", strings.Join(said, "\n"), tail.String()), stopped)
}

// Stop ends the server.
func (s *Server) Stop() error {
	if err := s.child.Process.Kill(); err != nil {
		return fmt.Errorf("aimock: stop: %w", err)
	}
	var exit *exec.ExitError
	if err := s.child.Wait(); err != nil && !errors.As(err, &exit) {
		return fmt.Errorf("aimock: stop: %w", err)
	}
	return nil
}

// Journal returns the requests since the last Reset, oldest first.
func (s *Server) Journal(ctx context.Context) ([]Entry, error) {
	var entries []Entry
	body, err := s.call(ctx, http.MethodGet, "/__aimock/journal")
	if err == nil {
		err = json.Unmarshal(body, &entries)
	}
	if err != nil {
		return nil, fmt.Errorf("aimock: journal: %w", err)
	}
	return entries, nil
}

// Reset empties the journal, and starts the fixtures' sequences again.
func (s *Server) Reset(ctx context.Context) error {
	_, err := s.call(ctx, http.MethodPost, "/__aimock/reset/journal")
	return err
}

func (s *Server) call(ctx context.Context, method, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.URL+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	res, err := s.http.Do(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s %s: HTTP %d: %s", method, path, res.StatusCode, body)
	}
	return body, nil
}

// install returns the folder of the package, which hack/tools.sh installs once for all checkouts.
func install(ctx context.Context) (string, error) {
	root, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("aimock: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		parent := filepath.Dir(root)
		if parent == root {
			return "", errors.New("aimock: there is no go.mod above the working directory, so hack/tools.sh can't be found")
		}
		root = parent
	}
	cmd := exec.CommandContext(ctx, filepath.Join(root, "hack", "tools.sh"), "aimock")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("hack/tools.sh aimock: %w\n%s", err, stderr.String())
	}
	return strings.TrimSpace(string(out)), nil
}
