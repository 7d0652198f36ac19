#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chain/base/bytes.hpp"
#include "chain/base/mutex.hpp"
#include "chain/base/result.hpp"
#include "cmd/blob-devnet/event_watch.hpp"
#include "cmd/blob-devnet/http_server.hpp"
#include "cmd/blob-devnet/ledger.hpp"
#include "cmd/blob-devnet/network.hpp"
#include "cmd/blob-devnet/node_services.hpp"
#include "cmd/blob-devnet/plugin_process.hpp"

namespace blobvm::devnet {

/// What all nodes of a chain share.
struct ChainDescription {
    std::uint32_t network_id = 12'345;
    SubnetId subnet;
    ChainId chain;
    std::string alias = "blobvm";
    std::string genesis;  ///< as given to the plugin
};

/// A block as the plugin describes it. IDs are checked for length, the timestamp for presence.
struct BlockInfo {
    BlockId id;
    BlockId parent;
    std::uint64_t height = 0;
    std::int64_t timestamp_s = 0;
};
struct BuiltBlock {
    BlockInfo info;
    Bytes bytes;
};

/// One node's side of one chain: its ledger, its services, its plugin, and the calls of the engine
/// (group L of spec/rpcchainvm.md 3.3). Every reply is checked as a node checks it, and more
/// strictly: what breaks the protocol is kInvalidState, the plugin's own refusal kRpc.
///
/// The engine's calls come from one thread at a time; what is marked so is safe from any.
class ChainNode {
  public:
    struct Options {
        std::size_t index = 0;
        NodeId id;
        std::filesystem::path plugin;
        std::filesystem::path data_dir;  ///< the node's own; exists
        std::filesystem::path log_file;  ///< the plugin's output goes to its end
        std::string chain_config;
        bool sync = false;
        std::uint64_t roll_back = 0;
        /// The block at a height, from whoever has it, as from peers.
        std::function<std::optional<Bytes>(std::uint64_t)> peer_block = {};
        std::function<void(std::string_view how)> on_death = {};
        EventWatch::Deliver on_event = {};
        std::function<void(std::string)> log = {};
    };

    /// Opens the ledger; starts nothing.
    static Result<std::unique_ptr<ChainNode>> open(Options options, const ChainDescription& chain,
                                                   std::vector<NodeId> all, Network& network);
    ~ChainNode();

    /// A new process, from Initialize to NORMAL_OP: repairs the heights, replays what the ledger
    /// (or a peer's) has above the plugin, up to `top`. On failure the process has been stopped.
    Result<void> start(std::uint64_t top);
    /// Cancels WaitForEvent, then Shutdown and the rest of the ordered stop. Safe to repeat.
    Result<void> stop();

    // The engine's calls.
    Result<BlockInfo> parse(ByteView bytes);
    Result<BuiltBlock> build(std::optional<std::uint64_t> p_chain_height);
    Result<void> verify(ByteView bytes, std::optional<std::uint64_t> p_chain_height);
    Result<void> set_preference(const BlockId& id);
    /// The ledger's record first, then BlockAccept.
    Result<void> accept(const BlockInfo& block, ByteView bytes);
    /// The details, which must be JSON.
    Result<std::string> health();

    const Ledger& ledger() const { return *ledger_; }
    std::size_t index() const { return options_.index; }
    const NodeId& id() const { return options_.id; }

    // Safe from any thread.
    Route route(std::string_view path, std::string_view api_route) const EXCLUDES(mutex_);
    Page metrics() const EXCLUDES(mutex_);
    std::shared_ptr<PluginProcess> process() const EXCLUDES(mutex_);
    std::string plugin_version() const EXCLUDES(mutex_);
    bool bootstrapped() const EXCLUDES(mutex_);
    std::uint64_t generation() const EXCLUDES(mutex_);  ///< of the event watch
    void kill();                                        ///< for a stop that takes too long

  private:
    struct Handlers {
        std::vector<std::pair<std::string, std::shared_ptr<::http::HTTP::Stub>>> by_path;
        std::shared_ptr<::http::HTTP::Stub> by_header;
    };

    ChainNode(Options options, const ChainDescription& chain, std::vector<NodeId> all,
              Network& network);
    Result<void> run_startup(std::uint64_t top);
    Result<BlockInfo> initialize();
    Result<void> repair(const BlockInfo& inner, ByteView bytes);
    Result<void> create_handlers();
    Result<void> check_state_sync();
    Result<BlockInfo> set_state(::vm::State state);
    Result<void> connect_all();
    Result<void> replay(std::uint64_t from, std::uint64_t top);
    void trigger() EXCLUDES(mutex_);
    std::shared_ptr<EventWatch> watch() const EXCLUDES(mutex_);

    template <class Request, class Reply>
    Result<Reply> call(std::string_view name,
                       grpc::Status (::vm::VM::Stub::*method)(grpc::ClientContext*, const Request&,
                                                              Reply*),
                       const Request& request);

    const Options options_;
    const ChainDescription& chain_;
    const std::vector<NodeId> all_;
    Network& network_;
    std::unique_ptr<Ledger> ledger_;
    std::unique_ptr<NodeServices> services_;

    mutable Mutex mutex_;
    std::shared_ptr<PluginProcess> process_ GUARDED_BY(mutex_);
    std::shared_ptr<EventWatch> watch_ GUARDED_BY(mutex_);
    Handlers handlers_ GUARDED_BY(mutex_);
    std::string version_ GUARDED_BY(mutex_);
    bool normal_ GUARDED_BY(mutex_) = false;
};

/// Version and Shutdown in a process that is thrown away, as a node does with each plugin when it
/// starts (spec/rpcchainvm.md 1.4). The plugin's version.
Result<std::string> probe(const std::filesystem::path& plugin,
                          std::function<void(std::string_view)> on_output);

/// The Prometheus text of what Gather answered, as a node shows it: names with `prefix`, each
/// metric with the label chain (spec/rpcchainvm.md 3.14). kInvalidState for what would turn the
/// node's metrics into an error.
Result<std::string> metrics_text(const ::vm::GatherResponse& gathered, std::string_view prefix,
                                 std::string_view chain);

}  // namespace blobvm::devnet
