#include "cmd/blob-devnet/http_server.hpp"

#include <fmt/format.h>
#include <grpcpp/client_context.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <optional>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "chain/base/mutex.hpp"
#include "cmd/blob-devnet/http_exchange.hpp"

namespace blobvm::devnet {
namespace {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using tcp = net::ip::tcp;
using Request = bhttp::request<bhttp::string_body>;
using Response = bhttp::response<bhttp::string_body>;
using Elements = google::protobuf::RepeatedPtrField<::http::Element>;

constexpr auto kRequestTimeout = std::chrono::seconds{30};
constexpr auto kIdleTimeout = std::chrono::seconds{120};
constexpr std::size_t kMaxHeaderBytes = 64 * 1024;
constexpr std::size_t kReadBytes = 64 * 1024;  ///< Beast reads what the buffer holds, else 512
constexpr std::string_view kNotBootstrapped =
    "API call rejected because chain is not done bootstrapping\n";

std::string_view view_of(beast::string_view text) { return {text.data(), text.size()}; }
beast::string_view beast_view(std::string_view text) { return {text.data(), text.size()}; }

void set_header(Elements& headers, std::string_view key, std::string value) {
    for (::http::Element& element : headers) {
        if (element.key() == key) {
            element.clear_values();
            element.add_values(std::move(value));
            return;
        }
    }
    ::http::Element& element = *headers.Add();
    element.set_key(std::string{key});
    element.add_values(std::move(value));
}

Elements request_headers(const Request& request) {
    Elements result;
    for (const auto& field : request) {
        std::string key = canonical_header(view_of(field.name_string()));
        if (key == "Host") continue;
        const auto same = std::find_if(result.begin(), result.end(),
                                       [&](const auto& element) { return element.key() == key; });
        ::http::Element& element = same == result.end() ? *result.Add() : *same;
        element.set_key(std::move(key));
        element.add_values(std::string{view_of(field.value())});
    }
    return result;
}

/// As a node's --http-allowed-hosts by default: a page on a foreign name must not reach us through
/// its own DNS.
bool is_allowed_host(std::string_view host) {
    if (host.starts_with('[')) return host.find(']') != std::string_view::npos;
    host = host.substr(0, host.find(':'));
    boost::system::error_code error;
    net::ip::make_address(std::string{host}, error);
    return host.empty() || host == "localhost" || !error;
}

/// Names as a browser lists them, and the node's default list of what it lets pass.
bool are_allowed_headers(std::string_view names) {
    static const std::set<std::string, std::less<>> kAllowed{"Accept", "Content-Type", "Origin",
                                                             "X-Requested-With"};
    while (!names.empty()) {
        const std::size_t comma = std::min(names.find(','), names.size());
        std::string_view name = names.substr(0, comma);
        names.remove_prefix(std::min(comma + 1, names.size()));
        while (name.starts_with(' ')) name.remove_prefix(1);
        while (name.ends_with(' ')) name.remove_suffix(1);
        if (!name.empty() && !kAllowed.contains(canonical_header(name))) return false;
    }
    return true;
}

}  // namespace

std::string canonical_header(std::string_view name) {
    std::string result{name};
    bool upper = true;
    for (char& c : result) {
        if (upper && c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
        if (!upper && c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
        upper = c == '-';
    }
    return result;
}

struct HttpServer::Impl {
    class Session;

    explicit Impl(HttpSite chosen) : site{std::move(chosen)} {}

    Result<void> listen(std::uint16_t port);
    void accept();
    void stop();

    /// Calls of plugins that are under way; false once the server stops.
    bool begin(grpc::ClientContext& context) EXCLUDES(mutex);
    void forget(grpc::ClientContext& context) EXCLUDES(mutex);  ///< it has answered
    void end() EXCLUDES(mutex);  ///< the last word of each that began

    const HttpSite site;
    std::atomic<std::size_t> connections{0};  // before io, which ends the last sessions
    net::io_context io{2};
    tcp::acceptor acceptor{io};
    net::thread_pool blocking{4};  ///< for pages, and for Handle
    std::uint16_t port = 0;

    Mutex mutex;
    std::condition_variable_any all_ended;
    bool stopping GUARDED_BY(mutex) = false;
    std::set<grpc::ClientContext*> calls GUARDED_BY(mutex);
    std::size_t running GUARDED_BY(mutex) = 0;

    std::vector<std::jthread> threads;
};

/// One connection: requests one after the other.
class HttpServer::Impl::Session : public std::enable_shared_from_this<Session> {
  public:
    Session(tcp::socket socket, Impl& server)
        : server_{server},
          remote_{[&] {
              boost::system::error_code error;
              const auto endpoint = socket.remote_endpoint(error);
              return error ? std::string{}
                           : fmt::format("{}:{}", endpoint.address().to_string(), endpoint.port());
          }()},
          stream_{std::move(socket)} {
        ++server_.connections;
        buffer_.reserve(kReadBytes);
        boost::system::error_code ignored;
        stream_.socket().set_option(tcp::no_delay{true}, ignored);
    }
    ~Session() { --server_.connections; }

    auto executor() { return stream_.get_executor(); }

    void read() {
        parser_.emplace();
        parser_->body_limit(kMaxBodyBytes);
        parser_->header_limit(kMaxHeaderBytes);
        stream_.expires_after(kIdleTimeout);
        bhttp::async_read_header(stream_, buffer_, *parser_,
                                 [self = shared_from_this()](beast::error_code error, std::size_t) {
                                     self->header_read(error);
                                 });
    }

  private:
    struct Call {
        std::shared_ptr<::http::HTTP::Stub> handler;
        grpc::ClientContext context;
        ::http::HandleSimpleHTTPRequest request;
        ::http::HandleSimpleHTTPResponse reply;
    };

    void header_read(beast::error_code error) {
        if (error) return refuse(error);
        if (view_of(parser_->get()[bhttp::field::expect]) == "100-continue") {
            static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
            net::async_write(stream_, net::buffer(kContinue),
                             [self = shared_from_this()](beast::error_code failed, std::size_t) {
                                 if (!failed) self->read_body();
                             });
        } else {
            read_body();
        }
    }

    void read_body() {
        stream_.expires_after(kRequestTimeout);
        bhttp::async_read(stream_, buffer_, *parser_,
                          [self = shared_from_this()](beast::error_code error, std::size_t) {
                              if (error) return self->refuse(error);
                              self->stream_.expires_never();
                              self->dispatch(self->parser_->release());
                          });
    }

    void refuse(beast::error_code error) {
        keep_alive_ = false;
        if (error == bhttp::error::body_limit) {
            return answer({413, "text/plain; charset=utf-8", "request body too large\n"}, {});
        }
        if (error == bhttp::error::header_limit) {
            return answer({431, "text/plain; charset=utf-8", "request header too large\n"}, {});
        }
        if (error.category() == bhttp::make_error_code(bhttp::error::bad_method).category() &&
            error != bhttp::error::end_of_stream && error != bhttp::error::partial_message) {
            return answer({400, "text/plain; charset=utf-8", "400 Bad Request\n"}, {});
        }
        boost::system::error_code ignored;
        stream_.socket().shutdown(tcp::socket::shutdown_both, ignored);
    }

    void dispatch(Request request) {
        keep_alive_ = request.keep_alive();
        head_ = request.method() == bhttp::verb::head;
        version_ = request.version();

        Elements headers;
        set_header(headers, "Node-Id", server_.site.node_id());
        if (!is_allowed_host(view_of(request[bhttp::field::host]))) {
            return answer({403, "text/plain; charset=utf-8", "invalid host specified\n"}, headers);
        }
        set_header(headers, "Vary", "Origin");
        const bool cross_origin = request.count(bhttp::field::origin) > 0;
        if (request.method() == bhttp::verb::options &&
            request.count(bhttp::field::access_control_request_method) > 0) {
            return preflight(request, std::move(headers));
        }
        if (cross_origin) {
            set_header(headers, "Access-Control-Allow-Origin", "*");
            set_header(headers, "Access-Control-Allow-Credentials", "true");
        }

        const std::string target{view_of(request.target())};
        const std::string_view path = std::string_view{target}.substr(0, target.find('?'));
        if (path == "/ext/health") return page([this] { return server_.site.health(); }, headers);
        if (path == "/ext/metrics") return page([this] { return server_.site.metrics(); }, headers);
        if (path == "/ext/info") {
            return page([this, body = request.body()] { return server_.site.info(body); }, headers);
        }
        const auto api_route = view_of(request["Avalanche-Api-Route"]);
        Route route = server_.site.route(path, api_route);
        switch (route.kind) {
            case Route::Kind::kUnknown:
                return answer({404, "text/plain; charset=utf-8", "404 page not found\n"}, headers);
            case Route::Kind::kNotReady:
                return answer({503, "text/plain; charset=utf-8", std::string{kNotBootstrapped}},
                              headers);
            case Route::Kind::kHandler:
                if (request.count(bhttp::field::upgrade) > 0) {
                    return forward(std::move(route), request, std::move(headers));
                }
                return forward_simple(std::move(route), request, std::move(headers));
        }
    }

    void preflight(const Request& request, Elements headers) {
        set_header(headers, "Vary",
                   "Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
        const std::string method{view_of(request[bhttp::field::access_control_request_method])};
        const std::string names{view_of(request[bhttp::field::access_control_request_headers])};
        const bool allowed =
            (method == "GET" || method == "POST" || method == "HEAD") && are_allowed_headers(names);
        if (allowed && request.count(bhttp::field::origin) > 0) {
            set_header(headers, "Access-Control-Allow-Origin", "*");
            set_header(headers, "Access-Control-Allow-Methods", method);
            if (!names.empty()) set_header(headers, "Access-Control-Allow-Headers", names);
            set_header(headers, "Access-Control-Allow-Credentials", "true");
        }
        answer({204, {}, {}}, headers);
    }

    template <class Make>
    void page(Make make, Elements headers) {
        net::post(server_.blocking,
                  [self = shared_from_this(), make = std::move(make), headers]() mutable {
                      Page made = make();
                      self->resume([self, made = std::move(made), headers]() mutable {
                          self->answer(std::move(made), headers);
                      });
                  });
    }

    void forward_simple(Route route, Request& request, Elements headers) {
        auto call = std::make_shared<Call>();
        call->handler = std::move(route.handler);
        call->request.set_method(std::string{view_of(request.method_string())});
        call->request.set_url(std::string{view_of(request.target())});
        *call->request.mutable_request_headers() = request_headers(request);
        *call->request.mutable_response_headers() = std::move(headers);
        call->request.set_body(std::move(request.body()));
        if (!server_.begin(call->context)) return;
        watch_for_hang_up(call);
        call->handler->async()->HandleSimple(
            &call->context, &call->request, &call->reply,
            [self = shared_from_this(), call](grpc::Status status) mutable {
                finish(std::move(self), std::move(call), status);
            });
    }

    /// In gRPC's own thread, which must not let go of the last reference to a channel (it would
    /// wait for itself) or to a session: both go with the work that is posted.
    static void finish(std::shared_ptr<Session> self, std::shared_ptr<Call> call,
                       const grpc::Status& status) {
        Impl& server = self->server_;
        if (!status.ok()) {
            call->reply.Clear();
            call->reply.set_code(500);
            call->reply.set_body(status.error_message());
        }
        server.forget(call->context);
        {
            const auto executor = self->stream_.get_executor();
            net::post(executor, [self = std::move(self), call = std::move(call)] {
                self->answer(std::move(call->reply));
            });
        }
        server.end();
    }

    void forward(Route route, Request& request, Elements headers) {
        ::http::HTTPRequest out;
        *out.mutable_response_writer()->mutable_header() = std::move(headers);
        ::http::Request& in = *out.mutable_request();
        const std::string target{view_of(request.target())};
        const std::size_t question = target.find('?');
        in.set_method(std::string{view_of(request.method_string())});
        in.mutable_url()->set_path(target.substr(0, question));
        if (question != std::string::npos) {
            in.mutable_url()->set_raw_query(target.substr(question + 1));
        }
        in.set_proto(version_ == 10 ? "HTTP/1.0" : "HTTP/1.1");
        in.set_proto_major(1);
        in.set_proto_minor(version_ == 10 ? 0 : 1);
        *in.mutable_header() = request_headers(request);
        in.set_content_length(static_cast<std::int64_t>(request.body().size()));
        in.set_host(std::string{view_of(request[bhttp::field::host])});
        in.set_remote_addr(remote_);
        in.set_request_uri(target);
        net::post(server_.blocking, [self = shared_from_this(), stub = std::move(route.handler),
                                     out = std::move(out), body = std::move(request.body())] {
            auto reply = std::make_shared<::http::HandleSimpleHTTPResponse>(
                handle(*stub, out, body, kRequestTimeout));
            self->resume([self, reply] { self->answer(std::move(*reply)); });
        });
    }

    /// A caller who closes while its call runs: the call is cancelled.
    void watch_for_hang_up(const std::shared_ptr<Call>& call) {
        if (watching_.exchange(true)) {
            watched_ = call;
            return;
        }
        watched_ = call;
        stream_.socket().async_wait(
            tcp::socket::wait_read, [self = shared_from_this()](boost::system::error_code error) {
                self->watching_ = false;
                const std::shared_ptr<Call> watched = self->watched_.lock();
                char byte = 0;
                const bool open = !error && recv(self->stream_.socket().native_handle(), &byte, 1,
                                                 MSG_PEEK | MSG_DONTWAIT) != 0;
                if (!open && watched != nullptr) watched->context.TryCancel();
            });
    }

    template <class Work>
    void resume(Work work) {
        net::post(stream_.get_executor(), std::move(work));
    }

    void answer(Page page, const Elements& headers) {
        ::http::HandleSimpleHTTPResponse reply;
        reply.set_code(static_cast<std::int32_t>(page.status));
        *reply.mutable_headers() = headers;
        if (!page.content_type.empty()) {
            set_header(*reply.mutable_headers(), "Content-Type", std::move(page.content_type));
        }
        reply.set_body(std::move(page.body));
        answer(std::move(reply));
    }

    void answer(::http::HandleSimpleHTTPResponse reply) {
        const bool valid = reply.code() >= 100 && reply.code() <= 599;
        response_.emplace();
        response_->version(version_);
        response_->result(valid ? static_cast<unsigned>(reply.code()) : 500U);
        for (const ::http::Element& element : reply.headers()) {
            for (const std::string& value : element.values()) {
                response_->insert(beast_view(element.key()), beast_view(value));
            }
        }
        response_->keep_alive(keep_alive_);
        response_->body() = std::move(*reply.mutable_body());
        if (head_) {
            response_->content_length(response_->body().size());
            response_->body().clear();
        } else {
            response_->prepare_payload();
        }
        stream_.expires_after(kRequestTimeout);
        bhttp::async_write(
            stream_, *response_, [self = shared_from_this()](beast::error_code error, std::size_t) {
                self->response_.reset();
                if (error || !self->keep_alive_) {
                    boost::system::error_code ignored;
                    self->stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
                    return;
                }
                self->read();
            });
    }

    Impl& server_;
    const std::string remote_;
    beast::tcp_stream stream_;
    beast::flat_buffer buffer_;
    std::optional<bhttp::request_parser<bhttp::string_body>> parser_;
    std::optional<Response> response_;
    bool keep_alive_ = true;
    bool head_ = false;
    unsigned version_ = 11;
    std::atomic<bool> watching_{false};
    std::weak_ptr<Call> watched_;
};

Result<void> HttpServer::Impl::listen(std::uint16_t wanted) {
    boost::system::error_code error;
    const tcp::endpoint endpoint{net::ip::address_v4::loopback(), wanted};
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(net::socket_base::reuse_address{true}, error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(net::socket_base::max_listen_connections, error);
    if (error) {
        return fail(ErrorCode::kIo,
                    fmt::format("cannot listen on 127.0.0.1:{}: {}", wanted, error.message()));
    }
    port = acceptor.local_endpoint().port();
    accept();
    for (int i = 0; i < 2; ++i) threads.emplace_back([this] { io.run(); });
    return {};
}

void HttpServer::Impl::accept() {
    acceptor.async_accept(
        net::make_strand(io), [this](boost::system::error_code error, tcp::socket socket) {
            if (error == net::error::operation_aborted) return;
            if (!error && connections < kMaxConnections) {
                auto session = std::make_shared<Session>(std::move(socket), *this);
                net::dispatch(session->executor(), [session] { session->read(); });
            }
            accept();
        });
}

bool HttpServer::Impl::begin(grpc::ClientContext& context) {
    const Lock lock{mutex};
    if (stopping) return false;
    calls.insert(&context);
    ++running;
    return true;
}

void HttpServer::Impl::forget(grpc::ClientContext& context) {
    const Lock lock{mutex};
    calls.erase(&context);
}

void HttpServer::Impl::end() {
    const Lock lock{mutex};
    --running;
    all_ended.notify_all();
}

void HttpServer::Impl::stop() {
    net::post(io, [this] {
        boost::system::error_code ignored;
        acceptor.close(ignored);
    });
    {
        Lock lock{mutex};
        stopping = true;
        for (grpc::ClientContext* call : calls) call->TryCancel();
        while (running > 0) all_ended.wait(lock);
    }
    blocking.join();
    io.stop();
    threads.clear();
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_{std::move(impl)} {}
HttpServer::~HttpServer() { impl_->stop(); }
std::uint16_t HttpServer::port() const { return impl_->port; }

Result<std::unique_ptr<HttpServer>> HttpServer::start(std::uint16_t port, HttpSite site) {
    auto impl = std::make_unique<Impl>(std::move(site));
    BLOBVM_TRY(impl->listen(port));
    return std::unique_ptr<HttpServer>{new HttpServer{std::move(impl)}};
}

}  // namespace blobvm::devnet
