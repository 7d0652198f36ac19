#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace blobvm::cli {

inline constexpr std::array<std::string_view, 11> kVerbs{
    "create",   "genesis",  "set",     "resolve", "set-file",  "resolve-file",
    "transfer", "activity", "network", "balance", "completion"};

/// A script that completes verbs, flags and file names; empty for a shell that is not bash, zsh
/// or fish.
std::optional<std::string> completion_script(std::string_view shell);

}  // namespace blobvm::cli
