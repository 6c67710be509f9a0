using System.CommandLine;
using Embeddings.Cli.Printing;
using Embeddings.Client;
using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.Cli.Commands;

/// <summary>Runs a command for each of some files: the error of one does not end the others.</summary>
internal static class PhotoFiles
{
    /// <summary>Creates the argument for photos.</summary>
    public static Argument<string[]> Argument() => new("photos")
    {
        Description = "Photo files.",
        HelpName = "PHOTO",
        Arity = ArgumentArity.OneOrMore,
    };

    /// <summary>Reads each file and runs an action with it.</summary>
    /// <param name="output">Receives the errors.</param>
    /// <param name="paths">The files.</param>
    /// <param name="action">Receives the path and the image.</param>
    /// <param name="cancellationToken">Cancels reading.</param>
    /// <returns>Exit code: whether all files, some, or the only one failed.</returns>
    public static async Task<int> RunAsync(
        Output output, IReadOnlyList<string> paths, Func<string, Image, Task> action, CancellationToken cancellationToken)
    {
        var exitCode = ExitCode.Done;
        foreach (var path in paths)
        {
            try
            {
                await action(path, await ImageFile.ReadAsync(path, ImageFile.DefaultMaxBytes, cancellationToken));
            }
            catch (Exception e) when (ErrorOf(e) is { } error)
            {
                output.Object(new { Path = path, Error = JsonFields.Of(error) }, omitNulls: true);
                output.Note($"embeddings: {ErrorLine.OneLine(path)}: {ErrorLine.Of(error)}");
                exitCode = paths.Count == 1 ? ExitCode.Failed : ExitCode.SomeItemsFailed;
            }
        }
        return exitCode;
    }

    // Other errors concern all files, for example an unknown model.
    private static ItemError? ErrorOf(Exception exception) => exception switch
    {
        ItemFault fault => fault.Error,
        EmbeddingsException { Status: StatusCode.InvalidArgument or StatusCode.ResourceExhausted } e =>
            new() { Code = (int)e.Status, Reason = e.Reason, Message = e.Message, Field = e.Field },
        _ => null,
    };
}
