package egress

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestPermits(t *testing.T) {
	allow := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}
	deny := []netip.Prefix{netip.MustParsePrefix("10.1.2.0/24"), netip.MustParsePrefix("8.8.8.0/24")}
	for _, tc := range []struct {
		reason, addr string
		policy       Policy
		want         bool
	}{
		{"a public address is what tenants' providers have", "93.184.216.34", Policy{}, true},
		{"so is a public IPv6 address", "2606:2800:220:1::1", Policy{}, true},
		{"loopback is the server itself", "127.0.0.1", Policy{}, false},
		{"all of 127/8 is loopback", "127.9.9.9", Policy{}, false},
		{"IPv6 loopback", "::1", Policy{}, false},
		{"an IPv4-mapped loopback reaches loopback", "::ffff:127.0.0.1", Policy{}, false},
		{"unspecified connects to the host itself", "0.0.0.0", Policy{}, false},
		{"unspecified IPv6 too", "::", Policy{}, false},
		{"private networks hold the cluster", "10.96.0.1", Policy{}, false},
		{"private networks, 172.16/12", "172.20.0.1", Policy{}, false},
		{"private networks, 192.168/16", "192.168.1.1", Policy{}, false},
		{"unique local IPv6", "fd00::1", Policy{}, false},
		{"cloud metadata is link-local", "169.254.169.254", Policy{}, false},
		{"link-local IPv6, with a zone", "fe80::1%eth0", Policy{}, false},
		{"carrier-grade NAT is used inside clouds", "100.100.100.200", Policy{}, false},
		{"NAT64 may carry a private IPv4 address", "64:ff9b::a00:1", Policy{}, false},
		{"6to4 may carry a private IPv4 address", "2002:a00:1::", Policy{}, false},
		{"IPv4-compatible carries one as well", "::10.0.0.1", Policy{}, false},
		{"multicast", "224.0.0.1", Policy{}, false},
		{"broadcast", "255.255.255.255", Policy{}, false},
		{"the platform may allow loopback", "127.0.0.1", Policy{AllowLoopback: true}, true},
		{"which allows nothing else", "10.0.0.1", Policy{AllowLoopback: true}, false},
		{"the platform may allow a network", "10.1.1.1", Policy{Allow: allow}, true},
		{"deny wins over allow", "10.1.2.1", Policy{Allow: allow, Deny: deny}, false},
		{"deny wins over public", "8.8.8.8", Policy{Deny: deny}, false},
		{"deny sees through IPv4-mapped addresses", "::ffff:8.8.8.8", Policy{Deny: deny}, false},
	} {
		if got := tc.policy.Permits(netip.MustParseAddr(tc.addr)); got != tc.want {
			t.Errorf("%s: Permits(%s) = %t, want %t", tc.reason, tc.addr, got, tc.want)
		}
	}
	if (Policy{}).Permits(netip.Addr{}) {
		t.Error("the zero address is permitted")
	}
}

// get reads a URL and returns the body and the first error of the exchange or the read.
func get(t *testing.T, c *http.Client, url string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Do(req)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(res.Body)
	if cerr := res.Body.Close(); cerr != nil {
		t.Error(cerr)
	}
	return string(body), err
}

func TestClientChecksTheAddressAfterResolution(t *testing.T) {
	calls := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls++
		_, _ = io.WriteString(w, "inside")
	}))
	defer srv.Close()
	byName := strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)
	for _, url := range []string{srv.URL, byName} {
		if _, err := get(t, NewClient(Policy{}, time.Second, 100), url); !errors.Is(err, ErrAddressRefused) {
			t.Errorf("%s: error %v, want ErrAddressRefused", url, err)
		}
	}
	if calls != 0 {
		t.Errorf("the server inside was called %d times", calls)
	}
	body, err := get(t, NewClient(Policy{AllowLoopback: true}, time.Second, 100), srv.URL)
	if err != nil || body != "inside" {
		t.Errorf("with AllowLoopback: %q, %v", body, err)
	}
}

func TestClientIgnoresTheEnvironmentsProxy(t *testing.T) {
	transport, ok := NewClient(Policy{}, time.Second, 1).Transport.(*capped)
	if !ok || transport.next.Proxy != nil {
		t.Error("the client takes a proxy from somewhere; the address check would judge the proxy")
	}
}

func TestClientCapsBodies(t *testing.T) {
	const limit = 1000
	for _, tc := range []struct {
		reason string
		size   int
		want   error
	}{
		{"a body of exactly the limit is whole", limit, nil},
		{"one byte more is refused, not shortened", limit + 1, ErrBodyTooLarge},
		{"an endless body is refused", 1 << 20, ErrBodyTooLarge},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat("x", tc.size))
		}))
		body, err := get(t, NewClient(Policy{AllowLoopback: true}, 5*time.Second, limit), srv.URL)
		srv.Close()
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: error %v, want %v", tc.reason, err, tc.want)
		}
		if len(body) > limit || (tc.want == nil && len(body) != tc.size) {
			t.Errorf("%s: read %d bytes", tc.reason, len(body))
		}
	}
}

func TestClientRefusesCrossOriginRedirects(t *testing.T) {
	reached := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer other.Close()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, other.URL, http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/near":
			http.Redirect(w, r, "/here", http.StatusFound)
		default:
			_, _ = io.WriteString(w, "here")
		}
	}))
	defer srv.Close()
	c := NewClient(Policy{AllowLoopback: true}, 5*time.Second, 100)
	if _, err := get(t, c, srv.URL+"/away"); !errors.Is(err, ErrRedirectRefused) || reached {
		t.Errorf("redirect to another origin: error %v, reached %t", err, reached)
	}
	if _, err := get(t, c, srv.URL+"/loop"); err == nil {
		t.Error("a redirect loop ended without an error")
	}
	if body, err := get(t, c, srv.URL+"/near"); err != nil || body != "here" {
		t.Errorf("redirect within the origin: %q, %v", body, err)
	}
}

func TestClientTimesOut(t *testing.T) {
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer srv.Close()
	defer close(release)
	start := time.Now()
	if _, err := get(t, NewClient(Policy{AllowLoopback: true}, 50*time.Millisecond, 100), srv.URL); err == nil {
		t.Error("a server that never answers gave no error")
	}
	if d := time.Since(start); d > 3*time.Second {
		t.Errorf("gave up after %s", d)
	}
}

// TestProxyIsAskedForPublicAddressesOnly: the proxy may be inside, but the way to it must be no way to what else is there.
func TestProxyIsAskedForPublicAddressesOnly(t *testing.T) {
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.String())
		if _, err := io.WriteString(w, "from the proxy"); err != nil {
			t.Error(err)
		}
	}))
	defer proxy.Close()
	address, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := NewClient(Policy{Proxy: address}, 10*time.Second, 1000)
	fetch := func(target string) error {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, http.NoBody)
		if err != nil {
			return err
		}
		res, err := client.Do(req)
		if err != nil {
			return err
		}
		return res.Body.Close()
	}
	for _, inside := range []string{"http://127.0.0.1:9/", "http://10.0.0.1/", "http://169.254.169.254/latest", "http://localhost/", "http://[::1]/"} {
		if err := fetch(inside); !errors.Is(err, ErrAddressRefused) {
			t.Errorf("%s: %v", inside, err)
		}
	}
	if err := fetch("http://8.8.8.8/model"); err != nil {
		t.Errorf("a public address: %v", err)
	}
	if err := fetch("http://name-that-only-the-proxy-knows.invalid/"); err != nil {
		t.Errorf("a name that is resolved at the proxy: %v", err)
	}
	if len(asked) != 2 || asked[0] != "http://8.8.8.8/model" {
		t.Errorf("the proxy was asked for %q", asked)
	}
}

func TestRootCAs(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer srv.Close()
	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	for _, tc := range []struct {
		reason string
		policy Policy
		ok     bool
	}{
		{"an authority that the platform has named", Policy{AllowLoopback: true, RootCAs: pool}, true},
		{"one that nobody knows", Policy{AllowLoopback: true}, false},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		res, err := NewClient(tc.policy, 10*time.Second, 1000).Do(req)
		if err == nil {
			err = res.Body.Close()
		}
		if (err == nil) != tc.ok {
			t.Errorf("%s: %v", tc.reason, err)
		}
	}
}
