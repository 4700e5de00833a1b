package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// AssistantSpec configures who answers customers.
// +kubebuilder:validation:XValidation:rule="!has(self.transcription) || self.transcription.provider != 'Anthropic'",message="transcription.provider can't be Anthropic, which transcribes nothing; use OpenAI, AzureOpenAI or a server that speaks OpenAI's protocol"
// +kubebuilder:validation:XValidation:rule="!has(self.images) || self.images.provider != 'Anthropic'",message="images.provider can't be Anthropic, which makes no images; use OpenAI, AzureOpenAI or a server that speaks OpenAI's protocol"
// +kubebuilder:validation:XValidation:rule="!has(self.embeddings) || self.embeddings.provider != 'Anthropic'",message="embeddings.provider can't be Anthropic, which makes no embeddings; use OpenAI, AzureOpenAI or a server that speaks OpenAI's protocol"
type AssistantSpec struct {
	// enabled says whether customers are answered automatically. Their messages are stored either way.
	// +optional
	// +default=true
	Enabled *bool `json:"enabled,omitempty"`

	// instructions tell the assistant about the business and its tone.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16384
	Instructions string `json:"instructions,omitempty"`

	// languages of the catalog and the knowledge as BCP 47 tags, the most important first. Absent means en.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=2
	// +kubebuilder:validation:items:MaxLength=16
	// +kubebuilder:validation:items:Pattern=`^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$`
	Languages []string `json:"languages,omitempty"`

	// chat is the model that writes answers. Absent means the platform's, where the platform allows it; else the built-in retrieval
	// assistant answers.
	// +optional
	Chat *ModelProvider `json:"chat,omitempty"`

	// transcription is the model that turns voice notes into text. Absent means the platform's, where the platform allows it; else
	// customers are asked to write instead.
	// +optional
	Transcription *ModelProvider `json:"transcription,omitempty"`

	// vision is the model that describes photos, so that products like them can be found. Absent means the platform's, where the platform
	// allows it; else customers are asked to describe what they look for.
	// +optional
	Vision *ModelProvider `json:"vision,omitempty"`

	// images is the model that makes images. Absent means the platform's, where the platform allows it; else none are made.
	// +optional
	Images *ModelProvider `json:"images,omitempty"`

	// embeddings is the model that improves search. Absent means the platform's, where the platform allows it; else search goes by words.
	// +optional
	Embeddings *ModelProvider `json:"embeddings,omitempty"`

	// catalog is what the business sells.
	// +optional
	Catalog *CatalogSource `json:"catalog,omitempty"`

	// knowledge is what else the assistant may say, as Markdown or text.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Knowledge []KnowledgeSource `json:"knowledge,omitempty"`

	// tools that a chat model may use beyond the built-in ones.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Tools []ToolSource `json:"tools,omitempty"`

	// maxReplyAge is how old a customer's message may be and still be answered automatically. Older ones are stored and shown.
	// +optional
	// +default="1h"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('23h')",message="maxReplyAge must be between 1m and 23h: WhatsApp closes the window for answers after 24 hours"
	MaxReplyAge *metav1.Duration `json:"maxReplyAge,omitempty"`
}

// ProviderType is the protocol of a model provider.
// +enum
// +kubebuilder:validation:Enum=OpenAI;AzureOpenAI;Anthropic
type ProviderType string

const (
	// ProviderOpenAI is OpenAI, or anything that speaks its protocol (vLLM, Ollama, LiteLLM, gateways).
	ProviderOpenAI ProviderType = "OpenAI"
	// ProviderAzureOpenAI is Azure OpenAI; model is the deployment's name.
	ProviderAzureOpenAI ProviderType = "AzureOpenAI"
	// ProviderAnthropic is Anthropic's Messages API.
	ProviderAnthropic ProviderType = "Anthropic"
)

// ModelProvider is one model at one provider.
// +kubebuilder:validation:XValidation:rule="self.provider != 'AzureOpenAI' || has(self.baseURL)",message="baseURL is required for AzureOpenAI; set it to the resource's endpoint, such as https://NAME.openai.azure.com"
type ModelProvider struct {
	// provider is the protocol.
	// +required
	Provider ProviderType `json:"provider,omitempty"`

	// baseURL of the API. Absent means the provider's own.
	// +optional
	// +kubebuilder:validation:MinLength=8
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="isURL(self) && (self.startsWith('https://') || self.startsWith('http://'))",message="baseURL must be an http or https URL"
	BaseURL string `json:"baseURL,omitempty"`

	// model is the model's name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Model string `json:"model,omitempty"`

	// apiKeySecretRef names the Secret with the API key (default key: api-key).
	// +optional
	APIKeySecretRef *SecretKeyReference `json:"apiKeySecretRef,omitempty"`

	// timeout of one call.
	// +optional
	// +default="30s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('2m')",message="timeout must be between 1s and 2m"
	Timeout *metav1.Duration `json:"timeout,omitempty"`
}

// FeedFormat is the format of a product feed.
// +enum
// +kubebuilder:validation:Enum=CSV;TSV;JSON;XML
type FeedFormat string

const (
	// FeedCSV is comma-separated, with a header row.
	FeedCSV FeedFormat = "CSV"
	// FeedTSV is tab-separated, with a header row.
	FeedTSV FeedFormat = "TSV"
	// FeedJSON is a JSON array of products.
	FeedJSON FeedFormat = "JSON"
	// FeedXML is RSS 2.0 or Atom.
	FeedXML FeedFormat = "XML"
)

// CatalogSource is a product feed with the field names of Meta's product feeds (id, title, description, price, ...).
// +kubebuilder:validation:ExactlyOneOf=configMapKeyRef;url
type CatalogSource struct {
	// configMapKeyRef names the ConfigMap key that holds the feed. Catalog and knowledge of a channel may take 256 KiB gzipped.
	// +optional
	ConfigMapKeyRef *ConfigMapKeyReference `json:"configMapKeyRef,omitempty"`

	// url of the feed, for larger ones.
	// +optional
	// +kubebuilder:validation:MinLength=9
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="isURL(self) && self.startsWith('https://')",message="url must be an https URL"
	URL string `json:"url,omitempty"`

	// format of the feed.
	// +optional
	// +default="CSV"
	Format FeedFormat `json:"format,omitempty"`

	// refreshInterval is how often url is fetched again.
	// +optional
	// +default="1h"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('5m') && duration(self) <= duration('168h')",message="refreshInterval must be between 5m and 168h"
	RefreshInterval *metav1.Duration `json:"refreshInterval,omitempty"`
}

// KnowledgeSource is one Markdown or text document.
// +kubebuilder:validation:ExactlyOneOf=configMapKeyRef;url
type KnowledgeSource struct {
	// configMapKeyRef names the ConfigMap key that holds the document.
	// +optional
	ConfigMapKeyRef *ConfigMapKeyReference `json:"configMapKeyRef,omitempty"`

	// url of the document.
	// +optional
	// +kubebuilder:validation:MinLength=9
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="isURL(self) && self.startsWith('https://')",message="url must be an https URL"
	URL string `json:"url,omitempty"`
}

// ToolSource gives a chat model the tools of one server.
type ToolSource struct {
	// name of the source; it prefixes the names of its tools.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name,omitempty"`

	// mcp is a Model Context Protocol server.
	// +required
	MCP MCPServer `json:"mcp,omitzero"`

	// sideEffect marks tools that change something: they run only after the customer tapped to confirm, and never twice.
	// +optional
	// +default=false
	SideEffect *bool `json:"sideEffect,omitempty"`
}

// MCPServer is a Model Context Protocol server that speaks Streamable HTTP.
type MCPServer struct {
	// url of the server.
	// +required
	// +kubebuilder:validation:MinLength=9
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="isURL(self) && self.startsWith('https://')",message="url must be an https URL"
	URL string `json:"url,omitempty"`

	// headersSecretRef names a Secret whose keys and values are sent as HTTP headers.
	// +optional
	HeadersSecretRef *SecretReference `json:"headersSecretRef,omitempty"`

	// allowedTools are the tools that may be used. Absent means none.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=128
	AllowedTools []string `json:"allowedTools,omitempty"`

	// timeout of one call.
	// +optional
	// +default="10s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('1m')",message="timeout must be between 1s and 1m"
	Timeout *metav1.Duration `json:"timeout,omitempty"`

	// maxResultBytes bounds what a call may return to the model.
	// +optional
	// +default=16384
	// +kubebuilder:validation:Minimum=256
	// +kubebuilder:validation:Maximum=262144
	MaxResultBytes int32 `json:"maxResultBytes,omitempty"`
}
