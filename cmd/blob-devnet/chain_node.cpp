#include "cmd/blob-devnet/chain_node.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <utility>

#include "chain/base/cb58.hpp"
#include "proto/jsonrpc/json.hpp"

namespace blobvm::devnet {
namespace {

constexpr std::size_t kPublicKeySize = 48;  // a compressed BLS key; there is none here
constexpr std::size_t kMaxBlockBytes = 2 * 1024 * 1024 - 4 * 1024;
constexpr std::string_view kMetricsPrefix =
    "avalanche_kM6h4LYe3AcEU1MB2UNg6ubzAiDAALZzpVrbX8zn3hXF6Avd8_";
constexpr std::int64_t kMinTimestamp_s = -62'135'596'800;  // 0001-01-01
constexpr std::int64_t kMaxTimestamp_s = 253'402'300'799;  // 9999-12-31

std::string text_of(ByteView bytes) { return std::string{as_chars(bytes)}; }

Failure violation(std::string_view method, std::string_view what) {
    return fail(ErrorCode::kInvalidState, fmt::format("{} answered with {}", method, what));
}

Result<BlockId> block_id(std::string_view method, const std::string& bytes, std::string_view what) {
    if (bytes.size() != BlockId::kSize) {
        return violation(method, fmt::format("{} of {} bytes", what, bytes.size()));
    }
    return BlockId::from(as_bytes(bytes));
}

template <class Reply>
Result<std::int64_t> timestamp(std::string_view method, const Reply& reply) {
    if (!reply.has_timestamp()) return violation(method, "no timestamp");
    const auto& time = reply.timestamp();
    if (time.seconds() < kMinTimestamp_s || time.seconds() > kMaxTimestamp_s || time.nanos() < 0 ||
        time.nanos() >= 1'000'000'000) {
        return violation(method, "an invalid timestamp");
    }
    return time.seconds();
}

template <class Reply>
Result<BlockInfo> block_info(std::string_view method, const std::string& id,
                             const std::string& parent, const Reply& reply) {
    BlockInfo info;
    BLOBVM_TRY(info.id, block_id(method, id, "an ID"));
    BLOBVM_TRY(info.parent, block_id(method, parent, "a parent's ID"));
    BLOBVM_TRY(info.timestamp_s, timestamp(method, reply));
    info.height = reply.height();
    return info;
}

/// Private networks: every upgrade was active long ago, but the ones that are still to come.
void fill_upgrades(::vm::NetworkUpgrades& upgrades) {
    constexpr std::int64_t kInitially_s = 1'607'144'400;      // 2020-12-05T05:00:00Z
    constexpr std::int64_t kUnscheduled_s = 253'399'622'400;  // 9999-12-01T00:00:00Z
    for (auto* time :
         {upgrades.mutable_apricot_phase_1_time(), upgrades.mutable_apricot_phase_2_time(),
          upgrades.mutable_apricot_phase_3_time(), upgrades.mutable_apricot_phase_4_time(),
          upgrades.mutable_apricot_phase_5_time(), upgrades.mutable_apricot_phase_pre_6_time(),
          upgrades.mutable_apricot_phase_6_time(), upgrades.mutable_apricot_phase_post_6_time(),
          upgrades.mutable_banff_time(), upgrades.mutable_cortina_time(),
          upgrades.mutable_durango_time(), upgrades.mutable_etna_time(),
          upgrades.mutable_fortuna_time(), upgrades.mutable_granite_time()}) {
        time->set_seconds(kInitially_s);
    }
    upgrades.set_cortina_x_chain_stop_vertex_id(std::string(32, '\0'));
    upgrades.mutable_granite_epoch_duration()->set_seconds(30);
    upgrades.mutable_helicon_time()->set_seconds(kUnscheduled_s);
}

}  // namespace

ChainNode::ChainNode(Options options, const ChainDescription& chain, std::vector<NodeId> all,
                     Network& network)
    : options_{std::move(options)}, chain_{chain}, all_{std::move(all)}, network_{network} {}

ChainNode::~ChainNode() { static_cast<void>(stop()); }

Result<std::unique_ptr<ChainNode>> ChainNode::open(Options options, const ChainDescription& chain,
                                                   std::vector<NodeId> all, Network& network) {
    std::unique_ptr<ChainNode> node{
        new ChainNode{std::move(options), chain, std::move(all), network}};
    const Options& chosen = node->options_;
    BLOBVM_TRY(node->ledger_, Ledger::open({chosen.data_dir / "ledger.log", chain.chain,
                                            chosen.sync, chosen.roll_back}));
    if (node->ledger_->cut_bytes() > 0) {
        chosen.log(fmt::format("node {}: cut {} bytes of an unfinished write off the ledger",
                               chosen.index, node->ledger_->cut_bytes()));
    }
    BLOBVM_TRY(node->services_, NodeServices::start({chain.network_id, chain.chain, chain.subnet,
                                                     chosen.id, chain.alias, node->all_},
                                                    *node->ledger_, network));
    return node;
}

template <class Request, class Reply>
Result<Reply> ChainNode::call(std::string_view name,
                              grpc::Status (::vm::VM::Stub::*method)(grpc::ClientContext*,
                                                                     const Request&, Reply*),
                              const Request& request) {
    const std::shared_ptr<PluginProcess> plugin = process();
    if (plugin == nullptr) return fail(ErrorCode::kClosed, "the plugin does not run");
    PluginProcess::Context context{*plugin};
    Reply reply;
    const grpc::Status status = (plugin->vm().*method)(context.get(), request, &reply);
    if (!status.ok()) {
        return fail(plugin->alive() ? ErrorCode::kRpc : ErrorCode::kConnection,
                    fmt::format("{}: {}", name, status.error_message()));
    }
    return reply;
}

Result<void> ChainNode::start(std::uint64_t top) {
    auto started = run_startup(top);
    if (started) return {};
    std::string text = started.error().message();
    if (const auto plugin = process(); plugin != nullptr && !plugin->alive()) {
        text = fmt::format("{}; the plugin has ended with {}: {}", text,
                           describe_status(plugin->wait_status()), plugin->last_words());
    }
    static_cast<void>(stop());
    return fail(
        started.error().code == ErrorCode::kRpc ? ErrorCode::kInvalidState : started.error().code,
        std::move(text));
}

Result<void> ChainNode::run_startup(std::uint64_t top) {
    const int log =
        ::open(options_.log_file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (log < 0) {
        return fail(ErrorCode::kIo, fmt::format("cannot write {}", options_.log_file.string()));
    }
    const std::shared_ptr<const int> log_file{new int{log}, [](const int* file) {
                                                  ::close(*file);
                                                  delete file;
                                              }};
    PluginOptions plugin{.path = options_.plugin};
    plugin.on_output = [log_file](std::string_view piece) {
        // A full disk must not stop the plugin: its words are lost then.
        const ssize_t ignored = ::write(*log_file, piece.data(), piece.size());
        static_cast<void>(ignored);
    };
    plugin.on_exit = options_.on_death;
    BLOBVM_TRY(std::shared_ptr<PluginProcess> process, PluginProcess::start(std::move(plugin)));
    {
        const Lock lock{mutex_};
        process_ = process;
    }
    BLOBVM_TRY(const ::vm::VersionResponse version,
               call("Version", &::vm::VM::Stub::Version, google::protobuf::Empty{}));
    {
        const Lock lock{mutex_};
        version_ = version.version();
    }

    BLOBVM_TRY(const BlockInfo inner, initialize());
    network_.attach(options_.index, process);
    BLOBVM_TRY(create_handlers());
    BLOBVM_TRY(check_state_sync());
    {
        const Lock lock{mutex_};
        watch_ = std::make_shared<EventWatch>(process, options_.on_event);
    }
    BLOBVM_TRY(const BlockInfo last, set_state(::vm::STATE_BOOTSTRAPPING));
    if (last.id != inner.id) return violation("SetState", "another block than Initialize");
    BLOBVM_TRY(connect_all());
    BLOBVM_TRY(replay(inner.height, top));
    const AcceptedBlock accepted = ledger_->accepted().value();
    BLOBVM_TRY(set_preference(accepted.id));
    BLOBVM_TRY(const BlockInfo tip, set_state(::vm::STATE_NORMAL_OP));
    if (tip.id != accepted.id) return violation("SetState", "another block than the last accepted");
    {
        const Lock lock{mutex_};
        normal_ = true;
    }
    return {};
}

Result<BlockInfo> ChainNode::initialize() {
    const std::filesystem::path chain_data =
        options_.data_dir / "chainData" / to_cb58(chain_.chain.view());
    std::error_code error;
    std::filesystem::create_directories(chain_data, error);
    if (error) {
        return fail(ErrorCode::kIo,
                    fmt::format("cannot create {}: {}", chain_data.string(), error.message()));
    }
    ::vm::InitializeRequest request;
    request.set_network_id(chain_.network_id);
    request.set_subnet_id(text_of(chain_.subnet.view()));
    request.set_chain_id(text_of(chain_.chain.view()));
    request.set_node_id(text_of(options_.id.view()));
    request.set_public_key(std::string(kPublicKeySize, '\0'));
    request.set_x_chain_id(std::string(32, '\1'));
    request.set_c_chain_id(std::string(32, '\2'));
    request.set_avax_asset_id(std::string(32, '\3'));
    request.set_chain_data_dir(std::filesystem::absolute(chain_data, error).string());
    request.set_genesis_bytes(chain_.genesis);
    request.set_config_bytes(options_.chain_config);
    request.set_db_server_addr(services_->address());
    request.set_server_addr(services_->address());
    fill_upgrades(*request.mutable_network_upgrades());
    BLOBVM_TRY(const ::vm::InitializeResponse reply,
               call("Initialize", &::vm::VM::Stub::Initialize, request));
    BLOBVM_TRY(const BlockInfo inner, block_info("Initialize", reply.last_accepted_id(),
                                                 reply.last_accepted_parent_id(), reply));
    if (reply.bytes().empty()) return violation("Initialize", "a block without bytes");
    BLOBVM_TRY(repair(inner, as_bytes(reply.bytes())));
    return inner;
}

/// repairAcceptedChainByHeight (spec/rpcchainvm.md 3.13).
Result<void> ChainNode::repair(const BlockInfo& inner, ByteView bytes) {
    const std::optional<AcceptedBlock> outer = ledger_->accepted();
    if (!outer) return ledger_->accept({inner.height, inner.id}, bytes);
    if (inner.height > outer->height) {
        return fail(ErrorCode::kInvalidState,
                    fmt::format("proposervm height index ({}) should never be lower than the inner "
                                "height index ({})",
                                outer->height, inner.height));
    }
    const std::optional<BlockId> known = ledger_->id_at(inner.height);
    if (!known) {
        return fail(ErrorCode::kInvalidState,
                    fmt::format("the ledger has no entry at height {}", inner.height));
    }
    if (*known != inner.id) {  // a node does not notice
        return fail(ErrorCode::kInvalidState,
                    fmt::format("at height {} the plugin has block {}, the ledger {}", inner.height,
                                to_cb58(inner.id.view()), to_cb58(known->view())));
    }
    if (inner.height == outer->height) return {};
    options_.log(fmt::format("node {}: the plugin is at height {}, the ledger at {}: going back",
                             options_.index, inner.height, outer->height));
    return ledger_->go_back_to(inner.height);
}

Result<void> ChainNode::create_handlers() {
    BLOBVM_TRY(const ::vm::CreateHandlersResponse reply,
               call("CreateHandlers", &::vm::VM::Stub::CreateHandlers, google::protobuf::Empty{}));
    BLOBVM_TRY(const ::vm::NewHTTPHandlerResponse other,
               call("NewHTTPHandler", &::vm::VM::Stub::NewHTTPHandler, google::protobuf::Empty{}));
    Handlers handlers;
    for (const ::vm::Handler& handler : reply.handlers()) {
        if (!handler.prefix().empty() && !handler.prefix().starts_with('/')) {
            return violation("CreateHandlers", "the prefix \"" + handler.prefix() + "\"");
        }
        const std::shared_ptr<::http::HTTP::Stub> stub =
            ::http::HTTP::NewStub(dial(handler.server_addr()));
        for (const std::string& name : {to_cb58(chain_.chain.view()), chain_.alias}) {
            handlers.by_path.emplace_back(fmt::format("/ext/bc/{}{}", name, handler.prefix()),
                                          stub);
        }
    }
    if (!other.server_addr().empty()) {
        handlers.by_header = ::http::HTTP::NewStub(dial(other.server_addr()));
    }
    const Lock lock{mutex_};
    handlers_ = std::move(handlers);
    return {};
}

Result<void> ChainNode::check_state_sync() {
    BLOBVM_TRY(
        const ::vm::StateSyncEnabledResponse reply,
        call("StateSyncEnabled", &::vm::VM::Stub::StateSyncEnabled, google::protobuf::Empty{}));
    if (reply.err() != ::vm::ERROR_UNSPECIFIED &&
        reply.err() != ::vm::ERROR_STATE_SYNC_NOT_IMPLEMENTED) {
        return violation("StateSyncEnabled", fmt::format("error {}", int{reply.err()}));
    }
    return {};  // if it is enabled, there is nobody to sync from: bootstrapping
}

Result<BlockInfo> ChainNode::set_state(::vm::State state) {
    ::vm::SetStateRequest request;
    request.set_state(state);
    BLOBVM_TRY(const ::vm::SetStateResponse reply,
               call("SetState", &::vm::VM::Stub::SetState, request));
    BLOBVM_TRY(const BlockInfo info, block_info("SetState", reply.last_accepted_id(),
                                                reply.last_accepted_parent_id(), reply));
    trigger();
    return info;
}

Result<void> ChainNode::connect_all() {
    std::vector<NodeId> order{options_.id};
    for (const NodeId& node : all_) {
        if (node != options_.id) order.push_back(node);
    }
    for (const NodeId& node : order) {
        ::vm::ConnectedRequest request;
        request.set_node_id(text_of(node.view()));
        request.set_name("avalanchego");
        request.set_major(1);
        request.set_minor(14);
        request.set_patch(2);
        BLOBVM_TRY(call("Connected", &::vm::VM::Stub::Connected, request));
    }
    return {};
}

Result<void> ChainNode::replay(std::uint64_t from, std::uint64_t top) {
    for (std::uint64_t height = from + 1; height <= top; ++height) {
        const std::optional<Bytes> bytes = options_.peer_block(height);
        if (!bytes) {
            return fail(ErrorCode::kNotFound, fmt::format("no node has block {}", height));
        }
        BLOBVM_TRY(const BlockInfo block, parse(*bytes));
        if (block.height != height) {
            return violation("ParseBlock", fmt::format("height {}", block.height));
        }
        BLOBVM_TRY(verify(*bytes, 1));
        BLOBVM_TRY(accept(block, *bytes));
    }
    if (top > from) {
        options_.log(
            fmt::format("node {}: replayed blocks {} to {}", options_.index, from + 1, top));
    }
    return {};
}

Result<BlockInfo> ChainNode::parse(ByteView bytes) {
    ::vm::ParseBlockRequest request;
    request.set_bytes(bytes.data(), bytes.size());
    BLOBVM_TRY(const ::vm::ParseBlockResponse reply,
               call("ParseBlock", &::vm::VM::Stub::ParseBlock, request));
    return block_info("ParseBlock", reply.id(), reply.parent_id(), reply);
}

Result<BuiltBlock> ChainNode::build(std::optional<std::uint64_t> p_chain_height) {
    ::vm::BuildBlockRequest request;
    if (p_chain_height) request.set_p_chain_height(*p_chain_height);
    auto called = call("BuildBlock", &::vm::VM::Stub::BuildBlock, request);
    trigger();
    BLOBVM_TRY(const ::vm::BuildBlockResponse reply, std::move(called));
    BuiltBlock block;
    BLOBVM_TRY(block.info, block_info("BuildBlock", reply.id(), reply.parent_id(), reply));
    block.bytes = to_bytes(as_bytes(reply.bytes()));
    if (block.bytes.empty()) return violation("BuildBlock", "a block without bytes");
    if (block.bytes.size() > kMaxBlockBytes) {
        return violation("BuildBlock", fmt::format("a block of {} bytes, which no peer could be "
                                                   "sent (limit {})",
                                                   block.bytes.size(), kMaxBlockBytes));
    }
    return block;
}

Result<void> ChainNode::verify(ByteView bytes, std::optional<std::uint64_t> p_chain_height) {
    ::vm::BlockVerifyRequest request;
    request.set_bytes(bytes.data(), bytes.size());
    if (p_chain_height) request.set_p_chain_height(*p_chain_height);
    BLOBVM_TRY(const ::vm::BlockVerifyResponse reply,
               call("BlockVerify", &::vm::VM::Stub::BlockVerify, request));
    BLOBVM_TRY(timestamp("BlockVerify", reply));
    return {};
}

Result<void> ChainNode::set_preference(const BlockId& id) {
    ::vm::SetPreferenceRequest request;
    request.set_id(text_of(id.view()));
    BLOBVM_TRY(call("SetPreference", &::vm::VM::Stub::SetPreference, request));
    trigger();
    return {};
}

Result<void> ChainNode::accept(const BlockInfo& block, ByteView bytes) {
    BLOBVM_TRY(ledger_->accept({block.height, block.id}, bytes));
    ::vm::BlockAcceptRequest request;
    request.set_id(text_of(block.id.view()));
    BLOBVM_TRY(call("BlockAccept", &::vm::VM::Stub::BlockAccept, request));
    return {};
}

Result<std::string> ChainNode::health() {
    BLOBVM_TRY(const ::vm::HealthResponse reply,
               call("Health", &::vm::VM::Stub::Health, google::protobuf::Empty{}));
    if (!json::Document::parse(reply.details())) {
        return violation("Health", "details that are not JSON");
    }
    return reply.details();
}

Result<void> ChainNode::stop() {
    network_.attach(options_.index, nullptr);
    std::shared_ptr<EventWatch> watch;
    std::shared_ptr<PluginProcess> plugin;
    {
        const Lock lock{mutex_};
        normal_ = false;
        handlers_ = {};
        watch = std::exchange(watch_, nullptr);
        plugin = std::exchange(process_, nullptr);
    }
    watch.reset();
    if (plugin == nullptr) return {};
    return plugin->stop();
}

void ChainNode::kill() {
    if (const auto plugin = process()) plugin->kill();
}

void ChainNode::trigger() {
    if (const auto running = watch()) running->trigger();
}

std::shared_ptr<EventWatch> ChainNode::watch() const {
    const Lock lock{mutex_};
    return watch_;
}

std::shared_ptr<PluginProcess> ChainNode::process() const {
    const Lock lock{mutex_};
    return process_;
}

std::string ChainNode::plugin_version() const {
    const Lock lock{mutex_};
    return version_;
}

bool ChainNode::bootstrapped() const {
    const Lock lock{mutex_};
    return normal_ && process_ != nullptr && process_->alive();
}

std::uint64_t ChainNode::generation() const {
    const auto running = watch();
    return running == nullptr ? 0 : running->generation();
}

Route ChainNode::route(std::string_view path, std::string_view api_route) const {
    const bool ready = bootstrapped();
    const std::string chain_id = to_cb58(chain_.chain.view());
    const Lock lock{mutex_};
    if (!api_route.empty()) {
        if (api_route != chain_id || (ready && handlers_.by_header == nullptr)) return {};
        if (!ready) return {Route::Kind::kNotReady};
        return {Route::Kind::kHandler, handlers_.by_header};
    }
    if (!ready) {
        const bool ours = path.starts_with("/ext/bc/" + chain_id + "/") ||
                          path.starts_with("/ext/bc/" + chain_.alias + "/");
        return {ours ? Route::Kind::kNotReady : Route::Kind::kUnknown};
    }
    for (const auto& [known, stub] : handlers_.by_path) {
        if (known == path) return {Route::Kind::kHandler, stub};
    }
    return {};
}

Page ChainNode::metrics() const {
    const auto plugin = process();
    if (plugin == nullptr) return {503, "text/plain; charset=utf-8", "the plugin does not run\n"};
    PluginProcess::Context context{*plugin};
    context.get()->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds{10});
    ::vm::GatherResponse reply;
    const grpc::Status status = plugin->vm().Gather(context.get(), {}, &reply);
    if (!status.ok()) return {500, "text/plain; charset=utf-8", status.error_message() + "\n"};
    const auto text = metrics_text(reply, kMetricsPrefix, chain_.alias);
    if (!text) return {500, "text/plain; charset=utf-8", text.error().message() + "\n"};
    return {200, "text/plain; version=0.0.4; charset=utf-8", *text};
}

Result<std::string> probe(const std::filesystem::path& plugin,
                          std::function<void(std::string_view)> on_output) {
    PluginOptions options{.path = plugin};
    options.on_output = std::move(on_output);
    BLOBVM_TRY(const auto process, PluginProcess::start(std::move(options)));
    ::vm::VersionResponse reply;
    grpc::Status status;
    {
        PluginProcess::Context context{*process};
        status = process->vm().Version(context.get(), {}, &reply);
    }
    if (!status.ok()) {
        return fail(ErrorCode::kRpc, fmt::format("Version: {}", status.error_message()));
    }
    BLOBVM_TRY(process->stop(std::chrono::seconds{10}));
    return reply.version();
}

}  // namespace blobvm::devnet
