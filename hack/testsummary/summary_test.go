package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestSummary(t *testing.T) {
	tests := map[string]struct {
		reason string
		events string
		ok     bool
		last   string
		shows  []string
		hides  []string
	}{
		"all pass": {
			reason: "a good run shows a line a package and hides the output of what passed",
			events: `
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"chatter\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Output":"PASS\n"}
{"Action":"pass","Package":"p","Elapsed":1.5}`,
			ok: true, last: "1 passed, 0 failed, 0 skipped", shows: []string{"ok    p  1.5s  1 passed"}, hides: []string{"chatter"},
		},
		"a test fails": {
			reason: "the output of what failed is shown, subtests count, and the run is bad",
			events: `
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestA/sub"}
{"Action":"output","Package":"p","Test":"TestA/sub","Output":"want 1, got 2\n"}
{"Action":"fail","Package":"p","Test":"TestA/sub"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestB"}
{"Action":"pass","Package":"p","Test":"TestB"}
{"Action":"fail","Package":"p"}`,
			last: "1 passed, 2 failed, 0 skipped", shows: []string{"want 1, got 2", "FAIL  p"},
		},
		"skipped": {
			reason: "a skipped test proves nothing, so the run is bad and names it",
			events: `
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestB"}
{"Action":"skip","Package":"p","Test":"TestB"}
{"Action":"pass","Package":"p"}`,
			last: "1 passed, 0 failed, 1 skipped", shows: []string{"p TestB"},
		},
		"build failure": {
			reason: "a package that does not build has no tests and is a failure all the same, with what the compiler said",
			events: `
{"ImportPath":"p [p.test]","Action":"build-output","Output":"x.go:1: undefined: y\n"}
{"ImportPath":"p [p.test]","Action":"build-fail"}
{"Action":"output","Package":"p","Output":"FAIL\tp [build failed]\n"}
{"Action":"fail","Package":"p","FailedBuild":"p [p.test]"}`,
			last: "0 passed, 1 failed, 0 skipped", shows: []string{"undefined: y", "FAIL  p"},
		},
		"panic": {
			reason: "a test that is cut off by a panic or a timeout is a failure, though it has no result of its own",
			events: `
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"panic: boom\n"}
{"Action":"fail","Package":"p"}`,
			last: "0 passed, 1 failed, 0 skipped", shows: []string{"panic: boom", "CUT OFF: TestA"},
		},
		"failure outside of any test": {
			reason: "a TestMain that fails after good tests fails its package",
			events: `
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Output":"stop the cluster: no\n"}
{"Action":"fail","Package":"p"}`,
			last: "1 passed, 1 failed, 0 skipped", shows: []string{"stop the cluster: no"},
		},
		"input ends early": {
			reason: "a package without an end, because go test was killed, is a failure",
			events: `
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestA"}`,
			last: "0 passed, 1 failed, 0 skipped", shows: []string{"p  has not ended"},
		},
		"nothing ran": {
			reason: "no tests, no proof",
			events: `{"Action":"skip","Package":"p"}`,
			last:   "0 passed, 0 failed, 0 skipped", shows: []string{"no test ran"},
		},
		"foreign lines": {
			reason: "what is no event, like an error of the go command itself, is passed on",
			events: "go: cannot find main module\n",
			last:   "0 passed, 0 failed, 0 skipped", shows: []string{"cannot find main module"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			s := newSummary(&out)
			if err := s.read(strings.NewReader(strings.TrimSpace(tc.events))); err != nil {
				t.Fatal(err)
			}
			if ok := s.finish(); ok != tc.ok {
				t.Errorf("%s: want ok %t, got %t", tc.reason, tc.ok, ok)
			}
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			if last := lines[len(lines)-1]; last != tc.last {
				t.Errorf("%s: want the last line %q, got %q", tc.reason, tc.last, last)
			}
			for _, want := range tc.shows {
				if !strings.Contains(out.String(), want) {
					t.Errorf("%s: %q is missing in\n%s", tc.reason, want, &out)
				}
			}
			for _, unwanted := range tc.hides {
				if strings.Contains(out.String(), unwanted) {
					t.Errorf("%s: %q is in\n%s", tc.reason, unwanted, &out)
				}
			}
		})
	}
}
