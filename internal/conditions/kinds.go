package conditions

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
)

// kind says which conditions an object has and where they are.
type kind struct {
	name string
	// gating are the steps that must be True for Ready to be True, in the order in which they are shown.
	gating []string
	// informing are the steps that never gate Ready.
	informing []string
	// suspendable is whether the kind has Suspended, suspended whether spec asks for it.
	suspendable, suspended bool

	conditions         *[]metav1.Condition
	observedGeneration **int64
	// nextAttempt is when the status says that a failed step is tried again; nil if it says nothing.
	nextAttempt *metav1.Time
}

func kindOf(obj client.Object) (kind, error) {
	switch o := obj.(type) {
	case *v1alpha1.MetaApp:
		return kind{
			name: "MetaApp",
			gating: []string{
				v1alpha1.ConditionCredentialsValid, v1alpha1.ConditionCreditLineReady, v1alpha1.ConditionWebhookSubscribed,
			},
			conditions: &o.Status.Conditions, observedGeneration: &o.Status.ObservedGeneration, nextAttempt: o.Status.NextAttemptTime,
		}, nil
	case *v1alpha1.OnboardingRequest:
		return kind{
			name: "OnboardingRequest",
			gating: []string{
				v1alpha1.ConditionTokenExchanged, v1alpha1.ConditionAssetsVerified, v1alpha1.ConditionWebhooksSubscribed,
				v1alpha1.ConditionCreditShared, v1alpha1.ConditionPhoneRegistered,
			},
			informing:   []string{v1alpha1.ConditionBusinessAppSynced, v1alpha1.ConditionTestMessageSent},
			suspendable: true, suspended: ptr.Deref(o.Spec.Suspend, false),
			conditions: &o.Status.Conditions, observedGeneration: &o.Status.ObservedGeneration, nextAttempt: o.Status.NextAttemptTime,
		}, nil
	case *v1alpha1.WhatsAppChannel:
		return kind{
			name: "WhatsAppChannel",
			gating: []string{
				v1alpha1.ConditionAccepted, v1alpha1.ConditionCredentialsValid, v1alpha1.ConditionPhoneConnected,
				v1alpha1.ConditionWebhookSubscribed,
			},
			informing:   []string{v1alpha1.ConditionWebhookVerified, v1alpha1.ConditionAssistantReady},
			suspendable: true, suspended: ptr.Deref(o.Spec.Suspend, false),
			conditions: &o.Status.Conditions, observedGeneration: &o.Status.ObservedGeneration, nextAttempt: o.Status.NextAttemptTime,
		}, nil
	default:
		return kind{}, fmt.Errorf("%T has no status contract", obj)
	}
}

// always are the types that are present from the first visit on.
func (k kind) always() []string {
	all := append([]string{v1alpha1.ConditionReady}, k.gating...)
	all = append(all, k.informing...)
	if k.suspendable {
		all = append(all, v1alpha1.ConditionSuspended)
	}
	return all
}

// order is that of the conditions in status: the summary first, since that is what people look for.
func (k kind) order() []string {
	summary := []string{v1alpha1.ConditionReady, v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled}
	return append(summary, k.always()[1:]...)
}
