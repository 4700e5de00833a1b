package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupName is the API group, and the prefix of every label, annotation, finalizer and field manager of the operator.
const GroupName = "whatsapp-operator.dev"

var (
	// GroupVersion is the group and version of the types in this package.
	GroupVersion = schema.GroupVersion{Group: GroupName, Version: "v1alpha1"}

	// SchemeGroupVersion is GroupVersion under the name that generated apply configurations expect.
	SchemeGroupVersion = GroupVersion

	schemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

	// AddToScheme registers the types of this package.
	AddToScheme = schemeBuilder.AddToScheme
)

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion,
		&MetaApp{}, &MetaAppList{},
		&OnboardingRequest{}, &OnboardingRequestList{},
		&WhatsAppChannel{}, &WhatsAppChannelList{},
	)
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
