package understanding

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/assistant/providers"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

const (
	// maxFiles of one turn are looked at, the newest ones: whoever sends twenty photos waits for an answer, not for all of them.
	maxFiles = 5
	// maxText of what was understood of one message, in characters: as long as a text of WhatsApp may be.
	maxText = 4096
)

// Files fetches the files of customers' messages.
type Files interface {
	// Fetch returns a file of at most limit bytes; m is nil if the message has none. Its errors hold no secret and nothing of
	// the customer's.
	Fetch(ctx context.Context, ch *runtimeconfig.Channel, m *store.Media, limit int64) ([]byte, error)
}

// maxFileBytes is Meta's bound of voice notes; photos have a lower one.
const maxFileBytes = 16 << 20

// Keeper keeps what was understood of a message of a turn; a store.Turns is one.
type Keeper interface {
	// KeepUnderstood is store.Turns'.
	KeepUnderstood(ctx context.Context, t *store.Turn, messageID int64, text string) error
}

// Options make an Understanding. All are required.
type Options struct {
	Models  *providers.Pool
	Files   Files
	Keeper  Keeper
	Metrics prometheus.Registerer
}

// Understanding understands. It is safe for concurrent use.
type Understanding struct {
	opts     Options
	messages *prometheus.CounterVec
}

// New makes an Understanding and registers its metrics.
func New(o Options) (*Understanding, error) {
	u := &Understanding{opts: o, messages: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "whatsapp_understood_messages_total",
		Help: "Messages besides texts by kind and by what became of them: understood, unsupported, off because the channel has no model for them, or failed.",
	}, []string{"kind", "result"})}
	return u, o.Metrics.Register(u.messages)
}

// Results of one message, as metrics name them.
const (
	resultUnderstood  = "understood"
	resultUnsupported = "unsupported"
	resultOff         = "off"
	resultFailed      = "failed"
)

// Understood is what can be answered of a turn.
type Understood struct {
	// Messages have what was understood as their text. Those of which nothing was are left out.
	Messages []store.Message
	// Notices tell the customer what was not understood and what to do instead, before the answer to the rest.
	Notices []assistant.Part
}

// Read understands the unanswered messages of a turn. It fails when ctx ends, and with store.ErrLeaseLost.
func (u *Understanding) Read(ctx context.Context, ch *runtimeconfig.Channel, turn *store.Turn, unanswered []store.Message) (Understood, error) {
	r := reading{Understanding: u, ch: ch, turn: turn, words: languageOf(ch, turn)}
	r.skip = max(0, countFiles(unanswered)-maxFiles)
	var out Understood
	for i := range unanswered {
		m := unanswered[i]
		answerable, err := r.message(ctx, &m)
		if err != nil {
			return Understood{}, err
		}
		if answerable {
			out.Messages = append(out.Messages, m)
		}
	}
	for _, notice := range r.notices {
		out.Notices = append(out.Notices, assistant.Text{Body: notice})
	}
	return out, nil
}

func countFiles(messages []store.Message) (n int) {
	for i := range messages {
		if k := kindOf(messages[i].Type); k == kindVoice || k == kindPhoto {
			n++
		}
	}
	return n
}

// reading is one call of Read.
type reading struct {
	*Understanding
	ch   *runtimeconfig.Channel
	turn *store.Turn
	// words of the customer's language.
	words *words
	// skip is how many files are left out before the first that is looked at.
	skip int
	// notices are what the customer is told, each once.
	notices []string
}

// message gives a message the text that was understood, and reports whether it can be answered.
func (r *reading) message(ctx context.Context, m *store.Message) (answerable bool, err error) {
	switch kind := kindOf(m.Type); kind {
	case kindText:
		return true, nil
	case kindVoice, kindPhoto:
		return r.file(ctx, m, kind)
	case kindPlace, kindContact:
		return r.card(ctx, m, kind)
	default:
		r.messages.WithLabelValues(string(kind), resultUnsupported).Inc()
		r.tell(r.words.unsupported(kind, r.ch))
		return false, nil
	}
}

// file understands a voice note or a photo. A photo whose caption says something can be answered even if it can't be seen.
func (r *reading) file(ctx context.Context, m *store.Message, kind kind) (answerable bool, err error) {
	caption := captionOf(m)
	if m.Text != "" && m.Text != caption {
		return true, nil // understood by an earlier attempt at this turn
	}
	understood, result := r.look(ctx, m, kind)
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	r.messages.WithLabelValues(string(kind), result).Inc()
	if understood == "" {
		r.tell(r.words.unread(kind, result == resultOff, r.ch))
		return caption != "", nil
	}
	m.Text = clip(strings.TrimSpace(caption + "\n" + understood))
	return true, r.keep(ctx, m)
}

// look returns what is said or seen in a file, empty if nothing was understood, and the result for the metrics. Why a model
// failed is reported where it is called.
func (r *reading) look(ctx context.Context, m *store.Message, kind kind) (understood, result string) {
	if r.skip > 0 {
		r.skip--
		return "", resultFailed
	}
	var err error
	if kind == kindVoice {
		understood, err = r.listen(ctx, m)
	} else {
		understood, err = r.see(ctx, m)
	}
	switch {
	case providers.KindOf(err) == providers.NotConfigured:
		return "", resultOff
	case err != nil:
		return "", resultFailed
	default:
		return understood, resultUnderstood
	}
}

// card understands a place or a contact. A chat model gets it as text; without one the customer is told that it was received.
func (r *reading) card(ctx context.Context, m *store.Message, kind kind) (answerable bool, err error) {
	if m.Text == "" {
		if m.Text = clip(describe(m, kind)); m.Text == "" {
			r.messages.WithLabelValues(string(kind), resultFailed).Inc()
			r.tell(r.words.unsupported(kind, r.ch))
			return false, nil
		}
		if err := r.keep(ctx, m); err != nil {
			return false, err
		}
	}
	r.messages.WithLabelValues(string(kind), resultUnderstood).Inc()
	if r.ch.Assistant.Chat == nil {
		r.tell(r.words.received(kind))
		return false, nil
	}
	return true, nil
}

// keep keeps what was understood, so that a person sees it, later turns know it, and nobody pays for it twice.
func (r *reading) keep(ctx context.Context, m *store.Message) error {
	return r.opts.Keeper.KeepUnderstood(ctx, r.turn, m.ID, m.Text)
}

func (r *reading) tell(notice string) {
	if !slices.Contains(r.notices, notice) {
		r.notices = append(r.notices, notice)
	}
}

// clip bounds a text and drops what no store can hold.
func clip(s string) string {
	s = strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "")
	if utf8.RuneCountInString(s) > maxText {
		s = string([]rune(s)[:maxText])
	}
	return s
}
