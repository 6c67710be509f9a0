// Compiling. Everything is built in one configuration, so that no verb builds again what another has built.
Task("__Compile").Does(() => Compile(extraArguments));

// What stands after `test` is for the tests.
Task("__CompileForTests").Does(() => Compile(""));

void Compile(string arguments) =>
    ExecuteOrFail("dotnet", $"build {Solution} -c {Configuration} --nologo -v minimal {arguments}", "the build failed");

Task("__RunBenchmarks").Does(() =>
{
    const string Benchmarks = "tests/Embeddings.Benchmarks";
    if (!DirectoryExists(Benchmarks))
    {
        Fail($"there are no benchmarks yet ({Benchmarks})");
    }
    ExecuteOrFail("dotnet", $"run --project {Benchmarks} -c {Configuration} -- {extraArguments}", "the benchmarks failed");
});
