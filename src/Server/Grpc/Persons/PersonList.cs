using System.Text;
using Embeddings.Server.Grpc.Mapping;
using Embeddings.Storage;

namespace Embeddings.Server.Grpc.Persons;

/// <summary>
/// A page of persons, made in one pass over all faces that have one. Only the persons of the page are kept: those with the
/// first names after the previous page.
/// </summary>
/// <param name="size">The maximum number of persons.</param>
/// <param name="after">The last name of the previous page; empty for the first page.</param>
internal sealed class PersonList(int size, string after)
{
    // Tag and length of a person.
    private const int Envelope = 6;

    // One more than the page has, to know whether there is a next page.
    private readonly SortedList<string, Entry> _first = new(size + 1, StringComparer.Ordinal);

    /// <summary>The number of faces that have a person, on any page.</summary>
    public long NamedCount { get; private set; }

    public void Add(StoredPoint face)
    {
        if (PersonAttributes.PersonOf(face.Payload.Attributes) is not { } person)
        {
            return;
        }
        NamedCount++;
        if (string.CompareOrdinal(person, after) <= 0)
        {
            return;
        }
        if (!_first.TryGetValue(person, out var entry))
        {
            // A name that is left out here is not one of the first at the end either.
            if (_first.Count > size)
            {
                if (string.CompareOrdinal(person, _first.GetKeyAtIndex(size)) > 0)
                {
                    return;
                }
                _first.RemoveAt(size);
            }
            _first.Add(person, entry = new());
        }
        entry.Add(face);
    }

    /// <summary>Returns the persons, and the position of the next page or null.</summary>
    public (List<V1.Person> Persons, byte[]? Next) Take()
    {
        var persons = new List<V1.Person>();
        var bytes = 0L;
        foreach (var (name, entry) in _first)
        {
            var person = new V1.Person { Name = name, FaceCount = entry.Count, Cover = PointMapping.ToContract(entry.Cover!) };
            bytes += Envelope + person.CalculateSize();
            if (persons.Count == size || (persons.Count > 0 && bytes > PointPage.MaxBytes))
            {
                return (persons, Encoding.UTF8.GetBytes(persons[^1].Name));
            }
            persons.Add(person);
        }
        return (persons, null);
    }

    private sealed class Entry
    {
        private float _quality;

        public long Count { get; private set; }

        public StoredPoint? Cover { get; private set; }

        public void Add(StoredPoint face)
        {
            Count++;
            var quality = PersonAttributes.QualityOf(face.Payload.Attributes);
            if (Cover is null || quality > _quality || (quality == _quality && string.CompareOrdinal(face.Id, Cover.Id) < 0))
            {
                (Cover, _quality) = (face, quality);
            }
        }
    }
}
