package media

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// s3 is a server with the protocol of S3 that can be away.
type s3 struct {
	*httptest.Server
	away    atomic.Bool
	backend *s3mem.Backend
}

const bucket = "files"

func newS3(t *testing.T) *s3 {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "access-key-of-the-bucket")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret-key-of-the-bucket")
	s := &s3{backend: s3mem.New()}
	if err := s.backend.CreateBucket(bucket); err != nil {
		t.Fatal(err)
	}
	protocol := gofakes3.New(s.backend).Server()
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.away.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		protocol.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// location is the URL that --blobs takes.
func (s *s3) location(name string) string {
	return "s3://" + name + "?" + url.Values{
		"region": {"eu-central-1"}, "endpoint": {s.URL}, "use_path_style": {"true"}, "prefix": {"whatsapp/"},
	}.Encode()
}

// keys are those of the blobs in the bucket.
func (s *s3) keys(t *testing.T) (keys []string) {
	t.Helper()
	list, err := s.backend.ListBucket(bucket, nil, gofakes3.ListBucketPage{})
	if err != nil {
		t.Fatal(err)
	}
	for _, content := range list.Contents {
		keys = append(keys, content.Key)
	}
	return keys
}

// TestFilesInS3 keeps a file in a bucket that is away at first, reads it, and sees that it goes with its customer.
func TestFilesInS3(t *testing.T) {
	w, s := newWorld(t), newS3(t)
	blobs, err := OpenBlobs(t.Context(), s.location(bucket))
	w.must(err)
	w.must(w.blobs.Close())
	w.blobs = blobs // which the world closes
	w.must(blobs.Check(t.Context()))
	s.away.Store(true)
	photo := strings.Repeat("a photo", 100_000)
	wamid := w.arrive("image/png", []byte(photo), nil)
	k := w.fetcher()
	w.run(k)
	w.eventually(wamid, "pending BlobStoreUnavailable")
	if err := blobs.Check(t.Context()); err == nil {
		t.Error("a bucket that is away is said to be there")
	}
	s.away.Store(false)
	w.advance(maxDelay)
	w.eventually(wamid, "stored")
	key := w.media(wamid).BlobKey
	if keys := s.keys(t); len(keys) != 1 || keys[0] != "whatsapp/"+key {
		t.Errorf("in the bucket are %q", keys)
	}
	if content := w.blob(key); content != photo {
		t.Errorf("%d bytes are kept of %d", len(content), len(photo))
	}
	m := w.media(wamid)
	if content, err := (Reader{Graph: w.graph(), Blobs: blobs}).Fetch(t.Context(), w.channels["line-a"], &m, 10<<20); err != nil || string(content) != photo {
		t.Errorf("read are %d bytes, %v", len(content), err)
	}
	_, err = w.store.Erase(t.Context(), store.Erasure{Line: "line-a", PhoneNumberID: w.channels["line-a"].PhoneNumberID, Phone: "16505551234"})
	w.must(err)
	w.must(k.sweep(t.Context()))
	w.advance(store.BlobGrace)
	s.away.Store(true)
	if err := k.sweep(t.Context()); err == nil {
		t.Error("a blob that could not be deleted was no error")
	}
	s.away.Store(false)
	w.must(k.sweep(t.Context()))
	if keys := s.keys(t); len(keys) != 0 {
		t.Errorf("in the bucket are still %q", keys)
	}
}

// TestBucketThatIsNotThere is found out at the start, without a word of the credentials.
func TestBucketThatIsNotThere(t *testing.T) {
	s := newS3(t)
	blobs, err := OpenBlobs(t.Context(), s.location("another"))
	if err != nil {
		t.Fatal(err)
	}
	err = blobs.Check(t.Context())
	if err == nil || strings.Contains(err.Error(), "-key-of-the-bucket") {
		t.Errorf("the check says %v", err)
	}
	if err := blobs.Close(); err != nil {
		t.Error(err)
	}
}
