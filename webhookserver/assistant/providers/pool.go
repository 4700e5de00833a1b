package providers

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

// HealthReporter is told when the health of a channel's model changes. kind is "" when it works.
type HealthReporter func(ctx context.Context, ch *runtimeconfig.Channel, capability runtimeconfig.Capability, kind Kind)

// Budget counts the tokens that lines use in a day of their time zone, for all replicas together; a store.Store is one.
type Budget interface {
	// ReserveTokens counts tokens, unless that makes more than bound: then ok is false. day is the period in which they count.
	ReserveTokens(ctx context.Context, line, timeZone string, tokens int64, bound *int64) (day string, ok bool, err error)
	// SettleTokens corrects what was reserved in a day.
	SettleTokens(ctx context.Context, line, day string, difference int64) error
}

// PoolOptions make a Pool.
type PoolOptions struct {
	// Client makes the calls; it decides about addresses. Required.
	Client *http.Client
	// Budget counts tokens; nil means that nobody does.
	Budget Budget
	// Report may be nil.
	Report HealthReporter
	// Metrics is where metrics are registered. Required.
	Metrics prometheus.Registerer
}

// Pool gives channels their models: adapters that go through one Transport, keep to the channel's budget, are measured and
// traced, and report their health. It is safe for concurrent use.
type Pool struct {
	client *http.Client
	budget Budget
	report HealthReporter
	meter  *meter

	mu       sync.Mutex
	adapters map[slot]revised // an adapter learns what its provider can do, so it is kept
	health   map[slot]health
}

// slot is one model of one line.
type slot struct {
	line       string
	capability runtimeconfig.Capability
}

type revised struct {
	revision string
	adapter  any
}

// health is what was reported last.
type health struct {
	revision string
	kind     Kind
	// day is the one whose tokens are used up, of a BudgetUsedUp.
	day string
	// again is when trouble that passes may be told next.
	again time.Time
}

// troubleEvery is how often, at most, trouble that passes by itself is told: a model that comes and goes would be news with every call.
const troubleEvery = time.Hour

// maxSlots bounds what is kept; beyond it all is forgotten, which costs a request or a report each.
const maxSlots = 1 << 14

// NewPool makes a Pool and registers its metrics and those of its Transport.
func NewPool(o PoolOptions) (*Pool, error) {
	transport, err := NewTransport(o.Client.Transport, o.Metrics)
	if err != nil {
		return nil, err
	}
	client := *o.Client
	client.Transport = transport
	p := &Pool{
		client: &client, budget: o.Budget, report: o.Report,
		adapters: map[slot]revised{}, health: map[slot]health{},
	}
	p.meter, err = newMeter(o.Metrics)
	return p, err
}

// Close lets go of idle connections.
func (p *Pool) Close() { p.client.CloseIdleConnections() }

// Chat returns the channel's model for chats. Errors: NotConfigured, Unsupported.
func (p *Pool) Chat(ch *runtimeconfig.Channel) (Chat, error) {
	return p.chat(ch, runtimeconfig.CapabilityChat)
}

// Vision returns the channel's model that understands Message.Images. Errors: NotConfigured, Unsupported.
func (p *Pool) Vision(ch *runtimeconfig.Channel) (Chat, error) {
	return p.chat(ch, runtimeconfig.CapabilityVision)
}

func (p *Pool) chat(ch *runtimeconfig.Channel, capability runtimeconfig.Capability) (Chat, error) {
	adapter, err := adapterOf(p, ch, capability, New)
	if err != nil {
		return nil, err
	}
	return chatOf{adapter, p.caller(ch, capability)}, nil
}

// Transcriber returns the channel's model for voice notes. Errors: NotConfigured, Unsupported.
func (p *Pool) Transcriber(ch *runtimeconfig.Channel) (Transcriber, error) {
	adapter, err := adapterOf(p, ch, runtimeconfig.CapabilityTranscription, NewTranscriber)
	if err != nil {
		return nil, err
	}
	return transcriberOf{adapter, p.caller(ch, runtimeconfig.CapabilityTranscription)}, nil
}

// ImageGenerator returns the channel's model that makes images. Errors: NotConfigured, Unsupported.
func (p *Pool) ImageGenerator(ch *runtimeconfig.Channel) (ImageGenerator, error) {
	adapter, err := adapterOf(p, ch, runtimeconfig.CapabilityImages, NewImageGenerator)
	if err != nil {
		return nil, err
	}
	return imageGeneratorOf{adapter, p.caller(ch, runtimeconfig.CapabilityImages)}, nil
}

// Embedder returns the channel's model for search. Errors: NotConfigured, Unsupported.
func (p *Pool) Embedder(ch *runtimeconfig.Channel) (Embedder, error) {
	adapter, err := adapterOf(p, ch, runtimeconfig.CapabilityEmbeddings, NewEmbedder)
	if err != nil {
		return nil, err
	}
	return embedderOf{adapter, p.caller(ch, runtimeconfig.CapabilityEmbeddings)}, nil
}

// adapterOf returns the adapter for the channel's present revision.
func adapterOf[T any](p *Pool, ch *runtimeconfig.Channel, capability runtimeconfig.Capability,
	build func(Config, *http.Client) (T, error)) (T, error) {
	var none T
	model := ch.Assistant.Provider(capability)
	if model == nil {
		return none, &Error{Kind: NotConfigured}
	}
	at := slot{ch.LineID, capability}
	p.mu.Lock()
	defer p.mu.Unlock()
	if kept, ok := p.adapters[at]; ok && kept.revision == ch.Revision {
		if adapter, ok := kept.adapter.(T); ok {
			return adapter, nil
		}
	}
	adapter, err := build(Config{
		Provider: model.Provider, BaseURL: model.BaseURL, Model: model.Model, APIKey: model.APIKey, Timeout: time.Duration(model.Timeout),
	}, p.client)
	if err != nil {
		return none, err
	}
	if len(p.adapters) >= maxSlots {
		clear(p.adapters)
	}
	p.adapters[at] = revised{ch.Revision, adapter}
	return adapter, nil
}

// caller makes the calls of one model of a channel.
type caller struct {
	pool       *Pool
	channel    *runtimeconfig.Channel
	capability runtimeconfig.Capability
	provider   string
}

func (p *Pool) caller(ch *runtimeconfig.Channel, capability runtimeconfig.Capability) caller {
	return caller{p, ch, capability, ch.Assistant.Provider(capability).Provider}
}

// usage is what a call took, in the units that providers charge for.
type usage struct {
	promptTokens, completionTokens int
	audioSeconds                   float64
	images                         int
}

func (u usage) tokens() int64 { return int64(u.promptTokens + u.completionTokens) }

// call makes one call within the budget: estimate is how many tokens it may take at most.
func (c caller) call(ctx context.Context, estimate int64, do func(context.Context) (usage, error)) error {
	day, err := c.afford(ctx, estimate)
	if err != nil {
		c.observe(ctx, day, err)
		return err
	}
	spanned, done := c.pool.meter.start(ctx, c)
	used, err := do(withPurpose(spanned, purpose{line: c.channel.LineID, capability: c.capability, provider: c.provider}))
	done(used, err)
	c.spend(ctx, day, estimate, used, err)
	c.observe(ctx, day, err)
	return err
}

// afford reserves the tokens of a call, or refuses one that may exceed the channel's budget of the day: calls that are made at the same
// time, here or by other replicas, exceed it neither. When nobody knows what was used, no money is spent. A channel without a budget
// reserves nothing, and has no day.
func (c caller) afford(ctx context.Context, estimate int64) (day string, err error) {
	limit := c.channel.Limits.TokensPerDay
	if limit == nil || c.pool.budget == nil {
		return "", nil
	}
	day, ok, err := c.pool.budget.ReserveTokens(ctx, c.channel.LineID, c.channel.TimeZone, estimate, limit)
	switch {
	case err != nil && ctx.Err() != nil:
		return "", &Error{Kind: Unavailable, cause: ctx.Err()}
	case err != nil:
		return "", &Error{Kind: BudgetUnknown}
	case !ok:
		c.pool.meter.refused.WithLabelValues(string(c.capability)).Inc()
		return day, &Error{Kind: BudgetUsedUp}
	}
	return day, nil
}

// spend counts what a call used: what the provider says, else the estimate if the provider has taken the call. A process that ends
// before leaves the estimate counted.
func (c caller) spend(ctx context.Context, day string, estimate int64, used usage, err error) {
	if c.pool.budget == nil {
		return
	}
	tokens := used.tokens()
	if err == nil && tokens == 0 {
		tokens = estimate
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), spendTimeout)
	defer cancel()
	switch {
	case day != "" && tokens != estimate:
		err = c.pool.budget.SettleTokens(ctx, c.channel.LineID, day, tokens-estimate)
		tokens -= estimate
	case day == "" && tokens > 0:
		_, _, err = c.pool.budget.ReserveTokens(ctx, c.channel.LineID, c.channel.TimeZone, tokens, nil)
	default:
		return
	}
	if err != nil && tokens > 0 {
		c.pool.meter.uncounted.Add(float64(tokens)) // the customer's answer is worth more than the count
	}
}

// spendTimeout bounds one write, also of a call that was broken off.
const spendTimeout = 5 * time.Second

// observe reports the model's health when it is another one than last time, or when the channel has changed since.
func (c caller) observe(ctx context.Context, day string, err error) {
	kind := KindOf(err)
	if c.pool.report == nil || kind.ofRequest() || (err != nil && ctx.Err() != nil) {
		return // neither a request's fault nor the caller's leaving says anything of the next call
	}
	if c.pool.news(slot{c.channel.LineID, c.capability}, health{revision: c.channel.Revision, kind: kind, day: day}, time.Now()) {
		c.pool.report(ctx, c.channel, c.capability, kind)
	}
}

// news says whether the health of a model is to be told, and remembers it if so.
func (p *Pool) news(at slot, now health, t time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	last, known := p.health[at]
	switch {
	case !known, last.revision != now.revision:
	case last.kind == now.kind:
		return false
	case last.kind == BudgetUsedUp && now.kind == "" && last.day == now.day:
		return false // the smaller calls that still fit don't mean that there is enough again
	case now.kind.passes() && t.Before(last.again):
		return false // if it is still so when the hour is over, that is told then
	}
	if len(p.health) >= maxSlots && !known {
		clear(p.health)
	}
	if now.again = last.again; now.kind != "" {
		now.again = t.Add(troubleEvery)
	}
	p.health[at] = now
	return true
}
