// Package v1alpha1 holds the whatsapp-operator.dev/v1alpha1 API: MetaApp, OnboardingRequest and WhatsAppChannel, and the
// one vocabulary of condition types and reasons that their statuses use.
//
// It holds types only. It imports nothing but apimachinery, runs no validation in Go (every rule is a CEL rule in the
// CRD) and knows nothing of Meta's wire format.
//
// +kubebuilder:object:generate=true
// +kubebuilder:ac:generate=true
// +kubebuilder:ac:output:package="applyconfiguration"
// +groupName=whatsapp-operator.dev
package v1alpha1
