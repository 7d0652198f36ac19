#include "cmd/blob-devnet/plugin_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>

#include "chain/base/check.hpp"
#include "proto/plugin/vm_runtime.grpc.pb.h"

extern char** environ;

namespace blobvm::devnet {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kLastWordsBytes = 4'096;

class Descriptor {
  public:
    Descriptor() = default;
    explicit Descriptor(int fd) : fd_{fd} {}
    Descriptor(Descriptor&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Descriptor() { close(); }

    int get() const { return fd_; }
    void close() {
        if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    }

  private:
    int fd_ = -1;
};

struct Pipe {
    Descriptor read;
    Descriptor write;

    static std::optional<Pipe> open() {
        std::array<int, 2> ends{};
        if (pipe2(ends.data(), O_CLOEXEC) != 0) return std::nullopt;
        return Pipe{Descriptor{ends[0]}, Descriptor{ends[1]}};
    }
};

/// The one method of the handshake: the first call counts, a later one gets its result.
class Runtime final : public ::vm::runtime::Runtime::Service {
  public:
    explicit Runtime(std::uint32_t protocol_version) : protocol_version_{protocol_version} {}

    grpc::Status Initialize(grpc::ServerContext*, const ::vm::runtime::InitializeRequest* request,
                            google::protobuf::Empty*) override {
        const Lock lock{mutex_};
        if (!answer_) {
            answer_ = request->protocol_version() == protocol_version_
                          ? grpc::Status::OK
                          : grpc::Status{grpc::StatusCode::UNKNOWN, mismatch(*request)};
            address_ = request->addr();
            done_.notify_all();
        }
        return *answer_;
    }

    /// Waits until the call has come, `gone` says so, or `deadline` is over; true if it has come.
    bool wait(Clock::time_point deadline, const std::function<bool()>& gone) {
        Lock lock{mutex_};
        while (!answer_ && !gone() && Clock::now() < deadline) {
            done_.wait_for(lock, std::chrono::milliseconds{20});
        }
        return answer_.has_value();
    }

    grpc::Status answer() {
        const Lock lock{mutex_};
        return *answer_;
    }
    std::string address() {
        const Lock lock{mutex_};
        return address_;
    }

  private:
    std::string mismatch(const ::vm::runtime::InitializeRequest& request) const {
        return fmt::format(
            "RPCChainVM protocol version mismatch: the node implements version {}, the plugin {}",
            protocol_version_, request.protocol_version());
    }

    const std::uint32_t protocol_version_;
    Mutex mutex_;
    std::condition_variable_any done_;
    std::optional<grpc::Status> answer_ GUARDED_BY(mutex_);
    std::string address_ GUARDED_BY(mutex_);
};

/// What a node passes on (spec/rpcchainvm.md 1.2).
std::vector<std::string> plugin_environment(const std::string& engine_address,
                                            const std::vector<std::string>& extra) {
    std::vector<std::string> result{fmt::format("{}={}", kEngineAddressVariable, engine_address)};
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view variable = *entry;
        if (variable.starts_with("GRPC_") || variable.starts_with("GODEBUG")) {
            result.emplace_back(variable);
        }
    }
    result.insert(result.end(), extra.begin(), extra.end());
    return result;
}

/// The child between fork and exec: nothing here may allocate or lock. Sends errno if exec fails.
[[noreturn]] void become(const char* path, char* const* argv, char* const* environment, int null,
                         int out, int err, int failure, pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(127);  // it died before the line above
    for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    dup2(null, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */);
    execve(path, argv, environment);
    const int error = errno;
    const ssize_t ignored = write(failure, &error, sizeof(error));
    static_cast<void>(ignored);
    _exit(127);
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
    std::vector<char*> result;
    for (std::string& string : strings) result.push_back(string.data());
    result.push_back(nullptr);
    return result;
}

bool is_loopback_address(std::string_view address) {
    const std::string_view host = "127.0.0.1:";
    if (!address.starts_with(host) || address.size() == host.size()) return false;
    address.remove_prefix(host.size());
    return address.size() <= 5 && address.find_first_not_of("0123456789") == std::string_view::npos;
}

Failure launch_failure(const std::filesystem::path& path, int error) {
    if (error == ENOENT) return fail(ErrorCode::kIo, fmt::format("no plugin at {}", path.string()));
    if (error == EACCES || error == ENOEXEC) {
        return fail(ErrorCode::kIo, fmt::format("plugin {} is not executable: {}", path.string(),
                                                std::strerror(error)));
    }
    return fail(ErrorCode::kIo,
                fmt::format("cannot start plugin {}: {}", path.string(), std::strerror(error)));
}

}  // namespace

std::string describe_status(int status) {
    if (WIFEXITED(status)) return fmt::format("exit code {}", WEXITSTATUS(status));
    if (WIFSIGNALED(status)) {
        return fmt::format("signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)));
    }
    return fmt::format("status {}", status);
}

std::shared_ptr<grpc::Channel> dial(const std::string& address) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    arguments.SetMaxSendMessageSize(-1);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // one connection per plugin
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
    return grpc::CreateCustomChannel("ipv4:" + address, grpc::InsecureChannelCredentials(),
                                     arguments);
}

PluginProcess::Context::Context(PluginProcess& process) : process_{process} {
    context_.set_wait_for_ready(true);
    const Lock lock{process_.mutex_};
    if (process_.ended_) context_.TryCancel();
    process_.contexts_.insert(&context_);
}

PluginProcess::Context::~Context() {
    const Lock lock{process_.mutex_};
    process_.contexts_.erase(&context_);
}

PluginProcess::PluginProcess(PluginOptions options) : options_{std::move(options)} {}

PluginProcess::~PluginProcess() {
    if (keeper_.joinable()) {
        static_cast<void>(stop());
        keeper_.join();
    }
    if (wake_ >= 0) ::close(wake_);
}

Result<std::unique_ptr<PluginProcess>> PluginProcess::start(PluginOptions options) {
    std::error_code error;
    const std::filesystem::path absolute = std::filesystem::absolute(options.path, error);
    if (error) return fail(ErrorCode::kIo, error.message());
    options.path = absolute;
    if (!std::filesystem::exists(absolute, error)) return launch_failure(absolute, ENOENT);
    if (!std::filesystem::is_regular_file(absolute, error)) return launch_failure(absolute, EACCES);

    Runtime runtime{options.protocol_version};
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&runtime);
    const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    if (server == nullptr) return fail(ErrorCode::kIo, "cannot listen for the plugin's handshake");

    const auto deadline = Clock::now() + options.handshake_timeout;
    const auto limit = options.handshake_timeout;
    std::unique_ptr<PluginProcess> process{new PluginProcess{std::move(options)}};
    BLOBVM_TRY(process->launch(fmt::format("127.0.0.1:{}", port)));

    const bool called = runtime.wait(deadline, [&] { return !process->alive(); });
    server->Shutdown(Clock::now() < deadline ? std::chrono::system_clock::now() + limit
                                             : std::chrono::system_clock::now());
    const auto with_last_words = [&](std::string text) {
        const std::string words = process->last_words();
        return words.empty() ? text : fmt::format("{}; it said: {}", text, words);
    };
    if (!called || !runtime.answer().ok()) {
        if (called) {
            process->wait(std::chrono::milliseconds{500});  // for its own words about it
            process->terminate();
            process->wait(std::chrono::seconds{10});
            return fail(ErrorCode::kConnection, with_last_words(runtime.answer().error_message()));
        }
        if (!process->alive()) {
            return fail(ErrorCode::kConnection,
                        with_last_words(fmt::format("plugin {} ended before its handshake: {}",
                                                    process->options_.path.string(),
                                                    process->how_it_ended())));
        }
        process->terminate();
        process->wait(std::chrono::seconds{10});
        return fail(ErrorCode::kTimeout,
                    with_last_words(fmt::format("plugin {} has made no handshake within {} ms",
                                                process->options_.path.string(), limit.count())));
    }

    process->address_ = runtime.address();
    if (!is_loopback_address(process->address_)) {
        return fail(ErrorCode::kConnection,
                    fmt::format("the plugin's address is not 127.0.0.1:PORT but \"{}\"",
                                process->address_));
    }
    process->channel_ = dial(process->address_);
    process->stub_ = ::vm::VM::NewStub(process->channel_);
    return process;
}

Result<void> PluginProcess::launch(const std::string& engine_address) {
    wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_ < 0) return fail(ErrorCode::kIo, std::strerror(errno));
    keeper_ = std::jthread{
        [this, engine_address](std::stop_token stop) { keep(engine_address, std::move(stop)); }};

    Lock lock{mutex_};
    while (!launched_) changed_.wait(lock);
    if (launch_error_ != 0) return launch_failure(options_.path, launch_error_);
    return {};
}

void PluginProcess::keep(const std::string& engine_address, std::stop_token) {
    const auto launched = [this](int error) {
        const Lock lock{mutex_};
        launched_ = true;
        launch_error_ = error;
        if (error != 0) ended_ = true;
        changed_.notify_all();
    };

    std::optional<Pipe> out = Pipe::open();
    std::optional<Pipe> err = Pipe::open();
    std::optional<Pipe> failure = Pipe::open();
    Descriptor null{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
    if (!out || !err || !failure || null.get() < 0) return launched(errno);

    const std::string path = options_.path.string();
    std::vector<std::string> arguments{path};
    std::vector<std::string> variables = plugin_environment(engine_address, options_.environment);
    const std::vector<char*> argv = pointers(arguments);
    const std::vector<char*> environment = pointers(variables);
    const pid_t parent = getpid();
    const pid_t child = fork();
    if (child < 0) return launched(errno);
    if (child == 0) {
        become(path.c_str(), argv.data(), environment.data(), null.get(), out->write.get(),
               err->write.get(), failure->write.get(), parent);
    }
    out->write.close();
    err->write.close();
    failure->write.close();
    int error = 0;
    if (read(failure->read.get(), &error, sizeof(error)) == sizeof(error)) {
        waitpid(child, nullptr, 0);
        return launched(error);
    }
    pid_ = child;
    const Descriptor process{static_cast<int>(syscall(SYS_pidfd_open, child, 0U))};
    CHECK(process.get() >= 0);
    launched(0);

    std::array<pollfd, 4> watched{{{out->read.get(), POLLIN, 0},
                                   {err->read.get(), POLLIN, 0},
                                   {wake_, POLLIN, 0},
                                   {process.get(), POLLIN, 0}}};
    std::optional<Clock::time_point> kill_at;
    bool killed = false;
    std::vector<char> buffer(64 * 1024);
    const auto drain = [&](pollfd& pipe) {
        const ssize_t count = read(pipe.fd, buffer.data(), buffer.size());
        if (count > 0) return take_output({buffer.data(), static_cast<std::size_t>(count)}), true;
        if (count < 0 && errno == EINTR) return true;
        pipe.fd = -1;  // poll skips it
        return false;
    };

    while (true) {
        int wait_ms = -1;
        if (kill_at && !killed) {
            const auto left =
                std::chrono::ceil<std::chrono::milliseconds>(*kill_at - Clock::now()).count();
            wait_ms = static_cast<int>(std::max<std::int64_t>(left, 0));
        }
        if (poll(watched.data(), watched.size(), wait_ms) < 0 && errno != EINTR) break;

        for (pollfd* pipe : {&watched[0], &watched[1]}) {
            if (pipe->fd >= 0 && (pipe->revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
                if (!drain(*pipe)) give(Order::kTerminate);  // its end means death
            }
        }
        if ((watched[2].revents & POLLIN) != 0) {
            std::uint64_t count = 0;
            if (read(wake_, &count, sizeof(count)) < 0 && errno != EAGAIN) break;
        }
        if ((watched[3].revents & POLLIN) != 0) break;

        Order order;
        {
            const Lock lock{mutex_};
            order = order_;
        }
        if (order == Order::kTerminate && !kill_at) {
            ::kill(child, SIGTERM);
            kill_at = Clock::now() + options_.kill_after;
        }
        if (!killed && (order == Order::kKill || (kill_at && Clock::now() >= *kill_at))) {
            ::kill(child, SIGKILL);
            killed = true;
        }
    }

    for (pollfd* pipe : {&watched[0], &watched[1]}) {  // what it wrote before it ended
        if (pipe->fd < 0) continue;
        fcntl(pipe->fd, F_SETFL, O_NONBLOCK);
        while (drain(*pipe)) {
        }
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    ended(status);
}

void PluginProcess::take_output(std::string_view piece) {
    {
        const Lock lock{mutex_};
        last_words_.append(piece);
        if (last_words_.size() > kLastWordsBytes) {
            last_words_.erase(0, last_words_.size() - kLastWordsBytes);
        }
    }
    if (options_.on_output) options_.on_output(piece);
}

void PluginProcess::ended(int status) {
    std::set<grpc::ClientContext*> contexts;
    {
        const Lock lock{mutex_};
        ended_ = true;
        status_ = status;
        // Under the lock: a context that is being destroyed waits for it.
        for (grpc::ClientContext* context : contexts_) context->TryCancel();
        changed_.notify_all();
    }
    if (options_.on_exit) options_.on_exit(describe_status(status));
}

std::string PluginProcess::how_it_ended() const {
    const Lock lock{mutex_};
    return describe_status(status_);
}

bool PluginProcess::alive() const {
    const Lock lock{mutex_};
    return launched_ && !ended_;
}

std::string PluginProcess::last_words() const {
    const Lock lock{mutex_};
    std::string_view words = last_words_;
    while (!words.empty() && (words.back() == '\n' || words.back() == ' ')) words.remove_suffix(1);
    return std::string{words};
}

int PluginProcess::wait_status() const {
    const Lock lock{mutex_};
    return status_;
}

void PluginProcess::give(Order order) {
    {
        const Lock lock{mutex_};
        if (order > order_) order_ = order;
    }
    const std::uint64_t one = 1;
    const ssize_t ignored = write(wake_, &one, sizeof(one));  // fails only when it is set already
    static_cast<void>(ignored);
}

bool PluginProcess::wait(std::chrono::milliseconds limit) const {
    Lock lock{mutex_};
    const auto deadline = Clock::now() + limit;
    while (!ended_) {
        if (changed_.wait_until(lock, deadline) == std::cv_status::timeout) return ended_;
    }
    return true;
}

Result<void> PluginProcess::stop(std::chrono::milliseconds limit) {
    {
        const Lock lock{mutex_};
        if (std::exchange(stopped_, true) || ended_) return {};
    }
    grpc::Status status = grpc::Status::OK;
    if (stub_ != nullptr) {
        Context context{*this};
        context.get()->set_deadline(std::chrono::system_clock::now() + limit);
        google::protobuf::Empty reply;
        status = stub_->Shutdown(context.get(), {}, &reply);
    }
    give(Order::kTerminate);
    if (channel_ != nullptr) {
        // While no call runs nobody reads the connection, of which the plugin asks the end.
        channel_->WaitForStateChange(GRPC_CHANNEL_READY,
                                     std::chrono::system_clock::now() + options_.kill_after);
    }
    wait(options_.kill_after + std::chrono::seconds{30});
    if (status.ok()) return {};
    const bool late = status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
    return fail(late ? ErrorCode::kTimeout : ErrorCode::kConnection,
                fmt::format("Shutdown of the plugin: {}", status.error_message()));
}

void PluginProcess::terminate() { give(Order::kTerminate); }

void PluginProcess::kill() {
    give(Order::kKill);
    wait(std::chrono::seconds{30});
}

}  // namespace blobvm::devnet
