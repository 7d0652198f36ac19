package node_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"blobvm/tests/node/wallet"
)

// The node and the plugin keep the chain in two databases that are not written together. A plugin
// that comes up above the node ("should never be lower") is a chain that never starts again; one
// that comes up below is brought up by peers. These tests are the ways in which the two drift apart.

var everyLoss = flag.Bool("every-loss", false, "try each number of lost writes; takes a quarter of an hour")

// history is a node that has stopped in order, and the blocks that its peers can still give it.
type history struct {
	*node
	db     *journal
	blocks [][]byte // as the engine sees them; blocks[0] is of height 1
}

func makeHistory(t *testing.T, height int) *history {
	t.Helper()
	h := &history{node: newLoneNode(t)}
	h.db = h.node.db.(*journal)
	r := h.start(t)
	for i := range height {
		r.pay(t, wallet.Account(i), uint64(i+1))
		made, err := r.advance()
		require.NoError(t, err)
		h.blocks = append(h.blocks, made.Bytes())
	}
	require.Equal(t, uint64(height), r.height(t))
	r.stop(t)
	return h
}

// requireGoesOn takes up to three of the blocks that are missing, as from peers, and adds one.
func (h *history) requireGoesOn(t *testing.T, r *running) {
	t.Helper()
	from := r.height(t)
	to := min(from+3, uint64(len(h.blocks)))
	for _, bytes := range h.blocks[from:to] {
		r.accept(t, r.take(t, bytes))
	}
	require.Equal(t, to, r.height(t))
	r.finishBootstrap(t)
	tx := r.pay(t, wallet.Address{0xaa}, 1)
	next, err := r.advance()
	require.NoError(t, err)
	require.Equal(t, to+1, next.Height())
	require.True(t, r.has(t, tx))
	require.Equal(t, to+1, r.height(t))
}

// TestChainStartsWhateverTheNodesDatabaseLost: the machine loses power, and the node's database,
// which is not synced, lacks its last k writes. Ours is synced and lacks nothing.
func TestChainStartsWhateverTheNodesDatabaseLost(t *testing.T) {
	height := 1010
	if testing.Short() {
		height = 120
	}
	h := makeHistory(t, height)
	total := h.db.length()
	t.Logf("%d blocks in %d writes", height, total)

	losses := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 50, 51, 200, 201, 500, 501, 1000, 1001, 1500,
		1501, 1999, 2000, total - 4, total - 3, total - 2, total - 1, total}
	if *everyLoss {
		losses = losses[:0]
		for k := range total + 1 {
			losses = append(losses, k)
		}
	}
	for _, k := range losses {
		if k > total {
			continue
		}
		db := h.db.prefix(total - k)
		witnessed, id := db.witness()
		n := h.copyWith(t, db)
		r := n.bootstrap(t)
		_, inner := r.lastAccepted(t)
		require.Equal(t, witnessed, inner.Height(), "after the loss of %d writes", k)
		if witnessed > 0 {
			require.Equal(t, id, inner.ID(), "after the loss of %d writes", k)
		}
		h.requireGoesOn(t, r)
		r.stop(t)

		r = n.bootstrap(t) // and what followed is as firm as what was there before
		require.GreaterOrEqual(t, r.height(t), witnessed+1)
		r.stop(t)
		require.NoError(t, os.RemoveAll(n.dataDir))
	}
}

// TestChainStartsWhenItsDataIsGone: everything is fetched from peers again.
func TestChainStartsWhenItsDataIsGone(t *testing.T) {
	h := makeHistory(t, 20)
	n := h.copyWith(t, h.db)
	require.NoError(t, os.RemoveAll(n.dataDir))
	require.NoError(t, os.Mkdir(n.dataDir, 0o700))

	r := n.bootstrap(t)
	require.Zero(t, r.height(t))
	for _, bytes := range h.blocks {
		r.accept(t, r.take(t, bytes))
	}
	h.requireGoesOn(t, r)
	require.Equal(t, uint64(20), r.balance(t, wallet.Account(19)))
	r.stop(t)
}

// TestChainStartsWhenTheNodesDatabaseIsGone: our data alone says nothing about what is accepted.
func TestChainStartsWhenTheNodesDatabaseIsGone(t *testing.T) {
	h := makeHistory(t, 20)
	r := h.copyWith(t, newJournal()).bootstrap(t)
	require.Zero(t, r.height(t))
	for _, bytes := range h.blocks {
		r.accept(t, r.take(t, bytes))
	}
	h.requireGoesOn(t, r)
	r.stop(t)
}

// TestChainStartsWhenItsDataIsAnOlderCopy: an operator has restored a backup of the chain's folder.
func TestChainStartsWhenItsDataIsAnOlderCopy(t *testing.T) {
	n := newLoneNode(t)
	backup := filepath.Join(t.TempDir(), "backup")
	h := &history{node: n, db: n.db.(*journal)}
	for half := range 2 {
		r := n.start(t)
		for i := range 10 {
			r.pay(t, wallet.Account(i), uint64(10*half+i+1))
			made, err := r.advance()
			require.NoError(t, err)
			h.blocks = append(h.blocks, made.Bytes())
		}
		r.stop(t)
		if half == 0 {
			require.NoError(t, os.CopyFS(backup, os.DirFS(n.dataDir)))
		}
	}
	n.dataDir = backup
	r := n.bootstrap(t)
	require.Equal(t, uint64(10), r.height(t))
	h.requireGoesOn(t, r)
	r.stop(t)
}

// TestChainGoesOnWithOtherBlocksThanItHadAlone: the node's database was lost, and with it this
// node's vote for blocks that the network then never took.
func TestChainGoesOnWithOtherBlocksThanItHadAlone(t *testing.T) {
	c := newChain()
	alone, others := newNode(t, c), newNode(t, c)
	r, network := alone.start(t), others.start(t)
	for i := range 6 {
		r.pay(t, wallet.Address{1}, uint64(i+1))
		_, err := r.advance()
		require.NoError(t, err)
	}
	r.stop(t)

	alone.db = newJournal()
	r = alone.bootstrap(t)
	for i := range 8 {
		network.pay(t, wallet.Address{2}, uint64(i+1))
		made, err := network.advance()
		require.NoError(t, err)
		r.accept(t, r.take(t, made.Bytes()))
	}
	requireSame(t, r, network)
	r.finishBootstrap(t)
	require.Zero(t, r.balance(t, wallet.Address{1}))
	require.Equal(t, uint64(36), r.balance(t, wallet.Address{2}))
	r.stop(t)
	network.stop(t)
}

// TestKilledPluginComesBackWhereItWas: what was accepted is on disk before the node hears of it.
func TestKilledPluginComesBackWhereItWas(t *testing.T) {
	n := newLoneNode(t)
	for round := range 5 {
		r := n.start(t)
		require.Equal(t, uint64(4*round), r.height(t))
		for i := range 4 {
			r.pay(t, wallet.Account(round), uint64(i+1))
			_, err := r.advance()
			require.NoError(t, err)
		}
		require.Equal(t, uint64(10), r.balance(t, wallet.Account(round)))
		r.pay(t, wallet.Address{0xff}, uint64(round+1)) // only in the pool: lost with the process
		_, err := r.build()
		require.NoError(t, err)
		r.kill(t)
	}
	r := n.start(t)
	require.Equal(t, uint64(20), r.height(t))
	require.Zero(t, r.balance(t, wallet.Address{0xff}))
	r.stop(t)
}

// TestKillInTheMiddleLeavesAWholeState: at whatever point of building and accepting it comes.
func TestKillInTheMiddleLeavesAWholeState(t *testing.T) {
	n := newLoneNode(t)
	var accepted uint64 // as far as the node has heard
	for round := range 10 {
		r := n.start(t)
		height := r.height(t)
		require.GreaterOrEqual(t, height, accepted)
		require.LessOrEqual(t, height, accepted+1, "at most the block whose answer was lost")
		require.Equal(t, height, r.balance(t, wallet.Account(1)), "each block pays one unit")
		accepted = height

		begun := make(chan struct{})
		killed := make(chan struct{})
		go func() {
			defer close(killed)
			<-begun
			time.Sleep(time.Duration(round) * time.Millisecond) // at another point each time
			r.kill(t)
		}()
		for blocks := 0; ; blocks++ {
			if blocks == 3 {
				close(begun)
			}
			if _, err := r.tryToPay(wallet.Account(1), 1); err != nil {
				break
			}
			if _, err := r.advance(); err != nil {
				break
			}
			accepted++
		}
		<-killed
	}
	r := n.start(t)
	require.Equal(t, r.height(t), r.balance(t, wallet.Account(1)))
	r.stop(t)
}
