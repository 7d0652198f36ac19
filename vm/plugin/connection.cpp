#include "vm/plugin/connection.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <charconv>
#include <cstdint>
#include <string_view>

namespace blobvm::vm::plugin {
namespace {

constexpr int kUnlimited = -1;

bool is_port(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    return error == std::errc{} && end == text.data() + text.size() && port != 0;
}

/// The address in gRPC's own notation, which says that nothing is to be resolved.
std::string target(const std::string& address) {
    const std::size_t colon = address.rfind(':');
    if (colon == std::string::npos || !is_port(std::string_view{address}.substr(colon + 1))) {
        return {};
    }
    std::string host = address.substr(0, colon);
    in6_addr parsed{};
    if (inet_pton(AF_INET, host.c_str(), &parsed) == 1) return "ipv4:" + address;
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
        host = host.substr(1, host.size() - 2);
        if (inet_pton(AF_INET6, host.c_str(), &parsed) == 1) return "ipv6:" + address;
    }
    return {};
}

}  // namespace

void apply_settings(grpc::ServerBuilder& builder) {
    builder.SetMaxReceiveMessageSize(kUnlimited);
    builder.SetMaxSendMessageSize(kUnlimited);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 1000);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
}

Result<std::shared_ptr<grpc::Channel>> connect(const std::string& address) {
    const std::string target_name = target(address);
    if (target_name.empty()) {
        return fail(ErrorCode::kNodeUnavailable,
                    fmt::format("\"{}\" is not a numeric host and a port", address));
    }
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(kUnlimited);
    arguments.SetMaxSendMessageSize(kUnlimited);
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
    return grpc::CreateCustomChannel(target_name, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace blobvm::vm::plugin
