#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chain/base/bytes.hpp"
#include "chain/base/result.hpp"

/// JSON as Go's encoding/json reads and writes it, which is what clients of the original see:
/// exact error texts, 64-bit integers without a float path, keys matched without case, the last
/// duplicate wins, values echoed verbatim (spec/blobvm.md 7). No library gives those, hence our
/// own.
namespace blobvm::json {

enum class Kind { kNull, kBool, kNumber, kString, kArray, kObject };

constexpr std::size_t kMaxDepth = 64;         ///< nested arrays and objects
constexpr std::size_t kMaxValues = 1u << 20;  ///< in one text from a stranger

class Document;

/// One value of a text that has been checked as a whole: a view, valid while the text and the
/// Document live.
class Value {
  public:
    Kind kind() const;
    std::string_view raw() const;  ///< its text, from first to last character

    bool is_null() const { return kind() == Kind::kNull; }

    std::optional<bool> as_bool() const;
    std::optional<std::uint64_t> as_u64() const;  ///< an integer literal that fits; else empty
    std::optional<std::int64_t> as_i64() const;
    std::optional<std::string> as_string() const;  ///< escapes resolved as Go does
    /// The characters between the quotes as they stand, escapes not resolved: no copy.
    std::optional<std::string_view> quoted() const;
    /// A string in which nothing is escaped, so that quoted() is its content (if it is UTF-8).
    bool is_plain() const;

    /// Members or elements, in order, duplicates kept: `for (auto v = x.first(); v; v = v->next())`
    /// allocates nothing. Empty for what is neither array nor object, and at the end.
    std::optional<Value> first() const;
    std::optional<Value> next() const;
    /// Whether this value stands in an object under `name`, case ignored as Go does.
    bool is_member(std::string_view name) const;
    std::string key() const;  ///< its name in the object; empty in an array

    /// An object's member; names match without case, the last one wins.
    std::optional<Value> member(std::string_view name) const;
    /// An object's member by its exact name (Go maps); the last one wins.
    std::optional<Value> exact_member(std::string_view name) const;
    std::vector<std::pair<std::string, Value>> members() const;  ///< in order, duplicates kept
    std::vector<Value> elements() const;                         ///< an array's

  private:
    friend class Document;
    Value(const struct Tree* tree, std::uint32_t index) : tree_{tree}, index_{index} {}

    const struct Tree* tree_;
    std::uint32_t index_;
};

/// A parsed text. Keeps a view of it: the text must outlive the document. Time and memory grow
/// with the length of the text; nothing is allocated for a single value.
class Document {
  public:
    /// The whole text is one value (Go: json.Unmarshal). kJsonInvalid with Go's text.
    static Result<Document> parse(std::string_view text, std::size_t max_values = kMaxValues);
    /// The first value of the text, the rest ignored (Go: Decoder.Decode).
    static Result<Document> parse_first(std::string_view text, std::size_t max_values = kMaxValues);

    Document(Document&&) noexcept;
    Document& operator=(Document&&) noexcept;
    ~Document();

    Value root() const;

  private:
    explicit Document(std::unique_ptr<Tree> tree);
    std::unique_ptr<Tree> tree_;
};

/// Appends `text` as a JSON string in quotes, escaped as Go does (HTML characters too).
void append_quoted(std::string& out, std::string_view text);

/// `raw`, a valid value, without white space between tokens and with HTML characters escaped, as
/// Go writes a json.RawMessage.
void append_compact(std::string& out, std::string_view raw);

/// `text` as Go's strconv.Quote writes it into error texts, cut after some hundred bytes.
std::string go_quote(std::string_view text);

void append_number(std::string& out, std::uint64_t number);
void append_number(std::string& out, std::int64_t number);

/// What Go says of a value that does not fit its type, such as `json: cannot unmarshal string into
/// Go struct field Genesis.magic of type uint64`. `where` is "Struct.field.path", or empty for
/// "Go value"; for integers the number is told, as Go does.
Failure type_error(const Value& value, std::string_view where, std::string_view go_type,
                   bool tell_number = false);

}  // namespace blobvm::json
