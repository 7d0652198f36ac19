#include "client/detail/http_transport.hpp"

#include <chrono>
#include <exception>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include "chain/base/mutex.hpp"

namespace blobvm::client::detail {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using beast::error_code;

constexpr std::string_view kScheme = "http://";
constexpr std::string_view kSuffix = "/public";
constexpr std::uint32_t kMaxHeaderBytes = 64 * 1024;
constexpr std::size_t kReadBytes = 64 * 1024;  ///< Beast reads what the buffer holds, else 512

Failure connection_failed(const Endpoint& endpoint, std::string_view what) {
    return fail(ErrorCode::kConnection, fmt::format("{}: {}", endpoint.host_header, what));
}

/// One socket and the loop that runs its operations, in the caller's thread.
class Connection {
  public:
    explicit Connection(const Endpoint& endpoint) : endpoint_{endpoint}, stream_{loop_} {
        buffer_.reserve(kReadBytes);
    }

    error_code open(std::chrono::milliseconds limit) {
        std::vector<tcp::endpoint> addresses;
        if (const error_code failed = find_addresses(addresses)) return failed;
        stream_.expires_after(limit);
        error_code result = asio::error::would_block;
        stream_.async_connect(addresses, [&](error_code ec, const tcp::endpoint&) { result = ec; });
        run();
        if (!result) stream_.socket().set_option(tcp::no_delay{true}, result);
        return result;
    }

    error_code exchange(const http::request<http::string_body>& request,
                        http::response_parser<http::string_body>& parser,
                        std::chrono::milliseconds limit) {
        stream_.expires_after(limit);  // for the whole exchange
        error_code result = asio::error::would_block;
        http::async_write(stream_, request, [&](error_code ec, std::size_t) { result = ec; });
        run();
        if (result) return result;
        result = asio::error::would_block;
        http::async_read(stream_, buffer_, parser,
                         [&](error_code ec, std::size_t) { result = ec; });
        run();
        return result;
    }

  private:
    void run() {
        loop_.restart();
        loop_.run();
    }

    /// Numbers and `localhost` are taken without asking the system's resolver, which a static
    /// program can only reach where the same C library is installed.
    error_code find_addresses(std::vector<tcp::endpoint>& addresses) {
        const auto port = static_cast<std::uint16_t>(std::stoul(endpoint_.port));
        if (endpoint_.host == "localhost") {
            addresses = {{asio::ip::address_v4::loopback(), port},
                         {asio::ip::address_v6::loopback(), port}};
            return {};
        }
        error_code not_numeric;
        const auto address = asio::ip::make_address(endpoint_.host, not_numeric);
        if (!not_numeric) {
            addresses = {{address, port}};
            return {};
        }
        error_code failed;
        tcp::resolver resolver{loop_};
        for (const auto& found : resolver.resolve(endpoint_.host, endpoint_.port, failed)) {
            addresses.push_back(found.endpoint());
        }
        return failed;
    }

    const Endpoint& endpoint_;
    asio::io_context loop_{1};
    beast::tcp_stream stream_;
    beast::flat_buffer buffer_;
};

/// The server had closed a connection that we kept: nothing of the answer has come.
bool is_dropped(error_code ec) {
    return ec == http::error::end_of_stream || ec == asio::error::connection_reset ||
           ec == asio::error::broken_pipe || ec == asio::error::eof ||
           ec == asio::error::connection_aborted;
}

}  // namespace

Result<Endpoint> parse_endpoint(std::string_view url) {
    const auto bad = [&](std::string_view why) {
        return fail(ErrorCode::kConnection, fmt::format("endpoint \"{}\": {}", url, why));
    };
    if (!url.starts_with(kScheme)) return bad("must begin with http://");
    std::string_view rest = url.substr(kScheme.size());
    const std::size_t slash = rest.find('/');
    const std::string_view authority = rest.substr(0, slash);
    std::string_view path = slash == std::string_view::npos ? "" : rest.substr(slash);
    while (path.ends_with('/')) path.remove_suffix(1);

    std::string_view host = authority;
    std::string_view port = "80";
    const std::size_t bracket = authority.find(']');
    const std::size_t colon = authority.rfind(':');
    if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
        host = authority.substr(0, colon);
        port = authority.substr(colon + 1);
    }
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    if (host.empty()) return bad("names no host");
    const bool digits = port.find_first_not_of("0123456789") == std::string_view::npos;
    if (port.empty() || port.size() > 5 || !digits || std::stoul(std::string{port}) > 65'535 ||
        std::stoul(std::string{port}) == 0) {
        return bad("the port is not a number from 1 to 65535");
    }
    for (const char c : url) {
        if (c <= ' ' || c == 0x7f) return bad("has a character that no URL may have");
    }

    Endpoint endpoint{.host = std::string{host},
                      .port = std::string{port},
                      .target = std::string{path},
                      .host_header = std::string{authority}};
    if (!path.ends_with(kSuffix)) endpoint.target += kSuffix;
    return endpoint;
}

struct HttpTransport::Pool {
    Pool(Endpoint to, const HttpOptions& with) : endpoint{std::move(to)}, options{with} {}

    const Endpoint endpoint;
    const HttpOptions options;
    Mutex mutex;
    std::vector<std::unique_ptr<Connection>> idle GUARDED_BY(mutex);

    std::unique_ptr<Connection> take() EXCLUDES(mutex) {
        const Lock lock{mutex};
        if (idle.empty()) return nullptr;
        auto connection = std::move(idle.back());
        idle.pop_back();
        return connection;
    }

    void keep(std::unique_ptr<Connection> connection) EXCLUDES(mutex) {
        const Lock lock{mutex};
        if (idle.size() < options.connections) idle.push_back(std::move(connection));
    }

    void forget_idle() EXCLUDES(mutex) {
        const Lock lock{mutex};
        idle.clear();
    }
};

HttpTransport::HttpTransport(Endpoint endpoint, const HttpOptions& options)
    : pool_{std::make_unique<Pool>(std::move(endpoint), options)} {}

HttpTransport::~HttpTransport() = default;

Result<std::string> HttpTransport::post(std::string body) {
    const Endpoint& endpoint = pool_->endpoint;
    const HttpOptions& options = pool_->options;
    const std::chrono::milliseconds limit{options.timeout_ms};

    try {
        http::request<http::string_body> request{http::verb::post, endpoint.target, 11};
        request.set(http::field::host, endpoint.host_header);
        request.set(http::field::content_type, "application/json");
        request.body() = std::move(body);
        request.prepare_payload();

        auto connection = pool_->take();
        for (;;) {
            const bool reused = connection != nullptr;
            if (!reused) {
                connection = std::make_unique<Connection>(endpoint);
                const error_code failed = connection->open(limit);
                if (failed == beast::error::timeout) {
                    return fail(ErrorCode::kTimeout, "connecting to " + endpoint.host_header);
                }
                if (failed) return connection_failed(endpoint, failed.message());
            }

            http::response_parser<http::string_body> parser;
            parser.body_limit(options.max_response_bytes);
            parser.header_limit(kMaxHeaderBytes);
            const error_code failed = connection->exchange(request, parser, limit);
            if (failed && reused && is_dropped(failed) && !parser.got_some()) {
                pool_->forget_idle();  // they are as old as this one
                connection.reset();
                continue;
            }
            if (failed == beast::error::timeout) {
                return fail(ErrorCode::kTimeout,
                            fmt::format("no answer from {} within {} ms", endpoint.host_header,
                                        options.timeout_ms));
            }
            if (failed == http::error::body_limit) {
                return fail(ErrorCode::kTooLarge, fmt::format("an answer of more than {} bytes",
                                                              options.max_response_bytes));
            }
            if (failed) return connection_failed(endpoint, failed.message());

            auto response = parser.release();
            if (response.keep_alive()) pool_->keep(std::move(connection));
            const unsigned status = response.result_int();
            if (status < 200 || status > 299) {
                return fail(ErrorCode::kHttpStatus, std::to_string(status));
            }
            return std::move(response.body());
        }
    } catch (const std::exception& unexpected) {  // out of memory, or a bug of the library
        return connection_failed(endpoint, unexpected.what());
    }
}

}  // namespace blobvm::client::detail
