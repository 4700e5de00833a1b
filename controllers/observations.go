package controllers

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
)

// observation is what the webhook-server has reported of a channel and no status shows yet. The zero observation is none.
type observation struct {
	// proof is the best proof that webhooks come to us; signatureFailing means that deliveries don't verify.
	proof            serverapi.Proof
	signatureFailing bool
	// first is when the first message came, received and sent are the latest hours with traffic.
	first, received, sent time.Time
	// tokenMismatch means that somebody shook hands with a verify token that nobody has.
	tokenMismatch bool
	// standby is the latest hour with copies of what another responder received; zero if messages of our own came after them.
	standby time.Time
	// models are the latest word on each model, by capability; catalog that on the catalog, nil if there was none.
	models  map[string]*serverapi.Assistant
	catalog *serverapi.Assistant
	// sources is the latest word on the documents with a URL; nil if there was none.
	sources *sourceNews
	// tools are the latest word on each source of tools, by name; limits when each limit was last met, by its name in reports.
	tools  map[string]*serverapi.Assistant
	limits map[string]time.Time
	// hold is why the number can't send; one without a reason means that it can again, nil that nothing is new.
	hold *serverapi.ParkedLine
	// recheck asks for a look at Meta now.
	recheck bool
}

// merge adds a later observation.
func (o *observation) merge(later observation) {
	if later.proof == serverapi.Delivery || o.proof == "" {
		o.proof = later.proof
	}
	if later.proof == serverapi.Delivery {
		o.signatureFailing = false
	}
	o.signatureFailing = o.signatureFailing || later.signatureFailing
	// A proof that came later answers the mismatch.
	o.tokenMismatch = later.tokenMismatch || (o.tokenMismatch && later.proof == "")
	o.standby = latestCopies(o.standby, o.received, &later)
	if o.first.IsZero() {
		o.first = later.first
	}
	if later.received.After(o.received) {
		o.received = later.received
	}
	if later.sent.After(o.sent) {
		o.sent = later.sent
	}
	o.mergeAssistant(later)
	if later.hold != nil {
		o.hold = later.hold
	}
	o.recheck = o.recheck || later.recheck
}

// latestCopies is the hour of the latest copies of what another responder received, if no message of our own came after them: copies and
// received are what is known, zero meaning neither, and later is what came since. Reports can be read twice, so what is older than what is
// known says nothing.
func latestCopies(copies, received time.Time, later *observation) time.Time {
	switch {
	case !later.standby.IsZero() && !later.standby.Before(copies) && !later.standby.Before(received):
		return later.standby
	case later.standby.IsZero() && !later.received.IsZero() && !later.received.Before(copies):
		return time.Time{}
	default:
		return copies
	}
}

// mergeAssistant adds what a later observation says of the models and of what they are told.
func (o *observation) mergeAssistant(later observation) {
	o.models = mergeLater(o.models, later.models)
	o.tools = mergeLater(o.tools, later.tools)
	o.limits = mergeLater(o.limits, later.limits)
	if later.catalog != nil {
		o.catalog = later.catalog
	}
	if later.sources != nil {
		o.sources = o.sources.with(later.sources)
	}
}

// observations keeps what was reported until a reconciliation takes it.
type observations struct {
	mu    sync.Mutex
	byUID map[types.UID]observation
}

func (o *observations) add(uid types.UID, seen observation) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.byUID == nil {
		o.byUID = map[types.UID]observation{}
	}
	have := o.byUID[uid]
	have.merge(seen)
	o.byUID[uid] = have
}

func (o *observations) take(uid types.UID) observation {
	o.mu.Lock()
	defer o.mu.Unlock()
	seen := o.byUID[uid]
	delete(o.byUID, uid)
	return seen
}

// empty says whether nothing was reported.
func (o *observation) empty() bool {
	return o.proof == "" && !o.signatureFailing && o.first.IsZero() && o.received.IsZero() && o.sent.IsZero() && !o.ofAssistant() &&
		!o.recheck && !o.tokenMismatch && o.standby.IsZero() && o.hold == nil
}

// ofAssistant says whether something was reported of what the assistant answers with.
func (o *observation) ofAssistant() bool {
	return len(o.models) > 0 || o.catalog != nil || o.sources != nil || len(o.tools) > 0 || len(o.limits) > 0
}

// giveBack returns what could not be written into a status, below what came since.
func (o *observations) giveBack(uid types.UID, earlier observation) {
	if earlier.empty() {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.byUID == nil {
		o.byUID = map[types.UID]observation{}
	}
	later := o.byUID[uid]
	earlier.merge(later)
	o.byUID[uid] = earlier
}
