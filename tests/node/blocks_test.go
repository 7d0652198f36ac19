package node_test

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/ava-labs/avalanchego/database"
	"github.com/ava-labs/avalanchego/ids"
	"github.com/ava-labs/avalanchego/snow/consensus/snowman"
	"github.com/ava-labs/avalanchego/snow/engine/common"
	"github.com/stretchr/testify/require"

	"blobvm/tests/node/harness"
	"blobvm/tests/node/wallet"
)

var rootPattern = regexp.MustCompile(`0x[0-9a-f]{64}`)

// TestChainStartsAtItsGenesis: the same on every node, so that they can agree on what follows.
func TestChainStartsAtItsGenesis(t *testing.T) {
	c := newChain()
	first, second := newNode(t, c).start(t), newNode(t, c).start(t)

	outer, genesis := first.lastAccepted(t)
	require.Zero(t, genesis.Height())
	require.Equal(t, ids.Empty, genesis.Parent())
	require.Equal(t, genesis.ID(), outer.ID(), "the genesis has no wrapper")
	require.Equal(t, ids.ID(wallet.Keccak(genesis.Bytes())), genesis.ID())

	_, other := second.lastAccepted(t)
	require.Equal(t, genesis.ID(), other.ID())
	require.Equal(t, genesis.Bytes(), other.Bytes())
	first.stop(t)
	second.stop(t)
}

// TestPaymentGoesThroughTheWholeNode: HTTP, event, proposal, verification, acceptance, restart.
func TestPaymentGoesThroughTheWholeNode(t *testing.T) {
	n := newLoneNode(t)
	r := n.start(t)

	var last snowman.Block
	for height := uint64(1); height <= 5; height++ {
		tx := r.pay(t, wallet.Account(int(height)), height)
		message, err := r.engine.WaitForEvent(context.Background())
		require.NoError(t, err)
		require.Equal(t, common.PendingTxs, message)

		last, err = r.advance()
		require.NoError(t, err)
		require.Equal(t, height, last.Height())
		require.True(t, r.has(t, tx))
		require.Equal(t, height, r.balance(t, wallet.Account(int(height))))
	}
	outer, inner := r.lastAccepted(t)
	require.Equal(t, last.ID(), outer.ID())
	require.NotEqual(t, outer.ID(), inner.ID(), "by now blocks are wrapped")
	r.stop(t)

	r = n.start(t)
	outerAgain, innerAgain := r.lastAccepted(t)
	require.Equal(t, outer.ID(), outerAgain.ID())
	require.Equal(t, inner.ID(), innerAgain.ID())
	require.Equal(t, inner.Bytes(), innerAgain.Bytes())
	require.Equal(t, inner.Timestamp(), innerAgain.Timestamp())
	require.Equal(t, uint64(5), r.balance(t, wallet.Account(5)))

	r.pay(t, wallet.Account(6), 6)
	next, err := r.advance()
	require.NoError(t, err)
	require.Equal(t, uint64(6), next.Height())
	require.Equal(t, outer.ID(), next.Parent())
	r.stop(t)
}

// TestFileGoesInAndComesBack: blob-cli, the node's HTTP server and the node's event loop.
func TestFileGoesInAndComesBack(t *testing.T) {
	harness.FromEnvironment(t, "BLOBVM_CLI")
	r := newLoneNode(t).start(t)
	stop := r.drive()

	stored := make([]byte, 3<<20+123) // 16 chunks
	for i := range stored {
		stored[i] = byte(i ^ i>>8 ^ i>>16)
	}
	source := filepath.Join(t.TempDir(), "source")
	require.NoError(t, os.WriteFile(source, stored, 0o600))
	root := rootPattern.FindString(r.cli(t, "--json", "set-file", source))
	require.NotEmpty(t, root)
	target := filepath.Join(t.TempDir(), "target")
	r.cli(t, "resolve-file", root, target)
	read, err := os.ReadFile(target)
	require.NoError(t, err)
	require.True(t, string(stored) == string(read), "the file came back as it was")

	stop()
	require.NotZero(t, r.height(t))
	r.stop(t)
}

// TestTwoNodesDecideForOneOfTwoProposals: what the losing proposal held is not lost.
func TestTwoNodesDecideForOneOfTwoProposals(t *testing.T) {
	c := newChain()
	left, right := newNode(t, c).start(t), newNode(t, c).start(t)
	// The genesis is too old to be named by a payment once there is a block that has a time.
	left.pay(t, wallet.Address{3}, 1)
	first, err := left.advance()
	require.NoError(t, err)
	right.accept(t, right.take(t, first.Bytes()))

	for round := uint64(1); round <= 3; round++ {
		lost := left.pay(t, wallet.Address{1}, round)
		right.pay(t, wallet.Address{2}, round)
		losing, err := left.build()
		require.NoError(t, err)
		winning, err := right.build()
		require.NoError(t, err)
		require.Equal(t, losing.Parent(), winning.Parent())
		require.NotEqual(t, losing.ID(), winning.ID())

		for _, r := range []*running{left, right} {
			loser, winner := losing, winning
			if r == left {
				winner = r.take(t, winning.Bytes())
			} else {
				loser = r.take(t, losing.Bytes())
			}
			r.accept(t, winner)
			r.reject(t, loser)
			require.False(t, r.has(t, lost))
		}

		again, err := left.advance() // the lost payment is back in the pool
		require.NoError(t, err)
		right.accept(t, right.take(t, again.Bytes()))
		for _, r := range []*running{left, right} {
			require.True(t, r.has(t, lost))
			require.Equal(t, r.balance(t, wallet.Address{1}), r.balance(t, wallet.Address{2}))
		}
		requireSame(t, left, right)
	}
	left.stop(t)
	right.stop(t)
}

// TestBlocksAreFoundAsTheNodeAsksForThem walks the questions of peers.
func TestBlocksAreFoundAsTheNodeAsksForThem(t *testing.T) {
	r := newLoneNode(t).start(t)
	_, genesis := r.lastAccepted(t)
	blocks := []snowman.Block{genesis} // inner, by height
	for range 5 {
		r.pay(t, wallet.Address{1}, 1)
		_, err := r.advance()
		require.NoError(t, err)
		_, inner := r.lastAccepted(t)
		require.Equal(t, blocks[len(blocks)-1].ID(), inner.Parent())
		blocks = append(blocks, inner)
	}
	ctx := context.Background()
	r.ctx.Lock.Lock()
	defer r.ctx.Lock.Unlock()

	_, err := r.client.GetBlock(ctx, ids.GenerateTestID())
	require.ErrorIs(t, err, database.ErrNotFound)
	_, err = r.engine.GetBlock(ctx, ids.GenerateTestID())
	require.ErrorIs(t, err, database.ErrNotFound)

	for height, expected := range blocks {
		id, err := r.client.GetBlockIDAtHeight(ctx, uint64(height))
		require.NoError(t, err)
		require.Equal(t, expected.ID(), id)
	}
	_, err = r.client.GetBlockIDAtHeight(ctx, uint64(len(blocks)))
	require.ErrorIs(t, err, database.ErrNotFound)

	tip := blocks[5]
	ancestors := func(id ids.ID, count, size int) [][]byte {
		found, err := r.client.GetAncestors(ctx, id, count, size, time.Minute)
		require.NoError(t, err)
		return found
	}
	require.Empty(t, ancestors(ids.GenerateTestID(), 10, 1<<20))
	require.Equal(t, [][]byte{tip.Bytes()}, ancestors(tip.ID(), 0, 0))
	require.Equal(t, [][]byte{tip.Bytes(), blocks[4].Bytes(), blocks[3].Bytes()},
		ancestors(tip.ID(), 3, 1<<20))
	require.Len(t, ancestors(tip.ID(), 100, 1<<20), 6, "down to the genesis")
	two := 4 + len(tip.Bytes()) + 4 + len(blocks[4].Bytes())
	require.Len(t, ancestors(tip.ID(), 100, two), 2)
	require.Len(t, ancestors(tip.ID(), 100, two-1), 1)

	bytes := make([][]byte, len(blocks))
	for i, b := range blocks {
		bytes[i] = b.Bytes()
	}
	parsed, err := r.client.BatchedParseBlock(ctx, bytes)
	require.NoError(t, err)
	for i, b := range parsed {
		require.Equal(t, blocks[i].ID(), b.ID())
		require.Equal(t, uint64(i), b.Height())
	}
	require.NoError(t, r.engine.Shutdown(ctx))
}

// TestBlocksOfOthersAreParsedWithoutTheirParents: by a process that has seen none of them.
func TestBlocksOfOthersAreParsedWithoutTheirParents(t *testing.T) {
	c := newChain()
	maker, reader := newNode(t, c).start(t), newNode(t, c).start(t)
	var inner []snowman.Block
	var outer [][]byte
	for range 4 {
		maker.pay(t, wallet.Address{1}, 1)
		made, err := maker.advance()
		require.NoError(t, err)
		outer = append(outer, made.Bytes())
		_, last := maker.lastAccepted(t)
		inner = append(inner, last)
	}
	ctx := context.Background()
	reader.ctx.Lock.Lock()
	var bytes [][]byte
	for i := len(inner) - 1; i >= 0; i-- {
		parsed, err := reader.client.ParseBlock(ctx, inner[i].Bytes())
		require.NoError(t, err)
		require.Equal(t, inner[i].ID(), parsed.ID())
		require.Equal(t, inner[i].Parent(), parsed.Parent())
		require.Equal(t, inner[i].Height(), parsed.Height())
		require.Equal(t, inner[i].Timestamp(), parsed.Timestamp())
		bytes = append(bytes, inner[i].Bytes())
	}

	good := inner[3].Bytes()
	for name, bad := range map[string][]byte{
		"nothing":     {},
		"noise":       []byte("this is not a block, but a peer may send it"),
		"cut":         good[:len(good)-1],
		"too long":    append(append([]byte{}, good...), 0),
		"outer block": outer[3],
		"16 MiB":      make([]byte, 16<<20),
	} {
		_, err := reader.client.ParseBlock(ctx, bad)
		require.Error(t, err, name)
		_, err = reader.client.BatchedParseBlock(ctx, append(bytes[:1:1], bad))
		require.Error(t, err, name)
	}
	reader.ctx.Lock.Unlock()

	for _, bytes := range outer { // none of that did any harm
		reader.accept(t, reader.take(t, bytes))
	}
	requireSame(t, maker, reader)
	maker.stop(t)
	reader.stop(t)
}

// TestProposalsThatVanishCostNothing: the node may drop what was built without a word.
func TestProposalsThatVanishCostNothing(t *testing.T) {
	r := newLoneNode(t).start(t)
	build := func() (snowman.Block, error) {
		r.ctx.Lock.Lock()
		defer r.ctx.Lock.Unlock()
		return r.engine.BuildBlock(context.Background())
	}
	_, err := build()
	require.Error(t, err, "there is nothing to build")

	tx := r.pay(t, wallet.Address{1}, 1)
	for range 3 {
		built, err := build()
		require.NoError(t, err)
		require.Equal(t, uint64(1), built.Height())
	}
	_, err = r.advance()
	require.NoError(t, err)
	require.True(t, r.has(t, tx))
	_, err = build()
	require.Error(t, err, "the payment is spent")
	r.stop(t)
}

// requireSame: both nodes have accepted the same block.
func requireSame(t *testing.T, a, b *running) {
	t.Helper()
	outerA, innerA := a.lastAccepted(t)
	outerB, innerB := b.lastAccepted(t)
	require.Equal(t, outerA.ID(), outerB.ID())
	require.Equal(t, innerA.ID(), innerB.ID())
}

// TestBranchesOfSeveralBlocks: proposals stand on the preferred branch, and a lost branch goes whole.
func TestBranchesOfSeveralBlocks(t *testing.T) {
	c := newChain()
	left, right := newNode(t, c).start(t), newNode(t, c).start(t)
	left.pay(t, wallet.Account(0), 1)
	root, err := left.advance()
	require.NoError(t, err)
	right.accept(t, right.take(t, root.Bytes()))

	var lost []ids.ID
	var losing []snowman.Block
	for i := range 3 { // each on the one before, none decided
		lost = append(lost, left.pay(t, wallet.Account(1), uint64(i+1)))
		built, err := left.build()
		require.NoError(t, err)
		losing = append(losing, built)
	}
	require.Equal(t, losing[1].ID(), losing[2].Parent())
	require.Equal(t, root.Height()+3, losing[2].Height())

	right.pay(t, wallet.Account(2), 1)
	other, err := right.build()
	require.NoError(t, err)
	winning := left.take(t, other.Bytes())
	left.prefer(t, winning)
	left.pay(t, wallet.Account(3), 1)
	next, err := left.build()
	require.NoError(t, err)
	require.Equal(t, winning.ID(), next.Parent())

	left.accept(t, winning)
	left.reject(t, losing...)
	left.accept(t, next)
	right.accept(t, other)
	right.accept(t, right.take(t, next.Bytes()))
	requireSame(t, left, right)
	for _, tx := range lost { // the pool had kept them, and the new branch took them
		require.True(t, right.has(t, tx))
	}
	require.Equal(t, uint64(6), right.balance(t, wallet.Account(1)))
	left.stop(t)
	right.stop(t)
}

// TestBlockFromTheFutureIsRefusedOnlyByWhoVotes: while catching up, it is decided already.
func TestBlockFromTheFutureIsRefusedOnlyByWhoVotes(t *testing.T) {
	c := newChain()
	maker, voter := newNode(t, c).start(t), newNode(t, c).start(t)
	follower := newNode(t, c).bootstrap(t)
	maker.pay(t, wallet.Account(1), 1)
	made, err := maker.build() // the first block has no wrapper: these are the chain's own bytes
	require.NoError(t, err)
	late := append([]byte{}, made.Bytes()...)
	future := time.Now().Add(time.Hour).Unix()
	binary.BigEndian.PutUint64(late[34:], uint64(future))

	verify := func(r *running, bytes []byte) (snowman.Block, error) {
		r.ctx.Lock.Lock()
		defer r.ctx.Lock.Unlock()
		parsed, err := r.client.ParseBlock(context.Background(), bytes)
		require.NoError(t, err)
		return parsed, parsed.Verify(context.Background())
	}
	_, err = verify(voter, late)
	require.Error(t, err)
	_, err = verify(voter, late)
	require.Error(t, err, "however often it is asked")
	_, err = verify(voter, made.Bytes())
	require.NoError(t, err, "its sibling is as good as ever")

	followed, err := verify(follower, late)
	require.NoError(t, err)
	require.Equal(t, future, followed.Timestamp().Unix())
	follower.ctx.Lock.Lock()
	require.NoError(t, followed.Accept(context.Background()))
	follower.ctx.Lock.Unlock()
	for _, r := range []*running{maker, voter, follower} {
		r.stop(t)
	}
}
