package meta

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// CreditLine is a line of credit that a partner pays for customers with.
type CreditLine struct {
	ID              ID     `json:"id"`
	LegalEntityName string `json:"legal_entity_name"`
	// AccessRevoked is true when the partner may no longer use the line.
	AccessRevoked bool `json:"is_access_revoked"`
	// Balance, CreditAvailable and MaxBalance are nil when not read or not visible.
	Balance         *CurrencyAmount `json:"balance"`
	CreditAvailable *CurrencyAmount `json:"credit_available"`
	MaxBalance      *CurrencyAmount `json:"max_balance"`
}

// CurrencyAmount is an amount of money, as Graph prints it.
type CurrencyAmount struct {
	// Amount is in units of the currency, as a decimal text.
	Amount   string
	Currency string
}

// UnmarshalJSON accepts the amount as text or number.
func (a *CurrencyAmount) UnmarshalJSON(data []byte) error {
	var wire struct {
		Amount   text `json:"amount"`
		Currency text `json:"currency"`
	}
	if err := json.Unmarshal(data, &wire); err != nil {
		return err
	}
	*a = CurrencyAmount{Amount: string(wire.Amount), Currency: string(wire.Currency)}
	return nil
}

func (l *CreditLine) check(cl *call) *Error { return cl.expect(l.ID != "") }

// CreditLines lists the lines of a business, with id and name. cred is the partner's system token, as in all calls here
// but AttachCredit.
//
// See developers.facebook.com/docs/whatsapp/embedded-signup/manage-accounts/share-and-revoke-credit-lines.
func (c *Client) CreditLines(ctx context.Context, cred Credential, businessID string) ([]CreditLine, error) {
	return list[CreditLine](ctx, c, &call{
		action: "ListCreditLines", method: http.MethodGet, object: businessID, edge: "extendedcredits", cred: cred,
		query: fields("id", "legal_entity_name"),
	})
}

// CreditLine reads a line with its balances.
func (c *Client) CreditLine(ctx context.Context, cred Credential, creditLineID string) (CreditLine, error) {
	var out CreditLine
	err := c.do(ctx, &call{
		action: "ReadCreditLine", method: http.MethodGet, object: creditLineID, cred: cred,
		query: fields("id", "legal_entity_name", "is_access_revoked", "balance", "credit_available", "max_balance"),
	}, &out)
	return out, err
}

// TaskManage is the task on an account that sharing credit needs.
const TaskManage = "MANAGE"

// AssignedUser is a user with tasks on an account.
type AssignedUser struct {
	ID    ID       `json:"id"`
	Name  string   `json:"name"`
	Tasks []string `json:"tasks"`
}

// AssignedUsers lists the users of a business that have tasks on an account.
func (c *Client) AssignedUsers(ctx context.Context, cred Credential, wabaID, businessID string) ([]AssignedUser, error) {
	return list[AssignedUser](ctx, c, &call{
		action: "ListAssignedUsers", method: http.MethodGet, object: wabaID, edge: "assigned_users", cred: cred,
		query: url.Values{"business": {businessID}},
	})
}

// AssignUser gives a system user tasks on an account.
func (c *Client) AssignUser(ctx context.Context, cred Credential, wabaID, userID string, tasks ...string) error {
	return c.acknowledge(ctx, &call{
		action: "AssignUser", method: http.MethodPost, object: wabaID, edge: "assigned_users", cred: cred,
		// Meta's pages write the list with single quotes.
		query: url.Values{"user": {userID}, "tasks": {"['" + strings.Join(tasks, "','") + "']"}},
	})
}

// allocationAnswer is the answer of the calls that share and attach credit.
type allocationAnswer struct {
	successAnswer
	AllocationID ID `json:"allocation_config_id"`
}

func (a *allocationAnswer) check(cl *call) *Error {
	if e := a.refusal(cl); e != nil {
		return e
	}
	return cl.expect(a.AllocationID != "")
}

// ShareAndAttachCredit shares a line with the owner of an account and attaches it to the account, for ever, in a
// currency. It is not known to be safe to repeat: after Unknown read OwningCreditAllocations and WABA.PrimaryFundingID
// first. It returns the id of the allocation.
func (c *Client) ShareAndAttachCredit(ctx context.Context, cred Credential, creditLineID, wabaID, currency string) (ID, error) {
	return c.allocate(ctx, &call{
		action: "ShareAndAttachCredit", object: creditLineID, edge: "whatsapp_credit_sharing_and_attach", cred: cred,
		query: url.Values{"waba_currency": {currency}, "waba_id": {wabaID}},
	})
}

// ShareCredit shares a line with a business, without attaching it to an account. It returns the id of the allocation.
// Repeat it as carefully as ShareAndAttachCredit.
func (c *Client) ShareCredit(ctx context.Context, cred Credential, creditLineID, receivingBusinessID string) (ID, error) {
	return c.allocate(ctx, &call{
		action: "ShareCredit", object: creditLineID, edge: "whatsapp_credit_sharing", cred: cred,
		query: url.Values{"receiving_business_id": {receivingBusinessID}},
	})
}

// AttachCredit attaches a line that was shared to an account, for ever. cred is the business token of the customer. It
// returns the id of the allocation.
func (c *Client) AttachCredit(ctx context.Context, cred Credential, creditLineID, wabaID, currency string) (ID, error) {
	return c.allocate(ctx, &call{
		action: "AttachCredit", object: creditLineID, edge: "whatsapp_credit_attach", cred: cred,
		query: url.Values{"waba_currency": {currency}, "waba_id": {wabaID}},
	})
}

func (c *Client) allocate(ctx context.Context, cl *call) (ID, error) {
	cl.method, cl.irreversible = http.MethodPost, true
	var out allocationAnswer
	if err := c.do(ctx, cl, &out); err != nil {
		return "", err
	}
	return out.AllocationID, nil
}

// RequestStatusDeleted is the only documented value of CreditAllocation.RequestStatus: the sharing was revoked.
const RequestStatusDeleted = "DELETED"

// CreditAllocation is a line shared with a business.
type CreditAllocation struct {
	ID ID
	// ReceivingCredentialID equals WABA.PrimaryFundingID of an account that is funded by this allocation.
	ReceivingCredentialID ID
	ReceivingBusiness     Business
	// RequestStatus is usually empty while the sharing is active, and "DELETED" after it was revoked.
	RequestStatus string
}

// UnmarshalJSON flattens Meta's nesting.
func (a *CreditAllocation) UnmarshalJSON(data []byte) error {
	var wire struct {
		ID         ID `json:"id"`
		Credential struct {
			ID ID `json:"id"`
		} `json:"receiving_credential"`
		Business Business `json:"receiving_business"`
		Status   string   `json:"request_status"`
	}
	if err := json.Unmarshal(data, &wire); err != nil {
		return err
	}
	*a = CreditAllocation{wire.ID, wire.Credential.ID, wire.Business, wire.Status}
	return nil
}

func (a *CreditAllocation) check(cl *call) *Error { return cl.expect(a.ID != "") }

func allocationFields() url.Values {
	return fields("id", "receiving_credential", "receiving_business", "request_status")
}

// CreditAllocation reads an allocation. One that was revoked can still be read.
func (c *Client) CreditAllocation(ctx context.Context, cred Credential, allocationID string) (CreditAllocation, error) {
	var out CreditAllocation
	err := c.do(ctx, &call{
		action: "ReadCreditAllocation", method: http.MethodGet, object: allocationID, cred: cred,
		query: allocationFields(),
	}, &out)
	return out, err
}

// OwningCreditAllocations lists the allocations of a line for one business. Whether revoked ones are among them is not
// documented: look at RequestStatus.
func (c *Client) OwningCreditAllocations(ctx context.Context, cred Credential, creditLineID, businessID string) ([]CreditAllocation, error) {
	query := allocationFields()
	query.Set("receiving_business_id", businessID)
	return list[CreditAllocation](ctx, c, &call{
		action: "ListCreditAllocations", method: http.MethodGet, object: creditLineID,
		edge: "owning_credit_allocation_configs", cred: cred, query: query,
	})
}

// RevokeCreditAllocation ends the sharing with a business, and so the funding of all its accounts.
func (c *Client) RevokeCreditAllocation(ctx context.Context, cred Credential, allocationID string) error {
	return c.acknowledge(ctx, &call{
		action: "RevokeCreditAllocation", method: http.MethodDelete, object: allocationID, cred: cred,
	})
}
