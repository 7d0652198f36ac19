#include "cmd/blob-devnet/network.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <set>
#include <utility>

namespace blobvm::devnet {
namespace {

constexpr std::size_t kMaxInboxMessages = 1'024;
constexpr std::size_t kMaxInboxBytes = 64 * 1024 * 1024;
constexpr auto kRequestTimeout = std::chrono::seconds{10};
constexpr std::int32_t kTimedOut = -1;

std::string text_of(ByteView bytes) { return std::string{as_chars(bytes)}; }

}  // namespace

Network::Network(std::vector<NodeId> nodes, Failed failed)
    : nodes_{std::move(nodes)}, failed_{std::move(failed)} {
    {
        const Lock lock{mutex_};
        inboxes_.resize(nodes_.size());
    }
    for (std::size_t node = 0; node < nodes_.size(); ++node) {
        threads_.emplace_back([this, node](std::stop_token stop) { run(node, std::move(stop)); });
    }
}

Network::~Network() {
    for (std::jthread& thread : threads_) thread.request_stop();
    {
        const Lock lock{mutex_};
        changed_.notify_all();
    }
    threads_.clear();
}

void Network::attach(std::size_t node, std::shared_ptr<PluginProcess> process) {
    const Lock lock{mutex_};
    inboxes_[node] = {{}, 0, std::move(process)};
}

std::size_t Network::index_of(const NodeId& node) const {
    return static_cast<std::size_t>(std::find(nodes_.begin(), nodes_.end(), node) - nodes_.begin());
}

void Network::put(std::size_t node, Message message) {
    if (node >= inboxes_.size() || inboxes_[node].process == nullptr ||
        inboxes_[node].messages.size() >= kMaxInboxMessages ||
        inboxes_[node].bytes + message.payload->size() > kMaxInboxBytes) {
        ++dropped_;
        return;
    }
    inboxes_[node].bytes += message.payload->size();
    inboxes_[node].messages.push_back(std::move(message));
    changed_.notify_all();
}

void Network::gossip(const NodeId& from, Audience to, std::string message) {
    std::set<std::size_t> chosen;
    for (const NodeId& node : to.nodes) chosen.insert(index_of(node));
    std::vector<std::size_t> others;  // each of them a validator
    for (std::size_t node = 0; node < nodes_.size(); ++node) {
        if (nodes_[node] != from) others.push_back(node);
    }
    static thread_local std::mt19937_64 random{std::random_device{}()};
    for (const std::uint64_t count : {to.validators, to.peers}) {
        std::sample(others.begin(), others.end(), std::inserter(chosen, chosen.end()),
                    std::min<std::uint64_t>(count, others.size()), random);
    }
    const auto payload = std::make_shared<const std::string>(std::move(message));
    const Lock lock{mutex_};
    for (const std::size_t node : chosen) {
        put(node, {Message::Kind::kGossip, from, 0, 0, payload});
    }
}

void Network::request(const NodeId& from, const NodeId& to, std::uint32_t id, std::string message) {
    const Lock lock{mutex_};
    pending_[{from, to, id}] = Clock::now() + kRequestTimeout;
    put(index_of(to), {Message::Kind::kRequest, from, id, 0,
                       std::make_shared<const std::string>(std::move(message))});
}

void Network::response(const NodeId& from, const NodeId& to, std::uint32_t id,
                       std::string message) {
    const Lock lock{mutex_};
    if (pending_.erase({to, from, id}) == 0) return;  // too late, or never asked for
    put(index_of(to), {Message::Kind::kResponse, from, id, 0,
                       std::make_shared<const std::string>(std::move(message))});
}

void Network::error(const NodeId& from, const NodeId& to, std::uint32_t id, std::int32_t code,
                    std::string message) {
    const Lock lock{mutex_};
    if (pending_.erase({to, from, id}) == 0) return;
    put(index_of(to), {Message::Kind::kFailed, from, id, code,
                       std::make_shared<const std::string>(std::move(message))});
}

void Network::expire() {
    const auto now = Clock::now();
    for (auto at = pending_.begin(); at != pending_.end();) {
        if (at->second > now) {
            ++at;
            continue;
        }
        const auto [requester, responder, id] = at->first;
        at = pending_.erase(at);
        put(index_of(requester), {Message::Kind::kFailed, responder, id, kTimedOut,
                                  std::make_shared<const std::string>("timed out")});
    }
}

void Network::run(std::size_t node, std::stop_token stop) {
    while (!stop.stop_requested()) {
        Message message{};
        std::shared_ptr<PluginProcess> process;
        {
            Lock lock{mutex_};
            expire();
            Inbox& inbox = inboxes_[node];
            if (inbox.messages.empty()) {
                if (!stop.stop_requested()) changed_.wait_for(lock, std::chrono::milliseconds{500});
                continue;
            }
            message = std::move(inbox.messages.front());
            inbox.messages.pop_front();
            inbox.bytes -= message.payload->size();
            process = inbox.process;
        }
        const grpc::Status status = call(*process, message);
        if (!status.ok() && process->alive()) {
            failed_(node,
                    {ErrorCode::kRpc, fmt::format("app message: {}", status.error_message())});
        }
    }
}

grpc::Status Network::call(PluginProcess& process, const Message& message) {
    PluginProcess::Context context{process};
    google::protobuf::Empty reply;
    const std::string from = text_of(message.from.view());
    switch (message.kind) {
        case Message::Kind::kGossip: {
            ::vm::AppGossipMsg out;
            out.set_node_id(from);
            out.set_msg(*message.payload);
            return process.vm().AppGossip(context.get(), out, &reply);
        }
        case Message::Kind::kRequest: {
            ::vm::AppRequestMsg out;
            out.set_node_id(from);
            out.set_request_id(message.id);
            const auto deadline = std::chrono::system_clock::now() + kRequestTimeout;
            out.mutable_deadline()->set_seconds(
                std::chrono::duration_cast<std::chrono::seconds>(deadline.time_since_epoch())
                    .count());
            out.set_request(*message.payload);
            return process.vm().AppRequest(context.get(), out, &reply);
        }
        case Message::Kind::kResponse: {
            ::vm::AppResponseMsg out;
            out.set_node_id(from);
            out.set_request_id(message.id);
            out.set_response(*message.payload);
            return process.vm().AppResponse(context.get(), out, &reply);
        }
        case Message::Kind::kFailed: {
            ::vm::AppRequestFailedMsg out;
            out.set_node_id(from);
            out.set_request_id(message.id);
            out.set_error_code(message.code);
            out.set_error_message(*message.payload);
            return process.vm().AppRequestFailed(context.get(), out, &reply);
        }
    }
    return grpc::Status::OK;
}

}  // namespace blobvm::devnet
