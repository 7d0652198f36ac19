#pragma once

#include <string>
#include <vector>

#include "bench/blob-bench/measure.hpp"

namespace blobvm::bench {

/// One page that needs nothing else: the table of targets, plots, calibration, and the suites of
/// single modules. `findings` as Findings::json writes it; `modules` as Google Benchmark does.
std::string report_page(const Json& findings, const std::vector<Json>& modules);

/// Reads the files, writes the page.
int write_report(const std::string& findings_file, const std::string& page_file,
                 const std::vector<std::string>& module_files);

}  // namespace blobvm::bench
