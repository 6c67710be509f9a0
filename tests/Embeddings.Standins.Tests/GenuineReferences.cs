using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;

namespace Embeddings.Standins.Tests;

/// <summary>What an assembly refers to of <c>Grpc.Core.Api</c> and <c>Grpc.Net.Common</c>: metadata tokens of types and members.</summary>
internal sealed record GenuineReferences(IReadOnlyList<int> Types, IReadOnlyList<int> Members)
{
    public static GenuineReferences Of(Assembly assembly)
    {
        using var file = new PEReader(File.OpenRead(assembly.Location));
        var metadata = file.GetMetadataReader();
        var types = metadata.TypeReferences.Where(handle => IsStandin(metadata, handle));
        var members = metadata.MemberReferences.Where(handle => IsMemberOfStandin(metadata, handle));
        return new([.. types.Select(handle => MetadataTokens.GetToken(handle))], [.. members.Select(handle => MetadataTokens.GetToken(handle))]);
    }

    private static bool IsStandin(MetadataReader metadata, TypeReferenceHandle handle)
    {
        var scope = metadata.GetTypeReference(handle).ResolutionScope;
        return scope.Kind switch
        {
            HandleKind.TypeReference => IsStandin(metadata, (TypeReferenceHandle)scope),
            HandleKind.AssemblyReference => metadata.GetString(metadata.GetAssemblyReference((AssemblyReferenceHandle)scope).Name) is "Grpc.Core.Api" or "Grpc.Net.Common",
            _ => false,
        };
    }

    private static bool IsMemberOfStandin(MetadataReader metadata, MemberReferenceHandle handle)
    {
        var parent = metadata.GetMemberReference(handle).Parent;
        if (parent.Kind == HandleKind.TypeSpecification)
        {
            // A generic type is encoded as GENERICINST, CLASS or VALUETYPE, and the type itself.
            var signature = metadata.GetBlobReader(metadata.GetTypeSpecification((TypeSpecificationHandle)parent).Signature);
            if (signature.ReadSignatureTypeCode() != SignatureTypeCode.GenericTypeInstance)
            {
                return false;
            }
            signature.ReadByte();
            parent = signature.ReadTypeHandle();
        }
        return parent.Kind == HandleKind.TypeReference && IsStandin(metadata, (TypeReferenceHandle)parent);
    }
}
