// Items 1 to 14 of the checklist (spec/rpcchainvm.md 9): the process.

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <fstream>
#include <thread>

#include "proto/jsonrpc/json.hpp"
#include "proto/plugin/health.grpc.pb.h"
#include "proto/plugin/vm_runtime.grpc.pb.h"
#include "tests/plugin/plugin_host.hpp"
#include "tests/plugin/raw_process.hpp"
#include "tests/support/process.hpp"

namespace blobvm::test {
namespace {

using namespace std::chrono_literals;

/// A node's handshake server that answers as it is told.
class RuntimeServer final : public ::vm::runtime::Runtime::Service {
  public:
    using Answer = std::function<grpc::Status(const ::vm::runtime::InitializeRequest&)>;

    explicit RuntimeServer(Answer answer) : answer_{std::move(answer)} {
        grpc::ServerBuilder builder;
        int port = 0;
        builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
        builder.RegisterService(this);
        server_ = builder.BuildAndStart();
        variable_ = fmt::format("{}=127.0.0.1:{}", devnet::kEngineAddressVariable, port);
    }
    ~RuntimeServer() override { server_->Shutdown(std::chrono::system_clock::now()); }

    const std::string& variable() const { return variable_; }

    grpc::Status Initialize(grpc::ServerContext*, const ::vm::runtime::InitializeRequest* request,
                            google::protobuf::Empty*) override {
        const grpc::Status status = answer_(*request);
        const Lock lock{mutex_};
        request_ = *request;
        changed_.notify_all();
        return status;
    }

    std::optional<::vm::runtime::InitializeRequest> request(std::chrono::milliseconds limit) {
        const auto deadline = std::chrono::steady_clock::now() + limit;
        Lock lock{mutex_};
        while (!request_ && changed_.wait_until(lock, deadline) == std::cv_status::no_timeout) {
        }
        return request_;
    }

  private:
    const Answer answer_;
    std::string variable_;
    Mutex mutex_;
    std::condition_variable_any changed_;
    std::optional<::vm::runtime::InitializeRequest> request_ GUARDED_BY(mutex_);
    std::unique_ptr<grpc::Server> server_;
};

bool accepts_connections(const std::string& address) {
    const std::size_t colon = address.find(':');
    if (address.substr(0, colon) != "127.0.0.1") return false;
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(std::stoul(address.substr(colon + 1))));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool connected = ::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
    ::close(fd);
    return connected;
}

TEST(ProcessConformance, Item01WithoutTheVariableItSaysWhyAndFails) {
    RawProcess plugin{{}, {}};
    const auto code = plugin.wait(allowed(1s));
    ASSERT_TRUE(code);
    EXPECT_NE(*code, 0);
    EXPECT_LT(*code, 1'000);
    EXPECT_NE(plugin.err().find("AVALANCHE_VM_RUNTIME_ENGINE_ADDR"), std::string::npos);
}

TEST(ProcessConformance, Item02VersionJsonNeedsNoEnvironment) {
    RawProcess plugin{{"version-json"}, {}};
    EXPECT_EQ(plugin.wait(allowed(1s)), 0);
    const std::string text = plugin.out();
    EXPECT_NE(text.find("\"rpcchainvm\":45"), std::string::npos) << text;
    EXPECT_NE(text.find("\"vmid\":\"kM6h4LYe3AcEU1MB2UNg6ubzAiDAALZzpVrbX8zn3hXF6Avd8\""),
              std::string::npos)
        << text;
    EXPECT_TRUE(json::Document::parse(text)) << text;
    EXPECT_EQ(plugin.err(), "");
}

TEST(ProcessConformance, Item03HandshakeComesWhenThePortAcceptsConnections) {
    bool accepting = false;
    RuntimeServer node{[&](const ::vm::runtime::InitializeRequest& request) {
        accepting = accepts_connections(request.addr());
        return grpc::Status::OK;
    }};
    RawProcess plugin{{}, {node.variable()}};
    const auto request = node.request(allowed(5s));
    ASSERT_TRUE(request);
    EXPECT_EQ(request->protocol_version(), 45U);
    EXPECT_TRUE(accepting) << request->addr();
}

TEST(ProcessConformance, Item04RefusedHandshakeIsPrintedAndFails) {
    RuntimeServer node{[](const ::vm::runtime::InitializeRequest&) {
        return grpc::Status{grpc::StatusCode::UNKNOWN, "this node wants another protocol"};
    }};
    RawProcess plugin{{}, {node.variable()}};
    const auto code = plugin.wait(allowed(5s));
    ASSERT_TRUE(code);
    EXPECT_NE(*code, 0);
    EXPECT_LT(*code, 1'000);
    EXPECT_NE(plugin.err().find("this node wants another protocol"), std::string::npos);
}

/// A copy of the plugin as an operator places it: DIR/plugins/VM_ID.
class PlacedPlugin {
  public:
    PlacedPlugin() {
        std::string name =
            (std::filesystem::temp_directory_path() / "blobvm-placed-XXXXXX").string();
        folder_ = ::mkdtemp(name.data());
        std::filesystem::create_directory(folder_ / "plugins");
        program_ = folder_ / "plugins" / "kM6h4LYe3AcEU1MB2UNg6ubzAiDAALZzpVrbX8zn3hXF6Avd8";
        std::filesystem::copy_file(std::string{BLOBVM_BIN_DIR} + "/blobvm", program_);
    }
    ~PlacedPlugin() { std::filesystem::remove_all(folder_); }

    void write_side_file(const std::string& text) const {
        std::ofstream{folder_ / "blobvm-protocol"} << text;
    }
    /// Under a node that can be asked, a program of this name.
    testing::Finished start_under(const std::string& name, std::uint32_t nodes_protocol) const {
        std::ofstream{folder_ / "protocol"} << nodes_protocol;
        const auto node = folder_ / name;
        std::filesystem::copy_file(std::string{BLOBVM_BIN_DIR} + "/asked_node", node,
                                   std::filesystem::copy_options::overwrite_existing);
        return testing::run({node, program_});
    }
    void silence_node() const { std::ofstream{folder_ / "silent"}; }
    auto start(std::uint32_t nodes_protocol) const {
        return devnet::PluginProcess::start({.path = program_, .protocol_version = nodes_protocol});
    }

  private:
    std::filesystem::path folder_;
    std::filesystem::path program_;
};

TEST(ProcessConformance, Item04NodesOwnProgramGivesTheNumber) {
    const PlacedPlugin placed;
    placed.write_side_file("43\n");
    for (const std::uint32_t protocol : {42U, 43U, 44U, 45U}) {
        const testing::Finished node = placed.start_under("avalanchego-v1.2.3", protocol);
        EXPECT_EQ(node.code, 0) << node.err;
    }
}

TEST(ProcessConformance, Item04NodeThatIsNotUnderstoodRefusesThePlugin) {
    const PlacedPlugin placed;
    const testing::Finished node = placed.start_under("avalanchego", 46);
    EXPECT_EQ(node.code, 1);
    EXPECT_THAT(node.err, ::testing::HasSubstr("the node implements version 46, the plugin 45"));
    EXPECT_THAT(node.err, ::testing::HasSubstr("speaks 46, this plugin 42 to 45"));
}

TEST(ProcessConformance, Item04ProgramOfAnotherNameIsNotAsked) {
    const testing::Finished node = PlacedPlugin{}.start_under("geth", 44);
    EXPECT_EQ(node.code, 1);
    EXPECT_THAT(node.err, ::testing::HasSubstr("the node implements version 44, the plugin 45"));
}

TEST(ProcessConformance, Item05SilentProgramIsGivenUpInTimeForTheHandshake) {
    const PlacedPlugin placed;
    placed.silence_node();
    placed.write_side_file("44");
    const testing::Finished node = placed.start_under("avalanchego", 44);
    EXPECT_EQ(node.code, 0) << node.err;
}

// The node here is this test, a program of a name that the plugin does not ask.
TEST(ProcessConformance, Item04SideFileGivesTheNumberWhereTheNodeIsNotAsked) {
    const PlacedPlugin placed;
    for (const std::uint32_t protocol : {42U, 43U, 44U, 45U}) {
        placed.write_side_file(std::to_string(protocol) + "\n");
        const auto plugin = placed.start(protocol);
        EXPECT_TRUE(plugin) << plugin.error().message();
    }
}

TEST(ProcessConformance, Item04MismatchNamesBothNumbersAndWhatToDo) {
    const PlacedPlugin placed;
    const auto plain = placed.start(44);
    ASSERT_FALSE(plain);
    EXPECT_THAT(
        plain.error().message(),
        ::testing::AllOf(::testing::HasSubstr("the node implements version 44, the plugin 45"),
                         ::testing::HasSubstr("speaks protocols 42 to 45"),
                         ::testing::HasSubstr("/blobvm-protocol")));

    placed.write_side_file("44");
    const auto other_node = placed.start(45);
    ASSERT_FALSE(other_node);
    EXPECT_THAT(
        other_node.error().message(),
        ::testing::AllOf(::testing::HasSubstr("the node implements version 45, the plugin 44"),
                         ::testing::HasSubstr("correct that file, or remove it for 45")));

    placed.write_side_file("fourty-four");
    const auto misspelt = placed.start(44);
    ASSERT_FALSE(misspelt);
    EXPECT_THAT(misspelt.error().message(),
                ::testing::AllOf(::testing::HasSubstr("holds \"fourty-four\""),
                                 ::testing::HasSubstr("allowed: one number from 42 to 45")));
    EXPECT_TRUE(placed.start(45)) << "a side file that is no help must not be in the way";
}

TEST(ProcessConformance, Item05UnansweredHandshakeIsGivenUpAfterFiveSeconds) {
    std::promise<void> end;
    const auto ended = end.get_future().share();
    RuntimeServer node{[ended](const ::vm::runtime::InitializeRequest&) {
        ended.wait();
        return grpc::Status::OK;
    }};
    const auto start = std::chrono::steady_clock::now();
    RawProcess plugin{{}, {node.variable()}};
    const auto code = plugin.wait(allowed(6s));
    const auto took = std::chrono::steady_clock::now() - start;
    end.set_value();
    ASSERT_TRUE(code);
    EXPECT_NE(*code, 0);
    EXPECT_LT(*code, 1'000);
    EXPECT_GE(took, 4s);
}

TEST(ProcessConformance, Item06OneVariableIsEnvironmentEnough) {
    PluginHost host;  // devnet passes on nothing else but GRPC_ and GODEBUG variables
    host.launch();
    const std::string path = fmt::format("/proc/{}/environ", host.process().pid());
    FILE* const file = std::fopen(path.c_str(), "r");
    ASSERT_NE(file, nullptr);
    char buffer[4096];
    const std::string environment(buffer, std::fread(buffer, 1, sizeof buffer, file));
    std::fclose(file);
    for (std::size_t at = 0, end = 0; at < environment.size(); at = end + 1) {
        end = std::min(environment.find('\0', at), environment.size());
        const std::string variable = environment.substr(at, end - at);
        EXPECT_TRUE(variable.starts_with("AVALANCHE_VM_RUNTIME_ENGINE_ADDR=") ||
                    variable.starts_with("GRPC_") || variable.starts_with("GODEBUG"))
            << variable;
    }

    host.initialize();
    host.set_state(::vm::STATE_BOOTSTRAPPING);
    host.set_state(::vm::STATE_NORMAL_OP);
    EXPECT_NE(host.rpc("ping", "null").find("\"success\":true"), std::string::npos);
    host.stop();
}

TEST(ProcessConformance, Item07VersionThenShutdownWithoutInitializeLeavesNoFile) {
    PluginHost host;
    host.launch();
    const auto version = host.call(&::vm::VM::Stub::Version);
    EXPECT_TRUE(version.ok());
    EXPECT_FALSE(version.reply.version().empty());
    EXPECT_TRUE(host.call(&::vm::VM::Stub::Shutdown).ok());
    EXPECT_TRUE(host.call(&::vm::VM::Stub::Shutdown).ok()) << "must be repeatable";
    EXPECT_TRUE(std::filesystem::is_empty(host.chain_data()));
    ::kill(host.process().pid(), SIGTERM);
    ASSERT_TRUE(host.process().wait(allowed(1s)));
    EXPECT_EQ(host.process().wait_status(), 0);
}

TEST(ProcessConformance, Item08SignalsBeforeShutdownAreIgnored) {
    PluginHost host;
    host.run();
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGTERM, SIGINT}) {
        ::kill(host.process().pid(), signal);
        EXPECT_TRUE(host.call(&::vm::VM::Stub::Health).ok()) << signal;
    }
    EXPECT_FALSE(host.process().wait(1500ms)) << "it looks at its parent every 500 ms";
    EXPECT_TRUE(host.call(&::vm::VM::Stub::Health).ok());
    host.stop();
    EXPECT_EQ(host.process().wait_status(), 0);
}

TEST(ProcessConformance, Item09AfterShutdownSigintIsIgnoredAndSigtermEnds) {
    PluginHost host;
    host.run();
    ASSERT_TRUE(host.call(&::vm::VM::Stub::Shutdown).ok());
    ::kill(host.process().pid(), SIGINT);
    EXPECT_FALSE(host.process().wait(1500ms));
    EXPECT_TRUE(host.call(&::vm::VM::Stub::Version).ok());
    ::kill(host.process().pid(), SIGTERM);
    ASSERT_TRUE(host.process().wait(allowed(5s)));
    EXPECT_EQ(host.process().wait_status(), 0);
}

TEST(ProcessConformance, Item10OrphanEndsByItselfAndLetsGoOfTheDatabase) {
    PluginHost successor;
    // The orphan becomes our child, so that we see its end.
    ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    int pipe[2];
    ASSERT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
    const std::string program = std::string{BLOBVM_BIN_DIR} + "/plugin_test_node";
    const std::string other = successor.folder().string();
    const pid_t node = ::fork();
    if (node == 0) {
        ::dup2(pipe[1], STDOUT_FILENO);
        ::execl(program.c_str(), program.c_str(), other.c_str(), nullptr);
        ::_exit(127);
    }
    ::close(pipe[1]);
    FILE* const words = ::fdopen(pipe[0], "r");
    int plugin = -1;
    ASSERT_EQ(std::fscanf(words, "%d", &plugin), 1);
    std::fclose(words);

    ::kill(node, SIGKILL);
    ::waitpid(node, nullptr, 0);
    int status = -1;
    const bool gone =
        becomes_true(allowed(2s), [&] { return ::waitpid(plugin, &status, WNOHANG) == plugin; });
    if (!gone) ::kill(plugin, SIGKILL);
    ASSERT_TRUE(gone);
    EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
    EXPECT_EQ(successor.run().height, 0U);
    successor.stop();
}

TEST(ProcessConformance, Item11NobodyReadingItsOutputDoesNotEndIt) {
    RuntimeServer node{[](const ::vm::runtime::InitializeRequest&) { return grpc::Status::OK; }};
    RawProcess plugin{{}, {node.variable()}};
    const auto request = node.request(allowed(5s));
    ASSERT_TRUE(request);
    plugin.close_readers();

    const auto stub = ::vm::VM::NewStub(devnet::dial(request->addr()));
    for (int i = 0; i < 20; ++i) {  // each is a line in the log
        grpc::ClientContext context;
        ::vm::InitializeResponse reply;
        EXPECT_FALSE(stub->Initialize(&context, {}, &reply).ok());
        grpc::ClientContext version_context;
        ::vm::VersionResponse version;
        EXPECT_TRUE(stub->Version(&version_context, {}, &version).ok());
    }
    EXPECT_FALSE(plugin.wait(1s));
}

TEST(ProcessConformance, Item12HealthServiceSaysServing) {
    PluginHost host;
    host.launch();
    const auto stub = ::grpc::health::v1::Health::NewStub(host.process().channel());
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + 20s);
    ::grpc::health::v1::HealthCheckResponse reply;
    const grpc::Status status = stub->Check(&context, {}, &reply);
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(reply.status(), ::grpc::health::v1::HealthCheckResponse::SERVING);
}

/// A connection that pings every second, also without calls: thirty times a node's pace.
std::shared_ptr<grpc::Channel> pinging(const std::string& address) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 1'000);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 60'000);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    auto channel =
        grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
    EXPECT_TRUE(channel->WaitForConnected(std::chrono::system_clock::now() + 20s));
    return channel;
}

// Ten minutes at a ping each 30 s are 20 pings. Here 60 come in a minute, at a pace for which a
// server with gRPC's defaults, beside it, ends the connection: so the pings are really sent.
TEST(ProcessConformance, Item13PingsWithoutCallsKeepOneConnection) {
    RuntimeServer defaults{[](const auto&) { return grpc::Status::OK; }};
    const auto strict = pinging(defaults.variable().substr(defaults.variable().find('=') + 1));
    PluginHost host;
    host.run();
    const auto channel = pinging(host.process().address());

    const auto minute = std::chrono::system_clock::now() + 60s;
    EXPECT_FALSE(channel->WaitForStateChange(GRPC_CHANNEL_READY, minute))
        << "not the same any more";
    EXPECT_EQ(channel->GetState(false), GRPC_CHANNEL_READY);
    EXPECT_NE(strict->GetState(false), GRPC_CHANNEL_READY) << "this test sends no pings";
}

TEST(ProcessConformance, Item14RequestOf16MiBPassesTheTransport) {
    PluginHost host;
    host.run();
    const auto answer = host.parse(std::string(16 * 1024 * 1024, '\0'));
    EXPECT_FALSE(answer.ok());
    EXPECT_NE(answer.status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED)
        << answer.status.error_message();
    EXPECT_TRUE(host.call(&::vm::VM::Stub::Health).ok());
}

}  // namespace
}  // namespace blobvm::test
