package signup

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	contract "github.com/whatsapp-operator/whatsapp-operator/internal/signup"
)

// ErrRefused means that the API server will not take a code, however often it is asked.
var ErrRefused = errors.New("the API server refuses the Secret with the signup code; the webhook-server may create Secrets in its signup namespace only with the shipped RBAC")

// Kubernetes hands codes over as Secrets of one namespace. It needs to create them there, and nothing else.
type Kubernetes struct {
	client    kubernetes.Interface
	namespace string
}

// NewKubernetes makes a Kubernetes.
func NewKubernetes(client kubernetes.Interface, namespace string) *Kubernetes {
	return &Kubernetes{client: client, namespace: namespace}
}

// Put stores a code. It insists while the code may live, and takes one that is there already for its own earlier try: the name follows
// from the code. Its errors hold nothing of the code.
func (k *Kubernetes) Put(ctx context.Context, h contract.Handover) error {
	data, err := h.Data()
	if err != nil {
		return err
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: k.namespace, Name: h.Name(), Labels: map[string]string{contract.LabelHandover: contract.LabelHandoverValue}},
		Type:       corev1.SecretTypeOpaque, Data: data,
	}
	ctx, cancel := context.WithTimeout(ctx, handoverTimeout)
	defer cancel()
	for {
		err := k.create(ctx, secret)
		switch {
		case err == nil, apierrors.IsAlreadyExists(err):
			return nil
		case apierrors.IsForbidden(err), apierrors.IsInvalid(err), apierrors.IsNotFound(err), apierrors.IsUnauthorized(err):
			return fmt.Errorf("%w: %s", ErrRefused, apierrors.ReasonForError(err))
		}
		pause := time.NewTimer(handoverPause)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return fmt.Errorf("hand a signup code over: %w", err)
		}
	}
}

func (k *Kubernetes) create(ctx context.Context, secret *corev1.Secret) error {
	ctx, cancel := context.WithTimeout(ctx, handoverAttempt)
	defer cancel()
	_, err := k.client.CoreV1().Secrets(k.namespace).Create(ctx, secret, metav1.CreateOptions{FieldManager: "webhook-server"})
	return err
}
