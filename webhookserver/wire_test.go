package webhookserver

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/ingress"
)

// TestRequestsOnTheWire sends requests in the forms that clients and proxies have, and in those that only attackers have.
func TestRequestsOnTheWire(t *testing.T) {
	o, from, kept := options(t)
	from.publish(t, "https://graph.facebook.com")
	s, _, _ := start(t, o)
	head := func(signature, more string) string {
		return "POST " + ingress.Path + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Hub-Signature-256: " + signature + "\r\n" + more
	}
	whole := func(id string) string {
		body, signature := signed(id, id)
		return head(signature, fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body))
	}
	chunked := func(id, trailer string) string {
		body, signature := signed(id, id)
		half := len(body) / 2
		return head(signature, fmt.Sprintf("Transfer-Encoding: chunked\r\nTrailer: X-Hub-Signature-256\r\n\r\n%x;ext=1\r\n%s\r\n%x\r\n%s\r\n0\r\n%s\r\n",
			half, body[:half], len(body)-half, body[half:], trailer))
	}
	expecting := func(id, more string) (first, then string) {
		body, signature := signed(id, id)
		return head(signature, fmt.Sprintf("%sExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", more, len(body))), string(body)
	}
	waits, then := expecting("expects", "")
	refused, _ := expecting("compressed", "Content-Encoding: gzip\r\n")
	for _, tc := range []struct {
		reason, first string
		// then is sent after the first answer.
		then string
		want []int
	}{
		{"one after the other", whole("first"), whole("second"), []int{200, 200}},
		{"before the answer to another", whole("third") + whole("fourth") + whole("first"), "", []int{200, 200, 200}},
		{"in chunks", chunked("chunks", ""), "", []int{200}},
		{"in chunks, with a signature that comes too late to count", chunked("trailer", "X-Hub-Signature-256: sha256=0\r\n"), "", []int{200}},
		{"in chunks that are none", head("x", "Transfer-Encoding: chunked\r\n\r\nzz\r\n"), "", []int{408}},
		{"a body that waits to be asked for", waits, then, []int{100, 200}},
		{"and is not asked for", refused, "", []int{415}},
		{"a header without end", head(strings.Repeat("x", ingress.MaxHeaderBytes+8<<10), "Content-Length: 0\r\n\r\n"), "", []int{431}},
		{"HTTP/2 without TLS", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "", []int{400}},
		{"no HTTP", "\x16\x03\x01\x02\x00\r\n\r\n", "", []int{400}},
	} {
		if got := exchange(t, s, tc.first, tc.then, len(tc.want)); !slices.Equal(got, tc.want) {
			t.Errorf("%s: answered %v, want %v", tc.reason, got, tc.want)
		}
	}
	texts := storedTexts(t, kept)
	slices.Sort(texts)
	if want := []string{"chunks", "expects", "first", "fourth", "second", "third", "trailer"}; !slices.Equal(texts, want) {
		t.Errorf("stored %q, want %q", texts, want)
	}
}

// exchange sends two texts over a connection, the second after an answer, and returns the statuses of n answers.
func exchange(t *testing.T, s *Server, first, then string, n int) (statuses []int) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(conn)
	for i := range n {
		if i == 0 || then != "" && i == 1 {
			if _, err := io.WriteString(conn, []string{first, then}[i]); err != nil {
				t.Fatal(err)
			}
		}
		res, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Errorf("answer %d: %v", i, err)
			return statuses
		}
		_, err = io.Copy(io.Discard, res.Body)
		if err := errors.Join(err, res.Body.Close()); err != nil {
			t.Error(err)
		}
		statuses = append(statuses, res.StatusCode)
	}
	return statuses
}
