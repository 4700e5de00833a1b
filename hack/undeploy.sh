#!/usr/bin/env bash
# undeploy.sh: removes the operator from the cluster of the current kubeconfig, in the order that loses nothing.
#
# Our resources go first, while the manager runs: their finalizers are how subscriptions and shared credit at Meta
# are taken back. Deleting the CustomResourceDefinitions first would delete every resource with nobody
# there to do so. Within the resources a MetaApp goes last: the others need its credentials.
set -euo pipefail

kubectl=${KUBECTL:-kubectl}
timeout=${TIMEOUT:-10m}
cd "$(dirname "${BASH_SOURCE[0]}")/.."

served() { "$kubectl" get crd "$1.whatsapp-operator.dev" -o name --ignore-not-found | grep -q .; }

remove() { # KIND [FLAG...]
  local kind=$1
  shift
  served "$kind" || return 0
  echo "deleting all $kind"
  if ! "$kubectl" delete "$kind.whatsapp-operator.dev" --all "$@" --wait --timeout="$timeout"; then
    echo "undeploy: error: not all $kind are gone after $timeout, so the manager stays. The conditions of those that" \
      "are left say why ('$kubectl describe $kind -A'); when that is solved, run undeploy again." >&2
    exit 1
  fi
}

remove whatsappchannels --all-namespaces
remove onboardingrequests --all-namespaces
remove metaapps

echo "deleting the programs"
for program in manager webhookserver; do
  "$kubectl" delete --ignore-not-found --wait --timeout="$timeout" -k "config/$program"
done

# A resource that somebody (Argo CD, say) made again in the meantime still has its finalizer from the manager that is
# gone now. Deleting its definition would hang on it, and forcing it would forget what it shares at Meta.
for kind in whatsappchannels onboardingrequests metaapps; do
  if served "$kind" && "$kubectl" get "$kind.whatsapp-operator.dev" -A -o name | grep -q .; then
    echo "undeploy: error: somebody made $kind again while they were being deleted. Stop who does (an Argo CD" \
      "application with self-heal?), run 'make deploy' and then undeploy again." >&2
    exit 1
  fi
done

echo "deleting the definitions, roles and namespaces"
"$kubectl" delete --ignore-not-found --wait --timeout="$timeout" -k config/default
