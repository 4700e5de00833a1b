package controllers

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/conditions"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
)

const (
	// cursorName is the ConfigMap, in the operator's namespace, that keeps how far reports were read; cursorKey its key.
	cursorName = "webhook-server-reports"
	cursorKey  = "cursor"
	// cursorInterval is how often the cursor is kept, if it moved. What is kept is a position that old, so that everything before it has
	// found its way into a status; after a crash the last reports are handled once more, which changes nothing.
	cursorInterval = time.Minute
	// woken is how many objects may wait to be reconciled because of reports.
	woken = 1024
)

// reports pulls what the webhook-server has learnt, on the leader alone, and hands it to the reconcilers.
type reports struct {
	client       client.Client
	live         client.Reader
	servers      *servers
	observations *observations
	options      Options
	// channels and requests wake the reconcilers.
	channels, requests chan event.GenericEvent

	// next is the position after the last report that was handled; settled one that is at least a cursorInterval old; kept what the
	// ConfigMap holds.
	next, settled, kept serverapi.Cursor
	keptAt              time.Time
	// goneOn counts the pulls in which a channel whose status says that its sends are on hold had none.
	goneOn map[types.UID]int
}

// NeedLeaderElection makes the leader the only reader.
func (*reports) NeedLeaderElection() bool { return true }

// Start pulls until the manager stops.
func (r *reports) Start(ctx context.Context) error {
	logger := log.FromContext(ctx).WithName("reports")
	restored, credential := false, false
	wait.UntilWithContext(ctx, func(ctx context.Context) {
		var err error
		switch {
		case !credential:
			if err = r.ensureCredential(ctx); err == nil {
				credential = true
			}
		case !restored:
			if err = r.restore(ctx); err == nil {
				restored = true
			}
		default:
			err = r.pull(ctx)
		}
		if err != nil && !errors.Is(err, errNoReplica) && ctx.Err() == nil {
			logger.V(1).Info("Reports of the webhook-server could not be pulled", "error", err.Error())
		}
	}, r.options.ReportInterval)
	return nil
}

// ensureCredential makes the bearer token of the server's internal API, once.
func (r *reports) ensureCredential(ctx context.Context) error {
	key := client.ObjectKey{Namespace: r.options.RuntimeNamespace, Name: runtimeconfig.InternalName}
	err := r.live.Get(ctx, key, &corev1.Secret{})
	if !apierrors.IsNotFound(err) {
		return err
	}
	raw := make([]byte, 32)
	if _, err := rand.Read(raw); err != nil {
		return fmt.Errorf("make a bearer token: %w", err)
	}
	internal := runtimeconfig.Internal{BearerToken: redact.New(base64.RawURLEncoding.EncodeToString(raw))}
	object, err := internal.Object()
	if err != nil {
		return err
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: key.Namespace, Name: key.Name, Labels: map[string]string{runtimeconfig.LabelProjection: string(runtimeconfig.KindInternal)},
		},
		Data: object.Data,
	}
	err = r.client.Create(ctx, secret, client.FieldOwner(conditions.FieldManager))
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

func (r *reports) restore(ctx context.Context) error {
	cm := &corev1.ConfigMap{}
	err := r.live.Get(ctx, client.ObjectKey{Namespace: r.options.SystemNamespace, Name: cursorName}, cm)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("read the cursor: %w", err)
	}
	r.kept = serverapi.Cursor(cm.Data[cursorKey])
	r.next, r.settled, r.keptAt = r.kept, r.kept, time.Now()
	return nil
}

// pull reads until there is nothing more.
func (r *reports) pull(ctx context.Context) error {
	server, err := r.servers.Any(ctx)
	if err != nil {
		return err
	}
	for {
		page, err := server.Reports(ctx, r.next, serverapi.MaxLimit)
		if err != nil {
			return err
		}
		if len(page.Reports) == 0 {
			return errors.Join(r.keep(ctx), r.compareHolds(ctx, server))
		}
		if err := r.handle(ctx, page.Reports); err != nil {
			return err
		}
		r.next = page.Next
	}
}

// keep stores a settled position, if there is a new one.
func (r *reports) keep(ctx context.Context) error {
	if time.Since(r.keptAt) < cursorInterval {
		return nil
	}
	r.keptAt = time.Now()
	settled := r.settled
	r.settled = r.next
	if settled == r.kept {
		return nil
	}
	cm := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.options.SystemNamespace, Name: cursorName},
		Data:       map[string]string{cursorKey: string(settled)},
	}
	err := r.client.Update(ctx, cm, client.FieldOwner(conditions.FieldManager))
	if apierrors.IsNotFound(err) {
		err = r.client.Create(ctx, cm, client.FieldOwner(conditions.FieldManager))
	}
	if err != nil {
		return fmt.Errorf("keep the cursor: %w", err)
	}
	r.kept = settled
	return nil
}

// handle gives each report to the objects that it concerns.
func (r *reports) handle(ctx context.Context, page []serverapi.Report) error {
	wake := map[client.ObjectKey]*v1alpha1.WhatsAppChannel{}
	for i := range page {
		report := &page[i]
		if report.Kind == serverapi.KindTestMessage {
			if err := r.wakeRequests(ctx, report); err != nil {
				return err
			}
			continue
		}
		concerned, err := r.concerned(ctx, report)
		if err != nil {
			return err
		}
		seen := observe(report)
		for n := range concerned {
			switch channel := &concerned[n]; {
			case newsworthy(channel, seen):
				r.observations.add(channel.UID, seen)
				wake[client.ObjectKeyFromObject(channel)] = channel
			case !seen.sent.IsZero():
				r.observations.add(channel.UID, seen) // for the next write
			}
		}
	}
	for _, channel := range wake {
		if err := send(ctx, r.channels, channel); err != nil {
			return err
		}
	}
	return nil
}

// concerned are the channels that a report is about: those of its line, since another line of the number is another tenant's. A handshake
// that nobody recognised names none, and may be of everybody who is entering callback URL and verify token at Meta.
func (r *reports) concerned(ctx context.Context, report *serverapi.Report) ([]v1alpha1.WhatsAppChannel, error) {
	if report.Kind != serverapi.KindVerifyTokenMismatch {
		return r.ofLine(ctx, report.LineID)
	}
	var all v1alpha1.WhatsAppChannelList
	if err := r.client.List(ctx, &all); err != nil {
		return nil, fmt.Errorf("list WhatsAppChannels: %w", err)
	}
	return slices.DeleteFunc(all.Items, func(channel v1alpha1.WhatsAppChannel) bool {
		return channel.Spec.Source.Direct == nil || channel.Status.VerifyTokenSecretRef == nil || verified(&channel)
	}), nil
}

// ofLine finds the channels of a line: there are several while some wait for a number that another one in their namespace serves.
func (r *reports) ofLine(ctx context.Context, line string) ([]v1alpha1.WhatsAppChannel, error) {
	if line == "" {
		return nil, nil
	}
	var channels v1alpha1.WhatsAppChannelList
	if err := r.client.List(ctx, &channels, client.MatchingFields{fieldLine: line}); err != nil {
		return nil, fmt.Errorf("list the WhatsAppChannels of a line: %w", err)
	}
	return channels.Items, nil
}

// observe is what a report says of its channel.
func observe(report *serverapi.Report) observation {
	detail := &report.Detail
	switch {
	case detail.Traffic != nil:
		return observation{
			first: detail.Traffic.FirstReceived, received: detail.Traffic.LastReceived, sent: detail.Traffic.LastSent, standby: detail.Traffic.LastStandby,
		}
	case detail.Webhook != nil:
		// A person has just entered the callback URL, perhaps: look what Meta says.
		return observation{proof: detail.Webhook.Proof, recheck: detail.Webhook.Proof == serverapi.Handshake}
	case detail.Security != nil:
		return observation{signatureFailing: detail.Security.Reason == serverapi.BadSignature}
	case detail.Assistant != nil && detail.Assistant.Source != nil:
		return observation{sources: &sourceNews{byField: map[string]*serverapi.Assistant{detail.Assistant.Source.Field: detail.Assistant}}}
	case report.Kind == serverapi.KindVerifyTokenMismatch:
		return observation{tokenMismatch: true}
	case detail.Assistant != nil && (detail.Assistant.Catalog != nil || detail.Assistant.Reason == serverapi.ReasonCatalogInvalid):
		return observation{catalog: detail.Assistant}
	case detail.Assistant != nil && detail.Assistant.Tool != "":
		return observation{tools: map[string]*serverapi.Assistant{detail.Assistant.Tool: detail.Assistant}}
	case detail.Assistant != nil:
		capability := cmp.Or(detail.Assistant.Capability, string(runtimeconfig.CapabilityChat))
		return observation{models: map[string]*serverapi.Assistant{capability: detail.Assistant}}
	case detail.Limit != nil:
		return observation{limits: map[string]time.Time{detail.Limit.Limit: report.Time}}
	case report.Kind == serverapi.KindTokenRejected, report.Kind == serverapi.KindLineParked, report.Kind == serverapi.KindAccountEvent:
		return observation{recheck: true}
	default:
		return observation{}
	}
}

// newsworthy says whether an observation can change a channel's status. Traffic of an hour before the one that is shown can't.
func newsworthy(channel *v1alpha1.WhatsAppChannel, seen observation) bool {
	if seen.tokenMismatch {
		return !hasReason(channel, v1alpha1.ConditionWebhookVerified, v1alpha1.ReasonVerifyTokenMismatch)
	}
	if seen.recheck || seen.signatureFailing || seen.ofAssistant() || seen.proof != "" && !verified(channel) {
		return true
	}
	if !seen.standby.IsZero() {
		return true
	}
	shown := ptr.Deref(channel.Status.Traffic, v1alpha1.TrafficStatus{})
	// A second report of the same hour means that copies came in between, perhaps not shown yet.
	return laterHour(shown, seen) || shown.LastSentAt == nil && !seen.sent.IsZero() || !seen.received.IsZero() && !seen.received.Before(timeOf(shown.LastReceivedAt))
}

// hasReason says whether a condition of the channel has a reason.
func hasReason(channel *v1alpha1.WhatsAppChannel, conditionType, reason string) bool {
	c := apimeta.FindStatusCondition(channel.Status.Conditions, conditionType)
	return c != nil && c.Reason == reason
}

// verified says whether WebhookVerified tells this already.
func verified(channel *v1alpha1.WhatsAppChannel) bool {
	return apimeta.IsStatusConditionTrue(channel.Status.Conditions, v1alpha1.ConditionWebhookVerified)
}

// wakeRequests wakes the requests that wait for a tester or for a test message.
func (r *reports) wakeRequests(ctx context.Context, report *serverapi.Report) error {
	var all v1alpha1.OnboardingRequestList
	if err := r.client.List(ctx, &all, client.InNamespace(report.Namespace)); err != nil {
		return fmt.Errorf("list OnboardingRequests: %w", err)
	}
	for i := range all.Items {
		if all.Items[i].Spec.TestMessage != nil && all.Items[i].Status.PhoneNumberID == report.PhoneNumberID {
			if err := send(ctx, r.requests, &all.Items[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func send(ctx context.Context, to chan<- event.GenericEvent, obj client.Object) error {
	select {
	case to <- event.GenericEvent{Object: obj}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
