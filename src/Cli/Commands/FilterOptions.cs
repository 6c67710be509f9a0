using System.CommandLine;
using Embeddings.V1;

namespace Embeddings.Cli.Commands;

/// <summary>The options that say which points: all that are given must hold.</summary>
internal sealed class FilterOptions
{
    public Option<string?> JobId { get; } = new("--job-id") { Description = "Only points of this job." };

    public Option<string?> MediaStoreId { get; } = new("--media-store-id") { Description = "Only points of this media item." };

    public Option<int?> FaceIndex { get; } = new("--face-index") { Description = "Only the job's face of this index." };

    public Option<string[]> Attribute { get; } = new("--attribute")
    {
        Description = "Only points whose attribute is so: key=value, or key>number, >=, <, <=. May be given several times. "
            + "Numbers, true and false are taken as such; quote a text that looks like one: key='\"1\"'.",
        HelpName = "KEY=VALUE",
        DefaultValueFactory = _ => [],
    };

    public void AddTo(Command command)
    {
        command.Add(JobId);
        command.Add(MediaStoreId);
        command.Add(FaceIndex);
        command.Add(Attribute);
    }

    /// <summary>The filter, or null where no condition is given.</summary>
    public Filter? Read(ParseResult parsed)
    {
        var filter = new Filter();
        if (parsed.GetValue(JobId) is { } jobId)
        {
            filter.JobId = jobId;
        }
        if (parsed.GetValue(MediaStoreId) is { } mediaStoreId)
        {
            filter.MediaStoreId = mediaStoreId;
        }
        if (parsed.GetValue(FaceIndex) is { } faceIndex)
        {
            filter.FaceIndex = faceIndex;
        }
        filter.Attributes.AddRange(parsed.GetValue(Attribute)!.Select(AttributeArgument.Parse));
        return filter.Equals(new Filter()) ? null : filter;
    }
}
