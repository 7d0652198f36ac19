package node_test

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestNodeAsksForTheVersionAndEndsTheProcess is what each node does at its own start.
func TestNodeAsksForTheVersionAndEndsTheProcess(t *testing.T) {
	p := startProcess(t)

	version, err := p.client.Version(context.Background())
	require.NoError(t, err)
	require.Regexp(t, `^v\d+\.\d+\.\d+`, version)

	asked := time.Now()
	require.NoError(t, p.client.Shutdown(context.Background()))
	p.requireEnded(t)
	require.Less(t, time.Since(asked), 5*time.Second, "the node would have killed it")
}

// TestSignalsBeforeShutdownChangeNothing: the node's terminal sends them to the plugin too.
func TestSignalsBeforeShutdownChangeNothing(t *testing.T) {
	p := startProcess(t)

	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGINT} {
		require.NoError(t, syscall.Kill(p.pid, signal))
		_, err := p.client.Version(context.Background())
		require.NoError(t, err)
	}

	require.NoError(t, p.client.Shutdown(context.Background()))
	p.requireEnded(t)
}

// TestBadGenesisIsAnErrorAndTheProcessGoesOn: the node leaves the process running then.
func TestBadGenesisIsAnErrorAndTheProcessGoesOn(t *testing.T) {
	for genesis, reason := range map[string]string{
		`{"magic":`:                       "unexpected end of JSON input",
		``:                                "unexpected end of JSON input",
		`{"magic":0,"targetBlockRate":1}`: "invalid magic",
		`{"magic":1,"targetBlockRate":0}`: "invalid block rate",
	} {
		n := newLoneNode(t)
		n.chain.genesis = []byte(genesis)
		r, err := n.initialize(t)
		require.ErrorContains(t, err, reason)
		_, err = r.client.Version(context.Background())
		require.NoError(t, err)
		require.NoError(t, r.client.Shutdown(context.Background()))
		r.requireEnded(t)
	}
}

// TestBadConfigNamesTheKey: an operator reads it in the node's log.
func TestBadConfigNamesTheKey(t *testing.T) {
	n := newLoneNode(t)
	n.config = `{"mempoolSize":-1}`
	r, err := n.initialize(t)
	require.ErrorContains(t, err, "mempoolSize")
	require.NoError(t, r.client.Shutdown(context.Background()))
	r.requireEnded(t)
}

// TestChainRunsWithoutAnyEnvironment: the node hands down one variable and no PATH or HOME.
func TestChainRunsWithoutAnyEnvironment(t *testing.T) {
	n := newLoneNode(t)
	r := n.start(t)
	environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", r.pid))
	require.NoError(t, err)
	require.Regexp(t, `^AVALANCHE_VM_RUNTIME_ENGINE_ADDR=127\.0\.0\.1:\d+\x00(GODEBUG|GRPC_|$)`,
		string(environment))
	r.stop(t)
}
