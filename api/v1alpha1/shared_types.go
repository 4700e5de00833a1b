package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Names that users meet on objects.
const (
	// RequestedAtAnnotation asks for a reconciliation now, whatever the back-off. Any new value counts; a timestamp is customary.
	// The value that was last acted on is copied to status.lastHandledReconcileAt.
	RequestedAtAnnotation = GroupName + "/requested-at"

	// Finalizer holds an object until what it caused at Meta and in the runtime namespace is undone or handed over.
	Finalizer = GroupName + "/finalizer"
)

// Keys of the Secrets that users write.
const (
	// SecretKeyAppSecret is the app secret of a Meta app (App Dashboard, App settings, Basic).
	SecretKeyAppSecret = "app-secret"
	// SecretKeyPreviousAppSecret is the app secret before a rotation, kept while deliveries signed with it may arrive.
	SecretKeyPreviousAppSecret = "previous-app-secret"
	// SecretKeySystemToken is the partner's system user access token.
	SecretKeySystemToken = "system-token"
	// SecretKeyAccessToken is the access token of a direct channel.
	SecretKeyAccessToken = "access-token"
	// SecretKeyVerifyToken is the webhook verify token of a direct channel.
	SecretKeyVerifyToken = "verify-token"
	// SecretKeyCode is the default key of an Embedded Signup code.
	SecretKeyCode = "code"
	// SecretKeyPIN is the default key of a two-step verification PIN.
	SecretKeyPIN = "pin"
)

// SecretReference names a Secret. Its namespace follows from the kind that holds the reference: the operator's own for a
// MetaApp, the object's own for everything else.
type SecretReference struct {
	// name of the Secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
}

// SecretKeyReference names one key of a Secret in the object's own namespace.
type SecretKeyReference struct {
	// name of the Secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// key in the Secret's data. Each field that holds such a reference documents the key that is used when this is empty.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[-._a-zA-Z0-9]+$`
	Key string `json:"key,omitempty"`
}

// ConfigMapKeyReference names one key of a ConfigMap in the object's own namespace.
type ConfigMapKeyReference struct {
	// name of the ConfigMap.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// key in the ConfigMap's data.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[-._a-zA-Z0-9]+$`
	Key string `json:"key,omitempty"`
}

// MetaAppReference names a MetaApp, which is cluster-scoped.
type MetaAppReference struct {
	// name of the MetaApp.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
}

// ObjectReference names an object of a known kind in the same namespace.
type ObjectReference struct {
	// name of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
}

// TokenStatus describes an access token without showing it.
type TokenStatus struct {
	// hint is the masked token: its last four characters.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16
	Hint string `json:"hint,omitempty"`

	// expiresAt is when the token dies. Absent means never.
	// +optional
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`
}
