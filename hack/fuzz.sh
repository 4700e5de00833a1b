#!/usr/bin/env bash
# Fuzzes every target of the repository, one after the other, for $1 each (default 5s). Each begins with its committed
# corpus; what it finds is written beside it, into testdata/fuzz, to be committed with the repair.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

grep -rn --include='*_test.go' '^func Fuzz' . | sed -E 's|^(.*)/[^/]*_test\.go:[0-9]+:func (Fuzz[A-Za-z0-9_]*).*|\1 \2|' | sort -u |
  while read -r package target; do
    go test -run='^$' -fuzz="^$target\$" -fuzztime="${1:-5s}" "$package"
  done
