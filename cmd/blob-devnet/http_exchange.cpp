#include "cmd/blob-devnet/http_exchange.hpp"

#include <fmt/format.h>
#include <grpcpp/client_context.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "chain/base/mutex.hpp"
#include "proto/plugin/http_responsewriter.grpc.pb.h"
#include "proto/plugin/io_reader.grpc.pb.h"

namespace blobvm::devnet {
namespace {

using google::protobuf::Empty;
using grpc::ServerContext;
using grpc::Status;
using grpc::StatusCode;

constexpr std::size_t kMaxAnswerBytes = 256 * 1024 * 1024;

class BodyReader final : public ::io::reader::Reader::Service {
  public:
    explicit BodyReader(const std::string& body) : body_{body} {}

    Status Read(ServerContext*, const ::io::reader::ReadRequest* request,
                ::io::reader::ReadResponse* reply) override {
        const Lock lock{mutex_};
        const auto wanted = static_cast<std::size_t>(std::max(request->length(), 0));
        reply->set_read(body_.substr(next_, wanted));
        next_ += reply->read().size();
        if (next_ == body_.size()) {
            reply->mutable_error()->set_error_code(::io::reader::ERROR_CODE_EOF);
            reply->mutable_error()->set_message("EOF");
        }
        return Status::OK;
    }

  private:
    const std::string& body_;
    Mutex mutex_;
    std::size_t next_ GUARDED_BY(mutex_) = 0;
};

class AnswerWriter final : public ::http::responsewriter::Writer::Service {
  public:
    Status Write(ServerContext*, const ::http::responsewriter::WriteRequest* request,
                 ::http::responsewriter::WriteResponse* reply) override {
        const Lock lock{mutex_};
        if (answer_.body().size() + request->payload().size() > kMaxAnswerBytes) {
            return {StatusCode::RESOURCE_EXHAUSTED, "the answer is too long"};
        }
        set_headers(request->headers());
        if (answer_.code() == 0) answer_.set_code(200);
        answer_.mutable_body()->append(request->payload());
        reply->set_written(static_cast<std::int32_t>(request->payload().size()));
        return Status::OK;
    }
    Status WriteHeader(ServerContext*, const ::http::responsewriter::WriteHeaderRequest* request,
                       Empty*) override {
        const Lock lock{mutex_};
        set_headers(request->headers());
        if (answer_.code() != 0) return Status::OK;  // a second one is ignored
        const int code = request->status_code();
        answer_.set_code(code >= 100 && code <= 599 ? code : 500);
        return Status::OK;
    }
    Status Flush(ServerContext*, const Empty*, Empty*) override { return Status::OK; }
    Status Hijack(ServerContext*, const Empty*, ::http::responsewriter::HijackResponse*) override {
        return {StatusCode::UNIMPLEMENTED, "connections cannot be taken over here"};
    }

    ::http::HandleSimpleHTTPResponse take() {
        const Lock lock{mutex_};
        return std::move(answer_);
    }

  private:
    template <class Headers>
    void set_headers(const Headers& headers) REQUIRES(mutex_) {
        answer_.clear_headers();
        for (const auto& header : headers) {
            ::http::Element& element = *answer_.add_headers();
            element.set_key(header.key());
            *element.mutable_values() = header.values();
        }
    }

    Mutex mutex_;
    ::http::HandleSimpleHTTPResponse answer_ GUARDED_BY(mutex_);
};

::http::HandleSimpleHTTPResponse failure(std::string text) {
    ::http::HandleSimpleHTTPResponse answer;
    answer.set_code(500);
    answer.set_body(std::move(text));
    return answer;
}

}  // namespace

::http::HandleSimpleHTTPResponse handle(::http::HTTP::Stub& handler, ::http::HTTPRequest request,
                                        const std::string& body, std::chrono::milliseconds limit) {
    BodyReader reader{body};
    AnswerWriter writer;
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.SetMaxReceiveMessageSize(-1);
    builder.RegisterService(&reader);
    builder.RegisterService(&writer);
    const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    if (server == nullptr) return failure("cannot listen for the answer");

    request.mutable_response_writer()->set_server_addr(fmt::format("127.0.0.1:{}", port));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + limit);
    ::http::HTTPResponse reply;
    const Status status = handler.Handle(&context, request, &reply);
    server->Shutdown(std::chrono::system_clock::now());
    if (!status.ok()) return failure(status.error_message());
    ::http::HandleSimpleHTTPResponse answer = writer.take();
    if (answer.code() == 0) answer.set_code(200);
    return answer;
}

}  // namespace blobvm::devnet
