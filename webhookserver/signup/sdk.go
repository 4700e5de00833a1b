package signup

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// DefaultSDK is Meta's JavaScript SDK.
const DefaultSDK = "https://connect.facebook.net/en_US/sdk.js"

// SDK is where the browser loads Meta's JavaScript SDK from. The zero SDK is Meta's.
type SDK struct {
	url    string
	origin string
}

// ParseSDK reads the address of a simulator's SDK: https, or plain http on loopback. The page then believes session events of that origin,
// too, so it has no place in production.
func ParseSDK(address string) (SDK, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || strings.ContainsAny(address, " ;,'\"") {
		return SDK{}, fmt.Errorf("it must be the URL of a script, such as %s", DefaultSDK)
	}
	ip, ipErr := netip.ParseAddr(u.Hostname())
	if u.Scheme != "https" && (u.Scheme != "http" || ipErr != nil || !ip.IsLoopback()) {
		return SDK{}, fmt.Errorf("it must be an https URL, such as %s; plain http is for loopback addresses", DefaultSDK)
	}
	if address == DefaultSDK {
		return SDK{}, nil
	}
	return SDK{url: address, origin: u.Scheme + "://" + u.Host}, nil
}

// URL is the script's address.
func (s SDK) URL() string {
	if s.url == "" {
		return DefaultSDK
	}
	return s.url
}

// policy is the Content-Security-Policy of the page: our own script and style, and what Meta's SDK loads, frames and calls. Nothing
// inline, nothing else, and no page may frame this one.
func (s SDK) policy() string {
	scripts, calls, frames, images := "https://connect.facebook.net", "https://www.facebook.com https://graph.facebook.com https://connect.facebook.net",
		"https://www.facebook.com https://web.facebook.com https://staticxx.facebook.com", "https://www.facebook.com"
	if s.origin != "" {
		scripts, calls, frames, images = s.origin, s.origin, s.origin, s.origin
	}
	return "default-src 'none'; script-src 'self' " + scripts + "; style-src 'self'; connect-src 'self' " + calls + "; frame-src " + frames +
		"; img-src 'self' " + images + "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}
