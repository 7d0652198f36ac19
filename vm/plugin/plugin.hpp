#pragma once

#include <string>

namespace blobvm::vm::plugin {

/// Serves the node that waits at `runtime_address`, until it says that it is done (Shutdown, then
/// SIGTERM) or is gone (its process ends, with or without a word). Returns the exit code: 0 after
/// an ordered stop, 1 if the node could not be told of us; why is on stderr.
///
/// Takes the process's signals over: to be called once, from main, before any thread is started.
int run(const std::string& runtime_address);

}  // namespace blobvm::vm::plugin
