package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/internal/vault"
)

// leaver is a customer with a Ready request that is about to be deleted.
type leaver struct {
	*customer
	request *v1alpha1.OnboardingRequest
}

// spoil is something that is wrong when a request is deleted.
type spoil struct {
	name string
	do   func(t *testing.T, l *leaver)
}

var (
	noSystemSecret = spoil{"the MetaApp's Secret is gone", func(t *testing.T, l *leaver) {
		t.Helper()
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: systemNamespace, Name: l.app.Name}}
		if err := admin.Delete(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
		awaitCondition(t, l.app, v1alpha1.ConditionCredentialsValid, metav1.ConditionFalse, v1alpha1.ReasonSecretNotFound)
	}}
	wrongAppSecret = spoil{"the MetaApp's app secret is wrong", func(t *testing.T, l *leaver) {
		t.Helper()
		setSecret(t, systemNamespace, l.app.Name, map[string]string{v1alpha1.SecretKeyAppSecret: newSecret("wrong"), v1alpha1.SecretKeySystemToken: l.systemToken})
		awaitCondition(t, l.app, v1alpha1.ConditionCredentialsValid, metav1.ConditionFalse, v1alpha1.ReasonAppSecretInvalid)
	}}
	deadSystemToken = spoil{"the system token is dead", func(t *testing.T, l *leaver) {
		t.Helper()
		if err := sim.RevokeToken(l.systemToken); err != nil {
			t.Fatal(err)
		}
		awaitCondition(t, l.app, v1alpha1.ConditionCredentialsValid, metav1.ConditionFalse, v1alpha1.ReasonSystemTokenInvalid)
	}}
	deadToken = spoil{"the customer's token is dead", func(t *testing.T, l *leaver) {
		t.Helper()
		token, _ := entryOf(t, l.request).Current()
		if err := sim.RevokeToken(token.Reveal()); err != nil {
			t.Fatal(err)
		}
	}}
	noVault = spoil{"the vault entry is gone", func(t *testing.T, l *leaver) {
		t.Helper()
		key := vault.Key{Namespace: l.request.Namespace, Name: l.request.Name}
		if err := admin.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: systemNamespace, Name: key.SecretName()}}); err != nil {
			t.Fatal(err)
		}
	}}
	metaDown = spoil{"Meta fails", func(t *testing.T, l *leaver) {
		t.Helper()
		breakCall(t, metasim.Fault{Call: "unsubscribe", ObjectID: l.wabaID, Action: metasim.ActionHTTPStatus, Status: 502, Count: 2})
	}}
)

// remains is what is left at Meta.
type remains struct{ subscribed, funded, registered bool }

var everything = remains{subscribed: true, funded: true, registered: true}

func (l *leaver) remains() remains {
	r := remains{funded: graphCalls(l.request.Status.CreditAllocationID, "delete_allocation") == 0}
	world := sim.World(false)
	for i := range world.WABAs {
		waba := &world.WABAs[i]
		if waba.ID != l.wabaID {
			continue
		}
		r.subscribed = slices.ContainsFunc(waba.SubscribedApps, func(a metasim.SubscribedApp) bool { return a.AppID == l.appID })
		r.registered = waba.PhoneNumbers[0].Registered
	}
	return r
}

// TestDeletionTruthTable deletes a request, or its namespace, in every state that its credentials can be in. A namespace always goes, and leaves
// evidence of what remains; outside of it nothing is given up that a person can still repair.
func TestDeletionTruthTable(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		spoiled []spoil
		retain  bool
		// terminating rows delete the namespace, the others the request.
		terminating bool
		// stalled is what the message that holds the deletion up mentions; empty means that the request goes.
		stalled []string
		// left are words of each leftover, in any order.
		left    []string
		remains remains
		// vault says whether the token is kept.
		vault bool
	}{
		{retain: true, remains: everything, vault: true},
		{retain: true, terminating: true, remains: everything, vault: true},
		{retain: true, spoiled: []spoil{noSystemSecret, deadToken}, remains: everything, vault: true},
		{retain: true, spoiled: []spoil{noSystemSecret, deadToken}, terminating: true, remains: everything, vault: true},
		{},
		{terminating: true},
		{spoiled: []spoil{metaDown}},
		{spoiled: []spoil{metaDown}, terminating: true},
		{spoiled: []spoil{noSystemSecret}, stalled: []string{"spec.secretRef", "does not exist", "Retain"}, remains: everything, vault: true},
		{spoiled: []spoil{noSystemSecret}, terminating: true, left: []string{"subscription, credit and registration"}, remains: everything},
		{spoiled: []spoil{wrongAppSecret}, stalled: []string{"app secret", "Retain"}, remains: everything, vault: true},
		{spoiled: []spoil{wrongAppSecret}, terminating: true, left: []string{"subscription", "credit", "registration"}, remains: everything},
		{spoiled: []spoil{deadSystemToken}, stalled: []string{"token", "Retain"}, remains: remains{funded: true}, vault: true},
		{spoiled: []spoil{deadSystemToken}, terminating: true, left: []string{"credit"}, remains: remains{funded: true}},
		{spoiled: []spoil{deadToken}, stalled: []string{"token", "Retain"}, remains: remains{subscribed: true, registered: true}, vault: true},
		{spoiled: []spoil{deadToken}, terminating: true, left: []string{"subscription", "registration"}, remains: remains{subscribed: true, registered: true}},
		{spoiled: []spoil{deadToken, deadSystemToken}, stalled: []string{"token", "Retain"}, remains: everything, vault: true},
		{spoiled: []spoil{deadToken, deadSystemToken}, terminating: true, left: []string{"subscription", "credit", "registration"}, remains: everything},
		{spoiled: []spoil{noVault}, left: []string{"subscription", "registration"}, remains: remains{subscribed: true, registered: true}},
		{spoiled: []spoil{noVault}, terminating: true, left: []string{"subscription", "registration"}, remains: remains{subscribed: true, registered: true}},
		{spoiled: []spoil{noVault, noSystemSecret}, stalled: []string{"spec.secretRef", "Retain"}, remains: everything},
		{spoiled: []spoil{noVault, noSystemSecret}, terminating: true, left: []string{"subscription, credit and registration"}, remains: everything},
	} {
		name := "Offboard"
		if row.retain {
			name = "Retain"
		}
		for _, s := range row.spoiled {
			name += ", " + s.name
		}
		if row.terminating {
			name += ", the namespace is being deleted"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := &leaver{customer: newCustomer(t, nil)}
			l.request = l.onboard(t, "shop", func(r *v1alpha1.OnboardingRequest) {
				if !row.retain {
					r.Spec.DeletionPolicy = v1alpha1.DeletionOffboard
				}
			})
			awaitReady(t, l.request)
			for _, s := range row.spoiled {
				s.do(t, l)
			}
			switch {
			case row.terminating:
				remove(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: l.namespace}})
			case len(row.stalled) > 0:
				l.awaitHeldUp(t, row.stalled)
			default:
				remove(t, l.request)
			}
			if got := l.remains(); got != row.remains {
				t.Errorf("at Meta remains %+v, want %+v", got, row.remains)
			}
			if kept := entryOf(t, l.request).Exists(); kept != row.vault {
				t.Errorf("the vault entry exists: %t, want %t", kept, row.vault)
			}
			l.checkLeftovers(t, row.left)
			if len(row.stalled) > 0 {
				// The way out that the message names.
				update(t, l.request, func() { l.request.Spec.DeletionPolicy = v1alpha1.DeletionRetain })
				remove(t, l.request)
			}
		})
	}
}

// awaitHeldUp deletes the request and waits until it says what holds its deletion up.
func (l *leaver) awaitHeldUp(t *testing.T, words []string) {
	t.Helper()
	if err := admin.Delete(t.Context(), l.request); err != nil {
		t.Fatal(err)
	}
	await(t, func(ctx context.Context) error {
		if err := admin.Get(ctx, client.ObjectKeyFromObject(l.request), l.request); err != nil {
			return err
		}
		c := apimeta.FindStatusCondition(l.request.Status.Conditions, v1alpha1.ConditionStalled)
		if c == nil || c.Reason != v1alpha1.ReasonOffboardDenied {
			return fmt.Errorf("the deletion is not held up:\n%s", describe(l.request))
		}
		mustMention(t, c.Message, words...)
		return nil
	})
	assertStatusContract(t, l.request)
}

// checkLeftovers looks for the evidence, in the record and in the MetaApp's status.
func (l *leaver) checkLeftovers(t *testing.T, words []string) {
	t.Helper()
	left, err := (&leftovers{live: admin, namespace: systemNamespace}).of(t.Context(), l.app.Name)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != len(words) {
		t.Errorf("%d things are recorded as left, want %d: %+v", len(left), len(words), left)
		return
	}
	for _, word := range words {
		if !slices.ContainsFunc(left, func(item v1alpha1.Leftover) bool {
			return item.Object == l.namespace+"/shop" && item.Reason != "" && strings.Contains(item.What, word)
		}) {
			t.Errorf("nothing is recorded as left about the %s: %+v", word, left)
		}
	}
	if len(words) == 0 {
		return
	}
	await(t, func(ctx context.Context) error {
		if err := admin.Get(ctx, client.ObjectKeyFromObject(l.app), l.app); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
		if len(l.app.Status.Leftovers) != len(words) {
			return fmt.Errorf("status.leftovers of the MetaApp is %+v", l.app.Status.Leftovers)
		}
		return nil
	})
}
