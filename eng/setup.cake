// Finds out, once, whether the NuGet feed has the official packages; switches to the stand-ins where it lacks some.
using System.Security.Cryptography;
using System.Text.RegularExpressions;

const string StandinsFolder = "eng/standins";
const string StandinsSwitch = StandinsFolder + "/enabled";
const string SetUpStamp = "artifacts/setup/packages";

Task("__SetUp").Does(() =>
{
    var key = SetUpKey();
    if (IsSetUp(key))
    {
        return;
    }

    Say("Set-up: asking the NuGet feed for the official packages ...");
    var missing = MissingPackages();
    if (missing.Count == 0)
    {
        if (FileExists(StandinsSwitch))
        {
            DeleteFile(StandinsSwitch);
        }
        Say("Set-up: the feed has them all.");
    }
    else
    {
        Say($"Set-up: the feed lacks {string.Join(", ", missing)}; stand-ins take their place ({StandinsFolder}/README.md).");
        FetchNodeModules(StandinsFolder, "the stand-ins' parts are npm packages");
        System.IO.File.WriteAllText(StandinsSwitch, "");
        RestoreWithStandins();
    }
    EnsureDirectoryExists("artifacts/setup");
    System.IO.File.WriteAllText(SetUpStamp, $"{key} {(missing.Count == 0 ? "official" : "standins")}");
});

// The outcome holds as long as the versions asked for and the parts stay the same.
string SetUpKey()
{
    using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    hash.AppendData(System.IO.File.ReadAllBytes("Directory.Packages.props"));
    hash.AppendData(System.IO.File.ReadAllBytes(StandinsFolder + "/package-lock.json"));
    return Convert.ToHexString(hash.GetHashAndReset());
}

bool IsSetUp(string key)
{
    var stamp = FileExists(SetUpStamp) ? System.IO.File.ReadAllText(SetUpStamp) : "";
    return stamp == $"{key} official" && !FileExists(StandinsSwitch)
        || stamp == $"{key} standins" && FileExists(StandinsSwitch) && FileExists(StandinsFolder + "/node_modules/.locked");
}

// The official packages that the feed lacks, altogether (NU1101) or in the version asked for (NU1102).
List<string> MissingPackages()
{
    var code = Capture("dotnet", $"restore {Solution} -p:UseStandins=false --nologo", out var lines);
    if (code == 0)
    {
        return [];
    }
    // A feed that does not answer lacks nothing: that is another matter, and stand-ins would not help.
    var unreachable = lines.FirstOrDefault(line => line.Contains("NU1301"));
    if (unreachable is not null)
    {
        Fail($"the NuGet feed cannot be reached: {Detail(unreachable)}");
    }
    var missing = lines
        .Select(line => Regex.Match(line, @"error NU110[12]: Unable to find package ([\w.\-]+)(?: with version \(>= ([^)]+)\))?"))
        .Where(match => match.Success)
        .Select(match => $"{match.Groups[1].Value} {match.Groups[2].Value}".TrimEnd().TrimEnd('.'))
        .Distinct()
        .Order(StringComparer.Ordinal)
        .ToList();
    if (missing.Count == 0)
    {
        Fail($"the packages cannot be restored: {Detail(lines.FirstOrDefault(line => line.Contains("error")) ?? "dotnet restore says nothing")}");
    }
    return missing;
}

void RestoreWithStandins()
{
    if (Capture("dotnet", $"restore {Solution} --nologo", out var lines) != 0)
    {
        DeleteFile(StandinsSwitch);
        Fail($"the packages cannot be restored, not with the stand-ins either: {Detail(lines.FirstOrDefault(line => line.Contains("error")) ?? "")}");
    }
}

// Without the project's path in front and the solution's behind.
string Detail(string line) => Regex.Replace(line, @"^.*?error (?=\w+:)|\s*\[[^\]]*\]\s*$", "").Trim();
