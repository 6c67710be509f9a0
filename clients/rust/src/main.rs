//! Embeds, ingests, and searches generated face crops, and prints `ok STEP` for each step.
//!
//! Usage: embeddings-example [URL] [JPEG]
//!
//! Environment, as for the `embeddings` command: EMBEDDINGS_CA, EMBEDDINGS_CLIENT_CERT, and EMBEDDINGS_CLIENT_KEY are PEM files
//! for https:// URLs; EMBEDDINGS_API_KEY is sent with every call.

mod batches;
mod security;

use std::error::Error;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::Arc;

use tonic::{Code, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::HealthCheckRequest;
use tonic_types::StatusExt;

use batches::{batches, StreamMessage};
use pb::embedding_service_client::EmbeddingServiceClient;
use pb::ingest_service_client::IngestServiceClient;
use pb::vector_store_service_client::VectorStoreServiceClient;
use security::Service;

/// Stubs that build.rs generates.
pub mod pb {
    tonic::include_proto!("embeddings.v1");
}

const COLLECTION: &str = "example_rust";
const JOB: &str = "job-rust";
const CROPS: i32 = 2000;
const ITEMS: i32 = 300;
const SIDE: i32 = 112;

type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().unwrap_or_else(|| "http://localhost:50051".to_owned());
    let jpeg = std::fs::read(arguments.next().unwrap_or_else(|| "../testdata/sample.jpg".to_owned()))?;
    // Calls share the channel. It reconnects if the connection breaks.
    let channel = security::connect(&url).await?;

    health(&channel).await?;
    println!("ok health");
    embed(&channel, jpeg).await?;
    println!("ok embed");
    let query = stream(&channel).await?;
    println!("ok stream");
    ingest(&channel).await?;
    println!("ok ingest");
    search(&channel, query).await?;
    println!("ok search");
    delete(&channel).await?;
    println!("ok delete");
    errors(&channel).await?;
    println!("ok errors");
    Ok(())
}

async fn health(channel: &Service) -> Outcome<()> {
    let request = HealthCheckRequest { service: String::new() };
    let answer = HealthClient::new(channel.clone()).check(request).await?.into_inner();
    expect(answer.status == ServingStatus::Serving as i32, || format!("the status is {}", answer.status))
}

async fn embed(channel: &Service, jpeg: Vec<u8>) -> Outcome<()> {
    let request = pb::EmbedImageRequest { image: Some(encoded(jpeg)), ..Default::default() };
    let answer = EmbeddingServiceClient::new(channel.clone()).embed_image(request).await?.into_inner();
    let values = answer.embedding.unwrap_or_default().values;
    expect(values.len() == 512 && values.iter().all(|value| value.is_finite()), || format!("{} values", values.len()))
}

/// Embeds a stream of crops and returns the vector of crop 100. HTTP/2 flow control decides when the next request is
/// created, so only a few crops are in memory at a time.
async fn stream(channel: &Service) -> Outcome<Vec<f32>> {
    let items = (0..CROPS).map(|number| pb::StreamEmbedRequest {
        item_id: number.to_string(),
        item: Some(pb::stream_embed_request::Item::Face(face(number))),
        ..Default::default()
    });
    let (requests, sent) = counted(batches(items));
    let mut answers =
        EmbeddingServiceClient::new(channel.clone()).stream_embed(tokio_stream::iter(requests)).await?.into_inner();
    let mut count = 0;
    let mut query = Vec::new();
    while let Some(message) = answers.message().await? {
        for answer in message.into_items() {
            expect(answer.item_id == count.to_string(), || format!("result {count} is for item {}", answer.item_id))?;
            match answer.result {
                Some(pb::stream_embed_response::Result::Embedding(embedding)) => {
                    let norm = embedding.values.iter().map(|value| value * value).sum::<f32>().sqrt();
                    expect((norm - 1.0).abs() < 1e-5, || format!("the norm of {count} is {norm}"))?;
                    if count == 100 {
                        query = embedding.values;
                    }
                }
                Some(pb::stream_embed_response::Result::Error(error)) => {
                    return Err(item_failed(&answer.item_id, &error))
                }
                None => return Err(format!("result {count} is empty").into()),
            }
            count += 1;
        }
    }
    expect(count == CROPS, || format!("{count} results"))?;
    let sent = sent.load(Ordering::Relaxed);
    expect(sent < CROPS / 2, || format!("{sent} messages for {CROPS} crops"))?;
    Ok(query)
}

/// Ingests a stream of faces. An ack means that the point is durable. If the stream breaks, items without a response can be
/// sent again on a new one: a point is replaced by its id.
async fn ingest(channel: &Service) -> Outcome<()> {
    let items = (0..ITEMS).map(|number| pb::StreamIngestRequest {
        item_id: number.to_string(),
        collection: COLLECTION.to_owned(),
        item: Some(pb::stream_ingest_request::Item::Face(pb::FaceItem {
            job_id: JOB.to_owned(),
            media_store_id: format!("media-{}", number % 3),
            face_index: number,
            face: Some(face(number)),
            ..Default::default()
        })),
        ..Default::default()
    });
    let (requests, sent) = counted(batches(items));
    let mut answers =
        IngestServiceClient::new(channel.clone()).stream_ingest(tokio_stream::iter(requests)).await?.into_inner();
    let mut acks = 0;
    while let Some(message) = answers.message().await? {
        for answer in message.into_items() {
            match answer.result {
                Some(pb::stream_ingest_response::Result::Ack(_)) => acks += 1,
                // One item's failure does not end the stream.
                Some(pb::stream_ingest_response::Result::Error(error)) => {
                    eprintln!("{}", item_failed(&answer.item_id, &error))
                }
                None => return Err(format!("the result of item {} is empty", answer.item_id).into()),
            }
        }
    }
    expect(acks == ITEMS, || format!("{acks} acks"))?;
    let sent = sent.load(Ordering::Relaxed);
    expect(sent < ITEMS / 2, || format!("{sent} messages for {ITEMS} items"))
}

async fn search(channel: &Service, query: Vec<f32>) -> Outcome<()> {
    let vector = pb::search_query::Query::Vector(pb::QueryVector { values: query, ..Default::default() });
    let request = pb::SearchVectorsRequest {
        collection: COLLECTION.to_owned(),
        queries: vec![pb::SearchQuery { query: Some(vector), ..Default::default() }],
        limit: 5,
        filter: Some(pb::Filter { media_store_id: Some("media-1".to_owned()), ..Default::default() }),
        ..Default::default()
    };
    let answer = VectorStoreServiceClient::new(channel.clone()).search_vectors(request).await?.into_inner();
    let points = answer.results.into_iter().next().unwrap_or_default().points;
    let first =
        points.first().and_then(|found| found.point.as_ref()).map(|point| point.point_id.clone()).unwrap_or_default();
    expect(points.len() == 5 && first == format!("{JOB}-100"), || {
        format!("{} points, the first is '{first}'", points.len())
    })
}

async fn delete(channel: &Service) -> Outcome<()> {
    let request = pb::DeleteByJobIdRequest { job_id: JOB.to_owned(), collection: COLLECTION.to_owned() };
    let deleted =
        VectorStoreServiceClient::new(channel.clone()).delete_by_job_id(request).await?.into_inner().deleted_count;
    expect(deleted == i64::from(ITEMS), || format!("{deleted} points deleted"))
}

async fn errors(channel: &Service) -> Outcome<()> {
    let request = pb::EmbedImageRequest { image: Some(encoded(b"not an image".to_vec())), ..Default::default() };
    match EmbeddingServiceClient::new(channel.clone()).embed_image(request).await {
        Ok(_) => Err("no error".into()),
        Err(status) => {
            let (reason, field) = details(&status);
            let right =
                status.code() == Code::InvalidArgument && reason == "IMAGE_FORMAT_UNKNOWN" && field == "image.encoded";
            expect(right, || format!("{:?}, reason '{reason}', field '{field}'", status.code()))
        }
    }
}

/// Returns the reason (docs/errors.md) and the invalid field of a failed call. Empty if the server gave none.
fn details(status: &Status) -> (String, String) {
    let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
    let field = status
        .get_details_bad_request()
        .and_then(|request| request.field_violations.into_iter().next())
        .map(|violation| violation.field)
        .unwrap_or_default();
    (reason, field)
}

fn item_failed(item_id: &str, error: &pb::ItemError) -> Box<dyn Error> {
    format!("item {item_id}: {}: {}: {}", error.reason, error.field, error.message).into()
}

/// Counts the messages that a stream takes.
fn counted<I: Iterator>(messages: I) -> (impl Iterator<Item = I::Item>, Arc<AtomicI32>) {
    let count = Arc::new(AtomicI32::new(0));
    let taken = count.clone();
    (messages.inspect(move |_| _ = taken.fetch_add(1, Ordering::Relaxed)), count)
}

fn encoded(data: Vec<u8>) -> pb::Image {
    pb::Image { source: Some(pb::image::Source::Encoded(data)) }
}

/// An aligned crop: channel `c` of pixel `(x, y)` is `(7x + 13y + 31c + 17 number) mod 256`.
fn face(number: i32) -> pb::FaceCrop {
    let mut data = Vec::with_capacity((SIDE * SIDE * 3) as usize);
    for y in 0..SIDE {
        for x in 0..SIDE {
            for c in 0..3 {
                data.push(((7 * x + 13 * y + 31 * c + 17 * number) % 256) as u8);
            }
        }
    }
    let pixels =
        pb::PixelBuffer { width: SIDE, height: SIDE, format: pb::PixelFormat::Rgb8 as i32, data, ..Default::default() };
    pb::FaceCrop { image: Some(pb::Image { source: Some(pb::image::Source::Pixels(pixels)) }), ..Default::default() }
}

fn expect(holds: bool, otherwise: impl FnOnce() -> String) -> Outcome<()> {
    if holds {
        Ok(())
    } else {
        Err(otherwise().into())
    }
}
