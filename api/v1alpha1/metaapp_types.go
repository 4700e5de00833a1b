package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// MetaAppSpec is what the platform team says of one app in Meta's App Dashboard.
type MetaAppSpec struct {
	// appID is the id of the app, shown at the top of the App Dashboard. It can't be changed: another app is another MetaApp.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[0-9]+$`
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="appID can't be changed; create another MetaApp for another app"
	AppID string `json:"appID,omitempty"`

	// secretRef names a Secret in the operator's namespace with the keys app-secret, optionally previous-app-secret (during a
	// rotation) and, for a Solution Partner, system-token.
	// +required
	SecretRef SecretReference `json:"secretRef,omitzero"`

	// graphAPIVersion is the version in every Graph API path.
	// +optional
	// +default="v25.0"
	// +kubebuilder:validation:MinLength=5
	// +kubebuilder:validation:MaxLength=8
	// +kubebuilder:validation:Pattern=`^v[0-9]{2,3}\.[0-9]$`
	GraphAPIVersion string `json:"graphAPIVersion,omitempty"`

	// webhook says where Meta delivers the webhooks of this app.
	// +optional
	Webhook MetaAppWebhook `json:"webhook,omitzero"`

	// solutionPartner is set for a Solution Partner, who shares a credit line with each customer. Absent means Tech Provider:
	// customers pay Meta themselves and no credit is shared.
	// +optional
	SolutionPartner *SolutionPartner `json:"solutionPartner,omitempty"`

	// embeddedSignup configures the signup links of this app.
	// +optional
	EmbeddedSignup *EmbeddedSignup `json:"embeddedSignup,omitempty"`

	// graph tunes how the Graph API is called.
	// +optional
	Graph GraphSettings `json:"graph,omitzero"`

	// allowedNamespaces selects the namespaces whose OnboardingRequests and WhatsAppChannels may use this app. Absent or empty
	// means none: the app's credit is the platform's money.
	// +optional
	AllowedNamespaces *metav1.LabelSelector `json:"allowedNamespaces,omitempty"`
}

// SubscriptionMode says who keeps the app-level webhook subscription.
// +enum
// +kubebuilder:validation:Enum=Auto;Manual
type SubscriptionMode string

const (
	// SubscriptionAuto lets the operator set the app's callback URL, verify token and fields at Meta.
	SubscriptionAuto SubscriptionMode = "Auto"
	// SubscriptionManual leaves it to a person in the App Dashboard.
	SubscriptionManual SubscriptionMode = "Manual"
)

// MetaAppWebhook is where Meta delivers the webhooks of an app.
// +kubebuilder:validation:XValidation:rule="(has(self.subscription) && self.subscription == 'Manual') || has(self.url)",message="webhook.url is required while webhook.subscription is Auto; set url to the public https base URL of the webhook-server, or set subscription to Manual"
type MetaAppWebhook struct {
	// url is the public https base URL of the webhook-server, without the path that the operator adds.
	// +optional
	// +kubebuilder:validation:MinLength=9
	// +kubebuilder:validation:MaxLength=150
	// +kubebuilder:validation:XValidation:rule="self.startsWith('https://') && isURL(self)",message="webhook.url must be an https URL such as https://hooks.example.com"
	// +kubebuilder:validation:XValidation:rule="!self.endsWith('/') && !self.contains('?') && !self.contains('#') && !self.contains('@')",message="webhook.url must have no trailing slash, query, fragment or user"
	URL string `json:"url,omitempty"`

	// subscription is Auto when the operator keeps the app's callback URL and fields at Meta, Manual when a person does.
	// +optional
	// +default="Auto"
	Subscription SubscriptionMode `json:"subscription,omitempty"`
}

// CreditSharing is one of Meta's two ways of sharing a credit line.
// +enum
// +kubebuilder:validation:Enum=ShareAndAttach;ShareThenAttach
type CreditSharing string

const (
	// ShareAndAttach shares and attaches in one call, with the system token, after adding the system user to the account.
	ShareAndAttach CreditSharing = "ShareAndAttach"
	// ShareThenAttach is Meta's alternate method: share with the business, then attach with the customer's token.
	ShareThenAttach CreditSharing = "ShareThenAttach"
)

// SolutionPartner is what a partner needs to share its credit line.
type SolutionPartner struct {
	// businessID is the partner's own business portfolio.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[0-9]+$`
	BusinessID string `json:"businessID,omitempty"`

	// creditLineID is the extended credit line to share.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[0-9]+$`
	CreditLineID string `json:"creditLineID,omitempty"`

	// systemUserID is the partner's system user. Absent means the user that owns the system token.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[0-9]+$`
	SystemUserID string `json:"systemUserID,omitempty"`

	// creditSharing is the method.
	// +optional
	// +default="ShareAndAttach"
	CreditSharing CreditSharing `json:"creditSharing,omitempty"`

	// currencies that requests may ask for, as ISO 4217 codes. They pick the rate card and can't be changed once a line is attached.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=3
	// +kubebuilder:validation:items:MaxLength=3
	// +kubebuilder:validation:items:Pattern=`^[A-Z]{3}$`
	Currencies []string `json:"currencies,omitempty"`
}

// RedirectURIMode says what the code exchange sends as redirect_uri.
// +enum
// +kubebuilder:validation:Enum=Absent;Empty;Exact
type RedirectURIMode string

const (
	// RedirectURIAbsent sends no redirect_uri, as Meta's Embedded Signup pages show.
	RedirectURIAbsent RedirectURIMode = "Absent"
	// RedirectURIEmpty sends an empty redirect_uri.
	RedirectURIEmpty RedirectURIMode = "Empty"
	// RedirectURIExact sends redirectURIPolicy.uri.
	RedirectURIExact RedirectURIMode = "Exact"
)

// RedirectURIPolicy is the redirect_uri of the code exchange.
// +kubebuilder:validation:XValidation:rule="(has(self.mode) && self.mode == 'Exact') == has(self.uri)",message="set uri exactly when mode is Exact"
type RedirectURIPolicy struct {
	// mode says what is sent.
	// +optional
	// +default="Absent"
	Mode RedirectURIMode `json:"mode,omitempty"`

	// uri that is sent when mode is Exact.
	// +optional
	// +kubebuilder:validation:MinLength=9
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.startsWith('https://') && isURL(self)",message="uri must be an https URL"
	URI string `json:"uri,omitempty"`
}

// EmbeddedSignup configures signup links.
type EmbeddedSignup struct {
	// configurationID is the Facebook Login for Business configuration. It decides the version of Embedded Signup.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[0-9]+$`
	ConfigurationID string `json:"configurationID,omitempty"`

	// extras is the JSON object given to FB.login, as text. Empty means {"setup":{}}.
	// +optional
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=8192
	// +kubebuilder:validation:XValidation:rule="self.startsWith('{') && self.endsWith('}')",message="extras must be a JSON object written as text"
	Extras string `json:"extras,omitempty"`

	// redirectURIPolicy is the redirect_uri of the code exchange.
	// +optional
	RedirectURIPolicy RedirectURIPolicy `json:"redirectURIPolicy,omitzero"`
}

// GraphSettings tunes how the Graph API is called.
type GraphSettings struct {
	// baseURL replaces https://graph.facebook.com, for a simulator or a recording proxy.
	// +optional
	// +kubebuilder:validation:MinLength=8
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="isURL(self) && (self.startsWith('https://') || self.startsWith('http://127.0.0.1:') || self.startsWith('http://[::1]:'))",message="graph.baseURL must be an https URL (plain http only on loopback): tokens are sent to it"
	BaseURL string `json:"baseURL,omitempty"`

	// callsPerSecond bounds the management calls of this app.
	// +optional
	// +default=20
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=500
	CallsPerSecond int32 `json:"callsPerSecond,omitempty"`
}

// MetaAppStatus is what the operator found and did.
type MetaAppStatus struct {
	// conditions of the object: CredentialsValid, WebhookSubscribed, CreditLineReady, Ready, Reconciling, Stalled.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the generation that the last completed reconciliation saw; -1 before the first.
	// +optional
	// +default=-1
	// +kubebuilder:validation:Minimum=-1
	ObservedGeneration *int64 `json:"observedGeneration,omitempty"`

	// lastHandledReconcileAt is the value of the requested-at annotation that was last acted on.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	LastHandledReconcileAt string `json:"lastHandledReconcileAt,omitempty"`

	// appName is the app's name at Meta.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	AppName string `json:"appName,omitempty"`

	// callbackURL is what Meta calls.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	CallbackURL string `json:"callbackURL,omitempty"`

	// systemUserID owns the system token.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	SystemUserID string `json:"systemUserID,omitempty"`

	// systemToken describes the system token.
	// +optional
	SystemToken *TokenStatus `json:"systemToken,omitempty"`

	// creditLineName is the legal entity of the credit line.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	CreditLineName string `json:"creditLineName,omitempty"`

	// inUseBy counts the requests and channels that refer to this app. The app can't be deleted while it is above zero.
	// +optional
	// +kubebuilder:validation:Minimum=0
	InUseBy *int32 `json:"inUseBy,omitempty"`

	// leftovers are things at Meta that an offboarding could not clean up, newest last. Remove an entry's cause at Meta by hand.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Leftovers []Leftover `json:"leftovers,omitempty"`

	// nextAttemptTime is when the operator tries again by itself, while something fails.
	// +optional
	NextAttemptTime *metav1.Time `json:"nextAttemptTime,omitempty"`
}

// Leftover is one thing at Meta that an offboarding could not clean up.
type Leftover struct {
	// time when it was given up.
	// +required
	Time metav1.Time `json:"time,omitzero"`

	// object is the namespace and name of the OnboardingRequest or WhatsAppChannel.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Object string `json:"object,omitempty"`

	// what remains, such as a webhook subscription, a shared credit line or a registered number, with its id at Meta.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	What string `json:"what,omitempty"`

	// reason why it remains.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Reason string `json:"reason,omitempty"`
}

// MetaApp is one app in Meta's App Dashboard: the owner of the app secret that signs the webhooks of all its tenants and of
// the system token that can spend the partner's credit.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories=whatsapp,shortName=wapp
// +kubebuilder:printcolumn:name="App ID",type=string,JSONPath=`.spec.appID`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:selectablefield:JSONPath=`.spec.appID`
type MetaApp struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is what the platform team wants.
	// +required
	Spec MetaAppSpec `json:"spec,omitzero"`

	// status is what the operator found and did.
	// +optional
	// +default={"observedGeneration":-1}
	Status MetaAppStatus `json:"status,omitzero"`
}

// MetaAppList is a list of MetaApps.
//
// +kubebuilder:object:root=true
type MetaAppList struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the list's metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitzero"`

	// items are the MetaApps.
	// +required
	Items []MetaApp `json:"items"`
}
