package catalog

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// largeFeed is a feed of n products with descriptions of about 400 characters over a vocabulary of 3,000 words.
func largeFeed(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	word := func() string {
		w := r.IntN(3000)
		return fmt.Sprintf("%c%cord%x", 'a'+w%26, 'a'+w/26%26, w)
	}
	var b strings.Builder
	b.WriteString("id,title,description,price\n")
	for i := range n {
		fmt.Fprintf(&b, "p%d,%s %s %d,", i, word(), word(), i)
		for range 50 {
			b.WriteString(word() + " ")
		}
		b.WriteString(",9.99 USD\n")
	}
	return []byte(b.String())
}

func BenchmarkBuild(b *testing.B) {
	src := Source{Languages: []string{"en"}, Format: CSV, Feed: largeFeed(10_000)}
	for b.Loop() {
		x, err := Build(b.Context(), src)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(x.Bytes())/(1<<20), "estimated-MiB")
		if err := x.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSearch(b *testing.B) {
	x, err := Build(b.Context(), Source{Languages: []string{"en"}, Format: CSV, Feed: largeFeed(10_000)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := x.Close(); err != nil {
			b.Error(err)
		}
	})
	for name, typo := range map[string]bool{"exact": false, "typo": true} {
		b.Run(name, func(b *testing.B) {
			i := 0
			for b.Loop() {
				question := x.products[i*37%len(x.products)].Title
				if typo {
					question = question[:3] + question[4:]
				}
				i++
				if _, err := x.SearchProducts(b.Context(), question, 10); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
