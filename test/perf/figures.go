package main

import (
	_ "embed" // the range-spec file
	"fmt"
	"math"
	"os"
	"text/tabwriter"

	"sigs.k8s.io/yaml"
)

//go:embed operator.yaml
var operatorSpec []byte

// figure is what is expected of one measurement; see operator.yaml.
type figure struct {
	Name     string  `json:"name"`
	Unit     string  `json:"unit"`
	Expected float64 `json:"expected"`
	Spread   float64 `json:"spread"`
	Margin   float64 `json:"margin"`
	Exactly  bool    `json:"exactly"`
}

// ok says whether a measurement is as expected.
func (f figure) ok(measured float64) bool {
	off := measured - f.Expected
	if f.Exactly {
		off = math.Abs(off)
	}
	return off <= f.Spread+f.Margin
}

func (f figure) String() string {
	sign := "<="
	if f.Exactly {
		sign = "="
	}
	return fmt.Sprintf("%s %.4g", sign, f.Expected+f.Spread+f.Margin)
}

// figureBook holds what is expected and what was measured.
type figureBook struct {
	expected []figure
	measured map[string]float64
}

func newFigureBook(spec []byte) (*figureBook, error) {
	var file struct {
		Figures []figure `json:"figures"`
	}
	if err := yaml.UnmarshalStrict(spec, &file); err != nil {
		return nil, fmt.Errorf("the range-spec file: %w", err)
	}
	return &figureBook{expected: file.Figures, measured: map[string]float64{}}, nil
}

// record keeps a measurement. A name that the file doesn't have is shown as such.
func (b *figureBook) record(name string, measured float64) { b.measured[name] = measured }

// print shows the table and fails if a figure is not as expected, was not measured, or is in no file.
func (b *figureBook) print() error {
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
