#include "vm/plugin/identity.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "chain/base/bytes.hpp"
#include "chain/base/cb58.hpp"

namespace blobvm::vm::plugin {

std::string version() { return "v" BLOBVM_VERSION; }

std::string vm_id() {
    Hash256 id;
    std::ranges::copy(as_bytes(kName), id.bytes.begin());
    return to_cb58(id.view());
}

std::string version_json() {
    return fmt::format(R"({{"name":"{}","vmid":"{}","version":"{}","rpcchainvm":{}}})", kName,
                       vm_id(), version(), kProtocol);
}

}  // namespace blobvm::vm::plugin
