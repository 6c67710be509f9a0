using Embeddings.V1;

namespace Embeddings.Tooling.People;

/// <summary>A person that a grouping found, with all faces.</summary>
/// <param name="Index">Number of the person, from 0 on.</param>
/// <param name="Name">Name; empty if the person is new and nothing was stored.</param>
/// <param name="Cover">Point id of the face with the highest quality; empty if there is none.</param>
/// <param name="Faces">The faces, the most typical first.</param>
internal sealed record FoundPerson(int Index, string Name, string Cover, IReadOnlyList<ClusteredFace> Faces)
{
    /// <summary>Faces that did not have the person's name before.</summary>
    public int NewCount => Faces.Count(face => face.Joined);
}

/// <summary>The persons of a collection, largest first, and the summary of the grouping.</summary>
internal sealed record FoundPersons(IReadOnlyList<FoundPerson> Persons, ClusterSummary Summary)
{
    /// <summary>Reads the messages of a grouping.</summary>
    /// <param name="messages">The messages. A person with many faces has several.</param>
    /// <param name="progress">Receives the progress.</param>
    /// <exception cref="ToolException">The messages end without a summary.</exception>
    public static async Task<FoundPersons> ReadAsync(IAsyncEnumerable<ClusterFacesResponse> messages, Action<ClusterProgress> progress)
    {
        var persons = new List<FoundPerson>();
        var faces = new List<ClusteredFace>();
        ClusterSummary? summary = null;
        await foreach (var message in messages)
        {
            switch (message.ContentCase)
            {
                case ClusterFacesResponse.ContentOneofCase.Progress:
                    progress(message.Progress);
                    break;
                case ClusterFacesResponse.ContentOneofCase.Person:
                    var group = message.Person;
                    if (persons.Count == 0 || persons[^1].Index != group.Index)
                    {
                        faces = [];
                        persons.Add(new(group.Index, group.Person, group.Cover?.PointId ?? "", faces));
                    }
                    faces.AddRange(group.Faces);
                    break;
                case ClusterFacesResponse.ContentOneofCase.Summary:
                    summary = message.Summary;
                    break;
            }
        }
        return new(persons, summary ?? throw new ToolException("The server ended the grouping without a summary. Run the command again."));
    }
}
