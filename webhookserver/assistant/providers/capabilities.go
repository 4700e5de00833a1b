package providers

import "context"

// Transcriber turns speech into text. Implementations are safe for concurrent use.
type Transcriber interface {
	// Transcribe writes down what is said. Every error is an *Error; silence is one of BadResponse.
	Transcribe(ctx context.Context, a Audio) (Transcript, error)
}

// Audio is a recording.
type Audio struct {
	// MIMEType is what WhatsApp says it is, such as "audio/ogg; codecs=opus".
	MIMEType string
	// Data is the file.
	Data []byte
	// Language is a hint, an ISO 639-1 code such as "en"; empty lets the model find out.
	Language string
}

// Transcript is what was said.
type Transcript struct {
	// Text is never empty.
	Text string
	// Seconds is the length of the recording as the provider counts it; 0 when it does not.
	Seconds float64
	// PromptTokens and CompletionTokens as the provider counts them; 0 when it counts seconds.
	PromptTokens, CompletionTokens int
}

// ImageGenerator makes images. Implementations are safe for concurrent use.
type ImageGenerator interface {
	// Generate makes one image of what the text describes. Every error is an *Error.
	Generate(ctx context.Context, description string) (Image, error)
}

// Image is a picture, in a message or made by a model.
type Image struct {
	// MIMEType is image/jpeg, image/png, image/webp or image/gif.
	MIMEType string
	// Data is the file.
	Data []byte
	// PromptTokens and CompletionTokens that a generated image took, as the provider counts them; 0 when it does not.
	PromptTokens, CompletionTokens int
}

// Embedder turns texts into vectors whose cosine says how alike they are. Implementations are safe for concurrent use.
type Embedder interface {
	// Embed returns one vector for each text, in their order and all of one length. At most MaxEmbeddingTexts texts, none
	// empty. Every error is an *Error.
	Embed(ctx context.Context, texts []string) (Embeddings, error)
}

// MaxEmbeddingTexts is how many texts one call of an Embedder takes. Azure took 16 for long, OpenAI 2,048, and many
// servers run out of memory before that.
const MaxEmbeddingTexts = 64

// Embeddings are the vectors of texts.
type Embeddings struct {
	Vectors [][]float32
	// PromptTokens as the provider counts them; 0 when it does not.
	PromptTokens int
}
