package node_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ava-labs/avalanchego/api/metrics"
	"github.com/ava-labs/avalanchego/database"
	"github.com/ava-labs/avalanchego/ids"
	"github.com/ava-labs/avalanchego/snow"
	"github.com/ava-labs/avalanchego/snow/consensus/snowman"
	"github.com/ava-labs/avalanchego/snow/engine/common"
	"github.com/ava-labs/avalanchego/snow/engine/snowman/block"
	"github.com/ava-labs/avalanchego/snow/snowtest"
	"github.com/ava-labs/avalanchego/snow/validators"
	"github.com/ava-labs/avalanchego/snow/validators/validatorstest"
	"github.com/ava-labs/avalanchego/staking"
	"github.com/ava-labs/avalanchego/utils/logging"
	"github.com/ava-labs/avalanchego/utils/set"
	"github.com/ava-labs/avalanchego/version"
	"github.com/ava-labs/avalanchego/vms/proposervm"
	"github.com/ava-labs/avalanchego/vms/rpcchainvm"
	"github.com/ava-labs/avalanchego/vms/rpcchainvm/runtime"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"blobvm/tests/node/harness"
	"blobvm/tests/node/wallet"
)

const (
	// patience bounds each wait for another process. It is a limit, not a measure.
	patience = 30 * time.Second
	// vmName is the plugin's VM ID, which is its file name too.
	vmName = "kM6h4LYe3AcEU1MB2UNg6ubzAiDAALZzpVrbX8zn3hXF6Avd8"
)

// anyVersion is what a peer says that it runs.
var anyVersion = &version.Application{Name: "avalanchego", Major: 1, Minor: 14, Patch: 2}

// processLog collects what a plugin prints, as the node's log of the chain does.
type processLog struct {
	logging.NoLog
	lock sync.Mutex
	text bytes.Buffer
}

func (l *processLog) Write(line []byte) (int, error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.text.Write(line)
}

func (l *processLog) String() string {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.text.String()
}

// process is a plugin that the node's runtime has started.
type process struct {
	client    *rpcchainvm.VMClient
	pid       int
	log       *processLog
	ofClients metrics.MultiGatherer // what the node measures about its plugins
}

func (p *process) TrackProcess(pid int) { p.pid = pid }
func (*process) UntrackProcess(int)     {}

// startProcess starts the plugin file as a node does: nearly no environment, handshake, pipes.
func startProcess(t *testing.T) *process {
	t.Helper()
	path := harness.FromEnvironment(t, "BLOBVM_PLUGIN")
	p := &process{log: &processLog{}, ofClients: metrics.NewLabelGatherer("chain")}
	runtimes := runtime.NewManager()
	vm, err := rpcchainvm.NewFactory(path, p, runtimes, p.ofClients).New(p.log)
	t.Cleanup(func() {
		runtimes.Stop(context.Background())
		if t.Failed() {
			t.Logf("process %d said:\n%s", p.pid, p.log)
		}
	})
	require.NoError(t, err)
	p.client = vm.(*rpcchainvm.VMClient)
	return p
}

func (p *process) runs() bool { return runs(p.pid) }

// runs is false too for a process that only waits for its parent to notice its end.
func runs(pid int) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !bytes.Contains(status, []byte(") Z "))
}

// requireEnded waits for the process to be gone.
func (p *process) requireEnded(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool { return !p.runs() }, patience, 5*time.Millisecond)
}

// chain is what all nodes of a chain agree on.
type chain struct {
	id      ids.ID
	genesis []byte
}

func newChain() chain {
	owner := wallet.Rich.Address()
	return chain{id: ids.GenerateTestID(), genesis: fmt.Appendf(nil,
		`{"magic":%d,"baseTxUnits":1,"valueUnitSize":1024,"maxValueSize":204800,"minPrice":1,`+
			`"lookbackWindow":60,"targetBlockRate":1,"targetBlockSize":15625,"maxBlockSize":1638,`+
			`"blockCostEnabled":false,"customAllocation":[{"address":"0x%s","balance":1000000000000}],`+
			`"airdropHash":"","airdropUnits":0}`, wallet.Magic, hex.EncodeToString(owner[:]))}
}

// node is what of a validator outlives its processes: identity, chain data, database.
type node struct {
	chain     chain
	id        ids.NodeID
	tls       *tls.Certificate
	dataDir   string
	db        database.Database
	config    string
	proposers map[ids.NodeID]*validators.GetValidatorOutput // none: anyone may propose
}

// newNode is a validator of the chain, which anyone may propose blocks to.
func newNode(t *testing.T, c chain) *node {
	t.Helper()
	certificate, err := staking.NewTLSCert()
	require.NoError(t, err)
	n := &node{
		chain:   c,
		tls:     certificate,
		dataDir: t.TempDir(),
		db:      newJournal(),
		config:  `{"buildInterval":"10ms","gossipInterval":"20ms"}`,
	}
	n.id = ids.NodeIDFromCert(n.certificate(t))
	return n
}

// newLoneNode is the only validator of a new chain: it signs each block, in a slot of its own.
func newLoneNode(t *testing.T) *node {
	t.Helper()
	n := newNode(t, newChain())
	n.proposers = map[ids.NodeID]*validators.GetValidatorOutput{n.id: {NodeID: n.id, Weight: 1}}
	return n
}

func (n *node) certificate(t *testing.T) *staking.Certificate {
	t.Helper()
	certificate, err := staking.ParseCertificate(n.tls.Leaf.Raw)
	require.NoError(t, err)
	return certificate
}

// copyWith is the same validator with a copy of its chain data and another database.
func (n *node) copyWith(t *testing.T, db database.Database) *node {
	t.Helper()
	other := *n
	other.db = db
	other.dataDir = filepath.Join(t.TempDir(), "chain")
	require.NoError(t, os.CopyFS(other.dataDir, os.DirFS(n.dataDir)))
	return &other
}

// running is a node's view of one chain: the layers that the node puts around a plugin, from the
// plugin's process to what the engine sees.
type running struct {
	*process
	ctx     *snow.Context
	life    context.Context // of the calls to a process that may be killed: they would wait for ever
	end     context.CancelFunc
	outer   *proposervm.VM
	engine  *block.ChangeNotifier // what the engine calls
	changed func()                // what it tells of
	gossip  chan []byte           // what the plugin sent to its peers
	metrics metrics.MultiGatherer // of the whole node
	server  *httptest.Server      // the node's HTTP API
}

// initialize does what the node does until the chain could be told its first state.
func (n *node) initialize(t *testing.T) (*running, error) {
	t.Helper()
	p := startProcess(t)
	r := &running{
		process: p,
		ctx:     snowtest.Context(t, n.chain.id),
		changed: func() {},
		gossip:  make(chan []byte, 1024),
		metrics: metrics.NewPrefixGatherer(),
	}
	r.life, r.end = context.WithCancel(context.Background())
	t.Cleanup(r.end)
	ofPlugin, ofProposer := metrics.NewLabelGatherer("chain"), metrics.NewLabelGatherer("chain")
	require.NoError(t, r.metrics.Register("avalanche_"+vmName, ofPlugin))
	require.NoError(t, r.metrics.Register("avalanche_proposervm", ofProposer))
	require.NoError(t, r.metrics.Register("avalanche_rpcchainvm", p.ofClients))
	proposerMetrics := prometheus.NewRegistry()
	require.NoError(t, ofProposer.Register(n.chain.id.String(), proposerMetrics))
	chainMetrics := metrics.NewPrefixGatherer()
	require.NoError(t, ofPlugin.Register(n.chain.id.String(), chainMetrics))

	r.ctx.NodeID = n.id
	r.ctx.SubnetID = ids.ID{'s', 'u', 'b', 'n', 'e', 't'}
	r.ctx.ChainDataDir = n.dataDir
	r.ctx.Metrics = chainMetrics
	pChain := r.ctx.ValidatorState.(*validatorstest.State)
	height := func(context.Context) (uint64, error) { return 0, nil }
	pChain.GetMinimumHeightF, pChain.GetCurrentHeightF = height, height
	pChain.GetValidatorSetF =
		func(context.Context, uint64, ids.ID) (map[ids.NodeID]*validators.GetValidatorOutput, error) {
			proposers := map[ids.NodeID]*validators.GetValidatorOutput{}
			for id, output := range n.proposers {
				proposers[id] = output
			}
			return proposers, nil
		}
	r.outer = proposervm.New(p.client, proposervm.Config{
		Upgrades:          r.ctx.NetworkUpgrades,
		StakingLeafSigner: n.tls.PrivateKey.(crypto.Signer),
		StakingCertLeaf:   n.certificate(t),
		Registerer:        proposerMetrics,
	})
	r.engine = &block.ChangeNotifier{ChainVM: r.outer, OnChange: func() { r.changed() }}

	r.ctx.Lock.Lock()
	defer r.ctx.Lock.Unlock()
	return r, r.engine.Initialize(context.Background(), r.ctx, n.db, n.chain.genesis, nil,
		[]byte(n.config), nil, r)
}

// bootstrap brings the chain to the state in which it takes blocks from the network.
func (n *node) bootstrap(t *testing.T) *running {
	t.Helper()
	r, err := n.initialize(t)
	require.NoError(t, err)
	r.ctx.Lock.Lock()
	defer r.ctx.Lock.Unlock()

	handlers, err := r.engine.CreateHandlers(context.Background())
	require.NoError(t, err)
	mux := http.NewServeMux()
	for prefix, handler := range handlers {
		mux.HandleFunc("/ext/bc/blobvm"+prefix, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Node-Id", "kept") // the node tells its ID in each answer
			handler.ServeHTTP(w, r)
		})
	}
	r.server = httptest.NewUnstartedServer(mux)
	r.server.Config.Protocols = new(http.Protocols)
	r.server.Config.Protocols.SetHTTP1(true)
	r.server.Config.Protocols.SetUnencryptedHTTP2(true)
	r.server.Start()
	t.Cleanup(r.server.Close)

	require.NoError(t, r.engine.SetState(context.Background(), snow.Bootstrapping))
	require.NoError(t, r.engine.Connected(context.Background(), n.id, anyVersion))
	return r
}

// start brings the chain to normal operation.
func (n *node) start(t *testing.T) *running {
	t.Helper()
	r := n.bootstrap(t)
	r.finishBootstrap(t)
	return r
}

func (r *running) finishBootstrap(t *testing.T) {
	t.Helper()
	r.ctx.Lock.Lock()
	defer r.ctx.Lock.Unlock()
	last, err := r.engine.LastAccepted(context.Background())
	require.NoError(t, err)
	require.NoError(t, r.engine.SetPreference(context.Background(), last))
	require.NoError(t, r.engine.SetState(context.Background(), snow.NormalOp))
}

// stop shuts the chain down in order, and waits for the process to end.
func (r *running) stop(t *testing.T) {
	t.Helper()
	r.server.Close()
	r.ctx.Lock.Lock()
	defer r.ctx.Lock.Unlock()
	require.NoError(t, r.engine.Shutdown(context.Background()))
	r.requireEnded(t)
}

// kill ends the process as a crash does, and lets go of what the node kept for it.
func (r *running) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, syscall.Kill(r.pid, syscall.SIGKILL))
	r.requireEnded(t)
	r.end()
	_ = r.client.Shutdown(r.life) // cannot reach it any more
}

// build is the engine's own proposal: built and verified, not decided.
func (r *running) build() (snowman.Block, error) {
	r.ctx.Lock.Lock()
	defer r.ctx.Lock.Unlock()
	built, err := r.engine.BuildBlock(r.life)
	if err != nil {
		return nil, err
	}
	if err := built.Verify(r.life); err != nil {
		return nil, err
	}
	return built, r.engine.SetPreference(r.life, built.ID())
}

// advance builds a block and accepts it: consensus of one.
func (r *running) advance() (snowman.Block, error) {
	built, err := r.build()
	if err != nil {
		return nil, err
	}
	r.ctx.Lock.Lock()
	defer r.ctx.Lock.Unlock()
	return built, built.Accept(r.life)
}

// take parses and verifies a block of another node.
func (r *running) take(t *testing.T, bytes []byte) snowman.Block {
	t.Helper()
	r.ctx.Lock.Lock()
	defer r.ctx.Lock.Unlock()
	parsed, err := r.engine.ParseBlock(context.Background(), bytes)
	require.NoError(t, err)
	require.NoError(t, parsed.Verify(context.Background()))
	return parsed
}

func (r *running) accept(t *testing.T, decided snowman.Block) {
	t.Helper()
	r.ctx.Lock.Lock()
	defer r.ctx.Lock.Unlock()
	require.NoError(t, r.engine.SetPreference(context.Background(), decided.ID()))
	require.NoError(t, decided.Accept(context.Background()))
}

func (r *running) prefer(t *testing.T, preferred snowman.Block) {
	t.Helper()
	r.ctx.Lock.Lock()
	defer r.ctx.Lock.Unlock()
	require.NoError(t, r.engine.SetPreference(context.Background(), preferred.ID()))
}

// reject is what follows for the siblings of an accepted block and what stands on them.
func (r *running) reject(t *testing.T, lost ...snowman.Block) {
	t.Helper()
	r.ctx.Lock.Lock()
	defer r.ctx.Lock.Unlock()
	for _, block := range lost {
		require.NoError(t, block.Reject(context.Background()))
	}
}

// lastAccepted is the last accepted block as the engine and as the plugin see it, which must agree.
func (r *running) lastAccepted(t *testing.T) (outer, inner snowman.Block) {
	t.Helper()
	r.ctx.Lock.Lock()
	defer r.ctx.Lock.Unlock()
	outerID, err := r.engine.LastAccepted(context.Background())
	require.NoError(t, err)
	outer, err = r.engine.GetBlock(context.Background(), outerID)
	require.NoError(t, err)
	innerID, err := r.client.LastAccepted(context.Background())
	require.NoError(t, err)
	inner, err = r.client.GetBlock(context.Background(), innerID)
	require.NoError(t, err)
	require.Equal(t, inner.Height(), outer.Height(), "both layers are at the same height")
	return outer, inner
}

func (r *running) height(t *testing.T) uint64 {
	t.Helper()
	_, inner := r.lastAccepted(t)
	return inner.Height()
}

// drive builds and accepts whenever the chain asks for it, through the node's own event loop, until
// the returned function is called.
func (r *running) drive() (stop func()) {
	forwarder := common.NewNotificationForwarder(builder{r}, r.engine.WaitForEvent, r.log)
	r.ctx.Lock.Lock()
	r.changed = forwarder.CheckForEvent
	r.ctx.Lock.Unlock()
	return func() {
		forwarder.Close()
		r.ctx.Lock.Lock()
		defer r.ctx.Lock.Unlock()
		r.changed = func() {}
	}
}

type builder struct{ *running }

func (b builder) Notify(_ context.Context, message common.Message) error {
	if message != common.PendingTxs {
		return fmt.Errorf("unexpected message %s", message)
	}
	_, err := b.advance()
	return err
}

// call is a JSON-RPC call through the node's HTTP server; an error of the method is returned.
func (r *running) call(method string, params, result any) error {
	return harness.Call(r.life, r.url(), "blobvm."+method, params, result)
}

func (r *running) url() string { return r.server.URL + "/ext/bc/blobvm/public" }

// pay issues a transfer of so many units, and returns its ID.
func (r *running) pay(t *testing.T, to wallet.Address, units uint64) ids.ID {
	t.Helper()
	tx, err := r.tryToPay(to, units)
	require.NoError(t, err)
	return tx
}

func (r *running) tryToPay(to wallet.Address, units uint64) (ids.ID, error) {
	var last struct{ BlockID ids.ID }
	if err := r.call("lastAccepted", nil, &last); err != nil {
		return ids.Empty, err
	}
	var fee struct{ Price uint64 }
	if err := r.call("suggestedRawFee", nil, &fee); err != nil {
		return ids.Empty, err
	}
	tx := wallet.Rich.Transfer(to, units, fee.Price, last.BlockID)
	var reply struct{ TxID ids.ID }
	if err := r.call("issueRawTx", map[string]any{"tx": tx}, &reply); err != nil {
		return ids.Empty, err
	}
	if expected := ids.ID(wallet.Keccak(tx)); reply.TxID != expected {
		return ids.Empty, fmt.Errorf("issued as %s, should be %s", reply.TxID, expected)
	}
	return reply.TxID, nil
}

func (r *running) balance(t *testing.T, of wallet.Address) uint64 {
	t.Helper()
	var reply struct{ Balance uint64 }
	params := map[string]any{"address": "0x" + hex.EncodeToString(of[:])}
	require.NoError(t, r.call("balance", params, &reply))
	return reply.Balance
}

func (r *running) has(t *testing.T, tx ids.ID) bool {
	t.Helper()
	var reply struct{ Accepted bool }
	require.NoError(t, r.call("hasTx", map[string]any{"txId": tx}, &reply))
	return reply.Accepted
}

// cli runs blob-cli against the node's HTTP API, and returns what it printed.
func (r *running) cli(t *testing.T, args ...string) string {
	t.Helper()
	keyFile := filepath.Join(t.TempDir(), "key")
	key := wallet.Rich.HexKey()
	require.NoError(t, os.WriteFile(keyFile, []byte(key), 0o600))
	args = append([]string{"--private-key-file", keyFile,
		"--endpoint", strings.TrimSuffix(r.url(), "/public")}, args...)
	limit, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	command := exec.CommandContext(limit, harness.FromEnvironment(t, "BLOBVM_CLI"), args...)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	output, err := command.Output()
	require.NoError(t, err, stderr.String())
	return string(output)
}

// The network, as the plugin sees it.

func (r *running) SendAppGossip(_ context.Context, _ common.SendConfig, message []byte) error {
	select {
	case r.gossip <- bytes.Clone(message):
	default: // a network that is too busy drops
	}
	return nil
}

func (*running) SendAppRequest(context.Context, set.Set[ids.NodeID], uint32, []byte) error {
	return nil
}

func (*running) SendAppResponse(context.Context, ids.NodeID, uint32, []byte) error { return nil }

func (*running) SendAppError(context.Context, ids.NodeID, uint32, int32, string) error { return nil }
