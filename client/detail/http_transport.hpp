#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "chain/base/result.hpp"
#include "client/client.hpp"

namespace blobvm::client::detail {

/// The parts of `http://HOST[:PORT]/PATH`.
struct Endpoint {
    std::string host;  ///< without the brackets of an IPv6 address
    std::string port;
    std::string target;  ///< begins with a slash and ends in `/public`
    std::string host_header;
};

/// kConnection with what is wrong for anything else (https included).
Result<Endpoint> parse_endpoint(std::string_view url);

/// Posts JSON to one endpoint over a bounded pool of kept-open connections. Safe from several
/// threads; when all connections are in use a further call opens one of its own and closes it
/// afterwards.
class HttpTransport {
  public:
    HttpTransport(Endpoint endpoint, const HttpOptions& options);
    ~HttpTransport();
    HttpTransport(const HttpTransport&) = delete;
    HttpTransport& operator=(const HttpTransport&) = delete;

    /// The body of a 2xx answer. A kept-open connection that the server has closed meanwhile is
    /// replaced once, without the caller's notice; so a request may arrive twice.
    /// kConnection, kTimeout, kHttpStatus (with the status), kTooLarge.
    Result<std::string> post(std::string body);

  private:
    struct Pool;
    std::unique_ptr<Pool> pool_;
};

}  // namespace blobvm::client::detail
