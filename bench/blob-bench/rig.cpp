#include "bench/blob-bench/rig.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "proto/jsonrpc/genesis.hpp"

namespace blobvm::bench {
namespace {

thread_local double own_loops_cpu_s = 0;

constexpr std::size_t kQueuedTasks = 1024;

}  // namespace

CountingExecutor::CountingExecutor() : pool_{std::max<std::size_t>(cores(), 2), kQueuedTasks} {}

void CountingExecutor::for_each(std::size_t count, const std::function<void(std::size_t)>& body) {
    // To ask for the time costs a call of the kernel: not for each body of a long loop.
    const std::size_t together = std::clamp<std::size_t>(count / 16, 1, 4);
    pool_.for_each((count + together - 1) / together, [&](std::size_t group) {
        const std::size_t end = std::min((group + 1) * together, count);
        const double start_s = thread_cpu_s();
        for (std::size_t i = group * together; i < end; ++i) body(i);
        const double spent_s = thread_cpu_s() - start_s;
        own_loops_cpu_s += spent_s;
        cpu_ns_ += static_cast<std::int64_t>(spent_s * 1e9);
    });
}

double CountingExecutor::own_cpu_s() { return own_loops_cpu_s; }

Rig::Rig(const Options& options, const Accounts& accounts)
    : accounts_{accounts},
      shape_{options.shape},
      per_block_{options.per_block},
      config_{fmt::format(
          R"({{"buildInterval":0,"mempoolSize":{},"mempoolBytes":{},"logLevel":"error"}})",
          options.mempool_size, options.mempool_bytes)},
      genesis_{accounts.genesis(shape_, per_block_)},
      folder_{options.folder} {
    if (folder_.empty()) folder_ = own_folder_.emplace().path();
    open();
    if (options.folder.empty() || vm().last_accepted().height == 0) start_window();
}

Rig::~Rig() { node_->shutdown(); }

void Rig::open() {
    vm::ChainSetup setup;
    setup.network_id = 1;
    setup.chain_id.bytes.fill(std::byte{7});
    setup.chain_data_dir = folder_.string();
    setup.genesis_json = jsonrpc::write_genesis(genesis_);
    setup.config_json = config_;
    const auto start = SteadyClock::now();
    node_ = must(vm::Node::open(setup, clock_, executor_, silent_));
    opened_in_s_ = seconds_since(start);
    must(vm().set_state(vm::EngineState::kBootstrapping));
    vm().set_preference(vm().last_accepted().id);
    must(vm().set_state(vm::EngineState::kNormalOp));
}

double Rig::reopen() {
    node_->shutdown();
    node_.reset();
    open();
    return opened_in_s_;
}

Load Rig::load(std::size_t count, const Shape& shape) {
    const Load::Options options{.shape = shape,
                                .count = count,
                                .first = next_number_,
                                .magic = genesis_.magic,
                                .block = vm().last_accepted().id};
    next_number_ += count;
    return Load{options, accounts_, executor_};
}

void Rig::start_window() {
    const Load one = load(1, Shape{.value_bytes = 0});
    submit(one, 0, 1);
    adopt(must(node_->build_block()));
}

void Rig::submit(const Load& load, std::size_t begin, std::size_t end) {
    std::vector<chain::RawTransaction> raws;
    raws.reserve(end - begin);
    for (std::size_t i = begin; i < end; ++i) {
        raws.push_back(must(chain::decode_transaction(SharedBytes{load.bytes(i)})));
    }
    for (const Result<TxId>& result : vm().submit_all(std::move(raws))) {
        if (!result) give_up("a transaction was refused: " + result.error().message());
    }
}

void Rig::adopt(const chain::BlockPtr& block) {
    must(vm().verify_block(block->bytes));
    vm().set_preference(block->id);
    must(vm().accept(block->id));
}

}  // namespace blobvm::bench
