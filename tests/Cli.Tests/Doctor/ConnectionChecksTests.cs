using Embeddings.Tooling.Doctor;
using Grpc.Core;

namespace Embeddings.Cli.Tests.Doctor;

/// <summary>Verdicts about the security of a connection.</summary>
public sealed class ConnectionChecksTests
{
    private static readonly Uri Local = new("http://127.0.0.1:50051");
    private static readonly Uri Remote = new("http://10.0.0.1:50051");

    [Fact]
    public void Clear_text_to_another_machine_is_a_warning()
    {
        Assert.Equal((Verdict.Ok, "without TLS, on this machine only"), ConnectionChecks.JudgeClearText(Local, hasKey: true));
        var (verdict, detail) = ConnectionChecks.JudgeClearText(Remote, hasKey: false);
        Assert.Equal(Verdict.Warn, verdict);
        Assert.StartsWith("without TLS: images and vectors can be read in transit.", detail, StringComparison.Ordinal);
        Assert.Contains("the API key, images, and vectors", ConnectionChecks.JudgeClearText(Remote, hasKey: true).Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void Reflection_without_a_key_is_a_warning_at_an_address_of_another_machine()
    {
        Assert.Equal(Verdict.Ok, ConnectionChecks.JudgeReflection(Local, StatusCode.OK).Verdict);
        Assert.Equal(Verdict.Warn, ConnectionChecks.JudgeReflection(Remote, StatusCode.OK).Verdict);
        Assert.Equal((Verdict.Ok, "off"), ConnectionChecks.JudgeReflection(Remote, StatusCode.Unimplemented));
        Assert.Equal((Verdict.Ok, "closed to callers without a key"), ConnectionChecks.JudgeReflection(Remote, StatusCode.Unauthenticated));
        Assert.Throws<ToolException>(() => ConnectionChecks.JudgeReflection(Remote, StatusCode.Internal));
    }
}
