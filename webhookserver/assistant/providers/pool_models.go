package providers

import (
	"context"
)

// Estimates of what a call takes, for budgets. They err on the high side and are corrected after the call.
const (
	// bytesPerToken of text: English has four, other scripts fewer.
	bytesPerToken = 3
	// tokensPerImage of a photo in a request.
	tokensPerImage = 1500
	// tokensPerGeneratedImage of a square one in the highest quality.
	tokensPerGeneratedImage = 6500
	// audioBytesPerToken of a voice note: 16 kbit/s and ten tokens a second.
	audioBytesPerToken = 200
)

type chatOf struct {
	chat Chat
	caller
}

// Complete implements Chat.
func (c chatOf) Complete(ctx context.Context, req Request) (res Response, err error) {
	size, images := len(req.System)+len(req.Schema.JSON), 0
	for _, m := range req.Messages {
		size += len(m.Text)
		images += len(m.Images)
		for _, call := range m.Calls {
			size += len(call.Arguments)
		}
		for _, result := range m.Results {
			size += len(result.Text)
		}
	}
	for _, tool := range req.Tools {
		size += len(tool.Description) + len(tool.Parameters)
	}
	estimate := int64(size/bytesPerToken + images*tokensPerImage + req.MaxTokens)
	err = c.call(ctx, estimate, func(ctx context.Context) (usage, error) {
		res, err = c.chat.Complete(ctx, req)
		return usage{promptTokens: res.PromptTokens, completionTokens: res.CompletionTokens}, err
	})
	return res, err
}

type transcriberOf struct {
	transcriber Transcriber
	caller
}

// Transcribe implements Transcriber.
func (t transcriberOf) Transcribe(ctx context.Context, a Audio) (res Transcript, err error) {
	err = t.call(ctx, int64(len(a.Data)/audioBytesPerToken), func(ctx context.Context) (usage, error) {
		res, err = t.transcriber.Transcribe(ctx, a)
		return usage{promptTokens: res.PromptTokens, completionTokens: res.CompletionTokens, audioSeconds: res.Seconds}, err
	})
	return res, err
}

type imageGeneratorOf struct {
	generator ImageGenerator
	caller
}

// Generate implements ImageGenerator.
func (g imageGeneratorOf) Generate(ctx context.Context, description string) (res Image, err error) {
	err = g.call(ctx, tokensPerGeneratedImage, func(ctx context.Context) (usage, error) {
		res, err = g.generator.Generate(ctx, description)
		used := usage{promptTokens: res.PromptTokens, completionTokens: res.CompletionTokens}
		if err == nil {
			used.images = 1
		}
		return used, err
	})
	return res, err
}

type embedderOf struct {
	embedder Embedder
	caller
}

// Embed implements Embedder.
func (e embedderOf) Embed(ctx context.Context, texts []string) (res Embeddings, err error) {
	size := 0
	for _, text := range texts {
		size += len(text)
	}
	err = e.call(ctx, int64(size/bytesPerToken), func(ctx context.Context) (usage, error) {
		res, err = e.embedder.Embed(ctx, texts)
		return usage{promptTokens: res.PromptTokens}, err
	})
	return res, err
}
