package meta

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
)

// Permissions that this project needs, see developers.facebook.com/docs/permissions.
const (
	ScopeManagement         = "whatsapp_business_management"
	ScopeMessaging          = "whatsapp_business_messaging"
	ScopeBusinessManagement = "business_management"
)

// TokenInfo is what Meta says about an access token.
type TokenInfo struct {
	AppID       ID     `json:"app_id"`
	Application string `json:"application"`
	// Type is "SYSTEM_USER", "USER" or another kind of token.
	Type   string `json:"type"`
	UserID ID     `json:"user_id"`
	// Valid is false for a dead token; then Problem says why.
	Valid bool `json:"-"`
	// ExpiresAt is zero if the token never expires.
	ExpiresAt Time `json:"expires_at"`
	// DataAccessExpiresAt is zero if the access to data never expires.
	DataAccessExpiresAt Time            `json:"data_access_expires_at"`
	IssuedAt            Time            `json:"issued_at"`
	Scopes              []string        `json:"scopes"`
	GranularScopes      []GranularScope `json:"granular_scopes"`
	// Problem is Meta's reason why the token is not valid; nil for a valid one.
	Problem *TokenProblem `json:"error"`
}

// GranularScope limits a permission to some assets.
type GranularScope struct {
	Scope string `json:"scope"`
	// TargetIDs are the assets, newest first; nil means all that the token's owner has.
	TargetIDs []ID `json:"target_ids"`
}

// TokenProblem is why a token is not valid, in Meta's codes; the meaning is that of Error.Code 190.
type TokenProblem struct {
	Code    int `json:"code"`
	Subcode int `json:"subcode"`
}

// HasScope reports whether the token was granted a permission, on whatever assets.
func (t *TokenInfo) HasScope(scope string) bool {
	return slices.Contains(t.Scopes, scope) ||
		slices.ContainsFunc(t.GranularScopes, func(g GranularScope) bool { return g.Scope == scope })
}

// GrantedWABAs returns the WhatsApp Business Accounts that a permission was granted on, newest first. all means that
// the grant names none, so it covers whatever the customer has: prove access by reading the account. Without the
// permission both are zero.
func (t *TokenInfo) GrantedWABAs(scope string) (ids []string, all bool) {
	limited := false
	for _, g := range t.GranularScopes {
		if g.Scope != scope {
			continue
		}
		limited = true
		if g.TargetIDs == nil {
			return nil, true
		}
		for _, id := range g.TargetIDs {
			if !slices.Contains(ids, string(id)) {
				ids = append(ids, string(id))
			}
		}
	}
	return ids, !limited && slices.Contains(t.Scopes, scope)
}

// debugAnswer is the answer of debug_token. is_valid is kept apart because its absence is not "false".
type debugAnswer struct {
	Data *struct {
		TokenInfo
		IsValid flag `json:"is_valid"`
	} `json:"data"`
}

func (a *debugAnswer) check(cl *call) *Error {
	return cl.expect(a.Data != nil && a.Data.IsValid.set)
}

// DebugToken inspects a token. caller is AppCredential, or the system token of the same app. A dead token is not an
// error; see TokenInfo.Valid.
//
// See developers.facebook.com/docs/graph-api/reference/debug_token.
func (c *Client) DebugToken(ctx context.Context, caller Credential, token redact.Secret) (TokenInfo, error) {
	var out debugAnswer
	err := c.do(ctx, &call{
		action: "DebugToken", method: http.MethodGet, edge: "debug_token", cred: caller,
		query: url.Values{"input_token": {token.Reveal()}}, hidden: []string{token.Reveal()},
	}, &out)
	if err != nil {
		return TokenInfo{}, err
	}
	info := out.Data.TokenInfo
	info.Valid = out.Data.IsValid.value
	return info, nil
}

// Me is the owner of a token.
type Me struct {
	ID ID `json:"id"`
	// ClientBusinessID is the business portfolio of the customer; empty for tokens that are no business tokens.
	ClientBusinessID ID `json:"client_business_id"`
}

func (a *Me) check(cl *call) *Error { return cl.expect(a.ID != "") }

// Me reads who a token belongs to.
func (c *Client) Me(ctx context.Context, cred Credential) (Me, error) {
	var out Me
	err := c.do(ctx, &call{
		action: "ReadMe", method: http.MethodGet, edge: "me", cred: cred, query: fields("id", "client_business_id"),
	}, &out)
	return out, err
}
