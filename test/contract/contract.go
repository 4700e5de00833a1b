package contract

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/conditions"
	"github.com/whatsapp-operator/whatsapp-operator/test/gitops"
)

// Checker checks final objects. Make one with Load; it may be used concurrently.
type Checker struct {
	reasons map[string]bool
	health  gitops.Script
}

// declared finds the reasons in the API's vocabulary.
var declared = regexp.MustCompile(`\tReason\w+ = "(\w+)"`)

// Load reads the vocabulary of reasons and Argo CD's script from the checkout at root.
func Load(root string) (*Checker, error) {
	vocabulary, err := os.ReadFile(filepath.Join(root, "api", "v1alpha1", "conditions.go"))
	if err != nil {
		return nil, err
	}
	health, err := gitops.LoadScript(filepath.Join(root, "config", "argocd", "health.lua"))
	if err != nil {
		return nil, err
	}
	c := &Checker{reasons: map[string]bool{}, health: health}
	for _, match := range declared.FindAllStringSubmatch(string(vocabulary), -1) {
		c.reasons[match[1]] = true
	}
	if len(c.reasons) == 0 {
		return nil, errors.New("no reason was found in api/v1alpha1/conditions.go; have they moved?")
	}
	return c, nil
}

// Check returns what is wrong with an object's status, one error for each; nil for a sound one, and for an object of another kind.
func (c *Checker) Check(obj client.Object) error {
	all, ours := conditionsOf(obj)
	if !ours {
		return nil
	}
	var wrong []error
	for _, violation := range conditions.CheckContract(obj) {
		wrong = append(wrong, errors.New("it breaks the status contract: "+violation))
	}
	for _, condition := range all {
		if !c.reasons[condition.Reason] {
			wrong = append(wrong, fmt.Errorf("%s has the reason %q, which is not in the API's vocabulary", condition.Type, condition.Reason))
		}
	}
	if err := c.argoAgrees(obj, all); err != nil {
		wrong = append(wrong, err)
	}
	for i, err := range wrong {
		wrong[i] = fmt.Errorf("%T %s: %w", obj, client.ObjectKeyFromObject(obj), err)
	}
	return errors.Join(wrong...)
}

// argoAgrees holds what Argo CD would show against the object's conditions.
func (c *Checker) argoAgrees(obj client.Object, all []metav1.Condition) error {
	ready := apimeta.FindStatusCondition(all, v1alpha1.ConditionReady)
	if ready == nil || ready.ObservedGeneration != obj.GetGeneration() {
		return nil // Argo CD waits, as package gitops shows
	}
	health, message, err := c.health.Of(obj)
	if err != nil {
		return err
	}
	if want := gitops.Want(obj, all); health != want {
		return fmt.Errorf("shown by Argo CD as %s (%s), and its conditions say %s", health, message, want)
	}
	return nil
}

// Cluster checks all objects of ours that are there.
func (c *Checker) Cluster(ctx context.Context, reader client.Reader) error {
	var wrong []error
	for _, list := range []client.ObjectList{&v1alpha1.MetaAppList{}, &v1alpha1.OnboardingRequestList{}, &v1alpha1.WhatsAppChannelList{}} {
		if err := reader.List(ctx, list); err != nil {
			return err
		}
		err := apimeta.EachListItem(list, func(item runtime.Object) error {
			obj, ok := item.(client.Object)
			if !ok {
				return fmt.Errorf("%T is no API object", item)
			}
			wrong = append(wrong, c.Check(obj))
			return nil
		})
		if err != nil {
			return err
		}
	}
	return errors.Join(wrong...)
}

// conditionsOf reads the conditions of an object, and says whether it is one of ours.
func conditionsOf(obj client.Object) (all []metav1.Condition, ours bool) {
	switch o := obj.(type) {
	case *v1alpha1.MetaApp:
		return o.Status.Conditions, true
	case *v1alpha1.OnboardingRequest:
		return o.Status.Conditions, true
	case *v1alpha1.WhatsAppChannel:
		return o.Status.Conditions, true
	default:
		return nil, false
	}
}
