package controllers

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/conditions"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
)

// setAssistant tells whether customers can be answered.
func (s *channelScope) setAssistant(set *conditions.Set) {
	const condition = v1alpha1.ConditionAssistantReady
	old := set.Old(condition)
	if !s.stillFor(old) {
		old = nil
	}
	s.recordModels(old != nil)
	s.recordContent(old != nil)
	s.recordTools(old != nil)
	s.recordLimits()
	status, reason, message := s.assistantState(old)
	if status == metav1.ConditionTrue {
		set.True(condition, reason, message)
		return
	}
	set.False(condition, reason, message)
}

// assistantState is what the condition says. What is reported once is true until something else is reported or the spec changes: old is
// the condition as it was for the present spec, nil if there was none.
func (s *channelScope) assistantState(old *metav1.Condition) (status metav1.ConditionStatus, reason, message string) {
	// First, since it concerns what people send, too, and outlasts whatever else is mended.
	if reason, problem := s.holdProblem(); reason != "" {
		return metav1.ConditionFalse, reason, problem
	}
	spec := &s.channel.Spec
	switch {
	case !ptr.Deref(spec.Plan.Active, true):
		return metav1.ConditionFalse, v1alpha1.ReasonSubscriptionInactive, "spec.plan.active is false: messages are stored, and nobody is answered. Set it to true when the plan is active again."
	case !ptr.Deref(spec.Assistant.Enabled, true):
		return metav1.ConditionFalse, v1alpha1.ReasonAssistantDisabled, "spec.assistant.enabled is false: messages are stored, and people answer. Set it to true to have customers answered."
	}
	if s.onStandby() {
		return metav1.ConditionFalse, v1alpha1.ReasonRoutedToStandby,
			"Meta routes chats of this number to another responder, such as another partner or Meta Business Agent, and sends copies only: they are stored, and not answered. To have them answered here, let the business change the number's conversation routing in Meta Business Suite; the next message that comes to this app ends this."
	}
	if problem := s.limitProblem(); problem != "" {
		return metav1.ConditionFalse, v1alpha1.ReasonLimitReached, problem
	}
	if problem := s.catalogProblem(old); problem != "" {
		return metav1.ConditionFalse, v1alpha1.ReasonCatalogInvalid, problem
	}
	if reason, problem := s.sourceProblem(); problem != "" {
		return metav1.ConditionFalse, reason, problem
	}
	tools := s.toolProblems()
	if reason, problems := s.modelProblems(); reason != "" {
		return metav1.ConditionFalse, reason, strings.TrimSpace(problems + " " + tools)
	}
	if s.defaultsProblem != "" {
		return metav1.ConditionFalse, v1alpha1.ReasonDefaultModelsInvalid, "The platform's models can't be used: " + s.defaultsProblem +
			". Tell the platform team, or name models of your own in spec.assistant."
	}
	if tools != "" {
		return metav1.ConditionFalse, v1alpha1.ReasonToolServerFailed, tools
	}
	if chat := s.modelInUse(runtimeconfig.CapabilityChat); chat != nil {
		return metav1.ConditionTrue, v1alpha1.ReasonSucceeded, "The chat model " + chat.Model + " answers."
	}
	return metav1.ConditionTrue, v1alpha1.ReasonRetrievalOnly, "No chat model is configured: the built-in retrieval assistant answers from catalog and knowledge."
}

// onStandby says whether another responder owns the number's chats, as the webhook-server last reported it.
func (s *channelScope) onStandby() bool {
	traffic := s.channel.Status.Traffic
	return traffic != nil && traffic.LastStandbyAt != nil
}

// stillFor says whether a condition tells of the present spec.
func (s *channelScope) stillFor(old *metav1.Condition) bool {
	return old != nil && old.ObservedGeneration == s.channel.Generation
}

// catalogProblem says why nothing of the catalog can be used, empty if something can.
func (s *channelScope) catalogProblem(old *metav1.Condition) string {
	switch news := s.news.catalog; {
	case s.channel.Spec.Assistant.Catalog == nil:
		return ""
	case news == nil && old != nil && old.Reason == v1alpha1.ReasonCatalogInvalid:
		return old.Message
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
