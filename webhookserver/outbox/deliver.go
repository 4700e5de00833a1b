package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
	"github.com/whatsapp-operator/whatsapp-operator/internal/tracing"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// Reasons of rows that were not sent, beside those of the store and Meta's classes.
const (
	reasonNumberMoved   = "NumberMoved"
	reasonNotServed     = "NumberNotServed"
	reasonBadPayload    = "InvalidPayload"
	reasonClient        = "InvalidGraphAddress"
	reasonThroughput    = "Throughput"
	reasonStopping      = "Stopping"
	reasonLeaseTooShort = "LeaseTooShort"
	reasonBlobMissing   = "ImageMissing"
	reasonBlobStore     = "BlobStoreUnavailable"
	reasonUploaded      = "ImageUploaded"
	reasonUploads       = "UploadsBusy"
)

const (
	// absentDelay is how long a row waits for a number that nobody serves at the moment.
	absentDelay = 30 * time.Second
	// maxBackoff bounds how long a throttled or unsent row waits.
	maxBackoff = 5 * time.Minute
	// maxSecretBackoff bounds how long a line waits whose app secret is not the one that Meta has: a rotation takes minutes,
	// and nothing tells when it is over.
	maxSecretBackoff = 15 * time.Second
	// maxPairBackoff bounds Meta's 4^n seconds: an hour is when a reply is too old by default.
	maxPairBackoff = time.Hour
)

// result is what became of a claimed send.
type result struct {
	state  store.SendState // accepted, failed, unknown, or pending
	wamid  string          // of accepted
	code   int             // of failed
	reason string          // of all others
	delay  time.Duration   // of pending
	// untried is a pending one of which Meta knows nothing, or that it refused for its line alone.
	untried bool
}

func pending(reason string, delay time.Duration) result {
	return result{state: store.SendPending, reason: reason, delay: delay}
}

// postponed is pending without having been tried: how long Meta is left alone grows with what Meta has refused of the message.
func postponed(reason string, delay time.Duration) result {
	return result{state: store.SendPending, reason: reason, delay: delay, untried: true}
}

func failed(reason string, code int) result {
	return result{state: store.SendFailed, reason: reason, code: code}
}

// deliver makes one call and writes its result down. claimed is the local time right before the claim.
func (b *Outbox) deliver(ctx context.Context, send *store.Send, claimed time.Time) {
	ctx, span := b.begin(ctx, send)
	r := b.attempt(ctx, send, claimed)
	defer end(span, &r)
	b.metrics.sends.WithLabelValues(string(r.state)).Inc()
	// Detached: what Meta has answered must be written down although the process is told to stop.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	err := persist(ctx, func() error {
		switch r.state {
		case store.SendAccepted:
			return b.store.MarkAccepted(ctx, send, r.wamid)
		case store.SendFailed:
			return b.store.MarkFailed(ctx, send, r.code, r.reason)
		case store.SendUnknown:
			return b.store.MarkUnknown(ctx, send, r.reason)
		default:
			return b.store.MarkPendingAgain(ctx, send, store.Retry{Reason: r.reason, After: r.delay, Untried: r.untried})
		}
	})
	switch {
	case errors.Is(err, store.ErrLeaseLost):
		b.log.Info("A send took longer than its lease; its outcome is resolved by its status", "line", send.Line, "send", send.ID)
	case err != nil:
		// The row stays sending; when the lease ends it becomes unknown, which is what it is now.
		b.log.Error(err, "The result of a send could not be written down", "line", send.Line, "send", send.ID, "result", r.state)
	}
}

// persist writes a result down while ctx lasts, also if the store is away for a moment: the outcome of each send under way would be
// unknown for it, and what Meta has refused would wait for a status that never comes. If a write took effect although it failed, the
// next one changes nothing.
func persist(ctx context.Context, write func() error) error {
	for {
		err := write()
		if !errors.Is(err, store.ErrUnavailable) || !sleep(ctx, persistAgain) {
			return err
		}
	}
}

// attempt checks whether the send may still be made, waits for its number's rate, and makes it.
func (b *Outbox) attempt(ctx context.Context, send *store.Send, claimed time.Time) result {
	snapshot := b.snapshot()
	ch, ownership := ChannelOf(snapshot, send.PhoneNumberID, send.Line)
	switch ownership {
	case Owned:
	case Moved:
		return failed(reasonNumberMoved, 0)
	case Absent:
		return postponed(reasonNotServed, absentDelay)
	}
	content, err := decodeContent(send.Payload)
	if err != nil {
		return failed(reasonBadPayload, 0)
	}
	client, err := b.client(ch.Graph)
	if err != nil {
		b.log.Error(err, "The Graph API can't be called for a line", "line", send.Line)
		return postponed(reasonClient, maxBackoff)
	}
	if image := content.blob(); image != nil && send.MediaID == "" {
		return b.upload(ctx, client, CredentialOf(snapshot, ch), ch, send, image)
	}
	wait, ok := b.pace.take(ch.LineID, ch.MessagesPerSecond)
	if !ok {
		return postponed(reasonThroughput, wait)
	}
	if !sleep(ctx, wait) {
		return postponed(reasonStopping, 0)
	}
	left := lease - leaseMargin - b.now().Sub(claimed)
	if left < callTimeout {
		// The process was held up so long that the call might end after the lease, when it counts as unknown.
		return postponed(reasonLeaseTooShort, 0)
	}
	return b.call(ctx, client, snapshot, ch, send, content)
}

func (b *Outbox) call(ctx context.Context, client Sender, snapshot *runtimeconfig.Snapshot, ch *runtimeconfig.Channel,
	send *store.Send, content Content) result {
	m := meta.Message{
		To: recipient(send.To), ReplyTo: send.ContextWAMID, CallbackData: send.ID, MessagingAccountID: ch.MessagingAccountID,
	}
	content.fill(&m, send.MediaID)
	// Detached: a call under way is finished on a shutdown, since breaking it off would make its outcome unknown.
	callCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	callCtx, span := tracing.Child(callCtx, "graph messages", trace.SpanKindClient)
	started := b.now()
	res, err := client.SendMessage(callCtx, CredentialOf(snapshot, ch), send.PhoneNumberID, m)
	b.metrics.seconds.Observe(b.now().Sub(started).Seconds())
	tracing.End(span, string(meta.ClassOf(err)))
	if err == nil {
		return result{state: store.SendAccepted, wamid: res.MessageID}
	}
	b.log.Info("A send was not accepted", "line", send.Line, "send", send.ID, "error", err.Error(), "attempt", send.Attempt)
	if meta.ClassOf(err) == meta.ClassMediaUpload && content.linked() && send.Attempt == 1 {
		// Meta could not fetch the image: its host may have been away for a moment.
		return pending(string(meta.ClassMediaUpload), backoff(send.Attempt, 2, maxBackoff))
	}
	return b.judge(ctx, ch, send, err)
}

// recipient addresses by business-scoped user id where there is one, as it stays right when the phone number is reused.
func recipient(to store.Contact) meta.Recipient {
	if to.BSUID != "" {
		return meta.Recipient{UserID: to.BSUID}
	}
	return meta.Recipient{Phone: to.Phone}
}

// judge decides what follows from a failed call.
func (b *Outbox) judge(ctx context.Context, ch *runtimeconfig.Channel, send *store.Send, err error) result {
	var e *meta.Error
	if !errors.As(err, &e) {
		return result{state: store.SendUnknown, reason: string(meta.ClassUnclassified)}
	}
	reason := string(e.Class)
	switch e.Outcome {
	case meta.NotSent:
		if e.Temporary() {
			return pending(reason, backoff(send.Attempt, 2, maxBackoff))
		}
		return failed(reason, e.Code)
	case meta.Throttled:
		return b.throttled(ch, send, e)
	case meta.Rejected:
		if parking, ok := parkingReason(e.Class); ok {
			b.park(ctx, ch, parking, e.Code, e.Subcode)
			return postponed(reason, 0)
		}
		switch {
		case e.Class == meta.ClassAppSecretProofInvalid:
			// The app secret was changed at Meta and not here yet. Webhooks don't verify for the same reason, which the
			// manager is told; what is to be sent waits for the secret like what came in.
			delay := backoff(send.Attempt, 2, maxSecretBackoff)
			b.pace.pause(ch.LineID, ch.MessagesPerSecond, b.now().Add(delay))
			return pending(reason, delay)
		case e.Class == meta.ClassWindowClosed:
			reason = store.ReasonWindowClosed
		case e.Class == meta.ClassNotThreadOwner, e.Class == meta.ClassUnclassified && send.Routed:
			// Meta does not publish the code of a message into a thread that another responder owns.
			reason = store.ReasonNotThreadOwner
			b.disown(ctx, ch, send)
		}
		return failed(reason, e.Code)
	default:
		return result{state: store.SendUnknown, reason: reason}
	}
}

// disown notes that another responder owns the thread, as if Meta had told of a handover: what else is to be said there
// would be refused, too. It ends like one.
func (b *Outbox) disown(ctx context.Context, ch *runtimeconfig.Channel, send *store.Send) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	_, err := b.store.Ingest(ctx, &store.Delivery{App: ch.AppID, Handovers: []store.Handover{{
		Line: send.Line, PhoneNumberID: send.PhoneNumberID, From: store.Identity{BSUID: send.To.BSUID, Phone: send.To.Phone},
		Owner: store.OwnerOther, EventTime: send.ClaimedAt, Raw: []byte("{}"),
	}}})
	if err != nil {
		b.log.Error(err, "A thread that another responder owns could not be marked", "line", send.Line, "send", send.ID)
	}
}

// throttled waits as long as Meta says or, in its absence, longer each time. Only the pair limit concerns this customer
// alone; any other one stops the line.
func (b *Outbox) throttled(ch *runtimeconfig.Channel, send *store.Send, e *meta.Error) result {
	if e.Class == meta.ClassPairRateLimit {
		return pending(string(e.Class), max(e.RetryAfter, backoff(send.Attempt, 4, maxPairBackoff)))
	}
	delay := e.RetryAfter
	if delay <= 0 {
		delay = backoff(send.Attempt, 2, maxBackoff)
	}
	b.pace.pause(ch.LineID, ch.MessagesPerSecond, b.now().Add(delay))
	return pending(string(e.Class), delay)
}

// backoff is base^attempt seconds.
func backoff(attempt, base int, most time.Duration) time.Duration {
	delay := time.Second
	for range attempt {
		if delay *= time.Duration(base); delay >= most {
			return most
		}
	}
	return delay
}

// sleep waits and reports whether ctx lasted.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// report adds a row for the manager. A lost one costs a hint only: the manager reads Graph itself.
func (b *Outbox) report(ctx context.Context, kind serverapi.Kind, line string, detail any) {
	payload, err := json.Marshal(detail)
	if err == nil {
		err = b.store.AppendReport(ctx, store.Report{Kind: store.ReportKind(kind), Line: line, Payload: payload})
	}
	if err != nil {
		b.log.Error(err, "A report could not be stored", "kind", kind, "line", line)
	}
}
