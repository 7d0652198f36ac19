#include "proto/jsonrpc/json.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace blobvm::json {
namespace {

std::string error_of(std::string_view text) {
    const Result<Document> document = Document::parse(text);
    return document ? "" : document.error().message();
}

std::string first_error_of(std::string_view text) {
    const Result<Document> document = Document::parse_first(text);
    return document ? "" : document.error().message();
}

struct Refusal {
    std::string text;
    std::string error;
};

TEST(JsonTest, UnmarshalRefusesWithGosWords) {
    const std::vector<Refusal> refusals{
        {"", "unexpected end of JSON input"},
        {" \n", "unexpected end of JSON input"},
        {"{", "unexpected end of JSON input"},
        {"[1,", "unexpected end of JSON input"},
        {"\"ab", "unexpected end of JSON input"},
        {"{\"a\"", "unexpected end of JSON input"},
        {"{\"a\":1", "unexpected end of JSON input"},
        {"{} trailing", "invalid character 't' after top-level value"},
        {"1x", "invalid character 'x' after top-level value"},
        {"{,}", "invalid character ',' looking for beginning of object key string"},
        {"{\"a\":1,}", "invalid character '}' looking for beginning of object key string"},
        {"{\"a\" 1}", "invalid character '1' after object key"},
        {"{\"a\":1 2}", "invalid character '2' after object key:value pair"},
        {"[1 2]", "invalid character '2' after array element"},
        {"[1,]", "invalid character ']' looking for beginning of value"},
        {"xyz", "invalid character 'x' looking for beginning of value"},
        {"\xef\xbb\xbf{}", "invalid character '\xc3\xaf' looking for beginning of value"},
        {"'a'", R"(invalid character '\'' looking for beginning of value)"},
        {"\\", R"(invalid character '\\' looking for beginning of value)"},
        {std::string{"\0", 1}, R"(invalid character '\x00' looking for beginning of value)"},
        {"\x7f", R"(invalid character '\x7f' looking for beginning of value)"},
        {"\x80", R"(invalid character '\u0080' looking for beginning of value)"},
        {"\xad", R"(invalid character '\u00ad' looking for beginning of value)"},
        {"\v", R"(invalid character '\v' looking for beginning of value)"},
        {"{\"a\":nul}", "invalid character '}' in literal null (expecting 'l')"},
        {"tru", "invalid character ' ' in literal true (expecting 'e')"},
        {"-", "invalid character ' ' in numeric literal"},
        {"-a", "invalid character 'a' in numeric literal"},
        {"01", "invalid character '1' after top-level value"},
        {"1.", "invalid character ' ' after decimal point in numeric literal"},
        {"1.x", "invalid character 'x' after decimal point in numeric literal"},
        {"1e+", "invalid character ' ' in exponent of numeric literal"},
        {"\"a\nb\"", R"(invalid character '\n' in string literal)"},
        {std::string{"\"a\0b\"", 5}, R"(invalid character '\x00' in string literal)"},
        {R"("\x")", "invalid character 'x' in string escape code"},
        {R"("\u12g4")", R"(invalid character 'g' in \u hexadecimal character escape)"},
        {R"("\)", "invalid character ' ' in string escape code"},
    };
    for (const Refusal& refusal : refusals) {
        EXPECT_EQ(error_of(refusal.text), refusal.error) << refusal.text;
    }
}

TEST(JsonTest, DecoderReadsTheFirstValueAndKnowsTwoEnds) {
    EXPECT_EQ(first_error_of(""), "EOF");
    EXPECT_EQ(first_error_of(" \r\n\t"), "EOF");
    EXPECT_EQ(first_error_of("{"), "unexpected EOF");
    EXPECT_EQ(first_error_of("nul"), "unexpected EOF");
    EXPECT_EQ(first_error_of("1e"), "unexpected EOF");
    EXPECT_EQ(first_error_of("\"\\"), "unexpected EOF");
    EXPECT_EQ(first_error_of("{,"),
              "invalid character ',' looking for beginning of object key "
              "string");

    const std::string text = "{\"a\":1}garbage";
    const Result<Document> document = Document::parse_first(text);
    ASSERT_TRUE(document);
    EXPECT_EQ(document->root().raw(), "{\"a\":1}");
}

TEST(JsonTest, NestingEndsAtTheLimit) {
    const auto nested = [](std::size_t depth) {
        return std::string(depth, '[') + std::string(depth, ']');
    };
    EXPECT_EQ(error_of(nested(kMaxDepth)), "");
    EXPECT_EQ(error_of(nested(kMaxDepth + 1)), "exceeded max depth");
    EXPECT_EQ(error_of(std::string(1'000'000, '[')), "exceeded max depth");
}

TEST(JsonTest, ValuesAreCounted) {
    EXPECT_TRUE(Document::parse("[1,2,3]", 4));
    EXPECT_EQ(Document::parse("[1,2,3,4]", 4).error().message(), "too many values");
}

TEST(JsonTest, IntegersHaveNoFloatPath) {
    const auto u64 = [](const std::string& text) {
        const Result<Document> document = Document::parse(text);
        return document ? document->root().as_u64() : std::nullopt;
    };
    EXPECT_EQ(u64("18446744073709551615"), 18446744073709551615ULL);
    EXPECT_EQ(u64("9007199254740993"), 9007199254740993ULL);
    EXPECT_FALSE(u64("18446744073709551616"));
    EXPECT_FALSE(u64("1.0"));
    EXPECT_FALSE(u64("1e2"));
    EXPECT_FALSE(u64("-0"));
    EXPECT_FALSE(u64("\"1\""));
    const std::string lowest = "-9223372036854775808";
    EXPECT_EQ(Document::parse(lowest)->root().as_i64(), INT64_MIN);
}

TEST(JsonTest, StringsAreUnescapedAsGoDoes) {
    const auto text_of = [](const std::string& text) {
        const Result<Document> document = Document::parse(text);
        return document ? document->root().as_string().value_or("not a string") : "refused";
    };
    EXPECT_EQ(text_of(R"("a\"\\\/\b\f\n\r\tb")"), "a\"\\/\b\f\n\r\tb");
    EXPECT_EQ(text_of(R"("\u0041\u00e9\u20ac")"), "A\xc3\xa9\xe2\x82\xac");
    EXPECT_EQ(text_of(R"("\ud83d\ude00")"), "\xf0\x9f\x98\x80");
    EXPECT_EQ(text_of(R"("\ud83dx")"), "\xef\xbf\xbdx");
    EXPECT_EQ(text_of(R"("\ud83d\ud83d\ude00")"), "\xef\xbf\xbd\xf0\x9f\x98\x80");
    EXPECT_EQ(text_of(R"("\ude00")"), "\xef\xbf\xbd");
    EXPECT_EQ(text_of("\"a\xff\xc0\x80z\""), "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz");
    EXPECT_EQ(text_of("\"\xed\xa0\x80\""), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    EXPECT_EQ(text_of(R"("\u0000")"), std::string("\0", 1));
}

TEST(JsonTest, LongStringsEndWhereTheyShould) {
    for (std::size_t length = 0; length < 40; ++length) {
        const std::string text = "\"" + std::string(length, 'a') + "\"";
        const Result<Document> document = Document::parse(text);
        ASSERT_TRUE(document) << length;
        EXPECT_EQ(document->root().quoted()->size(), length);
        EXPECT_TRUE(document->root().is_plain());
        EXPECT_EQ(error_of("\"" + std::string(length, 'a') + "\x1f\""),
                  R"(invalid character '\x1f' in string literal)");
        EXPECT_EQ(error_of("\"" + std::string(length, '\xff')), "unexpected end of JSON input");
    }
}

TEST(JsonTest, MembersMatchWithoutCaseAndTheLastWins) {
    const std::string text =
        "{\"magic\":1,\"MAGIC\":2,\"\\u004dagic\":3,\"\xe2\x84\xaa"
        "ey\":4,"
        "\"addre\xc5\xbf"
        "s\":5}";
    const Result<Document> document = Document::parse(text);
    ASSERT_TRUE(document);
    const Value root = document->root();
    EXPECT_EQ(root.member("magic")->as_u64(), 3U);
    EXPECT_EQ(root.exact_member("magic")->as_u64(), 1U);
    EXPECT_EQ(root.member("key")->as_u64(), 4U);
    EXPECT_EQ(root.member("address")->as_u64(), 5U);
    EXPECT_FALSE(root.member("magi"));
    EXPECT_FALSE(root.member("magics"));
    EXPECT_EQ(root.members().size(), 5U);
}

TEST(JsonTest, ElementsKeepTheirOrder) {
    const std::string text = " [ 1 , [ ] , { \"a\" : [ 2 ] } , null ] ";
    const Result<Document> document = Document::parse(text);
    ASSERT_TRUE(document);
    const std::vector<Value> elements = document->root().elements();
    ASSERT_EQ(elements.size(), 4U);
    EXPECT_EQ(elements[0].raw(), "1");
    EXPECT_FALSE(elements[1].first());
    EXPECT_EQ(elements[2].member("a")->raw(), "[ 2 ]");
    EXPECT_TRUE(elements[3].is_null());
}

TEST(JsonTest, QuotesAsGoDoes) {
    const auto quoted = [](std::string_view text) {
        std::string out;
        append_quoted(out, text);
        return out;
    };
    EXPECT_EQ(quoted("a'\"\\/"), R"("a'\"\\/")");
    EXPECT_EQ(quoted("<&>"), R"("\u003c\u0026\u003e")");
    EXPECT_EQ(quoted("\n\r\t\b\f\x01\x7f"), "\"\\n\\r\\t\\u0008\\u000c\\u0001\x7f\"");
    EXPECT_EQ(quoted("\xe2\x80\xa8\xe2\x80\xa9\xe2\x82\xac"), "\"\\u2028\\u2029\xe2\x82\xac\"");
    EXPECT_EQ(quoted("a\xff\xc3"), R"("a\ufffd\ufffd")");
    EXPECT_EQ(quoted(std::string("\0", 1)), R"("\u0000")");
}

TEST(JsonTest, GoQuotesForErrorTexts) {
    EXPECT_EQ(go_quote("a'b\"c\\\n\x01\x7f"), R"("a'b\"c\\\n\x01\x7f")");
    EXPECT_EQ(go_quote("\xc3\xa9\xc2\xa0\xc2\xad\xff"), "\"\xc3\xa9\\u00a0\\u00ad\\xff\"");
    EXPECT_EQ(go_quote("\xe2\x80\xa8\xef\xbb\xbf"), R"("\u2028\ufeff")");
    EXPECT_LT(go_quote(std::string(10'000, 'x')).size(), 300U);
}

TEST(JsonTest, CompactsAsARawMessageIsWritten) {
    const auto compact = [](std::string_view raw) {
        std::string out;
        append_compact(out, raw);
        return out;
    };
    EXPECT_EQ(compact("[1, {\"a\" : 2}\n]"), "[1,{\"a\":2}]");
    EXPECT_EQ(compact("\"a b\\\" <&>\""), R"("a b\" \u003c\u0026\u003e")");
    EXPECT_EQ(compact("\"\\\\\" "), R"("\\")");
    EXPECT_EQ(compact("\"\xe2\x80\xa8\xff\""), "\"\\u2028\xff\"");
    EXPECT_EQ(compact("1.50"), "1.50");
}

}  // namespace
}  // namespace blobvm::json
