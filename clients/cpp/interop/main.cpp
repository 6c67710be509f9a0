// Runs the interop scenario described in clients/README.md.
// Usage: interop HOST:PORT JPEG VECTORS.json
#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <utility>

#include "scenario.hpp"

int main(int count, char** arguments) {
  if (count != 4) {
    std::cerr << "usage: interop HOST:PORT JPEG VECTORS.json\n";
    return 2;
  }
  std::ifstream input(arguments[2], std::ios::binary);
  Scenario scenario(arguments[1], std::string(std::istreambuf_iterator<char>(input), {}));
  const std::pair<const char*, void (Scenario::*)()> steps[] = {
      {"health", &Scenario::health}, {"models", &Scenario::models}, {"embed", &Scenario::embed},   {"stream", &Scenario::stream}, {"ingest", &Scenario::ingest},
      {"search", &Scenario::search}, {"media", &Scenario::media},   {"delete", &Scenario::remove}, {"count", &Scenario::count},   {"errors", &Scenario::errors},
  };
  int code = 0;
  for (const auto& [name, step] : steps) {
    try {
      (scenario.*step)();
      std::cout << "ok " << name << std::endl;
    } catch (const std::exception& error) {
      std::cout << "FAILED " << name << " " << error.what() << std::endl;
      code = 1;
    }
  }
  scenario.write(arguments[3]);
  return code;
}
