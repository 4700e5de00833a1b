package controllers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

const (
	// keyDefaultModels is the key of the Secret of the platform's models that describes them.
	keyDefaultModels = "models.yaml"
	// keyDefaultAPIKey is its key with the API key of all models that have none of their own.
	keyDefaultAPIKey = "api-key"

	minModelTimeout = time.Second
	maxModelTimeout = 2 * time.Minute
)

// modelOf is what the spec says of a capability; nil if nothing.
func modelOf(spec *v1alpha1.AssistantSpec, c runtimeconfig.Capability) *v1alpha1.ModelProvider {
	return map[runtimeconfig.Capability]*v1alpha1.ModelProvider{
		runtimeconfig.CapabilityChat: spec.Chat, runtimeconfig.CapabilityTranscription: spec.Transcription,
		runtimeconfig.CapabilityVision: spec.Vision, runtimeconfig.CapabilityImages: spec.Images,
		runtimeconfig.CapabilityEmbeddings: spec.Embeddings,
	}[c]
}

// namesModelSecrets says whether a model's API key is in a Secret.
func namesModelSecrets(spec *v1alpha1.AssistantSpec) bool {
	return slices.ContainsFunc(runtimeconfig.Capabilities, func(c runtimeconfig.Capability) bool {
		m := modelOf(spec, c)
		return m != nil && m.APIKeySecretRef != nil
	})
}

// readModels finds the channel's models and their API keys, and the platform's in place of those that it doesn't name.
func (r *WhatsAppChannelReconciler) readModels(ctx context.Context, s *channelScope) error {
	missing := false
	for _, capability := range runtimeconfig.Capabilities {
		m := modelOf(&s.channel.Spec.Assistant, capability)
		if m == nil {
			missing = true
			continue
		}
		p := &runtimeconfig.Provider{
			Provider: string(m.Provider), BaseURL: m.BaseURL, Model: m.Model, Timeout: duration(m.Timeout, defaultModelTimeout),
		}
		if m.APIKeySecretRef != nil {
			field := fmt.Sprintf("spec.assistant.%s.apiKeySecretRef", capability)
			secret, err := readSecret(ctx, r.live, field, s.channel.Namespace, m.APIKeySecretRef.Name)
			if err != nil {
				return err
			}
			if p.APIKey, err = secretValue(secret, field, keyOr(m.APIKeySecretRef, keyDefaultAPIKey)); err != nil {
				return err
			}
		}
		s.settings.Assistant.SetProvider(capability, p)
	}
	s.modelsRead = true
	if !missing {
		return nil
	}
	return r.addDefaultModels(ctx, s)
}

// addDefaultModels gives the channel the platform's models where it has none. What is wrong with them is told by a condition and keeps no
// channel from being served.
func (r *WhatsAppChannelReconciler) addDefaultModels(ctx context.Context, s *channelScope) error {
	if r.options.DefaultModelsSecret == "" || !r.options.DefaultModelsNamespaces.Matches(labels.Set(s.namespaceLabels)) {
		return nil
	}
	secret, err := readSecret(ctx, r.live, "--default-models-secret", r.options.SystemNamespace, r.options.DefaultModelsSecret)
	if _, missing := errors.AsType[*missingSecretError](err); missing {
		s.defaultsProblem = "the Secret that the manager's flag --default-models-secret names does not exist"
		return nil
	}
	if err != nil {
		return err
	}
	defaults, err := readDefaultModels(secret)
	if err != nil {
		s.defaultsProblem = err.Error()
		return nil //nolint:nilerr // the condition tells of it, and the channel is served without
	}
	for capability, p := range defaults {
		if s.settings.Assistant.Provider(capability) == nil {
			s.settings.Assistant.SetProvider(capability, p)
		}
	}
	return nil
}

// defaultModel is a model in the Secret of the platform's models.
type defaultModel struct {
	Provider v1alpha1.ProviderType `json:"provider"`
	BaseURL  string                `json:"baseURL"`
	Model    string                `json:"model"`
	Timeout  metav1.Duration       `json:"timeout"`
}

// readDefaultModels reads the Secret of the platform's models: models.yaml says for each capability what spec.assistant would, and the
// API keys are <capability>-api-key, or api-key for all. Its errors are shown to tenants, so they quote nothing.
func readDefaultModels(secret *corev1.Secret) (map[runtimeconfig.Capability]*runtimeconfig.Provider, error) {
	var given map[runtimeconfig.Capability]defaultModel
	if err := yaml.UnmarshalStrict(secret.Data[keyDefaultModels], &given); err != nil {
		return nil, errors.New("the key " + keyDefaultModels + " is no YAML of provider, baseURL, model and timeout by capability")
	}
	models := map[runtimeconfig.Capability]*runtimeconfig.Provider{}
	for _, capability := range slices.Sorted(maps.Keys(given)) {
		m := given[capability]
		if m.Timeout.Duration == 0 {
			m.Timeout.Duration = defaultModelTimeout
		}
		if problem := m.problem(capability); problem != "" {
			return nil, fmt.Errorf("%s in the key %s: %s", capability, keyDefaultModels, problem)
		}
		key, err := optionalValue(secret, capability.KeyOfAPIKey())
		if err == nil && key.IsZero() {
			key, err = optionalValue(secret, keyDefaultAPIKey)
		}
		if err != nil {
			return nil, fmt.Errorf("the API key of %s looks masked, or is no key", capability)
		}
		models[capability] = &runtimeconfig.Provider{
			Provider: string(m.Provider), BaseURL: m.BaseURL, Model: m.Model, Timeout: runtimeconfig.Duration(m.Timeout.Duration),
			APIKey: key, Default: true,
		}
	}
	return models, nil
}

// problem is what the API server would say of the model in a channel.
func (m *defaultModel) problem(capability runtimeconfig.Capability) string {
	if !slices.Contains(runtimeconfig.Capabilities, capability) {
		return "there is no such capability"
	}
	if problem := m.providerProblem(capability); problem != "" {
		return problem
	}
	base, err := url.Parse(m.BaseURL)
	switch {
	case m.Model == "":
		return "model must be set"
	case err != nil, m.BaseURL != "" && (base.Host == "" || base.Scheme != "https" && base.Scheme != "http"):
		return "baseURL must be an http or https URL"
	case m.Timeout.Duration < minModelTimeout || m.Timeout.Duration > maxModelTimeout:
		return "timeout must be between 1s and 2m"
	default:
		return ""
	}
}

func (m *defaultModel) providerProblem(capability runtimeconfig.Capability) string {
	switch {
	case m.Provider != v1alpha1.ProviderOpenAI && m.Provider != v1alpha1.ProviderAzureOpenAI && m.Provider != v1alpha1.ProviderAnthropic:
		return "provider must be OpenAI, AzureOpenAI or Anthropic"
	case m.Provider == v1alpha1.ProviderAnthropic && capability != runtimeconfig.CapabilityChat && capability != runtimeconfig.CapabilityVision:
		return "provider can't be Anthropic"
	case m.Provider == v1alpha1.ProviderAzureOpenAI && m.BaseURL == "":
		return "baseURL must be set for AzureOpenAI"
	default:
		return ""
	}
}

// modelTrouble says of each reason for which a model fails what is wrong, and modelRemedies what to do; %s is the capability's field.
var (
	modelTrouble = map[string]string{
		v1alpha1.ReasonProviderUnauthorized:   "its provider refuses the API key",
		v1alpha1.ReasonModelNotFound:          "its provider does not know the model, or there is nothing at its base URL",
		v1alpha1.ReasonProviderUnavailable:    "its provider can't be reached, or refuses",
		v1alpha1.ReasonProviderRateLimited:    "its provider asks for fewer calls, or the budget there is used up",
		v1alpha1.ReasonProviderAddressRefused: "its base URL leads to an address inside of a private network, which the platform does not allow",
		v1alpha1.ReasonProviderBadResponse:    "its provider answers with something that is no answer",
		v1alpha1.ReasonTokenBudgetUsedUp:      "the tokens of today are used up",
		v1alpha1.ReasonNotSupported:           "its provider can't do this",
	}
	modelRemedies = map[string]string{
		v1alpha1.ReasonProviderUnauthorized:   "correct the Secret that spec.assistant.%s.apiKeySecretRef names",
		v1alpha1.ReasonModelNotFound:          "correct spec.assistant.%[1]s.model or spec.assistant.%[1]s.baseURL",
		v1alpha1.ReasonProviderUnavailable:    "see spec.assistant.%s.baseURL and the provider's status page",
		v1alpha1.ReasonProviderRateLimited:    "see the limits and the budget of the key that spec.assistant.%s.apiKeySecretRef names",
		v1alpha1.ReasonProviderAddressRefused: "give spec.assistant.%s.baseURL a public address, or ask the platform team to allow this one",
		v1alpha1.ReasonProviderBadResponse:    "see that spec.assistant.%[1]s.baseURL and spec.assistant.%[1]s.model are those of a model that can do this",
		v1alpha1.ReasonTokenBudgetUsedUp:      "they are there again at midnight, or raise spec.limits.tokensPerDay",
		v1alpha1.ReasonNotSupported:           "choose another spec.assistant.%s.provider",
	}
	// modelsMissed says what customers get while a capability fails.
	modelsMissed = map[runtimeconfig.Capability]string{
		runtimeconfig.CapabilityChat:          "The built-in retrieval assistant answers meanwhile.",
		runtimeconfig.CapabilityTranscription: "Customers who send voice notes are asked to write meanwhile.",
		runtimeconfig.CapabilityVision:        "Customers who send photos are asked to describe what they look for meanwhile.",
		runtimeconfig.CapabilityImages:        "No images are made meanwhile.",
		runtimeconfig.CapabilityEmbeddings:    "Search goes by words meanwhile.",
	}
)

// recordModels shows which models the channel uses and how they fared when they were last used. What was reported once holds until
// something else is reported, or the model or the spec changes.
func (s *channelScope) recordModels(sameSpec bool) {
	before := map[string]v1alpha1.ModelStatus{}
	for _, m := range s.channel.Status.Models {
		before[m.Capability] = m
	}
	if s.modelsRead {
		s.channel.Status.Models = nil
		for _, capability := range runtimeconfig.Capabilities {
			p := s.settings.Assistant.Provider(capability)
			if p == nil {
				continue
			}
			m := v1alpha1.ModelStatus{
				Capability: string(capability), Provider: v1alpha1.ProviderType(p.Provider), Model: clip(p.Model, maxModelShown),
				PlatformDefault: new(p.Default),
			}
			if old := before[m.Capability]; sameSpec && old.Model == m.Model && old.Provider == m.Provider {
				m.Problem = old.Problem
			}
			s.channel.Status.Models = append(s.channel.Status.Models, m)
		}
	}
	for i := range s.channel.Status.Models {
		m := &s.channel.Status.Models[i]
		news := s.news.models[m.Capability]
		switch {
		case news == nil:
		case news.Healthy:
			m.Problem = ""
		case modelTrouble[news.Reason] != "":
			m.Problem = news.Reason
		default:
			m.Problem = v1alpha1.ReasonProviderUnavailable
		}
	}
}

// maxModelShown is how long a model's name may be, as in the spec.
const maxModelShown = 256

// modelProblems tells of all models that fail, in the order of the spec, and the reason of the first.
func (s *channelScope) modelProblems() (reason, message string) {
	var told []string
	for _, m := range s.channel.Status.Models {
		if m.Problem == "" {
			continue
		}
		if reason == "" {
			reason = m.Problem
		}
		capability := runtimeconfig.Capability(m.Capability)
		if m.PlatformDefault != nil && *m.PlatformDefault {
			remedy := "tell the platform team, or name a model of your own in spec.assistant." + m.Capability
			if m.Problem == v1alpha1.ReasonTokenBudgetUsedUp {
				remedy = modelRemedies[m.Problem]
			}
			told = append(told, fmt.Sprintf("The platform's model for %s fails: %s; %s. %s", capability, modelTrouble[m.Problem], remedy, modelsMissed[capability]))
			continue
		}
		remedy := modelRemedies[m.Problem]
		if strings.Contains(remedy, "%") {
			remedy = fmt.Sprintf(remedy, capability)
		}
		told = append(told, fmt.Sprintf("The model of spec.assistant.%s fails: %s; %s. %s", capability, modelTrouble[m.Problem], remedy, modelsMissed[capability]))
	}
	return reason, strings.Join(told, " ")
}

// modelInUse is the model of a capability as status shows it; nil if there is none.
func (s *channelScope) modelInUse(c runtimeconfig.Capability) *v1alpha1.ModelStatus {
	for i := range s.channel.Status.Models {
		if m := &s.channel.Status.Models[i]; m.Capability == string(c) {
			return m
		}
	}
	return nil
}
