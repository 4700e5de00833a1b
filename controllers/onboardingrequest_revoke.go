package controllers

import (
	"context"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
)

// revokeCredit ends the sharing of the line with the customer's business, unless an account of it is still wanted.
func (r *OnboardingRequestReconciler) revokeCredit(ctx context.Context, o *offboarding) error {
	if o.ownerID == "" || o.app.App.Spec.SolutionPartner == nil {
		return nil
	}
	end, ok := r.creditTurns.take(o.app.App.Spec.SolutionPartner.CreditLineID + "/" + o.ownerID)
	if !ok {
		return &busyError{after: creditTurn}
	}
	defer end()
	page, err := r.ledger.Read(ctx, o.app.App.Spec.SolutionPartner.CreditLineID, o.ownerID)
	if err != nil {
		return ledgerError(err)
	}
	if _, known := page.Account(o.wabaID); !known || !page.Funded() {
		return nil
	}
	f := &funding{journey: o.journey, partner: o.app.App.Spec.SolutionPartner, page: page, wabaID: o.wabaID}
	page.Release(f.wabaID, claimantOf(o.request))
	if needed := page.Needed(); len(needed) > 0 {
		// The released claim is what lets the last of several offboardings revoke for all.
		if err := r.ledger.Write(ctx, page); err != nil {
			return ledgerError(err)
		}
		if len(needed) == 1 && needed[0] == f.wabaID {
			return nil
		}
		return stalled(v1alpha1.ReasonOffboardDenied,
			"Credit is revoked for a whole business, and the accounts %s of the same business still need it. Offboard their requests too, or set spec.deletionPolicy to Retain.", listIDs(needed))
	}
	return r.revokeBusiness(ctx, o, f)
}

// revokeBusiness deletes every active sharing with the business.
func (r *OnboardingRequestReconciler) revokeBusiness(ctx context.Context, o *offboarding, f *funding) error {
	if o.app.SystemToken.IsZero() {
		return stalled(v1alpha1.ReasonOffboardDenied,
			"The Secret of the MetaApp %s has no %s, without which credit can't be revoked. Add it, or set spec.deletionPolicy to Retain.", o.app.App.Name, v1alpha1.SecretKeySystemToken)
	}
	// Intent. After a crash the list at Meta tells what is still to be revoked.
	f.page.BeginRevoke(r.clock.Now())
	if err := r.ledger.Write(ctx, f.page); err != nil {
		return ledgerError(err)
	}
	o.request.Status.OwnerBusinessID = o.ownerID
	active, err := r.allocations(ctx, f)
	if err != nil {
		return denied(err)
	}
	for _, a := range active {
		if err := o.app.Client.RevokeCreditAllocation(ctx, o.app.SystemCredential(), string(a.ID)); err != nil && !absent(err) {
			return denied(err)
		}
	}
	if active, err = r.allocations(ctx, f); err != nil {
		return denied(err)
	}
	if len(active) > 0 {
		return retry(nil, v1alpha1.ReasonCreditOutcomeUnknown, "Meta still lists the sharing of the credit line that was revoked; looking again.")
	}
	f.page.Revoked(r.clock.Now())
	return ledgerError(r.ledger.Write(ctx, f.page))
}
