package senses

import (
	"strings"
	"testing"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/test/aimock"
)

var hears = aimock.Fixture{
	Match:    map[string]any{"endpoint": "transcription"},
	Response: map[string]any{"transcription": map[string]any{"text": "Do you have green ferns?"}},
}

var sees = aimock.Fixture{
	Match:    map[string]any{"userMessage": "below the photo"},
	Response: map[string]any{"content": "green fern in a pot"},
}

// TestVoiceNote: "Downloaded, transcribed to text using AI, then processed as a text message".
func TestVoiceNote(t *testing.T) {
	_, give := models(t, hears)
	w := newWorld(t, func(ch *runtimeconfig.Channel) { give(ch, runtimeconfig.CapabilityTranscription) })
	w.sendsFile("audio", "audio/ogg; codecs=opus", []byte("OggS and so on"), map[string]any{"voice": true})
	w.answered("Boston Fern", "9.99 USD")
	if got := w.stored(); got != "Do you have green ferns?" {
		t.Errorf("the transcript is not kept with the message: %q", got)
	}
}

// TestPhoto: "Downloaded, analyzed by AI vision to understand what's in the image, then searched against your product catalog to
// find matching products".
func TestPhoto(t *testing.T) {
	mock, give := models(t, sees)
	w := newWorld(t, func(ch *runtimeconfig.Channel) { give(ch, runtimeconfig.CapabilityVision) })
	w.sendsFile("image", "image/png", photo(t), map[string]any{"caption": "this one?"})
	w.answered("Boston Fern", "https://shop.example/fern.jpg")
	journal, err := mock.Journal(t.Context())
	if err != nil || len(journal) != 1 || !strings.Contains(string(journal[0].Body), "data:image/png;base64,iVBOR") || !strings.Contains(string(journal[0].Body), "this one?") {
		t.Errorf("the model did not see the photo and its caption: %v, %+v", err, journal)
	}
	if got := w.stored(); got != "this one?\ngreen fern in a pot" {
		t.Errorf("what was seen is not kept with the message: %q", got)
	}
}

// TestVideoOrDocument: "Customer receives a polite message that this type isn't supported yet".
func TestVideoOrDocument(t *testing.T) {
	_, give := models(t, hears)
	for kind, want := range map[string][]string{
		"video":    {"videos", "text messages and voice notes"},
		"document": {"documents", "text messages and voice notes"},
		"sticker":  {"stickers", "text messages and voice notes"},
	} {
		w := newWorld(t, func(ch *runtimeconfig.Channel) { give(ch, runtimeconfig.CapabilityTranscription) })
		w.sendsFile(kind, map[string]string{"video": "video/mp4", "document": "application/pdf", "sticker": "image/webp"}[kind], []byte("x"), nil)
		w.answered(want...)
	}
}

func TestPlaceAndContact(t *testing.T) {
	w := newWorld(t, nil)
	w.sends(map[string]any{"type": "location", "location": map[string]any{"latitude": 37.4847, "longitude": -122.1473, "name": "Shop", "address": "1 Hacker Way"}})
	w.answered("noted the location")
	w.sends(map[string]any{"type": "contacts", "contacts": []any{map[string]any{"name": map[string]any{"formatted_name": "Bo Li"}, "phones": []any{map[string]any{"phone": "+1 650-555-0000"}}}}})
	w.answered("noted the contact")
	if got := w.stored(); !hasAll(got, []string{"Shop, 1 Hacker Way, 37.4847,-122.1473", "Bo Li +1 650-555-0000"}) {
		t.Errorf("people see %q", got)
	}
}

// TestFailuresAreTold: nothing is passed over in silence, whatever fails.
func TestFailuresAreTold(t *testing.T) {
	down := aimock.Fixture{Match: map[string]any{"endpoint": "transcription"}, Response: map[string]any{"error": map[string]any{"message": "no", "code": "invalid_api_key"}, "status": 401}}
	blind := aimock.Fixture{Match: map[string]any{"userMessage": "below the photo"}, Response: map[string]any{"content": "NOTHING"}}
	_, give := models(t, down, blind)
	w := newWorld(t, func(ch *runtimeconfig.Channel) {
		give(ch, runtimeconfig.CapabilityTranscription, runtimeconfig.CapabilityVision)
	})
	w.sendsFile("audio", "audio/ogg; codecs=opus", []byte("OggS"), map[string]any{"voice": true})
	w.answered("couldn't understand your voice note", "write it")
	w.sendsFile("image", "image/png", photo(t), nil)
	w.answered("couldn't understand your photo", "tell me in words")
	w.sends(map[string]any{"type": "audio", "audio": map[string]any{"id": "404404404", "mime_type": "audio/ogg"}})
	w.sends(map[string]any{"type": "text", "text": map[string]any{"body": "When do you open?"}})
	w.answered("open at nine")

	w = newWorld(t, nil)
	w.sendsFile("audio", "audio/ogg; codecs=opus", []byte("OggS"), map[string]any{"voice": true})
	w.answered("can't read voice notes", "text messages")
}

// TestInTheCustomersLanguage: whoever wrote Spanish before is answered in Spanish.
func TestInTheCustomersLanguage(t *testing.T) {
	w := newWorld(t, nil)
	w.sends(map[string]any{"type": "text", "text": map[string]any{"body": "Hola, ¿qué precio tiene, por favor?"}})
	w.answered("text")
	w.sendsFile("video", "video/mp4", []byte("x"), nil)
	w.answered("Lo siento, todavía no puedo leer vídeos. Puede enviarme mensajes de texto.")
}
