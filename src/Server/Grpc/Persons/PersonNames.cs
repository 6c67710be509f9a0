using System.Globalization;
using Embeddings.Primitives;
using Embeddings.Server.Grpc.Mapping;
using Embeddings.Storage;

namespace Embeddings.Server.Grpc.Persons;

/// <summary>Rules for names of persons, and errors about persons.</summary>
internal static class PersonNames
{
    private const int MaxBytes = 256;

    // Users may have written longer names as attributes; texts in filters have the same limit.
    private const int MaxReferenceBytes = 64 * 1024;

    private const string Prefix = "person-";

    /// <summary>A name that a person gets.</summary>
    public static string New(string value, string field)
    {
        Require.Text(value, field, MaxBytes);
        if (value.Any(char.IsControl))
        {
            throw Fault.Invalid(Reasons.FieldInvalid, field, $"{field} must not contain control characters.");
        }
        return char.IsWhiteSpace(value[0]) || char.IsWhiteSpace(value[^1])
            ? throw Fault.Invalid(Reasons.FieldInvalid, field, $"{field} must not begin or end with white space.")
            : value;
    }

    /// <summary>The name of an existing person.</summary>
    public static string Existing(string value, string field) => Require.Text(value, field, MaxReferenceBytes);

    /// <summary>Matches the faces of a person.</summary>
    public static PointFilter FacesOf(string person) => Having(new(PersonAttributes.Person, Text: person));

    /// <summary>Matches faces by a condition.</summary>
    public static PointFilter Having(AttributeCondition condition) => new() { Attributes = [condition] };

    /// <summary>Returns the name of a person that has none yet.</summary>
    public static string Generated(int number) => string.Create(CultureInfo.InvariantCulture, $"{Prefix}{number}");

    /// <summary>Returns the number in a name that was generated, or null.</summary>
    public static int? NumberIn(string person) =>
        person.StartsWith(Prefix, StringComparison.Ordinal)
        && int.TryParse(person.AsSpan(Prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : null;

    public static Fault NotFound(string collection, string person) => new Fault(
        FaultKind.NotFound,
        Reasons.PersonNotFound,
        $"Collection '{collection}' has no face of the person '{person}'.",
        "persons")
        .With(FaultKeys.Collection, collection)
        .With(FaultKeys.Person, person);

    public static Fault Mismatch(string collection, string pointId, string person, string? actual) => new Fault(
        FaultKind.FailedPrecondition,
        Reasons.PersonMismatch,
        $"Point '{pointId}' must be a face of the person '{person}'; "
            + (actual is null ? "it has no person." : $"it is a face of '{actual}'."),
        "point_ids")
        .With(FaultKeys.Collection, collection)
        .With(FaultKeys.Point, pointId)
        .With(FaultKeys.Expected, person)
        .With(FaultKeys.Actual, actual ?? "");

    public static Fault ChangeNotFound(string collection, string change) => new Fault(
        FaultKind.NotFound,
        Reasons.PersonChangeNotFound,
        $"No face of collection '{collection}' has the change '{change}' as its last one: it has been undone, its faces were "
            + "changed again or deleted, or it has never existed.",
        "change_id")
        .With(FaultKeys.Collection, collection);
}
