package crash

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/signup"
	"github.com/whatsapp-operator/whatsapp-operator/internal/vault"
)

// linkToken waits for the customer's signup link and reads it as the tenant does.
func (c *customer) linkToken(t *testing.T) string {
	t.Helper()
	secret := &corev1.Secret{}
	await(t, patience, glance, func(ctx context.Context) error {
		request, err := c.read(ctx)
		if err != nil {
			return err
		}
		if request.Status.SignupLinkSecretRef == nil {
			return fmt.Errorf("the request has no link:\n%s", describe(request))
		}
		return admin.Get(ctx, client.ObjectKey{Namespace: tenantNamespace, Name: request.Status.SignupLinkSecretRef.Name}, secret)
	})
	return known.Secret(signup.TokenOf(string(secret.Data["url"])))
}

// handOver plays the signup page: a signup has just ended, and its code is handed over.
func (c *customer) handOver(t *testing.T, token string) {
	t.Helper()
	var err error
	if c.code, err = sim.IssueCode(metasim.CodeRequest{AppID: metasim.DemoAppID, WABAIDs: []string{c.wabaID}}); err != nil {
		t.Fatal(err)
	}
	h := signup.Handover{Token: token, Code: redact.New(known.Secret(c.code.Code)), Claims: signup.Claims{Event: "FINISH", WABAID: c.wabaID}}
	data, err := h.Data()
	if err != nil {
		t.Fatal(err)
	}
	if err := admin.Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "whatsapp-signup", Name: h.Name(), Labels: map[string]string{signup.LabelHandover: signup.LabelHandoverValue}}, Data: data,
	}); err != nil {
		t.Fatal(err)
	}
}

// TestLeaderDiesBeforeTheSignupArrives kills the leader of two managers a second before a customer's signup by link arrives.
func TestLeaderDiesBeforeTheSignupArrives(t *testing.T) {
	leader := startManager(t, "--leader-elect")
	awaitAppChecked(t, 0)
	startManager(t, "--leader-elect")
	c := newCustomer(t)
	request := &v1alpha1.OnboardingRequest{ObjectMeta: metav1.ObjectMeta{Namespace: tenantNamespace, Name: c.name}, Spec: v1alpha1.OnboardingRequestSpec{
		MetaAppRef: v1alpha1.MetaAppReference{Name: appName}, Currency: "USD",
	}}
	if err := admin.Create(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	token := c.linkToken(t)
	leader.kill(t)
	release := holdLease(t)
	killed := time.Now()
	await(t, patience, glance, func(context.Context) error {
		if time.Since(killed) < time.Second {
			return errors.New("it is too soon")
		}
		return nil
	})
	c.handOver(t, token)
	arrived := time.Now()
	await(t, patience, glance, func(ctx context.Context) error {
		entry, err := (&vault.Vault{Reader: admin, Namespace: systemNamespace}).Read(ctx, vault.Key{Namespace: tenantNamespace, Name: c.name})
		if err == nil && entry.Phase != vault.PhaseKept {
			err = fmt.Errorf("the token is not kept: the vault says %q", entry.Phase)
		}
		return err
	})
	exchanged := time.Since(arrived)
	release()
	// Status is the next leader's, who has to wait until the lease of the dead one is over.
	await(t, patience, glance, func(ctx context.Context) error {
		request, err := c.read(ctx)
		if err == nil && reasonOf(request, v1alpha1.ConditionReady, metav1.ConditionFalse) != v1alpha1.ReasonAwaitingApproval {
			err = fmt.Errorf("the request does not wait for approval:\n%s", describe(request))
		}
		return err
	})
	if sends := sim.Counters().CodeSends[c.code.ID]; sends != 1 {
		t.Errorf("the code was sent %d times", sends)
	}
	t.Logf("exchanged %s after the signup arrived; shown by the next leader after %s", exchanged.Round(10*time.Millisecond), time.Since(arrived).Round(10*time.Millisecond))
}
