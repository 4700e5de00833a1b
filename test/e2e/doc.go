// Package e2e tests what is shipped: the images of the Dockerfile and the manifests of config/, on a cluster with a real kubelet. It
// sees what no other test can: that the programs run under the restricted Pod security standard, find each other through Services,
// have the files and rights that their images and Pods give them, and come back when kubelet ends them.
//
// Its tests have the build tag e2e and run inside of the node that 'make e2e' starts. They play Meta with internal/metasim, and
// the Ingress in front of the webhook-server. They don't repeat what tests with a control plane alone prove, and they can't
// see whether NetworkPolicies hold: the node's network doesn't enforce them.
package e2e
