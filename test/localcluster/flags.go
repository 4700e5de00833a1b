package localcluster

import "strconv"

// The processes run with the cluster's folder as working directory, so all paths here are relative. That also
// keeps the names of etcd's sockets below the limit of 108 bytes, however deep the folder lies.

// etcdClients and etcdPeers are unix sockets: no port to collide on, and no other user can read the Secrets in it.
// etcd insists on the form host:port and takes both parts together as the file's name.
const (
	etcdClients = "unix://client:0"
	etcdPeers   = "unix://peer:0"
)

func etcdArgs() []string {
	return []string{
		"--name=local",
		"--data-dir=etcd",
		"--listen-client-urls=" + etcdClients,
		"--advertise-client-urls=" + etcdClients,
		"--listen-peer-urls=" + etcdPeers,
		"--initial-advertise-peer-urls=" + etcdPeers,
		"--initial-cluster=local=" + etcdPeers,
		// The data is not meant to survive a power cut, and fsync is most of a write's time.
		"--unsafe-no-fsync",
		"--log-level=warn",
	}
}

func apiserverArgs(port int, audit bool) []string {
	args := []string{
		"--etcd-servers=" + etcdClients,
		"--bind-address=127.0.0.1",
		"--secure-port=" + strconv.Itoa(port),
		"--authorization-mode=RBAC",
		"--service-cluster-ip-range=" + serviceRange,
		"--client-ca-file=" + fileCA,
		"--tls-cert-file=" + fileServingCert,
		"--tls-private-key-file=" + fileServingKey,
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + fileAccountPub,
		"--service-account-signing-key-file=" + fileAccountKey,
		// The Service "kubernetes" can't have an endpoint on the loopback interface: the API refuses such addresses.
		"--endpoint-reconciler-type=none",
		"--profiling=false",
	}
	if audit {
		args = append(args,
			"--audit-policy-file="+fileAuditPolicy,
			"--audit-log-path="+fileAuditLog,
			// The default mode writes before it answers; without rotation a test reads one file.
			"--audit-log-maxsize=0",
		)
	}
	return args
}

func controllerManagerArgs() []string {
	return []string{
		"--kubeconfig=" + fileManagerCreds,
		// Each controller acts under its own account, as kubeadm sets it up: finalizers and owner references are
		// then subject to the same rules as in a real cluster.
		"--use-service-account-credentials",
		// Making forty accounts at the default rate is most of the start.
		"--kube-api-qps=500",
		"--kube-api-burst=500",
		"--service-account-private-key-file=" + fileAccountKey,
		"--root-ca-file=" + fileCA,
		// One instance, and nobody scrapes it.
		"--leader-elect=false",
		"--secure-port=0",
		"--profiling=false",
	}
}
