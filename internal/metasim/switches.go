package metasim

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Duration is a time.Duration that reads and writes JSON as "1m30s".
type Duration time.Duration

// MarshalJSON writes the duration as text.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// UnmarshalJSON reads the duration from text.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("a duration is text such as \"250ms\": %w", err)
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return err
	}
	*d = Duration(v)
	return nil
}

// Switches choose between the answers Meta might give where its documentation is silent or contradicts itself, and
// turn enforcement on and off. They apply to every call that starts after the change.
type Switches struct {
	// Tokens.
	BusinessTokenLifetime  Duration `json:"businessTokenLifetime"`  // of exchanged tokens; "0s" = never expires
	ExchangeOmitsExpiresIn bool     `json:"exchangeOmitsExpiresIn"` // the token expires, the answer does not say so
	RedirectURIPolicy      string   `json:"redirectURIPolicy"`      // overrules the apps' own when not empty
	Rescue                 string   `json:"rescue"`                 // system_user_access_tokens: works | error
	GranularTargets        string   `json:"granularTargets"`        // debug_token target_ids: present | absent
	RequireAppSecretProof  bool     `json:"requireAppSecretProof"`
	PartnerAddedWebhook    bool     `json:"partnerAddedWebhook"` // account_update PARTNER_ADDED when a code is issued
	PartnerEntryID         string   `json:"partnerEntryID"`      // entry.id of PARTNER_*: business | waba

	// Phone numbers.
	ReRegister string `json:"reRegister"` // registered number: success | success_flag | error_422 | error_133005
	// RegisteredMeanwhile makes a registered number look unregistered until register is called: another partner was faster.
	RegisteredMeanwhile bool `json:"registeredMeanwhile"`

	PINRetired bool `json:"pinRetired"` // PINs are accepted, ignored and forgotten
	PINGuesses int  `json:"pinGuesses"` // wrong PINs before 133008

	// Credit.
	CreditRepeat            string   `json:"creditRepeat"`            // second share: same | new allocation
	CreditListingLag        Duration `json:"creditListingLag"`        // until a share can be read
	CreditErrorCode         int      `json:"creditErrorCode"`         // replaces the code of refused shares; 0 = 100, or 200 without the task
	AllocationListShape     string   `json:"allocationListShape"`     // edge | bare
	ActiveRequestStatus     string   `json:"activeRequestStatus"`     // request_status of active allocations; "" = absent
	ListRevokedAllocations  bool     `json:"listRevokedAllocations"`  // the edge lists DELETED ones too
	AttachNeedsAssignedUser bool     `json:"attachNeedsAssignedUser"` // alternate method
	AssignedUsersRepeat     string   `json:"assignedUsersRepeat"`     // success | error
	OwnerBusinessInfo       string   `json:"ownerBusinessInfo"`       // present | missing

	// Sending.
	ClosedWindow           string   `json:"closedWindow"`   // 131047: async | sync
	Unfunded               string   `json:"unfunded"`       // 131042: async | sync | free_allowance
	UnfundedCode           int      `json:"unfundedCode"`   // 131042, or what sends answer right after a revocation
	AmbiguousPayer         string   `json:"ambiguousPayer"` // a send that doesn't name the messaging account: silent (any pays) | error
	FreeServiceMessages    int      `json:"freeServiceMessages"`
	EnforceThroughput      bool     `json:"enforceThroughput"`
	EnforcePairRate        bool     `json:"enforcePairRate"`
	ReadCountsForPairRate  bool     `json:"readCountsForPairRate"`
	StatusMode             string   `json:"statusMode"` // normal | skip_delivered | reorder | duplicate | never
	SentDelay              Duration `json:"sentDelay"`  // each counted from the send
	DeliveredDelay         Duration `json:"deliveredDelay"`
	ReadDelay              Duration `json:"readDelay"`
	LateStatuses           float64  `json:"lateStatuses"` // fraction of messages all of whose statuses come LateStatusDelay later
	LateStatusDelay        Duration `json:"lateStatusDelay"`
	LostStatuses           float64  `json:"lostStatuses"` // fraction of messages of which no status ever tells
	OmitOpaqueDataOnFailed bool     `json:"omitOpaqueDataOnFailed"`
	MessageHistory         bool     `json:"messageHistory"`

	// Webhooks.
	WebhookTimeout             Duration `json:"webhookTimeout"`
	WebhookRetryHorizon        Duration `json:"webhookRetryHorizon"` // "168h" or "36h", before compression by the time scale
	DisableFailingSubscription bool     `json:"disableFailingSubscription"`
	HandshakeErrorCode         int      `json:"handshakeErrorCode"` // 2200 | 100
	DuplicateDeliveries        bool     `json:"duplicateDeliveries"`
	DuplicateInsidePost        bool     `json:"duplicateInsidePost"`
	EscapeSlashes              bool     `json:"escapeSlashes"`
	MillisecondTimestamps      bool     `json:"millisecondTimestamps"`
	BSUIDOnly                  bool     `json:"bsuidOnly"`   // every customer hides the phone number
	BSUIDInFrom                bool     `json:"bsuidInFrom"` // the id stands where the phone number should
	UsernameWithAt             bool     `json:"usernameWithAt"`
	HandoverShape              string   `json:"handoverShape"`   // how messaging_handovers names the owners: roles | apps | metadata
	StandbyIsShared            bool     `json:"standbyIsShared"` // what is for another responder comes in messages, too
	EntryIDMismatch            bool     `json:"entryIDMismatch"` // entry.id of messages is another than the account's

	// Graph.
	GraphLatency        Duration `json:"graphLatency"` // before every call takes effect
	EnforceRateLimits   bool     `json:"enforceRateLimits"`
	ThrottleHTTPStatus  int      `json:"throttleHTTPStatus"`  // 400 | 403 | 429
	SuccessAsString     bool     `json:"successAsString"`     // "success":"true"
	IDsAsNumbers        bool     `json:"idsAsNumbers"`        // "id":123
	Invisible           string   `json:"invisible"`           // object the token can't see: 100/33 | 803 | 10 | 200
	BusinessUsageType   string   `json:"businessUsageType"`   // type in X-Business-Use-Case-Usage
	FileSizeAsString    bool     `json:"fileSizeAsString"`    // media lookup
	SHA256Base64        bool     `json:"sha256Base64"`        // media lookup
	MediaNeedsUserAgent bool     `json:"mediaNeedsUserAgent"` // media download
	MediaRedirects      bool     `json:"mediaRedirects"`      // media download answers 302 first
	MediaURLLifetime    Duration `json:"mediaURLLifetime"`
}

// DefaultSwitches are the positions the documentation makes most likely, with delays short enough for tests.
func DefaultSwitches() Switches {
	return Switches{
		BusinessTokenLifetime: Duration(60 * 24 * time.Hour), Rescue: "error", GranularTargets: "present", PartnerAddedWebhook: true, PartnerEntryID: "business",
		ReRegister: "success", PINGuesses: 3,
		CreditRepeat: "same", AllocationListShape: "edge", AssignedUsersRepeat: "success", OwnerBusinessInfo: "present",
		ClosedWindow: "async", Unfunded: "async", UnfundedCode: 131042, AmbiguousPayer: "silent", FreeServiceMessages: 1000,
		EnforceThroughput: true, EnforcePairRate: true, StatusMode: "normal",
		SentDelay: Duration(50 * time.Millisecond), DeliveredDelay: Duration(100 * time.Millisecond), ReadDelay: Duration(200 * time.Millisecond),
		LateStatusDelay: Duration(10 * time.Minute), HandoverShape: "roles",
		WebhookTimeout: Duration(5 * time.Second), WebhookRetryHorizon: Duration(7 * 24 * time.Hour), HandshakeErrorCode: 2200, EscapeSlashes: true,
		EnforceRateLimits: true, ThrottleHTTPStatus: 400, Invisible: "100/33", BusinessUsageType: "whatsapp",
		MediaURLLifetime: Duration(5 * time.Minute),
	}
}

func (s Switches) validate() error {
	choices := []struct {
		name, value string
		allowed     []string
	}{
		{"redirectURIPolicy", s.RedirectURIPolicy, []string{"", "any", "absent", "empty", "exact"}},
		{"rescue", s.Rescue, []string{"works", "error"}},
		{"granularTargets", s.GranularTargets, []string{"present", "absent"}},
		{"partnerEntryID", s.PartnerEntryID, []string{"business", "waba"}},
		{"reRegister", s.ReRegister, []string{"success", "success_flag", "error_422", "error_133005"}},
		{"creditRepeat", s.CreditRepeat, []string{"same", "new"}},
		{"allocationListShape", s.AllocationListShape, []string{"edge", "bare"}},
		{"assignedUsersRepeat", s.AssignedUsersRepeat, []string{"success", "error"}},
		{"ownerBusinessInfo", s.OwnerBusinessInfo, []string{"present", "missing"}},
		{"closedWindow", s.ClosedWindow, []string{"async", "sync"}},
		{"unfunded", s.Unfunded, []string{"async", "sync", "free_allowance"}},
		{"ambiguousPayer", s.AmbiguousPayer, []string{"silent", "error"}},
		{"statusMode", s.StatusMode, []string{"normal", "skip_delivered", "reorder", "duplicate", "never"}},
		{"handoverShape", s.HandoverShape, []string{"roles", "apps", "metadata"}},
		{"invisible", s.Invisible, []string{"100/33", "803", "10", "200"}},
	}
	for _, c := range choices {
		if !slices.Contains(c.allowed, c.value) {
			return fmt.Errorf("metasim: switch %s must be one of %q, not %q", c.name, c.allowed, c.value)
		}
	}
	if s.LateStatuses < 0 || s.LostStatuses < 0 || s.LateStatuses+s.LostStatuses > 1 {
		return fmt.Errorf("metasim: switches lateStatuses and lostStatuses must be fractions that add up to 1 at most")
	}
	if !slices.Contains([]int{400, 403, 429}, s.ThrottleHTTPStatus) {
		return fmt.Errorf("metasim: switch throttleHTTPStatus must be 400, 403 or 429, not %d", s.ThrottleHTTPStatus)
	}
	return nil
}

// Switches returns the present positions.
func (s *Simulator) Switches() Switches {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sw
}

// Switch changes positions: sim.Switch(func(sw *metasim.Switches) { sw.Rescue = "works" }).
func (s *Simulator) Switch(change func(*Switches)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.sw
	change(&next)
	if err := next.validate(); err != nil {
		return err
	}
	s.sw = next
	return nil
}
