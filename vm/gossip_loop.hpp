#pragma once

#include <condition_variable>
#include <memory>
#include <span>
#include <stop_token>
#include <thread>
#include <vector>

#include "chain/base/bytes.hpp"
#include "chain/base/mutex.hpp"
#include "vm/virtual_machine.hpp"

namespace blobvm::vm {

/// Push gossip of transactions: new ones at once, but never twice within gossipInterval, and the
/// best of the pool again every regossipInterval; nothing is removed from the pool for it. (At
/// once, since the only peer that may propose the next block can be another one.) What comes in is
/// checked from cheap to dear, under a budget for each peer, and is never an error to the node.
///
/// One round sends at most kMaxMessageBytes and the target block size in units; before normal
/// operation nothing is sent and everything that comes in is ignored.
class GossipLoop {
  public:
    static constexpr std::size_t kMaxMessageBytes = 1024 * 1024;  ///< sent at most
    static constexpr std::size_t kMaxReceivedBytes = 2 * 1024 * 1024;
    static constexpr std::size_t kMaxTransactions = 512;  ///< in one message, either way
    static constexpr std::size_t kSeenCache = 8192;       ///< ids remembered

    GossipLoop(VirtualMachine& vm, NodeServices& node, const Clock& clock, Metrics& metrics);
    ~GossipLoop();

    /// A message from `peer`, with any content. Decodes, filters and submits; never fails.
    void receive(const NodeId& peer, SharedBytes message) EXCLUDES(mutex_);

    /// There may be new transactions. From any thread; returns at once.
    void wake() EXCLUDES(mutex_);

    /// Sends what is due now; the thread calls it, and so can a simulator.
    void tick() EXCLUDES(mutex_);

    /// Ends the thread. Idempotent.
    void stop() EXCLUDES(mutex_);

  private:
    struct Impl;

    void run(const std::stop_token& stop) EXCLUDES(mutex_);
    bool push_new() EXCLUDES(mutex_);  ///< whether there was anything to push
    void push_best() EXCLUDES(mutex_);
    void send(std::span<const chain::TransactionPtr> transactions) EXCLUDES(mutex_);
    /// What of a message is neither known nor seen lately, within the peer's budget.
    std::vector<chain::RawTransaction> keep_unseen(const NodeId& peer,
                                                   std::vector<chain::RawTransaction> raws)
        EXCLUDES(mutex_);

    Mutex mutex_;
    std::unique_ptr<Impl> impl_ PT_GUARDED_BY(mutex_);
    VirtualMachine& vm_;
    NodeServices& node_;
    const Clock& clock_;
    Metrics& metrics_;
    std::condition_variable_any woken_;
    std::jthread thread_;  // last: stops and joins before what it uses goes
};

}  // namespace blobvm::vm
