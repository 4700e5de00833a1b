package metasim

import (
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"
)

// World is what exists on Meta's side: the content of a seed file and of GET /sim/v1/world.
type World struct {
	Apps        []App        `json:"apps,omitempty"`
	Businesses  []Business   `json:"businesses,omitempty"`
	CreditLines []CreditLine `json:"creditLines,omitempty"`
	SystemUsers []SystemUser `json:"systemUsers,omitempty"`
	WABAs       []WABA       `json:"wabas,omitempty"`
	Customers   []Customer   `json:"customers,omitempty"`
}

// App is an app of the App Dashboard.
type App struct {
	ID     string `json:"id"`
	Secret string `json:"secret,omitempty"` // generated when empty
	Name   string `json:"name"`
	// BusinessID is the portfolio that owns the app; accounts granted to the app are shared with it.
	BusinessID string `json:"businessID,omitempty"`
	// RedirectURIPolicy says what the code exchange demands: any (default), absent, empty or exact (= RedirectURI).
	RedirectURIPolicy string `json:"redirectURIPolicy,omitempty"`
	RedirectURI       string `json:"redirectURI,omitempty"`
	// ConfigurationID is the Facebook Login for Business configuration that Embedded Signup is launched with; empty takes any.
	ConfigurationID string `json:"configurationID,omitempty"`
	// Subscription is the app's own webhook, as set on its dashboard.
	Subscription *AppSubscription `json:"subscription,omitempty"`
}

// AppSubscription is the app-level webhook for the object whatsapp_business_account.
type AppSubscription struct {
	CallbackURL string   `json:"callbackURL"`
	VerifyToken string   `json:"verifyToken,omitempty"`
	Fields      []string `json:"fields"`
	Version     string   `json:"version,omitempty"`
	Inactive    bool     `json:"inactive,omitempty"`
}

// Business is a business portfolio.
type Business struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// CreditLine is a partner's extended credit.
type CreditLine struct {
	ID              string   `json:"id"`
	LegalEntityName string   `json:"legalEntityName"`
	BusinessID      string   `json:"businessID"`
	Currencies      []string `json:"currencies"` // those that sharing accepts
}

// SystemUser is a system user with one token.
type SystemUser struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	AppID      string   `json:"appID"`
	BusinessID string   `json:"businessID"`
	Token      string   `json:"token,omitempty"` // generated when empty
	Scopes     []string `json:"scopes"`
	// WABAIDs limits the token; empty means all that its business owns or that are shared with it.
	WABAIDs []string `json:"wabaIDs,omitempty"`
	// ExpiresAt in unix seconds; 0 = never.
	ExpiresAt int64 `json:"expiresAt,omitempty"`
	// Temporary marks the day-long token of the API Setup page: debug_token then reports type USER.
	Temporary bool `json:"temporary,omitempty"`
}

// WABA is a WhatsApp Business account, since 2026 also called Messaging account.
type WABA struct {
	ID                  string `json:"id"`
	Name                string `json:"name"`
	Currency            string `json:"currency,omitempty"`
	TimezoneID          string `json:"timezoneID,omitempty"`
	OwnerBusinessID     string `json:"ownerBusinessID"`
	PrimaryFundingID    string `json:"primaryFundingID,omitempty"`
	AccountReviewStatus string `json:"accountReviewStatus,omitempty"` // APPROVED when empty
	// SharedWith are the portfolios (partners) that may act on the account.
	SharedWith     []string        `json:"sharedWith,omitempty"`
	SubscribedApps []SubscribedApp `json:"subscribedApps,omitempty"`
	PhoneNumbers   []PhoneNumber   `json:"phoneNumbers,omitempty"`
	// SharedNumbers are numbers of other accounts that this one has, too: a number may have one account for each partner.
	SharedNumbers []string `json:"sharedNumbers,omitempty"`
}

// SubscribedApp is one entry of the edge subscribed_apps.
type SubscribedApp struct {
	AppID               string `json:"appID"`
	OverrideCallbackURI string `json:"overrideCallbackURI,omitempty"`
}

// PhoneNumber is a business phone number. Empty enums take the value of a number that Embedded Signup just verified.
type PhoneNumber struct {
	ID                     string `json:"id"`
	DisplayPhoneNumber     string `json:"displayPhoneNumber"`
	VerifiedName           string `json:"verifiedName"`
	Registered             bool   `json:"registered,omitempty"`
	PIN                    string `json:"pin,omitempty"` // two-step PIN; empty = none set
	Status                 string `json:"status,omitempty"`
	PlatformType           string `json:"platformType,omitempty"`
	QualityRating          string `json:"qualityRating,omitempty"`
	CodeVerificationStatus string `json:"codeVerificationStatus,omitempty"`
	NameStatus             string `json:"nameStatus,omitempty"`
	MessagingLimit         string `json:"messagingLimit,omitempty"`
	IsOnBizApp             bool   `json:"isOnBizApp,omitempty"` // coexistence
	LastOnboardedTime      string `json:"lastOnboardedTime,omitempty"`
	DataLocalizationRegion string `json:"dataLocalizationRegion,omitempty"`
}

// Customer is a person with WhatsApp.
type Customer struct {
	WaID     string `json:"waID"` // digits of the phone number
	Name     string `json:"name"`
	Username string `json:"username,omitempty"`
	// HidePhone: webhooks name the person by business-scoped user id only.
	HidePhone bool `json:"hidePhone,omitempty"`
	// Unreachable: accepted sends fail later with 131026.
	Unreachable bool `json:"unreachable,omitempty"`
}

// ParseWorld reads a seed file (YAML or JSON); unknown members are errors.
func ParseWorld(data []byte) (World, error) {
	var w World
	if err := yaml.UnmarshalStrict(data, &w); err != nil {
		return World{}, fmt.Errorf("metasim: seed: %w", err)
	}
	return w, nil
}

// The identifiers of DemoWorld.
const (
	DemoAppID            = "670843887433847"
	DemoConfiguration    = "1207839404129384"
	DemoRedirectURI      = "https://signup.example.com/done"
	DemoPartnerBusiness  = "506914307656634"
	DemoSystemUser       = "122100000000000001"
	DemoCreditLine       = "1972385232742146"
	DemoCustomerBusiness = "2729063490586005"
	DemoWABA             = "102290129340398"
	DemoPhoneNumber      = "106540352242922"
	DemoDirectAppID      = "670843887433900"
	DemoDirectSystemUser = "122100000000000002"
	DemoDirectWABA       = "102290129340500"
	DemoDirectPhone      = "106540352242999"
	DemoCustomer         = "16505551234"
)

// DemoWorld is a partner with a credit line and one customer business to onboard, beside a business that connects its
// registered number with its own app. Secrets and tokens are generated from Options.Seed.
func DemoWorld() World {
	messaging := []string{scopeManagement, scopeMessaging}
	return World{
		Apps: []App{
			{ID: DemoAppID, Name: "Acme Connect", BusinessID: DemoPartnerBusiness, ConfigurationID: DemoConfiguration, RedirectURI: DemoRedirectURI},
			{ID: DemoDirectAppID, Name: "Blue Door Bakery Bot", BusinessID: "2729063490586100"},
		},
		Businesses: []Business{
			{ID: DemoPartnerBusiness, Name: "Acme"},
			{ID: DemoCustomerBusiness, Name: "Lucky Shrub"},
			{ID: "2729063490586100", Name: "Blue Door Bakery"},
		},
		CreditLines: []CreditLine{{
			ID: DemoCreditLine, LegalEntityName: "Acme Inc.", BusinessID: DemoPartnerBusiness,
			Currencies: []string{"AUD", "EUR", "GBP", "IDR", "INR", "USD"},
		}},
		SystemUsers: []SystemUser{
			{ID: DemoSystemUser, Name: "acme-admin", AppID: DemoAppID, BusinessID: DemoPartnerBusiness, Scopes: append([]string{scopeBusiness}, messaging...)},
			{ID: DemoDirectSystemUser, Name: "bakery-bot", AppID: DemoDirectAppID, BusinessID: "2729063490586100", Scopes: messaging},
		},
		WABAs: []WABA{
			{
				ID: DemoWABA, Name: "Lucky Shrub", Currency: "USD", TimezoneID: "1", OwnerBusinessID: DemoCustomerBusiness,
				PhoneNumbers: []PhoneNumber{{ID: DemoPhoneNumber, DisplayPhoneNumber: "+1 555-078-3881", VerifiedName: "Lucky Shrub Plants"}},
			},
			{
				ID: DemoDirectWABA, Name: "Blue Door Bakery", Currency: "USD", TimezoneID: "1", OwnerBusinessID: "2729063490586100",
				PrimaryFundingID: "3049822198523001",
				PhoneNumbers: []PhoneNumber{{
					ID: DemoDirectPhone, DisplayPhoneNumber: "+1 555-078-3999", VerifiedName: "Blue Door Bakery", Registered: true, PIN: "246813",
				}},
			},
		},
		Customers: []Customer{{WaID: DemoCustomer, Name: "Ana", Username: "ana.plants"}},
	}
}

func (p *PhoneNumber) setDefaults() {
	setDefault := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	if p.IsOnBizApp {
		p.Registered = true
	}
	if p.Registered {
		setDefault(&p.Status, "CONNECTED")
		setDefault(&p.PlatformType, platformCloud)
	}
	setDefault(&p.Status, "PENDING")
	setDefault(&p.PlatformType, "NOT_APPLICABLE")
	setDefault(&p.QualityRating, "GREEN")
	setDefault(&p.CodeVerificationStatus, "VERIFIED")
	setDefault(&p.NameStatus, "APPROVED")
	setDefault(&p.MessagingLimit, "TIER_2K")
}

func (a App) validate() error {
	switch a.RedirectURIPolicy {
	case "", "any", "absent", "empty", "exact":
	default:
		return fmt.Errorf("metasim: app %s: redirectURIPolicy must be any, absent, empty or exact", a.ID)
	}
	if strings.Contains(a.ID, "|") || !digitsOnly(a.ID) {
		return fmt.Errorf("metasim: app id %q must be decimal digits", a.ID)
	}
	return nil
}

func digitsOnly(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
