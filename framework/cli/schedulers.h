#pragma once

#include <string>
#include <vector>

namespace atelier::cli {

/// The names that `sample`, `probe scheduler` and studies know.
inline std::vector<std::string> scheduler_names() {
  return {"ddim", "pndm", "euler", "euler_ancestral", "dpmpp_2m", "dpmpp_2m_karras", "unipc", "lcm", "ddpm"};
}

}  // namespace atelier::cli
