package meta

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
)

// webhookObject is the kind of object whose webhooks this project receives.
const webhookObject = "whatsapp_business_account"

// CallbackOverride sends the webhooks of an account or a number elsewhere than to the callback of the app.
type CallbackOverride struct {
	// URI is the callback, https, at most 200 characters.
	URI string
	// VerifyToken is what Meta presents to the callback before it accepts it.
	VerifyToken redact.Secret
}

// overrideBody has no omitempty: empty strings remove the override of a number.
type overrideBody struct {
	URI         string `json:"override_callback_uri"`
	VerifyToken string `json:"verify_token"`
}

// SubscribedApp is an app that receives the webhooks of an account.
type SubscribedApp struct {
	AppID ID
	Name  string
	// OverrideCallbackURI is empty if the webhooks go to the callback of the app.
	OverrideCallbackURI string
}

// SubscribeApp subscribes the app of the token to the webhooks of an account. It may be repeated. Without an override an
// existing one is removed; with one Meta first makes its handshake there.
//
// See developers.facebook.com/docs/graph-api/reference/whats-app-business-account/subscribed_apps.
func (c *Client) SubscribeApp(ctx context.Context, cred Credential, wabaID string, override *CallbackOverride) error {
	cl := &call{action: "SubscribeApp", method: http.MethodPost, object: wabaID, edge: "subscribed_apps", cred: cred}
	if override != nil {
		cl.body = jsonBody(overrideBody{override.URI, override.VerifyToken.Reveal()})
		cl.hidden = []string{override.VerifyToken.Reveal()}
	}
	return c.acknowledge(ctx, cl)
}

// SubscribedApps lists the apps that receive the webhooks of an account, as far as the token can see them.
func (c *Client) SubscribedApps(ctx context.Context, cred Credential, wabaID string) ([]SubscribedApp, error) {
	type entry struct {
		App struct {
			ID   ID     `json:"id"`
			Name string `json:"name"`
		} `json:"whatsapp_business_api_data"`
		OverrideCallbackURI string `json:"override_callback_uri"`
	}
	entries, err := list[entry](ctx, c, &call{
		action: "ListSubscribedApps", method: http.MethodGet, object: wabaID, edge: "subscribed_apps", cred: cred,
	})
	if err != nil {
		return nil, err
	}
	apps := make([]SubscribedApp, 0, len(entries))
	for _, e := range entries {
		apps = append(apps, SubscribedApp{AppID: e.App.ID, Name: e.App.Name, OverrideCallbackURI: e.OverrideCallbackURI})
	}
	return apps, nil
}

// UnsubscribeApp ends the webhooks of an account for the app of the token.
func (c *Client) UnsubscribeApp(ctx context.Context, cred Credential, wabaID string) error {
	return c.acknowledge(ctx, &call{
		action: "UnsubscribeApp", method: http.MethodDelete, object: wabaID, edge: "subscribed_apps", cred: cred,
	})
}

// OverridePhoneWebhook sends the webhooks of one number elsewhere. The zero override removes an existing one.
func (c *Client) OverridePhoneWebhook(ctx context.Context, cred Credential, phoneNumberID string, o CallbackOverride) error {
	body := map[string]overrideBody{"webhook_configuration": {o.URI, o.VerifyToken.Reveal()}}
	return c.acknowledge(ctx, &call{
		action: "OverridePhoneWebhook", method: http.MethodPost, object: phoneNumberID, cred: cred,
		body: jsonBody(body), hidden: []string{o.VerifyToken.Reveal()},
	})
}

// phoneWebhookAnswer is a number with nothing but its webhook configuration.
type phoneWebhookAnswer struct {
	ID            ID                   `json:"id"`
	Configuration WebhookConfiguration `json:"webhook_configuration"`
}

func (a *phoneWebhookAnswer) check(cl *call) *Error { return cl.expect(a.ID != "") }

// PhoneWebhook reads where the webhooks of a number go.
func (c *Client) PhoneWebhook(ctx context.Context, cred Credential, phoneNumberID string) (WebhookConfiguration, error) {
	var out phoneWebhookAnswer
	err := c.do(ctx, &call{
		action: "ReadPhoneWebhook", method: http.MethodGet, object: phoneNumberID, cred: cred,
		query: fields("webhook_configuration"),
	}, &out)
	return out.Configuration, err
}

// AppSubscription is the callback of an app for one kind of object.
type AppSubscription struct {
	Object      string
	CallbackURL string
	Active      bool
	Fields      []AppSubscriptionField
}

// AppSubscriptionField is a webhook field, with the version of its payload if Meta tells it.
type AppSubscriptionField struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// UnmarshalJSON accepts the documented object and a bare name.
func (f *AppSubscriptionField) UnmarshalJSON(data []byte) error {
	type plain AppSubscriptionField
	*f = AppSubscriptionField{}
	return decodeEither(data, (*plain)(f), &f.Name)
}

// UnmarshalJSON accepts a flag in each of Meta's spellings.
func (s *AppSubscription) UnmarshalJSON(data []byte) error {
	var wire struct {
		Object      string                 `json:"object"`
		CallbackURL string                 `json:"callback_url"`
		Active      flag                   `json:"active"`
		Fields      []AppSubscriptionField `json:"fields"`
	}
	if err := json.Unmarshal(data, &wire); err != nil {
		return err
	}
	*s = AppSubscription{wire.Object, wire.CallbackURL, wire.Active.value, wire.Fields}
	return nil
}

// AppSubscriptions lists the callbacks of an app, for all kinds of objects. cred is AppCredential.
//
// See developers.facebook.com/docs/graph-api/webhooks/subscriptions-edge.
func (c *Client) AppSubscriptions(ctx context.Context, cred Credential, appID string) ([]AppSubscription, error) {
	return list[AppSubscription](ctx, c, &call{
		action: "ListAppSubscriptions", method: http.MethodGet, object: appID, edge: "subscriptions", cred: cred,
	})
}

// AppSubscriptionRequest is the callback to set.
type AppSubscriptionRequest struct {
	CallbackURL string
	VerifyToken redact.Secret
	// Fields are the webhook fields to receive.
	Fields []string
}

// SetAppSubscription sets the callback of an app for WhatsApp webhooks, replacing another. Meta makes its handshake at
// the callback during the call. cred is AppCredential.
func (c *Client) SetAppSubscription(ctx context.Context, cred Credential, appID string, r AppSubscriptionRequest) error {
	form := url.Values{
		"object":         {webhookObject},
		"callback_url":   {r.CallbackURL},
		"verify_token":   {r.VerifyToken.Reveal()},
		"fields":         {strings.Join(r.Fields, ",")},
		"include_values": {"true"},
	}
	return c.acknowledge(ctx, &call{
		action: "SetAppSubscription", method: http.MethodPost, object: appID, edge: "subscriptions", cred: cred,
		body: formBody(form), hidden: []string{r.VerifyToken.Reveal()},
	})
}

// DeleteAppSubscription ends WhatsApp webhooks of an app: those of the given fields, or all of them.
func (c *Client) DeleteAppSubscription(ctx context.Context, cred Credential, appID string, fieldNames ...string) error {
	query := url.Values{"object": {webhookObject}}
	if len(fieldNames) > 0 {
		query.Set("fields", strings.Join(fieldNames, ","))
	}
	return c.acknowledge(ctx, &call{
		action: "DeleteAppSubscription", method: http.MethodDelete, object: appID, edge: "subscriptions", cred: cred,
		query: query,
	})
}
