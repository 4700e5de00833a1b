package source

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

// debounce gathers a burst of changes, such as the content and the channel that names it, into one Snapshot. It is short against
// everything that waits for a projection.
const debounce = 100 * time.Millisecond

// Kubernetes reads Objects from the labelled Secrets and ConfigMaps of one namespace. It needs list and watch on both there, and
// nothing else.
type Kubernetes struct {
	factory    informers.SharedInformerFactory
	secrets    listers.SecretLister
	configMaps listers.ConfigMapLister
	synced     []cache.InformerSynced
	changed    chan struct{}
	view       *View
	log        logr.Logger
}

// NewKubernetes prepares the reading; Run does it.
func NewKubernetes(client kubernetes.Interface, namespace string, log logr.Logger) (*Kubernetes, error) {
	k := &Kubernetes{changed: make(chan struct{}, 1), view: NewView(), log: log}
	k.factory = informers.NewSharedInformerFactoryWithOptions(client, 0,
		informers.WithNamespace(namespace),
		informers.WithTransform(withoutManagedFields),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.LabelSelector = runtimeconfig.LabelProjection }),
	)
	secrets, configMaps := k.factory.Core().V1().Secrets(), k.factory.Core().V1().ConfigMaps()
	k.secrets, k.configMaps = secrets.Lister(), configMaps.Lister()
	for _, informer := range []cache.SharedIndexInformer{secrets.Informer(), configMaps.Informer()} {
		if err := k.watch(informer); err != nil {
			return nil, err
		}
	}
	return k, nil
}

func (k *Kubernetes) watch(informer cache.SharedIndexInformer) error {
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { k.wake() },
		UpdateFunc: func(any, any) { k.wake() },
		DeleteFunc: func(any) { k.wake() },
	})
	if err != nil {
		return fmt.Errorf("watch projections: %w", err)
	}
	err = informer.SetWatchErrorHandler(func(_ *cache.Reflector, err error) {
		k.log.Info("Watching the projections was interrupted; what was read stays in force", "cause", err.Error())
	})
	if err != nil {
		return fmt.Errorf("watch projections: %w", err)
	}
	k.synced = append(k.synced, informer.HasSynced)
	return nil
}

// View returns what was read last. It is not synced before Run has read everything once.
func (k *Kubernetes) View() *View { return k.view }

// Run reads and follows the projections until ctx is done. What was read stays when the API server is away for a while.
func (k *Kubernetes) Run(ctx context.Context) error {
	k.factory.Start(ctx.Done())
	defer k.factory.Shutdown() // waits for the informers, which ctx stops
	if !cache.WaitForCacheSync(ctx.Done(), k.synced...) {
		return nil // ctx is done
	}
	for {
		if err := k.rebuild(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-k.changed:
		}
		pause := time.NewTimer(debounce)
		select {
		case <-ctx.Done():
			pause.Stop()
			return nil
		case <-pause.C:
		}
	}
}

// wake asks for a new Snapshot; one request is enough for any number of changes.
func (k *Kubernetes) wake() {
	select {
	case k.changed <- struct{}{}:
	default:
	}
}

func (k *Kubernetes) rebuild() error {
	secrets, err := k.secrets.List(labels.Everything())
	configMaps, cerr := k.configMaps.List(labels.Everything())
	if err := errors.Join(err, cerr); err != nil {
		return fmt.Errorf("list projections from the cache: %w", err)
	}
	objects := make([]runtimeconfig.Object, 0, len(secrets)+len(configMaps))
	for _, s := range secrets {
		objects = append(objects, runtimeconfig.Object{Name: s.Name, Data: s.Data})
	}
	for _, c := range configMaps {
		objects = append(objects, runtimeconfig.Object{Name: c.Name, Data: configMapData(c)})
	}
	if k.view.Publish(objects) {
		logLoaded(k.log, k.view.Load())
	}
	return nil
}

// configMapData joins the two halves of a ConfigMap; the API server refuses a key in both.
func configMapData(c *corev1.ConfigMap) map[string][]byte {
	data := make(map[string][]byte, len(c.Data)+len(c.BinaryData))
	for key, text := range c.Data {
		data[key] = []byte(text)
	}
	maps.Copy(data, c.BinaryData)
	return data
}

// withoutManagedFields drops what makes up half of many objects and is never read.
func withoutManagedFields(object any) (any, error) {
	if accessor, err := meta.Accessor(object); err == nil {
		accessor.SetManagedFields(nil)
	}
	return object, nil // a tombstone of the cache has no metadata, and nothing to drop
}

// logLoaded tells what a replica serves now, by numbers; Objects that can't be read by name.
func logLoaded(log logr.Logger, l *Loaded) {
	log.Info("Loaded projections", "channels", len(l.Snapshot.Channels()), "apps", len(l.Snapshot.Apps()), "objects", len(l.Revisions))
	for _, p := range l.Problems {
		log.Info("A projection can't be read", "object", p.Object, "cause", p.Err.Error())
	}
}
