package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

const (
	// sweepInterval is how often the runtime namespace is swept; everything that is swept is days or minutes old.
	sweepInterval = 10 * time.Minute
	// contentGrace keeps content that nobody refers to while a projection that will is being written.
	contentGrace = 10 * time.Minute
	// signupGrace is how long after its end a signup link is still known as dead.
	signupGrace = 24 * time.Hour
)

// sweeper removes from the runtime namespace, on the leader alone, what no finalizer removes: projections whose channel was deleted while its
// finalizer was taken away by hand, tombstones that have had their time, content that was replaced.
type sweeper struct {
	client    client.Client
	live      client.Reader
	projector *projector
	now       func() time.Time
}

// NeedLeaderElection makes the leader the only sweeper.
func (*sweeper) NeedLeaderElection() bool { return true }

// Start sweeps until the manager stops.
func (s *sweeper) Start(ctx context.Context) error {
	wait.UntilWithContext(ctx, func(ctx context.Context) {
		if err := s.sweep(ctx); err != nil && ctx.Err() == nil {
			log.FromContext(ctx).WithName("sweep").Error(err, "The runtime namespace could not be swept")
		}
	}, sweepInterval)
	return nil
}

func (s *sweeper) sweep(ctx context.Context) error {
	var secrets corev1.SecretList
	if err := s.live.List(ctx, &secrets, client.InNamespace(s.projector.namespace), client.HasLabels{runtimeconfig.LabelProjection}); err != nil {
		return fmt.Errorf("list projections: %w", err)
	}
	used := map[string]bool{}
	var errs []error
	for i := range secrets.Items {
		secret := &secrets.Items[i]
		used[secret.Annotations[annotationContent]] = true
		// One that resists doesn't keep the others from being swept.
		errs = append(errs, s.sweepSecret(ctx, secret))
	}
	return errors.Join(append(errs, s.sweepContent(ctx, used))...)
}

func (s *sweeper) sweepSecret(ctx context.Context, secret *corev1.Secret) error {
	if released, ok := releasedAt(secret); ok {
		if s.now().Sub(released) < tombstoneLife {
			return nil
		}
		return deleteOurs(ctx, s.client, secret)
	}
	if told, ok := decodeSignup(secret); ok && s.now().Sub(told.ExpiresAt) > signupGrace {
		// The page said how the signup ended for as long as the link lived. One that is still wanted has been replaced by now.
		return deleteOurs(ctx, s.client, secret)
	}
	if secret.Labels[runtimeconfig.LabelProjection] != string(runtimeconfig.KindChannel) {
		return nil
	}
	key, ok := splitHolder(secret.Annotations[annotationHolder])
	if !ok {
		return nil
	}
	// Live, and only a plain "not found" counts: a number is never lost to a failed read or to a cache that lags.
	channel := &v1alpha1.WhatsAppChannel{}
	err := s.live.Get(ctx, key, channel)
	if err == nil && !movedOn(channel, secret) {
		return nil
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	return s.projector.bury(ctx, secret, s.now())
}

// movedOn says whether a channel has another number now: its request was offboarded and made again with another one.
func movedOn(channel *v1alpha1.WhatsAppChannel, projection *corev1.Secret) bool {
	return channel.Spec.Source.OnboardingRequestRef != nil && channel.Status.Phone != nil &&
		runtimeconfig.ChannelName(channel.Status.Phone.ID) != projection.Name
}

func (s *sweeper) sweepContent(ctx context.Context, used map[string]bool) error {
	var contents corev1.ConfigMapList
	if err := s.live.List(ctx, &contents, client.InNamespace(s.projector.namespace),
		client.MatchingLabels{runtimeconfig.LabelProjection: string(runtimeconfig.KindContent)}); err != nil {
		return fmt.Errorf("list content: %w", err)
	}
	for i := range contents.Items {
		content := &contents.Items[i]
		if used[content.Name] || s.now().Sub(content.CreationTimestamp.Time) < contentGrace {
			continue
		}
		if err := deleteOurs(ctx, s.client, content); err != nil {
			return err
		}
	}
	return nil
}
