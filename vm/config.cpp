#include "vm/config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "proto/jsonrpc/json.hpp"

namespace blobvm::vm {
namespace {

using json::Kind;
using json::Value;
using std::chrono::nanoseconds;

constexpr std::size_t kMaxEcho = 256;  ///< most of the operator's text that an error repeats
constexpr std::size_t kMaxPath = 4096;
constexpr std::int64_t kMaxInt64 = std::numeric_limits<std::int64_t>::max();
constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1024 * kKiB;
constexpr std::uint64_t kGiB = 1024 * kMiB;

Failure refuse(std::string_view key, const Value& value, std::string_view allowed) {
    return fail(ErrorCode::kConfigInvalid, fmt::format("{} is {}; allowed: {}", key,
                                                       value.raw().substr(0, kMaxEcho), allowed));
}

struct Unit {
    std::string_view name;
    std::int64_t nanoseconds;
};
constexpr std::array<Unit, 6> kUnits{{{"ns", 1},
                                      {"us", 1'000},
                                      {"ms", 1'000'000},
                                      {"s", 1'000'000'000},
                                      {"m", 60'000'000'000},
                                      {"h", 3'600'000'000'000}}};

/// "500ms": digits and a unit; empty for anything else, and for what does not fit.
std::optional<std::int64_t> parse_duration(std::string_view text) {
    std::int64_t count = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (status != std::errc{}) return std::nullopt;
    const std::string_view name = text.substr(static_cast<std::size_t>(end - text.data()));
    const auto unit = std::find_if(kUnits.begin(), kUnits.end(),
                                   [name](const Unit& u) { return u.name == name; });
    std::int64_t total = 0;
    if (unit == kUnits.end() || __builtin_mul_overflow(count, unit->nanoseconds, &total)) {
        return std::nullopt;
    }
    return total;
}

Result<void> set(std::string_view key, const Value& value, nanoseconds least, nanoseconds most,
                 std::string_view allowed, nanoseconds& out) {
    const auto count = value.kind() == Kind::kString
                           ? parse_duration(value.as_string().value_or(std::string{}))
                           : value.as_i64();
    if (!count || *count < least.count() || *count > most.count()) {
        return refuse(
            key, value,
            fmt::format("{}, as nanoseconds or as text such as \"500ms\" (ns us ms s m h)",
                        allowed));
    }
    out = nanoseconds{*count};
    return {};
}

template <class Integer>
Result<void> set(std::string_view key, const Value& value, Integer least, Integer most,
                 Integer& out) {
    const auto number = [&value] {
        if constexpr (std::is_signed_v<Integer>) {
            return value.as_i64();
        } else {
            return value.as_u64();
        }
    }();
    if (!number || *number < least || *number > most) {
        return refuse(key, value, fmt::format("a whole number from {} to {}", least, most));
    }
    out = *number;
    return {};
}

Result<void> set_log_level(const Value& value, std::string& out) {
    constexpr std::array<std::string_view, 6> kLevels{"trace", "debug", "info",
                                                      "warn",  "error", "off"};
    auto level = value.as_string();
    if (!level || std::find(kLevels.begin(), kLevels.end(), *level) == kLevels.end()) {
        return refuse("logLevel", value, R"("trace", "debug", "info", "warn", "error" or "off")");
    }
    out = std::move(*level);
    return {};
}

Result<void> set_path(const Value& value, std::string& out) {
    auto path = value.as_string();
    if (!path || path->size() > kMaxPath || path->find('\0') != std::string::npos) {
        return refuse("airdropFile", value, fmt::format("a path of up to {} bytes", kMaxPath));
    }
    out = std::move(*path);
    return {};
}

Result<void> set_member(const Value& member, Config& config) {
    using std::chrono::hours;
    using std::chrono::milliseconds;
    const auto is = [&member](std::string_view name) { return member.is_member(name); };
    if (member.is_null()) return {};  // as by Go: the default stays
    if (is("buildInterval")) {
        return set("buildInterval", member, nanoseconds{0}, hours{1}, "0 to 1h",
                   config.build_interval);
    }
    if (is("gossipInterval")) {
        return set("gossipInterval", member, milliseconds{1}, hours{24}, "1ms to 24h",
                   config.gossip_interval);
    }
    if (is("regossipInterval")) {
        return set("regossipInterval", member, milliseconds{1}, hours{24}, "1ms to 24h",
                   config.regossip_interval);
    }
    if (is("mempoolSize")) {
        return set("mempoolSize", member, std::uint64_t{0}, std::uint64_t{1'000'000},
                   config.mempool_size);
    }
    if (is("mempoolBytes")) {
        return set("mempoolBytes", member, kMiB, 64 * kGiB, config.mempool_bytes);
    }
    if (is("activityCacheSize")) {
        return set("activityCacheSize", member, std::uint64_t{0}, std::uint64_t{1'000'000},
                   config.activity_cache_size);
    }
    if (is("logLevel")) return set_log_level(member, config.log_level);
    if (is("airdropFile")) return set_path(member, config.airdrop_file);
    if (is("maxRequestBytes")) {
        return set("maxRequestBytes", member, 64 * kKiB, kGiB, config.max_request_bytes);
    }
    if (is("blockCacheBytes")) {
        return set("blockCacheBytes", member, kMiB, 64 * kGiB, config.block_cache_bytes);
    }
    if (is("rollBackTo")) {
        return set("rollBackTo", member, std::int64_t{-1}, kMaxInt64, config.roll_back_to);
    }
    return {};
}

}  // namespace

Result<Config> parse_config(std::string_view text) {
    Config config;
    if (text.empty()) return config;
    const auto refuse_text = [text](const Error& cause) {
        return fail(ErrorCode::kConfigInvalid,
                    fmt::format("{}: {}", text.substr(0, kMaxEcho), cause.message()));
    };
    const Result<json::Document> document = json::Document::parse(text);
    if (!document) return refuse_text(document.error());
    const Value root = document->root();
    if (root.kind() != Kind::kObject && !root.is_null()) {
        return refuse_text(json::type_error(root, "", "vm.Config").error);
    }
    for (auto member = root.first(); member; member = member->next()) {
        BLOBVM_TRY(set_member(*member, config));
    }
    return config;
}

}  // namespace blobvm::vm
