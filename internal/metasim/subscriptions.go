package metasim

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	webhookObject = "whatsapp_business_account"
	// Meta's own bounds.
	maxOverrideURI = 200
	// A challenge is ten digits; whoever answers with more is not answering it.
	maxHandshakeAnswer = 4 << 10
)

// webhookFields is every field of the object, https://developers.facebook.com/docs/graph-api/webhooks/reference/whatsapp-business-account.
var webhookFields = []string{
	"account_alerts", "account_review_update", "account_settings_update", "account_update", "automatic_events", "business_capability_update",
	"business_username_update", "calls", "consumer_profile", "flows", "group_lifecycle_update", "group_participants_update", "group_settings_update",
	"group_status_update", "history", "message_echoes", "message_template_components_update", "message_template_quality_update",
	"message_template_status_update", "messages", "messaging_handovers", "partner_solutions", "payment_configuration_update",
	"phone_number_name_update", "phone_number_quality_update", "security", "smb_app_state_sync", "smb_message_echoes", "standby",
	"template_category_update", "user_preferences",
}

// overridable fields follow the callback of a number or account; all others always go to the app's.
var overridable = []string{
	"messages", "message_echoes", "calls", "consumer_profile", "messaging_handovers", "group_lifecycle_update", "group_participants_update",
	"group_settings_update", "group_status_update", "smb_message_echoes", "smb_app_state_sync", "history", "account_settings_update",
}

func (w *wabaState) subscription(appID string) *SubscribedApp {
	for i := range w.SubscribedApps {
		if w.SubscribedApps[i].AppID == appID {
			return &w.SubscribedApps[i]
		}
	}
	return nil
}

func (s *Simulator) listSubscribedApps(c *call) (any, *graphError) {
	w, err := s.waba(c)
	if err != nil {
		return nil, err
	}
	data := []any{}
	for _, sub := range w.SubscribedApps {
		name := ""
		if app := s.st.apps[sub.AppID]; app != nil {
			name = app.Name
		}
		n := map[string]any{"whatsapp_business_api_data": map[string]any{
			"id": sub.AppID, "name": name, "link": "https://www.facebook.com/games/?app_id=" + sub.AppID,
		}}
		if sub.OverrideCallbackURI != "" {
			n["override_callback_uri"] = sub.OverrideCallbackURI
		}
		data = append(data, n)
	}
	return map[string]any{"data": data}, nil
}

// subscribe subscribes the token's app to an account. Without a body it also removes an override. It takes the lock
// itself, for the handshake.
func (s *Simulator) subscribe(c *call) (any, *graphError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w, err := s.waba(c)
	if err != nil {
		return nil, err
	}
	uri := c.str("override_callback_uri")
	if uri != "" {
		if len(uri) > maxOverrideURI {
			return nil, errf(100, "Param override_callback_uri must be at most %d characters long.", maxOverrideURI)
		}
		if err := s.unlockedHandshake(c, uri, c.str("verify_token")); err != nil {
			return nil, err
		}
	}
	if sub := w.subscription(c.token.appID); sub != nil {
		sub.OverrideCallbackURI = uri
	} else {
		w.SubscribedApps = append(w.SubscribedApps, SubscribedApp{AppID: c.token.appID, OverrideCallbackURI: uri})
	}
	return success(), nil
}

func (s *Simulator) unsubscribe(c *call) (any, *graphError) {
	w, err := s.waba(c)
	if err != nil {
		return nil, err
	}
	w.SubscribedApps = slices.DeleteFunc(w.SubscribedApps, func(a SubscribedApp) bool { return a.AppID == c.token.appID })
	return success(), nil
}

// app returns the app of the path, for its own app token only.
func (s *Simulator) app(c *call) (*appState, *graphError) {
	if c.token.kind != kindApp || c.token.appID != c.objectID {
		return nil, errf(15, "This method must be called with an app access token").status(http.StatusForbidden)
	}
	return s.st.apps[c.objectID], nil
}

func (s *Simulator) listAppSubscriptions(c *call) (any, *graphError) {
	app, err := s.app(c)
	if err != nil {
		return nil, err
	}
	data := []any{}
	if sub := app.Subscription; sub != nil {
		fields := []any{}
		for _, f := range sub.Fields {
			fields = append(fields, map[string]any{"name": f, "version": sub.Version})
		}
		data = append(data, map[string]any{"object": webhookObject, "callback_url": sub.CallbackURL, "active": !sub.Inactive, "fields": fields})
	}
	return map[string]any{"data": data}, nil
}

// subscribeApp sets the app's callback and fields; the handshake happens before the answer.
func (s *Simulator) subscribeApp(c *call) (any, *graphError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	app, err := s.app(c)
	if err != nil {
		return nil, err
	}
	if c.str("object") != webhookObject {
		return nil, errf(100, "Param object must be %s", webhookObject)
	}
	fields := strings.FieldsFunc(c.str("fields"), func(r rune) bool { return r == ',' || r == ' ' })
	if len(fields) == 0 {
		return nil, missing("fields")
	}
	for _, f := range fields {
		if !slices.Contains(webhookFields, f) {
			return nil, errf(100, "Invalid field %q for object %s", f, webhookObject)
		}
	}
	sub := AppSubscription{CallbackURL: c.str("callback_url"), VerifyToken: c.str("verify_token"), Fields: fields, Version: c.version}
	if sub.CallbackURL == "" {
		return nil, missing("callback_url")
	}
	if sub.Version == "" {
		sub.Version = "v25.0"
	}
	if err := s.unlockedHandshake(c, sub.CallbackURL, sub.VerifyToken); err != nil {
		return nil, err
	}
	app.Subscription = &sub
	return success(), nil
}

func (s *Simulator) unsubscribeApp(c *call) (any, *graphError) {
	app, err := s.app(c)
	if err != nil {
		return nil, err
	}
	fields := strings.FieldsFunc(c.str("fields"), func(r rune) bool { return r == ',' || r == ' ' })
	if app.Subscription != nil && len(fields) > 0 {
		app.Subscription.Fields = slices.DeleteFunc(slices.Clone(app.Subscription.Fields), func(f string) bool { return slices.Contains(fields, f) })
		return success(), nil
	}
	app.Subscription = nil
	return success(), nil
}

// ConfigureWebhook is "Verify and save" on the app's dashboard: the handshake, then callback and fields (messages alone
// when none are named).
func (s *Simulator) ConfigureWebhook(ctx context.Context, appID string, sub AppSubscription) error {
	if len(sub.Fields) == 0 {
		sub.Fields = []string{"messages"}
	}
	if sub.Version == "" {
		sub.Version = "v25.0"
	}
	s.mu.Lock()
	app, timeout := s.st.apps[appID], time.Duration(s.sw.WebhookTimeout)
	s.mu.Unlock()
	if app == nil {
		return noSuch("app", appID)
	}
	if err := s.handshake(ctx, sub.CallbackURL, sub.VerifyToken, timeout); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	app.Subscription = &sub
	return nil
}

// unlockedHandshake is called with the lock and returns with it; in between the callback is asked.
func (s *Simulator) unlockedHandshake(c *call, uri, verifyToken string) *graphError {
	timeout, failure := time.Duration(s.sw.WebhookTimeout), s.sw.HandshakeErrorCode
	s.mu.Unlock()
	err := s.handshake(c.r.Context(), uri, verifyToken, timeout)
	s.mu.Lock()
	if err != nil {
		return errf(failure, "Callback verification failed with the following errors: %s", err)
	}
	return nil
}

// handshake asks the callback for the challenge,
// https://developers.facebook.com/docs/graph-api/webhooks/getting-started#verification-requests.
func (s *Simulator) handshake(ctx context.Context, uri, verifyToken string, timeout time.Duration) error {
	s.mu.Lock()
	challenge := strconv.Itoa(1_000_000_000 + s.rng.IntN(1_000_000_000))
	s.mu.Unlock()
	err := s.askChallenge(ctx, uri, verifyToken, challenge, timeout)
	s.mu.Lock()
	defer s.mu.Unlock()
	entry := JournalEntry{Call: "handshake", Method: http.MethodGet, Path: stripQuery(uri), Status: http.StatusOK}
	if err != nil {
		entry.Status, entry.Note = 0, err.Error()
	}
	s.journal.add(s.now(), entry)
	s.count.Calls["handshake"]++
	return err
}

func (s *Simulator) askChallenge(ctx context.Context, uri, verifyToken, challenge string, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := s.callbackRequest(ctx, http.MethodGet, uri, nil)
	if err != nil {
		return err
	}
	q := req.URL.Query()
	q.Set("hub.mode", "subscribe")
	q.Set("hub.challenge", challenge)
	q.Set("hub.verify_token", verifyToken)
	req.URL.RawQuery = q.Encode()
	res, err := s.client.Do(req)
	if err != nil {
		return describeCallback(err)
	}
	defer closeBody(res.Body)
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxHandshakeAnswer))
	switch {
	case err != nil:
		return fmt.Errorf("the answer can't be read")
	case res.StatusCode != http.StatusOK:
		return fmt.Errorf("HTTP Status Code = %d", res.StatusCode)
	case string(answer) != challenge:
		return fmt.Errorf("the answer is not the challenge")
	}
	return nil
}

func stripQuery(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return "(malformed)"
	}
	u.RawQuery, u.User, u.Fragment = "", nil, ""
	return u.String()
}
