package meta

import (
	"context"
	"net/http"
	"net/url"
)

// FetchBusinessToken fetches the existing business token of a customer who shared assets with the partner. Meta
// documents it for hosted Embedded Signup; it may also rescue a token whose exchange had an unknown outcome. cred is
// the partner's system token.
func (c *Client) FetchBusinessToken(ctx context.Context, cred Credential, customerBusinessID string) (BusinessToken, error) {
	form := url.Values{"fetch_only": {"true"}}
	if proof := cred.proof(); proof != "" {
		// Documented as a member of the form here, beside the query of every other call.
		form.Set("appsecret_proof", proof)
	}
	var out tokenAnswer
	err := c.do(ctx, &call{
		action: "FetchBusinessToken", method: http.MethodPost, object: customerBusinessID,
		edge: "system_user_access_tokens", body: formBody(form), cred: cred,
	}, &out)
	if err != nil {
		return BusinessToken{}, err
	}
	return out.token(), nil
}
