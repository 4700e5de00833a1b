#!/usr/bin/env bash
# Fuzzes every target of the repository, one after the other, with $1 inputs each. Each begins with its
# committed corpus; what it finds is written beside it, into testdata/fuzz, to be committed with the repair.
#
# The bound is a count and not a time: when a time runs out while an input is being made smaller, go test calls that a failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

grep -rn --include='*_test.go' '^func Fuzz' . | sed -E 's|^(.*)/[^/]*_test\.go:[0-9]+:func (Fuzz[A-Za-z0-9_]*).*|\1 \2|' | sort -u |
  while read -r package target; do
    go test -run='^$' -fuzz="^$target\$" -fuzztime="$1x" -fuzzminimizetime=100x "$package"
  done
