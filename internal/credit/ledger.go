package credit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// State is how far sharing with one account has come.
type State string

const (
	// StatePosting means that a call which shares credit was announced; nobody has seen its outcome yet.
	StatePosting State = "posting"
	// StateShared means that the account is funded.
	StateShared State = "shared"
	// StateRevoking means that the account's requests no longer want it funded; the revocation may not have been made yet.
	StateRevoking State = "revoking"
	// StateRevoked means that the sharing with the account's business was revoked.
	StateRevoked State = "revoked"
)

// Label marks ledger pages. Its value is "credit".
const (
	Label      = "whatsapp-operator.dev/ledger"
	LabelValue = "credit"
)

const (
	annotationCreditLine = "whatsapp-operator.dev/credit-line-id"
	annotationBusiness   = "whatsapp-operator.dev/business-id"
)

var (
	// ErrConflict means that somebody else wrote the page since it was read. Read again.
	ErrConflict = errors.New("the credit ledger was changed by another process")
	// ErrForeign means that the page's place is taken by something that isn't a ledger page. A person has to look.
	ErrForeign = errors.New("the place of the credit ledger is taken by a ConfigMap of another kind")
	// ErrBusy means that a call for another account of the business is under way: its outcome and ours could not be told apart.
	ErrBusy = errors.New("credit is being shared with another account of this business")
)

// Account is what the ledger knows of one WhatsApp Business account.
type Account struct {
	State State `json:"state"`
	// Currency that the line is attached in; it can't be changed.
	Currency string `json:"currency"`
	// AllocationID is the sharing with the business; empty while it isn't known.
	AllocationID string `json:"allocationID,omitempty"`
	// Since is when State was entered.
	Since time.Time `json:"since"`
	// Claimants are the requests, as namespace/name, that need the account funded.
	Claimants []string `json:"claimants,omitempty"`
}

// Page is the ledger of one credit line and one business. MetaApps that share a line share the page, since a
// revocation concerns all. Its accounts are changed through its methods and stored by Ledger.Write.
type Page struct {
	CreditLineID, BusinessID string
	accounts                 map[string]Account
	source                   *corev1.ConfigMap
}

// Ledger reads and writes pages. It is safe for concurrent use.
type Ledger struct {
	// Reader reads live, never from a cache.
	Reader client.Reader
	// Writer creates and updates ConfigMaps in Namespace.
	Writer client.Writer
	// Namespace is the operator's own.
	Namespace string
}

// Name returns the name of the page's ConfigMap.
func Name(creditLineID, businessID string) string {
	sum := sha256.Sum256([]byte("whatsapp-operator credit ledger\x00" + creditLineID + "\x00" + businessID))
	return "credit-" + hex.EncodeToString(sum[:16])
}

// Read returns the live page, empty if there is none yet.
func (l *Ledger) Read(ctx context.Context, creditLineID, businessID string) (*Page, error) {
	page := &Page{CreditLineID: creditLineID, BusinessID: businessID, accounts: map[string]Account{}}
	var source corev1.ConfigMap
	err := l.Reader.Get(ctx, client.ObjectKey{Namespace: l.Namespace, Name: Name(creditLineID, businessID)}, &source)
	switch {
	case apierrors.IsNotFound(err):
		return page, nil
	case err != nil:
		return nil, fmt.Errorf("read the credit ledger: %w", err)
	}
	if source.Labels[Label] != LabelValue || source.Annotations[annotationCreditLine] != creditLineID || source.Annotations[annotationBusiness] != businessID {
		return nil, fmt.Errorf("%w: %s/%s", ErrForeign, source.Namespace, source.Name)
	}
	for wabaID, raw := range source.Data {
		var account Account
		if err := json.Unmarshal([]byte(raw), &account); err != nil {
			// A page that can't be read must stop the call that it guards.
			return nil, fmt.Errorf("%w: %s/%s: the entry %s can't be read", ErrForeign, source.Namespace, source.Name, wabaID)
		}
		page.accounts[wabaID] = account
	}
	page.source = &source
	return page, nil
}

// Write stores the page if nobody else has since it was read, and leaves it ready for the next change.
func (l *Ledger) Write(ctx context.Context, page *Page) error {
	next, err := page.encode(l.Namespace)
	if err != nil {
		return err
	}
	if page.source == nil {
		err = l.Writer.Create(ctx, next)
	} else {
		err = l.Writer.Update(ctx, next)
	}
	switch {
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err), page.source != nil && apierrors.IsNotFound(err):
		return ErrConflict
	case err != nil:
		return fmt.Errorf("write the credit ledger: %w", err)
	}
	page.source = next
	return nil
}

func (p *Page) encode(namespace string) (*corev1.ConfigMap, error) {
	out := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Name: Name(p.CreditLineID, p.BusinessID), Namespace: namespace,
		Labels:      map[string]string{Label: LabelValue},
		Annotations: map[string]string{annotationCreditLine: p.CreditLineID, annotationBusiness: p.BusinessID},
	}}
	if p.source != nil {
		out = p.source.DeepCopy()
	}
	out.Data = map[string]string{}
	for wabaID, account := range p.accounts {
		raw, err := json.Marshal(account)
		if err != nil {
			return nil, fmt.Errorf("encode the credit ledger: %w", err)
		}
		out.Data[wabaID] = string(raw)
	}
	return out, nil
}

// Account returns what the page knows of an account.
func (p *Page) Account(wabaID string) (Account, bool) {
	account, ok := p.accounts[wabaID]
	account.Claimants = slices.Clone(account.Claimants)
	return account, ok
}

// Others returns the other accounts of the business that are in one of the states, sorted.
func (p *Page) Others(wabaID string, states ...State) []string {
	var out []string
	for _, id := range slices.Sorted(maps.Keys(p.accounts)) {
		if id != wabaID && slices.Contains(states, p.accounts[id].State) {
			out = append(out, id)
		}
	}
	return out
}

// Allocations returns the allocations that accounts of the business are known to be funded by.
func (p *Page) Allocations() []string {
	var out []string
	for _, id := range slices.Sorted(maps.Keys(p.accounts)) {
		a := p.accounts[id]
		if a.AllocationID != "" && a.State != StateRevoked && !slices.Contains(out, a.AllocationID) {
			out = append(out, a.AllocationID)
		}
	}
	return out
}

// BeginPost announces a call that shares credit with an account. It is ErrBusy while another account of the business is in
// doubt.
func (p *Page) BeginPost(wabaID, currency, claimant string, now time.Time) error {
	if busy := p.Others(wabaID, StatePosting, StateRevoking); len(busy) > 0 {
		return fmt.Errorf("%w: %s", ErrBusy, strings.Join(busy, ", "))
	}
	account := p.accounts[wabaID]
	next := Account{State: StatePosting, Currency: currency, Since: now.UTC(), Claimants: with(account.Claimants, claimant)}
	if account.State == StatePosting {
		// The first half of a sharing in two calls stays done.
		next.AllocationID = account.AllocationID
	}
	p.accounts[wabaID] = next
	return nil
}

// Shared records that an account is funded.
func (p *Page) Shared(wabaID, currency, allocationID, claimant string, now time.Time) {
	account := p.accounts[wabaID]
	if account.State != StateShared {
		account.Since = now.UTC()
	}
	account.State, account.Currency, account.AllocationID = StateShared, currency, allocationID
	account.Claimants = with(account.Claimants, claimant)
	p.accounts[wabaID] = account
}

// Allocated records the first half of a sharing in two calls; the account stays in doubt.
func (p *Page) Allocated(wabaID, allocationID string) {
	account := p.accounts[wabaID]
	account.AllocationID = allocationID
	p.accounts[wabaID] = account
}

// Refused takes an announcement back after Meta refused the call.
func (p *Page) Refused(wabaID string) {
	if p.accounts[wabaID].State == StatePosting {
		delete(p.accounts, wabaID)
	}
}

// Release withdraws a request's claim on an account. The account stays funded until the business is revoked.
func (p *Page) Release(wabaID, claimant string) {
	account, ok := p.accounts[wabaID]
	if !ok {
		return
	}
	account.Claimants = slices.DeleteFunc(slices.Clone(account.Claimants), func(c string) bool { return c == claimant })
	p.accounts[wabaID] = account
}

// Needed returns the accounts of the business that some request still claims, sorted: revoking would end their funding.
func (p *Page) Needed() []string {
	var out []string
	for _, id := range slices.Sorted(maps.Keys(p.accounts)) {
		if a := p.accounts[id]; a.State != StateRevoked && len(a.Claimants) > 0 {
			out = append(out, id)
		}
	}
	return out
}

// Funded reports whether any account of the business is funded, or may be.
func (p *Page) Funded() bool {
	for _, a := range p.accounts {
		if a.State != StateRevoked {
			return true
		}
	}
	return false
}

// BeginRevoke announces the revocation, which concerns all accounts of the business.
func (p *Page) BeginRevoke(now time.Time) { p.all(StateRevoking, now) }

// Revoked records that the sharing with the business ended.
func (p *Page) Revoked(now time.Time) { p.all(StateRevoked, now) }

// RevokeEnded settles an announced revocation by what Meta lists: an account whose sharing is still active is shared, the others are
// revoked.
func (p *Page) RevokeEnded(active []string, now time.Time) {
	for id, account := range p.accounts {
		if account.State != StateRevoking {
			continue
		}
		account.State, account.Since = StateRevoked, now.UTC()
		if slices.Contains(active, account.AllocationID) {
			account.State = StateShared
		}
		p.accounts[id] = account
	}
}

func (p *Page) all(state State, now time.Time) {
	for id, account := range p.accounts {
		if account.State != StateRevoked && account.State != state {
			account.State, account.Since = state, now.UTC()
			p.accounts[id] = account
		}
	}
}

func with(claimants []string, claimant string) []string {
	if slices.Contains(claimants, claimant) {
		return slices.Clone(claimants)
	}
	return slices.Sorted(slices.Values(append(slices.Clone(claimants), claimant)))
}
