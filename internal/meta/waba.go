package meta

import (
	"context"
	"net/http"
)

// Business names a business portfolio.
type Business struct {
	ID   ID     `json:"id"`
	Name string `json:"name"`
}

// WABA is a WhatsApp Business Account, since 2026 also called Messaging account. Enumerations are open.
type WABA struct {
	ID                       ID     `json:"id"`
	Name                     string `json:"name"`
	Currency                 string `json:"currency"`
	TimezoneID               ID     `json:"timezone_id"`
	Country                  string `json:"country"`
	Status                   string `json:"status"`
	AccountReviewStatus      string `json:"account_review_status"`
	BusinessVerification     string `json:"business_verification_status"`
	OwnershipType            string `json:"ownership_type"`
	MessageTemplateNamespace string `json:"message_template_namespace"`
	// PrimaryFundingID is who pays; empty means no payment method.
	PrimaryFundingID    ID            `json:"primary_funding_id"`
	OwnerBusiness       *Business     `json:"owner_business"`
	OwnerBusinessInfo   *Business     `json:"owner_business_info"`
	OnBehalfOf          *Business     `json:"on_behalf_of_business_info"`
	HealthStatus        *HealthStatus `json:"health_status"`
	CreationTime        Time          `json:"creation_time"`
	PurchaseOrderNumber string        `json:"purchase_order_number"`
}

// Owner returns the business that owns the account, from whichever member Meta filled in; zero if none is.
func (w *WABA) Owner() Business {
	for _, b := range []*Business{w.OwnerBusinessInfo, w.OwnerBusiness, w.OnBehalfOf} {
		if b != nil && b.ID != "" {
			return *b
		}
	}
	return Business{}
}

func (w *WABA) check(cl *call) *Error { return cl.expect(w.ID != "") }

// Values of HealthStatus.CanSendMessage and HealthEntity.CanSendMessage.
const (
	HealthAvailable = "AVAILABLE"
	HealthLimited   = "LIMITED"
	HealthBlocked   = "BLOCKED"
)

// HealthStatus says whether messages can be sent, and which of the objects involved is in the way, see
// developers.facebook.com/docs/whatsapp/cloud-api/health-status.
type HealthStatus struct {
	CanSendMessage string         `json:"can_send_message"`
	Entities       []HealthEntity `json:"entities"`
}

// HealthEntity is one of the objects a message needs.
type HealthEntity struct {
	// EntityType is "PHONE_NUMBER", "WABA", "BUSINESS", "APP" or "MESSAGE_TEMPLATE".
	EntityType     string        `json:"entity_type"`
	ID             ID            `json:"id"`
	CanSendMessage string        `json:"can_send_message"`
	AdditionalInfo []string      `json:"additional_info"`
	Errors         []HealthError `json:"errors"`
}

// HealthError is why an entity is blocked.
type HealthError struct {
	Code             int    `json:"error_code"`
	Description      string `json:"error_description"`
	PossibleSolution string `json:"possible_solution"`
}

// WABA reads a WhatsApp Business Account with everything this project uses.
func (c *Client) WABA(ctx context.Context, cred Credential, wabaID string) (WABA, error) {
	var out WABA
	err := c.do(ctx, &call{
		action: "ReadWABA", method: http.MethodGet, object: wabaID, cred: cred,
		query: fields("id", "name", "currency", "timezone_id", "country", "status", "account_review_status",
			"business_verification_status", "ownership_type", "message_template_namespace", "primary_funding_id",
			"owner_business", "owner_business_info", "on_behalf_of_business_info", "health_status", "creation_time",
			"purchase_order_number"),
	}, &out)
	return out, err
}

// SharedWABAs lists the accounts that customers share with a partner. cred is the partner's system token.
func (c *Client) SharedWABAs(ctx context.Context, cred Credential, partnerBusinessID string) ([]WABA, error) {
	return list[WABA](ctx, c, &call{
		action: "ListSharedWABAs", method: http.MethodGet, object: partnerBusinessID,
		edge: "client_whatsapp_business_accounts", cred: cred,
		query: fields("id", "name", "currency", "timezone_id", "message_template_namespace"),
	})
}
