using System.Buffers;
using System.Reflection;
using System.Text;
using Grpc.Core;
using Grpc.Net.Client;
using Grpc.Net.Compression;
using Microsoft.Extensions.DependencyInjection;

namespace Embeddings.Standins.Tests;

/// <summary>The genuine gRPC client and server are built against the official packages; here they must find all of it in the stand-ins.</summary>
public sealed class ContractTests
{
    [StandinFact]
    public void All_that_the_genuine_client_refers_to_exists() => AssertResolves(typeof(GrpcChannel).Module);

    [StandinFact]
    public void All_that_the_genuine_server_refers_to_exists() => AssertResolves(typeof(GrpcServicesExtensions).Module);

    [StandinFact]
    public void Assemblies_have_the_identity_the_genuine_ones_bind_to()
    {
        foreach (var assembly in (Assembly[])[typeof(Metadata).Assembly, typeof(ICompressionProvider).Assembly])
        {
            Assert.EndsWith(", Version=2.0.0.0, Culture=neutral, PublicKeyToken=d754f35622e28bad", assembly.FullName, StringComparison.Ordinal);
        }
    }

    [StandinFact]
    public void Metadata_validates_keys()
    {
        var metadata = new Metadata { { "Some.Key_1", "a" }, { "some.key_1", "b" } };
        Assert.Equal("b", metadata.GetValue("SOME.KEY_1"));
        Assert.Equal(["a", "b"], metadata.GetAll("some.key_1").Select(entry => entry.Value));
        Assert.Throws<ArgumentException>(() => metadata.Add("with space", "value"));
        Assert.Throws<ArgumentException>(() => metadata.Add("text-bin", "value"));
        Assert.Throws<ArgumentException>(() => metadata.Add("bytes", [1]));
        Assert.Throws<InvalidOperationException>(() => Metadata.Empty.Add("key", "value"));
        Assert.Throws<InvalidOperationException>(() => new Metadata.Entry("key-bin", [1]).Value);
    }

    [StandinFact]
    public void Marshallers_convert_between_arrays_and_contexts()
    {
        var marshaller = Marshallers.Create(Write, Read);
        Assert.Equal("text", marshaller.Deserializer(marshaller.Serializer("text")));

        static void Write(string text, SerializationContext context)
        {
            context.GetBufferWriter().Write(Encoding.UTF8.GetBytes(text));
            context.Complete();
        }

        static string Read(DeserializationContext context) => Encoding.UTF8.GetString(context.PayloadAsReadOnlySequence());
    }

    [StandinFact]
    public void Call_credentials_need_a_secure_channel()
    {
        var credentials = CallCredentials.FromInterceptor((_, _) => Task.CompletedTask);
        Assert.Throws<ArgumentException>(() => ChannelCredentials.Create(ChannelCredentials.Insecure, credentials));

        using var secure = GrpcChannel.ForAddress("https://localhost", new() { Credentials = ChannelCredentials.Create(ChannelCredentials.SecureSsl, credentials) });
        Assert.Throws<InvalidOperationException>(() => GrpcChannel.ForAddress("https://localhost", new() { Credentials = ChannelCredentials.Insecure }));
    }

    private static void AssertResolves(Module module)
    {
        var references = GenuineReferences.Of(module.Assembly);
        // Stand for the generic parameters of whatever holds the reference; none has more than four.
        var arguments = Enumerable.Repeat(typeof(object), 4).ToArray();
        Assert.All(references.Types, token => Assert.NotNull(module.ResolveType(token)));
        Assert.All(references.Members, token => Assert.NotNull(module.ResolveMember(token, arguments, arguments)));

        // Fewer would mean that the references were not found, not that there are none.
        Assert.InRange(references.Types.Count, 30, 100);
        Assert.InRange(references.Members.Count, 50, 500);
    }
}
