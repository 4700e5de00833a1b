package controllers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
)

func TestDeleteAndRecreateReplaysNothing(t *testing.T) {
	c := newCustomer(t, nil)
	request := c.onboard(t, "shop", nil)
	awaitReady(t, request)
	before, uid := c.callsFor(), request.UID
	exchanges := sim.Counters().CodeSends[c.codeID]
	remove(t, request)
	again := c.request("shop")
	create(t, again)
	awaitReady(t, again)
	if again.UID == uid {
		t.Fatal("the request was not made again")
	}
	after := c.callsFor()
	for _, write := range []string{"subscribe", "assign_user", "credit_share_and_attach", "register"} {
		if before[write] != after[write] {
			t.Errorf("the recreated request called %s", write)
		}
	}
	if got := sim.Counters().CodeSends[c.codeID]; got != exchanges {
		t.Errorf("the recreated request sent the code again")
	}
}

// TestReplaceIsHarmless replaces a finished request by its manifest, as GitOps tools do: in place, which drops the finalizer, and by force,
// which deletes and creates.
func TestReplaceIsHarmless(t *testing.T) {
	c := newCustomer(t, nil)
	request := c.onboard(t, "shop", nil)
	manifest, err := json.Marshal(map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": "OnboardingRequest",
		"metadata": map[string]any{"namespace": c.namespace, "name": "shop"}, "spec": c.request("shop").Spec,
	})
	if err != nil {
		t.Fatal(err)
	}
	awaitReady(t, request)
	before, uid := c.callsFor(), request.UID
	for _, force := range []bool{false, true} {
		args := []string{"replace", "-f", "-"}
		if force {
			args = append(args, "--force", "--timeout=60s")
		}
		if out, err := cluster.KubectlWithInput(t.Context(), bytes.NewReader(manifest), args...); err != nil {
			t.Fatalf("kubectl %s: %v\n%s", args, err, out)
		}
		await(t, func(ctx context.Context) error {
			if err := admin.Get(ctx, client.ObjectKeyFromObject(request), request); err != nil {
				return err
			}
			if len(request.Finalizers) == 0 {
				return errors.New("the finalizer is not there again")
			}
			return nil
		})
		awaitReady(t, request)
		if recreated := request.UID != uid; recreated != force {
			t.Errorf("replaced by force %t, made again %t", force, recreated)
		}
		after := c.callsFor()
		for _, write := range []string{"subscribe", "unsubscribe", "assign_user", "credit_share_and_attach", "register", "deregister"} {
			if before[write] != after[write] {
				t.Errorf("replacing by force %t called %s", force, write)
			}
		}
		if sends := sim.Counters().CodeSends[c.codeID]; sends != 1 {
			t.Errorf("the code was sent %d times", sends)
		}
		if !entryOf(t, request).TokenProven {
			t.Error("the kept token is gone")
		}
	}
}
