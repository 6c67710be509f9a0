// Runs the interop scenario described in clients/README.md.
// Usage: interop HOST:PORT JPEG VECTORS.json, or interop secure HOST:PORT FOLDER
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <string>
#include <utility>

#include "faces.hpp"
#include "scenario.hpp"
#include "secure.hpp"

int main(int count, char** arguments) {
  if (count != 4) {
    std::cerr << "usage: interop HOST:PORT JPEG VECTORS.json, or interop secure HOST:PORT FOLDER\n";
    return 2;
  }
  if (std::string(arguments[1]) == "secure") {
    return SecureScenario(arguments[2], arguments[3]).run() ? 0 : 1;
  }
  std::ifstream input(arguments[2], std::ios::binary);
  Scenario scenario(arguments[1], std::string(std::istreambuf_iterator<char>(input), {}));
  FaceScenario photos(arguments[1], std::filesystem::path(arguments[2]).parent_path().string());
  const std::pair<const char*, std::function<void()>> steps[] = {
      {"health", [&] { scenario.health(); }}, {"models", [&] { scenario.models(); }}, {"embed", [&] { scenario.embed(); }},
      {"stream", [&] { scenario.stream(); }}, {"ingest", [&] { scenario.ingest(); }}, {"batches", [&] { scenario.batches(); }}, {"search", [&] { scenario.search(); }},
      {"media", [&] { scenario.media(); }},   {"delete", [&] { scenario.remove(); }}, {"count", [&] { scenario.count(); }},
      {"faces", [&] { photos.faces(); }},     {"photo", [&] { photos.photo(); }},     {"persons", [&] { photos.persons(); }},
      {"errors", [&] { scenario.errors(); }},
  };
  int code = 0;
  for (const auto& [name, step] : steps) {
    try {
      step();
      std::cout << "ok " << name << std::endl;
    } catch (const std::exception& error) {
      std::cout << "FAILED " << name << " " << error.what() << std::endl;
      code = 1;
    }
  }
  scenario.write(arguments[3]);
  return code;
}
