package catalog

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

var (
	errHeader    = errors.New("the first line must name the columns, at least id and title")
	errSyntax    = errors.New("the feed's syntax breaks here; the rows from here on are ignored")
	errNotObject = errors.New("a product must be an object whose values are texts or numbers")
	errJSONShape = errors.New("a JSON feed must be an array of products")
	errXMLShape  = errors.New("an XML feed must be RSS 2.0 or Atom")
)

// readDelimited reads CSV and TSV. Quotes are read leniently, as spreadsheets and shop exports disagree about them.
func readDelimited(data []byte, comma rune, c *collector) error {
	r := csv.NewReader(bytes.NewReader(data))
	r.Comma, r.LazyQuotes, r.FieldsPerRecord, r.ReuseRecord = comma, true, -1, true
	header, err := r.Read()
	if err != nil {
		return errHeader
	}
	columns := make([]string, len(header))
	have := map[string]bool{}
	for i, name := range header {
		columns[i] = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(name, "g:")))
		have[columns[i]] = true
	}
	if !have["id"] || !have["title"] {
		return errHeader
	}
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			line := 0
			if broken, ok := errors.AsType[*csv.ParseError](err); ok {
				line = broken.StartLine
			}
			c.fail(line, errSyntax)
			return nil
		}
		line, _ := r.FieldPos(0)
		fields := make(row, len(columns))
		for i, value := range record {
			if i < len(columns) {
				fields[columns[i]] = value
			}
		}
		if !c.add(line, fields) {
			return nil
		}
	}
}

// readJSON streams the array, so that one wrong product costs only itself.
func readJSON(data []byte, c *collector) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := enterProducts(dec); err != nil {
		return err
	}
	for n := 1; dec.More(); n++ {
		var raw json.RawMessage
		if dec.Decode(&raw) != nil {
			c.fail(n, errSyntax)
			return nil //nolint:nilerr // it was noted, and what was read before it counts
		}
		fields, err := jsonRow(raw)
		if err != nil {
			c.fail(n, err)
			continue
		}
		if !c.add(n, fields) {
			return nil
		}
	}
	if _, err := dec.Token(); err != nil {
		c.fail(0, errSyntax)
	}
	return nil
}

// enterProducts moves the decoder behind the '[' of the products.
func enterProducts(dec *json.Decoder) error {
	t, err := dec.Token()
	if err != nil {
		return errJSONShape
	}
	if t == json.Delim('[') {
		return nil
	}
	if t != json.Delim('{') {
		return errJSONShape
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return errJSONShape
		}
		if name == "products" || name == "items" || name == "data" {
			if t, err := dec.Token(); err == nil && t == json.Delim('[') {
				return nil
			}
			return errJSONShape
		}
		var skip json.RawMessage
		if err := dec.Decode(&skip); err != nil {
			return errJSONShape
		}
	}
	return errJSONShape
}

func jsonRow(raw json.RawMessage) (row, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber() // an id of digits must not become 1.2e+09
	var object map[string]any
	if err := dec.Decode(&object); err != nil || object == nil {
		return nil, errNotObject
	}
	fields := make(row, len(object))
	for name, value := range object {
		switch v := value.(type) {
		case string:
			fields[name] = v
		case json.Number:
			fields[name] = v.String()
		case nil, bool, map[string]any, []any:
			// Feeds carry members that we do not read in any shape; those that we read must be texts.
			if requiredText[name] && v != nil {
				return nil, fmt.Errorf("%s must be a text", name)
			}
		}
	}
	return fields, nil
}

// requiredText are the fields whose loss would change what a customer is told.
var requiredText = map[string]bool{
	"id": true, "title": true, "price": true, "sale_price": true, "availability": true, "link": true, "image_link": true,
}

// readXML reads RSS items and Atom entries. encoding/xml resolves no external entities.
func readXML(data []byte, c *collector) error {
	dec := xml.NewDecoder(bytes.NewReader(data))
	sawRoot := false
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) && sawRoot {
			return nil
		}
		if err != nil {
			if !sawRoot {
				return errXMLShape
			}
			line, _ := dec.InputPos()
			c.fail(line, errSyntax)
			return nil
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		switch start.Name.Local {
		case "rss", "feed", "RDF", "channel":
			sawRoot = true
		case "item", "entry":
			line, _ := dec.InputPos()
			fields, ok := xmlRow(dec)
			if !ok {
				c.fail(line, errSyntax)
				return nil // what was read before it counts
			}
			if !c.add(line, fields) {
				return nil
			}
		default:
			if !sawRoot {
				return errXMLShape
			}
		}
	}
}

// xmlRow reads the children of an item up to its end; it is not ok if there is none.
func xmlRow(dec *xml.Decoder) (_ row, ok bool) {
	fields := row{}
	for {
		token, err := dec.Token()
		if err != nil {
			return nil, false
		}
		switch t := token.(type) {
		case xml.EndElement:
			return fields, true
		case xml.StartElement:
			var value struct {
				Text string `xml:",chardata"`
				Href string `xml:"href,attr"`
			}
			if dec.DecodeElement(&value, &t) != nil {
				return nil, false
			}
			name := t.Name.Local
			text := strings.TrimSpace(value.Text)
			if name == "link" && text == "" {
				text = value.Href // Atom
			}
			// A feed may hold both <title> and <g:title>: the first one wins, a later empty one takes nothing away.
			if fields[name] == "" {
				fields[name] = text
			}
		}
	}
}
