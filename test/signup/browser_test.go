package signup

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// browser is a tab of a headless Chromium to which Meta's hosts and the page's lead to loopback.
type browser struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // chromedp keeps the tab in it
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Fatal("no Chromium found: install it (Debian: apt-get update && apt-get install -y chromium) and run the test again")
	}
	rules := fmt.Sprintf("MAP connect.facebook.net %[1]s, MAP www.facebook.com %[1]s, MAP %[2]s %[3]s", metaAddress, publicHost, pageAddress)
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("host-resolver-rules", rules), chromedp.Flag("ignore-certificate-errors", true),
		chromedp.Flag("disable-popup-blocking", true), chromedp.WindowSize(900, 760))
	alloc, cancelAlloc := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(cancelAlloc)
	tab, cancelTab := chromedp.NewContext(alloc)
	t.Cleanup(cancelTab)
	// The first call starts the browser, which lives as long as the context of that call: no timeout here.
	if err := chromedp.Do(tab, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("Chromium at %s does not start: %v", path, err)
	}
	ctx, cancel := context.WithTimeout(tab, 4*patience)
	t.Cleanup(cancel)
	return &browser{t, ctx}
}

func (b *browser) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// open opens a link, as a tap on it does.
func (b *browser) open(link string) {
	b.t.Helper()
	b.must(chromedp.Do(b.ctx, chromedp.Navigate(link), chromedp.WaitVisible(chromedp.CSS("#title"))))
}

// signUp goes through Meta's window.
func (b *browser) signUp(wabaID, outcome, delivery string) {
	b.t.Helper()
	opened := chromedp.WaitNewTarget(b.ctx, func(info *target.Info) bool { return strings.Contains(info.URL, "/dialog/embedded-signup") })
	b.must(chromedp.Do(b.ctx, chromedp.WaitEnabled(chromedp.CSS("#start")), chromedp.Click(chromedp.CSS("#start"))))
	var id target.ID
	select {
	case id = <-opened:
	case <-b.ctx.Done():
		b.t.Fatalf("Meta's window did not open; the page says %q", b.title())
	}
	// The window closes itself; to let go of it earlier would close it before it has spoken.
	dialog, cancel := chromedp.NewContext(b.ctx, chromedp.WithTargetID(id))
	b.t.Cleanup(cancel)
	b.must(chromedp.Do(dialog, chromedp.WaitVisible(chromedp.CSS("#finish")),
		chromedp.SetValue(chromedp.CSS("#account"), wabaID), chromedp.SetValue(chromedp.CSS("#outcome"), outcome), chromedp.SetValue(chromedp.CSS("#delivery"), delivery)))
	b.screenshot("dialog-"+outcome, dialog)
	// The window may be gone before the click is answered.
	_ = chromedp.Do(dialog, chromedp.Click(chromedp.CSS("#finish")))
}

func (b *browser) text(selector string) string {
	b.t.Helper()
	text, err := chromedp.Run(b.ctx, chromedp.Text(chromedp.CSS(selector)))
	b.must(err)
	return text
}

func (b *browser) title() string { return b.text("#title") }

// awaitTitle waits until the page says something.
func (b *browser) awaitTitle(want string) {
	b.t.Helper()
	deadline := time.Now().Add(patience)
	for b.title() != want {
		if time.Now().After(deadline) {
			b.t.Fatalf("the page says %q, %q; want %q", b.title(), b.text("#text"), want)
		}
		timer := time.NewTimer(glance)
		<-timer.C
	}
}

// screenshot keeps a picture for a person to look at when SIGNUP_SCREENSHOTS names a directory.
func (b *browser) screenshot(name string, ctx context.Context) { //nolint:revive // the picture's name reads first
	b.t.Helper()
	dir := os.Getenv("SIGNUP_SCREENSHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	b.must(err)
	b.must(os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600))
}

// hear plays a message that reaches the page from an origin.
func (b *browser) hear(origin, data string) {
	b.t.Helper()
	_, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](fmt.Sprintf(`window.dispatchEvent(new MessageEvent("message", {origin: %q, data: %q}))`, origin, data)))
	b.must(err)
}

// replaceCode makes the page get another code than Meta gave, once.
func (b *browser) replaceCode(code string) error {
	if err := chromedp.Do(b.ctx, chromedp.WaitEnabled(chromedp.CSS("#start"))); err != nil {
		return err
	}
	_, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](fmt.Sprintf(`(() => {
		const login = window.FB.login;
		window.FB.login = (callback, options) => { window.FB.login = login; login((r) => callback({ ...r, authResponse: { code: %q } }), options); };
		return true;
	})()`, code)))
	return err
}

// neverAnswers starts a signup whose window says nothing by itself.
func (b *browser) neverAnswers() error {
	if err := chromedp.Do(b.ctx, chromedp.WaitEnabled(chromedp.CSS("#start"))); err != nil {
		return err
	}
	if _, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](`(window.FB.login = () => {}, true)`)); err != nil {
		return err
	}
	return chromedp.Do(b.ctx, chromedp.Click(chromedp.CSS("#start")))
}
