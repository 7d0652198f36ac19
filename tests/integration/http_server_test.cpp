#include "cmd/blob-devnet/http_server.hpp"

#include <gmock/gmock.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <optional>

#include "cmd/blob-devnet/http_exchange.hpp"
#include "cmd/blob-devnet/plugin_process.hpp"
#include "proto/plugin/http_responsewriter.grpc.pb.h"
#include "proto/plugin/io_reader.grpc.pb.h"
#include "tests/support/process.hpp"

namespace blobvm::devnet {
namespace {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using ::testing::HasSubstr;
using Answer = bhttp::response<bhttp::string_body>;

/// Answers with what it was asked; /slow waits until its caller goes away.
class Echo final : public ::http::HTTP::Service {
  public:
    grpc::Status HandleSimple(grpc::ServerContext* context,
                              const ::http::HandleSimpleHTTPRequest* request,
                              ::http::HandleSimpleHTTPResponse* reply) override {
        last = *request;
        if (request->url().find("/slow") != std::string::npos) {
            slow_started = true;
            blobvm::testing::wait_until([&] { return context->IsCancelled(); });
            cancelled = context->IsCancelled();
            return grpc::Status::CANCELLED;
        }
        if (request->url().find("error=1") != std::string::npos) {
            return {grpc::StatusCode::INTERNAL, "it broke"};
        }
        reply->set_code(200);
        *reply->mutable_headers() = request->response_headers();
        auto& type = *reply->add_headers();
        type.set_key("Content-Type");
        type.add_values("application/json");
        reply->set_body(request->body());
        return grpc::Status::OK;
    }

    /// Reads the body and writes it back twice, as a handler of streams would.
    grpc::Status Handle(grpc::ServerContext*, const ::http::HTTPRequest* request,
                        ::http::HTTPResponse*) override {
        const auto channel = dial(request->response_writer().server_addr());
        const auto reader = ::io::reader::Reader::NewStub(channel);
        const auto writer = ::http::responsewriter::Writer::NewStub(channel);
        std::string body;
        while (true) {
            grpc::ClientContext context;
            ::io::reader::ReadRequest read;
            read.set_length(1'000);
            ::io::reader::ReadResponse piece;
            if (!reader->Read(&context, read, &piece).ok()) break;
            body += piece.read();
            if (piece.error().error_code() == ::io::reader::ERROR_CODE_EOF) break;
        }
        for (int i = 0; i < 2; ++i) {
            grpc::ClientContext context;
            ::http::responsewriter::WriteRequest write;
            write.set_payload(body);
            auto& header = *write.add_headers();
            header.set_key("X-Upgrade-Asked");
            header.add_values("yes");
            ::http::responsewriter::WriteResponse written;
            if (!writer->Write(&context, write, &written).ok()) break;
        }
        return grpc::Status::OK;
    }

    ::http::HandleSimpleHTTPRequest last;
    std::atomic<bool> slow_started{false};
    std::atomic<bool> cancelled{false};
};

class HttpServerTest : public ::testing::Test {
  protected:
    void SetUp() override {
        grpc::ServerBuilder builder;
        int port = 0;
        builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
        builder.SetMaxReceiveMessageSize(-1);
        builder.RegisterService(&echo_);
        plugin_ = builder.BuildAndStart();
        const std::shared_ptr<::http::HTTP::Stub> stub =
            ::http::HTTP::NewStub(dial("127.0.0.1:" + std::to_string(port)));
        HttpSite site;
        site.node_id = [] { return "NodeID-test"; };
        site.route = [this, stub](std::string_view path, std::string_view api_route) -> Route {
            if (!ready_) return {Route::Kind::kNotReady};
            if (path.starts_with("/ext/bc/chain/public") || api_route == "chain") {
                return {Route::Kind::kHandler, stub};
            }
            return {};
        };
        site.health = [] { return Page{503, "application/json", "{\"healthy\":false}"}; };
        site.metrics = [] { return Page{200, "text/plain", "metric 1\n"}; };
        site.info = [](std::string_view body) {
            return Page{200, "application/json", std::string{body}};
        };
        server_ = *HttpServer::start(0, std::move(site));
    }
    void TearDown() override {
        server_.reset();
        plugin_->Shutdown();
    }

    beast::tcp_stream connect() {
        beast::tcp_stream stream{io_};
        stream.connect(net::ip::tcp::endpoint{net::ip::address_v4::loopback(), server_->port()});
        return stream;
    }
    static bhttp::request<bhttp::string_body> request(bhttp::verb verb, const std::string& target,
                                                      std::string body = {}) {
        bhttp::request<bhttp::string_body> result{verb, target, 11};
        result.set(bhttp::field::host, "127.0.0.1");
        result.body() = std::move(body);
        result.prepare_payload();
        return result;
    }
    static Answer exchange(beast::tcp_stream& stream,
                           const bhttp::request<bhttp::string_body>& request) {
        bhttp::write(stream, request);
        beast::flat_buffer buffer;
        bhttp::response_parser<bhttp::string_body> parser;
        parser.body_limit(256 * 1024 * 1024);
        parser.skip(request.method() == bhttp::verb::head);
        bhttp::read(stream, buffer, parser);
        return parser.release();
    }
    Answer ask(const bhttp::request<bhttp::string_body>& request) {
        beast::tcp_stream stream = connect();
        return exchange(stream, request);
    }

    net::io_context io_;
    Echo echo_;
    std::unique_ptr<grpc::Server> plugin_;
    std::unique_ptr<HttpServer> server_;
    std::atomic<bool> ready_{true};
};

TEST_F(HttpServerTest, ForwardsWithCanonicalHeadersAndWithoutHost) {
    auto post = request(bhttp::verb::post, "/ext/bc/chain/public?x=1", "{\"id\":1}");
    post.set("content-TYPE", "application/json");
    const Answer answer = ask(post);
    EXPECT_EQ(answer.result_int(), 200U);
    EXPECT_EQ(answer.body(), "{\"id\":1}");
    EXPECT_EQ(answer["Node-Id"], "NodeID-test");
    EXPECT_EQ(answer["Content-Type"], "application/json");
    EXPECT_EQ(echo_.last.method(), "POST");
    EXPECT_EQ(echo_.last.url(), "/ext/bc/chain/public?x=1");
    std::vector<std::string> names;
    for (const auto& header : echo_.last.request_headers()) names.push_back(header.key());
    EXPECT_THAT(names, ::testing::UnorderedElementsAre("Content-Type", "Content-Length"));
}

TEST_F(HttpServerTest, KeepsTheConnectionForTheNextRequest) {
    beast::tcp_stream stream = connect();
    for (int i = 0; i < 10; ++i) {
        const std::string body = "request " + std::to_string(i);
        EXPECT_EQ(exchange(stream, request(bhttp::verb::post, "/ext/bc/chain/public", body)).body(),
                  body);
    }
}

TEST_F(HttpServerTest, LargeBodiesPassUnchanged) {
    std::string body(8 * 1024 * 1024, '\0');
    for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * 7 + i / 251);
    EXPECT_TRUE(ask(request(bhttp::verb::post, "/ext/bc/chain/public", body)).body() == body);
}

TEST_F(HttpServerTest, BodyOverTheLimitIs413) {
    auto post = request(bhttp::verb::post, "/ext/bc/chain/public");
    post.content_length(HttpServer::kMaxBodyBytes + 1);
    beast::tcp_stream stream = connect();
    bhttp::request_serializer<bhttp::string_body> serializer{post};
    bhttp::write_header(stream, serializer);
    beast::flat_buffer buffer;
    Answer answer;
    bhttp::read(stream, buffer, answer);
    EXPECT_EQ(answer.result_int(), 413U);
}

TEST_F(HttpServerTest, UnknownPathsAre404AndAnUnreadyChainIs503) {
    EXPECT_EQ(ask(request(bhttp::verb::get, "/ext/bc/other/public")).result_int(), 404U);
    EXPECT_EQ(ask(request(bhttp::verb::get, "/")).result_int(), 404U);
    ready_ = false;
    const Answer answer = ask(request(bhttp::verb::post, "/ext/bc/chain/public", "{}"));
    EXPECT_EQ(answer.result_int(), 503U);
    EXPECT_THAT(answer.body(), HasSubstr("not done bootstrapping"));
}

TEST_F(HttpServerTest, PluginsErrorStatusIs500WithItsText) {
    const Answer answer = ask(request(bhttp::verb::post, "/ext/bc/chain/public?error=1", "{}"));
    EXPECT_EQ(answer.result_int(), 500U);
    EXPECT_EQ(answer.body(), "it broke");
}

TEST_F(HttpServerTest, PreflightIsAnsweredByTheNode) {
    auto options = request(bhttp::verb::options, "/ext/bc/chain/public");
    options.set(bhttp::field::origin, "http://wallet.example");
    options.set(bhttp::field::access_control_request_method, "POST");
    options.set(bhttp::field::access_control_request_headers, "content-type");
    const Answer answer = ask(options);
    EXPECT_EQ(answer.result_int(), 204U);
    EXPECT_EQ(answer[bhttp::field::access_control_allow_origin], "*");
    EXPECT_EQ(answer[bhttp::field::access_control_allow_methods], "POST");
    EXPECT_EQ(answer[bhttp::field::access_control_allow_headers], "content-type");

    options.set(bhttp::field::access_control_request_method, "DELETE");
    EXPECT_EQ(ask(options).count(bhttp::field::access_control_allow_origin), 0U);
}

TEST_F(HttpServerTest, OtherOriginsMayReadTheAnswer) {
    auto post = request(bhttp::verb::post, "/ext/bc/chain/public", "{}");
    post.set(bhttp::field::origin, "http://wallet.example");
    EXPECT_EQ(ask(post)[bhttp::field::access_control_allow_origin], "*");
}

TEST_F(HttpServerTest, ForeignHostNamesAreRefused) {
    auto post = request(bhttp::verb::post, "/ext/bc/chain/public", "{}");
    post.set(bhttp::field::host, "evil.example:9650");
    EXPECT_EQ(ask(post).result_int(), 403U);
    for (const char* host : {"localhost:9650", "127.0.0.1", "[::1]:9650", "10.0.0.1:80"}) {
        post.set(bhttp::field::host, host);
        EXPECT_EQ(ask(post).result_int(), 200U) << host;
    }
}

TEST_F(HttpServerTest, NodesOwnPages) {
    const Answer health = ask(request(bhttp::verb::get, "/ext/health"));
    EXPECT_EQ(health.result_int(), 503U);
    EXPECT_EQ(health.body(), "{\"healthy\":false}");
    EXPECT_EQ(ask(request(bhttp::verb::get, "/ext/metrics")).body(), "metric 1\n");
    EXPECT_EQ(ask(request(bhttp::verb::post, "/ext/info", "x")).body(), "x");
    EXPECT_EQ(ask(request(bhttp::verb::head, "/ext/metrics")).body(), "");
}

TEST_F(HttpServerTest, CallerWhoGoesAwayCancelsTheCall) {
    beast::tcp_stream stream = connect();
    bhttp::write(stream, request(bhttp::verb::post, "/ext/bc/chain/public/slow", "{}"));
    ASSERT_TRUE(blobvm::testing::wait_until([&] { return echo_.slow_started.load(); }));
    stream.socket().close();
    EXPECT_TRUE(blobvm::testing::wait_until([&] { return echo_.cancelled.load(); }));
}

TEST_F(HttpServerTest, UpgradesGoThroughHandleWithTheBodyInPieces) {
    auto get = request(bhttp::verb::post, "/ext/bc/chain/public", std::string(2'500, 'b'));
    get.set(bhttp::field::upgrade, "websocket");
    const Answer answer = ask(get);
    EXPECT_EQ(answer.result_int(), 200U);
    EXPECT_EQ(answer["X-Upgrade-Asked"], "yes");
    EXPECT_EQ(answer.body(), std::string(5'000, 'b'));
}

TEST_F(HttpServerTest, GarbageIs400) {
    beast::tcp_stream stream = connect();
    net::write(stream.socket(), net::buffer(std::string_view{"nonsense\r\n\r\n"}));
    beast::flat_buffer buffer;
    Answer answer;
    bhttp::read(stream, buffer, answer);
    EXPECT_EQ(answer.result_int(), 400U);
}

TEST_F(HttpServerTest, PortInUseIsToldWithItsNumber) {
    const auto second = HttpServer::start(server_->port(), {});
    ASSERT_FALSE(second);
    EXPECT_THAT(second.error().message(), HasSubstr(std::to_string(server_->port())));
    EXPECT_THAT(second.error().message(), HasSubstr("in use"));
}

TEST(CanonicalHeaderTest, IsGosForm) {
    EXPECT_EQ(canonical_header("content-type"), "Content-Type");
    EXPECT_EQ(canonical_header("X-API-KEY"), "X-Api-Key");
    EXPECT_EQ(canonical_header(""), "");
}

}  // namespace
}  // namespace blobvm::devnet
