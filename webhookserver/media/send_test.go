package media

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/outbox"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/storetest"
)

// replyWithImage lets a customer write and an image of ours be the reply.
func (w *world) replyWithImage() store.OutboxDraft {
	w.Helper()
	w.arrive("image/png", []byte("like this?"), nil)
	return w.answerWithImage()
}

// replyWithImageTo is replyWithImage for a customer of whom Meta knows nothing: whatever is sent to him is refused.
func (w *world) replyWithImageTo(customer string) {
	w.Helper()
	_, err := w.store.Ingest(w.Context(), &store.Delivery{App: "app", Messages: []store.InboundMessage{{
		Line: "line-a", PhoneNumberID: metasim.DemoDirectPhone, WAMID: "wamid.of." + customer, From: store.Identity{Phone: customer}, Source: store.SourceMessages,
		Type: "text", Text: "how does it look?", EventTime: w.clock(), ReplyWorthy: true, OpensWindow: true, Raw: []byte("{}"),
	}}})
	w.must(err)
	w.answerWithImage()
}

func (w *world) answerWithImage() store.OutboxDraft {
	w.Helper()
	w.advance(store.ReplyDebounce)
	turn, err := storetest.One(w.store.ClaimConversations(w.Context(), store.ClaimRequest{Owner: "test", Lease: time.Minute, PerLineLimit: 10}))
	w.must(err)
	draft, err := Outgoing{Store: w.store, Blobs: w.blobs}.Draft(w.Context(), "line-a", "image/png", []byte("an image"), "yours")
	w.must(err)
	w.must(w.store.CommitReply(w.Context(), turn, []store.OutboxDraft{draft}, store.Outcome{Kind: store.OutcomeAnswered}))
	return draft
}

// send delivers until the test ends. uploaded is called after each upload.
func (w *world) send(uploaded func()) {
	w.Helper()
	w.sendWith(2, func() {}, uploaded)
}

// sendWith is send with so many workers; uploading is called before each upload.
func (w *world) sendWith(workers int, uploading, uploaded func()) {
	w.Helper()
	b, err := outbox.New(outbox.Options{
		Store: w.store, Snapshot: w.snapshot, Blobs: w.blobs, Owner: "test", Workers: workers, Poll: 2 * time.Millisecond, Now: w.clock,
		Client: func(g runtimeconfig.Graph) (outbox.Sender, error) {
			client, err := meta.New(meta.Config{BaseURL: g.BaseURL, Version: g.Version})
			return uploader{client, uploading, uploaded}, err
		},
		Log: logr.Discard(), Metrics: prometheus.NewRegistry(),
	})
	w.must(err)
	ctx, cancel := context.WithCancel(w.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	w.Cleanup(func() {
		cancel()
		w.must(<-done)
	})
}

// uploader lets something happen while an image is uploaded.
type uploader struct {
	outbox.Sender
	uploading, uploaded func()
}

func (u uploader) UploadMedia(ctx context.Context, cred meta.Credential, phoneNumberID string, m meta.MediaUpload) (meta.ID, error) {
	u.uploading()
	id, err := u.Sender.UploadMedia(ctx, cred, phoneNumberID, m)
	u.uploaded()
	return id, err
}

// TestUploadsAreFew: each holds its image in memory.
func TestUploadsAreFew(t *testing.T) {
	const images, together = 20, 8
	w := newWorld(t)
	for i := range images {
		w.replyWithImageTo(fmt.Sprintf("49110%04d", i))
	}
	var mu sync.Mutex
	now, most, done := 0, 0, 0
	full := make(chan struct{})
	w.sendWith(images, func() {
		mu.Lock()
		now++
		if most = max(most, now); now == together && done == 0 {
			close(full)
		}
		mu.Unlock()
		select {
		case <-full:
		case <-time.After(patience):
			t.Error("there are never as many as may be")
		}
	}, func() {
		mu.Lock()
		defer mu.Unlock()
		now, done = now-1, done+1
	})
	for end := time.Now().Add(patience); w.sim.Counters().Calls["upload_media"] < images; <-time.After(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d of %d images are uploaded", w.sim.Counters().Calls["upload_media"], images)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if most != together {
		t.Errorf("%d were uploaded at once, want %d", most, together)
	}
}

// TestImageOfOursIsUploadedOnce lets the first send of an image be refused for a while.
func TestImageOfOursIsUploadedOnce(t *testing.T) {
	w := newWorld(t)
	key := w.replyWithImage().BlobKey
	_, err := w.sim.AddFault(metasim.Fault{Call: "send", Action: metasim.ActionGraphError, Error: &metasim.FaultError{HTTP: 500, Code: 131057}})
	w.must(err)
	w.send(func() {})
	for end := time.Now().Add(patience); w.sim.Counters().Sends[metasim.DemoDirectPhone] == 0; w.advance(time.Second) {
		if time.Now().After(end) {
			t.Fatalf("it is never sent: %+v", w.sim.Counters().Calls)
		}
		<-time.After(5 * time.Millisecond)
	}
	if c := w.sim.Counters().Calls; c["upload_media"] != 1 || c["send"] != 2 {
		t.Errorf("%d uploads and %d sends", c["upload_media"], c["send"])
	}
	chat := w.sim.Conversation(metasim.DemoDirectPhone, metasim.DemoCustomer)
	if last := chat[len(chat)-1]; last.Type != "image" || last.Text != "yours" {
		t.Errorf("the customer got %+v", last)
	}
	w.advance(store.BlobGrace)
	w.must(w.fetcher().sweep(w.Context()))
	if content := w.blob(key); content != "an image" {
		t.Error("the blob of a message that is kept is gone")
	}
}

// TestImageThatCouldNotBeUploaded: an upload is no send, so it may be repeated whatever became of it.
func TestImageThatCouldNotBeUploaded(t *testing.T) {
	for reason, fault := range map[string]metasim.Fault{
		"the answer was lost": {Action: metasim.ActionResetAfter},
		"Meta was not there":  {Action: metasim.ActionHTTPStatus, Status: 503},
		"Meta does not know":  {Action: metasim.ActionGraphError, Error: &metasim.FaultError{HTTP: 500, Code: 131000}},
		"too many calls":      {Action: metasim.ActionGraphError, Error: &metasim.FaultError{HTTP: 400, Code: 130429}},
	} {
		t.Run(reason, func(t *testing.T) {
			w := newWorld(t)
			w.replyWithImage()
			fault.Call = "upload_media"
			_, err := w.sim.AddFault(fault)
			w.must(err)
			w.send(func() {})
			for end := time.Now().Add(patience); w.sim.Counters().Sends[metasim.DemoDirectPhone] == 0; w.advance(time.Second) {
				if time.Now().After(end) {
					t.Fatalf("it is never sent: %+v", w.sim.Counters().Calls)
				}
				<-time.After(5 * time.Millisecond)
			}
			if c := w.sim.Counters().Calls; c["upload_media"] != 2 || c["send"] != 1 {
				t.Errorf("%d uploads and %d sends", c["upload_media"], c["send"])
			}
		})
	}
}

func TestImageThatIsGoneIsNotSent(t *testing.T) {
	w := newWorld(t)
	w.must(w.blobs.Delete(w.Context(), w.replyWithImage().BlobKey))
	w.send(func() {})
	for end := time.Now().Add(patience); ; {
		rows, err := w.store.OutboxRows(w.Context(), "line-a", 0, 10)
		w.must(err)
		if rows[0].State == store.SendFailed && rows[0].Reason == "ImageMissing" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the row is %s %s", rows[0].State, rows[0].Reason)
		}
		<-time.After(2 * time.Millisecond)
	}
}

func TestNobodyIsInterruptedByAnImageThatWasBeingUploaded(t *testing.T) {
	for want, meanwhile := range map[string]func(*world){
		store.ReasonPersonAnswers: func(w *world) {
			_, err := w.store.Ingest(w.Context(), &store.Delivery{App: metasim.DemoDirectAppID, Messages: []store.InboundMessage{{
				Line: "line-a", PhoneNumberID: metasim.DemoDirectPhone, WAMID: "wamid.echo", From: store.Identity{Phone: metasim.DemoCustomer},
				Source: store.SourceEcho, Type: "text", Text: "Petra here.", ByBusiness: true, EventTime: w.clock(), Raw: []byte("{}"),
			}}})
			w.must(err)
		},
		store.ReasonWindowClosed: func(w *world) { w.advance(store.WindowLength) },
		"NumberMoved":            func(w *world) { w.serve("line-of-another-tenant") },
	} {
		t.Run(want, func(t *testing.T) {
			w := newWorld(t)
			w.replyWithImage()
			w.send(func() { meanwhile(w) })
			reason := func() string {
				rows, err := w.store.OutboxRows(w.Context(), "line-a", 0, 10)
				w.must(err)
				return rows[0].Reason
			}
			for end := time.Now().Add(patience); reason() != want; {
				if time.Now().After(end) {
					t.Fatalf("the image is never given up: %s", reason())
				}
				<-time.After(2 * time.Millisecond)
			}
			if c := w.sim.Counters().Calls; c["upload_media"] != 1 || c["send"] != 0 {
				t.Errorf("%d uploads and %d sends", c["upload_media"], c["send"])
			}
		})
	}
}

func TestImageThatCantBeSentIsRefusedBefore(t *testing.T) {
	w := newWorld(t)
	for reason, image := range map[string]struct {
		kind    string
		content []byte
	}{
		"a type that WhatsApp doesn't take": {"image/gif", []byte("GIF89a")},
		"nothing":                           {"image/png", nil},
		"more than WhatsApp takes":          {"image/png", make([]byte, outbox.MaxImageBytes+1)},
	} {
		if _, err := (Outgoing{Store: w.store, Blobs: w.blobs}).Draft(w.Context(), "line-a", image.kind, image.content, ""); !errors.Is(err, ErrImage) {
			t.Errorf("%s: %v", reason, err)
		}
	}
	if _, err := (Outgoing{Store: w.store}).Draft(w.Context(), "line-a", "image/png", []byte("an image"), ""); !errors.Is(err, ErrBlobs) {
		t.Errorf("without a blob store: %v", err)
	}
}
