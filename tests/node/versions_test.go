package node_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"blobvm/tests/node/harness"
)

// buildHandshake builds what starts a plugin in a published version of the node.
func buildHandshake(t *testing.T, modfile, name string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), name)
	command := exec.Command("go", "build", "-modfile="+modfile, "-o", program, ".")
	command.Dir = "handshake"
	output, err := command.CombinedOutput()
	require.NoError(t, err, string(output))
	return program
}

// TestOnePluginFileSuitsNodesOfEachProtocol: it states the number of the node that starts it.
func TestOnePluginFileSuitsNodesOfEachProtocol(t *testing.T) {
	plugin := harness.FromEnvironment(t, "BLOBVM_PLUGIN")
	if testing.Short() {
		t.Skip("-short: other versions of the node are not built")
	}
	for protocol, modfile := range map[int]string{
		42: "protocol42.mod", 43: "protocol43.mod", 44: "protocol44.mod", 45: "go.mod",
	} {
		output, err := exec.Command(buildHandshake(t, modfile, "avalanchego"), plugin).Output()
		require.NoError(t, err, "protocol %d", protocol)
		require.Regexp(t, fmt.Sprintf(`^protocol %d took v\d`, protocol), string(output))
	}
}

// TestPluginOfAnotherProtocolSaysWhatToDo: a parent that is not known to be a node is not asked.
func TestPluginOfAnotherProtocolSaysWhatToDo(t *testing.T) {
	plugin := harness.FromEnvironment(t, "BLOBVM_PLUGIN")
	if testing.Short() {
		t.Skip("-short: other versions of the node are not built")
	}
	program := buildHandshake(t, "protocol44.mod", "other")
	output, err := exec.Command(program, plugin).CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(output), "implements RPCChainVM protocol version 44")
	require.Contains(t, string(output), "states protocol 45: a node of another protocol needs the release")
}
