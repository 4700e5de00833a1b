package metasim

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	platformCloud = "CLOUD_API"
	// One conversation keeps this many messages, so that a long benchmark does not grow without bound.
	maxTranscript = 1000

	tokenAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
)

// state is everything behind the Graph API. Its methods require Simulator.mu.
type state struct {
	apps          map[string]*appState
	businesses    map[string]*Business
	lines         map[string]*CreditLine
	allocations   map[string]*allocation
	allocOrder    []string
	tokens        map[string]*token
	wabas         map[string]*wabaState
	phones        map[string]*phoneState
	media         map[string]*mediaObject
	codes         map[string]*code
	customers     map[string]*Customer
	people        map[personKey]*Customer // those who were told by their business-scoped id
	conversations map[convKey]*conversation
	sent          map[string]*outMessage   // by wamid
	received      map[string]*conversation // by wamid
	rates         map[string]*rateWindow
	nextCode      int
}

func newState() state {
	return state{
		apps: map[string]*appState{}, businesses: map[string]*Business{}, lines: map[string]*CreditLine{}, allocations: map[string]*allocation{},
		tokens: map[string]*token{}, wabas: map[string]*wabaState{}, phones: map[string]*phoneState{}, media: map[string]*mediaObject{},
		codes: map[string]*code{}, customers: map[string]*Customer{}, people: map[personKey]*Customer{}, conversations: map[convKey]*conversation{}, sent: map[string]*outMessage{}, received: map[string]*conversation{},
		rates: map[string]*rateWindow{},
	}
}

type appState struct {
	App
}

type wabaState struct {
	WABA
	assigned     map[string][]string // system user id -> tasks
	removedApps  map[string]bool     // by PARTNER_REMOVED
	fundingSince time.Time           // when primary_funding_id was set
	lineID       string              // credit line that funds it
	phones       []*phoneState
}

type phoneState struct {
	PhoneNumber
	waba           *wabaState
	overrides      map[string]SubscribedApp // per app
	registerCalls  []time.Time
	deregCalls     []time.Time
	lockedUntil    time.Time
	wrongPINs      int
	pinLockedUntil time.Time
	verifyCode     string
	verifyUntil    time.Time
	syncs          map[string]bool
	second         int64 // throughput: the second that inSecond counts
	inSecond       int
	month          string // free allowance: the month that freeUsed counts
	freeUsed       int
}

// Add merges objects into the world: new ids are created, existing ones are left alone except that a WABA's new phone
// numbers are added to it.
func (s *Simulator) Add(w World) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range w.Apps {
		if err := s.addApp(a); err != nil {
			return err
		}
	}
	for _, b := range w.Businesses {
		if _, ok := s.st.businesses[b.ID]; !ok {
			s.st.businesses[b.ID] = &b
		}
	}
	for _, l := range w.CreditLines {
		if _, ok := s.st.lines[l.ID]; !ok {
			s.st.lines[l.ID] = &l
		}
	}
	for _, wb := range w.WABAs {
		if err := s.addWABA(wb); err != nil {
			return err
		}
	}
	for _, u := range w.SystemUsers {
		if err := s.addSystemUser(u); err != nil {
			return err
		}
	}
	for _, c := range w.Customers {
		if !digitsOnly(c.WaID) {
			return fmt.Errorf("metasim: customer waID %q must be the digits of a phone number", c.WaID)
		}
		if _, ok := s.st.customers[c.WaID]; !ok {
			s.st.customers[c.WaID] = &c
		}
	}
	return nil
}

func (s *Simulator) addApp(a App) error {
	if err := a.validate(); err != nil {
		return err
	}
	if _, ok := s.st.apps[a.ID]; ok {
		return nil
	}
	if a.Secret == "" {
		a.Secret = s.randomString("0123456789abcdef", 32)
	}
	s.st.apps[a.ID] = &appState{App: a}
	return nil
}

func (s *Simulator) addSystemUser(u SystemUser) error {
	if s.st.apps[u.AppID] == nil {
		return fmt.Errorf("metasim: system user %s names the unknown app %q", u.ID, u.AppID)
	}
	for _, t := range s.st.tokens {
		if t.userID == u.ID && t.kind == kindSystem {
			return nil
		}
	}
	if u.Token == "" {
		u.Token = s.newToken()
	}
	t := &token{
		value: u.Token, kind: kindSystem, appID: u.AppID, userID: u.ID, userName: u.Name, businessID: u.BusinessID,
		scopes: slices.Clone(u.Scopes), wabaIDs: slices.Clone(u.WABAIDs), issuedAt: s.now(), temporary: u.Temporary,
	}
	if u.ExpiresAt > 0 {
		t.expiresAt = time.Unix(u.ExpiresAt, 0)
	}
	s.st.tokens[u.Token] = t
	return nil
}

func (s *Simulator) addWABA(w WABA) error {
	ws := s.st.wabas[w.ID]
	if ws == nil {
		if !digitsOnly(w.ID) {
			return fmt.Errorf("metasim: WABA id %q must be decimal digits", w.ID)
		}
		if w.AccountReviewStatus == "" {
			w.AccountReviewStatus = "APPROVED"
		}
		ws = &wabaState{WABA: w, assigned: map[string][]string{}, removedApps: map[string]bool{}}
		ws.PhoneNumbers = nil
		s.st.wabas[w.ID] = ws
	}
	for _, p := range w.PhoneNumbers {
		if existing := s.st.phones[p.ID]; existing != nil {
			if existing.waba != ws {
				return fmt.Errorf("metasim: phone number %s belongs to two WABAs", p.ID)
			}
			continue
		}
		s.addPhone(ws, p)
	}
	return nil
}

func (s *Simulator) addPhone(w *wabaState, p PhoneNumber) *phoneState {
	p.setDefaults()
	if p.LastOnboardedTime == "" {
		p.LastOnboardedTime = graphTime(s.now())
	}
	ps := &phoneState{PhoneNumber: p, waba: w, overrides: map[string]SubscribedApp{}, syncs: map[string]bool{}}
	w.phones = append(w.phones, ps)
	s.st.phones[p.ID] = ps
	return ps
}

// World returns what exists now. Without secrets it holds no token, app secret, PIN or verify token.
func (s *Simulator) World(secrets bool) World {
	s.mu.Lock()
	defer s.mu.Unlock()
	var w World
	for _, id := range sortedKeys(s.st.apps) {
		w.Apps = append(w.Apps, s.st.apps[id].snapshot(secrets))
	}
	for _, id := range sortedKeys(s.st.businesses) {
		w.Businesses = append(w.Businesses, *s.st.businesses[id])
	}
	for _, id := range sortedKeys(s.st.lines) {
		w.CreditLines = append(w.CreditLines, *s.st.lines[id])
	}
	for _, id := range sortedKeys(s.st.tokens) {
		if t := s.st.tokens[id]; t.kind == kindSystem {
			w.SystemUsers = append(w.SystemUsers, t.snapshot(secrets))
		}
	}
	slices.SortFunc(w.SystemUsers, func(a, b SystemUser) int { return strings.Compare(a.ID, b.ID) })
	for _, id := range sortedKeys(s.st.wabas) {
		w.WABAs = append(w.WABAs, s.st.wabas[id].snapshot(secrets))
	}
	for _, id := range sortedKeys(s.st.customers) {
		w.Customers = append(w.Customers, *s.st.customers[id])
	}
	return w
}

func (a *appState) snapshot(secrets bool) App {
	out := a.App
	if a.Subscription != nil {
		sub := *a.Subscription
		sub.Fields = slices.Clone(sub.Fields)
		out.Subscription = &sub
	}
	if !secrets {
		out.Secret = ""
		if out.Subscription != nil {
			out.Subscription.VerifyToken = ""
		}
	}
	return out
}

func (t *token) snapshot(secrets bool) SystemUser {
	u := SystemUser{
		ID: t.userID, Name: t.userName, AppID: t.appID, BusinessID: t.businessID,
		Scopes: slices.Clone(t.scopes), WABAIDs: slices.Clone(t.wabaIDs), Temporary: t.temporary,
	}
	if !t.expiresAt.IsZero() {
		u.ExpiresAt = t.expiresAt.Unix()
	}
	if secrets {
		u.Token = t.value
	}
	return u
}

func (w *wabaState) snapshot(secrets bool) WABA {
	out := w.WABA
	out.SharedWith = slices.Clone(w.SharedWith)
	out.SubscribedApps = slices.Clone(w.SubscribedApps)
	out.PhoneNumbers = nil
	for _, p := range w.phones {
		n := p.PhoneNumber
		if !secrets {
			n.PIN = ""
		}
		out.PhoneNumbers = append(out.PhoneNumbers, n)
	}
	return out
}

// SetAppSecret rotates an app's secret: app tokens, proofs and signatures made with the old one end at once.
func (s *Simulator) SetAppSecret(appID, secret string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.st.apps[appID]
	if a == nil || secret == "" {
		return fmt.Errorf("metasim: no app %q, or empty secret", appID)
	}
	a.Secret = secret
	return nil
}

// SystemToken returns the token of a system user, "" when there is none.
func (s *Simulator) SystemToken(systemUserID string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.st.tokens {
		if t.kind == kindSystem && t.userID == systemUserID {
			return t.value
		}
	}
	return ""
}

// AppSecret returns the secret of an app, "" when there is no such app.
func (s *Simulator) AppSecret(appID string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.st.apps[appID]; a != nil {
		return a.Secret
	}
	return ""
}

// UpdatePhoneNumber changes a number as its owner or Meta would, for example its status or quality.
func (s *Simulator) UpdatePhoneNumber(id string, change func(*PhoneNumber)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.st.phones[id]
	if p == nil {
		return noSuch("phone number", id)
	}
	change(&p.PhoneNumber)
	p.ID = id
	return nil
}

// UpdateWABA changes an account as its owner or Meta would. The id and the phone numbers stay.
func (s *Simulator) UpdateWABA(id string, change func(*WABA)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.st.wabas[id]
	if w == nil {
		return noSuch("WABA", id)
	}
	change(&w.WABA)
	w.ID, w.PhoneNumbers = id, nil
	return nil
}

func (s *Simulator) randomString(alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[s.rng.IntN(len(alphabet))]
	}
	return string(b)
}

func (s *Simulator) newToken() string { return "EAAG" + s.randomString(tokenAlphabet, 160) }

func (s *Simulator) newID() string { return "1" + s.randomString("0123456789", 15) }

// newWamid looks like Meta's: base64 with padding and the other side's phone number inside, which is why a wamid is
// personal data.
func (s *Simulator) newWamid(party string) string {
	raw := "\x1c\x18\x0b" + party + "\x15\x02\x00\x11\x18\x12" + s.randomString("0123456789ABCDEF", 18) + "\x00"
	return "wamid." + base64.StdEncoding.EncodeToString([]byte(raw))
}

// graphTime is Graph's form of a time: no colon in the zone, hence not RFC 3339.
// graphTimeLayout is how the Graph API prints times of numbers, without the colon of RFC 3339.
const graphTimeLayout = "2006-01-02T15:04:05-0700"

func graphTime(t time.Time) string { return t.UTC().Format(graphTimeLayout) }

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
