package leaks

import (
	"context"
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

// Places of a cluster.
const (
	Events = "events"
	// Objects are ours, with spec and status, all ConfigMaps, and what is said of each Secret beside its contents.
	Objects = "objects"
)

// Cluster makes the contents of all Secrets known that are there now, and shows what people read in a cluster.
func (s *Search) Cluster(ctx context.Context, reader client.Reader) error {
	var secrets corev1.SecretList
	if err := reader.List(ctx, &secrets); err != nil {
		return err
	}
	for i := range secrets.Items {
		item := &secrets.Items[i]
		if item.Type != corev1.SecretTypeOpaque {
			continue // the cluster's own
		}
		if err := s.Object(runtimeconfig.Object{Name: item.Name, Data: item.Data}); err != nil {
			return err
		}
		if err := s.showJSON(Objects, item.ObjectMeta); err != nil {
			return err
		}
	}
	for _, list := range []client.ObjectList{
		&corev1.EventList{}, &corev1.ConfigMapList{}, &v1alpha1.MetaAppList{}, &v1alpha1.WhatsAppChannelList{}, &v1alpha1.OnboardingRequestList{},
	} {
		if err := reader.List(ctx, list); err != nil {
			return err
		}
		place := Objects
		if _, events := list.(*corev1.EventList); events {
			place = Events
		}
		if apimeta.LenList(list) == 0 {
			continue
		}
		if err := s.showJSON(place, list); err != nil {
			return err
		}
	}
	return nil
}

func (s *Search) showJSON(place string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	s.Show(place, string(text))
	return nil
}
