package catalog

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var fern = Product{
	ID: "p1", Title: "Boston Fern", Description: "Green & easy.", Availability: InStock, Condition: "new",
	Price: Price{9990, 2, "USD"}, SalePrice: Price{7500, 2, "USD"}, Link: "https://shop.example/p1",
	ImageLink: "https://shop.example/p1.jpg", Brand: "Acme", GoogleCategory: "Home & Garden > Plants",
	Type: "Plants", GroupID: "ferns",
}

const fernCSV = `id,title,description,availability,condition,price,sale_price,link,image_link,brand,google_product_category,product_type,item_group_id,shade
p1,Boston Fern,"<p>Green &amp; <b>easy</b>.</p>",in_stock,new,9.99 USD,7.50 USD,https://shop.example/p1,https://shop.example/p1.jpg,Acme,Home & Garden > Plants,Plants,ferns,green
`

func TestParseFeedFormats(t *testing.T) {
	for _, tc := range []struct {
		reason string
		format Format
		data   string
	}{
		{"CSV with markup, entities and a column that we do not know", CSV, fernCSV},
		{"a byte order mark, as spreadsheets write it", CSV, "\ufeff" + fernCSV},
		{"Windows line ends", CSV, strings.ReplaceAll(fernCSV, "\n", "\r\n")},
		{"TSV", TSV, "ID\tg:title\tdescription\tavailability\tcondition\tprice\tsale_price\tlink\timage_link\tbrand\tgoogle_product_category\tproduct_type\titem_group_id\n" +
			"p1\tBoston Fern\tGreen & easy.\tin stock\tnew\t9.99 USD\t7.50 USD\thttps://shop.example/p1\thttps://shop.example/p1.jpg\tAcme\tHome & Garden > Plants\tPlants\tferns\n"},
		{"JSON array", JSON, "[" + fernJSON + "]"},
		{"JSON object with the products inside", JSON, `{"version":{"a":[1]},"products":[` + fernJSON + `],"more":1}`},
		{"RSS with g: fields", XML, `<?xml version="1.0"?><rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel><title>Shop</title><item>` + fernXML("g:") + `</item></channel></rss>`},
		{"Atom with a link attribute", XML, `<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0"><title>Shop</title><entry>` +
			strings.Replace(fernXML("g:"), "<g:link>https://shop.example/p1</g:link>", `<link href="https://shop.example/p1"/>`, 1) + `</entry></feed>`},
	} {
		feed, err := ParseFeed(tc.format, []byte(tc.data))
		if err != nil {
			t.Errorf("%s: %v", tc.reason, err)
			continue
		}
		if diff := cmp.Diff(Feed{Products: []Product{fern}}, feed); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
		}
	}
}

const fernJSON = `{"id":"p1","title":"Boston Fern","description":"Green & easy.","availability":"in stock","condition":"new","price":"9.99 USD","sale_price":"7.50 USD","link":"https://shop.example/p1","image_link":"https://shop.example/p1.jpg","brand":"Acme","google_product_category":"Home & Garden > Plants","product_type":"Plants","item_group_id":"ferns","tags":["x"],"stock":7}`

func fernXML(prefix string) string {
	var b strings.Builder
	for _, f := range [][2]string{
		{"id", "p1"}, {"title", "Boston Fern"}, {"description", "<![CDATA[<p>Green &amp; easy.</p>]]>"}, {"availability", "in stock"},
		{"condition", "new"}, {"price", "9.99 USD"}, {"sale_price", "7.50 USD"}, {"link", "https://shop.example/p1"},
		{"image_link", "https://shop.example/p1.jpg"}, {"brand", "Acme"}, {"google_product_category", "Home &amp; Garden &gt; Plants"},
		{"product_type", "Plants"}, {"item_group_id", "ferns"},
	} {
		fmt.Fprintf(&b, "<%s%s>%s</%s%s>", prefix, f[0], f[1], prefix, f[0])
	}
	return b.String()
}

func TestParseFeedRowErrors(t *testing.T) {
	const header = "id,title,price,sale_price,availability,link,image_link\n"
	for _, tc := range []struct {
		reason, data string
		format       Format
		line         int
		want         error
	}{
		{"no id", header + ",Fern,,,,,\n", CSV, 2, errMissingID},
		{"no title after cleaning", header + "p1,<br>,,,,,\n", CSV, 2, errMissingTitle},
		{"an id beyond Meta's limit", header + strings.Repeat("x", 101) + ",Fern,,,,,\n", CSV, 2, errIDTooLong},
		{"a duplicate id", header + "ok,Fern,,,,,\nok,Palm,,,,,\n", CSV, 3, errDuplicateID},
		{"a price without currency", header + "p1,Fern,9.99,,,,\n", CSV, 2, errPrice},
		{"a price with a decimal comma", header + `p1,Fern,"9,99 EUR",,,,` + "\n", CSV, 2, errPrice},
		{"a negative price", header + "p1,Fern,-1 EUR,,,,\n", CSV, 2, errPrice},
		{"a wrong sale price", header + "p1,Fern,1 EUR,cheap,,,\n", CSV, 2, errPrice},
		{"a sale in another currency", header + "p1,Fern,1 EUR,1 USD,,,\n", CSV, 2, errSaleCurrency},
		{"an availability that nobody knows", header + "p1,Fern,,,maybe,,\n", CSV, 2, errAvailability},
		{"a link that runs code", header + "p1,Fern,,,,javascript:alert(1),\n", CSV, 2, errLink},
		{"an image on a disk", header + "p1,Fern,,,,,file:///etc/passwd\n", CSV, 2, errImageLink},
		{"the line of a row behind a multi-line field", "id,title\nok,\"a\nb\"\n,Fern\n", CSV, 4, errMissingID},
		{"a JSON element that is no object", `[{"id":"ok","title":"Fern"},7]`, JSON, 2, errNotObject},
		{"a JSON feed that breaks off", `[{"id":"ok","title":"Fern"},{"id":`, JSON, 2, errSyntax},
		{"an XML feed that breaks off", "<rss><channel><item><id>ok</id><title>Fern</title></item>\n<item><id>p2", XML, 2, errSyntax},
	} {
		feed, err := ParseFeed(tc.format, []byte(tc.data))
		if err != nil {
			t.Errorf("%s: the whole feed failed: %v", tc.reason, err)
			continue
		}
		if feed.ErrorCount != 1 || len(feed.RowErrors) != 1 || !errors.Is(feed.RowErrors[0], tc.want) || feed.RowErrors[0].Line != tc.line {
			t.Errorf("%s: errors %v (%d), want line %d: %v", tc.reason, feed.RowErrors, feed.ErrorCount, tc.line, tc.want)
		}
		for _, p := range feed.Products {
			if p.ID != "ok" {
				t.Errorf("%s: a wrong row is served: %+v", tc.reason, p)
			}
		}
		if strings.Contains(tc.data, "ok") && len(feed.Products) != 1 {
			t.Errorf("%s: the good row is not served", tc.reason)
		}
	}
	if _, err := ParseFeed(JSON, []byte(`[{"id":"ok","title":"Fern","price":9.99}]`)); err != nil {
		t.Errorf("a JSON price as a number must cost its row only: %v", err)
	}
}

func TestParseFeedRefusesWhatCannotBeRead(t *testing.T) {
	for _, tc := range []struct {
		reason, data string
		format       Format
		want         error
	}{
		{"an empty file has no header", "", CSV, errHeader},
		{"a header without id", "title,price\nx,1 EUR\n", CSV, errHeader},
		{"an HTML error page", "<!doctype html><html><body>404</body></html>", XML, errXMLShape},
		{"a JSON object without products", `{"error":"no"}`, JSON, errJSONShape},
		{"JSON text", `"x"`, JSON, errJSONShape},
		{"UTF-16", "i\x00d\xff\xfe", CSV, errFeedEncoding},
		{"an unknown format", "id,title\n", "XLSX", errUnknownFormat},
	} {
		if _, err := ParseFeed(tc.format, []byte(tc.data)); !errors.Is(err, tc.want) {
			t.Errorf("%s: error %v, want %v", tc.reason, err, tc.want)
		}
	}
	if _, err := ParseFeed(CSV, make([]byte, MaxFeedBytes+1)); !errors.Is(err, errFeedTooLarge) {
		t.Errorf("an oversized feed: %v", err)
	}
}

func TestParseFeedBoundsRowsAndErrors(t *testing.T) {
	var b strings.Builder
	b.WriteString("id,title\n")
	for i := range 200_000 {
		fmt.Fprintf(&b, "%d,Product %d\n", i, i)
	}
	feed, err := ParseFeed(CSV, []byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	if len(feed.Products) != MaxProducts || feed.ErrorCount != 1 || !errors.Is(feed.RowErrors[0], errTooMany) {
		t.Errorf("%d products and errors %v", len(feed.Products), feed.RowErrors)
	}
	feed, err = ParseFeed(CSV, []byte("id,title\n"+strings.Repeat(",Fern\n", 500)))
	if err != nil {
		t.Fatal(err)
	}
	if feed.ErrorCount != 500 || len(feed.RowErrors) != maxReportedErrors {
		t.Errorf("%d errors counted, %d kept", feed.ErrorCount, len(feed.RowErrors))
	}
}

func TestPrice(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want string
		bad  bool
	}{
		{in: "9.99 USD", want: "9.99 USD"}, {in: "9.9 USD", want: "9.9 USD"}, {in: "10 EUR", want: "10 EUR"},
		{in: "1500JPY", want: "1500 JPY"}, {in: "1.125 KWD", want: "1.125 KWD"}, {in: "0.00 USD", want: "0.00 USD"},
		{in: " 9.05 USD ", want: "9.05 USD"}, {in: "", want: ""}, {in: "999999999999.999 USD", want: "999999999999.999 USD"},
		{in: "9.99", bad: true}, {in: "USD", bad: true}, {in: ". USD", bad: true}, {in: ".5 USD", bad: true}, {in: "1.2345 USD", bad: true},
		{in: "1,299.00 USD", bad: true}, {in: "9.99 usd", bad: true}, {in: "1e3 USD", bad: true}, {in: "9999999999999 USD", bad: true},
	} {
		p, err := ParsePrice(tc.in)
		if (err != nil) != tc.bad || p.String() != tc.want {
			t.Errorf("ParsePrice(%q) = %q, %v; want %q, bad %t", tc.in, p, err, tc.want, tc.bad)
		}
	}
}

func FuzzParseFeed(f *testing.F) {
	f.Add("CSV", fernCSV)
	f.Add("TSV", "id\ttitle\n1\t\"x\n")
	f.Add("JSON", "["+fernJSON+"]")
	f.Add("XML", "<rss><item><id>1</id><title>x</title></item></rss>")
	f.Fuzz(func(t *testing.T, format, data string) {
		feed, err := ParseFeed(Format(format), []byte(data))
		if err != nil && len(feed.Products) > 0 {
			t.Error("products beside an error")
		}
		seen := map[string]bool{}
		for _, p := range feed.Products {
			if p.ID == "" || p.Title == "" || seen[p.ID] || len([]rune(p.Title)) > maxTitleChars || !validLink(p.Link) || !validLink(p.ImageLink) {
				t.Errorf("a row that breaks the contract: %+v", p)
			}
			seen[p.ID] = true
		}
	})
}

// TestOverridesOfMeta reads what Meta's language, country, and language and country feeds have in that column.
func TestOverridesOfMeta(t *testing.T) {
	feed, err := ParseFeed(CSV, []byte(`id,title,override,delete,price
1,Cup,,,1.00 EUR
1,Tasse (AT),de_XX|AT,,
1,Tasse,de_XX,,
1,Taza (MX),es_XX|MX,,
1,Tasa,fil_XX,,
1,Tazza,it,,
1,Kopp,sv_SE,true,
1,,GB,,9.00 GBP
1,Kubek,polish,,
`))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for language, tr := range feed.Products[0].Translations {
		got[language] = tr.Title
	}
	want := map[string]string{"de": "Tasse", "es": "Taza (MX)", "fil": "Tasa", "it": "Tazza"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("translations (-want +got):\n%s", diff)
	}
	if feed.ErrorCount != 2 || feed.RowErrors[0].Line != 9 || !strings.Contains(feed.RowErrors[0].Err.Error(), "country") || feed.RowErrors[1].Line != 10 {
		t.Errorf("rows that are left out: %+v", feed.RowErrors)
	}
}
