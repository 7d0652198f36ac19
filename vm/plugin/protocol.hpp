#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "chain/base/result.hpp"

/// Which protocol number this plugin states: a node takes the very one that it has itself, and
/// tells it to nobody beforehand. First the node's own program is asked (parent.hpp); where it does
/// not tell, an operator can write the number into a side file; else it is kProtocol.
namespace blobvm::vm::plugin {

/// The side file lies above the plugin folder, since a node takes each file in there for a plugin:
/// DIR/plugins/VM_ID looks for DIR/blobvm-protocol.
inline constexpr const char* kSideFileName = "blobvm-protocol";

/// Where `program` looks for its side file.
std::filesystem::path side_file_of(const std::filesystem::path& program);

/// The number in the side file: digits, and at most a line end. Nothing if there is no such file.
/// kConfigInvalid for anything else than a number that we speak, kIo for what cannot be read.
Result<std::optional<std::uint32_t>> read_side_file(const std::filesystem::path& file);

struct StatedProtocol {
    std::uint32_t number;
    std::string because;  ///< why this one, as in "45 is stated, ..."
    std::string advice;   ///< what an operator can do where the node wants another one
    std::string warning;  ///< a source that should have told and did not; empty: none
};

/// What to state to a node that has said `parents` of itself. Never a number that we do not speak:
/// a node of such a one is to refuse us, rather than to run with what it does not understand.
StatedProtocol choose_protocol(std::optional<std::uint32_t> parents,
                               const std::filesystem::path& side_file);

/// Asks the node that has started us, until `end`, and looks for the running program's side file.
StatedProtocol protocol_to_state(std::chrono::steady_clock::time_point end);

}  // namespace blobvm::vm::plugin
