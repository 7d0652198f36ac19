package network

import (
	"testing"

	"github.com/stretchr/testify/require"

	"blobvm/tests/node/wallet"
)

// TestAStockNodeRunsTheChain: a node with our file in its plugin folder stores and returns files,
// and goes on after each way to end.
func TestAStockNodeRunsTheChain(t *testing.T) {
	n := newNetwork(t, 1)
	v := n.validators[0]
	v.start(t)
	n.createChain(t)

	small, big := v.store(t, "small", 1), v.store(t, "big", 3<<20)
	v.requireFile(t, small)
	v.requireFile(t, big)
	ends := []struct {
		name string
		of   func()
	}{
		{"a stop", func() { v.stop(t) }},
		{"a kill", func() { v.kill(t) }},
		{"a kill of the plugin", func() { v.killPlugin(t); v.stop(t) }},
	}
	for _, end := range ends {
		paid := v.pay(t, wallet.Account(1), 1)
		requireAccepted(t, paid, v)
		before := v.tip(t)
		end.of()
		v.start(t)
		require.Equal(t, before, v.tip(t), "after %s", end.name)
		require.True(t, v.has(paid), "after %s", end.name)
		v.requireFile(t, big)
	}
}
