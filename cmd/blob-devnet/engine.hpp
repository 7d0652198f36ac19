#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "chain/base/mutex.hpp"
#include "cmd/blob-devnet/chain_node.hpp"
#include "cmd/blob-devnet/network.hpp"

namespace blobvm::devnet {

/// N nodes that follow one accepted chain. In place of consensus: a block that any plugin builds is
/// verified by all, preferred by all, written into each ledger and accepted by all, then the next
/// one. One thread makes the calls; each plugin gets one at a time.
///
/// A plugin that dies, or answers as no node would stand, is out: its node answers 503, the others
/// go on and the engine has finished when none is left. A node never starts a plugin again; with
/// `restart_plugin` this one does.
class Engine {
  public:
    struct Options {
        ChainDescription chain;
        std::vector<NodeId> nodes;  ///< at least one
        std::filesystem::path plugin;
        std::filesystem::path data_dir;  ///< each node has "node-I" in it, logs are in "logs"
        std::string chain_config;
        bool sync = false;
        bool restart_plugin = false;
        std::optional<std::size_t> builder;  ///< only this node proposes; empty: whoever is first
        std::uint64_t roll_back = 0;         ///< cut so many blocks off every ledger first
        std::function<void(std::string)> log;
        /// Called once, from the engine's thread, when no node is left; with the reason.
        std::function<void(std::string)> on_finished;
    };

    /// Opens every ledger, then starts every plugin up to NORMAL_OP. The first failure ends it all.
    static Result<std::unique_ptr<Engine>> start(Options options);
    ~Engine();  ///< stop()

    /// Ordered stop of every plugin; one that does not answer within 15 s is killed.
    void stop() EXCLUDES(mutex_);

    // Safe from any thread.
    std::size_t size() const { return nodes_.size(); }
    const ChainNode& node(std::size_t index) const { return *nodes_[index]; }
    Page health(std::size_t index) const EXCLUDES(mutex_);
    AcceptedBlock last_accepted() const EXCLUDES(mutex_);

  private:
    struct Event {
        enum class Kind { kMessage, kDied, kFailed };
        Kind kind;
        std::size_t node;
        ::vm::Message message = ::vm::MESSAGE_UNSPECIFIED;
        std::uint64_t generation = 0;
        std::string text = {};
    };
    struct NodeHealth {
        bool healthy = false;
        std::string details = "null";  ///< JSON, from the plugin
        std::string error;
    };

    explicit Engine(Options options);
    Result<void> open_nodes();
    Result<void> start_nodes();
    void run(std::stop_token stop);
    void handle(const Event& event);
    void build_on(ChainNode& builder);
    void check_health();
    void lose(std::size_t node, const std::string& why) EXCLUDES(mutex_);
    void post(Event event) EXCLUDES(mutex_);
    std::uint64_t top() const;
    std::optional<Bytes> block_at(std::uint64_t height) const;

    /// Runs `work` for each node that is still there, side by side; those that fail are lost.
    template <class Work>
    void for_each(const Work& work, const ChainNode* except = nullptr);

    const Options options_;
    mutable Mutex mutex_;
    std::condition_variable_any changed_;
    std::deque<Event> events_ GUARDED_BY(mutex_);
    std::vector<NodeHealth> health_ GUARDED_BY(mutex_);
    std::vector<bool> lost_ GUARDED_BY(mutex_);
    AcceptedBlock last_accepted_ GUARDED_BY(mutex_);

    // Whose threads use what stands above.
    std::unique_ptr<Network> network_;
    std::vector<std::unique_ptr<ChainNode>> nodes_;
    std::atomic<bool> stopping_{false};
    std::jthread thread_;
};

}  // namespace blobvm::devnet
