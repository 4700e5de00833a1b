package redact

import (
	"regexp"
	"strings"
)

const (
	// maskShown is how much of a credential a hint shows: enough to tell two tokens apart, useless to guess one.
	maskShown = 4
	// maskMinLength is the shortest credential of which a hint shows anything, so that at least two thirds stay hidden.
	maskMinLength = 12
)

// Mask returns a hint of a credential for humans: an ellipsis and the last four characters. Of values shorter than
// twelve characters it shows nothing but the ellipsis, and of an empty value nothing at all.
func Mask(s string) string {
	r := []rune(s)
	switch {
	case len(r) == 0:
		return ""
	case len(r) < maskMinLength:
		return "…"
	default:
		return "…" + string(r[len(r)-maskShown:])
	}
}

// maskRun matches what password fields and consoles show in place of a value. Graph tokens, app secrets and verify
// tokens consist of letters, digits and a few signs such as '|', '-' and '_', so none of these can be genuine.
var maskRun = regexp.MustCompile(`[*•●∙·…‥＊⁎✱]|\.{3,}|(?i:^x{6,}|x{6,}$)`)

// LooksMasked reports whether a credential was copied from a place that shows it masked, such as "EAAG…4f2a",
// "EAAG****" or "••••••••". Our own Mask and Placeholder count as masked too.
func LooksMasked(s string) bool {
	return maskRun.MatchString(s) || strings.Contains(s, Placeholder)
}
