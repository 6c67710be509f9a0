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
    public void An_error_of_the_server_is_one_line(StatusCode status, string reason, string field, string line) =>
        Assert.Equal(line, ErrorLine.Of(new EmbeddingsException(status, reason, "no", field), "there"));

    [Fact]
    public void A_missing_server_is_reported_with_its_address()
    {
        var line = ErrorLine.Of(new EmbeddingsException(StatusCode.Unavailable, "", "refused"), "there:1");
        Assert.StartsWith("No server responds at there:1", line, StringComparison.Ordinal);
    }

    [Fact]
    public void Control_characters_are_replaced() =>
        Assert.Equal("a  b [31m", ErrorLine.Of(new ToolException("a\r\nb\u001b[31m\n"), null));

    [Theory]
    [InlineData(3, "INVALID_ARGUMENT")]
    [InlineData(8, "RESOURCE_EXHAUSTED")]
    [InlineData(99, "STATUS_99")]
    public void Status_codes_have_the_names_of_the_specification(int code, string name) =>
        Assert.Equal(name, StatusName.Of(code));
}
