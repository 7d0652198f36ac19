#include "vm/plugin/http_headers.hpp"

#include <algorithm>
#include <array>
#include <iterator>

namespace blobvm::vm::plugin {
namespace {

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_name_character(char c) {  // a token of RFC 9110
    return is_lower(c) || is_upper(c) || is_digit(c) ||
           std::string_view{"!#$%&'*+-.^_`|~"}.find(c) != std::string_view::npos;
}

bool has(const Headers& headers, const std::string& name) {
    return std::any_of(headers.begin(), headers.end(),
                       [&](const auto& header) { return header.first == name; });
}

}  // namespace

std::string canonical_name(std::string_view name) {
    std::string result{name};
    if (!std::all_of(result.begin(), result.end(), is_name_character)) return result;
    bool starts_word = true;
    for (char& c : result) {
        if (starts_word && is_lower(c)) c = static_cast<char>(c - 'a' + 'A');
        if (!starts_word && is_upper(c)) c = static_cast<char>(c - 'A' + 'a');
        starts_word = c == '-';
    }
    return result;
}

Headers merged(Headers already_set, const Headers& ours) {
    static constexpr std::array<std::string_view, 3> kOfTheNode{"Content-Length",
                                                                "Transfer-Encoding", "Connection"};
    Headers added;
    for (const auto& [name, value] : ours) {
        std::string canonical = canonical_name(name);
        if (std::ranges::find(kOfTheNode, canonical) != kOfTheNode.end()) continue;
        added.emplace_back(std::move(canonical), value);
    }
    for (auto& [name, value] : already_set) name = canonical_name(name);
    std::erase_if(already_set, [&](const auto& header) { return has(added, header.first); });
    std::ranges::move(added, std::back_inserter(already_set));
    return already_set;
}

}  // namespace blobvm::vm::plugin
