package ingress

import (
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta/webhook"
)

// counted are all counters of the ingress that are not zero, as "name label".
func (w *world) counted() map[string]float64 {
	w.t.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	all := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if c := m.GetCounter(); c != nil && c.GetValue() > 0 {
				name := strings.TrimSuffix(strings.TrimPrefix(family.GetName(), "whatsapp_webhook_"), "_total")
				for _, label := range m.GetLabel() {
					name += " " + label.GetValue()
				}
				all[name] = c.GetValue()
			}
		}
	}
	return all
}

// raw is a message with these members beside its id.
func rawMessage(id, members string) string { return fmt.Sprintf(`{"id":"wamid.%s",%s}`, id, members) }

// TestBadInput takes each kind of bad input, lets it come beside a neighbour's message in the same body where there can be one and
// another neighbour's in a body of its own, and sees what is answered, what is counted, and that both neighbours get theirs.
func TestBadInput(t *testing.T) {
	said := func(text string) string { return `"type":"text","text":{"body":"` + text + `"}` }
	at := fmt.Sprintf(`"timestamp":"%d",`, time.Now().Unix())
	beside := entry("302", messages("202", text("beside", "49152", "beside")))
	of := func(items ...string) string { return body(entry("301", messages("201", items...)), beside) }
	tooLarge := body(entry("301", messages("201", text("1", "49151", "x"))))
	tooLarge += strings.Repeat(" ", MaxBody+1-len(tooLarge))
	good := of(text("1", "49151", "x"))
	numbers := strings.NewReplacer(`"201"`, `201`, `"301"`, `301`)
	for _, tc := range []struct {
		reason      string
		body        string
		contentType string // empty for JSON; an encoding after a comma
		signature   string // empty for a genuine one of app A
		status      int
		// beside tells that the neighbour in the same body gets his message, texts what the number itself gets.
		beside bool
		texts  []string
		counts map[string]float64
	}{
		{"a body over the limit", tooLarge, "", "", 413, false, nil, map[string]float64{"posts too_large": 1}},
		{"truncated JSON", good[:len(good)-9], "", "", 200, false, nil, map[string]float64{"posts stored": 1, "untrusted Unreadable": 1, "items dead_letter": 1}},
		{"deeply nested JSON", strings.Repeat("[", 100_000), "", "", 200, false, nil, map[string]float64{"posts stored": 1, "untrusted Unreadable": 1, "items dead_letter": 1}},
		{"deep nesting inside one message", of(rawMessage("1", at+`"from":"49151","type":"text","text":`+strings.Repeat("[", 9000)+strings.Repeat("]", 9000))), "", "", 200, true, nil,
			map[string]float64{"posts stored": 1, "untrusted Unreadable": 1, "items dead_letter": 1, "items new": 1}},
		{"a wrong content type", good, "text/plain", "", 415, false, nil, map[string]float64{"posts wrong_media_type": 1}},
		{"a compressed body", good, "application/json,gzip", "", 415, false, nil, map[string]float64{"posts wrong_media_type": 1}},
		{"an encoding that is none", good, "application/json,identity", "", 200, true, []string{"x"}, map[string]float64{"posts stored": 1, "items new": 2}},
		{"duplicate keys", strings.Replace(good, `"phone_number_id":"201"`, `"phone_number_id":"203","phone_number_id":"201"`, 1), "", "", 200, true, nil,
			map[string]float64{"posts stored": 1, "untrusted DuplicateKeys": 1, "items dead_letter": 1, "items new": 1}},
		{"duplicate keys around the changes", strings.Replace(good, `"id":"301"`, `"id":"303","id":"301"`, 1), "", "", 200, false, nil,
			map[string]float64{"posts stored": 1, "untrusted DuplicateKeys": 1, "items dead_letter": 1}},
		{"keys of another responder's own choice", strings.Replace(good, `"metadata"`, `"later":{"ID":1,"id":2,"Value":{"Metadata":{}}},"metadata"`, 1), "", "", 200, true, []string{"x"},
			map[string]float64{"posts stored": 1, "items new": 2}},
		{"ids as numbers, a customer's too", strings.Replace(numbers.Replace(good), `"from":"49151"`, `"from":49151`, 1), "", "", 200, true, []string{"x"}, map[string]float64{"posts stored": 1, "items new": 2}},
		{"ids as numbers", numbers.Replace(good), "", "", 200, true, []string{"x"}, map[string]float64{"posts stored": 1, "items new": 2}},
		{"a time in milliseconds", of(rawMessage("1", `"timestamp":"1763700001000","from":"49151",`+said("late"))), "", "", 200, true, []string{"late"}, map[string]float64{"posts stored": 1, "items new": 2}},
		{"a time of nonsense", of(rawMessage("1", `"timestamp":"soon","from":"49151",`+said("when"))), "", "", 200, true, []string{"when"},
			map[string]float64{"posts stored": 1, "items new": 2, "items undated": 1}},
		{"absent contacts, and nobody's number", of(rawMessage("1", at+said("who"))), "", "", 200, true, nil, map[string]float64{"posts stored": 1, "items new": 1, "items dead_letter": 1}},
		{"contacts of no shape", strings.Replace(good, `"metadata"`, `"contacts":[7,{"wa_id":49151,"profile":"x"}],"metadata"`, 1), "", "", 200, true, []string{"x"}, map[string]float64{"posts stored": 1, "items new": 2}},
		{"absent contacts", of(rawMessage("1", at+`"from":"49151",`+said("me"))), "", "", 200, true, []string{"me"}, map[string]float64{"posts stored": 1, "items new": 2}},
		{"an empty batch", body(), "", "", 200, false, nil, map[string]float64{"posts nothing_to_store": 1}},
		{"invalid UTF-8", of(rawMessage("1\xff", at+`"from":"49151",`+said("\xff\xfe"))), "", "", 200, true, []string{"\ufffd\ufffd"}, map[string]float64{"posts stored": 1, "items new": 2}},
		{"NUL", of(rawMessage(`1\u0000`, at+`"from":"49151",`+said(`a\u0000b`))), "", "", 200, true, nil, map[string]float64{"posts stored": 1, "items new": 1, "items dead_letter": 1}},
		{"a user id where the number belongs", of(rawMessage("1", at+`"from":"US.134912",`+said("hid"))), "", "", 200, true, []string{"hid"}, map[string]float64{"posts stored": 1, "items new": 2}},
		{"numbers of two apps in one body", body(entry("303", messages("203", text("1", "49151", "forged"))), beside), "", "", 200, true, nil,
			map[string]float64{"posts stored": 1, "untrusted ForeignID": 1, "items new": 1}},
		{"a signature of the wrong length", good, "", "sha256=00", 200, false, nil, map[string]float64{"posts ignored": 1, "untrusted BadSignature": 1}},
		{"a signature of the wrong scheme", good, "", "sha1=" + strings.Repeat("0", 66), 200, false, nil, map[string]float64{"posts ignored": 1, "untrusted BadSignature": 1}},
		{"a signature of nobody", good, "", "sha256=" + strings.Repeat("0", 64), 200, false, nil, map[string]float64{"posts quarantined": 1, "untrusted BadSignature": 1}},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			w := newWorld(t, everything(), nil)
			header := map[string]string{"Content-Type": "application/json", webhook.SignatureHeader: webhook.Sign([]byte(secretA), []byte(tc.body))}
			if tc.contentType != "" {
				header["Content-Type"], header["Content-Encoding"], _ = strings.Cut(tc.contentType, ",")
			}
			if tc.signature != "" {
				header[webhook.SignatureHeader] = tc.signature
			}
			if status, answer := w.send(http.MethodPost, strings.NewReader(tc.body), header); status != tc.status || answer != "" {
				t.Errorf("answered %d %q, want %d and no word", status, answer, tc.status)
			}
			if diff := cmp.Diff(tc.counts, w.counted()); diff != "" {
				t.Errorf("counted (-want +got):\n%s", diff)
			}
			if got := w.texts("line-q"); tc.beside != (len(got) == 1 && got[0] == "beside") {
				t.Errorf("the neighbour in the same body has %q", got)
			}
			if got := w.texts("line-p"); strings.Join(got, ",") != strings.Join(tc.texts, ",") {
				t.Errorf("the number itself has %q", got)
			}
			if status, _ := w.post(secretB, body(entry("303", messages("203", text("other", "49151", "other"))))); status != 200 || strings.Join(w.texts("line-r"), ",") != "other" {
				t.Errorf("a neighbour afterwards is answered %d, and has %q", status, w.texts("line-r"))
			}
		})
	}
}

// TestSlowClientIsCutOff: who drips his body gets the time that a request has, is counted, and holds nobody up meanwhile.
func TestSlowClientIsCutOff(t *testing.T) {
	w := newWorld(t, everything(), nil)
	impatient := httptest.NewUnstartedServer(w.handler)
	impatient.Config.ReadTimeout = 500 * time.Millisecond
	impatient.Start()
	defer impatient.Close()
	slow, err := net.Dial("tcp", impatient.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = slow.Close() }()
	if _, err := fmt.Fprintf(slow, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{", Path); err != nil {
		t.Fatal(err)
	}
	if status, _ := w.post(secretA, body(entry("301", messages("201", text("1", "49151", "x"))))); status != 200 {
		t.Errorf("beside a slow client: answered %d", status)
	}
	answer := make([]byte, 1024)
	n, err := slow.Read(answer)
	if got := string(answer[:n]); err != nil || !strings.HasPrefix(got, "HTTP/1.1 408 ") || !strings.HasSuffix(got, "\r\n\r\n") {
		t.Errorf("a client who is too slow is answered %q, %v", got, err)
	}
	w.eventually("it is counted", func() bool {
		return maps.Equal(w.counted(), map[string]float64{"posts stored": 1, "items new": 1, "posts aborted": 1})
	})
}
