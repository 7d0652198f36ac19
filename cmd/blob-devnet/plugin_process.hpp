#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "chain/base/mutex.hpp"
#include "chain/base/result.hpp"
#include "proto/plugin/vm.grpc.pb.h"

namespace blobvm::devnet {

inline constexpr std::uint32_t kProtocolVersion = 45;
inline constexpr std::string_view kEngineAddressVariable = "AVALANCHE_VM_RUNTIME_ENGINE_ADDR";

/// How the node treats its plugins; tests shorten the times.
struct PluginOptions {
    std::filesystem::path path = {};
    std::vector<std::string> environment = {};  ///< "NAME=VALUE", beside what a node passes on
    std::uint32_t protocol_version = kProtocolVersion;
    std::chrono::milliseconds handshake_timeout{5'000};  ///< from process start
    std::chrono::milliseconds kill_after{5'000};         ///< from SIGTERM to SIGKILL
    /// Pieces of stdout and stderr as they come, from one thread of the process's own.
    std::function<void(std::string_view)> on_output = {};
    /// Called once when the process has ended, with how; from that same thread. Must not wait for
    /// the process.
    std::function<void(std::string_view how)> on_exit = {};
};

/// Channel settings of a node (spec/rpcchainvm.md 6.1): keepalive every 30 s also without calls, no
/// size limits. `address` is 127.0.0.1:PORT.
std::shared_ptr<grpc::Channel> dial(const std::string& address);

/// A plugin as a node runs it (spec/rpcchainvm.md 1.2 to 1.7): a child with a nearly empty
/// environment, stdin from the null device, stdout and stderr in pipes of which the end means
/// death, SIGTERM when this process dies; then one channel for every call. Never started again by
/// itself.
///
/// Safe from any thread, but for destruction, which ends the process in order (see stop).
class PluginProcess {
  public:
    /// Starts the process and returns after the handshake. The version must be the exact one; a
    /// file that cannot run, a process that ends early and one that stays silent are told apart.
    /// kIo, kConnection or kTimeout, with the plugin's last words.
    static Result<std::unique_ptr<PluginProcess>> start(PluginOptions options);

    /// stop().
    ~PluginProcess();

    /// A call's context as the node makes it: waits until the plugin is ready, no deadline. When
    /// the process ends the call is cancelled (the node's would hang for ever).
    class Context {
      public:
        explicit Context(PluginProcess& process);
        ~Context();
        Context(const Context&) = delete;
        Context& operator=(const Context&) = delete;

        grpc::ClientContext* get() { return &context_; }

      private:
        PluginProcess& process_;
        grpc::ClientContext context_;
    };

    ::vm::VM::Stub& vm() { return *stub_; }
    const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
    const std::string& address() const { return address_; }  ///< of its VM server
    pid_t pid() const { return pid_; }
    bool alive() const EXCLUDES(mutex_);

    /// The end of what it wrote, at most 4 KiB.
    std::string last_words() const EXCLUDES(mutex_);

    /// Shutdown, then SIGTERM, after 5 s SIGKILL; returns when the process has ended. The first
    /// call acts. kTimeout if Shutdown took over `limit`, or another failure of it; the process is
    /// gone all the same.
    Result<void> stop(std::chrono::milliseconds limit = std::chrono::seconds{60}) EXCLUDES(mutex_);

    /// SIGTERM now and SIGKILL after 5 s, as for a plugin whose pipe has ended. Returns at once.
    void terminate() EXCLUDES(mutex_);

    /// SIGKILL. Returns when the process has ended.
    void kill() EXCLUDES(mutex_);

    /// False if it has not ended after `limit`.
    bool wait(std::chrono::milliseconds limit) const EXCLUDES(mutex_);

    /// What waitpid said; -1 while it runs.
    int wait_status() const EXCLUDES(mutex_);

  private:
    enum class Order { kNone, kTerminate, kKill };
    struct Pipes;

    explicit PluginProcess(PluginOptions options);
    Result<void> launch(const std::string& engine_address);
    void keep(const std::string& engine_address, std::stop_token stop);
    void give(Order order) EXCLUDES(mutex_);
    void take_output(std::string_view piece) EXCLUDES(mutex_);
    void ended(int status) EXCLUDES(mutex_);
    std::string how_it_ended() const EXCLUDES(mutex_);

    const PluginOptions options_;
    std::string address_;
    std::shared_ptr<grpc::Channel> channel_;
    std::unique_ptr<::vm::VM::Stub> stub_;
    pid_t pid_ = -1;
    int wake_ = -1;  ///< an eventfd on which the keeper listens

    mutable Mutex mutex_;
    mutable std::condition_variable_any changed_;
    bool launched_ GUARDED_BY(mutex_) = false;
    int launch_error_ GUARDED_BY(mutex_) = 0;
    bool ended_ GUARDED_BY(mutex_) = false;
    bool stopped_ GUARDED_BY(mutex_) = false;
    int status_ GUARDED_BY(mutex_) = -1;
    Order order_ GUARDED_BY(mutex_) = Order::kNone;
    std::string last_words_ GUARDED_BY(mutex_);
    std::set<grpc::ClientContext*> contexts_ GUARDED_BY(mutex_);

    /// Starts the child and stays until it has ended: the parent-death signal belongs to the thread
    /// that forked. The only one to wait for the child, so that no signal hits a reused pid.
    std::jthread keeper_;
};

/// "exit code 3" or "signal 9 (Killed)", from waitpid's status.
std::string describe_status(int status);

}  // namespace blobvm::devnet
