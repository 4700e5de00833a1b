package metasim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	scopeManagement = "whatsapp_business_management"
	scopeMessaging  = "whatsapp_business_messaging"
	scopeBusiness   = "business_management"
)

type tokenKind int

const (
	kindSystem   tokenKind = iota // of a system user, made in Business Settings
	kindBusiness                  // result of a code exchange
	kindApp                       // "app id|app secret"
)

type token struct {
	value      string
	kind       tokenKind
	appID      string
	userID     string
	userName   string
	businessID string // the token's own portfolio; for business tokens the customer's
	scopes     []string
	wabaIDs    []string // granted accounts; empty on system tokens = all of the portfolio
	issuedAt   time.Time
	expiresAt  time.Time // zero = never
	revoked    bool
	temporary  bool
}

type code struct {
	id        string
	value     string
	appID     string
	wabaIDs   []string
	scopes    []string
	issuedAt  time.Time
	expiresAt time.Time
	used      bool
}

// CodeRequest describes what the customer grants in Embedded Signup.
type CodeRequest struct {
	AppID   string   `json:"appID"`
	WABAIDs []string `json:"wabaIDs"`
	// Scopes default to the two of WhatsApp.
	Scopes []string `json:"scopes,omitempty"`
	// TTL defaults to Options.CodeTTL.
	TTL Duration `json:"ttl,omitempty"`
}

// IssuedCode is a signup code. ID names it in counters and in the journal, which never hold the code itself.
type IssuedCode struct {
	ID        string    `json:"id"`
	Code      string    `json:"code"`
	ExpiresAt time.Time `json:"expiresAt"`
	// What the browser's FINISH event would carry.
	WABAID        string `json:"wabaID"`
	PhoneNumberID string `json:"phoneNumberID,omitempty"`
	BusinessID    string `json:"businessID"`
}

// IssueCode plays a customer who completes Embedded Signup: the accounts become shared with the app's portfolio, the
// app learns it by PARTNER_ADDED, and a code that works once for a short time is returned.
func (s *Simulator) IssueCode(req CodeRequest) (IssuedCode, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	app := s.st.apps[req.AppID]
	if app == nil {
		return IssuedCode{}, noSuch("app", req.AppID)
	}
	if len(req.WABAIDs) == 0 {
		return IssuedCode{}, fmt.Errorf("metasim: a code grants at least one WABA")
	}
	for _, id := range req.WABAIDs {
		if s.st.wabas[id] == nil {
			return IssuedCode{}, noSuch("WABA", id)
		}
	}
	if len(req.Scopes) == 0 {
		req.Scopes = []string{scopeManagement, scopeMessaging}
	}
	ttl := time.Duration(req.TTL)
	if ttl <= 0 {
		ttl = s.codeTTL
	}
	s.st.nextCode++
	now := s.now()
	c := &code{
		id: fmt.Sprintf("code-%d", s.st.nextCode), value: "AQB" + s.randomString(tokenAlphabet+"-_", 300), appID: req.AppID,
		wabaIDs: slices.Clone(req.WABAIDs), scopes: slices.Clone(req.Scopes), issuedAt: now, expiresAt: now.Add(ttl),
	}
	s.st.codes[c.value] = c
	for _, id := range req.WABAIDs {
		s.grant(app, s.st.wabas[id])
	}
	first := s.st.wabas[req.WABAIDs[0]]
	out := IssuedCode{ID: c.id, Code: c.value, ExpiresAt: c.expiresAt, WABAID: first.ID, BusinessID: first.OwnerBusinessID}
	if len(first.phones) > 0 {
		out.PhoneNumberID = first.phones[0].ID
	}
	return out, nil
}

// grant shares a WABA with the app's portfolio. Requires mu.
func (s *Simulator) grant(app *appState, w *wabaState) {
	delete(w.removedApps, app.ID)
	if app.BusinessID != "" && !slices.Contains(w.SharedWith, app.BusinessID) {
		w.SharedWith = append(w.SharedWith, app.BusinessID)
	}
	for _, p := range w.phones {
		p.LastOnboardedTime = graphTime(s.now())
	}
	if s.sw.PartnerAddedWebhook {
		s.publishPartnerEvent(app, w, "PARTNER_ADDED")
	}
}

func (s *Simulator) exchange(c *call) (any, *graphError) {
	app := s.st.apps[c.str("client_id")]
	if app == nil {
		return nil, errf(101, "Error validating application. Cannot get application info due to a system error.")
	}
	if !hmac.Equal([]byte(c.str("client_secret")), []byte(app.Secret)) {
		return nil, errf(1, "Error validating client secret.")
	}
	if c.str("grant_type") == "client_credentials" {
		return map[string]any{"access_token": app.ID + "|" + app.Secret, "token_type": "bearer"}, nil
	}
	cd := s.st.codes[c.str("code")]
	switch {
	case !c.has("code"):
		return nil, missing("code")
	case cd == nil || cd.appID != app.ID:
		return nil, errf(100, "Invalid verification code format.")
	case cd.used:
		return nil, errf(100, "This authorization code has been used.").sub(36009)
	case !s.now().Before(cd.expiresAt):
		return nil, errf(100, "This authorization code has expired.").sub(36007)
	case !s.redirectMatches(app, c):
		return nil, errf(100, "Error validating verification code. Please make sure your redirect_uri is identical to the one you used in the OAuth dialog request").sub(36008)
	}
	cd.used = true
	t := s.mintBusinessToken(app.ID, cd.wabaIDs, cd.scopes)
	return s.tokenAnswer(t), nil
}

func (s *Simulator) tokenAnswer(t *token) map[string]any {
	out := map[string]any{"access_token": t.value, "token_type": "bearer"}
	if !t.expiresAt.IsZero() && !s.sw.ExchangeOmitsExpiresIn {
		out["expires_in"] = int64(t.expiresAt.Sub(t.issuedAt) / time.Second)
	}
	return out
}

func (s *Simulator) redirectMatches(app *appState, c *call) bool {
	policy := s.sw.RedirectURIPolicy
	if policy == "" {
		policy = app.RedirectURIPolicy
	}
	switch policy {
	case "absent":
		return !c.has("redirect_uri")
	case "empty":
		return c.has("redirect_uri") && c.str("redirect_uri") == ""
	case "exact":
		return c.str("redirect_uri") == app.RedirectURI
	}
	return true
}

func (s *Simulator) mintBusinessToken(appID string, wabaIDs, scopes []string) *token {
	now := s.now()
	t := &token{
		value: s.newToken(), kind: kindBusiness, appID: appID, userID: "1221" + s.randomString("0123456789", 14),
		businessID: s.st.wabas[wabaIDs[0]].OwnerBusinessID, wabaIDs: slices.Clone(wabaIDs),
		scopes: append(slices.Clone(scopes), "public_profile"), issuedAt: now,
	}
	if life := time.Duration(s.sw.BusinessTokenLifetime); life > 0 {
		t.expiresAt = now.Add(life)
	}
	s.st.tokens[t.value] = t
	return t
}

// rescueToken is what hosted Embedded Signup uses to fetch the token of a business that has shared an account.
func (s *Simulator) rescueToken(c *call) (any, *graphError) {
	if err := c.needScope(scopeBusiness); err != nil {
		return nil, err
	}
	if s.sw.Rescue != "works" {
		return nil, errf(200, "You do not have permission to access this business's tokens").status(http.StatusForbidden)
	}
	if c.str("fetch_only") != "true" {
		return nil, missing("fetch_only")
	}
	var ids []string
	for _, id := range sortedKeys(s.st.wabas) {
		w := s.st.wabas[id]
		if w.OwnerBusinessID == c.objectID && slices.Contains(w.SharedWith, c.token.businessID) && !w.removedApps[c.token.appID] {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil, s.invisible(c.method, c.objectID)
	}
	t := s.mintBusinessToken(c.token.appID, ids, []string{scopeManagement, scopeMessaging})
	return map[string]any{"access_token": t.value}, nil
}

// authenticate resolves the caller's token and its appsecret_proof. Requires mu.
func (s *Simulator) authenticate(c *call) *graphError {
	value := c.str("access_token")
	if h := c.r.Header.Get("Authorization"); h != "" {
		scheme, rest, _ := strings.Cut(h, " ")
		if !strings.EqualFold(scheme, "Bearer") && !strings.EqualFold(scheme, "OAuth") {
			return errf(104, "An access token is required to request this resource.").status(http.StatusUnauthorized)
		}
		value = strings.TrimSpace(rest)
	}
	if value == "" {
		return errf(104, "An access token is required to request this resource.").status(http.StatusUnauthorized)
	}
	t, err := s.lookupToken(value)
	if err != nil {
		return err
	}
	c.token = t
	return s.checkProof(c)
}

func (s *Simulator) lookupToken(value string) (*token, *graphError) {
	if id, secret, ok := strings.Cut(value, "|"); ok {
		app := s.st.apps[id]
		if app == nil || !hmac.Equal([]byte(secret), []byte(app.Secret)) {
			return nil, errf(190, "Invalid OAuth access token signature.").status(http.StatusUnauthorized)
		}
		return &token{value: value, kind: kindApp, appID: id, businessID: app.BusinessID}, nil
	}
	t := s.st.tokens[value]
	if t == nil {
		return nil, errf(190, "Invalid OAuth access token - Cannot parse access token").status(http.StatusUnauthorized)
	}
	if problem := s.tokenProblem(t); problem != nil {
		return nil, problem
	}
	return t, nil
}

func (s *Simulator) tokenProblem(t *token) *graphError {
	if t.revoked {
		return errf(190, "Error validating access token: The session has been invalidated because the user changed their password or the token was revoked.").
			sub(460).status(http.StatusUnauthorized)
	}
	if !t.expiresAt.IsZero() && !s.now().Before(t.expiresAt) {
		return errf(190, "Error validating access token: Session has expired on %s.", t.expiresAt.UTC().Format(time.RFC1123)).sub(463).status(http.StatusUnauthorized)
	}
	return nil
}

// checkProof verifies appsecret_proof, https://developers.facebook.com/docs/graph-api/guides/secure-requests.
func (s *Simulator) checkProof(c *call) *graphError {
	proof := c.str("appsecret_proof")
	if proof == "" && !s.sw.RequireAppSecretProof {
		return nil
	}
	e := errf(100, "API calls from the server require an appsecret_proof argument")
	e.kind = "GraphMethodException"
	if proof == "" {
		return e
	}
	mac := hmac.New(sha256.New, []byte(s.st.apps[c.token.appID].Secret))
	mac.Write([]byte(c.token.value))
	if !hmac.Equal([]byte(proof), []byte(hex.EncodeToString(mac.Sum(nil)))) {
		e.message = "Invalid appsecret_proof provided in the API argument"
		return e
	}
	return nil
}

func (c *call) needScope(scope string) *graphError {
	if c.token.kind == kindApp || !slices.Contains(c.token.scopes, scope) {
		return missingScope(scope)
	}
	return nil
}

// sees says whether a token may act on an account. Requires mu.
func (t *token) sees(w *wabaState) bool {
	if t.kind == kindApp || w.removedApps[t.appID] {
		return false
	}
	if len(t.wabaIDs) > 0 {
		return slices.Contains(t.wabaIDs, w.ID)
	}
	return w.OwnerBusinessID == t.businessID || slices.Contains(w.SharedWith, t.businessID)
}

// waba returns the account of the call's path when the token may manage it. Requires mu.
func (s *Simulator) waba(c *call) (*wabaState, *graphError) {
	w := s.st.wabas[c.objectID]
	if w == nil || !c.token.sees(w) {
		return nil, s.invisible(c.method, c.objectID)
	}
	return w, c.needScope(scopeManagement)
}

// phone returns the number of the call's path when the token has the scope and may see it. Requires mu.
func (s *Simulator) phone(c *call, scope string) (*phoneState, *graphError) {
	p := s.st.phones[c.objectID]
	if p == nil || !c.token.sees(p.waba) {
		return nil, s.invisible(c.method, c.objectID)
	}
	return p, c.needScope(scope)
}

// debugToken is https://developers.facebook.com/docs/graph-api/reference/debug_token.
func (s *Simulator) debugToken(c *call) (any, *graphError) {
	input := c.str("input_token")
	if input == "" {
		return nil, missing("input_token")
	}
	t := s.st.tokens[input]
	if t == nil {
		return map[string]any{"data": map[string]any{
			"is_valid": false, "scopes": []any{}, "error": map[string]any{"code": 190, "message": "Invalid OAuth access token."},
		}}, nil
	}
	if t.appID != c.token.appID {
		return nil, errf(100, "You must provide an app access token, or a user access token that is an owner or developer of the app")
	}
	data := s.describeToken(t)
	if problem := s.tokenProblem(t); problem != nil {
		data["is_valid"] = false
		data["error"] = map[string]any{"code": problem.code, "subcode": problem.subcode, "message": problem.message}
	}
	return map[string]any{"data": data}, nil
}

func (s *Simulator) describeToken(t *token) map[string]any {
	var expires int64
	if !t.expiresAt.IsZero() {
		expires = t.expiresAt.Unix()
	}
	kind := "SYSTEM_USER"
	if t.temporary {
		kind = "USER"
	}
	scopes, granular := []any{}, []any{}
	targets := t.targets()
	for _, sc := range t.scopes {
		scopes = append(scopes, sc)
		g := map[string]any{"scope": sc}
		if s.sw.GranularTargets == "present" && len(targets) > 0 && (sc == scopeManagement || sc == scopeMessaging) {
			g["target_ids"] = targets
		}
		granular = append(granular, g)
	}
	return map[string]any{
		"app_id": t.appID, "type": kind, "application": s.st.apps[t.appID].Name, "data_access_expires_at": 0, "expires_at": expires,
		"is_valid": true, "issued_at": t.issuedAt.Unix(), "scopes": scopes, "granular_scopes": granular, "user_id": t.userID,
	}
}

// targets lists the accounts of a token, the newest grant first.
func (t *token) targets() []any {
	out := []any{}
	for _, id := range slices.Backward(t.wabaIDs) {
		out = append(out, id)
	}
	return out
}

func (s *Simulator) me(c *call) (any, *graphError) {
	if c.token.kind == kindApp {
		return nil, errf(2500, "An active access token must be used to query information about the current user.")
	}
	node := map[string]any{"id": c.token.userID, "name": c.token.userName}
	if c.token.kind == kindBusiness {
		node["client_business_id"] = c.token.businessID
	}
	return c.project("User", node, []string{"client_business_id"}, []string{"id", "name"})
}

// RevokeToken makes a token invalid at once, as its owner can in Business Settings.
func (s *Simulator) RevokeToken(value string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.st.tokens[value]
	if t == nil {
		return fmt.Errorf("metasim: unknown token")
	}
	t.revoked = true
	return nil
}

func unescape(v string) (string, error) {
	out, err := url.QueryUnescape(v)
	if err != nil {
		return "", fmt.Errorf("it is not form-encoded")
	}
	return out, nil
}
