package catalog

import (
	"fmt"
	"strings"
	"testing"
)

// TestClausesLeaveOutCommonWords: of a large catalog the engine reads what the rare words of a question have, and the best answer is
// still the one with all of them; of a small one, and where all words are common, it is asked for something too.
func TestClausesLeaveOutCommonWords(t *testing.T) {
	var feed strings.Builder
	feed.WriteString("id,title,description,availability,price\n")
	colors := []string{"red", "blue", "green"}
	for i := range 2 * maxRead {
		fmt.Fprintf(&feed, "p%d,%s shirt model%d,A %s shirt of cotton,in stock,9.90 EUR\n", i, colors[i%3], i/3, colors[i%3])
	}
	x := build(t, Source{Languages: []string{"en"}, Format: CSV, Feed: []byte(feed.String())})
	q := x.ask(x.goods, "blue cotton shirt model 700")
	read := uint32(0)
	for i, c := range x.goods.clauses(q) {
		if read += c.documents; read > maxRead && i > 0 {
			t.Errorf("%q in %s makes the engine read %d documents", c.word, c.field, read)
		}
	}
	hits, err := x.SearchProducts(t.Context(), "blue cotton shirt model 700", 1)
	if err != nil || len(hits) != 1 || hits[0].Product.Title != "blue shirt model700" {
		t.Errorf("%+v, %v", hits, err)
	}
	if c := x.goods.clauses(x.ask(x.goods, "cotton shirt")); len(c) != 1 {
		t.Errorf("asked for %+v where all words are common", c)
	}
}
