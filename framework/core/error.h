#pragma once

#include <stdexcept>
#include <string>

namespace atelier {

/// What went wrong, in the four parts every message has. Only `where` and `found` are required.
struct Fault {
  std::string where = {};     ///< file, key, byte offset, option: the place a reader can look at
  std::string found = {};     ///< what is there
  std::string expected = {};  ///< what should be there
  std::string advice = {};    ///< what to do about it
};

/// Decides the exit code: failure 1, usage 2, interrupted 3.
enum class ErrorKind { failure, usage, interrupted };

/// The one exception type. Thrown where the fact is known, caught once at the top of a command or a run.
/// what() is one line: "where: found; expected …; advice".
class Error : public std::runtime_error {
 public:
  explicit Error(Fault fault, ErrorKind kind = ErrorKind::failure);
  ~Error() override;

  Error(const Error&) = default;
  Error& operator=(const Error&) = default;

  [[nodiscard]] const Fault& fault() const noexcept { return fault_; }
  [[nodiscard]] ErrorKind kind() const noexcept { return kind_; }
  [[nodiscard]] int exit_code() const noexcept;

 private:
  Fault fault_;
  ErrorKind kind_;
};

/// "No such file or directory" for an errno value.
[[nodiscard]] std::string errno_text(int error_number);

}  // namespace atelier
