package webhookserver

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/source"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/sqlite"
)

func TestRetentionIsThatOfTheChannel(t *testing.T) {
	now := time.Now().UTC()
	messages, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "m.db"), Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := messages.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, line := range []string{"short", "long"} {
		if _, err := messages.Ingest(t.Context(), &store.Delivery{App: "1", Messages: []store.InboundMessage{{
			Line: line, PhoneNumberID: line, WAMID: "wamid." + line, From: store.Identity{Phone: "49151"}, Source: store.SourceMessages,
			Type: "text", Text: "x", EventTime: now, Raw: []byte("{}"),
		}}}); err != nil {
			t.Fatal(err)
		}
	}
	r := &Retention{View: source.NewView(), Store: messages, Log: logr.Discard()}
	now = now.Add(30 * 24 * time.Hour)
	left := func(line string) int {
		t.Helper()
		conversations, err := messages.Conversations(t.Context(), line, 0, 10)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for i := range conversations {
			of, err := messages.Messages(t.Context(), line, conversations[i].ID, 0, 10)
			if err != nil {
				t.Fatal(err)
			}
			n += len(of)
		}
		return n
	}
	if err := r.expire(t.Context()); err != nil || left("short") != 1 {
		t.Errorf("before it is known who keeps what, nothing goes: %d left, %v", left("short"), err)
	}
	var objects []runtimeconfig.Object
	const day = 24 * time.Hour
	for line, keep := range map[string]time.Duration{"short": 20 * day, "long": 40 * day} {
		o, err := (&runtimeconfig.Channel{LineID: line, PhoneNumberID: line, WABAID: "1", Retention: runtimeconfig.Duration(keep)}).Object()
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, o)
	}
	r.View.Publish(objects)
	if err := r.expire(t.Context()); err != nil || left("short") != 0 || left("long") != 1 {
		t.Errorf("after 30 days: %d of 20 days, %d of 40 days, %v", left("short"), left("long"), err)
	}
}

func TestWordsGoWhereTheChannelWantsIt(t *testing.T) {
	now := time.Now().UTC()
	messages, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "m.db"), Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := messages.Close(); err != nil {
			t.Error(err)
		}
	})
	var objects []runtimeconfig.Object
	for _, line := range []string{"kept", "forgotten"} {
		if _, err := messages.Ingest(t.Context(), &store.Delivery{App: "1", Messages: []store.InboundMessage{{
			Line: line, PhoneNumberID: line, WAMID: "wamid." + line, From: store.Identity{Phone: "49151"}, Source: store.SourceEcho,
			Type: "text", Text: "words", EventTime: now, Raw: []byte("{}"),
		}}}); err != nil {
			t.Fatal(err)
		}
		o, err := (&runtimeconfig.Channel{LineID: line, PhoneNumberID: line, WABAID: "1", DiscardBodies: line == "forgotten"}).Object()
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, o)
	}
	text := func(line string) string {
		t.Helper()
		conversations, err := messages.Conversations(t.Context(), line, 0, 10)
		if err != nil || len(conversations) != 1 {
			t.Fatalf("%d conversations, %v", len(conversations), err)
		}
		of, err := messages.Messages(t.Context(), line, conversations[0].ID, 0, 10)
		if err != nil || len(of) != 1 {
			t.Fatalf("%d messages, %v", len(of), err)
		}
		return of[0].Text
	}
	r := &Retention{View: source.NewView(), Store: messages, Log: logr.Discard()}
	if err := r.discard(t.Context()); err != nil || text("forgotten") != "words" {
		t.Errorf("before it is known who wants it, nothing goes: %q, %v", text("forgotten"), err)
	}
	r.View.Publish(objects)
	if err := r.discard(t.Context()); err != nil || text("forgotten") != "" || text("kept") != "words" {
		t.Errorf("then %q and %q are left, %v", text("forgotten"), text("kept"), err)
	}
}
