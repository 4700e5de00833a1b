package meta

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUploadMedia(t *testing.T) {
	content := bytes.Repeat([]byte{0, 1, 2, 0xff}, 100_000)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength < int64(len(content)) {
			t.Errorf("Content-Length %d, want the size known", r.ContentLength)
		}
		file, header, err := r.FormFile("file")
		if err != nil {
			t.Error(err)
			return
		}
		got, err := io.ReadAll(file)
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("the content changed on its way: %d bytes, error %v", len(got), err)
		}
		sent := []string{r.FormValue("messaging_product"), r.FormValue("type"), header.Filename, header.Header.Get("Content-Type"), r.URL.Path}
		want := []string{"whatsapp", "image/png", `fern "1".png`, "image/png", "/v25.0/106/media"}
		if diff := cmp.Diff(want, sent); diff != "" {
			t.Errorf("upload (-want +got):\n%s", diff)
		}
		_, _ = io.WriteString(w, `{"id":1037543291543636}`)
	})
	id, err := newClient(t, s.URL).UploadMedia(testContext(t), cred, "106", MediaUpload{"image/png", `fern "1".png`, content})
	if err != nil || id != "1037543291543636" {
		t.Errorf("got id %q, error %v", id, err)
	}
}

func TestDownloadMedia(t *testing.T) {
	content := strings.Repeat("x", 1000)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+testToken || r.UserAgent() != userAgent || r.URL.Query().Has("appsecret_proof") {
			t.Errorf("unexpected request: %v %v", r.URL, r.Header)
		}
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/file", http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/file":
			w.Header().Set("Content-Type", "audio/ogg; codecs=opus")
			_, _ = io.WriteString(w, content)
		case "/graph":
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, envelope(190, 0, ""))
		case "/cut":
			w.Header().Set("Content-Length", "5000")
			_, _ = io.WriteString(w, content)
		default:
			http.Error(w, "gone", http.StatusNotFound)
		}
	})
	var stolen atomic.Int32
	thief := serve(t, func(http.ResponseWriter, *http.Request) { stolen.Add(1) })
	redirector := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, thief.URL, http.StatusFound)
	})
	digest := sha256.Sum256([]byte(content))
	c := newClient(t, s.URL, func(cfg *Config) { cfg.MediaOrigins = []string{s.URL, redirector.URL + "/ignored/path"} })
	for _, tc := range []struct {
		reason, url string
		limit       int64
		outcome     Outcome
		class       Class
	}{
		{"a file", s.URL + "/file", 2000, Succeeded, ""},
		{"a file of exactly the limit", s.URL + "/file", 1000, Succeeded, ""},
		{"a redirect within the hosts", s.URL + "/moved", 2000, Succeeded, ""},
		{"a file over the limit", s.URL + "/file", 999, Rejected, ClassMediaTooLarge},
		{"an old URL", s.URL + "/old", 2000, Rejected, ClassObjectNotVisible},
		{"a Graph error", s.URL + "/graph", 2000, Rejected, ClassTokenInvalid},
		{"a cut answer", s.URL + "/cut", 9000, Unknown, ClassNetwork},
		{"a redirect in a circle", s.URL + "/loop", 2000, Rejected, ClassBadResponse},
		{"a redirect elsewhere", redirector.URL, 2000, Rejected, ClassBadResponse},
		{"a foreign host", thief.URL, 2000, NotSent, ClassInvalid},
		{"a URL with user info", strings.Replace(s.URL, "http://", "http://a:b@", 1) + "/file", 2000, NotSent, ClassInvalid},
		{"another scheme", "file:///etc/passwd", 2000, NotSent, ClassInvalid},
		{"no URL", "::", 2000, NotSent, ClassInvalid},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			var dst bytes.Buffer
			got, err := c.DownloadMedia(testContext(t), cred, tc.url, &dst, tc.limit)
			if tc.outcome == Succeeded {
				want := Download{"audio/ogg; codecs=opus", 1000, digest[:]}
				if diff := cmp.Diff(want, got); diff != "" || err != nil || dst.String() != content {
					t.Errorf("error %v (-want +got):\n%s", err, diff)
				}
				return
			}
			if e := mustError(t, err); e.Outcome != tc.outcome || e.Class != tc.class || int64(dst.Len()) > tc.limit {
				t.Errorf("got %s (%s, %s) after %d bytes, want %s, %s", e, e.Outcome, e.Class, dst.Len(), tc.outcome, tc.class)
			}
		})
	}
	if stolen.Load() != 0 {
		t.Error("the foreign host got a request")
	}
	full := errors.New("disk full")
	_, err := c.DownloadMedia(testContext(t), cred, s.URL+"/file", failingWriter{full}, 2000)
	if e := mustError(t, err); e.Class != ClassLocal || !errors.Is(e, full) {
		t.Errorf("got %s wrapping %v", e, e.Unwrap())
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func TestMediaHosts(t *testing.T) {
	c := newClient(t, "")
	for raw, want := range map[string]bool{
		"https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1": true,
		"https://scontent.xx.fbcdn.net/a":                                  true,
		"https://mmg.whatsapp.net:443/a":                                   true,
		"https://LOOKASIDE.FBSBX.COM/a":                                    true,
		"http://lookaside.fbsbx.com/a":                                     false,
		"https://lookaside.fbsbx.com:8443/a":                               false,
		"https://evilfbsbx.com/a":                                          false,
		"https://fbsbx.com.evil.example/a":                                 false,
		"https://evil.example/lookaside.fbsbx.com":                         false,
		"https://lookaside.fbsbx.com@evil.example/a":                       false,
		"https://169.254.169.254/latest":                                   false,
		"https:///a":                                                       false,
	} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.mediaAllowed(u); got != want {
			t.Errorf("mediaAllowed(%s) = %t, want %t", raw, got, want)
		}
	}
}

func TestDecodeDigest(t *testing.T) {
	digest := sha256.Sum256([]byte("x"))
	if got := DecodeDigest(base64.StdEncoding.EncodeToString(digest[:])); !bytes.Equal(got, digest[:]) {
		t.Errorf("base64: got %x", got)
	}
	if got := DecodeDigest("b64="); got != nil {
		t.Errorf("junk: got %x", got)
	}
}
