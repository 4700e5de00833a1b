package metasim

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/netip"
	"strings"
)

// The pages of Embedded Signup: the script that stands in for Meta's JavaScript SDK, and the window that it opens. Browsers reach them
// under Meta's host names too, so they are served under any, to loopback clients.
const (
	sdkPath    = "/en_US/sdk.js"
	dialogPath = "/dialog/embedded-signup"
)

//go:embed signuppage/sdk.js signuppage/dialog.html signuppage/dialog.js signuppage/dialog.css
var signupFiles embed.FS

var dialogPage = template.Must(template.ParseFS(signupFiles, "signuppage/dialog.html"))

// isSignupPath says whether a path belongs to the pages of Embedded Signup, with any version in front.
func isSignupPath(path string) bool {
	if v := versionPrefix.FindString(path); v != "" {
		path = path[len(v)-1:]
	}
	return path == sdkPath || path == dialogPath || strings.HasPrefix(path, dialogPath+"/")
}

// signupPages serves them.
func (s *Simulator) signupPages() http.Handler {
	mux := http.NewServeMux()
	asset := func(path, file, contentType string) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			data, err := signupFiles.ReadFile("signuppage/" + file)
			if err != nil {
				http.Error(w, "metasim: page is missing from the binary", http.StatusInternalServerError)
				return
			}
			// As Meta's: pages load it with crossorigin="anonymous".
			w.Header().Set("Access-Control-Allow-Origin", "*")
			writeRaw(w, rawBody{status: http.StatusOK, contentType: contentType, data: data})
		})
	}
	asset(sdkPath, "sdk.js", "application/x-javascript; charset=utf-8")
	asset(dialogPath+"/dialog.js", "dialog.js", "text/javascript; charset=utf-8")
	asset(dialogPath+"/dialog.css", "dialog.css", "text/css; charset=utf-8")
	mux.HandleFunc("GET /{version}"+dialogPath, s.showDialog)
	mux.HandleFunc("GET "+dialogPath, s.showDialog)
	mux.HandleFunc("POST "+dialogPath, posted(func(_ *http.Request, c signupChoice) (any, error) { return s.finishSignup(c) }))
	protected := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil || !peer.Addr().Unmap().IsLoopback() {
			http.Error(w, "metasim: Embedded Signup serves loopback only", http.StatusForbidden)
			return
		}
		protected.ServeHTTP(w, r)
	})
}

type dialogData struct {
	AppID, AppName, Origin, Problem string
	Accounts                        []dialogAccount
}

type dialogAccount struct{ ID, Label string }

// showDialog is the window that FB.login opens. It insists on what Meta documents for Embedded Signup.
func (s *Simulator) showDialog(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	data := dialogData{AppID: q.Get("app_id"), Origin: q.Get("origin")}
	s.mu.Lock()
	app := s.st.apps[data.AppID]
	switch {
	case app == nil:
		data.Problem = "There is no such app."
	case q.Get("config_id") == "" || (app.ConfigurationID != "" && q.Get("config_id") != app.ConfigurationID):
		data.Problem = "config_id is not a configuration of this app."
	case q.Get("response_type") != "code" || q.Get("override_default_response_type") != "true":
		data.Problem = "response_type must be code, and override_default_response_type true."
	default:
		data.AppName = app.Name
		for _, id := range sortedKeys(s.st.wabas) {
			account := s.st.wabas[id]
			label := []string{account.Name}
			for _, p := range account.phones {
				label = append(label, p.DisplayPhoneNumber)
			}
			data.Accounts = append(data.Accounts, dialogAccount{id, strings.Join(label, " ")})
		}
	}
	s.mu.Unlock()
	var out bytes.Buffer
	if err := dialogPage.Execute(&out, data); err != nil {
		http.Error(w, "metasim: the page can't be made", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	writeRaw(w, rawBody{status: http.StatusOK, contentType: "text/html; charset=utf-8", data: out.Bytes()})
}

// signupChoice is what the customer chose in the window.
type signupChoice struct {
	AppID  string `json:"appID"`
	WABAID string `json:"wabaID"`
	// Outcome is finish, only_waba, coexistence, cancel or error.
	Outcome string `json:"outcome"`
}

// signupResult is what the window tells the page that opened it.
type signupResult struct {
	// Code is empty unless the customer finished.
	Code string `json:"code,omitempty"`
	// Event is the session event.
	Event sessionEvent `json:"event"`
}

type sessionEvent struct {
	Type    string         `json:"type"`
	Event   string         `json:"event"`
	Version int            `json:"version"`
	Data    map[string]any `json:"data"`
}

// finishSignup ends Embedded Signup as chosen.
func (s *Simulator) finishSignup(c signupChoice) (signupResult, error) {
	event := func(name string, data map[string]any) sessionEvent {
		return sessionEvent{Type: "WA_EMBEDDED_SIGNUP", Event: name, Version: 3, Data: data}
	}
	switch c.Outcome {
	case "cancel":
		return signupResult{Event: event("CANCEL", map[string]any{"current_step": "PHONE_NUMBER_SETUP"})}, nil
	case "error":
		return signupResult{Event: event("ERROR", map[string]any{
			"error_message": "Your verified name violates WhatsApp guidelines.", "error_code": "524126", "session_id": "f34b51dab5e0498", "timestamp": s.Now().Unix(),
		})}, nil
	case "finish", "only_waba", "coexistence":
	default:
		return signupResult{}, fmt.Errorf("metasim: there is no outcome %q", c.Outcome)
	}
	if c.Outcome == "coexistence" {
		if err := s.keepBizApp(c.WABAID); err != nil {
			return signupResult{}, err
		}
	}
	issued, err := s.IssueCode(CodeRequest{AppID: c.AppID, WABAIDs: []string{c.WABAID}})
	if err != nil {
		return signupResult{}, err
	}
	data := map[string]any{"waba_id": issued.WABAID, "business_id": issued.BusinessID, "waba_ids": []string{issued.WABAID}}
	name := map[string]string{"finish": "FINISH", "only_waba": "FINISH_ONLY_WABA", "coexistence": "FINISH_WHATSAPP_BUSINESS_APP_ONBOARDING"}[c.Outcome]
	if c.Outcome == "finish" {
		data["phone_number_id"] = issued.PhoneNumberID
	}
	if c.Outcome == "coexistence" {
		data = map[string]any{"waba_id": issued.WABAID}
	}
	return signupResult{Code: issued.Code, Event: event(name, data)}, nil
}

// keepBizApp makes the first number of an account one that stays in the WhatsApp Business app.
func (s *Simulator) keepBizApp(wabaID string) error {
	s.mu.Lock()
	account := s.st.wabas[wabaID]
	var phoneID string
	if account != nil && len(account.phones) > 0 {
		phoneID = account.phones[0].ID
	}
	s.mu.Unlock()
	if phoneID == "" {
		return errors.New("metasim: the account has no number that could stay in the WhatsApp Business app")
	}
	return s.UpdatePhoneNumber(phoneID, func(p *PhoneNumber) {
		p.IsOnBizApp, p.Status, p.PlatformType = true, "CONNECTED", platformCloud
	})
}
