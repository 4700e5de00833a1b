#!/usr/bin/env bash
# tools.sh dev|envtest|all|aimock
#
# Makes a set of tools available and prints the folder that holds them as the only line on stdout
# (everything for people goes to stderr):
#
#   dev      controller-gen, crd-ref-docs, golangci-lint-kube-api-linter
#   envtest  etcd, kube-apiserver, kube-controller-manager, kubectl: a control plane without nodes
#   all      envtest and kube-scheduler, kubelet, kube-proxy: what a real node needs besides
#   aimock   a server that speaks the APIs of model providers: dist/aimock-cli.js and dist/cli.js, for node
#
# The versions are those of hack/tools/dev/go.mod, hack/tools/k8s/go.mod and hack/tools/aimock/package-lock.json. What is missing is built from Go
# modules into ${XDG_CACHE_HOME:-~/.cache}/whatsapp-operator/<set>-<hash>, outside the checkout, so that fresh clones and
# branches share it. The hash covers everything that a binary depends on, hence a folder never changes its meaning.
#
# Binaries of the control plane are taken from $KUBEBUILDER_ASSETS, or from what setup-envtest has installed, where
# these have them in our minor version; neither ships kube-controller-manager.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/whatsapp-operator
progress_seconds=20

say() { echo "tools: $*" >&2; }
die() { echo "tools: error: $*" >&2; exit 1; }

usage() { sed -n '2,10s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }

# aimock: what the lock file names, checked against its digests. It appears by rename only, so one that is there is whole.
aimock() {
  local hash out tmp
  hash=$(git hash-object --stdin <"$here/tools/aimock/package-lock.json" | cut -c1-16)
  out=$cache/aimock-$hash
  if [ ! -d "$out" ]; then
    command -v npm >/dev/null || die "npm is not in the PATH; hack/prerequisites.sh node npm installs it"
    mkdir -p "$cache"
    tmp=$(mktemp -d "$cache/.aimock-XXXXXX")
    # shellcheck disable=SC2064 # the value of now is meant
    trap "rm -rf '$tmp'" EXIT
    cp "$here"/tools/aimock/package*.json "$tmp/"
    say "installing aimock into $out"
    npm ci --prefix "$tmp" --ignore-scripts --no-audit --no-fund >&2 || die "npm ci failed; its messages are above"
    mv -T "$tmp" "$out" 2>/dev/null || [ -d "$out" ] || die "$out can't be made" # another one may have been faster
  fi
  echo "$out/node_modules/@copilotkit/aimock"
}

kube=k8s.io/kubernetes/cmd
case ${1:-} in
  aimock) aimock; exit 0 ;;
  dev)
    module=dev
    packages=(
      sigs.k8s.io/controller-tools/cmd/controller-gen
      github.com/elastic/crd-ref-docs
      sigs.k8s.io/kube-api-linter/cmd/golangci-lint-kube-api-linter
    ) ;;
  envtest | all)
    module=k8s
    packages=(go.etcd.io/etcd/server/v3 "$kube"/{kube-apiserver,kube-controller-manager,kubectl})
    [ "$1" = envtest ] || packages+=("$kube"/{kube-scheduler,kubelet,kube-proxy}) ;;
  *) usage ;;
esac

command -v go >/dev/null || die "go is not in the PATH; install the version that go.mod names"
moddir=$here/tools/$module

# One set of flags for every binary: other flags would compile the shared packages a second time.
flags=(-trimpath -ldflags "-s -w")
kube_version=
if [ "$module" = k8s ]; then
  kube_version=$(sed -n 's|^[[:space:]]*k8s.io/kubernetes v\([0-9.]*\).*|\1|p' "$moddir/go.mod")
  [ -n "$kube_version" ] || die "hack/tools/k8s/go.mod names no version of k8s.io/kubernetes"
  kube_minor=$(cut -d. -f2 <<<"$kube_version")
  v=k8s.io/component-base/version
  flags=(-trimpath -ldflags "-s -w -X $v.gitVersion=v$kube_version -X $v.gitMajor=1 -X $v.gitMinor=$kube_minor")
fi

# binary_name PACKAGE: the name under which a package's binary is wanted; etcd's package ends in server/v3.
binary_name() { case $1 in go.etcd.io/etcd/*) echo etcd ;; *) basename "$1" ;; esac; }
# built_name PACKAGE: the name that go build gives it (it drops a major version suffix).
built_name() { case $1 in */v[0-9]) basename "$(dirname "$1")" ;; *) basename "$1" ;; esac; }

# same_minor DIR: whether the kube-apiserver in DIR is of our minor version. An older one may not be served by a newer
# controller-manager, and a newer one would test other API rules.
same_minor() { [ -x "$1/kube-apiserver" ] && "$1/kube-apiserver" --version 2>/dev/null | grep -q " v1\.$kube_minor\."; }

# installed_assets: a folder of control-plane binaries somebody has installed already, or nothing.
installed_assets() {
  local dir=${KUBEBUILDER_ASSETS:-}
  if [ -z "$dir" ] && command -v setup-envtest >/dev/null; then
    # -i: only what is installed; a download is not this script's to start.
    dir=$(setup-envtest use -i -p path "1.$kube_minor.x" 2>/dev/null || true)
  fi
  [ -n "$dir" ] || return 0
  if same_minor "$dir"; then echo "$dir"; else say "ignoring $dir: no kube-apiserver of version 1.$kube_minor there"; fi
}

assets=
[ "$module" = dev ] || assets=$(installed_assets)
if [ -n "$assets" ]; then
  complete=true
  for p in "${packages[@]}"; do [ -x "$assets/$(binary_name "$p")" ] || complete=false; done
  if $complete; then echo "$assets"; exit 0; fi
fi

hash=$({ cat "$moddir/go.mod" "$moddir/go.sum"; echo "${flags[@]}"; (cd "$moddir" && go env GOVERSION GOOS GOARCH)
  # Foreign binaries get a folder of their own, or a later call without them would find them under our hash.
  [ -z "$assets" ] || { echo "$assets"; "$assets/kube-apiserver" --version; }; } | git hash-object --stdin | cut -c1-16)
case $module in dev) out=$cache/tools-$hash ;; *) out=$cache/k8s-$hash ;; esac

# A binary appears in $out by rename only, so one that is there is whole.
missing() { local p; for p in "${packages[@]}"; do [ -x "$out/$(binary_name "$p")" ] || echo "$p"; done; }

# build PACKAGE...: one go build for all of them, so that both cores stay busy while one binary links.
build() {
  local tmp names="" start=$SECONDS next=$progress_seconds pid p log cores
  tmp=$(mktemp -d "$out/.build-XXXXXX"); log=$tmp/log
  for p in "$@"; do names+=" $(binary_name "$p")"; done
  cores=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
  say "building$names into $out"
  [ "$module" = dev ] || say "a cold build takes 3 to 10 minutes on 2 cores (here: $cores) and is done once"
  (cd "$moddir" && CGO_ENABLED=0 GOFLAGS="-buildvcs=false" exec go build "${flags[@]}" -o "$tmp/" "$@") >"$log" 2>&1 &
  pid=$!
  # shellcheck disable=SC2064 # the values of now are meant
  trap "kill $pid 2>/dev/null; rm -rf '$tmp'" EXIT
  trap 'exit 130' INT TERM
  while kill -0 "$pid" 2>/dev/null; do
    sleep 1
    if [ $((SECONDS - start)) -ge "$next" ]; then
      say "building$names … $(elapsed $((SECONDS - start)))"
      next=$((next + progress_seconds))
    fi
  done
  if ! wait "$pid"; then
    tail -n 30 "$log" >&2
    die "the build failed. It needs a Go module proxy (GOPROXY=$(go env GOPROXY)) and 4 GB in $(go env GOCACHE);" \
      "what was compiled is kept, so running the same command again goes on from here"
  fi
  for p in "$@"; do mv "$tmp/$(built_name "$p")" "$out/$(binary_name "$p")"; done
  rm -rf "$tmp"; trap - EXIT INT TERM
  say "built$names in $(elapsed $((SECONDS - start)))"
}

elapsed() { printf '%dm%02ds' $(($1 / 60)) $(($1 % 60)); }

mkdir -p "$out" || die "cannot write to $cache; set XDG_CACHE_HOME to a folder of yours"
if [ -n "$(missing)" ]; then
  # The lock only saves a second build beside a first one; what keeps the folder whole is the rename above.
  if command -v flock >/dev/null; then
    exec 9>"$out/.lock"
    flock -n 9 || { say "another build is filling $out; waiting for it"; flock 9; }
    rm -rf "$out"/.build-* # left by a build that was killed
  fi
  if [ -n "$assets" ]; then
    for p in $(missing); do
      b=$(binary_name "$p")
      [ ! -x "$assets/$b" ] || ln -sf "$assets/$b" "$out/$b"
    done
  fi
  # shellcheck disable=SC2046 # package paths hold no spaces
  set -- $(missing)
  [ $# -eq 0 ] || build "$@" 9>&-
fi
echo "$out"
