package localcluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
)

const (
	// startTimeout bounds each of the two waits of a start. An idle machine needs 4 s and 5 s; two cores that
	// compile at the same time need ten times that.
	startTimeout = 2 * time.Minute
	// pollInterval is short against the seconds that a start takes and costs one small request.
	pollInterval = 100 * time.Millisecond
	// probeTimeout bounds one look at a process that starts: what listens on its port may be another program that
	// never answers. requestTimeout bounds any other request of ours.
	probeTimeout   = 2 * time.Second
	requestTimeout = 10 * time.Second
	// portAttempts is how often a start is repeated because another program took the port that was free before.
	portAttempts = 5
)

// addressInUse is what kube-apiserver logs when its port is taken.
const addressInUse = "address already in use"

// Options says how to start a Cluster. The zero value is good for most tests.
type Options struct {
	// BinDir holds etcd, kube-apiserver, kube-controller-manager and kubectl. Empty: the folder in
	// KUBEBUILDER_ASSETS if it is complete, else what hack/tools.sh provides, which builds what is missing.
	BinDir string
	// Dir receives keys, data and logs, and is kept after Stop. Empty: a temporary folder that Stop removes.
	Dir string
	// AuditPolicy is an audit.k8s.io/v1 Policy in YAML. Empty: no audit log. See Cluster.AuditLog.
	AuditPolicy string
	// Progress receives a line for each step of a start, and the build's progress. Nil: nobody is told.
	Progress io.Writer
}

// Cluster is a running control plane. Its methods may be called from several goroutines.
type Cluster struct {
	binDir    string
	dir       string
	temporary bool
	progress  io.Writer
	keys      *pki
	config    *rest.Config
	core      *corev1client.CoreV1Client
	audited   bool
	// processes in the order of their start.
	processes []*process
}

// Start starts a control plane and returns when it serves, when the namespace default has its service account,
// and so when all controllers run. The caller must call Stop. ctx bounds the start, not the cluster's life.
func Start(ctx context.Context, opts Options) (*Cluster, error) {
	return start(ctx, opts, freePort)
}

func start(ctx context.Context, opts Options, pickPort portPicker) (_ *Cluster, err error) {
	c := &Cluster{progress: opts.Progress, audited: opts.AuditPolicy != ""}
	if c.progress == nil {
		c.progress = io.Discard
	}
	if c.binDir, err = findBinaries(ctx, opts.BinDir, c.progress); err != nil {
		return nil, fmt.Errorf("local control plane: %w", err)
	}
	if err := c.makeDir(opts.Dir); err != nil {
		return nil, fmt.Errorf("local control plane: %w", err)
	}
	if err := c.bringUp(ctx, opts.AuditPolicy, pickPort); err != nil {
		return nil, errors.Join(fmt.Errorf("local control plane: %w", err), c.Stop())
	}
	return c, nil
}

func (c *Cluster) makeDir(dir string) (err error) {
	if dir == "" {
		c.temporary = true
		c.dir, err = os.MkdirTemp("", "localcluster-")
		return err
	}
	if c.dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	return os.MkdirAll(c.dir, 0o700)
}

func (c *Cluster) bringUp(ctx context.Context, auditPolicy string, pickPort portPicker) (err error) {
	began := time.Now()
	if c.keys, err = writePKI(c.dir); err != nil {
		return fmt.Errorf("keys and certificates: %w", err)
	}
	if c.audited {
		if err := os.WriteFile(filepath.Join(c.dir, fileAuditPolicy), []byte(auditPolicy), 0o600); err != nil {
			return err
		}
	}
	if err := c.launch("etcd", etcdArgs()); err != nil {
		return err
	}
	if err := c.startAPIServer(ctx, pickPort); err != nil {
		return err
	}
	c.say("kube-apiserver is ready at %s after %s", c.config.Host, since(began))
	if err := c.startControllerManager(ctx); err != nil {
		return err
	}
	c.say("kube-controller-manager is ready after %s", since(began))
	return nil
}

// startAPIServer starts kube-apiserver on a free port. A port that was free may be taken before the apiserver
// binds it, and it can't be told to choose one itself: so it is started again on another.
func (c *Cluster) startAPIServer(ctx context.Context, pickPort portPicker) error {
	for attempt := 1; ; attempt++ {
		port, err := pickPort(ctx)
		if err != nil {
			return fmt.Errorf("free port for kube-apiserver: %w", err)
		}
		if err := c.connect(port); err != nil {
			return err
		}
		if err := c.launch("kube-apiserver", apiserverArgs(port, c.audited)); err != nil {
			return err
		}
		err = c.await(ctx, "kube-apiserver to be ready", func(ctx context.Context) error {
			return c.core.RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
		})
		var exit *exitError
		if !errors.As(err, &exit) || !strings.Contains(exit.log, addressInUse) || attempt == portAttempts {
			return err
		}
		c.say("port %d was taken in the meantime; trying another", port)
		c.processes = c.processes[:len(c.processes)-1]
	}
}

func (c *Cluster) connect(port int) (err error) {
	c.config = &rest.Config{
		Host:    "https://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		Timeout: requestTimeout,
		TLSClientConfig: rest.TLSClientConfig{
			CAData: c.keys.authority.pem, CertData: c.keys.admin.cert, KeyData: c.keys.admin.key,
		},
	}
	if c.core, err = corev1client.NewForConfig(c.config); err != nil {
		return err
	}
	return c.writeKubeconfig(fileAdminConfig, clientCertificate(c.keys.admin))
}

func (c *Cluster) startControllerManager(ctx context.Context) error {
	if err := c.writeKubeconfig(fileManagerCreds, clientCertificate(c.keys.manager)); err != nil {
		return err
	}
	if err := c.launch("kube-controller-manager", controllerManagerArgs()); err != nil {
		return err
	}
	return c.await(ctx, "the default service account", func(ctx context.Context) error {
		_, err := c.core.ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}

func (c *Cluster) launch(name string, args []string) error {
	p, err := startProcess(name, filepath.Join(c.binDir, name), c.dir, args...)
	if err != nil {
		return err
	}
	c.processes = append(c.processes, p)
	return nil
}

// await polls until check succeeds. It gives up at once when a process has ended.
func (c *Cluster) await(ctx context.Context, what string, check func(context.Context) error) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, pollInterval, startTimeout, true, func(ctx context.Context) (bool, error) {
		probe, cancel := context.WithTimeout(ctx, probeTimeout)
		defer cancel()
		if last = check(probe); last == nil {
			return true, nil
		}
		for _, p := range c.processes {
			if err := p.alive(); err != nil {
				return false, err
			}
		}
		return false, nil
	})
	if err == nil {
		return nil
	}
	if wait.Interrupted(err) {
		newest := c.processes[len(c.processes)-1]
		return fmt.Errorf("waited %s for %s: %w; %s says:\n%s", startTimeout, what, last, newest.name, newest.tail())
	}
	return fmt.Errorf("wait for %s: %w", what, err)
}

// Stop kills the processes that Start started, and no others, waits for them, and removes a temporary folder.
// It is safe to call more than once.
func (c *Cluster) Stop() error {
	var errs []error
	for _, p := range slices.Backward(c.processes) {
		errs = append(errs, p.kill())
	}
	if c.temporary {
		errs = append(errs, os.RemoveAll(c.dir))
	}
	return errors.Join(errs...)
}

// Dir is the folder with the logs of the processes: etcd.log, kube-apiserver.log, kube-controller-manager.log.
func (c *Cluster) Dir() string { return c.dir }

// BinDir is the folder with the binaries in use, among them a kubectl of the same version.
func (c *Cluster) BinDir() string { return c.binDir }

// AuditLog is the path of the audit log, a file of audit.k8s.io/v1 Events, one JSON document a line, each
// written before its response is sent. Empty if Options had no AuditPolicy.
func (c *Cluster) AuditLog() string {
	if !c.audited {
		return ""
	}
	return filepath.Join(c.dir, fileAuditLog)
}

func (c *Cluster) say(format string, args ...any) {
	// A progress line that nobody can read any more is no reason to fail.
	_, _ = fmt.Fprintf(c.progress, format+"\n", args...)
}

func since(t time.Time) time.Duration { return time.Since(t).Round(pollInterval) }

// portPicker chooses a port for kube-apiserver; tests have one that chooses badly.
type portPicker func(context.Context) (int, error)

// freePort returns a port of the loopback interface that nobody listens on at this moment.
func freePort(ctx context.Context) (int, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, errors.Join(fmt.Errorf("unexpected address %s", l.Addr()), l.Close())
	}
	return addr.Port, l.Close()
}
