#include "proto/jsonrpc/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>

namespace blobvm::json {

/// A value and how to find its neighbours; 0 (the root's index) stands for "none".
struct Node {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    std::uint32_t key_begin = 0;  ///< at its opening quote
    std::uint32_t key_end = 0;    ///< behind its closing quote; 0 in an array
    std::uint32_t first = 0;
    std::uint32_t next = 0;
    Kind kind = Kind::kNull;
    bool escaped = false;      ///< a string with a backslash in it
    bool key_escaped = false;  ///< the same for the key
};

struct Tree {
    std::string_view text;
    std::vector<Node> nodes;
};

namespace {

constexpr std::size_t kMaxEcho = 256;  ///< most of a client's text that an error repeats

constexpr bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

int hex_digit(char c) {
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

void append_utf8(std::string& out, std::uint32_t rune) {
    const auto put = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
    if (rune < 0x80) {
        put(rune);
    } else if (rune < 0x800) {
        put(0xc0 | rune >> 6);
        put(0x80 | (rune & 0x3f));
    } else if (rune < 0x10000) {
        put(0xe0 | rune >> 12);
        put(0x80 | (rune >> 6 & 0x3f));
        put(0x80 | (rune & 0x3f));
    } else {
        put(0xf0 | rune >> 18);
        put(0x80 | (rune >> 12 & 0x3f));
        put(0x80 | (rune >> 6 & 0x3f));
        put(0x80 | (rune & 0x3f));
    }
}

/// Bytes of the UTF-8 sequence at the start of `text`, which is not empty; 0 where there is none.
std::size_t utf8_length(std::string_view text) {
    const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned first = byte(0);
    const std::size_t length = first < 0x80                     ? 1
                               : first >= 0xc2 && first <= 0xdf ? 2
                               : first >= 0xe0 && first <= 0xef ? 3
                               : first >= 0xf0 && first <= 0xf4 ? 4
                                                                : 0;
    if (length == 0 || length > text.size()) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0) != 0x80) return 0;
    }
    if (first == 0xe0 && byte(1) < 0xa0) return 0;  // overlong
    if (first == 0xed && byte(1) > 0x9f) return 0;  // surrogate
    if (first == 0xf0 && byte(1) < 0x90) return 0;  // overlong
    if (first == 0xf4 && byte(1) > 0x8f) return 0;  // beyond U+10FFFF
    return length;
}

/// A character in an error text, as Go's quoteChar writes a byte (taken for a Latin-1 rune).
std::string quote_char(char c) {
    switch (c) {
        case '\'':
            return R"('\'')";
        case '"':
            return R"('"')";
        case '\\':
            return R"('\\')";
        case '\a':
            return R"('\a')";
        case '\b':
            return R"('\b')";
        case '\f':
            return R"('\f')";
        case '\n':
            return R"('\n')";
        case '\r':
            return R"('\r')";
        case '\t':
            return R"('\t')";
        case '\v':
            return R"('\v')";
        default:
            break;
    }
    const unsigned rune = static_cast<unsigned char>(c);
    if (rune < 0x20 || rune == 0x7f) return fmt::format(R"('\x{:02x}')", rune);
    if ((rune >= 0x80 && rune <= 0xa0) || rune == 0xad) return fmt::format(R"('\u{:04x}')", rune);
    std::string quoted{"'"};
    append_utf8(quoted, rune);
    quoted += '\'';
    return quoted;
}

constexpr std::uint64_t every_byte(std::uint8_t byte) { return 0x0101010101010101ULL * byte; }
constexpr std::uint64_t has_zero(std::uint64_t word) {
    return (word - every_byte(1)) & ~word & every_byte(0x80);
}

/// The first position from `from` on of a quote, a backslash or a control character, or the end.
/// Eight characters at a time: request bodies hold values of hundreds of kilobytes.
std::size_t find_string_event(std::string_view text, std::size_t from) {
    while (from + 8 <= text.size()) {
        std::uint64_t word;
        std::memcpy(&word, text.data() + from, 8);
        const std::uint64_t event = has_zero(word ^ every_byte('"')) |
                                    has_zero(word ^ every_byte('\\')) |
                                    ((word - every_byte(0x20)) & ~word & every_byte(0x80));
        if (event != 0) break;
        from += 8;
    }
    while (from < text.size()) {
        const char c = text[from];
        if (c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20) break;
        ++from;
    }
    return from;
}

bool is_ascii(std::string_view text) {
    std::size_t at = 0;
    for (; at + 8 <= text.size(); at += 8) {
        std::uint64_t word;
        std::memcpy(&word, text.data() + at, 8);
        if ((word & every_byte(0x80)) != 0) return false;
    }
    for (; at < text.size(); ++at) {
        if (static_cast<unsigned char>(text[at]) >= 0x80) return false;
    }
    return true;
}

/// The four digits of a \u escape whose backslash stands at `at`; -1 if there is no such escape.
std::int32_t unicode_escape(std::string_view text, std::size_t at) {
    if (at + 6 > text.size() || text[at] != '\\' || text[at + 1] != 'u') return -1;
    std::int32_t rune = 0;
    for (std::size_t i = at + 2; i < at + 6; ++i) {
        const int digit = hex_digit(text[i]);
        if (digit < 0) return -1;
        rune = rune * 16 + digit;
    }
    return rune;
}

char simple_escape(char c) {
    switch (c) {
        case 'b':
            return '\b';
        case 'f':
            return '\f';
        case 'n':
            return '\n';
        case 'r':
            return '\r';
        case 't':
            return '\t';
        default:
            return c;
    }
}

/// What a checked string says: escapes resolved; a lone surrogate and each byte that is not UTF-8
/// become U+FFFD.
std::string unescape(std::string_view content) {
    if (content.find('\\') == std::string_view::npos && is_ascii(content)) {
        return std::string{content};
    }
    constexpr std::uint32_t kReplacement = 0xfffd;
    std::string out;
    out.reserve(content.size());
    for (std::size_t at = 0; at < content.size();) {
        const char c = content[at];
        if (c == '\\' && content[at + 1] == 'u') {
            const auto rune = static_cast<std::uint32_t>(unicode_escape(content, at));
            at += 6;
            if (rune < 0xd800 || rune > 0xdfff) {
                append_utf8(out, rune);
                continue;
            }
            const std::int32_t low = unicode_escape(content, at);
            if (rune < 0xdc00 && low >= 0xdc00 && low <= 0xdfff) {
                append_utf8(out, 0x10000 + ((rune - 0xd800) << 10) +
                                     (static_cast<std::uint32_t>(low) - 0xdc00));
                at += 6;
            } else {
                append_utf8(out, kReplacement);
            }
        } else if (c == '\\') {
            out += simple_escape(content[at + 1]);
            at += 2;
        } else if (const std::size_t length = utf8_length(content.substr(at)); length > 0) {
            out += content.substr(at, length);
            at += length;
        } else {
            append_utf8(out, kReplacement);
            ++at;
        }
    }
    return out;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// Whether Go's case folding makes the two equal; `name` is ASCII. Two letters have a twin outside
/// ASCII: the long s (U+017F) and the Kelvin sign (U+212A).
bool folds_to(std::string_view key, std::string_view name) {
    for (const char expected : name) {
        if (key.empty()) return false;
        if (lower(key[0]) == lower(expected)) {
            key.remove_prefix(1);
        } else if (lower(expected) == 's' && key.starts_with("\xc5\xbf")) {
            key.remove_prefix(2);
        } else if (lower(expected) == 'k' && key.starts_with("\xe2\x84\xaa")) {
            key.remove_prefix(3);
        } else {
            return false;
        }
    }
    return key.empty();
}

/// Recursive descent; the depth is bounded by kMaxDepth. Errors are those of Go's scanner.
class Parser {
  public:
    Parser(Tree& tree, bool whole, std::size_t max_values)
        : tree_{tree}, text_{tree.text}, whole_{whole}, max_values_{max_values} {}

    Result<void> run() {
        if (text_.size() >= std::numeric_limits<std::uint32_t>::max()) {
            return fail(ErrorCode::kJsonInvalid, "text too long");
        }
        skip_space();
        if (!whole_ && at_end()) return fail(ErrorCode::kJsonInvalid, "EOF");
        std::uint32_t root = 0;
        if (!value(root, 0)) return fail(ErrorCode::kJsonInvalid, std::move(error_));
        if (!whole_) return {};
        skip_space();
        if (at_end()) return {};
        invalid("after top-level value");
        return fail(ErrorCode::kJsonInvalid, std::move(error_));
    }

  private:
    bool at_end() const { return at_ == text_.size(); }
    bool next_is(char c) const { return !at_end() && text_[at_] == c; }
    bool next_is_digit() const { return !at_end() && is_digit(text_[at_]); }

    void skip_space() {
        while (!at_end() && is_space(text_[at_])) ++at_;
    }

    /// The character here is wrong, or missing. Where a space would be wrong too, Go's Unmarshal
    /// blames the space that it adds at the end of the text.
    bool invalid(std::string_view context, bool space_is_fine = true) {
        if (!at_end()) {
            error_ = fmt::format("invalid character {} {}", quote_char(text_[at_]), context);
        } else if (!whole_) {
            error_ = "unexpected EOF";
        } else if (space_is_fine) {
            error_ = "unexpected end of JSON input";
        } else {
            error_ = fmt::format("invalid character ' ' {}", context);
        }
        return false;
    }

    bool value(std::uint32_t& index, std::size_t depth) {
        if (tree_.nodes.size() >= max_values_) {
            error_ = "too many values";
            return false;
        }
        index = static_cast<std::uint32_t>(tree_.nodes.size());
        tree_.nodes.emplace_back();
        node(index).begin = position();
        const char c = at_end() ? '\0' : text_[at_];
        bool good = false;
        switch (c) {
            case '{':
                good = container(index, Kind::kObject, depth);
                break;
            case '[':
                good = container(index, Kind::kArray, depth);
                break;
            case '"':
                node(index).kind = Kind::kString;
                good = string(node(index).escaped);
                break;
            case 't':
                good = literal(index, Kind::kBool, "true");
                break;
            case 'f':
                good = literal(index, Kind::kBool, "false");
                break;
            case 'n':
                good = literal(index, Kind::kNull, "null");
                break;
            default:
                if (c != '-' && !is_digit(c)) return invalid("looking for beginning of value");
                node(index).kind = Kind::kNumber;
                good = number();
        }
        node(index).end = position();
        return good;
    }

    bool container(std::uint32_t index, Kind kind, std::size_t depth) {
        if (depth >= kMaxDepth) {
            error_ = "exceeded max depth";
            return false;
        }
        node(index).kind = kind;
        const char close = kind == Kind::kObject ? '}' : ']';
        ++at_;
        skip_space();
        if (next_is(close)) {
            ++at_;
            return true;
        }
        for (std::uint32_t last = 0;;) {
            skip_space();
            Node key;
            if (kind == Kind::kObject && !object_key(key)) return false;
            std::uint32_t child = 0;
            if (!value(child, depth + 1)) return false;
            node(child).key_begin = key.key_begin;
            node(child).key_end = key.key_end;
            node(child).key_escaped = key.key_escaped;
            (last == 0 ? node(index).first : node(last).next) = child;
            last = child;
            skip_space();
            if (next_is(close)) {
                ++at_;
                return true;
            }
            if (!next_is(',')) {
                return invalid(kind == Kind::kObject ? "after object key:value pair"
                                                     : "after array element");
            }
            ++at_;
        }
    }

    bool object_key(Node& key) {
        if (!next_is('"')) return invalid("looking for beginning of object key string");
        key.key_begin = position();
        if (!string(key.key_escaped)) return false;
        key.key_end = position();
        skip_space();
        if (!next_is(':')) return invalid("after object key");
        ++at_;
        skip_space();
        return true;
    }

    bool string(bool& escaped) {
        for (++at_;;) {
            at_ = find_string_event(text_, at_);
            if (next_is('"')) {
                ++at_;
                return true;
            }
            if (!next_is('\\')) return invalid("in string literal");
            escaped = true;
            ++at_;
            if (!escape()) return false;
        }
    }

    bool escape() {
        if (at_end() ||
            std::string_view{R"("\/bfnrtu)"}.find(text_[at_]) == std::string_view::npos) {
            return invalid("in string escape code", false);
        }
        if (text_[at_++] != 'u') return true;
        for (int i = 0; i < 4; ++i, ++at_) {
            if (at_end() || hex_digit(text_[at_]) < 0) {
                return invalid("in \\u hexadecimal character escape", false);
            }
        }
        return true;
    }

    bool literal(std::uint32_t index, Kind kind, std::string_view word) {
        node(index).kind = kind;
        ++at_;
        for (const char expected : word.substr(1)) {
            if (!next_is(expected)) {
                return invalid(fmt::format("in literal {} (expecting '{}')", word, expected),
                               false);
            }
            ++at_;
        }
        return true;
    }

    void digits() {
        while (next_is_digit()) ++at_;
    }

    bool number() {
        if (next_is('-')) ++at_;
        if (!next_is_digit()) return invalid("in numeric literal", false);
        if (next_is('0')) {
            ++at_;
        } else {
            digits();
        }
        if (next_is('.')) {
            ++at_;
            if (!next_is_digit()) return invalid("after decimal point in numeric literal", false);
            digits();
        }
        if (next_is('e') || next_is('E')) {
            ++at_;
            if (next_is('+') || next_is('-')) ++at_;
            if (!next_is_digit()) return invalid("in exponent of numeric literal", false);
            digits();
        }
        return true;
    }

    Node& node(std::uint32_t index) { return tree_.nodes[index]; }
    std::uint32_t position() const { return static_cast<std::uint32_t>(at_); }

    Tree& tree_;
    const std::string_view text_;
    const bool whole_;
    const std::size_t max_values_;
    std::size_t at_ = 0;
    std::string error_;
};

Result<std::unique_ptr<Tree>> build(std::string_view text, bool whole, std::size_t max_values) {
    auto tree = std::make_unique<Tree>();
    tree->text = text;
    tree->nodes.reserve(32);
    BLOBVM_TRY(Parser(*tree, whole, max_values).run());
    return tree;
}

/// The integer literal that `raw` is, if it fits T.
template <class T>
std::optional<T> integer(const Value& value) {
    if (value.kind() != Kind::kNumber) return std::nullopt;
    const std::string_view raw = value.raw();
    T number = 0;
    const auto [end, status] = std::from_chars(raw.data(), raw.data() + raw.size(), number);
    if (status != std::errc{} || end != raw.data() + raw.size()) return std::nullopt;
    return number;
}

}  // namespace

Kind Value::kind() const { return tree_->nodes[index_].kind; }

std::string_view Value::raw() const {
    const Node& node = tree_->nodes[index_];
    return tree_->text.substr(node.begin, node.end - node.begin);
}

std::optional<bool> Value::as_bool() const {
    if (kind() != Kind::kBool) return std::nullopt;
    return raw()[0] == 't';
}

std::optional<std::uint64_t> Value::as_u64() const { return integer<std::uint64_t>(*this); }
std::optional<std::int64_t> Value::as_i64() const { return integer<std::int64_t>(*this); }

std::optional<std::string_view> Value::quoted() const {
    if (kind() != Kind::kString) return std::nullopt;
    const std::string_view whole = raw();
    return whole.substr(1, whole.size() - 2);
}

std::optional<std::string> Value::as_string() const {
    const std::optional<std::string_view> content = quoted();
    if (!content) return std::nullopt;
    return unescape(*content);
}

bool Value::is_plain() const { return kind() == Kind::kString && !tree_->nodes[index_].escaped; }

std::optional<Value> Value::first() const {
    const std::uint32_t child = tree_->nodes[index_].first;
    if (child == 0) return std::nullopt;
    return Value{tree_, child};
}

std::optional<Value> Value::next() const {
    const std::uint32_t sibling = tree_->nodes[index_].next;
    if (sibling == 0) return std::nullopt;
    return Value{tree_, sibling};
}

std::string Value::key() const {
    const Node& node = tree_->nodes[index_];
    if (node.key_end == 0) return {};
    return unescape(tree_->text.substr(node.key_begin + 1, node.key_end - node.key_begin - 2));
}

bool Value::is_member(std::string_view name) const {
    const Node& node = tree_->nodes[index_];
    if (node.key_end == 0) return false;
    if (node.key_escaped) return folds_to(key(), name);
    return folds_to(tree_->text.substr(node.key_begin + 1, node.key_end - node.key_begin - 2),
                    name);
}

std::optional<Value> Value::member(std::string_view name) const {
    std::optional<Value> found;
    for (auto child = first(); child; child = child->next()) {
        if (child->is_member(name)) found = child;
    }
    return found;
}

std::optional<Value> Value::exact_member(std::string_view name) const {
    std::optional<Value> found;
    for (auto child = first(); child; child = child->next()) {
        if (child->is_member(name) && child->key() == name) found = child;
    }
    return found;
}

std::vector<std::pair<std::string, Value>> Value::members() const {
    std::vector<std::pair<std::string, Value>> result;
    if (kind() != Kind::kObject) return result;
    for (auto child = first(); child; child = child->next()) {
        result.emplace_back(child->key(), *child);
    }
    return result;
}

std::vector<Value> Value::elements() const {
    std::vector<Value> result;
    if (kind() != Kind::kArray) return result;
    for (auto child = first(); child; child = child->next()) result.push_back(*child);
    return result;
}

Document::Document(std::unique_ptr<Tree> tree) : tree_{std::move(tree)} {}
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;
Document::~Document() = default;

Result<Document> Document::parse(std::string_view text, std::size_t max_values) {
    BLOBVM_TRY(auto tree, build(text, true, max_values));
    return Document{std::move(tree)};
}

Result<Document> Document::parse_first(std::string_view text, std::size_t max_values) {
    BLOBVM_TRY(auto tree, build(text, false, max_values));
    return Document{std::move(tree)};
}

Value Document::root() const { return Value{tree_.get(), 0}; }

void append_quoted(std::string& out, std::string_view text) {
    out += '"';
    std::size_t run = 0;  // where what has not been copied yet begins
    for (std::size_t at = 0; at < text.size();) {
        const char c = text[at];
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte < 0x80 && c != '"' && c != '\\' && c != '<' && c != '>' &&
            c != '&') {
            ++at;
            continue;
        }
        const std::size_t length = utf8_length(text.substr(at));
        const std::string_view rune = text.substr(at, length);
        if (length > 1 && rune != "\xe2\x80\xa8" && rune != "\xe2\x80\xa9") {
            at += length;
            continue;
        }
        out += text.substr(run, at - run);
        if (length == 0) {
            out += "\\ufffd";
        } else if (length > 1) {
            out += rune == "\xe2\x80\xa8" ? "\\u2028" : "\\u2029";
        } else if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (c == '\n') {
            out += "\\n";
        } else if (c == '\r') {
            out += "\\r";
        } else if (c == '\t') {
            out += "\\t";
        } else {
            fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
        }
        at += length == 0 ? 1 : length;
        run = at;
    }
    out += text.substr(run);
    out += '"';
}

void append_compact(std::string& out, std::string_view raw) {
    bool in_string = false;
    for (std::size_t at = 0; at < raw.size(); ++at) {
        const char c = raw[at];
        if (!in_string) {
            in_string = c == '"';
            if (!is_space(c)) out += c;
        } else if (c == '\\') {
            out += raw.substr(at, 2);
            ++at;
        } else if (c == '<' || c == '>' || c == '&') {
            fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned char>(c));
        } else if (raw.substr(at).starts_with("\xe2\x80\xa8") ||
                   raw.substr(at).starts_with("\xe2\x80\xa9")) {
            out += raw[at + 2] == '\xa8' ? "\\u2028" : "\\u2029";
            at += 2;
        } else {
            in_string = c != '"';
            out += c;
        }
    }
}

std::string go_quote(std::string_view text) {
    std::string out{'"'};
    for (text = text.substr(0, kMaxEcho); !text.empty();) {
        const std::size_t length = utf8_length(text);
        const std::string_view rune = text.substr(0, std::max<std::size_t>(length, 1));
        if (length == 0) {
            fmt::format_to(std::back_inserter(out), "\\x{:02x}",
                           static_cast<unsigned char>(rune[0]));
        } else if (rune == "\"") {
            out += "\\\"";
        } else if (length == 1 && rune[0] != '\'') {
            const std::string quoted = quote_char(rune[0]);
            out += std::string_view{quoted}.substr(1, quoted.size() - 2);
        } else if (rune == "\xe2\x80\xa8" || rune == "\xe2\x80\xa9") {
            out += rune[2] == '\xa8' ? "\\u2028" : "\\u2029";
        } else if (rune == "\xef\xbb\xbf") {
            out += "\\ufeff";
        } else if (length == 2 && rune[0] == '\xc2' && !(rune[1] > '\xa0' && rune[1] != '\xad')) {
            fmt::format_to(std::back_inserter(out), "\\u{:04x}",
                           static_cast<unsigned char>(rune[1]));
        } else {
            out += rune;
        }
        text.remove_prefix(rune.size());
    }
    out += '"';
    return out;
}

void append_number(std::string& out, std::uint64_t number) {
    const fmt::format_int digits{number};
    out.append(digits.data(), digits.size());
}

void append_number(std::string& out, std::int64_t number) {
    const fmt::format_int digits{number};
    out.append(digits.data(), digits.size());
}

Failure type_error(const Value& value, std::string_view where, std::string_view go_type,
                   bool tell_number) {
    std::string what;
    switch (value.kind()) {
        case Kind::kNull:
            what = "null";
            break;
        case Kind::kBool:
            what = "bool";
            break;
        case Kind::kNumber:
            what = "number";
            break;
        case Kind::kString:
            what = "string";
            break;
        case Kind::kArray:
            what = "array";
            break;
        case Kind::kObject:
            what = "object";
            break;
    }
    if (tell_number && value.kind() == Kind::kNumber) {
        what += ' ';
        what += value.raw().substr(0, 64);  // Go tells it all; nobody needs more to find it
    }
    return fail(
        ErrorCode::kJsonInvalid,
        where.empty()
            ? fmt::format("json: cannot unmarshal {} into Go value of type {}", what, go_type)
            : fmt::format("json: cannot unmarshal {} into Go struct field {} of type {}", what,
                          where, go_type));
}

}  // namespace blobvm::json
