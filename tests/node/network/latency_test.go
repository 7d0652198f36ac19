package network

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"blobvm/tests/node/wallet"
)

// latencies are the times from handing in a payment until nodes have accepted it. They are told,
// never asserted.
type latencies struct{ here, there []time.Duration }

// measure pays through one node and waits for that one and another to have accepted it.
func (l *latencies) measure(t *testing.T, from, other *validator) {
	t.Helper()
	began := time.Now()
	tx := from.pay(t, wallet.Account(1), uint64(1+len(l.here)))
	var here, there time.Duration
	require.Eventually(t, func() bool {
		if here == 0 && from.has(tx) {
			here = time.Since(began)
		}
		if there == 0 && other.has(tx) {
			there = time.Since(began)
		}
		return here != 0 && there != 0
	}, patience, time.Millisecond)
	l.here, l.there = append(l.here, here), append(l.there, there)
}

func (l *latencies) report(t *testing.T, name string) {
	t.Helper()
	t.Logf("%s, %d payments: accepted here p50 %v, p99 %v; on another node p50 %v, p99 %v", name,
		len(l.here), percentile(l.here, 50), percentile(l.here, 99),
		percentile(l.there, 50), percentile(l.there, 99))
}

// percentile is the smallest sample that so many of a hundred do not exceed.
func percentile(samples []time.Duration, percent int) time.Duration {
	sorted := slices.Sorted(slices.Values(samples))
	return sorted[max(0, (len(sorted)*percent+99)/100-1)].Round(100 * time.Microsecond)
}
