package redact

import (
	"cmp"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// minLiteral is the shortest known secret that Text replaces literally. Below it a replacement would garble ordinary
// words and numbers without hiding anything worth hiding.
const minLiteral = 4

// pattern rewrites one shape of secret.
type pattern struct {
	match   *regexp.Regexp
	replace string
}

// patterns are the shapes that secrets take in texts of the Graph API. The order matters: named values first, so that
// their names survive; bare tokens last.
var patterns = []pattern{
	// A URL keeps its host and path; its query and its user info can carry a secret or a code.
	{regexp.MustCompile(`(?i)\b(https?://)[^\s/?#"'@]*@`), `${1}` + Placeholder + `@`},
	{regexp.MustCompile(`(?i)\b(https?://[^\s?#"'<>]+)[?#][^\s"'<>]*`), `${1}?` + Placeholder},
	// Named values as in queries, forms, JSON and prose: access_token=..., "client_secret": "...".
	{regexp.MustCompile(`(?i)\b((?:input_|fb_exchange_|user_|page_|app_|verify_|system-?)?(?:access[_-]?)?token|(?:client|app)[_-]?secret|appsecret_proof|code|pin|password|hub\.verify_token)(["']?\s*[=:]\s*["']?)[^\s"'&,;<>{}]{4,}`),
		`${1}${2}` + Placeholder},
	{regexp.MustCompile(`(?i)\b(bearer|oauth)\s+[A-Za-z0-9._~+/|=-]{8,}`), `${1} ` + Placeholder},
	// A Graph user, page or system user token.
	{regexp.MustCompile(`\bEAA[A-Za-z0-9]{8,}`), Placeholder},
	// An app token is the app id, a bar and the app secret.
	{regexp.MustCompile(`\b[0-9]{6,}\|[A-Za-z0-9_-]{8,}`), Placeholder},
	// An app secret or a proof is a run of hex digits; a WhatsApp message id contains the phone number.
	{regexp.MustCompile(`(?i)\b[0-9a-f]{32,}\b`), Placeholder},
	{regexp.MustCompile(`\bwamid\.[A-Za-z0-9+/=_-]+`), Placeholder},
}

// Text returns s with the given secrets and everything that looks like a Graph credential replaced by Placeholder.
// Secrets are also found in their URL-encoded form. Secrets of fewer than four bytes are ignored.
func Text(s string, secrets ...string) string {
	if s == "" {
		return ""
	}
	for _, literal := range literals(secrets) {
		s = strings.ReplaceAll(s, literal, Placeholder)
	}
	for _, p := range patterns {
		s = p.match.ReplaceAllString(s, p.replace)
	}
	return s
}

// literals lists the spellings to look for, longest first: a secret that contains another must go as a whole.
func literals(secrets []string) []string {
	var out []string
	for _, secret := range secrets {
		if len(secret) < minLiteral {
			continue
		}
		out = append(out, secret)
		for _, escaped := range []string{url.QueryEscape(secret), url.PathEscape(secret)} {
			if escaped != secret {
				out = append(out, escaped)
			}
		}
	}
	slices.SortFunc(out, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	return slices.Compact(out)
}
