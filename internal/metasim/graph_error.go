package metasim

import (
	"fmt"
	"net/http"
	"strings"
)

// graphError becomes Graph's error envelope,
// https://developers.facebook.com/docs/graph-api/guides/error-handling.
type graphError struct {
	http      int
	code      int
	subcode   int
	kind      string // "type"; OAuthException when empty
	message   string // without the "(#code) " prefix
	details   string // error_data.details, WhatsApp errors only
	transient bool
	header    http.Header
}

func errf(code int, format string, args ...any) *graphError {
	return &graphError{http: http.StatusBadRequest, code: code, message: fmt.Sprintf(format, args...)}
}

func (e *graphError) sub(subcode int) *graphError {
	e.subcode = subcode
	return e
}

func (e *graphError) status(status int) *graphError {
	e.http = status
	return e
}

func (e *graphError) detail(format string, args ...any) *graphError {
	e.details = fmt.Sprintf(format, args...)
	return e
}

func missing(name string) *graphError {
	return errf(100, "The parameter %s is required.", name)
}

// waError is one of WhatsApp's own codes, which always come with details.
func waError(code int, title, details string) *graphError {
	return errf(code, "%s", title).detail("%s", details)
}

func (e *graphError) body(trace string) map[string]any {
	kind := e.kind
	if kind == "" {
		kind = "OAuthException"
	}
	message := e.message
	if e.code >= 3 && !strings.HasPrefix(message, "(#") && kind == "OAuthException" && e.subcode == 0 {
		message = fmt.Sprintf("(#%d) %s", e.code, message)
	}
	body := map[string]any{"message": message, "type": kind, "code": e.code, "fbtrace_id": trace}
	if e.subcode != 0 {
		body["error_subcode"] = e.subcode
	}
	if e.details != "" {
		body["error_data"] = map[string]any{"messaging_product": "whatsapp", "details": e.details}
	}
	if e.transient {
		body["is_transient"] = true
	}
	return map[string]any{"error": body}
}

// invisible is the answer for an object that does not exist or that the token can't see; Meta does not tell them apart.
// Requires mu.
func (s *Simulator) invisible(method, id string) *graphError {
	switch s.sw.Invisible {
	case "803":
		return errf(803, "Some of the aliases you requested do not exist: %s", id).status(http.StatusNotFound)
	case "10":
		return errf(10, "Application does not have permission for this action").status(http.StatusForbidden)
	case "200":
		return errf(200, "You do not have the necessary permissions required to access this asset.").status(http.StatusForbidden)
	}
	e := errf(100, "Unsupported %s request. Object with ID '%s' does not exist, cannot be loaded due to missing permissions, or does not support this operation.",
		strings.ToLower(method), id).sub(33)
	e.kind = "GraphMethodException"
	return e
}

func missingScope(scope string) *graphError {
	return errf(200, "Requires the permission %s", scope).status(http.StatusForbidden)
}
