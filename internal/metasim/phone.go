package metasim

import (
	"strings"
	"time"
)

var (
	phoneFields = []string{
		"id", "display_phone_number", "verified_name", "quality_rating", "code_verification_status", "name_status", "new_name_status", "status",
		"platform_type", "host_platform", "throughput", "last_onboarded_time", "webhook_configuration", "is_official_business_account", "account_mode",
		"is_on_biz_app", "whatsapp_business_manager_messaging_limit", "messaging_limit_tier", "health_status", "country_dial_code", "is_pin_enabled",
		"is_preverified_number", "search_visibility", "username",
	}
	phoneDefaults = []string{"id", "display_phone_number", "verified_name", "quality_rating"}
)

// usable says whether the number may send.
func (p *phoneState) usable() bool { return p.PlatformType == platformCloud && p.Status == "CONNECTED" }

// digits of the number, as webhooks print it.
func (p *phoneState) digits() string { return onlyDigits(p.DisplayPhoneNumber) }

// countryCode is what stands before the first space of the printed number.
func (p *phoneState) countryCode() string {
	cc, _, _ := strings.Cut(p.DisplayPhoneNumber, " ")
	return onlyDigits(cc)
}

func onlyDigits(v string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, v)
}

func (s *Simulator) getPhone(c *call) (any, *graphError) {
	p, err := s.phone(c, scopeManagement)
	if err != nil {
		return nil, err
	}
	return c.project("WhatsAppBusinessPhoneNumber", s.phoneNode(p, c.token), phoneFields, phoneDefaults)
}

func (s *Simulator) phoneNode(p *phoneState, t *token) map[string]any {
	level := "NOT_APPLICABLE"
	if p.usable() {
		level = "STANDARD"
	}
	status, platform := p.Status, p.PlatformType
	if s.sw.RegisteredMeanwhile && s.count.RegisterAttempts[p.ID] == 0 {
		status, platform = "PENDING", "NOT_APPLICABLE"
	}
	return map[string]any{
		"id": p.ID, "display_phone_number": p.DisplayPhoneNumber, "verified_name": p.VerifiedName, "quality_rating": p.QualityRating,
		"code_verification_status": p.CodeVerificationStatus, "name_status": p.NameStatus, "new_name_status": "NONE", "status": status,
		"platform_type": platform, "host_platform": platform, "throughput": map[string]any{"level": level},
		"last_onboarded_time": p.LastOnboardedTime, "webhook_configuration": s.webhookConfiguration(p, t), "is_official_business_account": false,
		"account_mode": "LIVE", "is_on_biz_app": p.IsOnBizApp, "whatsapp_business_manager_messaging_limit": p.MessagingLimit,
		"health_status": s.health(p.waba, p, t), "is_pin_enabled": p.PIN != "",
	}
}

// webhookConfiguration shows the three callbacks that the token's app has for a number; unset ones are absent.
func (s *Simulator) webhookConfiguration(p *phoneState, t *token) map[string]any {
	out := map[string]any{}
	if o, ok := p.overrides[t.appID]; ok {
		out["phone_number"] = o.OverrideCallbackURI
	}
	if sub := p.waba.subscription(t.appID); sub != nil && sub.OverrideCallbackURI != "" {
		out["whatsapp_business_account"] = sub.OverrideCallbackURI
	}
	if app := s.st.apps[t.appID]; app.Subscription != nil {
		out["application"] = app.Subscription.CallbackURL
	}
	return out
}

// updatePhone sets the two-step PIN or the number's own webhook. It takes the lock itself, for the handshake.
func (s *Simulator) updatePhone(c *call) (any, *graphError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.phone(c, scopeManagement)
	if err != nil {
		return nil, err
	}
	if c.has("webhook_configuration") {
		return s.setPhoneWebhook(c, p)
	}
	pin := c.str("pin")
	if pin == "" {
		return nil, missing("pin")
	}
	if !validPIN(pin) {
		return nil, errBadPIN()
	}
	if !s.sw.PINRetired {
		p.PIN, p.wrongPINs = pin, 0
	}
	return success(), nil
}

// setPhoneWebhook is called with the lock and gives it up during the handshake.
func (s *Simulator) setPhoneWebhook(c *call, p *phoneState) (any, *graphError) {
	conf, ok := c.object("webhook_configuration")
	if !ok {
		return nil, errf(100, "Param webhook_configuration must be an object.")
	}
	uri := rawString(conf["override_callback_uri"])
	appID := c.token.appID
	if uri == "" {
		delete(p.overrides, appID)
		return success(), nil
	}
	if err := s.unlockedHandshake(c, uri, rawString(conf["verify_token"])); err != nil {
		return nil, err
	}
	p.overrides[appID] = SubscribedApp{AppID: appID, OverrideCallbackURI: uri}
	return success(), nil
}

// syncWindow is how long after its onboarding a coexistence number hands over its data,
// https://developers.facebook.com/docs/whatsapp/embedded-signup/custom-flows/onboarding-business-app-users.
const syncWindow = 24 * time.Hour

// smbAppData starts the one-time synchronisation of a coexistence number.
func (s *Simulator) smbAppData(c *call) (any, *graphError) {
	p, err := s.phone(c, scopeManagement)
	if err != nil {
		return nil, err
	}
	kind := c.str("sync_type")
	switch {
	case c.str("messaging_product") != "whatsapp":
		return nil, missing("messaging_product")
	case kind != "smb_app_state_sync" && kind != "history":
		return nil, errf(100, "Param sync_type must be one of {smb_app_state_sync, history}")
	case !p.IsOnBizApp:
		return nil, errf(100, "The phone number is not used with the WhatsApp Business app.")
	case s.onboardedFor(p) > syncWindow:
		return nil, errf(2593108, "The synchronisation can be requested within 24 hours of onboarding only.")
	case p.syncs[kind]:
		return nil, errf(2593107, "The synchronisation was requested too often.")
	}
	p.syncs[kind] = true
	return map[string]any{"messaging_product": "whatsapp", "request_id": s.randomString(tokenAlphabet, 32)}, nil
}

// onboardedFor is how long ago the number was onboarded.
func (s *Simulator) onboardedFor(p *phoneState) time.Duration {
	at, err := time.Parse(graphTimeLayout, p.LastOnboardedTime)
	if err != nil {
		return 0
	}
	return s.now().Sub(at)
}
