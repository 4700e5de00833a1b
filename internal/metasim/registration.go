package metasim

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

const (
	registerLimit  = 10
	registerWindow = 72 * time.Hour
	pinLock        = time.Hour
	verifyCodeTTL  = 10 * time.Minute
)

var localizationRegions = []string{"AU", "ID", "IN", "JP", "SG", "KR", "DE", "CH", "GB", "BR", "BH", "ZA", "AE", "CA"}

func validPIN(pin string) bool { return len(pin) == 6 && digitsOnly(pin) }

func errBadPIN() *graphError {
	return errf(100, "Invalid parameter").sub(2388092).detail("The PIN must be a string of 6 digits.")
}

// withinLimit counts one register or deregister call and applies the lock of 72 hours,
// https://developers.facebook.com/docs/whatsapp/cloud-api/reference/registration.
func (s *Simulator) withinLimit(p *phoneState, calls *[]time.Time) *graphError {
	now := s.now()
	locked := waError(133016, "Account register or deregister calls exceeded", "Too many register or deregister calls for this phone number. Try again after 72 hours.")
	if now.Before(p.lockedUntil) {
		return locked
	}
	*calls = slices.DeleteFunc(*calls, func(t time.Time) bool { return !t.Add(registerWindow).After(now) })
	if len(*calls) >= registerLimit {
		p.lockedUntil = now.Add(registerWindow)
		return locked
	}
	*calls = append(*calls, now)
	return nil
}

func (s *Simulator) register(c *call) (any, *graphError) {
	p, err := s.phone(c, scopeManagement)
	if err != nil {
		return nil, err
	}
	s.count.RegisterAttempts[p.ID]++
	if p.IsOnBizApp {
		return nil, errf(100, "Register endpoint is not available for API solution for SMB businesses.")
	}
	if err := s.withinLimit(p, &p.registerCalls); err != nil {
		return nil, err
	}
	if err := checkRegister(c); err != nil {
		return nil, err
	}
	if p.CodeVerificationStatus != "VERIFIED" {
		return nil, waError(133006, "Phone number re-verification needed", "The phone number must be verified before it can be registered.")
	}
	if p.PlatformType == platformCloud {
		return s.registerAgain()
	}
	if err := s.checkPIN(p, c.str("pin")); err != nil {
		return nil, err
	}
	p.Registered, p.PlatformType, p.Status = true, platformCloud, "CONNECTED"
	p.DataLocalizationRegion = c.str("data_localization_region")
	return success(), nil
}

func checkRegister(c *call) *graphError {
	var pin string
	if c.has("pin") {
		if pin = string(c.raw("pin")); pin == "" || pin[0] != '"' {
			return errBadPIN() // a JSON number loses leading zeros, so Meta takes a string only
		}
	}
	switch region := c.str("data_localization_region"); {
	case c.str("messaging_product") != "whatsapp":
		return missing("messaging_product")
	case !validPIN(c.str("pin")):
		return errBadPIN()
	case region != "" && !slices.Contains(localizationRegions, region):
		return errf(100, "Param data_localization_region is not a supported region.")
	}
	return nil
}

// registerAgain is the answer for a number that is registered already.
func (s *Simulator) registerAgain() (any, *graphError) {
	switch s.sw.ReRegister {
	case "success_flag":
		return map[string]any{"success": true, "pin_reset": false}, nil
	case "error_422":
		e := errf(100, "The phone number is registered already, or in a state in which it can't be registered").status(http.StatusUnprocessableEntity)
		e.kind = "GraphMethodException"
		return nil, e
	case "error_133005":
		return nil, errPINMismatch()
	}
	return success(), nil // the PIN stays as it is
}

func errPINMismatch() *graphError {
	return waError(133005, "Two step verification PIN Mismatch", "Two-step verification PIN is incorrect.")
}

// checkPIN sets the PIN of a number that has none and compares otherwise; too many wrong ones lock it for a while.
func (s *Simulator) checkPIN(p *phoneState, pin string) *graphError {
	if s.sw.PINRetired {
		p.PIN = ""
		return nil
	}
	now := s.now()
	if now.Before(p.pinLockedUntil) {
		return tooManyGuesses(p.pinLockedUntil.Sub(now))
	}
	if p.PIN == "" || p.PIN == pin {
		p.PIN, p.wrongPINs = pin, 0
		return nil
	}
	p.wrongPINs++
	if p.wrongPINs > s.sw.PINGuesses {
		p.wrongPINs, p.pinLockedUntil = 0, now.Add(pinLock)
		return tooManyGuesses(pinLock)
	}
	return errPINMismatch()
}

func tooManyGuesses(left time.Duration) *graphError {
	return waError(133008, "Too Many two step verification PIN guesses", fmt.Sprintf("Too many PIN guesses. Please try again in %d seconds.", int(left/time.Second)))
}

func (s *Simulator) deregister(c *call) (any, *graphError) {
	p, err := s.phone(c, scopeManagement)
	if err != nil {
		return nil, err
	}
	if p.IsOnBizApp {
		return nil, errf(100, "Deregister endpoint is not available for API solution for SMB businesses.")
	}
	if err := s.withinLimit(p, &p.deregCalls); err != nil {
		return nil, err
	}
	if p.PlatformType != platformCloud {
		return nil, waError(133010, "Phone number Not Registered", "The phone number is not registered on the WhatsApp Business Platform.")
	}
	p.Registered, p.PlatformType, p.Status = false, "NOT_APPLICABLE", "DISCONNECTED"
	return success(), nil
}

func (s *Simulator) requestCode(c *call) (any, *graphError) {
	p, err := s.phone(c, scopeManagement)
	if err != nil {
		return nil, err
	}
	if m := c.str("code_method"); m != "SMS" && m != "VOICE" {
		return nil, errf(100, "Param code_method must be one of {SMS, VOICE}")
	}
	if c.str("language") == "" {
		return nil, missing("language")
	}
	if p.CodeVerificationStatus == "VERIFIED" {
		return nil, errf(136024, "Phone number already verified").detail("The phone number has been verified already.")
	}
	p.verifyCode, p.verifyUntil = s.randomString("0123456789", 6), s.now().Add(verifyCodeTTL)
	return success(), nil
}

func (s *Simulator) verifyCode(c *call) (any, *graphError) {
	p, err := s.phone(c, scopeManagement)
	if err != nil {
		return nil, err
	}
	if p.verifyCode == "" || c.str("code") != p.verifyCode || !s.now().Before(p.verifyUntil) {
		return nil, errf(136025, "Verify code error").detail("The code is wrong or has expired.")
	}
	p.verifyCode, p.CodeVerificationStatus = "", "VERIFIED"
	return success(), nil
}

// VerificationCode is what the owner of the number reads in the SMS that request_code sends; "" when there is none.
func (s *Simulator) VerificationCode(phoneNumberID string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.st.phones[phoneNumberID]; p != nil {
		return p.verifyCode
	}
	return ""
}
