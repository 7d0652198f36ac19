#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "chain/base/mutex.hpp"
#include "chain/base/result.hpp"
#include "cmd/blob-devnet/node_services.hpp"
#include "cmd/blob-devnet/plugin_process.hpp"

namespace blobvm::devnet {

/// Carries app messages between the nodes of this process (spec/rpcchainvm.md 3.15). Each node has
/// an inbox of 1024 messages and 64 MiB, from which one thread calls its plugin; what does not
/// fit, or is for an unknown or stopped node, is dropped, as a network does. A request that gets
/// no answer within 10 s is reported to its sender as failed.
class Network final : public AppRouter {
  public:
    /// Told when a plugin answers an app message with an error, which stops its chain in a node.
    using Failed = std::function<void(std::size_t node, Error error)>;

    Network(std::vector<NodeId> nodes, Failed failed);
    ~Network() override;

    /// From now on messages for `node` go to `process`; null: to nobody.
    void attach(std::size_t node, std::shared_ptr<PluginProcess> process) EXCLUDES(mutex_);

    void gossip(const NodeId& from, Audience to, std::string message) override EXCLUDES(mutex_);
    void request(const NodeId& from, const NodeId& to, std::uint32_t id,
                 std::string message) override EXCLUDES(mutex_);
    void response(const NodeId& from, const NodeId& to, std::uint32_t id,
                  std::string message) override EXCLUDES(mutex_);
    void error(const NodeId& from, const NodeId& to, std::uint32_t id, std::int32_t code,
               std::string message) override EXCLUDES(mutex_);

    std::uint64_t dropped() const { return dropped_; }

  private:
    using Clock = std::chrono::steady_clock;
    struct Message {
        enum class Kind { kGossip, kRequest, kResponse, kFailed };
        Kind kind;
        NodeId from;
        std::uint32_t id = 0;
        std::int32_t code = 0;
        std::shared_ptr<const std::string> payload;
    };
    struct Inbox {
        std::deque<Message> messages;
        std::size_t bytes = 0;
        std::shared_ptr<PluginProcess> process;
    };
    using Pending = std::tuple<NodeId, NodeId, std::uint32_t>;  ///< requester, responder, id

    std::size_t index_of(const NodeId& node) const;
    void put(std::size_t node, Message message) REQUIRES(mutex_);
    void expire() REQUIRES(mutex_);
    void run(std::size_t node, std::stop_token stop) EXCLUDES(mutex_);
    static grpc::Status call(PluginProcess& process, const Message& message);

    const std::vector<NodeId> nodes_;
    const Failed failed_;
    std::atomic<std::uint64_t> dropped_{0};
    Mutex mutex_;
    std::condition_variable_any changed_;
    std::vector<Inbox> inboxes_ GUARDED_BY(mutex_);
    std::map<Pending, Clock::time_point> pending_ GUARDED_BY(mutex_);
    std::vector<std::jthread> threads_;
};

}  // namespace blobvm::devnet
