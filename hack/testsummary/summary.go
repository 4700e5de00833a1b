package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// event is one line of 'go test -json'; see 'go doc test2json' and, for build-output, 'go help buildjson'.
type event struct {
	Action      string  `json:"Action"`
	Package     string  `json:"Package"`
	ImportPath  string  `json:"ImportPath"`
	Test        string  `json:"Test"`
	Elapsed     float64 `json:"Elapsed"`
	Output      string  `json:"Output"`
	FailedBuild string  `json:"FailedBuild"`
}

// maxLine bounds one line of input. A test can print a long line, and test2json splits it at 4 KiB or so.
const maxLine = 4 << 20

// summary collects the events of a run.
type summary struct {
	out io.Writer
	// packages that have begun and not ended.
	packages map[string]*packageRun
	// builds holds what the compiler said, by the import path that an event's FailedBuild names.
	builds                  map[string]*strings.Builder
	passed, failed, skipped int
	skippedTests            []string
}

// packageRun is a package whose tests are running.
type packageRun struct {
	// output by test; that of the package itself is under the empty name.
	output map[string]*strings.Builder
	// running tests: those left when the package ends were cut off by a panic, a timeout or an exit.
	running                 map[string]bool
	passed, failed, skipped int
	coverage                string
}

func newSummary(out io.Writer) *summary {
	return &summary{out: out, packages: map[string]*packageRun{}, builds: map[string]*strings.Builder{}}
}

// read consumes events until the input ends. Lines that are no events are printed as they are.
func (s *summary) read(in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var e event
		if line := bytes.TrimSpace(lines.Bytes()); len(line) == 0 || json.Unmarshal(line, &e) != nil {
			s.printf("%s\n", lines.Bytes())
			continue
		}
		s.add(e)
	}
	return lines.Err()
}

func (s *summary) add(e event) {
	switch {
	case e.Action == "build-output":
		builder(s.builds, e.ImportPath).WriteString(e.Output)
	case e.Action == "build-fail":
		// The package that needed the build reports the failure.
	case e.Test == "":
		s.addPackageEvent(e)
	default:
		s.addTestEvent(e)
	}
}

func (s *summary) run(pkg string) *packageRun {
	p, ok := s.packages[pkg]
	if !ok {
		p = &packageRun{output: map[string]*strings.Builder{}, running: map[string]bool{}}
		s.packages[pkg] = p
	}
	return p
}

func (s *summary) addTestEvent(e event) {
	p := s.run(e.Package)
	switch e.Action {
	case "run":
		p.running[e.Test] = true
	case "output":
		builder(p.output, e.Test).WriteString(e.Output)
	case "pass":
		p.passed++
		p.end(e.Test)
	case "skip":
		p.skipped++
		p.end(e.Test)
		s.skippedTests = append(s.skippedTests, e.Package+" "+e.Test)
	case "fail":
		p.failed++
		s.print(p.output[e.Test])
		p.end(e.Test)
	}
}

func (p *packageRun) end(test string) {
	delete(p.running, test)
	delete(p.output, test)
}

func (s *summary) addPackageEvent(e event) {
	p := s.run(e.Package)
	switch e.Action {
	case "output":
		if text, ok := strings.CutPrefix(e.Output, "coverage: "); ok {
			p.coverage = strings.TrimSpace(text)
		}
		builder(p.output, "").WriteString(e.Output)
	case "pass", "skip":
		s.endPackage(e, p, true)
	case "fail":
		s.endPackage(e, p, false)
	}
}

func (s *summary) endPackage(e event, p *packageRun, ok bool) {
	delete(s.packages, e.Package)
	for test := range p.running {
		p.failed++
		s.print(p.output[test])
		s.printf("--- CUT OFF: %s\n", test)
	}
	if !ok && p.failed == 0 {
		// The build, TestMain or a data race outside any test: the package itself is what failed.
		p.failed = 1
		s.print(s.builds[e.FailedBuild])
	}
	verdict := "ok  "
	if p.failed > 0 || !ok {
		verdict = "FAIL"
		s.print(p.output[""])
	}
	s.passed += p.passed
	s.failed += p.failed
	s.skipped += p.skipped
	if p.passed+p.failed+p.skipped == 0 {
		return // no test files
	}
	s.printf("%s  %s  %.1fs  %d passed, %d failed, %d skipped", verdict, e.Package, e.Elapsed, p.passed, p.failed, p.skipped)
	if p.coverage != "" {
		s.printf("  (%s)", p.coverage)
	}
	s.printf("\n")
}

// finish prints the totals and reports whether the run was good.
func (s *summary) finish() bool {
	for pkg, p := range s.packages {
		s.failed++
		s.print(p.output[""])
		s.printf("FAIL  %s  has not ended\n", pkg)
	}
	slices.Sort(s.skippedTests)
	for _, test := range s.skippedTests {
		s.printf("skipped, which counts as a failure of the run: %s\n", test)
	}
	if s.passed+s.failed+s.skipped == 0 {
		s.printf("no test ran, which counts as a failure of the run\n")
	}
	s.printf("%d passed, %d failed, %d skipped\n", s.passed, s.failed, s.skipped)
	return s.passed > 0 && s.failed == 0 && s.skipped == 0
}

func (s *summary) print(text *strings.Builder) {
	if text != nil {
		s.printf("%s", text.String())
	}
}

func (s *summary) printf(format string, args ...any) {
	// Nobody is left to be told when standard output is gone; the exit code still is right.
	_, _ = fmt.Fprintf(s.out, format, args...)
}

func builder(m map[string]*strings.Builder, key string) *strings.Builder {
	b, ok := m[key]
	if !ok {
		b = &strings.Builder{}
		m[key] = b
	}
	return b
}
