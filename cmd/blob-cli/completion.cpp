#include "cmd/blob-cli/completion.hpp"

#include <fmt/format.h>

namespace blobvm::cli {

namespace {

constexpr std::string_view kFlags =
    "--private-key-file --endpoint --json --verbose --version --help --preset --genesis-file "
    "--min-price --airdrop-hash --airdrop-units --in-flight --workers --max-bytes";

constexpr std::string_view kBash =
    R"(# bash completion of blob-cli: source <(blob-cli completion bash)
_blob_cli() {{
    local word=${{COMP_WORDS[COMP_CWORD]}}
    if [[ $word == -* ]]; then
        COMPREPLY=($(compgen -W "{flags}" -- "$word"))
    elif [[ $COMP_CWORD -eq 1 ]]; then
        COMPREPLY=($(compgen -W "{verbs}" -- "$word"))
    else
        COMPREPLY=($(compgen -f -- "$word"))
    fi
}}
complete -o filenames -F _blob_cli blob-cli
)";

constexpr std::string_view kZsh = R"(#compdef blob-cli
# zsh completion of blob-cli: source <(blob-cli completion zsh)
_blob_cli() {{
    if [[ $words[CURRENT] == -* ]]; then
        compadd -- {flags}
    elif (( CURRENT == 2 )); then
        compadd -- {verbs}
    else
        _files
    fi
}}
compdef _blob_cli blob-cli
)";

constexpr std::string_view kFish =
    R"(# fish completion of blob-cli: blob-cli completion fish | source
complete -c blob-cli -n __fish_use_subcommand -f -a "{verbs}"
for flag in {flags}
    complete -c blob-cli -l (string replace -- -- "" $flag)
end
)";

}  // namespace

std::optional<std::string> completion_script(std::string_view shell) {
    const std::string verbs = fmt::format("{}", fmt::join(kVerbs, " "));
    const auto fill = [&](std::string_view script) {
        return fmt::format(fmt::runtime(script), fmt::arg("verbs", verbs),
                           fmt::arg("flags", kFlags));
    };
    if (shell == "bash") return fill(kBash);
    if (shell == "zsh") return fill(kZsh);
    if (shell == "fish") return fill(kFish);
    return std::nullopt;
}

}  // namespace blobvm::cli
