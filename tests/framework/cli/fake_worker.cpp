// Stands in for atelier-worker: prints its arguments' form and the job it was given, and exits with FAKE_WORKER_EXIT.
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>

int main(int count, char** words) {
  if (count != 3 || std::string(words[0]) != "atelier-worker" || std::string(words[1]) != "--job") return 99;
  std::ifstream job(words[2], std::ios::binary);
  if (!job) return 98;
  std::cout << job.rdbuf();
  const char* code = std::getenv("FAKE_WORKER_EXIT");
  return code == nullptr ? 0 : std::atoi(code);
}
