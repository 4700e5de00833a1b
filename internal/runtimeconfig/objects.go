package runtimeconfig

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
)

// Version is the version of the contract. A server refuses Objects of a newer one and keeps what it had.
const Version = 1

// LabelProjection marks the Secrets and ConfigMaps of the runtime namespace that are Objects. Its value is the Kind.
const LabelProjection = "whatsapp-operator.dev/projection"

// Kind says what an Object is.
type Kind string

// The kinds of Objects.
const (
	// KindChannel is a number that is served. Its name comes from ChannelName.
	KindChannel Kind = "channel"
	// KindTombstone is a number that was served until lately. It has the name of the channel that it replaces.
	KindTombstone Kind = "tombstone"
	// KindApp is a Meta app whose secret signs webhooks. Its name comes from AppName.
	KindApp Kind = "app"
	// KindContent is the catalog and knowledge of a number.
	KindContent Kind = "content"
	// KindInternal holds the credential of the server's internal API.
	KindInternal Kind = "internal"
	// KindSignup is a signup link that is out, or was used. Its name comes from SignupName.
	KindSignup Kind = "signup"
)

// Keys of an Object.
const (
	// KeySettings holds the settings as JSON.
	KeySettings = "settings.json"
	// KeyAccessToken holds a channel's access token.
	KeyAccessToken = "access-token"
	// KeyAppSecret holds the app secret of an app, or of a direct channel's own app.
	KeyAppSecret = "app-secret"
	// KeyPreviousAppSecret holds the app secret before a rotation.
	KeyPreviousAppSecret = "previous-app-secret"
	// KeyVerifyToken holds the webhook verify token.
	KeyVerifyToken = "verify-token"
	// KeyLinkPublicKey holds the Ed25519 public key (32 bytes) that signup links are verified with.
	KeyLinkPublicKey = "link-public-key"
	// KeyOrderSigningKey holds the key that signs the calls about orders.
	KeyOrderSigningKey = "order-signing-key"
	// KeyToolHeaders holds the headers for tool servers: JSON of names and values by the server's name.
	KeyToolHeaders = "tool-headers.json"
	// KeyBearerToken holds the credential of the internal API.
	KeyBearerToken = "bearer-token"
	// KeyContent holds gzipped JSON of a Content.
	KeyContent = "content.json.gz"
)

// ChannelName is the name of the Object of a number, served or tombstoned. One number, one Object: it is the claim on the number.
func ChannelName(phoneNumberID string) string { return "number-" + phoneNumberID }

// AppName is the name of the Object of a Meta app.
func AppName(appID string) string { return "app-" + appID }

// ContentName is the name of the Object of a number's content with the given revision.
func ContentName(phoneNumberID, revision string) string {
	return "content-" + phoneNumberID + "-" + revision
}

// SignupName is the name of the Object of a request's signup link.
func SignupName(requestUID string) string { return "signup-" + requestUID }

// InternalName is the name of the one Object of kind internal.
const InternalName = "webhook-server-internal"

// Object is a named set of keys with bytes.
type Object struct {
	// Name of the Secret, the ConfigMap or the directory.
	Name string
	// Data by key.
	Data map[string][]byte
	// Err says why the Object could not be read at all; Load makes it a Problem.
	Err error
}

// header is what every settings.json starts with.
type header struct {
	Version int  `json:"version"`
	Kind    Kind `json:"kind"`
}

// Graph says where and how the Graph API is called.
type Graph struct {
	// BaseURL without a trailing slash, such as https://graph.facebook.com.
	BaseURL string `json:"baseURL"`
	// Version such as v25.0.
	Version string `json:"version"`
}

// Channel is a number that is served.
type Channel struct {
	// Namespace and Name of the WhatsAppChannel: the holder of the claim on the number.
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// LineID identifies the number in its namespace; history, contacts and chats belong to it.
	LineID string `json:"lineID"`
	// PhoneNumberID and WABAID route webhooks to the channel.
	PhoneNumberID string `json:"phoneNumberID"`
	WABAID        string `json:"wabaID"`
	// AppID is the Meta app that signs the channel's webhooks.
	AppID string `json:"appID"`
	// Direct is true when the app secret is the channel's own rather than a MetaApp's.
	Direct bool `json:"direct"`
	// DisplayNumber and VerifiedName are what people know the number by.
	DisplayNumber string `json:"displayNumber,omitempty"`
	VerifiedName  string `json:"verifiedName,omitempty"`
	// Graph is where messages are sent.
	Graph Graph `json:"graph"`
	// MessagingAccountID is sent with each message when set.
	MessagingAccountID string `json:"messagingAccountID,omitempty"`
	// MessagesPerSecond is Meta's throughput of the number, in and out together: 80, 1000 or 20.
	MessagesPerSecond int `json:"messagesPerSecond"`
	// PlanActive is false when the business's subscription has ended: messages are stored, never answered.
	PlanActive bool `json:"planActive"`
	// TimeZone is an IANA name; empty means UTC.
	TimeZone string `json:"timeZone,omitempty"`
	// Retention is how long messages are kept.
	Retention Duration `json:"retention"`
	// DiscardBodies takes the words out of messages that are answered.
	DiscardBodies bool `json:"discardBodies,omitempty"`
	// Assistant configures who answers.
	Assistant Assistant `json:"assistant"`
	// Handoff configures how a chat goes to a person.
	Handoff Handoff `json:"handoff"`
	// Limits bound what the assistant may do; nil members mean no bound.
	Limits Limits `json:"limits"`
	// Orders configures what happens with orders.
	Orders Orders `json:"orders,omitzero"`

	// AccessToken sends and fetches for the number.
	AccessToken redact.Secret `json:"-"`
	// AppSecret verifies webhooks of a direct channel; empty otherwise.
	AppSecret redact.Secret `json:"-"`
	// PreviousAppSecret verifies them during a rotation; empty otherwise.
	PreviousAppSecret redact.Secret `json:"-"`
	// VerifyToken answers the handshake for a channel with an app of its own; empty otherwise.
	VerifyToken redact.Secret `json:"-"`

	// Revision identifies everything above; set by Load.
	Revision string `json:"-"`
	// CredentialRevision identifies AccessToken alone, so that a parked line notices a new one; set by Load.
	CredentialRevision string `json:"-"`
	// Content is the catalog and knowledge that Assistant.Content names; set by Load, nil when there is none or it has not arrived yet.
	Content *Content `json:"-"`
}

// Assistant configures who answers customers of a channel.
type Assistant struct {
	Enabled      bool     `json:"enabled"`
	Instructions string   `json:"instructions,omitempty"`
	Languages    []string `json:"languages,omitempty"`
	// Chat is the model that writes answers; nil means the retrieval assistant.
	Chat *Provider `json:"chat,omitempty"`
	// Transcription turns voice notes into text, Vision describes photos, Images makes images and Embeddings improves search;
	// nil means that it is off.
	Transcription *Provider `json:"transcription,omitempty"`
	Vision        *Provider `json:"vision,omitempty"`
	Images        *Provider `json:"images,omitempty"`
	Embeddings    *Provider `json:"embeddings,omitempty"`
	// Content is the name of the content Object; empty means none.
	Content string `json:"content,omitempty"`
	// Sources are the documents that are fetched by URL, in the order of the channel's spec.
	Sources []Source `json:"sources,omitempty"`
	// MaxReplyAge is how old a message may be and still be answered.
	MaxReplyAge Duration `json:"maxReplyAge"`
	// Tools are servers whose tools the chat model may use.
	Tools []ToolServer `json:"tools,omitempty"`
}

// ToolServer is a Model Context Protocol server.
type ToolServer struct {
	// Name prefixes the names of its tools.
	Name string `json:"name"`
	URL  string `json:"url"`
	// AllowedTools are those that may be used; empty means none.
	AllowedTools []string `json:"allowedTools,omitempty"`
	// Timeout of one call, MaxResultBytes of what it may return.
	Timeout        Duration `json:"timeout"`
	MaxResultBytes int32    `json:"maxResultBytes"`
	// SideEffect marks tools that change something.
	SideEffect bool `json:"sideEffect,omitempty"`
	// Headers are sent with each request.
	Headers map[string]redact.Secret `json:"-"`
}

// Source is a product feed or a page that is fetched.
type Source struct {
	// Field of the spec that names it, such as spec.assistant.catalog.url.
	Field string `json:"field"`
	// URL may hold a secret of the tenant.
	URL string `json:"url"`
	// Format is CSV, TSV, JSON or XML of a product feed; empty for a page.
	Format string `json:"format,omitempty"`
	// Refresh is how often it is fetched; zero leaves it to the server.
	Refresh Duration `json:"refresh,omitempty"`
}

// Provider is one model at one provider.
type Provider struct {
	// Provider is OpenAI, AzureOpenAI or Anthropic.
	Provider string   `json:"provider"`
	BaseURL  string   `json:"baseURL,omitempty"`
	Model    string   `json:"model"`
	Timeout  Duration `json:"timeout"`
	// Default is true when the platform provides it, rather than the channel.
	Default bool `json:"default,omitempty"`
	// APIKey of the provider; may be empty for servers that want none.
	APIKey redact.Secret `json:"-"`
}

// Handoff configures how a chat goes to a person.
type Handoff struct {
	Message  string   `json:"message,omitempty"`
	Keywords []string `json:"keywords,omitempty"`
	// ResumeAfter gives a chat back when no person has written for this long; zero means never.
	ResumeAfter Duration `json:"resumeAfter,omitempty"`
}

// Limits bound what the assistant may do.
type Limits struct {
	ConversationsPerMonth *int64 `json:"conversationsPerMonth,omitempty"`
	MessagesPerMonth      *int64 `json:"messagesPerMonth,omitempty"`
	TokensPerDay          *int64 `json:"tokensPerDay,omitempty"`
	// MessagesPerDay bounds what the messages of a day can cost; CustomerMessagesPerHour what one customer can cause.
	MessagesPerDay          *int64 `json:"messagesPerDay,omitempty"`
	CustomerMessagesPerHour *int64 `json:"customerMessagesPerHour,omitempty"`
	// Message answers when a limit is reached; empty means that a person takes over.
	Message string `json:"message,omitempty"`
}

// Orders configures what happens with orders.
type Orders struct {
	// Notify tells the shop of each; nil means that nobody is told.
	Notify *OrderNotify `json:"notify,omitempty"`
}

// OrderNotify is a signed HTTP callback.
type OrderNotify struct {
	URL string `json:"url"`
	// SigningKey signs the calls.
	SigningKey redact.Secret `json:"-"`
}

// Tombstone is a number that was served until lately: Meta may deliver for it for days.
type Tombstone struct {
	// Namespace and Name of the WhatsAppChannel that held the number; it alone may take it back at once.
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// PhoneNumberID and WABAID of the number.
	PhoneNumberID string `json:"phoneNumberID"`
	WABAID        string `json:"wabaID"`
	// ReleasedAt is when the channel went.
	ReleasedAt time.Time `json:"releasedAt"`
}

// App is a Meta app whose secret signs the webhooks of many channels.
type App struct {
	// Name of the MetaApp.
	Name string `json:"name"`
	// AppID of the app.
	AppID string `json:"appID"`
	// Graph is where its API is called.
	Graph Graph `json:"graph"`
	// EmbeddedSignup is what the signup page launches; nil when the app has no signup links.
	EmbeddedSignup *EmbeddedSignup `json:"embeddedSignup,omitempty"`

	// AppSecret verifies webhooks.
	AppSecret redact.Secret `json:"-"`
	// PreviousAppSecret verifies them during a rotation; empty otherwise.
	PreviousAppSecret redact.Secret `json:"-"`
	// VerifyToken answers the handshake.
	VerifyToken redact.Secret `json:"-"`
	// LinkPublicKey verifies signup links; empty when the app has none.
	LinkPublicKey []byte `json:"-"`

	// Revision identifies everything above; set by Load.
	Revision string `json:"-"`
}

// Internal holds the credential of the server's internal API.
type Internal struct {
	// BearerToken that the manager presents.
	BearerToken redact.Secret `json:"-"`
}

// Duration is a time.Duration that reads and writes as text such as "1h30m".
type Duration time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("duration must look like 1h30m: %w", err)
	}
	*d = Duration(parsed)
	return nil
}

// Object encodes the channel.
func (c *Channel) Object() (Object, error) {
	data, err := settings(KindChannel, c)
	if err != nil {
		return Object{}, err
	}
	putSecret(data, KeyAccessToken, c.AccessToken)
	putSecret(data, KeyAppSecret, c.AppSecret)
	putSecret(data, KeyPreviousAppSecret, c.PreviousAppSecret)
	putSecret(data, KeyVerifyToken, c.VerifyToken)
	for _, capability := range Capabilities {
		if p := c.Assistant.Provider(capability); p != nil {
			putSecret(data, capability.KeyOfAPIKey(), p.APIKey)
		}
	}
	if err := putToolHeaders(data, c.Assistant.Tools); err != nil {
		return Object{}, err
	}
	if c.Orders.Notify != nil {
		putSecret(data, KeyOrderSigningKey, c.Orders.Notify.SigningKey)
	}
	return Object{Name: ChannelName(c.PhoneNumberID), Data: data}, nil
}

// Object encodes the tombstone.
func (t *Tombstone) Object() (Object, error) {
	data, err := settings(KindTombstone, t)
	if err != nil {
		return Object{}, err
	}
	return Object{Name: ChannelName(t.PhoneNumberID), Data: data}, nil
}

// Object encodes the app.
func (a *App) Object() (Object, error) {
	data, err := settings(KindApp, a)
	if err != nil {
		return Object{}, err
	}
	putSecret(data, KeyAppSecret, a.AppSecret)
	putSecret(data, KeyPreviousAppSecret, a.PreviousAppSecret)
	putSecret(data, KeyVerifyToken, a.VerifyToken)
	if len(a.LinkPublicKey) > 0 {
		data[KeyLinkPublicKey] = a.LinkPublicKey
	}
	return Object{Name: AppName(a.AppID), Data: data}, nil
}

// Object encodes the credential.
func (i *Internal) Object() (Object, error) {
	data, err := settings(KindInternal, i)
	if err != nil {
		return Object{}, err
	}
	putSecret(data, KeyBearerToken, i.BearerToken)
	return Object{Name: InternalName, Data: data}, nil
}

// Revision identifies an Object's data: equal data, equal revision, whatever made it. It is safe to show: what it is computed
// from includes secrets of high entropy only.
func Revision(data map[string][]byte) string {
	h := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(data)) {
		h.Write(fmt.Appendf(nil, "%d:%s%d:", len(key), key, len(data[key])))
		h.Write(data[key])
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// settings encodes v with the contract's header in front.
func settings(kind Kind, v any) (map[string][]byte, error) {
	head, err := json.Marshal(header{Version: Version, Kind: kind})
	if err != nil {
		return nil, fmt.Errorf("encode %s settings: %w", kind, err)
	}
	body, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %s settings: %w", kind, err)
	}
	if !bytes.Equal(body, []byte("{}")) {
		head = append(head[:len(head)-1], ',')
		head = append(head, body[1:]...)
	}
	return map[string][]byte{KeySettings: head}, nil
}

// putSecret adds a key unless its value is empty, so that "absent" has one form only.
func putSecret(data map[string][]byte, key string, value redact.Secret) {
	if !value.IsZero() {
		data[key] = []byte(value.Reveal())
	}
}

// putToolHeaders adds the headers of tool servers, if there are any.
func putToolHeaders(data map[string][]byte, servers []ToolServer) error {
	all := map[string]map[string]string{}
	for _, s := range servers {
		for name, value := range s.Headers {
			if all[s.Name] == nil {
				all[s.Name] = map[string]string{}
			}
			all[s.Name][name] = value.Reveal()
		}
	}
	if len(all) == 0 {
		return nil
	}
	encoded, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("encode the headers of tool servers: %w", err)
	}
	data[KeyToolHeaders] = encoded
	return nil
}

// takeToolHeaders reverses putToolHeaders.
func takeToolHeaders(data map[string][]byte, servers []ToolServer) error {
	if len(data[KeyToolHeaders]) == 0 {
		return nil
	}
	var all map[string]map[string]string
	if err := json.Unmarshal(data[KeyToolHeaders], &all); err != nil {
		return fmt.Errorf("%s is not valid JSON", KeyToolHeaders) // the error would quote it
	}
	for i := range servers {
		for name, value := range all[servers[i].Name] {
			if servers[i].Headers == nil {
				servers[i].Headers = map[string]redact.Secret{}
			}
			servers[i].Headers[name] = redact.New(value)
		}
	}
	return nil
}
