#!/usr/bin/env bash
# images.sh OUT
#
# Builds the images of the Dockerfile and writes them into the folder OUT, as tar files that containerd imports, with
# an image for the pause containers. It needs buildah and busybox, and no registry: local images stand in for those
# that the Dockerfile starts from. They are good for this test and must never be published.
set -euo pipefail
[ $# = 1 ] || { sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
out=$1
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
mkdir -p "$out"

work=$(mktemp -d /var/tmp/whatsapp-e2e-images-XXXXXX)
trap 'rm -rf "$work"' EXIT
export TMPDIR=$work/tmp
mkdir "$TMPDIR"
bh() { buildah --root "$work/store" --runroot "$work/run" --storage-driver overlay "$@"; }

# commit NAME FOLDER OPTION...: an image of a folder's files.
commit() {
  local name=$1 folder=$2 container
  shift 2
  container=$(bh from scratch)
  bh copy --quiet "$container" "$folder" / > /dev/null
  bh config "$@" "$container"
  bh commit --quiet --rm "$container" "$name" > /dev/null
}

# What gcr.io/distroless/static:nonroot has, except for its list of authorities: there is nobody to call but the
# simulator, whose authority the test brings.
mkdir -p "$work"/static/{etc,home/nonroot,usr/share} "$work/static/tmp"
chmod 1777 "$work/static/tmp"
echo 'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin' > "$work/static/etc/passwd"
echo 'nonroot:x:65532:' > "$work/static/etc/group"
cp -r /usr/share/zoneinfo "$work/static/usr/share/"
commit gcr.io/distroless/static:nonroot "$work/static" --user 65532 --workingdir /home/nonroot \
  --env SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt

# golang: a shell. The toolchain and its caches are this machine's, mounted when it runs.
mkdir -p "$work"/golang/{bin,tmp,go,usr/local/go,machine/modules,machine/build}
cp "$(command -v busybox)" "$work/golang/bin/busybox"
ln -s busybox "$work/golang/bin/sh"
commit docker.io/library/golang:1.26 "$work/golang" --workingdir /go --env PATH=/usr/local/go/bin:/bin \
  --env GOPATH=/go --env GOTOOLCHAIN=local --env GOPROXY=off \
  --env GOMODCACHE=/machine/modules --env GOCACHE=/machine/build

# GOPROXY=off in there, so everything must be here already.
(cd "$root" && go mod download)
for target in manager webhook-server; do
  bh build --quiet --isolation chroot --pull-never --target "$target" \
    --build-arg "TARGETOS=$(go env GOOS)" --build-arg "TARGETARCH=$(go env GOARCH)" \
    --volume "$(go env GOROOT):/usr/local/go:ro" --volume "$(go env GOMODCACHE):/machine/modules:ro" \
    --volume "$(go env GOCACHE):/machine/build" \
    --tag "docker.io/whatsapp-operator/$target:dev" "$root" > /dev/null
done

mkdir "$work/pause"
(cd "$root" && CGO_ENABLED=0 go build -trimpath -o "$work/pause/pause" ./hack/e2e/pause)
commit localhost/pause:e2e "$work/pause" --entrypoint '["/pause"]' --user 65532

save() { rm -f "$out/$2.tar"; bh push --quiet "$1" "docker-archive:$out/$2.tar:$1"; }
save docker.io/whatsapp-operator/manager:dev manager
save docker.io/whatsapp-operator/webhook-server:dev webhook-server
save localhost/pause:e2e pause
