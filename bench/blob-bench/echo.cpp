#include "bench/blob-bench/echo.hpp"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <string>

#include "bench/blob-bench/measure.hpp"
#include "cmd/blob-devnet/plugin_process.hpp"
#include "vm/plugin/connection.hpp"

namespace blobvm::bench {
namespace {

class EchoService final : public ::http::HTTP::CallbackService {
    grpc::ServerUnaryReactor* HandleSimple(grpc::CallbackServerContext* context,
                                           const ::http::HandleSimpleHTTPRequest* request,
                                           ::http::HandleSimpleHTTPResponse* response) override {
        std::size_t bytes = 0;
        const std::string& url = request->url();
        std::from_chars(url.data(), url.data() + url.size(), bytes);
        response->set_code(200);
        response->set_body(std::string(bytes, 'x'));
        grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
        reactor->Finish(grpc::Status::OK);
        return reactor;
    }
};

}  // namespace

int run_echo() {
    EchoService service;
    grpc::ServerBuilder builder;
    vm::plugin::apply_settings(builder);
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service);
    const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    if (server == nullptr) give_up("the echo cannot listen");
    std::printf("127.0.0.1:%d\n", port);
    std::fflush(stdout);
    server->Wait();  // until it is killed
    return 0;
}

Echo::Echo() : child_{{own_path(), "echo"}} {
    const std::string address = child_.line();
    if (address.empty()) give_up("the echo did not start");
    stub_ = ::http::HTTP::NewStub(devnet::dial(address));
}

void Echo::call(std::size_t request_bytes, std::size_t answer_bytes) {
    ::http::HandleSimpleHTTPRequest request;
    request.set_method("POST");
    request.set_url(std::to_string(answer_bytes));
    request.set_body(std::string(request_bytes, 'x'));
    ::http::HandleSimpleHTTPResponse response;
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    const grpc::Status status = stub_->HandleSimple(&context, request, &response);
    if (!status.ok()) give_up("a bare call failed: " + status.error_message());
}

double Echo::rate(std::size_t outstanding, std::size_t request_bytes, std::size_t answer_bytes,
                  double seconds) {
    return calls_per_second(outstanding, seconds, {pid()}, [&](std::size_t) {
        call(request_bytes, answer_bytes);
        return 1.0;
    });
}

}  // namespace blobvm::bench
