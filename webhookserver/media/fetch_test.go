package media

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

func TestFetch(t *testing.T) {
	w := newWorld(t)
	w.must(w.sim.Switch(func(s *metasim.Switches) {
		s.MediaNeedsUserAgent, s.MediaRedirects, s.FileSizeAsString = true, true, true
	}))
	wamid := w.arrive("image/jpeg", []byte("<script>a photo</script>"), nil)
	w.run(w.fetcher())
	w.eventually(wamid, "stored")
	m := w.media(wamid)
	if content := w.blob(m.BlobKey); content != "<script>a photo</script>" || m.MIMEType != "image/jpeg" {
		t.Errorf("kept %q as %s", content, m.MIMEType)
	}
	if m.Size != 24 || strings.Contains(m.BlobKey, "wamid") {
		t.Errorf("the row says %+v", m)
	}
	if n := w.sim.Counters().Calls["download_media"]; n != 2 { // the redirect and the file
		t.Errorf("%d downloads", n)
	}
}

// TestBothAnswersToE5AndE6 fetches in each position that the simulator has for what Meta doesn't publish about media: how size and
// digest are written, and whether the media host insists on a user agent or redirects. In all of them the file is kept, and one that is not what
// the digests say is not.
func TestBothAnswersToE5AndE6(t *testing.T) {
	const content = "a photo"
	sum := sha256.Sum256([]byte(content))
	other := sha256.Sum256([]byte("another photo"))
	digests := map[string]func([]byte) string{"hex": hex.EncodeToString, "base64": base64.StdEncoding.EncodeToString}
	for _, tc := range []struct {
		name     string
		switches func(s *metasim.Switches, on bool)
		off, on  int // downloads
	}{
		{"E5: the size is text", func(s *metasim.Switches, on bool) { s.FileSizeAsString = on }, 1, 1},
		{"E5: the digest is base64", func(s *metasim.Switches, on bool) { s.SHA256Base64 = on }, 1, 1},
		{"E6: the host needs a user agent", func(s *metasim.Switches, on bool) { s.MediaNeedsUserAgent = on }, 1, 1},
		{"E6: the host redirects", func(s *metasim.Switches, on bool) { s.MediaRedirects = on }, 1, 2},
	} {
		for _, on := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s: %t", tc.name, on), func(t *testing.T) {
				w := newWorld(t)
				w.must(w.sim.Switch(func(s *metasim.Switches) { tc.switches(s, on) }))
				w.run(w.fetcher())
				downloads := tc.off
				if on {
					downloads = tc.on
				}
				for name, digest := range digests {
					before := w.sim.Counters().Calls["download_media"]
					wamid := w.arrive("image/jpeg", []byte(content), func(m *store.Media) { m.SHA256 = digest(sum[:]) })
					w.eventually(wamid, "stored")
					if m := w.media(wamid); w.blob(m.BlobKey) != content || m.Size != int64(len(content)) {
						t.Errorf("%s in the webhook: the row says %+v, kept is %q", name, m, w.blob(m.BlobKey))
					}
					if n := w.sim.Counters().Calls["download_media"] - before; n != downloads {
						t.Errorf("%s in the webhook: %d downloads, want %d", name, n, downloads)
					}
					wamid = w.arrive("image/jpeg", []byte(content), func(m *store.Media) { m.SHA256 = digest(other[:]) })
					w.eventually(wamid, "pending DigestMismatch") // until its tries are over
					if kept := w.blob(w.media(wamid).BlobKey); kept != "" {
						t.Errorf("%s in the webhook: %q is kept of another file", name, kept)
					}
				}
			})
		}
	}
}

func TestFetchedOnceByTwoProcesses(t *testing.T) {
	w := newWorld(t)
	var all []string
	for range 20 {
		all = append(all, w.arrive("audio/ogg; codecs=opus", []byte("a voice"), nil))
	}
	w.run(w.fetcher())
	w.run(w.fetcher())
	for _, wamid := range all {
		w.eventually(wamid, "stored")
	}
	if n := w.sim.Counters().Calls["download_media"]; n != len(all) {
		t.Errorf("%d downloads of %d files", n, len(all))
	}
}

func TestWhatIsNotFetched(t *testing.T) {
	for _, tc := range []struct {
		reason  string
		kind    string
		content string
		tell    func(*store.Media)
		prepare func(*world)
		want    string
	}{
		{"a photo above WhatsApp's limit", "image/jpeg", strings.Repeat("x", 5*mib+1), nil, nil, "failed TooLarge"},
		{"another file than the webhook told of", "image/jpeg", "a photo", func(m *store.Media) { m.SHA256 = strings.Repeat("ab", 32) }, nil, "failed DigestMismatch"},
		{"a number that moved", "image/jpeg", "a photo", nil, func(w *world) { w.serve("line-of-another-tenant") }, "failed NumberMoved"},
		{"an id that Meta does not know", "image/jpeg", "a photo", func(m *store.Media) { m.ID = "1" }, nil, "failed ObjectNotVisible"},
		{"an address that is always dead", "image/jpeg", "a photo", nil, func(w *world) {
			w.must(w.sim.Switch(func(s *metasim.Switches) { s.MediaURLLifetime = metasim.Duration(time.Nanosecond) }))
		}, "failed ObjectNotVisible"},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			w := newWorld(t)
			if tc.prepare != nil {
				tc.prepare(w)
			}
			wamid := w.arrive(tc.kind, []byte(tc.content), tc.tell)
			w.run(w.fetcher())
			w.wait("it is given up", wamid, func() bool {
				state := w.state(wamid)
				if strings.HasPrefix(state, "pending") { // no time passes while it is fetched: the lease would run out, over and over
					w.advance(time.Minute)
				}
				return strings.HasPrefix(state, "failed")
			})
			if got := w.state(wamid); got != tc.want {
				t.Errorf("it ended as %s, want %s", got, tc.want)
			}
			if content := w.blob(w.media(wamid).BlobKey); content != "" {
				t.Errorf("%d bytes are kept of it", len(content))
			}
		})
	}
}

func TestLimitGoesByWhatTheFileWasSentAs(t *testing.T) {
	w := newWorld(t)
	w.run(w.fetcher())
	for _, tc := range []struct {
		kind, mimeType string
		size           int
		want           string
	}{
		{"document", "image/jpeg", 5*mib + 1, "stored"}, // a photo that keeps its quality
		{"document", "image/webp", mib/2 + 1, "stored"},
		{"document", "video/mp4", 16*mib + 1, "stored"},
		{"image", "image/webp", mib, "stored"},
		{"image", "application/octet-stream", 5*mib + 1, "failed TooLarge"},
		{"sticker", "image/webp", mib/2 + 1, "failed TooLarge"},
		{"voice", "audio/ogg; codecs=opus", 16*mib + 1, "failed TooLarge"},
		{"edit", "image/png", 5*mib + 1, "failed TooLarge"}, // the content type has to tell
	} {
		wamid := w.arriveAs(tc.kind, tc.mimeType, make([]byte, tc.size), nil)
		w.until(tc.kind+" "+tc.mimeType, wamid)
		if got := w.state(wamid); got != tc.want {
			t.Errorf("a %s of %s and %d bytes is %s, want %s", tc.kind, tc.mimeType, tc.size, got, tc.want)
		}
	}
}

func TestLinesAreFetchedForInTurn(t *testing.T) {
	const many = 40
	w := newWorld(t)
	w.serve("line-a")
	for range many {
		w.arrive("image/jpeg", []byte("a photo"), nil)
	}
	w.advance(time.Second)
	_, err := w.store.Ingest(w.Context(), &store.Delivery{App: "another", Messages: []store.InboundMessage{{
		Line: "line-b", PhoneNumberID: "1666", WAMID: "wamid.of.b", From: store.Identity{Phone: metasim.DemoCustomer}, Source: store.SourceMessages,
		Type: "image", Media: &store.Media{ID: "1"}, EventTime: w.clock(), ReplyWorthy: true, OpensWindow: true, Raw: []byte("{}"),
	}}})
	w.must(err)
	k := w.fetcher()
	var lines []string
	for range 3 { // nothing of what is claimed is done
		if do, err := k.claim(w.Context()); err != nil || do == nil {
			t.Fatalf("nothing was claimed: %v", err)
		}
		lines = append(lines, k.served)
	}
	if got := strings.Join(lines, " "); got != "line-a line-b line-a" {
		t.Errorf("fetched for %s: one line waits behind the %d older files of another", got, many)
	}
}

func TestDeadAddressIsReplacedOnce(t *testing.T) {
	w := newWorld(t)
	if _, err := w.sim.AddFault(metasim.Fault{Call: "download_media", Action: metasim.ActionHTTPStatus, Status: 404}); err != nil {
		t.Fatal(err)
	}
	wamid := w.arrive("image/png", []byte("a photo"), nil)
	w.run(w.fetcher())
	w.eventually(wamid, "stored")
	if c := w.sim.Counters().Calls; c["get_media"] != 2 || c["download_media"] != 2 {
		t.Errorf("%d look-ups and %d downloads", c["get_media"], c["download_media"])
	}
}

func TestDeadTokenWaitsForAnother(t *testing.T) {
	w := newWorld(t)
	w.serve("line-a", func(c *runtimeconfig.Channel) { c.AccessToken = redact.New("EAAGdead") })
	wamid := w.arrive("image/png", []byte("a photo"), nil)
	w.run(w.fetcher())
	for tries := range maxTries + 1 { // more than a file gets that is itself at fault
		w.wait(fmt.Sprintf("try %d", tries+1), wamid, func() bool { return w.sim.Counters().Calls["get_media"] > tries })
		w.eventually(wamid, "pending TokenInvalid")
		w.advance(maxDelay)
	}
	if _, err := w.sim.AddFault(metasim.Fault{Call: "get_media", Action: metasim.ActionGraphError, Error: &metasim.FaultError{Code: 100}}); err != nil {
		t.Fatal(err)
	}
	w.serve("line-a")
	w.advance(maxDelay)
	w.eventually(wamid, "pending Invalid")
	w.advance(maxDelay)
	w.eventually(wamid, "stored")
}

// TestFileWaitsForAProxyThatRefusesIt: whoever mends the way to Meta takes longer than a file gets that is itself at fault.
func TestFileWaitsForAProxyThatRefusesIt(t *testing.T) {
	for _, call := range []string{"get_media", "download_media"} {
		t.Run(call, func(t *testing.T) {
			w := newWorld(t)
			_, err := w.sim.AddFault(metasim.Fault{Call: call, Action: metasim.ActionHTTPStatus, Status: 403, Count: maxTries + 1})
			w.must(err)
			wamid := w.arrive("image/png", []byte("a photo"), nil)
			w.run(w.fetcher())
			for tries := range maxTries + 1 {
				w.wait(fmt.Sprintf("try %d", tries+1), wamid, func() bool { return w.sim.Counters().Calls[call] > tries })
				w.eventually(wamid, "pending BadResponse")
				w.advance(maxDelay)
			}
			w.eventually(wamid, "stored")
		})
	}
}

func TestReplyWaitsForTheFile(t *testing.T) {
	w := newWorld(t)
	w.arrive("image/png", []byte("a photo"), nil)
	claim := func(await bool) error {
		_, err := w.store.ClaimConversations(w.Context(), store.ClaimRequest{Owner: "test", Lease: time.Minute, PerLineLimit: 10, AwaitMedia: await})
		return err
	}
	w.advance(store.ReplyDueAtMost)
	if err := claim(true); !errors.Is(err, store.ErrNothingDue) {
		t.Errorf("the reply does not wait: %v", err)
	}
	w.advance(store.MediaPatience - store.ReplyDueAtMost)
	if err := claim(true); err != nil {
		t.Errorf("it waits for ever: %v", err)
	}
	other := newWorld(t)
	other.arrive("image/png", []byte("a photo"), nil)
	other.advance(store.ReplyDueAtMost)
	if _, err := other.store.ClaimConversations(other.Context(), store.ClaimRequest{Owner: "test", Lease: time.Minute, PerLineLimit: 10}); err != nil {
		t.Errorf("without a blob store nothing is waited for: %v", err)
	}
}

func TestBlobGoesWithItsMessage(t *testing.T) {
	w := newWorld(t)
	wamid := w.arrive("image/png", []byte("a photo"), nil)
	k := w.fetcher()
	w.run(k)
	w.eventually(wamid, "stored")
	key := w.media(wamid).BlobKey
	w.advance(store.MinRetention + time.Hour)
	for {
		n, err := w.store.Expire(w.Context(), store.Retention{Default: store.MinRetention, BatchSize: 100})
		w.must(err)
		if n == 0 {
			break
		}
	}
	w.must(k.sweep(w.Context()))
	if content := w.blob(key); content == "" {
		t.Error("it is gone at once, while somebody may still be fetching it")
	}
	w.advance(store.BlobGrace)
	w.must(k.sweep(w.Context()))
	if content := w.blob(key); content != "" {
		t.Error("it outlives its message")
	}
}

func TestBlobThatNobodyAdoptsGoes(t *testing.T) {
	w := newWorld(t)
	k := w.fetcher()
	w.must(w.store.NoteBlob(w.Context(), "made/image"))
	w.must(w.blobs.Put(w.Context(), "made/image", "image/png", []byte("an image")))
	w.must(k.sweep(w.Context()))
	if content := w.blob("made/image"); content != "an image" {
		t.Errorf("%q", content)
	}
	w.advance(store.BlobGrace)
	w.must(k.sweep(w.Context()))
	if content := w.blob("made/image"); content != "" {
		t.Error("it stays")
	}
	w.must(w.blobs.Delete(w.Context(), "made/image"))
}

func TestOpenBlobsNamesTheRemedy(t *testing.T) {
	for location, want := range map[string]string{
		"":                         "must begin with file:/// or s3://",
		"blobs":                    "must begin with file:/// or s3://",
		"gs://bucket":              "must begin with file:/// or s3://",
		"file://blobs":             "three slashes",
		"file:///dev/null/blobs":   "not a directory",
		"s3://bucket?no-such=flag": "blob store",
		"s3://key:hunter2@bucket":  "must not hold a user or password",
	} {
		b, err := OpenBlobs(t.Context(), location)
		if err == nil {
			t.Errorf("%q was opened", location)
			if err := b.Close(); err != nil {
				t.Error(err)
			}
			continue
		}
		if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v, want %q", location, err, want)
		}
	}
}
