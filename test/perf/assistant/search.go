package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/catalog"
)

const (
	// largeCatalog is as many products as a large shop has, smallCatalog as a usual one.
	largeCatalog, smallCatalog = 10_000, 500
	// questions are asked of the large catalog, of each sort.
	questions = 2000
	// indexMemory is the memory that the indexes of all channels may take.
	indexMemory = 600 << 20
	// keptChannels fit into it together; servedChannels don't.
	keptChannels, servedChannels = 200, 2000
)

// Words of products, such that their names are pronounceable and differ.
var (
	adjectives = strings.Fields("classic modern rustic slim heavy light foldable waterproof organic recycled handmade vintage compact premium soft warm")
	materials  = strings.Fields("cotton wool leather oak steel bamboo linen granite copper ceramic denim silk rubber plastic glass marble")
	things     = strings.Fields("shirt jacket chair table lamp kettle backpack blanket pillow mirror clock knife bottle sandal scarf basket carpet shelf candle teapot")
)

// feed makes a catalog of n products; seed makes one differ from another.
func feed(n int, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	pick := func(words []string) string { return words[r.IntN(len(words))] }
	var b strings.Builder
	b.WriteString("id,title,description,availability,price,brand\n")
	for i := range n {
		maker := name(r)
		fmt.Fprintf(&b, "p%d,%s %s %s %s,", i, maker, pick(adjectives), pick(materials), pick(things))
		for range 40 {
			b.WriteString([]string{pick(adjectives), pick(materials), pick(things), name(r)}[r.IntN(4)] + " ")
		}
		fmt.Fprintf(&b, ",in stock,%d.90 EUR,%s\n", 5+r.IntN(200), maker)
	}
	return []byte(b.String())
}

// name is one of 4,096 words of three syllables.
func name(r *rand.Rand) string {
	syllables := []string{"ba", "ko", "li", "mu", "ne", "ro", "sa", "ti", "va", "du", "fe", "gi", "ho", "ja", "pe", "zu"}
	return syllables[r.IntN(16)] + syllables[r.IntN(16)] + syllables[r.IntN(16)] + "x"
}

// measureSearch asks a large catalog.
func (b *bench) measureSearch(ctx context.Context) (err error) {
	src := catalog.Source{Languages: []string{"en"}, Format: catalog.CSV, Feed: feed(largeCatalog, 1)}
	before := heap()
	began := time.Now()
	index, err := catalog.Build(ctx, src)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, index.Close()) }()
	b.book.Record("search, index of 10,000 products, time to build", time.Since(began).Seconds())
	b.book.Record("search, index of 10,000 products, memory", mebibytes(heap()-before))
	titles := make([]string, 0, questions)
	for i := range questions {
		p, ok := index.Product(fmt.Sprintf("p%d", i*largeCatalog/questions))
		if !ok {
			return fmt.Errorf("product %d is not in the index", i)
		}
		titles = append(titles, p.Title)
	}
	for _, sort := range []struct {
		name     string
		question func(string) string
	}{
		{"exact words", func(title string) string { return title }},
		{"typos", misspell},
	} {
		took := make([]time.Duration, 0, questions)
		missed := 0
		for _, title := range titles {
			began := time.Now()
			hits, err := index.SearchProducts(ctx, sort.question(title), 5)
			took = append(took, time.Since(began))
			if err != nil {
				return err
			}
			if !slices.ContainsFunc(hits, func(h catalog.ProductHit) bool { return h.Product.Title == title }) {
				missed++
			}
		}
		slices.Sort(took)
		b.book.Record("search, p99, "+sort.name, float64(took[len(took)*99/100].Microseconds())/1000)
		b.book.Record("search, missed among five, "+sort.name, 100*float64(missed)/questions)
	}
	return nil
}

// misspell drops a letter of each word but the short ones.
func misspell(title string) string {
	words := strings.Fields(title)
	for i, w := range words {
		if len(w) > 4 {
			words[i] = w[:2] + w[3:]
		}
	}
	return strings.Join(words, " ")
}

// measureIndexes serves many channels from one budget.
func (b *bench) measureIndexes(ctx context.Context) error {
	feeds := make([][]byte, 16) // the text is the channels' content, which is not the indexes'
	for i := range feeds {
		feeds[i] = feed(smallCatalog, uint64(i))
	}
	before := heap()
	cache := catalog.NewCache(indexMemory)
	defer cache.Close()
	builds := 0
	use := func(channel int) (time.Duration, error) {
		began := time.Now()
		err := cache.Use(ctx, fmt.Sprintf("line-%d", channel), "1", func(context.Context) (catalog.Source, error) {
			builds++
			return catalog.Source{Languages: []string{"en"}, Format: catalog.CSV, Feed: feeds[channel%len(feeds)]}, nil
		}, func(x *catalog.Index) error {
			_, err := x.SearchProducts(ctx, "waterproof leather backpack", 5)
			return err
		})
		return time.Since(began), err
	}
	for range 2 {
		for channel := range keptChannels {
			if _, err := use(channel); err != nil {
				return err
			}
		}
	}
	b.book.Record("indexes of 200 channels, built again", float64(builds-keptChannels))
	b.book.Record("indexes of 200 channels, memory", mebibytes(heap()-before))
	var took []time.Duration
	most := int64(0)
	for channel := range servedChannels {
		d, err := use(channel)
		if err != nil {
			return err
		}
		if took = append(took, d); channel%100 == 99 {
			most = max(most, heap()-before)
		}
	}
	slices.Sort(took)
	b.book.Record("indexes of 2,000 channels, memory", mebibytes(most))
	b.book.Record("indexes of 2,000 channels, p99 of a question that builds", float64(took[len(took)*99/100].Milliseconds()))
	runtime.KeepAlive(feeds)
	return nil
}

// heap returns the bytes of live objects.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what finalizers of the first one let go
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }
