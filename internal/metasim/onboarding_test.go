package metasim_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
)

const (
	wabaPath  = "/v25.0/" + metasim.DemoWABA
	phonePath = "/v25.0/" + metasim.DemoPhoneNumber
	linePath  = "/v25.0/" + metasim.DemoCreditLine
	register  = `{"messaging_product":"whatsapp","pin":"581063"}`
	shareUSD  = linePath + "/whatsapp_credit_sharing_and_attach?waba_currency=USD&waba_id=" + metasim.DemoWABA
	assign    = wabaPath + "/assigned_users?user=" + metasim.DemoSystemUser + "&tasks=['MANAGE']"
)

func TestGoldenPath(t *testing.T) {
	w := newWorld(t)
	biz, sys := w.businessToken(), w.systemToken()

	r := w.ok("GET", wabaPath+"?fields=id,name,currency,owner_business_info,primary_funding_id,account_review_status,health_status", biz, "")
	if r.text("owner_business_info", "id") != metasim.DemoCustomerBusiness || r.at("primary_funding_id") != nil || r.text("health_status", "can_send_message") != "BLOCKED" {
		t.Errorf("a new account has an owner, no funding, and is blocked: %s", r.raw)
	}
	r = w.ok("GET", wabaPath+"/phone_numbers?fields=id,status,platform_type", biz, "")
	want := []any{map[string]any{"id": metasim.DemoPhoneNumber, "status": "PENDING", "platform_type": "NOT_APPLICABLE"}}
	if diff := cmp.Diff(want, r.at("data")); diff != "" {
		t.Errorf("phone numbers (-want +got):\n%s", diff)
	}
	w.ok("POST", wabaPath+"/subscribed_apps", biz, "")
	w.ok("POST", wabaPath+"/subscribed_apps", biz, "")
	r = w.ok("GET", wabaPath+"/subscribed_apps", biz, "")
	if n := len(r.at("data").([]any)); n != 1 {
		t.Errorf("subscribing twice gives %d subscriptions", n)
	}
	w.refuse("credit before the system user is assigned", "POST", shareUSD, sys, "", 200, 0)
	w.ok("POST", assign, sys, "")
	allocation := w.ok("POST", shareUSD, sys, "").text("allocation_config_id")
	credential := w.ok("GET", "/v25.0/"+allocation+"?fields=receiving_credential", sys, "").text("receiving_credential", "id")
	if funding := w.ok("GET", wabaPath+"?fields=primary_funding_id", biz, "").text("primary_funding_id"); funding == "" || funding != credential {
		t.Errorf("primary_funding_id %q and receiving_credential %q must be equal", funding, credential)
	}
	w.ok("POST", phonePath+"/register", biz, register)
	r = w.ok("GET", phonePath+"?fields=status,platform_type,health_status", biz, "")
	if r.text("status") != "CONNECTED" || r.text("platform_type") != "CLOUD_API" || r.text("health_status", "can_send_message") != "AVAILABLE" {
		t.Errorf("after registration: %s", r.raw)
	}
	counters := w.sim.Counters()
	if counters.CreditAllocations != 1 || counters.RegisterAttempts[metasim.DemoPhoneNumber] != 1 || counters.Calls["subscribe"] != 2 {
		t.Errorf("counters = %+v", counters)
	}
}

func TestFieldsAndPages(t *testing.T) {
	w := newWorld(t)
	biz := w.businessToken()
	w.refuse("unknown field", "GET", wabaPath+"?fields=id,shoe_size", biz, "", 100, 0)
	r := w.ok("GET", phonePath, biz, "")
	if len(r.body) != 4 {
		t.Errorf("default fields are four: %s", r.raw)
	}
	for i := range 3 {
		w.ok("POST", wabaPath+"/phone_numbers", biz, fmt.Sprintf(`{"cc":"1","phone_number":"650555000%d","verified_name":"More"}`, i))
	}
	seen := map[any]bool{}
	after := ""
	for range 4 {
		r = w.ok("GET", wabaPath+"/phone_numbers?limit=1&after="+after, biz, "")
		seen[r.at("data").([]any)[0].(map[string]any)["id"]] = true
		after = r.text("paging", "cursors", "after")
	}
	if len(seen) != 4 || r.at("paging", "next") != nil {
		t.Errorf("four pages of one, the last without next: %d ids, %s", len(seen), r.raw)
	}
	w.refuse("bad cursor", "GET", wabaPath+"/phone_numbers?after=xyz", biz, "", 131059, 0)
}

func TestClientAccountsAndRemoval(t *testing.T) {
	w := newWorld(t)
	list := "/v25.0/" + metasim.DemoPartnerBusiness + "/client_whatsapp_business_accounts"
	if n := len(w.ok("GET", list, w.systemToken(), "").at("data").([]any)); n != 0 {
		t.Fatalf("%d accounts are shared before signup", n)
	}
	biz := w.businessToken()
	w.flip(func(s *metasim.Switches) { s.IDsAsNumbers = true })
	r := w.ok("GET", list, w.systemToken(), "")
	if _, isNumber := r.at("data").([]any)[0].(map[string]any)["id"].(float64); !isNumber {
		t.Errorf("ids must be numbers: %s", r.raw)
	}
	w.flip(func(s *metasim.Switches) { s.IDsAsNumbers = false })
	if err := w.sim.RemovePartner(metasim.DemoWABA, metasim.DemoAppID); err != nil {
		t.Fatal(err)
	}
	w.refuse("reads fail after PARTNER_REMOVED", "GET", wabaPath, biz, "", 100, 33)
	w.refuse("for the system token too", "GET", wabaPath, w.systemToken(), "", 100, 33)
}

func TestRegistrationLock(t *testing.T) {
	w := newWorld(t)
	biz := w.businessToken()
	for i := range 10 {
		if r := w.do("POST", phonePath+"/register", biz, register); r.status != http.StatusOK {
			t.Fatalf("call %d: %s", i+1, r.raw)
		}
	}
	w.refuse("the eleventh call in 72 hours locks", "POST", phonePath+"/register", biz, register, 133016, 0)
	w.clock.Step(71 * time.Hour)
	w.refuse("still locked", "POST", phonePath+"/register", biz, register, 133016, 0)
	w.clock.Step(2 * time.Hour)
	w.ok("POST", phonePath+"/register", biz, register)
}

func TestRegistrationPIN(t *testing.T) {
	w := newWorld(t)
	biz := w.businessToken()
	path := phonePath + "/register"
	wrong := `{"messaging_product":"whatsapp","pin":"000000"}`
	w.refuse("five digits", "POST", path, biz, `{"messaging_product":"whatsapp","pin":"12345"}`, 100, 2388092)
	w.refuse("a number instead of a string", "POST", path, biz, `{"messaging_product":"whatsapp","pin":123456}`, 100, 2388092)
	w.refuse("region", "POST", path, biz, `{"messaging_product":"whatsapp","pin":"123456","data_localization_region":"XX"}`, 100, 0)
	w.ok("POST", phonePath, biz, `{"pin":"581063"}`)
	for range 3 {
		w.refuse("wrong PIN", "POST", path, biz, wrong, 133005, 0)
	}
	w.refuse("one guess too many", "POST", path, biz, wrong, 133008, 0)
	w.refuse("even the right PIN must wait", "POST", path, biz, register, 133008, 0)
	w.clock.Step(73 * time.Hour)
	w.ok("POST", path, biz, register)
}

func TestRegisterAgain(t *testing.T) {
	other := `{"messaging_product":"whatsapp","pin":"999999"}`
	for mode, code := range map[string]int{"success": 0, "success_flag": 0, "error_422": 100, "error_133005": 133005} {
		t.Run(mode, func(t *testing.T) {
			w := newWorld(t)
			biz := w.businessToken()
			w.flip(func(s *metasim.Switches) { s.ReRegister = mode })
			w.ok("POST", phonePath+"/register", biz, register)
			r := w.do("POST", phonePath+"/register", biz, other)
			if r.code() != code {
				t.Fatalf("code %d, want %d: %s", r.code(), code, r.raw)
			}
			if (mode == "error_422") != (r.status == http.StatusUnprocessableEntity) {
				t.Errorf("status %d", r.status)
			}
			if pin := w.sim.World(true).WABAs[0].PhoneNumbers[0].PIN; pin != "581063" {
				t.Errorf("the PIN became %q", pin)
			}
		})
	}
}

func TestRegistrationPreconditions(t *testing.T) {
	w := newWorld(t)
	biz := w.businessToken()
	set := func(change func(*metasim.PhoneNumber)) {
		if err := w.sim.UpdatePhoneNumber(metasim.DemoPhoneNumber, change); err != nil {
			t.Fatal(err)
		}
	}
	set(func(p *metasim.PhoneNumber) { p.CodeVerificationStatus = "NOT_VERIFIED" })
	w.refuse("unverified", "POST", phonePath+"/register", biz, register, 133006, 0)
	w.ok("POST", phonePath+"/request_code", biz, "code_method=SMS&language=en_US")
	w.ok("POST", phonePath+"/verify_code", biz, "code="+w.sim.VerificationCode(metasim.DemoPhoneNumber))
	w.refuse("verified already", "POST", phonePath+"/request_code", biz, "code_method=SMS&language=en_US", 136024, 0)
	w.flip(func(s *metasim.Switches) { s.PINRetired = true })
	set(func(p *metasim.PhoneNumber) { p.PIN = "111111" })
	w.ok("POST", phonePath+"/register", biz, register)
	w.ok("POST", phonePath+"/deregister", biz, "")
	w.refuse("deregistered already", "POST", phonePath+"/deregister", biz, "", 133010, 0)
	set(func(p *metasim.PhoneNumber) { p.IsOnBizApp = true })
	w.refuse("coexistence", "POST", phonePath+"/register", biz, register, 100, 0)
	w.refuse("coexistence", "POST", phonePath+"/deregister", biz, "", 100, 0)
	w.ok("POST", phonePath+"/smb_app_data", biz, `{"messaging_product":"whatsapp","sync_type":"history"}`)
	w.refuse("once", "POST", phonePath+"/smb_app_data", biz, `{"messaging_product":"whatsapp","sync_type":"history"}`, 2593107, 0)
	contacts := `{"messaging_product":"whatsapp","sync_type":"smb_app_state_sync"}`
	set(func(p *metasim.PhoneNumber) { p.LastOnboardedTime = "2026-01-02T03:04:05+0000" })
	w.refuse("after a day", "POST", phonePath+"/smb_app_data", biz, contacts, 2593108, 0)
	w.businessToken()
	w.ok("POST", phonePath+"/smb_app_data", biz, contacts)
}

func TestCreditSwitches(t *testing.T) {
	w := newWorld(t)
	biz, sys := w.businessToken(), w.systemToken()
	w.ok("POST", assign, sys, "")
	w.refuse("currency", "POST", linePath+"/whatsapp_credit_sharing_and_attach?waba_currency=XXX&waba_id="+metasim.DemoWABA, sys, "", 100, 0)
	w.flip(func(s *metasim.Switches) { s.CreditErrorCode = 2446001 })
	w.refuse("another code", "POST", linePath+"/whatsapp_credit_sharing_and_attach?waba_currency=XXX&waba_id="+metasim.DemoWABA, sys, "", 2446001, 0)

	w.flip(func(s *metasim.Switches) { s.CreditListingLag = metasim.Duration(10 * time.Minute) })
	first := w.ok("POST", shareUSD, sys, "").text("allocation_config_id")
	list := linePath + "/owning_credit_allocation_configs?receiving_business_id=" + metasim.DemoCustomerBusiness
	if r := w.ok("GET", list, sys, ""); len(r.at("data").([]any)) != 0 {
		t.Errorf("listed before the lag is over: %s", r.raw)
	}
	if r := w.ok("GET", wabaPath+"?fields=primary_funding_id", biz, ""); r.at("primary_funding_id") != nil {
		t.Errorf("funding visible before the lag is over: %s", r.raw)
	}
	w.clock.Step(11 * time.Minute)
	if second := w.ok("POST", shareUSD, sys, "").text("allocation_config_id"); second != first {
		t.Errorf("a repeat made allocation %s beside %s", second, first)
	}
	w.flip(func(s *metasim.Switches) { s.AllocationListShape, s.ActiveRequestStatus = "bare", "APPROVED" })
	if r := w.ok("GET", list, sys, ""); r.text("id") != first {
		t.Errorf("one bare object is wanted: %s", r.raw)
	}
	w.flip(func(s *metasim.Switches) {
		s.CreditRepeat, s.CreditListingLag, s.AllocationListShape = "new", 0, "edge"
	})
	if third := w.ok("POST", shareUSD, sys, "").text("allocation_config_id"); third == first || w.sim.Counters().CreditAllocations != 2 {
		t.Error("a repeat must make a new allocation")
	}
	w.ok("DELETE", "/v25.0/"+first, sys, "")
	if got := w.ok("GET", "/v25.0/"+first+"?fields=request_status", sys, "").text("request_status"); got != "DELETED" {
		t.Errorf("request_status = %q", got)
	}
	if r := w.ok("GET", wabaPath+"?fields=primary_funding_id", biz, ""); r.at("primary_funding_id") != nil {
		t.Errorf("still funded after revocation: %s", r.raw)
	}
}

func TestAlternateCreditMethodAndForeignFunding(t *testing.T) {
	w := newWorld(t)
	biz, sys := w.businessToken(), w.systemToken()
	attach := linePath + "/whatsapp_credit_attach?waba_currency=USD&waba_id=" + metasim.DemoWABA
	w.refuse("attach before share", "POST", attach, biz, "", 100, 0)
	id := w.ok("POST", linePath+"/whatsapp_credit_sharing?receiving_business_id="+metasim.DemoCustomerBusiness, sys, "").text("allocation_config_id")
	w.flip(func(s *metasim.Switches) { s.AttachNeedsAssignedUser = true })
	w.refuse("not assigned", "POST", attach, biz, "", 200, 0)
	w.ok("POST", assign, sys, "")
	w.refuse("the partner's token", "POST", attach, sys, "", 200, 0)
	if got := w.ok("POST", attach, biz, "").text("allocation_config_id"); got != id {
		t.Errorf("attached allocation %s, shared %s", got, id)
	}
	if err := w.sim.Add(metasim.World{WABAs: []metasim.WABA{{ID: "102290129340777", Name: "Own card", OwnerBusinessID: metasim.DemoCustomerBusiness, PrimaryFundingID: "7"}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.sim.IssueCode(metasim.CodeRequest{AppID: metasim.DemoAppID, WABAIDs: []string{"102290129340777"}}); err != nil {
		t.Fatal(err)
	}
	w.refuse("an attached payment method can't be replaced", "POST", linePath+"/whatsapp_credit_sharing_and_attach?waba_currency=USD&waba_id=102290129340777", sys, "", 100, 0)
}

func TestAssignedUsers(t *testing.T) {
	w := newWorld(t)
	w.businessToken()
	sys := w.systemToken()
	w.refuse("unknown task", "POST", wabaPath+`/assigned_users?user=`+metasim.DemoSystemUser+`&tasks=["FLY"]`, sys, "", 100, 0)
	w.refuse("business is required", "GET", wabaPath+"/assigned_users", sys, "", 100, 0)
	w.ok("POST", assign, sys, "")
	r := w.ok("GET", wabaPath+"/assigned_users?business="+metasim.DemoPartnerBusiness, sys, "")
	want := []any{map[string]any{"id": metasim.DemoSystemUser, "name": "acme-admin", "tasks": []any{"MANAGE"}}}
	if diff := cmp.Diff(want, r.at("data")); diff != "" {
		t.Errorf("assigned users (-want +got):\n%s", diff)
	}
	w.flip(func(s *metasim.Switches) { s.AssignedUsersRepeat = "error" })
	w.refuse("repeat", "POST", assign, sys, "", 100, 0)
}

func TestRateLimits(t *testing.T) {
	w := newWorld(t)
	biz := w.businessToken()
	for range 200 {
		w.ok("GET", wabaPath, biz, "")
	}
	r := w.refuse("200 calls an hour before registration", "GET", wabaPath, biz, "", 80007, 0)
	if r.header.Get("X-Business-Use-Case-Usage") == "" || r.header.Get("X-App-Usage") == "" {
		t.Error("usage headers are missing")
	}
	for _, status := range []int{403, 429} {
		w.flip(func(s *metasim.Switches) { s.ThrottleHTTPStatus = status })
		if r := w.do("GET", wabaPath, biz, ""); r.status != status {
			t.Errorf("status %d, want %d", r.status, status)
		}
	}
	w.ok("POST", phonePath+"/register", biz, register)
	w.ok("GET", wabaPath, biz, "") // 5,000 from now on
	w.clock.Step(61 * time.Minute)
	if r := w.ok("GET", wabaPath, biz, ""); r.header.Get("X-App-Usage") != `{"call_count":0,"total_time":0,"total_cputime":0}` {
		t.Errorf("the hour did not roll: %s", r.header.Get("X-App-Usage"))
	}
}

func TestSuccessAsString(t *testing.T) {
	w := newWorld(t)
	biz := w.businessToken()
	w.flip(func(s *metasim.Switches) { s.SuccessAsString = true })
	if r := w.ok("POST", wabaPath+"/subscribed_apps", biz, ""); r.at("success") != "true" {
		t.Errorf("success = %v", r.at("success"))
	}
}
