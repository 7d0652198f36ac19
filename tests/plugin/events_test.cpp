// Items 48 to 55: WaitForEvent, and many calls at once.

#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "tests/plugin/model_chain.hpp"
#include "tests/plugin/plugin_host.hpp"
#include "tests/support/transactions.hpp"

namespace blobvm::test {
namespace {

using namespace std::chrono_literals;
using Event = PluginHost::Event;

class EventsConformance : public ::testing::Test {
  protected:
    PluginHost host_;
    ModelChain model_{host_.genesis()};
};

TEST_F(EventsConformance, Item48WaitsUntilATransactionComes) {
    host_.run();
    Event event{host_};
    EXPECT_FALSE(event.ready(500ms));
    host_.issue(model_.next()->transactions[0]);
    ASSERT_TRUE(event.ready(allowed(50ms)));
    const auto answer = event.get();
    EXPECT_TRUE(answer.ok()) << answer.status.error_message();
    EXPECT_EQ(answer.reply.message(), ::vm::MESSAGE_BUILD_BLOCK);
}

TEST_F(EventsConformance, Item49PendingWorkIsToldEachTime) {
    host_.run();
    host_.issue(model_.next()->transactions[0]);
    for (int i = 0; i < 3; ++i) {
        Event event{host_};
        ASSERT_TRUE(event.ready(allowed(200ms))) << i;
        EXPECT_EQ(event.get().reply.message(), ::vm::MESSAGE_BUILD_BLOCK);
    }
}

TEST_F(EventsConformance, Item50CancelledWaitEndsAndTheEventIsNotLost) {
    host_.run();
    Event event{host_};
    EXPECT_FALSE(event.ready(200ms));
    event.cancel();
    ASSERT_TRUE(event.ready(allowed(100ms)));
    EXPECT_EQ(event.get().status.error_code(), grpc::StatusCode::CANCELLED);

    host_.issue(model_.next()->transactions[0]);
    Event next{host_};
    ASSERT_TRUE(next.ready(allowed(200ms)));
    EXPECT_EQ(next.get().reply.message(), ::vm::MESSAGE_BUILD_BLOCK);
}

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

/// A number of /proc/PID/status.
long status_of(pid_t pid, const std::string& name) {
    std::ifstream file{"/proc/" + std::to_string(pid) + "/status"};
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with(name + ":")) return std::stol(line.substr(name.size() + 1));
    }
    ADD_FAILURE() << "no " << name;
    return 0;
}

TEST_F(EventsConformance, Item51ThousandsOfCancelledWaitsLeaveNothing) {
    host_.run();
    const pid_t plugin = host_.process().pid();
    // A cancelled call is over for the caller before the plugin has heard of it. What has piled up
    // on the way is no leftover, so the caller never runs more than 50 waits ahead: calls are
    // answered in their order.
    const auto cycles = [&](int count) {
        std::unique_ptr<Event> previous;
        for (int i = 0; i < count; ++i) {
            auto event = std::make_unique<Event>(host_);  // overlaps with the one before
            if (previous) previous->cancel();
            previous = std::move(event);
            if (i % 50 == 49) {
                EXPECT_TRUE(host_.call(&::vm::VM::Stub::Version).ok());
            }
        }
    };
    cycles(2'000);  // what is allocated once is allocated
    const long threads = status_of(plugin, "Threads");
    const long memory_kib = status_of(plugin, "VmRSS");
    cycles(10'000);
    EXPECT_TRUE(
        becomes_true(allowed(1s), [&] { return status_of(plugin, "Threads") <= threads + 4; }))
        << status_of(plugin, "Threads") << " threads, before " << threads;
    if (kSanitized) {
        GTEST_LOG_(INFO) << "memory is not compared: the sanitizer keeps its own for each thread";
    } else {
        // Allocators keep a MiB or two; a call that stays takes several KiB.
        EXPECT_LE(status_of(plugin, "VmRSS"), memory_kib + 8 * 1024);
    }

    Event event{host_};
    host_.issue(model_.next()->transactions[0]);
    ASSERT_TRUE(event.ready(allowed(200ms)));
    EXPECT_TRUE(event.get().ok());
}

TEST_F(EventsConformance, Item52NothingIsToldBeforeNormalOperation) {
    host_.launch();
    host_.initialize();
    const chain::BlockPtr first = model_.next();
    ::vm::AppGossipMsg gossip;
    gossip.set_node_id(std::string(20, '\2'));
    const auto message = chain::encode_gossip({&first->transactions[0]->raw, 1});
    gossip.set_msg(std::string{as_chars(*message)});
    {
        Event event{host_};
        EXPECT_TRUE(host_.call(&::vm::VM::Stub::AppGossip, gossip).ok());
        EXPECT_FALSE(event.ready(500ms));
        host_.set_state(::vm::STATE_BOOTSTRAPPING);
        EXPECT_TRUE(host_.call(&::vm::VM::Stub::AppGossip, gossip).ok());
        EXPECT_FALSE(event.ready(500ms));
    }
    host_.set_state(::vm::STATE_NORMAL_OP);
    host_.issue(first->transactions[0]);
    Event event{host_};
    ASSERT_TRUE(event.ready(allowed(200ms)));
    EXPECT_EQ(event.get().reply.message(), ::vm::MESSAGE_BUILD_BLOCK);
}

// Builds fail while the preference is a block that nobody knows; at any rate the plugin may ask for
// a build ten times a second at most.
TEST_F(EventsConformance, Item53FailingBuildsAreAskedForTenTimesASecondAtMost) {
    host_.run();
    host_.issue(model_.next()->transactions[0]);
    BlockId unknown;
    unknown.bytes.fill(std::byte{0xcc});
    host_.prefer(unknown);
    const auto start = std::chrono::steady_clock::now();
    int events = 0;
    while (std::chrono::steady_clock::now() - start < 3s) {
        Event event{host_};
        if (!event.ready(1s)) break;
        ++events;
        EXPECT_FALSE(host_.try_build().ok());
    }
    EXPECT_LE(events, 32);
    EXPECT_TRUE(host_.prefer(model_.tip()->id).ok());
    Event event{host_};
    ASSERT_TRUE(event.ready(allowed(200ms)));
    EXPECT_EQ(host_.build().height, 1U);
}

// Here a build fails for a while by the rules: blocks in quick succession cost more than what a
// single cheap offer pays. It must come without a spin, and in the end succeed.
TEST(CostlyEventsConformance, Item53BlocksTooDearAreNotAskedForWithoutPause) {
    chain::Genesis genesis = rich_genesis();
    genesis.block_cost_enabled = true;
    PluginHost host{{.genesis = json_of(genesis)}};
    ModelChain model{genesis};
    host.run();
    for (int i = 0; i < 4; ++i) {
        const chain::BlockPtr parent = model.tip();
        const auto paying =
            transfer_tx(account(2), Amount{1},
                        {.block_id = parent->id, .magic = genesis.magic, .price = Price{1'000}});
        const chain::BlockPtr block = model.child(parent, {paying});
        host.commit(block);
        model.accept(block);
    }
    host.issue(model.transfer_on(model.tip()));
    const auto start = std::chrono::steady_clock::now();
    int events = 0;
    bool built = false;
    while (!built && std::chrono::steady_clock::now() - start < 60s) {
        Event event{host};
        ASSERT_TRUE(event.ready(30s)) << "a lost event would stall the chain";
        ++events;
        built = host.try_build().ok();
    }
    EXPECT_TRUE(built);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    EXPECT_LE(events, 10 * took.count() + 2);
}

/// HTTP, gossip and metrics from many threads, until it ends.
class Crowd {
  public:
    Crowd(PluginHost& host, int http_threads) : host_{host} {
        host.http();  // connected before there are threads
        for (int i = 0; i < http_threads; ++i) {
            threads_.emplace_back([this] {
                call([this](grpc::ClientContext* context) {
                    ::http::HandleSimpleHTTPResponse reply;
                    return host_.http().HandleSimple(
                        context,
                        host_.rpc_request(
                            R"({"jsonrpc":"2.0","id":1,"method":"blobvm.lastAccepted"})"),
                        &reply);
                });
            });
        }
        for (int i = 0; i < 2; ++i) {
            threads_.emplace_back([this] {
                call([this](grpc::ClientContext* context) {
                    ::vm::AppGossipMsg gossip;
                    gossip.set_node_id(std::string(20, '\3'));
                    gossip.set_msg("noise");
                    google::protobuf::Empty reply;
                    return host_.process().vm().AppGossip(context, gossip, &reply);
                });
            });
        }
        threads_.emplace_back([this] {
            call([this](grpc::ClientContext* context) {
                ::vm::GatherResponse reply;
                return host_.process().vm().Gather(context, {}, &reply);
            });
        });
    }
    ~Crowd() { stop_ = true; }

    std::uint64_t calls() const { return calls_; }

  private:
    template <class Call>
    void call(const Call& once) {
        while (!stop_) {
            grpc::ClientContext context;
            context.set_deadline(std::chrono::system_clock::now() + allowed(6s));
            const grpc::Status status = once(&context);
            EXPECT_NE(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
            ++calls_;
            if (!status.ok()) std::this_thread::yield();
        }
    }

    PluginHost& host_;
    std::atomic<bool> stop_{false};
    std::atomic<std::uint64_t> calls_{0};
    std::vector<std::jthread> threads_;  // last: end before what they use goes
};

TEST_F(EventsConformance, Item54EngineGoesOnBesideTwoHundredUsers) {
    host_.run();
    Event parked{host_};
    {
        const Crowd crowd{host_, 200};
        for (int i = 0; i < 20; ++i) {
            const chain::BlockPtr block = model_.next();
            host_.commit(block);
            model_.accept(block);
            EXPECT_TRUE(host_.call(&::vm::VM::Stub::Health).ok());
        }
        EXPECT_TRUE(becomes_true(60s, [&] { return crowd.calls() > 1'000; }));
        EXPECT_FALSE(parked.ready(0ms)) << "nobody has issued a transaction";
    }
    host_.stop();
    EXPECT_EQ(host_.digest_on_disk(), model_.digest());
}

TEST_F(EventsConformance, Item55ShutdownEndsEverythingWithinFiveSeconds) {
    host_.run();
    const chain::BlockPtr block = model_.next();
    host_.commit(block);
    model_.accept(block);
    Event one{host_};
    Event two{host_};
    {
        const Crowd crowd{host_, 50};
        EXPECT_TRUE(becomes_true(60s, [&] { return crowd.calls() > 500; }));
        const auto start = std::chrono::steady_clock::now();
        EXPECT_TRUE(host_.call(&::vm::VM::Stub::Shutdown).ok());
        EXPECT_LT(std::chrono::steady_clock::now() - start, allowed(5s));
        ASSERT_TRUE(one.ready(allowed(1s)));
        ASSERT_TRUE(two.ready(allowed(1s)));
        EXPECT_FALSE(one.get().ok());
        EXPECT_FALSE(two.get().ok());
    }
    EXPECT_EQ(host_.get(block->id).reply.err(), ::vm::ERROR_CLOSED);
    host_.stop();
    EXPECT_EQ(host_.digest_on_disk(), model_.digest());
}

}  // namespace
}  // namespace blobvm::test
