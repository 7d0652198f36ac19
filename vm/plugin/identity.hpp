#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// What this plugin is called, and what it speaks.
namespace blobvm::vm::plugin {

inline constexpr std::string_view kName = "blobvm";

/// The protocol number stated to a node that does not say which one it wants (decisions.md 6).
inline constexpr std::uint32_t kProtocol = 45;

/// The oldest one that we speak; every one from here to kProtocol.
inline constexpr std::uint32_t kOldestProtocol = 42;

/// The variable that a node gives to a plugin and to nobody else.
inline constexpr const char* kRuntimeAddressVariable = "AVALANCHE_VM_RUNTIME_ENGINE_ADDR";

/// "v0.1.0".
std::string version();

/// CB58 of the name as 32 bytes: the plugin's file name in a node's plugin folder.
std::string vm_id();

/// {"name":...,"vmid":...,"version":...,"rpcchainvm":45}, without a line end.
std::string version_json();

}  // namespace blobvm::vm::plugin
