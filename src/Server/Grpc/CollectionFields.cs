namespace Embeddings.Server.Grpc;

/// <summary>The meaning of a field with the name of a collection when it is empty.</summary>
internal enum CollectionField
{
    /// <summary>The name is missing, or stands for all collections.</summary>
    Named,

    /// <summary>The default collection of whole images.</summary>
    OfImages,

    /// <summary>The default collection of faces.</summary>
    OfFaces,
}

/// <summary>
/// The fields of requests with the name of a collection that the request reads or changes, which may be an alias. Not the new name of a
/// collection, nor names in a change of aliases. A test finds all of them by the descriptors.
/// </summary>
internal static class CollectionFields
{
    /// <summary>Changes the names.</summary>
    /// <param name="request">The request.</param>
    /// <param name="argument">Passed to <paramref name="change"/>.</param>
    /// <param name="change">Returns the name to use instead of a name.</param>
    public static void Change<T>(object request, T argument, Func<string, CollectionField, T, string> change)
    {
        switch (request)
        {
            case V1.StreamUpsertVectorsRequest r:
                r.Collection = change(r.Collection, CollectionField.Named, argument);
                break;
            case V1.StreamIngestRequest r:
                switch (r.ItemCase)
                {
                    case V1.StreamIngestRequest.ItemOneofCase.Image:
                        r.Collection = change(r.Collection, CollectionField.OfImages, argument);
                        break;
                    case V1.StreamIngestRequest.ItemOneofCase.Face:
                        r.Collection = change(r.Collection, CollectionField.OfFaces, argument);
                        break;
                    case V1.StreamIngestRequest.ItemOneofCase.Photo:
                        r.Collection = change(r.Collection, CollectionField.OfFaces, argument);
                        ChangePhoto(r.Photo);
                        break;
                }
                break;
            case V1.IngestImageRequest r:
                r.Collection = change(r.Collection, CollectionField.OfImages, argument);
                break;
            case V1.IngestFaceRequest r:
                r.Collection = change(r.Collection, CollectionField.OfFaces, argument);
                break;
            case V1.IngestPhotoRequest r:
                r.Collection = change(r.Collection, CollectionField.OfFaces, argument);
                ChangePhoto(r.Item);
                break;
            case V1.IdentifyFacesRequest r:
                r.Collection = change(r.Collection, CollectionField.OfFaces, argument);
                break;
            case V1.ClusterFacesRequest r:
                r.Collection = change(r.Collection, CollectionField.OfFaces, argument);
                break;
            case V1.ListPersonsRequest r:
                r.Collection = change(r.Collection, CollectionField.OfFaces, argument);
                break;
            case V1.NamePersonRequest r:
                r.Collection = change(r.Collection, CollectionField.OfFaces, argument);
                break;
            case V1.MergePersonsRequest r:
                r.Collection = change(r.Collection, CollectionField.OfFaces, argument);
                break;
            case V1.SplitPersonRequest r:
                r.Collection = change(r.Collection, CollectionField.OfFaces, argument);
                break;
            case V1.UndoPersonChangeRequest r:
                r.Collection = change(r.Collection, CollectionField.OfFaces, argument);
                break;
            case V1.UpsertVectorsRequest r:
                r.Collection = change(r.Collection, CollectionField.Named, argument);
                break;
            case V1.GetVectorRequest r:
                r.Collection = change(r.Collection, CollectionField.Named, argument);
                break;
            case V1.GetVectorsRequest r:
                r.Collection = change(r.Collection, CollectionField.Named, argument);
                break;
            case V1.SetAttributesRequest r:
                r.Collection = change(r.Collection, CollectionField.Named, argument);
                break;
            case V1.DeleteVectorsRequest r:
                r.Collection = change(r.Collection, CollectionField.Named, argument);
                break;
            case V1.CountVectorsRequest r:
                r.Collection = change(r.Collection, CollectionField.Named, argument);
                break;
            case V1.ListVectorsRequest r:
                r.Collection = change(r.Collection, CollectionField.Named, argument);
                break;
            case V1.GetCollectionRequest r:
                r.Collection = change(r.Collection, CollectionField.Named, argument);
                break;
            case V1.UpdateCollectionRequest r:
                r.Collection = change(r.Collection, CollectionField.Named, argument);
                break;
            case V1.DeleteCollectionRequest r:
                r.Collection = change(r.Collection, CollectionField.Named, argument);
                break;
            case V1.SearchVectorsRequest r:
                r.Collection = change(r.Collection, CollectionField.Named, argument);
                break;
            case V1.SearchByMediaStoreIdRequest r:
                r.Collection = change(r.Collection, CollectionField.OfFaces, argument);
                break;
            case V1.DeleteByJobIdRequest r:
                r.Collection = change(r.Collection, CollectionField.Named, argument);
                break;
            case V1.SetLegalHoldRequest r:
                r.Collection = change(r.Collection, CollectionField.Named, argument);
                break;
        }

        void ChangePhoto(V1.PhotoItem? photo)
        {
            if (photo is not null)
            {
                photo.ImageCollection = change(
                    photo.ImageCollection, photo.WithImage ? CollectionField.OfImages : CollectionField.Named, argument);
            }
        }
    }
}
