package metasim

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const (
	defaultPage = 25
	maxPage     = 100
)

var (
	wabaFields = []string{
		"id", "name", "currency", "timezone_id", "country", "status", "account_review_status", "business_verification_status",
		"ownership_type", "message_template_namespace", "primary_funding_id", "owner_business", "owner_business_info",
		"on_behalf_of_business_info", "health_status", "creation_time", "is_enabled_for_insights", "purchase_order_number",
	}
	wabaDefaults = []string{"id", "name", "currency", "timezone_id", "message_template_namespace"}
)

func (s *Simulator) getWABA(c *call) (any, *graphError) {
	w, err := s.waba(c)
	if err != nil {
		return nil, err
	}
	return c.project("WhatsAppBusinessAccount", s.wabaNode(w, c.token), wabaFields, wabaDefaults)
}

func (s *Simulator) wabaNode(w *wabaState, t *token) map[string]any {
	node := map[string]any{
		"id": w.ID, "name": w.Name, "currency": w.Currency, "timezone_id": w.TimezoneID, "status": "ACTIVE",
		"account_review_status": w.AccountReviewStatus, "business_verification_status": "verified", "ownership_type": "CLIENT_OWNED",
		"message_template_namespace": "ns_" + w.ID, "health_status": s.health(w, nil, t), "is_enabled_for_insights": true,
	}
	if funding := s.visibleFunding(w); funding != "" {
		node["primary_funding_id"] = funding
	}
	if b := s.st.businesses[w.OwnerBusinessID]; b != nil && s.sw.OwnerBusinessInfo == "present" {
		info := map[string]any{"id": b.ID, "name": b.Name}
		node["owner_business_info"], node["owner_business"] = info, info
	}
	if w.Currency == "" {
		delete(node, "currency")
	}
	return node
}

// health is https://developers.facebook.com/docs/whatsapp/cloud-api/health-status. p is nil when the account is asked.
func (s *Simulator) health(w *wabaState, p *phoneState, t *token) map[string]any {
	entities := []any{}
	worst := "AVAILABLE"
	add := func(kind, id string, code int, problem, solution string) {
		e := map[string]any{"entity_type": kind, "id": id, "can_send_message": "AVAILABLE"}
		if problem != "" {
			worst = "BLOCKED"
			e["can_send_message"] = worst
			e["errors"] = []any{map[string]any{"error_code": code, "error_description": problem, "possible_solution": solution}}
		}
		entities = append(entities, e)
	}
	if p != nil {
		if p.usable() {
			add("PHONE_NUMBER", p.ID, 0, "", "")
		} else {
			add("PHONE_NUMBER", p.ID, 133010, "The phone number is not registered.", "Register the phone number.")
		}
	}
	if w.PrimaryFundingID == "" {
		add("WABA", w.ID, 141006, "There is a problem with the payment method.", "Add a valid payment method.")
	} else {
		add("WABA", w.ID, 0, "", "")
	}
	add("BUSINESS", w.OwnerBusinessID, 0, "", "")
	if t != nil {
		add("APP", t.appID, 0, "", "")
	}
	return map[string]any{"can_send_message": worst, "entities": entities}
}

func (s *Simulator) getBusiness(c *call) (any, *graphError) {
	b := s.st.businesses[c.objectID]
	if c.token.businessID != b.ID {
		return nil, s.invisible(c.method, b.ID)
	}
	return c.project("Business", map[string]any{"id": b.ID, "name": b.Name}, nil, []string{"id", "name"})
}

func (s *Simulator) listClientWABAs(c *call) (any, *graphError) {
	if err := c.needScope(scopeManagement); err != nil {
		return nil, err
	}
	if c.token.businessID != c.objectID {
		return nil, s.invisible(c.method, c.objectID)
	}
	var nodes []map[string]any
	for _, id := range sortedKeys(s.st.wabas) {
		w := s.st.wabas[id]
		if w.OwnerBusinessID == c.objectID || !c.token.sees(w) {
			continue
		}
		n, err := c.project("WhatsAppBusinessAccount", s.wabaNode(w, c.token), wabaFields, wabaDefaults)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	return s.page(c, nodes)
}

func (s *Simulator) listPhoneNumbers(c *call) (any, *graphError) {
	w, err := s.waba(c)
	if err != nil {
		return nil, err
	}
	phones := slices.Clone(w.phones)
	for _, id := range w.SharedNumbers {
		if p := s.st.phones[id]; p != nil {
			phones = append(phones, p)
		}
	}
	if sort := c.str("sort"); strings.Contains(sort, "last_onboarded_time") {
		slices.SortStableFunc(phones, func(a, b *phoneState) int { return cmp.Compare(a.LastOnboardedTime, b.LastOnboardedTime) })
		if strings.Contains(sort, "descending") {
			slices.Reverse(phones)
		}
	}
	var nodes []map[string]any
	for _, p := range phones {
		n, err := c.project("WhatsAppBusinessPhoneNumber", s.phoneNode(p, c.token), phoneFields, phoneDefaults)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	return s.page(c, nodes)
}

// page cuts a list by limit and after, https://developers.facebook.com/docs/graph-api/results.
func (s *Simulator) page(c *call, nodes []map[string]any) (any, *graphError) {
	limit := defaultPage
	if l := c.str("limit"); l != "" {
		n, err := strconv.Atoi(l)
		if err != nil || n < 1 {
			return nil, errf(100, "The parameter limit must be a positive number.")
		}
		limit = min(n, maxPage)
	}
	start := 0
	if after := c.str("after"); after != "" {
		n, ok := decodeCursor(after)
		if !ok || n > len(nodes) {
			return nil, waError(131059, "Invalid cursor", "The pagination cursor is not valid.")
		}
		start = n
	}
	end := min(start+limit, len(nodes))
	data := []any{}
	for _, n := range nodes[start:end] {
		data = append(data, n)
	}
	out := map[string]any{"data": data}
	if len(data) > 0 {
		paging := map[string]any{"cursors": map[string]any{"before": encodeCursor(start), "after": encodeCursor(end)}}
		if end < len(nodes) {
			paging["next"] = fmt.Sprintf("%s%s?limit=%d&after=%s", s.baseURL(c.r), c.path, limit, encodeCursor(end))
		}
		out["paging"] = paging
	}
	return out, nil
}

func encodeCursor(n int) string {
	return base64.RawURLEncoding.EncodeToString([]byte("sim" + strconv.Itoa(n)))
}

func decodeCursor(v string) (int, bool) {
	b, err := base64.RawURLEncoding.DecodeString(v)
	if err != nil || !strings.HasPrefix(string(b), "sim") {
		return 0, false
	}
	n, err := strconv.Atoi(string(b[3:]))
	return n, err == nil && n >= 0
}

func (s *Simulator) addPhoneNumber(c *call) (any, *graphError) {
	w, err := s.waba(c)
	if err != nil {
		return nil, err
	}
	cc, number, name := c.str("cc"), c.str("phone_number"), c.str("verified_name")
	if !digitsOnly(cc) || !digitsOnly(number) || name == "" {
		return nil, errf(100, "Invalid parameter").detail("cc and phone_number take digits, verified_name is required.")
	}
	p := s.addPhone(w, PhoneNumber{
		ID: s.newID(), DisplayPhoneNumber: "+" + cc + " " + number, VerifiedName: name,
		CodeVerificationStatus: "NOT_VERIFIED", Status: "UNVERIFIED", NameStatus: "PENDING_REVIEW",
	})
	return map[string]any{"id": p.ID}, nil
}

// knownTasks is Meta's list for assigned_users on an account.
var knownTasks = []string{
	"DEVELOP", "MANAGE", "MANAGE_EXTENSIONS", "MANAGE_PHONE", "MANAGE_PHONE_ASSETS", "MANAGE_TEMPLATES", "VIEW_COST", "VIEW_PHONE_ASSETS",
	"VIEW_TEMPLATES", "MESSAGING", "MANAGE_BILLING",
}

func (s *Simulator) listAssignedUsers(c *call) (any, *graphError) {
	w, err := s.waba(c)
	if err != nil {
		return nil, err
	}
	business := c.str("business")
	if business == "" {
		return nil, missing("business")
	}
	var nodes []map[string]any
	for _, user := range sortedKeys(w.assigned) {
		u := s.systemUser(user)
		if u == nil || u.businessID != business {
			continue
		}
		tasks := []any{}
		for _, t := range w.assigned[user] {
			tasks = append(tasks, t)
		}
		nodes = append(nodes, map[string]any{"id": user, "name": u.userName, "tasks": tasks})
	}
	return s.page(c, nodes)
}

func (s *Simulator) systemUser(id string) *token {
	for _, t := range s.st.tokens {
		if t.kind == kindSystem && t.userID == id {
			return t
		}
	}
	return nil
}

func (s *Simulator) assignUser(c *call) (any, *graphError) {
	w, err := s.waba(c)
	if err != nil {
		return nil, err
	}
	if err := c.needScope(scopeBusiness); err != nil {
		return nil, err
	}
	user := c.str("user")
	if s.systemUser(user) == nil {
		return nil, errf(100, "The user is not a system user of a business with access to this account.")
	}
	tasks, ok := parseTasks(c.raw("tasks"))
	if !ok {
		return nil, errf(100, "Param tasks must be an array of {%s}", strings.Join(knownTasks, ", "))
	}
	if _, present := w.assigned[user]; present && s.sw.AssignedUsersRepeat == "error" {
		return nil, errf(100, "The user is already assigned to this account.")
	}
	w.assigned[user] = tasks
	return success(), nil
}

// parseTasks reads ["MANAGE"] and also ['MANAGE'], the form of Meta's own example.
func parseTasks(raw json.RawMessage) ([]string, bool) {
	var tasks []string
	if json.Unmarshal(raw, &tasks) != nil && json.Unmarshal([]byte(strings.ReplaceAll(rawString(raw), "'", `"`)), &tasks) != nil {
		return nil, false
	}
	for _, t := range tasks {
		if !slices.Contains(knownTasks, t) {
			return nil, false
		}
	}
	return tasks, len(tasks) > 0
}

func (s *Simulator) unassignUser(c *call) (any, *graphError) {
	w, err := s.waba(c)
	if err != nil {
		return nil, err
	}
	if c.str("user") == "" {
		return nil, missing("user")
	}
	delete(w.assigned, c.str("user"))
	return success(), nil
}

// RemovePartner plays the customer who removes the app's portfolio from the account in Business Settings: reads of the
// account fail from now on and the app gets PARTNER_REMOVED.
func (s *Simulator) RemovePartner(wabaID, appID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	w, app := s.st.wabas[wabaID], s.st.apps[appID]
	if w == nil || app == nil {
		return fmt.Errorf("metasim: no WABA %q or no app %q", wabaID, appID)
	}
	s.publishPartnerEvent(app, w, "PARTNER_REMOVED")
	w.removedApps[appID] = true
	w.SharedWith = slices.DeleteFunc(w.SharedWith, func(b string) bool { return b == app.BusinessID })
	w.SubscribedApps = slices.DeleteFunc(w.SubscribedApps, func(a SubscribedApp) bool { return a.AppID == appID })
	return nil
}
