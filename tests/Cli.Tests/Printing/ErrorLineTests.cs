using Embeddings.Cli.Printing;
using Embeddings.Client;
using Grpc.Core;

namespace Embeddings.Cli.Tests.Printing;

public sealed class ErrorLineTests
{
    [Theory]
    [InlineData(StatusCode.InvalidArgument, "IMAGE_EMPTY", "image.encoded", "INVALID_ARGUMENT IMAGE_EMPTY: no [image.encoded]")]
    [InlineData(StatusCode.Unavailable, "STORE_UNAVAILABLE", "", "UNAVAILABLE STORE_UNAVAILABLE: no")]
    [InlineData(StatusCode.Internal, "", "", "INTERNAL: no")]
    public void A_servers_error_is_one_line(StatusCode status, string reason, string field, string line) =>
        Assert.Equal(line, ErrorLine.Of(new EmbeddingsException(status, reason, "no", field), "there"));

    [Fact]
    public void No_server_says_where_it_was_looked_for()
    {
        var line = ErrorLine.Of(new EmbeddingsException(StatusCode.Unavailable, "", "refused"), "there:1");
        Assert.StartsWith("no server answers at there:1", line, StringComparison.Ordinal);
    }

    [Fact]
    public void Line_breaks_and_control_characters_are_gone() =>
        Assert.Equal("a  b [31m", ErrorLine.Of(new CliException("a\r\nb\u001b[31m\n"), null));

    [Theory]
    [InlineData(3, "INVALID_ARGUMENT")]
    [InlineData(8, "RESOURCE_EXHAUSTED")]
    [InlineData(99, "STATUS_99")]
    public void Statuses_have_their_documented_names(int code, string name) => Assert.Equal(name, StatusName.Of(code));
}
