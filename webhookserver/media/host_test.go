package media

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// host is a Graph API and a media host that may lie about its one file.
type host struct {
	content string
	// digest and size are what a look-up tells.
	digest, size string
	// length is the header of the download; empty for the truth, "-" for none.
	length string
	// url is where the file lies; empty for the host itself.
	url string
	// redirect is where the download sends on to.
	redirect string

	lookUps, downloads atomic.Int64
}

func (h *host) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/file" {
		h.lookUps.Add(1)
		url := h.url
		if url == "" {
			url = "http://" + r.Host + "/file"
		}
		rw.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(rw, `{"id":"77","url":%q,"mime_type":"image/jpeg","sha256":%q,"file_size":%s}`, url, h.digest, h.size)
		return
	}
	h.downloads.Add(1)
	switch {
	case h.redirect != "":
		http.Redirect(rw, r, h.redirect, http.StatusFound)
		return
	case h.length == "-":
		rw.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(rw).Flush() // in chunks from here
	case h.length != "":
		rw.Header().Set("Content-Length", h.length)
	}
	content := h.content
	if n, err := strconv.Atoi(h.length); err == nil {
		content = content[:min(n, len(content))] // all that anybody reads
	}
	_, _ = rw.Write([]byte(content))
}

// told serves the number by h and lets a photo arrive whose webhook gives a digest.
func (w *world) told(h *host, digest string) (wamid string) {
	w.Helper()
	server := httptest.NewServer(h)
	w.Cleanup(server.Close)
	w.origins = []string{server.URL}
	w.serve("line-a", func(c *runtimeconfig.Channel) {
		c.Graph.BaseURL, c.AccessToken = server.URL, redact.New("EAAGtoken")
	})
	return w.arrive("image/jpeg", []byte("x"), func(m *store.Media) { m.ID, m.SHA256 = "77", digest })
}

func TestLyingHosts(t *testing.T) {
	var stolen atomic.Int64
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stolen.Add(1) }))
	t.Cleanup(thief.Close)
	photo := "a photo"
	sum, other := sha256.Sum256([]byte(photo)), sha256.Sum256([]byte("another"))
	large := strings.Repeat("x", 5*mib+1)
	none := func() *host { return &host{content: photo, size: strconv.Itoa(len(photo))} }
	for reason, tc := range map[string]struct {
		change func(*host)
		digest string
		want   string
		// downloads is how often the file is asked for at the first try.
		downloads int64
	}{
		"the truth in hexadecimal and base64": {func(h *host) { h.digest = hex.EncodeToString(sum[:]) }, base64.StdEncoding.EncodeToString(sum[:]), "stored", 1},
		"no digest at all":                    {func(*host) {}, "", "stored", 1},
		"another file by the look-up":         {func(h *host) { h.digest = hex.EncodeToString(other[:]) }, "", "pending DigestMismatch", 1},
		"another file by the webhook":         {func(*host) {}, base64.StdEncoding.EncodeToString(other[:]), "pending DigestMismatch", 1},
		"too large by the look-up":            {func(h *host) { h.size = `"5242881"` }, "", "failed TooLarge", 0},
		"too large by the header":             {func(h *host) { h.content = large }, "", "failed TooLarge", 1},
		"too large by the count":              {func(h *host) { h.content, h.length = large, "-" }, "", "failed TooLarge", 1},
		"a header that is too short":          {func(h *host) { h.digest, h.length = hex.EncodeToString(sum[:]), "3" }, "", "pending DigestMismatch", 1},
		"a header that is too long":           {func(h *host) { h.length = "99" }, "", "pending Network", 1},
		"a foreign host":                      {func(h *host) { h.url = thief.URL }, "", "pending Invalid", 0},
		"a redirect to one":                   {func(h *host) { h.redirect = thief.URL }, "", "pending BadResponse", 1},
		"a file of the machine":               {func(h *host) { h.url = "file:///etc/passwd" }, "", "pending Invalid", 0},
	} {
		t.Run(reason, func(t *testing.T) {
			w, h := newWorld(t), none()
			tc.change(h)
			wamid := w.told(h, tc.digest)
			w.run(w.fetcher())
			w.eventually(wamid, tc.want)
			if got := h.downloads.Load(); got != tc.downloads || h.lookUps.Load() != 1 {
				t.Errorf("%d look-ups and %d downloads, want 1 and %d", h.lookUps.Load(), got, tc.downloads)
			}
			want := ""
			if tc.want == "stored" {
				want = photo
			}
			if got := w.blob(w.media(wamid).BlobKey); got != want {
				t.Errorf("kept are %d bytes, want %d", len(got), len(want))
			}
		})
	}
	if stolen.Load() != 0 {
		t.Error("a foreign host got a request")
	}
}

// TestBlobStoreThatIsAwayIsAwaited takes the place of the directory away, and then gives it back.
func TestBlobStoreThatIsAwayIsAwaited(t *testing.T) {
	w := newWorld(t)
	if err := errors.Join(os.RemoveAll(w.blobs.dir), os.WriteFile(w.blobs.dir, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	wamid := w.arrive("image/png", []byte("a photo"), nil)
	w.run(w.fetcher())
	for range maxTries + 1 { // more than a file gets that is itself at fault
		w.eventually(wamid, "pending BlobStoreUnavailable")
		w.advance(maxDelay)
	}
	if err := errors.Join(os.Remove(w.blobs.dir), os.Mkdir(w.blobs.dir, 0o700)); err != nil {
		t.Fatal(err)
	}
	w.advance(maxDelay)
	w.eventually(wamid, "stored")
	if got := w.blob(w.media(wamid).BlobKey); got != "a photo" {
		t.Errorf("kept is %q", got)
	}
}

// TestCrashBetweenFetchAndRecord: who takes over finds the same place, and nothing is left beside it when the message goes.
func TestCrashBetweenFetchAndRecord(t *testing.T) {
	w := newWorld(t)
	wamid := w.arrive("image/png", []byte("a photo"), nil)
	f, err := w.store.ClaimMedia(w.Context(), store.ClaimMediaRequest{Owner: "dead", Lease: lease, PerLineLimit: 1})
	w.must(err)
	w.must(w.blobs.Put(w.Context(), f.BlobKey, "image/png", []byte("a photo")))
	half := filepath.Join(w.blobs.dir, f.BlobKey) + ".18ab.tmp" // as a writer that was killed leaves it
	w.must(os.WriteFile(half, []byte("a ph"), 0o600))
	k := w.fetcher()
	w.run(k)
	w.advance(lease)
	w.eventually(wamid, "stored")
	if key := w.media(wamid).BlobKey; key != f.BlobKey {
		t.Errorf("the file lies at %s, not %s", key, f.BlobKey)
	}
	_, err = w.store.Erase(w.Context(), store.Erasure{Line: "line-a", PhoneNumberID: f.PhoneNumberID, Phone: "16505551234"})
	w.must(err)
	w.must(w.blobs.Delete(w.Context(), f.BlobKey))
	if _, err := os.Stat(half); !errors.Is(err, os.ErrNotExist) || w.blob(f.BlobKey) != "" {
		t.Errorf("something is left: %v", err)
	}
}

// TestReader: a file that is kept is not fetched again.
func TestReader(t *testing.T) {
	w := newWorld(t)
	wamid := w.arrive("image/png", []byte("a photo"), nil)
	w.run(w.fetcher())
	w.eventually(wamid, "stored")
	m, ch := w.media(wamid), w.channels["line-a"]
	downloads := func() int { return w.sim.Counters().Calls["download_media"] }
	read := func(r Reader, m *store.Media, limit int64) (string, error) {
		content, err := r.Fetch(w.Context(), ch, m, limit)
		return string(bytes.Clone(content)), err
	}
	with, without := Reader{Graph: w.graph(), Blobs: w.blobs}, Reader{Graph: w.graph()}
	if got, err := read(with, &m, 100); got != "a photo" || err != nil || downloads() != 1 {
		t.Errorf("a file that is kept: %q, %v after %d downloads", got, err, downloads())
	}
	if _, err := read(with, &m, 3); !errors.Is(err, errNoRoom) || downloads() != 1 {
		t.Errorf("one that is larger than asked for: %v after %d downloads", err, downloads())
	}
	if got, err := read(without, &m, 100); got != "a photo" || err != nil || downloads() != 2 {
		t.Errorf("without a blob store: %q, %v after %d downloads", got, err, downloads())
	}
	w.must(w.blobs.Delete(w.Context(), m.BlobKey))
	if got, err := read(with, &m, 100); got != "a photo" || err != nil {
		t.Errorf("a blob that is away: %q, %v", got, err)
	}
	before := downloads()
	m.State = store.MediaFailed
	for reason, m := range map[string]*store.Media{"one that was refused": &m, "none": nil, "no id": {}} {
		if _, err := read(with, m, 100); !errors.Is(err, errNoFile) || downloads() != before {
			t.Errorf("%s: %v", reason, err)
		}
	}
}
