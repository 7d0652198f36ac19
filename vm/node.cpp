#include "vm/node.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <utility>

#include "chain/base/cb58.hpp"
#include "proto/jsonrpc/genesis.hpp"
#include "vm/detail/open_store.hpp"
#include "vm/log.hpp"

namespace blobvm::vm {

namespace {

std::string_view name_of(EngineState state) {
    switch (state) {
        case EngineState::kUnset:
            return "starting";
        case EngineState::kStateSyncing:
            return "state syncing";
        case EngineState::kBootstrapping:
            return "bootstrapping";
        case EngineState::kNormalOp:
            return "normal operation";
    }
    return "";
}

std::string_view name_of(BuildLoop::State state) {
    switch (state) {
        case BuildLoop::State::kDontBuild:
            return "dontBuild";
        case BuildLoop::State::kMayBuild:
            return "mayBuild";
        case BuildLoop::State::kBuilding:
            return "building";
    }
    return "";
}

Sample gauge(std::string name, std::string help, double value) {
    return {.name = std::move(name),
            .help = std::move(help),
            .kind = Sample::Kind::kGauge,
            .value = value};
}

Sample counter(std::string name, std::string help, double value) {
    return {.name = std::move(name),
            .help = std::move(help),
            .kind = Sample::Kind::kCounter,
            .value = value};
}

/// Second number of /proc/self/statm: resident pages.
double resident_bytes() {
    std::ifstream file{"/proc/self/statm"};
    double pages = 0;
    file >> pages >> pages;
    return pages * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

double cpu_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

struct Node::Impl {
    Impl(ChainSetup given, const Clock& the_clock, std::unique_ptr<ChainStore> the_store)
        : setup{std::move(given)}, clock{the_clock}, store{std::move(the_store)} {}

    ChainSetup setup;
    const Clock& clock;
    Metrics metrics;
    std::unique_ptr<ChainStore> store;
    std::unique_ptr<VirtualMachine> vm;
    std::unique_ptr<BuildLoop> build_loop;
    std::unique_ptr<GossipLoop> gossip;
    std::atomic<bool> shut{false};
};

Node::Node(std::unique_ptr<Impl> impl) : impl_{std::move(impl)} {}
Node::~Node() { shutdown(); }

Result<std::unique_ptr<Node>> Node::open(const ChainSetup& setup, const Clock& clock,
                                         Executor& executor, NodeServices& services) {
    BLOBVM_TRY(const Config config, parse_config(setup.config_json));
    log::set_level(config.log_level);
    BLOBVM_TRY(const chain::Genesis genesis, jsonrpc::parse_genesis(setup.genesis_json));
    BLOBVM_TRY(chain::validate(genesis));
    BLOBVM_TRY(std::unique_ptr<ChainStore> store,
               detail::open_store(setup, genesis, config, clock, executor, services));

    auto impl = std::make_unique<Impl>(setup, clock, std::move(store));
    BLOBVM_TRY(impl->vm, VirtualMachine::open({.clock = clock,
                                               .executor = executor,
                                               .node = services,
                                               .metrics = impl->metrics,
                                               .store = *impl->store,
                                               .genesis = genesis,
                                               .config = config}));
    VirtualMachine* vm = impl->vm.get();
    impl->build_loop =
        std::make_unique<BuildLoop>(clock, config.build_interval, [vm] { return vm->has_work(); });
    impl->gossip = std::make_unique<GossipLoop>(*vm, services, clock, impl->metrics);
    vm->on_change([build_loop = impl->build_loop.get(), gossip = impl->gossip.get()] {
        build_loop->wake();
        gossip->wake();
    });

    const BlockInfo tip = vm->last_accepted();
    log::info("chain opened",
              fmt::format("{} at height {}, block {}", to_cb58(setup.chain_id.view()), tip.height,
                          to_cb58(tip.id.view())));
    return std::unique_ptr<Node>{new Node{std::move(impl)}};
}

const ChainSetup& Node::setup() const { return impl_->setup; }
VirtualMachine& Node::vm() { return *impl_->vm; }
BuildLoop& Node::build_loop() { return *impl_->build_loop; }
GossipLoop& Node::gossip() { return *impl_->gossip; }
Metrics& Node::metrics() { return impl_->metrics; }

Result<chain::BlockPtr> Node::build_block() {
    const auto begun = impl_->clock.now_steady();
    Result<chain::BlockPtr> block = impl_->vm->build_block();
    impl_->build_loop->built(block.has_value(), begun);
    return block;
}

void Node::set_preference(const BlockId& id) {
    const BlockId before = impl_->vm->status().preferred;
    impl_->vm->set_preference(id);
    if (id != before) impl_->build_loop->preferred();
}

Result<std::string> Node::health() const {
    const ChainStore::Stats store = impl_->store->stats();
    if (store.failed) return fail(ErrorCode::kStoreFailed, store.failure);
    const VirtualMachine::Status status = impl_->vm->status();
    const mempool::Mempool::Stats pool = impl_->vm->mempool().stats();
    return fmt::format(
        R"({{"healthy":true,"state":"{}","height":{},"lastAccepted":"{}","processing":{},)"
        R"("builder":"{}","mempool":{{"transactions":{},"bytes":{}}},)"
        R"("database":{{"healthy":true,"diskBytes":{}}}}})",
        name_of(status.state), status.last_accepted.height, to_cb58(status.last_accepted.id.view()),
        status.processing, name_of(impl_->build_loop->state()), pool.count, pool.bytes,
        store.disk_bytes);
}

std::vector<Sample> Node::samples() const {
    std::vector<Sample> samples = collect(impl_->metrics);
    const auto add = [&](Sample sample) { samples.push_back(std::move(sample)); };
    const auto number = [](auto value) { return static_cast<double>(value); };

    const VirtualMachine::Status status = impl_->vm->status();
    add(gauge("vm_last_accepted_height", "Height of the last accepted block.",
              number(status.last_accepted.height)));
    add(gauge("vm_processing_blocks", "Verified blocks that wait for their fate.",
              number(status.processing)));

    const mempool::Mempool::Stats pool = impl_->vm->mempool().stats();
    add(gauge("vm_mempool_transactions", "Transactions that wait for a block.",
              number(pool.count)));
    add(gauge("vm_mempool_bytes", "Their bytes.", number(pool.bytes)));
    add(counter("vm_mempool_added_total", "Transactions taken in.", number(pool.added)));
    add(counter("vm_mempool_refused_total", "Transactions not taken in.", number(pool.refused)));
    add(counter("vm_mempool_evicted_total", "Transactions that left for better offers.",
                number(pool.evicted)));
    add(counter("vm_mempool_expired_total", "Transactions whose window has passed.",
                number(pool.expired)));

    const ChainStore::Stats store = impl_->store->stats();
    add(gauge("vm_database_disk_bytes", "Size of the database's files.", number(store.disk_bytes)));
    add(gauge("vm_database_memory_bytes", "Memory of the database's caches and buffers.",
              number(store.memory_bytes)));
    add(counter("vm_database_cache_hits_total", "Blobs read from memory.",
                number(store.cache_hits)));
    add(counter("vm_database_cache_misses_total", "Blobs read from disk.",
                number(store.cache_misses)));
    add(gauge("vm_database_failed", "1 after a failed write: nothing more is accepted.",
              store.failed ? 1 : 0));

    add(gauge("process_resident_memory_bytes", "Resident memory.", resident_bytes()));
    add(counter("process_cpu_seconds_total", "User and system time.", cpu_seconds()));
    return samples;
}

void Node::shutdown() {
    if (impl_->shut.exchange(true)) return;
    impl_->gossip->stop();
    impl_->build_loop->stop();
    impl_->vm->shutdown();
}

}  // namespace blobvm::vm
