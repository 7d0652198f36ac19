#pragma once

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

constexpr std::size_t kMaxDepth = 64;

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

    /// An object's member; names match without ASCII case, the last one wins.
    std::optional<Value> member(std::string_view name) const;
    /// An object's member by its exact name (Go maps); the last one wins.
    std::optional<Value> exact_member(std::string_view name) const;
    std::vector<std::pair<std::string, Value>> members() const;  ///< in order, duplicates kept
    std::vector<Value> elements() const;                         ///< an array's

  private:
    friend class Document;
    const struct Node* node_ = nullptr;
};

/// A parsed text. Keeps a view of it: the text must outlive the document.
class Document {
  public:
    /// The whole text is one value (Go: json.Unmarshal). kJsonInvalid with Go's text.
    static Result<Document> parse(std::string_view text);
    /// The first value of the text, the rest ignored (Go: Decoder.Decode).
    static Result<Document> parse_first(std::string_view text);

    Document(Document&&) noexcept;
    Document& operator=(Document&&) noexcept;
    ~Document();

    Value root() const;

  private:
    struct Tree;
    explicit Document(std::unique_ptr<Tree> tree);
    std::unique_ptr<Tree> tree_;
};

/// Appends `text` as a JSON string in quotes, escaped as Go does (HTML characters too).
void append_quoted(std::string& out, std::string_view text);

/// `raw`, a valid value, without white space between tokens and with HTML characters escaped, as
/// Go writes a json.RawMessage.
void append_compact(std::string& out, std::string_view raw);

}  // namespace blobvm::json
