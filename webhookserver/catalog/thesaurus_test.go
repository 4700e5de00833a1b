package catalog

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/blevesearch/bleve/v2/analysis"
)

// countingAnalyzer counts what it is asked, and lets others go first.
type countingAnalyzer struct{ asked atomic.Int64 }

func (a *countingAnalyzer) Analyze([]byte) analysis.TokenStream {
	a.asked.Add(1)
	runtime.Gosched()
	return nil
}

func TestThesaurusIsMadeOnce(t *testing.T) {
	var alone, together countingAnalyzer
	wordsOf("asked by one", &alone)
	var all sync.WaitGroup
	start := make(chan struct{})
	for range 8 {
		all.Go(func() {
			<-start
			wordsOf("asked by many", &together)
		})
	}
	close(start)
	all.Wait()
	if one, many := alone.asked.Load(), together.asked.Load(); many != one {
		t.Errorf("8 questions at once read %d words, one alone reads %d", many, one)
	}
}
