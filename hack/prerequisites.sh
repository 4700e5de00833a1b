#!/usr/bin/env bash
# prerequisites.sh COMMAND...
#
# Makes sure that commands which no Go module provides are there. As root on Debian or Ubuntu what is
# missing is installed; anywhere else, or if that fails, the script says what to install and exits with 1. Nothing
# is left out silently: a test that could not run would look like one that passed.
set -euo pipefail

# package COMMAND: the Debian package that brings a command.
package() {
  case $1 in
    gcc) echo "gcc libc6-dev" ;; # the race detector links against libc
    initdb) echo postgresql ;;
    node) echo nodejs ;;
    opusenc) echo opus-tools ;;
    pocketsphinx_continuous) echo "pocketsphinx pocketsphinx-en-us" ;;
    busybox) echo busybox-static ;;
    ctr) echo containerd ;;
    ip) echo iproute2 ;;
    mount | unshare) echo "mount util-linux" ;;
    pgrep) echo procps ;;
    /usr/lib/cni/*) echo containernetworking-plugins ;;
    *) echo "$1" ;;
  esac
}

# present COMMAND: Debian keeps the programs of a PostgreSQL server out of the PATH, one folder per version.
present() {
  case $1 in
    initdb) command -v initdb || compgen -G "${POSTGRES_BIN:-/usr/lib/postgresql/*/bin}/initdb" ;;
    *) command -v "$1" ;;
  esac >/dev/null
}

missing=() packages=()
for c in "$@"; do
  present "$c" && continue
  missing+=("$c")
  read -ra names <<<"$(package "$c")"
  packages+=("${names[@]}")
done
[ ${#missing[@]} -gt 0 ] || exit 0

fail() {
  echo "prerequisites: error: missing: ${missing[*]}. $1" >&2
  exit 1
}

command -v apt-get >/dev/null || fail "Install them with your system's package manager and try again."
[ "$(id -u)" = 0 ] || fail "Run: sudo apt-get install --no-install-recommends ${packages[*]}"

# Mirrors answer with errors now and then, and another apt-get may hold the lock.
apt=(apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
export DEBIAN_FRONTEND=noninteractive
for attempt in 1 2 3; do
  echo "prerequisites: installing ${packages[*]} (attempt $attempt of 3)" >&2
  if "${apt[@]}" update >&2 && "${apt[@]}" install -y --no-install-recommends "${packages[@]}" >&2; then
    for c in "${missing[@]}"; do
      present "$c" || fail "The packages ${packages[*]} are installed and do not bring it."
    done
    exit 0
  fi
  sleep $((attempt * 5))
done
fail "apt-get could not install ${packages[*]}; its messages are above."
