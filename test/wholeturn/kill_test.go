package wholeturn

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/test/leaks"
	"github.com/whatsapp-operator/whatsapp-operator/test/program"
)

// process is a webhook-server of its own, over one store, that can be killed.
type process struct {
	t      *testing.T
	w      *World
	dir    string
	binary string
	starts int
	live   *program.Program
	// addresses are those of its public port, its internal API and its probes.
	addresses [3]string
}

func newProcess(t *testing.T, w *World, change func(*runtimeconfig.Channel)) *process {
	t.Helper()
	p := &process{t: t, w: w, dir: t.TempDir()}
	p.binary = filepath.Join(p.dir, "webhook-server")
	// Without the race detector: nothing of it outlives a kill.
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", p.binary, "../../cmd/webhook-server").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	for _, object := range w.objects(change) {
		folder := filepath.Join(p.dir, "channels", object.Name)
		must(t, os.MkdirAll(folder, 0o750))
		for key, value := range object.Data {
			must(t, os.WriteFile(filepath.Join(folder, key), value, 0o600))
		}
	}
	t.Cleanup(func() {
		if p.live == nil {
			return
		}
		w.ask("http://"+p.addresses[0], "http://"+p.addresses[1], "http://"+p.addresses[2])
		must(t, p.live.Kill())
		for start := range p.starts {
			must(t, w.leaks.File(leaks.Logs, filepath.Join(p.logs(start+1), filepath.Base(p.binary)+".log")))
		}
		w.search(filepath.Join(p.dir, "messages.db"))
	})
	return p
}

// logs is where the log of a start lies, of which the first is 1.
func (p *process) logs(start int) string { return filepath.Join(p.dir, fmt.Sprint("start-", start)) }

// start starts the process, and lets Meta deliver to it.
func (p *process) start() {
	p.t.Helper()
	p.starts++
	logs := p.logs(p.starts)
	must(p.t, os.MkdirAll(logs, 0o750))
	for i := range p.addresses {
		var err error
		p.addresses[i], err = program.FreeAddress(p.t.Context())
		must(p.t, err)
	}
	live, err := program.Start(p.t.Context(), logs, p.binary, "--channels-dir="+filepath.Join(p.dir, "channels"),
		"--store=sqlite:"+filepath.Join(p.dir, "messages.db"), "--egress-allow-cidrs=127.0.0.0/8", "--drain-delay=0s", "--log-level=DEBUG-100",
		"--addr="+p.addresses[0], "--internal-addr="+p.addresses[1], "--ops-addr="+p.addresses[2])
	must(p.t, err)
	p.live = live
	must(p.t, live.AwaitOK(p.t.Context(), "http://"+p.addresses[2]+"/readyz", patience))
	must(p.t, p.w.Sim.AddRoute(hookHost, p.addresses[0]))
}

// TestKilledBetweenLedgerAndResult kills the server, with SIGKILL, while a tool makes a call with a side effect. The next one does not
// make it again, and fetches a person.
func TestKilledBetweenLedgerAndResult(t *testing.T) {
	model := scripted(t, map[string][]step{"killed": steps(Asks("crm__book", `{"who":"killed"}`), Says("I can book that."), Says("never"))})
	hang := make(chan struct{})
	defer close(hang)
	crm := NewTools(t, Tool{"book", `{"type":"object"}`, func(ToolCall) (string, bool) { <-hang; return "booked", false }})
	w := newMeta(t, Options{})
	server := newProcess(t, w, func(ch *runtimeconfig.Channel) {
		model.Give(ch, runtimeconfig.CapabilityChat)
		ch.Assistant.Tools = []runtimeconfig.ToolServer{crm.Server("crm", true, "book")}
	})
	server.start()
	p := w.customer(t, "killed")
	p.Writes("Book me a table")
	p.Gets(0, "I can book that.", "Shall I do this?")
	id := p.Taps("Yes")
	p.Until("the call is made", func() bool { return len(crm.Calls("book")) == 1 })
	must(t, server.live.Kill())
	server.start()
	// The dead worker's lease has to end first.
	p.Gets(2, "A person will look after it")
	if calls := crm.Calls("book"); len(calls) != 1 || "action:do:"+calls[0].Key != id {
		t.Errorf("calls %+v", calls)
	}
}
