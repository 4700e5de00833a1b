#!/usr/bin/env bash
# node.sh up | down | enter COMMAND... | logs
#
# A Kubernetes cluster of one real node, in namespaces of its own: processes, mounts, network and cgroups. Nothing of
# it reaches the machine or the outside, and all of it ends with its first process. It needs root and cgroup v1.
#
#   BIN    the folder of etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubelet, kube-proxy, kubectl
#   STATE  a folder for everything that the cluster writes; images/*.tar in it are loaded into the node
#
# 'up' returns when the node is Ready; $STATE/pki/admin.kubeconfig is then the way in, from within the node's network.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${BIN:?}" "${STATE:?}"

node=e2e
node_ip=192.168.221.1 # test/e2e names it too
pods=10.244.0.0/24
services=10.96.0.0/16
service_ip=10.96.0.1 # the first of services, which kube-apiserver takes
pki=$STATE/pki
log=$STATE/log
ready_seconds=120

# kubelet sets these for the whole machine, and 'down' sets them back.
sysctls=(vm/overcommit_memory kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes)

say() { echo "node: $*" >&2; }
die() { echo "node: error: $*" >&2; exit 1; }
kube() { "$BIN/kubectl" --kubeconfig="$pki/admin.kubeconfig" "$@"; }

# await WHAT COMMAND...: polls until the command succeeds.
await() {
  local what=$1 deadline=$((SECONDS + ready_seconds))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $deadline ] || die "no $what after $ready_seconds s"
    sleep 0.2
  done
}

# ---------------------------------------------------------------- outside

up() {
  mkdir -p "$log" "$STATE/lib"
  "$here/pki.sh" "$pki" "$node" "$node_ip" "$service_ip"
  local k
  for k in "${sysctls[@]}"; do echo "$k $(cat "/proc/sys/$k")"; done > "$STATE/sysctls"
  make_cgroups
  # The first process joins the cgroups before it gets a namespace of them, so that they are its roots there.
  (
    while read -r _ cgroup; do echo "$BASHPID" > "$cgroup/cgroup.procs"; done < "$STATE/cgroups"
    exec setsid unshare --cgroup --mount --net --pid --ipc --uts --fork --kill-child --mount-proc \
      "${BASH_SOURCE[0]}" init
  ) > "$log/init.log" 2>&1 < /dev/null &
  echo $! > "$STATE/unshare.pid"
  while [ ! -f "$STATE/ready" ]; do
    kill -0 "$!" 2>/dev/null || { cat "$log/init.log" >&2; die "the node did not start"; }
    sleep 0.2
  done
}

# make_cgroups makes a group for the node in every hierarchy, below the caller's own.
make_cgroups() {
  local controllers path cgroup
  : > "$STATE/cgroups"
  while IFS=: read -r _ controllers path; do
    [ -n "$controllers" ] || continue # the unified hierarchy, which has no controllers beside v1
    cgroup=/sys/fs/cgroup/${controllers#name=}${path%/}/whatsapp-e2e-$$
    mkdir "$cgroup" || die "can't make a cgroup in the hierarchy of $controllers"
    echo "$controllers $cgroup" >> "$STATE/cgroups"
    # A new group of cpuset has no processors and takes no process.
    [ "$controllers" != cpuset ] || {
      cat "$cgroup/../cpuset.cpus" > "$cgroup/cpuset.cpus"
      cat "$cgroup/../cpuset.mems" > "$cgroup/cpuset.mems"
      echo 1 > "$cgroup/cgroup.clone_children"
    }
  done < /proc/self/cgroup
}

# down ends unshare, which takes its child along, which takes every process, mount and link of the node along.
down() {
  local k v cgroup
  if [ -f "$STATE/unshare.pid" ]; then
    kill -9 "$(cat "$STATE/unshare.pid")" 2>/dev/null || true
    rm -f "$STATE/unshare.pid"
  fi
  [ ! -f "$STATE/cgroups" ] || while read -r _ cgroup; do
    await "end of the processes in $cgroup" remove_cgroup "$cgroup"
  done < "$STATE/cgroups"
  [ ! -f "$STATE/sysctls" ] || while read -r k v; do
    [ "$(cat "/proc/sys/$k")" = "$v" ] || echo "$v" > "/proc/sys/$k"
  done < "$STATE/sysctls"
}

# remove_cgroup removes a group and those below it, which is possible as soon as they hold no process.
remove_cgroup() { [ ! -d "$1" ] || find "$1" -depth -type d -exec rmdir {} +; }

enter() {
  local init
  init=$(pgrep -P "$(cat "$STATE/unshare.pid")") || die "the node is not up"
  KUBECTL=$BIN/kubectl KUBECONFIG=$pki/admin.kubeconfig PATH=$BIN:$PATH \
    nsenter --target "$init" --net --mount --pid --ipc --uts -- env --chdir="$PWD" "$@"
}

# ---------------------------------------------------------------- inside

# init is process 1 of the node.
init() {
  machine
  network
  start containerd containerd --config "$STATE/containerd.toml"
  await containerd ctr version
  local image
  for image in "$STATE"/images/*.tar; do ctr --namespace k8s.io images import "$image"; done
  control_plane
  start kubelet "$BIN/kubelet" --config="$STATE/kubelet.yaml" --kubeconfig="$pki/kubelet.kubeconfig" \
    --hostname-override="$node" --node-ip="$node_ip"
  start kube-proxy "$BIN/kube-proxy" --config="$STATE/kube-proxy.yaml"
  await "node that is Ready" kube wait --for=condition=Ready "node/$node" --timeout=5s
  await "default ServiceAccount" kube --namespace=default get serviceaccount default
  touch "$STATE/ready"
  # Orphans become children of process 1; bash reaps them between two sleeps.
  while sleep 1; do :; done
}

start() { # NAME COMMAND...
  local name=$1
  shift
  "$@" > "$log/$name.log" 2>&1 &
}

# machine gives the node folders and cgroups of its own, so that all programs can keep their default places.
machine() {
  local controllers place
  mount --bind "$STATE/lib" /var/lib
  mount -t tmpfs tmpfs /run
  mount -t tmpfs tmpfs /var/log
  mount -t tmpfs tmpfs /sys/fs/cgroup
  while read -r controllers _; do
    place=/sys/fs/cgroup/${controllers#name=}
    mkdir "$place"
    case $controllers in name=*) controllers=none,$controllers ;; esac
    mount -t cgroup -o "$controllers" cgroup "$place"
  done < "$STATE/cgroups"
  # Volumes that kubelet mounts must appear in containers.
  mount --make-rshared /
  hostname "$node"
  containerd_config > "$STATE/containerd.toml"
  mkdir -p "$STATE/cni" && cni_config > "$STATE/cni/10-pods.conflist"
  kubelet_config > "$STATE/kubelet.yaml"
  kube_proxy_config > "$STATE/kube-proxy.yaml"
  : > "$STATE/resolv.conf"
}

# network has no way out: a bridge without ports carries the node's address.
network() {
  ip link set lo up
  ip link add node0 type bridge
  ip address add "$node_ip/24" dev node0
  ip link set node0 up
  # An address without a route is refused before kube-proxy's rules could rewrite it.
  ip route add "$services" dev node0
  echo 1 > /proc/sys/net/ipv4/ip_forward
}

control_plane() {
  start etcd "$BIN/etcd" --name=e2e --data-dir=/var/lib/etcd --unsafe-no-fsync --log-level=warn
  await etcd bash -c ': < /dev/tcp/127.0.0.1/2379'
  start kube-apiserver "$BIN/kube-apiserver" --etcd-servers=http://127.0.0.1:2379 \
    --advertise-address="$node_ip" --service-cluster-ip-range="$services" --allow-privileged \
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
    --client-ca-file="$pki/ca.crt" --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" \
    --kubelet-client-certificate="$pki/apiserver-kubelet.crt" --kubelet-client-key="$pki/apiserver-kubelet.key" \
    --kubelet-preferred-address-types=InternalIP \
    --service-account-issuer=https://kubernetes.default.svc \
    --service-account-key-file="$pki/service-account.pub" --service-account-signing-key-file="$pki/service-account.key"
  await kube-apiserver kube get --raw /readyz
  start kube-controller-manager "$BIN/kube-controller-manager" --kubeconfig="$pki/controller-manager.kubeconfig" \
    --use-service-account-credentials --root-ca-file="$pki/ca.crt" \
    --service-account-private-key-file="$pki/service-account.key" --leader-elect=false
  start kube-scheduler "$BIN/kube-scheduler" --kubeconfig="$pki/scheduler.kubeconfig" --leader-elect=false
}

containerd_config() {
  cat <<TOML
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:e2e"
  # In a container or a small virtual machine root may not lower the score, and no pod would start.
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$STATE/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
TOML
}

cni_config() {
  cat <<JSON
{"cniVersion": "1.0.0", "name": "pods", "plugins": [
  {"type": "bridge", "bridge": "pods0", "isGateway": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "$pods"}]], "routes": [{"dst": "0.0.0.0/0"}]}}
]}
JSON
}

kubelet_config() {
  cat <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  x509: {clientCAFile: $pki/ca.crt}
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
oomScoreAdj: 0
# The cluster has no DNS: nothing here looks up a name of a Service.
resolvConf: $STATE/resolv.conf
volumePluginDir: /var/lib/kubelet/volume-plugins
# A full disk of a developer's machine is no reason to evict.
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1%}
imageGCHighThresholdPercent: 100
YAML
}

kube_proxy_config() {
  cat <<YAML
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clusterCIDR: $pods
hostnameOverride: $node
clientConnection: {kubeconfig: $pki/proxy.kubeconfig}
oomScoreAdj: 0
# Settings of the machine, not of the node's namespaces.
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
YAML
}

# ---------------------------------------------------------------- for people

# logs prints what somebody needs who has to find out why a run failed.
logs() {
  local file
  for file in "$log"/*.log; do
    echo "--- end of ${file##*/}"
    grep -E '^[EF][0-9]{4} |level=(error|fatal)|panic|node: ' "$file" | tail -n 10 || true
  done
  [ -f "$STATE/ready" ] || return 0
  echo "--- objects"
  enter kubectl get all,pvc,pv,metaapps,onboardingrequests,whatsappchannels -A -o wide || true
  enter kubectl describe metaapps,onboardingrequests,whatsappchannels -A || true
  enter kubectl get events -A --sort-by=.lastTimestamp | tail -n 40 || true
  local namespace
  for namespace in whatsapp-system whatsapp-runtime; do
    echo "--- logs in $namespace"
    enter kubectl -n "$namespace" logs --all-containers --prefix --tail=60 -l app.kubernetes.io/part-of=whatsapp-operator || true
  done
}

command=${1:-}
case $command in
  up | down | init | logs) "$command" ;;
  enter) shift; enter "$@" ;;
  *) sed -n '2,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
