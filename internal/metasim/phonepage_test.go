package metasim_test

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
)

// browser starts headless Chromium with a profile of its own and no traffic but ours.
func browser(t *testing.T) context.Context {
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
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.WindowSize(430, 860))
	alloc, cancelAlloc := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(cancelAlloc)
	tab, cancelTab := chromedp.NewContext(alloc)
	t.Cleanup(cancelTab)
	// The first call starts the browser, which lives as long as the context of that call: no timeout here.
	if err := chromedp.Do(tab, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("Chromium at %s does not start: %v", path, err)
	}
	ctx, cancel := context.WithTimeout(tab, 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// TestPhonePage plays the customer in a browser: write, see the reply with its buttons and its list, tap both.
func TestPhonePage(t *testing.T) {
	w := newWorld(t)
	rec := newReceiver(t)
	w.connectDirect(rec)
	ctx := browser(t)
	if err := chromedp.Do(ctx,
		chromedp.Navigate(w.url+"/phone?number="+metasim.DemoDirectPhone),
		chromedp.WaitVisible(chromedp.CSS("#compose")),
		chromedp.SendKeys(chromedp.CSS("#text"), "Do you deliver? <b>ä</b>"),
		chromedp.Click(chromedp.CSS("#compose button")),
	); err != nil {
		t.Fatalf("writing a message: %v", err)
	}
	first, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS(".bubble.mine p")))
	if err != nil {
		t.Fatal(err)
	}
	title, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("#title")))
	if err != nil {
		t.Fatal(err)
	}
	if title != "Blue Door Bakery" || first != "Do you deliver? <b>ä</b>" {
		t.Errorf("title %q, first bubble %q", title, first)
	}
	inbound := w.sim.Conversation(metasim.DemoDirectPhone, metasim.DemoCustomer)[0]
	tok := w.directToken()
	w.ok("POST", directMessages, tok, `{"messaging_product":"whatsapp","status":"read","message_id":"`+inbound.Wamid+`","typing_indicator":{"type":"text"}}`)
	if err := chromedp.Do(ctx, chromedp.WaitVisible(chromedp.CSS(".ticks.read")), chromedp.WaitVisible(chromedp.CSS(".typing"))); err != nil {
		t.Fatalf("blue ticks and typing indicator: %v", err)
	}
	w.ok("POST", directMessages, tok, textMessage("+16505551234", "*Delivery* every day from 9 to 17, 2*3*4 times <i>"))
	w.ok("POST", directMessages, tok, `{"messaging_product":"whatsapp","to":"+16505551234","type":"interactive","interactive":{"type":"button","body":{"text":"Shall I take your order?"},
		"footer":{"text":"Blue Door Bakery"},"action":{"buttons":[{"type":"reply","reply":{"id":"order","title":"Place order"}},{"type":"reply","reply":{"id":"human","title":"Talk to a person"}}]}}}`)
	w.ok("POST", directMessages, tok, `{"messaging_product":"whatsapp","to":"+16505551234","type":"interactive","interactive":{"type":"list","header":{"type":"text","text":"Menu"},
		"body":{"text":"Pick one"},"action":{"button":"Open","sections":[{"title":"Bread","rows":[{"id":"rye","title":"Rye bread","description":"$6"},{"id":"bun","title":"Bun"}]}]}}}`)
	if err := chromedp.Do(ctx,
		chromedp.WaitVisible(`//li/p[strong[text()="Delivery"]][.="Delivery every day from 9 to 17, 2*3*4 times <i>"]`),
		chromedp.Click(`//button[text()="Place order"]`),
		chromedp.WaitVisible(`//li[contains(@class,"mine")]/p[text()="Place order"]`),
		chromedp.Click(`//button[starts-with(.,"Rye bread")]`),
		chromedp.WaitVisible(`//li[contains(@class,"mine")]/p[text()="Rye bread"]`),
	); err != nil {
		t.Fatalf("tapping a button and a list row: %v", err)
	}
	screenshot(ctx, t)
	rec.waitFor(`"button_reply":{"id":"order","title":"Place order"}`)
	rec.waitFor(`"list_reply":{"id":"rye","title":"Rye bread","description":"$6"}`)
}

// screenshot keeps a picture for a person to look at when METASIM_SCREENSHOT names a file.
func screenshot(ctx context.Context, t *testing.T) {
	t.Helper()
	path := os.Getenv("METASIM_SCREENSHOT")
	if path == "" {
		return
	}
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, png, 0o600); err != nil {
		t.Fatal(err)
	}
}
