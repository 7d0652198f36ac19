#include "vm/plugin/plugin.hpp"

#include <fmt/format.h>
#include <grpc/support/log.h>
#include <grpcpp/client_context.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <ctime>
#include <memory>
#include <string_view>
#include <thread>

#include "proto/plugin/vm_runtime.grpc.pb.h"
#include "vm/clock.hpp"
#include "vm/log.hpp"
#include "vm/plugin/chain_host.hpp"
#include "vm/plugin/connection.hpp"
#include "vm/plugin/http_service.hpp"
#include "vm/plugin/identity.hpp"
#include "vm/plugin/protocol.hpp"
#include "vm/plugin/vm_service.hpp"
#include "vm/thread_pool.hpp"

namespace blobvm::vm::plugin {
namespace {

constexpr std::chrono::seconds kHandshakeDeadline{5};
/// How much of it the node may take to tell its protocol. One that starts, on a busy machine, has
/// been seen to need more than two.
constexpr std::chrono::seconds kQuestionDeadline{4};
constexpr std::chrono::milliseconds kParentPoll{500};
constexpr std::chrono::seconds kServerStopGrace{1};
constexpr unsigned kStopLimit_s = 10;  ///< then the process ends without order
constexpr std::size_t kQueuedTasks = 1024;

/// The signals that the main thread takes one by one; all other threads never see them.
sigset_t taken_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, signal);
    return set;
}

void take_signals() {
    const sigset_t set = taken_signals();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    std::signal(SIGTERM, SIG_DFL);  // what is ignored by inheritance would never come
    std::signal(SIGPIPE, SIG_IGN);
}

/// The signal that has come within `patience`; 0 for none.
int next_signal(std::chrono::milliseconds patience) {
    const sigset_t set = taken_signals();
    const timespec limit{.tv_sec = patience.count() / 1000,
                         .tv_nsec = patience.count() % 1000 * 1'000'000};
    return std::max(sigtimedwait(&set, nullptr, &limit), 0);
}

/// gRPC's own lines go where ours go: its default would wait for a reader that stalls.
void log_of_grpc(gpr_log_func_args* line) {
    const log::Level level =
        line->severity == GPR_LOG_SEVERITY_ERROR ? log::Level::kWarn : log::Level::kDebug;
    log::write(level, "grpc", line->message);
}

/// Everything that runs, in the order in which it starts.
class Plugin {
  public:
    bool start() {
        grpc::EnableDefaultHealthCheckService(true);
        grpc::ServerBuilder builder;
        apply_settings(builder);
        int port = 0;
        builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
        builder.RegisterService(&vm_service_);
        builder.RegisterService(&http_service_);
        server_ = builder.BuildAndStart();
        if (server_ == nullptr || port == 0) return false;
        address_ = fmt::format("127.0.0.1:{}", port);
        vm_service_.set_http_address(address_);
        return true;
    }

    const std::string& address() const { return address_; }
    bool shut_down() const { return vm_service_.shut_down(); }
    void abandon_node() { host_.abandon_node(); }

    void stop() {
        vm_service_.stop();        // the engine's calls are done,
        host_.close();             // the store is written and closed, waiters are answered,
        if (server_ != nullptr) {  // and the rest has time to end
            server_->Shutdown(std::chrono::system_clock::now() + kServerStopGrace);
        }
        executor_.stop();
    }

  private:
    SystemClock clock_;
    ThreadPoolExecutor executor_{std::max(std::thread::hardware_concurrency(), 2U), kQueuedTasks};
    ChainHost host_{clock_, executor_};
    VmService vm_service_{host_, executor_};
    HttpService http_service_{host_, executor_};
    std::string address_;
    std::unique_ptr<grpc::Server> server_;  // last: nothing is called any more when the rest goes
};

/// Tells the node where we listen; false, with the reason on stderr, if it does not take us.
bool shake_hands(const std::string& runtime_address, const std::string& own_address,
                 std::chrono::steady_clock::time_point question_deadline,
                 std::chrono::system_clock::time_point deadline) {
    const auto channel = connect(runtime_address);
    if (!channel) {
        log::error("cannot reach the node", fmt::format("{}={}: {}", kRuntimeAddressVariable,
                                                        runtime_address, channel.error().detail));
        return false;
    }
    const StatedProtocol protocol = protocol_to_state(question_deadline);
    if (!protocol.warning.empty()) log::warn("protocol number", protocol.warning);
    log::info("protocol number", fmt::format("{}, {}", protocol.number, protocol.because));
    ::vm::runtime::InitializeRequest request;
    request.set_protocol_version(protocol.number);
    request.set_addr(own_address);
    grpc::ClientContext context;
    context.set_deadline(deadline);
    context.set_wait_for_ready(true);
    google::protobuf::Empty response;
    const grpc::Status status =
        ::vm::runtime::Runtime::NewStub(*channel)->Initialize(&context, request, &response);
    if (status.ok()) return true;
    const bool silent = status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
    log::error("the node does not take this plugin",
               fmt::format("{}; this is {} {}, which speaks protocols {} to {} and, {}, states "
                           "protocol {}: a node of another protocol needs the release of the "
                           "plugin that speaks it{}",
                           silent ? "no answer within 5 s" : status.error_message(), kName,
                           version(), kOldestProtocol, kProtocol, protocol.because, protocol.number,
                           protocol.advice));
    return false;
}

}  // namespace

int run(const std::string& runtime_address) {
    const auto question_deadline = std::chrono::steady_clock::now() + kQuestionDeadline;
    const auto handshake_deadline = std::chrono::system_clock::now() + kHandshakeDeadline;
    const pid_t parent = getppid();
    take_signals();
    umask(077);
    gpr_set_log_function(log_of_grpc);

    Plugin plugin;
    if (!plugin.start()) {
        log::error("cannot listen on 127.0.0.1");
        log::flush();
        return 1;
    }
    if (!shake_hands(runtime_address, plugin.address(), question_deadline, handshake_deadline)) {
        plugin.stop();
        log::flush();
        return 1;
    }

    // SIGINT and SIGHUP reach us together with the node, which alone decides. SIGTERM means to end
    // only after Shutdown: before, it can be the end of the node's thread that started us.
    bool orphaned = false;
    while (!orphaned) {
        const int signal = next_signal(kParentPoll);
        orphaned = getppid() != parent;
        if (signal == SIGTERM && plugin.shut_down()) break;
    }
    if (orphaned) {
        log::warn("the node is gone", "closing the chain");
        plugin.abandon_node();
    }
    alarm(kStopLimit_s);
    plugin.stop();
    log::flush();
    return 0;
}

}  // namespace blobvm::vm::plugin
