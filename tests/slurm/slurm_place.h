#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "tests/study/study_place.h"

/// A study with the profile of a cluster beside it.
class SlurmPlace {
 public:
  SlurmPlace(const std::string& methods, const std::string& more, const std::string& profile);
  void write_profile(const std::string& text) const;
  [[nodiscard]] Outcome submit() const;
  /// The study under another name, with this seed alone.
  [[nodiscard]] Outcome submit_other(const std::string& name, int seed) const;

  /// A task at a training.
  struct Task {
    std::string name;  ///< as Slurm calls it: "8_3"
    std::string node;
    pid_t worker = -1;
    bool saved = false;  ///< the training has left a snapshot
  };
  /// Those of the only submission that have a worker now, in their order.
  [[nodiscard]] std::vector<Task> tasks() const;
  /// Lets so many tasks begin their trainings and stops the workers (SIGSTOP) as soon as they have saved once: what
  /// then befalls them does so in the middle of the training, however fast the machine is.
  [[nodiscard]] std::vector<Task> hold_trainings(std::size_t count) const;
  /// What its worker has mapped: program, libraries, plugins.
  [[nodiscard]] static std::string mapped_files(const Task& task);
  /// The first submission's name, as Slurm shows it.
  [[nodiscard]] std::string submission() const;
  /// What one task of the first submission said, and what all said.
  [[nodiscard]] std::string log(int task) const;
  [[nodiscard]] std::string logs() const;

  StudyPlace place;

 private:
  [[nodiscard]] std::vector<std::string> words(const std::string& study) const;
};
