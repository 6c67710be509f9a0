using System.Globalization;
using Embeddings.Client.Tests.Doubles;
using Embeddings.V1;
using FsCheck;
using FsCheck.Fluent;
using Google.Protobuf;
using Grpc.Core;

namespace Embeddings.Client.Tests.Streaming;

/// <summary>Random sources, options, and servers: every item gets its answer, in order, however the messages are cut.</summary>
public sealed class BatchingPropertyTests
{
    [Fact]
    public async Task EveryItemIsAnsweredOnceAndInOrderHoweverItemsAndResultsArePacked()
    {
        await using var server = await ServerDouble.StartAsync();
        var runs = 0;
        Prop.ForAll(
            ArbMap.Default.ArbFor<int>(),
            ArbMap.Default.ArbFor<byte[]>(),
            (seed, bursts) =>
            {
                Run(server, new Random(seed), bursts ?? []).GetAwaiter().GetResult();
                runs++;
            }).QuickCheckThrowOnFailure();

        Assert.True(runs >= 100);
    }

    // Each burst is a number of items without a pause between them.
    private static async Task Run(ServerDouble server, Random random, byte[] bursts)
    {
        var maxInFlight = random.Next(1, 200);
        var maxItems = random.Next(1, 80);
        var maxBytes = random.Next(1, 4000);
        var sizes = bursts.SelectMany(burst => Enumerable.Range(0, 1 + (burst % 20)).Select(i => (IsFirst: i == 0, Bytes: random.Next(0, 300)))).ToArray();
        var violations = new List<string>();
        var breaks = random.Next(0, 3);
        server.Behaviour.OnStreamEmbed = async (requests, responses, _) =>
        {
            var mayBreak = breaks-- > 0;
            var parts = new Random(breaks);
            await foreach (var message in requests.ReadAllAsync())
            {
                var items = StreamItems.Of(message);
                if (message.Items.Count == 1
                    || items.Count > Math.Min(maxItems, Math.Max(1, maxInFlight / 4))
                    || (message.Items.Count > 0 && (message.CalculateSize() > maxBytes || message.ItemId.Length > 0)))
                {
                    violations.Add(message.ToString());
                }

                for (var at = 0; at < items.Count;)
                {
                    if (mayBreak && parts.Next(20) == 0)
                    {
                        throw new RpcException(new Status(StatusCode.Unavailable, "broken"));
                    }

                    var part = items.Skip(at).Take(parts.Next(1, 1 + items.Count)).ToArray();
                    at += part.Length;
                    await responses.WriteAsync(part.Length == 1 && parts.Next(2) == 0
                        ? Behaviour.Answer(part[0])
                        : new StreamEmbedResponse { Items = { part.Select(Behaviour.Answer) } });
                }
            }
        };
        async IAsyncEnumerable<StreamEmbedRequest> Items()
        {
            for (var i = 0; i < sizes.Length; i++)
            {
                if (sizes[i].IsFirst)
                {
                    await (random.Next(3) == 0 ? Task.Delay(1) : Task.CompletedTask);
                    await Task.Yield();
                }

                yield return new StreamEmbedRequest
                {
                    ItemId = i.ToString(CultureInfo.InvariantCulture),
                    Image = new Image { Encoded = ByteString.CopyFrom(new byte[sizes[i].Bytes]) },
                };
            }
        }

        using var client = server.Client(
            options => options with
            {
                MaxInFlight = maxInFlight,
                MaxItemsPerMessage = maxItems,
                MaxBytesPerMessage = maxBytes,
                BatchDelay = TimeSpan.FromMilliseconds(random.Next(0, 3)),
            },
            new HurriedTime());

        var answers = await client.StreamEmbedAsync(Items()).ToListAsync();

        Source.AssertAnswered(sizes.Length, answers);
        Assert.Empty(violations);
    }
}
