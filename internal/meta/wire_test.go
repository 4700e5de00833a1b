package meta

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
)

// wireCase is one call: what goes over the wire, and what comes back.
type wireCase struct {
	reason string
	call   func(ctx context.Context, c *Client) (any, error)
	// request is "METHOD path?query" without the proof, the query decoded and sorted; body as sent.
	request, body string
	answer        string
	want          any
}

func none(err error) (any, error) { return nil, err }

func TestWire(t *testing.T) {
	for _, group := range [][]wireCase{onboardingCalls(), readingCalls(), creditCalls(), messagingCalls()} {
		for _, tc := range group {
			t.Run(tc.reason, func(t *testing.T) { runWireCase(t, tc) })
		}
	}
}

func runWireCase(t *testing.T, tc wireCase) {
	t.Helper()
	var got struct {
		request, body, token, proof, agent string
	}
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		got.proof = query.Get("appsecret_proof")
		query.Del("appsecret_proof")
		decoded, err := url.QueryUnescape(query.Encode())
		if err != nil {
			t.Error(err)
		}
		got.request = strings.TrimSuffix(r.Method+" "+r.URL.Path+"?"+decoded, "?")
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got.body, got.token, got.agent = string(body), r.Header.Get("Authorization"), r.UserAgent()
		if _, err := io.WriteString(w, tc.answer); err != nil {
			t.Error(err)
		}
	})
	result, err := tc.call(testContext(t), newClient(t, s.URL))
	if err != nil {
		t.Fatalf("call failed: %v", err)
	}
	if diff := cmp.Diff(tc.request, got.request); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(tc.body, got.body); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(tc.want, result); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	if got.agent != userAgent {
		t.Errorf("User-Agent %q", got.agent)
	}
	if strings.Contains(got.request, "oauth/access_token") {
		if got.token != "" || got.proof != "" {
			t.Errorf("the exchange must carry neither token nor proof, got %q and %q", got.token, got.proof)
		}
		return
	}
	token, found := strings.CutPrefix(got.token, "Bearer ")
	mac := hmac.New(sha256.New, []byte(testAppSecret))
	mac.Write([]byte(token))
	if !found || token == "" || got.proof != hex.EncodeToString(mac.Sum(nil)) {
		t.Errorf("Authorization %q with proof %q", got.token, got.proof)
	}
}

const success = `{"success":true}`

func onboardingCalls() []wireCase {
	systemProof := cred.proof()
	exchange := func(redirect *string) func(context.Context, *Client) (any, error) {
		return func(ctx context.Context, c *Client) (any, error) {
			req := exchangeRequest()
			req.RedirectURI = redirect
			return c.ExchangeCode(ctx, req)
		}
	}
	empty, exact := "", testRedirect
	base := "GET /v25.0/oauth/access_token?client_id=670843887433847&client_secret=" + testAppSecret + "&code=" + testCode
	return []wireCase{
		{
			reason: "exchange without redirect_uri, token that expires", call: exchange(nil), request: base,
			answer: `{"access_token":"EAAGx","token_type":"bearer","expires_in":5183944,"new":1}`,
			want:   BusinessToken{Token: redact.New("EAAGx"), ExpiresIn: 5183944 * time.Second},
		},
		{
			reason: "exchange with an empty redirect_uri, token without expiry", call: exchange(&empty), request: base + "&redirect_uri=",
			answer: `{"access_token":"EAAGx"}`, want: BusinessToken{Token: redact.New("EAAGx")},
		},
		{
			reason: "exchange with an exact redirect_uri", call: exchange(&exact), request: base + "&redirect_uri=" + testRedirect,
			answer: `{"access_token":"EAAGx","expires_in":"60"}`, want: BusinessToken{Token: redact.New("EAAGx"), ExpiresIn: time.Minute},
		},
		{
			reason: "rescue of a token",
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.FetchBusinessToken(ctx, cred, "2729063490586005")
			},
			request: "POST /v25.0/2729063490586005/system_user_access_tokens",
			body:    "appsecret_proof=" + systemProof + "&fetch_only=true", answer: `{"access_token":"EAAGy"}`,
			want: BusinessToken{Token: redact.New("EAAGy")},
		},
		{
			reason: "debug_token of a valid token",
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.DebugToken(ctx, AppCredential("670", redact.New(testAppSecret)), redact.New(testInputToken))
			},
			request: "GET /v25.0/debug_token?input_token=" + testInputToken,
			answer: `{"data":{"app_id":"670","type":"SYSTEM_USER","application":"Acme","data_access_expires_at":0,"expires_at":1763700000,
				"is_valid":true,"issued_at":1763600000,"scopes":["a"],"granular_scopes":[{"scope":"a","target_ids":["1",2]},{"scope":"b"}],"user_id":122100000000000001}}`,
			want: TokenInfo{
				AppID: "670", Type: "SYSTEM_USER", Application: "Acme", UserID: "122100000000000001", Valid: true,
				ExpiresAt: Time{time.Unix(1763700000, 0).UTC()}, IssuedAt: Time{time.Unix(1763600000, 0).UTC()},
				Scopes: []string{"a"}, GranularScopes: []GranularScope{{"a", []ID{"1", "2"}}, {"b", nil}},
			},
		},
		{
			reason: "debug_token of a dead token is no error",
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.DebugToken(ctx, cred, redact.New(testInputToken))
			},
			request: "GET /v25.0/debug_token?input_token=" + testInputToken,
			answer:  `{"data":{"is_valid":false,"scopes":[],"error":{"code":190,"message":"for Joe","subcode":463}}}`,
			want:    TokenInfo{Scopes: []string{}, Problem: &TokenProblem{Code: 190, Subcode: 463}},
		},
		{
			reason:  "owner of a token",
			call:    func(ctx context.Context, c *Client) (any, error) { return c.Me(ctx, cred) },
			request: "GET /v25.0/me?fields=id,client_business_id", answer: `{"id":"1","client_business_id":2}`,
			want: Me{ID: "1", ClientBusinessID: "2"},
		},
		{
			reason:  "subscribe without override sends no body",
			call:    func(ctx context.Context, c *Client) (any, error) { return none(c.SubscribeApp(ctx, cred, "102", nil)) },
			request: "POST /v25.0/102/subscribed_apps", answer: success,
		},
		{
			reason: "subscribe with override",
			call: func(ctx context.Context, c *Client) (any, error) {
				return none(c.SubscribeApp(ctx, cred, "102", &CallbackOverride{"https://h/p", redact.New(testVerifyToken)}))
			},
			request: "POST /v25.0/102/subscribed_apps", body: `{"override_callback_uri":"https://h/p","verify_token":"` + testVerifyToken + `"}`,
			answer: `{"success":"true"}`,
		},
		{
			reason:  "unsubscribe",
			call:    func(ctx context.Context, c *Client) (any, error) { return none(c.UnsubscribeApp(ctx, cred, "102")) },
			request: "DELETE /v25.0/102/subscribed_apps", answer: success,
		},
		{
			reason: "override of a number is removed by empty strings",
			call: func(ctx context.Context, c *Client) (any, error) {
				return none(c.OverridePhoneWebhook(ctx, cred, "106", CallbackOverride{}))
			},
			request: "POST /v25.0/106", body: `{"webhook_configuration":{"override_callback_uri":"","verify_token":""}}`, answer: success,
		},
		{
			reason: "app-level subscription",
			call: func(ctx context.Context, c *Client) (any, error) {
				return none(c.SetAppSubscription(ctx, cred, "670", AppSubscriptionRequest{"https://h/p", redact.New("vt"), []string{"messages", "standby"}}))
			},
			request: "POST /v25.0/670/subscriptions",
			body:    "callback_url=https%3A%2F%2Fh%2Fp&fields=messages%2Cstandby&include_values=true&object=whatsapp_business_account&verify_token=vt",
			answer:  success,
		},
		{
			reason: "end of the app-level subscription of a field",
			call: func(ctx context.Context, c *Client) (any, error) {
				return none(c.DeleteAppSubscription(ctx, cred, "670", "messages"))
			},
			request: "DELETE /v25.0/670/subscriptions?fields=messages&object=whatsapp_business_account", answer: success,
		},
		{
			reason: "register",
			call: func(ctx context.Context, c *Client) (any, error) {
				return none(c.RegisterPhone(ctx, cred, "106", Registration{PIN: testPIN, DataLocalizationRegion: "DE"}))
			},
			request: "POST /v25.0/106/register",
			body:    `{"messaging_product":"whatsapp","pin":"581063","data_localization_region":"DE"}`, answer: success,
		},
		{
			reason: "register a registered number, whose answer is not published",
			call: func(ctx context.Context, c *Client) (any, error) {
				return none(c.RegisterPhone(ctx, cred, "106", Registration{PIN: testPIN}))
			},
			request: "POST /v25.0/106/register", body: `{"messaging_product":"whatsapp","pin":"581063"}`, answer: `{"pin_reset":false}`,
		},
		{
			reason:  "deregister sends no body",
			call:    func(ctx context.Context, c *Client) (any, error) { return none(c.DeregisterPhone(ctx, cred, "106")) },
			request: "POST /v25.0/106/deregister", answer: success,
		},
		{
			reason:  "set the PIN",
			call:    func(ctx context.Context, c *Client) (any, error) { return none(c.SetPIN(ctx, cred, "106", testPIN)) },
			request: "POST /v25.0/106", body: `{"pin":"581063"}`, answer: success,
		},
		{
			reason: "synchronise a number of the Business app",
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.SyncBusinessApp(ctx, cred, "106", SyncHistory)
			},
			request: "POST /v25.0/106/smb_app_data", body: `{"messaging_product":"whatsapp","sync_type":"history"}`,
			answer: `{"messaging_product":"whatsapp","request_id":"r1"}`, want: "r1",
		},
	}
}

func readingCalls() []wireCase {
	const numberFields = "id,display_phone_number,verified_name,quality_rating,code_verification_status,name_status,new_name_status,status," +
		"platform_type,throughput,last_onboarded_time,webhook_configuration,is_official_business_account,account_mode,is_on_biz_app," +
		"whatsapp_business_manager_messaging_limit,health_status"
	return []wireCase{
		{
			reason:  "phone number with all fields",
			call:    func(ctx context.Context, c *Client) (any, error) { return c.PhoneNumber(ctx, cred, "106540352242922") },
			request: "GET /v25.0/106540352242922?fields=" + numberFields,
			answer: `{"id":106540352242922,"display_phone_number":"+1 555-078-3881","verified_name":"Acme","quality_rating":"GREEN",
				"code_verification_status":"VERIFIED","name_status":"APPROVED","status":"CONNECTED","platform_type":"CLOUD_API","throughput":{"level":"STANDARD"},
				"last_onboarded_time":"2026-11-20T10:11:12+0000","account_mode":"LIVE","is_on_biz_app":true,"webhook_configuration":{"application":"https://a"},
				"whatsapp_business_manager_messaging_limit":"TIER_2K","health_status":{"can_send_message":"BLOCKED","entities":[
				{"entity_type":"WABA","id":1,"can_send_message":"BLOCKED","errors":[{"error_code":141006,"error_description":"D","possible_solution":"S"}]},
				{"entity_type":"PHONE_NUMBER","id":"2","can_send_message":"LIMITED","additional_info":["I"]}]}}`,
			want: PhoneNumber{
				ID: "106540352242922", DisplayPhoneNumber: "+1 555-078-3881", VerifiedName: "Acme", QualityRating: "GREEN",
				CodeVerificationStatus: "VERIFIED", NameStatus: "APPROVED", Status: "CONNECTED", PlatformType: "CLOUD_API",
				Throughput: Throughput{"STANDARD"}, LastOnboardedTime: Time{time.Date(2026, 11, 20, 10, 11, 12, 0, time.UTC)},
				AccountMode: "LIVE", OnBizApp: true, WebhookConfiguration: WebhookConfiguration{Application: "https://a"}, MessagingLimit: "TIER_2K",
				HealthStatus: &HealthStatus{CanSendMessage: "BLOCKED", Entities: []HealthEntity{
					{EntityType: "WABA", ID: "1", CanSendMessage: "BLOCKED", Errors: []HealthError{{141006, "D", "S"}}},
					{EntityType: "PHONE_NUMBER", ID: "2", CanSendMessage: "LIMITED", AdditionalInfo: []string{"I"}},
				}},
			},
		},
		{
			reason:  "phone numbers, with odd shapes",
			call:    func(ctx context.Context, c *Client) (any, error) { return c.PhoneNumbers(ctx, cred, "102") },
			request: "GET /v25.0/102/phone_numbers?fields=" + numberFields + "&limit=100",
			answer:  `{"data":[{"id":"1","throughput":"HIGH","last_onboarded_time":"odd"},{"id":"2","last_onboarded_time":1763700000}],"paging":{"cursors":{"after":"x"}}}`,
			want: []PhoneNumber{
				{ID: "1", Throughput: Throughput{"HIGH"}}, {ID: "2", LastOnboardedTime: Time{time.Unix(1763700000, 0).UTC()}},
			},
		},
		{
			reason:  "where the webhooks of a number go",
			call:    func(ctx context.Context, c *Client) (any, error) { return c.PhoneWebhook(ctx, cred, "106") },
			request: "GET /v25.0/106?fields=webhook_configuration",
			answer:  `{"webhook_configuration":{"phone_number":"a","whatsapp_business_account":"b","application":"c"},"id":"106"}`,
			want:    WebhookConfiguration{PhoneNumber: "a", WABA: "b", Application: "c"},
		},
		{
			reason: "account",
			call:   func(ctx context.Context, c *Client) (any, error) { return c.WABA(ctx, cred, "102") },
			request: "GET /v25.0/102?fields=id,name,currency,status,account_review_status,primary_funding_id,owner_business_info," +
				"on_behalf_of_business_info,health_status",
			answer: `{"id":"102","name":"N","currency":"USD","primary_funding_id":77,"owner_business_info":{"name":"O","id":272}}`,
			want:   WABA{ID: "102", Name: "N", Currency: "USD", PrimaryFundingID: "77", OwnerBusinessInfo: &Business{"272", "O"}},
		},
		{
			reason:  "shared accounts",
			call:    func(ctx context.Context, c *Client) (any, error) { return c.SharedWABAs(ctx, cred, "5") },
			request: "GET /v25.0/5/client_whatsapp_business_accounts?fields=id,name,currency&limit=100",
			answer:  `{"data":[{"id":102290129340398}]}`, want: []WABA{{ID: "102290129340398"}},
		},
		{
			reason:  "subscribed apps",
			call:    func(ctx context.Context, c *Client) (any, error) { return c.SubscribedApps(ctx, cred, "102") },
			request: "GET /v25.0/102/subscribed_apps?limit=100",
			answer:  `{"data":[{"whatsapp_business_api_data":{"id":"670","name":"Acme","link":"l"},"override_callback_uri":"https://o"}]}`,
			want:    []SubscribedApp{{"670", "Acme", "https://o"}},
		},
		{
			reason:  "an empty list is no error",
			call:    func(ctx context.Context, c *Client) (any, error) { return c.SubscribedApps(ctx, cred, "102") },
			request: "GET /v25.0/102/subscribed_apps?limit=100", answer: `{"data":[]}`, want: []SubscribedApp{},
		},
		{
			reason:  "app-level subscriptions",
			call:    func(ctx context.Context, c *Client) (any, error) { return c.AppSubscriptions(ctx, cred, "670") },
			request: "GET /v25.0/670/subscriptions?limit=100",
			answer:  `{"data":[{"object":"whatsapp_business_account","callback_url":"u","active":"true","fields":[{"name":"messages","version":"v25.0"},"standby"]}]}`,
			want:    []AppSubscription{{"whatsapp_business_account", "u", true, []AppSubscriptionField{{"messages", "v25.0"}, {Name: "standby"}}}},
		},
	}
}

func creditCalls() []wireCase {
	return []wireCase{
		{
			reason:  "credit lines of a business",
			call:    func(ctx context.Context, c *Client) (any, error) { return c.CreditLines(ctx, cred, "5") },
			request: "GET /v25.0/5/extendedcredits?fields=id,legal_entity_name&limit=100",
			answer:  `{"data":[{"id":"197","legal_entity_name":"Acme"}]}`, want: []CreditLine{{ID: "197", LegalEntityName: "Acme"}},
		},
		{
			reason:  "a credit line with balances",
			call:    func(ctx context.Context, c *Client) (any, error) { return c.CreditLine(ctx, cred, "197") },
			request: "GET /v25.0/197?fields=id,legal_entity_name,is_access_revoked,balance,credit_available,max_balance",
			answer:  `{"id":"197","credit_available":{"amount":12.5,"currency":"USD"},"max_balance":{"amount":"99"}}`,
			want:    CreditLine{ID: "197", CreditAvailable: &CurrencyAmount{"12.5", "USD"}, MaxBalance: &CurrencyAmount{Amount: "99"}},
		},
		{
			reason:  "users with tasks",
			call:    func(ctx context.Context, c *Client) (any, error) { return c.AssignedUsers(ctx, cred, "102", "5") },
			request: "GET /v25.0/102/assigned_users?business=5&limit=100",
			answer:  `{"data":[{"id":"8","name":"S","tasks":["MANAGE"]}]}`, want: []AssignedUser{{"8", "S", []string{"MANAGE"}}},
		},
		{
			reason: "assign a user",
			call: func(ctx context.Context, c *Client) (any, error) {
				return none(c.AssignUser(ctx, cred, "102", "8", TaskManage))
			},
			request: "POST /v25.0/102/assigned_users?tasks=['MANAGE']&user=8", answer: success,
		},
		{
			reason: "share and attach",
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.ShareAndAttachCredit(ctx, cred, "197", "102", "USD")
			},
			request: "POST /v25.0/197/whatsapp_credit_sharing_and_attach?waba_currency=USD&waba_id=102",
			answer:  `{"allocation_config_id":58501441721238,"waba_id":"102"}`, want: ID("58501441721238"),
		},
		{
			reason:  "share",
			call:    func(ctx context.Context, c *Client) (any, error) { return c.ShareCredit(ctx, cred, "197", "272") },
			request: "POST /v25.0/197/whatsapp_credit_sharing?receiving_business_id=272",
			answer:  `{"success":true,"allocation_config_id":"58"}`, want: ID("58"),
		},
		{
			reason: "attach",
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.AttachCredit(ctx, cred, "197", "102", "EUR")
			},
			request: "POST /v25.0/197/whatsapp_credit_attach?waba_currency=EUR&waba_id=102",
			answer:  `{"success":true,"waba_id":"102","allocation_config_id":"58"}`, want: ID("58"),
		},
		{
			reason:  "an allocation",
			call:    func(ctx context.Context, c *Client) (any, error) { return c.CreditAllocation(ctx, cred, "58") },
			request: "GET /v25.0/58?fields=id,receiving_credential,receiving_business,request_status",
			answer:  `{"receiving_credential":{"id":77},"receiving_business":{"name":"L","id":"272"},"request_status":"DELETED","id":"58"}`,
			want:    CreditAllocation{"58", "77", Business{"272", "L"}, RequestStatusDeleted},
		},
		{
			reason: "allocations as a list",
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.OwningCreditAllocations(ctx, cred, "197", "272")
			},
			request: "GET /v25.0/197/owning_credit_allocation_configs?fields=id,receiving_credential,receiving_business,request_status&limit=100&receiving_business_id=272",
			answer:  `{"data":[{"id":"58","receiving_business":{"id":"272"}}],"paging":{}}`,
			want:    []CreditAllocation{{ID: "58", ReceivingBusiness: Business{ID: "272"}}},
		},
		{
			reason: "allocations as a bare object",
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.OwningCreditAllocations(ctx, cred, "197", "272")
			},
			request: "GET /v25.0/197/owning_credit_allocation_configs?fields=id,receiving_credential,receiving_business,request_status&limit=100&receiving_business_id=272",
			answer:  `{"id":"58","receiving_business":{"name":"L","id":"272"}}`,
			want:    []CreditAllocation{{ID: "58", ReceivingBusiness: Business{"272", "L"}}},
		},
		{
			reason: "revoke",
			call: func(ctx context.Context, c *Client) (any, error) {
				return none(c.RevokeCreditAllocation(ctx, cred, "58"))
			},
			request: "DELETE /v25.0/58", answer: success,
		},
	}
}

func messagingCalls() []wireCase {
	send := func(m Message) func(context.Context, *Client) (any, error) {
		return func(ctx context.Context, c *Client) (any, error) { return c.SendMessage(ctx, cred, "106", m) }
	}
	const sent = `{"messaging_product":"whatsapp","contacts":[{"input":"+16505551234","wa_id":"16505551234"}],"messages":[{"id":"wamid.X"}]}`
	result := SendResult{MessageID: "wamid.X", Contact: SentContact{Input: "+16505551234", WhatsAppID: "16505551234"}}
	phone := Recipient{Phone: "16505551234", UserID: "US.1"}
	return []wireCase{
		{
			reason: "text to a phone number, which gets its plus and wins over the user id",
			call: send(Message{
				To: phone, ReplyTo: "wamid.IN", CallbackData: "row-7", MessagingAccountID: "102",
				Text: &Text{Body: "<Hi> & bye", PreviewURL: true},
			}),
			request: "POST /v25.0/106/messages",
			body: `{"messaging_product":"whatsapp","recipient_type":"individual","to":"+16505551234","type":"text","context":{"message_id":"wamid.IN"},` +
				`"biz_opaque_callback_data":"row-7","messaging_account_id":"102","text":{"body":"\u003cHi\u003e \u0026 bye","preview_url":true}}`,
			answer: sent, want: result,
		},
		{
			reason:  "image to a user id",
			call:    send(Message{To: Recipient{UserID: "US.1"}, Image: &Image{MediaID: "9", Caption: "C"}}),
			request: "POST /v25.0/106/messages",
			body:    `{"messaging_product":"whatsapp","recipient_type":"individual","recipient":"US.1","type":"image","image":{"id":"9","caption":"C"}}`,
			answer:  `{"contacts":[{"input":"US.1","user_id":"US.1"}],"messages":[{"id":"wamid.X"}]}`,
			want:    SendResult{MessageID: "wamid.X", Contact: SentContact{Input: "US.1", UserID: "US.1"}},
		},
		{
			reason:  "buttons",
			call:    send(Message{To: phone, Buttons: &Buttons{Header: "H", Body: "B", Footer: "F", Buttons: []Button{{"a", "A"}, {"b", "B"}}}}),
			request: "POST /v25.0/106/messages",
			body: `{"messaging_product":"whatsapp","recipient_type":"individual","to":"+16505551234","type":"interactive","interactive":{"type":"button",` +
				`"header":{"type":"text","text":"H"},"body":{"text":"B"},"footer":{"text":"F"},"action":{"buttons":[` +
				`{"type":"reply","reply":{"id":"a","title":"A"}},{"type":"reply","reply":{"id":"b","title":"B"}}]}}}`,
			answer: sent, want: result,
		},
		{
			reason: "list",
			call: send(Message{To: phone, List: &List{
				Body: "Pick", Button: "Open", Sections: []Section{{Title: "Plants", Rows: []Row{{"p1", "Fern", "$9"}, {ID: "p2", Title: "Moss"}}}},
			}}),
			request: "POST /v25.0/106/messages",
			body: `{"messaging_product":"whatsapp","recipient_type":"individual","to":"+16505551234","type":"interactive","interactive":{"type":"list",` +
				`"body":{"text":"Pick"},"action":{"button":"Open","sections":[{"title":"Plants","rows":[` +
				`{"id":"p1","title":"Fern","description":"$9"},{"id":"p2","title":"Moss"}]}]}}}`,
			answer: sent, want: result,
		},
		{
			reason: "read receipt",
			call: func(ctx context.Context, c *Client) (any, error) {
				return none(c.MarkRead(ctx, cred, "106", "wamid.IN", false))
			},
			request: "POST /v25.0/106/messages", body: `{"messaging_product":"whatsapp","status":"read","message_id":"wamid.IN"}`, answer: success,
		},
		{
			reason: "read receipt with typing indicator",
			call: func(ctx context.Context, c *Client) (any, error) {
				return none(c.MarkRead(ctx, cred, "106", "wamid.IN", true))
			},
			request: "POST /v25.0/106/messages",
			body:    `{"messaging_product":"whatsapp","status":"read","message_id":"wamid.IN","typing_indicator":{"type":"text"}}`, answer: success,
		},
		{
			reason:  "media lookup, size as text and digest in hex",
			call:    func(ctx context.Context, c *Client) (any, error) { return c.Media(ctx, cred, "9", "106") },
			request: "GET /v25.0/9?phone_number_id=106",
			answer: `{"messaging_product":"whatsapp","url":"https://lookaside.fbsbx.com/x","mime_type":"image/jpeg","sha256":"` +
				strings.Repeat("ab", 32) + `","file_size":"49664","id":"9"}`,
			want: Media{"9", "https://lookaside.fbsbx.com/x", "image/jpeg", []byte(strings.Repeat("\xab", 32)), 49664},
		},
		{
			reason:  "media deletion",
			call:    func(ctx context.Context, c *Client) (any, error) { return none(c.DeleteMedia(ctx, cred, "9", "")) },
			request: "DELETE /v25.0/9", answer: success,
		},
	}
}
