package feeds

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/whatsapp-operator/whatsapp-operator/internal/egress"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// fetched is what came of a fetch.
type fetched struct {
	outcome store.FetchOutcome
	// catalog is what could be read of a product feed, of the one that is served now; nil if that is no new one.
	catalog *serverapi.Catalog
	// detail says what is wrong with a feed that can't be used.
	detail string
}

func failed(problem string) fetched { return fetched{outcome: store.FetchOutcome{Problem: problem}} }

// fetch asks for a document. Every error becomes a class.
func (f *Feeds) fetch(ctx context.Context, src runtimeconfig.Source, claim *store.Fetch) fetched {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, src.URL, http.NoBody)
	if err != nil {
		return failed(serverapi.SourceUnreachable)
	}
	req.Header.Set("User-Agent", "whatsapp-operator")
	if claim.Revision != "" {
		if claim.ETag != "" {
			req.Header.Set("If-None-Match", claim.ETag)
		}
		if claim.LastModified != "" {
			req.Header.Set("If-Modified-Since", claim.LastModified)
		}
	}
	res, err := f.o.Client.Do(req)
	if err != nil {
		return failed(classOf(err))
	}
	defer func() { _ = res.Body.Close() }() // what was read is whole or an error already
	if res.StatusCode == http.StatusNotModified && claim.Revision != "" {
		return fetched{}
	}
	if problem := classOfStatus(res.StatusCode); problem != "" {
		return failed(problem)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return failed(classOf(err))
	}
	return accept(src, claim, res.Header, body)
}

// accept takes a body that can be used.
func accept(src runtimeconfig.Source, claim *store.Fetch, header http.Header, body []byte) fetched {
	var got fetched
	if src.Format == "" {
		if !isText(header, body) {
			return failed(serverapi.SourceUnreadable)
		}
	} else {
		usable, found := readable(src.Format, body)
		if !usable {
			got.outcome.Problem, got.detail = serverapi.SourceUnreadable, found.Problem
			return got
		}
		got.catalog = &found
	}
	sum := sha256.Sum256(body)
	revision := hex.EncodeToString(sum[:8])
	if revision == claim.Revision {
		return got // the server doesn't say that nothing changed
	}
	packed, err := pack(body)
	if err != nil {
		return failed(serverapi.SourceUnreadable)
	}
	got.outcome = store.FetchOutcome{Body: packed, Revision: revision, ETag: short(header.Get("ETag")), LastModified: short(header.Get("Last-Modified"))}
	return got
}

// maxValidator is the longest ETag that is kept, in bytes.
const maxValidator = 512

func short(validator string) string {
	if len(validator) > maxValidator || !utf8.ValidString(validator) {
		return ""
	}
	return validator
}

// isText tells Markdown and plain text from web pages and files. Who names a shop's home page would have its scripts quoted.
func isText(header http.Header, body []byte) bool {
	kind, _, _ := strings.Cut(strings.ToLower(header.Get("Content-Type")), ";")
	start := strings.ToLower(strings.TrimSpace(string(body[:min(len(body), 64)])))
	return utf8.Valid(body) && !bytes.ContainsRune(body, 0) && strings.TrimSpace(kind) != "text/html" &&
		!strings.HasPrefix(start, "<!doctype") && !strings.HasPrefix(start, "<html") && len(bytes.TrimSpace(body)) > 0
}

// classOf names what went wrong without any of the error's text, which holds the URL.
func classOf(err error) string {
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.Is(err, egress.ErrAddressRefused):
		return serverapi.SourceAddressRefused
	case errors.Is(err, egress.ErrRedirectRefused):
		return serverapi.SourceRedirectRefused
	case errors.Is(err, egress.ErrBodyTooLarge):
		return serverapi.SourceTooLarge
	case errors.Is(err, context.DeadlineExceeded), os.IsTimeout(err):
		return serverapi.SourceTimeout
	case errors.As(err, &certificate):
		return serverapi.SourceCertificateInvalid
	default:
		return serverapi.SourceUnreachable
	}
}

func classOfStatus(status int) string {
	switch status {
	case http.StatusOK:
		return ""
	case http.StatusUnauthorized, http.StatusForbidden:
		return serverapi.SourceForbidden
	case http.StatusNotFound, http.StatusGone:
		return serverapi.SourceNotFound
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return serverapi.SourceTimeout
	default:
		return serverapi.SourceServerError
	}
}

func pack(body []byte) ([]byte, error) {
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	if _, err := zip.Write(body); err != nil {
		return nil, fmt.Errorf("compress a document: %w", err)
	}
	if err := zip.Close(); err != nil {
		return nil, fmt.Errorf("compress a document: %w", err)
	}
	return packed.Bytes(), nil
}

func unpack(packed []byte) ([]byte, error) {
	zip, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("unpack a document: %w", err)
	}
	body, err := io.ReadAll(io.LimitReader(zip, MaxBytes))
	if err != nil {
		return nil, fmt.Errorf("unpack a document: %w", err)
	}
	return body, nil
}
