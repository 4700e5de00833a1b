//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/test/leaks"
)

const (
	// graphAddress is the node's own address, which Pods reach: hack/e2e/node.sh gives it, overlay/ names it.
	graphAddress = "192.168.221.1:8443"
	graphHost    = "graph.e2e.example"
	graphURL     = "https://" + graphHost + ":8443"
	// publicHost is what the sample MetaApp tells Meta.
	publicHost = "hooks.example.com"
)

const (
	systemNamespace  = "whatsapp-system"
	runtimeNamespace = "whatsapp-runtime"
)

// webhookTimeScale makes Meta retry for 200 seconds, at least every 7 seconds: longer than any outage here, and often enough.
const webhookTimeScale = 3000

const (
	headerTimeout = 5 * time.Second
	closeTimeout  = 5 * time.Second
	pollInterval  = 200 * time.Millisecond
)

// world is the cluster from outside, and Meta.
type world struct {
	sim       *metasim.Simulator
	authority []byte // PEM, of the one who vouches for graphHost
	// leaks is shown the logs of Pods before they are gone.
	leaks leaks.Search
}

// newWorld starts the simulator behind TLS. TLS is what the API demands of a Graph address that isn't loopback, and a
// Pod's loopback is its own.
func newWorld(t *testing.T) *world {
	t.Helper()
	sim, err := metasim.New(metasim.Options{World: metasim.DemoWorld(), TimeScale: webhookTimeScale, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), closeTimeout)
		defer cancel()
		if err := sim.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	w := &world{sim: sim}
	certificate := w.selfSigned(t)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", graphAddress)
	if err != nil {
		t.Fatalf("these tests run inside of the node of 'make e2e': %v", err)
	}
	serve(t, tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}), sim)
	return w
}

// selfSigned makes a certificate for graphHost that is its own authority.
func (w *world) selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: graphHost},
		DNSNames:     []string{graphHost},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA:         true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	w.authority = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// serve serves until the test is over.
func serve(t *testing.T, listener net.Listener, handler http.Handler) {
	t.Helper()
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: headerTimeout,
		// Connections that a killed Pod leaves are no finding.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
}

// openIngress leads what Meta sends for publicHost to the Service of the webhook-server. Without a ready Pod the answer is 502.
func (w *world) openIngress(t *testing.T) {
	t.Helper()
	address := w.kubectl(t, "get", "service", "webhook-server", "-n", runtimeNamespace, "-o", "jsonpath={.spec.clusterIP}:{.spec.ports[0].port}")
	target := &url.URL{Scheme: "http", Host: address}
	ingress := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
		// A connection of its own for each delivery: kept ones would lead to the Pod before.
		Transport: &http.Transport{DialContext: (&net.Dialer{Timeout: headerTimeout}).DialContext, DisableKeepAlives: true},
		ErrorLog:  log.New(io.Discard, "", 0),
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, listener, ingress)
	if err := w.sim.AddRoute(publicHost, listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
}

// kubectl runs kubectl as the cluster's administrator and returns what it prints.
func (w *world) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := w.tryKubectl(t, "", args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (*world) tryKubectl(t *testing.T, input string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "kubectl", args...)
	cmd.Stdin = strings.NewReader(input)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("kubectl %s: %w\n%s", strings.Join(args, " "), err, &stderr)
	}
	return strings.TrimSpace(stdout.String()), nil
}

// apply applies objects that are no files.
func (w *world) apply(t *testing.T, objects ...any) {
	t.Helper()
	for _, object := range objects {
		manifest, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.tryKubectl(t, string(manifest), "apply", "--server-side", "-f", "-"); err != nil {
			t.Fatal(err)
		}
	}
}

// applySamples applies config/samples with the simulator in Meta's place.
func (w *world) applySamples(t *testing.T) {
	t.Helper()
	rendered := w.kubectl(t, "kustomize", "../../config/samples")
	if _, err := w.tryKubectl(t, rendered, "apply", "--server-side", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	w.kubectl(t, "patch", "metaapp", "acme-connect", "--type=merge", "-p", fmt.Sprintf(`{"spec":{"graph":{"baseURL":%q}}}`, graphURL))
}

func secret(namespace, name string, values map[string]string) any {
	return map[string]any{
		"apiVersion": "v1", "kind": "Secret",
		"metadata": map[string]any{"namespace": namespace, "name": name}, "stringData": values,
	}
}

func (w *world) secretValue(t *testing.T, namespace, name, key string) string {
	t.Helper()
	encoded := w.kubectl(t, "get", "secret", name, "-n", namespace, "-o", fmt.Sprintf("go-template={{index .data %q}}", key))
	value, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	return string(value)
}

// await polls until check has nothing left to wish for.
func await(t *testing.T, timeout time.Duration, check func() (missing string)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		missing := check()
		if missing == "" {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("after %s still missing: %s", timeout, missing)
		case <-ticker.C:
		}
	}
}

// run runs a program with additions to the environment.
func run(t *testing.T, env []string, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}
