package network

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ava-labs/avalanchego/config/node"
	"github.com/ava-labs/avalanchego/ids"
	"github.com/ava-labs/avalanchego/staking"
	"github.com/stretchr/testify/require"
)

// patience bounds each wait for other processes. It is a limit, not a measure.
const patience = 2 * time.Minute

// validator is one node of the network: what it keeps on disk and, while it runs, its process.
type validator struct {
	network *network
	name    string
	id      ids.NodeID
	keys    []string // the flags that name its keys
	dir     string

	command *exec.Cmd
	exited  chan struct{}
	uri     string
	address string // for other nodes
}

// newValidator is the local network's well-known validator of that number, from 1 to 5.
func newValidator(t *testing.T, n *network, number int) *validator {
	t.Helper()
	keys := filepath.Join(moduleDir(t), "staking", "local")
	file := func(format string) string { return filepath.Join(keys, fmt.Sprintf(format, number)) }
	certificate, err := staking.LoadTLSCertFromFiles(file("staker%d.key"), file("staker%d.crt"))
	require.NoError(t, err)
	parsed, err := staking.ParseCertificate(certificate.Leaf.Raw)
	require.NoError(t, err)
	name := fmt.Sprintf("node%d", number)
	v := &validator{
		network: n,
		name:    name,
		id:      ids.NodeIDFromCert(parsed),
		keys: []string{
			"--staking-tls-key-file=" + file("staker%d.key"),
			"--staking-tls-cert-file=" + file("staker%d.crt"),
			"--staking-signer-key-file=" + file("signer%d.key"),
		},
		dir: filepath.Join(n.dir, name),
	}
	t.Cleanup(func() {
		if v.runs() {
			v.kill(t)
		}
		if t.Failed() {
			t.Logf("%s: %s", v.name, v.lastWords())
		}
	})
	return v
}

// start starts the node's program, beside the nodes that run already, and waits until it takes part
// in all the chains it should.
func (v *validator) start(t *testing.T) {
	t.Helper()
	v.launch(t)
	v.waitUntilReady(t)
}

// launch starts the node's program and waits for its addresses.
func (v *validator) launch(t *testing.T) {
	t.Helper()
	require.False(t, v.runs())
	var peers, peerIDs []string
	for _, other := range v.network.validators {
		if other.runs() {
			peers = append(peers, other.address)
			peerIDs = append(peerIDs, other.id.String())
		}
	}
	arguments := append([]string{
		"--network-id=local",
		"--data-dir=" + v.dir,
		"--plugin-dir=" + v.network.plugins,
		"--http-host=127.0.0.1", "--http-port=0",
		"--staking-host=127.0.0.1", "--staking-port=0", "--public-ip=127.0.0.1",
		"--bootstrap-ips=" + strings.Join(peers, ","),
		"--bootstrap-ids=" + strings.Join(peerIDs, ","),
		"--network-max-reconnect-delay=1s",
		"--network-peer-list-pull-gossip-frequency=250ms",
		"--health-check-frequency=1s",
		"--fd-limit=8192",
		"--system-tracker-disk-required-available-space-percentage=0",
		"--system-tracker-disk-warning-available-space-percentage=0",
		"--log-display-level=off",
	}, slices.Concat(v.keys, v.network.flags)...)
	if v.network.alone {
		arguments = append(arguments, "--sybil-protection-enabled=false")
	}
	if v.network.subnet != ids.Empty {
		arguments = append(arguments, "--track-subnets="+v.network.subnet.String())
	}
	require.NoError(t, os.MkdirAll(v.dir, 0o755))
	output, err := os.OpenFile(filepath.Join(v.dir, "output"),
		os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	require.NoError(t, err)
	defer output.Close()
	context := filepath.Join(v.dir, "process.json")
	require.NoError(t, os.RemoveAll(context))

	command := exec.Command(v.network.program, arguments...)
	command.Stdout, command.Stderr = output, output
	require.NoError(t, command.Start())
	exited := make(chan struct{})
	go func() {
		_ = command.Wait()
		close(exited)
	}()
	v.command, v.exited = command, exited

	var process node.ProcessContext
	require.Eventually(t, func() bool {
		text, err := os.ReadFile(context)
		return !v.runs() || err == nil && json.Unmarshal(text, &process) == nil
	}, patience, 20*time.Millisecond, "%s never told its addresses", v.name)
	require.True(t, v.runs(), "%s ended: %s", v.name, v.lastWords())
	v.uri, v.address = process.URI, process.StakingAddress.String()
}

// waitUntilReady waits until the node has caught up with all its chains.
func (v *validator) waitUntilReady(t *testing.T) {
	t.Helper()
	chains := []string{"P", "X", "C"}
	if v.network.chain != ids.Empty {
		chains = append(chains, v.network.chain.String())
	}
	for _, chain := range chains {
		v.waitUntilBootstrapped(t, chain)
	}
}

func (v *validator) waitUntilBootstrapped(t *testing.T, chain string) {
	t.Helper()
	require.Eventually(t, func() bool {
		var reply struct{ IsBootstrapped bool }
		err := call(v.uri+"/ext/info", "info.isBootstrapped", map[string]any{"chain": chain}, &reply)
		return !v.runs() || err == nil && reply.IsBootstrapped
	}, patience, 50*time.Millisecond, "%s never caught up with chain %s", v.name, chain)
	require.True(t, v.runs(), "%s ended: %s", v.name, v.lastWords())
}

func (v *validator) runs() bool {
	if v.command == nil {
		return false
	}
	select {
	case <-v.exited:
		return false
	default:
		return true
	}
}

// wasStarted tells whether the node has ever run.
func (v *validator) wasStarted() bool { return v.command != nil }

// stop ends the node in order, and waits until it and its plugin are gone.
func (v *validator) stop(t *testing.T) {
	t.Helper()
	v.end(t, syscall.SIGTERM)
}

// kill ends the node as a crash does; its plugin has to notice.
func (v *validator) kill(t *testing.T) {
	t.Helper()
	v.end(t, syscall.SIGKILL)
}

func (v *validator) end(t *testing.T, signal syscall.Signal) {
	t.Helper()
	plugin := v.pluginPID()
	require.NoError(t, v.command.Process.Signal(signal))
	select {
	case <-v.exited:
	case <-time.After(patience):
		require.Fail(t, v.name+" does not end")
	}
	if plugin != 0 {
		requireGone(t, plugin)
	}
}

// killPlugin ends the plugin's process under the running node.
func (v *validator) killPlugin(t *testing.T) {
	t.Helper()
	plugin := v.pluginPID()
	require.NotZero(t, plugin)
	require.NoError(t, syscall.Kill(plugin, syscall.SIGKILL))
	requireGone(t, plugin)
}

func requireGone(t *testing.T, pid int) {
	t.Helper()
	require.Eventually(t, func() bool {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err != nil || bytes.Contains(status, []byte(") Z "))
	}, patience, 10*time.Millisecond, "process %d is left", pid)
}

// pluginPID is the process that the node started from the plugin's file, 0 if there is none.
func (v *validator) pluginPID() int {
	if !v.runs() {
		return 0
	}
	pid := v.command.Process.Pid
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, thread := range threads {
		children, _ := os.ReadFile(thread)
		for _, child := range strings.Fields(string(children)) {
			program, _ := os.Readlink("/proc/" + child + "/exe")
			if strings.HasSuffix(program, vmID) {
				number, _ := strconv.Atoi(child)
				return number
			}
		}
	}
	return 0
}

// chainData is the folder that belongs to our plugin.
func (v *validator) chainData() string {
	return filepath.Join(v.dir, "chainData", v.network.chain.String())
}

// database is the folder that belongs to the node.
func (v *validator) database() string { return filepath.Join(v.dir, "db") }

// lastWords is the end of what the node and its plugin left in their logs.
func (v *validator) lastWords() string {
	var words strings.Builder
	for _, name := range []string{"output", "logs/main.log", "logs/" + v.network.chain.String() + ".log"} {
		text, _ := os.ReadFile(filepath.Join(v.dir, name))
		fmt.Fprintf(&words, "\n--- %s\n%s", name, text[max(0, len(text)-3000):])
	}
	return words.String()
}
