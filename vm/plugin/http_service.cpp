#include "vm/plugin/http_service.hpp"

#include <fmt/format.h>
#include <grpcpp/client_context.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

#include "proto/plugin/http_responsewriter.grpc.pb.h"
#include "proto/plugin/io_reader.grpc.pb.h"
#include "vm/log.hpp"
#include "vm/plugin/connection.hpp"
#include "vm/plugin/http_headers.hpp"

namespace blobvm::vm::plugin {
namespace {

using service::HttpRequest;
using service::HttpResponse;

HttpResponse plain_text(int status, std::string text) {
    return {.status = status,
            .headers = {{"Content-Type", "text/plain; charset=utf-8"},
                        {"X-Content-Type-Options", "nosniff"}},
            .body = std::move(text) + "\n"};
}

HttpResponse busy() { return plain_text(503, "too many requests under way"); }

/// Both `http.Element` and `http.responsewriter.Header`: a name and its values.
template <class Fields>
Headers read_headers(const Fields& fields) {
    Headers headers;
    for (const auto& field : fields) {
        for (const std::string& value : field.values()) {
            headers.emplace_back(canonical_name(field.key()), value);
        }
    }
    return headers;
}

template <class Fields>
void write_headers(const Headers& headers, Fields& fields) {
    fields.Clear();
    for (const auto& header : headers) {
        auto same = std::find_if(fields.begin(), fields.end(),
                                 [&](const auto& field) { return field.key() == header.first; });
        auto& field = same != fields.end() ? *same : *fields.Add();
        field.set_key(header.first);
        field.add_values(header.second);
    }
}

}  // namespace

/// The part of kMaxBytesUnderWay that one request takes as long as it is under way.
class HttpService::BodyShare {
  public:
    BodyShare(std::atomic<std::uint64_t>& total, std::uint64_t bytes) : total_{total} {
        grow(bytes);
    }
    ~BodyShare() { total_ -= bytes_; }
    BodyShare(const BodyShare&) = delete;
    BodyShare& operator=(const BodyShare&) = delete;

    void grow(std::uint64_t bytes) {
        total_ += bytes;
        bytes_ += bytes;
    }

  private:
    std::atomic<std::uint64_t>& total_;
    std::uint64_t bytes_ = 0;
};

std::optional<HttpResponse> HttpService::refusal(std::uint64_t body_bytes) {
    ChainHost::Chain* chain = host_.running();
    if (chain == nullptr) return plain_text(503, "the chain is not running");
    const std::uint64_t limit = chain->node->vm().config().max_request_bytes;
    if (body_bytes > limit) {
        return plain_text(413, fmt::format("request body of more than {} bytes", limit));
    }
    if (bytes_under_way_ + body_bytes > kMaxBytesUnderWay) return busy();
    return std::nullopt;
}

HttpResponse HttpService::serve(const HttpRequest& request) {
    ChainHost::Chain* chain = host_.running();
    if (chain == nullptr) return plain_text(503, "the chain is not running");
    try {
        return chain->rpc->handle(request);
    } catch (const std::exception& exception) {
        log::error("JSON-RPC handler failed", exception.what());
        return plain_text(500, "internal error");
    }
}

grpc::ServerUnaryReactor* HttpService::HandleSimple(grpc::CallbackServerContext* context,
                                                    const ::http::HandleSimpleHTTPRequest* request,
                                                    ::http::HandleSimpleHTTPResponse* response) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    const auto answer = [reactor, request, response](HttpResponse result) {
        response->set_code(result.status);
        write_headers(merged(read_headers(request->response_headers()), result.headers),
                      *response->mutable_headers());
        response->set_body(std::move(result.body));
        reactor->Finish(grpc::Status::OK);
    };
    const std::uint64_t body_bytes = request->body().size();
    if (auto refused = refusal(body_bytes)) {
        answer(*std::move(refused));
        return reactor;
    }
    auto share = std::make_shared<BodyShare>(bytes_under_way_, body_bytes);
    const bool taken = executor_.post([this, context, request, reactor, answer, share] {
        if (context->IsCancelled()) return reactor->Finish(grpc::Status::CANCELLED);
        answer(serve({.method = request->method(),
                      .target = request->url(),
                      .headers = read_headers(request->request_headers()),
                      .body = request->body()}));
    });
    if (!taken) answer(busy());
    return reactor;
}

/// One Handle call: reads the body from the node piece by piece, lets the executor answer, and
/// writes the answer piece by piece. No thread waits meanwhile: each step starts the next one.
/// Lives as long as a step is under way.
class HttpService::Streamed : public std::enable_shared_from_this<Streamed> {
  public:
    static constexpr std::int32_t kReadBytes = 64 * 1024;
    static constexpr std::size_t kWriteBytes = 256 * 1024;
    static constexpr std::chrono::seconds kStepDeadline{40};  ///< the node's own limit is 30 s

    Streamed(HttpService& service, grpc::CallbackServerContext* context,
             grpc::ServerUnaryReactor* reactor, const ::http::HTTPRequest* request,
             ::http::HTTPResponse* response, const std::shared_ptr<grpc::Channel>& node)
        : service_{service},
          context_{context},
          request_{*request},
          response_{*response},
          reactor_{reactor},
          reader_{io::reader::Reader::NewStub(node)},
          writer_{::http::responsewriter::Writer::NewStub(node)},
          share_{service.bytes_under_way_, 0} {}

    void start() {
        for (const auto& header : request_.request().header()) {
            if (canonical_name(header.key()) == "Upgrade") {
                return begin_answer(
                    plain_text(501, "upgrades of the connection are not supported"));
            }
        }
        if (auto refused = service_.refusal(0)) return begin_answer(*std::move(refused));
        read();
    }

  private:
    grpc::ClientContext* next_call() {
        call_.emplace();
        call_->set_deadline(std::chrono::system_clock::now() + kStepDeadline);
        return &*call_;
    }

    /// The rest of a step; what fails ends the whole call.
    template <class Next>
    std::function<void(grpc::Status)> then(Next next) {
        return [self = shared_from_this(), next](const grpc::Status& status) {
            if (self->context_->IsCancelled()) return self->finish(grpc::Status::CANCELLED);
            if (!status.ok()) {
                return self->finish({grpc::StatusCode::UNAVAILABLE, status.error_message()});
            }
            next(*self);
        };
    }

    void read() {
        piece_request_.set_length(kReadBytes);
        piece_.Clear();
        reader_->async()->Read(next_call(), &piece_request_, &piece_,
                               then([](Streamed& self) { self.on_piece(); }));
    }

    void on_piece() {
        body_.append(piece_.read());
        if (auto refused = service_.refusal(body_.size())) {
            return begin_answer(*std::move(refused));
        }
        share_.grow(piece_.read().size());
        if (!piece_.has_error()) return read();
        if (piece_.error().error_code() != io::reader::ERROR_CODE_EOF) {
            return finish({grpc::StatusCode::ABORTED, piece_.error().message()});
        }
        const bool taken = service_.executor_.post([self = shared_from_this()] { self->serve(); });
        if (!taken) begin_answer(busy());
    }

    void serve() {
        const ::http::Request& request = request_.request();
        begin_answer(service_.serve(
            {.method = request.method(),
             .target = request.request_uri().empty() ? request.url().path() : request.request_uri(),
             .headers = read_headers(request.header()),
             .body = body_}));
    }

    void begin_answer(HttpResponse answer) {
        headers_ = merged(read_headers(request_.response_writer().header()), answer.headers);
        answer_ = std::move(answer.body);
        write_headers(headers_, *header_request_.mutable_headers());
        header_request_.set_status_code(answer.status);
        writer_->async()->WriteHeader(next_call(), &header_request_, &empty_,
                                      then([](Streamed& self) { self.write(); }));
    }

    void write() {
        if (written_ == answer_.size()) {
            write_headers(headers_, *response_.mutable_header());
            return finish(grpc::Status::OK);
        }
        const std::size_t length = std::min(kWriteBytes, answer_.size() - written_);
        write_headers(headers_, *write_request_.mutable_headers());
        write_request_.set_payload(answer_.data() + written_, length);
        written_ += length;
        writer_->async()->Write(next_call(), &write_request_, &write_response_,
                                then([](Streamed& self) { self.write(); }));
    }

    void finish(grpc::Status status) { reactor_->Finish(std::move(status)); }

    HttpService& service_;
    grpc::CallbackServerContext* const context_;
    const ::http::HTTPRequest& request_;
    ::http::HTTPResponse& response_;
    grpc::ServerUnaryReactor* const reactor_;
    const std::unique_ptr<io::reader::Reader::Stub> reader_;
    const std::unique_ptr<::http::responsewriter::Writer::Stub> writer_;
    BodyShare share_;
    std::optional<grpc::ClientContext> call_;
    io::reader::ReadRequest piece_request_;
    io::reader::ReadResponse piece_;
    std::string body_;
    Headers headers_;
    std::string answer_;
    std::size_t written_ = 0;
    ::http::responsewriter::WriteHeaderRequest header_request_;
    ::http::responsewriter::WriteRequest write_request_;
    ::http::responsewriter::WriteResponse write_response_;
    google::protobuf::Empty empty_;
};

grpc::ServerUnaryReactor* HttpService::Handle(grpc::CallbackServerContext* context,
                                              const ::http::HTTPRequest* request,
                                              ::http::HTTPResponse* response) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    auto node = connect(request->response_writer().server_addr());
    if (!node) {
        reactor->Finish({grpc::StatusCode::INVALID_ARGUMENT, node.error().message()});
        return reactor;
    }
    std::make_shared<Streamed>(*this, context, reactor, request, response, *node)->start();
    return reactor;
}

}  // namespace blobvm::vm::plugin
