package signup

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
)

// LabelHandover marks the Secrets of the signup namespace in which the page hands codes over. Its value is LabelHandoverValue.
const (
	LabelHandover      = "whatsapp-operator.dev/signup"
	LabelHandoverValue = "code"
)

// Keys of such a Secret.
const (
	keyLink   = "link"
	keyCode   = "code"
	keyClaims = "claims.json"
)

const (
	// MaxCode bounds a signup code in bytes; Meta's have some hundred.
	MaxCode = 4096
	// maxID bounds an id of Meta's, as the API does.
	maxID = 32
)

// Claims are what the browser says of a signup. They are to be proven: anybody who holds a link can claim anything.
type Claims struct {
	// Event is what the session event was called, such as FINISH; empty if none came.
	Event string `json:"event,omitempty"`
	// WABAID, PhoneNumberID and BusinessID are decimal; each may be empty.
	WABAID        string `json:"wabaID,omitempty"`
	PhoneNumberID string `json:"phoneNumberID,omitempty"`
	BusinessID    string `json:"businessID,omitempty"`
}

var (
	digits    = regexp.MustCompile(`^[0-9]*$`)
	eventName = regexp.MustCompile(`^[A-Z_]{0,64}$`)
	printable = regexp.MustCompile(`^[\x21-\x7e]+$`)
)

// Validate says what is wrong with the claims; it quotes nothing of them.
func (c Claims) Validate() error {
	if !eventName.MatchString(c.Event) {
		return errors.New("event must be the name of a session event, such as FINISH")
	}
	for name, id := range map[string]string{"wabaID": c.WABAID, "phoneNumberID": c.PhoneNumberID, "businessID": c.BusinessID} {
		if len(id) > maxID || !digits.MatchString(id) {
			return fmt.Errorf("%s must be an id of Meta's: up to %d digits", name, maxID)
		}
	}
	return nil
}

// Handover is a code on its way from the page to the manager.
type Handover struct {
	// Token is that of the link.
	Token string
	// Code is what Embedded Signup returned.
	Code redact.Secret
	// Claims came with it.
	Claims Claims
}

// Name is the name of the Secret. It follows from the code, so that a code can't be handed over twice at a time.
func (h Handover) Name() string { return "signup-" + CodeHash(h.Code) }

// Data is the content of the Secret.
func (h Handover) Data() (map[string][]byte, error) {
	if err := h.validate(); err != nil {
		return nil, err
	}
	claims, err := json.Marshal(h.Claims)
	if err != nil {
		return nil, fmt.Errorf("encode the claims: %w", err)
	}
	return map[string][]byte{keyLink: []byte(h.Token), keyCode: []byte(h.Code.Reveal()), keyClaims: claims}, nil
}

// ParseHandover reads the content of a Secret. The error says what is wrong and quotes nothing.
func ParseHandover(data map[string][]byte) (Handover, error) {
	h := Handover{Token: string(data[keyLink]), Code: redact.New(string(data[keyCode]))}
	if raw := data[keyClaims]; len(raw) > 0 {
		if err := json.Unmarshal(raw, &h.Claims); err != nil {
			return Handover{}, errors.New("the claims are no JSON object")
		}
	}
	return h, h.validate()
}

func (h Handover) validate() error {
	switch code := h.Code.Reveal(); {
	case h.Token == "" || len(h.Token) > maxToken:
		return errors.New("there is no signup link")
	case code == "":
		return errors.New("there is no signup code")
	case len(code) > MaxCode || !printable.MatchString(code):
		return errors.New("the signup code is too long, or holds what no code holds")
	default:
		return h.Claims.Validate()
	}
}

// CodeHash identifies a code without telling it: 16 bytes in hex. Codes have hundreds of random characters, so the hash can be shown.
func CodeHash(code redact.Secret) string {
	sum := sha256.Sum256([]byte("whatsapp-operator signup code\n" + code.Reveal()))
	return hex.EncodeToString(sum[:16])
}
