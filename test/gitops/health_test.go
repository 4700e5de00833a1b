package gitops

import (
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/conditions"
)

const folder = "../../config/argocd/"

// scripts are the health scripts as users install them, by kind.
func scripts(t *testing.T) map[string]Script {
	t.Helper()
	raw, err := os.ReadFile(folder + "argocd-cm.yaml")
	if err != nil {
		t.Fatal(err)
	}
	cm := corev1.ConfigMap{}
	if err := yaml.UnmarshalStrict(raw, &cm); err != nil {
		t.Fatal(err)
	}
	found := map[string]Script{}
	for key, script := range cm.Data {
		kind, ok := strings.CutPrefix(key, "resource.customizations.health."+v1alpha1.GroupName+"_")
		if !ok {
			t.Errorf("%s is no health script of ours", key)
		}
		found[kind] = Script(script)
	}
	return found
}

// kinds are an object of each kind, at generation 3.
func kinds() map[string]client.Object {
	meta := metav1.ObjectMeta{Name: "shop", Generation: 3, CreationTimestamp: metav1.NewTime(time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC))}
	return map[string]client.Object{
		"MetaApp":           &v1alpha1.MetaApp{ObjectMeta: meta},
		"OnboardingRequest": &v1alpha1.OnboardingRequest{ObjectMeta: meta},
		"WhatsAppChannel":   &v1alpha1.WhatsAppChannel{ObjectMeta: meta},
	}
}

// write gives an object the conditions that the operator would write.
func write(obj client.Object, mark func(*conditions.Set)) {
	set := conditions.New(obj, conditions.Now())
	mark(set)
	set.Write()
}

// states are all states in which the operator leaves an object, and those before it has seen one.
var states = []struct {
	name, message string
	make          func(client.Object)
	want          Health
}{
	{"fresh", "not looked at this object", func(client.Object) {}, Progressing},
	{"ready", "Succeeded: It works.", func(obj client.Object) {
		write(obj, func(s *conditions.Set) { ready(s) })
	}, Healthy},
	{"reconciling", "Throttled: Meta asks", func(obj client.Object) {
		write(obj, func(s *conditions.Set) {
			s.MarkReconciling(v1alpha1.ReasonThrottled, "Meta asks for fewer calls.")
		})
	}, Progressing},
	{"stalled", "CodeExpired: Let the customer", func(obj client.Object) {
		write(obj, func(s *conditions.Set) {
			s.MarkStalled(v1alpha1.ReasonCodeExpired, "Let the customer sign up again.")
		})
	}, Degraded},
	{"waiting for a person", "AwaitingApproval: Set spec.wabaID", func(obj client.Object) {
		write(obj, func(s *conditions.Set) { s.MarkWaiting(v1alpha1.ReasonAwaitingApproval, "Set spec.wabaID.") })
	}, Suspended},
	{"suspended", "Suspended: spec.suspend", func(obj client.Object) {
		write(obj, func(s *conditions.Set) { s.MarkWaiting(v1alpha1.ReasonSuspended, "spec.suspend is true.") })
	}, Suspended},
	{"ready, and changed since", "latest change", func(obj client.Object) {
		write(obj, func(s *conditions.Set) { ready(s) })
		obj.SetGeneration(4)
	}, Progressing},
	{"stalled, and changed since", "latest change", func(obj client.Object) {
		write(obj, func(s *conditions.Set) { s.MarkStalled(v1alpha1.ReasonCodeExpired, "Let the customer sign up again.") })
		obj.SetGeneration(4)
	}, Progressing},
	{"being deleted", "Deleting: Undoes", func(obj client.Object) {
		obj.SetDeletionTimestamp(new(metav1.Now()))
		write(obj, func(s *conditions.Set) { s.MarkReconciling(v1alpha1.ReasonDeleting, "Undoes it at Meta.") })
	}, Progressing},
	{"being deleted, just now", "Succeeded", func(obj client.Object) {
		write(obj, func(s *conditions.Set) { ready(s) })
		obj.SetDeletionTimestamp(new(metav1.Now()))
		obj.SetGeneration(4)
	}, Progressing},
	{"its deletion is held up", "OffboardDenied: Repair", func(obj client.Object) {
		obj.SetDeletionTimestamp(new(metav1.Now()))
		write(obj, func(s *conditions.Set) { s.MarkStalled(v1alpha1.ReasonOffboardDenied, "Repair that.") })
	}, Degraded},
}

func ready(s *conditions.Set) { s.MarkReady(v1alpha1.ReasonSucceeded, "It works.") }

func TestHealth(t *testing.T) {
	installed := scripts(t)
	for _, state := range states {
		for kind, obj := range kinds() {
			t.Run(state.name+"/"+kind, func(t *testing.T) {
				state.make(obj)
				script, ok := installed[kind]
				if !ok {
					t.Fatalf("argocd-cm.yaml has no health script for %s", kind)
				}
				health, message, err := script.Of(obj)
				if err != nil {
					t.Fatal(err)
				}
				if health != state.want || !strings.Contains(message, state.message) {
					t.Errorf("Argo CD shows %s (%s), want %s (%s)", health, message, state.want, state.message)
				}
			})
		}
	}
}

// TestFreshObjectAsTheAPIServerMakesIt has the default of status, which kustomize and kstatus wait on.
func TestFreshObjectAsTheAPIServerMakesIt(t *testing.T) {
	installed := scripts(t)
	for kind, obj := range kinds() {
		switch o := obj.(type) {
		case *v1alpha1.MetaApp:
			o.Status.ObservedGeneration = new(int64(-1))
		case *v1alpha1.OnboardingRequest:
			o.Status.ObservedGeneration = new(int64(-1))
		case *v1alpha1.WhatsAppChannel:
			o.Status.ObservedGeneration = new(int64(-1))
		}
		if health, message, err := installed[kind].Of(obj); err != nil || health != Progressing {
			t.Errorf("a fresh %s is %s (%s), %v", kind, health, message, err)
		}
	}
}

// TestInstalledScriptsAreTheFile keeps the ConfigMap in step with the script that people read.
func TestInstalledScriptsAreTheFile(t *testing.T) {
	file, err := LoadScript(folder + "health.lua")
	if err != nil {
		t.Fatal(err)
	}
	installed := scripts(t)
	for kind := range kinds() {
		if installed[kind] != file {
			t.Errorf("the script of %s in argocd-cm.yaml is not health.lua", kind)
		}
	}
}
