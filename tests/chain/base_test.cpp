#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <compare>
#include <future>
#include <limits>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "chain/base/base64.hpp"
#include "chain/base/bytes.hpp"
#include "chain/base/cb58.hpp"
#include "chain/base/check.hpp"
#include "chain/base/error.hpp"
#include "chain/base/hex.hpp"
#include "chain/base/mutex.hpp"
#include "chain/base/quantity.hpp"
#include "chain/base/result.hpp"

namespace blobvm {
namespace {

Bytes some_bytes(std::size_t size, std::uint64_t seed) {
    std::mt19937_64 random{seed};
    Bytes bytes(size);
    for (std::byte& b : bytes) b = static_cast<std::byte>(random() & 0xff);
    return bytes;
}

template <class T>
std::string message_of(const Result<T>& result) {
    return result ? "no error" : result.error().message();
}
template <class T>
ErrorCode code_of(const Result<T>& result) {
    return result.error().code;
}

// --- SharedBytes ---

TEST(SharedBytesTest, TakesOverWithoutCopying) {
    Bytes bytes = some_bytes(100, 1);
    const std::byte* const data = bytes.data();
    EXPECT_EQ(SharedBytes{std::move(bytes)}.view().data(), data);

    std::string text(100, 'x');
    const char* const characters = text.data();
    EXPECT_EQ(as_chars(SharedBytes{std::move(text)}.view()).data(), characters);
}

TEST(SharedBytesTest, PartOutlivesTheWhole) {
    SharedBytes part;
    {
        const SharedBytes whole = SharedBytes::copy_of(as_bytes("0123456789"));
        part = whole.part(3, 4);
        EXPECT_EQ(part.view().data(), whole.view().data() + 3);
    }
    EXPECT_EQ(as_chars(part.view()), "3456");
}

TEST(SharedBytesTest, DefaultIsEmpty) {
    EXPECT_TRUE(SharedBytes{}.empty());
    EXPECT_EQ(SharedBytes{}.size(), 0);
}

TEST(FixedBytesTest, OrderIsThatOfTheBytesUnsigned) {
    TxId low;
    TxId high;
    low.bytes[0] = std::byte{0x7f};
    high.bytes[0] = std::byte{0x80};
    EXPECT_LT(low, high);
    EXPECT_TRUE(TxId{}.is_zero());
    EXPECT_FALSE(low.is_zero());
}

TEST(HashSeedTest, StaysTheSameInOneProcess) { EXPECT_EQ(hash_seed(), hash_seed()); }

// --- Result ---

Result<int> half(int number) {
    if (number % 2 != 0) return fail(ErrorCode::kInvalidState, "odd");
    return number / 2;
}
Result<int> quarter(int number) {
    BLOBVM_TRY(const int halved, half(number));
    BLOBVM_TRY(half(halved));
    return halved / 2;
}
Result<void> is_even(int number) {
    BLOBVM_TRY(half(number));
    return {};
}

TEST(ResultTest, TryGoesOnWithTheValueOrHandsTheFailureUp) {
    EXPECT_EQ(quarter(8).value(), 2);
    EXPECT_EQ(message_of(quarter(6)), "invalid state: odd");
    EXPECT_TRUE(is_even(2).has_value());
    EXPECT_EQ(code_of(is_even(3)), ErrorCode::kInvalidState);
}

TEST(ResultDeathTest, ReadingTheHalfThatIsNotThereAborts) {
    EXPECT_DEATH((void)half(1).value(), "");
    EXPECT_DEATH((void)half(2).error(), "");
}

TEST(CheckDeathTest, BrokenInvariantSaysWhichAndAborts) {
    EXPECT_DEATH(CHECK(1 + 1 == 3), "broken invariant: 1 \\+ 1 == 3");
}

TEST(ErrorTest, MessageIsTextThenDetail) {
    EXPECT_EQ((Error{ErrorCode::kValueTooBig, ""}.message()), "value too big");
    EXPECT_EQ((Error{ErrorCode::kValueTooBig, "5 bytes, limit 4"}.message()),
              "value too big: 5 bytes, limit 4");
    EXPECT_EQ((Error{ErrorCode::kRpc, "only the detail"}.message()), "only the detail");
    EXPECT_EQ(name(ErrorCode::kValueTooBig), "kValueTooBig");
}

// --- Quantity ---

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

TEST(QuantityTest, SumThatJustFitsIsKeptAndOneMoreIsNot) {
    EXPECT_EQ(add(Amount{kMax - 1}, Amount{1}), Amount{kMax});
    EXPECT_EQ(add(Amount{kMax}, Amount{1}), std::nullopt);
}

TEST(QuantityTest, DifferenceNeverGoesBelowZero) {
    EXPECT_EQ(subtract(Amount{5}, Amount{5}), Amount{0});
    EXPECT_EQ(subtract(Amount{5}, Amount{6}), std::nullopt);
}

TEST(QuantityTest, FeeThatWouldWrapIsRefused) {
    EXPECT_EQ(fee(Price{1ULL << 62}, FeeUnits{3}), Amount{3ULL << 62});
    EXPECT_EQ(fee(Price{1ULL << 63}, FeeUnits{2}), std::nullopt);
    EXPECT_EQ(required_surplus(Price{kMax}, BlockCost{1}), Amount{kMax});
    EXPECT_EQ(required_surplus(Price{kMax}, BlockCost{2}), std::nullopt);
}

// --- hex ---

TEST(HexTest, AllByteValuesGoThereAndBack) {
    Bytes bytes(256);
    for (std::size_t i = 0; i < 256; ++i) bytes[i] = static_cast<std::byte>(i);
    const std::string digits = to_hex(bytes);
    EXPECT_EQ(digits.substr(0, 8), "00010203");
    EXPECT_EQ(digits.substr(508), "feff");
    EXPECT_EQ(from_hex(digits).value(), bytes);
    EXPECT_EQ(to_hex_0x(as_bytes("\x0f")), "0x0f");
    EXPECT_EQ(to_hex_0x({}), "0x");
}

TEST(HexTest, DigitsOfEitherCaseAreRead) {
    EXPECT_EQ(from_hex("aBcDeF").value(), from_hex("ABCDEF").value());
    EXPECT_TRUE(from_hex("").value().empty());
}

TEST(HexTest, OddCountAndEveryForeignCharacterAreRefused) {
    EXPECT_EQ(message_of(from_hex("abc")), "hex string of odd length");
    for (int c = 0; c < 256; ++c) {
        if (std::isxdigit(c) != 0) continue;
        const std::string first{static_cast<char>(c), '0'};
        const std::string second{'0', static_cast<char>(c)};
        EXPECT_EQ(message_of(from_hex(first)), "invalid hex string") << c;
        EXPECT_EQ(message_of(from_hex(second)), "invalid hex string") << c;
    }
}

// Examples of EIP-55.
constexpr std::array kChecksummed = {
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb"};

std::string in_case(std::string text, int (*change)(int)) {
    std::transform(text.begin() + 2, text.end(), text.begin() + 2,
                   [&](char c) { return static_cast<char>(change(c)); });
    return text;
}

TEST(AddressTest, ChecksummedFormIsThatOfEip55) {
    for (const std::string text : kChecksummed) {
        const Address address = Address::from(from_hex(text.substr(2)).value());
        EXPECT_EQ(to_checksummed(address), text);
        EXPECT_EQ(parse_address_strict(text).value(), address);
        EXPECT_EQ(parse_address_strict(in_case(text, std::tolower)).value(), address);
        EXPECT_EQ(parse_address_strict(in_case(text, std::toupper)).value(), address);
    }
}

TEST(AddressTest, OneLetterInTheWrongCaseIsRefused) {
    std::string text = kChecksummed[0];
    for (std::size_t i = 2; i < text.size(); ++i) {
        if (std::isalpha(text[i]) == 0) continue;
        std::string typo = text;
        typo[i] = static_cast<char>(typo[i] ^ 0x20);
        EXPECT_EQ(code_of(parse_address_strict(typo)), ErrorCode::kAddressChecksum) << typo;
    }
}

TEST(AddressTest, OtherLengthsMissingPrefixAndForeignCharactersAreRefused) {
    const std::string text = in_case(kChecksummed[0], std::tolower);
    for (const std::string& wrong : {std::string{}, std::string{"0x"}, text.substr(2), text + "0",
                                     text.substr(0, 41), text.substr(0, 41) + "g", text + " "}) {
        EXPECT_EQ(code_of(parse_address_strict(wrong)), ErrorCode::kHexInvalid) << wrong;
    }
}

TEST(KeyTest, SixtyFourDigitsWithOrWithoutPrefixAreRead) {
    const std::string digits(64, 'a');
    const BlobKey key = BlobKey::from(from_hex(digits).value());
    EXPECT_EQ(parse_key_strict(digits).value(), key);
    EXPECT_EQ(parse_key_strict("0x" + digits).value(), key);
    EXPECT_EQ(parse_key_strict("0X" + in_case(digits, std::toupper)).value(), key);
    for (const std::string& wrong : {std::string{}, digits.substr(1), digits + "0",
                                     "0x" + digits.substr(1), digits.substr(1) + "g"}) {
        EXPECT_EQ(code_of(parse_key_strict(wrong)), ErrorCode::kHexInvalid) << wrong;
    }
}

// --- CB58 ---

TEST(Cb58Test, ZeroIdHasThePublishedText) {
    EXPECT_EQ(to_cb58(TxId{}.view()), "11111111111111111111111111111111LpoYY");
    EXPECT_TRUE(id_from_cb58<TxId>("11111111111111111111111111111111LpoYY").value().is_zero());
}

TEST(Cb58Test, BytesOfAllLengthsGoThereAndBack) {
    for (std::size_t size = 0; size <= 100; ++size) {
        for (std::size_t zeros = 0; zeros <= size; zeros += 3) {
            Bytes bytes = some_bytes(size, size);
            std::fill_n(bytes.begin(), zeros, std::byte{0});
            EXPECT_EQ(from_cb58(to_cb58(bytes), size).value(), bytes) << size << " " << zeros;
        }
    }
}

TEST(Cb58Test, ErrorsAreTheOriginals) {
    const std::string good = to_cb58(TxId{}.view());
    EXPECT_EQ(message_of(from_cb58("", 32)), "zero length string");
    EXPECT_EQ(message_of(from_cb58("0" + good, 32)), "Invalid base58 digit ('0')");
    EXPECT_EQ(message_of(from_cb58(good + "\n", 32)), "Invalid base58 digit ('\\n')");
    EXPECT_EQ(message_of(from_cb58(good + "'", 32)), "Invalid base58 digit ('\\'')");
    EXPECT_EQ(message_of(from_cb58(good + "\x01", 32)), "Invalid base58 digit ('\\x01')");
    EXPECT_EQ(message_of(from_cb58(good + "\x7f", 32)), "Invalid base58 digit ('\\x7f')");
    EXPECT_EQ(message_of(from_cb58(good + "\xc3\xa9", 32)), "High-bit set on invalid digit");
    EXPECT_EQ(message_of(from_cb58("11", 32)), "input string is smaller than the checksum size");
    EXPECT_EQ(message_of(from_cb58(good + "1", 32)), "invalid input checksum");
    EXPECT_EQ(message_of(from_cb58(to_cb58(Address{}.view()), 32)), "expected 32 bytes but got 20");
}

TEST(Cb58Test, EveryChangedCharacterIsNoticed) {
    const std::string good = to_cb58(some_bytes(32, 9));
    for (std::size_t i = 0; i < good.size(); ++i) {
        std::string typo = good;
        typo[i] = typo[i] == 'z' ? 'y' : 'z';
        EXPECT_EQ(message_of(from_cb58(typo, 32)), "invalid input checksum") << i;
    }
}

TEST(Cb58Test, HugeTextIsRefusedWithoutBeingDecoded) {
    EXPECT_EQ(message_of(from_cb58(std::string(4 << 20, 'z'), 32)), "invalid input checksum");
}

// --- base64 ---

TEST(Base64Test, ExamplesOfRfc4648) {
    const std::array<std::pair<std::string_view, std::string_view>, 7> examples = {{
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    }};
    for (const auto& [plain, text] : examples) {
        EXPECT_EQ(to_base64(as_bytes(plain)), text);
        EXPECT_EQ(base64_size(plain.size()), text.size());
        EXPECT_EQ(as_chars(from_base64(text).value()), plain);
    }
}

TEST(Base64Test, BytesOfAllLengthsGoThereAndBack) {
    for (std::size_t size = 0; size <= 600; ++size) {
        const Bytes bytes = some_bytes(size, size);
        const std::string text = to_base64(bytes);
        EXPECT_EQ(text.size(), base64_size(size));
        EXPECT_EQ(from_base64(text).value(), bytes) << size;
    }
}

TEST(Base64Test, AppendsBehindWhatIsThere) {
    std::string out = "\"value\":\"";
    append_base64(out, as_bytes("foobar"));
    EXPECT_EQ(out, "\"value\":\"Zm9vYmFy");
}

TEST(Base64Test, LineEndsAnywhereAreSkipped) {
    const Bytes bytes = some_bytes(100, 5);
    const std::string text = to_base64(bytes);
    for (std::size_t i = 0; i <= text.size(); ++i) {
        std::string broken = text;
        broken.insert(i, "\r\n");
        EXPECT_EQ(from_base64(broken).value(), bytes) << i;
    }
}

TEST(Base64Test, ForeignCharacterIsRefusedWithItsPlace) {
    const std::string text = to_base64(some_bytes(300, 6));
    for (std::size_t i = 0; i < text.size(); ++i) {
        for (const char foreign : {'-', '_', ' ', '\0', '\x80', '\xff', '@', '[', '`', '{'}) {
            std::string broken = text;
            broken[i] = foreign;
            ASSERT_EQ(message_of(from_base64(broken)),
                      "illegal base64 data at input byte " + std::to_string(i));
        }
    }
}

TEST(Base64Test, MissingAndMisplacedPaddingIsRefusedInGosWords) {
    // What Go 1.19's encoding/base64 says of the same texts.
    EXPECT_EQ(message_of(from_base64("Zg")), "illegal base64 data at input byte 0");
    EXPECT_EQ(message_of(from_base64("Zg=")), "illegal base64 data at input byte 3");
    EXPECT_EQ(message_of(from_base64("Zg=x")), "illegal base64 data at input byte 2");
    EXPECT_EQ(message_of(from_base64("Z===")), "illegal base64 data at input byte 1");
    EXPECT_EQ(message_of(from_base64("Zm9v=")), "illegal base64 data at input byte 4");
    EXPECT_EQ(message_of(from_base64("Zg==Zg==")), "illegal base64 data at input byte 4");
    EXPECT_EQ(message_of(from_base64("Zm8=x")), "illegal base64 data at input byte 4");
}

TEST(Base64Test, UnusedBitsOfTheLastCharacterAreIgnoredAsGoDoes) {
    EXPECT_EQ(as_chars(from_base64("Zh==").value()), "f");
    EXPECT_EQ(as_chars(from_base64("Zm9=").value()), "fo");
}

TEST(FixedBytesTest, AreOrderedAsTheirBytesStand) {
    const auto check = [](auto zero) {
        for (std::size_t at = 0; at < zero.bytes.size(); ++at) {
            auto low = zero;
            auto high = zero;
            low.bytes[at] = std::byte{0x7f};
            high.bytes[at] = std::byte{0x80};
            // What follows does not count, however large.
            for (std::size_t i = at + 1; i < low.bytes.size(); ++i) low.bytes[i] = std::byte{0xff};
            EXPECT_LT(low, high) << "byte " << at;
            EXPECT_GT(high, low) << "byte " << at;
        }
        EXPECT_EQ(zero <=> zero, std::strong_ordering::equal);
    };
    check(Address{});
    check(TxId{});
    check(Signature{});
    check(FixedBytes<struct ShortTag, 4>{});
}

TEST(SharedMutexTest, AWaitingWriterGoesBeforeReadersWhoComeLater) {
    SharedMutex mutex;
    std::optional<ReaderLock> first{std::in_place, mutex};
    const auto writer = std::async(std::launch::async, [&] { const WriterLock lock{mutex}; });
    // Readers get in until the writer waits; then one does not.
    std::vector<std::future<void>> readers;
    bool kept_out = false;
    for (int i = 0; i < 20 && !kept_out; ++i) {
        readers.push_back(std::async(std::launch::async, [&] { const ReaderLock lock{mutex}; }));
        kept_out =
            readers.back().wait_for(std::chrono::milliseconds{100}) != std::future_status::ready;
    }
    EXPECT_TRUE(kept_out);
    first.reset();
    writer.wait();
    for (const auto& reader : readers) reader.wait();
}

}  // namespace
}  // namespace blobvm
