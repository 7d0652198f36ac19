#pragma once

#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "chain/base/mutex.hpp"
#include "chain/block.hpp"
#include "chain/genesis.hpp"
#include "cmd/blob-devnet/ledger.hpp"
#include "cmd/blob-devnet/node_services.hpp"
#include "cmd/blob-devnet/plugin_process.hpp"
#include "proto/plugin/http.grpc.pb.h"
#include "proto/plugin/vm.grpc.pb.h"

namespace blobvm::test {

/// The time that the checklist allows, for a machine that does other things as well: times the
/// environment's BLOBVM_TEST_SLACK, 10 if that is not set.
std::chrono::milliseconds allowed(std::chrono::milliseconds limit);

/// Asks `done` until it is true or `limit` is over; the last answer.
bool becomes_true(std::chrono::milliseconds limit, const std::function<bool()>& done);

/// The fast preset, with a fortune for account(1) to account(9).
chain::Genesis rich_genesis();

std::string json_of(const chain::Genesis& genesis);

/// What a plugin sends to peers, kept.
class Mailbox final : public devnet::AppRouter {
  public:
    void gossip(const NodeId&, Audience, std::string message) override EXCLUDES(mutex_);
    void request(const NodeId&, const NodeId&, std::uint32_t, std::string) override {}
    void response(const NodeId&, const NodeId&, std::uint32_t, std::string) override {}
    void error(const NodeId&, const NodeId&, std::uint32_t, std::int32_t, std::string) override {}

    std::vector<std::string> gossiped() const EXCLUDES(mutex_);

  private:
    mutable Mutex mutex_;
    std::vector<std::string> gossiped_ GUARDED_BY(mutex_);
};

template <class Reply>
struct Answer {
    grpc::Status status;
    Reply reply;

    bool ok() const { return status.ok(); }
};

/// A block as the plugin has described it, with its bytes.
struct Described {
    BlockId id;
    BlockId parent;
    std::uint64_t height = 0;
    std::int64_t timestamp_s = 0;
    std::string bytes;
};

/// One node's side of the built plugin: its services and a process, which can be started again on
/// the same data. Every call has a deadline, so that a hang is a failure. What the checklist wants
/// of every reply (lengths, timestamps: item 20) is checked in each.
class PluginHost {
  public:
    struct Options {
        std::string genesis = {};  ///< empty: rich_genesis()
        std::string config = R"({"buildInterval":0})";
        std::string upgrade = {};
        std::filesystem::path folder = {};  ///< empty: a fresh one that goes with the object
        std::uint64_t forget = 0;  ///< the last so many accepted blocks of the node's database
        std::uint8_t node = 1;
    };

    PluginHost() : PluginHost{Options{}} {}
    explicit PluginHost(Options options);
    ~PluginHost();

    /// A process after its handshake. A previous one must have been stopped.
    void launch();
    /// launch, Initialize, BOOTSTRAPPING, NORMAL_OP; the last accepted block.
    Described run();

    Answer<::vm::InitializeResponse> try_initialize();
    Described initialize();
    Described set_state(::vm::State state);

    devnet::PluginProcess& process() { return *process_; }
    void stop();  ///< Shutdown, SIGTERM, the end
    void kill();

    template <class Request, class Reply>
    Answer<Reply> call(grpc::Status (::vm::VM::Stub::*method)(grpc::ClientContext*, const Request&,
                                                              Reply*),
                       const std::type_identity_t<Request>& request = {},
                       std::chrono::milliseconds limit = allowed(std::chrono::seconds{6})) {
        grpc::ClientContext context;
        context.set_deadline(std::chrono::system_clock::now() + limit);
        Answer<Reply> answer;
        answer.status = (process_->vm().*method)(&context, request, &answer.reply);
        EXPECT_NE(answer.status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
        return answer;
    }

    // Blocks.
    Answer<::vm::ParseBlockResponse> parse(std::string_view bytes);
    Answer<::vm::BlockVerifyResponse> verify(std::string_view bytes);
    Answer<::vm::BlockVerifyResponse> verify(const chain::BlockPtr& block) {
        return verify(as_chars(block->bytes.view()));
    }
    grpc::Status accept(const BlockId& id, std::uint64_t height, std::string_view bytes);
    grpc::Status accept(const chain::BlockPtr& block) {
        return accept(block->id, block->header.height, as_chars(block->bytes.view()));
    }
    grpc::Status reject(const BlockId& id);
    grpc::Status prefer(const BlockId& id);
    Answer<::vm::BuildBlockResponse> try_build(std::optional<std::uint64_t> p_chain_height = 1);
    Described build();
    Answer<::vm::GetBlockResponse> get(const BlockId& id);
    Answer<::vm::GetBlockIDAtHeightResponse> id_at(std::uint64_t height);
    /// Verify, prefer and accept; all must succeed.
    void commit(const chain::BlockPtr& block);

    // Users.
    ::http::HTTP::Stub& http();
    ::http::HandleSimpleHTTPRequest rpc_request(std::string body);
    /// The answer's body, which must come with code 200.
    std::string rpc(std::string_view method, std::string_view params);
    /// Must be taken in.
    void issue(const chain::TransactionPtr& tx);

    /// A WaitForEvent under way.
    class Event {
      public:
        explicit Event(PluginHost& host);
        ~Event() { cancel(); }
        void cancel() { context_.TryCancel(); }
        bool ready(std::chrono::milliseconds limit) const {
            return future_.wait_for(limit) == std::future_status::ready;
        }
        /// Waits for the end.
        Answer<::vm::WaitForEventResponse> get() { return future_.get(); }

      private:
        grpc::ClientContext context_;
        std::future<Answer<::vm::WaitForEventResponse>> future_;
    };

    const chain::Genesis& genesis() const { return genesis_; }
    devnet::Ledger& ledger() { return *ledger_; }
    const std::filesystem::path& folder() const { return folder_; }
    std::filesystem::path chain_data() const { return folder_ / "chain"; }
    Mailbox& mailbox() { return mailbox_; }

    /// Of the database of a plugin that has ended.
    Hash256 digest_on_disk() const;
    std::uint64_t height_on_disk() const;

  private:
    Options options_;
    chain::Genesis genesis_;
    std::filesystem::path folder_;
    bool own_folder_ = false;
    Mailbox mailbox_;
    std::unique_ptr<devnet::Ledger> ledger_;
    std::unique_ptr<devnet::NodeServices> services_;
    std::unique_ptr<devnet::PluginProcess> process_;
    std::unique_ptr<::http::HTTP::Stub> http_;
};

template <class Id>
Id id_of(const std::string& field) {
    EXPECT_EQ(field.size(), Id::kSize);
    return field.size() == Id::kSize ? Id::from(as_bytes(field)) : Id{};
}
template <class Id>
std::string field_of(const Id& id) {
    return std::string{as_chars(id.view())};
}

}  // namespace blobvm::test
