// Checks that need no build: the contract's style, its compatibility, the code's format.
const string LintFolder = "eng/lint";

Task("__FetchBuf").Does(() => FetchNodeModules(LintFolder, "buf, which lints the contract, is an npm package"));

Task("__LintContract").IsDependentOn("__FetchBuf").Does(() =>
{
    Buf("lint", "buf lint finds fault with protos/");
    Buf("format --diff --exit-code", "protos/ is not formatted; buf format -w does it");
    Say("protos/: linted");
});

// docs/contract.md is made from the comments in protos/.
const string ContractPage = "docs/contract.md";

Task("__WriteContractPage").IsDependentOn("__FetchBuf").Does(() =>
{
    System.IO.File.WriteAllText(ContractPage, MakeContractPage());
    Say($"{ContractPage}: written");
});

Task("__CheckContractPage").IsDependentOn("__FetchBuf").Does(() =>
{
    if (System.IO.File.ReadAllText(ContractPage).ReplaceLineEndings("\n") != MakeContractPage())
    {
        Fail($"{ContractPage} is not what the comments in protos/ say; ./build.sh docs does it");
    }
    Say($"{ContractPage}: up to date");
});

string MakeContractPage()
{
    EnsureDirectoryExists("artifacts");
    Buf("build -o ../artifacts/contract.json", "protos/ does not build");
    if (Capture("node", $"{LintFolder}/contract.mjs artifacts/contract.json", out var lines) != 0)
    {
        Fail($"{ContractPage} could not be made: {lines.LastOrDefault()}");
    }
    return string.Join("\n", lines) + "\n";
}

// Nothing that a released contract promised may change.
Task("__GuardContract").IsDependentOn("__FetchBuf").Does(() =>
{
    if (Capture("git", "rev-parse --git-common-dir", out var folder) != 0)
    {
        Say("protos/: not compared with a release: this is not a git checkout");
        return;
    }
    if (Capture("git", "describe --tags --abbrev=0 --match v*", out var tag) != 0)
    {
        Say("protos/: not compared with a release: there is none yet (no tag v*)");
        return;
    }
    var git = System.IO.Path.GetFullPath(folder[0]);
    Buf($"breaking --against \"{git}#tag={tag[0]},subdir=protos\"", $"protos/ breaks what {tag[0]} promised");
    Say($"protos/: compatible with {tag[0]}");
});

Task("__LintCode").Does(() =>
{
    ExecuteOrFail(
        "dotnet",
        $"format {Solution} --verify-no-changes {extraArguments}",
        "the code is not formatted; dotnet format does it");
    Say("code: formatted");
});

void Buf(string arguments, string failure) =>
    ExecuteOrFail("node", $"../{LintFolder}/node_modules/@bufbuild/buf/bin/buf {arguments}", failure, "protos");
