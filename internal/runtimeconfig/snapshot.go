package runtimeconfig

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
)

// Snapshot is everything that a server serves, at one moment. It is immutable and safe for concurrent use; a change makes another.
type Snapshot struct {
	channels     map[string]*Channel   // by phone number id
	byWABA       map[string][]*Channel // by WhatsApp Business account id, sorted by phone number id
	apps         map[string]*App       // by app id
	signups      map[string]*Signup    // by the UID of the request
	sortedApps   []*App                // by app id
	tombstones   map[string]*Tombstone // by phone number id
	deadWABAs    map[string]bool       // accounts that only tombstones have
	verifyTokens map[[sha256.Size]byte][]Handshaker
	bearerToken  redact.Secret
	problems     []Problem
}

// Handshaker is whose verify token a handshake presented: one of the two is set.
type Handshaker struct {
	App     *App
	Channel *Channel
}

// Problem is an Object that could not be read.
type Problem struct {
	// Object is its name.
	Object string
	// Err says what is wrong and what to do; it holds no secret.
	Err error
}

// Load reads Objects into a Snapshot. It never fails as a whole: what can't be read is in Problems.
func Load(objects []Object) *Snapshot {
	s := &Snapshot{
		channels:     map[string]*Channel{},
		byWABA:       map[string][]*Channel{},
		apps:         map[string]*App{},
		signups:      map[string]*Signup{},
		tombstones:   map[string]*Tombstone{},
		deadWABAs:    map[string]bool{},
		verifyTokens: map[[sha256.Size]byte][]Handshaker{},
	}
	contents := map[string]*Content{}
	for _, object := range objects {
		if err := s.add(object, contents); err != nil {
			s.problems = append(s.problems, Problem{Object: object.Name, Err: err})
		}
	}
	for _, channel := range s.channels {
		channel.Content = contents[channel.Assistant.Content]
		s.byWABA[channel.WABAID] = append(s.byWABA[channel.WABAID], channel)
	}
	for _, channels := range s.byWABA {
		slices.SortFunc(channels, func(a, b *Channel) int { return strings.Compare(a.PhoneNumberID, b.PhoneNumberID) })
	}
	for _, tombstone := range s.tombstones {
		if len(s.byWABA[tombstone.WABAID]) == 0 {
			s.deadWABAs[tombstone.WABAID] = true
		}
	}
	for _, app := range s.apps {
		s.sortedApps = append(s.sortedApps, app)
	}
	slices.SortFunc(s.sortedApps, func(a, b *App) int { return strings.Compare(a.AppID, b.AppID) })
	slices.SortFunc(s.problems, func(a, b Problem) int { return strings.Compare(a.Object, b.Object) })
	return s
}

func (s *Snapshot) add(object Object, contents map[string]*Content) error {
	if object.Err != nil {
		return object.Err
	}
	raw, ok := object.Data[KeySettings]
	if !ok {
		return fmt.Errorf("key %s is missing", KeySettings)
	}
	var head header
	if err := json.Unmarshal(raw, &head); err != nil {
		return fmt.Errorf("%s is not valid JSON: %w", KeySettings, err)
	}
	if head.Version != Version {
		return fmt.Errorf("%s has version %d, this server reads version %d; upgrade the webhook-server together with the manager",
			KeySettings, head.Version, Version)
	}
	switch head.Kind {
	case KindChannel:
		return s.addChannel(object, raw)
	case KindTombstone:
		return s.addTombstone(raw)
	case KindApp:
		return s.addApp(object, raw)
	case KindContent:
		content, err := decodeContent(object.Data[KeyContent])
		if err != nil {
			return err
		}
		contents[object.Name] = content
		return nil
	case KindSignup:
		return s.addSignup(raw)
	case KindInternal:
		s.bearerToken = secretOf(object, KeyBearerToken)
		return nil
	default:
		return fmt.Errorf("%s has the unknown kind %q", KeySettings, head.Kind)
	}
}

func (s *Snapshot) addChannel(object Object, raw []byte) error {
	c := &Channel{}
	if err := json.Unmarshal(raw, c); err != nil {
		return fmt.Errorf("%s is not valid: %w", KeySettings, err)
	}
	c.AccessToken = secretOf(object, KeyAccessToken)
	c.AppSecret = secretOf(object, KeyAppSecret)
	c.PreviousAppSecret = secretOf(object, KeyPreviousAppSecret)
	c.VerifyToken = secretOf(object, KeyVerifyToken)
	for _, capability := range Capabilities {
		if p := c.Assistant.Provider(capability); p != nil {
			p.APIKey = secretOf(object, capability.KeyOfAPIKey())
		}
	}
	if err := takeToolHeaders(object.Data, c.Assistant.Tools); err != nil {
		return err
	}
	if c.Orders.Notify != nil {
		c.Orders.Notify.SigningKey = secretOf(object, KeyOrderSigningKey)
	}
	c.Revision = Revision(object.Data)
	c.CredentialRevision = Revision(map[string][]byte{KeyAccessToken: object.Data[KeyAccessToken]})
	if c.PhoneNumberID == "" || c.WABAID == "" || c.LineID == "" {
		return errors.New("phoneNumberID, wabaID and lineID must be set")
	}
	if other := s.channels[c.PhoneNumberID]; other != nil {
		return fmt.Errorf("phone number id %s is served by another object already", c.PhoneNumberID)
	}
	s.channels[c.PhoneNumberID] = c
	s.addVerifyToken(c.VerifyToken, Handshaker{Channel: c})
	return nil
}

func (s *Snapshot) addTombstone(raw []byte) error {
	t := &Tombstone{}
	if err := json.Unmarshal(raw, t); err != nil {
		return fmt.Errorf("%s is not valid: %w", KeySettings, err)
	}
	s.tombstones[t.PhoneNumberID] = t
	return nil
}

func (s *Snapshot) addApp(object Object, raw []byte) error {
	a := &App{}
	if err := json.Unmarshal(raw, a); err != nil {
		return fmt.Errorf("%s is not valid: %w", KeySettings, err)
	}
	a.AppSecret = secretOf(object, KeyAppSecret)
	a.PreviousAppSecret = secretOf(object, KeyPreviousAppSecret)
	a.VerifyToken = secretOf(object, KeyVerifyToken)
	a.LinkPublicKey = object.Data[KeyLinkPublicKey]
	a.Revision = Revision(object.Data)
	if a.AppID == "" || a.AppSecret.IsZero() {
		return fmt.Errorf("appID and the key %s must be set", KeyAppSecret)
	}
	if other := s.apps[a.AppID]; other != nil {
		return fmt.Errorf("app id %s is defined by another object already", a.AppID)
	}
	s.apps[a.AppID] = a
	s.addVerifyToken(a.VerifyToken, Handshaker{App: a})
	return nil
}

func (s *Snapshot) addVerifyToken(token redact.Secret, h Handshaker) {
	if !token.IsZero() {
		digest := sha256.Sum256([]byte(token.Reveal()))
		s.verifyTokens[digest] = append(s.verifyTokens[digest], h)
	}
}

// Channel returns the channel that serves a number.
func (s *Snapshot) Channel(phoneNumberID string) (*Channel, bool) {
	c, ok := s.channels[phoneNumberID]
	return c, ok
}

// Channels returns all channels, in no order. The caller must not change the slice's elements.
func (s *Snapshot) Channels() []*Channel {
	all := make([]*Channel, 0, len(s.channels))
	for _, c := range s.channels {
		all = append(all, c)
	}
	return all
}

// ChannelsOfWABA returns the channels of a WhatsApp Business account, sorted by phone number id.
func (s *Snapshot) ChannelsOfWABA(wabaID string) []*Channel { return s.byWABA[wabaID] }

// App returns the MetaApp with an app id.
func (s *Snapshot) App(appID string) (*App, bool) {
	a, ok := s.apps[appID]
	return a, ok
}

// Apps returns all MetaApps, sorted by app id. It costs nothing; the caller must not change it.
func (s *Snapshot) Apps() []*App { return s.sortedApps }

// Tombstone returns the tombstone of a number.
func (s *Snapshot) Tombstone(phoneNumberID string) (*Tombstone, bool) {
	t, ok := s.tombstones[phoneNumberID]
	return t, ok
}

// TombstonedWABA says whether an account has tombstones and no channel.
func (s *Snapshot) TombstonedWABA(wabaID string) bool { return s.deadWABAs[wabaID] }

// Handshakers returns whose verify token this is, in no order: tenants who choose theirs may choose the same one. It compares digests,
// so the time it takes tells nothing of other tokens.
func (s *Snapshot) Handshakers(verifyToken string) []Handshaker {
	return s.verifyTokens[sha256.Sum256([]byte(verifyToken))]
}

// BearerToken is the credential of the internal API; empty when none was projected, in which case nobody may use it.
func (s *Snapshot) BearerToken() redact.Secret { return s.bearerToken }

// Problems are the Objects that could not be read, sorted by name.
func (s *Snapshot) Problems() []Problem { return s.problems }

func secretOf(object Object, key string) redact.Secret {
	return redact.New(string(object.Data[key]))
}
