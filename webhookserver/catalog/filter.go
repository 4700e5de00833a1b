package catalog

import "strings"

// Filter chooses products beside the words of a question. Its zero value lets all pass.
type Filter struct {
	// InStock leaves out what can't be had: out of stock or discontinued.
	InStock bool
	// MinPrice and MaxPrice bound what the customer pays, in thousandths of the currency's main unit; zero means no bound.
	// A product without a price passes neither.
	MinPrice, MaxPrice int64
	// Brand is compared without regard to case; empty means any.
	Brand string
}

func (f Filter) empty() bool { return f == Filter{} }

func (f Filter) passes(p *Product) bool {
	if f.InStock && !p.obtainable() {
		return false
	}
	if f.Brand != "" && !strings.EqualFold(strings.TrimSpace(f.Brand), p.Brand) {
		return false
	}
	if f.MinPrice == 0 && f.MaxPrice == 0 {
		return true
	}
	price := p.CurrentPrice()
	return !price.IsZero() && price.Thousandths >= f.MinPrice && (f.MaxPrice == 0 || price.Thousandths <= f.MaxPrice)
}

// obtainable says whether a product can be had, now or later.
func (p *Product) obtainable() bool {
	return p.Availability != OutOfStock && p.Availability != Discontinued
}
