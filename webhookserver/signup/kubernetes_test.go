package signup

import (
	"context"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	contract "github.com/whatsapp-operator/whatsapp-operator/internal/signup"
)

var aHandover = contract.Handover{Token: "a.b", Code: redact.New("AQBsecret"), Claims: contract.Claims{WABAID: "1022"}}

func TestPut(t *testing.T) {
	client := fake.NewClientset()
	k := NewKubernetes(client, "whatsapp-signup")
	for range 2 { // the second time it is there: the answer to the first try was lost
		if err := k.Put(t.Context(), aHandover); err != nil {
			t.Fatal(err)
		}
	}
	secret, err := client.CoreV1().Secrets("whatsapp-signup").Get(t.Context(), aHandover.Name(), metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := contract.ParseHandover(secret.Data)
	if err != nil || !got.Code.Equal(aHandover.Code) || got.Token != aHandover.Token || got.Claims != aHandover.Claims || secret.Labels[contract.LabelHandover] != contract.LabelHandoverValue {
		t.Errorf("%+v, %v, labels %v", got, err, secret.Labels)
	}
}

func TestPutInsists(t *testing.T) {
	client := fake.NewClientset()
	tries := 0
	client.PrependReactor("create", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
		tries++
		return tries < 3, &corev1.Secret{}, apierrors.NewServiceUnavailable("starting")
	})
	if err := NewKubernetes(client, "whatsapp-signup").Put(t.Context(), aHandover); err != nil || tries != 3 {
		t.Errorf("%v after %d tries", err, tries)
	}
}

func TestPutSaysWhatIsWrong(t *testing.T) {
	client := fake.NewClientset()
	client.PrependReactor("create", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "AQBsecret", errors.New("no"))
	})
	k := NewKubernetes(client, "whatsapp-signup")
	if err := k.Put(t.Context(), aHandover); !errors.Is(err, ErrRefused) || strings.Contains(err.Error(), "AQB") {
		t.Errorf("%v", err)
	}
	if err := k.Put(t.Context(), contract.Handover{}); err == nil {
		t.Error("nothing incomplete may be handed over")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	away := fake.NewClientset()
	away.PrependReactor("create", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewServiceUnavailable("away")
	})
	if err := NewKubernetes(away, "whatsapp-signup").Put(ctx, aHandover); err == nil {
		t.Error("a code that nobody took was called handed over")
	}
}
