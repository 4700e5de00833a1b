package v1alpha1

// Condition types that every kind has. They follow the kstatus contract: at rest, exactly one of these holds: Ready is True; Stalled is
// True (a person must act, nothing is tried until something changes); or Ready is False with neither Reconciling nor Stalled
// (waiting for a named person, or suspended). Reconciling is present, and True, only while the operator works or will try again by itself.
const (
	// ConditionReady sums up the object.
	ConditionReady = "Ready"
	// ConditionReconciling is True while the operator works on the object or will try again by itself. It is absent otherwise.
	ConditionReconciling = "Reconciling"
	// ConditionStalled is True when only a change made by a person can help. It is absent otherwise.
	ConditionStalled = "Stalled"
	// ConditionSuspended is always present on OnboardingRequests and WhatsAppChannels and says whether spec.suspend is in force.
	ConditionSuspended = "Suspended"
)

// Condition types of a MetaApp.
const (
	// ConditionCredentialsValid says whether the app secret and the system token, or a channel's token, were proven at Meta.
	ConditionCredentialsValid = "CredentialsValid"
	// ConditionWebhookSubscribed says whether Meta delivers to our callback URL.
	ConditionWebhookSubscribed = "WebhookSubscribed"
	// ConditionCreditLineReady says whether the partner's credit line can be shared.
	ConditionCreditLineReady = "CreditLineReady"
)

// Condition types of an OnboardingRequest, in the order of the journey.
const (
	// ConditionTokenExchanged says whether the signup code was exchanged for the customer's token and the token is kept.
	ConditionTokenExchanged = "TokenExchanged"
	// ConditionAssetsVerified says whether the account and the number are proven to be the customer's.
	ConditionAssetsVerified = "AssetsVerified"
	// ConditionWebhooksSubscribed says whether the app gets the account's webhooks.
	ConditionWebhooksSubscribed = "WebhooksSubscribed"
	// ConditionCreditShared says whether the partner's credit line pays for the account.
	ConditionCreditShared = "CreditShared"
	// ConditionPhoneRegistered says whether the number is registered for Cloud API.
	ConditionPhoneRegistered = "PhoneRegistered"
	// ConditionBusinessAppSynced says whether Meta hands over the contacts and chats of a number that is used in the WhatsApp Business app
	// too. It never gates Ready.
	ConditionBusinessAppSynced = "BusinessAppSynced"
	// ConditionTestMessageSent says whether the test message was delivered. It never gates Ready.
	ConditionTestMessageSent = "TestMessageSent"
)

// Condition types of a WhatsAppChannel beside CredentialsValid and WebhookSubscribed.
const (
	// ConditionAccepted says whether the spec can be served: references resolve, the namespace is allowed, the number is free.
	ConditionAccepted = "Accepted"
	// ConditionPhoneConnected says whether Meta reports the number as connected.
	ConditionPhoneConnected = "PhoneConnected"
	// ConditionWebhookVerified says whether the webhook-server has seen a handshake or a genuine delivery for this number. It never gates Ready.
	ConditionWebhookVerified = "WebhookVerified"
	// ConditionAssistantReady says whether customers can be answered. It never gates Ready.
	ConditionAssistantReady = "AssistantReady"
)

// Reasons that several condition types share.
const (
	// ReasonSucceeded is the reason of a condition that is True and has nothing to add.
	ReasonSucceeded = "Succeeded"
	// ReasonPending means that the step waits for an earlier one.
	ReasonPending = "Pending"
	// ReasonNotRequired means that the step isn't needed here.
	ReasonNotRequired = "NotRequired"
	// ReasonProgressing means that the operator is working.
	ReasonProgressing = "Progressing"
	// ReasonSuspended means that spec.suspend is true.
	ReasonSuspended = "Suspended"
	// ReasonActive means that spec.suspend is not true.
	ReasonActive = "Active"
	// ReasonDeleting means that the object is being deleted.
	ReasonDeleting = "Deleting"
	// ReasonThrottled means that Meta asked for fewer calls; the next try is in status.nextAttemptTime.
	ReasonThrottled = "Throttled"
	// ReasonGraphUnreachable means that Meta could not be reached or gave no usable answer; it is tried again.
	ReasonGraphUnreachable = "GraphUnreachable"
	// ReasonRejected means that Meta refused the call for a reason that trying again won't change.
	ReasonRejected = "Rejected"
	// ReasonPermissionDenied means that the token lacks a permission or access to the asset.
	ReasonPermissionDenied = "PermissionDenied"
	// ReasonInternalError means that the operator failed; its log says how.
	ReasonInternalError = "InternalError"
	// ReasonSecretNotFound means that a referenced Secret is missing.
	ReasonSecretNotFound = "SecretNotFound"
	// ReasonSecretKeyMissing means that a referenced Secret lacks a key or holds it empty.
	ReasonSecretKeyMissing = "SecretKeyMissing"
	// ReasonTokenMasked means that a token or secret looks like the masked text of a web page.
	ReasonTokenMasked = "TokenMasked"
	// ReasonTokenExpiring means that the token dies within 14 days.
	ReasonTokenExpiring = "TokenExpiring"
	// ReasonInvalidAccessToken means that Meta refused the access token.
	ReasonInvalidAccessToken = "InvalidAccessToken"
	// ReasonMetaAppNotFound means that metaAppRef names no MetaApp.
	ReasonMetaAppNotFound = "MetaAppNotFound"
	// ReasonMetaAppNotReady means that the MetaApp's credentials are not proven, so no calls are made for its users.
	ReasonMetaAppNotReady = "MetaAppNotReady"
	// ReasonNamespaceNotAllowed means that the MetaApp's allowedNamespaces doesn't select this namespace.
	ReasonNamespaceNotAllowed = "NamespaceNotAllowed"
)

// Reasons of a MetaApp.
const (
	// ReasonAppSecretInvalid means that Meta refused the app id and app secret together.
	ReasonAppSecretInvalid = "AppSecretInvalid"
	// ReasonSystemTokenMissing means that solutionPartner is set and the Secret has no system-token.
	ReasonSystemTokenMissing = "SystemTokenMissing"
	// ReasonSystemTokenInvalid means that the system token is dead, belongs to another app or lacks a permission.
	ReasonSystemTokenInvalid = "SystemTokenInvalid"
	// ReasonDuplicateApp means that another MetaApp has the same appID.
	ReasonDuplicateApp = "DuplicateApp"
	// ReasonManual means that a person keeps the app's subscription.
	ReasonManual = "Manual"
	// ReasonForeignCallback means that the app's webhooks go to somebody else's URL, which the operator doesn't take over.
	ReasonForeignCallback = "ForeignCallback"
	// ReasonHandshakeFailed means that Meta could not verify the callback URL.
	ReasonHandshakeFailed = "HandshakeFailed"
	// ReasonServerNotReady means that not every webhook-server replica has loaded the verify token yet.
	ReasonServerNotReady = "ServerNotReady"
	// ReasonCreditLineNotFound means that the system token can't see the credit line.
	ReasonCreditLineNotFound = "CreditLineNotFound"
	// ReasonInUse means that requests or channels still refer to the app that is being deleted.
	ReasonInUse = "InUse"
)

// Reasons of an OnboardingRequest.
const (
	// ReasonWaitingForSignup means that the customer has not finished Embedded Signup; the link is in status.signupLinkSecretRef.
	ReasonWaitingForSignup = "WaitingForSignup"
	// ReasonSignupNotConfigured means that the MetaApp lacks what a signup link needs.
	ReasonSignupNotConfigured = "SignupNotConfigured"
	// ReasonAwaitingApproval means that spec.wabaID must be set to status.wabaID before anything is done at the partner's cost.
	ReasonAwaitingApproval = "AwaitingApproval"
	// ReasonWaitingForTester means that the tester has not written to the number yet.
	ReasonWaitingForTester = "WaitingForTester"
	// ReasonWaitingForCode means that the Secret with the code is looked for.
	ReasonWaitingForCode = "WaitingForCode"
	// ReasonCurrencyRequired means that spec.currency is needed for a Solution Partner.
	ReasonCurrencyRequired = "CurrencyRequired"
	// ReasonCurrencyNotAllowed means that spec.currency isn't one of the MetaApp's currencies.
	ReasonCurrencyNotAllowed = "CurrencyNotAllowed"
	// ReasonPINMalformed means that the PIN is not six digits.
	ReasonPINMalformed = "PINMalformed"
	// ReasonCodeUsed means that the code was used before.
	ReasonCodeUsed = "CodeUsed"
	// ReasonCodeExpired means that the code was older than 30 seconds.
	ReasonCodeExpired = "CodeExpired"
	// ReasonCodeInvalid means that Meta doesn't know the code.
	ReasonCodeInvalid = "CodeInvalid"
	// ReasonRedirectURIMismatch means that embeddedSignup.redirectURIPolicy of the MetaApp doesn't fit the code.
	ReasonRedirectURIMismatch = "RedirectURIMismatch"
	// ReasonExchangeOutcomeUnknown means that it can't be known whether Meta spent the code; the customer must sign up again.
	ReasonExchangeOutcomeUnknown = "ExchangeOutcomeUnknown"
	// ReasonVaultConflict means that the place for the token is taken by something else.
	ReasonVaultConflict = "VaultConflict"
	// ReasonTokenInvalid means that the kept token no longer works.
	ReasonTokenInvalid = "TokenInvalid"
	// ReasonWrongApp means that the token belongs to another app.
	ReasonWrongApp = "WrongApp"
	// ReasonScopesMissing means that the customer did not grant a needed permission.
	ReasonScopesMissing = "ScopesMissing"
	// ReasonWABAMismatch means that spec.wabaID isn't among the accounts that the token grants.
	ReasonWABAMismatch = "WABAMismatch"
	// ReasonWABAAmbiguous means that the token grants several accounts and spec.wabaID doesn't say which.
	ReasonWABAAmbiguous = "WABAAmbiguous"
	// ReasonPhoneNumberMismatch means that spec.phoneNumberID isn't a number of the account.
	ReasonPhoneNumberMismatch = "PhoneNumberMismatch"
	// ReasonPhoneNumberAmbiguous means that the account has several numbers and spec.phoneNumberID doesn't say which.
	ReasonPhoneNumberAmbiguous = "PhoneNumberAmbiguous"
	// ReasonWaitingForPhoneNumber means that the account has no number yet.
	ReasonWaitingForPhoneNumber = "WaitingForPhoneNumber"
	// ReasonCreditOutcomeUnknown means that it isn't known yet whether a credit call took effect; it is being read back.
	ReasonCreditOutcomeUnknown = "CreditOutcomeUnknown"
	// ReasonCreditMismatch means that the account is paid for by something other than the shared line.
	ReasonCreditMismatch = "CreditMismatch"
	// ReasonPINMismatch means that the number has another PIN.
	ReasonPINMismatch = "PINMismatch"
	// ReasonRegistrationLocked means that Meta locked the number for 72 hours after too many register calls.
	ReasonRegistrationLocked = "RegistrationLocked"
	// ReasonNumberNotVerified means that the number's ownership must be verified first.
	ReasonNumberNotVerified = "NumberNotVerified"
	// ReasonSyncWindowMissed means that the 24 hours in which Meta hands over the data of the WhatsApp Business app were over.
	ReasonSyncWindowMissed = "SyncWindowMissed"
	// ReasonSyncOutcomeUnknown means that it isn't known whether Meta hands over the data of the WhatsApp Business app.
	ReasonSyncOutcomeUnknown = "SyncOutcomeUnknown"
	// ReasonOffboardDenied means that Meta refused a step of the offboarding.
	ReasonOffboardDenied = "OffboardDenied"
	// ReasonTestMessageFailed means that Meta could not deliver the test message.
	ReasonTestMessageFailed = "TestMessageFailed"
)

// Reasons of a WhatsAppChannel.
const (
	// ReasonAppSecretNotConfigured means that the credentials Secret has no app-secret.
	ReasonAppSecretNotConfigured = "AppSecretNotConfigured"
	// ReasonPhoneNumberNotFound means that Meta doesn't show the number to this token.
	ReasonPhoneNumberNotFound = "PhoneNumberNotFound"
	// ReasonPhoneNumberClaimed means that another channel serves this number.
	ReasonPhoneNumberClaimed = "PhoneNumberClaimed"
	// ReasonBusinessAccountMismatch means that the number isn't one of the business account.
	ReasonBusinessAccountMismatch = "BusinessAccountMismatch"
	// ReasonDirectNotAllowed means that the platform doesn't allow direct channels in this namespace.
	ReasonDirectNotAllowed = "DirectNotAllowed"
	// ReasonOnboardingRequestNotFound means that onboardingRequestRef names no OnboardingRequest and none is remembered.
	ReasonOnboardingRequestNotFound = "OnboardingRequestNotFound"
	// ReasonOnboardingNotReady means that the OnboardingRequest has not finished.
	ReasonOnboardingNotReady = "OnboardingNotReady"
	// ReasonContentInvalid means that the catalog or the knowledge can't be read or is too large.
	ReasonContentInvalid = "ContentInvalid"
	// ReasonMessagingAccountRequired means that several accounts share the number and spec.messagingAccountID doesn't say which pays.
	ReasonMessagingAccountRequired = "MessagingAccountRequired"
	// ReasonNotConnected means that Meta reports the number with a status other than CONNECTED.
	ReasonNotConnected = "NotConnected"
	// ReasonVerifyTokenMismatch means that a handshake came with another verify token.
	ReasonVerifyTokenMismatch = "VerifyTokenMismatch"
	// ReasonNotSubscribedToMessages means that the app doesn't get the messages field of this account.
	ReasonNotSubscribedToMessages = "NotSubscribedToMessages"
	// ReasonConnectedElsewhere means that this number's webhooks go to another URL.
	ReasonConnectedElsewhere = "ConnectedElsewhere"
	// ReasonSubscriptionInactive means that spec.plan.active is false.
	ReasonSubscriptionInactive = "SubscriptionInactive"
	// ReasonRoutedToStandby means that another responder owns this number's chats.
	ReasonRoutedToStandby = "RoutedToStandby"
	// ReasonSignatureFailing means that deliveries for this number don't verify with the app secret.
	ReasonSignatureFailing = "SignatureFailing"
	// ReasonWaitingForWebhook means that no handshake and no genuine delivery has been seen yet.
	ReasonWaitingForWebhook = "WaitingForWebhook"
	// ReasonPaymentRequired means that Meta refuses what the number sends, as nobody pays for it.
	ReasonPaymentRequired = "PaymentRequired"
	// ReasonNotRegistered means that Meta refuses what the number sends, as it is not registered.
	ReasonNotRegistered = "NotRegistered"
	// ReasonServerUnreachable means that the webhook-server can't be asked.
	ReasonServerUnreachable = "ServerUnreachable"
	// ReasonRetrievalOnly means that no chat model is configured: the built-in retrieval assistant answers.
	ReasonRetrievalOnly = "RetrievalOnly"
	// ReasonAssistantDisabled means that spec.assistant.enabled is false.
	ReasonAssistantDisabled = "AssistantDisabled"
	// ReasonProviderUnauthorized means that the model provider refused the API key.
	ReasonProviderUnauthorized = "ProviderUnauthorized"
	// ReasonModelNotFound means that the model provider doesn't know the model.
	ReasonModelNotFound = "ModelNotFound"
	// ReasonProviderUnavailable means that the model provider fails; the retrieval assistant answers meanwhile.
	ReasonProviderUnavailable = "ProviderUnavailable"
	// ReasonProviderRateLimited means that the model provider asks for fewer calls, or that the budget there is used up.
	ReasonProviderRateLimited = "ProviderRateLimited"
	// ReasonProviderAddressRefused means that a model's base URL leads to an address that the platform doesn't allow.
	ReasonProviderAddressRefused = "ProviderAddressRefused"
	// ReasonProviderBadResponse means that the model provider answers with something that is no answer.
	ReasonProviderBadResponse = "ProviderBadResponse"
	// ReasonTokenBudgetUsedUp means that spec.limits.tokensPerDay is used up for today.
	ReasonTokenBudgetUsedUp = "TokenBudgetUsedUp"
	// ReasonLimitReached means that a limit of spec.limits is used up: nobody is answered until its period ends.
	ReasonLimitReached = "LimitReached"
	// ReasonToolServerFailed means that tools of spec.assistant.tools can't be used.
	ReasonToolServerFailed = "ToolServerFailed"
	// ReasonDefaultModelsInvalid means that the models which the platform provides can't be used; the platform team has to correct them.
	ReasonDefaultModelsInvalid = "DefaultModelsInvalid"
	// ReasonNotSupported means that the spec asks for something that this version doesn't do; the message says what to use instead.
	ReasonNotSupported = "NotSupported"
	// ReasonCatalogInvalid means that the catalog has no usable row.
	ReasonCatalogInvalid = "CatalogInvalid"
	// ReasonCatalogUnavailable means that the URL of the catalog gives no usable feed. The last good copy goes on serving.
	ReasonCatalogUnavailable = "CatalogUnavailable"
	// ReasonKnowledgeUnavailable means that a URL of the knowledge gives no usable document. The last good copy goes on serving.
	ReasonKnowledgeUnavailable = "KnowledgeUnavailable"
)
