package outbox

import (
	"context"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
)

// Reasons of parked lines, in the vocabulary of the WhatsAppChannel's conditions where it has one.
const (
	parkedToken      = "InvalidAccessToken"
	parkedPermission = "PermissionDenied"
	parkedPayment    = "PaymentRequired"
	parkedNumber     = "NotRegistered"
)

// probeAfter is when messages of a parked line are tried again, those that are claimed before one of them is refused. Payment,
// permission and registration are mended at Meta, of which nobody tells us, and so is a token whose app or user was only barred for
// a while.
const probeAfter = 10 * time.Minute

// probeRevision is no credential's revision, so it lifts every parking.
const probeRevision = "probe"

// parkingReason tells the refusals that concern the whole line: of the credential (codes 0, 10, 190, 200 to 299), of
// payment (131042) and of the registration (131045, 133010).
func parkingReason(c meta.Class) (string, bool) {
	switch c {
	case meta.ClassTokenInvalid:
		return parkedToken, true
	case meta.ClassPermissionDenied:
		return parkedPermission, true
	case meta.ClassPayment:
		return parkedPayment, true
	case meta.ClassNotRegistered:
		return parkedNumber, true
	default:
		return "", false
	}
}

// park puts a line on hold and tells the manager.
func (b *Outbox) park(ctx context.Context, ch *runtimeconfig.Channel, reason string, code, subcode int) {
	// Detached: the call may have used up its time, and a shutdown must not let the next process run into the same wall.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	if err := b.store.ParkLine(ctx, ch.LineID, reason, ch.CredentialRevision); err != nil {
		b.log.Error(err, "A line could not be put on hold", "line", ch.LineID)
		// The row is pending again at once; without the parking it would be refused as fast as Meta answers.
		b.pace.pause(ch.LineID, ch.MessagesPerSecond, b.now().Add(maxBackoff))
		return
	}
	b.metrics.parked.WithLabelValues(reason).Inc()
	b.log.Info("Sends of a line are on hold", "line", ch.LineID, "reason", reason, "code", code)
	detail := serverapi.Graph{Reason: reason, Code: code, Subcode: subcode, CredentialRevision: ch.CredentialRevision}
	if reason == parkedToken {
		b.report(ctx, serverapi.KindTokenRejected, ch.LineID, detail)
	}
	b.report(ctx, serverapi.KindLineParked, ch.LineID, detail)
}

// failureWindow is how far back failed statuses are looked for. It covers some rounds of tending, and ends long before a
// parked line is probed, so that what led to a parking does not outlive it.
const failureWindow = 30 * time.Second

// parkFailures parks lines whose accepted messages fail for a reason that concerns all of them: Meta reports a missing
// payment sometimes in the answer to a send and sometimes only in a status.
func (b *Outbox) parkFailures(ctx context.Context) error {
	failures, err := b.store.StatusFailures(ctx, failureWindow)
	if err != nil {
		return err
	}
	for _, f := range failures {
		reason, concerns := parkingReason(meta.ClassOfCode(f.Code))
		if !concerns || f.Newest <= b.failuresSeen {
			continue
		}
		b.failuresSeen = f.Newest
		if ch, ownership := ChannelOf(b.snapshot(), f.PhoneNumberID, f.Line); ownership == Owned {
			b.park(ctx, ch, reason, f.Code, 0)
		}
	}
	return nil
}

// tendLoop looks after what time and the snapshot decide, until ctx is done.
func (b *Outbox) tendLoop(ctx context.Context) {
	ticker := time.NewTicker(tendInterval)
	defer ticker.Stop()
	for {
		b.tend(ctx)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func (b *Outbox) tend(ctx context.Context) {
	b.pace.forget()
	resolution, err := b.store.ResolveUnknown(ctx)
	if err != nil {
		if ctx.Err() == nil {
			b.log.Error(err, "Unknown outcomes could not be resolved")
		}
		return
	}
	b.metrics.resolved.WithLabelValues("expired").Add(float64(resolution.Expired))
	b.metrics.resolved.WithLabelValues("resent").Add(float64(resolution.Resent))
	b.metrics.resolved.WithLabelValues("unconfirmed").Add(float64(resolution.Unconfirmed))
	if err := b.parkFailures(ctx); err != nil && ctx.Err() == nil {
		b.log.Error(err, "Failed statuses could not be looked at")
	}
	lifted, err := b.liftParkings(ctx)
	if err != nil && ctx.Err() == nil {
		b.log.Error(err, "Parked lines could not be looked at")
	}
	if lifted > 0 || resolution.Resent > 0 {
		b.loop.Hint()
	}
}

// liftParkings lets lines go on whose credential is another one now, or that may have been mended at Meta.
func (b *Outbox) liftParkings(ctx context.Context) (int, error) {
	parked, err := b.store.ParkedLines(ctx)
	if err != nil || len(parked) == 0 {
		return 0, err
	}
	revisions := map[string]string{}
	for _, ch := range b.snapshot().Channels() {
		revisions[ch.LineID] = ch.CredentialRevision
	}
	lifted := 0
	for _, p := range parked {
		revision, served := revisions[p.Line]
		if !served {
			continue // nothing of it can be sent anyway
		}
		if revision == p.CredentialRevision {
			if p.For < probeAfter {
				continue
			}
			revision = probeRevision
		}
		ok, err := b.store.LiftParking(ctx, p.Line, revision)
		if err != nil {
			return lifted, err
		}
		if ok {
			lifted++
			b.log.Info("Sends of a line go on", "line", p.Line, "reason", p.Reason)
			b.report(ctx, serverapi.KindLineResumed, p.Line, struct{}{})
		}
	}
	return lifted, nil
}
