package source

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

// patience bounds waits that take milliseconds on an idle machine.
const patience = 60 * time.Second

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// await waits until the View satisfies a condition; each swap wakes it.
func await(t *testing.T, v *View, what string, ok func(*Loaded) bool) *Loaded {
	t.Helper()
	deadline := time.After(patience)
	for {
		l := v.Load()
		if ok(l) {
			return l
		}
		select {
		case <-l.Replaced():
		case <-deadline:
			t.Fatalf("not seen in time: %s", what)
		}
	}
}

// run follows a source until the test ends.
func run(t *testing.T, s interface{ Run(context.Context) error }) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// documented are the files of docs/channels-dir.md: a path in backquotes on a line of its own, and the fenced block after it.
func documented(t *testing.T) map[string]string {
	t.Helper()
	doc, err := os.ReadFile("../../docs/channels-dir.md")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, m := range regexp.MustCompile("(?s)\n`([a-z0-9-]+/[a-z.-]+)`\n\n```[a-z]+\n(.*?)```\n").FindAllStringSubmatch(string(doc), -1) {
		files[m[1]] = m[2]
	}
	return files
}

func TestDocumentedDirectory(t *testing.T) {
	root := t.TempDir()
	files := documented(t)
	if len(files) != 9 {
		t.Fatalf("the page shows 9 files, found %d", len(files))
	}
	for path, content := range files {
		write(t, filepath.Join(root, path), content)
	}
	d, err := NewDirectory(root, logr.Discard())
	if err != nil {
		t.Fatal(err)
	}
	l := d.View().Load()
	if !l.Synced || len(l.Problems) != 0 {
		t.Fatalf("synced %t, problems %v", l.Synced, l.Problems)
	}
	c, ok := l.Snapshot.Channel("106540352242922")
	if !ok {
		t.Fatal("the documented channel is not served")
	}
	secrets := map[string]redact.Secret{"access-token": c.AccessToken, "app-secret": c.AppSecret, "verify-token": c.VerifyToken}
	for key, got := range secrets {
		want := strings.TrimSuffix(files["number-106540352242922/"+key], "\n")
		if want == "" || !got.Equal(redact.New(want)) {
			t.Errorf("%s is not what the file says without its newline", key)
		}
	}
	if !c.Direct || c.LineID != "plant-shop-sales" || time.Duration(c.Retention) != 2160*time.Hour || !c.Assistant.Enabled ||
		len(c.Handoff.Keywords) != 2 || *c.Limits.MessagesPerMonth != 10000 || c.MessagesPerSecond != 80 {
		t.Errorf("settings were not read as written: %+v", c)
	}
	if h := l.Snapshot.Handshakers(c.VerifyToken.Reveal()); len(h) != 1 || h[0].Channel != c {
		t.Error("the verify token does not lead to the channel")
	}
	if _, ok := l.Snapshot.App("815273940716253"); !ok || l.Snapshot.BearerToken().IsZero() {
		t.Error("the app or the internal API's token is missing")
	}
}

func settings(line string) string {
	return `{"version":1,"kind":"channel","lineID":"` + line + `","phoneNumberID":"1","wabaID":"11","appID":"111","direct":true}`
}

func TestDirectoryFollowsChanges(t *testing.T) {
	root := t.TempDir()
	d, err := NewDirectory(root, logr.Discard())
	if err != nil {
		t.Fatal(err)
	}
	d.poll = 5 * time.Millisecond
	run(t, d)
	v := d.View()

	write(t, filepath.Join(root, "number-1", "app-secret"), "one")
	write(t, filepath.Join(root, "number-1", "settings.json"), settings("a"))
	await(t, v, "a new channel", func(l *Loaded) bool { _, ok := l.Snapshot.Channel("1"); return ok })

	write(t, filepath.Join(root, "number-1", "app-secret"), "two")
	await(t, v, "a rotated secret of the same length", func(l *Loaded) bool {
		c, ok := l.Snapshot.Channel("1")
		return ok && c.AppSecret.Equal(redact.New("two"))
	})

	write(t, filepath.Join(root, "number-1", "settings.json"), `{"version":1,"kind":"cha`)
	l := await(t, v, "a half-written file as a problem", func(l *Loaded) bool { return len(l.Problems) == 1 })
	if c, ok := l.Snapshot.Channel("1"); !ok || c.LineID != "a" {
		t.Error("a half-written file must not end the service of what was readable before")
	}
	if _, ok := l.Revisions["number-1"]; !ok {
		t.Error("what is still served must be listed")
	}
	write(t, filepath.Join(root, "number-1", "settings.json"), settings("b"))
	await(t, v, "the finished file", func(l *Loaded) bool {
		c, ok := l.Snapshot.Channel("1")
		return ok && c.LineID == "b" && len(l.Problems) == 0
	})

	if err := os.RemoveAll(filepath.Join(root, "number-1")); err != nil {
		t.Fatal(err)
	}
	await(t, v, "the end of the service", func(l *Loaded) bool { return len(l.Snapshot.Channels()) == 0 })
}

func TestDirectoryReadsMountedSecrets(t *testing.T) {
	// A kubelet writes a hidden directory with a timestamp, a link ..data to it, and links of the keys through ..data.
	root := t.TempDir()
	object := filepath.Join(root, "number-1")
	for version, line := range map[string]string{"..1": "a", "..2": "b"} {
		write(t, filepath.Join(object, version, "settings.json"), settings(line))
		write(t, filepath.Join(object, version, "app-secret"), "s\n")
	}
	link := func(target, name string) {
		if err := os.Symlink(target, filepath.Join(object, name)); err != nil {
			t.Fatal(err)
		}
	}
	link("..1", "..data")
	link("..data/settings.json", "settings.json")
	link("..data/app-secret", "app-secret")
	d, err := NewDirectory(root, logr.Discard())
	if err != nil {
		t.Fatal(err)
	}
	d.poll = 5 * time.Millisecond
	run(t, d)
	if c, ok := d.View().Snapshot().Channel("1"); !ok || c.LineID != "a" || !c.AppSecret.Equal(redact.New("s")) {
		t.Fatal("the mounted form was not read")
	}
	link("..2", "..data_tmp")
	if err := os.Rename(filepath.Join(object, "..data_tmp"), filepath.Join(object, "..data")); err != nil {
		t.Fatal(err)
	}
	await(t, d.View(), "the swapped link", func(l *Loaded) bool {
		c, ok := l.Snapshot.Channel("1")
		return ok && c.LineID == "b"
	})
}

func TestDirectoryProblems(t *testing.T) {
	if _, err := NewDirectory(filepath.Join(t.TempDir(), "absent"), logr.Discard()); err == nil {
		t.Error("a directory that is not there must be an error at the start")
	}
	root := t.TempDir()
	write(t, filepath.Join(root, "number-1", "settings.json"), settings("a"))
	write(t, filepath.Join(root, "README"), "no object")
	write(t, filepath.Join(root, ".new", "settings.json"), "being written")
	write(t, filepath.Join(root, "empty", ".keep"), "")
	d, err := NewDirectory(root, logr.Discard())
	if err != nil {
		t.Fatal(err)
	}
	l := d.View().Load()
	if len(l.Problems) != 1 || l.Problems[0].Object != "empty" || len(l.Snapshot.Channels()) != 1 {
		t.Errorf("problems %v, channels %d", l.Problems, len(l.Snapshot.Channels()))
	}
	write(t, filepath.Join(root, "number-1", "app-secret"), strings.Repeat("x", maxFileBytes+1))
	if err := d.reload(); err != nil {
		t.Fatal(err)
	}
	l = d.View().Load()
	if len(l.Problems) != 2 || l.Problems[1].Object != "number-1" || !strings.Contains(l.Problems[1].Err.Error(), "larger than") {
		t.Errorf("a file beyond the limit must be named, got %v", l.Problems)
	}
	if c, ok := l.Snapshot.Channel("1"); !ok || c.LineID != "a" {
		t.Error("an object that became unreadable must stay as it was")
	}
}

func TestViewSwapsOnlyOnChange(t *testing.T) {
	v := NewView()
	if v.Load().Synced {
		t.Error("a View that has loaded nothing is not synced")
	}
	object := runtimeconfig.Object{Name: "number-1", Data: map[string][]byte{"settings.json": []byte(settings("a"))}}
	first := v.Load()
	if !v.Publish([]runtimeconfig.Object{object}) {
		t.Error("the first load is a change")
	}
	select {
	case <-first.Replaced():
	default:
		t.Error("who waits on the replaced Loaded must be woken")
	}
	second := v.Load()
	if v.Publish([]runtimeconfig.Object{object}) || v.Load() != second {
		t.Error("the same objects are no change")
	}
	if !v.Publish(nil) || !v.Load().Synced || len(v.Snapshot().Channels()) != 0 {
		t.Error("an empty source is a change, and synced")
	}
}

func TestUnreadableObjectCostsNoOther(t *testing.T) {
	root := t.TempDir()
	for path, content := range documented(t) {
		write(t, filepath.Join(root, path), content)
	}
	write(t, filepath.Join(root, "huge", runtimeconfig.KeySettings), strings.Repeat("x", maxFileBytes+1))
	d, err := NewDirectory(root, logr.Discard())
	if err != nil {
		t.Fatalf("a server must start beside an object that can't be read: %v", err)
	}
	loaded := d.View().Load()
	if len(loaded.Problems) != 1 || loaded.Problems[0].Object != "huge" || !strings.Contains(loaded.Problems[0].Err.Error(), "larger than") {
		t.Errorf("the object that is too large must be named, got %v", loaded.Problems)
	}
	if len(loaded.Snapshot.Channels()) == 0 {
		t.Error("the other objects must be served")
	}
}
