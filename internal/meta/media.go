package meta

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Media describes media on Meta's side.
type Media struct {
	ID ID
	// URL is where DownloadMedia finds the bytes, for 5 minutes. It needs the token of the tenant.
	URL      string
	MIMEType string
	// SHA256 is the digest of the bytes; nil if Meta gave none that can be read.
	SHA256 []byte
	// Size is in bytes; 0 if not known.
	Size int64
}

// UnmarshalJSON accepts the size as number or text, and the digest in hex or base64.
func (m *Media) UnmarshalJSON(data []byte) error {
	var wire struct {
		ID       ID     `json:"id"`
		URL      string `json:"url"`
		MIMEType string `json:"mime_type"`
		SHA256   text   `json:"sha256"`
		Size     number `json:"file_size"`
	}
	if err := json.Unmarshal(data, &wire); err != nil {
		return err
	}
	*m = Media{wire.ID, wire.URL, wire.MIMEType, DecodeDigest(string(wire.SHA256)), max(int64(wire.Size), 0)}
	return nil
}

func (m *Media) check(cl *call) *Error { return cl.expect(m.URL != "") }

// DecodeDigest reads a SHA-256 digest as Meta writes it: hex when media is looked up, base64 in webhooks. It returns nil
// for anything else.
func DecodeDigest(s string) []byte {
	for _, decode := range []func(string) ([]byte, error){
		hex.DecodeString, base64.StdEncoding.DecodeString, base64.RawStdEncoding.DecodeString,
		base64.URLEncoding.DecodeString, base64.RawURLEncoding.DecodeString,
	} {
		if digest, err := decode(s); err == nil && len(digest) == sha256.Size {
			return digest
		}
	}
	return nil
}

// idAnswer is the answer of calls that create something.
type idAnswer struct {
	ID ID `json:"id"`
}

func (a *idAnswer) check(cl *call) *Error { return cl.expect(a.ID != "") }

// MediaUpload is media to send.
type MediaUpload struct {
	// MIMEType is for instance "image/jpeg".
	MIMEType string
	// Filename is shown for documents; it may be empty.
	Filename string
	Content  []byte
}

// UploadMedia hands media to Meta, which keeps it for 30 days, and returns its id for Image.MediaID.
//
// See developers.facebook.com/docs/whatsapp/cloud-api/reference/media.
func (c *Client) UploadMedia(ctx context.Context, cred Credential, phoneNumberID string, m MediaUpload) (ID, error) {
	cl := &call{
		action: "UploadMedia", method: http.MethodPost, object: phoneNumberID, edge: "media", cred: cred,
		timeout: uploadTimeout,
	}
	var err error
	if cl.body, err = multipartBody(m); err != nil {
		return "", cl.invalid("the media can't be encoded")
	}
	var out idAnswer
	err = c.do(ctx, cl, &out)
	return out.ID, err
}

// multipartBody frames the content without copying it.
func multipartBody(m MediaUpload) (*payload, error) {
	var frame bytes.Buffer
	w := multipart.NewWriter(&frame)
	for _, field := range [][2]string{{"messaging_product", messagingProduct}, {"type", m.MIMEType}} {
		if err := w.WriteField(field[0], field[1]); err != nil {
			return nil, err
		}
	}
	filename := m.Filename
	if filename == "" {
		filename = "file"
	}
	header := textproto.MIMEHeader{}
	header.Set("Content-Disposition", multipart.FileContentDisposition("file", filename))
	header.Set("Content-Type", oneLine(m.MIMEType))
	if _, err := w.CreatePart(header); err != nil {
		return nil, err
	}
	head := bytes.Clone(frame.Bytes())
	frame.Reset()
	if err := w.Close(); err != nil {
		return nil, err
	}
	return &payload{contentType: w.FormDataContentType(), parts: [][]byte{head, m.Content, frame.Bytes()}}, nil
}

// oneLine keeps a value from ending its header line.
func oneLine(s string) string {
	return strings.NewReplacer("\r", "", "\n", "").Replace(s)
}

// Media looks media up. phoneNumberID lets Meta check that the media belongs to the number; it may be empty.
func (c *Client) Media(ctx context.Context, cred Credential, mediaID, phoneNumberID string) (Media, error) {
	var out Media
	err := c.do(ctx, &call{
		action: "ReadMedia", method: http.MethodGet, object: mediaID, cred: cred, query: ofNumber(phoneNumberID),
	}, &out)
	return out, err
}

// DeleteMedia removes media. phoneNumberID may be empty.
func (c *Client) DeleteMedia(ctx context.Context, cred Credential, mediaID, phoneNumberID string) error {
	return c.acknowledge(ctx, &call{
		action: "DeleteMedia", method: http.MethodDelete, object: mediaID, cred: cred, query: ofNumber(phoneNumberID),
	})
}

func ofNumber(phoneNumberID string) url.Values {
	if phoneNumberID == "" {
		return nil
	}
	return url.Values{"phone_number_id": {phoneNumberID}}
}

// Download is what DownloadMedia wrote.
type Download struct {
	// ContentType is what the server said, with parameters.
	ContentType string
	Size        int64
	// SHA256 is the digest of what was written, to compare with Media.SHA256.
	SHA256 []byte
}

// maxRedirects is enough for one host of Meta to send to another.
const maxRedirects = 3

// mediaHosts are the domains of Meta that serve media.
var mediaHosts = []string{"fbsbx.com", "fbcdn.net", "whatsapp.net", "facebook.com"}

// DownloadMedia copies media to dst, at most limit bytes; beyond that it fails with ClassMediaTooLarge, at once if the
// host says so in advance, else after a part was written. mediaURL comes from Media or a webhook, so it is not trusted: only https URLs at Meta's hosts (or at
// Config.MediaOrigins) are fetched, redirects included, and the token goes nowhere else. When the URL is too old the
// error is of ClassObjectNotVisible: look the media up again.
func (c *Client) DownloadMedia(ctx context.Context, cred Credential, mediaURL string, dst io.Writer, limit int64) (Download, error) {
	cl := &call{action: "DownloadMedia", method: http.MethodGet, cred: cred, timeout: downloadTimeout}
	start := time.Now()
	d, e := c.download(ctx, cl, mediaURL, dst, limit)
	c.report(cl, nil, e, time.Since(start))
	if e != nil {
		return Download{}, e
	}
	return d, nil
}

func (c *Client) download(ctx context.Context, cl *call, mediaURL string, dst io.Writer, limit int64) (Download, *Error) {
	if e := c.admit(cl); e != nil {
		return Download{}, e
	}
	ctx, cancel := context.WithTimeout(ctx, cl.timeout)
	defer cancel()
	resp, e := c.fetch(ctx, cl, mediaURL)
	if e != nil {
		return Download{}, e
	}
	defer closeBody(resp.Body)
	if resp.StatusCode != http.StatusOK {
		return Download{}, mediaFailure(cl, resp)
	}
	if resp.ContentLength > limit {
		return Download{}, tooLarge(cl)
	}
	digest := sha256.New()
	sink := &sinkWriter{dst: dst, digest: digest}
	n, err := io.Copy(sink, io.LimitReader(resp.Body, limit))
	switch {
	case sink.err != nil:
		return Download{}, &Error{
			Action: cl.action, Outcome: Rejected, Class: ClassLocal, cause: sink.err, meaning: "the media could not be stored",
		}
	case err != nil:
		return Download{}, networkError(ctx, cl, true, err)
	}
	if e := atEnd(ctx, cl, resp.Body); e != nil {
		return Download{}, e
	}
	return Download{ContentType: resp.Header.Get("Content-Type"), Size: n, SHA256: digest.Sum(nil)}, nil
}

// sinkWriter tells an error of the writer from one of the reader.
type sinkWriter struct {
	dst    io.Writer
	digest hash.Hash
	err    error
}

func (s *sinkWriter) Write(p []byte) (int, error) {
	n, err := s.dst.Write(p)
	if err != nil {
		s.err = err
		return n, err
	}
	return s.digest.Write(p)
}

// atEnd fails if there is more to read than the limit allowed.
func atEnd(ctx context.Context, cl *call, body io.Reader) *Error {
	n, err := io.ReadFull(body, make([]byte, 1))
	switch {
	case n > 0:
		return tooLarge(cl)
	case err != io.EOF:
		return networkError(ctx, cl, true, err)
	default:
		return nil
	}
}

func tooLarge(cl *call) *Error {
	return &Error{Action: cl.action, Outcome: Rejected, Class: ClassMediaTooLarge, meaning: "the media exceeds the limit"}
}

// fetch gets a URL of a media host, following redirects between media hosts.
func (c *Client) fetch(ctx context.Context, cl *call, rawURL string) (*http.Response, *Error) {
	var mark sentMark
	ctx = mark.trace(ctx)
	for range 1 + maxRedirects {
		target, err := url.Parse(rawURL)
		if err != nil || !c.mediaAllowed(target) {
			return nil, cl.forbidden(mark.sent.Load())
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), http.NoBody)
		if err != nil {
			return nil, cl.invalid("the media URL is malformed")
		}
		req.Header.Set("User-Agent", userAgent)
		req.Header.Set("Authorization", "Bearer "+cl.cred.Token.Reveal())
		resp, err := c.shared.RoundTrip(req)
		if err != nil {
			return nil, networkError(ctx, cl, mark.sent.Load(), err)
		}
		if resp.StatusCode < 300 || resp.StatusCode > 399 {
			return resp, nil
		}
		closeBody(resp.Body)
		next, err := target.Parse(resp.Header.Get("Location"))
		if err != nil {
			return nil, cl.forbidden(true)
		}
		rawURL = next.String()
	}
	return nil, &Error{
		Action: cl.action, Outcome: Rejected, Class: ClassBadResponse, meaning: "the media URL redirects too often",
	}
}

// forbidden is the refusal of a URL that is not Meta's, whether we were given it or sent there.
func (cl *call) forbidden(redirected bool) *Error {
	if redirected {
		return &Error{
			Action: cl.action, Outcome: Rejected, Class: ClassBadResponse, meaning: "the media URL redirects to a foreign host",
		}
	}
	return cl.invalid("the media URL is not one of Meta's media hosts")
}

// mediaAllowed reports whether a URL may be fetched with the tenant's token.
func (c *Client) mediaAllowed(u *url.URL) bool {
	if u.User != nil || u.Host == "" {
		return false
	}
	if len(c.origins) > 0 {
		return slices.Contains(c.origins, originOf(u))
	}
	if u.Scheme != "https" || (u.Port() != "" && u.Port() != "443") {
		return false
	}
	host := strings.ToLower(u.Hostname())
	return slices.ContainsFunc(mediaHosts, func(domain string) bool {
		return host == domain || strings.HasSuffix(host, "."+domain)
	})
}

// originOf returns scheme, host and port, the port spelled out.
func originOf(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return fmt.Sprintf("%s://%s", u.Scheme, net.JoinHostPort(strings.ToLower(u.Hostname()), port))
}

// mediaFailure judges an answer of a media host, which need not be JSON.
func mediaFailure(cl *call, resp *http.Response) *Error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		body = nil
	}
	a := &answer{status: resp.StatusCode, header: resp.Header, body: body}
	if e := failure(cl, a); e != nil && (e.Code != 0 || resp.StatusCode != http.StatusNotFound) {
		return e
	}
	if resp.StatusCode == http.StatusNotFound {
		return &Error{
			Action: cl.action, Outcome: Rejected, Class: ClassObjectNotVisible, HTTPStatus: resp.StatusCode,
			meaning: "the media URL has expired or the access token can't see it",
		}
	}
	// A status of success other than 200, which a plain GET does not get.
	return &Error{
		Action: cl.action, Outcome: Unknown, Class: ClassBadResponse, HTTPStatus: resp.StatusCode,
		meaning: "the media host gave an unexpected answer",
	}
}
