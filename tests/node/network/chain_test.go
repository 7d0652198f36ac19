package network

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ava-labs/avalanchego/ids"
	"github.com/stretchr/testify/require"

	"blobvm/tests/node/harness"
	"blobvm/tests/node/wallet"
)

// call is a JSON-RPC call that ends soon.
func call(url, method string, params, result any) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return harness.Call(ctx, url, method, params, result)
}

func (v *validator) endpoint() string { return v.uri + "/ext/bc/" + v.network.chain.String() }

func (v *validator) ask(method string, params, result any) error {
	return call(v.endpoint()+"/public", "blobvm."+method, params, result)
}

// tip is the height and the ID of the last accepted block.
type tip struct {
	Height  uint64
	BlockID ids.ID
}

func (v *validator) tip(t *testing.T) tip {
	t.Helper()
	var last tip
	require.NoError(t, v.ask("lastAccepted", nil, &last))
	return last
}

// tryToPay issues a transfer of one unit.
func (v *validator) tryToPay(to wallet.Address, units uint64) (ids.ID, error) {
	var last tip
	if err := v.ask("lastAccepted", nil, &last); err != nil {
		return ids.Empty, err
	}
	var fee struct{ Price uint64 }
	if err := v.ask("suggestedRawFee", nil, &fee); err != nil {
		return ids.Empty, err
	}
	tx := wallet.Rich.Transfer(to, units, fee.Price, last.BlockID)
	var reply struct{ TxID ids.ID }
	err := v.ask("issueRawTx", map[string]any{"tx": tx}, &reply)
	return reply.TxID, err
}

func (v *validator) pay(t *testing.T, to wallet.Address, units uint64) ids.ID {
	t.Helper()
	tx, err := v.tryToPay(to, units)
	require.NoError(t, err)
	return tx
}

func (v *validator) has(tx ids.ID) bool {
	var reply struct{ Accepted bool }
	return v.ask("hasTx", map[string]any{"txId": tx}, &reply) == nil && reply.Accepted
}

// requireAccepted waits until each of the nodes has accepted the transaction.
func requireAccepted(t *testing.T, tx ids.ID, nodes ...*validator) {
	t.Helper()
	for _, v := range nodes {
		require.Eventually(t, func() bool { return v.has(tx) }, patience, 2*time.Millisecond,
			"%s never accepted %s", v.name, tx)
	}
}

// requireOneChain waits until the nodes have the same last accepted block.
func requireOneChain(t *testing.T, nodes ...*validator) {
	t.Helper()
	require.Eventually(t, func() bool {
		first := nodes[0].tip(t)
		for _, v := range nodes[1:] {
			if v.tip(t) != first {
				return false
			}
		}
		return true
	}, patience, 50*time.Millisecond, "the nodes do not agree")
}

// cli runs blob-cli against the node, as the account that owns everything.
func (v *validator) cli(t *testing.T, arguments ...string) string {
	t.Helper()
	key := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(key, []byte(wallet.Rich.HexKey()), 0o600))
	return run(t, harness.FromEnvironment(t, "BLOBVM_CLI"),
		append([]string{"--private-key-file", key, "--endpoint", v.endpoint(), "--json"}, arguments...)...)
}

// file is one that a chain holds.
type file struct {
	root    string
	content []byte
}

// newFile is a file of that size that no chain has: the same for the same seed.
func newFile(seed string, size int) []byte {
	content := make([]byte, 0, size+32)
	for block := wallet.Keccak([]byte(seed)); len(content) < size; block = wallet.Keccak(block) {
		content = append(content, block...)
	}
	return content[:size]
}

// store uploads a file of that size through blob-cli.
func (v *validator) store(t *testing.T, seed string, size int) file {
	t.Helper()
	content := newFile(seed, size)
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, content, 0o644))
	var stored struct{ Root string }
	require.NoError(t, json.Unmarshal([]byte(v.cli(t, "set-file", path)), &stored))
	return file{stored.Root, content}
}

// requireFile fetches a file through blob-cli and compares it.
func (v *validator) requireFile(t *testing.T, f file) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	v.cli(t, "resolve-file", f.root, path)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.True(t, bytes.Equal(f.content, content), "%s has another file", v.name)
}

// state is what a stopped node's plugin finds on its disk.
type state struct {
	Height  uint64
	BlockID ids.ID
	Digest  string
}

func (v *validator) state(t *testing.T) state {
	t.Helper()
	require.False(t, v.runs())
	var found state
	text := run(t, harness.FromEnvironment(t, "BLOBVM_PLUGIN"), "inspect", v.chainData(), "--json")
	require.NoError(t, json.Unmarshal([]byte(text), &found))
	return found
}
