package node_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ava-labs/avalanchego/ids"
	"github.com/ava-labs/avalanchego/snow"
	"github.com/ava-labs/avalanchego/snow/engine/common"
	"github.com/ava-labs/avalanchego/snow/engine/snowman/block"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/require"

	"blobvm/tests/node/wallet"
)

// threads is how many threads the plugin has.
func (p *process) threads(t *testing.T) int {
	t.Helper()
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", p.pid))
	require.NoError(t, err)
	return len(tasks)
}

const ping = `{"jsonrpc":"2.0","id":1,"method":"blobvm.ping","params":null}`

func (r *running) post(t *testing.T, client *http.Client, body io.Reader) *http.Response {
	t.Helper()
	request, err := http.NewRequest(http.MethodPost, r.url(), body)
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	require.NoError(t, err)
	t.Cleanup(func() { response.Body.Close() })
	return response
}

func text(t *testing.T, response *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(body)
}

// TestHttpAnswersComeThroughTheNode: both of the node's ways to hand a request over.
func TestHttpAnswersComeThroughTheNode(t *testing.T) {
	n := newLoneNode(t)
	n.config = `{"buildInterval":"10ms","maxRequestBytes":2097152}`
	r := n.start(t)
	pong := `{"jsonrpc":"2.0","result":{"success":true},"id":1}` + "\n"

	plain := http.DefaultClient
	streaming := &http.Client{Transport: &http.Transport{Protocols: new(http.Protocols)}}
	streaming.Transport.(*http.Transport).Protocols.SetUnencryptedHTTP2(true)
	for name, client := range map[string]*http.Client{"HTTP/1": plain, "HTTP/2": streaming} {
		response := r.post(t, client, strings.NewReader(ping))
		require.Equal(t, http.StatusOK, response.StatusCode, name)
		require.Equal(t, "application/json; charset=utf-8", response.Header.Get("Content-Type"))
		require.Equal(t, "kept", response.Header.Get("Node-Id"), "what the node has set stays")
		require.Equal(t, pong, text(t, response), name)

		padded := strings.Replace(ping, "null", `"`+strings.Repeat("x", 1<<20)+`"`, 1)
		response = r.post(t, client, strings.NewReader(padded)) // in many pieces
		require.Equal(t, http.StatusOK, response.StatusCode, name)
		require.Contains(t, text(t, response), `"id":1`)

		response = r.post(t, client, strings.NewReader(strings.Repeat(" ", 2<<20+1)))
		require.Equal(t, http.StatusRequestEntityTooLarge, response.StatusCode, name)

		request, err := http.NewRequest(http.MethodGet, r.url(), nil)
		require.NoError(t, err)
		response, err = client.Do(request)
		require.NoError(t, err)
		response.Body.Close()
		require.Equal(t, http.StatusMethodNotAllowed, response.StatusCode, name)
	}

	upgrade, err := http.NewRequest(http.MethodPost, r.url(), strings.NewReader(ping))
	require.NoError(t, err)
	upgrade.Header.Set("Connection", "Upgrade")
	upgrade.Header.Set("Upgrade", "websocket")
	response, err := (&http.Client{Timeout: patience}).Do(upgrade)
	require.NoError(t, err)
	response.Body.Close()
	require.NotEqual(t, http.StatusSwitchingProtocols, response.StatusCode, "none is served")

	handler, err := r.client.NewHTTPHandler(context.Background())
	require.NoError(t, err)
	require.Nil(t, handler, "there is no handler of its own for header-routed requests")
	r.stop(t)
}

// TestNodesMetricsShowTheChain: one bad family would take the whole node's metrics away.
func TestNodesMetricsShowTheChain(t *testing.T) {
	n := newLoneNode(t)
	r := n.start(t)
	r.pay(t, wallet.Account(1), 1)
	_, err := r.advance()
	require.NoError(t, err)

	families, err := r.metrics.Gather()
	require.NoError(t, err)
	own := 0
	for _, family := range families {
		if !strings.HasPrefix(family.GetName(), "avalanche_"+vmName+"_") {
			continue
		}
		own++
		require.NotEmpty(t, family.GetHelp(), family.GetName())
		for _, metric := range family.Metric {
			require.Equal(t, "chain", metric.Label[len(metric.Label)-1].GetName())
		}
	}
	require.Greater(t, own, 10)

	scrape, err := http.NewRequest(http.MethodGet, "/ext/metrics", nil)
	require.NoError(t, err)
	answer := httptest.NewRecorder()
	promhttp.HandlerFor(r.metrics, promhttp.HandlerOpts{}).ServeHTTP(answer, scrape)
	require.Equal(t, http.StatusOK, answer.Code)
	require.Contains(t, answer.Body.String(), fmt.Sprintf(`{chain="%s"}`, n.chain.id))
	r.stop(t)

	idle := startProcess(t) // the node may ask before there is a chain
	none, err := idle.client.Gather()
	require.NoError(t, err)
	require.Empty(t, none)
	require.NoError(t, idle.client.Shutdown(context.Background()))
}

// TestHealthIsJson: anything else would break the health API of the whole node.
func TestHealthIsJson(t *testing.T) {
	r := newLoneNode(t).start(t)
	health, err := r.engine.HealthCheck(context.Background())
	require.NoError(t, err)
	text, err := json.Marshal(health)
	require.NoError(t, err)
	var details map[string]any
	require.NoError(t, json.Unmarshal(text, &details))
	require.Equal(t, true, details["healthy"], string(text))
	r.stop(t)
}

// TestPaymentsReachOtherNodes by gossip, so that whoever proposes next has them.
func TestPaymentsReachOtherNodes(t *testing.T) {
	c := newChain()
	first := newNode(t, c)
	sender, receiver := first.start(t), newNode(t, c).start(t)
	tx := sender.pay(t, wallet.Account(1), 1)

	waiting := receiver.event(context.Background())
	for waits := true; waits; {
		select {
		case message := <-sender.gossip:
			require.NoError(t, receiver.engine.AppGossip(context.Background(), first.id, message))
		case err := <-waiting:
			require.NoError(t, err)
			waits = false
		case <-time.After(patience):
			require.FailNow(t, "the payment does not arrive")
		}
	}
	made, err := receiver.advance()
	require.NoError(t, err)
	require.True(t, receiver.has(t, tx))
	sender.accept(t, sender.take(t, made.Bytes()))
	requireSame(t, sender, receiver)
	sender.stop(t)
	receiver.stop(t)
}

// TestPeersCanSendAnything: an error would stop the chain.
func TestPeersCanSendAnything(t *testing.T) {
	r := newLoneNode(t).start(t)
	ctx := context.Background()
	peer := ids.GenerateTestNodeID()
	for range 2 { // repeated, and the node itself: both happen
		require.NoError(t, r.engine.Connected(ctx, peer, anyVersion))
	}
	for _, message := range [][]byte{nil, {}, {0}, []byte("noise"), bytes.Repeat([]byte{0xff}, 1<<20)} {
		require.NoError(t, r.engine.AppGossip(ctx, peer, message))
		require.NoError(t, r.engine.AppRequest(ctx, peer, 7, time.Now().Add(time.Second), message))
		require.NoError(t, r.engine.AppResponse(ctx, peer, 8, message))
	}
	require.NoError(t, r.engine.AppRequestFailed(ctx, peer, 9, common.ErrTimeout))
	require.NoError(t, r.engine.Disconnected(ctx, peer))
	require.NoError(t, r.engine.Disconnected(ctx, ids.GenerateTestNodeID()))

	r.pay(t, wallet.Account(1), 1)
	_, err := r.advance()
	require.NoError(t, err)
	r.stop(t)
}

// TestEverythingAtOnce: no call waits for one that waits, and the end ends them all.
func TestEverythingAtOnce(t *testing.T) {
	r := newLoneNode(t).start(t)
	ctx := context.Background()
	peer := ids.GenerateTestNodeID()
	stopped := make(chan struct{})
	var calls sync.WaitGroup
	repeat := func(count int, call func()) {
		for range count {
			calls.Go(func() {
				for {
					select {
					case <-stopped:
						return
					default:
						call()
					}
				}
			})
		}
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 200}}
	repeat(200, func() {
		response, err := client.Post(r.url(), "application/json", strings.NewReader(ping))
		if err == nil {
			_, _ = io.Copy(io.Discard, response.Body)
			response.Body.Close()
		}
	})
	repeat(2, func() { _ = r.client.AppGossip(ctx, peer, []byte("noise")) })
	repeat(1, func() { _, _ = r.client.Gather() })
	repeat(1, func() {
		brief, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		defer cancel()
		_, _ = r.client.WaitForEvent(brief)
	})
	for i := range 20 {
		r.pay(t, wallet.Account(i), 1)
		_, err := r.advance()
		require.NoError(t, err)
	}
	require.Equal(t, uint64(20), r.height(t))

	parked := r.event(ctx)
	asked := time.Now()
	r.ctx.Lock.Lock()
	require.NoError(t, r.engine.Shutdown(ctx))
	r.ctx.Lock.Unlock()
	require.Less(t, time.Since(asked), 5*time.Second, "the node would have killed it")
	require.Error(t, requireAnswer(t, parked))
	close(stopped)
	calls.Wait()
	r.requireEnded(t)
}

// TestReadsSeeWholeBlocks: never a state between two blocks, and never an older one than before.
func TestReadsSeeWholeBlocks(t *testing.T) {
	r := newLoneNode(t).start(t)
	var readers sync.WaitGroup
	stopped := make(chan struct{})
	for range 8 {
		readers.Go(func() {
			seen := uint64(0)
			for {
				select {
				case <-stopped:
					return
				default:
				}
				var reply struct{ Balance uint64 }
				to := wallet.Account(1)
				err := r.call("balance", map[string]any{"address": fmt.Sprintf("0x%x", to[:])}, &reply)
				if err != nil || reply.Balance < seen || reply.Balance%3 != 0 {
					t.Errorf("balance %d after %d: %v", reply.Balance, seen, err)
					return
				}
				seen = reply.Balance
			}
		})
	}
	for range 20 {
		r.pay(t, wallet.Account(1), 1) // three to a block
		r.pay(t, wallet.Account(1), 2)
		_, err := r.advance()
		require.NoError(t, err)
	}
	close(stopped)
	readers.Wait()
	require.Equal(t, uint64(60), r.balance(t, wallet.Account(1)))
	r.stop(t)
}

// TestStateSyncIsNotOffered: the node then fetches and executes every block.
func TestStateSyncIsNotOffered(t *testing.T) {
	r := newLoneNode(t).bootstrap(t)
	ctx := context.Background()
	enabled, err := r.engine.StateSyncEnabled(ctx)
	require.NoError(t, err)
	require.False(t, enabled)
	for name, ask := range map[string]func() error{
		"ongoing":   func() error { _, err := r.client.GetOngoingSyncStateSummary(ctx); return err },
		"last":      func() error { _, err := r.client.GetLastStateSummary(ctx); return err },
		"at height": func() error { _, err := r.client.GetStateSummary(ctx, 1); return err },
		"parse":     func() error { _, err := r.client.ParseStateSummary(ctx, []byte("noise")); return err },
	} {
		require.ErrorIs(t, ask(), block.ErrStateSyncableVMNotImplemented, name)
	}
	r.stop(t)
}

// TestUnknownStateIsAnError, and changes nothing.
func TestUnknownStateIsAnError(t *testing.T) {
	r := newLoneNode(t).bootstrap(t)
	require.ErrorContains(t, r.client.SetState(context.Background(), snow.State(7)), "unknown state 7")
	r.finishBootstrap(t)
	r.pay(t, wallet.Account(1), 1)
	_, err := r.advance()
	require.NoError(t, err)
	r.stop(t)
}
