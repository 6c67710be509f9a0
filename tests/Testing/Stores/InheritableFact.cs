using Xunit.Abstractions;
using Xunit.Sdk;

namespace Embeddings.Testing.Stores;

/// <summary>The environment variables of which a class's inherited tests need one.</summary>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class NeedsAttribute(params string[] variables) : Attribute
{
    public string[] Variables => variables;
}

/// <summary>
/// A test of a base class, skipped in a derived class whose <see cref="NeedsAttribute"/> names only variables that are not set.
/// </summary>
[XunitTestCaseDiscoverer("Embeddings.Server.Tests.Storage.InheritableFactDiscoverer", "Embeddings.Server.Tests")]
internal sealed class InheritableFactAttribute : FactAttribute;

/// <summary>The same for a theory.</summary>
[XunitTestCaseDiscoverer("Embeddings.Server.Tests.Storage.InheritableTheoryDiscoverer", "Embeddings.Server.Tests")]
internal sealed class InheritableTheoryAttribute : TheoryAttribute;

internal sealed class InheritableFactDiscoverer(IMessageSink messages) : FactDiscoverer(messages)
{
    protected override IXunitTestCase CreateTestCase(
        ITestFrameworkDiscoveryOptions discoveryOptions, ITestMethod testMethod, IAttributeInfo factAttribute) =>
        new InheritableTestCase(DiagnosticMessageSink, discoveryOptions, testMethod);
}

internal sealed class InheritableTheoryDiscoverer(IMessageSink messages) : TheoryDiscoverer(messages)
{
    protected override IEnumerable<IXunitTestCase> CreateTestCasesForDataRow(
        ITestFrameworkDiscoveryOptions discoveryOptions, ITestMethod testMethod, IAttributeInfo theoryAttribute, object[] dataRow) =>
        [new InheritableTestCase(DiagnosticMessageSink, discoveryOptions, testMethod, dataRow)];
}

internal sealed class InheritableTestCase : XunitTestCase
{
    [Obsolete("Called by the deserializer; should only be called by deriving classes for de-serialization purposes")]
    public InheritableTestCase()
    {
    }

    public InheritableTestCase(
        IMessageSink messages, ITestFrameworkDiscoveryOptions options, ITestMethod method, object[]? arguments = null)
        : base(messages, options.MethodDisplayOrDefault(), options.MethodDisplayOptionsOrDefault(), method, arguments)
    {
    }

    protected override string? GetSkipReason(IAttributeInfo factAttribute)
    {
        var needs = TestMethod.TestClass.Class.GetCustomAttributes(typeof(NeedsAttribute).AssemblyQualifiedName).SingleOrDefault();
        var variables = needs?.GetNamedArgument<string[]>(nameof(NeedsAttribute.Variables)) ?? [];
        return variables.Length > 0 && variables.All(name => Tool.Find(name) is null)
            ? $"{string.Join(" or ", variables)} is not set"
            : base.GetSkipReason(factAttribute);
    }
}
