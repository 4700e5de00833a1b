package controllers

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/conditions"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
)

func TestAssistantCondition(t *testing.T) {
	model := v1alpha1.ModelProvider{Provider: v1alpha1.ProviderOpenAI, Model: "gpt-5-mini"}
	chat := func(spec *v1alpha1.WhatsAppChannelSpec) { spec.Assistant.Chat = &model }
	speech := func(spec *v1alpha1.WhatsAppChannelSpec) { spec.Assistant.Transcription = &model }
	told := func(capability runtimeconfig.Capability, reason string) observation {
		return observation{models: map[string]*serverapi.Assistant{string(capability): {Healthy: reason == "", Reason: reason}}}
	}
	catalog := func(spec *v1alpha1.WhatsAppChannelSpec) {
		spec.Assistant.Catalog = &v1alpha1.CatalogSource{ConfigMapKeyRef: &v1alpha1.ConfigMapKeyReference{Name: "shop", Key: "feed"}}
	}
	withBoth := func(spec *v1alpha1.WhatsAppChannelSpec) { chat(spec); catalog(spec) }
	unusable := &serverapi.Assistant{Reason: serverapi.ReasonCatalogInvalid, Catalog: &serverapi.Catalog{LeftOut: 3, Problem: "line 2: there is no id"}}
	for _, tc := range []struct {
		reason string
		spec   func(*v1alpha1.WhatsAppChannelSpec)
		news   observation
		status metav1.ConditionStatus
		want   string
		words  []string
	}{
		{"without a model the built-in assistant answers", nil, observation{}, metav1.ConditionTrue, v1alpha1.ReasonRetrievalOnly, nil},
		{"a model that nobody complains of", chat, observation{}, metav1.ConditionTrue, v1alpha1.ReasonSucceeded, []string{"gpt-5-mini"}},
		{
			"the key is refused", chat, told(runtimeconfig.CapabilityChat, v1alpha1.ReasonProviderUnauthorized),
			metav1.ConditionFalse, v1alpha1.ReasonProviderUnauthorized, []string{"spec.assistant.chat.apiKeySecretRef", "built-in retrieval assistant"},
		},
		{
			"a reason of the server's that the API has no word for", chat, told(runtimeconfig.CapabilityChat, "ProviderOnStrike"),
			metav1.ConditionFalse, v1alpha1.ReasonProviderUnavailable, []string{"spec.assistant.chat.baseURL"},
		},
		{
			"a bad catalog says nothing of the model", withBoth, observation{catalog: unusable},
			metav1.ConditionFalse, v1alpha1.ReasonCatalogInvalid, []string{"spec.assistant.catalog", "line 2: there is no id"},
		},
		{"a good catalog says nothing bad", withBoth, observation{catalog: &serverapi.Assistant{Healthy: true, Catalog: &serverapi.Catalog{Products: 3}}}, metav1.ConditionTrue, v1alpha1.ReasonSucceeded, nil},
		{
			"URLs are not fetched", func(spec *v1alpha1.WhatsAppChannelSpec) {
				spec.Assistant.Catalog = &v1alpha1.CatalogSource{URL: "https://shop.example.com/feed.csv"}
				spec.Assistant.Knowledge = []v1alpha1.KnowledgeSource{{ConfigMapKeyRef: &v1alpha1.ConfigMapKeyReference{Name: "shop", Key: "faq"}}, {URL: "https://shop.example.com/faq.md"}}
			}, observation{}, metav1.ConditionFalse, v1alpha1.ReasonNotSupported,
			[]string{"does not fetch URLs", "spec.assistant.catalog.url", "spec.assistant.knowledge[1].url", "ConfigMap"},
		},
		{
			"voice notes can't be understood", speech, told(runtimeconfig.CapabilityTranscription, v1alpha1.ReasonModelNotFound),
			metav1.ConditionFalse, v1alpha1.ReasonModelNotFound,
			[]string{"spec.assistant.transcription.model", "spec.assistant.transcription.baseURL", "asked to write"},
		},
		{
			"a model that works says nothing bad", speech, told(runtimeconfig.CapabilityTranscription, ""), metav1.ConditionTrue, v1alpha1.ReasonRetrievalOnly, nil,
		},
		{
			"the tokens are used up", chat, told(runtimeconfig.CapabilityChat, v1alpha1.ReasonTokenBudgetUsedUp),
			metav1.ConditionFalse, v1alpha1.ReasonTokenBudgetUsedUp, []string{"spec.limits.tokensPerDay", "midnight"},
		},
		{
			"a private address", chat, told(runtimeconfig.CapabilityChat, v1alpha1.ReasonProviderAddressRefused),
			metav1.ConditionFalse, v1alpha1.ReasonProviderAddressRefused, []string{"spec.assistant.chat.baseURL", "public address"},
		},
		{
			"everything that is accepted and left alone is named", func(spec *v1alpha1.WhatsAppChannelSpec) {
				spec.Assistant.Images, spec.Assistant.Embeddings = &model, &model
				spec.Assistant.Tools = []v1alpha1.ToolSource{{Name: "stock"}}
				spec.Orders = &v1alpha1.OrdersSpec{Notify: &v1alpha1.OrderNotification{}}
				spec.Handoff = &v1alpha1.HandoffSpec{ResumeAfter: &metav1.Duration{Duration: time.Hour}}
				spec.Limits = &v1alpha1.LimitsSpec{TokensPerDay: new(int64(1))}
				spec.TimeZone = "Europe/Berlin"
			}, observation{}, metav1.ConditionTrue, v1alpha1.ReasonRetrievalOnly,
			[]string{"This version does not act on spec.assistant.images, spec.assistant.embeddings, spec.assistant.tools, " +
				"spec.orders.notify, spec.handoff.resumeAfter, spec.limits, spec.timeZone."},
		},
	} {
		channel := &v1alpha1.WhatsAppChannel{ObjectMeta: metav1.ObjectMeta{Generation: 1}}
		if tc.spec != nil {
			tc.spec(&channel.Spec)
		}
		look := func(news observation) metav1.Condition {
			s := &channelScope{channel: channel, news: news, modelsRead: true}
			for _, capability := range runtimeconfig.Capabilities {
				if m := modelOf(&channel.Spec.Assistant, capability); m != nil {
					s.settings.Assistant.SetProvider(capability, &runtimeconfig.Provider{Provider: string(m.Provider), Model: m.Model})
				}
			}
			set := conditions.New(channel, conditions.Now())
			set.MarkReady(v1alpha1.ReasonSucceeded, "Ready.")
			s.setAssistant(set)
			set.Write()
			for _, c := range channel.Status.Conditions {
				if c.Type == v1alpha1.ConditionAssistantReady {
					return c
				}
			}
			t.Fatal("AssistantReady is missing")
			return metav1.Condition{}
		}
		got := look(tc.news)
		if got.Status != tc.status || got.Reason != tc.want {
			t.Errorf("%s: got %s/%s, want %s/%s: %s", tc.reason, got.Status, got.Reason, tc.status, tc.want, got.Message)
		}
		mustMention(t, got.Message, tc.words...)
		// What was reported once stays, word for word, until something else is reported or the spec changes.
		if again := look(observation{}); again != got {
			t.Errorf("%s: without news it became %+v", tc.reason, again)
		}
		if strings.Count(got.Message, "This version does not act on") > 1 {
			t.Errorf("%s: the notice is repeated: %s", tc.reason, got.Message)
		}
		channel.Generation++
		if again := look(observation{}); again.Reason == v1alpha1.ReasonCatalogInvalid || again.Reason == v1alpha1.ReasonProviderUnauthorized {
			t.Errorf("%s: after a change of the spec it is still %s", tc.reason, again.Reason)
		}
	}
}

// TestChannelIsReadyWithWhatIsNotSupported sees that what this version leaves alone is told and takes nothing away.
func TestChannelIsReadyWithWhatIsNotSupported(t *testing.T) {
	t.Parallel()
	d, channel := newDirectChannel(t, func(c *v1alpha1.WhatsAppChannel) {
		c.Spec.Assistant.Knowledge = []v1alpha1.KnowledgeSource{{URL: "https://shop.example.com/faq.md"}}
		c.Spec.Webhook.TakeOver = new(true)
	})
	connect(t, d, channel)
	awaitCondition(t, channel, v1alpha1.ConditionAssistantReady, metav1.ConditionFalse, v1alpha1.ReasonNotSupported)
	got := awaitCondition(t, channel, v1alpha1.ConditionWebhookSubscribed, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	mustMention(t, got.Message, "does not act on spec.webhook.takeOver")
}
