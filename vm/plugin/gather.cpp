#include "vm/plugin/gather.hpp"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <set>
#include <string>
#include <string_view>
#include <system_error>

namespace blobvm::vm::plugin {
namespace {

using io::prometheus::client::MetricFamily;

bool is_metric_name(std::string_view name) {
    const auto is_letter = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':';
    };
    const auto is_allowed = [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); };
    return !name.empty() && is_letter(name.front()) &&
           std::all_of(name.begin(), name.end(), is_allowed);
}

/// The names of the series that a sample becomes.
std::vector<std::string> series(const Sample& sample) {
    if (sample.kind != Sample::Kind::kHistogram) return {sample.name};
    return {sample.name, sample.name + "_count", sample.name + "_sum", sample.name + "_bucket"};
}

void fill(const Sample& sample, MetricFamily& family) {
    namespace client = io::prometheus::client;
    family.set_name(sample.name);
    family.set_help(sample.help);
    client::Metric& metric = *family.add_metric();
    switch (sample.kind) {
        case Sample::Kind::kCounter:
            family.set_type(client::COUNTER);
            metric.mutable_counter()->set_value(sample.value);
            return;
        case Sample::Kind::kGauge:
            family.set_type(client::GAUGE);
            metric.mutable_gauge()->set_value(sample.value);
            return;
        case Sample::Kind::kHistogram:
            family.set_type(client::HISTOGRAM);
            client::Histogram& histogram = *metric.mutable_histogram();
            histogram.set_sample_count(sample.histogram.count);
            histogram.set_sample_sum(sample.histogram.sum_s);
            for (std::size_t i = 0; i < Histogram::kBoundsS.size(); ++i) {
                client::Bucket& bucket = *histogram.add_bucket();
                bucket.set_upper_bound(Histogram::kBoundsS[i]);
                bucket.set_cumulative_count(sample.histogram.cumulative[i]);
            }
            return;
    }
}

}  // namespace

Sample open_files() {
    std::error_code error;
    const std::filesystem::directory_iterator files{"/proc/self/fd", error};
    return {.name = "process_open_fds",
            .help = "Number of open file descriptors.",
            .kind = Sample::Kind::kGauge,
            .value = error ? 0 : static_cast<double>(std::distance(begin(files), end(files))),
            .histogram = {}};
}

std::size_t fill(const std::vector<Sample>& samples, ::vm::GatherResponse& response) {
    std::set<std::string> taken;
    std::size_t left_out = 0;
    for (const Sample& sample : samples) {
        const std::vector<std::string> names = series(sample);
        const bool free = std::none_of(names.begin(), names.end(), [&](const std::string& name) {
            return taken.contains(name);
        });
        if (!free || !is_metric_name(sample.name)) {
            ++left_out;
            continue;
        }
        taken.insert(names.begin(), names.end());
        fill(sample, *response.add_metric_families());
    }
    return left_out;
}

}  // namespace blobvm::vm::plugin
