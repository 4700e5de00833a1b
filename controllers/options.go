package controllers

import (
	"time"

	"k8s.io/apimachinery/pkg/labels"
)

// CallbackPath is where the webhook-server takes WhatsApp's webhooks, below the public base URL.
const CallbackPath = "/webhooks/whatsapp"

// Options say how the controllers run. Setup fills in what is empty.
type Options struct {
	// SystemNamespace holds the manager, the MetaApps' Secrets, the vault and the credit ledger.
	SystemNamespace string
	// RuntimeNamespace holds the webhook-server and what is projected for it.
	RuntimeNamespace string
	// SignupNamespace receives signup codes.
	SignupNamespace string

	// ServerService is the Service, in RuntimeNamespace, in front of the webhook-server's internal API. Its EndpointSlices name the
	// replicas.
	ServerService string
	// ServerURLs replaces the look-up of replicas: the base URL of each one's internal API.
	ServerURLs []string
	// PublicWebhookURL is the public https base URL of the webhook-server for direct channels that bring their own Meta app.
	PublicWebhookURL string
	// DirectNamespaces selects the namespaces in which direct channels are allowed; nil means none.
	DirectNamespaces labels.Selector
	// DefaultModelsSecret names the Secret, in SystemNamespace, of the models that the platform provides; empty means none.
	DefaultModelsSecret string
	// DefaultModelsNamespaces selects the namespaces whose channels may use them; nil means none.
	DefaultModelsNamespaces labels.Selector
	// GraphBaseURL replaces Meta's address for apps that name none; empty means Meta.
	GraphBaseURL string

	// CheckInterval is how often what is Ready is compared with Meta again, give or take a fifth. 0 means 30 minutes.
	CheckInterval time.Duration
	// ReferenceInterval is how often the Secrets and ConfigMaps that a channel names are read again; tenants' objects can't be watched.
	// 0 means 5 minutes.
	ReferenceInterval time.Duration
	// ReportInterval is how often reports are pulled from the webhook-server. 0 means 2 seconds.
	ReportInterval time.Duration
	// Workers is how many objects of a kind are reconciled at once. 0 means 8.
	Workers int
}

const (
	defaultCheckInterval     = 30 * time.Minute
	defaultReferenceInterval = 5 * time.Minute
	defaultReportInterval    = 2 * time.Second
	defaultWorkers           = 8
)

func (o Options) withDefaults() Options {
	setDefault(&o.SystemNamespace, "whatsapp-system")
	setDefault(&o.RuntimeNamespace, "whatsapp-runtime")
	setDefault(&o.SignupNamespace, "whatsapp-signup")
	setDefault(&o.ServerService, "webhook-server-internal")
	setDefault(&o.CheckInterval, defaultCheckInterval)
	setDefault(&o.ReferenceInterval, defaultReferenceInterval)
	setDefault(&o.ReportInterval, defaultReportInterval)
	setDefault(&o.Workers, defaultWorkers)
	if o.DirectNamespaces == nil {
		o.DirectNamespaces = labels.Nothing()
	}
	if o.DefaultModelsNamespaces == nil {
		o.DefaultModelsNamespaces = labels.Nothing()
	}
	return o
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
