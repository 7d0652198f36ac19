#include "vm/detail/open_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <system_error>
#include <utility>

#include "chain/base/cb58.hpp"
#include "proto/jsonrpc/genesis.hpp"
#include "vm/log.hpp"
#include "vm/store/rocks_store.hpp"
#include "vm/virtual_machine.hpp"

namespace blobvm::vm::detail {

namespace {

constexpr std::uintmax_t kMaxAirdropBytes = 256 * 1024 * 1024;

Result<std::string> read_file(const std::string& path, std::uintmax_t max_bytes) {
    std::error_code error;
    const std::uintmax_t size = std::filesystem::file_size(path, error);
    if (error) return fail(ErrorCode::kIo, fmt::format("{}: {}", path, error.message()));
    if (size > max_bytes) {
        return fail(ErrorCode::kTooLarge,
                    fmt::format("{}: {} bytes, limit {}", path, size, max_bytes));
    }
    std::ifstream file{path, std::ios::binary};
    std::string content(size, '\0');
    file.read(content.data(), static_cast<std::streamsize>(size));
    if (!file) return fail(ErrorCode::kIo, "cannot read " + path);
    return content;
}

/// The airdrop file that the operator has named, where the genesis asks for one.
Result<std::optional<chain::Airdrop>> load_airdrop(const chain::Genesis& genesis,
                                                   const Config& config) {
    if (genesis.airdrop_hash.empty() || config.airdrop_file.empty()) {
        return std::optional<chain::Airdrop>{};
    }
    BLOBVM_TRY(const std::string content, read_file(config.airdrop_file, kMaxAirdropBytes));
    BLOBVM_TRY(chain::Airdrop airdrop, jsonrpc::parse_airdrop(content));
    return std::optional<chain::Airdrop>{std::move(airdrop)};
}

/// A node that has nothing to say: for blocks that it has accepted long ago.
class SilentNode final : public NodeServices {
  public:
    Result<std::optional<Witness>> read_witness() override { return std::optional<Witness>{}; }
    Result<void> write_witness(const Witness&) override { return {}; }
    Result<void> send_gossip(ByteView) override { return {}; }
};

struct Opening {
    const ChainSetup& setup;
    const chain::Genesis& genesis;
    const Config& config;
    const Clock& clock;
    Executor& executor;

    Result<std::unique_ptr<ChainStore>> open(const std::string& directory) const {
        BLOBVM_TRY(std::unique_ptr<ChainStore> store,
                   store::open_rocks_store({.directory = directory,
                                            .chain_id = setup.chain_id,
                                            .cache_bytes = config.block_cache_bytes}));
        if (const std::uint64_t lost = store->stats().lost_blocks; lost > 0) {
            log::warn("blocks were not on disk when the machine went down, they are dropped",
                      fmt::format("{}, down to height {}", lost, store->tip().height));
        }
        return store;
    }

    Result<void> create_chain(ChainStore& store) const {
        BLOBVM_TRY(const std::optional<chain::Airdrop> airdrop, load_airdrop(genesis, config));
        BLOBVM_TRY(const std::vector<chain::Allocation> balances,
                   chain::initial_balances(genesis, airdrop));
        return store.create(genesis, *chain::genesis_block(genesis), balances);
    }

    Result<std::unique_ptr<ChainStore>> start_over(std::unique_ptr<ChainStore> store) const;
    Result<std::unique_ptr<ChainStore>> rebuild(std::unique_ptr<ChainStore> store,
                                                std::uint64_t height) const;
};

/// Height 0 always works: the node fetches the blocks again. Nothing is thrown away.
Result<std::unique_ptr<ChainStore>> Opening::start_over(std::unique_ptr<ChainStore> store) const {
    store->close();
    store.reset();
    BLOBVM_TRY(const std::string aside, store::set_aside(setup.chain_data_dir));
    log::warn("starting from genesis, the old database is kept", aside);
    BLOBVM_TRY(store, open(setup.chain_data_dir));
    BLOBVM_TRY(create_chain(*store));
    return store;
}

/// The first `height` blocks of `store`, executed again into a fresh database, which then takes
/// its place. A crash on the way leaves the old database, or a fresh one at height 0.
Result<std::unique_ptr<ChainStore>> Opening::rebuild(std::unique_ptr<ChainStore> store,
                                                     std::uint64_t height) const {
    namespace fs = std::filesystem;
    const fs::path scratch = fs::path{setup.chain_data_dir} / "rebuild";
    std::error_code error;
    fs::remove_all(scratch, error);
    if (!error) fs::create_directories(scratch, error);
    if (error) return fail(ErrorCode::kIo, scratch.string() + ": " + error.message());
    {
        BLOBVM_TRY(std::unique_ptr<ChainStore> fresh, open(scratch.string()));
        BLOBVM_TRY(create_chain(*fresh));
        SilentNode node;
        Metrics metrics;
        BLOBVM_TRY(std::unique_ptr<VirtualMachine> vm, VirtualMachine::open({.clock = clock,
                                                                             .executor = executor,
                                                                             .node = node,
                                                                             .metrics = metrics,
                                                                             .store = *fresh,
                                                                             .genesis = genesis,
                                                                             .config = config}));
        BLOBVM_TRY(vm->set_state(EngineState::kBootstrapping));
        for (std::uint64_t next = 1; next <= height; ++next) {
            BLOBVM_TRY(const BlockId id, store->block_id_at(next));
            BLOBVM_TRY(SharedBytes bytes, store->block_bytes(id));
            BLOBVM_TRY(vm->verify_block(std::move(bytes)));
            BLOBVM_TRY(vm->accept(id));
            log::info("rebuilding", fmt::format("block {} of {}", next, height));
        }
        BLOBVM_TRY(fresh->sync());
        vm->shutdown();
    }
    store->close();
    store.reset();
    BLOBVM_TRY(const std::string aside, store::set_aside(setup.chain_data_dir));
    log::warn("rebuilt from stored blocks, the old database is kept", aside);
    fs::rename(scratch / "db", fs::path{setup.chain_data_dir} / "db", error);
    if (error) return fail(ErrorCode::kIo, scratch.string() + ": " + error.message());
    fs::remove_all(scratch, error);  // empty by now; what is left of it does no harm
    return open(setup.chain_data_dir);
}

/// How high the chain may reach, so that the node's height is not below ours; nothing if no block
/// but genesis may stay.
Result<std::optional<std::uint64_t>> height_allowed(const ChainStore& store,
                                                    const std::optional<Witness>& witness) {
    const Tip tip = store.tip();
    if (!witness) {
        if (tip.height == 0) return std::optional<std::uint64_t>{0};
        log::warn("the node's database knows nothing of this chain",
                  fmt::format("{} blocks here", tip.height));
        return std::optional<std::uint64_t>{};
    }
    if (tip.height < witness->height) return std::optional<std::uint64_t>{tip.height};
    BLOBVM_TRY(const BlockId ours, store.block_id_at(witness->height));
    if (ours != witness->id) {
        log::warn("the node has accepted another block",
                  fmt::format("height {}: there {}, here {}", witness->height,
                              to_cb58(witness->id.view()), to_cb58(ours.view())));
        return std::optional<std::uint64_t>{};
    }
    return std::optional<std::uint64_t>{witness->height};
}

}  // namespace

Result<std::unique_ptr<ChainStore>> open_store(const ChainSetup& setup,
                                               const chain::Genesis& genesis, const Config& config,
                                               const Clock& clock, Executor& executor,
                                               NodeServices& services) {
    const Opening opening{setup, genesis, config, clock, executor};
    BLOBVM_TRY(std::unique_ptr<ChainStore> store, opening.open(setup.chain_data_dir));
    if (!store->has_chain()) {
        BLOBVM_TRY(opening.create_chain(*store));
        return store;
    }
    BLOBVM_TRY(store::check_genesis(*store, genesis));
    BLOBVM_TRY(const std::optional<Witness> witness, services.read_witness());
    BLOBVM_TRY(const std::optional<std::uint64_t> allowed, height_allowed(*store, witness));
    if (!allowed) return opening.start_over(std::move(store));

    std::uint64_t target = *allowed;
    if (config.roll_back_to >= 0) {
        target = std::min(target, static_cast<std::uint64_t>(config.roll_back_to));
    }
    if (target == store->tip().height) return store;
    log::warn("rolling back", fmt::format("from height {} to {}", store->tip().height, target));
    if (target < store->oldest_reachable_height()) {
        return opening.rebuild(std::move(store), target);
    }
    BLOBVM_TRY(store->roll_back_to(target));
    return store;
}

}  // namespace blobvm::vm::detail
