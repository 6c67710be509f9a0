// The build: ./build.sh VERB (Windows: build VERB). Public targets are here; the steps they are made of are in eng/*.cake.
#load "eng/common.cake"
#load "eng/models.cake"
#load "eng/compile.cake"
#load "eng/test.cake"
#load "eng/lint.cake"
#load "eng/pack.cake"
#load "eng/interop.cake"

Task("build")
    .Description("Builds everything.")
    .IsDependentOn("__Restore")
    .IsDependentOn("__TryPrepareModels")
    .IsDependentOn("__Compile");

Task("models")
    .Description("Prepares the default models from the packages they are published in.")
    .IsDependentOn("__PrepareModels")
    .Does(() => Say($"{PreparedModels}: {string.Join(", ", preparedFiles)}"));

Task("test")
    .Description("Builds and runs all tests.")
    .IsDependentOn("__Restore")
    .IsDependentOn("__TryPrepareModels")
    .IsDependentOn("__CompileForTests")
    .IsDependentOn("__RunTests");

Task("fuzz")
    .Description("Builds everything and sends a million damaged inputs to a server.")
    .IsDependentOn("__Restore")
    .IsDependentOn("__TryPrepareModels")
    .IsDependentOn("__CompileForTests")
    .IsDependentOn("__RunFuzzing");

Task("bench")
    .Description("Builds and runs the benchmarks.")
    .IsDependentOn("__Restore")
    .IsDependentOn("__PrepareModels")
    .IsDependentOn("__RunBenchmarks");

Task("lint")
    .Description("Checks the contract and the code's format.")
    .IsDependentOn("__Restore")
    .IsDependentOn("__LintContract")
    .IsDependentOn("__GuardContract")
    .IsDependentOn("__CheckContractPage")
    .IsDependentOn("__LintCode");

Task("pack")
    .Description("Makes the NuGet packages and the Python wheel.")
    .IsDependentOn("__Restore")
    .IsDependentOn("__PrepareModels")
    .IsDependentOn("__Pack");

Task("publish")
    .Description("Publishes the command, self-contained, for an image (deploy/Dockerfile).")
    .IsDependentOn("__Restore")
    .IsDependentOn("__PrepareModels")
    .IsDependentOn("__Publish");

Task("docs")
    .Description("Makes docs/contract.md from the contract's comments.")
    .IsDependentOn("__WriteContractPage");

Task("interop")
    .Description("Runs one scenario in every language against one server, and the lines of docs/debugging.md.")
    .IsDependentOn("__Restore")
    .IsDependentOn("__PrepareModels")
    .IsDependentOn("__CompileCommand")
    .IsDependentOn("__FetchBuf")
    .IsDependentOn("__RunInterop");

// What a step said last stays last: Cake would add a table of durations. Steps that fail have ended the build already.
Teardown(context => Environment.Exit(context.Successful ? 0 : 1));

var target = Argument("target", "build");
if (!Tasks.Any(task => string.Equals(task.Name, target, StringComparison.OrdinalIgnoreCase)) || target.StartsWith("__"))
{
    Fail($"there is no verb '{target}'; there are: {string.Join(", ", Tasks.Select(task => task.Name).Where(name => !name.StartsWith("__")))}, run");
}

RunTarget(target);
