#!/usr/bin/env bash
# run.sh [TEST FLAG...]
#
# The end-to-end test: builds the images of the Dockerfile, starts a cluster with a real kubelet on this machine and
# runs test/e2e in it. It takes two minutes once everything is compiled, leaves nothing running, and needs root on Linux
# with cgroup v1. On Debian and Ubuntu it installs the packages that are missing.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.."

say() { printf 'e2e: %4ds %s\n' "$SECONDS" "$*" >&2; }
die() { echo "e2e: error: $*" >&2; exit 1; }

[ "$(uname)" = Linux ] || die "it runs on Linux only"
[ "$(id -u)" = 0 ] || die "it makes namespaces, cgroups and mounts, so run it as root"
[ -d /sys/fs/cgroup/memory ] || die "it needs the controllers of cgroup v1 in /sys/fs/cgroup"

# iptables is for kube-proxy; the plugins connect Pods.
hack/prerequisites.sh containerd ctr runc /usr/lib/cni/bridge iptables ip mount unshare pgrep openssl buildah busybox
[ -d /usr/share/zoneinfo ] || die "/usr/share/zoneinfo is missing; install the package tzdata"

BIN=$(hack/tools.sh all)
STATE=$(mktemp -d /var/tmp/whatsapp-e2e-XXXXXX)
export BIN STATE
passed=false
finish() {
  $passed || [ ! -d "$STATE/log" ] || "$here/node.sh" logs >&2 || true
  "$here/node.sh" down
  rm -rf "$STATE"
}
trap finish EXIT
trap 'exit 130' INT TERM

say "building the images"
"$here/images.sh" "$STATE/images"
CGO_ENABLED=0 go test -tags e2e -c -o "$STATE/e2e.test" ./test/e2e
say "starting the node"
"$here/node.sh" up
say "the node is Ready"
cd test/e2e
# In the background, since a signal is handled only between commands or in a wait.
"$here/node.sh" enter "$STATE/e2e.test" -test.v -test.timeout=8m "$@" &
wait $!
passed=true
say "passed"
