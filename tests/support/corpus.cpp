#include "tests/support/corpus.hpp"

#include <zlib.h>

#include <charconv>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <stdexcept>

#include "chain/base/hex.hpp"

namespace blobvm::test {
namespace {

std::string read_gzip(const std::filesystem::path& path) {
    const std::unique_ptr<gzFile_s, decltype(&gzclose)> file{gzopen(path.c_str(), "rb"), &gzclose};
    if (file == nullptr) throw std::runtime_error{"cannot open " + path.string()};
    std::string text;
    std::vector<char> chunk(1 << 20);
    for (;;) {
        const int got = gzread(file.get(), chunk.data(), static_cast<unsigned>(chunk.size()));
        if (got < 0) throw std::runtime_error{"cannot read " + path.string()};
        if (got == 0) return text;
        text.append(chunk.data(), static_cast<std::size_t>(got));
    }
}

template <class Number>
Number parse_number(const Json& value) {
    if (value.is_number()) return value.get<Number>();
    const std::string& text = value.get_ref<const std::string&>();
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) {
        throw std::invalid_argument{"not a number: " + text};
    }
    return number;
}

}  // namespace

std::filesystem::path corpus_dir() {
    if (const char* chosen = std::getenv("BLOBVM_CORPUS")) return chosen;
    const std::filesystem::path sources{BLOBVM_SOURCE_DIR};
    const std::filesystem::path beside = sources.parent_path() / "shared" / "spec" / "corpus";
    return std::filesystem::exists(beside) ? beside : sources / "tests" / "corpus";
}

std::vector<Json> corpus_cases(std::string_view name) {
    const std::filesystem::path path = corpus_dir() / (std::string{name} + ".json.gz");
    Json file = Json::parse(read_gzip(path));
    std::vector<Json> cases = std::move(file.at("cases")).get<std::vector<Json>>();
    if (cases.empty() || cases.size() != number(file.at("header").at("count"))) {
        throw std::runtime_error{"cases are missing in " + path.string()};
    }
    return cases;
}

const Json& vectors() {
    static const Json read = [] {
        std::filesystem::path path = corpus_dir() / "vectors.json";
        if (!std::filesystem::exists(path)) path = corpus_dir().parent_path() / "vectors.json";
        std::ifstream file{path};
        return Json::parse(file);
    }();
    return read;
}

Bytes hex(std::string_view digits) {
    if (digits.starts_with("0x")) digits.remove_prefix(2);
    Result<Bytes> bytes = from_hex(digits);
    if (!bytes) throw std::invalid_argument{"no hex digits: " + std::string{digits}};
    return std::move(bytes).value();
}

std::uint64_t number(const Json& value) { return parse_number<std::uint64_t>(value); }
std::int64_t signed_number(const Json& value) { return parse_number<std::int64_t>(value); }

Bytes set_value(const Json& test_case) {
    if (test_case.contains("value")) return hex(test_case.at("value"));
    const Json& pattern = test_case.at("valuePattern");
    const Bytes unit = hex(pattern.at("hex"));
    Bytes value(pattern.at("len").get<std::size_t>());
    for (std::size_t i = 0; i < value.size(); ++i) value[i] = unit[i % unit.size()];
    return value;
}

bool has_tag(const Json& test_case, std::string_view prefix) {
    const auto tags = test_case.find("tags");
    if (tags == test_case.end()) return false;
    return std::any_of(tags->begin(), tags->end(), [&](const Json& tag) {
        return std::string_view{tag.get_ref<const std::string&>()}.starts_with(prefix);
    });
}

std::string text_or_empty(const Json& test_case, const char* member) {
    const auto found = test_case.find(member);
    return found == test_case.end() || found->is_null() ? std::string{} : found->get<std::string>();
}

}  // namespace blobvm::test
