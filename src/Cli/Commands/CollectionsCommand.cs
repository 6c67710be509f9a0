using System.CommandLine;
using System.Globalization;
using Embeddings.Cli.Printing;
using Embeddings.Client;
using Embeddings.V1;
using Google.Protobuf.WellKnownTypes;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings collections</c>: collections with their settings, and their aliases.</summary>
internal static class CollectionsCommand
{
    private const int MaxDays = 36_525;

    public static Command Create(GlobalOptions globals)
    {
        var command = new Command("collections", "Lists, creates, and changes collections, and manages their aliases.")
        {
            ListAction(new Command("list", "Lists the collections."), globals),
            New(globals),
            Show(globals),
            Update(globals),
            AliasCommand(globals),
        };
        return ListAction(command, globals);
    }

    private static Command ListAction(Command command, GlobalOptions globals) =>
        globals.Calling(command, async (_, client, output, cancellationToken) =>
        {
            var table = new TextTable("collection", "dimension", "points", "model", "settings");
            await foreach (var item in client.ListAllCollectionsAsync(cancellationToken))
            {
                output.Object(Fields(item), omitNulls: true);
                table.Add(
                    item.Name,
                    item.Dimension.ToString(CultureInfo.InvariantCulture),
                    item.PointCount.ToString("N0", CultureInfo.InvariantCulture),
                    item.Model,
                    string.Join(' ', Settings(item.Settings)));
            }
            output.Table(table);
        });

    private static Command New(GlobalOptions globals)
    {
        var name = Name("Name of the new collection.");
        var dimension = new Option<int?>("--dimension") { Description = "Number of dimensions of its vectors." };
        var model = CommonOptions.Text("--model", "NAME", "Model that fills it, which gives dimension and fingerprint.", "-m");
        var settings = new SettingsOptions(isNew: true);
        var command = new Command("create", "Creates a collection. Collections are also created by the first write.")
        {
            name, dimension, model,
        };
        settings.AddTo(command);
        command.Validators.Add(result =>
        {
            if (result.GetValue(dimension) is null == result.GetValue(model) is null)
            {
                result.AddError("Set either --dimension or --model.");
            }
        });
        return globals.Calling(command, async (parsed, client, output, cancellationToken) =>
        {
            var request = new CreateCollectionRequest
            {
                Collection = parsed.GetValue(name)!,
                Dimension = parsed.GetValue(dimension) ?? 0,
                Model = parsed.GetValue(model) ?? "",
                Settings = new()
                {
                    IndexedAttributes = { settings.Added(parsed) },
                    Retention = settings.Retention(parsed),
                    ApproximateIndex = settings.Graph(parsed),
                },
            };
            Print(output, (await client.CreateCollectionAsync(request, cancellationToken)).Collection);
        });
    }

    private static Command Show(GlobalOptions globals)
    {
        var name = Name("Name or alias of the collection.");
        var command = new Command("show", "Prints a collection with its settings and aliases.") { name };
        return globals.Calling(command, async (parsed, client, output, cancellationToken) =>
            Print(output, await client.GetCollectionAsync(parsed.GetValue(name)!, cancellationToken)));
    }

    private static Command Update(GlobalOptions globals)
    {
        var name = Name("Name or alias of the collection.");
        var settings = new SettingsOptions(isNew: false);
        var command = new Command("update", "Changes settings of a collection. Settings that are not given stay as they are.") { name };
        settings.AddTo(command);
        return globals.Calling(command, async (parsed, client, output, cancellationToken) =>
        {
            var request = new UpdateCollectionRequest
            {
                Collection = parsed.GetValue(name)!,
                AddIndexedAttributes = { settings.Added(parsed) },
                RemoveIndexedAttributes = { settings.Removed(parsed) },
                Retention = settings.Retention(parsed),
                ApproximateIndex = settings.Graph(parsed),
                RemoveApproximateIndex = settings.RemovesGraph(parsed),
            };
            Print(output, (await client.UpdateCollectionAsync(request, cancellationToken)).Collection);
        });
    }

    private static Command AliasCommand(GlobalOptions globals)
    {
        var alias = new Argument<string>("alias") { Description = "Name of the alias." };
        var collection = new Argument<string>("collection") { Description = "Name of the collection." };
        var set = new Command("set", "Creates an alias, or moves it to another collection, at once.") { alias, collection };
        globals.Calling(set, async (parsed, client, output, cancellationToken) =>
        {
            var (name, target) = (parsed.GetValue(alias)!, parsed.GetValue(collection)!);
            await client.SetAliasAsync(name, target, cancellationToken);
            output.Object(new { Alias = name, Collection = target });
            output.Line(ErrorLine.OneLine($"{name} -> {target}"));
        });
        var deleted = new Argument<string[]>("aliases") { Description = "Names of the aliases.", Arity = ArgumentArity.OneOrMore };
        var delete = new Command("delete", "Deletes aliases; their collections stay.") { deleted };
        globals.Calling(delete, async (parsed, client, output, cancellationToken) =>
        {
            var names = parsed.GetValue(deleted)!;
            await client.UpdateAliasesAsync(new() { Delete = { names } }, cancellationToken);
            output.Object(new { Deleted = names });
            output.Line($"{names.Length} deleted");
        });
        var command = new Command("alias", "Lists, sets, and deletes aliases: second names of collections.")
        {
            List(new Command("list", "Lists the aliases.")), set, delete,
        };
        return List(command);

        Command List(Command list) => globals.Calling(list, async (_, client, output, cancellationToken) =>
        {
            var table = new TextTable("alias", "collection");
            await foreach (var item in client.ListAllAliasesAsync(cancellationToken))
            {
                output.Object(new { Alias = item.Alias_, item.Collection });
                table.Add(item.Alias_, item.Collection);
            }
            output.Table(table);
        });
    }

    private static Argument<string> Name(string description) => new("name") { Description = description };

    private static void Print(Output output, Collection collection)
    {
        output.Object(Fields(collection), omitNulls: true);
        output.Line(ErrorLine.OneLine(
            $"{collection.Name}: {collection.Dimension} dimensions, {collection.PointCount:N0} points"
            + (collection.Model.Length > 0 ? $", model {collection.Model}" : "")));
        foreach (var line in Settings(collection.Settings).Concat(collection.Aliases.Select(alias => $"alias {alias}")))
        {
            output.Line($"  {ErrorLine.OneLine(line)}");
        }
    }

    private static object Fields(Collection collection) => new
    {
        collection.Name,
        collection.Dimension,
        collection.PointCount,
        collection.Model,
        collection.ModelFingerprint,
        IndexedAttributes = collection.Settings?.IndexedAttributes.Select(AttributePaths.Text) ?? [],
        RetentionSeconds = collection.Settings?.Retention?.Seconds,
        ApproximateIndex = collection.Settings?.ApproximateIndex is { } graph ? new { graph.Links, graph.BuildCandidates } : null,
        ApproximateIndexState = collection.ApproximateIndexState is { } state
            ? new
            {
                state.IndexedCount,
                RecallAt10 = state.HasRecallAt10 ? state.RecallAt10 : (float?)null,
                state.SampleSize,
            }
            : null,
        Aliases = collection.Aliases.Count > 0 ? collection.Aliases : null,
    };

    private static IEnumerable<string> Settings(CollectionSettings? settings)
    {
        if (settings is null)
        {
            yield break;
        }
        foreach (var attribute in settings.IndexedAttributes)
        {
            yield return $"index {AttributePaths.Text(attribute)}";
        }
        if (settings.Retention is { } retention)
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"retention {retention.ToTimeSpan().TotalDays:0.####} days");
        }
        if (settings.ApproximateIndex is { } graph)
        {
            yield return $"approximate index ({graph.Links} links, {graph.BuildCandidates} candidates)";
        }
    }

    /// <summary>Options for the settings of a collection.</summary>
    private sealed class SettingsOptions(bool isNew)
    {
        private readonly Option<string[]> _index = new("--index")
        {
            Description = "Attribute to index, with its type text, number, flag, or time: year=number, camera.lens=text. Can be repeated.",
            HelpName = AttributePaths.Help,
            DefaultValueFactory = _ => [],
        };

        private readonly Option<string[]> _drop = new("--drop-index")
        {
            Description = "Attribute whose index is removed. Can be repeated.",
            HelpName = AttributePaths.Help,
            DefaultValueFactory = _ => [],
        };

        private readonly Option<double?> _retention = Retention(isNew);

        private readonly Option<bool> _approximate = new("--approximate")
        {
            Description = "Build an approximate index, which searches with exact set to false use. Embedded store only.",
        };

        private readonly Option<bool> _exact = new("--no-approximate") { Description = "Remove the approximate index." };

        private readonly Option<int?> _links = new("--links") { Description = "With --approximate: links per point, 4 to 64. [default: 16]" };

        private readonly Option<int?> _candidates = new("--build-candidates")
        {
            Description = "With --approximate: candidates while the index is built, 16 to 1,000. [default: 128]",
        };

        public void AddTo(Command command)
        {
            command.Add(_index);
            command.Add(_retention);
            command.Add(_approximate);
            command.Add(_links);
            command.Add(_candidates);
            if (!isNew)
            {
                command.Add(_drop);
                command.Add(_exact);
            }
            command.Validators.Add(result =>
            {
                if (!result.GetValue(_approximate) && (result.GetValue(_links) ?? result.GetValue(_candidates)) is not null)
                {
                    result.AddError("--links and --build-candidates require --approximate.");
                }
            });
        }

        public IEnumerable<IndexedAttribute> Added(ParseResult parsed) =>
            parsed.GetValue(_index)!.Select(text => AttributePaths.ParseIndexed(text, "--index"));

        public IEnumerable<IndexedAttribute> Removed(ParseResult parsed) =>
            parsed.GetValue(_drop)!.Select(text => AttributePaths.ParseIndexed(text, "--drop-index"));

        public Duration? Retention(ParseResult parsed) => parsed.GetValue(_retention) is { } days
            ? new() { Seconds = (long)Math.Round(days * 24 * 60 * 60) }
            : null;

        public ApproximateIndex? Graph(ParseResult parsed) => parsed.GetValue(_approximate)
            ? new() { Links = parsed.GetValue(_links) ?? 0, BuildCandidates = parsed.GetValue(_candidates) ?? 0 }
            : null;

        public bool RemovesGraph(ParseResult parsed) => parsed.GetValue(_exact);

        private static Option<double?> Retention(bool isNew)
        {
            var option = new Option<double?>("--retention")
            {
                Description = $"Delete points this number of days after they were stored, 0.0001 to {MaxDays:N0}"
                    + (isNew ? "." : "; 0 for no retention."),
                HelpName = "DAYS",
            };
            option.Validators.Add(result => CommonOptions.CheckRange(result, "--retention", isNew ? 0.0001 : 0, MaxDays));
            return option;
        }
    }
}
