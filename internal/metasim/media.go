package metasim

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	uploadedMediaLife = 30 * 24 * time.Hour
	inboundMediaLife  = 7 * 24 * time.Hour
	kib, mib          = 1 << 10, 1 << 20
)

// mediaLimits are the types and sizes of https://developers.facebook.com/docs/whatsapp/cloud-api/reference/media.
var mediaLimits = map[string]int{
	"audio/aac": 16 * mib, "audio/amr": 16 * mib, "audio/mpeg": 16 * mib, "audio/mp4": 16 * mib, "audio/ogg": 16 * mib,
	"image/jpeg": 5 * mib, "image/png": 5 * mib, "video/mp4": 16 * mib, "video/3gpp": 16 * mib, "image/webp": 500 * kib,
	"text/plain": 100 * mib, "application/pdf": 100 * mib, "application/msword": 100 * mib, "application/vnd.ms-excel": 100 * mib,
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document":   100 * mib,
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet":         100 * mib,
	"application/vnd.openxmlformats-officedocument.presentationml.presentation": 100 * mib,
}

type mediaObject struct {
	id        string
	phone     *phoneState
	mimeType  string
	data      []byte
	expiresAt time.Time
	urls      map[string]time.Time // hash -> end of life
}

func (s *Simulator) uploadMedia(c *call) (any, *graphError) {
	p, err := s.phone(c, scopeMessaging)
	if err != nil {
		return nil, err
	}
	if c.str("messaging_product") != "whatsapp" {
		return nil, missing("messaging_product")
	}
	if c.file == nil {
		return nil, missing("file")
	}
	kind := c.str("type")
	if kind == "" {
		kind = c.file.contentType
	}
	base, _, perr := mime.ParseMediaType(kind)
	limit, ok := mediaLimits[base]
	if perr != nil || !ok {
		return nil, errf(100, "Param file must be a file with one of the supported types, not %s", base)
	}
	if len(c.file.data) > limit || len(c.file.data) == 0 {
		return nil, waError(131053, "Media upload error", fmt.Sprintf("The file is empty or larger than %d bytes.", limit))
	}
	m := s.storeMedia(p, kind, c.file.data, uploadedMediaLife)
	return map[string]any{"id": m.id}, nil
}

func (s *Simulator) storeMedia(p *phoneState, kind string, data []byte, life time.Duration) *mediaObject {
	m := &mediaObject{id: s.newID(), phone: p, mimeType: kind, data: data, expiresAt: s.now().Add(life), urls: map[string]time.Time{}}
	s.st.media[m.id] = m
	return m
}

// AddMedia stores what a customer attaches to a message, for the id in the webhook; it lives 7 days.
func (s *Simulator) AddMedia(phoneNumberID, mimeType string, data []byte) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.st.phones[phoneNumberID]
	if p == nil || mimeType == "" {
		return "", fmt.Errorf("metasim: media needs a known phone number and a type")
	}
	return s.storeMedia(p, mimeType, data, inboundMediaLife).id, nil
}

// mediaOf returns the object of the call's path when the token may see it and it has not expired.
func (s *Simulator) mediaOf(c *call) (*mediaObject, *graphError) {
	m := s.st.media[c.objectID]
	if !c.token.sees(m.phone.waba) || !s.now().Before(m.expiresAt) {
		return nil, s.invisible(c.method, c.objectID)
	}
	if id := c.str("phone_number_id"); id != "" && id != m.phone.ID {
		return nil, s.invisible(c.method, c.objectID)
	}
	return m, c.needScope(scopeMessaging)
}

func (s *Simulator) getMedia(c *call) (any, *graphError) {
	m, err := s.mediaOf(c)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(m.data)
	digest := hex.EncodeToString(sum[:])
	if s.sw.SHA256Base64 {
		digest = base64.StdEncoding.EncodeToString(sum[:])
	}
	var size any = len(m.data)
	if s.sw.FileSizeAsString {
		size = strconv.Itoa(len(m.data))
	}
	hash, end := s.randomString(tokenAlphabet, 40), s.now().Add(time.Duration(s.sw.MediaURLLifetime))
	m.urls[hash] = end
	q := url.Values{"mid": {m.id}, "ext": {strconv.FormatInt(end.Unix(), 10)}, "hash": {hash}}
	return map[string]any{
		"messaging_product": "whatsapp", "id": m.id, "mime_type": m.mimeType, "sha256": digest, "file_size": size,
		"url": s.baseURL(c.r) + "/whatsapp_business/attachments/?" + q.Encode(),
	}, nil
}

func (s *Simulator) deleteMedia(c *call) (any, *graphError) {
	m, err := s.mediaOf(c)
	if err != nil {
		return nil, err
	}
	delete(s.st.media, m.id)
	return success(), nil
}

// downloadMedia answers 404 for all that is wrong, as the real host does.
func (s *Simulator) downloadMedia(c *call) (any, *graphError) {
	gone := rawBody{status: http.StatusNotFound, contentType: "text/plain", data: []byte("Not found")}
	m := s.st.media[c.str("mid")]
	if m == nil || !c.token.sees(m.phone.waba) || !s.now().Before(m.urls[c.str("hash")]) || !s.now().Before(m.expiresAt) {
		return gone, nil
	}
	if s.sw.MediaNeedsUserAgent && c.r.UserAgent() == "" {
		return rawBody{status: http.StatusBadRequest, contentType: "text/plain", data: []byte("Bad request")}, nil
	}
	if s.sw.MediaRedirects && !c.has("redirected") {
		return rawBody{status: http.StatusFound, contentType: "text/plain", location: c.r.URL.String() + "&redirected=1"}, nil
	}
	return rawBody{status: http.StatusOK, contentType: m.mimeType, data: m.data}, nil
}

func (s *Simulator) baseURL(r *http.Request) string {
	if s.publicURL != "" {
		return s.publicURL
	}
	return "http://" + r.Host
}
