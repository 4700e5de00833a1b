// Package install tests how the operator gets into a cluster and out of it: what 'make install', 'make deploy' and
// 'make undeploy' do to a real control plane, and in which order.
//
// It does not run the programs: without nodes the Deployments have no Pods, and the tests play the manager's
// part where an order depends on it.
package install
