package runtimeconfig

// Capability is something that a model does for an assistant. Its text is the name of the field of spec.assistant that
// configures it.
type Capability string

// The capabilities.
const (
	// CapabilityChat writes answers.
	CapabilityChat Capability = "chat"
	// CapabilityTranscription turns voice notes into text.
	CapabilityTranscription Capability = "transcription"
	// CapabilityVision describes photos.
	CapabilityVision Capability = "vision"
	// CapabilityImages makes images.
	CapabilityImages Capability = "images"
	// CapabilityEmbeddings improves search.
	CapabilityEmbeddings Capability = "embeddings"
)

// Capabilities are all of them, in the order of the spec.
var Capabilities = []Capability{
	CapabilityChat, CapabilityTranscription, CapabilityVision, CapabilityImages, CapabilityEmbeddings,
}

// KeyOfAPIKey is the key of an Object that holds the API key of the capability's provider.
func (c Capability) KeyOfAPIKey() string { return string(c) + "-api-key" }

// Provider returns the model of a capability; nil means that the channel has none.
func (a *Assistant) Provider(c Capability) *Provider {
	if p := a.slot(c); p != nil {
		return *p
	}
	return nil
}

// SetProvider gives the channel a model for a capability. It panics on a capability that is none of Capabilities.
func (a *Assistant) SetProvider(c Capability, p *Provider) { *a.slot(c) = p }

func (a *Assistant) slot(c Capability) **Provider {
	switch c {
	case CapabilityChat:
		return &a.Chat
	case CapabilityTranscription:
		return &a.Transcription
	case CapabilityVision:
		return &a.Vision
	case CapabilityImages:
		return &a.Images
	case CapabilityEmbeddings:
		return &a.Embeddings
	default:
		return nil
	}
}
