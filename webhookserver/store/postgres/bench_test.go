package postgres

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// BenchmarkIngest measures durable ingestion of one-message deliveries by many
// callers: 20 lines, 5,000 contacts of which one in ten deliveries brings a new
// one.
func BenchmarkIngest(b *testing.B) {
	for _, replicas := range []int{1, 2} {
		b.Run(fmt.Sprintf("replicas=%d", replicas), func(b *testing.B) { benchmarkIngest(b, replicas) })
	}
}

func benchmarkIngest(b *testing.B, replicas int) {
	b.Helper()
	dsn := schemaOf(b, server)
	stores := make([]*Store, replicas)
	for i := range stores {
		stores[i] = openStore(b, Options{DSN: dsn})
	}
	raw := make([]byte, 420)
	for i := range raw {
		raw[i] = byte('a' + i%26)
	}
	var n atomic.Uint64
	b.SetParallelism(32)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := n.Add(1)
			contact := i * 7919 % 5000
			if i%10 == 0 {
				contact = 1_000_000 + i
			}
			d := &store.Delivery{App: "app", Messages: []store.InboundMessage{{
				Line: fmt.Sprintf("line-%032d", contact%20), PhoneNumberID: fmt.Sprintf("10%013d", contact%20),
				WAMID:  fmt.Sprintf("wamid.HBgL%08xFQIAEhgU%024x", i*0x9E3779B97F4A7C15, i),
				From:   store.Identity{BSUID: fmt.Sprintf("US.%020d", contact), Phone: fmt.Sprintf("1650%07d", contact), Name: "Ana"},
				Source: store.SourceMessages, Type: "text", Text: "Do you deliver today?", EventTime: time.Now(),
				ReplyWorthy: true, OpensWindow: true, Raw: raw,
			}}}
			if _, err := stores[i%uint64(replicas)].Ingest(b.Context(), d); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}
