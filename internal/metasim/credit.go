package metasim

import (
	"net/http"
	"slices"
	"time"
)

// allocation is what one share of a credit line with one business creates.
type allocation struct {
	id           string
	lineID       string
	businessID   string
	credentialID string
	createdAt    time.Time
	deleted      bool
}

func (s *Simulator) listCreditLines(c *call) (any, *graphError) {
	if err := c.needScope(scopeBusiness); err != nil {
		return nil, err
	}
	if c.token.businessID != c.objectID {
		return nil, s.invisible(c.method, c.objectID)
	}
	var nodes []map[string]any
	for _, id := range sortedKeys(s.st.lines) {
		if l := s.st.lines[id]; l.BusinessID == c.objectID {
			n, err := s.lineNode(c, l)
			if err != nil {
				return nil, err
			}
			nodes = append(nodes, n)
		}
	}
	return s.page(c, nodes)
}

func (s *Simulator) lineNode(c *call, l *CreditLine) (map[string]any, *graphError) {
	amount := func(v string) map[string]any { return map[string]any{"amount": v, "currency": "USD"} }
	return c.project("ExtendedCredit", map[string]any{
		"id": l.ID, "legal_entity_name": l.LegalEntityName, "is_access_revoked": false, "balance": amount("0"), "credit_available": amount("100000.00"),
		"max_balance": amount("100000.00"), "owner_business": map[string]any{"id": l.BusinessID},
	}, []string{"allocated_amount", "receiving_credit_allocation_config", "last_payment_time"}, []string{"id", "legal_entity_name"})
}

func (s *Simulator) getCreditLine(c *call) (any, *graphError) {
	l, err := s.line(c)
	if err != nil {
		return nil, err
	}
	return s.lineNode(c, l)
}

// line returns the credit line of the call's path for a token of its owner.
func (s *Simulator) line(c *call) (*CreditLine, *graphError) {
	l := s.st.lines[c.objectID]
	if l == nil || c.token.businessID != l.BusinessID {
		return nil, s.invisible(c.method, c.objectID)
	}
	return l, c.needScope(scopeBusiness)
}

// creditError is a refused share or attach. Meta documents no codes here, so the switch may replace ours.
func (s *Simulator) creditError(code int, text string) *graphError {
	if s.sw.CreditErrorCode != 0 {
		code = s.sw.CreditErrorCode
	}
	e := errf(code, "%s", text)
	if code == 10 || (code >= 200 && code < 300) {
		e.status(http.StatusForbidden)
	}
	return e
}

// shareAndAttach is the current method: one call shares with the owner's business and attaches the account.
func (s *Simulator) shareAndAttach(c *call) (any, *graphError) {
	l, err := s.line(c)
	if err != nil {
		return nil, err
	}
	w, err := s.attachable(c, l)
	if err != nil {
		return nil, err
	}
	if !s.hasBillingTask(c.token.businessID, w) {
		return nil, s.creditError(200, "The system user must be assigned to the WhatsApp Business account before its credit line can be attached.")
	}
	a := s.allocate(l, w.OwnerBusinessID)
	s.fund(w, l, a, c.str("waba_currency"))
	return map[string]any{"allocation_config_id": a.id, "waba_id": w.ID}, nil
}

// attachable checks currency and account of an attach.
func (s *Simulator) attachable(c *call, l *CreditLine) (*wabaState, *graphError) {
	currency, id := c.str("waba_currency"), c.str("waba_id")
	switch {
	case currency == "":
		return nil, missing("waba_currency")
	case id == "":
		return nil, missing("waba_id")
	case !slices.Contains(l.Currencies, currency):
		return nil, s.creditError(100, "Param waba_currency is not a supported currency.")
	}
	w := s.st.wabas[id]
	if w == nil || !c.token.sees(w) {
		return nil, s.invisible(c.method, id)
	}
	if w.PrimaryFundingID != "" && w.lineID != l.ID {
		return nil, s.creditError(100, "The account has another payment method, which can't be replaced by a credit line.")
	}
	return w, nil
}

func (s *Simulator) hasBillingTask(businessID string, w *wabaState) bool {
	for user, tasks := range w.assigned {
		u := s.systemUser(user)
		if u != nil && u.businessID == businessID && (slices.Contains(tasks, "MANAGE") || slices.Contains(tasks, "MANAGE_BILLING")) {
			return true
		}
	}
	return false
}

// allocate returns the business's allocation, or a new one if there is none or the switch says so.
func (s *Simulator) allocate(l *CreditLine, businessID string) *allocation {
	if s.sw.CreditRepeat == "same" {
		if a := s.activeAllocation(l.ID, businessID); a != nil {
			return a
		}
	}
	a := &allocation{id: "5" + s.randomString("0123456789", 13), lineID: l.ID, businessID: businessID, credentialID: "3" + s.randomString("0123456789", 15), createdAt: s.now()}
	s.st.allocations[a.id] = a
	s.st.allocOrder = append(s.st.allocOrder, a.id)
	s.count.CreditAllocations++
	return a
}

func (s *Simulator) activeAllocation(lineID, businessID string) *allocation {
	for _, id := range s.st.allocOrder {
		if a := s.st.allocations[id]; a.lineID == lineID && a.businessID == businessID && !a.deleted {
			return a
		}
	}
	return nil
}

func (s *Simulator) fund(w *wabaState, l *CreditLine, a *allocation, currency string) {
	w.PrimaryFundingID, w.lineID, w.Currency, w.fundingSince = a.credentialID, l.ID, currency, s.now()
}

// visibleFunding is primary_funding_id as a reader sees it, which may lag behind the attach.
func (s *Simulator) visibleFunding(w *wabaState) string {
	if w.lineID != "" && s.lags(w.fundingSince) {
		return ""
	}
	return w.PrimaryFundingID
}

func (s *Simulator) lags(since time.Time) bool {
	return s.now().Before(since.Add(time.Duration(s.sw.CreditListingLag)))
}

// share is the first half of the alternate method.
func (s *Simulator) share(c *call) (any, *graphError) {
	l, err := s.line(c)
	if err != nil {
		return nil, err
	}
	business := c.str("receiving_business_id")
	if business == "" {
		return nil, missing("receiving_business_id")
	}
	if s.st.businesses[business] == nil {
		return nil, s.creditError(100, "Param receiving_business_id must be a valid business.")
	}
	a := s.allocate(l, business)
	return map[string]any{"success": true, "allocation_config_id": a.id}, nil
}

// attach is the second half of the alternate method, with the business token.
func (s *Simulator) attach(c *call) (any, *graphError) {
	l := s.st.lines[c.objectID]
	if err := c.needScope(scopeManagement); err != nil {
		return nil, err
	}
	if c.token.kind != kindBusiness {
		return nil, s.creditError(200, "The credit line is attached with the token of the business that receives it.")
	}
	w, err := s.attachable(c, l)
	if err != nil {
		return nil, err
	}
	if s.sw.AttachNeedsAssignedUser && !s.hasBillingTask(l.BusinessID, w) {
		return nil, s.creditError(200, "The system user must be assigned to the WhatsApp Business account.")
	}
	a := s.activeAllocation(l.ID, w.OwnerBusinessID)
	if a == nil {
		return nil, s.creditError(100, "The credit line is not shared with the business that owns the account.")
	}
	s.fund(w, l, a, c.str("waba_currency"))
	return map[string]any{"success": true, "waba_id": w.ID, "allocation_config_id": a.id}, nil
}

func (s *Simulator) listAllocations(c *call) (any, *graphError) {
	l, err := s.line(c)
	if err != nil {
		return nil, err
	}
	business := c.str("receiving_business_id")
	var nodes []map[string]any
	for _, id := range s.st.allocOrder {
		a := s.st.allocations[id]
		if a.lineID != l.ID || (business != "" && a.businessID != business) || (a.deleted && !s.sw.ListRevokedAllocations) || s.lags(a.createdAt) {
			continue
		}
		n, err := s.allocationNode(c, a)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	if s.sw.AllocationListShape == "bare" && len(nodes) == 1 {
		return nodes[0], nil
	}
	return s.page(c, nodes)
}

func (s *Simulator) allocationNode(c *call, a *allocation) (map[string]any, *graphError) {
	receiving := map[string]any{"id": a.businessID}
	if b := s.st.businesses[a.businessID]; b != nil {
		receiving["name"] = b.Name
	}
	node := map[string]any{
		"id": a.id, "receiving_business": receiving, "receiving_credential": map[string]any{"id": a.credentialID},
		"owning_business": map[string]any{"id": s.st.lines[a.lineID].BusinessID}, "owning_credential": map[string]any{"id": a.lineID},
		"liability_type": "Normal", "partition_type": "AUTH", "send_bill_to": "Agency",
	}
	switch {
	case a.deleted:
		node["request_status"] = "DELETED"
	case s.sw.ActiveRequestStatus != "":
		node["request_status"] = s.sw.ActiveRequestStatus
	}
	return c.project("ExtendedCreditAllocationConfig", node, []string{"request_status", "currency_amount"}, []string{"id", "receiving_business"})
}

func (s *Simulator) allocation(c *call) (*allocation, *graphError) {
	a := s.st.allocations[c.objectID]
	if s.st.lines[a.lineID].BusinessID != c.token.businessID || s.lags(a.createdAt) {
		return nil, s.invisible(c.method, c.objectID)
	}
	return a, c.needScope(scopeBusiness)
}

func (s *Simulator) getAllocation(c *call) (any, *graphError) {
	a, err := s.allocation(c)
	if err != nil {
		return nil, err
	}
	return s.allocationNode(c, a)
}

// deleteAllocation revokes per business: every account of that business loses the line.
func (s *Simulator) deleteAllocation(c *call) (any, *graphError) {
	a, err := s.allocation(c)
	if err != nil {
		return nil, err
	}
	for _, other := range s.st.allocations {
		if other.lineID == a.lineID && other.businessID == a.businessID {
			other.deleted = true
		}
	}
	for _, w := range s.st.wabas {
		if w.OwnerBusinessID == a.businessID && w.lineID == a.lineID {
			w.PrimaryFundingID, w.lineID = "", ""
		}
	}
	return success(), nil
}
