#include "vm/plugin/vm_service.hpp"

#include <fmt/format.h>

#include <chrono>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

#include "vm/log.hpp"
#include "vm/plugin/gather.hpp"
#include "vm/plugin/identity.hpp"
#include "vm/plugin/status.hpp"

namespace blobvm::vm::plugin {
namespace {

using grpc::Status;
using grpc::StatusCode;
using Reactor = grpc::ServerUnaryReactor;

Reactor* answer(grpc::CallbackServerContext* context, Status status = Status::OK) {
    Reactor* reactor = context->DefaultReactor();
    reactor->Finish(std::move(status));
    return reactor;
}

Status not_initialized() { return {StatusCode::FAILED_PRECONDITION, "not initialized"}; }

Status bad_id(const char* what, const std::string& field) {
    return {StatusCode::INVALID_ARGUMENT, fmt::format("{} of {} bytes", what, field.size())};
}

Status bad_timestamp(std::int64_t seconds) {
    return {StatusCode::INVALID_ARGUMENT, fmt::format("timestamp out of range: {}", seconds)};
}

/// An error that the node answers by stopping the chain: the operator should find it here too.
Status fatal(const char* what, const Error& error) {
    log::error(what, error.message());
    return to_status(error);
}

/// InitializeResponse and SetStateResponse.
template <class Response>
void fill_last_accepted(const BlockInfo& block, Response& response) {
    response.set_last_accepted_id(to_field(block.id));
    response.set_last_accepted_parent_id(to_field(block.parent));
    response.set_height(block.height);
    response.set_bytes(block.bytes.view().data(), block.bytes.size());
    set_timestamp(*response.mutable_timestamp(), block.timestamp_s);
}

/// ParseBlockResponse and BuildBlockResponse.
template <class Response>
Status fill_block(const chain::Block& block, Response& response) {
    if (!is_valid_timestamp(block.header.timestamp_s)) {
        return bad_timestamp(block.header.timestamp_s);
    }
    response.set_id(to_field(block.id));
    response.set_parent_id(to_field(block.header.parent));
    response.set_height(block.header.height);
    set_timestamp(*response.mutable_timestamp(), block.header.timestamp_s);
    return Status::OK;
}

std::optional<EngineState> engine_state(::vm::State state) {
    switch (state) {
        case ::vm::STATE_STATE_SYNCING:
            return EngineState::kStateSyncing;
        case ::vm::STATE_BOOTSTRAPPING:
            return EngineState::kBootstrapping;
        case ::vm::STATE_NORMAL_OP:
            return EngineState::kNormalOp;
        default:
            return std::nullopt;  // any number can be on the wire
    }
}

Result<ChainSetup> read_setup(const ::vm::InitializeRequest& request) {
    const auto subnet_id = read_id<SubnetId>(request.subnet_id());
    const auto chain_id = read_id<ChainId>(request.chain_id());
    const auto node_id = read_id<NodeId>(request.node_id());
    if (!subnet_id || !chain_id || !node_id) {
        return fail(ErrorCode::kInvalidState,
                    fmt::format("ids of {}, {} and {} bytes for subnet, chain and node",
                                request.subnet_id().size(), request.chain_id().size(),
                                request.node_id().size()));
    }
    if (request.chain_data_dir().empty()) {
        return fail(ErrorCode::kInvalidState, "no folder for the chain's data");
    }
    if (!request.upgrade_bytes().empty()) {
        log::warn("upgrade file ignored", "this VM knows no upgrades");
    }
    return ChainSetup{.network_id = request.network_id(),
                      .subnet_id = *subnet_id,
                      .chain_id = *chain_id,
                      .node_id = *node_id,
                      .chain_data_dir = request.chain_data_dir(),
                      .genesis_json = request.genesis_bytes(),
                      .config_json = request.config_bytes()};
}

}  // namespace

/// One WaitForEvent: parked at the build loop, ended by its answer or by the node. It owns itself
/// until gRPC is done with it; the build loop's callback keeps it a little longer if need be.
class VmService::EventWaiter final : public grpc::ServerUnaryReactor {
  public:
    static Reactor* start(BuildLoop& loop, ::vm::WaitForEventResponse& response) {
        auto waiter = std::shared_ptr<EventWaiter>{new EventWaiter{loop, response}};
        waiter->self_ = waiter;
        waiter->id_.store(loop.wait([waiter](bool build) { waiter->answer(build); }));
        return waiter.get();
    }

    // Only after start() has returned.
    void OnCancel() override {
        const BuildLoop::WaiterId id = id_.load();
        loop_.cancel(id);
        finish(Status::CANCELLED);
    }
    void OnDone() override { const auto last = std::move(self_); }

  private:
    EventWaiter(BuildLoop& loop, ::vm::WaitForEventResponse& response)
        : loop_{loop}, response_{response} {}

    void answer(bool build) {
        if (!build) return finish({StatusCode::CANCELLED, "the chain is stopping"});
        if (finished_.exchange(true)) return;
        response_.set_message(::vm::MESSAGE_BUILD_BLOCK);
        Finish(Status::OK);
    }

    void finish(Status status) {
        if (!finished_.exchange(true)) Finish(std::move(status));
    }

    BuildLoop& loop_;
    ::vm::WaitForEventResponse& response_;
    std::atomic<BuildLoop::WaiterId> id_{0};  ///< whoever reads it sees all that start() did
    std::atomic<bool> finished_{false};
    std::shared_ptr<EventWaiter> self_;
};

template <class Work>
Reactor* VmService::in_turn(Context* context, Work work) {
    Reactor* reactor = context->DefaultReactor();
    const bool taken = consensus_.post([reactor, work = std::move(work)] {
        Status status;
        try {
            status = work();
        } catch (const std::exception& exception) {
            log::error("unexpected exception", exception.what());
            status = {StatusCode::INTERNAL, exception.what()};
        }
        reactor->Finish(std::move(status));
    });
    if (!taken) reactor->Finish({StatusCode::UNAVAILABLE, "the plugin is stopping"});
    return reactor;
}

template <class Work>
Reactor* VmService::in_turn_with_node(Context* context, Work work) {
    return in_turn(context, [this, work = std::move(work)] {
        if (host_.closed()) return to_status({ErrorCode::kClosed, {}});
        ChainHost::Chain* chain = host_.running();
        return chain == nullptr ? not_initialized() : work(*chain->node);
    });
}

template <class Response, class Work>
Reactor* VmService::in_turn_with_err(Context* context, Response* response, Work work) {
    return in_turn(context, [this, response, work = std::move(work)] {
        if (host_.closed()) {
            response->set_err(::vm::ERROR_CLOSED);
            return Status::OK;
        }
        ChainHost::Chain* chain = host_.running();
        if (chain == nullptr) return not_initialized();
        const Result<void> result = work(*chain->node);
        if (result) return Status::OK;
        switch (result.error().code) {
            case ErrorCode::kNotFound:
                response->set_err(::vm::ERROR_NOT_FOUND);
                return Status::OK;
            case ErrorCode::kClosed:
                response->set_err(::vm::ERROR_CLOSED);
                return Status::OK;
            default:
                return to_status(result.error());
        }
    });
}

// --- life ---

Reactor* VmService::Initialize(Context* context, const ::vm::InitializeRequest* request,
                               ::vm::InitializeResponse* response) {
    return in_turn(context, [this, request, response] {
        const auto setup = read_setup(*request);
        if (!setup) return fatal("initialize failed", setup.error());
        const auto opened = host_.open(*setup, request->db_server_addr(), request->server_addr());
        if (!opened) return fatal("initialize failed", opened.error());
        const BlockInfo last = host_.running()->node->vm().last_accepted();
        log::info("initialized", fmt::format("height {}", last.height));
        fill_last_accepted(last, *response);
        return Status::OK;
    });
}

Reactor* VmService::SetState(Context* context, const ::vm::SetStateRequest* request,
                             ::vm::SetStateResponse* response) {
    return in_turn_with_node(context, [request, response](Node& node) {
        const auto state = engine_state(request->state());
        if (!state) {
            return Status{StatusCode::INVALID_ARGUMENT,
                          fmt::format("unknown state {}", static_cast<int>(request->state()))};
        }
        const auto set = node.vm().set_state(*state);
        if (!set) return fatal("set state failed", set.error());
        log::info("state changed", ::vm::State_Name(request->state()));
        fill_last_accepted(node.vm().last_accepted(), *response);
        return Status::OK;
    });
}

Reactor* VmService::Shutdown(Context* context, const Empty*, Empty*) {
    return in_turn(context, [this] {
        host_.close();
        if (!shut_down_.exchange(true)) log::info("shut down");
        return Status::OK;
    });
}

Reactor* VmService::CreateHandlers(Context* context, const Empty*,
                                   ::vm::CreateHandlersResponse* response) {
    return in_turn_with_node(context, [this, response](Node&) {
        ::vm::Handler& handler = *response->add_handlers();
        handler.set_prefix("/public");
        handler.set_server_addr(http_address_);
        return Status::OK;
    });
}

Reactor* VmService::NewHTTPHandler(Context* context, const Empty*, ::vm::NewHTTPHandlerResponse*) {
    return answer(context);  // an empty address: none
}

Reactor* VmService::WaitForEvent(Context* context, const Empty*,
                                 ::vm::WaitForEventResponse* response) {
    ChainHost::Chain* chain = host_.running();
    if (chain == nullptr) return answer(context, not_initialized());
    return EventWaiter::start(chain->node->build_loop(), *response);
}

Reactor* VmService::Connected(Context* context, const ::vm::ConnectedRequest*, Empty*) {
    return answer(context);
}

Reactor* VmService::Disconnected(Context* context, const ::vm::DisconnectedRequest*, Empty*) {
    return answer(context);
}

Reactor* VmService::Health(Context* context, const Empty*, ::vm::HealthResponse* response) {
    ChainHost::Chain* chain = host_.running();
    if (chain == nullptr) {
        return answer(context,
                      host_.closed() ? to_status({ErrorCode::kClosed, {}}) : not_initialized());
    }
    auto health = chain->node->health();
    if (!health) return answer(context, to_status(health.error()));
    response->set_details(*std::move(health));
    return answer(context);
}

Reactor* VmService::Version(Context* context, const Empty*, ::vm::VersionResponse* response) {
    response->set_version(version());
    return answer(context);
}

Reactor* VmService::Gather(Context* context, const Empty*, ::vm::GatherResponse* response) {
    ChainHost::Chain* chain = host_.running();
    if (chain == nullptr) return answer(context);
    chain->node->metrics().log_lines_dropped.add(log::take_dropped());
    std::vector<Sample> samples = chain->node->samples();
    samples.push_back(open_files());
    const std::size_t left_out = fill(samples, *response);
    if (left_out > 0) log::error("metrics left out", fmt::format("{} break the rules", left_out));
    return answer(context);
}

// --- blocks ---

Reactor* VmService::BuildBlock(Context* context, const ::vm::BuildBlockRequest*,
                               ::vm::BuildBlockResponse* response) {
    return in_turn_with_node(context, [response](Node& node) {
        const auto block = node.build_block();
        if (!block) return to_status(block.error());
        response->set_bytes((*block)->bytes.view().data(), (*block)->bytes.size());
        return fill_block(**block, *response);
    });
}

Reactor* VmService::ParseBlock(Context* context, const ::vm::ParseBlockRequest* request,
                               ::vm::ParseBlockResponse* response) {
    return in_turn_with_node(context, [request, response](Node& node) {
        const auto block = node.vm().parse_block(take(request->bytes()));
        return block ? fill_block(**block, *response) : to_status(block.error());
    });
}

Reactor* VmService::BatchedParseBlock(Context* context,
                                      const ::vm::BatchedParseBlockRequest* request,
                                      ::vm::BatchedParseBlockResponse* response) {
    return in_turn_with_node(context, [request, response](Node& node) {
        std::vector<SharedBytes> bytes;
        for (const std::string& block : request->request()) bytes.push_back(take(block));
        const auto blocks = node.vm().parse_blocks(std::move(bytes));
        if (!blocks) return to_status(blocks.error());
        for (const chain::BlockPtr& block : *blocks) {
            if (Status status = fill_block(*block, *response->add_response()); !status.ok()) {
                return status;
            }
        }
        return Status::OK;
    });
}

Reactor* VmService::GetBlock(Context* context, const ::vm::GetBlockRequest* request,
                             ::vm::GetBlockResponse* response) {
    const auto id = read_id<BlockId>(request->id());
    if (!id) return answer(context, bad_id("block id", request->id()));
    return in_turn_with_err(context, response, [response, id = *id](Node& node) -> Result<void> {
        BLOBVM_TRY(const BlockInfo block, node.vm().get_block(id));
        response->set_parent_id(to_field(block.parent));
        response->set_bytes(block.bytes.view().data(), block.bytes.size());
        response->set_height(block.height);
        set_timestamp(*response->mutable_timestamp(), block.timestamp_s);
        return {};
    });
}

Reactor* VmService::GetBlockIDAtHeight(Context* context,
                                       const ::vm::GetBlockIDAtHeightRequest* request,
                                       ::vm::GetBlockIDAtHeightResponse* response) {
    return in_turn_with_err(context, response, [request, response](Node& node) -> Result<void> {
        BLOBVM_TRY(const BlockId id, node.vm().block_id_at(request->height()));
        response->set_blk_id(to_field(id));
        return {};
    });
}

Reactor* VmService::GetAncestors(Context* context, const ::vm::GetAncestorsRequest* request,
                                 ::vm::GetAncestorsResponse* response) {
    const auto id = read_id<BlockId>(request->blk_id());
    if (!id) return answer(context, bad_id("block id", request->blk_id()));
    return in_turn_with_node(context, [request, response, id = *id](Node& node) {
        const auto blocks =
            node.vm().ancestors(id, request->max_blocks_num(), request->max_blocks_size(),
                                std::chrono::nanoseconds{request->max_blocks_retrival_time()});
        if (!blocks) return to_status(blocks.error());
        for (const SharedBytes& block : *blocks) {
            response->add_blks_bytes(block.view().data(), block.size());
        }
        return Status::OK;
    });
}

Reactor* VmService::SetPreference(Context* context, const ::vm::SetPreferenceRequest* request,
                                  Empty*) {
    // An error would stop the chain, for what at worst is a build that fails.
    const auto id = read_id<BlockId>(request->id());
    if (!id) {
        log::error("preference ignored", fmt::format("id of {} bytes", request->id().size()));
        return answer(context);
    }
    return in_turn_with_node(context, [id = *id](Node& node) {
        node.set_preference(id);
        return Status::OK;
    });
}

Reactor* VmService::BlockVerify(Context* context, const ::vm::BlockVerifyRequest* request,
                                ::vm::BlockVerifyResponse* response) {
    return in_turn_with_node(context, [request, response](Node& node) {
        const auto block = node.vm().verify_block(take(request->bytes()));
        if (!block) return to_status(block.error());
        set_timestamp(*response->mutable_timestamp(), (*block)->header.timestamp_s);
        return Status::OK;
    });
}

Reactor* VmService::BlockAccept(Context* context, const ::vm::BlockAcceptRequest* request, Empty*) {
    const auto id = read_id<BlockId>(request->id());
    if (!id) return answer(context, bad_id("block id", request->id()));
    return in_turn_with_node(context, [id = *id](Node& node) {
        const auto accepted = node.vm().accept(id);
        return accepted ? Status::OK : fatal("accept failed", accepted.error());
    });
}

Reactor* VmService::BlockReject(Context* context, const ::vm::BlockRejectRequest* request, Empty*) {
    const auto id = read_id<BlockId>(request->id());
    if (!id) return answer(context, bad_id("block id", request->id()));
    return in_turn_with_node(context, [id = *id](Node& node) {
        const auto rejected = node.vm().reject(id);
        const bool done = rejected || rejected.error().code == ErrorCode::kNotFound;
        return done ? Status::OK : fatal("reject failed", rejected.error());
    });
}

// --- peers: whatever they send, an error would stop the chain ---

Reactor* VmService::AppRequest(Context* context, const ::vm::AppRequestMsg*, Empty*) {
    return answer(context);  // no requests are served: the peer sees a timeout
}

Reactor* VmService::AppRequestFailed(Context* context, const ::vm::AppRequestFailedMsg*, Empty*) {
    return answer(context);
}

Reactor* VmService::AppResponse(Context* context, const ::vm::AppResponseMsg*, Empty*) {
    return answer(context);
}

Reactor* VmService::AppGossip(Context* context, const ::vm::AppGossipMsg* request, Empty*) {
    ChainHost::Chain* chain = host_.running();
    const auto peer = read_id<NodeId>(request->node_id());
    if (chain == nullptr || !peer) return answer(context);

    // The node has a few of these calls under way at most: an answer after the work slows down
    // those who send too much.
    Reactor* reactor = context->DefaultReactor();
    const bool taken = executor_.post([reactor, request, chain, peer = *peer] {
        try {
            chain->node->gossip().receive(peer, take(request->msg()));
        } catch (const std::exception& exception) {
            log::error("gossip failed", exception.what());
        }
        reactor->Finish(Status::OK);
    });
    if (!taken) reactor->Finish(Status::OK);
    return reactor;
}

// --- state sync ---

Reactor* VmService::StateSyncEnabled(Context* context, const Empty*,
                                     ::vm::StateSyncEnabledResponse* response) {
    response->set_enabled(false);
    return answer(context);
}

Reactor* VmService::GetOngoingSyncStateSummary(Context* context, const Empty*,
                                               ::vm::GetOngoingSyncStateSummaryResponse* response) {
    response->set_err(::vm::ERROR_STATE_SYNC_NOT_IMPLEMENTED);
    return answer(context);
}

Reactor* VmService::GetLastStateSummary(Context* context, const Empty*,
                                        ::vm::GetLastStateSummaryResponse* response) {
    response->set_err(::vm::ERROR_STATE_SYNC_NOT_IMPLEMENTED);
    return answer(context);
}

Reactor* VmService::ParseStateSummary(Context* context, const ::vm::ParseStateSummaryRequest*,
                                      ::vm::ParseStateSummaryResponse* response) {
    response->set_err(::vm::ERROR_STATE_SYNC_NOT_IMPLEMENTED);
    return answer(context);
}

Reactor* VmService::GetStateSummary(Context* context, const ::vm::GetStateSummaryRequest*,
                                    ::vm::GetStateSummaryResponse* response) {
    response->set_err(::vm::ERROR_STATE_SYNC_NOT_IMPLEMENTED);
    return answer(context);
}

Reactor* VmService::StateSummaryAccept(Context* context, const ::vm::StateSummaryAcceptRequest*,
                                       ::vm::StateSummaryAcceptResponse* response) {
    response->set_err(::vm::ERROR_STATE_SYNC_NOT_IMPLEMENTED);
    return answer(context);
}

}  // namespace blobvm::vm::plugin
