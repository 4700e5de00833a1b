package providers

import (
	"bytes"
	"context"
	"encoding/base64"
	"mime"
	"net/http"
	"strings"
	"time"

	openai "github.com/sashabaranov/go-openai"
)

// NewTranscriber makes the adapter of a provider that transcribes. client is as for New.
func NewTranscriber(cfg Config, client *http.Client) (Transcriber, error) {
	return newCompatible(cfg, client)
}

// NewImageGenerator makes the adapter of a provider that makes images. client is as for New.
func NewImageGenerator(cfg Config, client *http.Client) (ImageGenerator, error) {
	return newCompatible(cfg, client)
}

// NewEmbedder makes the adapter of a provider that makes embeddings. client is as for New.
func NewEmbedder(cfg Config, client *http.Client) (Embedder, error) {
	return newCompatible(cfg, client)
}

// Transcribe implements Transcriber.
func (c *compatible) Transcribe(ctx context.Context, a Audio) (Transcript, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var wait time.Duration
	ctx = context.WithValue(ctx, retryAfterKey{}, &wait)
	res, err := c.sdk.CreateTranscription(ctx, openai.AudioRequest{
		Model: c.model, FilePath: audioName(a.MIMEType), Reader: bytes.NewReader(a.Data), Language: a.Language,
	})
	if err != nil {
		return Transcript{}, failure(err, wait)
	}
	text := strings.TrimSpace(res.Text)
	if text == "" {
		return Transcript{}, &Error{Kind: BadResponse}
	}
	return Transcript{Text: text, Seconds: res.Duration}, nil
}

// audioName is a file name: providers tell formats by their ends.
func audioName(mimeType string) string {
	base, _, err := mime.ParseMediaType(mimeType)
	if err != nil {
		base = mimeType
	}
	switch base {
	case "audio/aac":
		return "voice.aac"
	case "audio/amr":
		return "voice.amr"
	case "audio/mpeg":
		return "voice.mp3"
	case "audio/mp4":
		return "voice.m4a"
	default: // what WhatsApp records
		return "voice.ogg"
	}
}

// Generate implements ImageGenerator.
func (c *compatible) Generate(ctx context.Context, description string) (Image, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var wait time.Duration
	ctx = context.WithValue(ctx, retryAfterKey{}, &wait)
	req := openai.ImageRequest{Model: c.model, Prompt: description, N: 1, Size: openai.CreateImageSize1024x1024}
	if !strings.HasPrefix(c.model, "gpt-image") && !strings.HasPrefix(c.model, "chatgpt-image") {
		// The image itself rather than a link to it: a link would be fetched from an address that nobody has checked.
		// OpenAI's newer models do so without being asked, and refuse to be.
		req.ResponseFormat = openai.CreateImageResponseFormatB64JSON
	}
	res, err := c.sdk.CreateImage(ctx, req)
	if err != nil {
		return Image{}, failure(err, wait)
	}
	if len(res.Data) == 0 || res.Data[0].B64JSON == "" {
		return Image{}, &Error{Kind: BadResponse}
	}
	data, err := base64.StdEncoding.DecodeString(res.Data[0].B64JSON)
	if err != nil {
		return Image{}, &Error{Kind: BadResponse}
	}
	kind := http.DetectContentType(data)
	if !strings.HasPrefix(kind, "image/") {
		return Image{}, &Error{Kind: BadResponse}
	}
	return Image{MIMEType: kind, Data: data, PromptTokens: res.Usage.InputTokens, CompletionTokens: res.Usage.OutputTokens}, nil
}

// Embed implements Embedder.
func (c *compatible) Embed(ctx context.Context, texts []string) (Embeddings, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var wait time.Duration
	ctx = context.WithValue(ctx, retryAfterKey{}, &wait)
	res, err := c.sdk.CreateEmbeddings(ctx, openai.EmbeddingRequestStrings{Input: texts, Model: openai.EmbeddingModel(c.model)})
	if err != nil {
		return Embeddings{}, failure(err, wait)
	}
	out := Embeddings{Vectors: make([][]float32, len(texts)), PromptTokens: res.Usage.PromptTokens}
	if len(res.Data) != len(texts) {
		return Embeddings{}, &Error{Kind: BadResponse}
	}
	for _, e := range res.Data {
		if e.Index < 0 || e.Index >= len(texts) || out.Vectors[e.Index] != nil || len(e.Embedding) == 0 ||
			len(e.Embedding) != len(res.Data[0].Embedding) {
			return Embeddings{}, &Error{Kind: BadResponse}
		}
		out.Vectors[e.Index] = e.Embedding
	}
	return out, nil
}

// failure is the *Error of a failed call, with the time that the provider asked to wait.
func failure(err error, wait time.Duration) *Error {
	e := classify(err)
	e.RetryAfter = wait
	return e
}
