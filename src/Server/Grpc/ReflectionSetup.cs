using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Rpc;
using Grpc.Health.V1;
using Grpc.Reflection;

namespace Embeddings.Server.Grpc;

/// <summary>
/// Server reflection with complete descriptors. Those in generated C# code have neither comments nor JSON names, and no
/// service refers to the error details of <c>google.rpc</c>: tools would show <c>default_for_kind</c> for <c>defaultForKind</c>
/// and error details as base64.
/// </summary>
internal static class ReflectionSetup
{
    // protoc writes it during the build, with source information and imports.
    private const string DescriptorSet = "embeddings.protoset";

    public static IServiceCollection AddReflection(this IServiceCollection services)
    {
        services.AddGrpcReflection();
        // The last registration is used: these replace the ones made from the generated descriptors.
        var described = new Lazy<(string[] Services, SymbolRegistry Symbols)>(Describe);
        return services
            .AddSingleton(_ => new ReflectionServiceImpl(described.Value.Services, described.Value.Symbols))
            .AddSingleton(_ => new ReflectionV1ServiceImpl(described.Value.Services, described.Value.Symbols));
    }

    private static (string[] Services, SymbolRegistry Symbols) Describe()
    {
        using var stream = typeof(ReflectionSetup).Assembly.GetManifestResourceStream(DescriptorSet)!;
        // In the order of their imports: google/protobuf first, on which the others depend.
        var set = FileDescriptorSet.Parser.ParseFrom(stream).File
            .Concat(WithImports(
                ErrorDetailsReflection.Descriptor,
                HealthReflection.Descriptor,
                global::Grpc.Reflection.V1.ReflectionReflection.Descriptor,
                global::Grpc.Reflection.V1Alpha.ReflectionReflection.Descriptor))
            .DistinctBy(file => file.Name);
        var files = FileDescriptor.BuildFromByteStrings(set.Select(file => file.ToByteString()));
        var names = files.SelectMany(file => file.Services).Select(service => service.FullName).ToArray();
        return (names, SymbolRegistry.FromFiles(files));
    }

    private static IEnumerable<FileDescriptorProto> WithImports(params IEnumerable<FileDescriptor> files) => files.SelectMany(file =>
    {
        var proto = FileDescriptorProto.Parser.ParseFrom(file.SerializedData);
        foreach (var message in proto.MessageType)
        {
            AddJsonNames(message, file.MessageTypes.First(type => type.Name == message.Name));
        }
        return WithImports(file.Dependencies).Append(proto);
    });

    private static void AddJsonNames(DescriptorProto message, MessageDescriptor descriptor)
    {
        foreach (var field in message.Field)
        {
            field.JsonName = descriptor.FindFieldByName(field.Name).JsonName;
        }
        foreach (var nested in message.NestedType)
        {
            AddJsonNames(nested, descriptor.NestedTypes.First(type => type.Name == nested.Name));
        }
    }
}
