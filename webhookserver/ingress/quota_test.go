package ingress

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta/webhook"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
)

// everyWebhook is one of each that concerns a number, with ids that begin with a prefix.
func everyWebhook(phone, prefix string) []string {
	m := func(id, rest string) string {
		return fmt.Sprintf(`{"from":"49151","from_user_id":"US.1","id":"wamid.%s%s","timestamp":"1763700001",%s}`, prefix, id, rest)
	}
	meta := fmt.Sprintf(`"metadata":{"phone_number_id":%q}`, phone)
	return []string{
		messages(phone, m("1", `"type":"text","text":{"body":"`+prefix+`"},"context":{"id":"wamid.genuine"}`)),
		messages(phone, m("2", `"type":"revoke","revoke":{"original_message_id":"wamid.genuine"}`)),
		messages(phone, m("3", `"type":"edit","edit":{"original_message_id":"wamid.genuine","message":{"type":"text","text":{"body":"forged"}}}`)),
		messages(phone, m("4", `"type":"reaction","reaction":{"message_id":"wamid.genuine","emoji":"x"}`)),
		messages(phone, m("5", `"type":"system","system":{"type":"user_changed_user_id","user_id":"US.66"}`)),
		messagesOf("messages", phone, "statuses", `{"id":"wamid.genuine","status":"failed","timestamp":"1763700002","biz_opaque_callback_data":"guess","errors":[{"code":131026}]}`),
		fmt.Sprintf(`{"field":"standby","value":{%s,"standby":{"messages":[%s]}}}`, meta, m("6", `"type":"text","text":{"body":"`+prefix+`"}`)),
		messagesOf("smb_message_echoes", phone, "message_echoes", fmt.Sprintf(`{"to":"49151","id":"wamid.%s7","timestamp":"1763700001","type":"text","text":{"body":%q}}`, prefix, prefix)),
		fmt.Sprintf(`{"field":"messaging_handovers","value":{"recipient":{"phone_number_id":%q},"sender":{"phone_number":"49151"},"type":"control_taken","timestamp":1763700000,"control_taken":{}}}`, phone),
		fmt.Sprintf(`{"field":"history","value":{%s,"history":[]}}`, meta),
		fmt.Sprintf(`{"field":"smb_app_state_sync","value":{%s,"state_sync":[{"type":"contact","contact":{"full_name":"forged","phone_number":"49151"},"action":"add"}]}}`, meta),
		fmt.Sprintf(`{"field":"calls","value":{%s}}`, meta),
		fmt.Sprintf(`{"field":"account_alerts","value":{"entity_type":"PHONE_NUMBER","entity_id":%q}}`, phone),
	}
}

// picture is everything of a line that is shown.
func (w *world) picture(line string) any {
	w.t.Helper()
	c, err := w.store.Conversations(w.t.Context(), line, 0, 100)
	if err != nil {
		w.t.Fatal(err)
	}
	return []any{c, w.messages(line)}
}

// A tenant with an app of his own signs whatever he likes. Nothing of anybody else moves, and nothing is kept of it.
func TestASignerMovesNothingOfOthers(t *testing.T) {
	w := newWorld(t, everything(), nil)
	genuine := fmt.Sprintf(`{"from":"49151","from_user_id":"US.1","id":"wamid.genuine","timestamp":"%d","type":"text","text":{"body":"genuine"}}`, time.Now().Unix())
	for phone, by := range map[string][2]string{"201": {secretA, "301"}, "203": {secretB, "303"}} {
		if status, _ := w.post(by[0], body(entry(by[1], messages(phone, genuine)))); status != 200 {
			t.Fatalf("answered %d", status)
		}
	}
	before := []any{w.picture("line-p"), w.picture("line-q"), w.picture("line-r")}
	for _, waba := range []string{"304", "301", "303", "999"} {
		for _, phone := range []string{"201", "202", "203", "206", "999"} {
			for _, change := range everyWebhook(phone, "a") {
				if status, answer := w.post(secretD, body(entry(waba, change))); status != 200 || answer != "" {
					t.Errorf("answered %d %q to %s", status, answer, change)
				}
			}
		}
	}
	if diff := cmp.Diff(before, []any{w.picture("line-p"), w.picture("line-q"), w.picture("line-r")}); diff != "" {
		t.Errorf("something of others has moved (-before +after):\n%s", diff)
	}
	// What names none of his own is not even verified: to the app that it names it may be its own with a newer secret.
	if got := w.contents(); got != (contents{Quarantined: got.Quarantined}) || len(w.texts("line-d")) != 0 {
		t.Errorf("kept: %+v, %v", got, w.texts("line-d"))
	}
	// What he signs for his own number names ids of others: they are looked for on his number only.
	if status, _ := w.post(secretD, body(entry("304", everyWebhook("204", "b")...))); status != 200 {
		t.Errorf("answered %d", status)
	}
	if len(w.texts("line-d")) == 0 {
		t.Error("his own messages are not stored")
	}
	if diff := cmp.Diff(before, []any{w.picture("line-p"), w.picture("line-q"), w.picture("line-r")}); diff != "" {
		t.Errorf("something of others has moved (-before +after):\n%s", diff)
	}
	// Keys that two readers read differently.
	for _, spelling := range []string{`"phone_number_id":"204","phone_number_id":"201"`, `"Phone_Number_Id":"201"`, `"phone_number_id":"204","PHONE_NUMBER_ID":"201"`, `"phone\u005fnumber_id":"201"`} {
		b := strings.Replace(body(entry("304", messages("204", genuine))), `"phone_number_id":"204"`, spelling, 1)
		if status, _ := w.post(secretD, b); status != 200 {
			t.Errorf("%s: answered %d", spelling, status)
		}
	}
	if diff := cmp.Diff(before, []any{w.picture("line-p"), w.picture("line-q"), w.picture("line-r")}); diff != "" {
		t.Errorf("a spelling moved something of others (-before +after):\n%s", diff)
	}
}

// What no database can hold becomes a dead letter of his, and costs a neighbour of the same group nothing.
func TestPoisonCostsNeighboursNothing(t *testing.T) {
	w := newWorld(t, everything(), nil)
	poison := []string{`a\u0000b`, `\ud800`, `\udfff\ud800`, "\xff\xfe", strings.Repeat("x", 2000)}
	done := make(chan string)
	const each = 20
	for n := range 2 * each {
		go func() {
			secret, b := secretA, body(entry("301", messages("201", text(fmt.Sprintf("good%d", n), "49151", "fine"))))
			if n%2 == 0 {
				p := poison[n/2%len(poison)]
				bad := `{"from":"49151","id":"wamid.` + p + strconv.Itoa(n) + `","timestamp":"1763700001","type":"text","text":{"body":"` + p + `"}}`
				secret, b = secretD, body(entry("304", messages("204", bad)))
			}
			status, _ := w.post(secret, b)
			done <- fmt.Sprint(status)
		}()
	}
	for range 2 * each {
		if status := <-done; status != "200" {
			t.Errorf("answered %s", status)
		}
	}
	if got := len(w.texts("line-p")); got != each {
		t.Errorf("the neighbour has %d of %d messages", got, each)
	}
	if stored, dead := len(w.texts("line-d")), w.contents().DeadLetters; stored+dead != each || dead < each/len(poison)*2 {
		t.Errorf("%d stored, %d dead letters", stored, dead)
	}
}

func TestADirectAppHasAQuota(t *testing.T) {
	frozen := time.Now()
	flooded := func(junk bool) (w *world, taken int) {
		w = newWorld(t, everything(), func(Store) Store { return &memory{} })
		w.handler.now = func() time.Time { return frozen }
		item := `{"id":"wamid.x","status":"sent","timestamp":"1763700001"}`
		b := body(entry("304", messagesOf("messages", "204", "statuses", strings.TrimSuffix(strings.Repeat(item+",", 1000), ","))))
		if junk {
			b = body(entry("304", fmt.Sprintf(`{"field":"x","value":{"metadata":{"phone_number_id":"204"},"junk":%q}}`, strings.Repeat("x", 1<<20))))
		}
		for taken = range 200 {
			status, answer := w.post(secretD, b)
			if status == 503 && answer == "" {
				return w, taken
			}
			if status != 200 {
				t.Fatalf("answered %d", status)
			}
		}
		t.Fatal("a signer is never stopped")
		return nil, 0
	}
	w, taken := flooded(false)
	if want := directBurst / 1000; taken != want {
		t.Errorf("%d batches of 1000 were taken, want %d", taken, want)
	}
	if status, _ := w.post(secretA, body(entry("301", messages("201", text("1", "49151", "x"))))); status != 200 {
		t.Errorf("a neighbour is answered %d", status)
	}
	w.handler.now = func() time.Time { return frozen.Add(time.Second) }
	if status, _ := w.post(secretD, body(entry("304", messages("204", text("1", "49151", "x"))))); status != 200 {
		t.Errorf("a second later he is answered %d", status)
	}
	if _, taken := flooded(true); taken != junkBytesBurst>>20-1 {
		t.Errorf("%d MiB of junk were taken", taken)
	}
}

// No body, whatever it names, costs more than maxSecrets times hashing it.
func TestHashesPerBody(t *testing.T) {
	parts := everything()
	for i := range 30 {
		c := channelD
		c.Name, c.LineID, c.PhoneNumberID, c.WABAID = fmt.Sprint("d", i), fmt.Sprint("line-d", i), fmt.Sprint(500+i), fmt.Sprint(600+i)
		c.AppID, c.AppSecret, c.VerifyToken = fmt.Sprint(2000+i), redact.New(fmt.Sprint("secret-of-direct-", i)), redact.New(fmt.Sprint("pv_", i))
		parts = append(parts, &c)
	}
	w := newWorld(t, parts, nil)
	s := w.view.Snapshot()
	var phones []string
	for i := range 30 {
		phones = append(phones, fmt.Sprint(500+i))
	}
	n := channelsNamed(s, scope{}, phones, nil)
	var c candidates
	c.addChannels(s, n.all)
	if len(n.all) != 30 || len(c.secrets) != maxSecrets || !c.more {
		t.Errorf("%d channels are named, %d secrets are tried", len(n.all), len(c.secrets))
	}
	// Meta signs a batch with the secret of one app, to which the first numbers lead.
	b := body(entry("600", messages("500", text("1", "49151", "x"))))
	if status, _ := w.post("secret-of-direct-0", b); status != 200 || len(w.texts("line-d0")) != 1 {
		t.Errorf("answered %d", status)
	}
	if _, ok, all := verify(s, scope{}, n.all, []byte(b), webhook.Sign([]byte(nobodys), []byte(b))); ok || all {
		t.Errorf("verified %t, all %t", ok, all)
	}
}
