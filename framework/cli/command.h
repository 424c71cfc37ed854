#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace atelier::cli {

/// What the chosen subcommand does once the whole command line is known to be right. Returns the exit code.
using Action = std::function<int()>;

// Each adds one subcommand to `parent`. When that subcommand is chosen, it sets `action`, which outlives the parsing.
void add_sample(CLI::App& parent, Action& action);
void add_base_measure(CLI::App& parent, Action& action);
void add_base_train(CLI::App& parent, Action& action);
void add_probe_component(CLI::App& parent, Action& action);
void add_probe_method(CLI::App& parent, Action& action);
void add_probe_scheduler(CLI::App& parent, Action& action);
void add_probe_tokenizer(CLI::App& parent, Action& action);
void add_probe_preprocess(CLI::App& parent, Action& action);
void add_probe_resize(CLI::App& parent, Action& action);
void add_concepts(CLI::App& parent, Action& action);
void add_convert(CLI::App& parent, Action& action);
void add_diff(CLI::App& parent, Action& action);
void add_eval(CLI::App& parent, Action& action);
void add_export(CLI::App& parent, Action& action);
void add_gc(CLI::App& parent, Action& action);
void add_import(CLI::App& parent, Action& action);
void add_logs(CLI::App& parent, Action& action);
void add_merge(CLI::App& parent, Action& action);
void add_new_plugin(CLI::App& parent, Action& action);
void add_plan(CLI::App& parent, Action& action);
void add_plugins(CLI::App& parent, Action& action);
void add_reindex(CLI::App& parent, Action& action);
void add_report(CLI::App& parent, Action& action);
void add_run(CLI::App& parent, Action& action);
void add_slurm_task(CLI::App& parent, Action& action);
void add_stop(CLI::App& parent, Action& action);
void add_show(CLI::App& parent, Action& action);
void add_stats(CLI::App& parent, Action& action);
void add_status(CLI::App& parent, Action& action);
void add_table(CLI::App& parent, Action& action);
void add_train(CLI::App& parent, Action& action);
void add_verify(CLI::App& parent, Action& action);
void add_why(CLI::App& parent, Action& action);
void add_doctor(CLI::App& parent, Action& action);
/// Completion describes the finished tree, so it takes the root.
void add_completion(CLI::App& root, Action& action);

}  // namespace atelier::cli
