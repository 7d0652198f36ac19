#pragma once

#include <google/protobuf/timestamp.pb.h>
#include <grpcpp/support/status.h>

#include <cstdint>
#include <optional>
#include <string>

#include "chain/base/bytes.hpp"
#include "chain/base/error.hpp"

namespace blobvm::vm::plugin {

/// What the node is told: it logs the text and looks at nothing else. The text is cut to fit the
/// trailers of a call.
grpc::Status to_status(const Error& error);

/// Unix seconds that a Timestamp can hold (years 1 to 9999): the node refuses all others.
bool is_valid_timestamp(std::int64_t seconds);

/// A Timestamp that is present, even for 0.
inline void set_timestamp(google::protobuf::Timestamp& timestamp, std::int64_t seconds) {
    timestamp.set_seconds(seconds);
}

/// The id in `field`; nothing if its length is wrong.
template <class Id>
std::optional<Id> read_id(const std::string& field) {
    if (field.size() != Id::kSize) return std::nullopt;
    return Id::from(as_bytes(field));
}

template <class Id>
std::string to_field(const Id& id) {
    return std::string{as_chars(id.view())};
}

/// Takes a field's bytes out of a request without copying them. The request of a callback method
/// is its own until it finishes, and gRPC does not look at it again.
inline SharedBytes take(const std::string& field) {
    return SharedBytes{std::move(const_cast<std::string&>(field))};
}

}  // namespace blobvm::vm::plugin
