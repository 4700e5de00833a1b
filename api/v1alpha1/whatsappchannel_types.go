package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// WhatsAppChannelSpec is a number that talks.
type WhatsAppChannelSpec struct {
	// source is where the number and its credentials come from.
	// +required
	Source ChannelSource `json:"source,omitzero"`

	// assistant configures who answers customers.
	// +optional
	Assistant AssistantSpec `json:"assistant,omitzero"`

	// orders configures what happens with orders that customers place in the chat.
	// +optional
	Orders *OrdersSpec `json:"orders,omitempty"`

	// handoff configures how a chat goes to a person.
	// +optional
	Handoff *HandoffSpec `json:"handoff,omitempty"`

	// limits bound what the assistant may do.
	// +optional
	Limits *LimitsSpec `json:"limits,omitempty"`

	// plan is the business's subscription at the platform.
	// +optional
	Plan PlanSpec `json:"plan,omitzero"`

	// timeZone of the business as an IANA name. Absent means UTC.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_+/-]+$`
	TimeZone string `json:"timeZone,omitempty"`

	// retention is how long messages are kept, without their words if storeBodies is false. It must outlast the 7 days in which Meta may deliver a message again.
	// +optional
	// +default="2160h"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('216h')",message="retention must be at least 216h (9 days): Meta may deliver a message again for 7 days, and a forgotten one would be answered twice"
	Retention *metav1.Duration `json:"retention,omitempty"`

	// storeBodies keeps what customers and the business write, and files, for as long as retention says. If it is false, they are kept no
	// longer than it takes to answer; what tells copies apart, states and times stay. The assistant then remembers nothing of earlier messages.
	// +optional
	// +default=true
	StoreBodies *bool `json:"storeBodies,omitempty"`

	// webhook configures how this number's webhooks reach the webhook-server.
	// +optional
	Webhook ChannelWebhook `json:"webhook,omitzero"`

	// messagingAccountID is the WhatsApp Business account that pays for what the number sends. It is required when the token reaches several
	// that share the number, one per partner. Leave it unset otherwise.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[0-9]+$`
	MessagingAccountID string `json:"messagingAccountID,omitempty"`

	// suspend stops the operator's work on this channel. Messages go on being stored and answered with the last settings.
	// +optional
	// +default=false
	Suspend *bool `json:"suspend,omitempty"`
}

// ChannelSource is where a number and its credentials come from.
// +kubebuilder:validation:ExactlyOneOf=onboardingRequestRef;direct
// +kubebuilder:validation:XValidation:rule="has(self.onboardingRequestRef) == has(oldSelf.onboardingRequestRef) && has(self.direct) == has(oldSelf.direct)",message="source can't switch between onboardingRequestRef and direct; create another WhatsAppChannel"
type ChannelSource struct {
	// onboardingRequestRef names the OnboardingRequest, in this namespace, that brought the number.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="onboardingRequestRef can't be changed; create another WhatsAppChannel"
	OnboardingRequestRef *ObjectReference `json:"onboardingRequestRef,omitempty"`

	// direct gives the ids and credentials of a number that the business connected by hand in its own Meta app.
	// +optional
	Direct *DirectSource `json:"direct,omitempty"`
}

// DirectSource is a number with credentials of its own.
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.appID) || (has(self.appID) && self.appID == oldSelf.appID)",message="appID can be set once and then neither changed nor removed; create another WhatsAppChannel"
type DirectSource struct {
	// phoneNumberID of the number (WhatsApp, API Setup in the App Dashboard).
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[0-9]+$`
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="phoneNumberID can't be changed; create another WhatsAppChannel for another number"
	PhoneNumberID string `json:"phoneNumberID,omitempty"`

	// businessAccountID is the WhatsApp Business account of the number (same page).
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[0-9]+$`
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="businessAccountID can't be changed; create another WhatsAppChannel for another account"
	BusinessAccountID string `json:"businessAccountID,omitempty"`

	// appID of the business's Meta app. Absent means the app that the token belongs to.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[0-9]+$`
	AppID string `json:"appID,omitempty"`

	// credentialsSecretRef names the Secret with access-token, app-secret (unless metaAppRef is set) and optionally verify-token.
	// +required
	CredentialsSecretRef SecretReference `json:"credentialsSecretRef,omitzero"`

	// metaAppRef names the MetaApp whose app secret signs this number's webhooks, when it isn't the business's own app.
	// +optional
	MetaAppRef *MetaAppReference `json:"metaAppRef,omitempty"`

	// unsubscribeOnDelete removes the app's webhook subscription from the account when the channel is deleted.
	// +optional
	// +default=false
	UnsubscribeOnDelete *bool `json:"unsubscribeOnDelete,omitempty"`
}

// OrdersSpec configures orders.
type OrdersSpec struct {
	// notify tells the shop of each order.
	// +optional
	Notify *OrderNotification `json:"notify,omitempty"`
}

// OrderNotification is a signed HTTP callback.
type OrderNotification struct {
	// url that is called.
	// +required
	// +kubebuilder:validation:MinLength=9
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="isURL(self) && self.startsWith('https://')",message="url must be an https URL"
	URL string `json:"url,omitempty"`

	// signingSecretRef names the Secret with the key that signs the calls (default key: signing-key).
	// +required
	SigningSecretRef SecretKeyReference `json:"signingSecretRef,omitzero"`
}

// HandoffSpec configures how a chat goes to a person.
type HandoffSpec struct {
	// message that the customer gets when a person takes over.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`

	// keywords that ask for a person, compared without case.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=2
	// +kubebuilder:validation:items:MaxLength=64
	Keywords []string `json:"keywords,omitempty"`

	// resumeAfter gives a chat back to the assistant when no person has written for this long. Absent means never.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('5m') && duration(self) <= duration('720h')",message="resumeAfter must be between 5m and 720h"
	ResumeAfter *metav1.Duration `json:"resumeAfter,omitempty"`
}

// LimitsSpec bounds what the assistant may do.
type LimitsSpec struct {
	// conversationsPerMonth bounds the chats that the assistant answers in a calendar month.
	// +optional
	// +kubebuilder:validation:Minimum=0
	ConversationsPerMonth *int64 `json:"conversationsPerMonth,omitempty"`

	// messagesPerMonth bounds the messages that the assistant sends in a calendar month.
	// +optional
	// +kubebuilder:validation:Minimum=0
	MessagesPerMonth *int64 `json:"messagesPerMonth,omitempty"`

	// tokensPerDay bounds the model tokens used in a day.
	// +optional
	// +kubebuilder:validation:Minimum=0
	TokensPerDay *int64 `json:"tokensPerDay,omitempty"`

	// messagesPerDay bounds the messages that the assistant sends in a day, and so what they can cost: Meta bills them.
	// +optional
	// +kubebuilder:validation:Minimum=0
	MessagesPerDay *int64 `json:"messagesPerDay,omitempty"`

	// customerMessagesPerHour bounds the messages that the assistant sends to one customer in an hour.
	// +optional
	// +kubebuilder:validation:Minimum=0
	CustomerMessagesPerHour *int64 `json:"customerMessagesPerHour,omitempty"`

	// message answers a customer when a limit is reached. Absent means that a person takes over.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
}

// PlanSpec is the business's subscription at the platform.
type PlanSpec struct {
	// active says whether the subscription runs. Without it customers' messages are stored, never answered.
	// +optional
	// +default=true
	Active *bool `json:"active,omitempty"`
}

// ChannelWebhook configures how a number's webhooks reach the webhook-server.
type ChannelWebhook struct {
	// takeOver points this number's webhooks at the webhook-server even if they go somewhere else now.
	// +optional
	// +default=false
	TakeOver *bool `json:"takeOver,omitempty"`
}

// WhatsAppChannelStatus is what the operator found and did.
type WhatsAppChannelStatus struct {
	// conditions of the object: Accepted, CredentialsValid, PhoneConnected, WebhookSubscribed, WebhookVerified, AssistantReady, Ready,
	// Reconciling, Stalled, Suspended.
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

	// phone is what Meta says of the number.
	// +optional
	Phone *PhoneStatus `json:"phone,omitempty"`

	// businessAccountID is the WhatsApp Business account of the number.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	BusinessAccountID string `json:"businessAccountID,omitempty"`

	// appID is the Meta app whose secret signs this number's webhooks.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	AppID string `json:"appID,omitempty"`

	// lineID identifies this number in this namespace in the message store and in logs.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	LineID string `json:"lineID,omitempty"`

	// callbackURL is what Meta calls. For a direct channel, enter it in the App Dashboard (WhatsApp, Configuration).
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	CallbackURL string `json:"callbackURL,omitempty"`

	// verifyTokenSecretRef names the key, in this namespace, of the verify token that goes with callbackURL.
	// +optional
	VerifyTokenSecretRef *SecretKeyReference `json:"verifyTokenSecretRef,omitempty"`

	// token describes the access token.
	// +optional
	Token *TokenStatus `json:"token,omitempty"`

	// appSecretHint is the masked app secret of a direct channel.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16
	AppSecretHint string `json:"appSecretHint,omitempty"`

	// models are those that the channel's assistant uses, its own or the platform's.
	// +optional
	// +listType=map
	// +listMapKey=capability
	// +kubebuilder:validation:MaxItems=8
	Models []ModelStatus `json:"models,omitempty"`

	// catalog tells what can be used of spec.assistant.catalog.
	// +optional
	Catalog *CatalogStatus `json:"catalog,omitempty"`

	// sources are the documents of spec.assistant whose URL gives nothing.
	// +optional
	// +listType=map
	// +listMapKey=field
	// +kubebuilder:validation:MaxItems=33
	Sources []SourceStatus `json:"sources,omitempty"`

	// tools are the sources of spec.assistant.tools that failed when they were last asked.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Tools []ToolStatus `json:"tools,omitempty"`

	// limits are those of spec.limits that are used up.
	// +optional
	// +listType=map
	// +listMapKey=limit
	// +kubebuilder:validation:MaxItems=8
	Limits []LimitStatus `json:"limits,omitempty"`

	// sendsOnHold is there while nothing can be sent from the number.
	// +optional
	SendsOnHold *HoldStatus `json:"sendsOnHold,omitempty"`

	// traffic says when messages last passed, rounded to the hour.
	// +optional
	Traffic *TrafficStatus `json:"traffic,omitempty"`

	// nextAttemptTime is when the operator tries again by itself, while something fails.
	// +optional
	NextAttemptTime *metav1.Time `json:"nextAttemptTime,omitempty"`

	// failures counts the failed attempts in a row; it spaces the next one, across restarts.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Failures *int32 `json:"failures,omitempty"`
}

// ModelStatus is one model of a channel's assistant.
type ModelStatus struct {
	// capability is what it does: the field of spec.assistant that configures it, such as chat.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	Capability string `json:"capability,omitempty"`

	// provider is the protocol.
	// +required
	Provider ProviderType `json:"provider,omitempty"`

	// model is the model's name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Model string `json:"model,omitempty"`

	// platformDefault is true when the platform provides it, since spec.assistant names none.
	// +optional
	PlatformDefault *bool `json:"platformDefault,omitempty"`

	// problem is the reason for which it failed when it was last used, as a condition's reason; absent when it worked.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Problem string `json:"problem,omitempty"`
}

// PhoneStatus is what Meta says of a number. Values are Meta's own.
type PhoneStatus struct {
	// id of the number.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	ID string `json:"id,omitempty"`

	// displayNumber is the number as people write it.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	DisplayNumber string `json:"displayNumber,omitempty"`

	// verifiedName is the business name that customers see.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	VerifiedName string `json:"verifiedName,omitempty"`

	// status of the number, such as CONNECTED.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Status string `json:"status,omitempty"`

	// platformType of the number, such as CLOUD_API.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	PlatformType string `json:"platformType,omitempty"`

	// qualityRating is GREEN, YELLOW, RED or NA.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	QualityRating string `json:"qualityRating,omitempty"`

	// throughputLevel is STANDARD or HIGH.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	ThroughputLevel string `json:"throughputLevel,omitempty"`

	// messagingLimit is the tier of business-initiated messages, such as TIER_2K.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	MessagingLimit string `json:"messagingLimit,omitempty"`

	// canSendMessage is AVAILABLE, LIMITED or BLOCKED, of Meta's health status.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	CanSendMessage string `json:"canSendMessage,omitempty"`

	// coexistence is true when the number is also used in the WhatsApp Business app.
	// +optional
	Coexistence *bool `json:"coexistence,omitempty"`
}

// CatalogStatus tells what can be used of a catalog.
type CatalogStatus struct {
	// products that can be used.
	// +required
	// +kubebuilder:validation:Minimum=0
	Products *int32 `json:"products,omitempty"`

	// leftOut counts the rows that can't be used.
	// +required
	// +kubebuilder:validation:Minimum=0
	LeftOut *int32 `json:"leftOut,omitempty"`

	// rows are the first of those.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=5
	Rows []CatalogRow `json:"rows,omitempty"`
}

// CatalogRow says why a row of a catalog can't be used. It quotes nothing of the row.
type CatalogRow struct {
	// line where the row starts, from 1; of a JSON feed the position in the list.
	// +required
	// +kubebuilder:validation:Minimum=0
	Line *int32 `json:"line,omitempty"`

	// problem names the column and what it must look like.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Problem string `json:"problem,omitempty"`
}

// SourceStatus tells of a document whose URL gives nothing.
type SourceStatus struct {
	// field of spec that has the URL.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Field string `json:"field,omitempty"`

	// reason such as AddressRefused, RedirectRefused, TooLarge, Timeout, CertificateInvalid, Unreachable, Forbidden, NotFound, ServerError
	// or Unreadable.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Reason string `json:"reason,omitempty"`

	// detail says what is wrong with a document that is Unreadable.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Detail string `json:"detail,omitempty"`

	// served is true when an earlier copy of the document is used meanwhile.
	// +required
	Served *bool `json:"served,omitempty"`
}

// ToolStatus is a source of tools that fails.
type ToolStatus struct {
	// name of the source.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Name string `json:"name,omitempty"`

	// problem such as Unreachable, AddressRefused, Unauthorized or ToolsMissing.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Problem string `json:"problem,omitempty"`
}

// LimitStatus is a limit that is used up.
type LimitStatus struct {
	// limit is the field of spec.limits, such as messagesPerMonth.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Limit string `json:"limit,omitempty"`

	// bound is its value.
	// +required
	Bound *int64 `json:"bound,omitempty"`

	// until is when its period ends.
	// +required
	Until *metav1.Time `json:"until,omitempty"`
}

// HoldStatus says why nothing can be sent from a number.
type HoldStatus struct {
	// reason such as PaymentRequired; the condition AssistantReady explains it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Reason string `json:"reason,omitempty"`

	// since is when messages began to wait.
	// +required
	Since *metav1.Time `json:"since,omitempty"`
}

// TrafficStatus says when messages last passed, rounded down to the hour. When messages came and went in one hour, one of the two may show
// an hour or two later: a channel full of traffic is written once an hour.
type TrafficStatus struct {
	// firstReceivedAt is when the first genuine webhook of this number came.
	// +optional
	FirstReceivedAt *metav1.Time `json:"firstReceivedAt,omitempty"`

	// lastReceivedAt is when the last message from a customer came.
	// +optional
	LastReceivedAt *metav1.Time `json:"lastReceivedAt,omitempty"`

	// lastStandbyAt is when the last copy came of what another responder of this number received. It is absent once a message has come to
	// this app after that.
	// +optional
	LastStandbyAt *metav1.Time `json:"lastStandbyAt,omitempty"`

	// lastSentAt is when the last message to a customer was accepted by Meta.
	// +optional
	LastSentAt *metav1.Time `json:"lastSentAt,omitempty"`
}

// WhatsAppChannel is a number that answers its customers.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=whatsapp,shortName=wach
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Phone",type=string,JSONPath=`.status.phone.displayNumber`
// +kubebuilder:printcolumn:name="Name",type=string,JSONPath=`.status.phone.verifiedName`
// +kubebuilder:printcolumn:name="Quality",type=string,JSONPath=`.status.phone.qualityRating`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:selectablefield:JSONPath=`.spec.source.onboardingRequestRef.name`
// +kubebuilder:selectablefield:JSONPath=`.spec.source.direct.phoneNumberID`
type WhatsAppChannel struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is the number and how it answers.
	// +required
	Spec WhatsAppChannelSpec `json:"spec,omitzero"`

	// status is what the operator found and did.
	// +optional
	// +default={"observedGeneration":-1}
	Status WhatsAppChannelStatus `json:"status,omitzero"`
}

// WhatsAppChannelList is a list of WhatsAppChannels.
//
// +kubebuilder:object:root=true
type WhatsAppChannelList struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the list's metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitzero"`

	// items are the WhatsAppChannels.
	// +required
	Items []WhatsAppChannel `json:"items"`
}
