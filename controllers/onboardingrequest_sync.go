package controllers

import (
	"context"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
	"github.com/whatsapp-operator/whatsapp-operator/internal/vault"
)

// syncKinds are what a number of the WhatsApp Business app hands over, in Meta's order.
var syncKinds = []meta.SyncType{meta.SyncContacts, meta.SyncHistory}

// syncOpen says whether there is something to ask Meta for.
func syncOpen(j *journey) bool {
	return slices.ContainsFunc(syncKinds, func(kind meta.SyncType) bool { return !syncSettled(j, kind) })
}

// syncSettled says whether a kind isn't asked for any more. What Meta refused is asked for again when a person wishes it.
func syncSettled(j *journey, kind meta.SyncType) bool {
	switch j.entry.SyncOf(string(kind)).State {
	case vault.SyncDone, vault.SyncMissed, vault.SyncUnknown:
		return true
	case vault.SyncRefused:
		return !recheckWanted(j.request)
	default:
		return false
	}
}

// syncBusinessApp asks once for each kind of the app's data. Whether Meta's 24 hours are over is left to Meta to say: it alone knows when
// they began.
func (r *OnboardingRequestReconciler) syncBusinessApp(ctx context.Context, j *journey) error {
	for _, kind := range syncKinds {
		if err := r.syncKind(ctx, j, kind); err != nil {
			return err
		}
	}
	return syncEnded(j)
}

// syncEnded is the step when there is nothing more to ask for.
func syncEnded(j *journey) error {
	if err := syncProblem(j); err != nil {
		return err
	}
	j.facts.Synced = true
	return nil
}

// syncKind asks for one kind, unless that is settled. The error says that it is to be tried again.
func (r *OnboardingRequestReconciler) syncKind(ctx context.Context, j *journey, kind meta.SyncType) error {
	switch {
	case syncSettled(j, kind):
		return nil
	case j.entry.SyncOf(string(kind)).Attempts >= vault.MaxSyncs:
		return r.settleSync(ctx, j, kind, vault.SyncUnknown, false)
	}
	// Intent. A crash before this write has asked for nothing. After it the data may have been asked for; asking once more tells, since Meta
	// refuses a repetition.
	entry, err := r.vault.BeginSync(ctx, j.key, j.entry, string(kind))
	if err != nil {
		return r.vaultError(j.key, err)
	}
	j.entry = entry
	ctx = context.WithoutCancel(ctx)
	request, err := j.app.Client.SyncBusinessApp(ctx, j.businessCredential(), j.request.Status.PhoneNumberID, kind)
	switch {
	case err == nil:
		log.FromContext(ctx).Info("Meta hands over data of the WhatsApp Business app", "kind", kind, "metaRequest", request)
		return r.settleSync(ctx, j, kind, vault.SyncDone, false)
	case meta.ClassOf(err) == meta.ClassSyncRepeated:
		return r.settleSync(ctx, j, kind, vault.SyncDone, true)
	case meta.ClassOf(err) == meta.ClassSyncTooLate:
		return r.settleSync(ctx, j, kind, vault.SyncMissed, true)
	case meta.OutcomeOf(err) == meta.Rejected:
		log.FromContext(ctx).Info("Meta refuses to hand over data of the WhatsApp Business app", "kind", kind, "error", err.Error())
		return r.settleSync(ctx, j, kind, vault.SyncRefused, true)
	case meta.OutcomeOf(err) == meta.Unknown:
		// The intent stays: it counts.
		return err
	}
	// Nothing reached Meta, or Meta asked for fewer calls.
	if werr := r.settleSync(ctx, j, kind, vault.SyncAsking, true); werr != nil {
		return werr
	}
	return err
}

func (r *OnboardingRequestReconciler) settleSync(ctx context.Context, j *journey, kind meta.SyncType, state vault.SyncState, notAsked bool) error {
	entry, err := r.vault.SettleSync(ctx, j.key, j.entry, string(kind), state, notAsked)
	if err != nil {
		return r.vaultError(j.key, err)
	}
	j.entry = entry
	return nil
}

// syncProblem says what a person should know of data that does not come.
func syncProblem(j *journey) error {
	again := "let the customer disconnect the number in the app (Settings, Business Platform) and sign up again. " + newCodeAdvice(j.request)
	in := func(state vault.SyncState) bool {
		return slices.ContainsFunc(j.entry.Syncs, func(s vault.Sync) bool { return s.State == state })
	}
	switch {
	case in(vault.SyncMissed):
		return stalled(v1alpha1.ReasonSyncWindowMissed,
			"Meta hands over the contacts and chats of the WhatsApp Business app for 24 hours after the signup only, and they are over. The number works without them; if they are needed, %s", again)
	case in(vault.SyncRefused):
		return stalled(v1alpha1.ReasonRejected,
			"Meta refuses to hand over the contacts and chats of the WhatsApp Business app; the manager's log says why. The number works without them. To ask again, set the annotation %s of this request to the present time.",
			v1alpha1.RequestedAtAnnotation)
	case in(vault.SyncUnknown):
		return stalled(v1alpha1.ReasonSyncOutcomeUnknown,
			"Meta was asked for the contacts and chats of the WhatsApp Business app, and the answers were lost. The number works without them; if they don't come within a day and are needed, %s", again)
	default:
		return nil
	}
}
