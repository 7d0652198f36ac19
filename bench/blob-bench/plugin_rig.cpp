#include "bench/blob-bench/plugin_rig.hpp"

#include <fmt/format.h>

#include <utility>

#include "bench/blob-bench/child.hpp"
#include "chain/base/base64.hpp"
#include "proto/jsonrpc/genesis.hpp"

namespace blobvm::bench {
namespace {

constexpr std::int64_t kLookback_s = 120;  ///< a round, and the signing before it
constexpr std::string_view kPath = "/ext/bc/blobvm/public";

NodeId own_id() {
    NodeId id;
    id.bytes.fill(std::byte{1});
    return id;
}

}  // namespace

PluginRig::PluginRig(const Options& options, const Accounts& accounts)
    : accounts_{accounts},
      shape_{options.shape},
      genesis_{accounts.genesis(options.shape, options.per_block)},
      signers_{cores(), 1} {
    genesis_.lookback_window_s = kLookback_s;
    description_.chain.bytes.fill(std::byte{7});
    description_.subnet.bytes.fill(std::byte{8});
    description_.genesis = jsonrpc::write_genesis(genesis_);
    network_ = std::make_unique<devnet::Network>(
        std::vector{own_id()}, [](std::size_t, const Error& error) { give_up(error.message()); });

    devnet::ChainNode::Options node;
    node.id = own_id();
    node.plugin = program_beside("blobvm");
    node.data_dir = folder_.path();
    node.log_file = folder_.path() / "plugin.log";
    node.chain_config = fmt::format(
        R"({{"buildInterval":0,"mempoolSize":{},"mempoolBytes":{},"logLevel":"error"}})",
        options.mempool_size, options.mempool_bytes);
    node.peer_block = [](std::uint64_t) { return std::nullopt; };
    node.on_death = [](std::string_view how) {
        if (how != "exit code 0") give_up("the plugin has ended with " + std::string{how});
    };
    node.on_event = [](::vm::Message, std::uint64_t) {};  // blocks are made as fast as it goes
    node.log = [](const std::string&) {};
    node_ = must(
        devnet::ChainNode::open(std::move(node), description_, std::vector{own_id()}, *network_));
    must(node_->start(0));
    handler_ = node_->route(kPath, "").handler;
    if (handler_ == nullptr) give_up("the plugin has no handler");

    devnet::HttpSite site;
    site.node_id = [] { return std::string{"NodeID-bench"}; };
    site.route = [this](std::string_view path, std::string_view api_route) {
        return node_->route(path, api_route);
    };
    const auto nothing = [] { return devnet::Page{404, "text/plain", ""}; };
    site.health = nothing;
    site.metrics = nothing;
    site.info = [nothing](std::string_view) { return nothing(); };
    server_ = must(devnet::HttpServer::start(0, std::move(site)));
    client::HttpOptions http;
    http.endpoint = fmt::format("http://127.0.0.1:{}{}", server_->port(), kPath);
    http.connections = 64;
    transport_ = std::make_unique<client::detail::HttpTransport>(
        must(client::detail::parse_endpoint(http.endpoint)), http);
    start_window();
}

PluginRig::~PluginRig() {
    transport_.reset();
    server_.reset();
    handler_.reset();
    must(node_->stop());
}

int PluginRig::pid() const { return node_->process()->pid(); }

Load PluginRig::load(std::size_t count, const Shape& shape) {
    const Load::Options options{.shape = shape,
                                .count = count,
                                .first = next_number_,
                                .magic = genesis_.magic,
                                .block = node_->ledger().accepted()->id};
    next_number_ += count;
    return Load{options, accounts_, signers_};
}

std::string PluginRig::call(std::string body) {
    ::http::HandleSimpleHTTPRequest request;
    request.set_method("POST");
    request.set_url(std::string{kPath});
    auto& type = *request.add_request_headers();
    type.set_key("Content-Type");
    type.add_values("application/json");
    request.set_body(std::move(body));
    ::http::HandleSimpleHTTPResponse response;
    grpc::ClientContext context;
    const grpc::Status status = handler_->HandleSimple(&context, request, &response);
    if (!status.ok()) give_up("HandleSimple: " + status.error_message());
    if (response.code() != 200) give_up(fmt::format("the plugin answered {}", response.code()));
    return std::move(*response.mutable_body());
}

std::string PluginRig::post(std::string body) { return must(transport_->post(std::move(body))); }

PluginRig::Made PluginRig::make_block() {
    // Blocks 1 and 2 come before a wrapper has a height to tell.
    const std::uint64_t height = node_->ledger().accepted()->height + 1;
    const std::optional<std::uint64_t> p_chain_height =
        height <= 2 ? std::nullopt : std::optional<std::uint64_t>{1};
    Made made{};
    const auto begin = SteadyClock::now();
    devnet::BuiltBlock block = must(node_->build(p_chain_height));
    made.build_s = seconds_since(begin);
    must(node_->verify(block.bytes, p_chain_height));
    must(node_->set_preference(block.info.id));
    made.verify_s = seconds_since(begin) - made.build_s;
    must(node_->accept(block.info, block.bytes));
    made.accept_s = seconds_since(begin) - made.build_s - made.verify_s;
    made.bytes = std::move(block.bytes);
    return made;
}

void PluginRig::start_window() {
    const Load one = load(1, Shape{.value_bytes = 0});
    check_issued(call(issue_body(one, 0, 1)));
    make_block();
}

std::string issue_body(const Load& load, std::size_t begin, std::size_t end) {
    std::string body;
    const bool batch = end - begin > 1;
    if (batch) body += '[';
    for (std::size_t i = begin; i < end; ++i) {
        if (i > begin) body += ',';
        body += R"({"jsonrpc":"2.0","id":1,"method":"blobvm.issueRawTx","params":{"tx":")";
        append_base64(body, load.bytes(i));
        body += "\"}}";
    }
    if (batch) body += ']';
    return body;
}

void check_issued(const std::string& answer) {
    const std::size_t at = answer.find("\"error\"");
    if (at != std::string::npos) give_up("a transaction was refused: " + answer.substr(at, 200));
}

}  // namespace blobvm::bench
