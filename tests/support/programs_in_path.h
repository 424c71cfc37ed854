#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/temporary_folder.h"

/// Programs in front of PATH, while it lives, that say what the test wants.
class ProgramsInPath {
 public:
  ProgramsInPath() : path_(std::getenv("PATH")) {
    ::setenv("PATH", (folder_.path().string() + ":" + path_).c_str(), 1);
  }
  ~ProgramsInPath() { ::setenv("PATH", path_.c_str(), 1); }
  ProgramsInPath(const ProgramsInPath&) = delete;
  ProgramsInPath& operator=(const ProgramsInPath&) = delete;

  /// Lines of shell. An earlier program of this name is replaced.
  void write(const std::string& name, const std::string& script) const {
    std::ofstream(folder_ / name) << "#!/bin/sh\n" << script << "\n";
    std::filesystem::permissions(folder_ / name, std::filesystem::perms::owner_all);
  }

 private:
  TemporaryFolder folder_;
  std::string path_;
};
