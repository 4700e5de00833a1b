package urls

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
)

// names is a name server. Each name has answers that it gives in turn, the last one again and again.
var names = struct {
	sync.Mutex
	answers map[string][][]netip.Addr
	asked   map[string]int
}{answers: map[string][][]netip.Addr{}, asked: map[string]int{}}

// name makes a name known and returns it.
func name(host string, answers ...[]netip.Addr) string {
	host += ".names.example.test"
	names.Lock()
	defer names.Unlock()
	names.answers[host] = answers
	return host
}

func TestMain(m *testing.M) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go func() {
		query := make([]byte, 4096)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(query)
			if err != nil {
				return
			}
			if answer := resolve(query[:n]); answer != nil {
				_, _ = conn.WriteToUDPAddrPort(answer, from) // a lost answer is asked for again
			}
		}
	}()
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
	os.Exit(m.Run())
}

// resolve answers a query of the wire format of RFC 1035; nil if it can't be read.
func resolve(query []byte) []byte {
	const header, typeA, noSuchName = 12, 1, 3
	host, at := "", header
	for at < len(query) && query[at] != 0 {
		end := at + 1 + int(query[at])
		if end > len(query) {
			return nil
		}
		host += string(query[at+1:end]) + "."
		at = end
	}
	if at+5 > len(query) {
		return nil
	}
	kind := binary.BigEndian.Uint16(query[at+1:])
	names.Lock()
	defer names.Unlock()
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	all, known := names.answers[host]
	var found []netip.Addr
	if known && kind == typeA {
		found = all[min(names.asked[host], len(all)-1)]
		names.asked[host]++
	}
	answer := append([]byte(nil), query[:at+5]...)
	answer[2], answer[3] = 0x84, 0 // an answer, with authority
	if !known {
		answer[3] = noSuchName
	}
	binary.BigEndian.PutUint16(answer[4:], 1)
	binary.BigEndian.PutUint16(answer[6:], uint16(len(found)))
	binary.BigEndian.PutUint32(answer[8:], 0)
	for _, addr := range found {
		answer = append(answer, 0xc0, header, 0, typeA, 0, 1, 0, 0, 0, 0, 0, 4) // for the name in the question, for no time at all
		answer = append(answer, addr.AsSlice()...)
	}
	return answer
}
