package controllers

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
)

func TestCursorIsKeptLateAndOnlyWhenItMoved(t *testing.T) {
	writes := 0
	c := &countingClient{Client: fake.NewClientBuilder().Build(), writes: &writes}
	r := &reports{client: c, live: c, options: Options{}.withDefaults()}
	if err := r.restore(t.Context()); err != nil {
		t.Fatal(err)
	}
	minute := func() {
		t.Helper()
		r.keptAt = time.Now().Add(-2 * cursorInterval)
		if err := r.keep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	stored := func() string {
		t.Helper()
		cm := &corev1.ConfigMap{}
		if err := c.Get(t.Context(), client.ObjectKey{Namespace: systemNamespace, Name: cursorName}, cm); err != nil {
			t.Fatal(err)
		}
		return cm.Data[cursorKey]
	}
	minute()
	if writes != 0 {
		t.Fatal("nothing was reported, and yet a cursor was written")
	}
	r.next = "7"
	if err := r.keep(t.Context()); err != nil || writes != 0 {
		t.Fatalf("the cursor was written within the interval: %v", err)
	}
	minute()
	if writes != 0 {
		t.Error("the cursor was kept before the reports up to it had time to be handled")
	}
	minute()
	if got := stored(); got != "7" {
		t.Errorf("kept %q", got)
	}
	kept := writes
	minute()
	minute()
	if writes != kept {
		t.Error("a cursor that did not move was written again")
	}

	again := &reports{client: c, live: c, options: r.options}
	if err := again.restore(t.Context()); err != nil || again.next != "7" {
		t.Errorf("a restart goes on from %q: %v", again.next, err)
	}
}

func TestObservationsMerge(t *testing.T) {
	hour := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	var store observations
	store.add("a", observation{signatureFailing: true, received: hour})
	store.add("a", observation{proof: serverapi.Handshake, received: hour.Add(-time.Hour), sent: hour})
	got := store.take("a")
	if diff := cmp.Diff(observation{signatureFailing: true, proof: serverapi.Handshake, received: hour, sent: hour}, got, cmp.AllowUnexported(observation{})); diff != "" {
		t.Errorf("a handshake proves nothing of signatures: %s", diff)
	}
	if left := store.take("a"); !left.empty() {
		t.Error("what was taken is still there")
	}
	store.add("a", observation{proof: serverapi.Delivery})
	store.giveBack("a", got)
	if got := store.take("a"); got.signatureFailing || got.proof != serverapi.Delivery || !got.received.Equal(hour) {
		t.Errorf("what is given back overrides what came later: %+v", got)
	}
}

func TestLatestTrafficSaysWhoOwnsTheChats(t *testing.T) {
	hour := func(n int) time.Time { return time.Date(2026, 11, 21, n, 0, 0, 0, time.UTC) }
	own := func(n int) observation { return observation{received: hour(n)} }
	copies := func(n int) observation { return observation{standby: hour(n)} }
	for _, tc := range []struct {
		why  string
		seen []observation
		want time.Time
	}{
		{"only copies", []observation{copies(9)}, hour(9)},
		{"copies after messages of the same hour", []observation{own(9), copies(9)}, hour(9)},
		{"messages after copies of the same hour", []observation{copies(9), own(9)}, time.Time{}},
		{"copies of a later hour", []observation{copies(9), own(9), copies(10)}, hour(10)},
		{"old messages are read again", []observation{copies(9), own(8)}, hour(9)},
		{"old copies are read again", []observation{own(9), copies(8)}, time.Time{}},
		{"nothing new", []observation{copies(9), {sent: hour(9)}}, hour(9)},
	} {
		s := &channelScope{channel: &v1alpha1.WhatsAppChannel{}}
		for _, seen := range tc.seen { // reconciled one by one
			s.news = seen
			s.recordTraffic()
		}
		if got := timeOf(s.channel.Status.Traffic.LastStandbyAt); !got.Equal(tc.want) {
			t.Errorf("%s: status says %v, want %v", tc.why, got, tc.want)
		}
		var merged observation
		for _, seen := range tc.seen { // and together
			merged.merge(seen)
		}
		s = &channelScope{channel: &v1alpha1.WhatsAppChannel{}, news: merged}
		s.recordTraffic()
		if got := timeOf(s.channel.Status.Traffic.LastStandbyAt); !got.Equal(tc.want) {
			t.Errorf("%s: merged, status says %v, want %v", tc.why, got, tc.want)
		}
	}
}

// TestBothDirectionsAreShown lets messages come and go in one hour: the second direction costs no write of its own while there are others, and
// shows in the end.
func TestBothDirectionsAreShown(t *testing.T) {
	hour := func(n int) time.Time { return time.Date(2026, 11, 21, n, 0, 0, 0, time.UTC) }
	var pending observations
	channel := &v1alpha1.WhatsAppChannel{ObjectMeta: metav1.ObjectMeta{UID: "shop"}}
	look := func(now time.Time) (received, sent time.Time) {
		s := &channelScope{channel: channel, news: pending.take(channel.UID), now: metav1.NewTime(now)}
		s.recordTraffic()
		pending.giveBack(channel.UID, s.unshownTraffic())
		shown := ptr.Deref(channel.Status.Traffic, v1alpha1.TrafficStatus{})
		return timeOf(shown.LastReceivedAt), timeOf(shown.LastSentAt)
	}
	for i, step := range []struct {
		seen                observation
		now, received, sent int // hours
	}{
		{observation{received: hour(9)}, 9, 9, 0},
		{observation{sent: hour(9)}, 9, 9, 9}, // the first of all
		{observation{received: hour(10)}, 10, 10, 9},
		{observation{sent: hour(10)}, 10, 10, 9},
		{observation{received: hour(11)}, 11, 11, 10},
		{observation{sent: hour(11)}, 11, 11, 10},
		{observation{}, 12, 11, 10},
		{observation{}, 13, 11, 11},
		{observation{sent: hour(14)}, 14, 11, 14},
		{observation{received: hour(14)}, 14, 11, 14},
		{observation{}, 16, 14, 14},
	} {
		pending.add(channel.UID, step.seen)
		received, sent := look(hour(step.now).Add(time.Minute))
		if step.sent == 0 && sent.IsZero() && received.Equal(hour(step.received)) {
			continue
		}
		if !received.Equal(hour(step.received)) || !sent.Equal(hour(step.sent)) {
			t.Errorf("step %d shows %s and %s, want %d and %d o'clock", i, received.Format("15"), sent.Format("15"), step.received, step.sent)
		}
	}
}

func TestEndpointURLs(t *testing.T) {
	slices := []discoveryv1.EndpointSlice{
		{
			Ports: []discoveryv1.EndpointPort{{Port: new(int32(8081))}},
			Endpoints: []discoveryv1.Endpoint{
				{Addresses: []string{"10.0.0.2"}},
				{Addresses: []string{"10.0.0.1"}, Conditions: discoveryv1.EndpointConditions{Ready: new(true)}},
				{Addresses: []string{"10.0.0.3"}, Conditions: discoveryv1.EndpointConditions{Ready: new(false)}},
			},
		},
		{Ports: []discoveryv1.EndpointPort{{Port: new(int32(8081))}}, Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}}, {Addresses: []string{"fd00::1"}}}},
		{Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.9"}}}},
	}
	want := []string{"http://10.0.0.1:8081", "http://10.0.0.2:8081", "http://[fd00::1]:8081"}
	if diff := cmp.Diff(want, endpointURLs(slices)); diff != "" {
		t.Error(diff)
	}
}

// countingClient counts writes.
type countingClient struct {
	client.Client
	writes *int
}

func (c *countingClient) Create(ctx context.Context, obj client.Object, opts ...client.CreateOption) error {
	*c.writes++
	return c.Client.Create(ctx, obj, opts...)
}

func (c *countingClient) Update(ctx context.Context, obj client.Object, opts ...client.UpdateOption) error {
	err := c.Client.Update(ctx, obj, opts...)
	if err == nil {
		*c.writes++
	}
	return err
}
