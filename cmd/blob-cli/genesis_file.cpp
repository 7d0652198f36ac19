#include "cmd/blob-cli/genesis_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fmt/format.h>

#include "chain/base/hex.hpp"
#include "proto/jsonrpc/json.hpp"
#include "tree/tree.hpp"

namespace blobvm::cli {

namespace {

constexpr std::size_t kMostBytes = 64 * 1024 * 1024;

}  // namespace

Result<std::vector<chain::Allocation>> parse_allocations(std::string_view json) {
    BLOBVM_TRY(const json::Document document, json::Document::parse(json));
    const json::Value root = document.root();
    std::vector<chain::Allocation> allocations;
    if (root.is_null()) return allocations;
    if (root.kind() != json::Kind::kArray) {
        return fail(ErrorCode::kGenesisAllocation, "the file must hold a JSON array");
    }
    for (const json::Value& element : root.elements()) {
        const auto bad = [&](std::string_view what) {
            return fail(ErrorCode::kGenesisAllocation,
                        fmt::format("entry {}: {}", allocations.size() + 1, what));
        };
        if (element.kind() != json::Kind::kObject) return bad("not an object");
        const auto address = element.member("address");
        const auto balance = element.member("balance");
        const auto text = address ? address->as_string() : std::nullopt;
        if (!text) return bad("no address");
        const auto parsed = parse_address_strict(*text);
        if (!parsed) return bad(parsed.error().message());
        const auto amount = balance ? balance->as_u64() : std::nullopt;
        if (!amount) return bad("the balance is not a whole number below 2^64");
        allocations.push_back({.address = *parsed, .balance = Amount{*amount}});
    }
    return allocations;
}

Result<std::string> read_whole_file(const std::string& path) {
    BLOBVM_TRY(const auto reader, tree::open_file(path));
    std::string text;
    std::string block(64 * 1024, '\0');
    for (;;) {
        BLOBVM_TRY(const std::size_t count,
                   reader->read(std::as_writable_bytes(std::span{block.data(), block.size()})));
        if (count == 0) return text;
        text.append(block, 0, count);
        if (text.size() > kMostBytes) return fail(ErrorCode::kTooLarge, path);
    }
}

Result<void> write_whole_file(const std::string& path, std::string_view text) {
    const std::string temporary = path + ".new";
    const auto failed = [&](const std::string& what) {
        const int why = errno;
        ::unlink(temporary.c_str());
        return fail(ErrorCode::kIo, what + ": " + std::strerror(why));
    };
    ::unlink(temporary.c_str());
    const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (file < 0) return fail(ErrorCode::kIo, path + ": " + std::strerror(errno));
    std::size_t written = 0;
    while (written < text.size()) {
        const ssize_t count = ::write(file, text.data() + written, text.size() - written);
        if (count < 0) {
            const auto failure = failed(path);
            ::close(file);
            return failure;
        }
        written += static_cast<std::size_t>(count);
    }
    const bool synced = ::fsync(file) == 0;
    if (::close(file) != 0 || !synced) return failed(path);
    if (::rename(temporary.c_str(), path.c_str()) != 0) return failed(path);
    return {};
}

}  // namespace blobvm::cli
