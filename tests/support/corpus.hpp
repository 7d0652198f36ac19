#pragma once

#include <concepts>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "chain/base/bytes.hpp"

/// The corpus that the original made (tests/corpus/README.md). Whatever is wrong with the files
/// themselves throws and so fails the test.
namespace blobvm::test {

using Json = nlohmann::json;

/// BLOBVM_CORPUS if set; else the spec's own, where it lies beside the sources; else the copy in
/// tests/corpus.
std::filesystem::path corpus_dir();

/// The cases of `name`.json.gz, as many as its header promises.
std::vector<Json> corpus_cases(std::string_view name);

/// vectors.json, the smaller, hand-made set; read once.
const Json& vectors();

/// The bytes of hex digits, with or without 0x.
Bytes hex(std::string_view digits);
template <std::same_as<Json> J>
Bytes hex(const J& digits) {
    return hex(std::string_view{digits.template get_ref<const std::string&>()});
}

/// An id, hash, address or signature of hex digits; throws if the length is another.
template <class Fixed>
Fixed fixed(const Json& digits) {
    const Bytes bytes = hex(digits);
    if (bytes.size() != Fixed::kSize) throw std::invalid_argument{"wrong length: " + digits.dump()};
    return Fixed::from(bytes);
}

/// A number, be it written as one or as a decimal string.
std::uint64_t number(const Json& value);
std::int64_t signed_number(const Json& value);

/// The value of a set: "value", or "valuePattern" repeated and cut to its length.
Bytes set_value(const Json& test_case);

/// Whether the case has a tag that begins with `prefix`.
bool has_tag(const Json& test_case, std::string_view prefix);

/// The text of an optional member; empty if it is absent or null.
std::string text_or_empty(const Json& test_case, const char* member);

}  // namespace blobvm::test
