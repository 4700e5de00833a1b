// Package gitops holds what GitOps tools see of the three kinds: Argo CD's health scripts against every state that an object can end in, and
// manifests that are applied again. Its Script lets other tests hold the health of their final objects against the status contract.
//
// It doesn't run Argo CD, and it needs no manager: what repeated manifests do to a customer is tested beside the controllers.
package gitops
