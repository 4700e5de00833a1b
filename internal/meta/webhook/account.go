package webhook

import (
	"encoding/json"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
)

// Events of AccountUpdate that change what we may do. The list is open.
const (
	EventPartnerAdded          = "PARTNER_ADDED"
	EventPartnerRemoved        = "PARTNER_REMOVED"
	EventPartnerAppInstalled   = "PARTNER_APP_INSTALLED"
	EventPartnerAppUninstalled = "PARTNER_APP_UNINSTALLED"
	EventAccountDeleted        = "ACCOUNT_DELETED"
	EventAccountOffboarded     = "ACCOUNT_OFFBOARDED"
	EventAccountReconnected    = "ACCOUNT_RECONNECTED"
	EventAccountRestriction    = "ACCOUNT_RESTRICTION"
	EventAccountViolation      = "ACCOUNT_VIOLATION"
	EventDisabledUpdate        = "DISABLED_UPDATE"
)

// AccountUpdate is the value of the field account_update, see
// developers.facebook.com/docs/graph-api/webhooks/reference/whatsapp-business-account.
type AccountUpdate struct {
	Event string `json:"event"`
	// WABAInfo names the account of the PARTNER events, whose entry names a business instead.
	WABAInfo      WABAInfo `json:"waba_info"`
	Disconnection *struct {
		Reason      string `json:"reason"`
		InitiatedBy string `json:"initiated_by"`
	} `json:"disconnection_info"`
	Ban *struct {
		State OneOrMany `json:"waba_ban_state"`
		Date  string    `json:"waba_ban_date"`
	} `json:"ban_info"`
	Restrictions []Restriction `json:"restriction_info"`
	Violation    *struct {
		Type string `json:"violation_type"`
	} `json:"violation_info"`
}

// WABAInfo names an account and its owner.
type WABAInfo struct {
	WABAID          meta.ID `json:"waba_id"`
	OwnerBusinessID meta.ID `json:"owner_business_id"`
	PartnerAppID    meta.ID `json:"partner_app_id"`
}

// Restriction is one thing that an account may not do, until Expiration.
type Restriction struct {
	Type        string    `json:"restriction_type"`
	Expiration  Timestamp `json:"expiration"`
	Remediation string    `json:"remediation"`
}

// AccountID returns the account that the update is about, given the id of its entry.
func (u *AccountUpdate) AccountID(entryID meta.ID) meta.ID {
	if u.WABAInfo.WABAID != "" {
		return u.WABAInfo.WABAID
	}
	return entryID
}

// OneOrMany is a list of texts that may be written as a single text.
type OneOrMany []string

// UnmarshalJSON accepts a string and an array of strings.
func (o *OneOrMany) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*o = nil
		if one != "" {
			*o = OneOrMany{one}
		}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(o))
}
