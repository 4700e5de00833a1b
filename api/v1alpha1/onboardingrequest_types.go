package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// DeletionPolicy says what deleting an OnboardingRequest does at Meta.
// +enum
// +kubebuilder:validation:Enum=Retain;Offboard
type DeletionPolicy string

const (
	// DeletionRetain leaves everything at Meta and the stored token as they are; a channel of the number goes on working.
	DeletionRetain DeletionPolicy = "Retain"
	// DeletionOffboard unsubscribes the webhooks, revokes the credit, deregisters the number and deletes the stored token.
	DeletionOffboard DeletionPolicy = "Offboard"
)

// OnboardingRequestSpec is one business customer's way to a working number. Most of it can't be changed once written, since
// it has consequences at Meta that can't be undone: create another request instead.
//
// +kubebuilder:validation:XValidation:rule="has(self.codeSecretRef) == has(oldSelf.codeSecretRef) && (!has(self.codeSecretRef) || self.codeSecretRef == oldSelf.codeSecretRef)",message="codeSecretRef can't be added, changed or removed; put a new code into the same Secret, or create another OnboardingRequest"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.wabaID) || has(self.wabaID)",message="wabaID can't be removed; correct it, or create another OnboardingRequest for another account"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.phoneNumberID) || has(self.phoneNumberID)",message="phoneNumberID can't be removed; correct it, or create another OnboardingRequest for another number"
// +kubebuilder:validation:XValidation:rule="has(self.dataLocalizationRegion) == has(oldSelf.dataLocalizationRegion) && (!has(self.dataLocalizationRegion) || self.dataLocalizationRegion == oldSelf.dataLocalizationRegion)",message="dataLocalizationRegion can't be added, changed or removed; it takes effect only at registration, so create another OnboardingRequest"
type OnboardingRequestSpec struct {
	// metaAppRef names the MetaApp through which the customer signed up.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="metaAppRef can't be changed; create another OnboardingRequest"
	MetaAppRef MetaAppReference `json:"metaAppRef,omitzero"`

	// codeSecretRef names the Secret with the code that Embedded Signup returned (default key: code). A code lives 30 seconds and
	// works once. Absent means: make a signup link for the customer instead.
	// +optional
	CodeSecretRef *SecretKeyReference `json:"codeSecretRef,omitempty"`

	// wabaID is the WhatsApp Business account that the customer is expected to have shared. It is checked against what the token
	// really grants. For a request that came by signup link, setting it to status.wabaID is the approval to go on. It can be corrected
	// until it is proven.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[0-9]+$`
	WABAID string `json:"wabaID,omitempty"`

	// phoneNumberID is the number that the customer is expected to have shared; checked like wabaID.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[0-9]+$`
	PhoneNumberID string `json:"phoneNumberID,omitempty"`

	// currency of the shared credit line as an ISO 4217 code, one of the MetaApp's. Required for a Solution Partner. It can be
	// changed until CreditShared is True, never after.
	// +optional
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=3
	// +kubebuilder:validation:Pattern=`^[A-Z]{3}$`
	Currency string `json:"currency,omitempty"`

	// pinSecretRef names the Secret with the six-digit two-step verification PIN to register with (default key: pin). Absent means
	// a random one.
	// +optional
	PINSecretRef *SecretKeyReference `json:"pinSecretRef,omitempty"`

	// dataLocalizationRegion is the country in which Meta keeps message data at rest, as an ISO 3166 code that Meta supports.
	// +optional
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=2
	// +kubebuilder:validation:Pattern=`^[A-Z]{2}$`
	DataLocalizationRegion string `json:"dataLocalizationRegion,omitempty"`

	// testMessage is sent once the tester has written to the number. Changing it sends another.
	// +optional
	TestMessage *TestMessage `json:"testMessage,omitempty"`

	// credentialsSecretName asks for a copy of the token and the ids in a Secret of this name in the request's namespace, for the
	// customer's own programs.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="!format.dns1123Subdomain().validate(self).hasValue()",message="credentialsSecretName must be a valid Secret name: lower case letters, digits, '-' and '.'"
	CredentialsSecretName string `json:"credentialsSecretName,omitempty"`

	// deletionPolicy says what deleting this request does at Meta.
	// +optional
	// +default="Retain"
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`

	// suspend stops all work on this request. Deletion goes on.
	// +optional
	// +default=false
	Suspend *bool `json:"suspend,omitempty"`
}

// TestMessage is a message that proves that the number works in both directions.
type TestMessage struct {
	// to is the tester's WhatsApp number with + and country code.
	// +required
	// +kubebuilder:validation:MinLength=8
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:Pattern=`^\+[1-9][0-9]{6,14}$`
	To string `json:"to,omitempty"`

	// body is the text, at most 4096 characters.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Body string `json:"body,omitempty"`
}

// OnboardingRequestStatus is how far the journey has come.
type OnboardingRequestStatus struct {
	// conditions of the object: TokenExchanged, AssetsVerified, WebhooksSubscribed, CreditShared, PhoneRegistered,
	// BusinessAppSynced, TestMessageSent, Ready, Reconciling, Stalled, Suspended. A step that is not needed is True with reason NotRequired.
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

	// wabaID is the WhatsApp Business account that the token was proven to grant.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	WABAID string `json:"wabaID,omitempty"`

	// wabaName is that account's name.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	WABAName string `json:"wabaName,omitempty"`

	// ownerBusinessID is the customer's business portfolio, kept because Meta no longer tells it once access is lost.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	OwnerBusinessID string `json:"ownerBusinessID,omitempty"`

	// ownerBusinessName is that portfolio's name.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	OwnerBusinessName string `json:"ownerBusinessName,omitempty"`

	// phoneNumberID is the number that was proven to belong to the account.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	PhoneNumberID string `json:"phoneNumberID,omitempty"`

	// displayPhoneNumber is the number as people write it.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	DisplayPhoneNumber string `json:"displayPhoneNumber,omitempty"`

	// verifiedName is the business name that customers see.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	VerifiedName string `json:"verifiedName,omitempty"`

	// token describes the customer's business token.
	// +optional
	Token *TokenStatus `json:"token,omitempty"`

	// creditAllocationID is the allocation that shares the credit line.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	CreditAllocationID string `json:"creditAllocationID,omitempty"`

	// exchange shows the state of the code exchange. It is a display copy: the truth is kept with the token.
	// +optional
	Exchange *ExchangeStatus `json:"exchange,omitempty"`

	// registerAttempts are the times of recent register calls, newest last. Meta locks a number for 72 hours after ten.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=10
	RegisterAttempts []metav1.Time `json:"registerAttempts,omitempty"`

	// pinMismatches counts register calls that Meta refused because of the PIN, since pinSecretRef last changed.
	// +optional
	// +kubebuilder:validation:Minimum=0
	PINMismatches *int32 `json:"pinMismatches,omitempty"`

	// signupLinkSecretRef names the Secret, in the request's namespace, that holds the signup link (key: url).
	// +optional
	SignupLinkSecretRef *SecretReference `json:"signupLinkSecretRef,omitempty"`

	// signupLinkExpiresAt is when the signup link dies.
	// +optional
	SignupLinkExpiresAt *metav1.Time `json:"signupLinkExpiresAt,omitempty"`

	// nextAttemptTime is when the operator tries again by itself, while something fails.
	// +optional
	NextAttemptTime *metav1.Time `json:"nextAttemptTime,omitempty"`

	// failures counts the failed attempts in a row at the current step; it spaces the next one, across restarts.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Failures *int32 `json:"failures,omitempty"`
}

// ExchangeStatus shows the state of the code exchange.
type ExchangeStatus struct {
	// codeHash identifies the code without showing it.
	// +required
	// +kubebuilder:validation:MinLength=8
	// +kubebuilder:validation:MaxLength=64
	CodeHash string `json:"codeHash,omitempty"`

	// attempts is how often the code was sent to Meta: at most twice.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=2
	Attempts *int32 `json:"attempts,omitempty"`

	// state is Reserved, Sending, Kept or Failed.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	State string `json:"state,omitempty"`

	// startedAt is when the last send began.
	// +optional
	StartedAt *metav1.Time `json:"startedAt,omitempty"`
}

// OnboardingRequest turns one customer's Embedded Signup into a working number: token kept, webhooks subscribed, credit line
// shared, phone registered.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=whatsapp,shortName=waor
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Phone",type=string,JSONPath=`.status.displayPhoneNumber`
// +kubebuilder:printcolumn:name="Business",type=string,JSONPath=`.status.ownerBusinessName`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="WABA",type=string,priority=1,JSONPath=`.status.wabaID`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:selectablefield:JSONPath=`.spec.metaAppRef.name`
// +kubebuilder:selectablefield:JSONPath=`.spec.wabaID`
// +kubebuilder:selectablefield:JSONPath=`.spec.phoneNumberID`
// +kubebuilder:validation:XValidation:rule="(has(self.spec.currency) == has(oldSelf.spec.currency) && (!has(self.spec.currency) || self.spec.currency == oldSelf.spec.currency)) || !has(oldSelf.status) || !has(oldSelf.status.conditions) || !oldSelf.status.conditions.exists(c, c.type == 'CreditShared' && c.status == 'True')",message="currency can't be added, changed or removed once CreditShared is True; Meta fixes it with the credit line",fieldPath=".spec.currency"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.spec.wabaID) || (has(self.spec.wabaID) && self.spec.wabaID == oldSelf.spec.wabaID) || !has(oldSelf.status) || !has(oldSelf.status.wabaID) || oldSelf.status.wabaID != oldSelf.spec.wabaID || !has(oldSelf.status.conditions) || !oldSelf.status.conditions.exists(c, c.type == 'AssetsVerified' && c.status == 'True')",message="wabaID can't be changed once it is proven, that is AssetsVerified is True for it; create another OnboardingRequest for another account",fieldPath=".spec.wabaID"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.spec.phoneNumberID) || (has(self.spec.phoneNumberID) && self.spec.phoneNumberID == oldSelf.spec.phoneNumberID) || !has(oldSelf.status) || !has(oldSelf.status.phoneNumberID) || oldSelf.status.phoneNumberID != oldSelf.spec.phoneNumberID || !has(oldSelf.status.conditions) || !oldSelf.status.conditions.exists(c, c.type == 'AssetsVerified' && c.status == 'True')",message="phoneNumberID can't be changed once it is proven, that is AssetsVerified is True for it; create another OnboardingRequest for another number",fieldPath=".spec.phoneNumberID"
type OnboardingRequest struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is the journey that is wanted.
	// +required
	Spec OnboardingRequestSpec `json:"spec,omitzero"`

	// status is how far it has come.
	// +optional
	// +default={"observedGeneration":-1}
	Status OnboardingRequestStatus `json:"status,omitzero"`
}

// OnboardingRequestList is a list of OnboardingRequests.
//
// +kubebuilder:object:root=true
type OnboardingRequestList struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the list's metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitzero"`

	// items are the OnboardingRequests.
	// +required
	Items []OnboardingRequest `json:"items"`
}
