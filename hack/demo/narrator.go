package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// narrator prints what happens, with the time since the start.
type narrator struct {
	out   io.Writer
	start time.Time
}

func newNarrator(out io.Writer) *narrator { return &narrator{out: out, start: time.Now()} }

// title begins a chapter.
func (n *narrator) title(text string) { n.print("\n" + text + "\n") }

// seen prints one observation.
func (n *narrator) seen(format string, args ...any) {
	n.print(fmt.Sprintf("  %6.1fs  %s\n", time.Since(n.start).Seconds(), fmt.Sprintf(format, args...)))
}

// quote prints text that somebody wrote, indented.
func (n *narrator) quote(who, text string) {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	n.print(fmt.Sprintf("           %-14s %s\n", who, lines[0]))
	for _, line := range lines[1:] {
		n.print(fmt.Sprintf("           %-14s %s\n", "", line))
	}
}

// print can't report an error any better than by the error itself: standard output is gone.
func (n *narrator) print(text string) { _, _ = io.WriteString(n.out, text) }

// Write makes the narrator the place for other programs' progress lines.
func (n *narrator) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		n.seen("%s", strings.TrimRight(line, "\n"))
	}
	return len(p), nil
}
