#include <fmt/format.h>

#include <cmath>
#include <set>

#include "cmd/blob-devnet/chain_node.hpp"

namespace blobvm::devnet {
namespace {

namespace prometheus = ::io::prometheus::client;

bool is_name(std::string_view name, bool colon) {
    if (name.empty() || (name.front() >= '0' && name.front() <= '9')) return false;
    for (const char c : name) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && !(c >= '0' && c <= '9') && !(colon && c == ':')) return false;
    }
    return true;
}

std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
    return fmt::format("{}", value);
}

std::string escaped(std::string_view text, bool quote) {
    std::string result;
    for (const char c : text) {
        if (c == '\\') {
            result += "\\\\";
        } else if (c == '\n') {
            result += "\\n";
        } else if (c == '"' && quote) {
            result += "\\\"";
        } else {
            result += c;
        }
    }
    return result;
}

std::string_view type_name(prometheus::MetricType type) {
    switch (type) {
        case prometheus::COUNTER:
            return "counter";
        case prometheus::GAUGE:
            return "gauge";
        case prometheus::SUMMARY:
            return "summary";
        case prometheus::HISTOGRAM:
        case prometheus::GAUGE_HISTOGRAM:
            return "histogram";
        case prometheus::UNTYPED:
            break;
    }
    return "untyped";
}

/// The lines of one metric; empty where its payload does not fit the family's type.
std::string lines(const std::string& name, prometheus::MetricType type,
                  const prometheus::Metric& metric, const std::string& labels) {
    const auto line = [&](std::string_view suffix, std::string_view more,
                          const std::string& value) {
        return fmt::format("{}{}{{{}{}}} {}\n", name, suffix, labels, more, value);
    };
    switch (type) {
        case prometheus::COUNTER:
            return metric.has_counter() ? line("", "", number(metric.counter().value())) : "";
        case prometheus::GAUGE:
            return metric.has_gauge() ? line("", "", number(metric.gauge().value())) : "";
        case prometheus::UNTYPED:
            return metric.has_untyped() ? line("", "", number(metric.untyped().value())) : "";
        case prometheus::SUMMARY: {
            if (!metric.has_summary()) return "";
            std::string result;
            for (const auto& quantile : metric.summary().quantile()) {
                result += line("", fmt::format(",quantile=\"{}\"", number(quantile.quantile())),
                               number(quantile.value()));
            }
            return result + line("_sum", "", number(metric.summary().sample_sum())) +
                   line("_count", "", std::to_string(metric.summary().sample_count()));
        }
        case prometheus::HISTOGRAM:
        case prometheus::GAUGE_HISTOGRAM: {
            if (!metric.has_histogram()) return "";
            std::string result;
            bool infinite = false;
            for (const auto& bucket : metric.histogram().bucket()) {
                infinite = infinite || std::isinf(bucket.upper_bound());
                result += line("_bucket", fmt::format(",le=\"{}\"", number(bucket.upper_bound())),
                               std::to_string(bucket.cumulative_count()));
            }
            const std::string count = std::to_string(metric.histogram().sample_count());
            if (!infinite) result += line("_bucket", ",le=\"+Inf\"", count);
            return result + line("_sum", "", number(metric.histogram().sample_sum())) +
                   line("_count", "", count);
        }
    }
    return "";
}

}  // namespace

Result<std::string> metrics_text(const ::vm::GatherResponse& gathered, std::string_view prefix,
                                 std::string_view chain) {
    const auto bad = [](const std::string& family, std::string_view what) {
        return fail(ErrorCode::kInvalidState, fmt::format("metric {}: {}", family, what));
    };
    std::string text;
    std::set<std::string> families;
    for (const prometheus::MetricFamily& family : gathered.metric_families()) {
        if (!is_name(family.name(), true)) return bad(family.name(), "not a name");
        if (!families.insert(family.name()).second) return bad(family.name(), "appears twice");
        const std::string name = fmt::format("{}{}", prefix, family.name());
        if (!family.help().empty()) {
            text += fmt::format("# HELP {} {}\n", name, escaped(family.help(), false));
        }
        text += fmt::format("# TYPE {} {}\n", name, type_name(family.type()));
        std::set<std::string> seen;
        for (const prometheus::Metric& metric : family.metric()) {
            std::set<std::string> names{"chain"};
            std::string labels = fmt::format("chain=\"{}\"", escaped(chain, true));
            for (const prometheus::LabelPair& label : metric.label()) {
                if (!is_name(label.name(), false) || label.name().starts_with("__")) {
                    return bad(family.name(), "a label that is not a name");
                }
                if (!names.insert(label.name()).second) {
                    return bad(family.name(), "the label " + label.name() + " twice");
                }
                labels += fmt::format(",{}=\"{}\"", label.name(), escaped(label.value(), true));
            }
            if (!seen.insert(labels).second) return bad(family.name(), "the same labels twice");
            const std::string made = lines(name, family.type(), metric, labels);
            if (made.empty()) return bad(family.name(), "a value of another type");
            text += made;
        }
    }
    for (const std::string& family : families) {
        for (const std::string_view suffix : {"_count", "_sum", "_bucket"}) {
            if (!family.ends_with(suffix)) continue;
            const std::string base = family.substr(0, family.size() - suffix.size());
            for (const prometheus::MetricFamily& other : gathered.metric_families()) {
                const bool series = other.type() == prometheus::HISTOGRAM ||
                                    (other.type() == prometheus::SUMMARY && suffix != "_bucket");
                if (other.name() == base && series) return bad(family, "collides with " + base);
            }
        }
    }
    return text;
}

}  // namespace blobvm::devnet
