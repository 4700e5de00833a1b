// Package localcluster runs a Kubernetes control plane on the loopback interface of this machine: etcd,
// kube-apiserver and kube-controller-manager, as child processes that live no longer than their parent.
//
// It exists because two things that the operator depends on are done by the controller-manager and not by the
// apiserver: a deleted namespace only goes away, and an object whose owner is gone is only collected, where one runs.
// Service accounts work as in any cluster, so programs under test run with the RBAC rules that we ship and never
// as admin. The tests, the benchmarks and the demo share this package; product code never imports it.
//
// What it does not do: there are no nodes, so Pods stay Pending and Services lead nowhere; there is no
// scheduler, no network and no DNS. Nothing survives Stop but, if a folder was given, the logs in it.
package localcluster
