#pragma once

#include <atomic>
#include <string>

#include "proto/plugin/vm.grpc.pb.h"
#include "vm/plugin/chain_host.hpp"
#include "vm/thread_pool.hpp"

namespace blobvm::vm::plugin {

/// All methods of vm.VM (spec/rpcchainvm.md 3).
///
/// The engine's calls run one after another on a thread of their own, in the order of their
/// arrival: so they exclude each other without a lock that would be held while they call the node,
/// though a call that the node has given up may still run when the next one comes. Gossip runs on
/// the executor. Version, Health, Gather, WaitForEvent and what needs no chain answer at once; no
/// thread is parked in WaitForEvent.
///
/// Before Initialize and after Shutdown, what needs a chain is refused, after Shutdown with
/// ERROR_CLOSED where the answer has room for it.
class VmService final : public ::vm::VM::CallbackService {
  public:
    VmService(ChainHost& host, Executor& executor) : host_{host}, executor_{executor} {}

    /// Where CreateHandlers says that HTTP is served. Before the first call.
    void set_http_address(std::string address) { http_address_ = std::move(address); }

    /// Whether Shutdown was called: from then on SIGTERM means to end.
    bool shut_down() const { return shut_down_; }

    /// Takes no more calls of the engine, and waits for those that it has taken.
    void stop() { consensus_.stop(); }

    using Reactor = grpc::ServerUnaryReactor;
    using Context = grpc::CallbackServerContext;
    using Empty = google::protobuf::Empty;

    // --- life ---
    Reactor* Initialize(Context*, const ::vm::InitializeRequest*,
                        ::vm::InitializeResponse*) override;
    Reactor* SetState(Context*, const ::vm::SetStateRequest*, ::vm::SetStateResponse*) override;
    Reactor* Shutdown(Context*, const Empty*, Empty*) override;
    Reactor* CreateHandlers(Context*, const Empty*, ::vm::CreateHandlersResponse*) override;
    Reactor* NewHTTPHandler(Context*, const Empty*, ::vm::NewHTTPHandlerResponse*) override;
    Reactor* WaitForEvent(Context*, const Empty*, ::vm::WaitForEventResponse*) override;
    Reactor* Connected(Context*, const ::vm::ConnectedRequest*, Empty*) override;
    Reactor* Disconnected(Context*, const ::vm::DisconnectedRequest*, Empty*) override;
    Reactor* Health(Context*, const Empty*, ::vm::HealthResponse*) override;
    Reactor* Version(Context*, const Empty*, ::vm::VersionResponse*) override;
    Reactor* Gather(Context*, const Empty*, ::vm::GatherResponse*) override;

    // --- blocks ---
    Reactor* BuildBlock(Context*, const ::vm::BuildBlockRequest*,
                        ::vm::BuildBlockResponse*) override;
    Reactor* ParseBlock(Context*, const ::vm::ParseBlockRequest*,
                        ::vm::ParseBlockResponse*) override;
    Reactor* BatchedParseBlock(Context*, const ::vm::BatchedParseBlockRequest*,
                               ::vm::BatchedParseBlockResponse*) override;
    Reactor* GetBlock(Context*, const ::vm::GetBlockRequest*, ::vm::GetBlockResponse*) override;
    Reactor* GetBlockIDAtHeight(Context*, const ::vm::GetBlockIDAtHeightRequest*,
                                ::vm::GetBlockIDAtHeightResponse*) override;
    Reactor* GetAncestors(Context*, const ::vm::GetAncestorsRequest*,
                          ::vm::GetAncestorsResponse*) override;
    Reactor* SetPreference(Context*, const ::vm::SetPreferenceRequest*, Empty*) override;
    Reactor* BlockVerify(Context*, const ::vm::BlockVerifyRequest*,
                         ::vm::BlockVerifyResponse*) override;
    Reactor* BlockAccept(Context*, const ::vm::BlockAcceptRequest*, Empty*) override;
    Reactor* BlockReject(Context*, const ::vm::BlockRejectRequest*, Empty*) override;

    // --- peers ---
    Reactor* AppRequest(Context*, const ::vm::AppRequestMsg*, Empty*) override;
    Reactor* AppRequestFailed(Context*, const ::vm::AppRequestFailedMsg*, Empty*) override;
    Reactor* AppResponse(Context*, const ::vm::AppResponseMsg*, Empty*) override;
    Reactor* AppGossip(Context*, const ::vm::AppGossipMsg*, Empty*) override;

    // --- state sync: not implemented, which is a fully valid answer ---
    Reactor* StateSyncEnabled(Context*, const Empty*, ::vm::StateSyncEnabledResponse*) override;
    Reactor* GetOngoingSyncStateSummary(Context*, const Empty*,
                                        ::vm::GetOngoingSyncStateSummaryResponse*) override;
    Reactor* GetLastStateSummary(Context*, const Empty*,
                                 ::vm::GetLastStateSummaryResponse*) override;
    Reactor* ParseStateSummary(Context*, const ::vm::ParseStateSummaryRequest*,
                               ::vm::ParseStateSummaryResponse*) override;
    Reactor* GetStateSummary(Context*, const ::vm::GetStateSummaryRequest*,
                             ::vm::GetStateSummaryResponse*) override;
    Reactor* StateSummaryAccept(Context*, const ::vm::StateSummaryAcceptRequest*,
                                ::vm::StateSummaryAcceptResponse*) override;

  private:
    class EventWaiter;

    /// Answers with what `work` returns, once the calls before this one are done.
    template <class Work>
    Reactor* in_turn(Context* context, Work work);

    /// The same for a method that needs the chain: `work` gets the Node.
    template <class Work>
    Reactor* in_turn_with_node(Context* context, Work work);

    /// The same for an answer with a field `err`, in which a chain that is closed is told.
    template <class Response, class Work>
    Reactor* in_turn_with_err(Context* context, Response* response, Work work);

    ChainHost& host_;
    Executor& executor_;
    std::string http_address_;
    std::atomic<bool> shut_down_{false};
    ThreadPoolExecutor consensus_{1, 1024};  // last: stops before what its calls use goes
};

}  // namespace blobvm::vm::plugin
