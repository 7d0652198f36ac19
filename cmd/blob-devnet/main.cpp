// Plays the node to one or more plugin processes, for development, tests and benchmarks.

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "chain/base/cb58.hpp"
#include "cmd/blob-devnet/data_dir.hpp"
#include "cmd/blob-devnet/engine.hpp"
#include "cmd/blob-devnet/http_server.hpp"
#include "proto/jsonrpc/json.hpp"

namespace {

using namespace blobvm;
using namespace blobvm::devnet;
namespace fs = std::filesystem;

constexpr std::string_view kVmId = "kM6h4LYe3AcEU1MB2UNg6ubzAiDAALZzpVrbX8zn3hXF6Avd8";
constexpr std::size_t kMaxNodes = 16;

constexpr std::string_view kExamples = R"(
Examples:
  # a chain in ./.blob-devnet on port 9650, with money for one address
  blob-devnet --fund 0x8db97C7cEcE249c2b98bDC0226Cc4C2A57BF52FC=1000000000

  # the same chain again, with everything that was stored on it
  blob-devnet

  # three plugins that gossip to each other, on ports 9700, 9702 and 9704
  blob-devnet --data-dir /tmp/three --nodes 3 --port 9700

When it is ready it prints one line of JSON with the endpoints. Ctrl-C stops everything in order.
)";

struct Options {
    fs::path data_dir = ".blob-devnet";
    std::uint16_t port = 9650;
    std::string genesis;
    std::string chain_config;
    std::string plugin;
    std::size_t nodes = 1;
    std::vector<std::string> funds;
    bool sync = false;
    bool restart_plugin = false;
    int builder = -1;
    std::uint64_t rollback_ledger = 0;
};

/// One line on stderr and in logs/devnet.log. Safe from any thread.
class Log {
  public:
    void open(const fs::path& file) { file_.open(file, std::ios::app); }
    void operator()(const std::string& text) {
        const std::time_t now = std::time(nullptr);
        const std::string line =
            fmt::format("[{:%Y-%m-%dT%H:%M:%SZ}] {}\n", fmt::gmtime(now), text);
        const std::lock_guard lock{mutex_};
        std::cerr << line << std::flush;
        if (file_.is_open()) file_ << line << std::flush;
    }

  private:
    std::mutex mutex_;
    std::ofstream file_;
};

int fail_with(const std::string& text) {
    std::cerr << "blob-devnet: " << text << "\n";
    return 1;
}

fs::path own_folder() {
    std::error_code error;
    const fs::path self = fs::read_symlink("/proc/self/exe", error);
    return error ? fs::path{"."} : self.parent_path();
}

fs::path find_plugin(const std::string& chosen) {
    if (!chosen.empty()) return chosen;
    std::error_code error;
    const fs::path folder = own_folder();
    const fs::path by_id = folder / "plugins" / kVmId;
    const fs::path by_name = folder / "blobvm";
    return !fs::exists(by_name, error) && fs::exists(by_id, error) ? by_id : by_name;
}

/// Answers to info.getNodeVersion and info.isBootstrapped.
Page info_page(const Engine& engine, std::size_t index, std::string_view body) {
    const auto request = json::Document::parse(body);
    const auto member = [&](std::string_view name) {
        return request && request->root().kind() == json::Kind::kObject
                   ? request->root().member(name)
                   : std::nullopt;
    };
    const auto name = member("method");
    const std::string method = name ? name->as_string().value_or("") : "";
    const auto id = member("id");
    std::string result;
    if (method == "info.getNodeVersion") {
        result = fmt::format(
            "\"result\":{{\"version\":\"blob-devnet/{}\",\"rpcProtocolVersion\":\"{}\","
            "\"vmVersions\":{{\"blobvm\":",
            BLOBVM_VERSION, kProtocolVersion);
        json::append_quoted(result, engine.node(index).plugin_version());
        result += "}}";
    } else if (method == "info.isBootstrapped") {
        result =
            fmt::format("\"result\":{{\"isBootstrapped\":{}}}", engine.node(index).bootstrapped());
    } else {
        result = "\"error\":{\"code\":-32601,\"message\":\"the method does not exist\"}";
    }
    return {200, "application/json",
            fmt::format("{{\"jsonrpc\":\"2.0\",{},\"id\":{}}}\n", result,
                        id ? std::string{id->raw()} : "null")};
}

std::string ready_line(const DataDir& dir, const Engine& engine,
                       const std::vector<std::unique_ptr<HttpServer>>& servers) {
    const std::string chain = to_cb58(dir.chain().chain.view());
    std::string nodes;
    for (std::size_t i = 0; i < servers.size(); ++i) {
        const std::string base = fmt::format("http://127.0.0.1:{}", servers[i]->port());
        const auto process = engine.node(i).process();
        nodes += fmt::format(
            "{}{{\"endpoint\":\"{}/ext/bc/{}\",\"health\":\"{}/ext/health\",\"metrics\":\"{}/ext/"
            "metrics\",\"nodeId\":\"{}\",\"pid\":{}}}",
            i == 0 ? "" : ",", base, chain, base, base, node_id_text(engine.node(i).id()),
            process == nullptr ? -1 : process->pid());
    }
    std::string data_dir;
    json::append_quoted(data_dir, dir.path().string());
    return fmt::format(
        "{{\"ready\":true,\"chainId\":\"{}\",\"blockchain\":\"http://127.0.0.1:{}/ext/bc/{}\","
        "\"nodes\":[{}],\"dataDir\":{}}}\n",
        chain, servers.front()->port(), chain, nodes, data_dir);
}

/// Ends the process on a signal while something runs that may take long or for ever: the plugins
/// notice that their node is gone, and close their stores.
class EndOnSignal {
  public:
    explicit EndOnSignal(int signals)
        : thread_{[signals](const std::stop_token& done) {
              pollfd watched{signals, POLLIN, 0};
              while (!done.stop_requested()) {
                  if (poll(&watched, 1, 50) <= 0) continue;
                  std::cerr << "blob-devnet: interrupted while starting\n";
                  _exit(130);
              }
          }} {}

  private:
    std::jthread thread_;
};

int run(const Options& options) {
    // Taken out of every thread's hands before the first thread starts.
    sigset_t signals;
    sigemptyset(&signals);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    const int interrupted = signalfd(-1, &signals, SFD_CLOEXEC);
    const int finished = eventfd(0, EFD_CLOEXEC);
    if (interrupted < 0 || finished < 0) return fail_with("cannot watch for signals");

    DataDir::Choices choices{.path = options.data_dir};
    if (!options.genesis.empty()) choices.genesis = options.genesis;
    if (!options.chain_config.empty()) choices.chain_config = options.chain_config;
    for (const std::string& text : options.funds) {
        const auto fund = parse_funding(text);
        if (!fund) return fail_with(fund.error().message());
        choices.funds.push_back(*fund);
    }
    const fs::path plugin = find_plugin(options.plugin);
    std::error_code error;
    if (!fs::exists(plugin, error)) {
        return fail_with(
            fmt::format("no plugin at {}; say where it is with --plugin FILE", plugin.string()));
    }

    // Ports first: nothing is created when one is in use.
    struct Site {
        std::mutex mutex;
        const Engine* engine = nullptr;
    };
    // Filled once the chain runs; until then the node is not ready.
    const auto site = std::make_shared<Site>();
    const auto with_engine =
        [site](auto use) -> std::optional<decltype(use(std::declval<const Engine&>()))> {
        const Engine* engine = nullptr;
        {
            const std::lock_guard lock{site->mutex};
            engine = site->engine;
        }
        if (engine == nullptr) return std::nullopt;
        return use(*engine);
    };
    static const Page kStarting{503, "application/json", "{\"healthy\":false}\n"};

    std::unique_ptr<Engine> engine;
    std::vector<std::unique_ptr<HttpServer>> servers;
    for (std::size_t i = 0; i < options.nodes; ++i) {
        HttpSite http;
        http.node_id = [with_engine, i] {
            return with_engine([&](const Engine& e) { return node_id_text(e.node(i).id()); })
                .value_or("");
        };
        http.route = [with_engine, i](std::string_view path, std::string_view api_route) {
            return with_engine([&](const Engine& e) { return e.node(i).route(path, api_route); })
                .value_or(Route{Route::Kind::kNotReady});
        };
        http.health = [with_engine, i] {
            return with_engine([&](const Engine& e) { return e.health(i); }).value_or(kStarting);
        };
        http.metrics = [with_engine, i] {
            return with_engine([&](const Engine& e) { return e.node(i).metrics(); })
                .value_or(kStarting);
        };
        http.info = [with_engine, i](std::string_view body) {
            return with_engine([&](const Engine& e) { return info_page(e, i, body); })
                .value_or(kStarting);
        };
        const auto port = options.port == 0 ? 0 : options.port + 2 * static_cast<int>(i);
        auto server = HttpServer::start(static_cast<std::uint16_t>(port), std::move(http));
        if (!server) {
            return fail_with(server.error().message() +
                             "; choose another with --port, or --port 0 for a free one");
        }
        servers.push_back(std::move(*server));
    }

    std::optional<EndOnSignal> starting{interrupted};
    const auto version = probe(plugin, {});
    if (!version) return fail_with(version.error().message());

    auto opened = DataDir::open(choices);
    if (!opened) return fail_with(opened.error().message());
    const DataDir& dir = **opened;
    Log log;
    fs::create_directories(dir.path() / "logs", error);
    log.open(dir.path() / "logs" / "devnet.log");

    log(fmt::format("plugin {} is {}", plugin.string(), *version));

    Engine::Options chosen;
    chosen.chain = dir.chain();
    for (std::size_t i = 0; i < options.nodes; ++i) chosen.nodes.push_back(dir.node_id(i));
    chosen.plugin = plugin;
    chosen.data_dir = dir.path();
    chosen.chain_config = dir.chain_config();
    chosen.sync = options.sync;
    chosen.restart_plugin = options.restart_plugin;
    if (options.builder >= 0) chosen.builder = static_cast<std::size_t>(options.builder);
    chosen.roll_back = options.rollback_ledger;
    chosen.log = [&log](const std::string& text) { log(text); };
    std::string why;
    chosen.on_finished = [&why, finished](std::string reason) {
        why = std::move(reason);
        const std::uint64_t one = 1;
        const ssize_t ignored = ::write(finished, &one, sizeof(one));
        static_cast<void>(ignored);
    };
    auto started = Engine::start(std::move(chosen));
    starting.reset();
    if (!started) {
        log(started.error().message());
        return fail_with(started.error().message());
    }
    engine = std::move(*started);
    {
        const std::lock_guard lock{site->mutex};
        site->engine = engine.get();
    }
    const AcceptedBlock tip = engine->last_accepted();
    log(fmt::format("{} chain {} at height {}", dir.created() ? "new" : "existing",
                    to_cb58(dir.chain().chain.view()), tip.height));
    std::cout << ready_line(dir, *engine, servers) << std::flush;

    pollfd watched[] = {{interrupted, POLLIN, 0}, {finished, POLLIN, 0}};
    while (poll(watched, 2, -1) < 0 && errno == EINTR) {
    }
    const bool asked = (watched[0].revents & POLLIN) != 0;
    if (asked) log("stopping");
    // New calls are refused first, then the plugins stop, then what is under way is let go.
    engine->stop();
    servers.clear();
    const AcceptedBlock last = engine->last_accepted();
    engine.reset();
    if (!asked) return fail_with("the chain has stopped: " + why);
    log(fmt::format("stopped at height {}", last.height));
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app{"A local chain: plays the node to the BlobVM plugin, over the real protocol."};
    app.footer(std::string{kExamples});
    app.set_version_flag("--version", std::string{"blob-devnet/"} + BLOBVM_VERSION);
    app.add_option("--data-dir", options.data_dir, "Where the chain lives")->capture_default_str();
    app.add_option("--port", options.port,
                   "HTTP port on 127.0.0.1; 0: a free one. Node I gets "
                   "PORT + 2 I")
        ->capture_default_str();
    app.add_option("--genesis", options.genesis,
                   "Genesis JSON of a new chain (default: the fast "
                   "preset)");
    app.add_option("--chain-config", options.chain_config,
                   "The plugin's configuration, JSON (default: a block every 100 ms); kept for "
                   "later starts");
    app.add_option("--plugin", options.plugin,
                   "The plugin (default: blobvm beside this program, or plugins/<VM ID>)");
    app.add_option("--nodes", options.nodes, "Plugins that follow one chain and gossip")
        ->check(CLI::Range(std::size_t{1}, kMaxNodes))
        ->capture_default_str();
    app.add_option("--fund", options.funds,
                   "ADDRESS=AMOUNT that a new chain starts with; can be "
                   "repeated");
    app.add_flag("--sync", options.sync, "fsync the node's own ledger (a node does not)");
    app.add_flag("--restart-plugin", options.restart_plugin,
                 "Start a plugin that died again (a node does not, and neither does this by "
                 "default: the chain stops and the exit code is 1)");
    app.add_option("--builder", options.builder,
                   "For tests: only this node (0, 1, ...) proposes blocks");
    app.add_option("--rollback-ledger", options.rollback_ledger,
                   "For tests: first forget the last K blocks, as a node whose database lost its "
                   "last writes");
    try {
        app.parse(argc, argv);
        if (options.builder >= static_cast<int>(options.nodes)) {
            throw CLI::ValidationError("--builder", "there is no such node");
        }
        if (options.port != 0 && options.port + 2 * (options.nodes - 1) > 65'535) {
            throw CLI::ValidationError("--port", "too high for so many nodes");
        }
    } catch (const CLI::ParseError& error) {
        const int code = app.exit(error);
        return code == 0 ? 0 : 2;
    }
    return run(options);
}
