package controllers

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/conditions"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
)

// modelProblems says of each reason for which a chat model fails what to do. The retrieval assistant answers meanwhile.
var modelProblems = map[string]string{
	v1alpha1.ReasonProviderUnauthorized: "The model provider refuses the API key; correct the Secret that spec.assistant.chat.apiKeySecretRef names.",
	v1alpha1.ReasonModelNotFound:        "The model provider does not know the model; correct spec.assistant.chat.model or spec.assistant.chat.baseURL.",
	v1alpha1.ReasonProviderUnavailable:  "The chat model fails: its provider can't be reached at spec.assistant.chat.baseURL, refuses, or asks for fewer calls; see its status page and your budget there.",
}

// setAssistant tells whether customers can be answered, and what of the spec this version leaves alone.
func (s *channelScope) setAssistant(set *conditions.Set) {
	const condition = v1alpha1.ConditionAssistantReady
	notice := ""
	if ignored := ignoredFields(&s.channel.Spec); len(ignored) > 0 {
		notice = " This version does not act on " + strings.Join(ignored, ", ") + "."
	}
	old := set.Old(condition)
	if !s.stillFor(old) {
		old = nil
	}
	status, reason, message := s.assistantState(old, notice)
	message += notice
	if status == metav1.ConditionTrue {
		set.True(condition, reason, message)
		return
	}
	set.False(condition, reason, message)
}

// assistantState is what the condition says, without the notice that follows. What is reported once is true until something else is
// reported or the spec changes: old is the condition as it was for the present spec, nil if there was none.
func (s *channelScope) assistantState(old *metav1.Condition, notice string) (status metav1.ConditionStatus, reason, message string) {
	spec := &s.channel.Spec
	switch {
	case !ptr.Deref(spec.Plan.Active, true):
		return metav1.ConditionFalse, v1alpha1.ReasonSubscriptionInactive, "spec.plan.active is false: messages are stored, and nobody is answered."
	case !ptr.Deref(spec.Assistant.Enabled, true):
		return metav1.ConditionFalse, v1alpha1.ReasonAssistantDisabled, "spec.assistant.enabled is false: messages are stored, and people answer."
	}
	if problem := unsupported(&spec.Assistant); problem != "" {
		return metav1.ConditionFalse, v1alpha1.ReasonNotSupported, problem
	}
	if problem := s.catalogProblem(old, notice); problem != "" {
		return metav1.ConditionFalse, v1alpha1.ReasonCatalogInvalid, problem
	}
	if spec.Assistant.Chat == nil {
		return metav1.ConditionTrue, v1alpha1.ReasonRetrievalOnly, "No chat model is configured: the built-in retrieval assistant answers from catalog and knowledge."
	}
	if problem := s.modelProblem(old); problem != "" {
		return metav1.ConditionFalse, problem, modelProblems[problem] + " The built-in retrieval assistant answers meanwhile."
	}
	return metav1.ConditionTrue, v1alpha1.ReasonSucceeded, "The chat model " + spec.Assistant.Chat.Model + " answers."
}

// stillFor says whether a condition tells of the present spec.
func (s *channelScope) stillFor(old *metav1.Condition) bool {
	return old != nil && old.ObservedGeneration == s.channel.Generation
}

// catalogProblem says why nothing of the catalog can be used, empty if something can.
func (s *channelScope) catalogProblem(old *metav1.Condition, notice string) string {
	switch news := s.news.catalog; {
	case s.channel.Spec.Assistant.Catalog == nil:
		return ""
	case news == nil && old != nil && old.Reason == v1alpha1.ReasonCatalogInvalid:
		return strings.TrimSuffix(old.Message, notice)
	case news == nil || news.Reason != serverapi.ReasonCatalogInvalid:
		return ""
	default:
		why := ""
		if news.Catalog != nil && news.Catalog.Problem != "" {
			why = " (" + news.Catalog.Problem + ")"
		}
		return "No product of spec.assistant.catalog can be used" + why + ", so customers are answered without it; correct the feed or spec.assistant.catalog.format."
	}
}

// modelProblem is the reason for which the chat model fails, empty if it doesn't.
func (s *channelScope) modelProblem(old *metav1.Condition) string {
	if news := s.news.model; news != nil {
		switch {
		case news.Healthy:
			return ""
		case modelProblems[news.Reason] != "":
			return news.Reason
		default:
			return v1alpha1.ReasonProviderUnavailable
		}
	}
	if old != nil && modelProblems[old.Reason] != "" {
		return old.Reason
	}
	return ""
}

// unsupported says what keeps the assistant from working as the spec says, in this version.
func unsupported(spec *v1alpha1.AssistantSpec) string {
	var urls, problems []string
	if spec.Catalog != nil && spec.Catalog.URL != "" {
		urls = append(urls, "spec.assistant.catalog.url")
	}
	for i, k := range spec.Knowledge {
		if k.URL != "" {
			urls = append(urls, fmt.Sprintf("spec.assistant.knowledge[%d].url", i))
		}
	}
	if len(urls) > 0 {
		problems = append(problems, fmt.Sprintf("This version does not fetch URLs (%s): put the document into a ConfigMap and name it by configMapKeyRef. Customers are answered without it.", strings.Join(urls, ", ")))
	}
	if spec.Chat != nil && spec.Chat.Provider == v1alpha1.ProviderAnthropic {
		problems = append(problems, "This version does not speak to spec.assistant.chat.provider Anthropic: use OpenAI, or a gateway that speaks its protocol. The built-in retrieval assistant answers meanwhile.")
	}
	return strings.Join(problems, " ")
}

// ignoredFields are the fields that are set and have no effect in this version, in their order.
func ignoredFields(spec *v1alpha1.WhatsAppChannelSpec) []string {
	a := &spec.Assistant
	var ignored []string
	for _, field := range []struct {
		name string
		set  bool
	}{
		{"spec.assistant.transcription", a.Transcription != nil},
		{"spec.assistant.vision", a.Vision != nil},
		{"spec.assistant.images", a.Images != nil},
		{"spec.assistant.embeddings", a.Embeddings != nil},
		{"spec.assistant.tools", len(a.Tools) > 0},
		{"spec.orders.notify", spec.Orders != nil && spec.Orders.Notify != nil},
		{"spec.handoff.resumeAfter", spec.Handoff != nil && spec.Handoff.ResumeAfter != nil},
		{"spec.limits", spec.Limits != nil && *spec.Limits != (v1alpha1.LimitsSpec{})},
		{"spec.timeZone", spec.TimeZone != ""},
	} {
		if field.set {
			ignored = append(ignored, field.name)
		}
	}
	return ignored
}

// takeOverNotice says that this version doesn't take webhooks over, to whoever asked for it.
func (s *channelScope) takeOverNotice() string {
	if !ptr.Deref(s.channel.Spec.Webhook.TakeOver, false) {
		return ""
	}
	return " This version does not act on spec.webhook.takeOver."
}
