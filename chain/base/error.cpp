#include "chain/base/error.hpp"

namespace blobvm {

std::string_view text(ErrorCode code) {
    switch (code) {
#define BLOBVM_ERROR_TEXT(name, text) \
    case ErrorCode::name:             \
        return text;
        BLOBVM_ERROR_CODES(BLOBVM_ERROR_TEXT)
#undef BLOBVM_ERROR_TEXT
    }
    return {};
}

std::string_view name(ErrorCode code) {
    switch (code) {
#define BLOBVM_ERROR_NAME(name, text) \
    case ErrorCode::name:             \
        return #name;
        BLOBVM_ERROR_CODES(BLOBVM_ERROR_NAME)
#undef BLOBVM_ERROR_NAME
    }
    return {};
}

std::string Error::message() const {
    const std::string_view fixed = text(code);
    if (fixed.empty()) return detail;
    if (detail.empty()) return std::string{fixed};
    std::string whole{fixed};
    whole += ": ";
    whole += detail;
    return whole;
}

}  // namespace blobvm
