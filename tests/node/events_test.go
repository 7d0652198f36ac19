package node_test

import (
	"context"
	"testing"
	"time"

	"github.com/ava-labs/avalanchego/snow/engine/common"
	"github.com/stretchr/testify/require"

	"blobvm/tests/node/wallet"
)

// event asks the chain once, without the node's slots, and hands over the answer.
func (r *running) event(ctx context.Context) <-chan error {
	answer := make(chan error, 1)
	go func() {
		message, err := r.client.WaitForEvent(ctx)
		if err == nil && message != common.PendingTxs {
			panic(message)
		}
		answer <- err
	}()
	return answer
}

func requireAnswer(t *testing.T, answer <-chan error) error {
	t.Helper()
	select {
	case err := <-answer:
		return err
	case <-time.After(patience):
		require.FailNow(t, "the chain does not answer")
		return nil
	}
}

// TestEventWaitsForWorkAndStaysUntilItIsDone: asking does not use up the answer.
func TestEventWaitsForWorkAndStaysUntilItIsDone(t *testing.T) {
	r := newLoneNode(t).start(t)
	waiting := r.event(context.Background())
	r.pay(t, wallet.Account(1), 1)
	require.NoError(t, requireAnswer(t, waiting))
	require.NoError(t, requireAnswer(t, r.event(context.Background())))
	require.NoError(t, requireAnswer(t, r.event(context.Background())))
	_, err := r.advance()
	require.NoError(t, err)

	idle, cancel := context.WithCancel(context.Background())
	waiting = r.event(idle)
	select {
	case err := <-waiting:
		require.FailNow(t, "an event without work", "%v", err)
	case <-time.After(300 * time.Millisecond): // what never comes can only be waited for
	}
	cancel()
	require.Error(t, requireAnswer(t, waiting))

	r.pay(t, wallet.Account(1), 2) // nothing of the cancelled call is left to take this one's answer
	require.NoError(t, requireAnswer(t, r.event(context.Background())))
	r.stop(t)
}

// TestThousandCancelledCallsLeaveNothingBehind: the node cancels and asks again at each block.
func TestThousandCancelledCallsLeaveNothingBehind(t *testing.T) {
	r := newLoneNode(t).start(t)
	cycle := func(count int) {
		var answers []<-chan error
		for range count {
			ctx, cancel := context.WithCancel(context.Background())
			answers = append(answers, r.event(ctx))
			time.AfterFunc(time.Millisecond, cancel)
		}
		for _, answer := range answers {
			require.Error(t, requireAnswer(t, answer))
		}
	}
	cycle(100)
	before := r.threads(t)
	cycle(1000)
	require.LessOrEqual(t, r.threads(t), before+4)

	waiting := r.event(context.Background())
	r.pay(t, wallet.Account(1), 1)
	require.NoError(t, requireAnswer(t, waiting))
	r.stop(t)
}

// TestNoEventBeforeNormalOperation: the engine would throw it away.
func TestNoEventBeforeNormalOperation(t *testing.T) {
	n := newLoneNode(t)
	r := n.bootstrap(t)
	waiting := r.event(context.Background())
	select {
	case err := <-waiting:
		require.FailNow(t, "an event while bootstrapping", "%v", err)
	case <-time.After(300 * time.Millisecond):
	}
	r.finishBootstrap(t)
	r.pay(t, wallet.Account(1), 1)
	require.NoError(t, requireAnswer(t, waiting))
	r.stop(t)
}

// TestBuildsAreAskedForAtMostTenTimesASecond: or a build that keeps failing would spin the node.
func TestBuildsAreAskedForAtMostTenTimesASecond(t *testing.T) {
	r := newLoneNode(t).start(t)
	r.pay(t, wallet.Account(1), 1)
	began := time.Now()
	const events = 5
	for range events {
		require.NoError(t, requireAnswer(t, r.event(context.Background())))
	}
	require.GreaterOrEqual(t, time.Since(began), (events-1)*90*time.Millisecond)
	r.stop(t)
}
