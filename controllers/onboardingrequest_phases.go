package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
	"github.com/whatsapp-operator/whatsapp-operator/internal/onboarding"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/vault"
)

const (
	// numberRecheck is how soon an account without a number is read again: Meta allows 200 calls per hour and account then.
	numberRecheck = 5 * time.Minute
	// maxListedIDs bounds the ids in a message.
	maxListedIDs = 8
)

// businessCredential authenticates with the customer's newest token.
func (j *journey) businessCredential() meta.Credential {
	token, _ := j.entry.Current()
	return j.app.Credential(token)
}

// verifyAssets proves, by reads alone, what the browser and the spec only claim: that the token is alive and this app's, which
// account it grants, who owns that, and which number is meant.
func (r *OnboardingRequestReconciler) verifyAssets(ctx context.Context, j *journey) error {
	if err := misnamed(&j.request.Spec, j.entry); err != nil {
		return err
	}
	err := r.proveAssets(ctx, j)
	if stall, ok := errors.AsType[*stalledError](err); ok && !j.entry.Next.IsZero() && j.entry.TokenProven {
		// A new token that proves something else is not taken: the serving one stays.
		if err := r.refuseNext(ctx, j, stall); err != nil {
			return err
		}
		err = r.proveAssets(ctx, j)
	}
	stall, ok := errors.AsType[*stalledError](err)
	switch {
	case ok && stall.reason == v1alpha1.ReasonTokenInvalid && j.entry.TokenProven:
		err = r.replaceDead(ctx, j, err)
	case ok && bySignupLink(j.request) && !j.entry.TokenProven:
		// A try that failed leaves the customer a link.
		if err := r.ensureLink(ctx, j); err != nil {
			return err
		}
		err = recheckIn(err, r.untilLinkExpires(j))
	}
	return withCodeAdvice(j.request, err)
}

// misnamed says that the spec names something else than what this request has proven, as after a mistyped approval. No token can help
// there, so none is examined or given up, and the customer has nothing to repeat.
func misnamed(spec *v1alpha1.OnboardingRequestSpec, entry *vault.Entry) error {
	const advice = "%s is %s, and the customer shared the %s %s; correct %[1]s to %[4]s, and it goes on without another signup. For another %[3]s create another OnboardingRequest."
	switch {
	case entry.WABAID != "" && spec.WABAID != "" && spec.WABAID != entry.WABAID:
		return stalled(v1alpha1.ReasonWABAMismatch, advice, "spec.wabaID", spec.WABAID, "account", entry.WABAID)
	case entry.PhoneNumberID != "" && spec.PhoneNumberID != "" && spec.PhoneNumberID != entry.PhoneNumberID:
		return stalled(v1alpha1.ReasonPhoneNumberMismatch, advice, "spec.phoneNumberID", spec.PhoneNumberID, "number", entry.PhoneNumberID)
	default:
		return nil
	}
}

func (r *OnboardingRequestReconciler) proveAssets(ctx context.Context, j *journey) error {
	token, _ := j.entry.Current()
	info, err := r.inspectToken(ctx, j.app, token)
	if err != nil {
		return err
	}
	j.request.Status.Token = tokenStatus(token, info)
	claims := j.entry.Claims()
	wabaID, err := chooseWABA(j.request.Spec.WABAID, j.entry.WABAID, claims.WABAID, &info)
	if err != nil {
		return err
	}
	owner, err := r.readWABA(ctx, j, wabaID)
	if err != nil {
		return err
	}
	numbers, err := j.app.Client.PhoneNumbers(ctx, j.businessCredential(), wabaID)
	if err != nil {
		return err
	}
	phone, err := choosePhone(j.request.Spec.PhoneNumberID, j.entry.PhoneNumberID, claims, numbers)
	switch {
	case err != nil && len(numbers) == 0:
		// The number may take days to come, and by then Meta may no longer tell the owner.
		return errors.Join(err, r.keepProof(ctx, j, owner, nil))
	case err != nil:
		return err
	}
	if err := r.keepProof(ctx, j, owner, phone); err != nil {
		return err
	}
	j.observePhone(phone)
	j.facts.AssetsVerified = true
	return nil
}

// inspectToken asks Meta about the token, and refuses one that can't do what it is for.
func (r *OnboardingRequestReconciler) inspectToken(ctx context.Context, app *graphApp, token redact.Secret) (meta.TokenInfo, error) {
	info, err := app.Client.DebugToken(ctx, app.AppCredential(), token)
	if meta.OutcomeOf(err) == meta.Rejected {
		return info, stalledBy(err, v1alpha1.ReasonAppSecretInvalid,
			"Meta refused the app id and app secret of the MetaApp %s; correct the Secret that its spec.secretRef names.", app.App.Name)
	}
	if err != nil {
		return info, err
	}
	missing := missingScopes(&info, tokenScopes)
	switch {
	case !info.Valid:
		return info, stalled(v1alpha1.ReasonTokenInvalid, "The customer's token is no longer valid: it expired, or the customer withdrew it. Let the customer sign up again.")
	case string(info.AppID) != app.App.Spec.AppID:
		return info, stalled(v1alpha1.ReasonWrongApp, "The token belongs to the app %s, and the MetaApp %s is the app %s; let the customer sign up through this app.",
			info.AppID, app.App.Name, app.App.Spec.AppID)
	case len(missing) > 0:
		return info, stalled(v1alpha1.ReasonScopesMissing, "The customer did not grant %s; let the customer sign up again and grant everything that is asked for.",
			strings.Join(missing, " and "))
	}
	return info, nil
}

// chooseWABA finds the account that is meant among those that the token grants. known was proven by an earlier token of this
// request: a later one has to reach the same. claimed is what the browser said, which decides among those that are granted.
func chooseWABA(want, known, claimed string, info *meta.TokenInfo) (string, error) {
	granted, all := info.GrantedWABAs(meta.ScopeManagement)
	expected := "spec.wabaID is " + want
	if want == "" {
		want, expected = known, "This request was onboarded with the account "+known
	}
	remedy := "let the customer sign up again with the expected account, or create another OnboardingRequest."
	if known == "" {
		remedy = "if it is mistyped, correct spec.wabaID; else " + remedy
	}
	switch {
	case want != "" && (all || slices.Contains(granted, want)):
		return want, nil
	case want != "":
		return "", stalled(v1alpha1.ReasonWABAMismatch, "%s, and the customer granted %s; %s",
			expected, listIDs(granted), remedy)
	case claimed != "" && (all || slices.Contains(granted, claimed)):
		return claimed, nil
	case all:
		return "", stalled(v1alpha1.ReasonWABAAmbiguous, "The customer granted all accounts; set spec.wabaID to the one that is meant.")
	case len(granted) == 1:
		return granted[0], nil
	case len(granted) == 0:
		return "", stalled(v1alpha1.ReasonScopesMissing, "The customer granted no WhatsApp Business account; let the customer sign up again and choose one.")
	default:
		return "", stalled(v1alpha1.ReasonWABAAmbiguous, "The customer granted the accounts %s; set spec.wabaID to the one that is meant.", listIDs(granted))
	}
}

// listIDs names some ids.
func listIDs(ids []string) string {
	if len(ids) == 0 {
		return "none"
	}
	if len(ids) > maxListedIDs {
		return strings.Join(ids[:maxListedIDs], ", ") + fmt.Sprintf(" and %d more", len(ids)-maxListedIDs)
	}
	return strings.Join(ids, ", ")
}

// readWABA reads the account, which proves that the token reaches it, and who owns it: the member of the answer if there is
// one, else the business that the token was issued for.
func (r *OnboardingRequestReconciler) readWABA(ctx context.Context, j *journey, wabaID string) (meta.Business, error) {
	waba, err := j.app.Client.WABA(ctx, j.businessCredential(), wabaID)
	if meta.OutcomeOf(err) == meta.Rejected && meta.ClassOf(err).AccessLost() {
		return meta.Business{}, stalledBy(err, v1alpha1.ReasonWABAMismatch,
			"The customer's token does not reach the account %s; correct spec.wabaID if it is mistyped, let the customer sign up again with this account, or create another OnboardingRequest.", wabaID)
	}
	if err != nil {
		return meta.Business{}, err
	}
	j.waba = &waba
	j.request.Status.WABAID, j.request.Status.WABAName = wabaID, clip(waba.Name, maxNameShown)
	owner := waba.Owner()
	if owner.ID != "" {
		return owner, nil
	}
	me, err := j.app.Client.Me(ctx, j.businessCredential())
	if err != nil {
		return meta.Business{}, err
	}
	if me.ClientBusinessID == "" {
		return meta.Business{}, stalled(v1alpha1.ReasonRejected,
			"Meta does not tell which business owns the account %s, so its credit could never be revoked; check the customer's account in Business Settings.", wabaID)
	}
	return meta.Business{ID: me.ClientBusinessID}, nil
}

// choosePhone finds the number that is meant among the account's. known was proven before; claims are what the browser said.
func choosePhone(want, known string, claims vault.Origin, numbers []meta.PhoneNumber) (*meta.PhoneNumber, error) {
	expected := "spec.phoneNumberID is " + want
	if want == "" {
		want, expected = known, "This request was onboarded with the phone number id "+known
	}
	ids := make([]string, 0, len(numbers))
	for i := range numbers {
		ids = append(ids, string(numbers[i].ID))
		if string(numbers[i].ID) == want {
			return &numbers[i], nil
		}
	}
	switch {
	case len(numbers) == 0:
		return nil, waitingFor(numberRecheck, v1alpha1.ReasonWaitingForPhoneNumber,
			"The customer's account has no phone number yet; it goes on when the customer has added one.")
	case want != "":
		return nil, stalled(v1alpha1.ReasonPhoneNumberMismatch, "%s, and the account has %s; correct spec.phoneNumberID if it is mistyped, let the customer add the number, or create another OnboardingRequest.",
			expected, listIDs(ids))
	case len(numbers) > 1:
		if claimed := claimedPhone(claims, numbers); claimed != nil {
			return claimed, nil
		}
		return nil, stalled(v1alpha1.ReasonPhoneNumberAmbiguous, "The account has the phone number ids %s; set spec.phoneNumberID to the one that is meant.", listIDs(ids))
	default:
		return &numbers[0], nil
	}
}

// claimedPhone is the number that the browser spoke of, among those of the account; nil if it is none of them. Of a number that keeps its
// WhatsApp Business app the browser often tells no id: it is the one of the app that came last.
func claimedPhone(claims vault.Origin, numbers []meta.PhoneNumber) *meta.PhoneNumber {
	var found *meta.PhoneNumber
	for i := range numbers {
		n := &numbers[i]
		switch {
		case claims.PhoneNumberID != "" && string(n.ID) == claims.PhoneNumberID:
			return n
		case claims.PhoneNumberID == "" && claims.Coexistence && n.OnBizApp && (found == nil || n.LastOnboardedTime.After(found.LastOnboardedTime.Time)):
			found = n
		}
	}
	return found
}

// keepProof stores what was proven. The owner's id goes into the vault at once: Meta no longer tells it when access is gone,
// and without it neither a lost token nor the credit can be got back. A crash before the write costs the reads again.
func (r *OnboardingRequestReconciler) keepProof(ctx context.Context, j *journey, owner meta.Business, phone *meta.PhoneNumber) error {
	status := &j.request.Status
	status.OwnerBusinessID, status.OwnerBusinessName = string(owner.ID), clip(owner.Name, maxNameShown)
	proof := vault.Proof{WABAID: status.WABAID, PhoneNumberID: j.entry.PhoneNumberID, OwnerBusinessID: string(owner.ID)}
	if phone != nil {
		proof.PhoneNumberID, proof.Coexistent = string(phone.ID), phone.OnBizApp
	}
	recorded := vault.Proof{WABAID: j.entry.WABAID, PhoneNumberID: j.entry.PhoneNumberID, OwnerBusinessID: j.entry.OwnerBusinessID, Coexistent: j.entry.Coexistent}
	if _, proven := j.entry.Current(); proven && proof == recorded {
		return nil
	}
	entry, err := r.vault.Prove(ctx, j.key, j.entry, proof)
	if err != nil {
		return r.vaultError(j.key, err)
	}
	j.entry = entry
	return nil
}

// observePhone records what Meta says of the number.
func (j *journey) observePhone(phone *meta.PhoneNumber) {
	status := &j.request.Status
	status.PhoneNumberID, status.DisplayPhoneNumber, status.VerifiedName = string(phone.ID), clip(phone.DisplayPhoneNumber, maxWordShown), clip(phone.VerifiedName, maxNameShown)
	j.phone = phone
	switch {
	case phone.OnBizApp:
		j.facts.Number = onboarding.NumberCoexistent
	case phone.Registered():
		j.facts.Number = onboarding.NumberConnected
	default:
		j.facts.Number = onboarding.NumberUnregistered
	}
}

// awaitingApproval is the state of a request that came by a signup link, until somebody agrees to what it brought.
func awaitingApproval(j *journey) error {
	hurry := ""
	if j.facts.Number == onboarding.NumberCoexistent {
		hurry = " The number is used in the WhatsApp Business app, whose contacts and chats Meta hands over for 24 hours after the signup only."
	}
	return waiting(v1alpha1.ReasonAwaitingApproval,
		"The customer signed up by link with the account %s (%s) of the business %s (%s). Nothing is done at your cost before you approve it by setting spec.wabaID: kubectl -n %s patch onboardingrequest %s --type=merge -p '{\"spec\":{\"wabaID\":\"%s\"}}'%s",
		j.request.Status.WABAID, j.request.Status.WABAName, j.request.Status.OwnerBusinessID, j.request.Status.OwnerBusinessName,
		j.request.Namespace, j.request.Name, j.request.Status.WABAID, hurry)
}

// subscribe makes Meta deliver the account's webhooks to the app.
func (r *OnboardingRequestReconciler) subscribe(ctx context.Context, j *journey) error {
	if err := r.subscriptions.ensure(ctx, j.app.Client, j.businessCredential(), j.app.App.Spec.AppID, j.request.Status.WABAID); err != nil {
		return err
	}
	j.facts.Subscribed = true
	return nil
}
