package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// source is a parsed Go file.
type source struct {
	name string // relative to the root
	file *ast.File
	set  *token.FileSet
}

// sources are the hand-written Go files below a folder, tests included.
func sources(t *testing.T, folder string) []source {
	t.Helper()
	var parsed []source
	set := token.NewFileSet()
	for _, name := range files(t, folder) {
		if path.Ext(name) != ".go" {
			continue
		}
		file, err := parser.ParseFile(set, filepath.Join(root, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if !ast.IsGenerated(file) {
			parsed = append(parsed, source{name, file, set})
		}
	}
	return parsed
}

// sentenceEnd is a full stop at the end of the text or before the next sentence.
var sentenceEnd = regexp.MustCompile(`\.(\s|$)`)

// TestPackagesAreDocumented wants the comment in doc.go, where readers look, and at least two sentences of it: what the
// package does, and what it does not do.
func TestPackagesAreDocumented(t *testing.T) {
	sentences := map[string]int{} // by folder
	for _, s := range sources(t, "") {
		folder := path.Dir(s.name)
		sentences[folder] += 0
		if path.Base(s.name) == "doc.go" {
			sentences[folder] = len(sentenceEnd.FindAllString(s.file.Doc.Text(), -1))
		}
	}
	for _, folder := range slices.Sorted(maps.Keys(sentences)) {
		if sentences[folder] < 2 {
			t.Errorf("%s: doc.go has %d sentences about the package; say what it does and what it does not do", folder, sentences[folder])
		}
	}
}

// TestReconcileIsAnOutline: whoever debugs a controller starts at Reconcile, and has to see all of it at once.
func TestReconcileIsAnOutline(t *testing.T) {
	const maxLines = 80
	seen := 0
	for _, s := range sources(t, "controllers") {
		for _, decl := range s.file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Recv == nil || fn.Name.Name != "Reconcile" {
				continue
			}
			seen++
			if lines := s.set.Position(fn.End()).Line - s.set.Position(fn.Pos()).Line + 1; lines > maxLines {
				t.Errorf("%s: Reconcile has %d lines, more than %d", s.name, lines, maxLines)
			}
		}
	}
	if seen < 3 {
		t.Errorf("there are %d Reconcile methods; each kind has one", seen)
	}
}

// reserved are reasons that are part of the API before anything sets them, with what will. Users write alerts on
// reasons, so the vocabulary is complete from the start.
var reserved = map[string]string{}

func TestReasonsAreSetBySomebody(t *testing.T) {
	used := map[string]bool{}
	for _, s := range sources(t, "") {
		if strings.HasPrefix(s.name, "api/") || strings.HasSuffix(s.name, "_test.go") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if selector, ok := n.(*ast.SelectorExpr); ok {
				used[selector.Sel.Name] = true
			}
			return true
		})
	}
	reasons := constants(t, "api/v1alpha1/conditions.go", "Reason")
	for _, reason := range reasons {
		capability, isReserved := reserved[reason]
		switch {
		case !used[reason] && !isReserved:
			t.Errorf("%s is set nowhere: set it, remove it, or say in the table what will set it", reason)
		case used[reason] && isReserved:
			t.Errorf("%s is in use: take it off the table, where it waits for %s", reason, capability)
		}
	}
	for reason := range reserved {
		if !slices.Contains(reasons, reason) {
			t.Errorf("the table names %s, which is no reason of the API", reason)
		}
	}
}

// constants are the names of a file's constants that begin with prefix.
func constants(t *testing.T, name, prefix string) []string {
	t.Helper()
	var names []string
	for _, s := range sources(t, name) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, prefix) {
				names = append(names, spec.Names[0].Name)
			}
			return true
		})
	}
	if len(names) == 0 {
		t.Fatalf("%s declares no %s constants", name, prefix)
	}
	return names
}
