package node_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/ava-labs/avalanchego/database/leveldb"
	"github.com/ava-labs/avalanchego/ids"
	"github.com/ava-labs/avalanchego/utils/logging"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"blobvm/tests/node/harness"
	"blobvm/tests/node/wallet"
)

// What a node on disk needs to be started again, handed to a process of its own.
const (
	nodeFolder = "BLOBVM_TEST_NODE_FOLDER"
	nodeChain  = "BLOBVM_TEST_NODE_CHAIN"
)

// openNode is a node with the database that nodes have by default, in a folder.
func openNode(t *testing.T, folder string, chainID ids.ID) (*node, func()) {
	t.Helper()
	c := newChain()
	c.id = chainID
	n := newNode(t, c)
	n.dataDir = filepath.Join(folder, "chain")
	require.NoError(t, os.MkdirAll(n.dataDir, 0o700))
	db, err := leveldb.New(filepath.Join(folder, "db"), nil, logging.NoLog{}, prometheus.NewRegistry())
	require.NoError(t, err)
	n.db = db
	return n, func() { require.NoError(t, db.Close()) }
}

// TestNodeInAnotherProcess is no test but the node that the next one kills.
func TestNodeInAnotherProcess(t *testing.T) {
	folder := os.Getenv(nodeFolder)
	if folder == "" {
		t.Skip("runs as a child of TestPluginEndsWithItsNode only")
	}
	chainID, err := ids.FromString(os.Getenv(nodeChain))
	require.NoError(t, err)
	n, _ := openNode(t, folder, chainID)
	r := n.start(t)
	fmt.Printf("plugin %d\n", r.pid)
	for {
		r.pay(t, wallet.Account(1), 1)
		made, err := r.advance()
		require.NoError(t, err)
		fmt.Printf("height %d\n", made.Height())
	}
}

// TestPluginEndsWithItsNode: the node is killed while it makes blocks; the plugin closes its store
// and ends, and the next start finds every block that the node had finished.
func TestPluginEndsWithItsNode(t *testing.T) {
	harness.FromEnvironment(t, "BLOBVM_PLUGIN")
	folder, chainID := t.TempDir(), ids.GenerateTestID()
	finished := uint64(0)
	for range 3 {
		program, err := os.Executable()
		require.NoError(t, err)
		parent := exec.Command(program, "-test.run=^TestNodeInAnotherProcess$")
		parent.Env = append(os.Environ(), nodeFolder+"="+folder, nodeChain+"="+chainID.String())
		parent.Stderr = os.Stderr
		output, err := parent.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, parent.Start())
		lines := bufio.NewScanner(output)
		plugin, blocks := 0, 0
		for lines.Scan() {
			if _, err := fmt.Sscanf(lines.Text(), "plugin %d", &plugin); err == nil {
				continue
			}
			if _, err := fmt.Sscanf(lines.Text(), "height %d", &finished); err != nil {
				continue
			}
			if blocks++; blocks == 10 {
				require.NoError(t, parent.Process.Signal(syscall.SIGKILL))
			}
		}
		require.GreaterOrEqual(t, blocks, 10)
		_ = parent.Wait()
		require.NotZero(t, plugin)
		require.Eventually(t, func() bool { return !runs(plugin) }, patience, 5*time.Millisecond,
			"the plugin outlives its node")

		n, closeDatabase := openNode(t, folder, chainID)
		r := n.start(t)
		height := r.height(t)
		require.GreaterOrEqual(t, height, finished)
		require.LessOrEqual(t, height, finished+1)
		require.Equal(t, height, r.balance(t, wallet.Account(1)), "each block pays one unit")
		r.stop(t)
		closeDatabase()
	}
}
