package assistant

import (
	"context"
	"encoding/json"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant/providers"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/catalog"
)

const (
	toolGenerateImage = "generate_image"
	// maxPictures bounds the images that are made for one answer: each is paid for, and takes its time.
	maxPictures = 1
	// pictureMargin is what the tool may take beside the model's own time-out.
	pictureMargin = 5 * time.Second

	pictureParameters = `{"type":"object","additionalProperties":false,"required":["description"],"properties":{
		"description":{"type":"string","minLength":1,"maxLength":1000,"description":"What the image shows, in every detail that matters"},
		"caption":{"type":"string","maxLength":500,"description":"What stands below the image"}}}`
)

// pictures is the tool that makes images, for a channel that has a model for it.
func (m *Model) pictures(w *work) []Tool {
	model := w.turn.Channel.Assistant.Provider(runtimeconfig.CapabilityImages)
	if model == nil || m.painters == nil {
		return nil
	}
	return []Tool{{
		Name: toolGenerateImage, Parameters: json.RawMessage(pictureParameters), Timeout: time.Duration(model.Timeout) + pictureMargin,
		Description: "Makes an image and sends it to the customer, together with your answer. Use it only when the customer asks for an image that is not a photo of a product; for those there is " + toolSendImage + ".",
		Run:         func(ctx context.Context, a json.RawMessage) (string, error) { return m.generateImage(ctx, w, a) },
	}}
}

func (m *Model) generateImage(ctx context.Context, w *work, arguments json.RawMessage) (string, error) {
	var q struct {
		Description string `json:"description"`
		Caption     string `json:"caption"`
	}
	if err := json.Unmarshal(arguments, &q); err != nil {
		return "", err
	}
	if len(w.pictures) >= maxPictures {
		return "", &ToolError{Text: "One image for an answer is enough."}
	}
	// The caption is the model's own words, like the text of an answer: no link of others, and nothing of the prompt.
	caption := ""
	err := m.library.Use(ctx, w.turn.Channel, func(x *catalog.Index) error {
		if !recites(w.turn.Channel, q.Caption) {
			caption, _ = onlyKnownLinks(x, FromMarkdown(q.Caption))
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	painter, err := m.painters.ImageGenerator(w.turn.Channel)
	if err != nil {
		return "", pictureFailed(err)
	}
	made, err := painter.Generate(ctx, q.Description)
	if err != nil {
		return "", pictureFailed(err)
	}
	if !sendablePicture(made.MIMEType, len(made.Data)) {
		return "", &ToolError{Text: "The image that was made can't be sent: it is no JPEG or PNG of at most 5 MiB."}
	}
	w.pictures = append(w.pictures, Picture{MIMEType: made.MIMEType, Data: made.Data, Caption: caption})
	return `{"sent":"with your answer"}`, nil
}

// pictureFailed is what the chat model is told, so that it says so.
func pictureFailed(err error) error {
	return &ToolError{Text: "No image could be made (" + string(providers.KindOf(err)) + "). Tell the customer that it is not possible now."}
}
