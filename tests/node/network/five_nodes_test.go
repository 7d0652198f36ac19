package network

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"blobvm/tests/node/wallet"
)

// others is every running node but this one.
func (v *validator) others() []*validator {
	return slices.DeleteFunc(v.network.running(), func(other *validator) bool { return other == v })
}

// TestFiveNodesKeepOneChain: through crashes, restarts, lost data and a node that joins late, each
// node ends with the same blocks and the same state.
func TestFiveNodesKeepOneChain(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: five nodes take minutes")
	}
	n := newNetwork(t, 5)
	var files []file
	step := func(name string, body func(t *testing.T)) {
		began := time.Now()
		if !t.Run(name, body) {
			t.FailNow()
		}
		t.Logf("%s: %.1f s", name, time.Since(began).Seconds())
	}
	// works shows that the chain goes on: a file in through one node, out through all others.
	works := func(t *testing.T, through *validator, size int) {
		t.Helper()
		f := through.store(t, fmt.Sprint(t.Name(), len(files)), size)
		files = append(files, f)
		nodes := n.running()
		requireOneChain(t, nodes...)
		for _, v := range nodes {
			v.requireFile(t, f)
		}
	}
	late := n.validators[4]

	step("four of five start", func(t *testing.T) {
		for _, v := range n.validators[:4] {
			v.launch(t)
		}
		for _, v := range n.validators[:4] {
			v.waitUntilReady(t)
		}
		n.createChain(t)
	})
	step("each stores what all others return", func(t *testing.T) {
		for i, size := range []int{0, 1, 204_801, 5 << 20} {
			works(t, n.validators[i], size)
		}
	})
	step("a node that joins late catches up", func(t *testing.T) {
		late.start(t)
		requireOneChain(t, n.running()...)
		for _, f := range files {
			late.requireFile(t, f)
		}
		works(t, late, 300_000)
	})
	step("kill -9 of a node, its plugin, both, in the middle of an upload", func(t *testing.T) {
		for round, crash := range []func(v *validator){
			func(v *validator) { v.kill(t) },
			func(v *validator) { v.killPlugin(t); v.stop(t) },
			func(v *validator) { v.killPlugin(t); v.kill(t) },
		} {
			victim, through := n.validators[round+1], n.validators[0]
			done := make(chan file, 1)
			go func() {
				defer close(done)
				done <- through.store(t, fmt.Sprint("crash", round), 12<<20)
			}()
			before := victim.tip(t).Height
			require.Eventually(t, func() bool { return victim.tip(t).Height > before },
				patience, time.Millisecond, "the upload makes no blocks")
			crash(victim)
			stored, ok := <-done
			require.True(t, ok)
			victim.start(t)
			requireOneChain(t, n.running()...)
			victim.requireFile(t, stored)
			files = append(files, stored)
			works(t, victim, 1000)
		}
	})
	older := filepath.Join(n.dir, "older")
	step("stop and start each in turn", func(t *testing.T) {
		for _, v := range n.validators {
			v.stop(t)
			if v == late {
				require.NoError(t, os.CopyFS(older, os.DirFS(v.database())))
			}
			works(t, v.others()[0], 1000)
			v.start(t)
			works(t, v, 1000)
		}
	})
	step("chain data that is gone comes back from the others", func(t *testing.T) {
		v := n.validators[1]
		v.stop(t)
		require.NoError(t, os.RemoveAll(v.chainData()))
		v.start(t)
		requireOneChain(t, n.running()...)
		for _, f := range files {
			v.requireFile(t, f)
		}
		works(t, v, 1000)
	})
	step("an older node database catches up", func(t *testing.T) {
		late.stop(t)
		require.NoError(t, os.RemoveAll(late.database()))
		require.NoError(t, os.CopyFS(late.database(), os.DirFS(older)))
		late.start(t)
		requireOneChain(t, n.running()...)
		works(t, late, 1000)
	})
	step("all stop and start", func(t *testing.T) {
		for _, v := range n.validators {
			v.stop(t)
		}
		n.startAll(t)
		works(t, n.validators[0], 1000)
		for _, v := range n.validators {
			for _, f := range files {
				v.requireFile(t, f)
			}
		}
	})
	step("all hold the same blocks and state", func(t *testing.T) {
		paid := n.validators[2].pay(t, wallet.Account(2), 2)
		requireAccepted(t, paid, n.validators...)
		requireOneChain(t, n.validators...)
		for _, v := range n.validators {
			v.stop(t)
		}
		first := n.validators[0].state(t)
		require.NotZero(t, first.Height)
		for _, v := range n.validators[1:] {
			require.Equal(t, first, v.state(t), v.name)
		}
		t.Logf("height %d, digest %s", first.Height, first.Digest)
	})
}
