#include <openssl/evp.h>

#include "chain/base/check.hpp"
#include "chain/base/hashing.hpp"

namespace blobvm {
namespace {

/// OpenSSL 3 looks an algorithm up by name each time that it is not told: that costs three times
/// the hash of an id.
const EVP_MD* sha256_algorithm() {
    static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    CHECK(algorithm != nullptr);
    return algorithm;
}

struct Context {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    Context() { CHECK(context != nullptr); }
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;
    ~Context() { EVP_MD_CTX_free(context); }
};

}  // namespace

Hash256 sha256(ByteView message) {
    thread_local const Context reused;
    Hash256 digest;
    CHECK(EVP_DigestInit_ex2(reused.context, sha256_algorithm(), nullptr) == 1);
    CHECK(EVP_DigestUpdate(reused.context, message.data(), message.size()) == 1);
    CHECK(EVP_DigestFinal_ex(reused.context, reinterpret_cast<unsigned char*>(digest.bytes.data()),
                             nullptr) == 1);
    return digest;
}

}  // namespace blobvm
