#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chain/genesis.hpp"
#include "chain/signing.hpp"
#include "tests/support/memory_chain_store.hpp"
#include "tests/support/transactions.hpp"
#include "vm/executor.hpp"
#include "vm/virtual_machine.hpp"

namespace blobvm::test {

/// Time that moves when told to.
class ManualClock final : public vm::Clock {
  public:
    explicit ManualClock(std::int64_t now_s) : now_s_{now_s} {}

    std::int64_t now_s() const override { return now_s_.load(); }
    std::chrono::steady_clock::time_point now_steady() const override {
        return std::chrono::steady_clock::time_point{steady_.load()};
    }
    void set(std::int64_t now_s) { now_s_ = now_s; }
    void advance(std::chrono::nanoseconds by) {
        steady_ = steady_.load() + by;
        now_s_ += std::chrono::duration_cast<std::chrono::seconds>(by).count();
    }

  private:
    std::atomic<std::int64_t> now_s_;
    std::atomic<std::chrono::nanoseconds> steady_{std::chrono::hours{1}};
};

/// The node's side, remembered. What it was asked for stands in `witnesses` and `gossip`.
class RecordingNode final : public vm::NodeServices {
  public:
    Result<std::optional<vm::Witness>> read_witness() override {
        if (witnesses.empty()) return std::optional<vm::Witness>{};
        return std::optional{witnesses.back()};
    }
    Result<void> write_witness(const vm::Witness& witness) override {
        if (unavailable) return fail(ErrorCode::kNodeUnavailable, "told to fail");
        witnesses.push_back(witness);
        if (on_witness) on_witness(witness);
        return {};
    }
    Result<void> send_gossip(ByteView message) override {
        gossip.push_back(to_bytes(message));
        if (on_gossip) on_gossip();
        return {};
    }

    std::vector<vm::Witness> witnesses;
    std::vector<Bytes> gossip;
    std::function<void(const vm::Witness&)> on_witness;
    std::function<void()> on_gossip;
    bool unavailable = false;
};

/// Default rules without block cost, magic 5, and 10^15 BLB for each of the keys 1 to 8.
chain::Genesis test_genesis();

/// A VirtualMachine over a MemoryChainStore, in normal operation at time kStart.
class VmHarness {
  public:
    static constexpr std::int64_t kStart = 1'700'000'000;

    explicit VmHarness(const chain::Genesis& genesis = test_genesis(), vm::Config config = {});

    /// A signed set or transfer that names the preferred block.
    chain::TransactionPtr set(std::string_view value, Price price = Price{1},
                              std::uint64_t signer = 1);
    chain::TransactionPtr transfer(const Address& to, std::uint64_t units, Price price = Price{1},
                                   std::uint64_t signer = 1);

    /// Hands it in by its bytes, as a client would.
    Result<TxId> submit(const chain::TransactionPtr& tx);

    /// Build, verify, prefer, accept; the block.
    chain::BlockPtr make_accepted_block();

    /// A block of these, made by hand on `parent`'s state with the rules' price and cost.
    Result<chain::BlockPtr> verify(const chain::BlockPtr& block);

    chain::Genesis genesis;
    ManualClock clock{kStart};
    vm::InlineExecutor executor;
    RecordingNode node;
    vm::Metrics metrics;
    MemoryChainStore store;
    std::unique_ptr<vm::VirtualMachine> vm;
};

}  // namespace blobvm::test
