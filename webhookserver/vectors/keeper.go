package vectors

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant/providers"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/catalog"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

const (
	// lease is how long one replica may take to have the vectors of a channel made.
	lease = 10 * time.Minute
	// keep is how often a copy that is used is renewed; the store forgets what nobody has renewed for store.DocumentsFor.
	keep = 7 * 24 * time.Hour
	// renewLease is for one write.
	renewLease = time.Minute
	// again is when vectors may be wanted next after they were made: the index with them has to be built first.
	again = 5 * time.Second
	// retry is how long to wait after a failure, look how often to look whether another replica is done.
	retry = 5 * time.Minute
	look  = 2 * time.Second
	// questionTimeout bounds what a customer waits for a question's vector.
	questionTimeout = 3 * time.Second
	// maxQuestions bounds the questions whose vectors are remembered: one turn searches for the same more than once.
	maxQuestions = 512
	// maxKnown bounds the channels of which something is remembered; beyond it all is forgotten, which costs another build each.
	maxKnown = 1 << 14
	// maxJobs is for how many channels vectors are made at a time.
	maxJobs = 2
)

// Models give channels their embedding models; a *providers.Pool does.
type Models interface {
	Embedder(ch *runtimeconfig.Channel) (providers.Embedder, error)
}

// Store is what keeps vectors: as documents, whose URL names the model.
type Store interface {
	ClaimFetch(ctx context.Context, line, url string, interval, lease time.Duration) (*store.Fetch, error)
	FinishFetch(ctx context.Context, f *store.Fetch, o store.FetchOutcome) error
	DocumentBody(ctx context.Context, line, url string) (body []byte, revision string, err error)
}

// Keeper has the vectors of channels. It is safe for concurrent use.
type Keeper struct {
	models Models
	store  Store
	log    logr.Logger
	look   time.Duration

	ctx  context.Context //nolint:containedctx // jobs outlive the turns that want them, and end with the Keeper
	stop context.CancelFunc
	jobs sync.WaitGroup
	slot chan struct{}

	mu        sync.Mutex
	known     map[key]state
	questions map[question][]float32
}

// key is a model of a line; model is the URL under which its vectors lie.
type key struct{ line, model string }

type state struct {
	// revision of the copy that was last completed here.
	revision string
	running  bool
	// next is when vectors may be wanted again after a failure.
	next time.Time
}

type question struct {
	key
	text string
}

// New makes a Keeper.
func New(models Models, s Store, log logr.Logger) *Keeper {
	ctx, stop := context.WithCancel(context.Background()) //nolint:forbidigo // it works until Close, whatever asked first
	return &Keeper{
		models: models, store: s, log: log, look: look, ctx: ctx, stop: stop, slot: make(chan struct{}, maxJobs),
		known: map[key]state{}, questions: map[question][]float32{},
	}
}

// Close ends what is being made. What the model said so far is kept.
func (k *Keeper) Close() {
	k.stop()
	k.jobs.Wait()
}

// keyOf names the model of a channel; ok is false if it has none. Another model's vectors can't be compared with it.
func keyOf(ch *runtimeconfig.Channel) (_ key, ok bool) {
	m := ch.Assistant.Provider(runtimeconfig.CapabilityEmbeddings)
	if m == nil {
		return key{}, false
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{m.Provider, m.BaseURL, m.Model}, "\n")))
	return key{ch.LineID, "vectors:" + hex.EncodeToString(sum[:16])}, true
}

// Revision identifies the vectors that Load gives; empty for a channel without a model.
func (k *Keeper) Revision(ch *runtimeconfig.Channel) string {
	at, ok := keyOf(ch)
	if !ok {
		return ""
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return at.model + " " + k.known[at].revision
}

// Load returns the vectors that are kept for the channel; nil if it has no model.
func (k *Keeper) Load(ctx context.Context, ch *runtimeconfig.Channel) (*catalog.Vectors, error) {
	at, ok := keyOf(ch)
	if !ok {
		return nil, nil
	}
	v, revision, err := k.load(ctx, at)
	if err == nil && revision != "" {
		k.renew(ctx, at)
	}
	return v, err
}

// renew keeps the store from forgetting vectors that are used. If it can't be done now, the next Load does it.
func (k *Keeper) renew(ctx context.Context, at key) {
	claim, err := k.store.ClaimFetch(ctx, at.line, at.model, keep, renewLease)
	if err == nil {
		err = k.store.FinishFetch(ctx, claim, store.FetchOutcome{Next: keep})
	}
	if err != nil && !errors.Is(err, store.ErrNothingDue) {
		k.log.V(1).Info("Vectors could not be renewed", "line", at.line)
	}
}

func (k *Keeper) load(ctx context.Context, at key) (*catalog.Vectors, string, error) {
	body, revision, err := k.store.DocumentBody(ctx, at.line, at.model)
	if errors.Is(err, store.ErrNotFound) {
		return catalog.NewVectors(), "", nil
	}
	if err != nil {
		return nil, "", err
	}
	v, err := catalog.DecodeVectors(body)
	if err != nil {
		k.log.Error(err, "Vectors that were kept can't be read and are made again", "line", at.line)
		return catalog.NewVectors(), "", nil
	}
	return v, revision, nil
}

// Want has the vectors made that texts lack, beside whatever the caller does. When they are there, Revision changes.
func (k *Keeper) Want(ch *runtimeconfig.Channel, texts []string) {
	at, ok := keyOf(ch)
	if !ok || len(texts) == 0 || k.ctx.Err() != nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.known[at]
	if now.running || time.Now().Before(now.next) {
		return
	}
	if len(k.known) >= maxKnown {
		clear(k.known)
	}
	now.running = true
	k.known[at] = now
	k.jobs.Go(func() {
		revision, err := k.complete(ch, at, texts)
		if err != nil && k.ctx.Err() == nil {
			k.log.Info("Vectors could not be made; search goes by words", "line", at.line, "reason", string(providers.KindOf(err)))
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		done := state{revision: k.known[at].revision, next: time.Now().Add(again)}
		if revision != "" {
			done.revision = revision
		}
		if err != nil {
			done.next = time.Now().Add(retry)
		}
		k.known[at] = done
	})
}

// complete makes the vectors that texts lack, or waits for the replica that does, and returns the revision of what is kept then.
func (k *Keeper) complete(ch *runtimeconfig.Channel, at key, texts []string) (revision string, err error) {
	ctx, cancel := context.WithTimeout(k.ctx, lease)
	defer cancel()
	select {
	case k.slot <- struct{}{}:
		defer func() { <-k.slot }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	for {
		have, revision, err := k.load(ctx, at)
		if err != nil {
			return "", err
		}
		if len(have.Missing(texts)) == 0 {
			return revision, nil
		}
		claim, err := k.store.ClaimFetch(ctx, at.line, at.model, 0, lease)
		switch {
		case err == nil:
			return k.make(ctx, ch, at, claim, texts)
		case !errors.Is(err, store.ErrNothingDue):
			return "", err
		}
		select {
		case <-time.After(k.look):
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// make asks the model for what is missing and keeps what it said, also if it fails half-way. What is kept is read under the claim:
// another replica may have made it a moment ago.
func (k *Keeper) make(ctx context.Context, ch *runtimeconfig.Channel, at key, claim *store.Fetch, texts []string) (string, error) {
	outcome := store.FetchOutcome{Next: keep}
	have, revision, err := k.load(ctx, at)
	if err == nil {
		if missing := have.Missing(texts); len(missing) > 0 {
			err = k.ask(ctx, ch, have, missing)
			outcome.Body = have.Encode(texts)
			sum := sha256.Sum256(outcome.Body)
			outcome.Revision = hex.EncodeToString(sum[:8])
			revision = outcome.Revision
		}
	}
	// What was paid for is kept, also when the process is about to end.
	kept, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	if ferr := k.store.FinishFetch(kept, claim, outcome); ferr != nil {
		return "", ferr
	}
	return revision, err
}

// ask adds the vectors of texts. Those of a text that the model gives none for stay missing.
func (k *Keeper) ask(ctx context.Context, ch *runtimeconfig.Channel, to *catalog.Vectors, texts []string) error {
	model, err := k.models.Embedder(ch)
	if err != nil {
		return err
	}
	for len(texts) > 0 {
		batch := texts[:min(len(texts), providers.MaxEmbeddingTexts)]
		texts = texts[len(batch):]
		res, err := model.Embed(ctx, batch)
		if err != nil {
			return err
		}
		for i, text := range batch {
			if !to.Add(text, res.Vectors[i]) {
				return &providers.Error{Kind: providers.BadResponse}
			}
		}
	}
	return nil
}

// Question returns what gives the channel's questions their vectors; nil if it has no model.
func (k *Keeper) Question(ch *runtimeconfig.Channel) func(context.Context, string) ([]float32, error) {
	at, ok := keyOf(ch)
	if !ok {
		return nil
	}
	return func(ctx context.Context, text string) ([]float32, error) {
		asked := question{at, text}
		k.mu.Lock()
		known, ok := k.questions[asked]
		k.mu.Unlock()
		if ok {
			return known, nil
		}
		model, err := k.models.Embedder(ch)
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, questionTimeout)
		defer cancel()
		res, err := model.Embed(ctx, []string{text})
		if err != nil {
			return nil, err
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		if len(k.questions) >= maxQuestions {
			clear(k.questions)
		}
		k.questions[asked] = res.Vectors[0]
		return res.Vectors[0], nil
	}
}
