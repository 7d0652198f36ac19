#include "bench/blob-bench/findings.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

#include <algorithm>
#include <ctime>
#include <fstream>

#include "chain/base/detail/keccak.hpp"

namespace blobvm::bench {
namespace {

std::string value_in(const std::string& path, std::string_view key) {
    std::ifstream file{path};
    for (std::string line; std::getline(file, line);) {
        if (!line.starts_with(key)) continue;
        const std::size_t colon = line.find(':');
        const std::size_t begin = line.find_first_not_of(" \t", colon + 1);
        if (colon != std::string::npos && begin != std::string::npos) return line.substr(begin);
    }
    return "unknown";
}

std::string file_system_of(const std::filesystem::path& path) {
    struct statfs found {};
    if (::statfs(path.c_str(), &found) != 0) return "unknown";
    switch (static_cast<unsigned long>(found.f_type)) {
        case 0xef53:
            return "ext4";
        case 0x58465342:
            return "xfs";
        case 0x9123683e:
            return "btrfs";
        case 0x01021994:
            return "tmpfs: nothing is ever synced to a disk";
        case 0x794c7630:
            return "overlayfs";
        default:
            return fmt::format("type {:#x}", static_cast<unsigned long>(found.f_type));
    }
}

}  // namespace

std::string Target::goal_text() const {
    return fmt::format("{} {:.2f}", goal == Goal::kAtLeast ? ">=" : "<=", limit);
}

Json Target::json() const {
    return {{"what", what},           {"measured", measured},
            {"reference", reference}, {"ratio", ratio},
            {"goal", goal_text()},    {"met", met() && !disturbed()},
            {"verdict", verdict()},   {"foreignShare", foreign},
            {"note", note},           {"raw", raw}};
}

Json Growth::json() const { return {{"what", what}, {"x", x}, {"unit", unit}, {"points", points}}; }

Json Findings::json() const {
    Json all_runs = Json::array();
    for (const RunResult& run : runs) all_runs.push_back(run.json());
    Json all_targets = Json::array();
    for (const Target& target : targets) all_targets.push_back(target.json());
    Json all_growth = Json::array();
    for (const Growth& one : growth) all_growth.push_back(one.json());
    return {{"machine", machine},
            {"calibration", calibration.json()},
            {"targets", std::move(all_targets)},
            {"runs", std::move(all_runs)},
            {"growth", std::move(all_growth)}};
}

Json machine_fingerprint(const std::string& commit) {
    utsname system{};
    ::uname(&system);
    return {{"time", fmt::format("{:%Y-%m-%d %H:%M} UTC", fmt::gmtime(std::time(nullptr)))},
            {"cpu", value_in("/proc/cpuinfo", "model name")},
            {"cores", cores()},
            {"keccak", detail::name(detail::best_keccak_path())},
            {"memory", value_in("/proc/meminfo", "MemTotal")},
            {"kernel", fmt::format("{} {}", system.sysname, system.release)},
            {"compiler",
#if defined(__clang__)
             "clang " __clang_version__
#else
             "gcc " __VERSION__
#endif
            },
            {"files", file_system_of(std::filesystem::temp_directory_path())},
            {"commit", commit}};
}

void print_targets(const std::vector<Target>& targets) {
    std::size_t what_width = 0;
    std::size_t measured_width = 0;
    std::size_t reference_width = 0;
    for (const Target& target : targets) {
        what_width = std::max(what_width, target.what.size());
        measured_width = std::max(measured_width, target.measured.size());
        reference_width = std::max(reference_width, target.reference.size());
    }
    fmt::print("{:<{}}  {:>{}}  {:<{}}  {:>8}  {:>8}\n", "what", what_width, "measured",
               measured_width, "against", reference_width, "ratio", "target");
    for (const Target& target : targets) {
        fmt::print("{:<{}}  {:>{}}  {:<{}}  {:>8.3f}  {:>8}  {}\n", target.what, what_width,
                   target.measured, measured_width, target.reference, reference_width, target.ratio,
                   target.goal_text(), target.verdict());
    }
    for (const Target& target : targets) {
        if (!target.note.empty()) fmt::print("  {}: {}\n", target.what, target.note);
    }
}

}  // namespace blobvm::bench
