// Package network runs whole nodes: the published program, built from its published packages, with
// the plugin's file in its plugin folder. What decides about a block here is the node's consensus.
package network

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ava-labs/avalanchego/genesis"
	"github.com/ava-labs/avalanchego/ids"
	"github.com/ava-labs/avalanchego/vms/platformvm/txs"
	"github.com/ava-labs/avalanchego/vms/secp256k1fx"
	"github.com/ava-labs/avalanchego/wallet/subnet/primary"
	"github.com/stretchr/testify/require"

	"blobvm/tests/node/harness"
	"blobvm/tests/node/wallet"
)

// vmID is the plugin's VM ID, which is its file name too.
const vmID = "kM6h4LYe3AcEU1MB2UNg6ubzAiDAALZzpVrbX8zn3hXF6Avd8"

// network is the node's local network: its genesis and its five validators are well known.
type network struct {
	program    string // the node's
	plugins    string // the folder with our plugin alone in it
	dir        string
	alone      bool     // one node decides for itself
	flags      []string // of the node's program, beside our own
	config     []byte   // of the chain, on each node; none: the defaults
	validators []*validator
	subnet     ids.ID // empty until there is one
	chain      ids.ID // of ours, empty until there is one
}

// newNetwork has so many validators, none of which runs.
func newNetwork(t *testing.T, size int) *network {
	t.Helper()
	n := &network{
		program: nodeProgram(t),
		plugins: filepath.Join(t.TempDir(), "plugins"),
		dir:     t.TempDir(),
		alone:   size == 1,
	}
	require.NoError(t, os.Mkdir(n.plugins, 0o755))
	run(t, harness.FromEnvironment(t, "BLOBVM_PLUGIN"), "install", n.plugins)
	for number := 1; number <= size; number++ {
		n.validators = append(n.validators, newValidator(t, n, number))
	}
	return n
}

// createChain makes a subnet that all validators validate, those too that do not run yet, and a
// chain of ours on it; the nodes that run start again to take part in it.
func (n *network) createChain(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	key := genesis.EWOQKey
	keys := secp256k1fx.NewKeychain(key)
	uri := n.validators[0].uri
	pChain, err := primary.MakePWallet(ctx, uri, keys, primary.WalletConfig{})
	require.NoError(t, err)
	created, err := pChain.IssueCreateSubnetTx(&secp256k1fx.OutputOwners{
		Threshold: 1,
		Addrs:     []ids.ShortID{key.Address()},
	})
	require.NoError(t, err)
	subnet := created.ID()

	pChain, err = primary.MakePWallet(ctx, uri, keys, primary.WalletConfig{SubnetIDs: []ids.ID{subnet}})
	require.NoError(t, err)
	for _, v := range n.validators {
		_, err = pChain.IssueAddSubnetValidatorTx(&txs.SubnetValidator{
			Validator: txs.Validator{
				NodeID: v.id,
				End:    uint64(time.Now().Add(48 * time.Hour).Unix()),
				Wght:   100,
			},
			Subnet: subnet,
		})
		require.NoError(t, err)
	}
	chain, err := pChain.IssueCreateChainTx(
		subnet, chainGenesis(t), ids.FromStringOrPanic(vmID), nil, "blobs")
	require.NoError(t, err)

	for _, v := range n.running() {
		v.stop(t)
	}
	n.subnet, n.chain = subnet, chain.ID()
	if n.config != nil {
		for _, v := range n.validators {
			folder := filepath.Join(v.dir, "configs", "chains", n.chain.String())
			require.NoError(t, os.MkdirAll(folder, 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(folder, "config.json"), n.config, 0o644))
		}
	}
	n.startAll(t)
}

// chainGenesis is what blob-cli makes for a chain on which one account owns everything.
func chainGenesis(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	allocations, file := filepath.Join(dir, "allocations.json"), filepath.Join(dir, "genesis.json")
	require.NoError(t, os.WriteFile(allocations,
		[]byte(`[{"address":"`+wallet.Rich.Address().String()+`","balance":1000000000000}]`), 0o644))
	run(t, harness.FromEnvironment(t, "BLOBVM_CLI"), "genesis", "1337", allocations, "--genesis-file", file)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return text
}

// startAll starts each validator that does not run, one beside the other.
func (n *network) startAll(t *testing.T) {
	t.Helper()
	for _, v := range n.validators {
		if !v.runs() && v.wasStarted() {
			v.launch(t)
		}
	}
	for _, v := range n.running() {
		v.waitUntilReady(t)
	}
}

func (n *network) running() []*validator {
	var running []*validator
	for _, v := range n.validators {
		if v.runs() {
			running = append(running, v)
		}
	}
	return running
}

// nodeProgram is the node that BLOBVM_NODE names, or the published one, built here. Its name makes
// the plugin ask it for its protocol number.
func nodeProgram(t *testing.T) string {
	t.Helper()
	if os.Getenv("BLOBVM_NODE") != "" {
		return harness.FromEnvironment(t, "BLOBVM_NODE")
	}
	program := filepath.Join(t.TempDir(), "avalanchego")
	run(t, "go", "build", "-o", program, "github.com/ava-labs/avalanchego/main")
	return program
}

// moduleDir is where the node's published sources lie, with the keys of the local network.
func moduleDir(t *testing.T) string {
	t.Helper()
	return strings.TrimSpace(run(t, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/ava-labs/avalanchego"))
}

// run is what a program printed, which must succeed.
func run(t *testing.T, program string, arguments ...string) string {
	t.Helper()
	command := exec.Command(program, arguments...)
	var stderr strings.Builder
	command.Stderr = &stderr
	output, err := command.Output()
	require.NoError(t, err, "%s %v: %s", program, arguments, stderr.String())
	return string(output)
}
