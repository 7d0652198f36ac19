#include "vm/plugin/witness_record.hpp"

#include <fmt/format.h>

#include <cstdint>

namespace blobvm::vm::plugin {
namespace {

constexpr char kFormat = 1;
constexpr std::size_t kHeightAt = 1 + ChainId::kSize;
constexpr std::size_t kIdAt = kHeightAt + sizeof(std::uint64_t);
constexpr std::size_t kRecordBytes = kIdAt + BlockId::kSize;

}  // namespace

std::string encode_witness(const ChainId& chain, const Witness& witness) {
    std::string record;
    record.reserve(kRecordBytes);
    record.push_back(kFormat);
    record.append(as_chars(chain.view()));
    for (int shift = 56; shift >= 0; shift -= 8) {
        record.push_back(static_cast<char>(witness.height >> shift));
    }
    record.append(as_chars(witness.id.view()));
    return record;
}

Result<Witness> decode_witness(const ChainId& chain, std::string_view record) {
    if (record.size() != kRecordBytes) {
        return fail(ErrorCode::kCorruption,
                    fmt::format("witness of {} bytes, not {}", record.size(), kRecordBytes));
    }
    if (record[0] != kFormat) {
        return fail(ErrorCode::kCorruption,
                    fmt::format("witness of unknown format {}", static_cast<int>(record[0])));
    }
    const ByteView bytes = as_bytes(record);
    if (ChainId::from(bytes.subspan(1)) != chain) {
        return fail(ErrorCode::kCorruption, "witness of another chain");
    }
    Witness witness;
    for (const std::byte byte : bytes.subspan(kHeightAt, sizeof(std::uint64_t))) {
        witness.height = witness.height << 8 | std::to_integer<std::uint64_t>(byte);
    }
    witness.id = BlockId::from(bytes.subspan(kIdAt));
    return witness;
}

}  // namespace blobvm::vm::plugin
