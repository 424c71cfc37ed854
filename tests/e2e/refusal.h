#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tests/parity/probe.h"
#include "tests/support/temporary_folder.h"

/// A folder of inputs and an empty one for outputs, for one call that has to fail.
class Workplace {
 public:
  Workplace();

  /// SD 1.5's tiny pipeline, copied to be damaged.
  [[nodiscard]] std::filesystem::path copy_model() const;
  [[nodiscard]] std::filesystem::path input(const std::string& name) const { return inputs_ / name; }
  [[nodiscard]] std::filesystem::path output(const std::string& name) const { return outputs_ / name; }
  std::filesystem::path write(const std::string& name, const std::string& bytes) const;

  /// Runs `atelier`: it has to fail with this exit status, in one line on standard error that begins with "atelier: "
  /// and holds all of `mentions`; to print nothing on standard output, write no file and put nothing into the inputs.
  void check_refused(int status, const std::vector<std::string>& arguments,
                     const std::vector<std::string>& mentions) const;
  /// `probe component`, on the inputs of the references of that name.
  void check_component_refused(const std::string& component, const std::filesystem::path& model,
                               const std::string& inputs, const std::vector<std::string>& options,
                               const std::vector<std::string>& mentions) const;

 private:
  TemporaryFolder folder_;
  std::filesystem::path inputs_;
  std::filesystem::path outputs_;
};

[[nodiscard]] std::string read_bytes(const std::filesystem::path& path);
void write_bytes(const std::filesystem::path& path, const std::string& bytes);

/// What check_refused asks of the outcome alone.
void check_one_line(const Outcome& outcome, int status, const std::vector<std::string>& mentions);
