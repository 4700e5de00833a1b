package localcluster

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// tokenLifetime is longer than anybody keeps a demo open in one sitting. Nothing renews these tokens.
const tokenLifetime = 12 * time.Hour

// unlimited switches off the client's own rate limit: the apiserver has its own, and tests measure ours.
const unlimited = -1

// RESTConfig returns a new configuration with the rights of a cluster admin: for what a test arranges and
// observes. Programs under test use RESTConfigFor.
func (c *Cluster) RESTConfig() *rest.Config {
	cfg := rest.CopyConfig(c.config)
	cfg.QPS = unlimited
	cfg.Timeout = 0 // it would cut off watches
	return cfg
}

// RESTConfigFor returns a configuration with the rights of a service account, which must exist. Its token is
// valid for 12 hours.
func (c *Cluster) RESTConfigFor(ctx context.Context, namespace, serviceAccount string) (*rest.Config, error) {
	token, err := c.token(ctx, namespace, serviceAccount)
	if err != nil {
		return nil, err
	}
	cfg := rest.AnonymousClientConfig(c.RESTConfig())
	cfg.BearerToken = token
	return cfg, nil
}

// AdminKubeconfig is the path of a kubeconfig with the rights of a cluster admin.
func (c *Cluster) AdminKubeconfig() string { return filepath.Join(c.dir, fileAdminConfig) }

// KubeconfigFor writes a kubeconfig with the rights of a service account, which must exist, and returns its
// path. Its default namespace is the account's and its token is valid for 12 hours.
func (c *Cluster) KubeconfigFor(ctx context.Context, namespace, serviceAccount string) (string, error) {
	token, err := c.token(ctx, namespace, serviceAccount)
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("%s.%s.kubeconfig", namespace, serviceAccount)
	err = c.writeKubeconfig(name, func(cfg *clientcmdapi.Config) {
		cfg.AuthInfos[kubeconfigEntry].Token = token
		cfg.Contexts[kubeconfigEntry].Namespace = namespace
	})
	return filepath.Join(c.dir, name), err
}

// Kubectl runs kubectl as admin and returns its standard output. The error holds its standard error.
func (c *Cluster) Kubectl(ctx context.Context, args ...string) (string, error) {
	return c.kubectl(ctx, nil, args)
}

// KubectlWithInput is Kubectl with a standard input, for 'apply -f -'.
func (c *Cluster) KubectlWithInput(ctx context.Context, stdin io.Reader, args ...string) (string, error) {
	return c.kubectl(ctx, stdin, args)
}

// ApplyCRDs applies a kustomize folder of CustomResourceDefinitions and waits until all of them are served.
func (c *Cluster) ApplyCRDs(ctx context.Context, kustomizeDir string) error {
	if _, err := c.Kubectl(ctx, "apply", "--server-side", "-k", kustomizeDir); err != nil {
		return err
	}
	_, err := c.Kubectl(ctx, "wait", "--for=condition=Established", "--timeout=60s", "customresourcedefinitions", "--all")
	return err
}

func (c *Cluster) kubectl(ctx context.Context, stdin io.Reader, args []string) (string, error) {
	var stdout, stderr bytes.Buffer
	// kubectl caches what a server offers by the server's address, and our ports come back: without a cache of its
	// own a cluster would be taken for the one before it.
	fixed := []string{"--kubeconfig=" + c.AdminKubeconfig(), "--cache-dir=" + filepath.Join(c.dir, "kubectl-cache")}
	cmd := exec.CommandContext(ctx, filepath.Join(c.binDir, "kubectl"), append(fixed, args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &stdout, &stderr
	if err := cmd.Run(); err != nil {
		verb := ""
		if len(args) > 0 {
			verb = " " + args[0]
		}
		return stdout.String(), fmt.Errorf("kubectl%s: %w: %s", verb, err, bytes.TrimSpace(stderr.Bytes()))
	}
	return stdout.String(), nil
}

func (c *Cluster) token(ctx context.Context, namespace, serviceAccount string) (string, error) {
	request := &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(tokenLifetime.Seconds()))},
	}
	got, err := c.core.ServiceAccounts(namespace).CreateToken(ctx, serviceAccount, request, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("token for the service account %s/%s: %w", namespace, serviceAccount, err)
	}
	return got.Status.Token, nil
}

// kubeconfigEntry names the one cluster, user and context of the files that we write.
const kubeconfigEntry = "localcluster"

func clientCertificate(pair keyPair) func(*clientcmdapi.Config) {
	return func(cfg *clientcmdapi.Config) {
		cfg.AuthInfos[kubeconfigEntry].ClientCertificateData = pair.cert
		cfg.AuthInfos[kubeconfigEntry].ClientKeyData = pair.key
	}
}

func (c *Cluster) writeKubeconfig(name string, authenticate func(*clientcmdapi.Config)) error {
	cfg := clientcmdapi.NewConfig()
	cfg.CurrentContext = kubeconfigEntry
	cfg.Clusters[kubeconfigEntry] = &clientcmdapi.Cluster{
		Server: c.config.Host, CertificateAuthorityData: c.keys.authority.pem,
	}
	cfg.AuthInfos[kubeconfigEntry] = &clientcmdapi.AuthInfo{}
	cfg.Contexts[kubeconfigEntry] = &clientcmdapi.Context{Cluster: kubeconfigEntry, AuthInfo: kubeconfigEntry}
	authenticate(cfg)
	content, err := clientcmd.Write(*cfg)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return os.WriteFile(filepath.Join(c.dir, name), content, 0o600)
}
