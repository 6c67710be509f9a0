//! Messages of several items, which cost less per item than messages of one.

use std::iter::Peekable;

use prost::Message;

use crate::pb;

/// Maximum number of items in one message. The server accepts 1,000.
const MAX_ITEMS: usize = 64;

/// Maximum size of the items in one message, in bytes. A larger item is sent alone.
const MAX_BYTES: usize = 512 * 1024;

/// A request or a response of a stream: one item, or several.
pub trait StreamMessage: Message + Default {
    /// A message of several items.
    fn of(items: Vec<Self>) -> Self;

    /// The items of a message of either form.
    fn into_items(self) -> Vec<Self>;
}

macro_rules! stream_messages {
    ($($message:ident),*) => {
        $(impl StreamMessage for pb::$message {
            fn of(items: Vec<Self>) -> Self {
                Self { items, ..Default::default() }
            }

            fn into_items(mut self) -> Vec<Self> {
                match std::mem::take(&mut self.items) {
                    items if items.is_empty() => vec![self],
                    items => items,
                }
            }
        })*
    };
}

stream_messages!(StreamEmbedRequest, StreamEmbedResponse, StreamIngestRequest, StreamIngestResponse);

/// Packs requests into messages, as many as are allowed in one.
///
/// It suits iterators that always have the next item. If items arrive over time, send what has arrived after a few
/// milliseconds, for example with `chunks_timeout` of `tokio_stream`.
pub fn batches<I>(requests: I) -> Batches<I::IntoIter>
where
    I: IntoIterator,
    I::Item: StreamMessage,
{
    Batches { requests: requests.into_iter().peekable() }
}

/// Iterator of [`batches`].
pub struct Batches<I: Iterator> {
    requests: Peekable<I>,
}

impl<I> Iterator for Batches<I>
where
    I: Iterator,
    I::Item: StreamMessage,
{
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        let first = self.requests.next()?;
        let mut bytes = first.encoded_len();
        let mut items = vec![first];
        while items.len() < MAX_ITEMS {
            let Some(item) = self.requests.next_if(|item| bytes + item.encoded_len() <= MAX_BYTES) else {
                break;
            };
            bytes += item.encoded_len();
            items.push(item);
        }
        // Servers of an earlier version also understand a message of one item.
        if items.len() == 1 {
            items.pop()
        } else {
            Some(I::Item::of(items))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{batches, StreamMessage, MAX_BYTES, MAX_ITEMS};
    use crate::pb::{image, stream_embed_request, Image, StreamEmbedRequest};

    fn item(number: usize, size: usize) -> StreamEmbedRequest {
        let image = Image { source: Some(image::Source::Encoded(vec![0; size])) };
        StreamEmbedRequest {
            item_id: number.to_string(),
            item: Some(stream_embed_request::Item::Image(image)),
            ..Default::default()
        }
    }

    #[test]
    fn messages_keep_their_bounds_and_the_order() {
        let sizes = (0..200).map(|number| if number == 70 { MAX_BYTES } else { 100 });
        let messages: Vec<_> = batches(sizes.enumerate().map(|(number, size)| item(number, size))).collect();
        let counts: Vec<_> = messages.iter().map(|message| message.items.len()).collect();
        // The large item is alone, and a message of one item has the single form.
        assert_eq!(counts, [MAX_ITEMS, 6, 0, MAX_ITEMS, MAX_ITEMS, 0]);
        let ids: Vec<_> =
            messages.into_iter().flat_map(StreamMessage::into_items).map(|request| request.item_id).collect();
        assert_eq!(ids, (0..200).map(|number| number.to_string()).collect::<Vec<_>>());
    }
}
