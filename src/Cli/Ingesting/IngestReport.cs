using Embeddings.Cli.Printing;
using Embeddings.V1;

namespace Embeddings.Cli.Ingesting;

/// <summary>Takes down what became of each item: counts it, prints it with <c>--json</c>, keeps the failed ones. Thread-safe.</summary>
internal sealed class IngestReport(Output output, FailedItems failed, IProgress<Tally> progress)
{
    private readonly Lock _lock = new();
    private Tally _tally;

    public Tally Tally
    {
        get
        {
            lock (_lock)
            {
                return _tally;
            }
        }
    }

    public void Stored(IngestItem item, IngestAck ack)
    {
        output.Object(json =>
        {
            json.WriteString("path", item.Line!.Path);
            json.WriteString("job_id", item.Line.JobId);
            json.WriteString("point_id", ack.PointId);
            json.WriteString("collection", ack.Collection);
        });
        Count(tally => tally.AddStored());
    }

    public void Skipped() => Count(tally => tally.AddSkipped());

    public void Failed(IngestItem item, ItemError error)
    {
        output.Object(json =>
        {
            json.WriteNumber("line", item.Number);
            if (item.Line is { } line)
            {
                json.WriteString("path", line.Path);
                json.WriteString("job_id", line.JobId);
            }
            json.WriteError(error);
        });
        output.Note($"{Name(item)}: {StatusName.Of(error.Code)} {error.Reason}: {ErrorLine.OneLine(error.Message)}");
        lock (_lock)
        {
            failed.Add(item, error);
        }
        Count(tally => tally.AddFailed());
    }

    private static string Name(IngestItem item) => item.Line is { } line ? ErrorLine.OneLine(line.Path) : $"line {item.Number}";

    private void Count(Func<Tally, Tally> add)
    {
        lock (_lock)
        {
            _tally = add(_tally);
            progress.Report(_tally);
        }
    }
}
