package controllers

import (
	"reflect"
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
	urls := func(spec *v1alpha1.WhatsAppChannelSpec) {
		chat(spec)
		spec.Assistant.Catalog = &v1alpha1.CatalogSource{URL: "https://shop.example.com/feed.csv"}
		spec.Assistant.Knowledge = []v1alpha1.KnowledgeSource{{ConfigMapKeyRef: &v1alpha1.ConfigMapKeyReference{Name: "shop", Key: "faq"}}, {URL: "https://shop.example.com/faq.md"}}
	}
	source := func(field, reason string, served bool, detail string) *sourceNews {
		return &sourceNews{byField: map[string]*serverapi.Assistant{field: {Reason: reason, Source: &serverapi.Source{Field: field, Served: served, Detail: detail}}}}
	}
	withTools := func(spec *v1alpha1.WhatsAppChannelSpec) {
		chat(spec)
		spec.Assistant.Tools = []v1alpha1.ToolSource{{Name: "stock"}, {Name: "crm"}}
	}
	tools := func(source, reason string) observation {
		return observation{tools: map[string]*serverapi.Assistant{source: {Tool: source, Healthy: reason == "", Reason: reason}}}
	}
	both := told(runtimeconfig.CapabilityChat, v1alpha1.ReasonProviderUnauthorized)
	both.tools = tools("crm", "Unauthorized").tools
	bounded := func(message string) func(spec *v1alpha1.WhatsAppChannelSpec) {
		return func(spec *v1alpha1.WhatsAppChannelSpec) {
			catalog(spec)
			spec.TimeZone = "Pacific/Auckland"
			spec.Limits = &v1alpha1.LimitsSpec{MessagesPerMonth: new(int64(1000)), MessagesPerDay: new(int64(50)), Message: message}
		}
	}
	limit := func(names ...string) observation {
		met := map[string]time.Time{}
		for _, name := range names {
			met[name] = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC) // that is December in Auckland
		}
		return observation{limits: met}
	}
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
			"a catalog's URL that leads into the cluster", urls, observation{sources: source(fieldCatalogURL, serverapi.SourceAddressRefused, false, "")},
			metav1.ConditionFalse, v1alpha1.ReasonCatalogUnavailable, []string{"spec.assistant.catalog.url", "private", "--egress-allow-cidrs", "answered without it"},
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
			"a page that is gone, of which there is a copy", urls, observation{sources: source("spec.assistant.knowledge[1].url", serverapi.SourceNotFound, true, "")},
			metav1.ConditionFalse, v1alpha1.ReasonKnowledgeUnavailable, []string{"spec.assistant.knowledge[1].url", "404", "last good copy"},
		},
		{
			"a feed that can't be read", urls, observation{sources: source(fieldCatalogURL, serverapi.SourceUnreadable, true, "id is missing")},
			metav1.ConditionFalse, v1alpha1.ReasonCatalogUnavailable, []string{"id is missing"},
		},
		{
			"of both, the catalog is the reason", urls,
			observation{sources: source("spec.assistant.knowledge[1].url", serverapi.SourceTimeout, true, "").with(source(fieldCatalogURL, serverapi.SourceTooLarge, true, ""))},
			metav1.ConditionFalse, v1alpha1.ReasonCatalogUnavailable, []string{"spec.assistant.knowledge[1].url", "minute", "32 MiB"},
		},
		{
			"a tool server that refuses", withTools, tools("crm", "Unauthorized"),
			metav1.ConditionFalse, v1alpha1.ReasonToolServerFailed, []string{"crm", "spec.assistant.tools[1].mcp.headersSecretRef", "without these tools"},
		},
		{
			"a tool server with a reason that nobody knows", withTools, tools("stock", "OnStrike"),
			metav1.ConditionFalse, v1alpha1.ReasonToolServerFailed, []string{"stock", "spec.assistant.tools[0].mcp.url"},
		},
		{"a tool server that works", withTools, tools("crm", ""), metav1.ConditionTrue, v1alpha1.ReasonSucceeded, nil},
		{"a tool server that is not there any more", chat, tools("crm", "Unreachable"), metav1.ConditionTrue, v1alpha1.ReasonSucceeded, nil},
		{
			"model and tool server fail", withTools, both,
			metav1.ConditionFalse, v1alpha1.ReasonProviderUnauthorized, []string{"spec.assistant.chat.apiKeySecretRef", "spec.assistant.tools[1].mcp.headersSecretRef"},
		},
		{
			"a limit of the month is met", bounded(""), limit("MessagesPerMonth"),
			metav1.ConditionFalse, v1alpha1.ReasonLimitReached, []string{"spec.limits.messagesPerMonth (1000)", "2026-12-31 11:00", "handed to people", "raise the limit"},
		},
		{
			"two limits are met, for which there is a text", bounded("Tomorrow again."), limit("MessagesPerMonth", "MessagesPerDay"),
			metav1.ConditionFalse, v1alpha1.ReasonLimitReached, []string{"spec.limits.messagesPerMonth", "spec.limits.messagesPerDay (50)", "2026-12-01 11:00", "spec.limits.message"},
		},
		{"one customer's limit is none of the channel", bounded(""), limit("CustomerMessagesPerHour"), metav1.ConditionTrue, v1alpha1.ReasonRetrievalOnly, nil},
		{"a limit that the spec doesn't have", bounded(""), limit("ConversationsPerMonth"), metav1.ConditionTrue, v1alpha1.ReasonRetrievalOnly, nil},
		{"a URL that nobody names any more", chat, observation{sources: source(fieldCatalogURL, serverapi.SourceTimeout, false, "")}, metav1.ConditionTrue, v1alpha1.ReasonSucceeded, nil},
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
		channel.Generation++
		if again := look(observation{}); again.Reason == v1alpha1.ReasonCatalogInvalid || again.Reason == v1alpha1.ReasonProviderUnauthorized || again.Reason == v1alpha1.ReasonCatalogUnavailable {
			t.Errorf("%s: after a change of the spec it is still %s", tc.reason, again.Reason)
		}
	}
}

// TestCatalogStatus sees the rows that can't be used in status, and that they go with the catalog.
func TestCatalogStatus(t *testing.T) {
	channel := &v1alpha1.WhatsAppChannel{}
	channel.Spec.Assistant.Catalog = &v1alpha1.CatalogSource{URL: "https://shop.example.com/feed.csv"}
	rows := make([]serverapi.RowError, 9)
	for i := range rows {
		rows[i] = serverapi.RowError{Line: i + 2, Problem: "id is missing"}
	}
	found := serverapi.Catalog{Products: 7, LeftOut: 12, Rows: rows}
	s := &channelScope{channel: channel, news: observation{catalog: &serverapi.Assistant{Healthy: true, Catalog: &found}}}
	s.recordContent(true)
	got := channel.Status.Catalog
	if got == nil || *got.Products != 7 || *got.LeftOut != 12 || len(got.Rows) != serverapi.MaxRowErrors || *got.Rows[0].Line != 2 || got.Rows[0].Problem != "id is missing" {
		t.Errorf("status.catalog is %+v", got)
	}
	s.news = observation{}
	s.recordContent(false)
	if channel.Status.Catalog == nil {
		t.Error("without news status.catalog went")
	}
	channel.Spec.Assistant.Catalog = nil
	s.recordContent(false)
	if channel.Status.Catalog != nil {
		t.Error("status.catalog outlives the catalog")
	}
}

// TestLimitStatus sees that a limit is shown until its period ends or its bound is another one, whatever else changes.
func TestLimitStatus(t *testing.T) {
	noon := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	channel := &v1alpha1.WhatsAppChannel{}
	channel.Spec.Limits = &v1alpha1.LimitsSpec{MessagesPerDay: new(int64(50))}
	look := func(now time.Time, news observation) (shown int, pause time.Duration) {
		s := &channelScope{channel: channel, news: news, now: metav1.NewTime(now)}
		s.recordLimits()
		return len(channel.Status.Limits), s.limitPause()
	}
	met := observation{limits: map[string]time.Time{"MessagesPerDay": noon}}
	if n, pause := look(noon, met); n != 1 || pause != 12*time.Hour {
		t.Errorf("met at noon: %d are shown, the next look is in %s", n, pause)
	}
	shown := channel.Status.DeepCopy()
	look(noon.Add(time.Hour), met)
	if !reflect.DeepEqual(shown, &channel.Status) {
		t.Errorf("the same report again, as of another replica, changes status to %+v", channel.Status.Limits)
	}
	channel.Spec.Limits.Message = "Tomorrow again."
	if n, _ := look(noon.Add(time.Hour), observation{}); n != 1 {
		t.Error("it went with a change that is none of the limit's")
	}
	if n, pause := look(noon.Add(12*time.Hour), observation{}); n != 0 || pause != 0 {
		t.Error("it outlives the day")
	}
	look(noon, met)
	channel.Spec.Limits.MessagesPerDay = new(int64(60))
	if n, _ := look(noon, observation{}); n != 0 {
		t.Error("it outlives its bound")
	}
}

// TestObserveAssistant sees that what the webhook-server reports of limits and tool servers reaches the reconciler.
func TestObserveAssistant(t *testing.T) {
	at := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	var seen observation
	for _, report := range []serverapi.Report{
		{Kind: serverapi.KindLimitReached, Time: at, Detail: serverapi.Detail{Limit: &serverapi.Limit{Limit: "MessagesPerDay"}}},
		{Kind: serverapi.KindAssistantHealth, Detail: serverapi.Detail{Assistant: &serverapi.Assistant{Tool: "crm", Reason: "Unreachable"}}},
		{Kind: serverapi.KindAssistantHealth, Detail: serverapi.Detail{Assistant: &serverapi.Assistant{Tool: "stock", Healthy: true}}},
	} {
		news := observe(&report)
		if !newsworthy(&v1alpha1.WhatsAppChannel{}, news) || news.empty() {
			t.Errorf("%+v is no news", report)
		}
		seen.merge(news)
	}
	if !seen.limits["MessagesPerDay"].Equal(at) || len(seen.tools) != 2 || seen.tools["crm"].Healthy || !seen.tools["stock"].Healthy || len(seen.models) > 0 {
		t.Errorf("observed %+v", seen)
	}
}
