package catalog

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Format of a product feed; the values are those of the WhatsAppChannel's field.
type Format string

const (
	// CSV is comma-separated with a header row.
	CSV Format = "CSV"
	// TSV is tab-separated with a header row.
	TSV Format = "TSV"
	// JSON is an array of objects, bare or as the member "products", "items" or "data" of an object.
	JSON Format = "JSON"
	// XML is RSS 2.0 (item) or Atom (entry), fields with or without the g: prefix.
	XML Format = "XML"
)

const (
	// MaxFeedBytes bounds a feed: 50,000 products with long descriptions.
	MaxFeedBytes = 32 << 20
	// MaxProducts bounds a channel's catalog: an index of it takes about 100 MiB.
	MaxProducts = 50_000
	// maxReportedErrors are kept with line and reason; the others are counted.
	maxReportedErrors = 10

	// maxTranslations bounds the rows of other languages.
	maxTranslations = 4 * MaxProducts

	maxIDChars          = 100 // Meta's limit
	maxTitleChars       = 200 // Meta's limit
	maxDescriptionChars = 5000
	maxFieldChars       = 200
	maxLinkChars        = 2048
)

// Feed is what could be read of a product feed.
type Feed struct {
	// Products in the feed's order, ids unique.
	Products []Product
	// RowErrors are the first errors, ErrorCount how many rows were left out.
	RowErrors  []RowError
	ErrorCount int
}

// RowError says why a row was left out. Its text quotes nothing of the row.
type RowError struct {
	// Line where the row starts, from 1; of a JSON feed the position in the array, from 1.
	Line int
	// Err names the field and what it must look like.
	Err error
}

// Error implements error.
func (e RowError) Error() string { return fmt.Sprintf("row at %d: %v", e.Line, e.Err) }

// Unwrap returns the reason.
func (e RowError) Unwrap() error { return e.Err }

var (
	errFeedTooLarge  = fmt.Errorf("the feed is larger than %d MiB", MaxFeedBytes>>20)
	errFeedEncoding  = errors.New("the feed is not UTF-8")
	errTooMany       = fmt.Errorf("the feed has more than %d products; the rest is ignored", MaxProducts)
	errMissingID     = errors.New("id is missing")
	errIDTooLong     = fmt.Errorf("id has more than %d characters", maxIDChars)
	errMissingTitle  = errors.New("title is missing")
	errDuplicateID   = errors.New("id was used by an earlier row")
	errLink          = errors.New("link must be an http or https URL")
	errImageLink     = errors.New("image_link must be an http or https URL")
	errSaleCurrency  = errors.New("sale_price and price have different currencies")
	errUnknownFormat = errors.New("format must be CSV, TSV, JSON or XML")
)

// ParseFeed reads a product feed. An error means that nothing of it can be used; a row that is wrong is left out and
// reported in the Feed. A feed that breaks off keeps the rows before the break.
func ParseFeed(format Format, data []byte) (Feed, error) {
	if len(data) > MaxFeedBytes {
		return Feed{}, errFeedTooLarge
	}
	data = trimBOM(data)
	if !utf8.Valid(data) {
		return Feed{}, errFeedEncoding
	}
	c := &collector{seen: map[string]bool{}}
	var err error
	switch format {
	case CSV:
		err = readDelimited(data, ',', c)
	case TSV:
		err = readDelimited(data, '\t', c)
	case JSON:
		err = readJSON(data, c)
	case XML:
		err = readXML(data, c)
	default:
		err = errUnknownFormat
	}
	if err != nil {
		return Feed{}, err
	}
	return c.finish(), nil
}

func trimBOM(data []byte) []byte {
	return []byte(strings.TrimPrefix(string(data), "\ufeff"))
}

// collector turns rows into products and errors.
type collector struct {
	feed         Feed
	seen         map[string]bool
	translations []translation
}

// row holds the fields of a row by Meta's names.
type row map[string]string

// add takes one row and reports whether more are wanted.
func (c *collector) add(line int, r row) bool {
	if override := strings.TrimSpace(r["override"]); override != "" {
		c.translate(line, override, r)
		return true
	}
	if len(c.feed.Products) >= MaxProducts {
		c.fail(line, errTooMany)
		return false
	}
	p, err := newProduct(r)
	if err == nil && c.seen[p.ID] {
		err = errDuplicateID
	}
	if err != nil {
		c.fail(line, err)
		return true
	}
	c.seen[p.ID] = true
	c.feed.Products = append(c.feed.Products, p)
	return true
}

// translation is a row of Meta's language feeds, which may come before the row that it translates.
type translation struct {
	line         int
	id, language string
	// regional is that of a language in one country: one of the language itself is preferred.
	regional bool
	Translation
}

var (
	errOverride      = errors.New("override must be a language, such as de_DE or de_XX")
	errCountry       = errors.New("override is a country: prices by country are not used, only translations")
	errUntranslated  = errors.New("override is set, and no row without it has this id")
	errNoTranslation = errors.New("override is set, and title is missing")
	// A language, or a language and a country of Meta's language and country feeds; country feeds have a country alone. See
	// https://developers.facebook.com/docs/marketing-api/catalog/localized-catalog/localized-catalog-setup.
	languagePattern = regexp.MustCompile(`^([a-z]{2,3})(?:_[A-Z]{2})?(\|[A-Z]{2})?$`)
	countryPattern  = regexp.MustCompile(`^[A-Z]{2}$`)
)

func (c *collector) translate(line int, override string, r row) {
	t := translation{line: line, id: strings.TrimSpace(r["id"])}
	t.Title, t.Description = clip(plainText(r["title"]), maxTitleChars), clip(plainText(r["description"]), maxDescriptionChars)
	named := languagePattern.FindStringSubmatch(override)
	switch {
	case strings.EqualFold(strings.TrimSpace(r["delete"]), "true"):
		// Meta takes a translation back by such a row; here a feed is read whole each time.
	case countryPattern.MatchString(override):
		c.fail(line, errCountry)
	case named == nil:
		c.fail(line, errOverride)
	case t.id == "":
		c.fail(line, errMissingID)
	case t.Title == "":
		c.fail(line, errNoTranslation)
	case len(c.translations) < maxTranslations:
		t.language, t.regional = named[1], named[2] != ""
		c.translations = append(c.translations, t)
	}
}

// finish gives the translations to their products.
func (c *collector) finish() Feed {
	byID := make(map[string]*Product, len(c.feed.Products))
	for i := range c.feed.Products {
		byID[c.feed.Products[i].ID] = &c.feed.Products[i]
	}
	for i := range c.translations {
		t := &c.translations[i]
		p, ok := byID[t.id]
		if !ok {
			c.fail(t.line, errUntranslated)
			continue
		}
		if p.Translations == nil {
			p.Translations = map[string]Translation{}
		}
		if _, translated := p.Translations[t.language]; translated && t.regional {
			continue
		}
		p.Translations[t.language] = t.Translation
	}
	return c.feed
}

func (c *collector) fail(line int, err error) {
	c.feed.ErrorCount++
	if len(c.feed.RowErrors) < maxReportedErrors {
		c.feed.RowErrors = append(c.feed.RowErrors, RowError{Line: line, Err: err})
	}
}

func newProduct(r row) (Product, error) {
	p := Product{
		ID:             strings.TrimSpace(r["id"]),
		Title:          clip(plainText(r["title"]), maxTitleChars),
		Description:    clip(plainText(r["description"]), maxDescriptionChars),
		Condition:      clip(plainText(r["condition"]), maxFieldChars),
		Brand:          clip(plainText(r["brand"]), maxFieldChars),
		GoogleCategory: clip(plainText(r["google_product_category"]), maxFieldChars),
		Type:           clip(plainText(r["product_type"]), maxFieldChars),
		GroupID:        clip(plainText(r["item_group_id"]), maxFieldChars),
		Attributes:     attributes(r),
		Link:           strings.TrimSpace(r["link"]),
		ImageLink:      strings.TrimSpace(r["image_link"]),
	}
	switch {
	case p.ID == "":
		return Product{}, errMissingID
	case utf8.RuneCountInString(p.ID) > maxIDChars:
		return Product{}, errIDTooLong
	case p.Title == "":
		return Product{}, errMissingTitle
	case !validLink(p.Link):
		return Product{}, errLink
	case !validLink(p.ImageLink):
		return Product{}, errImageLink
	}
	var err error
	if p.Availability, err = ParseAvailability(r["availability"]); err != nil {
		return Product{}, err
	}
	if p.Price, err = ParsePrice(r["price"]); err != nil {
		return Product{}, err
	}
	if p.SalePrice, err = ParsePrice(r["sale_price"]); err != nil {
		return Product{}, fmt.Errorf("sale_%w", err)
	}
	if !p.Price.IsZero() && !p.SalePrice.IsZero() && p.Price.Currency != p.SalePrice.Currency {
		return Product{}, errSaleCurrency
	}
	return p, nil
}

// attributes joins what else a product may be asked by. Tags are written product_tags[0], product_tags[1] or
// product_tags.
func attributes(r row) string {
	var all []string
	for _, name := range []string{
		"color", "size", "material", "pattern", "gender", "age_group", "product_tags", "product_tags[0]", "product_tags[1]",
	} {
		if value := clip(plainText(r[name]), maxFieldChars); value != "" {
			all = append(all, value)
		}
	}
	return strings.Join(all, " ")
}

func validLink(s string) bool {
	if s == "" {
		return true
	}
	u, err := url.Parse(s)
	return err == nil && len(s) <= maxLinkChars && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http")
}

// clip cuts s to at most n characters.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for i := range s {
		if n == 0 {
			return strings.TrimSpace(s[:i])
		}
		n--
	}
	return s
}
