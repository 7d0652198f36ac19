#include "bench/blob-bench/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <map>
#include <tuple>
#include <utility>

namespace blobvm::bench {
namespace {

constexpr std::array<const char*, 12> kColours{"#2b6cb0", "#c05621", "#2f855a", "#805ad5",
                                               "#b7791f", "#c53030", "#4a5568", "#319795",
                                               "#d53f8c", "#63b3ed", "#744210", "#9ae6b4"};
const char* colour(std::size_t n) { return kColours[n % kColours.size()]; }

std::string escaped(std::string_view text) {
    std::string result;
    for (const char c : text) {
        switch (c) {
            case '<':
                result += "&lt;";
                break;
            case '>':
                result += "&gt;";
                break;
            case '&':
                result += "&amp;";
                break;
            case '"':
                result += "&quot;";
                break;
            default:
                result += c;
        }
    }
    return result;
}

/// 1234567 as "1.23 M", 0.0123 as "0.0123".
std::string short_number(double value) {
    if (std::abs(value) >= 1e9) return fmt::format("{:.3g} G", value / 1e9);
    if (std::abs(value) >= 1e6) return fmt::format("{:.3g} M", value / 1e6);
    if (std::abs(value) >= 1e4) return fmt::format("{:.3g} k", value / 1e3);
    if (std::abs(value) >= 1e3) return fmt::format("{:.0f}", value);
    return fmt::format("{:.3g}", value);
}

std::string cell(const Json& value) {
    if (value.is_number()) return short_number(value.get<double>());
    if (value.is_string()) return escaped(value.get<std::string>());
    return escaped(value.dump());
}

struct Line {
    std::string name;
    std::vector<std::pair<double, double>> points;
};

/// Lines over two logarithmic axes.
std::string line_plot(const std::string& title, const std::string& x_name,
                      const std::string& y_name, const std::vector<Line>& lines) {
    constexpr double kWidth = 640, kHeight = 300, kLeft = 70, kRight = 20, kTop = 30, kBottom = 50;
    double x_low = 1e300, x_high = 0, y_low = 1e300, y_high = 0;
    for (const Line& line : lines) {
        for (const auto& [x, y] : line.points) {
            if (x <= 0 || y <= 0) continue;
            x_low = std::min(x_low, x);
            x_high = std::max(x_high, x);
            y_low = std::min(y_low, y);
            y_high = std::max(y_high, y);
        }
    }
    if (x_high <= 0) return {};
    const double x_from = std::log10(x_low), x_to = std::max(std::log10(x_high), x_from + 0.3);
    const double y_from = std::floor(std::log10(y_low));
    const double y_to = std::max(std::ceil(std::log10(y_high)), y_from + 1);
    const auto px = [&](double x) {
        return kLeft + (std::log10(x) - x_from) / (x_to - x_from) * (kWidth - kLeft - kRight);
    };
    const auto py = [&](double y) {
        return kHeight - kBottom -
               (std::log10(y) - y_from) / (y_to - y_from) * (kHeight - kTop - kBottom);
    };
    const double legend = 18.0 * static_cast<double>(lines.size());
    std::string svg = fmt::format(
        "<svg viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" role=\"img\">"
        "<text x=\"{2}\" y=\"18\" class=\"title\">{3}</text>",
        kWidth, kHeight + legend, kLeft, escaped(title));
    for (double decade = y_from; decade <= y_to; ++decade) {
        const double y = py(std::pow(10, decade));
        svg += fmt::format(
            "<line x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\" class=\"grid\"/>"
            "<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>",
            kLeft, kWidth - kRight, y, y, kLeft - 6, y + 4, short_number(std::pow(10, decade)));
    }
    std::map<double, bool> ticks;
    for (const Line& line : lines) {
        for (const auto& [x, y] : line.points) {
            if (x > 0) ticks[x] = true;
        }
    }
    double last = -1e9;
    for (const auto& [x, used] : ticks) {
        if (px(x) - last < 38) continue;
        last = px(x);
        svg += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>", last,
                           kHeight - kBottom + 16, short_number(x));
    }
    svg += fmt::format(
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>"
        "<text x=\"14\" y=\"{}\" transform=\"rotate(-90 14 {})\" text-anchor=\"middle\">{}</text>",
        (kLeft + kWidth - kRight) / 2, kHeight - kBottom + 36, escaped(x_name), kHeight / 2,
        kHeight / 2, escaped(y_name));
    for (std::size_t n = 0; n < lines.size(); ++n) {
        std::string path;
        for (const auto& [x, y] : lines[n].points) {
            if (x <= 0 || y <= 0) continue;
            path += fmt::format("{:.1f},{:.1f} ", px(x), py(y));
            svg += fmt::format(
                "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"{}\"><title>{}: {} at "
                "{}</title></circle>",
                px(x), py(y), colour(n), escaped(lines[n].name), short_number(y), short_number(x));
        }
        svg +=
            fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"/>",
                        path, colour(n));
        const double y = kHeight + 18.0 * static_cast<double>(n);
        svg += fmt::format(
            "<rect x=\"{}\" y=\"{}\" width=\"12\" height=\"12\" fill=\"{}\"/>"
            "<text x=\"{}\" y=\"{}\">{}</text>",
            kLeft, y - 10, colour(n), kLeft + 18, y, escaped(lines[n].name));
    }
    return svg + "</svg>";
}

struct Bar {
    std::string name;
    std::vector<std::pair<std::string, double>> parts;
};

/// Horizontal bars, each as long as the sum of its parts is next to the longest.
std::string stacked_bars(const std::string& title, const std::string& unit,
                         const std::vector<Bar>& bars) {
    constexpr double kWidth = 760, kLeft = 190, kRight = 90, kStep = 30;
    double most = 0;
    std::vector<std::string> names;
    for (const Bar& bar : bars) {
        double sum = 0;
        for (const auto& [name, value] : bar.parts) {
            sum += value;
            if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
        }
        most = std::max(most, sum);
    }
    if (most <= 0) return {};
    std::vector<std::pair<double, double>> legend;  // where each name stands
    double x = kLeft;
    double y = 32 + kStep * static_cast<double>(bars.size()) + 14;
    for (const std::string& name : names) {
        const double width = 34 + 7.0 * static_cast<double>(name.size());
        if (x + width > kWidth) {
            x = kLeft;
            y += 20;
        }
        legend.emplace_back(x, y);
        x += width;
    }
    const double height = y + 20;
    std::string svg = fmt::format(
        "<svg viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" role=\"img\">"
        "<text x=\"{2}\" y=\"18\" class=\"title\">{3}</text>",
        kWidth, height, kLeft, escaped(title));
    for (std::size_t n = 0; n < bars.size(); ++n) {
        x = kLeft;
        y = 32 + kStep * static_cast<double>(n);
        svg += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>", kLeft - 8,
                           y + 15, escaped(bars[n].name));
        double sum = 0;
        for (const auto& [name, value] : bars[n].parts) {
            const auto at = std::find(names.begin(), names.end(), name) - names.begin();
            const double width = value / most * (kWidth - kLeft - kRight);
            svg += fmt::format(
                "<rect x=\"{:.1f}\" y=\"{}\" width=\"{:.1f}\" height=\"22\" fill=\"{}\"><title>{}: "
                "{} {}</title></rect>",
                x, y, width, colour(static_cast<std::size_t>(at)), escaped(name),
                short_number(value), escaped(unit));
            x += width;
            sum += value;
        }
        svg += fmt::format("<text x=\"{:.1f}\" y=\"{}\">{} {}</text>", x + 6, y + 15,
                           short_number(sum), escaped(unit));
    }
    for (std::size_t n = 0; n < names.size(); ++n) {
        std::tie(x, y) = legend[n];
        svg += fmt::format(
            "<rect x=\"{:.1f}\" y=\"{}\" width=\"12\" height=\"12\" fill=\"{}\"/>"
            "<text x=\"{:.1f}\" y=\"{}\">{}</text>",
            x, y, colour(n), x + 16, y + 10, escaped(names[n]));
    }
    return svg + "</svg>";
}

std::string name_of(const Json& run) {
    return run.at("mode").get<std::string>() + ", " + run.at("shape").get<std::string>();
}

std::string throughput_plots(const Json& runs) {
    Line measured{"accepted, in undisturbed time", {}};
    Line bound{"bound: recovery and hashing on all cores", {}};
    for (const Json& run : runs) {
        if (run.at("mode") != "engine" || run.at("valueBytes") == 0) continue;
        const auto x = run.at("valueBytes").get<double>();
        measured.points.emplace_back(x, run.at("transactionsPerUndisturbedSecond").get<double>());
        bound.points.emplace_back(x, run.at("floor").at("boundPerSecond").get<double>());
    }
    std::sort(measured.points.begin(), measured.points.end());
    std::sort(bound.points.begin(), bound.points.end());
    const auto in_megabytes = [](Line line) {
        for (auto& [x, y] : line.points) y = y * x / 1e6;
        return line;
    };
    return line_plot("Engine: sets per second", "bytes of a value", "sets/s", {measured, bound}) +
           line_plot("Engine: values, MB per second", "bytes of a value", "MB/s",
                     {in_megabytes(measured), in_megabytes(bound)});
}

std::string stage_bars(const Json& runs) {
    std::vector<Bar> bars;
    for (const Json& run : runs) {
        const double count = std::max(run.at("transactions").get<double>(), 1.0);
        Bar bar{name_of(run), {}};
        for (const auto& [name, seconds] : run.at("cpuSeconds").items()) {
            bar.parts.emplace_back(name, seconds.get<double>() * 1e6 / count);
        }
        bars.push_back(std::move(bar));
    }
    // Large values cost so much more that the small ones would not be seen beside them.
    std::vector<Bar> small, large;
    for (Bar& bar : bars) {
        double sum = 0;
        for (const auto& [name, value] : bar.parts) sum += value;
        (sum > 400 ? large : small).push_back(std::move(bar));
    }
    const std::string title = "Processor time for each transaction, by stage";
    return stacked_bars(title, "us", small) + stacked_bars(title, "us", large);
}

std::string latency_table(const Json& runs) {
    std::string html =
        "<table><tr><th>run</th><th>what</th><th>p50, ms</th><th>p99, ms</th><th>max, ms</th>"
        "<th>samples</th></tr>";
    for (const Json& run : runs) {
        for (const auto& [key, name] : {std::pair{"submitMs", "hand in a batch"},
                                        {"buildMs", "build"},
                                        {"verifyMs", "verify and prefer"},
                                        {"acceptMs", "accept"},
                                        {"latencyMs", "from handing in to final"}}) {
            const Json& samples = run.at(key);
            if (samples.at("samples").empty()) continue;
            html += fmt::format(
                "<tr><td>{}</td><td>{}</td><td>{:.3f}</td><td>{:.3f}</td><td>{:.3f}</td>"
                "<td>{}</td></tr>",
                escaped(name_of(run)), name, samples.at("p50").get<double>(),
                samples.at("p99").get<double>(), samples.at("max").get<double>(),
                samples.at("samples").size());
        }
    }
    return html + "</table>";
}

/// Every percentile of each run's latency, from p1 to p99.9.
std::string latency_plot(const Json& runs) {
    std::vector<Line> lines;
    for (const Json& run : runs) {
        Samples samples;
        for (const Json& value : run.at("latencyMs").at("samples")) samples.add(value);
        if (samples.size() < 10) continue;
        Line line{name_of(run), {}};
        for (const double tail : {0.99, 0.9, 0.75, 0.5, 0.25, 0.1, 0.05, 0.01, 0.001}) {
            line.points.emplace_back(1 / tail, samples.quantile(1 - tail));
        }
        lines.push_back(std::move(line));
    }
    return line_plot("From handing in to final", "1 in so many transactions is slower", "ms",
                     lines);
}

std::string growth_plots(const Json& growth) {
    // What grows over the same thing in the same unit shares a plot.
    std::map<std::pair<std::string, std::string>, std::vector<Line>> plots;
    for (const Json& one : growth) {
        plots[{one.at("x"), one.at("unit")}].push_back(
            {one.at("what"), one.at("points").get<std::vector<std::pair<double, double>>>()});
    }
    std::string html;
    for (const auto& [axes, lines] : plots) {
        html += line_plot("Cost over " + axes.first, axes.first, axes.second, lines);
    }
    return html;
}

std::string targets_table(const Json& targets) {
    std::string html =
        "<table><tr><th>what</th><th>measured</th><th>against</th><th>ratio</th><th>target</th>"
        "<th></th><th>note</th></tr>";
    for (const Json& target : targets) {
        const bool met = target.at("met");
        html += fmt::format(
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{:.3f}</td><td>{}</td><td "
            "class=\"{}\">{}</td><td>{}</td></tr>",
            cell(target.at("what")), cell(target.at("measured")), cell(target.at("reference")),
            target.at("ratio").get<double>(), cell(target.at("goal")), met ? "met" : "missed",
            cell(target.at("verdict")), cell(target.at("note")));
    }
    return html + "</table>";
}

std::string pairs_table(const Json& object) {
    std::string html = "<table>";
    for (const auto& [name, value] : object.items()) {
        html += fmt::format("<tr><th>{}</th><td>{}</td></tr>", escaped(name), cell(value));
    }
    return html + "</table>";
}

std::string runs_table(const Json& runs) {
    std::string html =
        "<table><tr><th>run</th><th>tx/s</th><th>MB/s of values</th><th>seconds</th>"
        "<th>tx/s in undisturbed time</th><th>of the bound</th><th>generator alone, tx/s</th>"
        "<th>disk bytes per value byte</th><th>synced; left out</th></tr>";
    for (const Json& run : runs) {
        const double values =
            run.at("transactions").get<double>() * run.at("valueBytes").get<double>();
        const double undisturbed = run.at("transactionsPerUndisturbedSecond");
        html += fmt::format(
            "<tr><td>{}</td><td>{:.0f}</td><td>{:.2f}</td><td>{:.1f}</td><td>{:.0f}</td>"
            "<td>{:.2f}</td><td>{}</td><td>{}</td><td>{}; without {}</td></tr>",
            escaped(name_of(run)), run.at("transactionsPerSecond").get<double>(),
            run.at("valueMBps").get<double>(), run.at("seconds").get<double>(), undisturbed,
            undisturbed / run.at("floor").at("boundPerSecond").get<double>(),
            short_number(run.at("generatorAlonePerSecond").get<double>()),
            values > 0 ? fmt::format("{:.2f}", run.at("diskBytes").get<double>() / values) : "",
            cell(run.at("synced")), cell(run.at("leftOut")));
    }
    return html + "</table>";
}

std::string modules_table(const std::vector<Json>& modules) {
    std::string html = "<table><tr><th>suite</th><th>case</th><th>processor time</th></tr>";
    for (const Json& module : modules) {
        std::string program = module.at("context").at("executable");
        program = program.substr(program.rfind('/') + 1);
        for (const Json& one : module.at("benchmarks")) {
            if (!one.contains("cpu_time")) continue;  // what this CPU cannot do
            html += fmt::format("<tr><td>{}</td><td>{}</td><td>{} {}</td></tr>", escaped(program),
                                cell(one.at("name")), short_number(one.at("cpu_time")),
                                cell(one.at("time_unit")));
        }
    }
    return html + "</table>";
}

Json read_json(const std::string& path) {
    std::ifstream file{path};
    Json json = Json::parse(file, nullptr, /*allow_exceptions=*/false);
    if (json.is_discarded()) give_up(path + " holds no JSON");
    return json;
}

}  // namespace

std::string report_page(const Json& findings, const std::vector<Json>& modules) {
    const Json& runs = findings.at("runs");
    std::string page =
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>BlobVM benchmarks</title>"
        "<style>body{font:15px/1.5 system-ui,sans-serif;max-width:1100px;margin:2em auto;"
        "padding:0 1em;color:#1a202c}table{border-collapse:collapse;margin:1em 0}"
        "td,th{border:1px solid #cbd5e0;padding:.25em .6em;text-align:left;vertical-align:top;"
        "font-size:13px}th{background:#edf2f7}.met{color:#276749;font-weight:600}"
        ".missed{color:#9b2c2c;font-weight:600}svg text{font:12px system-ui,sans-serif}"
        "svg .title{font-weight:600;font-size:14px}svg .grid{stroke:#e2e8f0}"
        "svg{margin:1em 1em 1em 0;max-width:100%;height:auto}</style><h1>BlobVM benchmarks</h1>";
    const auto section = [&page](std::string_view title, const std::string& content) {
        page += fmt::format("<h2>{}</h2>{}", title, content);
    };
    section("Machine", pairs_table(findings.at("machine")));
    section("Targets",
            "<p>Each is a ratio to something measured on this machine in the same run. "
            "\"Undisturbed\" leaves out the processor time that other programs had; where that was "
            "much, treat the figure with care.</p>" +
                targets_table(findings.at("targets")));
    section("Sustained runs", runs_table(runs) + throughput_plots(runs));
    section("Where the processor time goes",
            "<p>Of engine runs: generate is the load generator's, recover the signatures and the "
            "hashes of large batches, submit the rest of taking in, other the thread that writes "
            "blocks ahead and the store's own. Of the others: all of each process.</p>" +
                stage_bars(runs));
    section("Latency", latency_plot(runs) + latency_table(runs));
    section("Growth", growth_plots(findings.at("growth")));
    section("Calibration", pairs_table(findings.at("calibration")));
    if (!modules.empty()) section("Suites of single modules", modules_table(modules));
    return page + "</html>\n";
}

int write_report(const std::string& findings_file, const std::string& page_file,
                 const std::vector<std::string>& module_files) {
    std::vector<Json> modules;
    for (const std::string& file : module_files) modules.push_back(read_json(file));
    const std::string page = report_page(read_json(findings_file), modules);
    std::ofstream file{page_file};
    file << page;
    if (!file.flush()) give_up("cannot write " + page_file);
    return 0;
}

}  // namespace blobvm::bench
