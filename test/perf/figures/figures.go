package figures

import (
	"fmt"
	"math"
	"os"
	"slices"
	"text/tabwriter"

	"sigs.k8s.io/yaml"
)

// Figure is what is expected of one measurement. It is good if it is at most Expected + Spread + Margin; with AtLeast, at least
// Expected - Spread - Margin; with Exactly, no further from Expected on either side.
type Figure struct {
	Name     string  `json:"name"`
	Unit     string  `json:"unit"`
	Expected float64 `json:"expected"`
	Spread   float64 `json:"spread"`
	Margin   float64 `json:"margin"`
	Exactly  bool    `json:"exactly"`
	AtLeast  bool    `json:"atLeast"`
}

// ok says whether a measurement is as expected.
func (f Figure) ok(measured float64) bool {
	off := measured - f.Expected
	switch {
	case f.Exactly:
		off = math.Abs(off)
	case f.AtLeast:
		off = -off
	}
	return off <= f.Spread+f.Margin
}

func (f Figure) String() string {
	switch {
	case f.Exactly:
		return fmt.Sprintf("= %.4g", f.Expected+f.Spread+f.Margin)
	case f.AtLeast:
		return fmt.Sprintf(">= %.4g", f.Expected-f.Spread-f.Margin)
	default:
		return fmt.Sprintf("<= %.4g", f.Expected+f.Spread+f.Margin)
	}
}

// Book holds what is expected and what was measured.
type Book struct {
	expected []Figure
	measured map[string]float64
}

// New reads a range-spec file: YAML with a list of figures.
func New(spec []byte) (*Book, error) {
	var file struct {
		Figures []Figure `json:"figures"`
	}
	if err := yaml.UnmarshalStrict(spec, &file); err != nil {
		return nil, fmt.Errorf("the range-spec file: %w", err)
	}
	return &Book{expected: file.Figures, measured: map[string]float64{}}, nil
}

// Record keeps a measurement. A name that the file doesn't have is shown as such.
func (b *Book) Record(name string, measured float64) { b.measured[name] = measured }

// KeepMeasured expects only what was measured, when only a part was to be.
func (b *Book) KeepMeasured() {
	b.expected = slices.DeleteFunc(b.expected, func(f Figure) bool { _, there := b.measured[f.Name]; return !there })
}

// Print shows the table and fails if a figure is not as expected, was not measured, or is in no file.
func (b *Book) Print() error {
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	row := func(name, measured, expected, verdict string) {
		_, _ = fmt.Fprintf(out, "%s\t%s\t%s\t%s\n", name, measured, expected, verdict) // Flush reports what went wrong
	}
	row("figure", "measured", "expected", "ok")
	bad := 0
	for _, f := range b.expected {
		measured, there := b.measured[f.Name]
		delete(b.measured, f.Name)
		switch {
		case !there:
			bad++
			row(f.Name, "not measured", f.String(), "NO")
		case !f.ok(measured):
			bad++
			row(f.Name, fmt.Sprintf("%.4g %s", measured, f.Unit), f.String(), "NO")
		default:
			row(f.Name, fmt.Sprintf("%.4g %s", measured, f.Unit), f.String(), "yes")
		}
	}
	for name, measured := range b.measured {
		bad++
		row(name, fmt.Sprintf("%.4g", measured), "not in the file", "NO")
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if bad > 0 {
		return fmt.Errorf("%d figures are not as expected", bad)
	}
	return nil
}
