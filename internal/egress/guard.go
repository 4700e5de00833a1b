package egress

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

// ErrAddressRefused is returned, wrapped by net/http, for an address that tenants' URLs may not reach.
var ErrAddressRefused = errors.New("the URL leads to an address inside a private or reserved network; " +
	"use a public address, or ask the platform to allow this one")

const (
	// dialTimeout bounds one connection attempt: a public endpoint that takes longer is down for a waiting customer.
	dialTimeout = 5 * time.Second
	// keepAlive finds dead peers behind NAT gateways, which forget idle connections after some minutes.
	keepAlive = 30 * time.Second
)

// Policy says which addresses may be reached beyond the public ones. The zero value allows public unicast only.
type Policy struct {
	// AllowLoopback also allows 127.0.0.0/8 and ::1, for a demo or a sidecar on the same host.
	AllowLoopback bool
	// Allow lists further networks that may be reached although they are private or reserved.
	Allow []netip.Prefix
	// Deny lists networks that may not be reached although they are public, such as a cluster's public pod range.
	// It wins over everything else.
	Deny []netip.Prefix
	// RootCAs are the authorities that servers' certificates may come from; nil means the system's.
	RootCAs *x509.CertPool
	// Proxy is the platform's own proxy for all of it; nil means none. See the package comment.
	Proxy *url.URL
}

// reserved are the networks that are no public unicast and that netip's own predicates do not cover.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),      // this network; Linux connects 0.0.0.0 to itself
	netip.MustParsePrefix("100.64.0.0/10"),  // carrier-grade NAT; several clouds put nodes and metadata there
	netip.MustParsePrefix("192.0.0.0/24"),   // IETF protocol assignments
	netip.MustParsePrefix("192.0.2.0/24"),   // documentation
	netip.MustParsePrefix("192.88.99.0/24"), // 6to4 relays
	netip.MustParsePrefix("198.18.0.0/15"),  // benchmarking
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),  // reserved, and the broadcast address
	netip.MustParsePrefix("::/96"),        // IPv4-compatible: carries an IPv4 address
	netip.MustParsePrefix("64:ff9b::/96"), // NAT64: carries an IPv4 address
	netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("100::/64"),      // discard
	netip.MustParsePrefix("2001::/23"),     // Teredo, ORCHID and other assignments
	netip.MustParsePrefix("2001:db8::/32"), // documentation
	netip.MustParsePrefix("2002::/16"),     // 6to4: carries an IPv4 address
	netip.MustParsePrefix("fec0::/10"),     // site-local, deprecated but routed by some
}

// Permits reports whether addr may be connected to.
func (p Policy) Permits(addr netip.Addr) bool {
	// A zone would make Prefix.Contains false, and an IPv4-mapped address must be judged as what it reaches.
	addr = addr.WithZone("").Unmap()
	if !addr.IsValid() || contains(p.Deny, addr) {
		return false
	}
	if contains(p.Allow, addr) || (p.AllowLoopback && addr.IsLoopback()) {
		return true
	}
	return addr.IsGlobalUnicast() && !addr.IsPrivate() && !contains(reserved, addr)
}

func contains(prefixes []netip.Prefix, addr netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// dialer returns a net.Dialer that asks the policy about every address right before connect(2), which is after name
// resolution and for each address of a name.
func (p Policy) dialer() *net.Dialer {
	return &net.Dialer{
		Timeout:   dialTimeout,
		KeepAlive: keepAlive,
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			ap, err := netip.ParseAddrPort(address)
			if err != nil || !p.Permits(ap.Addr()) {
				return ErrAddressRefused
			}
			return nil
		},
	}
}

// throughProxy returns the proxy after it has looked at where the request would go: what the name resolves to here is refused
// like an address that we would connect to. A name that resolves only at the proxy is the proxy's to judge.
func (p Policy) throughProxy(req *http.Request) (*url.URL, error) {
	host := req.URL.Hostname()
	addresses, err := net.DefaultResolver.LookupNetIP(req.Context(), "ip", host)
	if err != nil {
		if ctxErr := req.Context().Err(); ctxErr != nil {
			return nil, ctxErr
		}
		return p.Proxy, nil
	}
	for _, addr := range addresses {
		if !p.Permits(addr) {
			return nil, ErrAddressRefused
		}
	}
	return p.Proxy, nil
}
