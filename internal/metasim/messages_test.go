package metasim_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
)

const directMessages = "/v25.0/" + metasim.DemoDirectPhone + "/messages"

func TestSendLimits(t *testing.T) {
	rows := func(n int) string {
		var out []string
		for i := range n {
			out = append(out, fmt.Sprintf(`{"id":"r%d","title":"t"}`, i))
		}
		return strings.Join(out, ",")
	}
	button := func(id, title string) string {
		return `{"type":"reply","reply":{"id":"` + id + `","title":"` + title + `"}}`
	}
	buttons := func(list ...string) string {
		return `"type":"interactive","interactive":{"type":"button","body":{"text":"b"},"action":{"buttons":[` + strings.Join(list, ",") + `]}}`
	}
	list := func(sections string) string {
		return `"type":"interactive","interactive":{"type":"list","body":{"text":"b"},"action":{"button":"Open","sections":[` + sections + `]}}`
	}
	long := strings.Repeat("ä", 5000)
	cases := []struct {
		reason, body string
		code         int
	}{
		{"4096 characters of text are fine", `"type":"text","text":{"body":"` + long[:2*4096] + `"}`, 0},
		{"4097 are not", `"type":"text","text":{"body":"` + long[:2*4097] + `"}`, 100},
		{"empty text", `"type":"text","text":{"body":""}`, 131008},
		{"unknown member", `"type":"text","text":{"body":"x"},"shoe":1`, 100},
		{"unknown type", `"type":"song","song":{}`, 131051},
		{"opaque data over 512", `"type":"text","text":{"body":"x"},"biz_opaque_callback_data":"` + strings.Repeat("x", 513) + `"`, 100},
		{"three buttons", buttons(button("a", "A"), button("b", "B"), button("c", "C")), 0},
		{"four buttons", buttons(button("a", "A"), button("b", "B"), button("c", "C"), button("d", "D")), 131009},
		{"two buttons with one id", buttons(button("a", "A"), button("a", "B")), 131009},
		{"a title of 21 characters", buttons(button("a", strings.Repeat("x", 21))), 100},
		{"ten rows", list(`{"title":"s","rows":[` + rows(10) + `]}`), 0},
		{"eleven rows", list(`{"title":"s","rows":[` + rows(11) + `]}`), 131009},
		{"two sections need titles", list(`{"rows":[{"id":"1","title":"t"}]},{"rows":[{"id":"2","title":"t"}]}`), 131008},
		{"an image by link", `"type":"image","image":{"link":"https://example.com/a.png","caption":"c"}`, 0},
		{"an image without source", `"type":"image","image":{"caption":"c"}`, 100},
		{"a caption over 1024", `"type":"image","image":{"id":"1","caption":"` + long[:2*1025] + `"}`, 100},
		{"a location with strings", `"type":"location","location":{"latitude":"1.5","longitude":"2"}`, 0},
		{"a location with numbers", `"type":"location","location":{"latitude":1.5,"longitude":2}`, 0},
	}
	w := newWorld(t)
	w.flip(func(s *metasim.Switches) { s.EnforcePairRate, s.EnforceThroughput = false, false })
	w.write("hi")
	for _, tc := range cases {
		t.Run(tc.reason, func(t *testing.T) {
			r := w.do("POST", directMessages, w.directToken(), `{"messaging_product":"whatsapp","to":"+16505551234",`+tc.body+`}`)
			if r.code() != tc.code || (r.status == http.StatusOK) != (tc.code == 0) {
				t.Errorf("code %d, want %d: %s", r.code(), tc.code, r.raw)
			}
		})
	}
}

func TestSendRefusals(t *testing.T) {
	w := newWorld(t)
	biz := w.businessToken()
	w.refuse("not registered", "POST", phonePath+"/messages", biz, textMessage("+16505551234", "x"), 133010, 0)
	tok := w.directToken()
	w.refuse("to itself", "POST", directMessages, tok, textMessage("+1 555-078-3999", "x"), 131021, 0)
	w.refuse("no recipient", "POST", directMessages, tok, `{"messaging_product":"whatsapp","text":{"body":"x"}}`, 131008, 0)
	w.refuse("not a number", "POST", directMessages, tok, textMessage("ana", "x"), 131009, 0)
	w.refuse("without messaging_product", "POST", directMessages, tok, `{"to":"+16505551234","text":{"body":"x"}}`, 100, 0)
	w.flip(func(s *metasim.Switches) { s.ClosedWindow = "sync" })
	w.refuse("window closed, said at once", "POST", directMessages, tok, textMessage("+16505551234", "x"), 131047, 0)
	if err := w.sim.UpdateWABA(metasim.DemoDirectWABA, func(a *metasim.WABA) { a.PrimaryFundingID = "" }); err != nil {
		t.Fatal(err)
	}
	w.flip(func(s *metasim.Switches) { s.Unfunded = "sync" })
	w.write("hi")
	w.refuse("no payment method, said at once", "POST", directMessages, tok, textMessage("+16505551234", "x"), 131042, 0)
	w.flip(func(s *metasim.Switches) { s.AmbiguousPayer = "error" })
	w.refuse("no account named where there are several", "POST", directMessages, tok, textMessage("+16505551234", "x"), 100, 0)
}

func TestSendRates(t *testing.T) {
	w := newWorld(t)
	w.write("hi")
	tok := w.directToken()
	for i := range 45 {
		if r := w.do("POST", directMessages, tok, textMessage("+16505551234", "x")); r.status != http.StatusOK {
			t.Fatalf("message %d of the burst: %s", i+1, r.raw)
		}
	}
	w.refuse("46th to one person", "POST", directMessages, tok, textMessage("+16505551234", "x"), 131056, 0)
	for i := range 80 - 47 { // 45 out, 1 refused by the pair rate and 1 in belong to the same second
		w.ok("POST", directMessages, tok, textMessage(fmt.Sprintf("+1650556%04d", i), "x"))
	}
	w.refuse("81st of the second", "POST", directMessages, tok, textMessage("+16505569999", "x"), 130429, 0)
	w.clock.Step(6 * time.Second)
	w.ok("POST", directMessages, tok, textMessage("+16505551234", "x"))
}

// awaitStatuses polls until a message has produced n statuses.
func (w *world) awaitStatuses(wamid string, n int) []string {
	w.t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for {
		changed := w.sim.Changed()
		got := w.sim.Statuses(wamid)
		if len(got) >= n {
			return got
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("statuses of the message: %v, want %d", got, n)
		}
		select {
		case <-changed:
		case <-time.After(10 * time.Millisecond): // a repeated status changes no conversation
		}
	}
}

func TestStatusSequences(t *testing.T) {
	cases := []struct {
		mode string
		want []string
	}{
		{"normal", []string{"sent", "delivered", "read"}},
		{"skip_delivered", []string{"sent", "read"}},
		{"reorder", []string{"read", "delivered", "sent"}},
		{"duplicate", []string{"sent", "sent", "delivered", "delivered", "read", "read"}},
	}
	for _, tc := range cases {
		t.Run(tc.mode, func(t *testing.T) {
			w := newWorld(t)
			rec := newReceiver(t)
			w.connectDirect(rec)
			w.flip(func(s *metasim.Switches) { s.StatusMode = tc.mode })
			w.write("hi")
			rec.wait(1)
			wamid := w.sendOne()
			if diff := cmp.Diff(tc.want, w.awaitStatuses(wamid, len(tc.want))); diff != "" {
				t.Errorf("statuses (-want +got):\n%s", diff)
			}
			priced := 0
			for _, p := range rec.wait(1 + len(tc.want))[1:] {
				if !p.contains(`"biz_opaque_callback_data":"row-1"`) {
					t.Errorf("status without the opaque data: %s", p.body)
				}
				if p.contains(`"type":"free_customer_service"`) {
					priced++
				}
			}
			if priced < 2 {
				t.Errorf("pricing came with %d statuses, want sent and one other", priced)
			}
			conv := w.sim.Conversation(metasim.DemoDirectPhone, metasim.DemoCustomer)
			if last := conv[len(conv)-1]; last.Status != "read" || last.Direction != "out" {
				t.Errorf("last entry = %+v", last)
			}
		})
	}
}

func TestStatusesThatAreLateOrNeverCome(t *testing.T) {
	w := newWorld(t)
	rec := newReceiver(t)
	w.connectDirect(rec)
	w.write("hi")
	rec.wait(1)
	w.flip(func(s *metasim.Switches) { s.LostStatuses = 1 })
	lost := w.sendOne()
	w.flip(func(s *metasim.Switches) {
		s.LostStatuses, s.LateStatuses, s.LateStatusDelay = 0, 1, metasim.Duration(300*time.Millisecond)
	})
	late := w.sendOne()
	w.flip(func(s *metasim.Switches) { s.LateStatuses = 0 })
	prompt := w.sendOne()
	w.awaitStatuses(prompt, 3)
	if diff := cmp.Diff([]string{"sent", "delivered", "read"}, w.awaitStatuses(late, 3)); diff != "" {
		t.Errorf("late ones come all the same (-want +got):\n%s", diff)
	}
	if got := w.sim.Statuses(lost); len(got) != 0 {
		t.Errorf("lost statuses came: %v", got)
	}
	if err := w.sim.Switch(func(s *metasim.Switches) { s.LostStatuses, s.LateStatuses = 0.7, 0.7 }); err == nil {
		t.Error("more than all can't be late or lost")
	}
}

func (w *world) sendOne() string {
	w.t.Helper()
	r := w.ok("POST", directMessages, w.directToken(), textMessage("+16505551234", "We open at 9."))
	return r.at("messages").([]any)[0].(map[string]any)["id"].(string)
}

func TestAsynchronousFailures(t *testing.T) {
	cases := []struct {
		reason  string
		prepare func(w *world)
		code    int
	}{
		{"nobody wrote, so no window is open", func(*world) {}, 131047},
		{"the window closes after 24 hours", func(w *world) { w.write("hi"); w.clock.Step(24 * time.Hour) }, 131047},
		{"no payment method", func(w *world) {
			w.write("hi")
			if err := w.sim.UpdateWABA(metasim.DemoDirectWABA, func(a *metasim.WABA) { a.PrimaryFundingID = "" }); err != nil {
				w.t.Fatal(err)
			}
		}, 131042},
	}
	for _, tc := range cases {
		t.Run(tc.reason, func(t *testing.T) {
			w := newWorld(t)
			tc.prepare(w)
			wamid := w.sendOne()
			if got := w.awaitStatuses(wamid, 1); got[0] != "failed" {
				t.Fatalf("statuses = %v", got)
			}
			conv := w.sim.Conversation(metasim.DemoDirectPhone, metasim.DemoCustomer)
			if last := conv[len(conv)-1]; last.Status != "failed" || last.Error != tc.code {
				t.Errorf("entry = %+v, want error %d", last, tc.code)
			}
		})
	}
}

func TestFreeAllowance(t *testing.T) {
	w := newWorld(t)
	rec := newReceiver(t)
	w.connectDirect(rec)
	w.flip(func(s *metasim.Switches) { s.FreeServiceMessages = 1 })
	w.write("hi")
	w.awaitStatuses(w.sendOne(), 3)
	rec.wait(4)
	w.awaitStatuses(w.sendOne(), 3)
	posts := rec.wait(7)
	for i, want := range []string{"free_customer_service", "free_customer_service", "", "regular", "regular", ""} {
		if want != "" && !anyContains(posts[1+3*(i/3):4+3*(i/3)], want) {
			t.Errorf("message %d is not priced %q", 1+i/3, want)
		}
	}
}

func anyContains(posts []post, s string) bool {
	for _, p := range posts {
		if p.contains(s) {
			return true
		}
	}
	return false
}

func TestReadReceiptAndTyping(t *testing.T) {
	w := newWorld(t)
	first, second := w.write("one"), w.write("two")
	tok := w.directToken()
	w.refuse("unknown message", "POST", directMessages, tok, `{"messaging_product":"whatsapp","status":"read","message_id":"wamid.X"}`, 131009, 0)
	w.ok("POST", directMessages, tok, `{"messaging_product":"whatsapp","status":"read","message_id":"`+second.Wamid+`","typing_indicator":{"type":"text"}}`)
	conv := w.sim.Conversation(metasim.DemoDirectPhone, metasim.DemoCustomer)
	if conv[0].Wamid != first.Wamid || !conv[0].Read || !conv[1].Read || !conv[1].Typing || conv[0].Typing {
		t.Errorf("both are read, the second shows typing: %+v", conv)
	}
	w.clock.Step(26 * time.Second)
	conv = w.sim.Conversation(metasim.DemoDirectPhone, metasim.DemoCustomer)
	if conv[1].Typing || !conv[1].TypingShown {
		t.Errorf("the indicator ends after 25 seconds: %+v", conv[1])
	}
	if c := w.sim.Counters(); c.Calls["mark_read"] != 2 || c.Calls["send"] != 0 {
		t.Errorf("read receipts are counted apart from sends: %v", c.Calls)
	}
}

func (w *world) upload(kind string, data []byte) reply {
	w.t.Helper()
	var buf bytes.Buffer
	mw := multipart.NewWriter(&buf)
	if err := mw.WriteField("messaging_product", "whatsapp"); err != nil {
		w.t.Fatal(err)
	}
	part, err := mw.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="file"; filename="a"`}, "Content-Type": {kind}})
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := part.Write(data); err != nil {
		w.t.Fatal(err)
	}
	if err := mw.Close(); err != nil {
		w.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.url+"/v25.0/"+metasim.DemoDirectPhone+"/media", &buf)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", mw.FormDataContentType())
	req.Header.Set("Authorization", "Bearer "+w.directToken())
	res, err := w.client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	out := reply{status: res.StatusCode}
	if err := json.NewDecoder(res.Body).Decode(&out.body); err != nil {
		w.t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		w.t.Fatal(err)
	}
	return out
}

func TestMedia(t *testing.T) {
	w := newWorld(t)
	tok := w.directToken()
	if r := w.upload("application/x-msdownload", []byte("MZ")); r.code() != 100 {
		t.Errorf("unsupported type: %v", r.body)
	}
	if r := w.upload("image/png", make([]byte, 5<<20+1)); r.code() != 131053 {
		t.Errorf("an image over 5 MB: %v", r.body)
	}
	id := w.upload("image/png", []byte("pixels")).text("id")
	look := w.ok("GET", "/v25.0/"+id+"?phone_number_id="+metasim.DemoDirectPhone, tok, "")
	if look.number("file_size") != 6 || look.text("mime_type") != "image/png" || len(look.text("sha256")) != 64 {
		t.Errorf("lookup = %s", look.raw)
	}
	path := strings.TrimPrefix(look.text("url"), w.url)
	if got := w.ok("GET", path, tok, ""); string(got.raw) != "pixels" || got.header.Get("Content-Type") != "image/png" {
		t.Errorf("download = %q %s", got.raw, got.header.Get("Content-Type"))
	}
	if r := w.do("GET", path, "", ""); r.status == http.StatusOK {
		t.Error("the URL must need the token")
	}
	if r := w.do("GET", path, w.businessToken(), ""); r.status != http.StatusNotFound {
		t.Errorf("another tenant's token gets %d", r.status)
	}
	w.flip(func(s *metasim.Switches) { s.MediaRedirects, s.FileSizeAsString, s.SHA256Base64 = true, true, true })
	if r := w.do("GET", path, tok, ""); r.status != http.StatusFound {
		t.Errorf("status %d, want a redirect", r.status)
	}
	if r := w.ok("GET", "/v25.0/"+id, tok, ""); r.text("file_size") != "6" || len(r.text("sha256")) != 44 {
		t.Errorf("lookup = %s", r.raw)
	}
	w.clock.Step(5 * time.Minute)
	if r := w.do("GET", path, tok, ""); r.status != http.StatusNotFound {
		t.Errorf("a URL lives 5 minutes, then 404, not %d", r.status)
	}
	w.ok("DELETE", "/v25.0/"+id, tok, "")
	w.refuse("deleted", "GET", "/v25.0/"+id, tok, "", 100, 33)
}

func TestMessageHistory(t *testing.T) {
	w := newWorld(t)
	w.write("hi")
	wamid := w.sendOne()
	w.awaitStatuses(wamid, 3)
	path := "/v25.0/" + metasim.DemoDirectPhone + "/message_history?message_id=" + strings.ReplaceAll(wamid, "+", "%2B")
	w.refuse("not offered", "GET", path, w.directToken(), "", 100, 0)
	w.flip(func(s *metasim.Switches) { s.MessageHistory = true })
	if r := w.ok("GET", path, w.directToken(), ""); !strings.Contains(string(r.raw), `"READ"`) {
		t.Errorf("history = %s", r.raw)
	}
}
