// Restoring in locked mode: a package that differs from packages.lock.json fails the build (NU1004). After a change of versions:
// dotnet restore Embeddings.slnx --force-evaluate
Task("__Restore").Does(() => ExecuteOrFail("dotnet", $"restore {Solution} --locked-mode -v quiet", "the packages could not be restored"));

// Compiling. Everything is built in one configuration, so that no verb builds again what another has built.
Task("__Compile").Does(() => Compile(extraArguments));

// What stands after `test` is for the tests.
Task("__CompileForTests").Does(() => Compile(""));

void Compile(string arguments) =>
    ExecuteOrFail("dotnet", $"build {Solution} -c {Configuration} --no-restore --nologo -v minimal {arguments}", "the build failed");

Task("__RunBenchmarks").Does(() =>
{
    const string Benchmarks = "benchmarks";
    if (!DirectoryExists(Benchmarks))
    {
        Fail($"there are no benchmarks yet ({Benchmarks})");
    }
    ExecuteOrFail("dotnet", $"run --no-restore --project {Benchmarks} -c {Configuration} -- {extraArguments}", "the benchmarks failed");
});
