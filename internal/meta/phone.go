package meta

import (
	"context"
	"net/http"
	"net/url"
)

// Values of PhoneNumber members that decide something. All enumerations are open.
const (
	PhoneStatusConnected = "CONNECTED"
	PlatformCloudAPI     = "CLOUD_API"
	CodeVerified         = "VERIFIED"
)

// PhoneNumber is a business phone number, see
// developers.facebook.com/docs/whatsapp/business-management-api/manage-phone-numbers.
type PhoneNumber struct {
	ID                     ID     `json:"id"`
	DisplayPhoneNumber     string `json:"display_phone_number"`
	VerifiedName           string `json:"verified_name"`
	QualityRating          string `json:"quality_rating"`
	CodeVerificationStatus string `json:"code_verification_status"`
	NameStatus             string `json:"name_status"`
	NewNameStatus          string `json:"new_name_status"`
	// Status has to be "CONNECTED" for the number to work.
	Status string `json:"status"`
	// PlatformType is "CLOUD_API" once the number is registered there.
	PlatformType         string               `json:"platform_type"`
	Throughput           Throughput           `json:"throughput"`
	LastOnboardedTime    Time                 `json:"last_onboarded_time"`
	WebhookConfiguration WebhookConfiguration `json:"webhook_configuration"`
	OfficialAccount      bool                 `json:"is_official_business_account"`
	AccountMode          string               `json:"account_mode"`
	// OnBizApp is true for a number that is also used in the WhatsApp Business app.
	OnBizApp bool `json:"is_on_biz_app"`
	// MessagingLimit is the tier of the business portfolio, such as "TIER_2K".
	MessagingLimit string        `json:"whatsapp_business_manager_messaging_limit"`
	HealthStatus   *HealthStatus `json:"health_status"`
}

// Registered reports whether the number works on the Cloud API.
func (p *PhoneNumber) Registered() bool {
	return p.Status == PhoneStatusConnected && p.PlatformType == PlatformCloudAPI
}

func (p *PhoneNumber) check(cl *call) *Error { return cl.expect(p.ID != "") }

// Throughput is how many messages per second a number handles: "STANDARD", "HIGH" or "NOT_APPLICABLE".
type Throughput struct{ Level string }

// UnmarshalJSON accepts the documented object and a bare string.
func (t *Throughput) UnmarshalJSON(data []byte) error {
	object := struct {
		Level text `json:"level"`
	}{}
	var bare text
	if err := decodeEither(data, &object, &bare); err != nil {
		return err
	}
	t.Level = string(object.Level) + string(bare)
	return nil
}

// WebhookConfiguration is where the webhooks of a number go; unset places are empty. The narrowest one wins.
type WebhookConfiguration struct {
	PhoneNumber string `json:"phone_number"`
	WABA        string `json:"whatsapp_business_account"`
	Application string `json:"application"`
}

// phoneFields are all fields this project uses.
func phoneFields() url.Values {
	return fields("id", "display_phone_number", "verified_name", "quality_rating", "code_verification_status",
		"name_status", "new_name_status", "status", "platform_type", "throughput", "last_onboarded_time",
		"webhook_configuration", "is_official_business_account", "account_mode", "is_on_biz_app",
		"whatsapp_business_manager_messaging_limit", "health_status")
}

// PhoneNumber reads a business phone number.
func (c *Client) PhoneNumber(ctx context.Context, cred Credential, phoneNumberID string) (PhoneNumber, error) {
	var out PhoneNumber
	err := c.do(ctx, &call{
		action: "ReadPhoneNumber", method: http.MethodGet, object: phoneNumberID, cred: cred, query: phoneFields(),
	}, &out)
	return out, err
}

// PhoneNumbers lists the numbers of a WhatsApp Business Account, in no particular order.
func (c *Client) PhoneNumbers(ctx context.Context, cred Credential, wabaID string) ([]PhoneNumber, error) {
	return list[PhoneNumber](ctx, c, &call{
		action: "ListPhoneNumbers", method: http.MethodGet, object: wabaID, edge: "phone_numbers", cred: cred,
		query: phoneFields(),
	})
}

const actionRegisterPhone = "RegisterPhone"

// Registration is what registering a number takes.
type Registration struct {
	// PIN is the two-step verification PIN, six digits. It is set if the number has none, and must match if it has one.
	PIN string
	// DataLocalizationRegion is the ISO country code where data is kept at rest; empty leaves it to Meta.
	DataLocalizationRegion string
}

// registerAnswer tolerates a missing success flag: the answer for a number that is registered already is not published.
type registerAnswer struct{ successAnswer }

func (a *registerAnswer) check(cl *call) *Error { return a.refusal(cl) }

// RegisterPhone registers a number on the Cloud API. Meta allows 10 calls per number in 72 hours, then locks the number
// for 72 hours: count the calls, and read the number first. Registering a registered number succeeds and leaves its PIN
// as it is.
//
// See developers.facebook.com/docs/whatsapp/cloud-api/reference/registration.
func (c *Client) RegisterPhone(ctx context.Context, cred Credential, phoneNumberID string, r Registration) error {
	body := struct {
		MessagingProduct string `json:"messaging_product"`
		PIN              string `json:"pin"`
		Region           string `json:"data_localization_region,omitempty"`
	}{messagingProduct, r.PIN, r.DataLocalizationRegion}
	return c.do(ctx, &call{
		action: actionRegisterPhone, method: http.MethodPost, object: phoneNumberID, edge: "register", cred: cred,
		body: jsonBody(body), hidden: []string{r.PIN},
	}, &registerAnswer{})
}

// DeregisterPhone takes a number off the Cloud API. It counts towards the limit of RegisterPhone.
func (c *Client) DeregisterPhone(ctx context.Context, cred Credential, phoneNumberID string) error {
	return c.acknowledge(ctx, &call{
		action: "DeregisterPhone", method: http.MethodPost, object: phoneNumberID, edge: "deregister", cred: cred,
	})
}

// SetPIN sets or replaces the two-step verification PIN, six digits. The old one is not needed.
func (c *Client) SetPIN(ctx context.Context, cred Credential, phoneNumberID, pin string) error {
	return c.acknowledge(ctx, &call{
		action: "SetPIN", method: http.MethodPost, object: phoneNumberID, cred: cred,
		body: jsonBody(map[string]string{"pin": pin}), hidden: []string{pin},
	})
}

// SyncType is a kind of data that a number of the WhatsApp Business app hands over.
type SyncType string

const (
	// SyncContacts hands over the contacts.
	SyncContacts SyncType = "smb_app_state_sync"
	// SyncHistory hands over the chats of up to six months.
	SyncHistory SyncType = "history"
)

// syncAnswer names the request under which the data will come.
type syncAnswer struct {
	RequestID text `json:"request_id"`
}

func (a *syncAnswer) check(cl *call) *Error { return cl.expect(a.RequestID != "") }

// SyncBusinessApp asks for the data of a number of the WhatsApp Business app, which then comes as webhooks. Each type
// can be asked for once, within 24 hours of onboarding. It returns Meta's id of the request.
func (c *Client) SyncBusinessApp(ctx context.Context, cred Credential, phoneNumberID string, t SyncType) (requestID string, err error) {
	var out syncAnswer
	err = c.do(ctx, &call{
		action: "SyncBusinessApp", method: http.MethodPost, object: phoneNumberID, edge: "smb_app_data", cred: cred,
		body: jsonBody(map[string]string{"messaging_product": messagingProduct, "sync_type": string(t)}),
	}, &out)
	return string(out.RequestID), err
}
