#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "chain/base/result.hpp"

namespace blobvm::vm::plugin {

struct Installed {
    std::filesystem::path file;
    /// Entries of the folder that keep a node from starting: their names are no VM ids. (They may
    /// be aliases that the node has been told of.)
    std::vector<std::string> strays;
    /// Entries that a node takes for this VM as well, such as a copy with ".old" behind its name.
    /// It starts the last one by name, which is never `file`.
    std::vector<std::string> rivals;
};

/// Puts `program` into `folder` under the name by which a node finds it, readable and executable
/// by all. Atomic: a node that looks meanwhile sees the old file, or the new one, whole. kIo with
/// what failed; then nothing has changed.
Result<Installed> install(const std::filesystem::path& program,
                          const std::filesystem::path& folder);

/// For people, or as {"file":...,"strays":[...],"rivals":[...]}.
std::string describe(const Installed& installed, bool as_json);

}  // namespace blobvm::vm::plugin
