#!/usr/bin/env bash
# pki.sh DIR NODE NODE_IP SERVICE_IP
#
# Writes what the parts of the cluster prove themselves with into DIR: an authority (ca.crt, ca.key), the serving
# certificate of kube-apiserver, the key that signs ServiceAccount tokens, and a kubeconfig for each client.
set -euo pipefail
[ $# = 4 ] || { sed -n '2,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
dir=$1 node=$2 node_ip=$3 service_ip=$4

mkdir -p "$dir"
cd "$dir"
umask 077
# A configuration of our own: the system's adds extensions that contradict ours.
printf '[req]\ndistinguished_name = none\n[none]\n' > openssl.cnf

# certificate NAME SUBJECT OPTION...: a new key, and a certificate for it.
certificate() {
  local name=$1 subject=$2
  shift 2
  openssl req -x509 -config openssl.cnf -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 2 \
    -subj "$subject" -keyout "$name.key" -out "$name.crt" "$@" 2>/dev/null ||
    { echo "pki: error: openssl could not make a certificate for $name" >&2; exit 1; }
}

# issue NAME SUBJECT USAGE [OPTION...]: the same, signed by the authority.
issue() {
  local name=$1 subject=$2 usage=$3
  shift 3
  certificate "$name" "$subject" -CA ca.crt -CAkey ca.key -addext "extendedKeyUsage=$usage" \
    -addext basicConstraints=critical,CA:FALSE -addext keyUsage=critical,digitalSignature "$@"
}

# client NAME SUBJECT: a kubeconfig. Kubernetes takes the common name for the user and organizations for the groups.
client() {
  issue "$1" "$2" clientAuth
  cat > "$1.kubeconfig" <<YAML
apiVersion: v1
kind: Config
current-context: e2e
contexts:
  - {name: e2e, context: {cluster: e2e, user: $1}}
clusters:
  - {name: e2e, cluster: {server: "https://$node_ip:6443", certificate-authority: $dir/ca.crt}}
users:
  - {name: $1, user: {client-certificate: $dir/$1.crt, client-key: $dir/$1.key}}
YAML
}

certificate ca /CN=e2e -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,digitalSignature
issue apiserver /CN=kube-apiserver serverAuth \
  -addext "subjectAltName=DNS:kubernetes.default.svc,IP:127.0.0.1,IP:$node_ip,IP:$service_ip"
# How kube-apiserver asks kubelet for logs.
issue apiserver-kubelet /O=system:masters/CN=kube-apiserver clientAuth
openssl genrsa -out service-account.key 2048 2>/dev/null
openssl rsa -in service-account.key -pubout -out service-account.pub 2>/dev/null

client admin /O=system:masters/CN=admin
client controller-manager /CN=system:kube-controller-manager
client scheduler /CN=system:kube-scheduler
client proxy /CN=system:kube-proxy
client kubelet "/O=system:nodes/CN=system:node:$node"
