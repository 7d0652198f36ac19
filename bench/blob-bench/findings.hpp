#pragma once

#include <string>
#include <utility>
#include <vector>

#include "bench/blob-bench/calibration.hpp"
#include "bench/blob-bench/engine_run.hpp"
#include "bench/blob-bench/measure.hpp"

namespace blobvm::bench {

/// One line of the table: a measured figure as a ratio to a reference of the same run.
struct Target {
    enum class Goal { kAtLeast, kAtMost };

    std::string what;
    std::string measured;   ///< with its unit
    std::string reference;  ///< what it is compared to, with its unit
    double ratio = 0;
    Goal goal = Goal::kAtLeast;
    double limit = 0;
    std::string note;    ///< what a reader must know to judge it; may be empty
    Json raw = nullptr;  ///< samples
    double foreign = 0;  ///< the share of the cores that other programs had meanwhile

    bool met() const { return goal == Goal::kAtLeast ? ratio >= limit : ratio <= limit; }
    /// Whether other programs had so much that nothing can be said.
    bool disturbed() const { return foreign > 0.5; }
    std::string verdict() const {
        if (disturbed()) return "too disturbed to tell";
        return met() ? "met" : "not met";
    }
    std::string goal_text() const;
    Json json() const;
};

/// What something costs over more and more of the same.
struct Growth {
    std::string what;
    std::string x;     ///< what grows
    std::string unit;  ///< of the cost
    std::vector<std::pair<double, double>> points;

    Json json() const;
};

/// Everything that one invocation has found out.
struct Findings {
    Json machine;
    Calibration calibration;
    std::vector<RunResult> runs;
    std::vector<Target> targets;
    std::vector<Growth> growth;

    Json json() const;
};

/// CPU, cores, kernel, compiler, file system of the data; `commit` as given.
Json machine_fingerprint(const std::string& commit);

void print_targets(const std::vector<Target>& targets);

}  // namespace blobvm::bench
