#include "chain/base/check.hpp"
#include "proto/jsonrpc/json.hpp"
#include "tests/fuzz/fuzz_input.hpp"

using namespace blobvm;

namespace {

/// Looks at everything that a value can tell; what is read as text must survive being written.
void walk(const json::Value& value) {
    (void)value.as_u64();
    (void)value.as_i64();
    (void)value.as_bool();
    (void)value.is_member("magic");
    CHECK(value.quoted().has_value() == (value.kind() == json::Kind::kString));
    if (const auto text = value.as_string()) {
        std::string quoted;
        json::append_quoted(quoted, *text);
        const auto again = json::Document::parse(quoted);
        CHECK(again && again->root().as_string() == text);
    }
    for (auto child = value.first(); child; child = child->next()) {
        (void)child->key();
        walk(*child);
    }
}

}  // namespace

/// A text is a value or an error, and a value written compactly is the same value.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = as_chars(test::fuzz_input(data, size));
    const auto whole = json::Document::parse(text);
    const auto first = json::Document::parse_first(text);
    (void)json::go_quote(text);
    if (whole) CHECK(first && first->root().raw() == whole->root().raw());
    if (!first) {
        CHECK(!first.error().message().empty());
        return 0;
    }
    walk(first->root());
    std::string compact;
    json::append_compact(compact, first->root().raw());
    CHECK(json::Document::parse(compact).has_value());
    std::string again;
    json::append_compact(again, compact);
    CHECK(again == compact);
    return 0;
}
