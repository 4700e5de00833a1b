package controllers

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
)

const (
	// fieldLine is the index of channels by line, fieldOnHold that of those whose status says that nothing can be sent.
	fieldLine   = "status.lineID"
	fieldOnHold = "status.sendsOnHold"
	onHold      = "true"
	// holdsGone is in how many pulls in a row a line must be able to send before that is believed: the webhook-server lets a line go on every
	// ten minutes to try some messages, and it is on hold again as soon as that is refused.
	holdsGone = 15
)

func indexHolds(mgr ctrl.Manager) error {
	setUp := context.Background() //nolint:forbidigo // nothing runs yet that could be told to stop
	for field, values := range map[string]client.IndexerFunc{fieldLine: lineOf, fieldOnHold: onHoldOf} {
		if err := mgr.GetFieldIndexer().IndexField(setUp, &v1alpha1.WhatsAppChannel{}, field, values); err != nil {
			return fmt.Errorf("index channels by %s: %w", field, err)
		}
	}
	return nil
}

func lineOf(obj client.Object) []string {
	if channel, ok := obj.(*v1alpha1.WhatsAppChannel); ok && channel.Status.LineID != "" {
		return []string{channel.Status.LineID}
	}
	return nil
}

func onHoldOf(obj client.Object) []string {
	if channel, ok := obj.(*v1alpha1.WhatsAppChannel); ok && channel.Status.SendsOnHold != nil {
		return []string{onHold}
	}
	return nil
}

// compareHolds holds the lines that can't send against what channels' statuses say. What is on hold is asked for rather than followed by
// reports: those of a store that was lost will never say that a line goes on.
func (r *reports) compareHolds(ctx context.Context, server *serverapi.Client) error {
	parked, err := server.ParkedLines(ctx)
	if err != nil {
		return fmt.Errorf("ask which lines are on hold: %w", err)
	}
	there := map[string]bool{}
	for i := range parked {
		there[parked[i].LineID] = true
		channels, err := r.ofLine(ctx, parked[i].LineID)
		if err != nil {
			return err
		}
		for n := range channels {
			if shows(&channels[n], &parked[i]) {
				continue
			}
			if err := r.tellHold(ctx, &channels[n], parked[i]); err != nil {
				return err
			}
		}
	}
	return r.endHolds(ctx, there)
}

// endHolds tells channels that can send again.
func (r *reports) endHolds(ctx context.Context, there map[string]bool) error {
	var held v1alpha1.WhatsAppChannelList
	if err := r.client.List(ctx, &held, client.MatchingFields{fieldOnHold: onHold}); err != nil {
		return fmt.Errorf("list the WhatsAppChannels on hold: %w", err)
	}
	before := r.goneOn
	r.goneOn = map[types.UID]int{}
	for i := range held.Items {
		channel := &held.Items[i]
		if there[channel.Status.LineID] {
			continue
		}
		if n := before[channel.UID] + 1; n < holdsGone {
			r.goneOn[channel.UID] = n
			continue
		}
		if err := r.tellHold(ctx, channel, serverapi.ParkedLine{}); err != nil {
			return err
		}
	}
	return nil
}

func (r *reports) tellHold(ctx context.Context, channel *v1alpha1.WhatsAppChannel, hold serverapi.ParkedLine) error {
	r.observations.add(channel.UID, observation{hold: &hold})
	return send(ctx, r.channels, channel)
}

// shows says whether a channel's status tells of a hold. When it began is not compared: a line that is tried in vain is on hold anew.
func shows(channel *v1alpha1.WhatsAppChannel, hold *serverapi.ParkedLine) bool {
	shown := channel.Status.SendsOnHold
	if shown == nil || hold.Reason == "" {
		return shown == nil && hold.Reason == ""
	}
	return shown.Reason == clip(hold.Reason, maxWordShown)
}

// holdIsNew says whether what was reported is another than what status shows.
func (s *channelScope) holdIsNew() bool {
	return s.news.hold != nil && !shows(s.channel, s.news.hold)
}

// recordHold shows why nothing can be sent.
func (s *channelScope) recordHold() {
	if !s.holdIsNew() {
		return
	}
	hold := s.news.hold
	if hold.Reason == "" {
		s.channel.Status.SendsOnHold = nil
		return
	}
	since := hold.Since
	if since.IsZero() || since.After(s.now.Time) {
		since = s.now.Time
	}
	s.channel.Status.SendsOnHold = &v1alpha1.HoldStatus{
		Reason: clip(hold.Reason, maxWordShown), Since: new(metav1.NewTime(since.Truncate(time.Second))),
	}
}

// holdProblem tells why nothing can be sent; empty if something can.
func (s *channelScope) holdProblem() (reason, message string) {
	hold := s.channel.Status.SendsOnHold
	if hold == nil {
		return "", ""
	}
	account := s.channel.Status.BusinessAccountID
	var why, remedy string
	goesOn := "Some are tried every ten minutes, and the others follow when Meta takes them"
	switch hold.Reason {
	case v1alpha1.ReasonPaymentRequired:
		why = fmt.Sprintf("nobody pays for the WhatsApp Business account %s (Meta's code 131042)", account)
		remedy = "let the business see to its payment method in WhatsApp Manager (Billing), or, if the platform's credit line pays, ask the platform team"
		if ref := s.channel.Spec.Source.OnboardingRequestRef; ref != nil {
			remedy += ", which finds the share in CreditShared of the OnboardingRequest " + ref.Name
		}
	case v1alpha1.ReasonInvalidAccessToken:
		why, remedy = "the access token is dead (Meta's code 190)", s.tokenAdvice()
		goesOn = "They go out as soon as there is another token; some are tried every ten minutes, should Meta take this one again"
	case v1alpha1.ReasonPermissionDenied:
		why = fmt.Sprintf("the access token may not send for the WhatsApp Business account %s", account)
		remedy = "give its system user access to the account and the permission whatsapp_business_messaging, or " + s.tokenAdvice()
	case v1alpha1.ReasonNotRegistered:
		why = "the number is not registered (Meta's code 133010 or 131045)"
		remedy = "see the number in WhatsApp Manager (Phone numbers), and register it"
		if ref := s.channel.Spec.Source.OnboardingRequestRef; ref != nil {
			remedy = fmt.Sprintf("set the annotation %s of the OnboardingRequest %s to the present time, which registers a number that isn't",
				v1alpha1.RequestedAtAnnotation, ref.Name)
		}
	default:
		why, remedy = "Meta refuses it", "see the webhook-server's log for Meta's code, and mend what it names"
	}
	return hold.Reason, fmt.Sprintf("Nothing is sent since %s, neither by the assistant nor by people: %s. To mend it, %s. "+
		"Messages wait meanwhile. %s; the assistant's replies that are older than spec.assistant.maxReplyAge by then are dropped.",
		hold.Since.UTC().Format(timeShown), why, remedy, goesOn)
}
