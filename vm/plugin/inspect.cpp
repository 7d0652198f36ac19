#include "vm/plugin/inspect.hpp"

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <utility>

#include "chain/base/cb58.hpp"
#include "chain/base/hex.hpp"
#include "vm/store/rocks_store.hpp"

namespace blobvm::vm::plugin {
namespace {

/// The smallest key above; nothing above the last.
std::optional<BlobKey> after(BlobKey key) {
    for (std::size_t i = key.bytes.size(); i-- > 0;) {
        key.bytes[i] = std::byte(std::to_integer<unsigned>(key.bytes[i]) + 1);
        if (key.bytes[i] != std::byte{0}) return key;
    }
    return std::nullopt;
}

Result<void> check_blobs(const ChainStore& store, Inspection& found) {
    const auto snapshot = store.snapshot();
    for (std::optional<BlobKey> start{BlobKey{}}; start;) {
        BLOBVM_TRY(const auto blob, store.first_blob_from(*start));
        if (!blob) break;
        const auto& [key, meta] = *blob;
        ++found.blobs;
        found.blob_bytes += meta.size_bytes;
        const auto value = snapshot->blob(key);
        const bool sound = value && value->size() == meta.size_bytes;
        if (!sound && found.damaged.size() < Inspection::kMaxDamaged) found.damaged.push_back(key);
        start = after(key);
    }
    return {};
}

}  // namespace

Result<Inspection> inspect(const std::filesystem::path& chain_data) {
    Inspection found;
    BLOBVM_TRY(found.chain, store::stored_chain(chain_data.string()));
    BLOBVM_TRY(
        const std::unique_ptr<ChainStore> store,
        store::open_rocks_store({.directory = chain_data.string(), .chain_id = found.chain}));
    if (!store->has_chain()) {
        return fail(ErrorCode::kNotFound, chain_data.string() + " holds no block yet");
    }
    found.height = store->tip().height;
    found.block = store->tip().id;
    BLOBVM_TRY(found.digest, store->consensus_digest());
    BLOBVM_TRY(check_blobs(*store, found));
    return found;
}

std::string describe(const Inspection& found, bool as_json) {
    std::string damaged;
    for (const BlobKey& key : found.damaged) {
        damaged += as_json
                       ? fmt::format("{}\"{}\"", damaged.empty() ? "" : ",", to_hex_0x(key.view()))
                       : fmt::format("damaged  {}\n", to_hex_0x(key.view()));
    }
    return fmt::format(
        fmt::runtime(as_json
                         ? "{{\"chainId\":\"{}\",\"height\":{},\"blockId\":\"{}\","
                           "\"digest\":\"{}\",\"blobs\":{},\"blobBytes\":{},\"damaged\":[{}]}}\n"
                         : "chain    {}\nheight   {}\nblock    {}\ndigest   {}\n"
                           "blobs    {} of {} bytes\n{}"),
        to_cb58(found.chain.view()), found.height, to_cb58(found.block.view()),
        to_hex_0x(found.digest.view()), found.blobs, found.blob_bytes, damaged);
}

}  // namespace blobvm::vm::plugin
