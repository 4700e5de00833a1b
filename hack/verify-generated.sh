#!/usr/bin/env bash
# verify-generated.sh TARGET PATH...
#
# Fails if 'make TARGET' would change one of the generated PATHs, and shows the difference. The working tree is
# left as it was, and uncommitted changes are no obstacle: what is compared is the tree with what it generates,
# not with a commit.
set -euo pipefail

target=$1
shift
before=$(mktemp -d)
restore() {
  for p in "$@"; do
    rm -rf "$p"
    [ ! -e "$before/$p" ] || cp -a "$before/$p" "$p"
  done
  rm -rf "$before"
}
# shellcheck disable=SC2064 # the paths of now are meant
trap "restore $(printf '%q ' "$@")" EXIT

for p in "$@"; do
  mkdir -p "$before/$(dirname "$p")"
  [ ! -e "$p" ] || cp -a "$p" "$before/$p"
done

"${MAKE:-make}" --no-print-directory "$target"

changed=false
for p in "$@"; do
  diff -ruN "$before/$p" "$p" >&2 || changed=true
done
if $changed; then
  echo "verify: error: generated files are out of date; run 'make $target' and commit the result" >&2
  exit 1
fi
