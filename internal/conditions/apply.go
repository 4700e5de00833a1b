package conditions

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
)

// FieldManager owns every status.
const FieldManager = v1alpha1.GroupName + "/manager"

// Apply writes the complete status of obj with one server-side apply, unless it is what old has already. It reports whether it wrote.
//
// old is the object as it was read; its uid and resourceVersion guard the write, so that a stale view fails with a conflict in place of
// overwriting a newer status, and a recreated object doesn't get its predecessor's. After a write obj has the new resourceVersion.
func Apply(ctx context.Context, c client.Client, old, obj client.Object) (bool, error) {
	before, err := statusOf(old)
	if err != nil {
		return false, err
	}
	after, err := statusOf(obj)
	if err != nil {
		return false, err
	}
	if equality.Semantic.DeepEqual(before, after) {
		return false, nil
	}
	gvk, err := apiutil.GVKForObject(obj, c.Scheme())
	if err != nil {
		return false, fmt.Errorf("apply status: %w", err)
	}
	u := &unstructured.Unstructured{Object: map[string]any{"status": after}}
	u.SetGroupVersionKind(gvk)
	u.SetNamespace(old.GetNamespace())
	u.SetName(old.GetName())
	u.SetUID(old.GetUID())
	u.SetResourceVersion(old.GetResourceVersion())
	err = c.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(u), client.FieldOwner(FieldManager), client.ForceOwnership)
	if err != nil {
		return false, fmt.Errorf("apply status: %w", err)
	}
	// The answer is decoded into u.
	obj.SetResourceVersion(u.GetResourceVersion())
	return true, nil
}

// statusOf is the status as it goes over the wire, so that times compare with the precision that is stored.
func statusOf(obj client.Object) (map[string]any, error) {
	u, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		return nil, fmt.Errorf("encode status: %w", err)
	}
	status, _, err := unstructured.NestedMap(u, "status")
	if err != nil {
		return nil, fmt.Errorf("encode status: %w", err)
	}
	return status, nil
}

// Transitions are the conditions of obj whose status differs from what old has: what deserves an event.
func Transitions(old, obj client.Object) ([]metav1.Condition, error) {
	before, err := kindOf(old)
	if err != nil {
		return nil, err
	}
	after, err := kindOf(obj)
	if err != nil {
		return nil, err
	}
	was := map[string]metav1.Condition{}
	for _, c := range *before.conditions {
		was[c.Type] = c
	}
	var changed []metav1.Condition
	for _, c := range *after.conditions {
		if was[c.Type].Status != c.Status || was[c.Type].Reason != c.Reason {
			changed = append(changed, c)
		}
	}
	return changed, nil
}

// Now is the present in the precision that is stored.
func Now() metav1.Time { return metav1.NewTime(time.Now().Truncate(time.Second)) }
