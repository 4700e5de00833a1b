package controllers

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

func TestReadDefaultModels(t *testing.T) {
	secret := func(models string, more ...string) *corev1.Secret {
		data := map[string][]byte{keyDefaultModels: []byte(models), keyDefaultAPIKey: []byte("sk-of-all\n")}
		for i := 0; i < len(more); i += 2 {
			data[more[i]] = []byte(more[i+1])
		}
		return &corev1.Secret{Data: data}
	}
	got, err := readDefaultModels(secret("chat: {provider: Anthropic, model: clever, timeout: 20s}\ntranscription: {provider: OpenAI, model: ears, baseURL: https://speech.example/v1}\n",
		"transcription-api-key", "sk-of-speech"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[runtimeconfig.Capability]*runtimeconfig.Provider{
		runtimeconfig.CapabilityChat: {
			Provider: "Anthropic", Model: "clever", Timeout: runtimeconfig.Duration(20 * time.Second), APIKey: redact.New("sk-of-all"), Default: true,
		},
		runtimeconfig.CapabilityTranscription: {
			Provider: "OpenAI", BaseURL: "https://speech.example/v1", Model: "ears", Timeout: runtimeconfig.Duration(30 * time.Second),
			APIKey: redact.New("sk-of-speech"), Default: true,
		},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(redact.Secret.Equal)); diff != "" {
		t.Errorf("models (-want +got):\n%s", diff)
	}
	for _, tc := range []struct {
		reason string
		secret *corev1.Secret
		want   string
	}{
		{"nothing readable", secret("chat: ["), "no YAML"},
		{"a member that there is not", secret("chat: {provider: OpenAI, model: m, apiKey: sk-leak-123456789}"), "no YAML"},
		{"a capability that there is not", secret("singing: {provider: OpenAI, model: m}"), "no such capability"},
		{"a provider that there is not", secret("chat: {provider: Skynet, model: m}"), "OpenAI, AzureOpenAI or Anthropic"},
		{"a provider that can't do it", secret("images: {provider: Anthropic, model: m}"), "can't be Anthropic"},
		{"no model", secret("chat: {provider: OpenAI}"), "model must be set"},
		{"Azure without its address", secret("chat: {provider: AzureOpenAI, model: m}"), "baseURL must be set"},
		{"no address", secret("chat: {provider: OpenAI, model: m, baseURL: 'file:///etc/passwd'}"), "http or https URL"},
		{"no patience", secret("chat: {provider: OpenAI, model: m, timeout: 1ms}"), "between 1s and 2m"},
		{"a masked key", secret("chat: {provider: OpenAI, model: m}", "chat-api-key", "sk-••••••••"), "masked"},
	} {
		_, err := readDefaultModels(tc.secret)
		if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "sk-") {
			t.Errorf("%s: got %v, want %q", tc.reason, err, tc.want)
		}
	}
}

// TestPlatformModels sees that only the namespaces that the platform chose get its models, and only where a channel has none of its own.
func TestPlatformModels(t *testing.T) {
	t.Parallel()
	own := func(c *v1alpha1.WhatsAppChannel) {
		c.Spec.Assistant.Vision = &v1alpha1.ModelProvider{Provider: v1alpha1.ProviderOpenAI, Model: "own-eyes"}
	}
	d, channel := newDirectChannel(t, own, labelModels)
	connect(t, d, channel)
	awaitCondition(t, channel, v1alpha1.ConditionAssistantReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	served := servedChannel(t, d.phoneNumberID).Assistant
	if served.Chat == nil || !served.Chat.Default || served.Chat.Model != "platform-chat" || served.Chat.APIKey.Reveal() != defaultModelsKey {
		t.Errorf("the platform's chat model is not served: %+v", served.Chat)
	}
	if served.Vision == nil || served.Vision.Default || served.Vision.Model != "own-eyes" {
		t.Errorf("the channel's own model must win: %+v", served.Vision)
	}
	if served.Images != nil {
		t.Errorf("nobody has a model for images: %+v", served.Images)
	}
	var shown []string
	for _, m := range channel.Status.Models {
		shown = append(shown, m.Capability+" "+m.Model)
		if *m.PlatformDefault != (m.Capability != "vision") {
			t.Errorf("status says the wrong thing of whose model it is: %+v", m)
		}
	}
	if diff := cmp.Diff([]string{"chat platform-chat", "vision own-eyes"}, shown); diff != "" {
		t.Errorf("status.models (-want +got):\n%s", diff)
	}

	d, channel = newDirectChannel(t, own)
	connect(t, d, channel)
	awaitCondition(t, channel, v1alpha1.ConditionAssistantReady, metav1.ConditionTrue, v1alpha1.ReasonRetrievalOnly)
	if served := servedChannel(t, d.phoneNumberID).Assistant; served.Chat != nil || served.Vision == nil {
		t.Errorf("a namespace that the platform didn't choose spends its budget: %+v", served.Chat)
	}
}
