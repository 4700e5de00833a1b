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
	ID                  ID     `json:"id"`
	Name                string `json:"name"`
	Currency            string `json:"currency"`
	Status              string `json:"status"`
	AccountReviewStatus string `json:"account_review_status"`
	// PrimaryFundingID is who pays; empty means no payment method.
	PrimaryFundingID  ID            `json:"primary_funding_id"`
	OwnerBusinessInfo *Business     `json:"owner_business_info"`
	OnBehalfOf        *Business     `json:"on_behalf_of_business_info"`
	HealthStatus      *HealthStatus `json:"health_status"`
}

// Owner returns the business that owns the account, from whichever member Meta filled in; zero if none is.
func (w *WABA) Owner() Business {
	for _, b := range []*Business{w.OwnerBusinessInfo, w.OnBehalfOf} {
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

// WABA reads a WhatsApp Business Account. It asks for nothing that this project does not use: a single field that the
// token may not read fails the whole call.
func (c *Client) WABA(ctx context.Context, cred Credential, wabaID string) (WABA, error) {
	var out WABA
	err := c.do(ctx, &call{
		action: "ReadWABA", method: http.MethodGet, object: wabaID, cred: cred,
		query: fields("id", "name", "currency", "status", "account_review_status", "primary_funding_id",
			"owner_business_info", "on_behalf_of_business_info", "health_status"),
	}, &out)
	return out, err
}

// SharedWABAs lists the accounts that customers share with a partner, by id, name and currency. cred is the partner's system token.
func (c *Client) SharedWABAs(ctx context.Context, cred Credential, partnerBusinessID string) ([]WABA, error) {
	return list[WABA](ctx, c, &call{
		action: "ListSharedWABAs", method: http.MethodGet, object: partnerBusinessID,
		edge: "client_whatsapp_business_accounts", cred: cred,
		query: fields("id", "name", "currency"),
	})
}
