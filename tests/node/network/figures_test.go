package network

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"blobvm/tests/node/wallet"
)

// usage is what a process has used: CPU time since its start, and resident memory now.
type usage struct {
	cpu time.Duration
	rss uint64
}

func (v *validator) pluginUsage(t *testing.T) usage {
	t.Helper()
	pid := strconv.Itoa(v.pluginPID())
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	require.NoError(t, err)
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+2:]))
	user, err := strconv.Atoi(fields[11])
	require.NoError(t, err)
	system, err := strconv.Atoi(fields[12])
	require.NoError(t, err)
	pages, err := strconv.ParseUint(fields[21], 10, 64)
	require.NoError(t, err)
	return usage{
		cpu: time.Duration(user+system) * 10 * time.Millisecond, // 100 ticks a second
		rss: pages * uint64(os.Getpagesize()),
	}
}

// TestFiguresOfFiveNodes tells what five nodes on this machine do; it asserts no speed.
func TestFiguresOfFiveNodes(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: five nodes take minutes")
	}
	example, err := os.ReadFile("../../../cmd/blobvm/examples/chain-config.json")
	require.NoError(t, err)
	widened := []string{
		"--throttler-inbound-bandwidth-refill-rate=16777216",
		"--throttler-inbound-bandwidth-max-burst-size=16777216",
	}
	setUps := []struct {
		name   string
		flags  []string
		config []byte
	}{
		{"node and chain with their defaults", nil, nil},
		{"bandwidth widened", widened, nil},
		{"bandwidth widened, the example's chain config", widened, example},
	}
	for _, setUp := range setUps {
		t.Run(setUp.name, func(t *testing.T) {
			n := newNetwork(t, 5)
			n.flags, n.config = setUp.flags, setUp.config
			for _, v := range n.validators {
				v.launch(t)
			}
			for _, v := range n.validators {
				v.waitUntilReady(t)
			}
			n.createChain(t)
			first, last := n.validators[0], n.validators[4]

			before := first.pluginUsage(t)
			quiet := &latencies{}
			began := time.Now()
			for i := range 20 {
				time.Sleep(1200 * time.Millisecond) // nothing is left of the last one's gossip
				quiet.measure(t, n.validators[i%5], n.validators[(i+2)%5])
			}
			quiet.report(t, "quiet")
			report(t, "nearly idle", before, first.pluginUsage(t), time.Since(began))

			before, began = first.pluginUsage(t), time.Now()
			height := first.tip(t).Height
			paid := 0
			for ; time.Since(began) < 10*time.Second; paid++ {
				first.pay(t, wallet.Account(2), uint64(1+paid))
			}
			requireAccepted(t, first.pay(t, wallet.Account(2), 1_000_000), n.validators...)
			took := time.Since(began)
			blocks := first.tip(t).Height - height
			t.Logf("one payment after the other: %.0f payments/s, %.1f blocks/s",
				float64(paid)/took.Seconds(), float64(blocks)/took.Seconds())
			report(t, "payments", before, first.pluginUsage(t), took)

			const size = 16 << 20
			before, began = first.pluginUsage(t), time.Now()
			stored := first.store(t, "figures", size)
			took = time.Since(began)
			t.Logf("16 MiB up: %.1f s, %.2f MB/s", took.Seconds(), size/1e6/took.Seconds())
			report(t, "upload", before, first.pluginUsage(t), took)
			requireOneChain(t, n.running()...)
			began = time.Now()
			last.requireFile(t, stored)
			t.Logf("16 MiB down, from another node: %.1f MB/s", size/1e6/time.Since(began).Seconds())
		})
	}
}

func report(t *testing.T, name string, before, after usage, took time.Duration) {
	t.Helper()
	t.Log(fmt.Sprintf("plugin, %s: %.1f %% of a core, %d MiB resident", name,
		100*(after.cpu-before.cpu).Seconds()/took.Seconds(), after.rss>>20))
}
