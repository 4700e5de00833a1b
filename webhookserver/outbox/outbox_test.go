package outbox

import (
	"context"
	"fmt"
	"io"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

func TestDeliver(t *testing.T) {
	w := newWorld(t)
	w.enqueue("1555", "line-a", "4911", "one", "two", "three")
	w.run(w.outbox())
	w.eventually("line-a", "accepted, accepted, accepted")
	if got := w.graph.texts(); got != "one, two, three" {
		t.Errorf("order of a conversation: %s", got)
	}
	first, row := w.graph.all()[0], w.rows("line-a")[0]
	want := sent{Path: "/v25.0/1555/messages", Token: "Bearer " + token, Proof: true, Body: map[string]any{
		"messaging_product": "whatsapp", "recipient_type": "individual", "to": "+4911", "type": "text",
		"text": map[string]any{"body": "one", "preview_url": false}, "biz_opaque_callback_data": row.ID,
	}}
	if diff := cmp.Diff(want, first); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	if row.WAMID != "wamid.out.1" {
		t.Errorf("the row has the message id %q", row.WAMID)
	}
	if strings.Contains(w.logged.String(), "wamid") {
		t.Errorf("a message id is in the log:\n%s", w.logged.String())
	}
}

func TestDeliverNamesTheMessagingAccountOnlyIfConfigured(t *testing.T) {
	w := newWorld(t)
	w.serve("1555", "line-a", func(c *runtimeconfig.Channel) { c.MessagingAccountID = "888" })
	w.enqueue("1555", "line-a", "4911", "one")
	w.run(w.outbox())
	w.eventually("line-a", "accepted")
	if got := w.graph.all()[0].Body["messaging_account_id"]; got != "888" {
		t.Errorf("messaging_account_id is %v", got)
	}
}

func TestRefusals(t *testing.T) {
	for _, tc := range []struct {
		reason       string
		status, code int
		want         string
		parked       string
	}{
		{"a dead token parks the line", 401, 190, "pending TokenInvalid", "InvalidAccessToken"},
		{"a lost permission", 403, 10, "pending PermissionDenied", "PermissionDenied"},
		{"a lost asset", 403, 230, "pending PermissionDenied", "PermissionDenied"},
		{"nobody pays", 400, 131042, "pending Payment", "PaymentRequired"},
		{"not properly registered", 500, 131045, "pending NotRegistered", "NotRegistered"},
		{"not registered", 400, 133010, "pending NotRegistered", "NotRegistered"},
		{"the window is closed", 400, 131047, "failed WindowClosed", ""},
		{"undeliverable", 400, 131026, "failed Undeliverable", ""},
		{"a wrong parameter", 400, 131009, "failed Invalid", ""},
		{"an internal error may have sent it", 500, 131000, "unknown Ambiguous", ""},
		{"unavailable may have sent it", 500, 131016, "unknown Ambiguous", ""},
		{"throughput", 400, 130429, "pending RateLimited", ""},
		{"the account's call limit", 400, 80007, "pending RateLimited", ""},
		{"the pair's limit", 400, 131056, "pending PairRateLimit", ""},
		{"maintenance", 500, 131057, "pending Maintenance", ""},
	} {
		w := newWorld(t)
		w.graph.answers(refuse(tc.status, tc.code))
		w.enqueue("1555", "line-a", "4911", "one", "two")
		stop := w.run(w.outbox())
		rest := ", pending"
		if strings.HasPrefix(tc.want, "failed") {
			rest = ", " + tc.want // the next row has its own try
		}
		w.eventually("line-a", tc.want+rest)
		stop()
		if n := len(w.graph.all()); n > 2 || (n > 1 && !strings.HasPrefix(tc.want, "failed")) {
			t.Errorf("%s: %d calls", tc.reason, n)
		}
		parked, err := w.store.ParkedLines(w.Context())
		w.must(err)
		if got := parkedReason(parked); got != tc.parked {
			t.Errorf("%s: parked %q, want %q", tc.reason, got, tc.parked)
		}
		if tc.want == "failed Undeliverable" && w.rows("line-a")[0].ErrorCode != tc.code {
			t.Errorf("%s: error code %d", tc.reason, w.rows("line-a")[0].ErrorCode)
		}
		if log := w.logged.String(); strings.Contains(log, "supersecret") || strings.Contains(log, "Atrace") {
			t.Errorf("%s: the log tells too much:\n%s", tc.reason, log)
		}
	}
}

func parkedReason(parked []store.ParkedLine) string {
	if len(parked) == 0 {
		return ""
	}
	return parked[0].Reason
}

func TestParkedLineWaitsForItsCredential(t *testing.T) {
	w := newWorld(t)
	w.serve("1666", "line-b")
	w.graph.answers(func(n int, s sent) (int, string) {
		if s.Path == "/v25.0/1555/messages" && s.Token == "Bearer "+token {
			return refuse(401, 190)(n, s)
		}
		return accept(n, s)
	})
	w.enqueue("1555", "line-a", "4911", "one")
	b := w.outbox()
	w.run(b)
	w.until("the line is parked", func() bool {
		parked, err := w.store.ParkedLines(w.Context())
		w.must(err)
		return len(parked) == 1
	}, func() string { return w.states("line-a") })
	w.eventually("line-a", "pending TokenInvalid") // kept after the parking
	w.enqueue("1666", "line-b", "4922", "another line goes on")
	w.eventually("line-b", "accepted")

	b.tend(w.Context())
	parked, err := w.store.ParkedLines(t.Context())
	w.must(err)
	if got := w.states("line-a"); got != "pending TokenInvalid" || len(parked) != 1 {
		t.Errorf("with the same token: %s, parked %v", got, parked)
	}
	w.serve("1555", "line-a", func(c *runtimeconfig.Channel) { c.AccessToken = redact.New("EAAGanothertoken0123456789") })
	b.tend(w.Context())
	w.eventually("line-a", "accepted")
	got := w.reports()
	if len(got) != 3 || !strings.HasPrefix(got[0], "TokenRejected ") || !strings.HasPrefix(got[1], "LineParked ") || got[2] != "LineResumed {}" {
		t.Errorf("reports: %q", got)
	}
	for _, part := range []string{`"reason":"InvalidAccessToken"`, `"code":190`, `"credentialRevision":"`} {
		if !strings.Contains(got[0], part) {
			t.Errorf("the report lacks %s: %s", part, got[0])
		}
	}
}

func TestParkedLineIsProbedWhenItMayHaveBeenMended(t *testing.T) {
	for _, tc := range []struct{ status, code, reports int }{
		{400, 131042, 1}, {403, 200, 1}, {400, 133010, 1},
		{401, 190, 2}, // which has a report of its own: its user or app may have been barred for a while only
	} {
		w := newWorld(t)
		w.graph.answers(refuse(tc.status, tc.code))
		w.enqueue("1555", "line-a", "4911", "one", "two")
		b := w.outbox()
		w.run(b)
		told := func(n int) {
			w.until(fmt.Sprintf("%d reports of code %d", n, tc.code), func() bool { return len(w.reports()) == n }, func() string { return fmt.Sprint(w.reports()) })
		}
		told(tc.reports)
		b.tend(w.Context())
		w.advance(probeAfter)
		b.tend(w.Context())
		told(2*tc.reports + 1) // the probe is refused
		if n := len(w.graph.all()); n != 2 {
			t.Errorf("code %d: %d calls, want one and one probe", tc.code, n)
		}
		w.graph.answers(accept)
		w.advance(probeAfter)
		b.tend(w.Context())
		w.eventually("line-a", "accepted, accepted")
	}
}

func TestClockOfTheProcessDecidesNothing(t *testing.T) {
	for _, ahead := range []time.Duration{probeAfter, -probeAfter} {
		w := newWorld(t)
		w.ahead = ahead
		w.graph.answers(refuse(400, 131042))
		w.enqueue("1555", "line-a", "4911", "one")
		b := w.outbox()
		w.run(b)
		w.eventually("line-a", "pending Payment")
		b.tend(w.Context())
		if parked, err := w.store.ParkedLines(w.Context()); err != nil || len(parked) != 1 {
			t.Errorf("%s ahead, the line is probed at once: %v, %v", ahead, parked, err)
		}
		w.graph.answers(refuse(400, 131056))
		w.advance(probeAfter)
		b.tend(w.Context())
		w.eventually("line-a", "pending PairRateLimit")
		w.graph.answers(accept)
		w.advance(16 * time.Second) // 4^2
		w.eventually("line-a", "accepted")
		if n := len(w.graph.all()); n != 3 {
			t.Errorf("%s ahead, %d calls", ahead, n)
		}
	}
}

func TestPaymentThatAStatusReportsParksTheLine(t *testing.T) {
	w := newWorld(t)
	w.enqueue("1555", "line-a", "4911", "one")
	b := w.outbox()
	w.run(b)
	w.eventually("line-a", "accepted")
	failure := func(code int) {
		_, err := w.store.Ingest(w.Context(), &store.Delivery{App: "42", Statuses: []store.Status{{
			Line: "line-a", PhoneNumberID: "1555", WAMID: fmt.Sprintf("wamid.failed.%d", code), Kind: store.StatusFailed, ErrorCode: code,
			EventTime: w.clock(), Raw: []byte("{}"),
		}}})
		w.must(err)
	}
	failure(131026)
	b.tend(w.Context())
	if parked, err := w.store.ParkedLines(w.Context()); err != nil || len(parked) != 0 {
		t.Fatalf("a customer who can't be reached parks nobody: %v, %v", parked, err)
	}
	failure(131042)
	b.tend(w.Context())
	parked, err := w.store.ParkedLines(w.Context())
	w.must(err)
	if got := parkedReason(parked); got != "PaymentRequired" {
		t.Fatalf("parked for %q", got)
	}
	w.advance(probeAfter)
	b.tend(w.Context())
	b.tend(w.Context())
	if parked, err := w.store.ParkedLines(w.Context()); err != nil || len(parked) != 0 {
		t.Errorf("the same failure parks it again: %v, %v", parked, err)
	}
}

func TestThreadOfAnotherResponder(t *testing.T) {
	standby := func(w *world) {
		_, err := w.store.Ingest(w.Context(), &store.Delivery{App: "42", Messages: []store.InboundMessage{{
			Line: "line-a", PhoneNumberID: "1555", WAMID: "wamid.standby", From: store.Identity{Phone: "4911"}, Source: store.SourceStandby,
			Type: "text", Text: "to the other one", EventTime: w.clock(), OpensWindow: true, Raw: []byte("{}"),
		}}})
		w.must(err)
	}
	for _, tc := range []struct {
		reason  string
		code    int
		prepare func(*world)
		want    string
	}{
		{"Meta says so", 2494191, nil, "failed NotThreadOwner, failed NotThreadOwner"},
		{"an unknown error after another responder was seen", 131777, standby, "failed NotThreadOwner, failed NotThreadOwner"},
		{"an unknown error of a thread that is ours alone", 131777, nil, "failed Unclassified, failed Unclassified"},
	} {
		w := newWorld(t)
		w.graph.answers(refuse(400, tc.code))
		w.enqueue("1555", "line-a", "4911", "one", "two")
		if tc.prepare != nil {
			tc.prepare(w)
		}
		w.run(w.outbox())
		w.eventually("line-a", tc.want)
		want := 1
		if strings.Contains(tc.want, "Unclassified") {
			want = 2
		}
		if n := len(w.graph.all()); n != want {
			t.Errorf("%s: %d calls, want %d", tc.reason, n, want)
		}
	}
}

func TestRateIsSharedByThoseWhoSend(t *testing.T) {
	w := newWorld(t)
	alive := 0
	count := func() bool {
		var err error
		alive, err = w.store.Beat(w.Context(), "another")
		w.must(err)
		return alive == 2
	}
	stop := w.run(w.outbox())
	w.until("both count", count, func() string { return fmt.Sprint(alive) })
	stop()
	count()
	if alive != 1 {
		t.Errorf("%d share the rate after one has ended", alive)
	}
}

func TestSendsWaitForAProxyThatRefusesThem(t *testing.T) {
	w := newWorld(t)
	w.graph.answers(func(n int, s sent) (int, string) {
		if n == 1 {
			return 403, "<html>Access to graph.facebook.com is denied</html>"
		}
		return accept(n, s)
	})
	w.enqueue("1555", "line-a", "4911", "one")
	w.run(w.outbox())
	w.eventually("line-a", "pending BadResponse")
	w.advance(2 * time.Second)
	w.eventually("line-a", "accepted")
}

func TestSendsWaitForARotatedAppSecret(t *testing.T) {
	w := newWorld(t)
	w.graph.answers(func(n int, s sent) (int, string) {
		if n == 1 {
			return 400, `{"error":{"message":"Invalid appsecret_proof provided in the API argument","type":"GraphMethodException","code":100}}`
		}
		return accept(n, s)
	})
	w.enqueue("1555", "line-a", "4911", "one")
	w.run(w.outbox())
	w.eventually("line-a", "pending AppSecretProofInvalid")
	w.advance(maxSecretBackoff)
	w.eventually("line-a", "accepted")
}

// TestNumberReachesItsRate: Meta takes half a second for a send, and an ordinary number may send 80 in a second.
func TestNumberReachesItsRate(t *testing.T) {
	const together = 40
	w := newWorld(t)
	for i := range together {
		w.enqueue("1555", "line-a", fmt.Sprintf("49110%04d", i), "hello")
	}
	var calls atomic.Int32
	all := make(chan struct{})
	w.graph.answers(func(n int, s sent) (int, string) {
		if calls.Add(1) == together {
			close(all)
		}
		select {
		case <-all:
		case <-time.After(deadline):
			t.Errorf("%d sends are under way, want %d", calls.Load(), together)
		}
		return accept(n, s)
	})
	w.run(w.outboxOf(0))
	w.eventually("line-a", strings.Repeat("accepted, ", together-1)+"accepted")
}

func TestBusyLineDoesNotStarveOthers(t *testing.T) {
	const customers, each, few = 100, 100, 5
	w := newWorld(t)
	unlimited := func(c *runtimeconfig.Channel) { c.MessagesPerSecond = 1_000_000 }
	w.serve("1555", "line-a", unlimited)
	w.serve("1666", "line-b", unlimited)
	texts := make([]string, each)
	for i := range texts {
		texts[i] = "bulk"
	}
	for i := range customers {
		w.enqueue("1555", "line-a", fmt.Sprintf("49110%04d", i), texts...)
	}
	w.run(w.outbox())
	w.until("the busy line is being served", func() bool { return len(w.graph.all()) > 10 }, w.graph.texts)
	for i := range few {
		w.enqueue("1666", "line-b", fmt.Sprintf("49220%04d", i), "urgent")
	}
	before := len(w.graph.all())
	w.eventually("line-b", "accepted, accepted, accepted, accepted, accepted")
	if n := len(w.graph.all()) - before - few; n > customers*each/10 {
		t.Errorf("%d messages of the busy line went first", n)
	}
	if left := customers*each - len(w.graph.all()); left <= 0 {
		t.Error("the busy line was done: this proves nothing")
	}
}

// TestSlowCallsOfSomeLinesDoNotHoldUpOthers lets each call of some lines take as long as a call may, as one does while Meta waits for
// the image of a link.
func TestSlowCallsOfSomeLinesDoNotHoldUpOthers(t *testing.T) {
	const slow = 3
	w := newWorld(t)
	var held atomic.Int32
	release := make(chan struct{})
	w.graph.answers(func(n int, s sent) (int, string) {
		if s.Path != "/v25.0/1555/messages" {
			held.Add(1)
			<-release
		}
		return accept(n, s)
	})
	for i := range slow {
		number, line := fmt.Sprintf("166%d", i), fmt.Sprintf("line-slow-%d", i)
		w.serve(number, line)
		for customer := range perLine {
			w.enqueue(number, line, fmt.Sprintf("49110%04d", customer), "slow")
		}
	}
	stop := w.run(w.outboxOf(0))
	w.until("the slow lines have all that they may", func() bool { return held.Load() >= min(slow*perLine, defaultWorkers) }, func() string {
		return fmt.Sprint(held.Load())
	})
	w.enqueue("1555", "line-a", "4911", "quick")
	for end := time.Now().Add(callTimeout / 2); time.Now().Before(end) && w.states("line-a") != "accepted"; { // before the slow calls end
		<-time.After(2 * time.Millisecond)
	}
	if got := w.states("line-a"); got != "accepted" {
		t.Errorf("while others' calls are slow it is %s", got)
	}
	close(release)
	stop()
}

func TestThrottledLineWaitsAsLongAsTold(t *testing.T) {
	w := newWorld(t)
	w.serve("1666", "line-b")
	w.graph.answers(func(n int, s sent) (int, string) {
		if n == 1 {
			return refuse(500, 131057)(n, s) // maintenance: a minute
		}
		return accept(n, s)
	})
	w.enqueue("1555", "line-a", "4911", "one")
	looks := &counting{Store: w.store}
	b := w.outbox()
	b.store = looks
	w.run(b)
	w.eventually("line-a", "pending Maintenance")
	before := looks.claims.Load() // the look that is under way may have begun before the line was told to wait
	w.until("another look", func() bool { return looks.claims.Load() > before }, func() string { return fmt.Sprint(before) })
	w.enqueue("1555", "line-a", "4922", "another customer of the line")
	w.enqueue("1666", "line-b", "4933", "another line")
	w.eventually("line-b", "accepted")
	if got := w.states("line-a"); got != "pending Maintenance, pending" {
		t.Errorf("the paused line: %s", got)
	}
	w.advance(time.Minute)
	w.eventually("line-a", "accepted, accepted")
}

func TestPairLimitConcernsOneCustomer(t *testing.T) {
	w := newWorld(t)
	w.graph.answers(func(n int, s sent) (int, string) {
		if s.Body["to"] == "+4911" && n <= 2 {
			return refuse(400, 131056)(n, s)
		}
		return accept(n, s)
	})
	w.enqueue("1555", "line-a", "4911", "one")
	w.run(w.outbox())
	w.eventually("line-a", "pending PairRateLimit")
	w.advance(4 * time.Second) // 4^1
	w.until("the second try", func() bool { return len(w.graph.all()) == 2 }, w.graph.texts)
	w.eventually("line-a", "pending PairRateLimit")
	w.enqueue("1555", "line-a", "4922", "somebody else")
	w.eventually("line-a", "pending PairRateLimit, accepted")
	w.advance(16 * time.Second) // 4^2
	w.eventually("line-a", "accepted, accepted")
}

func TestImageThatMetaCouldNotFetchIsSentOnceMore(t *testing.T) {
	link, err := Content{Image: &Image{Link: "https://shop.example/fern.jpg"}}.Payload()
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		reason string
		code   int
		calls  int
		want   string
	}{
		{"its host was away for a moment", 131053, 2, "accepted"},
		{"its host is away", 131053, 2, "failed MediaUpload"},
		{"the customer can't be reached", 131026, 1, "failed Undeliverable"},
	} {
		w := newWorld(t)
		w.graph.answers(func(n int, s sent) (int, string) {
			if n == 2 && tc.want == "accepted" {
				return accept(n, s)
			}
			return refuse(400, tc.code)(n, s)
		})
		w.enqueueDrafts("1555", "line-a", "4911", store.OutboxDraft{Type: "image", Payload: link})
		w.run(w.outbox())
		if tc.calls == 2 {
			w.eventually("line-a", "pending MediaUpload")
			w.advance(2 * time.Second)
		}
		w.eventually("line-a", tc.want)
		if n := len(w.graph.all()); n != tc.calls {
			t.Errorf("%s: %d calls, want %d", tc.reason, n, tc.calls)
		}
	}
}

// hanging is a blob store that does not answer.
type hanging struct{ asked chan time.Duration }

// Get implements Blobs.
func (h hanging) Get(ctx context.Context, _ string) (io.ReadCloser, int64, error) {
	left := time.Duration(math.MaxInt64)
	if end, ok := ctx.Deadline(); ok {
		left = time.Until(end)
	}
	h.asked <- left
	return nil, 0, context.DeadlineExceeded
}

// TestBlobStoreThatHangsIsNotAwaitedForever: a send whose lease runs out while its image is read counts as one that Meta may have, and
// nobody else's image is uploaded while enough of them wait.
func TestBlobStoreThatHangsIsNotAwaitedForever(t *testing.T) {
	payload, err := Content{Image: &Image{Blob: "sent/1", MIMEType: "image/png"}}.Payload()
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.enqueueDrafts("1555", "line-a", "4911", store.OutboxDraft{Type: "image", Payload: payload, BlobKey: "sent/1", BlobBytes: 1})
	b := w.outbox()
	h := hanging{make(chan time.Duration, 100)}
	b.blobs = h
	w.run(b)
	if left := <-h.asked; left > lease-leaseMargin-uploadPatience-callTimeout {
		t.Errorf("the blob store may take %s", left)
	}
	w.eventually("line-a", "pending BlobStoreUnavailable")
}

func TestNumberThatMoved(t *testing.T) {
	w := newWorld(t)
	w.enqueue("1555", "line-a", "4911", "one")
	w.serve("1555", "line-of-another-tenant")
	w.run(w.outbox())
	w.eventually("line-a", "failed NumberMoved")
	if n := len(w.graph.all()); n != 0 {
		t.Errorf("%d calls with another tenant's token", n)
	}
}

func TestNumberThatIsNotServedForAWhile(t *testing.T) {
	w := newWorld(t)
	w.enqueue("1555", "line-a", "4911", "one")
	w.serve("1555", "")
	w.run(w.outbox())
	w.eventually("line-a", "pending NumberNotServed")
	w.serve("1555", "line-a")
	w.advance(absentDelay)
	w.eventually("line-a", "accepted")
}

func TestBadPayloadFails(t *testing.T) {
	for _, payload := range []string{"", "{}", `{"text":{"body":"a"},"image":{"link":"b"}}`, "[]", `{"image":{"caption":"no image"}}`,
		`{"image":{"link":"https://a.example/b.jpg","blob":"c"}}`} {
		if _, err := decodeContent([]byte(payload)); err == nil {
			t.Errorf("%q was taken", payload)
		}
	}
}

func TestEveryContentReachesMeta(t *testing.T) {
	// The payloads are written out: they lie in the database while another version of the server is rolled out.
	for payload, want := range map[string]meta.Message{
		`{"text":{"body":"t"}}`: {Text: &meta.Text{Body: "t"}},
		`{"image":{"link":"https://x.example/a.jpg","caption":"c"}}`:    {Image: &meta.Image{Link: "https://x.example/a.jpg", Caption: "c"}},
		`{"buttons":{"body":"b","buttons":[{"id":"1","title":"One"}]}}`: {Buttons: &meta.Buttons{Body: "b", Buttons: []meta.Button{{ID: "1", Title: "One"}}}},
		`{"list":{"body":"l","button":"o","rows":[{"id":"r","title":"R","description":"d"}]}}`: {List: &meta.List{Body: "l", Button: "o",
			Sections: []meta.Section{{Rows: []meta.Row{{ID: "r", Title: "R", Description: "d"}}}}}},
	} {
		c, err := decodeContent([]byte(payload))
		if err != nil {
			t.Errorf("%s: %v", payload, err)
			continue
		}
		var got meta.Message
		c.fill(&got, "")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", payload, diff)
		}
		if again, err := c.Payload(); err != nil || string(again) != payload {
			t.Errorf("encoded as %s, %v", again, err)
		}
	}
}
