#include "chain/signing.hpp"

#include <secp256k1.h>
#include <secp256k1_recovery.h>
#include <string.h>
#include <sys/random.h>

#include <optional>

#include "chain/base/cb58.hpp"
#include "chain/base/check.hpp"
#include "chain/base/hashing.hpp"

namespace blobvm::chain {
namespace {

constexpr std::uint8_t kVOffset = 27;  ///< Ethereum's v = recovery id + 27

/// Half of the group's order, rounded down: the largest low s.
constexpr std::array<std::uint8_t, 32> kHalfOrder = {
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0};

/// One context for all threads: after it is made and blinded, libsecp256k1 only reads it.
const secp256k1_context* context() {
    static const secp256k1_context* const shared = [] {
        secp256k1_context* fresh = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
        CHECK(fresh != nullptr);
        std::array<unsigned char, 32> seed{};
        CHECK(getrandom(seed.data(), seed.size(), 0) == static_cast<ssize_t>(seed.size()));
        CHECK(secp256k1_context_randomize(fresh, seed.data()) == 1);
        return fresh;
    }();
    return shared;
}

const unsigned char* data(ByteView bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}
template <std::size_t N>
unsigned char* data(std::array<std::byte, N>& bytes) {
    return reinterpret_cast<unsigned char*>(bytes.data());
}

/// The 32-byte words that make up one struct.
class Words {
  public:
    void hash(const Hash256& word) { std::memcpy(next(), word.bytes.data(), 32); }
    void number(std::uint64_t value) {
        std::byte* word = next();
        for (std::size_t i = 0; i < 8; ++i) word[31 - i] = static_cast<std::byte>(value >> (8 * i));
    }
    void address(const Address& value) { std::memcpy(next() + 12, value.bytes.data(), 20); }
    ByteView view() const { return ByteView{words_}.first(32 * used_); }

  private:
    static constexpr std::size_t kMost = 5;

    std::byte* next() { return words_.data() + 32 * used_++; }

    std::array<std::byte, 32 * kMost> words_{};
    std::size_t used_ = 0;
};

Hash256 keccak_of(std::string_view text) { return keccak256(as_bytes(text)); }

const Hash256& domain_type_hash() {
    static const Hash256 hash = keccak_of("EIP712Domain(string name,uint64 magic)");
    return hash;
}
const Hash256& domain_name_hash() {
    static const Hash256 hash = keccak_of("Blob");
    return hash;
}
const Hash256& set_type_hash() {
    static const Hash256 hash = keccak_of("set(bytes value,uint64 price,string blockID)");
    return hash;
}
const Hash256& transfer_type_hash() {
    static const Hash256 hash =
        keccak_of("transfer(address to,uint64 units,uint64 price,string blockID)");
    return hash;
}

/// The last answer of a pure function: nearly all transactions that a thread sees in a row share
/// their chain, and many their block id.
template <class Key, class Compute>
const Hash256& remember_last(std::optional<std::pair<Key, Hash256>>& last, const Key& key,
                             const Compute& compute) {
    if (!last || last->first != key) last.emplace(key, compute());
    return last->second;
}

/// Hash of a block id's text form.
Hash256 block_id_text_hash(const BlockId& id) {
    thread_local std::optional<std::pair<BlockId, Hash256>> last;
    return remember_last(last, id, [&] { return keccak_of(to_cb58(id.view())); });
}

Words struct_words(const TxFields& fields, const BlobKey& key) {
    const Hash256 block_id = block_id_text_hash(fields.block_id);
    Words words;
    if (fields.is_set()) {
        words.hash(set_type_hash());
        words.hash(retag<Hash256>(key));
    } else {
        const TransferFields& transfer = *fields.transfer();
        words.hash(transfer_type_hash());
        words.address(transfer.to);
        words.number(transfer.units.value);
    }
    words.number(fields.price.value);
    words.hash(block_id);
    return words;
}

using SignedMessage = std::array<std::byte, 66>;

SignedMessage signed_message(std::uint64_t magic, const Hash256& structure) {
    SignedMessage message{std::byte{0x19}, std::byte{0x01}};
    const Hash256 separator = domain_separator(magic);
    std::memcpy(message.data() + 2, separator.bytes.data(), 32);
    std::memcpy(message.data() + 34, structure.bytes.data(), 32);
    return message;
}

bool has_low_s(ByteView signature) {
    return std::memcmp(signature.data() + 32, kHalfOrder.data(), 32) <= 0;
}

}  // namespace

Hash256 domain_separator(std::uint64_t magic) {
    thread_local std::optional<std::pair<std::uint64_t, Hash256>> last;
    return remember_last(last, magic, [&] {
        Words words;
        words.hash(domain_type_hash());
        words.hash(domain_name_hash());
        words.number(magic);
        return keccak256(words.view());
    });
}

Hash256 struct_hash(const TxFields& fields, const BlobKey& key) {
    return keccak256(struct_words(fields, key).view());
}

Hash256 signing_digest(const TxFields& fields, const BlobKey& key) {
    return keccak256(signed_message(fields.magic, struct_hash(fields, key)));
}

std::vector<Hash256> signing_digests(std::span<const RawTransaction> transactions,
                                     std::span<const TxHashes> hashes) {
    CHECK(transactions.size() == hashes.size());
    const std::size_t count = transactions.size();
    std::vector<Words> structs;
    std::vector<TwoPartMessage> messages;
    structs.reserve(count);
    messages.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        structs.push_back(struct_words(transactions[i].fields, hashes[i].key));
        messages.push_back({{}, structs[i].view()});
    }
    std::vector<Hash256> digests(count);
    keccak256_many(messages, digests);

    std::vector<SignedMessage> signed_messages(count);
    for (std::size_t i = 0; i < count; ++i) {
        signed_messages[i] = signed_message(transactions[i].fields.magic, digests[i]);
        messages[i] = {{}, signed_messages[i]};
    }
    keccak256_many(messages, digests);
    return digests;
}

namespace {

Address address_of(const secp256k1_pubkey& key) {
    std::array<std::byte, 65> point{};
    std::size_t size = point.size();
    CHECK(secp256k1_ec_pubkey_serialize(context(), data(point), &size, &key,
                                        SECP256K1_EC_UNCOMPRESSED) == 1);
    const Hash256 hash = keccak256(ByteView{point}.subspan(1));
    return Address::from(hash.view().subspan(12));
}

}  // namespace

Result<PrivateKey> PrivateKey::from(ByteView secret) {
    PrivateKey key;
    if (secret.size() != key.secret_.size() ||
        secp256k1_ec_seckey_verify(context(), data(secret)) != 1) {
        return fail(ErrorCode::kInvalidPrivateKey);
    }
    std::copy(secret.begin(), secret.end(), key.secret_.begin());
    return key;
}

PrivateKey::~PrivateKey() { explicit_bzero(secret_.data(), secret_.size()); }

Address PrivateKey::address() const {
    secp256k1_pubkey key;
    CHECK(secp256k1_ec_pubkey_create(context(), &key, data(secret())) == 1);
    return address_of(key);
}

Signature PrivateKey::sign(const Hash256& digest) const {
    secp256k1_ecdsa_recoverable_signature made;
    CHECK(secp256k1_ecdsa_sign_recoverable(context(), &made, data(digest.view()), data(secret()),
                                           nullptr, nullptr) == 1);
    Signature signature;
    int recovery_id = 0;
    CHECK(secp256k1_ecdsa_recoverable_signature_serialize_compact(context(), data(signature.bytes),
                                                                  &recovery_id, &made) == 1);
    signature.bytes[64] = static_cast<std::byte>(recovery_id + kVOffset);
    return signature;
}

Result<Address> recover_sender(const Hash256& digest, ByteView signature) {
    if (signature.size() != Signature::kSize) return fail(ErrorCode::kInvalidSignature);

    const auto v = std::to_integer<int>(signature[64]);
    const int recovery_id = v >= kVOffset ? v - kVOffset : v;
    if (recovery_id > 3) return fail(ErrorCode::kInvalidRecoveryId);

    secp256k1_ecdsa_recoverable_signature parsed;
    secp256k1_pubkey key;
    if (secp256k1_ecdsa_recoverable_signature_parse_compact(context(), &parsed, data(signature),
                                                            recovery_id) != 1 ||
        secp256k1_ecdsa_recover(context(), &key, &parsed, data(digest.view())) != 1) {
        return fail(ErrorCode::kRecoveryFailed);
    }

    // Last, so that what the original refuses too is refused for the original's reason.
    if (v != kVOffset && v != kVOffset + 1) {
        return fail(ErrorCode::kSignatureNotCanonical, "v must be 27 or 28");
    }
    if (!has_low_s(signature)) return fail(ErrorCode::kSignatureNotCanonical, "s is high");
    return address_of(key);
}

Result<Signature> normalise_signature(ByteView signature) {
    if (signature.size() != Signature::kSize) return fail(ErrorCode::kInvalidSignature);
    Signature normal = Signature::from(signature);
    const auto v = std::to_integer<int>(signature[64]);
    const int recovery_id = v >= kVOffset ? v - kVOffset : v;
    if (recovery_id > 3) return fail(ErrorCode::kInvalidRecoveryId);
    normal.bytes[64] = static_cast<std::byte>(recovery_id + kVOffset);
    if (has_low_s(signature)) return normal;

    // (r, s) and (r, n-s) sign the same, for points with the opposite parity of y. What is out of
    // range stays as it is: recovery will say so.
    secp256k1_ecdsa_signature parsed;
    if (secp256k1_ecdsa_signature_parse_compact(context(), &parsed, data(signature)) == 1 &&
        secp256k1_ecdsa_signature_normalize(context(), &parsed, &parsed) == 1) {
        CHECK(secp256k1_ecdsa_signature_serialize_compact(context(), data(normal.bytes), &parsed) ==
              1);
        normal.bytes[64] = static_cast<std::byte>((recovery_id ^ 1) + kVOffset);
    }
    return normal;
}

Result<TransactionPtr> sign_transaction(const TxFields& fields, const PrivateKey& key) {
    const SetFields* set = fields.set();
    const BlobKey blob_key = set != nullptr ? retag<BlobKey>(keccak256(set->value)) : BlobKey{};
    const Signature signature = key.sign(signing_digest(fields, blob_key));
    BLOBVM_TRY(Bytes bytes, encode_transaction(fields, signature.view()));
    return load_transaction(SharedBytes{std::move(bytes)});
}

}  // namespace blobvm::chain
