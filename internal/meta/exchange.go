package meta

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
)

// actionExchangeCode is exempt from the rate limit, has its own transport and its own reading of the error codes.
const actionExchangeCode = "ExchangeCode"

// ExchangeRequest is one attempt to spend an authorization code.
type ExchangeRequest struct {
	AppID     string
	AppSecret redact.Secret
	Code      redact.Secret
	// RedirectURI is left out when nil, and else sent as it is, even when empty: Meta compares it with the one that the
	// code was issued for.
	RedirectURI *string
}

// BusinessToken is the access token of an onboarded business.
type BusinessToken struct {
	Token redact.Secret
	// ExpiresIn is the remaining life of the token; 0 when the answer doesn't say. DebugToken knows for certain.
	ExpiresIn time.Duration
}

// tokenAnswer is the answer of the calls that issue tokens.
type tokenAnswer struct {
	AccessToken redact.Secret `json:"access_token"`
	ExpiresIn   number        `json:"expires_in"`
}

func (a *tokenAnswer) check(cl *call) *Error { return cl.expect(!a.AccessToken.IsZero()) }

func (a *tokenAnswer) token() BusinessToken {
	// The bound, a century, keeps the product far from overflow.
	seconds := min(max(int64(a.ExpiresIn), 0), 100*365*24*3600)
	return BusinessToken{Token: a.AccessToken, ExpiresIn: time.Duration(seconds) * time.Second}
}

// ExchangeCode spends an authorization code of Embedded Signup for the business token of the customer. A code lives for
// 30 seconds and works once, so one call sends at most one request. After Unknown the code may be spent.
//
// See developers.facebook.com/docs/whatsapp/embedded-signup/onboarding-customers-as-a-tech-provider.
func (c *Client) ExchangeCode(ctx context.Context, req ExchangeRequest) (BusinessToken, error) {
	query := url.Values{
		"client_id":     {req.AppID},
		"client_secret": {req.AppSecret.Reveal()},
		"code":          {req.Code.Reveal()},
	}
	hidden := []string{req.AppSecret.Reveal(), req.Code.Reveal()}
	if req.RedirectURI != nil {
		query.Set("redirect_uri", *req.RedirectURI)
		// Its query may carry the state of the signup.
		hidden = append(hidden, *req.RedirectURI)
	}
	var out tokenAnswer
	err := c.doVia(ctx, c.single, &call{
		action: actionExchangeCode, method: http.MethodGet, edge: "oauth/access_token", query: query, hidden: hidden, irreversible: true,
	}, &out)
	if err != nil {
		return BusinessToken{}, err
	}
	return out.token(), nil
}
