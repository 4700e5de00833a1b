package controllers

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/credit"
	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
)

const (
	// creditSettle is how long a sharing whose answer was lost is looked for before it is made again: nobody has published how soon
	// Meta lists one, and a second one can't be taken back for one account alone.
	creditSettle = 15 * time.Minute
	// creditFirstLook and creditLongestLook bound the growing pause between looks.
	creditFirstLook   = 2 * time.Second
	creditLongestLook = 5 * time.Minute
	// creditTurn is about how long another account of the business takes.
	creditTurn = 500 * time.Millisecond
)

// funding is the sharing of the credit line with one account, while it is worked on.
type funding struct {
	*journey
	partner  *v1alpha1.SolutionPartner
	page     *credit.Page
	wabaID   string
	currency string
	claimant string
}

// shareCredit makes the partner's credit line pay for the account. The ledger, not status, is the memory: status is lost when
// a request is deleted and made again.
func (r *OnboardingRequestReconciler) shareCredit(ctx context.Context, j *journey) error {
	partner := j.app.App.Spec.SolutionPartner
	if partner == nil {
		// A Tech Provider's customers pay Meta themselves.
		j.facts.Partner = false
		return nil
	}
	if err := checkCurrency(j.app.App, j.request.Spec.Currency); err != nil {
		return err
	}
	// Accounts of one business share a page, and a write of the page that is doomed would come after reads at Meta for nothing.
	end, ok := r.creditTurns.take(partner.CreditLineID + "/" + j.request.Status.OwnerBusinessID)
	if !ok {
		return &busyError{after: creditTurn}
	}
	defer end()
	page, err := r.ledger.Read(ctx, partner.CreditLineID, j.request.Status.OwnerBusinessID)
	if err != nil {
		return ledgerError(err)
	}
	f := &funding{
		journey: j, partner: partner, page: page, wabaID: j.request.Status.WABAID, currency: j.request.Spec.Currency, claimant: claimantOf(j.request),
	}
	account, _ := page.Account(f.wabaID)
	switch account.State {
	case credit.StateShared:
		return r.confirmCredit(ctx, f)
	case credit.StatePosting:
		return r.readBackCredit(ctx, f, account)
	case credit.StateRevoking:
		return r.readBackRevocation(ctx, f, account)
	default:
		if len(page.Others(f.wabaID, credit.StatePosting, credit.StateRevoking)) > 0 {
			return ledgerError(credit.ErrBusy)
		}
		return r.postCredit(ctx, f)
	}
}

// claimantOf is the name under which a request claims credit.
func claimantOf(request *v1alpha1.OnboardingRequest) string {
	return request.Namespace + "/" + request.Name
}

// ledgerError gives the ledger's errors the meaning that they have for a request.
func ledgerError(err error) error {
	switch {
	case errors.Is(err, credit.ErrForeign):
		return stalledBy(err, v1alpha1.ReasonCreditMismatch,
			"The operator's record of shared credit for this customer's business can't be read; a platform administrator must look at the ConfigMaps credit-* of the operator's namespace.")
	case errors.Is(err, credit.ErrConflict):
		return &busyError{after: creditTurn}
	case errors.Is(err, credit.ErrBusy):
		return retry(err, v1alpha1.ReasonProgressing, "It is not known yet whether a credit call for another account of the same business took effect; that is found out first.")
	default:
		return err
	}
}

// readBackRevocation finds out what became of a revocation that was announced and not finished: a crash, or an offboarding that was
// called off. The request that announced it gets time to finish.
func (r *OnboardingRequestReconciler) readBackRevocation(ctx context.Context, f *funding, account credit.Account) error {
	if r.clock.Now().Sub(account.Since) < creditSettle {
		return retry(nil, v1alpha1.ReasonProgressing, "The credit of the customer's business is being revoked for another request; it is shared again after that.")
	}
	active, err := r.allocations(ctx, f)
	if err != nil {
		return err
	}
	ids := make([]string, 0, len(active))
	for _, a := range active {
		ids = append(ids, string(a.ID))
	}
	f.page.RevokeEnded(ids, r.clock.Now())
	if err := r.ledger.Write(ctx, f.page); err != nil {
		return ledgerError(err)
	}
	if account, _ := f.page.Account(f.wabaID); account.State == credit.StateShared {
		return r.confirmCredit(ctx, f)
	}
	return r.postCredit(ctx, f)
}

// postCredit shares the line with an account that the ledger doesn't know. Meta is asked first all the same: the ledger may
// have been lost, or somebody else pays.
func (r *OnboardingRequestReconciler) postCredit(ctx context.Context, f *funding) error {
	waba, err := r.currentWABA(ctx, f.journey)
	if err != nil {
		return err
	}
	if waba.PrimaryFundingID != "" {
		return r.adoptFunding(ctx, f, waba)
	}
	if f.partner.CreditSharing != v1alpha1.ShareThenAttach {
		if err := r.assignSystemUser(ctx, f); err != nil {
			return err
		}
	}
	// Intent. A crash before this write has posted nothing. After it the account is "posting", and whoever comes next reads back.
	if err := f.page.BeginPost(f.wabaID, f.currency, f.claimant, r.clock.Now()); err != nil {
		return ledgerError(err)
	}
	if err := r.ledger.Write(ctx, f.page); err != nil {
		return ledgerError(err)
	}
	// Being told to stop between the call and its receipt would make a sharing that succeeded one to be read back.
	ctx = context.WithoutCancel(ctx)
	allocationID, err := r.callCredit(ctx, f)
	if err != nil {
		return r.creditFailed(ctx, f, err)
	}
	// Receipt. A crash before it is found as "posting" and read back.
	f.page.Shared(f.wabaID, f.currency, string(allocationID), f.claimant, r.clock.Now())
	if err := r.ledger.Write(ctx, f.page); err != nil {
		return ledgerError(err)
	}
	f.waba = nil
	return r.confirmCredit(ctx, f)
}

// callCredit makes the irreversible call, or the two of Meta's alternate method.
func (r *OnboardingRequestReconciler) callCredit(ctx context.Context, f *funding) (meta.ID, error) {
	graph := f.app.Client
	if f.partner.CreditSharing != v1alpha1.ShareThenAttach {
		return graph.ShareAndAttachCredit(ctx, f.app.SystemCredential(), f.partner.CreditLineID, f.wabaID, f.currency)
	}
	if known := f.page.Allocations(); len(known) == 0 {
		allocationID, err := graph.ShareCredit(ctx, f.app.SystemCredential(), f.partner.CreditLineID, f.request.Status.OwnerBusinessID)
		if err != nil {
			return "", err
		}
		// A crash before this write leaves a sharing that reading back lists; after it only the attachment is open.
		f.page.Allocated(f.wabaID, string(allocationID))
		if err := r.ledger.Write(ctx, f.page); err != nil {
			return "", err
		}
	}
	allocationID, err := graph.AttachCredit(ctx, f.businessCredential(), f.partner.CreditLineID, f.wabaID, f.currency)
	if meta.ClassOf(err) != meta.ClassPermissionDenied {
		return allocationID, err
	}
	// Meta doesn't say whether this method needs the system user on the account; a refusal for permission says it does.
	if err := r.assignSystemUser(ctx, f); err != nil {
		return "", err
	}
	return graph.AttachCredit(ctx, f.businessCredential(), f.partner.CreditLineID, f.wabaID, f.currency)
}

// creditFailed says what a failed call means. Only an answer that proves that nothing was done takes the announcement back.
func (r *OnboardingRequestReconciler) creditFailed(ctx context.Context, f *funding, err error) error {
	switch meta.OutcomeOf(err) {
	case meta.Rejected, meta.NotSent, meta.Throttled:
		if account, _ := f.page.Account(f.wabaID); account.AllocationID == "" {
			f.page.Refused(f.wabaID)
			if werr := r.ledger.Write(ctx, f.page); werr != nil {
				return ledgerError(werr)
			}
		}
		return err
	default:
		return retryAfter(creditFirstLook, v1alpha1.ReasonCreditOutcomeUnknown,
			"The answer to sharing the credit line with the account %s was lost; what Meta did is being read back before anything is repeated.", f.wabaID)
	}
}

// assignSystemUser gives the partner's system user the task on the account that sharing credit needs. Safe to repeat.
func (r *OnboardingRequestReconciler) assignSystemUser(ctx context.Context, f *funding) error {
	user := f.partner.SystemUserID
	if user == "" {
		user = f.app.App.Status.SystemUserID
	}
	if user == "" {
		return blocked(v1alpha1.ReasonMetaAppNotReady, "The system user of the MetaApp %s is not known yet; set spec.solutionPartner.systemUserID of the MetaApp if this stays.", f.app.App.Name)
	}
	users, err := f.app.Client.AssignedUsers(ctx, f.app.SystemCredential(), f.wabaID, f.partner.BusinessID)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(users, func(u meta.AssignedUser) bool {
		return string(u.ID) == user && slices.Contains(u.Tasks, meta.TaskManage)
	}) {
		return nil
	}
	return f.app.Client.AssignUser(ctx, f.app.SystemCredential(), f.wabaID, user, meta.TaskManage)
}

// currentWABA returns what this reconciliation read of the account, or reads it.
func (r *OnboardingRequestReconciler) currentWABA(ctx context.Context, j *journey) (*meta.WABA, error) {
	if j.waba == nil {
		waba, err := j.app.Client.WABA(ctx, j.businessCredential(), j.request.Status.WABAID)
		if err != nil {
			return nil, err
		}
		j.waba = &waba
	}
	return j.waba, nil
}

// allocations lists the active sharings of the line with the business.
func (r *OnboardingRequestReconciler) allocations(ctx context.Context, f *funding) ([]meta.CreditAllocation, error) {
	all, err := f.app.Client.OwningCreditAllocations(ctx, f.app.SystemCredential(), f.partner.CreditLineID, f.request.Status.OwnerBusinessID)
	return slices.DeleteFunc(all, func(a meta.CreditAllocation) bool { return a.RequestStatus == meta.RequestStatusDeleted }), err
}

// adoptFunding records that the account is funded already, if it is by our line.
func (r *OnboardingRequestReconciler) adoptFunding(ctx context.Context, f *funding, waba *meta.WABA) error {
	all, err := r.allocations(ctx, f)
	if err != nil {
		return err
	}
	for _, a := range all {
		if a.ReceivingCredentialID == waba.PrimaryFundingID {
			return r.recordFunding(ctx, f, string(a.ID))
		}
	}
	account, known := f.page.Account(f.wabaID)
	if known && account.State == credit.StatePosting && r.clock.Now().Sub(account.Since) < creditSettle {
		return r.lookLater(f, account)
	}
	return stalled(v1alpha1.ReasonCreditMismatch,
		"The account %s is paid for by something other than the credit line %s; let the customer remove the payment method in WhatsApp Manager, then set the annotation %s to the present time.",
		f.wabaID, f.partner.CreditLineID, v1alpha1.RequestedAtAnnotation)
}

// recordFunding writes the receipt of a sharing that was found at Meta.
func (r *OnboardingRequestReconciler) recordFunding(ctx context.Context, f *funding, allocationID string) error {
	f.page.Shared(f.wabaID, f.currency, allocationID, f.claimant, r.clock.Now())
	if err := r.ledger.Write(ctx, f.page); err != nil {
		return ledgerError(err)
	}
	return r.confirmCredit(ctx, f)
}

// readBackCredit finds out what became of an announced call: a crash, or a lost answer. It is made again only when Meta shows
// no trace of it for a good while.
func (r *OnboardingRequestReconciler) readBackCredit(ctx context.Context, f *funding, account credit.Account) error {
	f.waba = nil
	waba, err := r.currentWABA(ctx, f.journey)
	if err != nil {
		return err
	}
	if waba.PrimaryFundingID != "" {
		return r.adoptFunding(ctx, f, waba)
	}
	if r.clock.Now().Sub(account.Since) < creditSettle {
		return r.lookLater(f, account)
	}
	all, err := r.allocations(ctx, f)
	if err != nil {
		return err
	}
	known := f.page.Allocations()
	for _, a := range all {
		if slices.Contains(known, string(a.ID)) {
			continue
		}
		if f.partner.CreditSharing == v1alpha1.ShareThenAttach {
			// The first call succeeded; the second is made below.
			f.page.Allocated(f.wabaID, string(a.ID))
			continue
		}
		return stalled(v1alpha1.ReasonCreditOutcomeUnknown,
			"Meta lists the sharing %s of the credit line with the customer's business, and the account %s is not funded by it; check Business Settings, revoke that sharing if it is not wanted, then set the annotation %s to the present time.",
			a.ID, f.wabaID, v1alpha1.RequestedAtAnnotation)
	}
	return r.postCredit(ctx, f)
}

// lookLater waits for a sharing to show, longer each time. The time comes from the ledger, so a restart doesn't shorten it.
func (r *OnboardingRequestReconciler) lookLater(f *funding, account credit.Account) error {
	pause := min(max(r.clock.Now().Sub(account.Since), creditFirstLook), creditLongestLook)
	return retryAfter(pause, v1alpha1.ReasonCreditOutcomeUnknown,
		"The credit line was shared with the account %s and Meta does not show it yet; looking again before anything is repeated.", f.wabaID)
}

// confirmCredit checks at Meta that the line in the ledger is what pays for the account.
func (r *OnboardingRequestReconciler) confirmCredit(ctx context.Context, f *funding) error {
	account, _ := f.page.Account(f.wabaID)
	if account.Currency != f.currency {
		return stalled(v1alpha1.ReasonCreditMismatch, "The credit line is attached to the account %s in %s, which Meta never changes; set spec.currency to %s.",
			f.wabaID, account.Currency, account.Currency)
	}
	if !slices.Contains(account.Claimants, f.claimant) {
		// The claim comes before the condition: credit that a request relies on must not be revoked for another one's sake.
		f.page.Shared(f.wabaID, account.Currency, account.AllocationID, f.claimant, r.clock.Now())
		if err := r.ledger.Write(ctx, f.page); err != nil {
			return ledgerError(err)
		}
	}
	allocation, err := f.app.Client.CreditAllocation(ctx, f.app.SystemCredential(), account.AllocationID)
	if meta.ClassOf(err).AccessLost() && r.clock.Now().Sub(account.Since) < creditSettle {
		return r.lookLater(f, account)
	}
	if err != nil {
		return err
	}
	waba, err := r.currentWABA(ctx, f.journey)
	if err != nil {
		return err
	}
	switch {
	case allocation.RequestStatus == meta.RequestStatusDeleted:
		return stalled(v1alpha1.ReasonCreditMismatch, "The sharing %s of the credit line was revoked outside of this operator; a platform administrator must decide whether to share it again.", account.AllocationID)
	case waba.PrimaryFundingID == "":
		return r.lookLater(f, account)
	case waba.PrimaryFundingID != allocation.ReceivingCredentialID:
		return stalled(v1alpha1.ReasonCreditMismatch, "The account %s is paid for by something other than the shared credit line; let the customer remove the other payment method in WhatsApp Manager.", f.wabaID)
	}
	f.request.Status.CreditAllocationID = account.AllocationID
	f.facts.CreditShared = true
	return nil
}
