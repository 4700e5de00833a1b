package catalog

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unsafe" // for Sizeof
)

// Product is one row of a feed, cleaned: plain text without markup, links http or https only.
type Product struct {
	// ID is unique within the feed, at most 100 characters.
	ID string
	// Title is never empty, at most 200 characters.
	Title string
	// Description is plain text, at most 5,000 characters.
	Description string
	// Availability is empty when the feed does not say.
	Availability Availability
	// Condition is the feed's text, such as "new".
	Condition string
	// Price is the regular price; the zero Price means the feed does not say.
	Price Price
	// SalePrice is zero when the product is not on sale.
	SalePrice Price
	// Link leads to the product's page, ImageLink to its photo; either may be empty.
	Link, ImageLink string
	// Brand, GoogleCategory (google_product_category), Type (product_type) and GroupID (item_group_id) may be empty.
	Brand, GoogleCategory, Type, GroupID string
	// Attributes are further words that the product is found by: its color, size, material, pattern, gender, age group and
	// tags.
	Attributes string
	// Translations by the first subtag of their language; nil if there are none.
	Translations map[string]Translation
}

// Translation is what a product is called in another language.
type Translation struct {
	// Title and Description as those of a Product; the Description may be empty.
	Title, Description string
}

// In returns the product in the words of a language, a BCP 47 tag; the feed's own where there is no translation.
func (p Product) In(language string) Product {
	base, _, _ := strings.Cut(strings.ToLower(language), "-")
	if t, ok := p.Translations[base]; ok {
		p.Title = t.Title
		if t.Description != "" {
			p.Description = t.Description
		}
	}
	return p
}

// bytes returns the memory that the product holds.
func (p *Product) bytes() int64 {
	total := int64(productSize)
	for _, s := range []string{
		p.ID, p.Title, p.Description, string(p.Availability), p.Condition, p.Link, p.ImageLink, p.Brand, p.GoogleCategory, p.Type, p.GroupID, p.Attributes,
		p.Price.Currency, p.SalePrice.Currency,
	} {
		total += int64(len(s))
	}
	for language, t := range p.Translations {
		total += int64(len(language)+len(t.Title)+len(t.Description)) + perEntry
	}
	return total
}

// productSize is what a Product takes beside its texts.
const productSize = unsafe.Sizeof(Product{})

// CurrentPrice is what the customer pays: the sale price if there is one.
func (p *Product) CurrentPrice() Price {
	if !p.SalePrice.IsZero() {
		return p.SalePrice
	}
	return p.Price
}

// Availability of a product, in the spelling of Meta's feed specification.
type Availability string

const (
	// InStock products can be had at once.
	InStock Availability = "in stock"
	// OutOfStock products cannot be had now.
	OutOfStock Availability = "out of stock"
	// AvailableForOrder products take one or two weeks.
	AvailableForOrder Availability = "available for order"
	// Preorder products will be available later.
	Preorder Availability = "preorder"
	// Discontinued products will not come back.
	Discontinued Availability = "discontinued"
)

var errAvailability = errors.New(`availability must be "in stock", "out of stock", "available for order", "preorder" or "discontinued"`)

// ParseAvailability reads Meta's values; underscores and hyphens count as spaces, as other feed consumers accept them.
// Empty text is the empty availability.
func ParseAvailability(s string) (Availability, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	switch a := Availability(strings.NewReplacer("_", " ", "-", " ").Replace(s)); a {
	case "", InStock, OutOfStock, AvailableForOrder, Preorder, Discontinued:
		return a, nil
	case "pre order":
		return Preorder, nil
	default:
		return "", errAvailability
	}
}

// Price is an exact amount of money. The zero value means no price.
type Price struct {
	// Thousandths of the currency's main unit; no currency in use has more than three decimals.
	Thousandths int64
	// Decimals the feed wrote, so that 9.90 USD is not shown as 9.9 USD.
	Decimals int
	// Currency is an ISO 4217 code.
	Currency string
}

var errPrice = errors.New("price must be a number with a decimal point and an ISO 4217 currency, such as 9.99 USD")

const (
	maxDecimals = 3
	// maxUnitDigits keeps Thousandths far inside an int64.
	maxUnitDigits = 12
)

// ParsePrice reads Meta's notation, "9.99 USD". Empty text is the zero Price.
func ParsePrice(s string) (Price, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return Price{}, nil
	}
	if len(s) < 4 || !isUpperASCII(s[len(s)-3:]) {
		return Price{}, errPrice
	}
	currency := s[len(s)-3:]
	units, fraction, _ := strings.Cut(strings.TrimSpace(s[:len(s)-3]), ".")
	if !isDigits(units) || len(units) > maxUnitDigits || len(fraction) > maxDecimals || (fraction != "" && !isDigits(fraction)) {
		return Price{}, errPrice
	}
	n, err := strconv.ParseInt(units+fraction+strings.Repeat("0", maxDecimals-len(fraction)), 10, 64)
	if err != nil {
		return Price{}, errPrice
	}
	return Price{Thousandths: n, Decimals: len(fraction), Currency: currency}, nil
}

// IsZero reports whether there is no price. A product may cost 0.00 USD, which is a price.
func (p Price) IsZero() bool { return p.Currency == "" }

// String returns the price in the feed's notation, and "" for the zero Price.
func (p Price) String() string {
	if p.IsZero() {
		return ""
	}
	units, rest := p.Thousandths/1000, p.Thousandths%1000
	if p.Decimals == 0 {
		return fmt.Sprintf("%d %s", units, p.Currency)
	}
	return fmt.Sprintf("%d.%s %s", units, fmt.Sprintf("%03d", rest)[:p.Decimals], p.Currency)
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

func isUpperASCII(s string) bool {
	for i := range len(s) {
		if s[i] < 'A' || s[i] > 'Z' {
			return false
		}
	}
	return true
}
