#include "cmd/blob-devnet/engine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "chain/base/cb58.hpp"
#include "proto/jsonrpc/json.hpp"

namespace blobvm::devnet {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr auto kHealthInterval = std::chrono::seconds{5};  // a node's default is 30 s
constexpr auto kStopLimit = std::chrono::seconds{15};

/// Blocks 1 and 2 have a parent from before the wrapper or are the first in it: no P-chain height.
std::optional<std::uint64_t> p_chain_height(std::uint64_t height) {
    if (height <= 2) return std::nullopt;
    return 1;
}

}  // namespace

Engine::Engine(Options options) : options_{std::move(options)} {
    const Lock lock{mutex_};
    health_.resize(options_.nodes.size());
    lost_.resize(options_.nodes.size(), false);
}

Engine::~Engine() { stop(); }

Result<std::unique_ptr<Engine>> Engine::start(Options options) {
    std::unique_ptr<Engine> engine{new Engine{std::move(options)}};
    BLOBVM_TRY(engine->open_nodes());
    BLOBVM_TRY(engine->start_nodes());
    Engine& self = *engine;
    self.thread_ = std::jthread{[&self](std::stop_token stop) { self.run(std::move(stop)); }};
    return engine;
}

Result<void> Engine::open_nodes() {
    network_ = std::make_unique<Network>(options_.nodes, [this](std::size_t node, Error error) {
        post({.kind = Event::Kind::kFailed, .node = node, .text = error.message()});
    });
    for (std::size_t i = 0; i < options_.nodes.size(); ++i) {
        ChainNode::Options node;
        node.index = i;
        node.id = options_.nodes[i];
        node.plugin = options_.plugin;
        node.data_dir = options_.data_dir / fmt::format("node-{}", i);
        node.log_file = options_.data_dir / "logs" / fmt::format("node-{}.log", i);
        node.chain_config = options_.chain_config;
        node.sync = options_.sync;
        node.roll_back = options_.roll_back;
        node.peer_block = [this](std::uint64_t height) { return block_at(height); };
        node.log = options_.log;
        node.on_death = [this, i](std::string_view how) {
            post({.kind = Event::Kind::kDied, .node = i, .text = std::string{how}});
        };
        node.on_event = [this, i](::vm::Message message, std::uint64_t generation) {
            post({Event::Kind::kMessage, i, message, generation, {}});
        };
        std::error_code error;
        std::filesystem::create_directories(node.data_dir, error);
        if (!error) std::filesystem::create_directories(node.log_file.parent_path(), error);
        if (error) {
            return fail(ErrorCode::kIo, fmt::format("cannot create {}: {}", node.data_dir.string(),
                                                    error.message()));
        }
        BLOBVM_TRY(auto opened,
                   ChainNode::open(std::move(node), options_.chain, options_.nodes, *network_));
        nodes_.push_back(std::move(opened));
    }
    return {};
}

Result<void> Engine::start_nodes() {
    const std::uint64_t height = top();
    std::vector<std::optional<Error>> failures(nodes_.size());
    {
        std::vector<std::jthread> starters;
        for (const auto& node : nodes_) {
            starters.emplace_back([&failures, &node, height] {
                if (auto started = node->start(height); !started) {
                    failures[node->index()] = std::move(started).error();
                }
            });
        }
    }
    for (std::size_t i = 0; i < failures.size(); ++i) {
        if (failures[i]) {
            return fail(failures[i]->code,
                        nodes_.size() == 1 ? failures[i]->detail
                                           : fmt::format("node {}: {}", i, failures[i]->detail));
        }
    }
    const AcceptedBlock accepted = nodes_.front()->ledger().accepted().value();
    for (const auto& node : nodes_) {
        if (node->ledger().accepted()->id != accepted.id) {
            return fail(
                ErrorCode::kInvalidState,
                fmt::format("node {} has accepted another chain than node 0", node->index()));
        }
    }
    {
        const Lock lock{mutex_};
        last_accepted_ = accepted;
    }
    check_health();
    return {};
}

std::uint64_t Engine::top() const {
    std::uint64_t height = 0;
    for (const auto& node : nodes_) {
        if (const auto block = node->ledger().top()) height = std::max(height, block->height);
    }
    return height;
}

std::optional<Bytes> Engine::block_at(std::uint64_t height) const {
    for (const auto& node : nodes_) {
        if (auto bytes = node->ledger().block_at(height)) return std::move(*bytes);
    }
    return std::nullopt;
}

void Engine::post(Event event) {
    const Lock lock{mutex_};
    events_.push_back(std::move(event));
    changed_.notify_all();
}

void Engine::run(std::stop_token stop) {
    auto next_health = SteadyClock::now() + kHealthInterval;
    const auto all_lost = [this]() REQUIRES(mutex_) {
        return std::find(lost_.begin(), lost_.end(), false) == lost_.end();
    };
    while (!stop.stop_requested()) {
        std::optional<Event> event;
        {
            Lock lock{mutex_};
            while (events_.empty() && !stop.stop_requested() && !all_lost() &&
                   SteadyClock::now() < next_health) {
                changed_.wait_until(lock, next_health);
            }
            if (stop.stop_requested() || all_lost()) break;
            if (!events_.empty()) {
                event = std::move(events_.front());
                events_.pop_front();
            }
        }
        if (event) handle(*event);
        if (SteadyClock::now() >= next_health) {
            check_health();
            next_health = SteadyClock::now() + kHealthInterval;
        }
    }
    if (!stop.stop_requested() && options_.on_finished) {
        const Lock lock{mutex_};
        std::string why;
        for (std::size_t i = 0; i < health_.size(); ++i) {
            why += fmt::format("{}node {}: {}", i == 0 ? "" : "; ", i, health_[i].error);
        }
        options_.on_finished(why);
    }
}

void Engine::handle(const Event& event) {
    {
        const Lock lock{mutex_};
        if (lost_[event.node]) return;
    }
    ChainNode& node = *nodes_[event.node];
    switch (event.kind) {
        case Event::Kind::kDied:
            if (const auto process = node.process(); process != nullptr && process->alive()) return;
            return lose(event.node, "the plugin has ended with " + event.text);
        case Event::Kind::kFailed:
            return lose(event.node, event.text);
        case Event::Kind::kMessage:
            break;
    }
    switch (event.message) {
        case ::vm::MESSAGE_BUILD_BLOCK:
            // What a later trigger has made stale is asked again.
            if (event.generation != node.generation()) return;
            if (options_.builder && *options_.builder != event.node) return;
            return build_on(node);
        case ::vm::MESSAGE_STATE_SYNC_FINISHED:
            return options_.log(
                fmt::format("node {}: state sync finished, which nobody started", event.node));
        default:
            return lose(event.node,
                        fmt::format("WaitForEvent answered with message {}", int{event.message}));
    }
}

void Engine::build_on(ChainNode& builder) {
    const AcceptedBlock parent = last_accepted();
    const auto context = p_chain_height(parent.height + 1);
    Result<BuiltBlock> built = builder.build(context);
    if (!built) {  // nothing (valid) to build; the trigger has asked for the next event
        if (built.error().code != ErrorCode::kRpc) lose(builder.index(), built.error().message());
        return;
    }
    const BlockInfo info = built->info;
    const ByteView bytes = built->bytes;
    if (info.parent != parent.id || info.height != parent.height + 1) {
        return lose(builder.index(),
                    fmt::format("BuildBlock answered with a block of height {} on {}, the "
                                "preference is {} at height {}",
                                info.height, to_cb58(info.parent.view()), to_cb58(parent.id.view()),
                                parent.height));
    }
    if (const auto verified = builder.verify(bytes, context); !verified) {
        if (verified.error().code != ErrorCode::kRpc) {
            return lose(builder.index(), verified.error().message());
        }
        return options_.log(fmt::format("node {}: its own block is invalid: {}", builder.index(),
                                        verified.error().message()));
    }
    for_each(
        [&](ChainNode& node) -> Result<void> {
            BLOBVM_TRY(const BlockInfo parsed, node.parse(bytes));
            if (parsed.id != info.id || parsed.parent != info.parent ||
                parsed.height != info.height || parsed.timestamp_s != info.timestamp_s) {
                return fail(ErrorCode::kInvalidState,
                            "ParseBlock differs from the builder's block");
            }
            return node.verify(bytes, context);
        },
        &builder);
    for_each([&](ChainNode& node) -> Result<void> {
        BLOBVM_TRY(node.set_preference(info.id));
        return node.accept(info, bytes);
    });
    const Lock lock{mutex_};
    if (std::find(lost_.begin(), lost_.end(), false) != lost_.end()) {
        last_accepted_ = {info.height, info.id};
    }
}

template <class Work>
void Engine::for_each(const Work& work, const ChainNode* except) {
    std::vector<ChainNode*> there;
    {
        const Lock lock{mutex_};
        for (const auto& node : nodes_) {
            if (!lost_[node->index()] && node.get() != except) there.push_back(node.get());
        }
    }
    std::vector<std::optional<Error>> failures(there.size());
    const auto do_one = [&](std::size_t i) {
        if (auto done = work(*there[i]); !done) failures[i] = std::move(done).error();
    };
    if (there.size() == 1) {
        do_one(0);
    } else {
        std::vector<std::jthread> threads;
        for (std::size_t i = 0; i < there.size(); ++i) threads.emplace_back(do_one, i);
    }
    for (std::size_t i = 0; i < there.size(); ++i) {
        if (failures[i]) lose(there[i]->index(), failures[i]->message());
    }
}

void Engine::check_health() {
    for_each([&](ChainNode& node) -> Result<void> {
        Result<std::string> details = node.health();
        const Lock lock{mutex_};
        NodeHealth& health = health_[node.index()];
        health.healthy = details.has_value();
        if (details) {
            health.details = std::move(*details);
            health.error.clear();
        } else {
            health.error = details.error().message();
        }
        return {};
    });
}

/// Out of the chain; or, if so chosen and it has died, started again.
void Engine::lose(std::size_t index, const std::string& why) {
    if (stopping_) return;
    ChainNode& node = *nodes_[index];
    std::string reason = why;
    bool died = false;
    if (const auto process = node.process()) {
        // A call that fails because the process dies returns before its end is noticed.
        died = process->wait(std::chrono::milliseconds{500});
        if (died) {
            reason = fmt::format("the plugin has ended with {}",
                                 describe_status(process->wait_status()));
            if (why.find("ended with") == std::string::npos) reason += fmt::format(" ({})", why);
            if (const std::string words = process->last_words(); !words.empty()) {
                reason += "; its last words: " + words.substr(words.rfind('\n') + 1);
            }
        }
    }
    {
        const Lock lock{mutex_};
        lost_[index] = true;
        health_[index] = {false, "null", reason};
    }
    options_.log(fmt::format("node {}: {}", index, reason));
    static_cast<void>(node.stop());
    if (!died || !options_.restart_plugin) return;

    options_.log(fmt::format("node {}: starting its plugin again", index));
    if (const auto started = node.start(top()); !started) {
        const Lock lock{mutex_};
        health_[index].error = started.error().message();
        options_.log(fmt::format("node {}: {}", index, health_[index].error));
        return;
    }
    const AcceptedBlock accepted = node.ledger().accepted().value();
    const Lock lock{mutex_};
    lost_[index] = false;
    health_[index] = {true, "null", {}};
    if (accepted.height > last_accepted_.height) last_accepted_ = accepted;
}

void Engine::stop() {
    if (stopping_.exchange(true)) return;
    // The engine's thread may be inside a call that never returns.
    std::jthread watchdog{[this](std::stop_token done) {
        Mutex alone;
        std::condition_variable_any never;
        const std::stop_callback wake{done, [&] { never.notify_all(); }};
        Lock lock{alone};
        const auto deadline = SteadyClock::now() + kStopLimit;
        while (!done.stop_requested() && SteadyClock::now() < deadline) {
            never.wait_for(lock, std::chrono::milliseconds{100});
        }
        if (done.stop_requested()) return;
        options_.log("a plugin does not stop in order: killing it");
        for (const auto& node : nodes_) node->kill();
    }};
    thread_.request_stop();
    {
        const Lock lock{mutex_};
        changed_.notify_all();
    }
    if (thread_.joinable()) thread_.join();
    {
        std::vector<std::jthread> stoppers;
        for (const auto& node : nodes_) {
            stoppers.emplace_back([this, &node] {
                if (const auto stopped = node->stop(); !stopped) {
                    options_.log(
                        fmt::format("node {}: {}", node->index(), stopped.error().message()));
                }
            });
        }
    }
}

AcceptedBlock Engine::last_accepted() const {
    const Lock lock{mutex_};
    return last_accepted_;
}

Page Engine::health(std::size_t index) const {
    const Lock lock{mutex_};
    const NodeHealth& health = health_[index];
    const bool healthy = health.healthy && nodes_[index]->bootstrapped();
    std::string body = fmt::format(
        "{{\"checks\":{{\"{}\":{{\"message\":{{\"engine\":{{\"height\":{}"
        ",\"lastAccepted\":\"{}\"}},\"vm\":{}}}",
        options_.chain.alias, last_accepted_.height, to_cb58(last_accepted_.id.view()),
        health.details);
    if (!health.error.empty()) {
        body += ",\"error\":";
        json::append_quoted(body, health.error);
    }
    body += fmt::format("}}}},\"healthy\":{}}}\n", healthy);
    return {healthy ? 200U : 503U, "application/json", std::move(body)};
}

}  // namespace blobvm::devnet
